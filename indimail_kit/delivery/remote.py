"""qmail-remote and qmail-rspawn: take a message to another host by SMTP, on loopback only, and report how it went.

Source: IndiMail qmail-remote.c `main()`, `temp_noconn()`; qmail-rspawn.c `report()`; recorded logs send-for-smtpd,
send-single-queue1, qscheduler-static-3queues.

Rule 1: nothing is ever sent to an address that is not on loopback, and no name is ever looked up.
Rule 2: what cannot be sent now is deferred with its reason; only the other host's 5xx, or a message that SMTP cannot
carry, is a failure.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from indimail_kit.control.files import read_beginning
from indimail_kit.delivery.channel import open_regular
from indimail_kit.delivery.events import Delivery, Outcome, Report
from indimail_kit.delivery.settings import NO_DNS
from indimail_kit.delivery.smtp_client import (
    NO_MESSAGE,
    PARTIAL_LINE,
    Mail,
    NextHostError,
    RemoteReport,
    Wire,
    converse,
    outsafe,
)
from indimail_kit.delivery.smtp_reply import wire_size
from indimail_kit.delivery.smtproutes import Relay, SmtpRoutes
from indimail_kit.delivery.tcpto import TimeoutTable
from indimail_kit.errors import FormatError

TIMEOUT_S: Final = 1200.0
"""control/timeoutremote: longest wait for a reply (unit: s)."""

CONNECT_TIMEOUT_S: Final = 60.0
"""control/timeoutconnect: longest wait for a connection (unit: s)."""

MAX_CONTROL_OCTETS: Final = 1 << 20
"""Longest control/smtproutes (unit: octets)."""

_NO_CONTROL: Final = Report("deferral", b"Unable to read control file. (#4.3.0)\n")
_NO_RESOURCES: Final = Report("deferral", b"System resources temporarily unavailable. (#4.3.0)\n")
_UNREACHABLE: Final = frozenset(
    (errno.ETIMEDOUT, errno.ECONNREFUSED, errno.EHOSTDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH)
)
"""What is held against a host. Source: qmail-remote.c `main()`: plain qmail counts timeouts alone."""

_READ_OCTETS: Final = 64 * 1024
_OUTCOMES: Final[dict[str, Outcome]] = {
    "K": "success", "r": "success", "Z": "deferral", "s": "deferral", "D": "failure", "h": "failure",
}  # fmt: skip
_RANK: Final[dict[Outcome, int]] = {"success": 1, "deferral": 0, "failure": -1}


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteDelivery:
    """Delivers to the hosts that the routes name, if they are on loopback.

    Attributes:
        routes: control/smtproutes, or its path: then it is read for each delivery, as qmail-remote does. A domain
            without a route is deferred: there is no DNS here.
        helo_host: control/helohost: what we call ourselves.
        timeout_s: control/timeoutremote (unit: s).
        connect_timeout_s: control/timeoutconnect (unit: s).
        clock: Gives the time for the table of timeouts (unit: ns since 1970).
        spread: Makes a host's rest longer, see `tcpto.is_resting`.
    """

    routes: SmtpRoutes | Path
    helo_host: str = "localhost"
    timeout_s: float = TIMEOUT_S
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    clock: Callable[[], int] = time.time_ns
    spread: int = field(default_factory=lambda: os.getpid() & 31)
    _connected: set[socket.socket] = field(default_factory=set, init=False, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def __call__(self, delivery: Delivery) -> Report:
        """Deliver one message to one recipient; never raises for a host or a message that fails.

        Args:
            delivery: What to deliver. With its `queue_directory` the queue's table of timeouts is asked and kept.
        """
        try:
            relay = self._read_routes().find(delivery.recipient.rpartition(b"@")[2])
        except (OSError, FormatError):
            return _NO_CONTROL
        if relay is None:
            return NO_DNS
        address = loopback_address(relay.host)
        if address is None:
            return _not_loopback(relay)
        parts = _Parts(delivery)
        try:
            size, is_whole = wire_size(parts())
        except OSError:
            return Report("deferral", NO_MESSAGE)
        if not is_whole:
            return Report("failure", PARTIAL_LINE)
        mail = Mail(sender=delivery.sender, recipients=(delivery.recipient,), size=size, parts=parts)
        table = TimeoutTable(delivery.queue_directory) if delivery.queue_directory is not None else None
        return self._send(mail, relay, address, table)

    def abort(self) -> None:
        """Hang up on every host: deliveries under way end as if the connection had died, and are deferred."""
        with self._lock:
            for connection in self._connected:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def _talking(self, connection: socket.socket) -> Iterator[None]:
        with self._lock:
            self._connected.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._connected.discard(connection)

    def _read_routes(self) -> SmtpRoutes:
        if isinstance(self.routes, SmtpRoutes):
            return self.routes
        try:
            octets = read_beginning(self.routes, MAX_CONTROL_OCTETS)
        except FileNotFoundError:
            return SmtpRoutes()
        if len(octets) > MAX_CONTROL_OCTETS:
            raise FormatError(f"at most {MAX_CONTROL_OCTETS} octets", source=self.routes.name)
        return SmtpRoutes.parse(octets.decode("utf-8", "surrogateescape"), source=self.routes.name)

    def _send(self, mail: Mail, relay: Relay, address: str, table: TimeoutTable | None) -> Report:
        now_s = self.clock() // 10**9
        if table and table.is_resting(address, now_s=now_s, min_backoff_s=relay.min_backoff_s, spread=self.spread):
            return _no_connection(relay)
        is_at_fault = False
        try:
            with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as connection:
                try:
                    connection.settimeout(self.connect_timeout_s)
                    connection.connect((address, relay.port))
                    # Small pieces at once: Nagle's algorithm and delayed acknowledgements would cost 40 ms a mail.
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                except OSError as error:
                    is_at_fault = isinstance(error, TimeoutError) or error.errno in _UNREACHABLE
                    return _no_connection(relay, address)
                if table:
                    table.answered(address)
                wire = Wire(connection, timeout_s=self.timeout_s)
                with self._talking(connection):
                    report = converse(
                        wire, mail, address=address, helo_host=self.helo_host, max_tolerance_s=relay.max_tolerance_s
                    )
                is_at_fault = report.is_host_at_fault
                return read_report(report)
        except NextHostError:
            is_at_fault = True
            return _no_connection(relay, address)
        except OSError:
            return _NO_RESOURCES
        finally:
            if is_at_fault and table:
                table.timed_out(address, now_s=now_s, max_tolerance_s=relay.max_tolerance_s)


def loopback_address(host: str) -> str | None:
    """Return an address on loopback in its usual form; None for another one, and for a name.

    Example:
        >>> [loopback_address(host) for host in ("127.0.0.1", "::1", "192.0.2.1", "localhost")]
        ['127.0.0.1', '::1', None, None]
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    is_mapped = isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped or address.scope_id)
    return str(address) if address.is_loopback and not is_mapped else None


def read_report(report: RemoteReport, number: int = 0) -> Report:
    r"""Return what qmail-send hears about one recipient.

    Args:
        report: What qmail-remote wrote.
        number: Which recipient, counted from 0.

    Source:
        qmail-rspawn.c `report()`: the recipient's letter counts before the session's, but an accepted recipient fares
        as the session does; the session's text follows the recipient's unless it is better news.

    Example:
        >>> read_report(RemoteReport((("s", b"127.0.0.1 does not like recipient.\n"),), "D", b"Giving up.\n")).outcome
        'deferral'
    """
    session = _OUTCOMES[report.letter]
    if number >= len(report.recipients):
        return Report(session, report.text)
    letter, text = report.recipients[number]
    outcome = session if letter == "r" else _OUTCOMES[letter]
    return Report(outcome, text + report.text if _RANK[session] <= _RANK[outcome] else text)


class _Parts:
    """The pieces of the mail: the lines of the e record, then the message; may be read again."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def __call__(self) -> Iterator[bytes]:
        if self._delivery.header:
            yield self._delivery.header
        fd = open_regular(self._delivery.mess_path)
        with os.fdopen(fd, "rb", buffering=0):
            while part := os.read(fd, _READ_OCTETS):
                yield part


def _no_connection(relay: Relay, address: str = "") -> Report:
    """Return the report of a host that could not be reached, or was not tried because it rests."""
    text = b"Sorry, I wasn't able to establish a SMTP connection for " + outsafe(relay.host.encode())
    if address:
        text += b" to %b port %d bind IP [::]" % (address.encode(), relay.port)
    return Report("deferral", text + b". (#4.4.1)\n")


def _not_loopback(relay: Relay) -> Report:
    host = outsafe(relay.host.encode("utf-8", "surrogateescape"))
    return Report("deferral", b"Sorry, mail leaves here for loopback addresses only, and %b is none. (#4.4.4)\n" % host)
