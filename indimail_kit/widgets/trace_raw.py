"""A row of TraceView that is open: the octets that the evidence is, with file, line and octet, and why it is believed.

Rule 1: reading changes nothing, follows no link, and of a mail takes no more than the top that the trace was made from.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.mailqueue.quiet import open_quietly
from indimail_kit.tables import as_text
from indimail_kit.trace.files import MAX_HEAD_BYTES, top_of
from indimail_kit.visible import visible
from indimail_kit.widgets.html import EMPTY, Html, tag
from indimail_kit.widgets.log_raw import raw_command, raw_line
from indimail_kit.widgets.trace_rows import confidence_text

if TYPE_CHECKING:
    from indimail_kit.trace import Evidence, Tracer

MAX_FILE_CHARACTERS: Final = 4000
"""Longest text of a file that is shown (unit: characters)."""

_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SAID: Final = "heard in a recorded session; passwords are masked"


@dataclass(frozen=True, slots=True)
class RawEvidence:
    """What a piece of evidence is made of.

    Attributes:
        place: File, line and octet, or where else it is from.
        lines: The octets as text, as they stand there.
        note: What is to be said of them; "" for nothing.
        command: What shows the same in a terminal; "" for none.
        is_mail: Whether it is the top of somebody's mail.
    """

    place: str
    lines: tuple[str, ...] = field(repr=False)
    note: str = ""
    command: str = ""
    is_mail: bool = False


@dataclass(frozen=True, slots=True)
class OpenedEvidence:
    """A row that is open.

    Attributes:
        key: Which row.
        evidence: What it tells.
        raw: What it is made of.
    """

    key: str
    evidence: Evidence
    raw: RawEvidence

    @property
    def title(self) -> str:
        """Return how sure it is, and why."""
        return f"{confidence_text(self.evidence.confidence)}: {self.evidence.reason}"

    def as_document(self) -> dict[str, Any]:
        """Return what the browser draws, as texts only."""
        return {
            "key": self.key,
            "title": visible(self.title),
            "place": visible(self.raw.place),
            "lines": [visible(line) for line in self.raw.lines],
            "note": visible(self.raw.note),
            "command": visible(self.raw.command),
        }


def raw_evidence(tracer: Tracer, evidence: Evidence) -> RawEvidence:
    """Return what a piece of evidence is made of; what cannot be read is said in its note."""
    if evidence.line_number:
        return _log_line(tracer, evidence)
    if evidence.file:
        return _file(Path(evidence.file))
    told = "X-QHPSI stands in the header of its mess or mail" if evidence.source == "scan" else _SAID
    return RawEvidence(told, (evidence.text,))


def _log_line(tracer: Tracer, evidence: Evidence) -> RawEvidence:
    """Return a line of a log; octets from memory have no name, so there the text tells which log it is."""
    found = [
        raw_line(position, one.file, one.byte_offset, one.line_bytes, one.kind, one.line)
        for position, one in tracer.events_at(evidence.file, evidence.line_number)
    ]
    own = [line for line in found if line.text.endswith(evidence.text)] or found
    if not own:
        return RawEvidence("a line of a log that is not here", (evidence.text,))
    line = own[0]
    place = f"{line.file or 'octets'} · line {evidence.line_number:,} · octet {line.byte_offset:,} · {line.kind}"
    is_on_disk = bool(line.file) and Path(line.file).is_file()
    return RawEvidence(place, (line.text,), line.note, raw_command([line], is_on_disk=is_on_disk))


def _file(path: Path) -> RawEvidence:
    """Return the records of a queue file, or the top of a mail."""
    is_record = path.parent.name in _RECORDS or path.parent.parent.name in _RECORDS
    try:
        octets, total = _read(path)
    except OSError as error:
        return RawEvidence(f"{path}", (), f"cannot be read any more: {error.strerror or 'no reason given'}")
    shown = octets if is_record else top_of(octets)
    text = as_text(shown) or ""
    lines = text[:MAX_FILE_CHARACTERS].replace("\0", "\0\n") if is_record else text[:MAX_FILE_CHARACTERS]
    left = total - len(shown)
    note = f"{left:,} further octets are not shown here" if left else ""
    if len(text) > MAX_FILE_CHARACTERS:
        note = f"{total:,} octets; the first {MAX_FILE_CHARACTERS:,} characters are shown"
    command = f"tr '\\0' '\\n' < {quote(str(path))}" if is_record else f"head -c {len(shown)} {quote(str(path))}"
    kept = tuple(line.removesuffix("\r") for line in lines.removesuffix("\n").split("\n"))
    place = f"{path} · octets 0–{max(0, len(shown) - 1):,}"
    return RawEvidence(place, kept, note, command, is_mail=not is_record)


_RECORDS: Final = ("intd", "todo", "info", "local", "remote")
"""Directories of files that consist of records; all else is text."""


def _read(path: Path) -> tuple[bytes, int]:
    """Return the beginning of a regular file, and its size.

    Raises:
        OSError: It cannot be read, or is no regular file.
    """
    fd = open_quietly(path, _FLAGS)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "no regular file")
        return os.read(fd, MAX_HEAD_BYTES), status.st_size
    finally:
        os.close(fd)


def opened_html(opened: OpenedEvidence) -> Html:
    """Return an opened row without a kernel; the top of a mail is left out, so that no saved notebook has it."""
    raw = opened.raw
    lines = EMPTY if raw.is_mail else tag("ol", *(_line_html(line) for line in raw.lines), cls="ik-log-lines")
    note = "The top of the mail is shown by a kernel only." if raw.is_mail else raw.note
    return tag(
        "section",
        tag("p", opened.title, cls="ik-heading", role="heading", aria_level="4"),
        tag("p", raw.place, cls="ik-log-place"),
        lines,
        tag("p", note, cls="ik-log-note") if note else EMPTY,
        cls="ik-panel",
        aria_label="Raw octets",
    )


def _line_html(line: str) -> Html:
    return tag("li", tag("code", line, cls="ik-log-raw"))
