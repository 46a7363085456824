"""LogExplorer: a log to look through, from lines per minute over tables that filter each other to the raw lines."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as w
import traitlets as t

from indimail_kit.errors import KitError, LabError
from indimail_kit.visible import visible
from indimail_kit.widgets.auth_markup import heading_html, standalone
from indimail_kit.widgets.html import EMPTY, tag
from indimail_kit.widgets.log_bars import bars_document, bars_of, bars_sentence
from indimail_kit.widgets.log_grid import LogGrid
from indimail_kit.widgets.log_pages import (
    VIEWS,
    LogPage,
    chosen_sentence,
    counts_of,
    page_html,
    page_of,
    understood_text,
)
from indimail_kit.widgets.log_raw import MAX_LINES, Opened, opened_html, raw_command, read_raw
from indimail_kit.widgets.log_rows import lines_of_row, title_of
from indimail_kit.widgets.log_source import ReadLog, Source, moment_ns, read_sources
from indimail_kit.widgets.log_tables import OUTCOMES, Chosen, Filters, LogTables
from indimail_kit.widgets.markup import command_html
from indimail_kit.widgets.queue_words import count_text, moment_text
from indimail_kit.widgets.runner import Ended, run, run_here
from indimail_kit.widgets.static_view import StaticView

if TYPE_CHECKING:
    import pandas as pd

    from indimail_kit.logs.log import Log
    from indimail_kit.widgets.log_tables import Positions

TITLE: Final = "The log"
IDLE: Final = "Drop log files here, or choose them. They are read in this kernel; no saved notebook has them."
READING: Final = "Reading the log …"
_LINKED: Final = ("view", "outcome", "text", "page", "opened")


class LogExplorer(StaticView, w.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """A log to look through: how many lines when, which messages, deliveries and reasons, and their raw lines.

    `log.messages`, `log.deliveries` and `log.events` give the same as DataFrames, `indimail-kit logs` in a terminal.
    A browser is sent one page of rows, never the log.

    Attributes:
        view: "messages", "deliveries", "reasons" or "unknown".
        span: First and last moment that is shown, the last one left out (unit: ns since 1970); None for all times.
        outcome: One of `log_tables.OUTCOMES`; "" for all.
        text: Part of a sender or recipient; "" for all.
        reason: Number of a reason; -1 for all.
        message: Row of a message in `log.messages`; -1 for all.
        page: Which page, from 1.
        opened: "m17" is the message of row 17, "d3" a delivery, "r0" a reason, "u99" an unknown line; "" for none.
        shown: The opened row's lines, None for none.
        grid: The part that a browser draws.
    """

    view = t.Enum(VIEWS, default_value="messages")
    span = t.Any(None)
    outcome = t.Enum(("", *OUTCOMES), default_value="")
    text = t.Unicode("")
    reason = t.Int(-1, min=-1)
    message = t.Int(-1, min=-1)
    page = t.Int(1, min=1)
    opened = t.Unicode("")
    shown = t.Instance(Opened, allow_none=True)

    def __init__(self, *sources: Source, **traits: Any) -> None:
        """Show a log.

        Args:
            sources: A `Log`; or what `logs.read` takes: files, multilog directories, octets. Without one, the view
                waits for files that are dropped.
            traits: Other traits.

        Raises:
            FormatError: A directory holds no log.
            OSError: A file cannot be read.
        """
        self.grid = LogGrid()
        self._starting = threading.Lock()
        self._read: ReadLog | None = None
        self._chosen: Chosen | None = None
        self._page: LogPage | None = None
        own = {name: traits.pop(name) for name in ("span", "reason", "message", *_LINKED) if name in traits}
        super().__init__(children=[self.grid], **traits)
        self.add_class("ik-journey")
        for name in _LINKED:
            t.link((self, name), (self.grid, name))
        self.grid.on_files = self._on_files
        self.grid.observe(self._on_brush, "brush")
        self.grid.on_msg(self._on_message)
        if sources:
            self._show(read_sources(sources))
        else:
            self._draw()
        for name, value in own.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        """Return the view in words."""
        if self._read is None:
            return "LogExplorer: no log yet. Drop files into it, or give it a path."
        log = self._read.tables.log
        understood = understood_text(len(log), len(self._read.tables.unknown))
        return visible(f"LogExplorer: {self._read.place}, {understood}. {self.grid.sentence}")

    def static_html(self) -> str:
        """Return the same as HTML that needs no kernel; of dropped files only how many lines there are."""
        read, page = self._read, self._page
        if read is None or page is None:
            return str(standalone(heading_html(TITLE), tag("p", IDLE, cls="ik-empty"), label=TITLE))
        tables = read.tables
        understood = tag("p", understood_text(tables.count, len(tables.unknown)), cls="ik-sentence")
        if read.is_private:
            note = tag("p", "Its files were dropped: nothing else of them is kept here.", cls="ik-empty")
            return str(standalone(heading_html(TITLE), understood, note, label=TITLE))
        said = tag("p", self.grid.sentence, cls="ik-status ik-quiet")
        opened = EMPTY if self.shown is None else opened_html(self.shown)
        rate = tag("p", bars_sentence(bars_of(tables.times)), cls="ik-sentence")
        parts = (understood, rate, said, page_html(page), opened, command_html(self._command()))
        return str(standalone(heading_html(TITLE, visible(read.place)), *parts, label=TITLE))

    # -- what is looked at -------------------------------------------------------------------------------------------

    @property
    def log(self) -> Log | None:
        """Return the log, None while there is none."""
        return None if self._read is None else self._read.tables.log

    @property
    def tables(self) -> LogTables | None:
        """Return the log as tables to choose from, None while there is none."""
        return None if self._read is None else self._read.tables

    @property
    def rows(self) -> LogPage | None:
        """Return the page that is shown, None while there is no log."""
        return self._page

    @property
    def filters(self) -> Filters:
        """Return what is chosen."""
        return Filters(
            span=self.span, text=self.text.strip(), outcome=self.outcome, reason=self.reason, message=self.message
        )

    def frame(self) -> pd.DataFrame:
        """Return what the filters leave, all pages of it: messages, deliveries, or lines; of reasons the deliveries.

        Raises:
            LabError: There is no log yet.
        """
        tables, chosen = self._there()
        if self.view == "messages":
            return tables.messages.iloc[chosen.messages]
        if self.view == "unknown":
            return tables.events.iloc[chosen.unknown]
        rows = chosen.deliveries
        return tables.deliveries.iloc[rows[tables.reason_codes[rows] >= 0] if self.view == "reasons" else rows]

    def between(self, first: Any, last: Any) -> None:
        """Show what happened between two moments.

        Args:
            first: A time as pandas.Timestamp takes it; without a zone it is UTC.
            last: The same, later; what happened at it is left out.

        Raises:
            ValueError: One is no time, or the last is not behind the first.
        """
        begin, end = (moment_ns(one) for one in (first, last))
        if begin >= end:
            raise ValueError("a last moment behind the first")
        self.span = (begin, end)

    def clear(self) -> None:
        """Drop every filter."""
        with self.hold_trait_notifications():
            self.span, self.text, self.outcome, self.reason, self.message = None, "", "", -1, -1

    def read(self, *sources: Source) -> None:
        """Read another log and show it; wait for it.

        Raises:
            FormatError: A directory holds no log.
            LabError: A log is being read already.
            OSError: A file cannot be read.
        """
        ended = run_here(self._begin(sources), lambda _none: None)
        self._end(ended)
        ended.outcome()

    def close(self) -> None:
        """Close the view and forget the log."""
        self._read = self._chosen = self._page = None
        self.grid.close()
        super().close()

    def _there(self) -> tuple[LogTables, Chosen]:
        if self._read is None or self._chosen is None:
            raise LabError("a log; drop files, or give a path")
        return self._read.tables, self._chosen

    @t.validate("opened")
    def _check_opened(self, proposal: t.Bunch) -> str:
        if proposal.value and self._positions(proposal.value) is None:
            raise t.TraitError('a row of the log, as in "m17", or nothing')
        return str(proposal.value)

    @t.validate("span")
    def _check_span(self, proposal: t.Bunch) -> tuple[int, int] | None:
        if proposal.value is None:
            return None
        try:
            first, last = (int(one) for one in proposal.value)
        except (TypeError, ValueError):
            raise t.TraitError("two moments in ns since 1970, or None") from None
        if first >= last:
            raise t.TraitError("a last moment behind the first")
        return first, last

    # -- what is shown -----------------------------------------------------------------------------------------------

    @t.observe("span", "outcome", "text", "reason", "message")
    def _on_filter(self, _change: object) -> None:
        self.page = 1
        self._choose()

    @t.observe("view")
    def _on_view(self, _change: object) -> None:
        self.page = 1
        self._draw_rows()

    @t.observe("page")
    def _on_page(self, _change: object) -> None:
        self._draw_rows()

    def _on_brush(self, change: t.Bunch) -> None:
        """Take the bars that were chosen in the browser."""
        if self._read is None or tuple(change.new) == self._bars.covering(self.span):
            return
        first, last = change.new
        is_span = 0 <= first <= last < len(self._bars.counts)
        self.span = self._bars.span(first, last) if is_span else None

    def _choose(self) -> None:
        if self._read is not None:
            self._chosen = self._read.tables.choose(self.filters)
            self._draw_rows()

    def _show(self, read: ReadLog) -> None:
        with self.hold_trait_notifications():
            self.clear()
            self.opened, self.page = "", 1
        self._read, self._bars = read, bars_of(read.tables.times)
        self._chosen = read.tables.choose(self.filters)
        self._draw()

    def _draw(self) -> None:
        read = self._read
        if read is None:
            self.grid.draw(place="", understood="", bars=None, table=None, opened=None, chips=[], command="")
            self.grid.say(IDLE)
            return
        tables = read.tables
        self.grid.draw(
            place=visible(read.place),
            understood=understood_text(tables.count, len(tables.unknown)),
            bars=bars_document(self._bars),
            opened=None,
        )
        self._draw_rows()

    def _draw_rows(self) -> None:
        if self._read is None or self._chosen is None:
            return
        page = self._page = page_of(self._read.tables, self._chosen, self.view, self.page)
        self.grid.brush = list(self._bars.covering(self.span))
        self.grid.draw(
            table=page.as_document(),
            counts=counts_of(self._chosen),
            chips=self._chips(),
            command=visible(self._command()),
        )
        if not self.grid.busy:
            self.grid.say(chosen_sentence(self._read.tables, self._chosen))
        if self.page != page.number:
            self.page = page.number

    def _chips(self) -> list[list[str]]:
        """Return the filters that have no field of their own: which it is, and its words."""
        tables, _ = self._there()
        chips = []
        if self.span is not None:
            first, last = (moment_text(one) for one in self.span)
            chips.append(["span", f"{first} – {last} UTC"])
        if (reason := tables.reason_of(self.reason)) is not None:
            chips.append(["reason", f"{reason.outcome}: {reason.text[:80]}"])
        if 0 <= self.message < len(tables.messages):
            one = tables.messages.iloc[self.message]
            chips.append(["message", f"message {one['message_number']} {one['queue']}".strip()])
        return [[name, visible(words)] for name, words in chips]

    def _command(self) -> str:
        return "" if self._read is None else self._read.command(self.view)

    # -- an opened row -----------------------------------------------------------------------------------------------

    def _positions(self, key: str) -> Positions | None:
        return None if self._read is None else lines_of_row(self._read.tables, key, self.filters)

    @t.observe("opened")
    def _on_opened(self, change: t.Bunch) -> None:
        key, read = change.new, self._read
        positions = self._positions(key) if key else None
        if read is None or positions is None:
            self.shown = None
            self.grid.draw(opened=None)
            return
        title = title_of(read.tables, key, len(positions))

        def work(_tell: object) -> Opened:
            lines = read_raw(read.tables.log, positions.tolist(), names=read.names)
            command = raw_command(lines, is_on_disk=bool(read.paths))
            return Opened(key, title, lines, len(positions), command)

        run(lambda: work, lambda _none: None, self._on_lines)

    def _on_lines(self, ended: Ended[Opened]) -> None:
        if ended.result is None:
            self.grid.say(f"The lines cannot be read: {ended.error}", "ik-bad")
        elif ended.result.key == self.opened:
            self.shown = ended.result
            self.grid.draw(opened=ended.result.as_document())
            more = f", of which {MAX_LINES} are shown" if ended.result.more else ""
            self.grid.say(f"{count_text(ended.result.total, 'raw line')}{more}: below the row.")

    # -- a new log ---------------------------------------------------------------------------------------------------

    def _on_files(self, files: list[tuple[str, bytes]]) -> None:
        if not files:
            self.grid.say("Not taken: the files are empty.", "ik-bad")
        elif not self.grid.busy:
            run(lambda: self._begin([octets for _, octets in files], files), lambda _none: None, self._end)

    def _begin(self, sources: Sequence[Source], files: list[tuple[str, bytes]] | None = None) -> Any:
        with self._starting:
            if self.grid.busy:
                raise LabError("a log that is not being read yet")
            self.grid.busy = True
        self.grid.say(READING)
        return lambda _tell: read_sources(sources, files)

    def _end(self, ended: Ended[ReadLog]) -> None:
        self.grid.busy = False
        if ended.result is not None:
            self._show(ended.result)
        elif isinstance(ended.error, KitError | OSError):
            self.grid.say(f"Not read: {ended.error}.", "ik-bad")
        else:
            self.grid.say(f"Not read: {type(ended.error).__name__}: {ended.error}", "ik-bad")

    def _on_message(self, _grid: object, content: dict[str, Any], _buffers: object) -> None:
        """Do what a button of the page asks for; what nobody can ask for is left alone."""
        if content.get("clear"):
            self.clear()
        elif content.get("drop") in ("span", "reason", "message"):
            setattr(self, content["drop"], None if content["drop"] == "span" else -1)
        elif isinstance(key := content.get("only"), str) and self._positions(key) is not None:
            self._filter_by(key)

    def _filter_by(self, key: str) -> None:
        """Leave only what belongs to a row."""
        tables, _ = self._there()
        letter, number = key[0], int(key[1:])
        if letter == "r":
            self.reason, self.view = number, "deliveries"
        elif letter == "m":
            self.message, self.view = number, "deliveries"
        elif letter == "d" and tables.owner[number] >= 0:
            self.message, self.view = int(tables.owner[number]), "messages"
