"""The control files that qmail-queue and qmail-multi read: extraqueue, quarantine, envheaders, queue_base.

Source: IndiMail indimail-mta-x/control.c `control_readfile()`, qmail-queue.c `read_control()`; qmail-queue(8).

Note for maintainers: a variable that is set goes before its control file; set and empty, it switches the file off.
EXTRAQUEUE and QUARANTINE hold the value, the other variables the name of another file.

Rule 1: a control file that is not there says nothing; one that cannot be read is an error (exit code 55), never
"nothing".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import CONFIG
from indimail_kit.mailqueue.descriptors import as_file
from indimail_kit.mailqueue.multi import QUEUE_BASE
from indimail_kit.mailqueue.received import is_fast_queue
from indimail_kit.mailqueue.values import QueueSettings

CONTROL_DIRECTORY: Final = Path("/etc/indimail/control")
"""Where the control files are unless CONTROLDIR says otherwise. Source: conf-control."""

_MAX_BYTES: Final = 1 << 20
"""Longest control file (unit: octets)."""

_UNSUPPORTED: Final = {"REMOVEHEADERS": "removeheaders", "MAILARCHIVE": "mailarchive"}
"""Variable -> control file that changes who gets what, and that the kit does not know."""


def read_control(name: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the lines of a control file without comments, empty lines and white space at their ends.

    Args:
        name: Name of the file; one that starts with / or . is a path.
        environ: CONTROLDIR is read.

    Raises:
        QueueError: Exit code 55: the file is there and cannot be read, or is longer than 1 MiB.
    """
    path = Path(name if name[:1] in ("/", ".") else os.path.join(environ.get("CONTROLDIR", CONTROL_DIRECTORY), name))  # noqa: PTH118 (a name in a directory that may be relative)
    try:
        # O_NONBLOCK: a FIFO under this name must not hold the mail up.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        with as_file(fd, "rb") as file:
            octets = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise QueueError(f"unable to read configuration {name}", exit_code=CONFIG, path=str(path)) from error
    if len(octets) > _MAX_BYTES:
        raise QueueError(f"a control file above 1 MiB: {name}", exit_code=CONFIG, path=str(path))
    lines = (line.rstrip(b" \t\n") for line in octets.split(b"\n"))
    return tuple(os.fsdecode(line.partition(b"\0")[0]) for line in lines if line[:1] not in (b"", b"#", b"\0"))


def read_settings(environ: Mapping[str, str]) -> QueueSettings:
    """Return what variables and control files say of every message; nothing with FASTQUEUE.

    Raises:
        QueueError: Exit code 55: a control file cannot be read, or asks for what the kit cannot do.

    Deviation:
        Of control/quarantine the first line counts. The real program writes all its lines with their NULs into the
        recipient and the header, and todo-proc meets records that it does not know.
    """
    if is_fast_queue(environ):
        return QueueSettings()
    for variable, name in _UNSUPPORTED.items():
        if _lines(variable, name, environ):
            text = f"{name} is set, which this qmail-queue does not support; set {variable} to the empty text to go on"
            raise QueueError(text, exit_code=CONFIG, path=name)
    settings = replace(QueueSettings.from_environ(environ), envheaders=_lines("ENVHEADERS", "envheaders", environ))
    if "EXTRAQUEUE" not in environ:
        settings = replace(settings, extra_recipients=read_control("extraqueue", environ))
    if "QUARANTINE" not in environ:
        settings = replace(settings, quarantine=next(iter(read_control("quarantine", environ)), ""))
    return settings


def read_queue_base(environ: Mapping[str, str], *, default: Path = QUEUE_BASE) -> Path:
    """Return the directory of the queues that control/queue_base names.

    Raises:
        QueueError: Exit code 55: the control file cannot be read.
    """
    return Path(next(iter(read_control("queue_base", environ)), default))


def _lines(variable: str, name: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the lines of the file that a variable names, of the control file without one, none with an empty one."""
    file_name = environ.get(variable, name)
    return read_control(file_name, environ) if file_name else ()
