"""A message of a queue as HTML: its state, what is wrong, its seven files, their records. Pure.

Rule 1: every element comes through the door in `indimail_kit.widgets.html`.
Rule 2: the mail itself is not here: its header is asked for and sent apart, so that no saved notebook has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from shlex import quote
from typing import TYPE_CHECKING, Final

from indimail_kit.mailqueue.layout import KINDS
from indimail_kit.mailqueue.snapshot import MessageFiles, QueueFile
from indimail_kit.mailqueue.states import QueueState
from indimail_kit.visible import visible
from indimail_kit.widgets.html import EMPTY, Html, join, shortened, tag
from indimail_kit.widgets.markup import command_html, facts_html
from indimail_kit.widgets.queue_bytes import RECORD_KINDS, fields_legend_html, file_bytes_html
from indimail_kit.widgets.queue_words import (
    STATE_MARKS,
    age_text,
    count_text,
    mode_html,
    moment_html,
    moment_text,
)

if TYPE_CHECKING:
    from pathlib import Path

    from indimail_kit.mailqueue.violations import Violation
    from indimail_kit.widgets.queue_message import OpenedMessage

MAX_VIOLATIONS: Final = 30
"""Most violations shown of one message, or of a queue."""

MAX_ADDRESSES: Final = 8
"""Most recipients among the facts of a message; the records have all."""

FILE_COLUMNS: Final = (
    ("file", "ik-queue-c-path"),
    ("inode", "ik-queue-c-count"),
    ("links", "ik-queue-c-count"),
    ("mode", "ik-queue-c-mode"),
    ("owner", "ik-queue-c-owner"),
    ("size", "ik-queue-c-count"),
    ("written (mtime)", "ik-queue-c-moment"),
    ("read (atime)", "ik-queue-c-moment"),
    ("changed (ctime)", "ik-queue-c-moment"),
)
"""Heading and class of each column of the files."""


def as_text(address: bytes) -> str:
    """Return an address as text; octets that are no UTF-8 stay as lone surrogates, which every view writes out."""
    return address.decode("utf-8", "surrogateescape")


def show_command(message_number: int, directory: Path) -> str:
    """Return the command that shows a message in a terminal."""
    return f"indimail-kit queue show {message_number} --queue {quote(str(directory))}"


def list_command(place: Path) -> str:
    """Return the command that lists the messages of queues in a terminal."""
    return f"indimail-kit queue list --queue {quote(str(place))}"


def shape_command(place: Path, by: str) -> str:
    """Return the command that shows the shape of queues in a terminal."""
    return f"indimail-kit queue shape --by {by} --queue {quote(str(place))}"


def state_html(name: str, meaning: str) -> Html:
    """Return a state as mark, name and words in its outline."""
    return tag("span", f"{STATE_MARKS[name]} {name} {meaning}".strip(), cls=f"ik-chip {state_class(name)}")


def states_html() -> Html:
    """Return the folded legend of states and badges."""
    states = [(one.name, one.value) for one in QueueState if one is not QueueState.S1]
    signs = [(state_html(name, ""), f"{meaning}.") for name, meaning in states]
    signs.append((state_html("", "no state"), "No state of qmail has these files."))
    badge = tag("span", "⚠ rule", cls="ik-chip ik-queue-badge")
    signs.append((badge, "Something is wrong with it; a badge opens to why it matters and what happens next."))
    rows = [tag("li", sign, f" {meaning}") for sign, meaning in signs]
    return tag("details", tag("summary", "What the signs mean"), tag("ul", *rows, cls="ik-signs"), cls="ik-legend")


def state_class(name: str) -> str:
    """Return the class of a state; "" is the one of files that prove none."""
    return f"ik-queue-{name.lower()}" if name else "ik-queue-s0"


def violations_html(violations: Sequence[Violation]) -> Html:
    """Return what is wrong, one badge each; a badge opens to what the rule means and what happens next."""
    rows = []
    for one in violations[:MAX_VIOLATIONS]:
        badge = tag("span", f"⚠ {one.rule}", cls="ik-chip ik-queue-badge")
        place = EMPTY if one.path in one.text else tag("span", shortened(one.path, limit=40), cls="ik-place")
        summary = tag("summary", badge, " ", tag("span", one.text, cls="ik-queue-case"), place)
        rows.append(tag("li", tag("details", summary, tag("p", one.why, cls="ik-queue-why"), cls="ik-queue-anomaly")))
    left = len(violations) - len(rows)
    more = tag("p", f"… and {left:,} more: indimail-kit queue check", cls="ik-more") if left > 0 else EMPTY
    return join((tag("ul", *rows, cls="ik-queue-anomalies"), more)) if rows else EMPTY


def _cell(name: str, value: Html | str, cls: str) -> Html:
    # The label is seen where the table has become a list, on a narrow screen.
    return tag("td", tag("span", name, cls="ik-queue-label", aria_hidden="true"), " ", value, cls=cls)


def _file_row(path: str, file: QueueFile | None, owners: dict[int, str]) -> Html:
    if file is None:
        cells = [tag("td", path, cls="ik-queue-c-path"), tag("td", "not there", cls="ik-queue-c-count")]
        cells += [tag("td")] * (len(FILE_COLUMNS) - len(cells))
        return tag("tr", *cells, cls="ik-queue-absent")
    names = f"uid {file.uid} {owners.get(file.uid, '')}".strip() + f", gid {file.gid}"
    owner = tag("span", owners.get(file.uid) or str(file.uid), title=names)
    values: tuple[Html | str, ...] = (
        file.path,
        str(file.inode),
        str(file.links),
        mode_html(file.mode, is_regular=file.is_regular),
        owner,
        f"{file.size_bytes:,} B",
        moment_html(file.mtime_ns),
        moment_html(file.atime_ns),
        moment_html(file.ctime_ns),
    )
    cells = [_cell(name, value, cls) for (name, cls), value in zip(FILE_COLUMNS, values, strict=True)]
    return tag("tr", *cells)


def files_html(opened: OpenedMessage) -> Html:
    """Return the seven files, each in its place whether it is there or not."""
    owners = dict(opened.owners)
    rows = []
    for kind in KINDS:
        path = opened.layout.relative(kind, opened.files.message_number)
        rows.append(_file_row(path, opened.files.file(kind), owners))
    heads = tag("tr", *(tag("th", name, cls=cls, scope="col") for name, cls in FILE_COLUMNS))
    seen = f"Its files at {moment_text(opened.seen_ns)} UTC; times in UTC, as they stood before this look"
    caption = tag("caption", seen)
    return tag("table", caption, tag("thead", heads), tag("tbody", *rows), cls="ik-table ik-queue-files")


def records_html(files: MessageFiles) -> Html:
    """Return the raw records of each file that has some, and the text of bounce."""
    blocks = []
    for file in files.files:
        if file.kind == "mess":
            continue
        name = "records" if file.kind in RECORD_KINDS else "text"
        title = tag("span", f"{file.kind}: its {name}, octet by octet", cls="ik-raw-title")
        place = tag("span", f"{file.path}, {file.size_bytes:,} B", cls="ik-place")
        blocks.append(tag("details", tag("summary", title, place), file_bytes_html(file), cls="ik-raw", open=""))
    return join(blocks)


def _addresses(addresses: Iterable[tuple[str, str]]) -> str:
    shown = [f"{address or '(empty)'}{note}" for address, note in addresses]
    left = len(shown) - MAX_ADDRESSES
    return ", ".join(shown[:MAX_ADDRESSES]) + (f" … and {left:,} more" if left > 0 else "")


def recipients_of(files: MessageFiles) -> list[tuple[str, str]]:
    """Return address and note of every recipient: of the channels, else of the envelope."""
    channels = [(as_text(one.address), " (done)" if one.is_done else "") for one in (*files.local, *files.remote)]
    if channels or files.records is None:
        return channels
    return [(as_text(address), "") for address in files.records.recipients]


def message_facts(opened: OpenedMessage) -> list[tuple[str, str]]:
    """Return what is to say about a message, as label and value."""
    files, records = opened.files, opened.files.records
    facts: list[tuple[str, str]] = []
    if records is not None and records.sender is not None:
        facts.append(("sender", as_text(records.sender) or "(empty: a bounce)"))
    if people := recipients_of(files):
        facts.append(("recipients", _addresses(people)))
    if files.birth_ns is not None:
        age_s = (opened.seen_ns - files.birth_ns) / 10**9
        facts.append(("since", f"{moment_text(files.birth_ns)} UTC, {age_text(age_s)}"))
    for kind, channel in (("local", files.local), ("remote", files.remote)):
        file = files.file(kind)
        if file is not None and any(not one.is_done for one in channel):
            facts.append((f"next try, {kind}", f"{moment_text(file.mtime_ns)} UTC, as last written"))
    if (mess := files.file("mess")) is not None:
        facts.append(("size", f"{mess.size_bytes:,} B"))
    if records is not None and records.pid is not None:
        facts.append(("qp, uid", f"{records.pid}, {records.uid if records.uid is not None else 'none'}"))
    return facts


def message_sentence(opened: OpenedMessage) -> str:
    """Return a message in one sentence."""
    files = opened.files
    if not opened.is_there:
        return f"{files.message_number} is not in {files.queue}: it has no file there."
    state = files.state
    said = f"{state.name}, {state.value}" if state is not None else "no state has these files"
    wrong = count_text(len(opened.violations), "thing") + " wrong with it" if opened.violations else "nothing wrong"
    return visible(f"{files.message_number} in {files.queue}: {said}; {count_text(len(files.files), 'file')}, {wrong}.")


def message_html(opened: OpenedMessage, *, note: str = "", has_buttons: bool = False) -> Html:
    """Return an opened message.

    Args:
        opened: The message.
        note: What became of it since, "" for nothing.
        has_buttons: Whether there is somebody who can press them.
    """
    files = opened.files
    name, meaning = (files.state.name, files.state.value) if files.state is not None else ("", "no state")
    asked = f"{files.message_number} in {files.queue}"
    title = tag("p", tag("span", asked), state_html(name, meaning), cls="ik-heading", role="heading", aria_level="4")
    body = (
        title,
        tag("p", note, cls="ik-status ik-quiet") if note else EMPTY,
        facts_html(message_facts(opened)),
        violations_html(opened.violations),
        files_html(opened),
        records_html(files),
        fields_legend_html(),
        command_html(show_command(files.message_number, opened.layout.directory), has_buttons=has_buttons),
    )
    return tag("section", *body, cls="ik-panel ik-queue-panel", role="region", aria_label=message_sentence(opened))


def loose_html(violations: Sequence[Violation]) -> Html:
    """Return what is wrong with a queue and belongs to no message; nothing for nothing."""
    if not violations:
        return EMPTY
    title = tag("p", "What belongs to no message", cls="ik-heading", role="heading", aria_level="4")
    return tag("section", title, violations_html(violations), cls="ik-panel ik-queue-panel")
