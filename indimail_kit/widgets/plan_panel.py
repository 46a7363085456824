"""PlanPanel: a wish becomes a plan that is read first; it is done after a yes that belongs to this very plan."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as w
import traitlets as t

from indimail_kit.admin.queue_wish import WISHES, QueueWish, plan_repairs, plan_wishes
from indimail_kit.admin.run import Report, run_plan
from indimail_kit.counting import counted
from indimail_kit.errors import KitError, LabError, QueueError
from indimail_kit.exitcodes import MESS_FILE
from indimail_kit.mailqueue.queues import Queues, open_queues
from indimail_kit.visible import visible
from indimail_kit.widgets.auth_markup import heading_html, standalone
from indimail_kit.widgets.html import EMPTY, tag
from indimail_kit.widgets.plan_markup import plan_html, report_html
from indimail_kit.widgets.runner import Ended, run, run_here
from indimail_kit.widgets.static_view import StaticView
from indimail_kit.widgets.status_line import StatusLine

if TYPE_CHECKING:
    import os

    from indimail_kit.admin.plan import Step
    from indimail_kit.mailqueue.layout import QueueLayout

TITLE: Final = "Plans"
IDLE: Final = "Choose what you wish, and make a plan. Nothing is done before your yes."
YES: Final = "I have read the plan: do it"
_MESSAGE: Final = re.compile(r"(?:([^/]+)/)?([1-9][0-9]{0,19})")


class PlanPanel(StaticView, w.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """What shall change in a queue: planned, read, done after a yes, step by step; never while qmail-send holds it.

    `admin.plan_queue_repair`, `plan_hold` … give the plans as values, `admin.run_plan` does one; in a terminal,
    `indimail-kit queue repair`.

    Attributes:
        queues: What is planned for.
        wish: A name of `admin.queue_wish.WISHES`.
        message: "queue1/660188", or a number that one queue has; not used by "repair".
        planned: The plan that is shown, None before one is made.
        is_yes: Whether it was read and said yes to; a new plan has no yes.
        report: How the last plan went, None before one was done.
        plan_button: Makes the plan.
        do_button: Does it; it cannot be pressed without a yes.
        back_button: Makes the plan that takes back what was done.
    """

    wish = t.Enum(tuple(WISHES), default_value="repair")
    message = t.Unicode("")
    planned = t.Instance(QueueWish, allow_none=True)
    is_yes = t.Bool(default_value=False)
    report = t.Instance(Report, allow_none=True)

    def __init__(
        self,
        queues: Queues | str | os.PathLike[str],
        *,
        now_ns: Callable[[], int] = time.time_ns,
        **traits: Any,
    ) -> None:
        """Plan for queues.

        Args:
            queues: What `open_queues` returned, or the path of a queue or of a base.
            now_ns: Clock (unit: ns since 1970).
            traits: Other traits.

        Raises:
            QueueError: There is no queue at this place.
        """
        self.queues = queues if isinstance(queues, Queues) else open_queues(queues)
        self._now_ns = now_ns
        self._starting = threading.Lock()
        self._asked = ("", "")
        self.status = StatusLine(sentence=IDLE)
        self.header = w.HTML(str(heading_html(TITLE, str(self.queues.place))))
        self.panel = w.HTML()
        options = [(words, name) for name, words in WISHES.items()]
        self._controls = {
            "wish": w.Dropdown(options=options, description="wish"),
            "message": w.Text(description="message", placeholder="queue1/660188", continuous_update=False),
            "is_yes": w.Checkbox(description=YES, indent=False),
        }
        self.plan_button = w.Button(description="Make a plan", tooltip="Reads the queue, changes nothing")
        self.do_button = w.Button(description="Do it", tooltip="Does the plan above, step by step", disabled=True)
        self.back_button = w.Button(
            description="Plan the way back", tooltip="A new plan; nothing is done", disabled=True
        )
        fields = w.HBox([self._controls["wish"], self._controls["message"], self.plan_button])
        yes = w.HBox([self._controls["is_yes"], self.do_button, self.back_button])
        for box in (fields, yes):
            box.add_class("ik-desk-fields")
        super().__init__(children=[self.header, fields, self.status, self.panel, yes], **traits)
        self.add_class("ik-journey")
        for part in (self.header, self.panel):
            part.add_class("ik-html")
        for control in ("wish", "message"):
            self._controls[control].style.description_width = "5em"
        for name, control in self._controls.items():
            t.link((self, name), (control, "value"))
        self.plan_button.on_click(lambda _button: self._begin_plan())
        self.do_button.on_click(lambda _button: self._begin_deed())
        self.back_button.on_click(lambda _button: self.plan_back())
        self._settle()

    def __repr__(self) -> str:
        """Return the view in words."""
        return visible(f"PlanPanel: {self.queues.place}, wish: {WISHES[self.wish]}. {self.status.sentence}")

    def static_html(self) -> str:
        """Return the same as HTML that needs no kernel."""
        said = tag("p", self.status.sentence, cls="ik-status ik-quiet")
        shown = EMPTY
        if self.report is not None:
            shown = report_html(self.report)
        elif self.planned is not None:
            shown = plan_html(self.planned)
        return str(standalone(heading_html(TITLE, str(self.queues.place)), said, shown, label=TITLE))

    # -- the plan ----------------------------------------------------------------------------------------------------

    def make_plan(self) -> QueueWish:
        """Make the plan and wait for it; nothing is done.

        Raises:
            QueueError: There is no such message, or it cannot be planned.
            LabError: Something of this view is under way.
        """
        ended = run_here(self._start_plan(), lambda _none: None)
        self._end_plan(ended)
        return ended.outcome()

    def plan_back(self) -> None:
        """Show the plan that takes back what was done; it needs a yes of its own. Nothing without a report."""
        report, planned = self.report, self.planned
        if report is None or planned is None or self.status.busy or not report.undo_plan().steps:
            return
        self.planned = None
        self.planned = QueueWish(report.undo_plan(), planned.layouts)

    def _start_plan(self) -> Callable[[Callable[[None], None]], QueueWish]:
        self._asked = (self.wish, self.message)
        now_s = self._now_ns() // 10**9
        return self._start("Reading the queue …", partial(plan_for, self.queues, *self._asked, now_s=now_s))

    def _begin_plan(self) -> None:
        if not self.status.busy:
            run(self._start_plan, lambda _none: None, self._end_plan)

    def _end_plan(self, ended: Ended[QueueWish]) -> None:
        self.status.busy = False
        self.planned = None  # a plan that is made again is a new one: it has no yes, and no report
        if self._asked != (self.wish, self.message):
            self.status.say(IDLE)
            self._settle()
            return
        self.planned = ended.result
        if ended.result is None:
            self.status.say(f"No plan: {ended.error}", "ik-bad")
        self._settle()

    @t.observe("wish", "message")
    def _on_wish(self, _change: object) -> None:
        # A yes belongs to the plan that was read, a plan to the wish it was made for.
        self.planned = None
        self.status.say(IDLE)

    @t.observe("planned")
    def _on_planned(self, change: t.Bunch) -> None:
        self.is_yes, self.report = False, None
        planned = change.new
        if planned is None:
            self.panel.value = ""
        else:
            held = self._held(planned)
            self.panel.value = str(plan_html(planned, holders=held))
            self.status.say(*_plan_sentence(planned, held))
        self._settle()

    @t.observe("is_yes")
    def _on_yes(self, _change: object) -> None:
        self._settle()

    def _settle(self) -> None:
        can_be_done = self.planned is not None and bool(self.planned.plan.steps) and self.report is None
        self._controls["is_yes"].disabled = self.status.busy or not can_be_done
        self.do_button.disabled = self.status.busy or not (can_be_done and self.is_yes)
        has_way_back = self.report is not None and bool(self.report.undo_plan().steps)
        self.back_button.disabled = self.status.busy or not has_way_back

    # -- the deed ----------------------------------------------------------------------------------------------------

    def do_plan(self) -> Report:
        """Do the plan that is shown, and wait for it.

        Raises:
            LabError: There is no plan, no yes, or something of this view is under way.
        """
        ended = run_here(self._start_deed(), self._on_step)
        self._end_deed(ended)
        return ended.outcome()

    def _begin_deed(self) -> None:
        if self.planned is not None and self.is_yes is True and self.report is None and not self.status.busy:
            run(self._start_deed, self._on_step, self._end_deed)

    def _start_deed(self) -> Callable[[Callable[[Step], None]], Report]:
        planned = self.planned
        if planned is None or not planned.plan.steps or self.is_yes is not True or self.report is not None:
            raise LabError("a plan with steps, and a yes to it; nothing was done")
        # The yes is used up: what comes next needs another one.
        self._start("Doing it …", lambda: None)
        self.is_yes = False

        def deed(tell: Callable[[Step], None]) -> Report:
            return _do(planned, tell)

        return deed

    def _on_step(self, step: Step) -> None:
        self.status.say(f"Done: {step.command}")

    def _end_deed(self, ended: Ended[Report]) -> None:
        self.status.busy = False
        if ended.result is None:
            self.status.say(f"It went wrong: {ended.error}", "ik-bad")
        else:
            self.report = ended.result
            self.panel.value = str(report_html(ended.result))
            self.status.say(*_report_sentence(ended.result))
        self._settle()

    def _start(self, sentence: str, work: Callable[[], Any]) -> Callable[[Callable[[None], None]], Any]:
        with self._starting:
            if self.status.busy:
                raise LabError("something of this view that has not ended yet")
            self.status.busy = True
        self.status.say(sentence)
        self._settle()
        return lambda _tell: work()

    def _held(self, planned: QueueWish) -> list[str]:
        try:
            return planned.holders()
        except KitError as error:
            return [str(error)]


def plan_for(queues: Queues, wish: str, message: str, *, now_s: int) -> QueueWish:
    """Plan a wish as the fields say it.

    Args:
        queues: The queues.
        wish: A name of WISHES.
        message: "queue1/660188", or a number that one queue has.
        now_s: Time (unit: s since 1970).

    Raises:
        QueueError: There is no such message, more than one, or it cannot be planned.
    """
    if wish == "repair":
        return plan_repairs(queues.layouts, now_s=now_s)
    found = plan_wishes(*layouts_of(queues, message), wish=wish, now_s=now_s)
    if len(found) > 1:
        names = ", ".join(one.layouts[0].name for one in found)
        raise QueueError(f"the message is in more than one queue: {names}; name one", exit_code=MESS_FILE)
    return found[0]


def layouts_of(queues: Queues, message: str) -> tuple[tuple[QueueLayout, ...], int]:
    """Return the queues that may have a message, and its number.

    Args:
        queues: The queues.
        message: "queue1/660188", or a number.

    Raises:
        QueueError: It is neither, or there is no such queue.
    """
    match = _MESSAGE.fullmatch(message.strip())
    if match is None:
        raise QueueError('a message is needed, as in "queue1/660188"', exit_code=MESS_FILE)
    return (queues.layouts if match[1] is None else (queues.layout(match[1]),)), int(match[2])


def _do(planned: QueueWish, tell: Callable[[Step], None]) -> Report:
    """Do a plan, unless somebody holds one of its queues; each step looks again."""
    held = planned.holders()
    if held:
        return Report(planned.plan, is_confirmed=True, done=(), problem="; ".join(held))
    return run_plan(planned.plan, confirm=lambda _text: True, on_step=tell)


def _plan_sentence(planned: QueueWish, held: list[str]) -> tuple[str, str]:
    if held:
        return f"{held[0]}. Nothing can be done while it is so.", "ik-bad"
    if not planned.plan.steps:
        left = f" {counted(len(planned.refused), 'thing')} cannot be repaired, see why." if planned.refused else ""
        return f"Nothing to do.{left}", "ik-quiet"
    lasting = sum(bool(step.cannot_undo) for step in planned.plan.steps)
    told = f"{lasting:,} of them cannot be undone" if lasting else "all can be undone"
    return f"{counted(len(planned.plan), 'step')}, {told}. Read, tick the box, then press Do it.", "ik-quiet"


def _report_sentence(report: Report) -> tuple[str, str]:
    if report.is_done:
        return f"Done: {counted(len(report.done), 'step')}. {report.plan.title}.", "ik-good"
    return f"Stopped after {counted(len(report.done), 'step')}: {report.problem}. Make a new plan.", "ik-bad"
