"""The parts of a running lab, built in the order in which they need each other.

Rule 1: every part that is started leaves its end on the stack at once, so a failure half way stops what already runs.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from indimail_kit.auth.accounts import UserTable
from indimail_kit.control.envdir import write_variable
from indimail_kit.delivery.bounce import BounceSettings
from indimail_kit.delivery.local import LocalDelivery
from indimail_kit.delivery.maildir import create_maildir
from indimail_kit.delivery.remote import RemoteDelivery
from indimail_kit.delivery.send import QmailSend, SendEvent
from indimail_kit.delivery.vfilter import PREFILT
from indimail_kit.lab.filters import LabFilters
from indimail_kit.lab.in_flight import InFlight
from indimail_kit.lab.journey import RawBlock
from indimail_kit.lab.places import DEMO_PASSWORD, DOMAIN, FAR_DOMAIN, HOST, SEND, SMTPD, USERS, Places
from indimail_kit.lab.played_supervise import SEND_RUN, PlayedSupervise
from indimail_kit.lab.scanners import LabScanner
from indimail_kit.lab.second_host import SecondHost
from indimail_kit.lab.server import SmtpServer
from indimail_kit.lab.service import LabService
from indimail_kit.lab.session import SmtpdLimits
from indimail_kit.lab.tls import make_certificate, server_context
from indimail_kit.logs.writer import LogWriter
from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.mailqueue.multi import create_queues
from indimail_kit.mailqueue.values import SyncPolicy

VIRUS_FILTER: Final = 'vcfilter -i -t virusFilter -c 0 -k "virus found" -f Quarantine -b 0 -h 28'
"""The seed text's rule: infected mail goes to the folder Quarantine."""

_REMOTE_TIMEOUT_S: Final = 5.0
_CONNECT_TIMEOUT_S: Final = 1.0
"""control/timeoutremote and timeoutconnect of the lab (unit: s)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a lab was asked to be.

    Attributes:
        directory: Where to work, or None for a temporary directory.
        queue_count: Number of queues.
        queue_split: Sub-directories of mess, info, local, remote in each.
        port: Port on 127.0.0.1, or 0 for any.
        sync: What is made durable before 250.
        penalty_s: Pause after a wrong password (unit: s).
        limits: What one client may use.
        challenge: CRAM challenge to replay, or None.
        starttls: Whether STARTTLS is on offer.
        indimail_bugs: Whether AUTH has the real program's known faults.
        checkpassword: A checkpassword module's argument vector, or empty for the user table.
        second_host: Whether another mail server runs, for mail to places.FAR_DOMAIN.
        rng: Source of the choice of queue.
        next_pid: Gives process numbers.
    """

    directory: Path | None
    queue_count: int
    queue_split: int
    port: int
    sync: SyncPolicy
    penalty_s: float
    limits: SmtpdLimits
    challenge: bytes | None = field(repr=False)
    starttls: bool
    indimail_bugs: bool
    checkpassword: tuple[str, ...]
    second_host: bool
    rng: random.Random = field(repr=False)
    next_pid: Callable[[], int] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Parts:
    """A running lab's parts."""

    places: Places
    accounts: UserTable
    service: LabService
    server: SmtpServer
    sender: QmailSend
    filters: LabFilters
    second_host: SecondHost | None

    def far_blocks(self, recipient: str) -> tuple[RawBlock, ...]:
        """Return what can be shown of the second host's last session about a recipient."""
        return self.second_host.raw_blocks(recipient) if self.second_host is not None else ()

    def obey(self, options: str, name: str) -> bool:
        """Do what ``svc`` asks of a service that this process plays; say whether it is one.

        Raises:
            LabError: It cannot be done.
            ValueError: Another option.
        """
        if name == SMTPD:
            self.server.obey(options)
        elif name == SEND:
            deeds = {"-a": self.sender.retry_now, "-h": self.sender.reread}
            if options not in deeds:
                raise ValueError(f"one of {', '.join(deeds)} for the qmail-send of a lab")
            deeds[options]()
        return name in (SMTPD, SEND)

    def supervise_send(self, stack: ExitStack) -> None:
        """Play supervise for qmail-send, until the stack ends.

        Raises:
            OSError: The lab's directory cannot be written.
        """
        played = PlayedSupervise(
            self.places.services / SEND, run=SEND_RUN, start=self.sender.start, stop=self.sender.stop,
            is_up=lambda: self.sender.is_running, signals={"a": self.sender.retry_now, "h": self.sender.reread},
        )  # fmt: skip
        stack.callback(played.close)


def start_parts(settings: Settings, scanner: LabScanner, *, stack: ExitStack) -> Parts:
    """Start everything; return when mail is taken. What was started is stopped by the stack.

    Raises:
        LabError: The port is taken.
        MissingPartError: A part is not installed.
        OSError: The directory cannot be written.
    """
    places = _make_places(settings, stack)
    with ThreadPoolExecutor(1) as beside:
        scanner_is_up = beside.submit(scanner.start)
        stack.callback(scanner.close)
        layouts = create_queues(places.queue_base, count=settings.queue_count, split=settings.queue_split)
        accounts = _open_accounts(places, stack)
        scanner_is_up.result()
    if scanner.services is not None:
        stack.callback(places.unlink_services, scanner.services.names)
        places.link_services({name: scanner.services.path(name) for name in scanner.services.names})
    _write_variables(places, settings, scanner)
    logs = [LogWriter(directory) for directory in (places.send_log, places.smtpd_log)]
    for log in logs:
        stack.callback(log.close)
    second_host = _start_second_host(places, stack) if settings.second_host else None
    in_flight = InFlight()
    sender, filters = _make_sender(places, layouts, settings, logs[0], in_flight.hear)
    sender.start()
    stack.callback(sender.stop)
    if second_host is not None:
        stack.callback(second_host.end_silence)  # or qmail-send would wait for their answers
    service = LabService(
        host=HOST,
        directory=places.directory,
        accounts=accounts,
        local_domains=frozenset({DOMAIN}),
        layouts={layout.name: layout for layout in layouts},
        scanner_for=scanner.scanner_for,
        smtpd_log=logs[1],
        in_flight=in_flight,
        next_pid=settings.next_pid,
        rng=settings.rng,
        sync=settings.sync,
        clock=time.time_ns,
        limits=settings.limits,
        penalty_s=settings.penalty_s,
        tls=server_context(make_certificate(places.control, host=HOST)) if settings.starttls else None,
        indimail_bugs=settings.indimail_bugs,
        checkpassword=settings.checkpassword,
    )
    stack.callback(service.close)
    if settings.challenge is not None:
        challenge = settings.challenge
        service.challenge_source = lambda mechanism: challenge if mechanism.startswith("CRAM-") else None
    server = SmtpServer(service, port=settings.port)
    server.start()
    stack.callback(server.stop)
    return Parts(places, accounts, service, server, sender, filters, second_host)


def _start_second_host(places: Places, stack: ExitStack) -> SecondHost:
    """Start the second host and name it in control/smtproutes."""
    host = SecondHost(places.second_maildir)
    host.start()
    stack.callback(host.stop)
    places.write_route(FAR_DOMAIN, host.address)
    return host


def _make_places(settings: Settings, stack: ExitStack) -> Places:
    directory = settings.directory
    if directory is None:
        directory = Path(tempfile.mkdtemp(prefix="ik-lab-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
    else:
        directory.mkdir(parents=True, exist_ok=True)
    places = Places(directory.resolve())
    places.write_control()
    return places


def _open_accounts(places: Places, stack: ExitStack) -> UserTable:
    """Open the user table and add the demo users that are not in it yet."""
    accounts = UserTable(f"sqlite:///{places.users}")
    stack.callback(accounts.close)
    for user in USERS:
        if accounts.get(f"{user}@{DOMAIN}") is None:
            accounts.add(f"{user}@{DOMAIN}", DEMO_PASSWORD)
    return accounts


def _write_variables(places: Places, settings: Settings, scanner: LabScanner) -> None:
    """Write what must be true of this run; leave what a person may have set before."""
    variables = {
        "QUEUE_BASE": str(places.queue_base),
        "QUEUE_START": "1",
        "QUEUE_COUNT": str(settings.queue_count),
        "QHPSI": scanner.qhpsi,
    }
    if settings.starttls:
        variables["STARTTLS"] = "1"
    if not (places.variables / "REJECTVIRUS").exists():
        variables["REJECTVIRUS"] = "0"
    for name, value in variables.items():
        write_variable(places.variables, name, value)


def _make_sender(
    places: Places,
    layouts: tuple[QueueLayout, ...],
    settings: Settings,
    log: LogWriter,
    on_send: Callable[[SendEvent], None],
) -> tuple[QmailSend, LabFilters]:
    """Return the played qmail-send with the lab's users, and their rules: the seed's filter."""
    users = {f"{user}@{DOMAIN}": create_maildir(places.maildir(f"{user}@{DOMAIN}")) for user in USERS}
    filters = LabFilters({}, users)
    filters.vcfilter(f"{VIRUS_FILTER} {PREFILT}{DOMAIN}")
    local = LocalDelivery(locals=(DOMAIN,), users=users, filters=filters.rules, host=HOST)
    sender = QmailSend(
        layouts,
        local=local,
        log=log,
        clock=time.time_ns,
        on_event=on_send,
        next_pid=settings.next_pid,
        bounce=BounceSettings(HOST, double_bounce_to=f"postmaster@{DOMAIN}"),
        remote=_make_remote(places) if settings.second_host else None,
        controls=places.control,
        sync=settings.sync,
    )
    return sender, filters


def _make_remote(places: Places) -> RemoteDelivery:
    """Return the played qmail-remote, which waits less long than the real one: a lesson has no twenty minutes."""
    return RemoteDelivery(
        routes=places.routes, helo_host=HOST, timeout_s=_REMOTE_TIMEOUT_S, connect_timeout_s=_CONNECT_TIMEOUT_S
    )
