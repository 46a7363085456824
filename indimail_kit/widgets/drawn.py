"""What a browser draws itself, from messages: no line of a log or mail is ever widget state.

Rule 1: a saved notebook holds the state of its widgets; so what strangers wrote goes to the page as a message, and is
forgotten when the view is closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anywidget
import traitlets as t

from indimail_kit.visible import visible
from indimail_kit.widgets.html import style_sheet
from indimail_kit.widgets.status_line import TONES


class DrawnByMessage(anywidget.AnyWidget):
    """A document that each page of the widget is sent, and the sentence beside it.

    Attributes:
        busy: Whether something works.
        sentence: What is shown, in words; a live region.
        tone: Class of the sentence.
        document: What is drawn now; no trait.
    """

    _css = style_sheet()

    busy = t.Bool(default_value=False).tag(sync=True)
    sentence = t.Unicode("").tag(sync=True)
    tone = t.Enum(TONES, default_value="ik-quiet").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self.document: dict[str, Any] = {}
        super().__init__(**traits)
        self.on_msg(self._on_message)

    def draw(self, **parts: Any) -> None:
        """Draw parts of the document anew; all pages that show the widget get them."""
        self.document |= parts
        self.send({"draw": parts})

    def say(self, sentence: str, tone: str = "ik-quiet") -> None:
        """Say a sentence in the live region; hostile text in it is made visible."""
        self.tone, self.sentence = tone, visible(sentence)

    def close(self) -> None:
        """Close the view and forget what was drawn."""
        self.document = {}
        super().close()

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: Sequence[Any]) -> None:
        """Give a new page what is drawn; all else is for the view."""
        if content.get("hello"):
            self.send({"draw": self.document})
