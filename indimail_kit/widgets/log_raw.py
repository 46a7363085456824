"""Lines of a log as they stand in the file: octets, with file and offset; a row that is open. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.logs.columns import KIND_NAMES
from indimail_kit.tables.frames import as_text
from indimail_kit.visible import visible
from indimail_kit.widgets.html import EMPTY, Html, tag
from indimail_kit.widgets.queue_words import count_text

if TYPE_CHECKING:
    from indimail_kit.logs.log import Log

MAX_LINES: Final = 100
"""Most lines that an opened row shows, the first ones."""

MAX_CHARACTERS: Final = 2_000
"""Longest text of a line that is shown (unit: characters)."""

_PACKED: Final = (".gz", ".zst")


@dataclass(frozen=True, slots=True)
class RawLine:
    """One line.

    Attributes:
        position: Its place among all lines that were read.
        file: Where it is from; "" for octets that have no name.
        byte_offset: Its first octet there, after decompression.
        line_bytes: Its length without its end (unit: octets).
        kind: What it states.
        text: The line; octets that are not UTF-8 written out.
        note: What is to be said of it; "" for nothing.
    """

    position: int
    file: str
    byte_offset: int
    line_bytes: int
    kind: str
    text: str
    note: str = ""


def read_raw(log: Log, positions: Iterable[int], *, names: Sequence[str] = ()) -> tuple[RawLine, ...]:
    """Return lines as they were read, stamps included.

    Args:
        log: The log.
        positions: Places of lines, at most MAX_LINES of which are looked at.
        names: What to call octets that were read from memory, in their order.
    """
    firsts = [block.first_position for block in log.blocks]
    lines = []
    for position in list(positions)[:MAX_LINES]:
        block = log.blocks[bisect_right(firsts, position) - 1]
        row = position - block.first_position
        named = names[block.file_index] if not block.file and block.file_index < len(names) else block.file
        kind, size = KIND_NAMES[int(block.kind[row])], int(block.line_bytes[row])
        lines.append(raw_line(int(position), named, int(block.byte_offset[row]), size, kind, block.line(row)))
    return tuple(lines)


def raw_line(position: int, file: str, byte_offset: int, line_bytes: int, kind: str, octets: bytes) -> RawLine:
    """Return a line as it is shown; for the arguments see `RawLine`, the octets are those that were kept."""
    text = as_text(octets) or ""
    is_long = len(text) > MAX_CHARACTERS
    note = f"{line_bytes:,} octets; the first {MAX_CHARACTERS:,} characters are shown" if is_long else ""
    return RawLine(position, file, byte_offset, line_bytes, kind, text[:MAX_CHARACTERS], note)


def raw_command(lines: Sequence[RawLine], *, is_on_disk: bool) -> str:
    """Return the command that shows these lines, and what stands between them, in a terminal.

    Args:
        lines: What is shown.
        is_on_disk: Whether their files are there.

    Returns:
        "" where no command can: the lines are from several files, from a compressed one, or from memory.
    """
    files = {line.file for line in lines}
    if not is_on_disk or len(files) != 1 or lines[0].file.endswith(_PACKED):
        return ""
    count = lines[-1].position - lines[0].position + 1
    return f"tail -c +{lines[0].byte_offset + 1} {quote(lines[0].file)} | head -n {count}"


@dataclass(frozen=True, slots=True)
class Opened:
    """A row that is open: what it is, and its lines.

    Attributes:
        key: Which row.
        title: What it is.
        lines: Its lines, the first ones.
        total: How many there are.
        command: What shows the same in a terminal; "" for none.
    """

    key: str
    title: str
    lines: tuple[RawLine, ...]
    total: int
    command: str

    @property
    def more(self) -> str:
        """Return what is said of lines that are left out; "" for none."""
        left = self.total - len(self.lines)
        return f"{count_text(left, 'more line')} not shown here." if left else ""

    def as_document(self) -> dict[str, Any]:
        """Return what the browser draws, as texts only."""
        return {
            "key": self.key,
            "title": visible(self.title),
            "lines": [[visible(place_text(line)), visible(line.text), visible(line.note)] for line in self.lines],
            "more": self.more,
            "command": visible(self.command),
        }


def place_text(line: RawLine) -> str:
    """Return where a line stands: file and octet, and of which kind it is."""
    name = line.file or "in memory"
    return f"{name} · octet {line.byte_offset:,} · {line.kind}"


def opened_html(opened: Opened) -> Html:
    """Return an opened row's lines."""
    lines = [
        tag(
            "li",
            tag("p", place_text(line), cls="ik-log-place"),
            tag("code", line.text, cls="ik-log-raw"),
            tag("p", line.note, cls="ik-log-note") if line.note else EMPTY,
        )
        for line in opened.lines
    ]
    head = tag("p", opened.title, cls="ik-heading", role="heading", aria_level="4")
    more = tag("p", opened.more, cls="ik-more") if opened.more else EMPTY
    return tag("section", head, tag("ol", *lines, cls="ik-log-lines"), more, cls="ik-panel", aria_label=opened.title)
