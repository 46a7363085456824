"""The QHPSI variables of an environment as one frozen value; no I/O.

Source: IndiMail indimail-mta-x/qmail-queue.c (`qhpsiprog()`, `main()`), qhpsi.c; libqmail base/scan_ulong.c,
scan_int.c.

Note for maintainers: qmail-queue reads numbers with `scan_ulong()`: leading digits count, the rest is ignored, no
digits are 0, and the result is cut down to a C int. So ``REJECTVIRUS=yes`` is 0 and ``REJECTVIRUS=1x`` is 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PLUGIN_PREFIX: Final = "plugin:"
"""A QHPSI that begins so names plugins instead of a program. Source: qmail-queue.c `qhpsiprog()`."""

_DIGITS: Final = re.compile(r"[0-9]*")
_SIGNED: Final = re.compile(r"[-+]?[0-9]+")


def scan_number(text: str) -> int:
    """Read a number as qmail-queue does: `scan_ulong()`, then a cast to int.

    Example:
        >>> scan_number("13"), scan_number("2nd"), scan_number("yes"), scan_number("4294967297")
        (13, 2, 0, 1)
    """
    match = _DIGITS.match(text)
    low = int("0" + (match.group() if match else "")) % 2**32
    return low - 2**32 if low >= 2**31 else low


def _scan_size(text: str) -> int:
    """Read a size (unit: octets): the int is stored in an unsigned int."""
    return scan_number(text) % 2**32


def _is_fast(text: str) -> bool:
    """Say whether FASTQUEUE switches the scan off: a number other than 0 (`scan_int()`)."""
    match = _SIGNED.match(text)
    return match is not None and int(match.group()) % 2**32 != 0


@dataclass(frozen=True, slots=True)
class QhpsiConfig:
    """What the environment says about scanning.

    Attributes:
        command: QHPSI, or None when it is not set (no scan). An empty one is set, and fails (exit code 77).
        infected_rc: QHPSIRC, the scanner's exit code for a virus.
        clean_rc: QHPSIRN, the scanner's exit code for a clean message.
        min_bytes: QHPSIMINSIZE; smaller messages are not scanned (unit: octets, Received line included; 0 = no limit).
        max_bytes: QHPSIMAXSIZE; larger messages are not scanned (unit: octets; 0 = no limit).
        reject_virus: REJECTVIRUS: 0 accept and mark, 2 swallow, any other number refuse.
        virus_forward: VIRUSFORWARD, the address that gets infected mail instead of the recipients, or "".
        is_fast_queue: FASTQUEUE is a number other than 0: nothing is scanned.
        plugin_dir: PLUGINDIR, a name below IndiMail's home.
        symbol: QUEUE_PLUGIN_SYMB (QUEUE_PLUGIN in 2010), the function that a plugin must have.
    """

    command: str | None = None
    infected_rc: int = 1
    clean_rc: int = 0
    min_bytes: int = 0
    max_bytes: int = 0
    reject_virus: int = 0
    virus_forward: str = ""
    is_fast_queue: bool = False
    plugin_dir: str = "plugins"
    symbol: str = "virusscan"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> QhpsiConfig:
        """Read the variables as qmail-queue and qhpsi do.

        Example:
            >>> config = QhpsiConfig.from_environ({"QHPSI": "/usr/bin/clamdscan %s --quiet", "REJECTVIRUS": "1"})
            >>> config.is_enabled, config.reject_virus, config.infected_rc
            (True, 1, 1)
        """
        return cls(
            command=environ.get("QHPSI"),
            infected_rc=scan_number(environ.get("QHPSIRC", "1")),
            clean_rc=scan_number(environ.get("QHPSIRN", "0")),
            min_bytes=_scan_size(environ.get("QHPSIMINSIZE", "0")),
            max_bytes=_scan_size(environ.get("QHPSIMAXSIZE", "0")),
            reject_virus=scan_number(environ.get("REJECTVIRUS", "0")),
            virus_forward=environ.get("VIRUSFORWARD", ""),
            is_fast_queue=_is_fast(environ.get("FASTQUEUE", "0")),
            plugin_dir=environ.get("PLUGINDIR", "plugins"),
            symbol=environ.get("QUEUE_PLUGIN_SYMB", environ.get("QUEUE_PLUGIN", "virusscan")),
        )

    @property
    def is_enabled(self) -> bool:
        """Say whether a scan is asked for at all."""
        return self.command is not None and not self.is_fast_queue

    @property
    def is_plugin(self) -> bool:
        """Say whether QHPSI names plugins."""
        return self.command is not None and self.command.startswith(PLUGIN_PREFIX)
