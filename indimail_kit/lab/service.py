"""What stands behind the SMTP dialogue: admit a client, look up its rules, check its login, scan and queue its mail.

Source: IndiMail's run script of qmail-smtpd.25 (envdir variables/, then tcpserver with tcp.smtp.cdb, then qmail-smtpd);
received.c for the Received line of qmail-smtpd.

Rule 1: rules and variables are read anew for each connection; on a real host the variables are read when the
service starts.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from indimail_kit import exitcodes
from indimail_kit.auth.checkpassword_run import ModuleAuthority
from indimail_kit.auth.mechanisms import available_mechanisms, must_be_encrypted, offered_mechanisms
from indimail_kit.auth.smtp_auth import ServerExchange
from indimail_kit.control.environment import what_applies
from indimail_kit.control.tcprules import DEFAULT_MATCH, parse_rules
from indimail_kit.envelope import Envelope
from indimail_kit.errors import KitError, QueueError
from indimail_kit.lab.session import Applied, SessionRecord, SmtpdLimits, Transaction
from indimail_kit.lab.smtpd_log import SmtpdLog
from indimail_kit.mailqueue.controls import read_settings
from indimail_kit.mailqueue.enqueue import Queued, Step, SyncPolicy, enqueue
from indimail_kit.mailqueue.multi import choose_queue
from indimail_kit.mailqueue.snapshot import read_message
from indimail_kit.qhpsi.config import QhpsiConfig
from indimail_kit.qhpsi.scanning import ScanReport, scan_message

if TYPE_CHECKING:
    import random
    import ssl
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from indimail_kit.auth.accounts import UserTable
    from indimail_kit.lab.in_flight import InFlight
    from indimail_kit.lab.small_disk import SmallDisk
    from indimail_kit.logs.writer import LogWriter
    from indimail_kit.mailqueue.layout import QueueLayout
    from indimail_kit.qhpsi.verdict import Scanner

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9.@%+/=:\-_\[\] ]")
"""Characters that received.c turns into a question mark."""

_QUEUE_WORKERS: Final = 4
"""Mails that are scanned and queued at once; the rest wait. Two for each of the two cores of a Binder."""


class LabService:
    """The server around the dialogue; satisfies `smtpd.Service`.

    Attributes:
        greeting: What ``220`` and ``250`` begin with (control/smtpgreeting).
        host: Name of this host (control/me).
        limits: What one client may use.
        penalty_s: Pause after a wrong password (unit: s).
        log: The log of tcpserver and qmail-smtpd.
        has_auth: Whether there is a user table to log in with.
        mechanisms: The SASL mechanisms that the lab has.
        tls: Settings of STARTTLS, or None.
        indimail_bugs: Whether AUTH has the real program's known faults, for conformance.
        checkpassword: A checkpassword module that decides instead of the user table, as argument vector; or empty.
        sync: What is made durable before 250.
        challenge_source: Mechanism -> challenge to replay; None, or a result of None, for a fresh one from `secrets`.
        faults: Exceptions that no rule foresees; each is a bug of ours.
        in_flight: The mails that wait in the queues, each with its session.
        disk: The small disk of the queues, or None for the room that there is.
    """

    def __init__(
        self,
        *,
        host: str,
        directory: Path,
        accounts: UserTable,
        local_domains: frozenset[str],
        layouts: Mapping[str, QueueLayout],
        scanner_for: Callable[[QhpsiConfig, Mapping[str, str], QueueLayout], Scanner],
        smtpd_log: LogWriter,
        in_flight: InFlight,
        next_pid: Callable[[], int],
        rng: random.Random,
        sync: SyncPolicy,
        clock: Callable[[], int],
        limits: SmtpdLimits,
        penalty_s: float,
        tls: ssl.SSLContext | None = None,
        indimail_bugs: bool = False,
        checkpassword: Sequence[str] = (),
    ) -> None:
        self.greeting = f"{host} ESMTP"
        self.host = host
        self.limits = limits
        self.penalty_s = penalty_s
        self.mechanisms = available_mechanisms()
        self.has_auth = True
        self.tls = tls
        self.sync = sync
        self.indimail_bugs = indimail_bugs
        self.checkpassword = tuple(checkpassword)
        self.challenge_source: Callable[[str], bytes | None] | None = None
        self.faults: list[Exception] = []
        self.in_flight = in_flight
        self.disk: SmallDisk | None = None
        self._directory = directory
        self._accounts = accounts
        self._local_domains = local_domains
        self._layouts = layouts
        self._scanner_for = scanner_for
        self.log = SmtpdLog(smtpd_log, host=host, connection_limit=limits.connections, clock=clock)
        self._next_pid = next_pid
        self._rng = rng
        self._rng_lock = threading.Lock()
        self._clock = clock
        self._sessions: set[int] = set()
        self._watchers: dict[int, Callable[[SessionRecord], None]] = {}
        self._workers = ThreadPoolExecutor(_QUEUE_WORKERS, thread_name_prefix="ik-qmail-queue")

    # -- connections ---------------------------------------------------------------------------------------------

    @property
    def rules_path(self) -> Path:
        """Return the path of tcp.smtp, the rules that tcpserver looks clients up in."""
        return self._directory / "control" / "tcp.smtp"

    @property
    def variables_path(self) -> Path:
        """Return the path of the service's variables directory."""
        return self._directory / "service" / "qmail-smtpd.25" / "variables"

    def watch(self, port: int, watcher: Callable[[SessionRecord], None]) -> None:
        """Call the watcher with the session of the client that will connect from a port."""
        self._watchers[port] = watcher

    def open_session(self, peer: tuple[str, int]) -> SessionRecord | None:
        """Admit a client and look up what applies to it; None when there are too many sessions."""
        if len(self._sessions) >= self.limits.connections:
            return None
        record = SessionRecord(self._next_pid(), peer, self._clock())
        self._sessions.add(record.pid)
        watcher = self._watchers.pop(peer[1], None)
        if watcher is not None:
            watcher(record)
        self.log.connected(record)
        try:
            record.applied = self.look_up(peer[0])
        except (KitError, OSError) as error:
            self.log.note(record, f"unable to read controls [{error}]")
        else:
            is_denied = record.applied.match.action == "deny"
            self.log.looked_up(record, is_denied=is_denied, connections=len(self._sessions))
            record.emit(self._clock(), "rules", record.applied)
        return record

    def close_session(self, record: SessionRecord) -> None:
        """Forget a session that ended."""
        self._sessions.discard(record.pid)
        self.log.ended(record, connections=len(self._sessions))

    def look_up(self, ip: str) -> Applied:
        """Return the rule and the environment for a client's address.

        Raises:
            RulesError: tcp.smtp breaks its grammar.
            EnvdirError: The variables directory is not one, or a control file cannot be read.
            OSError: One of them cannot be read.
        """
        rules = parse_rules(self.rules_path.read_bytes(), source=str(self.rules_path))
        applied = what_applies(
            variables=self.variables_path,
            rules=rules,
            control=self._directory / "control",
            ip=ip,
            local_host=self.host,
        )
        return Applied(applied.match or DEFAULT_MATCH, applied.environment, applied.origins)

    # -- logins --------------------------------------------------------------------------------------------------

    def offered(self, record: SessionRecord, *, is_encrypted: bool) -> tuple[str, ...]:
        """Return the mechanisms that EHLO names: not those that a DISABLE_… variable hides, nor those that need TLS.

        Source:
            smtpd.c smtp_ehlo(). A hidden mechanism still works, as in the real program; SECURE_AUTH really refuses.
        """
        environment = record.applied.environment if record.applied is not None else {}
        return offered_mechanisms(environment, has_tls=is_encrypted)

    def needs_encryption(self, record: SessionRecord, mechanism: str) -> bool:
        """Say whether SECURE_AUTH keeps a mechanism for encrypted sessions: those that put the secret on the wire."""
        environment = record.applied.environment if record.applied is not None else {}
        return must_be_encrypted(mechanism, environment, has_tls=False)

    def penalty_for(self, record: SessionRecord) -> float:
        """Return the pause after a wrong password (unit: s): PENALTY if it is a number, else the lab's own."""
        text = record.applied.environment.get("PENALTY", "") if record.applied is not None else ""
        return float(text) if text.isascii() and text.isdigit() else self.penalty_s

    def exchange(self, mechanism: str) -> ServerExchange | None:
        """Return the server's side of an exchange against the user table."""
        if mechanism.upper() not in self.mechanisms:
            return None
        name = mechanism.upper()
        challenge = self.challenge_source(name) if self.challenge_source is not None else None
        module = self.checkpassword
        return ServerExchange(
            name,
            lookup=self._accounts.get,
            authority=ModuleAuthority(module, mechanism=name, lookup=self._accounts.get) if module else None,
            challenge=challenge,
            host=self.host,
            unix_s=self._clock() // 10**9,
            indimail_bugs=self.indimail_bugs,
        )

    def is_local(self, address: bytes) -> bool:
        """Say whether the address's domain is in control/rcpthosts; an address without one is local."""
        _, at, domain = address.rpartition(b"@")
        return not at or domain.decode("ascii", "replace").lower() in self._local_domains

    # -- mail ----------------------------------------------------------------------------------------------------

    def queue(self, record: SessionRecord, transaction: Transaction) -> Awaitable[str]:
        """Scan and queue a mail in a worker thread; the result is the reply line."""
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._workers, self.queue_now, record, transaction)

    def queue_now(self, record: SessionRecord, transaction: Transaction) -> str:
        """Scan and queue a mail; return the reply line to DATA."""
        applied = record.applied
        if applied is None:
            return "451 Sorry, I'm unable to read controls (#4.3.0)"
        environ = dict(applied.environment)
        if transaction.authcid:
            environ.update(TCPREMOTEINFO=transaction.authcid, AUTHINFO=transaction.authcid, RELAYCLIENT="")
        now_ns = self._clock()
        qp = self._next_pid()
        try:
            with self._rng_lock:
                layout = self._layouts[choose_queue(environ, random=self._rng).name]
            if self.disk is not None:
                self.disk.require(len(transaction.message))
            queued = self._enqueue(record, transaction, environ, layout, qp)
        except QueueError as error:
            code = exitcodes.exit_code(error.exit_code)
            record.emit(self._clock(), "refused", (code, error))
            self.log.refused(
                record,
                transaction,
                len(transaction.message),
                self.is_local,
                reply_text=code.reply_text,
                is_permanent=code.is_permanent,
                qp=qp,
            )
            return code.smtp_reply
        except KeyError as error:
            record.emit(self._clock(), "refused", (exitcodes.exit_code(exitcodes.CHDIR), error))
            return exitcodes.exit_code(exitcodes.CHDIR).smtp_reply
        record.emit(self._clock(), "queued", queued)
        self.log.accepted(record, transaction, queued.message_bytes, self.is_local)
        return f"250 ok {now_ns // 10**9} qp {qp}"

    def _enqueue(
        self, record: SessionRecord, transaction: Transaction, environ: dict[str, str], layout: QueueLayout, qp: int
    ) -> Queued:
        """Run the played qmail-queue."""
        config = QhpsiConfig.from_environ(environ)
        scanner = self._scanner_for(config, environ, layout) if config.is_enabled else None

        def scan(mess_path: Path, *, message_bytes: int) -> ScanReport:
            record.emit(self._clock(), "scan_start", (mess_path, message_bytes))
            assert scanner is not None  # noqa: S101 - `scan` is only handed over with a scanner
            report = scan_message(mess_path, config=config, scanner=scanner, message_bytes=message_bytes)
            record.emit(self._clock(), "scan", report)
            return report

        def on_step(step: Step) -> None:
            if step.call == "link" and step.path.startswith("todo/"):
                self.in_flight.add(layout.name, step.message_number, record)
                if record.listener is not None:
                    record.emit(step.unix_ns, "files", read_message(layout, step.message_number))
            if record.listener is not None:
                record.emit(step.unix_ns, "step", (layout.name, step))

        return enqueue(
            [self._received(record, transaction), transaction.message],
            Envelope(transaction.sender, tuple(transaction.recipients)),
            layout=layout,
            environ=environ,
            qp=qp,
            uid=os.getuid(),
            invoked_from="network",
            host=self.host,
            clock=self._clock,
            scan=scan if scanner is not None else None,
            sync=self.sync,
            settings=read_settings({"CONTROLDIR": str(self._directory / "control"), **environ}),
            on_step=on_step,
        )

    def _received(self, record: SessionRecord, transaction: Transaction) -> bytes:
        """Return qmail-smtpd's Received line."""
        helo, info, host = (
            _UNSAFE.sub("?", text) for text in (transaction.helo, transaction.authcid or "unknown", self.host)
        )
        protocol = ("ESMTP" if transaction.is_esmtp else "SMTP") + ("A" if transaction.authcid else "")
        said = f" (HELO {helo})" if helo else ""
        date = format_datetime(datetime.fromtimestamp(self._clock() // 10**9, UTC))
        client = f"Received: indimail-mta smtpd {record.pid}{said} ({info}@{record.peer[0]})"
        return f"{client}\n  by {host} with {protocol}; {date}\n".encode("ascii")

    def close(self) -> None:
        """End the worker threads once they have finished their mail."""
        self._workers.shutdown(wait=True)
