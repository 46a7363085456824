"""A plan as HTML: each step with its command and what of it cannot be undone; and how it went. Pure.

Rule 1: every element comes through the door in `indimail_kit.widgets.html`; names of files are hostile text.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from indimail_kit.admin.plan import Step
from indimail_kit.admin.queue_messages import Refusal
from indimail_kit.admin.queue_wish import QueueWish
from indimail_kit.admin.run import Report
from indimail_kit.counting import counted
from indimail_kit.widgets.html import EMPTY, Html, tag

MAX_STEPS: Final = 60
"""Most steps that are shown at once; the number of the others is told."""

_SIGNS: Final = {
    "planned": ("○ planned", "ik-none"),
    "done": ("✓ done", "ik-clean"),
    "failed": ("✕ failed", "ik-failed"),
    "not done": ("– not done", "ik-skipped"),
}
"""How a step stands -> its chip: mark with word, and class."""


def plan_html(wish: QueueWish, *, holders: Sequence[str] = ()) -> Html:
    """Return a plan that waits for a yes: its steps, what is refused and why, and who holds the queue.

    Args:
        wish: The plan.
        holders: What to say of queues that somebody holds.
    """
    steps = _steps_html([(step, "planned", "") for step in wish.plan.steps])
    empty = tag("p", "Nothing to do: it is so already.", cls="ik-empty") if not wish.plan.steps else EMPTY
    summary = tag("p", wish.summary, cls="ik-sentence") if wish.summary else EMPTY
    held = [
        tag("p", tag("span", "! in use", cls="ik-chip ik-error"), f" {text}", cls="ik-sentence") for text in holders
    ]
    parts = (_title(wish.plan.title), *held, steps, empty, summary, _refused_html(wish.refused))
    return tag("section", *parts, cls="ik-panel", role="region", aria_label=wish.plan.title)


def report_html(report: Report) -> Html:
    """Return how a plan went, step by step, and the commands that take it back."""
    done = [(step, "done", "") for step in report.done]
    left = [(step, "not done", "") for step in report.not_done]
    if report.problem and left:
        left[0] = (left[0][0], "failed", report.problem)
    way_back = report.undo_plan().steps
    back = [tag("li", tag("code", step.command), cls="ik-step") for step in way_back[:MAX_STEPS]]
    undo = EMPTY
    if back:
        told = tag("summary", f"To take it back: {counted(len(way_back), 'step')}")
        undo = tag("details", told, tag("ol", *back, cls="ik-steps"), cls="ik-legend")
    parts = (_title(report.plan.title), _steps_html([*done, *left]), undo)
    return tag("section", *parts, cls="ik-panel", role="region", aria_label=f"How it went: {report.plan.title}")


def _title(text: str) -> Html:
    return tag("p", text, cls="ik-heading", role="heading", aria_level="4")


def _steps_html(rows: Sequence[tuple[Step, str, str]]) -> Html:
    """Return steps: the step, how it stands, and what was wrong."""
    items = [_step_html(number, *row) for number, row in enumerate(rows[:MAX_STEPS], start=1)]
    more = len(rows) - len(items)
    rest = tag("p", f"… and {more:,} more steps", cls="ik-more") if more else EMPTY
    return tag("div", tag("ol", *items, cls="ik-steps"), rest) if items else EMPTY


def _step_html(number: int, step: Step, state: str, problem: str) -> Html:
    word, cls = _SIGNS[state]
    how = tag("span", word, cls=f"ik-chip {cls}")
    command = tag("div", tag("span", f"{number}.", cls="ik-caption"), how, tag("code", step.command), cls="ik-command")
    lasting = EMPTY
    if step.cannot_undo:
        chip = tag("span", "✕ cannot be undone", cls="ik-chip ik-failed")
        lasting = tag("p", chip, f" {step.cannot_undo}", cls="ik-plan-lasting")
    wrong = tag("p", problem, cls="ik-status ik-bad") if problem else EMPTY
    return tag("li", command, tag("p", step.text, cls="ik-plan-text"), lasting, wrong, cls="ik-step")


def _refused_html(refused: Sequence[Refusal]) -> Html:
    """Return what stays as it is, reason by reason."""
    if not refused:
        return EMPTY
    ordered = sorted(refused, key=lambda one: one.reason)
    parts = []
    for reason, group in groupby(ordered, key=lambda one: one.reason):
        items = [tag("li", f"{one.violation.queue}: {one.violation.text}") for one in group]
        parts += [tag("p", reason, cls="ik-sentence"), tag("ul", *items, cls="ik-plan-refused")]
    head = tag("p", "Not repaired, and why", cls="ik-heading", role="heading", aria_level="4")
    return tag("div", head, *parts)
