"""QueueBrowser: queues, messages and recipients of a queue to look through; a message opens to its files."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as w
import traitlets as t

from indimail_kit.errors import LabError
from indimail_kit.mailqueue.queues import Queues, open_queues
from indimail_kit.visible import visible
from indimail_kit.widgets import queue_markup
from indimail_kit.widgets.auth_markup import heading_html, standalone
from indimail_kit.widgets.html import EMPTY, tag
from indimail_kit.widgets.markup import command_html
from indimail_kit.widgets.queue_grid import QueueGrid, QueueMail, options_of
from indimail_kit.widgets.queue_message import OpenedMessage, is_same_mail, mail_header, open_message
from indimail_kit.widgets.queue_pages import VIEWS, QueuePage, chosen_sentence, page_holding, page_html, page_of
from indimail_kit.widgets.queue_tables import AGES, ORDERS, STATE_NAMES, Chosen, Filters, QueueTables, read_tables
from indimail_kit.widgets.queue_words import count_text, moment_text
from indimail_kit.widgets.runner import Ended, run, run_here
from indimail_kit.widgets.static_view import StaticView

if TYPE_CHECKING:
    import os

    import pandas as pd

    from indimail_kit.mailqueue.picture import Snapshot
    from indimail_kit.widgets.html import Html

_FILTERS: Final = ("queue", "state", "age", "text", "only_anomalies")
_LINKED: Final = (*_FILTERS, "order", "view", "page", "opened")
_OPENED: Final = re.compile(r"([^/]+)/([1-9][0-9]{0,19})")

TITLE: Final = "The queue"
READING: Final = "Taking a new picture of the queue …"


@dataclass(frozen=True, slots=True)
class Cell:
    """What was chosen in another view: a domain at an age.

    Attributes:
        filters: Domain, whose, and ages.
        words: The same for a person.
    """

    filters: Filters
    words: str


@dataclass(frozen=True, slots=True)
class _Look:
    """What a refresh brings: the tables, and the opened message as it is now."""

    tables: QueueTables
    opened: OpenedMessage | None


class QueueBrowser(StaticView, w.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """A picture of live queues to look through; nothing is changed by it, and nothing below lock/ is opened.

    `tables.messages` and `tables.recipients` give the same as DataFrames, `read_message` one message as a value,
    `indimail-kit queue list` and `queue show` in a terminal. A browser is sent one page of rows, never the queue.

    Attributes:
        queues: What is looked at.
        tables: The picture; a new one with `refresh`.
        view: "queues", "messages" or "recipients".
        queue: Name of a queue, "" for all.
        state: "S2" … "S5", "none" for files that prove no state, "" for all.
        age: A name of `queue_tables.AGES`: "1h" is from an hour on; "" for any.
        text: Part of the sender or a recipient, "" for all.
        only_anomalies: Only messages with which something is wrong.
        order: A name of `queue_tables.ORDERS`.
        page: Which page, from 1.
        opened: "queue1/660188", "" for none; it survives a refresh.
        cell: A domain at an age, chosen in a QueueShape; None for none.
        message: The opened message as it was read, None for none.
        grid: The part that a browser draws.
        panel: The opened message.
        mail: The header of its mail, on wish.
        loose: What is wrong and belongs to no message.
        prepare: What a view above wants to have done with a new picture before it is shown, in the same thread.
    """

    tables = t.Instance(QueueTables)
    view = t.Enum(VIEWS, default_value="messages")
    queue = t.Unicode("")
    state = t.Enum(("", *STATE_NAMES), default_value="")
    age = t.Enum(tuple(AGES), default_value="")
    text = t.Unicode("")
    only_anomalies = t.Bool(default_value=False)
    order = t.Enum(ORDERS, default_value="oldest")
    page = t.Int(1, min=1)
    opened = t.Unicode("")
    cell = t.Instance(Cell, allow_none=True)
    message = t.Instance(OpenedMessage, allow_none=True)

    def __init__(
        self,
        queues: Queues | str | os.PathLike[str],
        *,
        picture: Snapshot | None = None,
        now_ns: Callable[[], int] = time.time_ns,
        **traits: Any,
    ) -> None:
        """Show queues.

        Args:
            queues: What `open_queues` returned, or the path of a queue or of a base.
            picture: What `queues.snapshot()` returned; one is taken if not given, and the cell waits for it.
            now_ns: Clock (unit: ns since 1970).
            traits: Other traits.

        Raises:
            QueueError: There is no queue at this place, or it cannot be read.
        """
        self.queues = queues if isinstance(queues, Queues) else open_queues(queues)
        self.grid, self.mail = QueueGrid(), QueueMail()
        self.panel, self.loose = w.HTML(), w.HTML()
        self._now_ns = now_ns
        self._starting = threading.Lock()
        self._note = ""
        self.prepare: Callable[[QueueTables], object] = lambda _tables: None
        self._names = tuple(layout.name for layout in self.queues.layouts)
        tables = read_tables(self.queues.snapshot() if picture is None else picture, self._names)
        self._asked = (Filters(), self.order)
        self._chosen: Chosen = tables.choose(*self._asked)
        self._page: QueuePage = page_of(tables, self._chosen, self.view)
        legend = w.HTML(str(queue_markup.states_html()))
        own = {name: traits.pop(name) for name in (*_LINKED, "cell") if name in traits}
        super().__init__(children=[self.grid, self.loose, self.panel, self.mail, legend], tables=tables, **traits)
        self.add_class("ik-journey")
        for part in (self.panel, self.loose, legend):
            part.add_class("ik-html")
        self.grid.place = visible(f"{self.queues.place} · {count_text(len(self._names), 'queue')}")
        self.grid.options = options_of(self._names)
        self.grid.command = visible(queue_markup.list_command(self.queues.place))
        for name in _LINKED:
            t.link((self, name), (self.grid, name))
        self.grid.on_msg(self._on_message)
        self._draw()
        for name, value in own.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        """Return the view in words."""
        there = f"{count_text(self.tables.count, 'message')} in {count_text(len(self._names), 'queue')}"
        taken = f"picture of {moment_text(self.tables.taken_ns)} UTC"
        return visible(f"QueueBrowser: {self.queues.place}, {there}, {taken}. {self.grid.sentence}")

    def static_html(self) -> str:
        """Return the same as HTML that needs no kernel, without the mail itself."""
        message = EMPTY if self.message is None else queue_markup.message_html(self.message, note=self._note)
        taken = f"picture of {moment_text(self.tables.taken_ns)} UTC"
        head = heading_html(TITLE, f"{self.grid.place} · {taken}")
        said = tag("p", self.grid.sentence, cls="ik-status ik-quiet")
        page, legend = page_html(self._page), queue_markup.states_html()
        shown = (page, command_html(self.grid.command), self._loose_html(), message, legend)
        return str(standalone(head, said, *shown, label=TITLE))

    # -- what is chosen ----------------------------------------------------------------------------------------------

    @property
    def filters(self) -> Filters:
        """Return what is chosen, here and in another view."""
        low, high = AGES[self.age]
        own = Filters(
            queue=self.queue,
            state=self.state,
            text=self.text.strip(),
            only_anomalies=self.only_anomalies,
            min_age_s=low,
            max_age_s=high,
        )
        return own if self.cell is None else own.at(self.cell.filters)

    @property
    def rows(self) -> QueuePage:
        """Return the page that is shown."""
        return self._page

    def frame(self) -> pd.DataFrame:
        """Return what the filters leave: the recipients where they are shown, else the messages; all pages of it."""
        if self.view == "recipients":
            return self.tables.recipients.iloc[self._chosen.recipients].reset_index(drop=True)
        return self.tables.messages.iloc[self._chosen.messages].reset_index(drop=True)

    def clear(self) -> None:
        """Drop every filter."""
        with self.hold_trait_notifications():
            self.queue = self.state = self.age = self.text = ""
            self.only_anomalies, self.cell = False, None

    @t.validate("queue")
    def _check_queue(self, proposal: t.Bunch) -> str:
        if proposal.value and proposal.value not in self._names:
            raise t.TraitError(f"a queue of {', '.join(self._names)}, or none")
        return str(proposal.value)

    @t.validate("opened")
    def _check_opened(self, proposal: t.Bunch) -> str:
        match = _OPENED.fullmatch(proposal.value)
        if proposal.value and (match is None or match[1] not in self._names or int(match[2]) >= 2**64):
            raise t.TraitError('a queue and a message number, as in "queue1/660188", or nothing')
        return str(proposal.value)

    @t.observe(*_FILTERS, "order", "cell")
    def _on_filter(self, _change: object) -> None:
        self.page = 1
        self._choose()

    @t.observe("view", "page")
    def _on_page(self, _change: object) -> None:
        self._draw()

    def _choose(self, *, anew: bool = False) -> None:
        asked = (self.filters, self.order)
        if anew or asked != self._asked:
            self._asked = asked
            self._chosen = self.tables.choose(*asked)
            self._draw()

    # -- what is shown -----------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        tables, chosen = self.tables, self._chosen
        page = self._page = page_of(tables, chosen, self.view, self.page)
        with self.grid.hold_sync():
            self.grid.table = page.as_document()
            self.grid.counts = {
                "queues": f"{len(self._names):,}",
                "messages": f"{len(chosen.messages):,}",
                "recipients": f"{len(chosen.recipients):,}",
            }
            self.grid.chosen = "" if self.cell is None else visible(self.cell.words)
            self.grid.is_filtered = self.filters != Filters()
            self.grid.taken = moment_text(tables.taken_ns)
            self.grid.taken_ms = tables.taken_ns / 10**6
            if not self.grid.busy:
                self._say(chosen_sentence(self.tables, self._chosen))
        if self.page != page.number and self.view != "queues":
            self.page = page.number
        self.loose.value = str(self._loose_html())

    def _loose_html(self) -> Html:
        """Return what is wrong and belongs to no message, where the queues are shown."""
        if self.view != "queues":
            return EMPTY
        return queue_markup.loose_html([one for one in self.tables.loose if self.queue in ("", one.queue)])

    def _say(self, sentence: str, tone: str = "ik-quiet") -> None:
        self.grid.tone, self.grid.sentence = tone, visible(sentence)

    # -- a new picture -----------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Take a new picture and wait for it.

        Raises:
            QueueError: The queue cannot be read; the old picture stays.
            LabError: A picture is being taken already.
        """
        ended = run_here(self._begin(), lambda _none: None)
        self._end(ended)
        ended.outcome()

    def refresh_beside(self) -> None:
        """Begin a new picture and go on; where no loop runs, wait for it. Nothing while one is being taken."""
        if not self.grid.busy:
            run(self._begin, lambda _none: None, self._end)

    def _begin(self) -> Callable[[Callable[[None], None]], _Look]:
        with self._starting:
            if self.grid.busy:
                raise LabError("a new picture that was not begun yet")
            self.grid.busy = True
        self._say(READING)
        opened = self.opened
        return lambda _tell: self._look(opened)

    def _look(self, opened: str) -> _Look:
        """Do the slow work, in a thread of its own."""
        tables = read_tables(self.queues.snapshot(), self._names)
        self.prepare(tables)
        return _Look(tables, self._read(opened, tables) if opened else None)

    def _end(self, ended: Ended[_Look]) -> None:
        self.grid.busy = False
        if ended.result is None:
            self._say(self._failure(ended.error), "ik-bad")
            return
        was_shown = self.opened != "" and any(row.key == self.opened for row in self._page.rows)
        self.tables = ended.result.tables
        self._asked = (self.filters, self.order)
        self._chosen = self.tables.choose(*self._asked)
        place = page_holding(self.tables, self._chosen, self.opened) if was_shown and self.view == "messages" else None
        if place is not None and place != self.page:
            self.page = place
        self._draw()
        if ended.result.opened is not None and ended.result.opened.key == self.opened:
            self._look_again(ended.result.opened)

    def _failure(self, error: BaseException | None) -> str:
        taken = moment_text(self.tables.taken_ns)
        return f"No new picture: {error}. The picture of {taken} UTC stays. Press refresh to try again.".replace(
            "..", "."
        )

    # -- an opened message -------------------------------------------------------------------------------------------

    def _read(self, key: str, tables: QueueTables) -> OpenedMessage:
        queue, _, number = key.rpartition("/")
        known = tables.violations_of(queue, int(number))
        return open_message(self.queues.layout(queue), int(number), now_ns=self._now_ns(), known=known)

    @t.observe("opened")
    def _on_opened(self, change: t.Bunch) -> None:
        key, tables = change.new, self.tables
        self._note = ""
        if not key:
            self.message = None
            self._say(chosen_sentence(self.tables, self._chosen))
            return
        run(lambda: lambda _tell: self._read(key, tables), lambda _none: None, self._on_read)

    def _on_read(self, ended: Ended[OpenedMessage]) -> None:
        if ended.result is None:
            self.message = None
            self._say(f"The message cannot be read: {ended.error}", "ik-bad")
        elif ended.result.key == self.opened:
            self.message = ended.result
            self._say(queue_markup.message_sentence(ended.result))

    def _look_again(self, now: OpenedMessage) -> None:
        """Bring the opened message up to date, or say what became of it."""
        before = self.message
        if before is not None and before.is_there and not now.is_there:
            self._note = (
                f"It has left {now.files.queue} since: what was seen at {moment_text(before.seen_ns)} UTC stays here."
            )
            self._draw_message()
            return
        is_other = before is not None and before.is_there and not is_same_mail(before.files, now.files)
        self._note = (
            f"The number {now.files.message_number} was used again: this is another mail now." if is_other else ""
        )
        self.message = now
        self._draw_message()

    @t.observe("message")
    def _draw_message(self, _change: object = None) -> None:
        message = self.message
        if message is None:
            self.panel.value = ""
            self.mail.hold("", ("", ""))
            return
        self.panel.value = str(queue_markup.message_html(message, note=self._note, has_buttons=True))
        header, note = mail_header(message.files)
        has_mail = message.files.file("mess") is not None
        self.mail.hold(message.key if has_mail else "", (visible(header, kept="\n\t"), note))

    def _on_message(self, _grid: object, content: dict[str, Any], _buffers: object) -> None:
        """Do what a button of the tables asks for; what nobody can ask for is left alone."""
        if content.get("refresh"):
            self.refresh_beside()
        elif content.get("drop"):
            self.cell = None
        elif content.get("clear"):
            self.clear()
        elif content.get("queue") in self._names:
            # In this order, so that nobody sees all messages for a moment.
            self.queue = content["queue"]
            self.view = "messages"
