"""CasePanel: a broken server to practise on; its complaint, a clock, and buttons for a hint and for the grade."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import ipywidgets as w
import traitlets as t

from indimail_kit import course
from indimail_kit.errors import KitError, LabError
from indimail_kit.lab.case import Grade
from indimail_kit.lab.case_file import OpenCase
from indimail_kit.visible import visible
from indimail_kit.widgets.auth_markup import heading_html, standalone
from indimail_kit.widgets.html import Html, join, tag
from indimail_kit.widgets.markup import command_html, facts_html
from indimail_kit.widgets.runner import Ended, run, run_here
from indimail_kit.widgets.static_view import StaticView
from indimail_kit.widgets.status_line import StatusLine

TITLE: Final = "A server in trouble"
IDLE: Final = "Start it, and write down your station before you look."
RUNS: Final = "It runs. Look, repair, and let it be graded."

Work = Callable[[], "OpenCase | Grade | str"]
"""What a button does, slowly: start, grade, or ask for a hint."""


class CasePanel(StaticView, w.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """A broken server: what its people say, where it is, the hints that were given, and how it stands.

    `lab.start_case` and the case's own `hint` and `grade` give the same as values; so does ``indimail-kit case``.

    Attributes:
        case: The server; None before it is started.
        grade: The last grade, None before the first.
        hints: The hints that were given here, oldest first.
        start_button: Starts the server of an exercise.
        hint_button: Asks for the next hint.
        grade_button: Lets the server be graded.
    """

    case = t.Instance(OpenCase, allow_none=True)
    grade = t.Instance(Grade, allow_none=True)
    hints = t.Tuple()

    def __init__(self, case: OpenCase | str, **traits: Any) -> None:
        """Show a case.

        Args:
            case: What `lab.start_case` or `lab.open_case` returned; or the number of an exercise with a server, as
                "06.3", which the button starts.
            traits: Other traits.

        Raises:
            KeyError: There is no such exercise, or its answer is no server.
            LabError: The case has ended.
        """
        self._number = case if isinstance(case, str) else ""
        self._starting = threading.Lock()
        self._goal, said = "", ""
        if isinstance(case, OpenCase):
            said = case.complaint
        else:
            task = course.task(case)
            self._goal, said = task.goal, str(task["people say"])
        self._complaint = " ".join(said.split())
        self.status = StatusLine(sentence=IDLE)
        self.panel, header = w.HTML(), w.HTML(str(heading_html(TITLE, self._number)))
        self.start_button = w.Button(description="Start", tooltip="Starts the server of this exercise")
        self.hint_button = w.Button(description="Hint", tooltip="Gives the next hint; it is counted")
        self.grade_button = w.Button(description="Grade", tooltip="Looks at the server and sends mail to try it")
        buttons = [*([self.start_button] if self._number else []), self.hint_button, self.grade_button]
        fields = w.HBox(buttons)
        fields.add_class("ik-desk-fields")
        super().__init__(children=[header, fields, self.status, self.panel], **traits)
        self.add_class("ik-journey")
        for part in (header, self.panel):
            part.add_class("ik-html")
        self.start_button.on_click(lambda _button: self._beside("Starting …", self._start))
        self.hint_button.on_click(lambda _button: self._beside("Asking …", self._ask))
        self.grade_button.on_click(lambda _button: self._beside("Looking at the server …", self._judge))
        self.case = course.running_case(self._number) if isinstance(case, str) else case
        self._draw()

    def __repr__(self) -> str:
        """Return the view in words."""
        return visible(f"CasePanel: {self._complaint} {self.status.sentence}")

    def static_html(self) -> str:
        """Return the same as HTML that needs no kernel."""
        said = tag("p", self.status.sentence, cls="ik-status ik-quiet")
        return str(standalone(heading_html(TITLE, self._number), said, self._panel_html(), label=TITLE))

    # -- deeds, also from Python -------------------------------------------------------------------------------------

    def start(self) -> OpenCase | None:
        """Start the server of the exercise, in place of one that runs, and wait until it is there."""
        self._here("Starting …", self._start)
        return self.case

    def grade_now(self) -> Grade | None:
        """Let the server be graded and wait for it; None when there is none."""
        self._here("Looking at the server …", self._judge)
        return self.grade

    def _here(self, what: str, work: Work) -> None:
        self._end(run_here(self._begin(what, work), lambda _none: None))

    def _beside(self, what: str, work: Work) -> None:
        if not self.status.busy:
            run(lambda: self._begin(what, work), lambda _none: None, self._end)

    def _begin(self, what: str, work: Work) -> Callable[[Callable[[None], None]], OpenCase | Grade | str]:
        with self._starting:
            if self.status.busy:
                raise LabError("something of this view that has not ended yet")
            self.status.busy = True
        self.status.say(what)
        self._allow(False)
        return lambda _tell: work()

    def _start(self) -> OpenCase:
        return course.start_case(self._number)

    def _ask(self) -> str:
        return self._running().hint()

    def _judge(self) -> Grade:
        return self._running().grade()

    def _running(self) -> OpenCase:
        if self.case is None:
            raise LabError("the server was not started")
        return self.case

    def _end(self, ended: Ended[OpenCase | Grade | str]) -> None:
        self.status.busy = False
        result = ended.result
        if isinstance(result, OpenCase):
            self.case, self.grade, self.hints = result, None, ()
            self.status.say(RUNS)
        elif isinstance(result, Grade):
            self.grade = result
            self.status.say(result.title, "ik-good" if result.is_solved else "ik-bad")
        elif result is not None:
            self.hints = (*self.hints, result) if result not in self.hints else self.hints
            self.status.say(result)
        else:
            self.status.say(f"Nothing was done: {ended.error}", "ik-bad")
        self._draw()

    # -- what is seen ------------------------------------------------------------------------------------------------

    def _allow(self, is_free: bool) -> None:
        self.start_button.disabled = not is_free
        self.hint_button.disabled = self.grade_button.disabled = not is_free or self.case is None

    def _draw(self) -> None:
        self._allow(True)
        if self.case is not None and self.status.sentence == IDLE:
            self.status.say(RUNS)
        self.start_button.description = "Start" if self.case is None else "Start anew"
        self.panel.value = str(self._panel_html())

    def _panel_html(self) -> Html:
        parts = [tag("p", self._complaint, cls="ik-sentence")]
        parts += [tag("p", self._goal, cls="ik-hint")] if self._goal else []
        if self.case is not None:
            parts.append(self._places_html(self.case))
        parts += [tag("p", hint, cls="ik-hint") for hint in self.hints]
        if self.grade is not None:
            parts += [
                tag("p", f"{'✓' if one.is_good else '✕'} {one.text}", cls=f"ik-status {_TONES[one.is_good]}")
                for one in self.grade.findings
            ]
        return tag("div", *parts, cls="ik-panel")

    @staticmethod
    def _places_html(case: OpenCase) -> Html:
        try:
            host, port = case.smtp
        except (KitError, OSError):
            return tag("p", "This server has ended.", cls="ik-empty")
        facts = [("SMTP", f"{host} {port}"), ("directory", str(case.directory)), ("queue", str(case.queue_base))]
        facts += [(f"log of {name}", str(path)) for name, path in case.logs.items()]
        facts += [("here", case.conditions)] if case.conditions else []
        return join([facts_html(facts), command_html(f"indimail-kit case grade {case.directory}")])


_TONES: Final = {True: "ik-good", False: "ik-bad"}
"""Whether a finding is good -> tone of its line."""
