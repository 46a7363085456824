"""What AUTH's three widgets show, as HTML: explanations, dialogues, bytes, the table of what a listener has. Pure.

Rule 1: every element comes through the door in `indimail_kit.widgets.html`.
Rule 2: what is given here is masked before, or its owner asked to see it; this module hides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from indimail_kit.auth.annotate_model import Explanation, Step
from indimail_kit.auth.mechanisms import MECHANISMS, Mechanism
from indimail_kit.widgets.auth_bytes import ROLES, ByteRow
from indimail_kit.widgets.html import EMPTY, Html, join, style_element, tag

MAX_STEPS: Final = 60
"""Most steps shown of an explanation, the newest."""

WHO: Final = {"client": "you", "server": "server", "note": "note", "C": "you", "S": "server", "-": "note"}
"""Direction -> who that is, for a learner."""


def standalone(*parts: Html, label: str) -> Html:
    """Return parts as HTML that needs no kernel."""
    return join([style_element(), tag("article", *parts, cls="ik-journey ik-static", aria_label=label)])


def heading_html(title: str, place: str = "") -> Html:
    """Return the head of a view: its name, and where it looks."""
    name = tag("p", title, cls="ik-name", role="heading", aria_level="3")
    return tag("div", name, tag("p", place, cls="ik-place") if place else EMPTY, cls="ik-top")


def spoken_html(lines: Sequence[tuple[str, str]]) -> Html:
    """Return a dialogue as it stands in a terminal: (who, text) a line."""
    if not lines:
        return tag("p", "Nothing was said so far.", cls="ik-empty")
    rows = [
        tag("div", tag("span", WHO[who], cls="ik-who"), tag("span", text, cls="ik-said"), cls=f"ik-line {side(who)}")
        for who, text in lines
    ]
    return tag("div", *rows, cls="ik-log")


def side(who: str) -> str:
    """Return the class of a side."""
    return {"C": "ik-client", "client": "ik-client", "S": "ik-server", "server": "ik-server"}.get(who, "ik-note")


def _step_html(step: Step) -> Html:
    said = [tag("span", WHO[step.direction], cls="ik-who"), tag("code", step.raw, cls="ik-said")]
    decoded = EMPTY
    if step.decoded and step.decoded != step.raw:
        decoded = tag("p", "says: ", tag("code", step.decoded, cls="ik-said"), cls="ik-decoded")
    verdict = tag("p", step.verdict, cls="ik-verdict") if step.verdict else EMPTY
    return tag("li", tag("div", *said, cls=f"ik-line {side(step.direction)}"), decoded, verdict, cls="ik-step")


def explanation_html(explanation: Explanation) -> Html:
    """Return an explanation: a sentence for each login, then every line with what is to say about it."""
    if not explanation.steps:
        return EMPTY
    summary = [tag("li", sentence) for sentence in explanation.summary]
    head = tag("p", "What just happened", cls="ik-heading", role="heading", aria_level="4")
    logins = tag("ul", *summary, cls="ik-summaries") if summary else tag("p", "No login so far.", cls="ik-sentence")
    steps = [_step_html(step) for step in explanation.steps[-MAX_STEPS:]]
    more = len(explanation.steps) - len(steps)
    left_out = tag("p", f"{more:,} earlier lines are left out.", cls="ik-more") if more else EMPTY
    body = (head, logins, left_out, tag("ol", *steps, cls="ik-steps"))
    return tag("section", *body, cls="ik-panel", role="region", aria_label="What just happened")


def console_html(lines: Iterable[tuple[str, str]], explanation: Explanation | None, *, sentence: str) -> Html:
    """Return a console for a notebook read without a kernel; the lines are masked."""
    status = tag("p", sentence, cls="ik-status ik-quiet")
    explained = explanation_html(explanation) if explanation is not None else EMPTY
    return standalone(
        heading_html("SMTP by hand"),
        spoken_html(tuple(lines)),
        status,
        explained,
        label="A dialogue with a mail server",
    )


def _byte_row_html(row: ByteRow) -> Html:
    pieces = [
        tag(
            "span",
            tag("span", piece.letter, cls="ik-letter"),
            tag("span", "".join(text for text, _ in piece.cells), cls="ik-cells ik-char"),
            cls=f"ik-piece {ROLES[piece.letter].cls}",
            title=piece.sentence,
        )
        for piece in row.pieces
    ]
    head = tag(
        "div", tag("span", row.name, cls="ik-row-name"), tag("span", row.note, cls="ik-row-note"), cls="ik-row-head"
    )
    return tag("div", head, tag("div", *pieces, cls="ik-bytes ik-wire"), cls="ik-row")


def explorer_html(rows: Iterable[ByteRow], *, title: str, said: str) -> Html:
    """Return a login as rows of bytes for a notebook read without a kernel; the rows are masked."""
    status = tag("p", said, cls="ik-status ik-quiet")
    body = tag("div", *(_byte_row_html(row) for row in rows), cls="ik-rows")
    signs = [
        tag("li", tag("span", role.letter, cls=f"ik-letter {role.cls}"), f" {role.meaning}") for role in ROLES.values()
    ]
    summary = tag("summary", "What the letters mean")
    legend = tag("details", summary, tag("ul", *signs, cls="ik-signs"), cls="ik-legend")
    return standalone(heading_html(title), status, body, legend, label=title)


LISTENER_COLUMNS: Final = (
    ("mechanism", "ik-c-names"),
    ("over the wire", "ik-c-reply"),
    ("log in with it?", "ik-c-verdict"),
    ("guess offline?", "ik-c-verdict"),
    ("the server keeps", "ik-c-reply"),
)
"""Heading and class of each column of the listener's table."""

_YES_LOGIN: Final = ("logs in ✕", "ik-chip ik-infected")
_YES_GUESS: Final = ("can guess !", "ik-chip ik-not-scanned")
_NO_LOGIN: Final = ("cannot log in ✓", "ik-chip ik-clean")
_NO_GUESS: Final = ("cannot guess ✓", "ik-chip ik-clean")
_NEEDLESS: Final = ("needless –", "ik-chip ik-none")


def _has(row: Mechanism) -> tuple[str, str, bool, bool]:
    return row.on_wire, row.server_stores, row.can_listener_log_in, row.can_listener_guess


def listener_html(mechanisms: Iterable[Mechanism] = tuple(MECHANISMS.values())) -> Html:
    """Return the table of what a listener without TLS has after each mechanism; equal rows are one."""
    rows = []
    for (on_wire, stores, can_log_in, can_guess), group in groupby(mechanisms, key=_has):
        chips = (
            _YES_LOGIN if can_log_in else _NO_LOGIN,
            _NEEDLESS if can_log_in else _YES_GUESS if can_guess else _NO_GUESS,
        )
        shown = [tag("span", text, cls=cls) for text, cls in chips]
        cells: tuple[Html | str, ...] = (", ".join(one.name for one in group), on_wire, *shown, stores)
        rows.append(
            tag("tr", *(tag("td", cell, cls=cls) for cell, (_, cls) in zip(cells, LISTENER_COLUMNS, strict=True)))
        )
    head = tag("tr", *(tag("th", name, cls=cls, scope="col") for name, cls in LISTENER_COLUMNS))
    caption = tag("caption", "What a listener has after each login, where there is no TLS")
    table = tag("table", caption, tag("thead", head), tag("tbody", *rows), cls="ik-table ik-listener")
    return join([heading_html("The listener on the wire"), table])


def eavesdropper_html(captured: Sequence[tuple[str, str]], *, said: str) -> Html:
    """Return the listener's view for a notebook read without a kernel."""
    title = tag("p", "A captured CRAM-MD5 login", cls="ik-heading", role="heading", aria_level="4")
    status = tag("p", said, cls="ik-status ik-quiet")
    return standalone(listener_html(), title, spoken_html(captured), status, label="The listener on the wire")
