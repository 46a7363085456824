"""The two tables of users as IndiMail has them, and the way to a database.

Source: IndiMail indimail.h SMALL_TABLE_LAYOUT (columns and widths), sql_getpw.c (the inactive are in indibak).

Note for maintainers: MariaDB compares texts without regard to case and accents unless it is told otherwise; the tables
made here are told. One that IndiMail made is not, so `accounts` compares what it found once more.

Rule 1: SQLAlchemy is imported when a table is opened, never with this module.
Rule 2: no error text holds the password of a URL.
"""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.errors import AccountError, MissingPartError

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine, Table

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
class Schema:
    """The two tables; both have the same columns."""

    active: Table
    inactive: Table


@cache
def describe_tables() -> Schema:
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
            mysql_charset="utf8mb4",
            mysql_collate="utf8mb4_bin",
        )

    return Schema(describe(ACTIVE_TABLE), describe(INACTIVE_TABLE))


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


def open_engine(where: str | Path, *, create: bool = True) -> tuple[Engine, AbstractContextManager[Any]]:
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
        _open_file(Path(url.database or ""), create=create)
    try:
        return create_engine(url, hide_parameters=True, pool_pre_ping=not is_sqlite), nullcontext()
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


def _open_file(path: Path, *, create: bool) -> None:
    """See that the file is there; make it with mode 600 where it may be made: it will hold clear passwords."""
    problem = ""
    try:
        os.close(os.open(path, os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600))
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or "a path with NUL"
    if problem:
        raise AccountError(f"a database file that cannot be opened: {problem}")
