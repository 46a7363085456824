r"""The octets of a queue file as records, each with its field: what QueueBrowser colours. Pure, without Jupyter.

Source: indimail-mta-internals(7) section 2; IndiMail qmail-queue.c `main()`, todo-proc.c, qmail-send.c (``D`` for
``T``); LOOK, "Roles have colour + letter + shape".

Rule 1: no octet is lost: the records of a file, put together, are the file.
Rule 2: which record a reader understands is decided in `indimail_kit.envelope`; this module only says where it stands.
Rule 3: what is printed is ASCII; every other octet is written out and marked, and a reading as UTF-8 stands beside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from indimail_kit.envelope import decode_records
from indimail_kit.mailqueue.snapshot import QueueFile
from indimail_kit.widgets.auth_bytes import Role
from indimail_kit.widgets.html import EMPTY, Html, join, tag
from indimail_kit.widgets.markup import without_whole_eicar

MAX_SHOWN_BYTES: Final = 8192
"""Octets of one file that are shown (unit: octets); what is left out is counted."""

MAX_RECORD_BYTES: Final = 1024
"""Octets of one record that are shown (unit: octets)."""

RECORD_KINDS: Final = ("intd", "todo", "info", "local", "remote")
"""Files that consist of records; mess and bounce are text."""

FIELDS: Final = {
    "u": Role("u", "ik-queue-f-u", "uid of the user who called qmail-queue"),
    "p": Role("p", "ik-queue-f-p", "pid of that qmail-queue: qp in the logs"),
    "F": Role("F", "ik-queue-f-f", "envelope sender"),
    "T": Role("T", "ik-queue-f-t", "recipient, still to do"),
    "D": Role("D", "ik-queue-f-d", "recipient, done: one octet overwritten in place"),
    "e": Role("e", "ik-queue-f-e", "header lines to put on top of the message"),
    "h": Role("h", "ik-queue-f-h", "header lines for the environment of a delivery"),
    "?": Role("?", "ik-queue-f-x", "not understood, kept as it is"),
    "Z": Role("Z", "ik-queue-f-z", "NUL, the end of a record"),
}
"""Letter -> how its record is drawn, in the order of the legend."""

_ENVELOPE: Final = frozenset("upFTeh")
_CHANNEL: Final = frozenset("TD")
_LINE: Final = re.compile(rb"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One record of a queue file.

    Attributes:
        start: Where it begins in the file (unit: octets).
        octets: Letter and text, without the NUL.
        letter: A key of FIELDS; "?" for what no reader understands.
        is_ended: Whether its NUL is there.
    """

    start: int
    octets: bytes = field(repr=False)
    letter: str
    is_ended: bool = True

    @property
    def meaning(self) -> str:
        """Return what the record is, for a person."""
        said = FIELDS[self.letter].meaning
        if self.letter == "?" and self.octets:
            said = f"letter {_printed(self.octets[:1])} is {said}"
        return said if self.is_ended else f"{said}; its NUL is missing: unfinished, or cut"

    @property
    def reading(self) -> str:
        """Return the text read as UTF-8 where it has 8-bit octets and is UTF-8, else ""."""
        if self.octets.isascii():
            return ""
        try:
            return self.octets[1:].decode()
        except UnicodeDecodeError:
            return ""


def records_of(kind: str, octets: bytes) -> tuple[FileRecord, ...]:
    r"""Return the records of a file in order.

    Args:
        kind: One of RECORD_KINDS.
        octets: The file, or its beginning.

    Example:
        >>> [(one.start, one.letter, one.is_ended) for one in records_of("local", b"Dann\0Tbob\0Xx\0Tc")]
        [(0, 'D', True), (5, 'T', True), (10, '?', True), (13, 'T', False)]
    """
    texts = octets.split(b"\0")
    strangers = _strangers(kind, texts[:-1])
    known = _CHANNEL if kind in ("local", "remote") else _ENVELOPE
    records = []
    start = 0
    for index, text in enumerate(texts):
        is_last = index == len(texts) - 1
        if is_last and not text:
            break
        letter = text[:1].decode("latin-1")
        is_known = letter in known and index not in strangers
        records.append(FileRecord(start, text, letter if is_known else "?", is_ended=not is_last))
        start += len(text) + 1
    return tuple(records)


def _strangers(kind: str, texts: list[bytes]) -> set[int]:
    """Return the places of whole records that the reader of envelopes keeps as unknown, a second one of a kind too."""
    if kind in ("local", "remote") or not texts:
        return set()
    unknown = list(decode_records(b"\0".join([*texts, b""])).unknown)
    found = set()
    # From the end, since of two equal records the first is the one that counts.
    for index in range(len(texts) - 1, -1, -1):
        if unknown and texts[index] == unknown[-1]:
            unknown.pop()
            found.add(index)
    return found


def _printed(octets: bytes) -> str:
    """Return octets as printable ASCII."""
    return "".join(chr(one) if 0x20 <= one <= 0x7E else f"\\x{one:02x}" for one in octets)


def octets_html(octets: bytes) -> Html:
    """Return octets as text: printable ASCII as it is, every other octet written out and marked; LF ends a line."""
    lines = _LINE.findall(octets)
    if len(lines) < 2:
        return _line_html(octets)
    return join(tag("span", _line_html(line), cls="ik-queue-octets") for line in lines)


def _line_html(octets: bytes) -> Html:
    """Return one line; the test virus in it is in two pieces, since a queue may well hold it."""
    return without_whole_eicar(octets.decode("latin-1"), lambda part: _runs_html(part.encode("latin-1")))


def _runs_html(octets: bytes) -> Html:
    runs = groupby(octets, key=lambda one: 0x20 <= one <= 0x7E)
    return join(
        _printed(bytes(run)) if is_plain else tag("span", _printed(bytes(run)), cls="ik-hidden-char")
        for is_plain, run in runs
    )


def _record_html(record: FileRecord, *, offset_width: int) -> Html:
    role = FIELDS[record.letter]
    text = record.octets[1:] if record.letter != "?" else record.octets
    left = len(text) - MAX_RECORD_BYTES
    more = tag("span", f"… {left:,} more octets", cls="ik-queue-more") if left > 0 else EMPTY
    end = tag("span", "\\0", cls="ik-queue-nul", title=FIELDS["Z"].meaning) if record.is_ended else EMPTY
    piece = tag(
        "span",
        tag("span", role.letter, cls="ik-letter"),
        tag("span", octets_html(text[:MAX_RECORD_BYTES]), more, cls="ik-queue-text"),
        end,
        cls=f"ik-piece {role.cls}",
    )
    reading = tag("span", ", in UTF-8: ", tag("strong", record.reading), cls="ik-queue-reading")
    says = tag("span", record.meaning, reading if record.reading else EMPTY, cls="ik-queue-says")
    offset = tag("span", f"{record.start:{offset_width}d}", cls="ik-queue-at", title="octet of the file")
    return tag("li", offset, piece, says, cls="ik-queue-record")


def _shown(records: tuple[FileRecord, ...]) -> Iterator[FileRecord]:
    """Yield records until enough octets are shown; each counts with what is shown of it, and at least a little."""
    shown = 0
    for record in records:
        if shown >= MAX_SHOWN_BYTES:
            return
        yield record
        shown += max(16, min(len(record.octets), MAX_RECORD_BYTES))


def file_bytes_html(file: QueueFile) -> Html:
    """Return the records of a file, or its text, with a word on what is left out."""
    if not file.is_regular:
        return tag("p", "It is no regular file, so it was not opened.", cls="ik-more")
    read = (
        f"Only its first {len(file.content):,} of {file.size_bytes:,} octets were read. " if file.is_truncated else ""
    )
    return bytes_html(file.kind, file.content, label=file.path, note=read)


def bytes_html(kind: str, octets: bytes, *, label: str, note: str = "") -> Html:
    """Return octets as the records of a kind of file, or as text, with a word on what is left out.

    Args:
        kind: Kind of the file, one of KINDS or another word; RECORD_KINDS consist of records.
        octets: The file, or its beginning.
        label: Name of the file.
        note: What to say below them.
    """
    if not octets:
        return tag("p", "It is empty: nothing was written yet.", cls="ik-more")
    if kind not in RECORD_KINDS:
        shown = octets[:MAX_SHOWN_BYTES]
        left = len(octets) - len(shown)
        body = tag("pre", octets_html(shown), cls="ik-pre ik-queue-pre", tabindex="0", aria_label=label)
        words = f"{left:,} more octets are not shown." if left else ""
    else:
        records = records_of(kind, octets)
        drawn = tuple(_shown(records))
        width = len(str(drawn[-1].start))
        rows = [_record_html(one, offset_width=width) for one in drawn]
        body = tag("ol", *rows, cls="ik-queue-records", tabindex="0", aria_label=f"records of {label}")
        left = len(records) - len(drawn)
        words = f"{left:,} more records are not shown." if left else ""
    said = f"{note}{words}".strip()
    return join((body, tag("p", said, cls="ik-more") if said else EMPTY))


def fields_legend_html() -> Html:
    """Return the folded legend of the letters."""
    signs = [
        tag("li", tag("span", one.letter, cls=f"ik-letter {one.cls}"), f" {one.meaning}") for one in FIELDS.values()
    ]
    summary = tag("summary", "What the letters of the records mean")
    return tag("details", summary, tag("ul", *signs, cls="ik-signs"), cls="ik-legend")
