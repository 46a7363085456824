"""StatusLine: what goes on in a view that is made of plain fields, said in a live region; and the keys of the view."""

from __future__ import annotations

from typing import Final

import anywidget
import traitlets as t

from indimail_kit.visible import visible
from indimail_kit.widgets.html import style_sheet
from indimail_kit.widgets.scripts import script

TONES: Final = ("ik-quiet", "ik-good", "ik-bad")


class StatusLine(anywidget.AnyWidget):
    """A sentence in a tone, and a bar while something works; it also keeps the view's keys from JupyterLab.

    Attributes:
        sentence: What is so, in words.
        tone: Class of the sentence.
        busy: Whether something works.
    """

    _esm = script("status_line.js")
    _css = style_sheet()

    sentence = t.Unicode("").tag(sync=True)
    tone = t.Enum(TONES, default_value="ik-quiet").tag(sync=True)
    busy = t.Bool(default_value=False).tag(sync=True)

    def say(self, sentence: str, tone: str = "ik-quiet") -> None:
        """Say a sentence; hostile text in it is made visible."""
        with self.hold_sync():
            self.tone, self.sentence = tone, visible(sentence)
