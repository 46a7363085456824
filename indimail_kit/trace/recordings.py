"""Recorded SMTP sessions: every octet with its time, as recordio or the lab keeps them; passwords masked.

Source: IndiMail smtpd.c `acceptmessage()`: ``250 ok UNIXTIME qp PID``; RFC 5321 section 4.1.1.

Rule 1: the octets go through `auth.redact` before anything is taken from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from indimail_kit.auth.redact import redact
from indimail_kit.auth.transcript import WireChunk
from indimail_kit.tables import as_text
from indimail_kit.trace.clocks import Clocks

_ACCEPTED: Final = re.compile(rb"250 ok ([0-9]{1,12}) qp ([0-9]{1,19})")
_PATH: Final = re.compile(rb"\s*(MAIL\s+FROM|RCPT\s+TO)\s*:\s*<?([^>\s]*)>?.*", re.IGNORECASE | re.DOTALL)
_DOT: Final = b"."


class Recording(Protocol):
    """A recorded session; the lab's `SessionRecord` has this shape."""

    @property
    def pid(self) -> int:
        """Process of qmail-smtpd; 0 if nobody knows."""
        ...

    @property
    def chunks(self) -> Sequence[WireChunk]:
        """Every octet in both directions, with its time."""
        ...


@dataclass(frozen=True, slots=True)
class Heard:
    """One line of a session.

    Attributes:
        unix_ns: When (unit: ns since 1970).
        text: "C: " or "S: " and the line, secrets masked.
    """

    unix_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class RecordedMail:
    """A mail of a recorded session that was answered with its qp.

    Attributes:
        pid: Process of qmail-smtpd, 0 if nobody knows.
        qp: Process of qmail-queue, from the reply.
        unix_ns: When the reply was sent (unit: ns since 1970).
        sender: Envelope sender.
        recipients: Envelope recipients that were accepted or not: those that the client named.
        lines: What was said up to the reply, the mail itself apart.
    """

    pid: int
    qp: int
    unix_ns: int
    sender: str
    recipients: tuple[str, ...]
    lines: tuple[Heard, ...] = field(repr=False)


def read_recordings(recordings: Iterable[Recording], clocks: Clocks) -> Iterator[RecordedMail]:
    """Yield the mails of recorded sessions."""
    for recording in recordings:
        yield from _mails(recording, clocks)


def _mails(recording: Recording, clocks: Clocks) -> Iterator[RecordedMail]:
    """Yield the mails of one session."""
    heard: list[Heard] = []
    sender, recipients = "", list[str]()
    for unix_ns, direction, line in _dialogue(recording.chunks):
        told_ns = clocks.told("session", unix_ns) or 0
        path = _PATH.fullmatch(line) if direction == "client" else None
        if path is not None and path[1][:1].upper() == b"M":
            sender, recipients = as_text(path[2]) or "", []
        elif path is not None:
            recipients.append(as_text(path[2]) or "")
        heard.append(Heard(told_ns, f"{'C' if direction == 'client' else 'S'}: {as_text(line)}"))
        reply = _ACCEPTED.fullmatch(line) if direction == "server" else None
        if reply is not None:
            yield RecordedMail(recording.pid, int(reply[2]), told_ns, sender, tuple(recipients), tuple(heard))
            sender, recipients = "", []


def _dialogue(chunks: Iterable[WireChunk]) -> Iterator[tuple[int, str, bytes]]:
    """Yield time, direction and text of each whole line; of a mail only its final dot."""
    rest = {"client": b"", "server": b""}
    is_mail = False
    for chunk in redact(chunks):
        *lines, rest[chunk.direction] = (rest[chunk.direction] + chunk.octets).split(b"\n")
        for line in lines:
            line = line.removesuffix(b"\r")
            if chunk.direction == "server" and line.startswith(b"354"):
                is_mail = True
            elif chunk.direction == "client" and is_mail:
                if line != _DOT:
                    continue
                is_mail = False
            yield chunk.unix_ns, chunk.direction, line
