"""qmail-smtpd's dialogue on aiosmtpd, on loopback: every octet recorded, every reply IndiMail's.

aiosmtpd gives the protocol object, the session's streams and (later) STARTTLS; the command loop is ours, because
qmail-smtpd reads commands, addresses and the mail's octets by rules of its own.

Source: IndiMail indimail-mta-x/smtpd.c (replies, order of checks), commands.c (reading a command); recorded
dialogues in tests/data/indimail/auth.

Note for maintainers: one process plays tcpserver, qmail-smtpd and qmail-queue for many clients. Each session and
each queued mail gets a process number from a counter, so that ``qp`` and the logs tell them apart as on a real host.

Rule 1: nothing here queues, scans or looks up a user; the `Service` does.
Rule 2: 250 after DATA is sent only after the service said "queued".
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from indimail_kit.auth import smtp_auth
from indimail_kit.auth.smtp_auth import Reply
from indimail_kit.lab.session import Applied, Transaction
from indimail_kit.lab.smtp_address import parse_address, parse_size
from indimail_kit.lab.smtp_data import DataDecoder, DataFault, count_hops
from indimail_kit.lab.smtp_wire import HangUp, WireSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from indimail_kit.lab.smtp_wire import Service

VERSION: Final = "1.334"
"""qmail-smtpd's revision that the recorded dialogues come from."""

MAX_HOPS: Final = 100
"""Received and Delivered-To lines before a mail is called a loop. Source: qmail-smtpd.c MAXHOPS."""


class QmailSmtpd(WireSession):
    """One session of the played qmail-smtpd."""

    def __init__(
        self, service: Service, loop: asyncio.AbstractEventLoop, clock: Callable[[], int] = time.time_ns
    ) -> None:
        super().__init__(service, loop, clock)
        self._reset_session()
        self._verbs = {
            b"helo": self._helo,
            b"ehlo": self._ehlo,
            b"auth": self._auth,
            b"mail": self._mail,
            b"rcpt": self._rcpt,
            b"data": self._data,
            b"rset": self._rset,
            b"noop": self._noop,
            b"vrfy": self._vrfy,
            b"etrn": self._etrn,
            b"help": self._help,
            b"quit": self._quit,
            b"starttls": self._starttls,
        }

    def _reset_session(self) -> None:
        self.helo = ""
        self.is_esmtp = False
        self.authcid = ""
        self.mechanism = ""
        self.can_relay = False
        self._auth_failures = 0
        self.transaction: Transaction | None = None

    async def dialogue(self) -> None:
        """Greet, then take command after command."""
        if self.record is None or self.record.applied is None:
            await self._say("451 Sorry, I'm unable to read controls (#4.3.0)")
            raise HangUp
        date = format_datetime(_utc(self._clock()))
        await self._say(f"220 {self.service.greeting} (NO UCE) ESMTP IndiMail {VERSION} {date}")
        applied = self._applied()
        if applied.match.action == "deny":
            await self._say("553 sorry, your host has been denied (#5.7.1)")
            raise HangUp
        while True:
            line = await self._line(self.service.limits.command_bytes)
            self._reset_timeout()
            word, _, argument = line.partition(b" ")
            verb = self._verbs.get(word.lower())
            if verb is None:
                await self._say(f"502 command {line.decode('utf-8', 'surrogateescape')} not recognized (#5.5.2)")
            else:
                await verb(argument.lstrip(b" "))

    def _applied(self) -> Applied:
        if self.record is None or self.record.applied is None:
            raise HangUp
        return self.record.applied

    # -- commands ------------------------------------------------------------------------------------------------

    async def _helo(self, argument: bytes) -> None:
        self._greet(argument, is_esmtp=False)
        await self._say(f"250 {self.service.greeting}{self._anonymous(argument)}")

    async def _ehlo(self, argument: bytes) -> None:
        self._greet(argument, is_esmtp=True)
        lines = [f"{self.service.greeting}{self._anonymous(argument)}"]
        offered = self._offered()
        if offered:
            names = " ".join(offered)
            # Clients of 1998 look for the equals sign; OLD_CLIENT is IndiMail's switch for them.
            lines += [f"AUTH {names}"] + [f"AUTH={names}"] * ("OLD_CLIENT" in self._applied().environment)
        lines += ["PIPELINING", "8BITMIME", f"SIZE {self.service.limits.message_bytes}", "ETRN"]
        lines += ["STARTTLS"] * self._can_start_tls()
        await self._say("".join(f"250-{line}\r\n" for line in lines) + "250 HELP")

    def _greet(self, argument: bytes, *, is_esmtp: bool) -> None:
        self.helo = argument.decode("utf-8", "backslashreplace")
        self.is_esmtp = is_esmtp
        self.transaction = None

    def _offered(self) -> tuple[str, ...]:
        if self.record is None:
            raise HangUp
        return self.service.offered(self.record, is_encrypted=bool(self.tls_version))

    def _can_start_tls(self) -> bool:
        """Say whether STARTTLS is on offer: the variable is set, a certificate is there, and TLS is not on yet."""
        return self.service.tls is not None and not self.tls_version and "STARTTLS" in self._applied().environment

    async def _starttls(self, argument: bytes) -> None:
        if argument:
            await self._say("501 invalid parameter syntax (#5.3.2)")
        elif not self._can_start_tls() or self.service.tls is None:
            await self._say("502 command STARTTLS not recognized (#5.5.2)")
        else:
            await self._say("220 Ready to start TLS (#5.7.0)")
            await self._start_tls(self.service.tls)
            self._reset_session()

    def _anonymous(self, argument: bytes) -> str:
        return "" if argument else f" [{self.peer[0]}]"

    async def _auth(self, argument: bytes) -> None:
        if not self.service.has_auth:
            await self._say(smtp_auth.NOT_AVAILABLE.line)
        elif self.authcid:
            await self._say(smtp_auth.ALREADY_AUTHENTICATED.line)
        elif self.transaction is not None:
            await self._say(smtp_auth.IN_TRANSACTION.line)
        else:
            await self._run_exchange(argument)

    async def _run_exchange(self, argument: bytes) -> None:
        record = self.record
        if record is None:
            raise HangUp
        command = smtp_auth.parse_auth(argument)
        if not self.tls_version and self.service.needs_encryption(record, command.mechanism):
            self.service.log.auth_refused(record)
            await self._say(smtp_auth.ENCRYPTION_REQUIRED.line)
            return
        exchange = self.service.exchange(command.mechanism)
        if exchange is None:
            await self._say(smtp_auth.UNIMPLEMENTED.line)
            return
        mechanism = exchange.mechanism
        record.emit(self._clock(), "auth_start", mechanism)
        # A user table, a hash and above all a checkpassword module take their time; other sessions go on meanwhile.
        answer = await asyncio.to_thread(exchange.start, command.initial_response)
        while not isinstance(answer, Reply):
            await self._say(answer.line)
            line = await self._line(self.service.limits.auth_bytes)
            answer = await asyncio.to_thread(exchange.feed, line)
        result = exchange.result
        if result is not None and result.ok:
            self.authcid, self.mechanism, self.can_relay = result.authcid, mechanism, result.can_relay
        else:
            self._auth_failures += 1
            authcid = result.authcid if result is not None else ""
            is_wrong = 535 in (answer.code, *(reply.code for reply in answer.more))
            self.service.log.auth_failure(record, authcid=authcid, is_wrong=is_wrong)
            if is_wrong:
                await asyncio.sleep(self.service.penalty_for(record))
        record.emit(self._clock(), "auth", (mechanism, answer, result))
        for text in answer.lines:
            await self._say(text)
        if answer.hangs_up:
            raise HangUp
        if self._auth_failures >= self.service.limits.auth_tries:
            await self._say("421 sorry, too many failed logins (#4.7.0)")
            raise HangUp

    async def _mail(self, argument: bytes) -> None:
        address = parse_address(argument)
        if address is None:
            await self._say("555 syntax error in address (#5.1.3)")
        elif "REQUIREAUTH" in self._applied().environment and not self.authcid:
            await self._say(smtp_auth.REQUIRED.line)
        elif (parse_size(argument) or 0) > self.service.limits.message_bytes:
            await self._say(DataFault.TOO_BIG.value)
        else:
            self.transaction = Transaction(address)
            await self._say("250 ok")

    async def _rcpt(self, argument: bytes) -> None:
        if self.transaction is None:
            await self._say("503 MAIL first (#5.5.1)")
            return
        address = parse_address(argument)
        if address is None:
            await self._say("555 syntax error in address (#5.1.3)")
        elif not (self.service.is_local(address) or self.can_relay or "RELAYCLIENT" in self._applied().environment):
            await self._refuse_relay(address)
        elif len(self.transaction.recipients) >= self.service.limits.recipients:
            await self._say("557 sorry, too many recipients (#5.7.1)")
        elif not self.transaction.sender and self.transaction.recipients:
            await self._say("553 sorry, bounce messages should have a single envelope recipient (#5.7.1)")
        else:
            # A client that may relay by its rule gets the variable's value behind each address, as in qmail.
            suffix = "" if self.can_relay else self._applied().environment.get("RELAYCLIENT", "")
            self.transaction.recipients.append(address + suffix.encode("utf-8", "surrogateescape"))
            await self._say("250 ok")

    async def _refuse_relay(self, address: bytes) -> None:
        user = f", auth <{self.authcid}>" if self.authcid else ""
        if self.record is not None and self.transaction is not None:
            sender = self.transaction.sender
            self.service.log.relay_denied(self.record, sender=sender, recipient=address, authcid=self.authcid)
        refusal = "553 sorry, that domain isn't allowed to be relayed thru this MTA without authentication"
        await self._say(f"{refusal}{user} #5.7.1")

    async def _data(self, _argument: bytes) -> None:
        transaction = self.transaction
        if transaction is None:
            await self._say("503 MAIL first (#5.5.1)")
            return
        if not transaction.recipients:
            await self._say("503 RCPT first (#5.5.1)")
            return
        self.transaction = None
        await self._say("354 go ahead")
        decoder = DataDecoder(max_bytes=self.service.limits.message_bytes)
        octets, self._pending = bytes(self._pending), bytearray()
        while not (octets and decoder.feed(octets)):
            self._reset_timeout()
            await self._more()
            octets, self._pending = bytes(self._pending), bytearray()
        self._pending += decoder.rest
        self._reset_timeout()
        transaction.message = decoder.message()
        if decoder.fault is not None:
            await self._refuse_data(decoder.fault)
        elif count_hops(transaction.message) >= MAX_HOPS:
            await self._say("554 too many hops, this message is looping (#5.4.6)")
        elif self.record is not None:
            transaction.authcid, transaction.mechanism = self.authcid, self.mechanism
            transaction.helo, transaction.is_esmtp = self.helo, self.is_esmtp
            transaction.tls_version = self.tls_version
            await self._say(await self.service.queue(self.record, transaction))

    async def _refuse_data(self, fault: DataFault) -> None:
        if self.record is not None and fault is DataFault.BARE_LF:
            self.service.log.note(self.record, "Bare LF received")
        await self._say(fault.value)
        if fault is DataFault.BARE_LF:
            raise HangUp

    async def _rset(self, argument: bytes) -> None:
        if argument:
            await self._say("501 invalid parameter syntax (#5.3.2)")
        else:
            self.transaction = None
            await self._say("250 flushed")

    async def _noop(self, argument: bytes) -> None:
        await self._say("501 invalid parameter syntax (#5.3.2)" if argument else "250 ok")

    async def _vrfy(self, _argument: bytes) -> None:
        await self._say("252 Cannot VRFY user, but will accept message and attempt delivery (#2.7.0)")

    async def _etrn(self, argument: bytes) -> None:
        node = argument.decode("ascii", "backslashreplace")
        if not argument:
            await self._say("501 invalid parameter syntax (#5.3.2)")
        elif self.service.is_local(b"postmaster@" + argument):
            # Local mail never waits for its host to call; the sentence is RFC 1985's.
            await self._say(f"251 OK, no messages waiting for node {node}")
        else:
            await self._say(f"459 Node {node} not allowed: not served here")

    async def _help(self, _argument: bytes) -> None:
        verbs = (
            "HELO EHLO RSET NOOP MAIL RCPT DATA " + ("AUTH " if self.service.has_auth else "") + "VRFY ETRN HELP QUIT"
        )
        await self._say(
            f"214-This is IndiMail SMTP Version {VERSION}\r\n214-https://github.com/indimail/indimail-mta\r\n"
            f"214-This server supports the following commands:\r\n214 {verbs}"
        )

    async def _quit(self, _argument: bytes) -> None:
        await self._say(f"221 {self.service.greeting} closing connection")
        raise HangUp


def _utc(unix_ns: int) -> datetime:
    return datetime.fromtimestamp(unix_ns // 10**9, UTC)
