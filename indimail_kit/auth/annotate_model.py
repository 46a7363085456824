"""The values of an explanation: lines as read, steps as shown, and the drafts between them.

Rule 1: what holds octets of the dialogue is `repr=False` until its secrets are masked (`annotate_mask`).
Rule 2: a part's ranges refer to the step as it is shown: a masked secret counts as the four characters of the mask,
so that not even its length is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

Direction = Literal["client", "server", "note"]
"""Who sent a line; "note" is a line that went over no wire, or one that was not understood."""

MASK: Final = "****"
"""What stands for a secret; the same as `redact.MASK`."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some octets with one role.

    Attributes:
        start: First octet in `Step.decoded` (unit: octets of its UTF-8 form).
        end: Octet behind the last one.
        role: What they are: "NUL", "user", "password", "challenge time", "digest" …
        text: The octets as text; MASK for a secret.
        source: The sentence behind the role, as "RFC 4616 section 2".
        wire_start: First character in `Step.raw` that has a bit of them.
        wire_end: Character behind the last one.
    """

    start: int
    end: int
    role: str
    text: str
    source: str
    wire_start: int
    wire_end: int

    def as_document(self) -> dict[str, object]:
        """Return the keys of ``auth explain --json``."""
        return {"start": self.start, "end": self.end, "role": self.role, "text": self.text, "source": self.source}


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the dialogue.

    Attributes:
        line: Its number in the text, counted from 1.
        direction: Who sent it.
        raw: What went over the wire, without line end and without what a tool put before it.
        decoded: The same line with its Base64 decoded; "" when there is nothing to take apart.
        parts: Every octet of `decoded` with its role.
        verdict: What is to say about it; "" for nothing.
    """

    line: int
    direction: Direction
    raw: str
    decoded: str
    parts: tuple[Part, ...]
    verdict: str

    def as_document(self) -> dict[str, object]:
        """Return the keys of ``auth explain --json``."""
        return {
            "line": self.line,
            "direction": self.direction,
            "raw": self.raw,
            "decoded": self.decoded,
            "parts": [part.as_document() for part in self.parts],
            "verdict": self.verdict,
        }


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """A dialogue, explained step by step.

    Attributes:
        steps: In the order of the lines; each line of the text is one step or, where a log cut it, a piece of one.
        format: What the text was read as: "swaks", "telnet", "recordio" …
        summary: A sentence or two for each login.
        shows_secrets: Whether nothing is masked.
    """

    steps: tuple[Step, ...]
    format: str
    summary: tuple[str, ...] = ()
    shows_secrets: bool = False

    def __repr__(self) -> str:
        """Return how many lines and logins; no octet of the dialogue."""
        return f"Explanation({self.format}, steps: {len(self.steps)}, logins: {len(self.summary)})"

    def as_document(self) -> list[dict[str, object]]:
        """Return the document of ``auth explain --json``."""
        return [step.as_document() for step in self.steps]

    def as_text(self) -> str:
        """Return the explanation for a terminal, control characters made visible."""
        from indimail_kit.auth.annotate_text import format_explanation

        return format_explanation(self)


@dataclass(frozen=True, slots=True)
class Line:
    """A line as a reader of one format gives it.

    Attributes:
        number: Of the first line of the text that it stands on, counted from 1.
        direction: Who sent it.
        wire: What went over the wire, or the whole line for a note.
        session: Tells sessions apart where a log mixes them ("" where there is one).
        meaning: For a note that is known to hold no secret: what it says. "" otherwise.
        is_tls: Whether the tool says that it was encrypted.
        is_end: Whether the session ends here.
        is_secret: For a note: a known one that may repeat a secret, so that it is not shown.
    """

    number: int
    direction: Direction
    wire: str = field(repr=False)
    session: str = ""
    meaning: str = ""
    is_tls: bool = False
    is_end: bool = False
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """Octets of a message with their role, before masking.

    Attributes:
        start: First octet.
        end: Octet behind the last one.
        role: See `Part`.
        source: See `Part`.
        is_secret: Whether it is masked.
    """

    start: int
    end: int
    role: str
    source: str
    is_secret: bool = False


@dataclass(slots=True)
class Draft:
    """A step in the making.

    Attributes:
        line: As read.
        token_start: Where the Base64 begins in `line.wire`.
        token_end: Where it ends.
        positions: Where in `line.wire` the characters stand that carry bits, six each; () when nothing was decoded.
        octets: What the Base64 says; None when nothing was decoded.
        prefix_fields: Roles of what stands before the Base64, in characters of `line.wire`.
        fields: Roles of the octets, or of the characters from token_start on when nothing was decoded.
        verdicts: Sentences, in order.
        is_hidden: Whether the line is masked as a whole.
    """

    line: Line
    token_start: int = 0
    token_end: int = 0
    positions: tuple[int, ...] = ()
    octets: bytes | None = field(default=None, repr=False)
    prefix_fields: tuple[Field, ...] = ()
    fields: tuple[Field, ...] = ()
    verdicts: list[str] = field(default_factory=list)
    is_hidden: bool = False

    @property
    def token(self) -> str:
        """Return the Base64 text as it stands in the line."""
        return self.line.wire[self.token_start : self.token_end]

    def say(self, sentence: str) -> None:
        """Add a sentence, once."""
        if sentence and sentence not in self.verdicts:
            self.verdicts.append(sentence)


@dataclass(slots=True, kw_only=True)
class Message:
    """What a client sent in an exchange, for the table of mistakes.

    Attributes:
        kind: "login user", "login passwd", "plain", "cram response", "scram client-first" …
        draft: The step.
        faults: Names of the faults of its Base64.
        is_initial: Whether it stood behind AUTH.
        user: Who the client says it is, "" when that cannot be told.
        secret: The password or token as sent, or None.
    """

    kind: str
    draft: Draft
    faults: tuple[str, ...] = ()
    is_initial: bool = False
    user: str = ""
    secret: bytes | None = field(default=None, repr=False)

    @property
    def octets(self) -> bytes:
        """Return the octets, b"" when nothing could be decoded."""
        return self.draft.octets or b""

    @property
    def token(self) -> str:
        """Return the text that was sent, before Base64."""
        return self.draft.token


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One AUTH exchange, as far as it was seen.

    Attributes:
        mechanism: Name in upper case, "" when it cannot be told.
        command: The AUTH command, or None when the text begins later.
        challenges: (octets, Base64 text, kind) of each 334, in order.
        messages: What the client sent.
        reply: The step with the reply that ended it, or None.
        reply_code: Its code, 0 when there was none.
        reply_text: Its text.
        earlier: The last challenges of earlier exchanges, as (octets, number of the line).
        repeats_line: Line on which the same answer was given to another challenge, 0 for none.
        has_tls: Whether the session is known to be encrypted.
        is_tls_offered: Whether the server offered STARTTLS.
        passwd: The right password of the user, None when it is not known.
        found: Names of the mistakes that were found.
        is_record_silent: Whether the record leaves out an answer of the client.
    """

    mechanism: str
    command: Draft | None = None
    challenges: list[tuple[bytes, str, str]] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    reply: Draft | None = None
    reply_code: int = 0
    reply_text: str = field(default="", repr=False)
    earlier: tuple[tuple[bytes, int], ...] = field(default=(), repr=False)
    repeats_line: int = 0
    has_tls: bool = False
    is_tls_offered: bool = False
    passwd: str | None = field(default=None, repr=False)
    found: list[str] = field(default_factory=list)
    is_record_silent: bool = False

    @property
    def user(self) -> str:
        """Return who the client says it is, "" when that cannot be told."""
        return next((message.user for message in self.messages if message.user), "")

    def challenge(self, kind: str) -> bytes | None:
        """Return the last challenge of a kind."""
        return next((octets for octets, _text, one in reversed(self.challenges) if one == kind), None)
