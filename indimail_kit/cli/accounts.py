"""``accounts``: the user table, like vadduser, vpasswd -e, vuserinfo and vdeluser.

Rule 1: a password comes from standard input, a file or a prompt; never from the command line, and it is never shown.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from indimail_kit.cli.output import json_option, note, print_json, print_table
from indimail_kit.cli.passwords import password_options, read_password

if TYPE_CHECKING:
    from indimail_kit.auth.accounts import UserTable
    from indimail_kit.auth.stored import Account, StoredForm

DATABASE_VARIABLE: Final = "INDIMAIL_KIT_DATABASE"
"""Environment variable with the URL of the database."""

DEFAULT_DATABASE: Final = "sqlite:///users.db"
"""A file in the working directory."""

FORMS: Final = ("cram", "scram", "crypt")
"""What --store takes; see `indimail_kit.auth.accounts`."""


def database_option(*, default: str | None = DEFAULT_DATABASE) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option ``--database``."""
    return click.option(
        "--database",
        metavar="URL",
        envvar=DATABASE_VARIABLE,
        default=default,
        show_default=default is not None,
        help=f"sqlite:///FILE or mysql+pymysql://USER@/NAME?unix_socket=PATH; a URL with a password belongs into "
        f"${DATABASE_VARIABLE}, where ps does not show it.",
    )


def _store_option(*, default: str | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--store",
        type=click.Choice(FORMS),
        default=default,
        show_default=default is not None,
        help="cram: the clear password, for every mechanism. scram: keys and a hash, for SCRAM-SHA-256, LOGIN and "
        "PLAIN. crypt: a hash, for LOGIN and PLAIN."
        + ("" if default is not None else " Default: as it is stored now."),
    )


@click.group()
def accounts() -> None:
    """The user table: IndiMail's columns in an SQLite file or MariaDB."""


@accounts.command()
@click.argument("user")
@database_option()
@password_options
@_store_option(default="cram")
@click.option("--name", "gecos", default="", help="Name of the person (pw_gecos).")
@click.option("--dir", "directory", default="", help="Home directory of the mailbox (pw_dir).")
@click.option("--quota", default="NOQUOTA", show_default=True, help="Quota (pw_shell).")
@click.option("--no-relay", is_flag=True, help="Mail to other hosts is refused (NO_RELAY).")
@click.option("--no-smtp", is_flag=True, help="May not log in to SMTP (NO_SMTP).")
@json_option
def add(
    user: str,
    database: str,
    password_stdin: bool,
    password_file: Path | None,
    store: str,
    gecos: str,
    directory: str,
    quota: str,
    no_relay: bool,
    no_smtp: bool,
    as_json: bool,
) -> None:
    """Add USER (name@domain) with a password."""
    from indimail_kit.auth.stored import NO_RELAY, NO_SMTP

    passwd = read_password(password_stdin, password_file, "Password", is_new=True)
    with closing(_open(database)) as table:
        account = table.add(
            user,
            passwd,
            pw_gecos=gecos,
            pw_dir=directory,
            pw_shell=quota,
            pw_gid=no_relay * NO_RELAY | no_smtp * NO_SMTP,
            form=_form(store),
        )
    _done(account, "added", as_json=as_json)


@accounts.command("passwd")
@click.argument("user")
@database_option()
@password_options
@_store_option(default=None)
@json_option
def set_passwd(
    user: str, database: str, password_stdin: bool, password_file: Path | None, store: str | None, as_json: bool
) -> None:
    """Give USER a new password."""
    passwd = read_password(password_stdin, password_file, "Password", is_new=True)
    with closing(_open(database)) as table:
        table.passwd(user, passwd, form=None if store is None else _form(store))
        account = table.get(user)
    if account is not None:
        _done(account, "has a new password", as_json=as_json)


@accounts.command()
@click.argument("user")
@database_option()
@json_option
def remove(user: str, database: str, as_json: bool) -> None:
    """Remove USER."""
    with closing(_open(database)) as table:
        account = table.get(user)
        table.remove(user)
    if account is not None:
        _done(account, "removed", as_json=as_json)


@accounts.command("list")
@database_option()
@json_option
def list_users(database: str, as_json: bool) -> None:
    """Show every user, by domain and name."""
    with closing(_open(database, create=False)) as table:
        rows = [account.as_row() for account in table.list()]
    if as_json:
        print_json(rows)
        return
    columns = (
        ("user", "address"),
        ("active", "is_active"),
        ("stored", "stored_form"),
        ("relay", "can_relay"),
        ("smtp", "can_smtp"),
        ("quota", "pw_shell"),
        ("name", "pw_gecos"),
    )
    print_table(
        [(heading, "left") for heading, _ in columns], [[(_show(row[key]), "") for _, key in columns] for row in rows]
    )
    note(f"{len(rows)} user{'' if len(rows) == 1 else 's'}")


def _show(value: object) -> str:
    """Return a cell: yes or no for a flag."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _open(database: str, *, create: bool = True) -> UserTable:
    from indimail_kit.auth.accounts import UserTable

    return UserTable(database, create=create)


def _form(store: str) -> StoredForm:
    from indimail_kit.auth.stored import StoredForm

    return StoredForm[store.upper()]


def _done(account: Account, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(account.as_row())
    else:
        note(f"{account.address} {what}")
