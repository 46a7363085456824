"""A dialogue with its secrets masked; every printer of dialogues goes through here.

Source: RFC 4954 section 4 (where secrets stand in a dialogue).

Note for maintainers: people type passwords in the wrong place: behind AUTH without a mechanism, at a prompt that the
server has already given up, as a command that the server then quotes in its reply. So a client's lines are masked from
AUTH until the server has ended the exchange, and after a failed one until the client sends a command that SMTP knows;
and a masked text is masked again wherever the server repeats it. A mail is no part of the dialogue and may have
millions of lines: it is skipped to its dot in one search.

Rule 1: in doubt mask. A masked line is always MASK, so not even the length of a secret is told.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from indimail_kit.auth import framing
from indimail_kit.auth.transcript import WireChunk

if TYPE_CHECKING:
    from indimail_kit.auth.transcript import Direction

MASK: Final = b"****"
"""What stands for a secret."""

_LINE: Final = re.compile(rb"[^\n]*\n|[^\n]+")
_AUTH: Final = re.compile(rb"\s*AUTH[ \t]*", re.IGNORECASE)  # no word end: "AUTHPLAIN …" has a secret too
_MECHANISM: Final = re.compile(
    rb"(?:LOGIN|PLAIN|CRAM-[A-Z0-9]{1,8}|DIGEST-MD5|SCRAM-SHA-?[0-9]{1,3}(?:-PLUS)?|XOAUTH2?|OAUTHBEARER|NTLM|GSSAPI"
    rb"|GS2-KRB5|KERBEROS_V4|EXTERNAL|ANONYMOUS|OTP)(?=[ \t]|$)[ \t]*",
    re.IGNORECASE,
)
_VERB: Final = re.compile(
    rb"\s*(?:HELO|EHLO|LHLO|AUTH|MAIL|RCPT|DATA|BDAT|RSET|NOOP|QUIT|VRFY|EXPN|HELP|ETRN|ATRN|TURN|STARTTLS)\b",
    re.IGNORECASE,
)
_DATA: Final = re.compile(rb"\s*DATA\s*", re.IGNORECASE)
_DOT: Final = re.compile(rb"^\.\r?(?:\n|\Z)", re.MULTILINE)
_ECHO_MIN_BYTES: Final = 4
"""Shortest masked text that is looked for in replies (unit: octets); Base64 has no shorter one."""


class _State(Enum):
    """Where the dialogue stands."""

    COMMANDS = "commands"
    EXCHANGE = "from AUTH to the reply that ends it"
    DOUBT = "after a failed AUTH, until a known command"
    MESSAGE = "after 354, until the dot"


@dataclass(slots=True)
class _Line:
    """One line of one side; start and end are positions in that side's octets, without the line end."""

    direction: Direction
    chunk_index: int
    start: int
    end: int
    octets: bytes = field(repr=False)


@dataclass(slots=True)
class _Side:
    """What one side sent."""

    direction: Direction
    stream: bytearray = field(default_factory=bytearray, repr=False)
    starts: list[int] = field(default_factory=list)
    chunk_indexes: list[int] = field(default_factory=list)
    masked: list[tuple[int, int]] = field(default_factory=list)

    def add(self, chunk_index: int, octets: bytes) -> None:
        """Append a chunk."""
        self.starts.append(len(self.stream))
        self.chunk_indexes.append(chunk_index)
        self.stream += octets

    def rebuilt(self) -> Iterable[tuple[int, bytes]]:
        """Yield (chunk index, octets) with what is masked replaced; the MASK stands where the secret began."""
        texts = [bytearray() for _ in self.starts]
        ends = [*self.starts[1:], len(self.stream)]
        at = 0
        for start, end in [*self.masked, (len(self.stream), len(self.stream))]:
            while at < start:
                number = bisect_right(self.starts, at) - 1
                stop = min(start, ends[number])
                texts[number] += self.stream[at:stop]
                at = stop
            if start < len(self.stream):
                texts[bisect_right(self.starts, start) - 1] += MASK
            at = end
        return zip(self.chunk_indexes, map(bytes, texts), strict=True)


class _Reader:
    """Reads the lines of one side, one after the other; the last may lack its end."""

    def __init__(self, side: _Side) -> None:
        self._side = side
        self._stream = bytes(side.stream)
        self._at = 0

    @property
    def chunk_index(self) -> int:
        """Return the index of the chunk in which the next line begins, -1 when there is none."""
        if self._at >= len(self._stream):
            return -1
        return self._side.chunk_indexes[bisect_right(self._side.starts, self._at) - 1]

    def read(self) -> _Line:
        """Return the next line."""
        match = _LINE.match(self._stream, self._at)
        text = framing.strip_line_end(match.group() if match is not None else b"")
        start, index = self._at, self.chunk_index
        self._at = match.end() if match is not None else len(self._stream)
        return _Line(self._side.direction, index, start, start + len(text), text)

    def skip_message(self) -> None:
        """Go to the line that is a dot and nothing else, or to the end."""
        dot = _DOT.search(self._stream, self._at)
        self._at = dot.start() if dot is not None else len(self._stream)


def _sides_of(chunks: Iterable[WireChunk]) -> dict[Direction, _Side]:
    """Return what each side sent."""
    sides: dict[Direction, _Side] = {"client": _Side("client"), "server": _Side("server")}
    for index, chunk in enumerate(chunks):
        sides[chunk.direction].add(index, chunk.octets)
    return sides


def _in_order(client: _Reader, server: _Reader) -> Iterator[_Line]:
    """Yield the lines of both in the order in which they were begun; none is read before it is its turn."""
    while client.chunk_index >= 0 or server.chunk_index >= 0:
        is_client = server.chunk_index < 0 or 0 <= client.chunk_index < server.chunk_index
        yield (client if is_client else server).read()


def redact(chunks: Iterable[WireChunk], *, masks_unknown: bool = False) -> tuple[WireChunk, ...]:
    """Return the dialogue with MASK for every initial response and every answer of the client within an exchange.

    Args:
        chunks: In the order in which they were recorded; may be cut anywhere, may still go on.
        masks_unknown: Mask every command that SMTP does not know, too: a person who types by hand may type a password
            before AUTH, and what is kept (a saved notebook) must not hold it.

    Returns:
        The chunks with the same times and directions. A chunk that held nothing but the later part of a secret is left
        out, since the number of chunks would tell its length. ``*``, which cancels, stays.
    """
    recorded = tuple(chunks)
    sides = _sides_of(recorded)
    replies, secrets = _find_secrets(sides, masks_unknown=masks_unknown)
    sides["server"].masked += _find_echoes(replies, secrets)
    texts = {index: text for side in sides.values() for index, text in side.rebuilt()}
    return tuple(
        WireChunk(chunk.unix_ns, chunk.direction, texts[index])
        for index, chunk in enumerate(recorded)
        if texts[index] or not chunk.octets
    )


def redact_line(line: bytes) -> bytes:
    r"""Return one client line on its own with the initial response of an AUTH command masked.

    Example:
        >>> redact_line(b"AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n")
        b'AUTH PLAIN ****\r\n'
    """
    text = framing.strip_line_end(line)
    start = _secret_start(text)
    if start is None:
        return line
    return text[:start] + MASK + line[len(text) :]


def format_dialogue(chunks: Iterable[WireChunk], *, shows_secrets: bool = False, masks_unknown: bool = False) -> str:
    """Return a dialogue as text, ``C:`` or ``S:`` before each line, control characters visible.

    Args:
        chunks: As recorded.
        shows_secrets: Whether nothing is masked; only for a person who asked for it.
        masks_unknown: As in `redact`.
    """
    sides = _sides_of(chunks if shows_secrets else redact(chunks, masks_unknown=masks_unknown))
    lines = _in_order(_Reader(sides["client"]), _Reader(sides["server"]))
    return "\n".join(f"{line.direction[0].upper()}: {_visible(line.octets)}" for line in lines)


def _visible(octets: bytes) -> str:
    """Decode UTF-8; what is not printable becomes an escape."""
    text = octets.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def _secret_start(line: bytes) -> int | None:
    """Return where the secret of an AUTH command begins, or None when it has none or is no AUTH command."""
    command = _AUTH.match(line)
    if command is None:
        return None
    mechanism = _MECHANISM.match(line, command.end())
    start = mechanism.end() if mechanism is not None else command.end()
    return start if start < len(line) else None


def _find_secrets(sides: dict[Direction, _Side], *, masks_unknown: bool) -> tuple[list[_Line], set[bytes]]:
    """Walk through the dialogue, note what to mask on the client's side; return the replies and the masked texts."""
    state = _State.COMMANDS
    is_data_asked = False
    replies: list[_Line] = []
    secrets: set[bytes] = set()
    client = _Reader(sides["client"])
    for line in _in_order(client, _Reader(sides["server"])):
        if line.direction == "server":
            replies.append(line)
            state = _after_reply(state, line.octets, is_data_asked=is_data_asked)
            if state is _State.MESSAGE:
                client.skip_message()
            continue
        start = _client_secret(state, line.octets)
        if masks_unknown and start is None and state is _State.COMMANDS and not _VERB.match(line.octets):
            start = 0
        if start is not None:
            sides["client"].masked.append((line.start + start, line.end))
            secrets.add(line.octets[start:].strip())
        state = _after_client(state, line.octets)
        is_data_asked = state is _State.COMMANDS and _DATA.fullmatch(line.octets) is not None
    return replies, secrets


def _client_secret(state: _State, line: bytes) -> int | None:
    """Return from where a client's line is secret, or None."""
    if state is _State.MESSAGE or line == framing.CANCEL:
        return None
    if state is _State.EXCHANGE or (state is _State.DOUBT and not _VERB.match(line)):
        return 0
    return _secret_start(line)


def _after_client(state: _State, line: bytes) -> _State:
    """Return the state after a client's line."""
    if state is _State.MESSAGE:
        return _State.COMMANDS if line == b"." else state
    if state is _State.EXCHANGE:
        return state
    if _AUTH.match(line):
        return _State.EXCHANGE
    return _State.COMMANDS if _VERB.match(line) else state


def _after_reply(state: _State, line: bytes, *, is_data_asked: bool) -> _State:
    """Return the state after a server's line."""
    if is_data_asked and line.startswith(b"354"):
        return _State.MESSAGE
    if state is _State.EXCHANGE and not line.startswith(b"334"):
        return _State.COMMANDS if line.startswith(b"235") else _State.DOUBT
    return state


def _find_echoes(replies: Iterable[_Line], secrets: set[bytes]) -> list[tuple[int, int]]:
    """Return where the server's text replies repeat a masked text; a challenge is the server's own and stays."""
    texts = sorted((text for text in secrets if len(text) >= _ECHO_MIN_BYTES), key=len, reverse=True)
    if not texts:
        return []
    echo = re.compile(b"|".join(re.escape(text) for text in texts))
    return [
        (line.start + match.start(), line.start + match.end())
        for line in replies
        if not line.octets.startswith(b"334")
        for match in echo.finditer(line.octets)
    ]
