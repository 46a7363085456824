"""The part of LogExplorer that a browser draws itself: drop, brush, filters, tables, raw lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import traitlets as t

from indimail_kit.errors import LabError
from indimail_kit.widgets.drawn import DrawnByMessage
from indimail_kit.widgets.log_drop import MAX_DROP_BYTES, MAX_FILES, PIECE_BYTES, Drop
from indimail_kit.widgets.log_pages import SIGNS, VIEW_WORDS, VIEWS
from indimail_kit.widgets.log_tables import OUTCOMES
from indimail_kit.widgets.scripts import LOG_PARTS, SWITCHES, TABLE_PARTS, script

_OUTCOME_WORDS: Final = [["all outcomes", ""], *([f"{SIGNS[name][0]} {SIGNS[name][1]}", name] for name in OUTCOMES)]


class LogGrid(DrawnByMessage):
    """Drop, brush, filters, one page of rows, an opened row's lines.

    Nothing of a log is a trait: what is drawn goes to the page as a message, so that no saved notebook has it.

    Attributes:
        view: Which table is shown.
        outcome: How deliveries ended, "" for all.
        text: Part of an address, "" for all.
        page: Which page, from 1.
        opened: What is open: "m17", "d3", "r0", "u99"; "" for nothing.
        brush: First and last bar that is chosen, counted from 0; -1, -1 for none.
        views: Each view with its name.
        outcomes: The choices of outcomes.
        limits: Octets of a drop, its files, octets of a piece.
        on_files: Called with the names and octets of dropped files.
    """

    _esm = script("log_explorer.js", SWITCHES, TABLE_PARTS, LOG_PARTS)

    view = t.Enum(VIEWS, default_value="messages").tag(sync=True)
    outcome = t.Enum(("", *OUTCOMES), default_value="").tag(sync=True)
    text = t.Unicode("").tag(sync=True)
    page = t.Int(1, min=1).tag(sync=True)
    opened = t.Unicode("").tag(sync=True)
    brush = t.List(t.Int(), default_value=[-1, -1], minlen=2, maxlen=2).tag(sync=True)
    views = t.List(t.List(t.Unicode())).tag(sync=True)
    outcomes = t.List(t.List(t.Unicode())).tag(sync=True)
    limits = t.List(t.Int()).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self.on_files: Callable[[list[tuple[str, bytes]]], None] = lambda _files: None
        self._drop: Drop | None = None
        super().__init__(
            views=[[name, VIEW_WORDS[name]] for name in VIEWS],
            outcomes=_OUTCOME_WORDS,
            limits=[MAX_DROP_BYTES, MAX_FILES, PIECE_BYTES],
            **traits,
        )

    def close(self) -> None:
        """Close the view and forget what was dropped."""
        self._drop = None
        super().close()

    def _on_message(self, widget: object, content: dict[str, Any], buffers: Sequence[Any]) -> None:
        """Take pieces of files; give a new page what is drawn; all else is for the view."""
        super()._on_message(widget, content, buffers)
        if isinstance(piece := content.get("piece"), dict):
            self._take(piece, bytes(buffers[0]) if buffers else b"")
        elif content.get("unreadable"):
            self._drop = None
            self.say("Not taken: the browser cannot read this file.", "ik-bad")

    def _take(self, piece: dict[str, Any], octets: bytes) -> None:
        if self.busy or (self._drop is None and not piece.get("is_first")):
            self.send({"taken": False})
            return
        try:
            if self._drop is None or piece.get("is_first"):
                self._drop = Drop.of(piece.get("total"), piece.get("files"))
            self._drop.take(str(piece.get("name", "")), octets, is_last=bool(piece.get("is_whole")))
        except LabError as error:
            self._drop = None
            self.send({"taken": False})
            self.say(f"Not taken: {error}.", "ik-bad")
            return
        self.send({"taken": True})
        if piece.get("is_last"):
            drop, self._drop = self._drop, None
            self.on_files(drop.files())
