"""QueueShape: domain × age of what waits, as a heat map; a cell opens to its messages."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import anywidget
import ipywidgets as w
import traitlets as t

from indimail_kit.visible import visible
from indimail_kit.widgets.auth_markup import heading_html, standalone
from indimail_kit.widgets.html import EMPTY, style_sheet, tag
from indimail_kit.widgets.markup import command_html
from indimail_kit.widgets.queue_browser import Cell, QueueBrowser
from indimail_kit.widgets.queue_markup import shape_command
from indimail_kit.widgets.queue_pages import page_html
from indimail_kit.widgets.queue_shape_grid import (
    ALL,
    Shape,
    left_text,
    shape_document,
    shape_html,
    shape_of,
    shape_sentence,
)
from indimail_kit.widgets.queue_tables import Side
from indimail_kit.widgets.queue_words import moment_text
from indimail_kit.widgets.scripts import QUEUE_PARTS, SWITCHES, script
from indimail_kit.widgets.static_view import StaticView

if TYPE_CHECKING:
    import os

    from indimail_kit.mailqueue.picture import Snapshot
    from indimail_kit.mailqueue.queues import Queues
    from indimail_kit.widgets.queue_tables import QueueTables

TITLE: Final = "The shape of the queue"
SIDES: Final[tuple[Side, Side]] = ("recipient", "sender")


class ShapeGrid(anywidget.AnyWidget):
    """The heat map that a browser draws.

    Attributes:
        place: Where the queues are.
        by: Whose domain.
        shape: What is drawn, see `queue_shape_grid.shape_document`.
        opened: Row and column of the opened cell; -1, -1 for none.
        command: What shows the same in a terminal.
        taken: When the picture was taken, in words.
        taken_ms: The same as a number (unit: ms since 1970).
        busy: Whether a new picture is being taken.
        sentence: What is shown, in words; a live region.
        tone: Class of the sentence.
    """

    _esm = script("queue_shape.js", SWITCHES, QUEUE_PARTS)
    _css = style_sheet()

    place = t.Unicode("").tag(sync=True)
    by = t.Enum(SIDES, default_value="recipient").tag(sync=True)
    shape = t.Dict().tag(sync=True)
    opened = t.List(t.Int(), default_value=[-1, -1]).tag(sync=True)
    command = t.Unicode("").tag(sync=True)
    taken = t.Unicode("").tag(sync=True)
    taken_ms = t.Float(0).tag(sync=True)
    busy = t.Bool(default_value=False).tag(sync=True)
    sentence = t.Unicode("").tag(sync=True)
    tone = t.Enum(("ik-quiet", "ik-good", "ik-bad"), default_value="ik-quiet").tag(sync=True)


def _count(tables: QueueTables) -> None:
    """Count both sides while the picture is being made, so that no click waits for it."""
    for side in SIDES:
        tables.qshape(side)


class QueueShape(StaticView, w.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """Where the mail that waits wants to go, and for how long it has waited.

    `tables.qshape` gives the same as a DataFrame, `indimail-kit queue shape` in a terminal.

    Attributes:
        by: "recipient" or "sender": whose domain.
        is_open: Whether a cell is opened.
        domain: Domain of the opened cell, None for all domains.
        bucket: Its age, as the number of the bucket; -1 for any.
        browser: The messages of the opened cell; its picture is this one's.
        grid: The part that a browser draws.
    """

    by = t.Enum(SIDES, default_value="recipient")
    is_open = t.Bool(default_value=False, read_only=True)
    domain = t.Unicode(None, allow_none=True, read_only=True)
    bucket = t.Int(ALL, read_only=True)

    def __init__(
        self,
        queues: Queues | str | os.PathLike[str],
        *,
        picture: Snapshot | None = None,
        now_ns: Callable[[], int] = time.time_ns,
        **traits: Any,
    ) -> None:
        """Show the shape of queues.

        Args:
            queues: What `open_queues` returned, or the path of a queue or of a base.
            picture: What `queues.snapshot()` returned; one is taken if not given, and the cell waits for it.
            now_ns: Clock (unit: ns since 1970).
            traits: Other traits.

        Raises:
            QueueError: There is no queue at this place, or it cannot be read.
        """
        self.browser = QueueBrowser(queues, picture=picture, now_ns=now_ns)
        self.browser.prepare = _count
        self.grid = ShapeGrid(place=self.browser.grid.place)
        self._shape: Shape = shape_of(self.browser.tables.qshape(self._side), self._side)
        own = {"by": traits.pop("by")} if "by" in traits else {}
        super().__init__(children=[self.grid, self.browser], **traits)
        self.add_class("ik-journey")
        self.browser.add_class("ik-queue-linked")
        t.link((self, "by"), (self.grid, "by"))
        for name in ("busy", "taken", "taken_ms"):
            t.dlink((self.browser.grid, name), (self.grid, name))
        self.browser.observe(self._on_picture, "tables")
        self.browser.observe(self._on_cell, "cell")
        self.browser.grid.observe(self._on_said, ("tone", "sentence"))
        self.grid.on_msg(self._on_message)
        self._draw()
        for name, value in own.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        """Return the view in words."""
        return visible(f"QueueShape by {self.by}: {self.browser.queues.place}. {self.grid.sentence}")

    def static_html(self) -> str:
        """Return the same as HTML that needs no kernel."""
        taken = f"picture of {moment_text(self.browser.tables.taken_ns)} UTC"
        head = heading_html(TITLE, f"{self.grid.place} · {taken}")
        left = left_text(self._shape)
        rows = page_html(self.browser.rows) if self.is_open else EMPTY
        said = tag("p", self.grid.sentence, cls="ik-status ik-quiet") if self.is_open else EMPTY
        more = tag("p", left, cls="ik-more") if left else EMPTY
        return str(
            standalone(head, shape_html(self._shape), more, command_html(self._command), said, rows, label=TITLE)
        )

    @property
    def shape(self) -> Shape:
        """Return what is shown as a value."""
        return self._shape

    @property
    def _command(self) -> str:
        return shape_command(self.browser.queues.place, self.by)

    @property
    def _side(self) -> Side:
        return "sender" if self.by == "sender" else "recipient"

    def open_cell(self, domain: str | None = None, bucket: int = ALL) -> None:
        """Open a cell: its messages are shown in the browser below.

        Args:
            domain: A domain of the grid; None for all.
            bucket: Number of a bucket; -1 for any age.

        Raises:
            IndexError: There is no such bucket.
            KeyError: The domain has no row.
        """
        if not ALL <= bucket < len(self._shape.edges_s):
            raise IndexError(f"a bucket from {ALL} to {len(self._shape.edges_s) - 1}")
        if self._shape.row(domain) is None:
            raise KeyError(domain)
        self.set_trait("domain", domain)
        self.set_trait("bucket", bucket)
        self.set_trait("is_open", True)
        with self.browser.hold_trait_notifications():
            self.browser.opened, self.browser.page = "", 1
            self.browser.view = "recipients" if self.by == "recipient" else "messages"
            self.browser.cell = Cell(self._shape.filters(domain, bucket), self._shape.words(domain, bucket))
        self._draw()

    def close_cell(self) -> None:
        """Close the opened cell."""
        self.set_trait("is_open", False)
        self.set_trait("domain", None)
        self.set_trait("bucket", ALL)
        self.browser.cell = None
        self._draw()

    def refresh(self) -> None:
        """Take a new picture and wait for it; see `QueueBrowser.refresh`."""
        self.browser.refresh()

    @t.observe("by")
    def _on_by(self, _change: object) -> None:
        self._shape = shape_of(self.browser.tables.qshape(self._side), self._side)
        self.close_cell()

    def _on_picture(self, _change: object) -> None:
        self._shape = shape_of(self.browser.tables.qshape(self._side), self._side)
        self._draw()

    def _on_cell(self, change: t.Bunch) -> None:
        if change.new is None and self.is_open:
            self.close_cell()

    def _on_said(self, _change: object) -> None:
        """Say here, too, what went wrong below, and no longer than there."""
        if self.browser.grid.tone == "ik-bad":
            self.grid.tone, self.grid.sentence = "ik-bad", self.browser.grid.sentence
        elif self.grid.tone == "ik-bad":
            self._draw()

    def _draw(self) -> None:
        shape = self._shape
        domains = [row.domain for row in shape.rows]
        is_seen = self.is_open and self.domain in domains
        with self.grid.hold_sync():
            self.grid.shape = shape_document(shape)
            self.grid.command = self._command
            self.grid.opened = [domains.index(self.domain), self.bucket + 1] if is_seen else [-1, -1]
            self.grid.tone = "ik-quiet"
            opened = f"{shape.words(self.domain, self.bucket)}: below." if self.is_open else shape_sentence(shape)
            self.grid.sentence = opened[:1].upper() + opened[1:]
        self.browser.layout.display = None if self.is_open else "none"

    def _on_message(self, _grid: object, content: dict[str, Any], _buffers: object) -> None:
        """Do what the grid asks for; what nobody can ask for is left alone."""
        if content.get("refresh"):
            self.browser.refresh_beside()
        elif content.get("close") and self.is_open:
            self.close_cell()
        elif isinstance(place := content.get("open"), list) and len(place) == 2:
            row, column = place
            if row not in range(len(self._shape.rows)) or column not in range(len(self._shape.edges_s) + 1):
                return
            domain, bucket = self._shape.rows[row].domain, column - 1
            if self.is_open and (domain, bucket) == (self.domain, self.bucket):
                self.close_cell()
            else:
                self.open_cell(domain, bucket)
