"""The user table: IndiMail's columns, through SQLAlchemy Core, in an SQLite file, MariaDB or any database with a URL.

Source: IndiMail vadduser(1), vpasswd(1) -e and -m (what is stored), sql_getpw.c (the inactive are in indibak).

Note for maintainers: what is stored of a password is its `StoredForm`::

    {CRAM}    pw_passwd {CRAM}clear,crypt   scram {SCRAM-SHA-256}…         every mechanism works
    {SCRAM}   pw_passwd crypt               scram {SCRAM-SHA-256}…,crypt   LOGIN, PLAIN and SCRAM-SHA-256 work
    crypt     pw_passwd crypt               scram empty                    LOGIN and PLAIN work

Beside a long clear password pw_passwd has room for a shorter crypt(3) hash only, or for none.

Rule 1: no error text holds a password, a parameter of a statement, or the password of a URL.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from indimail_kit.auth import crypt3, scram
from indimail_kit.auth.accounts_schema import ACTIVE_TABLE as ACTIVE_TABLE
from indimail_kit.auth.accounts_schema import INACTIVE_TABLE as INACTIVE_TABLE
from indimail_kit.auth.accounts_schema import NO_QUOTA as NO_QUOTA
from indimail_kit.auth.accounts_schema import WIDTHS as WIDTHS
from indimail_kit.auth.accounts_schema import describe_tables, open_engine
from indimail_kit.auth.accounts_schema import split_address as split_address
from indimail_kit.auth.stored import Account, StoredForm, encode_pw_passwd
from indimail_kit.errors import AccountError, SaslError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from sqlalchemy import ColumnElement, Connection, Select, Table

_T = TypeVar("_T")

FORMS: Final = (StoredForm.CRAM, StoredForm.SCRAM, StoredForm.CRYPT)
"""What can be stored of a password, see the top of this module."""


class UserTable:
    """The users of a mail system; a context manager, usable from several threads.

    Args:
        where: Path of an SQLite file (made with mode 600 when it is not there) or a SQLAlchemy URL, such as
            ``sqlite:///users.db``, ``sqlite://`` (memory) or ``mysql+pymysql://…``.
        create: Whether the file and the tables are made when they are not there.

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

    def __init__(self, where: str | Path, *, create: bool = True) -> None:
        self._engine, self._lock = open_engine(where, create=create)
        self._schema = describe_tables()
        if create:
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
        form: StoredForm = StoredForm.CRAM,
    ) -> Account:
        """Add a user, as vadduser and then ``vpasswd -e`` do; return the account.

        Raises:
            AccountError: The user is there, or a value does not fit its column.
            MissingPartError: libpass or scramp is not installed.
        """
        name, domain = split_address(address)
        texts = {"pw_gecos": pw_gecos, "pw_dir": pw_dir, "pw_shell": pw_shell}
        row: dict[str, object] = {
            "pw_name": name,
            "pw_domain": domain,
            "pw_uid": pw_uid,
            "pw_gid": pw_gid,
            **texts,
            **_stored(passwd, form),
        }
        for column, text in texts.items():
            _check_width(column, text)

        def insert(connection: Connection) -> Account:
            if self._find(connection, name, domain) is not None:
                raise AccountError("a user who is there already")
            connection.execute(self._schema.active.insert().values(row))
            return _account(row, is_active=True)

        return self._run(insert)

    def passwd(self, address: str, passwd: str, *, form: StoredForm | None = None) -> None:
        """Set a user's password, as ``vpasswd -e`` does.

        Args:
            address: The user.
            passwd: The new password.
            form: What to store of it, None for what is stored now.

        Raises:
            AccountError: There is no such user, or the password does not fit.
            MissingPartError: libpass or scramp is not installed.
        """
        if form is None:
            account = self.get(address)
            form = account.form if account is not None and account.form in FORMS else StoredForm.CRAM
        self._update(address, _stored(passwd, form))

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
            row, was_active = self._expect(connection, name, domain)
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

        def delete(connection: Connection) -> None:
            self._expect(connection, name, domain)
            for table in (self._schema.active, self._schema.inactive):
                connection.execute(table.delete().where(_is_user(table, name, domain)))

        self._run(delete)

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
            if row is not None and (row["pw_name"].lower(), row["pw_domain"].lower()) == (name, domain):
                return dict(row), table is self._schema.active
        return None

    def _expect(self, connection: Connection, name: str, domain: str) -> tuple[Mapping[str, Any], bool]:
        """Return what `_find` does; an unknown user raises AccountError."""
        found = self._find(connection, name, domain)
        if found is None:
            raise AccountError("an unknown user")
        return found

    def _update(self, address: str, values: Mapping[str, object]) -> None:
        """Change columns of one user."""
        name, domain = split_address(address)

        def update(connection: Connection) -> None:
            self._expect(connection, name, domain)
            for table in (self._schema.active, self._schema.inactive):
                connection.execute(table.update().where(_is_user(table, name, domain)).values(dict(values)))

        self._run(update)

    def _run(self, work: Callable[[Connection], _T]) -> _T:
        """Do work in one transaction; what the database says against it becomes an AccountError."""
        from sqlalchemy.exc import IntegrityError, SQLAlchemyError

        problem = ""
        try:
            with self._lock, self._engine.begin() as connection:
                return work(connection)
        except IntegrityError:
            problem = "a user who is there already"
        except SQLAlchemyError as error:
            problem = f"a user table that does not answer: {self._describe(error)}"
        # Raised here and not above, so that the error does not carry the statement as its context.
        raise AccountError(problem)

    def _describe(self, error: Exception) -> str:
        """Return the driver's own text for SQLite, which quotes no values, and name and number for any other."""
        original = getattr(error, "orig", None)
        if self._engine.dialect.name == "sqlite" and original is not None:
            return str(original)
        numbers = [str(part) for part in getattr(original, "args", ()) if isinstance(part, int)]
        return " ".join([type(error).__name__, *numbers[:1]])


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


def _stored(passwd: str, form: StoredForm) -> dict[str, str]:
    """Return the columns that keep a password."""
    if not passwd or not passwd.isprintable():
        raise AccountError("a password that is empty or holds unprintable characters")
    if form not in FORMS:
        raise AccountError(f"a stored form that is none of {', '.join(form.value for form in FORMS)}")
    if form is StoredForm.CRAM:
        columns = {"pw_passwd": encode_pw_passwd(passwd, crypted=_hash_beside(passwd)), "scram": _keys(passwd)}
    elif form is StoredForm.SCRAM:
        crypted = crypt3.make_hash(passwd)
        columns = {"pw_passwd": crypted, "scram": f"{_keys(passwd, must_be=True)},{crypted}"}
    else:
        columns = {"pw_passwd": crypt3.make_hash(passwd), "scram": ""}
    for column, text in columns.items():
        _check_width(column, text)
    return columns


def _hash_beside(passwd: str) -> str:
    """Return the strongest hash for which pw_passwd has room beside the clear password, "" if for none."""
    room = WIDTHS["pw_passwd"] - len(encode_pw_passwd(passwd))
    scheme = next((scheme for scheme in (crypt3.SHA512, crypt3.SHA256) if scheme.hash_bytes <= room), None)
    return crypt3.make_hash(passwd, scheme=scheme) if scheme is not None else ""


def _keys(passwd: str, *, must_be: bool = False) -> str:
    """Return the SCRAM keys of a password; "" for one that SASLprep forbids, or an error if they must be."""
    try:
        return scram.encode_keys(scram.make_keys(passwd))
    except SaslError:
        if not must_be:
            return ""
    raise AccountError("a password that cannot be used with SCRAM")


def _check_width(column: str, text: str) -> None:
    """Refuse what the column would cut off, and what a terminal would not show."""
    if len(text) > WIDTHS[column]:
        raise AccountError(f"a {column} longer than {WIDTHS[column]} characters")
    if not text.isprintable():
        raise AccountError(f"a {column} with unprintable characters")
