"""The demo mails of ``lab run``: each a case with what should happen. Values and one loop.

Source: issue's list; replies from tests/data/indimail/auth and IndiMail qmail.c.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.lab.mail import Attachment
from indimail_kit.lab.places import DEMO_PASSWORD, DOMAIN

if TYPE_CHECKING:
    from indimail_kit.lab.journey import Journey
    from indimail_kit.lab.lab import Lab


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a case must end with; None means "whatever".

    Attributes:
        reply: Beginning of the deciding SMTP reply.
        verdict: Verdict of the scan, "" for none; "A|B" for either.
        header: Header line of the scan, "" for none.
        delivered_to: Where it ends, "" for nowhere.
        is_queued: Whether it was in a queue.
    """

    reply: str
    verdict: str = ""
    header: str = ""
    delivered_to: str = ""
    is_queued: bool = False

    def is_met(self, journey: Journey) -> bool:
        """Say whether the journey ended so."""
        return (
            journey.smtp_reply.startswith(self.reply)
            and journey.verdict in self.verdict.split("|")
            and journey.header == self.header
            and journey.delivered_to == self.delivered_to
            and bool(journey.message_number) == self.is_queued
            # A command such as `clamdscan --quiet` tells by its exit code only and names nothing.
            and (not journey.signature or self.verdict == "INFECTED")
        )

    def as_text(self) -> str:
        """Return one line for a person."""
        parts = [
            self.reply,
            self.verdict or "no scan",
            self.header,
            "queued" if self.is_queued else "not queued",
            self.delivered_to,
        ]
        return " · ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One demo mail.

    Attributes:
        name: For the tables.
        expected: What should happen.
        mechanism: SASL mechanism.
        passwd: Password that the client uses.
        recipient: Who shall get it.
        attach: What hangs on it.
        reject_virus: REJECTVIRUS while it is sent.
        is_scanner_stopped: Whether clamd is stopped while it is sent.
    """

    name: str
    expected: Expected
    mechanism: str = "CRAM-MD5"
    passwd: str = DEMO_PASSWORD
    recipient: str = f"bob@{DOMAIN}"
    attach: Attachment = "none"
    reject_virus: int = 0
    is_scanner_stopped: bool = False


_SENDER: Final = f"ann@{DOMAIN}"
_INBOX: Final = Expected(
    reply="250 ok ", verdict="CLEAN", header="X-QHPSI: clean", delivered_to=f"bob@{DOMAIN} Inbox", is_queued=True
)
_QUARANTINE: Final = Expected(
    reply="250 ok ",
    verdict="INFECTED",
    header="X-QHPSI: Virus found",
    delivered_to=f"bob@{DOMAIN} Quarantine",
    is_queued=True,
)
_REFUSED: Final = Expected(reply="554 qq message contains virus (#5.7.1)", verdict="INFECTED")
_SWALLOWED: Final = Expected(reply="250 ok ", verdict="INFECTED")
_NO_SCAN: Final = Expected(reply="451 qq unable to run QHPSI scanner (#4.3.0)", verdict="ERROR|NOT_SCANNED")
_BOUNCE: Final = replace(_INBOX, delivered_to=f"bounce to {_SENDER}")
_REJECTED: Final = Expected(reply="535 authorization failure (#5.7.8)")

_MECHANISMS: Final = ("LOGIN", "PLAIN", "CRAM-MD5")
_NOT_IT: Final = "wrong"  # a password that is nobody's
_WRAPPINGS: Final[tuple[tuple[str, Attachment], ...]] = (
    ("plain", "eicar"),
    ("in Base64", "eicar-base64"),
    ("in a zip", "eicar-zip"),
)

CASES: Final = (
    *(Case(name=f"{name}, right password", mechanism=name, expected=_INBOX) for name in _MECHANISMS),
    *(Case(name=f"{name}, wrong password", mechanism=name, passwd=_NOT_IT, expected=_REJECTED) for name in _MECHANISMS),
    *(
        Case(name=f"EICAR {wrapping}, REJECTVIRUS {policy}", attach=attach, reject_virus=policy, expected=expected)
        for policy, expected in ((0, _QUARANTINE), (1, _REFUSED), (2, _SWALLOWED))
        for wrapping, attach in _WRAPPINGS
    ),
    Case(name="clean mail, REJECTVIRUS 1", reject_virus=1, expected=_INBOX),
    Case(name="the scanner is stopped", is_scanner_stopped=True, expected=_NO_SCAN),
    Case(name="unknown recipient", recipient=f"nobody@{DOMAIN}", expected=_BOUNCE),
)  # fmt: skip
"""What ``lab run`` sends."""


def run_case(lab: Lab, case: Case, **options: Any) -> Journey:
    """Send one case's mail and judge its journey."""
    if case.is_scanner_stopped:
        lab.stop_scanner()
    try:
        journey = lab.send(
            sender=_SENDER,
            recipient=case.recipient,
            subject=case.name,
            mechanism=case.mechanism,
            passwd=case.passwd,
            attach=case.attach,
            reject_virus=case.reject_virus,
            case=case.name,
            **options,
        )
    finally:
        if case.is_scanner_stopped:
            lab.start_scanner()
    judged = replace(journey, expected=case.expected.as_text(), is_expected=case.expected.is_met(journey))
    lab.journeys[-1] = judged
    return judged


def run_demo(lab: Lab, *, on_journey: Callable[[Journey], None] | None = None) -> list[Journey]:
    """Send all demo mails, one after the other; return their judged journeys."""
    journeys = []
    for case in CASES:
        journey = run_case(lab, case)
        journeys.append(journey)
        if on_journey is not None:
            on_journey(journey)
    lab.set_variable("REJECTVIRUS", "0")
    return journeys
