"""What happened to one mail, station by station: values only, no I/O.

A `Journey` is what `Lab.send` returns and what the notebook's JourneyView draws. While the mail is on its way the
lab calls ``on_station(station)`` each time a station changes; the last one seen for a key is the true one.

Rule 1: everything here may be shown to anybody: dialogues are redacted before they come in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.wiring import provider

if TYPE_CHECKING:
    from indimail_kit.delivery.vfilter import FilterRule
    from indimail_kit.qhpsi.scanning import ScanReport

STATION_KEYS: Final = ("auth", "rules", "mess", "scan", "todo", "send", "inbox")
"""The stations in the order of the journey."""

STATION_TITLES: Final = {
    "auth": "AUTH",
    "rules": "RULES",
    "mess": "MESS",
    "scan": "SCAN",
    "todo": "TODO",
    "send": "SEND",
    "inbox": "INBOX",
}
"""Key -> short title on the rail."""

STATION_QUESTIONS: Final = {
    "auth": "who are you?",
    "rules": "what applies to you?",
    "mess": "where is the text?",
    "scan": "is it safe?",
    "todo": "who shall get it?",
    "send": "where does it go?",
    "inbox": "did it arrive?",
}
"""Key -> the question that the station answers."""


class StationState(Enum):
    """How a station stands."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class RawBlock:
    """Raw material behind a claim: text as it was on the wire, on disk or in a log.

    Attributes:
        title: What it is, for a person.
        text: The octets decoded as UTF-8 with backslash escapes for the rest.
        path: File it comes from, or "".
        offset: First octet in that file.
        command: A command that shows the same in a terminal, or "".
    """

    title: str
    text: str
    path: str = ""
    offset: int = 0
    command: str = ""


@dataclass(frozen=True, slots=True)
class Station:
    """One stop of the mail.

    Attributes:
        key: One of STATION_KEYS.
        state: How it stands.
        summary: One short word or number for the rail ("235", "INFECTED", "16/660188").
        sentence: One sentence for a person.
        elapsed_ms: Time from the click to the end of this station (unit: ms).
        facts: Label and value pairs, in reading order.
        raw: Raw material.
    """

    key: str
    state: StationState = StationState.WAITING
    summary: str = ""
    sentence: str = ""
    elapsed_ms: float = 0.0
    facts: tuple[tuple[str, str], ...] = ()
    raw: tuple[RawBlock, ...] = ()

    @property
    def title(self) -> str:
        """Return the short title."""
        return STATION_TITLES[self.key]


MAX_KEPT_BYTES: Final = 32 * 1024
"""Most of a mail that an Arrival keeps (unit: octets); the whole is in the mailbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A mail before and after: what the client sent, and what lies in the mailbox.

    Attributes:
        sent: The beginning of the mail as it was sent, dots not doubled.
        sent_bytes: Size of all that was sent (unit: octets).
        stored: The beginning of the file.
        stored_bytes: Size of the file (unit: octets).
        is_unchanged: Whether the file ends with the whole mail as it was sent, its CR LF made LF.
        added_bytes: Size of what stands before that in the file (unit: octets); 0 where the mail was changed.
        path: The file.
        folder: "Inbox" or the folder's name.
        recipient: Whose mailbox it is.
        rule: The filter that chose the folder, or None.
    """

    sent: bytes = field(repr=False)
    sent_bytes: int
    stored: bytes = field(repr=False)
    stored_bytes: int
    is_unchanged: bool
    added_bytes: int
    path: str
    folder: str
    recipient: str
    rule: FilterRule | None = None

    @classmethod
    def of(
        cls, sent: bytes, stored: bytes, *, path: str, folder: str, recipient: str, rule: FilterRule | None
    ) -> Arrival:
        """Compare what was sent with what was stored, and keep the beginning of both."""
        as_stored = sent.replace(b"\r\n", b"\n")
        as_stored += b"\n" * (not as_stored.endswith(b"\n"))
        is_unchanged = stored.endswith(as_stored)
        return cls(
            sent=sent[:MAX_KEPT_BYTES], sent_bytes=len(sent), stored=stored[:MAX_KEPT_BYTES], stored_bytes=len(stored),
            is_unchanged=is_unchanged, added_bytes=len(stored) - len(as_stored) if is_unchanged else 0,
            path=path, folder=folder, recipient=recipient, rule=rule,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Journey:
    """The whole way of one mail.

    Attributes:
        case: Name of the case, or "".
        sender: Envelope sender.
        recipient: Envelope recipient.
        mechanism: SASL mechanism, or "" for none.
        smtp_reply: The last reply that decided (of AUTH, MAIL, RCPT or DATA).
        queue: Name of the queue, "" when nothing was queued.
        message_number: Number in the queue, 0 when nothing was queued.
        qp: Long-term queue identifier, 0 when nothing was queued.
        verdict: CLEAN, INFECTED, NOT_SCANNED, ERROR, or "" when no scan happened.
        signature: Name of the signature found, or "".
        header: Header line that the scan left ("X-QHPSI: clean"), or "".
        delivered_to: Where the mail ended ("bob@example.com Inbox", "bounce to …"), or "".
        folder: "Inbox", a folder's name, or "".
        stations: One per key, in order.
        unix_ns: When it was sent (unit: ns since 1970).
        elapsed_ms: From start to end (unit: ms).
        expected: What should have happened, or "".
        is_expected: Whether it happened; None when nothing was expected.
        variables: What qmail-queue had in its environment, sorted by name.
        message_bytes: Size of the mess file, Received lines included (unit: octets); 0 when there was none.
        report: What the scan meant for the queue; None when nobody was asked about a scan.
        log_lines: Lines of qmail-smtpd about this mail, as they stand in its log.
        arrival: The mail before and after; None when it is in no mailbox.
    """

    case: str
    sender: str
    recipient: str
    mechanism: str
    smtp_reply: str = ""
    queue: str = ""
    message_number: int = 0
    qp: int = 0
    verdict: str = ""
    signature: str = ""
    header: str = ""
    delivered_to: str = ""
    folder: str = ""
    stations: tuple[Station, ...] = field(default=(), repr=False)
    unix_ns: int = 0
    elapsed_ms: float = 0.0
    expected: str = ""
    is_expected: bool | None = None
    variables: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    message_bytes: int = field(default=0, repr=False)
    report: ScanReport | None = field(default=None, repr=False)
    log_lines: tuple[str, ...] = field(default=(), repr=False)
    arrival: Arrival | None = field(default=None, repr=False)

    def station(self, key: str) -> Station:
        """Return the station of a key."""
        return self.stations[STATION_KEYS.index(key)]

    def _repr_html_(self) -> str:
        """Return the rail and its stations, escaped; for a notebook."""
        return str(provider("journey_html")(self))

    def as_row(self) -> dict[str, Any]:
        """Return the row of `lab run --json` (see INTERFACE: `lab run`)."""
        return {
            "case": self.case,
            "mechanism": self.mechanism,
            "smtp_reply": self.smtp_reply,
            "queue": self.queue,
            "message_number": self.message_number,
            "verdict": self.verdict,
            "signature": self.signature,
            "header": self.header,
            "delivered_to": self.delivered_to,
            "expected": self.expected,
            "ok": self.is_expected,
        }
