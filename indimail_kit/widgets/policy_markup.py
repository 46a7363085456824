"""The decision table as HTML: the grid, one cell's explanation, the way through the questions. Pure.

Rule 1: every element comes through the door in `indimail_kit.widgets.html`.
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import Final

from indimail_kit.lab.journey import RawBlock
from indimail_kit.qhpsi.decision_tree import Question, Step
from indimail_kit.widgets.auth_markup import heading_html, standalone
from indimail_kit.widgets.html import EMPTY, Html, join, tag
from indimail_kit.widgets.markup import facts_html, raw_html
from indimail_kit.widgets.policy import COLUMNS, ROWS, Policy, PolicyCell
from indimail_kit.widgets.signs import ENDINGS, Sign

TITLE: Final = "Every scan result, every policy"
"""Name of the view."""

NOBODY: Final = "nobody"

_ENDS: Final = {"signal": "signal", "failed": "75"}
"""Row without an exit code of the scanner -> what `qhpsi explain` is told; 75 is qhpsi's own, of a scanner that it
could not start."""


def ending_html(sign: Sign) -> Html:
    """Return what becomes of a mail as word and mark in its outline."""
    return tag("span", str(sign), cls=f"ik-chip {sign.cls}")


def explain_command(cell: PolicyCell) -> str:
    """Return the command that explains the same in a terminal."""
    words = [f"{name}={quote(value)}" for name, value in cell.environ.items()]
    words += ["indimail-kit", "qhpsi", "explain", "--size", str(cell.message_bytes)]
    ends = _ENDS.get(cell.row, "" if cell.scanner_rc is None else str(cell.scanner_rc))
    return " ".join([*words, "--scanner-exit", ends] if ends else words)


def variables_block(environ: Sequence[tuple[str, str]], *, command: str = "") -> RawBlock:
    """Return variables as raw material, one a line."""
    return RawBlock("the variables", "\n".join(f"{name}={value}" for name, value in environ), command=command)


def way_html(path: Sequence[Step]) -> Html:
    """Return the way through the questions, each with its answer and where the program asks it."""
    steps = []
    for step in path:
        node = step.node
        if isinstance(node, Question):
            asked = tag("span", node.text, cls="ik-asked")
            said = tag("span", step.answer, cls="ik-said-so")
        else:
            asked, said = tag("span", node.action.value, cls="ik-asked"), EMPTY
        steps.append(tag("li", asked, " ", said, tag("span", node.source, cls="ik-place"), cls="ik-way-step"))
    return tag("ol", *steps, cls="ik-way")


def cell_facts(cell: PolicyCell) -> list[tuple[str, str]]:
    """Return what a cell says, as label and value."""
    return [
        ("SMTP reply", cell.reply),
        ("exit code", f"{cell.exit_code} of qmail-queue"),
        ("header", cell.header.replace("\n", " · ") or "none added"),
        ("who gets it", ", ".join(cell.recipients) or NOBODY),
    ]


def cell_html(cell: PolicyCell, *, has_buttons: bool = False) -> Html:
    """Return the explanation of one cell."""
    row = next(one for one in ROWS if one.key == cell.row)
    asked = f"{row.title}, REJECTVIRUS={cell.reject_virus}"
    title = tag("p", tag("span", asked), ending_html(cell.sign), cls="ik-heading", role="heading", aria_level="4")
    said = tag("p", cell.sign.meaning, cls="ik-sentence")
    block = variables_block(tuple(cell.environ.items()), command=explain_command(cell))
    body = (title, said, facts_html(cell_facts(cell)), way_html(cell.path), raw_html(block, has_buttons=has_buttons))
    return tag("section", *body, cls="ik-panel", role="region", aria_label=f"{asked}: {cell.sign}")


def endings_html() -> Html:
    """Return the folded legend of the endings."""
    rows = [tag("li", ending_html(sign), f" {sign.meaning}") for sign in ENDINGS.values()]
    return tag("details", tag("summary", "What the signs mean"), tag("ul", *rows, cls="ik-signs"), cls="ik-legend")


def table_html(table: Sequence[Sequence[PolicyCell]]) -> Html:
    """Return the table as a table that needs no kernel."""
    heads = [tag("th", f"REJECTVIRUS={value}", scope="col") for value in COLUMNS]
    rows = [
        tag("tr", tag("th", row.title, scope="row"), *(tag("td", ending_html(cell.sign)) for cell in cells))
        for row, cells in zip(ROWS, table, strict=True)
    ]
    head = tag("tr", tag("th", "the scanner", scope="col"), *heads)
    return tag("table", tag("thead", head), tag("tbody", *rows), cls="ik-table ik-policy-table")


def policy_html(policy: Policy, table: Sequence[Sequence[PolicyCell]], opened: PolicyCell | None, *, said: str) -> Html:
    """Return what a PolicyExplorer shows, for a notebook read without a kernel."""
    shown = {name: value for name, value in policy.environ().items() if name != "REJECTVIRUS"}
    variables = join([tag("code", f"{name}={value}", cls="ik-var") for name, value in shown.items()], separator=" ")
    body = (
        heading_html(TITLE),
        tag("p", variables, cls="ik-place"),
        table_html(table),
        tag("p", said, cls="ik-status ik-quiet"),
        cell_html(opened) if opened is not None else EMPTY,
        endings_html(),
    )
    return standalone(*body, label=TITLE)
