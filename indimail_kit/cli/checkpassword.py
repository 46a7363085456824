"""``checkpassword``: be a checkpassword module, which a real qmail-smtpd can run.

Source: IndiMail vchkpass.c (exit codes, the chain, NATIVE_CHECKPASSWORD), pam-checkpwd(8);
https://cr.yp.to/checkpwd/interface.html (``--classic``).

Note for maintainers: IndiMail's chain works the other way round than the classic interface. There a module runs the
next program when the password is *right*; in ``qmail-smtpd HOST vchkpass /bin/false`` a module exits 0 then, and runs
the next program, with the same fields on fd 3, when it is *wrong*, until /bin/false says no for all.

Deviation:
    vchkpass prints ``553-…`` to the client for a user without SMTP, into the middle of the server's reply 535; this
    module prints nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NoReturn

import click

from indimail_kit.cli.accounts import database_option
from indimail_kit.cli.output import complain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from indimail_kit.auth.authority import Authority
    from indimail_kit.auth.checkpassword import Verdict
    from indimail_kit.auth.stored import Account

CLASSIC_VARIABLES: Final = ("NATIVE_CHECKPASSWORD", "DOVECOT_VERSION")
"""Variables that mean --classic. Source: vchkpass.c."""

EXIT_MISUSE: Final = 2
EXIT_TEMPORARY: Final = 111


@click.command(context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False})
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED)
@database_option(default=None)
@click.option("--classic", is_flag=True, help="Three fields; PROG is run when the password is right.")
@click.option("--pam", "service", metavar="SERVICE", help="Ask PAM's SERVICE instead of a user table (LOGIN, PLAIN).")
def checkpassword(program: tuple[str, ...], database: str | None, classic: bool, service: str | None) -> None:
    """Check the user and password on descriptor 3, as qmail-smtpd writes them: -- PROG ARG….

    Exit code 0 right, 3 right but no relaying, 1 wrong, 2 wrongly called, 111 could not find out. A user or password
    that is wrong is handed on to PROG, the next module of the chain; end the chain with /bin/false.
    """
    is_classic = classic or any(name in os.environ for name in CLASSIC_VARIABLES)
    if (database is None) == (service is None):
        raise click.UsageError("Give --database or --pam.")
    _finish(program, *_check(database, service, is_classic=is_classic), is_classic=is_classic)


def _check(database: str | None, service: str | None, *, is_classic: bool) -> tuple[bytes, Verdict, Account | None]:
    """Read and judge; end here when that is not possible."""
    from contextlib import closing

    from indimail_kit.auth.accounts import UserTable
    from indimail_kit.auth.authority import TableAuthority
    from indimail_kit.auth.checkpassword import decode_fields, judge_fields, read_input
    from indimail_kit.auth.pam_service import PamAuthority
    from indimail_kit.errors import KitError, SaslError

    try:
        octets = read_input()
        fields = decode_fields(octets)
    except SaslError as error:
        _stop(str(error), EXIT_MISUSE)
    except OSError as error:
        _stop(f"descriptor 3: {error.strerror}", EXIT_TEMPORARY)
    try:
        if service is not None:
            return octets, judge_fields(fields, PamAuthority(service), is_classic=is_classic), None
        with closing(UserTable(database or "", create=False)) as table:
            authority: Authority = TableAuthority(table.get)
            verdict = judge_fields(fields, authority, is_classic=is_classic)
            return octets, verdict, table.get(verdict.authcid) if verdict.answer.exit_code != 1 else None
    except KitError as error:
        _stop(str(error), EXIT_TEMPORARY)


def _finish(
    program: tuple[str, ...], octets: bytes, verdict: Verdict, account: Account | None, *, is_classic: bool
) -> None:
    """Do what the verdict says; the last step of this process."""
    from indimail_kit.auth.checkpassword import EXIT_WRONG, RSPAUTH_FD, success_environment

    exit_code = verdict.answer.exit_code
    is_right = exit_code != EXIT_WRONG
    if is_right and verdict.answer.rspauth:
        _write(RSPAUTH_FD, verdict.answer.rspauth)
    if is_right and is_classic:
        _run(program, success_environment(os.environ, account, verdict.authcid))
    if is_right or is_classic or verdict.is_final:
        raise SystemExit(exit_code)
    _give_again(octets)
    _run(program, os.environ)


def _give_again(octets: bytes) -> None:
    """Put the fields on descriptor 3 for the next module, as pipe_exec() does; a pipe has room for 512 octets."""
    from indimail_kit.auth.checkpassword import INPUT_FD

    reader, writer = os.pipe()
    os.write(writer, octets)
    os.close(writer)
    if reader != INPUT_FD:
        os.dup2(reader, INPUT_FD)
        os.close(reader)
    os.set_inheritable(INPUT_FD, True)


def _write(fd: int, octets: bytes) -> None:
    """Write to a descriptor that the server may not have opened."""
    try:
        os.write(fd, octets)
    except OSError as error:
        _stop(f"descriptor {fd}: {error.strerror}", EXIT_TEMPORARY)


def _run(program: tuple[str, ...], environ: Mapping[str, str]) -> NoReturn:
    """Become the next program."""
    try:
        os.execvpe(program[0], program, environ)  # noqa: S606 - an argument vector, no shell
    except (OSError, ValueError) as error:
        _stop(f"{program[0]}: {getattr(error, 'strerror', None) or 'cannot be run'}", EXIT_TEMPORARY)


def _stop(text: str, exit_code: int) -> NoReturn:
    complain(text)
    raise SystemExit(exit_code)
