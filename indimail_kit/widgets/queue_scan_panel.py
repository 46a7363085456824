"""QueueScanPanel: a message of a live queue, by its number, before a scanner of today."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as w
import traitlets as t

from indimail_kit.admin.queue_scan import QueuedScan, scan_queued
from indimail_kit.errors import LabError, QueueError
from indimail_kit.mailqueue.queues import Queues, open_queues
from indimail_kit.qhpsi.embedded import EmbeddedScanner
from indimail_kit.qhpsi.verdict import Verdict
from indimail_kit.visible import visible
from indimail_kit.widgets.auth_markup import heading_html, standalone
from indimail_kit.widgets.html import EMPTY, Html, tag
from indimail_kit.widgets.markup import command_html, facts_html, verdict_html
from indimail_kit.widgets.plan_panel import layouts_of
from indimail_kit.widgets.runner import Ended, run, run_here
from indimail_kit.widgets.static_view import StaticView
from indimail_kit.widgets.status_line import StatusLine

if TYPE_CHECKING:
    import os

    from indimail_kit.qhpsi.verdict import Scanner

TITLE: Final = "Scan a message that waits"
IDLE: Final = "Name a message, as in queue1/660188. The scanner sees a copy; the queue does not notice."


class QueueScanPanel(StaticView, w.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """What a scanner says now of a message that lies in a queue.

    `admin.scan_queued` gives the same as a value, `indimail-kit queue scan N` in a terminal.

    Attributes:
        queues: Where the message is.
        message: "queue1/660188", or a number.
        scan: The last answer, None before the first.
        scan_button: Asks the scanner.
    """

    message = t.Unicode("")
    scan = t.Instance(QueuedScan, allow_none=True)

    def __init__(
        self,
        queues: Queues | str | os.PathLike[str],
        *,
        scanner: Callable[[], Scanner] = EmbeddedScanner,
        scanner_name: str = "the built-in scanner with a few teaching rules, no clamd",
        **traits: Any,
    ) -> None:
        """Scan in queues.

        Args:
            queues: What `open_queues` returned, or the path of a queue or of a base.
            scanner: Gives who is asked; called for each scan.
            scanner_name: Who that is, for a person.
            traits: Other traits.

        Raises:
            QueueError: There is no queue at this place.
        """
        self.queues = queues if isinstance(queues, Queues) else open_queues(queues)
        self._scanner, self._starting = scanner, threading.Lock()
        self._place = f"scanner: {scanner_name}"
        self.status = StatusLine(sentence=IDLE)
        self.panel, header = w.HTML(), w.HTML(str(heading_html(TITLE, self._place)))
        field = w.Text(description="message", placeholder="queue1/660188", continuous_update=False)
        field.style.description_width = "5em"
        self.scan_button = w.Button(description="Scan", tooltip="Scans a copy of the message")
        fields = w.HBox([field, self.scan_button])
        fields.add_class("ik-desk-fields")
        super().__init__(children=[header, fields, self.status, self.panel], **traits)
        self.add_class("ik-journey")
        for part in (header, self.panel):
            part.add_class("ik-html")
        t.link((self, "message"), (field, "value"))
        self.scan_button.on_click(lambda _button: self.scan_beside())

    def __repr__(self) -> str:
        """Return the view in words."""
        return visible(f"QueueScanPanel: {self._place}. {self.status.sentence}")

    def static_html(self) -> str:
        """Return the same as HTML that needs no kernel."""
        said = tag("p", self.status.sentence, cls="ik-status ik-quiet")
        return str(standalone(heading_html(TITLE, self._place), said, self._scan_html(), label=TITLE))

    def scan_now(self) -> QueuedScan:
        """Scan the message and wait for the answer.

        Raises:
            QueueError: There is no such message.
            ScanError: The scanner's address is none.
            LabError: A scan of this view is under way.
        """
        ended = run_here(self._begin(), lambda _none: None)
        self._end(ended)
        return ended.outcome()

    def scan_beside(self) -> None:
        """Begin a scan and go on; nothing while one is under way."""
        if not self.status.busy:
            run(self._begin, lambda _none: None, self._end)

    def _begin(self) -> Callable[[Callable[[None], None]], QueuedScan]:
        with self._starting:
            if self.status.busy:
                raise LabError("a scan of this view that has not ended yet")
            self.status.busy = True
        self.status.say("Scanning …")
        self.scan_button.disabled = True
        message = self.message
        return lambda _tell: self._look(message)

    def _look(self, message: str) -> QueuedScan:
        """Do the slow work: the first of the queues that has the message."""
        layouts, number = layouts_of(self.queues, message)
        problem: QueueError | None = None
        for layout in layouts:
            try:
                return scan_queued(layout, number, scanner=self._scanner())
            except QueueError as error:
                problem = problem or error
        raise problem or LabError("no queue")

    def _end(self, ended: Ended[QueuedScan]) -> None:
        self.status.busy = self.scan_button.disabled = False
        self.scan = ended.result
        if ended.result is None:
            self.status.say(f"Not scanned: {ended.error}", "ik-bad")

    @t.observe("message")
    def _on_message(self, _change: object) -> None:
        self.scan = None
        self.status.say(IDLE)

    @t.observe("scan")
    def _on_scan(self, change: t.Bunch) -> None:
        self.panel.value = str(self._scan_html())
        if change.new is not None:
            self.status.say(change.new.sentence, _TONES[change.new.answer.verdict])

    def _scan_html(self) -> Html:
        scan = self.scan
        if scan is None:
            return EMPTY
        answer = scan.answer
        facts = [("message", f"{scan.queue}/{scan.message_number}"), ("file", scan.path)]
        facts += [("size", f"{scan.size_bytes:,} octets"), ("scanner", answer.scanner or "-")]
        facts += [(name, text) for name, text in (("signature", answer.signature), ("why", answer.reason)) if text]
        command = f"indimail-kit queue scan {scan.message_number} --queue {self.queues.layout(scan.queue).directory}"
        head = tag("p", verdict_html(answer.verdict.value), cls="ik-sentence")
        return tag("section", head, facts_html(facts), command_html(command), cls="ik-panel", aria_label=TITLE)


_TONES: Final = {
    Verdict.CLEAN: "ik-good",
    Verdict.INFECTED: "ik-bad",
    Verdict.NOT_SCANNED: "ik-bad",
    Verdict.ERROR: "ik-bad",
}
"""Verdict -> tone of the sentence."""
