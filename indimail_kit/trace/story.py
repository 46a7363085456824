"""What a trace is, as values: the message, the evidence with how sure it is, and what is missing.

Rule 1: every piece of evidence says why it is believed to be this message's, in words for a person.
Rule 2: text from mail and logs is hostile: it reaches a terminal made visible and HTML through the one door.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from indimail_kit.counting import counted
from indimail_kit.tables import Column, Table, build_frame
from indimail_kit.visible import visible
from indimail_kit.wiring import provider

if TYPE_CHECKING:
    import pandas as pd

Confidence = Literal["certain", "likely", "possible"]
"""How sure it is that a piece of evidence is this message's. *certain*: keys that belong together, in a time in which
nothing else can have them. *likely*: the keys agree, yet one thing that would prove it is not there. *possible*: it may
as well be another message's."""

CONFIDENCES: Final[tuple[Confidence, ...]] = ("certain", "likely", "possible")
"""From sure to unsure."""

SIGNS: Final[dict[Confidence, str]] = {"certain": "●", "likely": "◐", "possible": "○"}
"""Confidence -> the sign that stands beside its word."""

Source = Literal["session", "scan", "queue", "delivery", "bounce", "mail"]
"""Station of the journey that a piece of evidence is from."""

SOURCES: Final[tuple[Source, ...]] = ("session", "scan", "queue", "delivery", "bounce", "mail")
"""In the order of the journey."""

_S: Final = 10**9


def weakest(confidences: Iterable[Confidence]) -> Confidence:
    """Return the least sure of some; "certain" if there is none.

    Example:
        >>> weakest(["certain", "possible", "likely"])
        'possible'
    """
    return max(confidences, key=CONFIDENCES.index, default="certain")


def how_sure(evidence: Sequence[Evidence], gaps: Sequence[str]) -> tuple[Confidence, str]:
    """Return how sure a story is, as its weakest link, and which link that is.

    Args:
        evidence: What tells of the message, in any order.
        gaps: What nothing tells of; a story that has one is not certain.
    """
    confidence = weakest(one.confidence for one in evidence)
    if confidence != "certain":
        return confidence, next(one.reason for one in evidence if one.confidence == confidence)
    if gaps:
        return "likely", gaps[0]
    return "certain", "all keys belong together, and nothing is missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One thing that tells of the message.

    Attributes:
        source: Station of the journey.
        unix_ns: When, by the clock of qmail-send's host (unit: ns since 1970); None if it has no time.
        text: The line without its stamp, or what a file says.
        file: Where it stands; "" for octets in memory.
        line_number: Line in that file, counted from 1; 0 for what is no line.
        confidence: How sure it is that it is this message's.
        reason: Why it is believed, and not believed more.
    """

    source: Source
    unix_ns: int | None
    text: str
    file: str
    line_number: int
    confidence: Confidence
    reason: str


EVIDENCE: Final = Table(
    "EVIDENCE",
    "one thing that tells of a traced message",
    (
        Column("source", "str", "station: session, scan, queue, delivery, bounce or mail", "never", "the tracer"),
        Column(
            "time", "datetime64[ns, UTC]", "when, by the clock of qmail-send's host", "without a stamp",
            "stamp of the line less what that host's clock is ahead; time of a file", attribute="unix_ns",
        ),
        Column("text", "str", "the line without its stamp, or what a file says", "never", "the log or file"),
        Column("file", "str", "where it stands", 'never: "" for octets in memory', "the reader"),
        Column("line_number", "int64", "line in that file from 1 on; 0 for what is no line", "never", "the reader"),
        Column("confidence", "str", "certain, likely or possible", "never", "the tracer"),
        Column("reason", "str", "why it is believed, and not believed more", "never", "the tracer"),
    ),
    key=("source", "file", "line_number", "text"),
)  # fmt: skip
"""The rows are in the order of time; what has no time stands where its station does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedMessage:
    """The message of a trace, as far as it is known.

    Attributes:
        queue: Name of the queue; "" where no source names it.
        message_number: Number in the queue; None for a mail that never was queued, or of which nobody tells it.
        lifetime: Which life of this number in this queue the log shows, counted from 1; None without a log of it.
        qp: Long-term queue identifier, or None.
        sender: Envelope sender as logged; "" for a bounce; None if unknown.
        recipients: Envelope recipients that are known.
        message_bytes: Size (unit: octets), or None.
        began_ns: First time that is known of it (unit: ns since 1970), or None.
        ended_ns: When it left the queue or was refused (unit: ns since 1970), or None.
    """

    queue: str = ""
    message_number: int | None = None
    lifetime: int | None = None
    qp: int | None = None
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    message_bytes: int | None = None
    began_ns: int | None = None
    ended_ns: int | None = None

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "queue": self.queue, "message_number": self.message_number, "lifetime": self.lifetime, "qp": self.qp,
            "sender": self.sender, "recipients": list(self.recipients), "message_bytes": self.message_bytes,
            "began": iso(self.began_ns), "ended": iso(self.ended_ns),
        }  # fmt: skip

    def __str__(self) -> str:
        """Return it in a few words; text from the log is not made visible yet."""
        number = "not queued" if self.message_number is None else f"{self.queue or 'queue ?'} {self.message_number}"
        life = f", life {self.lifetime}" if self.lifetime is not None else ""
        qp = f", qp {self.qp}" if self.qp is not None else ""
        sender = "?" if self.sender is None else self.sender or "<>"
        more = f" and {len(self.recipients) - 1} more" if len(self.recipients) > 1 else ""
        return f"{number}{life}{qp}: {sender} → {self.recipients[0] if self.recipients else '?'}{more}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The story of one message.

    Attributes:
        question: What was asked, in words.
        message: The message.
        confidence: How sure the story is: as its weakest link.
        reason: Which link that is.
        evidence: What tells of it, in the order of time.
        gaps: What nothing tells of, each a sentence.
        others: The other messages that fit the question, the best first; each a trace without others.
    """

    question: str
    message: TracedMessage
    confidence: Confidence
    reason: str
    evidence: tuple[Evidence, ...] = field(repr=False)
    gaps: tuple[str, ...] = field(repr=False)
    others: tuple[Trace, ...] = field(repr=False, default=())

    @property
    def candidates(self) -> tuple[Trace, ...]:
        """Return every message that fits the question, this one first."""
        return (self, *self.others)

    def alone(self) -> Trace:
        """Return the story of this message when it is the one that is meant: as sure as its own weakest link."""
        confidence, reason = how_sure(self.evidence, self.gaps)
        return replace(self, confidence=confidence, reason=reason, others=())

    def of(self, source: Source) -> tuple[Evidence, ...]:
        """Return the evidence of one station."""
        return tuple(one for one in self.evidence if one.source == source)

    def frame(self) -> pd.DataFrame:
        """Return the evidence as a DataFrame, see `EVIDENCE`."""
        return build_frame(EVIDENCE, self.evidence)

    def document(self) -> dict[str, Any]:
        """Return the trace as JSON has it."""
        evidence = [
            {
                "source": one.source, "time": iso(one.unix_ns), "text": one.text, "file": one.file,
                "line": one.line_number or None, "confidence": one.confidence, "reason": one.reason,
            }
            for one in self.evidence
        ]  # fmt: skip
        document: dict[str, Any] = {
            "message": self.message.document(), "evidence": evidence, "confidence": self.confidence,
            "reason": self.reason, "gaps": list(self.gaps),
        }  # fmt: skip
        return document | ({"others": [one.document() for one in self.others]} if self.others else {})

    def lines(self, *, most_others: int = 20) -> Iterator[str]:
        """Yield the story as lines for a person, hostile text made visible."""
        yield f"{visible(self.question)}    confidence: {self.confidence}: {visible(self.reason)}"
        yield f"  {visible(str(self.message))}"
        day = ""
        for one in self.evidence:
            time = iso(one.unix_ns) or ""
            if time[:10] not in ("", day):
                day = time[:10]
                yield f"  {day}"
            yield f"  {time[11:23] or '———':<12}  {one.source:<8}  {SIGNS[one.confidence]} {visible(one.text)}"
            if one.confidence != "certain":
                yield f"  {'':<12}  {'':<8}    {one.confidence}: {visible(one.reason)}"
        for gap in self.gaps:
            station, _, text = gap.partition(": ")
            yield f"  {'———':<12}  {visible(station):<8}  {visible(text)}"
        if self.others:
            yield f"{counted(len(self.others), 'other message')} {'fits' if len(self.others) == 1 else 'fit'} as well:"
        for other in self.others[:most_others]:
            yield f"  {iso(other.message.began_ns) or '———'}  {visible(str(other.message))}"
        if len(self.others) > most_others:
            yield f"  … and {len(self.others) - most_others} more"

    def __repr__(self) -> str:
        """Return one line: what was asked, and how sure the answer is."""
        counts = f"{len(self.evidence)} pieces of evidence, {len(self.gaps)} gaps, {len(self.others)} others"
        return f"<Trace of {visible(self.question)}: {self.confidence}, {counts}>"

    def _repr_html_(self) -> str:
        """Return the story as a time line, escaped; for a notebook."""
        return str(provider("trace_html")(self))


def iso(unix_ns: int | None) -> str | None:
    """Return a time as ISO 8601 with milliseconds, in UTC.

    Example:
        >>> iso(1268622054994200500)
        '2010-03-15T03:00:54.994Z'
    """
    if unix_ns is None:
        return None
    seconds, rest_ns = divmod(unix_ns, _S)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return f"{seconds}.{rest_ns // 10**6:03d} s since 1970"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest_ns // 10**6:03d}Z"
