"""What happened to one mail, station by station: values only, no I/O.

A `Journey` is what `Lab.send` returns and what the notebook's JourneyView draws. While the mail is on its way the
lab calls ``on_station(station)`` each time a station changes; the last one seen for a key is the true one.

Rule 1: everything here may be shown to anybody: dialogues are redacted before they come in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from indimail_kit.wiring import provider

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
