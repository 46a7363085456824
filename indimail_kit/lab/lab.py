"""A small IndiMail in one directory, on loopback, without root: started, used and stopped as one thing.

Rule 1: it listens on 127.0.0.1 only, delivers to its own Maildirs only, and ends with its owner.
Rule 2: it touches nothing outside its directory.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import random
import threading
import time
import weakref
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from indimail_kit.control.envdir import read_envdir, write_variable
from indimail_kit.errors import LabError
from indimail_kit.lab.client import send_mail
from indimail_kit.lab.follow import Follower
from indimail_kit.lab.mail import Attachment, compose, to_wire
from indimail_kit.lab.parts import Parts, Settings, start_parts
from indimail_kit.lab.places import DEMO_PASSWORD, DOMAIN, USERS, Places
from indimail_kit.lab.scanner_troubles import Trouble, TroubleKind, in_trouble
from indimail_kit.lab.scanners import LabScanner, ScannerChoice
from indimail_kit.lab.session import SmtpdLimits
from indimail_kit.lab.small_disk import SmallDisk
from indimail_kit.lab.talk import describe, station_commands
from indimail_kit.logs.log import Log, read
from indimail_kit.mailqueue.enqueue import SAFE, SyncPolicy
from indimail_kit.mailqueue.layout import SPLIT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from indimail_kit.lab.filters import LabFilters
    from indimail_kit.lab.journey import Journey, Station
    from indimail_kit.lab.lying_clamd import Lie
    from indimail_kit.lab.second_host import SecondHost
    from indimail_kit.lab.services import Services
    from indimail_kit.qhpsi.verdict import Scanner

_RUNNING: weakref.WeakSet[Lab] = weakref.WeakSet()
_MAX_JOURNEYS: Final = 10_000
"""Journeys that a lab remembers; older ones are forgotten."""


class Lab:
    """Everything of a small mail server, started and stopped together; also a context manager.

    Attributes:
        seed: Fixes the choice of queue and the message ids, or None.
        directory: Where everything lies; removed at the end unless it was given.
        journeys: What `send` returned, oldest first.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        scanner: ScannerChoice = "auto",
        directory: Path | str | None = None,
        queue_count: int = 3,
        queue_split: int = SPLIT,
        port: int = 0,
        sync: SyncPolicy = SAFE,
        penalty_s: float = 0.0,
        limits: SmtpdLimits | None = None,
        challenge: bytes | None = None,
        starttls: bool = False,
        indimail_bugs: bool = False,
        checkpassword: Sequence[str] = (),
        supervised: bool = False,
        second_host: bool = False,
    ) -> None:
        """Prepare a lab; nothing is started or written before `start`.

        Args:
            seed: Fixes every choice; None takes the system's randomness.
            scanner: "auto" takes clamd where it is installed, else the embedded rules.
            directory: Existing or new directory to work in and to keep; None makes a temporary one.
            queue_count: Number of queues.
            queue_split: Sub-directories of mess, info, local, remote in each.
            port: Port on 127.0.0.1; 0 for any free one.
            sync: What is made durable before 250.
            penalty_s: Pause after a wrong password (unit: s); the real server takes 5.
            limits: What one client may use.
            challenge: CRAM challenge to replay, for example the seed's; None for a fresh one each time.
            starttls: Offer STARTTLS with a certificate of the lab's own.
            indimail_bugs: Give AUTH the real program's known faults (a second 454 after 501 …), for conformance.
            checkpassword: Let a checkpassword module decide who logs in: its argument vector.
            supervised: Let supervise of daemontools watch over clamd, as on a real host; see `services`.
            second_host: Run another mail server, for mail to places.FAR_DOMAIN; see `second_host`.
        """
        self.seed = seed
        self.journeys: list[Journey] = []
        self._scanner = LabScanner(scanner, supervised=supervised)
        rng = random.SystemRandom() if seed is None else random.Random(seed)  # noqa: S311 - the same run on wish
        self._settings = Settings(
            directory=Path(directory) if directory is not None else None, queue_count=queue_count,
            queue_split=queue_split, port=port, sync=sync,
            penalty_s=penalty_s, limits=limits or SmtpdLimits(), challenge=challenge, starttls=starttls,
            indimail_bugs=indimail_bugs, checkpassword=tuple(checkpassword), second_host=second_host, rng=rng,
            next_pid=itertools.count(os.getpid()).__next__,
        )  # fmt: skip
        self._message_ids = itertools.count(1)
        self._send_lock = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._parts: Parts | None = None
        self._places: Places | None = None

    # -- life ----------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start everything; return when mail is taken.

        Raises:
            LabError: The lab runs already, or the port is taken.
            MissingPartError: The scanner that was asked for is not installed.
            OSError: The directory cannot be written.
        """
        if self.is_running:
            raise LabError("the lab runs already")
        with contextlib.ExitStack() as stack:
            self._parts = start_parts(self._settings, self._scanner, stack=stack)
            self._places = self._parts.places
            self._stack = stack.pop_all()
        _RUNNING.add(self)
        return self

    def stop(self) -> None:
        """Stop everything and remove the temporary directory; a second call does nothing."""
        _RUNNING.discard(self)
        self._parts = None
        self._stack.close()

    def __enter__(self) -> Self:
        """Start, unless it runs already."""
        return self if self.is_running else self.start()

    def __exit__(self, *_exception: object) -> None:
        """Stop."""
        self.stop()

    # -- what it is ----------------------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Say whether mail is taken now."""
        return self._parts is not None

    @property
    def host(self) -> str:
        """Return the address it listens on: always 127.0.0.1."""
        return self._running().server.host

    @property
    def port(self) -> int:
        """Return the port it listens on."""
        return self._running().server.port

    @property
    def directory(self) -> Path:
        """Return the directory of the lab.

        Raises:
            LabError: It was never started.
        """
        return self._running_places().directory

    @property
    def queue_base(self) -> Path:
        """Return the directory of the queues (QUEUE_BASE)."""
        return self._running_places().queue_base

    @property
    def scanner_name(self) -> str:
        """Return the scanner's name and version."""
        return self._scanner.name

    @property
    def services(self) -> Services:
        """Return clamd and freshclam under supervise, linked in `directory`/service; LabError without any."""
        return self._scanner.require_services()

    @property
    def second_host(self) -> SecondHost:
        """Return the other mail server, to be told how to behave; LabError without `Lab(second_host=True)`."""
        if (host := self._running().second_host) is None:
            raise LabError("the lab has no second host; start it with Lab(second_host=True)")
        return host

    @property
    def qhpsi(self) -> str:
        """Return the value of QHPSI that stands for the lab's own scanner."""
        return self._scanner.qhpsi

    @property
    def users(self) -> tuple[str, ...]:
        """Return the addresses of the demo users; their password is places.DEMO_PASSWORD."""
        return tuple(f"{user}@{DOMAIN}" for user in USERS)

    def __repr__(self) -> str:
        """Return one line: where it listens and what scans."""
        if not self.is_running:
            return "<Lab, stopped>"
        return f"<Lab on {self.host}:{self.port}, scanner {self.scanner_name}, {len(self.journeys)} mails sent>"

    def describe(self) -> dict[str, Any]:
        """Return what a person needs to talk to it, see INTERFACE: `lab serve`."""
        return describe(
            (self.host, self.port), users=self.users, mechanisms=self._running().service.mechanisms,
            scanner=self.scanner_name, places=self._running_places(),
            services=self._scanner.services.names if self._scanner.services is not None else (),
        )  # fmt: skip

    def _running(self) -> Parts:
        if self._parts is None:
            raise LabError("the lab does not run; start it with `with Lab() as lab:` or lab.start()")
        return self._parts

    def _running_places(self) -> Places:
        if self._places is None:
            raise LabError("the lab has no directory yet; start it with `with Lab() as lab:` or lab.start()")
        return self._places

    # -- what it does --------------------------------------------------------------------------------------------

    def send(
        self,
        *,
        sender: str = f"ann@{DOMAIN}",
        recipient: str = f"bob@{DOMAIN}",
        subject: str = "Hello",
        body: str = "This is a mail from the lab.",
        mechanism: str = "CRAM-MD5",
        user: str | None = None,
        passwd: str = DEMO_PASSWORD,
        attach: Attachment = "none",
        message: bytes | None = None,
        reject_virus: int | None = None,
        case: str = "",
        on_station: Callable[[Station], None] | None = None,
        timeout_s: float = 10.0,
    ) -> Journey:
        """Send one mail as a real client does and follow it to its end.

        A refused login, a virus, a bounce are journeys, not errors. One mail at a time; other threads wait.

        Args:
            sender: Envelope sender and From.
            recipient: Envelope recipient and To.
            subject: Subject line.
            body: Text.
            mechanism: SASL mechanism, or "" for no login.
            user: Who logs in; the sender unless given.
            passwd: Password.
            attach: "none", or the test virus in one of its wrappings.
            message: A whole mail of one's own instead of subject, body and attach; line ends as `mail.to_wire` says.
            reject_virus: Sets REJECTVIRUS first (it stays so); None leaves it.
            case: Name of the case, for the tables.
            on_station: Called with each station that changes, from several threads.
            timeout_s: Longest wait for the end (unit: s); what has happened by then is returned.

        Raises:
            LabError: The lab does not run.
            ValueError: An address or the subject holds a line end, or a character that no octets stand for.
        """
        with self._send_lock:
            service = self._running().service
            address = (self.host, self.port)
            if reject_virus is not None:
                self.set_variable("REJECTVIRUS", str(reject_virus))
            commands = station_commands(address, sender, recipient, mechanism, self.qhpsi, self._running_places())
            if message is None:
                number = next(self._message_ids)
                stamp = "fresh" if self.seed is not None else format(time.time_ns(), "x")
                mail = compose(
                    sender=sender, recipient=recipient, subject=subject, body=body, attach=attach,
                    date=datetime.now(UTC), message_id=f"<{number}.{stamp}@{DOMAIN}>",
                )  # fmt: skip
            else:
                mail = to_wire(message)
            follower = Follower(
                sender=sender, recipient=recipient, mechanism=mechanism, case=case, clock=time.time_ns,
                commands=commands, on_station=on_station, mail=mail, far=self._running().far_blocks,
            )  # fmt: skip
            try:
                send_mail(
                    address=address, sender=sender, recipient=recipient, mail=mail, mechanism=mechanism,
                    authcid=user or sender, passwd=passwd, timeout_s=timeout_s,
                    on_port=lambda port: service.watch(port, follower.attach), on_reply=follower.reply,
                )  # fmt: skip
            except OSError as error:
                follower.fail(f"The connection broke: {error.strerror or type(error).__name__}.")
            follower.is_over.wait(timeout_s)
            journey = follower.journey()
            self.journeys.append(journey)
            del self.journeys[:-_MAX_JOURNEYS]
            return journey

    def set_variable(self, name: str, value: str | None) -> None:
        """Set or remove a variable of the SMTP service (envdir); the next connection sees it.

        Raises:
            EnvdirError: The name cannot be one of a variable.
        """
        write_variable(self._running_places().variables, name, value)

    def limit_disk(self, size_bytes: int | None) -> None:
        """Give the queues a disk of so many octets; None for all the room that there is. See `small_disk`."""
        disk = None if size_bytes is None else SmallDisk(self.queue_base, size_bytes)
        self._running().service.disk = disk

    def variable(self, name: str) -> str | None:
        """Return what a variable of the SMTP service (envdir) is set to; None for one that is not."""
        return read_envdir(self._running_places().variables).environment.get(name)

    @property
    def filters(self) -> LabFilters:
        """Return the users' vfilter rules, which `LabFilters.vcfilter` changes."""
        return self._running().filters

    def svc(self, options: str, *names: str) -> None:
        """Do ``svc OPTIONS /service/NAME…``: places.SMTPD obeys -d and -u, SEND -a and -h, the others are `services`.

        Raises:
            LabError: There is no such service here.
        """
        for name in names:
            if not self._running().obey(options, name):
                self.services.svc(options, name)

    def supervise_send(self) -> None:
        """Let `PlayedSupervise` watch over qmail-send: svc and ``indimail-kit service`` then work on it."""
        self._running().supervise_send(self._stack)

    def asking(self, scanner: Scanner) -> AbstractContextManager[None]:
        """Ask another scanner for a while, as long as QHPSI is the lab's own.

        Raises:
            LabError: The lab does not run, or it runs a command for each mail.
        """
        self._running()
        return self._scanner.asking(scanner)

    def stop_scanner(self) -> None:
        """Stop the scanner, as if clamd had died."""
        self._scanner.stop()

    def start_scanner(self) -> None:
        """Start the scanner again."""
        self._scanner.start()
        self.set_variable("QHPSI", self._scanner.qhpsi)

    def scanner_trouble(self, kind: TroubleKind, *, lie: Lie | None = None) -> AbstractContextManager[Trouble]:
        """Bring the scanner into trouble for a while: stopped, killed, frozen, beyond its limits, lying.

        Raises:
            LabError: The lab does not run, there is no such kind, or it needs `Lab(scanner="clamd")`.
        """
        self._running()
        return in_trouble(self._scanner, kind, lie=lie)

    def clamd_log(self) -> Log:
        """Return the log of the lab's own clamd; its times, which are local ones, are read as such.

        Raises:
            LabError: The lab has no clamd of its own.
        """
        if (daemon := self._scanner.daemon) is None:
            raise LabError("the lab has no clamd of its own; its scanner is the embedded one")
        return read(daemon.log_path, utc_offset_s=time.localtime().tm_gmtoff)

    def log_lines(self) -> list[bytes]:
        """Return the lines of qmail-send's log, labels included."""
        return (self._running_places().send_log / "current").read_bytes().splitlines()

    def log(self) -> Log:
        """Return qmail-send's log as events, deliveries and messages."""
        return read(self._running_places().send_log)


@atexit.register
def _stop_all() -> None:
    """Stop the labs that nobody stopped."""
    for lab in list(_RUNNING):
        with contextlib.suppress(Exception):
            lab.stop()
