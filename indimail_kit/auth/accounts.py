"""The user table: IndiMail's columns, through SQLAlchemy Core, in an SQLite file or any database with a URL.

Source: IndiMail indimail.h SMALL_TABLE_LAYOUT (columns and widths), sql_getpw.c (the inactive are in indibak).

Note for maintainers: the crypt(3) half of ``{CRAM}clear,crypt`` stays empty, since Python has lost its crypt module. A
real vchkpass then lets such a user in by CRAM only; here LOGIN and PLAIN compare with the clear half.

Rule 1: SQLAlchemy is imported when a table is opened, never with this module.
Rule 2: no error text holds a password, a parameter of a statement, or the password of a URL.
"""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from indimail_kit.auth.stored import Account, encode_pw_passwd
from indimail_kit.errors import AccountError, MissingPartError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from sqlalchemy import URL, ColumnElement, Connection, Engine, Select, Table

_T = TypeVar("_T")

ACTIVE_TABLE: Final = "indimail"
"""Users who may log in. Source: indimail.h MYSQL_DEFAULT_TABLE."""

INACTIVE_TABLE: Final = "indibak"
"""Users who may not. Source: indimail.h MYSQL_INACTIVE_TABLE."""

WIDTHS: Final = {
    "pw_name": 40,
    "pw_domain": 67,
    "pw_passwd": 128,
    "pw_gecos": 48,
    "pw_dir": 156,
    "pw_shell": 30,
    "scram": 255,
}
"""Widths of the text columns (unit: characters). Source: indimail.h SMALL_TABLE_LAYOUT; scram is ours."""

NO_QUOTA: Final = "NOQUOTA"
"""pw_shell of a mailbox without a limit. Source: vadduser(1)."""


@dataclass(frozen=True, slots=True)
class _Schema:
    """The two tables; both have the same columns."""

    active: Table
    inactive: Table


@cache
def _schema() -> _Schema:
    """Describe the tables, once."""
    from sqlalchemy import TIMESTAMP, Column, Integer, MetaData, String, Table, func

    metadata = MetaData()

    def describe(name: str) -> Table:
        return Table(
            name,
            metadata,
            Column("pw_name", String(WIDTHS["pw_name"]), primary_key=True),
            Column("pw_domain", String(WIDTHS["pw_domain"]), primary_key=True),
            Column("pw_passwd", String(WIDTHS["pw_passwd"]), nullable=False),
            Column("pw_uid", Integer),
            Column("pw_gid", Integer),
            Column("pw_gecos", String(WIDTHS["pw_gecos"]), nullable=False),
            Column("pw_dir", String(WIDTHS["pw_dir"])),
            Column("pw_shell", String(WIDTHS["pw_shell"])),
            Column("scram", String(WIDTHS["scram"])),
            Column(
                "timestamp",
                TIMESTAMP,
                nullable=False,
                server_default=func.current_timestamp(),
                onupdate=func.current_timestamp(),
            ),
        )

    return _Schema(describe(ACTIVE_TABLE), describe(INACTIVE_TABLE))


def split_address(address: str) -> tuple[str, str]:
    """Return name and domain of an address, in lower case; the last ``@`` divides.

    Raises:
        AccountError: One of them is missing, too long, or holds a blank or an unprintable character.

    Example:
        >>> split_address("Postmaster@Example.com")
        ('postmaster', 'example.com')
    """
    name, at, domain = address.lower().rpartition("@")
    if not at or not name or not domain:
        raise AccountError("an address without a name or a domain")
    if " " in address or not address.isprintable():
        raise AccountError("an address with blanks or unprintable characters")
    if len(name) > WIDTHS["pw_name"] or len(domain) > WIDTHS["pw_domain"]:
        raise AccountError(f"an address longer than {WIDTHS['pw_name']}@{WIDTHS['pw_domain']} characters")
    return name, domain


class UserTable:
    """The users of a mail system; a context manager, usable from several threads.

    Args:
        where: Path of an SQLite file (made with mode 600 when it is not there) or a SQLAlchemy URL, such as
            ``sqlite:///users.db``, ``sqlite://`` (memory) or ``mysql+pymysql://…``.

    Raises:
        AccountError: The database cannot be opened.
        MissingPartError: SQLAlchemy or the driver of the URL is not installed.

    Example:
        >>> with UserTable("sqlite://") as table:
        ...     _ = table.add("postmaster@example.com", "pass")
        ...     table.get("Postmaster@example.com")
        Account(address='postmaster@example.com', is_active=True, pw_uid=0, pw_gid=0, pw_gecos='', pw_dir='', \
pw_shell='NOQUOTA')
    """

    def __init__(self, where: str | Path) -> None:
        self._engine, self._lock = _open(where)
        self._schema = _schema()
        self._run(self._schema.active.metadata.create_all)

    def __repr__(self) -> str:
        """Return the class and the URL, without its password."""
        return f"UserTable({self._engine.url.render_as_string(hide_password=True)!r})"

    def __enter__(self) -> UserTable:
        """Return the table itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the table."""
        self.close()

    def close(self) -> None:
        """Close every connection; a later call opens new ones."""
        self._engine.dispose()

    def add(
        self,
        address: str,
        passwd: str,
        *,
        pw_gecos: str = "",
        pw_dir: str = "",
        pw_shell: str = NO_QUOTA,
        pw_uid: int = 0,
        pw_gid: int = 0,
    ) -> Account:
        """Add a user with a clear password, as vadduser and then ``vpasswd -e`` do; return the account.

        Raises:
            AccountError: The user is there, or a value does not fit its column.
        """
        name, domain = split_address(address)
        texts = {"pw_gecos": pw_gecos, "pw_dir": pw_dir, "pw_shell": pw_shell, "scram": ""}
        row: dict[str, object] = {
            "pw_name": name,
            "pw_domain": domain,
            "pw_passwd": _stored(passwd),
            "pw_uid": pw_uid,
            "pw_gid": pw_gid,
            **texts,
        }
        for column, text in texts.items():
            _check_width(column, text)

        def insert(connection: Connection) -> Account:
            if self._find(connection, name, domain) is not None:
                raise AccountError("a user who is there already")
            connection.execute(self._schema.active.insert().values(row))
            return _account(row, is_active=True)

        return self._run(insert)

    def passwd(self, address: str, passwd: str) -> None:
        """Set a user's clear password, as ``vpasswd -e`` does.

        Raises:
            AccountError: There is no such user, or the password does not fit.
        """
        self._update(address, {"pw_passwd": _stored(passwd)})

    def set_flags(self, address: str, pw_gid: int) -> None:
        """Set a user's flags (NO_RELAY, NO_SMTP …), as vmoduser does.

        Raises:
            AccountError: There is no such user.
        """
        self._update(address, {"pw_gid": pw_gid})

    def set_active(self, address: str, *, is_active: bool) -> None:
        """Move a user to the table of the active or of the inactive, as vactivate… do; nothing if he is there.

        Raises:
            AccountError: There is no such user.
        """
        name, domain = split_address(address)
        schema = self._schema
        target, source = (schema.active, schema.inactive) if is_active else (schema.inactive, schema.active)

        def move(connection: Connection) -> None:
            found = self._find(connection, name, domain)
            if found is None:
                raise AccountError("an unknown user")
            row, was_active = found
            if was_active is not is_active:
                connection.execute(target.insert().values(dict(row)))
                connection.execute(source.delete().where(_is_user(source, name, domain)))

        self._run(move)

    def remove(self, address: str) -> None:
        """Remove a user, active or not.

        Raises:
            AccountError: There is no such user.
        """
        name, domain = split_address(address)

        def delete(connection: Connection) -> int:
            return sum(
                connection.execute(table.delete().where(_is_user(table, name, domain))).rowcount
                for table in (self._schema.active, self._schema.inactive)
            )

        if not self._run(delete):
            raise AccountError("an unknown user")

    def list(self) -> tuple[Account, ...]:
        """Return every user, the inactive too, by domain and name."""

        def select_all(connection: Connection) -> tuple[Account, ...]:
            return tuple(
                _account(dict(row), is_active=table is self._schema.active)
                for table in (self._schema.active, self._schema.inactive)
                for row in connection.execute(_columns(table)).mappings()
            )

        accounts = self._run(select_all)
        return tuple(sorted(accounts, key=lambda account: account.address.rpartition("@")[::-1]))

    def get(self, address: str) -> Account | None:
        """Return a user, active or not, in any case; None for an unknown one or a text that is no address.

        Raises:
            AccountError: The database does not answer.
        """
        try:
            name, domain = split_address(address)
        except AccountError:
            return None
        found = self._run(lambda connection: self._find(connection, name, domain))
        return None if found is None else _account(found[0], is_active=found[1])

    def _find(self, connection: Connection, name: str, domain: str) -> tuple[Mapping[str, Any], bool] | None:
        """Return a user's row and whether it is active."""
        for table in (self._schema.active, self._schema.inactive):
            row = connection.execute(_columns(table).where(_is_user(table, name, domain))).mappings().first()
            if row is not None:
                return dict(row), table is self._schema.active
        return None

    def _update(self, address: str, values: Mapping[str, object]) -> None:
        """Change columns of one user."""
        name, domain = split_address(address)

        def update(connection: Connection) -> int:
            return sum(
                connection.execute(table.update().where(_is_user(table, name, domain)).values(dict(values))).rowcount
                for table in (self._schema.active, self._schema.inactive)
            )

        if not self._run(update):
            raise AccountError("an unknown user")

    def _run(self, work: Callable[[Connection], _T]) -> _T:
        """Do work in one transaction; what the database says against it becomes an AccountError."""
        from sqlalchemy.exc import SQLAlchemyError

        problem = ""
        try:
            with self._lock, self._engine.begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            problem = self._describe(error)
        # Raised here and not above, so that the error does not carry the statement as its context.
        raise AccountError(f"a user table that does not answer: {problem}")

    def _describe(self, error: Exception) -> str:
        """Return the driver's own text for SQLite, which quotes no values, and the bare name for any other."""
        original = getattr(error, "orig", None)
        is_sqlite = self._engine.dialect.name == "sqlite"
        return str(original) if is_sqlite and original is not None else type(error).__name__


def _open(where: str | Path) -> tuple[Engine, AbstractContextManager[Any]]:
    """Make the engine, and the lock that the one connection of a database in memory needs."""
    try:
        from sqlalchemy import URL, create_engine
        from sqlalchemy.pool import StaticPool
    except ImportError:
        raise MissingPartError("SQLAlchemy", "Install it with: pip install 'indimail-kit[lab]'.") from None
    if isinstance(where, Path) or "://" not in where:
        url = URL.create("sqlite", database=os.fspath(where))
    else:
        url = _parse_url(where)
    is_sqlite = url.get_backend_name() == "sqlite"
    if is_sqlite and url.database in (None, "", ":memory:"):
        options = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
        return create_engine(url, hide_parameters=True, **options), threading.Lock()
    if is_sqlite:
        _make_private(Path(url.database or ""))
    try:
        return create_engine(url, hide_parameters=True), nullcontext()
    except ImportError:
        driver = url.get_driver_name()
        raise MissingPartError(f"the database driver {driver}", f"Install it with: pip install {driver}.") from None


def _parse_url(text: str) -> URL:
    """Read a URL; the error of SQLAlchemy is not passed on, for it quotes the URL with its password."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    with suppress(ArgumentError, ValueError):
        url = make_url(text)
        url.get_dialect()
        return url
    raise AccountError("a text that is no database URL (sqlite:///users.db, mysql+pymysql://user@host/name)")


def _make_private(path: Path) -> None:
    """Make the file with mode 600 where it is not there: it will hold clear passwords."""
    problem = ""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_CLOEXEC, 0o600))
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or "a path with NUL"
    if problem:
        raise AccountError(f"a database file that cannot be opened: {problem}")


def _columns(table: Table) -> Select[Any]:
    """Select what an account has."""
    return table.select().with_only_columns(*(column for column in table.c if column.name != "timestamp"))


def _is_user(table: Table, name: str, domain: str) -> ColumnElement[bool]:
    """Return the condition that picks one user."""
    return (table.c.pw_name == name) & (table.c.pw_domain == domain)


def _account(row: Mapping[str, Any], *, is_active: bool) -> Account:
    """Return the account of a row; a NULL is 0 or ""."""
    return Account(
        address=f"{row['pw_name']}@{row['pw_domain']}",
        pw_passwd=row["pw_passwd"],
        is_active=is_active,
        pw_uid=row["pw_uid"] or 0,
        pw_gid=row["pw_gid"] or 0,
        pw_gecos=row["pw_gecos"] or "",
        pw_dir=row["pw_dir"] or "",
        pw_shell=row["pw_shell"] or "",
        scram=row["scram"] or "",
    )


def _stored(passwd: str) -> str:
    """Return the stored form of a clear password."""
    if not passwd or not passwd.isprintable():
        raise AccountError("a password that is empty or holds unprintable characters")
    stored = encode_pw_passwd(passwd)
    _check_width("pw_passwd", stored)
    return stored


def _check_width(column: str, text: str) -> None:
    """Refuse what the column would cut off, and what a terminal would not show."""
    if len(text) > WIDTHS[column]:
        raise AccountError(f"a {column} longer than {WIDTHS[column]} characters")
    if not text.isprintable():
        raise AccountError(f"a {column} with unprintable characters")
