"""The lines that qmail-queue puts on top of a message, and the headers that it copies out of it.

Source: IndiMail indimail-mta-x/qmail-queue.c `receivedfmt()`, `originfmt()` and the loop over the header lines in
`main()`; recorded mess files. The comment in qmail-queue.c shows an older form on one line, which is not what is
written.

Rule 1: text in, octets out; the environment, the clock and the host name are parameters.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Iterable, Mapping
from typing import Final, Literal

InvokedFrom = Literal["uid", "alias", "bounce", "network"]
"""Who called: an ordinary user, the user alias, the user qmails (for a bounce), or anybody over a socket."""

_WEEKDAYS: Final = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")

_MONTHS: Final = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")

UNKNOWN_IP: Final = "?.?.?.?"
"""What stands for a peer that has no IP address. Source: qmail-queue.c `tcpgetremoteip()`."""

_FIELD_NAME: Final = re.compile(rb"[!-9;-~]+[ \t]*:")
"""Start of a header line: printable ASCII without colon, then a colon. Source: RFC 5322 section 2.2, obs-optional."""

_MAX_HEAD_BYTES: Final = 1 << 20
"""Header octets in which environment headers are looked for (unit: octets)."""


def format_date(unix_s: int) -> bytes:
    """Write a date as in RFC 5322, in UTC.

    Deviation:
        With /etc/indimail/leapsecs.dat the real program is 27 s early: it takes the POSIX clock for TAI. We are right.

    Example:
        >>> format_date(1795356840)
        b'Sun, 22 Nov 2026 14:14:00 +0000'
    """
    t = time.gmtime(unix_s)
    day, month = _WEEKDAYS[t.tm_wday], _MONTHS[t.tm_mon - 1]
    return b"%b, %02d %b %04d %02d:%02d:%02d +0000" % (day, t.tm_mday, month, t.tm_year, t.tm_hour, t.tm_min, t.tm_sec)


def format_received(
    *,
    qp: int,
    uid: int,
    host: str,
    unix_s: int,
    environ: Mapping[str, str],
    invoked_from: InvokedFrom = "uid",
    peer_ip: str = UNKNOWN_IP,
) -> bytes:
    r"""Write the Received line, and X-Originating-IP when it is wanted.

    Args:
        qp: Long-term queue identifier (the pid of qmail-queue).
        uid: User that called.
        host: Name of this machine; the variable HOSTNAME goes before it.
        unix_s: Time of the call (unit: s since 1970).
        environ: HOSTNAME, HIDE_HOST, TCPREMOTEIP, ORIGINIPFIELD, RELAYCLIENT, TCPREMOTEINFO and FASTQUEUE are read.
        invoked_from: Who called.
        peer_ip: Address at the other end of the socket, for "network" without TCPREMOTEIP.

    Example:
        >>> format_received(qp=4305, uid=0, host="vm", unix_s=1795356840, environ={})
        b'Received: indimail-mta queue 4305 by host vm\n (invoked by uid 0); Sun, 22 Nov 2026 14:14:00 +0000\n'
    """
    is_hidden = "HIDE_HOST" in environ
    # Without the host there is no line break and no blank either: "queue 4305(invoked …".
    by_host = b"" if is_hidden else b" by host %b\n " % os.fsencode(environ.get("HOSTNAME", host))
    # A socket without TCPREMOTEIP is only looked at when its address may be shown.
    default = peer_ip if invoked_from == "network" and not is_hidden else None
    caller = _WORDS.get(invoked_from) or _caller(uid, environ.get("TCPREMOTEIP", default), is_hidden=is_hidden)
    received = b"Received: indimail-mta queue %d%b(invoked %b); %b\n" % (qp, by_host, caller, format_date(unix_s))
    return received + _origin(environ)


_WORDS: Final = {"alias": b"by alias", "bounce": b"for bounce"}
"""Caller with a name of his own -> what stands behind "invoked "."""


def _caller(uid: int, ip: str | None, *, is_hidden: bool) -> bytes:
    """Return what stands behind "invoked " for any other user."""
    if ip is None:
        return b"by uid %d" % uid
    return b"from network%b, by uid %d" % (b"" if is_hidden else b" " + os.fsencode(ip), uid)


def _origin(environ: Mapping[str, str]) -> bytes:
    """Return the X-Originating-IP line or nothing."""
    is_wanted = scan_number(environ.get("ORIGINIPFIELD", "")) and not is_fast_queue(environ)
    if not is_wanted or "TCPREMOTEIP" not in environ or not ("RELAYCLIENT" in environ or "TCPREMOTEINFO" in environ):
        return b""
    return b"X-Originating-IP: %b\n" % os.fsencode(environ["TCPREMOTEIP"])


def is_fast_queue(environ: Mapping[str, str]) -> bool:
    """Say whether FASTQUEUE, a number other than 0, asks for the short way: no scan, no extra recipients, no header."""
    return scan_number(environ.get("FASTQUEUE", "0").lstrip("+-")) != 0


def scan_number(text: str) -> int:
    """Return the decimal digits at the start of a text as a number, 0 when there are none, as scan_ulong() does.

    Example:
        >>> scan_number("1x"), scan_number("x")
        (1, 0)
    """
    digits = re.match(r"[0-9]{1,19}", text)
    return int(digits[0]) if digits else 0


class EnvironmentHeaders:
    """Copies the headers of control/envheaders out of a message that comes in pieces.

    A header matches when its first line starts with the name, in upper or lower case; continuation lines follow it.
    ``NAME:N`` takes a header only while name and continuation lines are not longer than N octets.
    """

    __slots__ = ("_is_in_header", "_length", "_limit", "_names", "_picked", "_rest", "_seen_bytes")

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(_parse_name(name) for name in names if name)
        self._picked: list[bytes] = []
        self._rest = b""
        self._seen_bytes = 0
        self._is_in_header = bool(self._names)
        self._length = 1
        self._limit: float = 0  # length above limit: the header at hand is not wanted

    def feed(self, octets: bytes) -> None:
        """Look at the next piece of the message."""
        if not self._is_in_header:
            return
        self._seen_bytes += len(octets)
        *lines, self._rest = (self._rest + octets[:_MAX_HEAD_BYTES]).split(b"\n")
        for line in lines:
            self._look(line + b"\n")
        if self._seen_bytes > _MAX_HEAD_BYTES:
            self._is_in_header = False

    def finish(self) -> bytes:
        """Return the text of the ``h`` record; NUL octets are left out, they would end it."""
        if self._rest:
            self._look(self._rest)
            self._rest = b""
        return b"".join(self._picked).replace(b"\0", b"")

    def _look(self, line: bytes) -> None:
        """Take or leave one line."""
        if not self._is_in_header:
            return
        if line[:1] in (b" ", b"\t") and line.strip():
            self._length += len(line)
        elif _FIELD_NAME.match(line):
            start = line.lower()
            lengths = (
                (len(name), limit) for name, limit in self._names if len(name) <= limit and start.startswith(name)
            )
            self._length, self._limit = next(lengths, (1, 0))
        else:
            self._is_in_header = False
            return
        if self._length <= self._limit:
            self._picked.append(line)


def _parse_name(text: str) -> tuple[bytes, float]:
    """Return name and limit of an entry of envheaders; without a limit it is infinite."""
    name, colon, limit = text.partition(":")
    return os.fsencode(name).lower(), scan_number(limit) if colon else math.inf
