"""The control files that qmail-send reads again after SIGHUP.

Source: IndiMail qmail-send.c `regetcontrols()`, `reread()`; qmail-send(8); qmail-log(5) for held deliveries.

Note for maintainers: queuelifetime, bouncefrom, doublebounceto and their like are read at the start only, as there.

Rule 1: either all of them are read, or nothing changes and the log says why.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from indimail_kit.delivery.schedule import CHANNELS, Channel
from indimail_kit.delivery.settings import CONCURRENCY
from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import CONFIG
from indimail_kit.mailqueue.controls import read_control

MAX_CONCURRENCY: Final = 120
"""Most deliveries at once in a channel. Source: conf-spawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendControls:
    """What the files say.

    Attributes:
        locals: control/locals, in lower case; without the file, control/me alone.
        virtual_domains: control/virtualdomains: address, domain, ".suffix" or "" -> prefix.
        concurrency: control/concurrencylocal and concurrencyremote.
        held: The channels that control/holdlocal and holdremote stop.
    """

    locals: Collection[str]
    virtual_domains: Mapping[str, str] = field(default_factory=dict)
    concurrency: Mapping[Channel, int] = field(default_factory=lambda: {"local": CONCURRENCY, "remote": CONCURRENCY})
    held: frozenset[Channel] = frozenset()


def read_send_controls(directory: Path) -> SendControls:
    """Read the files of a control directory.

    Raises:
        QueueError: Exit code 55: a file cannot be read, or holds no number where one belongs.
    """
    environ = {"CONTROLDIR": os.fspath(directory)}
    names = read_control("locals", environ) or read_control("me", environ)[:1]
    pairs = (line.partition(":") for line in read_control("virtualdomains", environ))
    concurrency: dict[Channel, int] = {
        channel: min(read_number(f"concurrency{channel}", environ, default=CONCURRENCY), MAX_CONCURRENCY)
        for channel in CHANNELS
    }
    return SendControls(
        locals=frozenset(name.lower() for name in names),
        virtual_domains={name.lower(): prefix for name, colon, prefix in pairs if colon},
        concurrency=concurrency,
        held=frozenset(channel for channel in CHANNELS if read_number(f"hold{channel}", environ, default=0)),
    )


def read_number(name: str, environ: Mapping[str, str], *, default: int) -> int:
    """Return the number in a control file, or the default where it is not there or empty.

    Raises:
        QueueError: Exit code 55: the file cannot be read, or its first line is no number.
    """
    line = next(iter(read_control(name, environ)), "")
    if not line:
        return default
    if not (line.isascii() and line.isdigit()):
        raise QueueError(f"a number in control/{name}", exit_code=CONFIG, path=name)
    return int(line)
