"""ScanPanel: drop or write a mail, choose scanner and policy, and see which way it takes through the decision."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

import anywidget
import ipywidgets as w
import traitlets as t

from indimail_kit.errors import LabError
from indimail_kit.lab.journey import Journey, Station
from indimail_kit.lab.scanner_troubles import TROUBLES
from indimail_kit.qhpsi.embedded import EmbeddedScanner
from indimail_kit.visible import visible
from indimail_kit.widgets import scan_markup
from indimail_kit.widgets.auth_markup import heading_html
from indimail_kit.widgets.html import EMPTY, Html, style_sheet
from indimail_kit.widgets.ladder import ladder, lit, path_of_journey
from indimail_kit.widgets.policy_markup import endings_html
from indimail_kit.widgets.runner import Ended, run, run_here
from indimail_kit.widgets.scan_form import IDLE, ScanForm
from indimail_kit.widgets.scripts import script
from indimail_kit.widgets.sends_mail import SendsMail
from indimail_kit.widgets.static_view import StaticView

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from indimail_kit.qhpsi.verdict import Scanner

ON_ITS_WAY: Final = "On its way …"


class ScansMail(SendsMail, Protocol):
    """What ScanPanel needs of a lab."""

    @property
    def qhpsi(self) -> str:
        """The value of QHPSI that stands for the lab's own scanner."""

    def set_variable(self, name: str, value: str | None) -> None:
        """Set or remove a variable of the SMTP service."""

    def asking(self, scanner: Scanner) -> AbstractContextManager[None]:
        """Ask another scanner for a while."""

    def scanner_trouble(self, kind: Any) -> AbstractContextManager[object]:
        """Bring the scanner into trouble for a while."""


class DecisionTree(anywidget.AnyWidget):
    """The questions of qmail-queue as a ladder; the way of a mail is lit.

    Attributes:
        rungs: What is drawn, see `ladder.ladder`.
        lit: The nodes of the way with the answers given.
    """

    _esm = script("decision_tree.js")
    _css = style_sheet()

    rungs = t.List(t.Dict()).tag(sync=True)
    lit = t.List(t.List(t.Unicode())).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(rungs=ladder(), **traits)


class ScanPanel(StaticView, w.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """A mail, a scanner, a policy, and what comes of it: the way through the decision, and the proof of each claim.

    A dropped mail is no widget state: its octets come as a message and go through the lab, and what is shown of it
    afterwards holds none of its text, so that no saved notebook has it. The switches set the lab's variables when the
    mail is sent, and they stay so. `Lab.send` gives the same as a value, `scan_html` as HTML.

    Attributes:
        lab: The lab that sends.
        last_journey: The journey that is shown, None before the first.
        form: The fields, see `ScanForm`.
        tree: The decision.
        panel: What came of the mail.
        table: The scans so far.
    """

    last_journey = t.Instance(Journey, allow_none=True)

    def __init__(self, lab: ScansMail, **traits: Any) -> None:
        self.lab = lab
        troubles = [(trouble.title, kind) for kind, trouble in TROUBLES.items()]
        self.form = ScanForm(users=lab.users, qhpsi=lambda: self.lab.qhpsi, troubles=troubles, on_send=self._on_send)
        self.tree = DecisionTree()
        self.header, self.panel, self.table = w.HTML(), w.HTML(), w.HTML()
        legend = w.HTML(str(endings_html()))
        self._starting = threading.Lock()
        children = [self.header, self.form, self.tree, self.panel, self.table, legend]
        super().__init__(children=children, **traits)
        self.add_class("ik-journey")
        for part in (self.header, self.panel, self.table, legend):
            part.add_class("ik-html")
        self.form.observe(self._on_shown, "shown")
        self._draw_table()

    def __repr__(self) -> str:
        """Return the view in words."""
        count = len(self.lab.journeys)
        return visible(f"ScanPanel: {count} scans so far, scanner {self.lab.scanner_name}. {self.form.sentence}")

    def static_html(self) -> str:
        """Return the same as HTML that needs no kernel."""
        return str(scan_markup.panel_html(self.lab.journeys, self.last_journey, place=self._place()))

    def drop(self, octets: bytes, name: str = "") -> None:
        """Hold a whole mail, as if it had been dropped; see `ScanForm.drop`.

        Raises:
            LabError: The mail is larger than may be dropped, or empty.
        """
        self.form.drop(octets, name)

    def send(self) -> Journey:
        """Set the variables, send the mail of the form, wait for its end, and return its journey.

        Raises:
            LabError: A mail of this view is on its way, or the lab could not send.
        """
        ended = run_here(self._begin(), lambda _station: None)
        self._end(ended)
        return ended.outcome()

    def close(self) -> None:
        """Close the view and forget the dropped mail."""
        self.form.close()
        super().close()

    def _on_send(self) -> None:
        if not self.form.busy:
            run(self._begin, lambda _station: None, self._end)

    def _begin(self) -> Callable[[Callable[[Station], None]], Journey]:
        with self._starting:
            if self.form.busy:
                raise LabError("a mail of this view is on its way")
            self.form.busy = True
        self.form.tone, self.form.sentence = "ik-quiet", ON_ITS_WAY
        order, variables = self.form.order(), self.form.policy.variables()
        scanner, trouble = self.form.scanner, self.form.trouble
        return lambda tell: self._deliver(order, variables, scanner, trouble, tell)

    def _deliver(
        self, order: dict[str, Any], variables: dict[str, str | None], scanner: str, trouble: str, tell: Any
    ) -> Journey:
        """Do the slow work, in a thread of its own."""
        for name, value in variables.items():
            self.lab.set_variable(name, value)
        with contextlib.ExitStack() as stack:
            if scanner == "embedded":
                stack.enter_context(self.lab.asking(EmbeddedScanner()))
            elif trouble and scanner == "lab":
                stack.enter_context(self.lab.scanner_trouble(trouble))
            return self.lab.send(**order, on_station=tell)

    def _end(self, ended: Ended[Journey]) -> None:
        self.form.busy, self.form.shown = False, 0
        if ended.result is not None:
            self.last_journey = ended.result
        else:
            self.form.tone, self.form.sentence = "ik-bad", self._failure(ended.error)
        self._draw_table()

    def _failure(self, error: BaseException | None) -> str:
        start = "" if self.lab.is_running else "start the lab with lab.start(), then "
        what = f"{type(error).__name__}: {error}".rstrip(".")
        return visible(f"The lab could not send this mail. {what}. What to do: {start}correct the form and press Send.")

    @t.observe("last_journey")
    def _on_journey(self, change: t.Bunch) -> None:
        journey = change.new
        self.tree.lit = lit(path_of_journey(journey)) if journey else []
        self.form.tone = scan_markup.tone(journey) if journey else "ik-quiet"
        self.form.sentence = scan_markup.sentence(journey) if journey else IDLE
        self.panel.value = str(scan_markup.result_html(journey, has_buttons=True) if journey else EMPTY)

    def _on_shown(self, change: t.Bunch) -> None:
        journeys = self.lab.journeys
        if 1 <= change.new <= len(journeys) and not self.form.busy:
            self.last_journey = journeys[change.new - 1]

    def _draw_table(self) -> None:
        self.header.value = str(self._header())
        self.table.value = str(scan_markup.scans_html(self.lab.journeys, has_buttons=True))

    def _place(self) -> str:
        return f"scanner: {self.lab.scanner_name}" if self.lab.is_running else "The lab is stopped: lab.start()"

    def _header(self) -> Html:
        return heading_html(scan_markup.TITLE, self._place())
