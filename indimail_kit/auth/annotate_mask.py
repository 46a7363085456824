"""From drafts to steps: the secrets are masked here and nowhere else.

Rule 1: a character of Base64 that carries a single bit of a secret is masked with it.
Rule 2: a secret that a server or a tool repeats is masked there as well; a challenge is the server's own and stays.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from indimail_kit.auth.annotate_base64 import wire_range
from indimail_kit.auth.annotate_model import MASK, Draft, Field, Line, Part, Step

_WORD: Final = re.compile(r"[^\s\"'`<>()\[\]{},;]+")
_ECHO_TO_BASE64: Final = re.compile(r"\becho +(?!-\w*n)[^|]{1,200}\| *(?:/\S{1,99}/)?base64\b")
_MAX_PADDING_CHARACTERS: Final = 16
"""How far from the end of the line the last octet is, at most, in what is taken for Base64 (unit: characters)."""

_ECHO_MIN_CHARACTERS: Final = 4
"""Shortest secret that is looked for elsewhere (unit: characters); see `redact`."""

_ECHO_WINDOW: Final = 8
"""Secrets with blanks are looked for among this many last ones of the session (a server repeats the last line)."""


def shown(text: str) -> str:
    """Return a text that can be written: octets that were no UTF-8 as escapes."""
    return text if text.isascii() else _as_text(to_octets(text))


def to_octets(text: str) -> bytes:
    """Return the octets of a text; what was read from octets comes out as it went in."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class _Masking:
    """Ranges of one sequence that become MASK, and where the rest moves to.

    Attributes:
        ranges: In order, without overlap.
        starts: Their starts.
        shifts: How far what stands behind the first n of them has moved.
    """

    ranges: tuple[tuple[int, int], ...]
    starts: tuple[int, ...]
    shifts: tuple[int, ...]

    @classmethod
    def of(cls, ranges: Iterable[tuple[int, int]]) -> _Masking:
        """Join ranges that overlap."""
        joined: list[tuple[int, int]] = []
        for start, end in sorted(ranges):
            if joined and start < joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
        moves = (len(MASK) - (end - start) for start, end in joined)
        return cls(tuple(joined), tuple(start for start, _ in joined), tuple(accumulate(moves, initial=0)))

    def moved(self, at: int, *, is_end: bool = False) -> int:
        """Return where a position is found after masking; inside of a range it is the range's start or end."""
        count = bisect_left(self.starts, at) if is_end else bisect_right(self.starts, at)
        if count:
            start, end = self.ranges[count - 1]
            if at < end or (is_end and at == end):
                return start + self.shifts[count - 1] + (len(MASK) if is_end else 0)
        return at + self.shifts[count]

    def apply(self, octets: bytes) -> bytes:
        """Return the octets with each range replaced."""
        pieces: list[bytes] = []
        at = 0
        for start, end in self.ranges:
            pieces += [octets[at:start], MASK.encode()]
            at = end
        return b"".join([*pieces, octets[at:]])

    def apply_text(self, text: str) -> str:
        """Return the text with each range replaced."""
        pieces: list[str] = []
        at = 0
        for start, end in self.ranges:
            pieces += [text[at:start], MASK]
            at = end
        return "".join([*pieces, text[at:]])


@dataclass(slots=True)
class SecretStore:
    """What was found to be secret, to be found again where it is repeated.

    Attributes:
        words: Each secret without blanks.
        recent: Session -> the last secrets with blanks.
    """

    words: set[str] = field(default_factory=set, repr=False)
    recent: dict[str, list[str]] = field(default_factory=dict, repr=False)

    def add(self, text: str, *, session: str = "") -> None:
        """Note a secret."""
        secret = text.strip()
        if len(secret) < _ECHO_MIN_CHARACTERS:
            return
        self.words.add(secret)
        known = self.recent.setdefault(session, [])
        if secret in known:
            known.remove(secret)
        known.append(secret)
        del known[:-_ECHO_WINDOW]

    def add_draft(self, draft: Draft) -> None:
        """Note the secrets of a client's line."""
        session = draft.line.session
        if draft.is_hidden:
            self.add(draft.line.wire, session=session)
            return
        for one in draft.prefix_fields:
            if one.is_secret:
                self.add(draft.line.wire[one.start : one.end], session=session)
        if not any(one.is_secret for one in draft.fields):
            return
        self.add(draft.token, session=session)
        if draft.octets is not None:
            for one in draft.fields:
                if one.is_secret:
                    self.add(draft.octets[one.start : one.end].decode("utf-8", "surrogateescape"), session=session)

    def masked(self, text: str, *, session: str = "") -> str:
        """Return a server's or a tool's line with what it repeats masked."""
        if not self.words:
            return text
        for secret in sorted(self.recent.get(session, ()), key=len, reverse=True):
            if secret in text:
                # A short one ("pass") is also a piece of honest words ("password").
                pattern = re.escape(secret)
                is_short = len(secret) < 2 * _ECHO_MIN_CHARACTERS
                bounded = rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])" if is_short else pattern
                text = re.sub(bounded, MASK, text)
        return _WORD.sub(self._word, text)

    def _word(self, match: re.Match[str]) -> str:
        word = match.group()
        if word in self.words or word.strip(".:!?=") in self.words:
            return MASK
        return word


def build_step(draft: Draft, secrets: SecretStore, *, shows_secrets: bool) -> Step:
    """Return the step of a draft, its secrets masked."""
    line = draft.line
    verdict = " ".join(draft.verdicts)
    if draft.is_hidden and not shows_secrets:
        return Step(line.number, line.direction, MASK if line.wire else "", "", (), verdict)
    if not draft.fields and not draft.prefix_fields:
        wire = line.wire
        if not shows_secrets and line.direction != "client":
            wire = secrets.masked(wire, session=line.session)
        return Step(line.number, line.direction, shown(wire), "", (), verdict)
    return _with_parts(draft, verdict, shows_secrets=shows_secrets)


def _with_parts(draft: Draft, verdict: str, *, shows_secrets: bool) -> Step:
    """Return the step of a draft that was taken apart."""
    wire = draft.line.wire
    prefix = to_octets(wire[: draft.token_start])
    body = draft.octets if draft.octets is not None else to_octets(draft.token)
    suffix = to_octets(wire[draft.token_end :])
    octets = prefix + body + suffix
    located = [*_prefix_located(draft), *_body_located(draft, len(prefix))]
    if suffix:
        start = len(prefix) + len(body)
        located.append(
            (Field(start, start + len(suffix), "white space", "not allowed by RFC 4954 section 4"),
             (draft.token_end, len(wire)))
        )  # fmt: skip
    hidden = [] if shows_secrets else [one for one in located if one[0].is_secret]
    octet_mask = _Masking.of((one.start, one.end) for one, _ in hidden)
    wire_mask = _Masking.of(_to_padding(draft, span) for _, span in hidden)
    parts = tuple(
        Part(
            octet_mask.moved(one.start),
            octet_mask.moved(one.end, is_end=True),
            one.role,
            MASK if one.is_secret and not shows_secrets else _as_text(octets[one.start : one.end]),
            one.source,
            wire_mask.moved(span[0]),
            wire_mask.moved(span[1], is_end=True),
        )
        for one, span in located
    )
    raw, decoded = shown(wire_mask.apply_text(wire)), _as_text(octet_mask.apply(octets))
    return Step(draft.line.number, draft.line.direction, raw, decoded, parts, verdict)


def _prefix_located(draft: Draft) -> Iterable[tuple[Field, tuple[int, int]]]:
    """Yield what stands before the Base64: (field in octets, range in characters)."""
    wire = draft.line.wire
    for one in draft.prefix_fields:
        start = len(to_octets(wire[: one.start]))
        end = start + len(to_octets(wire[one.start : one.end]))
        yield Field(start, end, one.role, one.source, one.is_secret), (one.start, one.end)


def _body_located(draft: Draft, offset: int) -> Iterable[tuple[Field, tuple[int, int]]]:
    """Yield the fields of the Base64, moved behind what stands before it."""
    for one in draft.fields:
        if draft.octets is None:
            span = (draft.token_start + one.start, draft.token_start + one.end)
            start = offset + len(to_octets(draft.token[: one.start]))
            end = offset + len(to_octets(draft.token[: one.end]))
        else:
            first, last = wire_range(draft.positions, one.start, one.end)
            span = (draft.token_start + first, draft.token_start + last)
            start, end = offset + one.start, offset + one.end
        yield Field(start, end, one.role, one.source, one.is_secret), span


def _to_padding(draft: Draft, span: tuple[int, int]) -> tuple[int, int]:
    """Stretch a range that reaches the last octet over the padding, which tells the length modulo 3."""
    start, end = span
    if draft.octets is None or draft.token_end - end > _MAX_PADDING_CHARACTERS:
        return span
    rest = draft.line.wire[end : draft.token_end]
    return span if rest.strip("=%3dD\"' \t") else (start, draft.token_end)


def _as_text(octets: bytes) -> str:
    return octets.decode("utf-8", "backslashreplace")


def note_draft(line: Line) -> Draft:
    """Return the draft of a line that went over no wire; what is not known to be harmless is hidden."""
    draft = Draft(line)
    draft.is_hidden = bool(line.wire.strip()) and (line.is_secret or not line.meaning)
    if line.meaning:
        draft.say(line.meaning)
    elif draft.is_hidden:
        draft.say("Not a line of the dialogue, or not understood; hidden, since it may hold a secret.")
        if _ECHO_TO_BASE64.search(line.wire):
            draft.say(
                "`echo` without -n puts a newline at the end of what base64 encodes; use printf %s TEXT | base64."
            )
    return draft
