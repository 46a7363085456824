"""A tape as HTML: the drawers, an opened file, what a crash leaves, and the whole tape as a table. Pure.

Rule 1: every element comes through the door in `indimail_kit.widgets.html`.
Rule 2: what lies where is `tape_view`'s, what a crash leaves is `tape_fates`'s; this module puts it on the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from indimail_kit.mailqueue.crash import CrashState, CrashVerdict
from indimail_kit.mailqueue.image import FileImage, QueueImage
from indimail_kit.mailqueue.states import QueueState
from indimail_kit.mailqueue.tape import Tape
from indimail_kit.visible import visible
from indimail_kit.widgets.auth_markup import heading_html, standalone
from indimail_kit.widgets.html import EMPTY, Html, join, shortened, tag
from indimail_kit.widgets.queue_bytes import bytes_html, fields_legend_html
from indimail_kit.widgets.signs import Sign
from indimail_kit.widgets.tape_fates import DIRSYNC, MODELS, VERDICT_SIGNS, Fate, Outcome
from indimail_kit.widgets.tape_view import (
    CLASSES,
    Drawer,
    FileCard,
    call_text,
    client_sentence,
    disk_cards,
    drawers,
    is_zeros,
    others_sentence,
    step_sentence,
)

TITLE: Final = "Queue time machine"
"""Name of the view."""

MAX_OUTCOMES: Final = 4
"""Most outcomes of one verdict that are shown; the disks of the rest are counted."""

MAX_DISKS: Final = 2
"""Most disks of one outcome that can be opened; the rest are counted, `crash_states` has them all."""

_CHANGE_SIGNS: Final = (
    ("new", "new", "The step gave the file this name."),
    ("changed", "+117 B", "The step changed its octets, its links or its mode."),
    ("synced", "on disk now", "The step brought its octets or its name to the disk."),
    ("gone", "removed", "The step took this name away; the file lives on while it has another."),
)
"""Kind of change, words as an example, and what it means."""


def sign_html(sign: Sign, count: int = 0) -> Html:
    """Return a verdict as word and mark in its outline, with how many disks it is true of."""
    return tag("span", f"{sign} {count}" if count else str(sign), cls=f"ik-chip {sign.cls}")


def file_html(image: QueueImage, key: str, *, where: str) -> Html:
    """Return the octets of an opened file, or that it is not there.

    Args:
        image: What is there.
        key: Key of a `FileCard`.
        where: When or where that is, in words.
    """
    path = next((path for path in image.names if visible(path) == key), None)
    place = tag("span", where, cls="ik-value")
    title = tag("p", _path_html(key), place, cls="ik-heading", role="heading", aria_level="4")
    body: tuple[Html, ...] = (tag("p", f"This name is not there {where}.", cls="ik-sentence"),)
    if path is not None:
        body = _bytes_of(path, image.names[path], links=image.links(path))
    return tag("section", title, *body, cls="ik-panel", role="region", aria_label=f"{key} {where}")


def _path_html(path: str) -> Html:
    return tag("span", shortened(path, limit=72), cls="ik-tape-left")


def _bytes_of(path: str, file: FileImage, *, links: int) -> tuple[Html, ...]:
    """Return a file as what its inode says, and its octets."""
    said = f"inode {file.inode} · {links} link{'s' * (links > 1)} · mode {file.mode:04o} · {len(file.content):,} B"
    if is_zeros(file.content):
        octets = tag("p", f"{len(file.content):,} NUL: the length came to the disk, the octets did not.", cls="ik-more")
    else:
        octets = bytes_html(path.partition("/")[0], file.content, label=path)
    return tag("p", said, cls="ik-place"), octets


def remains(live: QueueImage, disk: QueueImage) -> Iterator[str]:
    """Yield what became of each name: what is there, with how much of it, and what is missing.

    Args:
        live: What was there before the crash.
        disk: What it left.
    """
    for card in disk_cards(live, disk):
        yield f"{card.path} {card.what or 'whole'}"


def disk_html(disk: CrashState, live: QueueImage, *, place: int, has_buttons: bool = False) -> Html:
    """Return one disk, folded: what is left, and each file with its octets.

    Args:
        disk: The disk.
        live: What was there before the crash.
        place: Its place among the disks, from 1.
        has_buttons: Whether there is a kernel that shows it in the drawers.
    """
    left = "; ".join(remains(live, disk.image)) or "nothing"
    files = [
        tag("div", _path_html(path), *_bytes_of(path, file, links=disk.image.links(path)), cls="ik-tape-opened")
        for path, file in sorted(disk.image.names.items())
    ]
    body = files or [tag("p", "The disk holds no file of this mail.", cls="ik-more")]
    label = f"Show disk {place} in the drawers"
    button = tag("button", str(place), cls="ik-show ik-tape-show", type="button", aria_label=label, title=label)
    summary = tag("summary", tag("span", left, cls="ik-tape-left"))
    folded = tag("details", summary, *body, cls="ik-raw")
    return tag("div", button, folded, cls="ik-tape-disk") if has_buttons else folded


def _outcome_html(outcome: Outcome, live: QueueImage, *, first: int, has_buttons: bool) -> Html:
    count, state = len(outcome.disks), outcome.state
    named = f"state {state.name}, {state.value}" if state else "no state has these files"
    place = tag("span", f"{count} disk{'s' * (count > 1)}", cls="ik-place")
    head = tag("div", tag("span", named, cls="ik-value"), place, cls="ik-tape-disk-head")
    shown = [
        disk_html(disk, live, place=first + index, has_buttons=has_buttons)
        for index, disk in enumerate(outcome.disks[:MAX_DISKS])
    ]
    rest = count - len(shown)
    more = tag("p", f"… and {rest:,} more disks like {'these' if len(shown) > 1 else 'this'}.", cls="ik-more")
    text = tag("p", outcome.text, cls="ik-tape-text")
    return tag("li", head, text, *shown, more if rest else EMPTY)


def _verdict_html(fate: Fate, verdict: CrashVerdict, live: QueueImage, *, has_buttons: bool) -> Html:
    sign = VERDICT_SIGNS[verdict]
    count = fate.counts[verdict]
    disks = "the only disk" if fate.disks == 1 else f"{count:,} of {fate.disks:,} disks"
    head = tag(
        "div",
        sign_html(sign),
        tag("span", sign.meaning, cls="ik-value"),
        tag("span", disks, cls="ik-place"),
        cls="ik-tape-disk-head",
    )
    shown: list[Html] = []
    rest, first = 0, 1
    for outcome in fate.outcomes:
        if outcome.verdict is verdict and len(shown) < MAX_OUTCOMES:
            shown.append(_outcome_html(outcome, live, first=first, has_buttons=has_buttons))
        elif outcome.verdict is verdict:
            rest += len(outcome.disks)
        first += len(outcome.disks)
    more = tag("p", f"… and {rest:,} more disks with this verdict; crash_states gives them all.", cls="ik-more")
    return tag("li", head, tag("ul", *shown, cls="ik-tape-outcomes"), more if rest else EMPTY, cls=sign.cls)


def crash_html(tape: Tape, fate: Fate, *, has_dirsync: bool = False, has_buttons: bool = False) -> Html:
    """Return what a crash may leave: each verdict with what leads to it, and disks to be opened.

    Args:
        tape: The tape.
        fate: What `crash_fate` says of it.
        has_dirsync: Whether every change of a directory waits for the disk.
        has_buttons: Whether there is a kernel that shows a disk in the drawers.
    """
    number = fate.number
    asked = f"Crash behind step {number}: {call_text(tape, number)}"
    title = tag("p", tag("span", asked), sign_html(fate.sign), cls="ik-heading", role="heading", aria_level="4")
    verdicts = [_verdict_html(fate, one, tape.image(number), has_buttons=has_buttons) for one in fate.counts]
    dirsync = f" {DIRSYNC}" if has_dirsync and fate.model != "process" else ""
    more = f"{fate.left_out:,} more combinations were not looked at: there are too many."
    body = (
        tag("p", f"{MODELS[fate.model][1]}{dirsync} {client_sentence(tape, number)}", cls="ik-sentence"),
        tag("ul", *verdicts, cls="ik-tape-disks", aria_label="what may be left"),
        tag("p", more, cls="ik-more") if fate.left_out else EMPTY,
    )
    return tag("section", title, *body, cls="ik-panel ik-tape-crashed", role="region", aria_label=asked)


def crash_sentence(tape: Tape, fate: Fate) -> str:
    """Return what a crash may mean as a sentence to be read aloud."""
    where = f"Crash behind step {fate.number} of {len(tape)}, {call_text(tape, fate.number)}:"
    if fate.disks == 1:
        return visible(f"{where} {fate.sign}. {fate.outcomes[0].text}")
    parts = [f"{count} {VERDICT_SIGNS[verdict]}" for verdict, count in fate.counts.items()]
    seen = f"{fate.disks:,} disks were looked at, more" if fate.left_out else f"{fate.disks:,} disks"
    return visible(f"{where} {seen} are possible: {', '.join(parts)}. At worst: {fate.worst.value}.")


def disk_sentence(fate: Fate, place: int) -> str:
    """Return what becomes of the mail on one disk.

    Args:
        fate: What a crash may mean.
        place: Place among its disks, from 0.
    """
    disk = fate.all_disks[place]
    state = f"State {disk.state.name}." if disk.state else "No state has these files."
    return visible(f"{state} {disk.text}")


def legend_html() -> Html:
    """Return the folded legends: verdicts, changes, and the letters of the records."""
    fates = [tag("li", sign_html(sign), f" {sign.meaning}") for sign in VERDICT_SIGNS.values()]
    changes = [
        tag("li", tag("span", word, cls=f"ik-tape-file ik-tape-sample {CLASSES[change]}"), f" {meaning}")
        for change, word, meaning in _CHANGE_SIGNS
    ]
    note = tag(
        "li",
        "The marks on the slider: the worst that a crash behind that step can mean under the chosen model, as far as "
        "its disks were looked at. The green bar of a file: how much is on the disk for sure, on any file system.",
    )
    signs = tag("ul", *fates, *changes, note, cls="ik-signs")
    folded = tag("details", tag("summary", "What the signs mean"), signs, cls="ik-legend")
    return join((folded, fields_legend_html()))


def _card_html(card: FileCard) -> Html:
    change = tag("span", card.what, cls="ik-tape-change") if card.what else EMPTY
    head = tag("span", tag("span", card.name, cls="ik-tape-path"), change, cls="ik-tape-file-head")
    facts = [tag("span", fact, cls="ik-tape-fact") for fact in card.facts]
    return tag("div", head, *facts, cls=f"ik-tape-file {CLASSES[card.change]}".strip())


def drawers_html(shown: Sequence[Drawer]) -> Html:
    """Return the drawers for a notebook read without a kernel."""
    boxes = []
    for drawer in shown:
        document = drawer.as_document()
        mark = tag("span", document["mark"], cls="ik-tape-mark", aria_hidden="true")
        files = [_card_html(card) for card in drawer.files]
        purpose = EMPTY if files else tag("p", drawer.purpose, cls="ik-tape-meaning")
        wide = " ik-tape-wide" if document["is_wide"] else ""
        cls = f"ik-tape-drawer{wide}" if files else f"ik-tape-drawer ik-tape-empty{wide}"
        kind = tag("p", tag("strong", drawer.kind), mark, cls="ik-tape-kind")
        boxes.append(tag("div", kind, purpose, *files, cls=cls, role="group", aria_label=document["label"]))
    return tag("div", *boxes, cls="ik-tape-drawers")


def states_html(state: QueueState | None) -> Html:
    """Return the five states, the present one lit."""
    lamps = []
    for one in QueueState:
        text = (tag("strong", one.name), tag("span", one.value, cls="ik-tape-meaning"))
        if one is state:
            lamps.append(tag("li", *text, cls="ik-tape-state ik-tape-lit", aria_current="step"))
        else:
            lamps.append(tag("li", *text, cls="ik-tape-state"))
    return tag("ol", *lamps, cls="ik-tape-states", aria_label="the state of the message")


def steps_html(tape: Tape, fates: Mapping[str, Sequence[Fate]], *, at: int = -1) -> Html:
    """Return a tape as a table: each step with the state behind it, and what a crash there may mean.

    Args:
        tape: The tape.
        fates: Model -> fates, as `crash_table` gives them.
        at: Step to mark.
    """
    heads = [tag("th", head, scope="col") for head in ("step", "call", "what it does", "state", *fates)]
    rows = []
    for number in range(len(tape) + 1):
        state = tape.state(number)
        marks = [
            tag("td", tag("span", model, cls="ik-tape-model"), sign_html(table[number].sign), cls="ik-tape-may")
            for model, table in fates.items()
        ]
        text = tape.steps[number - 1].text if number else "Nothing has been done so far."
        cells = (
            tag("td", str(number), cls="ik-c-count"),
            tag("td", tag("span", call_text(tape, number), cls="ik-tape-left")),
            tag("td", text, cls="ik-tape-what"),
            tag("td", state.name if state else "none"),
        )
        here = {"cls": "ik-tape-here", "aria_current": "step"} if number == at else {}
        rows.append(tag("tr", *cells, *marks, **here))
    caption = tag("caption", f"{tape.title}: what a crash behind each step may mean")
    body = tag("tbody", *rows)
    return tag("table", caption, tag("thead", tag("tr", *heads)), body, cls="ik-table ik-tape-steps")


def tape_html(tape: Tape, fates: Mapping[str, Sequence[Fate]]) -> Html:
    """Return a whole tape as HTML that stands alone.

    Args:
        tape: The tape.
        fates: Model -> fates, as `crash_table` gives them; they are the last columns.
    """
    return standalone(heading_html(TITLE, tape.title), steps_html(tape, fates), label=tape.title)


def machine_html(
    tape: Tape,
    number: int,
    *,
    settings: str,
    panel: Html,
    fates: Mapping[str, Sequence[Fate]],
) -> Html:
    """Return what a QueueTimeMachine shows, for a notebook read without a kernel.

    Args:
        tape: The tape.
        number: The step.
        settings: Model and sync setting in words.
        panel: What the crash leaves, or nothing.
        fates: Model -> fates.
    """
    client = "ik-tape-client ik-tape-answered" if tape.acknowledged(number) else "ik-tape-client"
    row = (states_html(tape.state(number)), tag("p", client_sentence(tape, number), cls=client))
    body = (
        heading_html(TITLE, settings),
        tag("p", step_sentence(tape, number), cls="ik-status ik-quiet"),
        tag("div", *row, cls="ik-tape-row"),
        tag("p", others_sentence(tape, tape.image(number)), cls="ik-place ik-tape-also"),
        drawers_html(drawers(tape, number)),
        panel,
        steps_html(tape, fates, at=number),
        legend_html(),
    )
    return standalone(*body, label=TITLE)
