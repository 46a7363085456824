"""The wire below the dialogue: octets in and out, recorded; lines cut as qmail's programs cut them; how a session ends.

aiosmtpd gives the protocol object and its streams (and later STARTTLS).

Source: qmail commands.c (a line ends with LF, a CR before it is dropped); IndiMail smtpd.c die_*() for the last words.

Rule 1: every octet that goes over the wire is recorded, whoever sent it.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import TYPE_CHECKING, Protocol

from aiosmtpd.smtp import SMTP

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from indimail_kit.auth.smtp_auth import ServerExchange
    from indimail_kit.lab.session import SessionRecord, SmtpdLimits, Transaction
    from indimail_kit.lab.smtpd_log import SmtpdLog


class Service(Protocol):
    """What the dialogue asks of the server around it."""

    greeting: str
    host: str
    limits: SmtpdLimits
    has_auth: bool
    tls: ssl.SSLContext | None
    log: SmtpdLog
    faults: list[Exception]

    def open_session(self, peer: tuple[str, int]) -> SessionRecord | None:
        """Admit a client and look up its rules; None when there are too many sessions."""

    def close_session(self, record: SessionRecord) -> None:
        """Hear that a session ended."""

    def offered(self, record: SessionRecord, *, is_encrypted: bool) -> tuple[str, ...]:
        """Return the mechanisms that EHLO names to this client."""

    def needs_encryption(self, record: SessionRecord, mechanism: str) -> bool:
        """Say whether a mechanism is refused until the session is encrypted (SECURE_AUTH)."""

    def exchange(self, mechanism: str) -> ServerExchange | None:
        """Return the server's side of an AUTH exchange; None for a mechanism it does not have."""

    def penalty_for(self, record: SessionRecord) -> float:
        """Return the pause after a wrong password (unit: s)."""

    def is_local(self, address: bytes) -> bool:
        """Say whether the address's domain is one we take mail for."""

    def queue(self, record: SessionRecord, transaction: Transaction) -> Awaitable[str]:
        """Scan and queue a mail; return the reply line."""


class HangUp(Exception):  # noqa: N818 - it is a way out, not an error
    """The session ends now."""


class WireSession(SMTP):
    """One session's wire; a subclass plays the dialogue.

    Attributes:
        service: The server around it.
        record: The recording of this session.
        peer: Address and port of the client.
        tls_version: "TLSv1.3" after STARTTLS, "" before.
    """

    def __init__(
        self, service: Service, loop: asyncio.AbstractEventLoop, clock: Callable[[], int] = time.time_ns
    ) -> None:
        super().__init__(service, hostname=service.host, loop=loop, timeout=service.limits.idle_s)
        self.service = service
        self.record: SessionRecord | None = None
        self.peer = ("", 0)
        self._clock = clock
        self._pending = bytearray()
        self._has_ended = False
        self.tls_version = ""

    async def dialogue(self) -> None:
        """Play the session until it ends by HangUp."""
        raise HangUp

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open the recording before the first octet can come in."""
        peer = transport.get_extra_info("peername")
        if peer is not None:
            self.peer = (str(peer[0]), int(peer[1]))
            self.record = self.service.open_session(self.peer)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Record what the client sent, then hand it on."""
        if self.record is not None:
            self.record.record(self._clock(), "client", data)
        super().data_received(data)

    def eof_received(self) -> bool:
        """Go on answering a client that only closed its sending side (``printf … | nc``); TLS cannot do that."""
        self._reader.feed_eof()
        return not self.tls_version

    def _timeout_cb(self) -> None:
        """End a session that was silent for too long."""
        if self.record is not None and not self._has_ended:
            self.service.log.note(self.record, "timeout reached reading data from client")
            self._write(b"451 Sorry, I reached a timeout reading from client (#4.4.2)\r\n")
        self._end()

    def _write(self, octets: bytes) -> None:
        if self.record is not None:
            self.record.record(self._clock(), "server", octets)
        if self.transport is not None and not self.transport.is_closing():
            self._writer.write(octets)

    async def _say(self, line: str) -> None:
        self._write(line.encode("utf-8", "surrogateescape") + b"\r\n")
        await self._writer.drain()

    def _end(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            if self.record is not None:
                self.record.emit(self._clock(), "closed")
                self.service.close_session(self.record)
        if self.transport is not None:
            self.transport.close()

    async def _start_tls(self, context: ssl.SSLContext) -> None:
        """Wrap the connection in TLS; what was sent ahead in the clear is dropped (RFC 3207 section 4.2).

        Source:
            CVE-2011-0411, CVE-2024-34083: commands injected before the handshake must not be honoured after it.
        """
        await self._writer.drain()
        self._pending.clear()
        self._reader._buffer.clear()  # type: ignore[attr-defined]  # asyncio has no public way; aiosmtpd does the same
        await self._writer.start_tls(context)
        self.transport = self._writer.transport
        self._reader._transport = self.transport  # type: ignore[attr-defined]  # flow control; 3.12 does it itself
        session = self.transport.get_extra_info("ssl_object")
        self.tls_version = session.version() or "TLS"

    async def _more(self) -> None:
        """Wait for octets; end the session when there are none."""
        octets = await self._reader.read(65536)
        if not octets:
            if self.record is not None:
                self.service.log.hung_up(self.record)
            raise HangUp
        self._pending += octets

    async def _line(self, limit: int) -> bytes:
        """Return one line without its end (LF or CR LF, as commands.c takes both)."""
        searched = 0
        while True:
            end = self._pending.find(b"\n", searched)
            if end > limit or (end < 0 and len(self._pending) > limit):
                if self.record is not None:
                    self.service.log.note(self.record, "command too long")
                await self._say("553 sorry, the given command is too long! (#5.5.2)")
                raise HangUp
            if end >= 0:
                line = bytes(self._pending[:end])
                del self._pending[: end + 1]
                return line.removesuffix(b"\r")
            searched = len(self._pending)
            await self._more()

    async def _handle_client(self) -> None:
        """Play one session; aiosmtpd starts it when the connection is made."""
        if self.record is None:
            self._writer.write(b"421 sorry, too many connections, try again later (#4.3.2)\r\n")
            self._end()
            return
        try:
            async with asyncio.timeout(self.service.limits.session_s):
                await self.dialogue()
        except TimeoutError:
            self._write(b"421 sorry, this session took too long (#4.4.2)\r\n")
        except (HangUp, ConnectionError):
            pass
        except ssl.SSLError as error:
            self.service.log.note(self.record, f"TLS handshake failed: {error.reason}")
        except Exception as error:
            self.service.faults.append(error)
            self.service.log.note(self.record, f"internal bug: {type(error).__name__}")
            self._write(b"451 Sorry, there is a local system failure (#4.3.0)\r\n")
        finally:
            self._end()
