"""A case's server as anybody sees it from outside: its files, its port, and a mail that is sent to try it.

Rule 1: nothing here needs the process in which the server runs; a hint or a grade may be asked for in another one.
Rule 2: what is broken in an unforeseen way is an answer, not an exception.
"""

from __future__ import annotations

import contextlib
import smtplib
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from indimail_kit.auth.accounts import UserTable
from indimail_kit.control.supervise import Service, read_service
from indimail_kit.errors import FormatError, ScanError
from indimail_kit.lab.client import send_mail
from indimail_kit.lab.mail import Attachment, compose
from indimail_kit.lab.places import DEMO_PASSWORD, DOMAIN, HOST, SEND, SMTPD, Places
from indimail_kit.qhpsi.clamd_client import ClamdClient

if TYPE_CHECKING:
    from collections.abc import Callable

PROBE_S: Final = 5.0
"""How long a mail that was taken may need to its mailbox (unit: s)."""

_STEP_S: Final = 0.01
_SCAN_HEADER: Final = b"x-qhpsi:"


class NoAnswerError(OSError):
    """Nobody listens where the case's server should be."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What became of a mail that was sent to try the server.

    Attributes:
        reply: The reply that decided.
        path: The file in a Maildir; None when it came nowhere in time.
        octets: That file.
    """

    reply: str
    path: Path | None = None
    octets: bytes = b""

    @property
    def is_taken(self) -> bool:
        """Say whether the server took it."""
        return self.reply.startswith("250")

    @property
    def scan(self) -> str:
        """Return what X-QHPSI in the header says: "clean", "Virus found", or "" without such a line."""
        for line in self.octets.partition(b"\n\n")[0].splitlines():
            if line.lower().startswith(_SCAN_HEADER):
                return line[len(_SCAN_HEADER) :].strip().decode("ascii", "replace")
        return ""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a case is, and what is known of it.

    Attributes:
        directory: Its server's directory.
        address: Host and port of its SMTP service.
        facts: What was drawn or written down for it.
    """

    directory: Path
    address: tuple[str, int]
    facts: Mapping[str, str]

    @property
    def places(self) -> Places:
        """Return the paths of its server."""
        return Places(self.directory)

    def text(self, template: str) -> str:
        """Fill a template: facts, and DIR, HOST, PORT, SERVICES, SMTPD, VARIABLES, SEND, QUEUE, CONTROL and their like.

        Raises:
            FormatError: A fact is missing: somebody has changed case.json.
        """
        places = self.places
        where = {
            "DIR": self.directory, "HOST": self.address[0], "PORT": self.address[1], "VARIABLES": places.variables,
            "SMTPD": places.services / SMTPD, "SEND": places.services / SEND, "QUEUE": places.queue_base,
            "RULES": places.rules, "USERS": places.users, "SERVICES": places.services, "ROUTES": places.routes,
            "CONTROL": places.control, "SMTPD_LOG": places.smtpd_log, "SEND_LOG": places.send_log,
        }  # fmt: skip
        try:
            return template.format_map({**self.facts, **where})
        except KeyError as error:
            raise FormatError(f"a fact {error}", source=str(self.directory / "case.json")) from error

    # -- looking -------------------------------------------------------------------------------------------------

    def service(self, name: str) -> Service:
        """Return what supervise says of a service.

        Raises:
            SuperviseError: It is none.
        """
        return read_service(self.places.services / name, run_directories=())

    def wait_for_clamd(self, timeout_s: float = PROBE_S) -> bool:
        """Give a clamd that is up the moment that it needs to load its database; say whether it answers."""
        deadline = time.monotonic() + timeout_s
        client = ClamdClient(self.facts["clamd_socket"], timeout_s=1.0)
        while self.service("clamd").is_up:
            with contextlib.suppress(ScanError):
                return client.ping()
            if time.monotonic() > deadline:
                break
            time.sleep(_STEP_S)
        return False

    def accounts(self) -> UserTable:
        """Open the user table; to be closed."""
        return UserTable(f"sqlite:///{self.places.users}", create=False)

    # -- trying --------------------------------------------------------------------------------------------------

    def send(
        self,
        *,
        sender: str = f"ann@{DOMAIN}",
        recipient: str = f"bob@{DOMAIN}",
        mechanism: str = "CRAM-MD5",
        passwd: str = DEMO_PASSWORD,
        attach: Attachment = "none",
        body: str = "This mail was sent to try the server.",
        source: str = "",
        timeout_s: float = PROBE_S,
    ) -> Probe:
        """Send one mail as any client does, and look where it arrives.

        Args:
            sender: Envelope sender, who also logs in.
            recipient: Envelope recipient.
            mechanism: SASL mechanism, or "" for no login.
            passwd: Password.
            attach: What hangs on it.
            body: Text.
            source: Address on loopback that the client connects from; "" for any.
            timeout_s: Longest wait for a reply, and for the mail (unit: s).

        Raises:
            NoAnswerError: Nobody listens there.
        """
        token = f"<probe.{uuid.uuid4().hex}@{HOST}>"
        mail = compose(
            sender=sender, recipient=recipient, subject="A probe", body=body, attach=attach, date=datetime.now(UTC),
            message_id=token,
        )  # fmt: skip
        replies: list[str] = []
        known = set(self._arrived())
        try:
            send_mail(
                address=self.address, sender=sender, recipient=recipient, mail=mail, mechanism=mechanism,
                authcid=sender, passwd=passwd, timeout_s=timeout_s, source=source,
                on_port=lambda _port: None, on_reply=lambda _stage, reply: replies.append(reply),
            )  # fmt: skip
        except smtplib.SMTPServerDisconnected:
            pass  # it said why, or it did not; what counts is the last reply
        except OSError as error:
            if not replies:
                raise NoAnswerError(
                    f"no SMTP server answers at {self.address[0]}:{self.address[1]}"
                    f" ({error.strerror or type(error).__name__})"
                ) from error
        probe = Probe(replies[-1] if replies else "")
        return self._find(probe, token.encode("ascii"), known, timeout_s) if probe.is_taken else probe

    def _find(self, probe: Probe, token: bytes, known: set[Path], timeout_s: float) -> Probe:
        """Wait for a mail that was taken."""
        deadline = time.monotonic() + timeout_s
        while True:
            for path in self._arrived():
                if path in known:
                    continue
                with contextlib.suppress(OSError):
                    octets = path.read_bytes()
                    if token in octets:
                        return Probe(probe.reply, path, octets)
                    known.add(path)
            if time.monotonic() > deadline:
                return probe
            time.sleep(_STEP_S)

    def _arrived(self) -> list[Path]:
        """Return every mail that lies in a Maildir here and was not read yet, the second host's too."""
        return [
            path
            for pattern in ("mail/*/*/Maildir/new/*", "mail/*/*/Maildir/.*/new/*", "second/Maildir/new/*")
            for path in self.directory.glob(pattern)
        ]

    def wait_for(self, holds: Callable[[], bool], timeout_s: float = PROBE_S) -> bool:
        """Wait until something holds; say whether it does."""
        deadline = time.monotonic() + timeout_s
        while not (is_so := holds()) and time.monotonic() < deadline:
            time.sleep(_STEP_S)
        return is_so
