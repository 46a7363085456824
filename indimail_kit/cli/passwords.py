"""How a verb gets a password: from standard input, from a file, or from a prompt; never from its arguments.

Rule 1: arguments are seen in ``ps`` and stay in the shell's history, so there is no ``--password``.
Rule 2: the first line without its end is the password, because ``echo`` and editors put an end there; blanks are its.
Rule 3: what is too long, empty or not UTF-8 is refused, not cut; the message never quotes it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PASSWD_BYTES: Final = 4096
"""Longest password (unit: octets)."""


def password_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--password-stdin`` and ``--password-file`` to a verb.

    The verb gets the parameters ``password_stdin`` (bool) and ``password_file`` (Path or None), for `read_password`.
    """
    stdin = click.option("--password-stdin", is_flag=True, help="The first line of standard input is the password.")
    file = click.option(
        "--password-file",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help="So is the first line of FILE ('-' is standard input).",
    )
    return stdin(file(command))


def read_password(
    password_stdin: bool,
    password_file: Path | None,
    prompt: str,
    *,
    is_new: bool = False,
) -> str:
    """Return the password from where the options say; without options from a prompt that shows nothing.

    Args:
        password_stdin: Value of ``--password-stdin``.
        password_file: Value of ``--password-file``.
        prompt: Question for a person, without its colon.
        is_new: Ask twice.

    Raises:
        click.UsageError: Both ways were given, or none and there is no terminal; or it is empty, too long, not UTF-8.
        OSError: The file cannot be read.
    """
    if password_stdin and password_file is not None:
        raise click.UsageError("Give --password-stdin or --password-file, not both.")
    if password_file is not None and str(password_file) != "-":
        with password_file.open("rb") as stream:
            return _decode(stream.readline(MAX_PASSWD_BYTES + 1))
    if password_stdin or password_file is not None:
        return _decode(sys.stdin.buffer.readline(MAX_PASSWD_BYTES + 1))
    if not sys.stdin.isatty():
        raise click.UsageError("No terminal to ask at: give --password-stdin or --password-file.")
    return str(click.prompt(prompt, hide_input=True, confirmation_prompt=is_new, err=True))


def _decode(octets: bytes) -> str:
    """Return the password in a line that was read, without one line end."""
    line = octets.removesuffix(b"\n").removesuffix(b"\r")
    is_utf8 = line == line.decode("utf-8", "replace").encode()
    if not line or len(line) > MAX_PASSWD_BYTES or not is_utf8:
        raise click.UsageError(f"The password is empty, longer than {MAX_PASSWD_BYTES} octets or not UTF-8.")
    return line.decode()
