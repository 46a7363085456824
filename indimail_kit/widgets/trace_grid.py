"""The part of TraceView that a browser draws itself: the field, the verdict, the rows, the raw octets."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets as t

from indimail_kit.visible import visible
from indimail_kit.widgets.html import style_sheet
from indimail_kit.widgets.scripts import SWITCHES, TABLE_PARTS, script


class TraceGrid(anywidget.AnyWidget):
    """The field to ask in, one page of rows, an opened row's octets.

    Nothing of a log or mail is a trait: what is drawn goes to the page as a message, so that no saved notebook has it.

    Attributes:
        page: Which page, from 1.
        opened: What is open: "e3"; "" for nothing.
        busy: Whether a question is being answered.
        sentence: What is shown, in words; a live region.
        tone: Class of the sentence.
        document: What is drawn now; no trait.
    """

    _esm = script("trace_view.js", SWITCHES, TABLE_PARTS)
    _css = style_sheet()

    page = t.Int(1, min=1).tag(sync=True)
    opened = t.Unicode("").tag(sync=True)
    busy = t.Bool(default_value=False).tag(sync=True)
    sentence = t.Unicode("").tag(sync=True)
    tone = t.Enum(("ik-quiet", "ik-good", "ik-bad"), default_value="ik-quiet").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self.document: dict[str, Any] = {}
        super().__init__(**traits)
        self.on_msg(self._on_message)

    def draw(self, **parts: Any) -> None:
        """Draw parts of the document anew; all pages that show the widget get them."""
        self.document |= parts
        self.send({"draw": parts})

    def say(self, sentence: str, tone: str = "ik-quiet") -> None:
        """Say a sentence in the live region."""
        self.tone, self.sentence = tone, visible(sentence)

    def close(self) -> None:
        """Close the view and forget what was drawn."""
        self.document = {}
        super().close()

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        """Give a new page what is drawn; all else is for the view."""
        if content.get("hello"):
            self.send({"draw": self.document})
