"""Recorded SMTP sessions: as the lab keeps them, or pasted into a file by recordio, swaks, telnet …; passwords masked.

Source: IndiMail smtpd.c `acceptmessage()`: ``250 ok UNIXTIME qp PID``; RFC 5321 section 4.1.1.

Rule 1: the octets go through `auth.redact` before anything is taken from them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from indimail_kit.auth.annotate_formats import find_format
from indimail_kit.auth.redact import redact
from indimail_kit.auth.transcript import WireChunk
from indimail_kit.errors import TraceError
from indimail_kit.logs import split_label
from indimail_kit.tables import as_text
from indimail_kit.trace.clocks import NS, Clocks

MAX_SESSION_BYTES: Final = 1 << 24
"""What is read of a file of sessions (unit: octets)."""

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
        """Every octet in both directions, with its time; 0 where nobody noted it."""
        ...


@dataclass(frozen=True, slots=True)
class SessionFile:
    """One session out of a file.

    Attributes:
        pid: Process of qmail-smtpd where the format tells it (recordio), else 0.
        chunks: The lines of both sides.
    """

    pid: int
    chunks: tuple[WireChunk, ...] = field(repr=False)


def read_sessions(path: str | os.PathLike[str]) -> tuple[SessionFile, ...]:
    """Read the sessions of a file: recordio's log, or what was copied from swaks, curl, telnet and the like.

    Raises:
        TraceError: No dialogue is seen in it.
        OSError: It cannot be read.
    """
    with Path(path).open("rb") as file:
        octets = file.read(MAX_SESSION_BYTES)
    lines = octets.decode("utf-8", "surrogateescape").split("\n")
    form = find_format(lines)
    if form is None:
        raise TraceError(f"no SMTP dialogue in {os.fspath(path)}")
    chunks: dict[str, list[WireChunk]] = {}
    for line in form.read(enumerate(lines, 1)):
        if line.direction == "note":
            continue
        stamp = split_label(os.fsencode(lines[line.number - 1]))
        unix_ns = stamp.unix_ns if stamp.kind == "tai64n" else None
        text = line.wire.encode("utf-8", "surrogateescape") + b"\r\n"
        chunks.setdefault(line.session, []).append(WireChunk(unix_ns or 0, line.direction, text))
    return tuple(
        SessionFile(int(name) if name.isascii() and name.isdigit() else 0, tuple(found))
        for name, found in chunks.items()
    )


@dataclass(frozen=True, slots=True)
class Heard:
    """One line of a session.

    Attributes:
        unix_ns: When (unit: ns since 1970), or None.
        text: "C: " or "S: " and the line, secrets masked.
    """

    unix_ns: int | None
    text: str


@dataclass(frozen=True, slots=True)
class RecordedMail:
    """A mail of a recorded session that was answered with its qp.

    Attributes:
        pid: Process of qmail-smtpd, 0 if nobody knows.
        qp: Process of qmail-queue, from the reply.
        unix_ns: When the reply was sent; the second that it names where nobody noted it (unit: ns since 1970).
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
        told_ns = clocks.told("session", unix_ns) if unix_ns else None
        path = _PATH.fullmatch(line) if direction == "client" else None
        if path is not None and path[1][:1].upper() == b"M":
            sender, recipients = as_text(path[2]) or "", []
        elif path is not None:
            recipients.append(as_text(path[2]) or "")
        heard.append(Heard(told_ns, f"{'C' if direction == 'client' else 'S'}: {as_text(line)}"))
        reply = _ACCEPTED.fullmatch(line) if direction == "server" else None
        if reply is not None:
            second_ns = clocks.told("session", int(reply[1]) * NS) or 0
            reply_ns = second_ns if told_ns is None else told_ns
            yield RecordedMail(recording.pid, int(reply[2]), reply_ns, sender, tuple(recipients), tuple(heard))
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
