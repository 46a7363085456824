"""Another host on the same machine: an SMTP server on loopback that takes mail, refuses it, or does not answer at all.

It stands for "the rest of the world" of a lab: qmail-remote finds it through control/smtproutes. What it says is
aiosmtpd's, where nothing else was asked of it::

    host.say("451 4.7.1 greylisted, try again later", recipient="grey@example.org", times=1)
    host.hang_up(stage="message")       # takes the mail, and dies before it says so

Source: RFC 5321; aiosmtpd (https://aiosmtpd.readthedocs.io) plays the dialogue.

Rule 1: loopback only (promise 8), and it sends nothing to anybody.
Rule 2: every octet of every session is recorded; every mail it took is kept as it came, and in a Maildir.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from aiosmtpd.smtp import SMTP

from indimail_kit.delivery.maildir import create_maildir, deliver_mail
from indimail_kit.lab.journey import RawBlock
from indimail_kit.lab.server import LoopbackServer
from indimail_kit.lab.session import SessionRecord
from indimail_kit.lab.shown import as_text, dialogue
from indimail_kit.mailqueue.values import INDIMAIL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Stage = Literal["greeting", "ehlo", "mail", "rcpt", "data", "message"]
"""Where in a session something else happens than usual: at the greeting, or at the answer to EHLO, MAIL, RCPT, DATA, or
to the dot behind the message."""

NAME: Final = "mx.example.org"
"""What it calls itself."""

SIZE_LIMIT: Final = 10 * 2**20
"""Longest mail that it takes; EHLO says so (unit: octets)."""

LINE_LIMIT: Final = 2**20
"""Longest line that it takes (unit: octets); qmail-remote folds nothing."""

_IDLE_S: Final = 300.0
_FILLERS: Final = 16
_STUCK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Something else than usual.

    Attributes:
        stage: Where.
        deed: What.
        reply: What is said.
        recipient: Only for this recipient, or "" for every mail; before RCPT nobody's recipient is known.
        times: How often; 0 for always.
    """

    stage: Stage
    deed: Literal["say", "fall silent", "hang up"]
    reply: str = ""
    recipient: str = ""
    times: int = 0


@dataclass(frozen=True, slots=True)
class TakenMail:
    """A mail that the host took.

    Attributes:
        sender: Envelope sender.
        recipients: Envelope recipients that were accepted.
        octets: The mail as it came over the wire: CR LF, dots no longer doubled, the last dot left off.
        path: The file in the Maildir; its line ends are LF, and Return-Path and Delivered-To stand above.
        session: The `pid` of the session's recording.
    """

    sender: str
    recipients: tuple[str, ...]
    octets: bytes
    path: Path
    session: int


class SecondHost:
    """The other host.

    Attributes:
        maildir: Where its mails lie.
        mails: What it took, oldest first.
        sessions: The recordings of its sessions, oldest first.
        has_size: Whether EHLO offers SIZE.
    """

    def __init__(self, maildir: Path, *, clock: Callable[[], int] = time.time_ns) -> None:
        self.maildir = create_maildir(maildir)
        self.mails: list[TakenMail] = []
        self.sessions: list[SessionRecord] = []
        self.has_size = True
        self._clock = clock
        self._behaviours: tuple[Behaviour, ...] = ()
        self._lock = threading.Lock()
        self._server = LoopbackServer(self._session, name="ik-second-host")
        self._held: list[socket.socket] = []
        self._silent: set[asyncio.Event] = set()
        self._is_silent = threading.Event()
        self._has_taken = threading.Condition()

    # -- life ----------------------------------------------------------------------------------------------------

    @property
    def address(self) -> tuple[str, int]:
        """Return the address and port it listens on."""
        return self._server.host, self._server.port

    def start(self) -> None:
        """Listen.

        Raises:
            LabError: The thread did not start.
        """
        self._server.start()

    def stop(self) -> None:
        """End all sessions and stop listening; a second call does nothing."""
        self._let_go()
        self._server.stop()

    def raw_blocks(self, recipient: str) -> tuple[RawBlock, ...]:
        """Return what can be shown of the last session about a recipient: the dialogue, and the mail that was taken."""
        wanted = f"RCPT TO:<{recipient}>".lower().encode("utf-8", "surrogateescape")
        record = next((record for record in reversed(self.sessions) if _has_said(record, wanted)), None)
        if record is None:
            return ()
        blocks = [RawBlock(f"the SMTP dialogue with {NAME}", dialogue(record.chunks))]
        for mail in self.mails:
            if mail.session == record.pid:
                text = as_text(mail.path.read_bytes()) if mail.path.exists() else "not readable: it was taken away"
                title = f"the mail as {NAME} has it"
                blocks.append(RawBlock(title, text, path=str(mail.path), command=f"cat {mail.path}"))
        return tuple(blocks)

    # -- behaviour -----------------------------------------------------------------------------------------------

    def say(self, reply: str, *, stage: Stage = "rcpt", recipient: str = "", times: int = 0) -> None:
        """Give another reply than usual; the newest wish counts first.

        Args:
            reply: The whole line, with its code.
            stage: Where.
            recipient: Only for mail to this recipient, or "" for all.
            times: How often; 0 for always.

        Raises:
            ValueError: The reply does not begin with three digits and a blank, or has more than one line.
        """
        if not (reply[:3].isascii() and reply[:3].isdigit() and reply[3:4] == " ") or len(reply.splitlines()) != 1:
            raise ValueError('a reply like "450 4.3.2 try later"')
        self._add(Behaviour(stage, "say", reply, recipient, times))

    def fall_silent(self, *, stage: Stage = "greeting", recipient: str = "", times: int = 0) -> None:
        """Keep the connection and say nothing any more; at "message" the mail has been taken all the same."""
        self._add(Behaviour(stage, "fall silent", "", recipient, times))

    def hang_up(self, *, stage: Stage = "message", recipient: str = "", times: int = 0) -> None:
        """Close the connection instead of an answer; at "message" the mail has been taken all the same."""
        self._add(Behaviour(stage, "hang up", "", recipient, times))

    def refuse_connections(self) -> None:
        """Listen no more: whoever connects is refused at once."""
        self._stop_listening(backlog=None)

    def ignore_connections(self) -> None:
        """Answer no connection any more, as a host that is switched off: whoever connects waits for ever."""
        self._stop_listening(backlog=0)
        for _ in range(_FILLERS):  # a full queue of connections makes the kernel ignore the next one
            filler = socket.socket()
            self._held.append(filler)
            filler.settimeout(_STUCK_S)
            try:
                filler.connect(self.address)
            except TimeoutError:
                return

    def behave(self) -> None:
        """Do what any host does: take connections and mail; what was silent hangs up."""
        self._behaviours = ()
        self._is_silent.clear()
        self._let_go()
        self._server.listen_again()

    def end_silence(self) -> None:
        """Hang up where the host fell silent, and fall silent no more."""
        with self._lock:
            self._behaviours = tuple(behaviour for behaviour in self._behaviours if behaviour.deed != "fall silent")
        with contextlib.suppress(RuntimeError):  # its loop has ended
            self._server.loop.call_soon_threadsafe(self._wake)

    def wait_for_silence(self, timeout_s: float) -> bool:
        """Wait until a session has fallen silent; say whether one has (unit: s)."""
        return self._is_silent.wait(timeout_s)

    def wait_for_mails(self, count: int, timeout_s: float) -> bool:
        """Wait until so many mails were taken in all; say whether they were (unit: s)."""
        with self._has_taken:
            return self._has_taken.wait_for(lambda: len(self.mails) >= count, timeout_s)

    def _add(self, behaviour: Behaviour) -> None:
        with self._lock:
            self._behaviours = (behaviour, *self._behaviours)

    def _take(self, stage: Stage, recipients: Iterable[str]) -> Behaviour | None:
        """Return what is to be done at a stage, and count it."""
        known = {recipient.lower() for recipient in recipients}
        with self._lock:
            for place, behaviour in enumerate(self._behaviours):
                if behaviour.stage == stage and (not behaviour.recipient or behaviour.recipient.lower() in known):
                    if behaviour.times:
                        left = replace(behaviour, times=behaviour.times - 1)
                        rest = (left,) if left.times else ()
                        self._behaviours = (*self._behaviours[:place], *rest, *self._behaviours[place + 1 :])
                    return behaviour
        return None

    def _stop_listening(self, *, backlog: int | None) -> None:
        """Close the listening socket and keep its port with another one."""
        self._let_go()
        self._server.stop_listening()
        keeper = socket.socket()
        self._held.append(keeper)
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(self.address)
        if backlog is not None:
            keeper.listen(backlog)

    def _let_go(self) -> None:
        """Close what keeps the port, and end the silence."""
        while self._held:
            self._held.pop().close()
        self.end_silence()

    def _wake(self) -> None:
        for event in self._silent:
            event.set()

    # -- sessions ------------------------------------------------------------------------------------------------

    def _session(self, loop: asyncio.AbstractEventLoop) -> SMTP:
        return _Session(self, loop)

    async def _stand_still(self) -> None:
        """Wait until somebody ends the silence."""
        event = asyncio.Event()
        self._silent.add(event)
        self._is_silent.set()
        try:
            await event.wait()
        finally:
            self._silent.discard(event)

    def _keep(self, sender: str, recipients: tuple[str, ...], octets: bytes, session: int) -> None:
        head = [f"Return-Path: <{sender}>\n", *(f"Delivered-To: {recipient}\n" for recipient in recipients)]
        parts = ["".join(head).encode("utf-8", "surrogateescape"), octets.replace(b"\r\n", b"\n")]
        path = deliver_mail(self.maildir, parts, host=NAME, clock=self._clock, sync=INDIMAIL)
        with self._has_taken:
            self.mails.append(TakenMail(sender, recipients, octets, path, session))
            self._has_taken.notify_all()


def _has_said(record: SessionRecord, wanted: bytes) -> bool:
    said = b"".join(chunk.octets for chunk in record.chunks if chunk.direction == "client")
    return wanted in said.lower()


class _Session(SMTP):
    """One session: aiosmtpd's, with its own mind at each stage, and recorded."""

    line_length_limit = LINE_LIMIT

    def __init__(self, host: SecondHost, loop: asyncio.AbstractEventLoop) -> None:
        self._host = host
        self._record: SessionRecord | None = None
        limit = SIZE_LIMIT if host.has_size else None
        super().__init__(
            self, hostname=NAME, ident="ESMTP", loop=loop, timeout=_IDLE_S, data_size_limit=limit, enable_SMTPUTF8=False
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open the recording."""
        name, port = transport.get_extra_info("peername") or ("", 0)
        self._record = SessionRecord(len(self._host.sessions) + 1, (str(name), int(port)), self._host._clock())
        self._host.sessions.append(self._record)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Record what the client sent."""
        if self._record is not None:
            self._record.record(self._host._clock(), "client", data)
        super().data_received(data)

    async def push(self, status: str | bytes) -> None:
        """Record what is said, and say it."""
        said = status.encode("utf-8", "surrogateescape") if isinstance(status, str) else status
        if self._record is not None:
            self._record.record(self._host._clock(), "server", said + b"\r\n")
        await super().push(said)

    async def _handle_client(self) -> None:
        reply = await self._answer("greeting", ())
        if reply is not None:
            await self.push(reply)
            await self._hang_up()
        await super()._handle_client()

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        """Answer EHLO."""
        session.host_name = hostname
        reply = await self._answer("ehlo", ())
        return responses if reply is None else [reply]

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802 - aiosmtpd's name
        """Answer MAIL."""
        reply = await self._answer("mail", ())
        if reply is None or reply.startswith("2"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return reply or "250 2.1.0 ok"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802 - aiosmtpd's name
        """Answer RCPT."""
        reply = await self._answer("rcpt", (address,))
        if reply is None or reply.startswith("2"):
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return reply or "250 2.1.5 ok"

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Answer DATA."""
        assert self.envelope is not None  # noqa: S101 - there is one from connection_made on
        reply = await self._answer("data", self.envelope.rcpt_tos)
        if reply is not None:
            await self.push(reply)
        else:
            await super().smtp_DATA(arg)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep the mail and answer the dot behind it."""
        number = len(self._host.mails) + 1
        recipients = tuple(envelope.rcpt_tos)
        behaviour = self._host._take("message", recipients)
        is_taken = behaviour is None or behaviour.deed != "say" or behaviour.reply.startswith("2")
        if is_taken:
            sender = "" if envelope.mail_from == "<>" else envelope.mail_from
            session = self._record.pid if self._record is not None else 0
            self._host._keep(sender, recipients, envelope.original_content, session)
        reply = await self._do(behaviour)
        return reply or f"250 2.0.0 ok {self._host._clock() // 10**9} qp {number}"

    async def _answer(self, stage: Stage, recipients: Iterable[str]) -> str | None:
        return await self._do(self._host._take(stage, recipients))

    async def _do(self, behaviour: Behaviour | None) -> str | None:
        """Return what is to be said instead of the usual; hang up or fall silent if that is wanted."""
        if behaviour is None:
            return None
        if behaviour.deed == "fall silent":
            await self._host._stand_still()
        if behaviour.deed != "say":
            await self._hang_up()
        return behaviour.reply

    async def _hang_up(self) -> None:
        """Close the connection; nothing comes behind this."""
        if self.transport is not None:
            self.transport.close()
        raise asyncio.CancelledError
