"""TraceView: ask for one message, and see its story as a time line: evidence, how sure it is, and what is missing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as w
import traitlets as t

from indimail_kit.errors import KitError, TraceError
from indimail_kit.trace import Trace
from indimail_kit.trace.question import Question, parse_question
from indimail_kit.visible import visible
from indimail_kit.widgets.auth_markup import heading_html, standalone
from indimail_kit.widgets.html import EMPTY, tag
from indimail_kit.widgets.markup import command_html
from indimail_kit.widgets.queue_words import count_text
from indimail_kit.widgets.runner import Ended, run, run_here
from indimail_kit.widgets.static_view import StaticView
from indimail_kit.widgets.trace_grid import TraceGrid
from indimail_kit.widgets.trace_markup import TITLE, candidates_html, story_html
from indimail_kit.widgets.trace_raw import OpenedEvidence, opened_html, raw_evidence
from indimail_kit.widgets.trace_rows import (
    CHIPS,
    TracePage,
    candidates_page,
    confidence_text,
    story_page,
    story_sentence,
)
from indimail_kit.widgets.trace_sources import LogSource, QueueSource, command_text, make_tracer, place_text

if TYPE_CHECKING:
    from indimail_kit.trace import ClockName, Evidence, Recording, Tracer

IDLE: Final = "Ask by message number, by qp, or by an address; a time may follow a comma."
ASKING: Final = "Looking …"


class TraceView(StaticView, w.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """The story of one message: evidence as a time line, each line certain, likely or possible, and each gap.

    `trace.message`, `trace.qp` and `trace.address` give the same as a value, `indimail-kit trace` in a terminal.

    Attributes:
        asked: The question: "660188", "qp 6543", "bob@example.com, 2026-11-22 14:12". Set it, and `trace` is there.
        trace: The answer; None before a question, and where nothing tells of such a message. One that is set is shown.
        chosen: Which of `trace.candidates` is shown; -1 while several fit and none is chosen.
        page: Which page of the rows, from 1.
        opened: "e3" is the fourth piece of evidence; "" for none.
        shown: The opened row with its octets, None for none.
        tracer: What is asked.
        grid: The part that a browser draws.
    """

    asked = t.Unicode("")
    trace = t.Instance(Trace, allow_none=True)
    chosen = t.Int(-1, min=-1)
    page = t.Int(1, min=1)
    opened = t.Unicode("")
    shown = t.Instance(OpenedEvidence, allow_none=True)

    def __init__(
        self,
        tracer: Tracer | None = None,
        *,
        logs: Iterable[LogSource] = (),
        queues: QueueSource | None = None,
        mails: Iterable[str | os.PathLike[str]] = (),
        recordings: Iterable[Recording] = (),
        ahead_s: Mapping[ClockName, float] | None = None,
        **traits: Any,
    ) -> None:
        """Get ready to be asked.

        Args:
            tracer: A tracer; the sources below are for one that is made here.
            logs: Logs, or what `logs.read` takes, each a log of its own.
            queues: Queues, or where they are.
            mails: Maildirs, or files with a delivered mail.
            recordings: Recorded SMTP sessions.
            ahead_s: Clock ("session", "scan", "mail") -> seconds that it is ahead of qmail-send's host (unit: s).
            traits: Other traits; `asked` is answered at once.

        Raises:
            FormatError: A directory holds no log.
            OSError: A file cannot be read.
            QueueError: A queue cannot be opened.
            TraceError: See `trace.Tracer`.
        """
        self.tracer = make_tracer(logs, queues, mails, recordings, ahead_s) if tracer is None else tracer
        self.grid = TraceGrid()
        self._page: TracePage | None = None
        self._is_settling = False
        own = {name: traits.pop(name) for name in ("asked", "chosen", "page", "opened") if name in traits}
        super().__init__(children=[self.grid], **traits)
        self.add_class("ik-journey")
        for name in ("page", "opened"):
            t.link((self, name), (self.grid, name))
        self.grid.on_msg(self._on_message)
        self.grid.say(IDLE)
        self._draw()
        for name, value in own.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        """Return the view in words."""
        story = self.story
        if story is None:
            return visible(f"TraceView: {place_text(self.tracer)}. {self.grid.sentence}")
        sure = f"{story.confidence}: {story.reason}"
        return visible(f"TraceView of {story.question}: {story.message}. {sure}. {story_sentence(story)}")

    def static_html(self) -> str:
        """Return the same as HTML that needs no kernel."""
        story, trace = self.story, self.trace
        parts = [tag("p", self.grid.sentence, cls=f"ik-status {self.grid.tone}")]
        if story is not None:
            parts += [story_html(story), EMPTY if self.shown is None else opened_html(self.shown)]
        elif trace is not None:
            parts.append(candidates_html(trace, self.page))
        place = tag("p", place_text(self.tracer), cls="ik-place")
        heading = heading_html(TITLE, visible(self.asked))
        return str(standalone(heading, place, *parts, command_html(self._command()), label=TITLE))

    # -- what is looked at -------------------------------------------------------------------------------------------

    @property
    def story(self) -> Trace | None:
        """Return the story that is shown; None while there is none, or none is chosen."""
        if self.trace is None or self.chosen < 0:
            return None
        return self.trace.candidates[self.chosen].alone() if self.trace.others else self.trace

    @property
    def rows(self) -> TracePage | None:
        """Return the page that is shown, None while there is no answer."""
        return self._page

    def close(self) -> None:
        """Close the view and forget the answer."""
        self._page = None
        self.grid.close()
        super().close()

    def _evidence(self, key: str) -> Evidence | None:
        story = self.story
        is_key = key[:1] == "e" and key[1:].isascii() and key[1:].isdigit() and len(key) < 12
        if story is None or not is_key or int(key[1:]) >= len(story.evidence):
            return None
        return story.evidence[int(key[1:])]

    @t.validate("opened")
    def _check_opened(self, proposal: t.Bunch) -> str:
        if proposal.value and self._evidence(proposal.value) is None:
            raise t.TraitError('a row of the story, as in "e3", or nothing')
        return str(proposal.value)

    @t.validate("chosen")
    def _check_chosen(self, proposal: t.Bunch) -> int:
        most = 0 if self.trace is None else len(self.trace.candidates)
        if proposal.value >= most:
            raise t.TraitError(f"one of the {most} messages that fit, counted from 0, or -1")
        return int(proposal.value)

    # -- a question --------------------------------------------------------------------------------------------------

    @t.observe("asked")
    def _on_asked(self, change: t.Bunch) -> None:
        if not self._is_settling:
            self._answer(change.new, run_here(self._begin(change.new), lambda _none: None))

    def _begin(self, asked: str) -> Any:
        self.grid.busy = True
        self.grid.say(ASKING)
        return lambda _tell: parse_question(asked).ask(self.tracer)

    def _answer(self, asked: str, ended: Ended[Trace]) -> None:
        """Show an answer, or why there is none."""
        self.grid.busy = False
        self._settle(asked, ended.result)
        if ended.result is None and asked.strip():
            is_ours = isinstance(ended.error, KitError | OSError)
            kind = "" if is_ours else f"{type(ended.error).__name__}: "
            self.grid.say(f"No answer: {kind}{ended.error}.", "ik-bad")

    @t.observe("trace")
    def _on_trace(self, change: t.Bunch) -> None:
        if not self._is_settling:
            self._settle(self.asked, change.new)

    def _settle(self, asked: str, trace: Trace | None) -> None:
        """Take an answer, and show it from its beginning."""
        self._is_settling = True
        try:
            self.opened, self.chosen, self.page = "", -1, 1
            self.asked, self.trace = asked, trace
            self.chosen = -1 if trace is None or trace.others else 0
        finally:
            self._is_settling = False
        self._say()
        self._draw()

    def _on_message(self, _grid: object, content: dict[str, Any], _buffers: object) -> None:
        """Do what the page asks for; what nobody can ask for is left alone."""
        asked, chosen = content.get("ask"), content.get("choose")
        if isinstance(asked, str) and not self.grid.busy:
            run(lambda: self._begin(asked), lambda _none: None, lambda ended: self._answer(asked, ended))
        elif isinstance(chosen, int) and self.trace is not None and -1 <= chosen < len(self.trace.candidates):
            self.chosen = chosen

    # -- what is shown -----------------------------------------------------------------------------------------------

    @t.observe("chosen")
    def _on_chosen(self, _change: object) -> None:
        if not self._is_settling:
            self.opened, self.page = "", 1
            self._say()
            self._draw()

    @t.observe("page")
    def _on_page(self, _change: object) -> None:
        if not self._is_settling:
            self._draw()

    def _say(self) -> None:
        story, trace = self.story, self.trace
        if story is not None:
            self.grid.say(story_sentence(story), "ik-good" if story.confidence == "certain" else "ik-quiet")
        elif trace is not None:
            self.grid.say(f"{count_text(len(trace.candidates), 'message')} fit. Choose one; a time would tell.")
        else:
            self.grid.say(IDLE)

    def _draw(self) -> None:
        story, trace = self.story, self.trace
        self._page = None
        if story is not None:
            self._page = story_page(story, self.page)
        elif trace is not None:
            self._page = candidates_page(trace.candidates, self.page)
        verdict = None
        if story is not None:
            cls = CHIPS[story.confidence]
            verdict = [confidence_text(story.confidence), cls, visible(story.reason), visible(str(story.message))]
        self.grid.draw(
            place=visible(place_text(self.tracer)),
            asked=visible(self.asked),
            verdict=verdict,
            others=0 if trace is None else len(trace.others),
            table=None if self._page is None else self._page.as_document(),
            opened=None if self.shown is None else self.shown.as_document(),
            command=visible(self._command()),
            without="without the recorded sessions" if self.tracer.has_recordings else "",
        )
        if self._page is not None and self.page != self._page.number:
            self.page = self._page.number

    def _command(self) -> str:
        if self.trace is None:
            return ""
        story = self.story
        if story is None or not self.trace.others or story.message.lifetime is None:
            return self._asked_command()
        one = story.message  # one of several: the command names it, and not what was asked
        asked = Question(message_number=one.message_number, queue=one.queue, lifetime=one.lifetime)
        return command_text(self.tracer, asked)

    def _asked_command(self) -> str:
        """Return the command for the question; "" for a trace that was set, and not asked for."""
        try:
            return command_text(self.tracer, parse_question(self.asked))
        except TraceError:
            return ""

    @t.observe("opened")
    def _on_opened(self, change: t.Bunch) -> None:
        evidence = self._evidence(change.new) if change.new else None
        if evidence is None:
            self.shown = None
            self.grid.draw(opened=None)
            return
        key = change.new

        def work(_tell: object) -> OpenedEvidence:
            return OpenedEvidence(key, evidence, raw_evidence(self.tracer, evidence))

        run(lambda: work, lambda _none: None, self._on_raw)

    def _on_raw(self, ended: Ended[OpenedEvidence]) -> None:
        if ended.result is None:
            self.grid.say(f"The octets cannot be read: {ended.error}.", "ik-bad")
        elif ended.result.key == self.opened:
            self.shown = ended.result
            self.grid.draw(opened=ended.result.as_document())
