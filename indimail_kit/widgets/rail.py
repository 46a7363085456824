"""The two small widgets of ours that a browser draws itself: the rail of stations and the field for a secret."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets as t

from indimail_kit.lab.journey import STATION_KEYS
from indimail_kit.widgets.html import style_sheet
from indimail_kit.widgets.markup import WAITING, rail_rows
from indimail_kit.widgets.scripts import script


class StationRail(anywidget.AnyWidget):
    """Seven stations in a row, a thin bar while a mail is on its way, and a sentence that is read aloud.

    Attributes:
        stations: What each station shows, as texts, see `markup.rail_rows`.
        opened: Key of the opened station, "" for none. Enter opens, Esc closes.
        shown: Number of the message asked for in the table of messages, 0 for none.
        busy: Whether a mail is on its way.
        sentence: What happened, in words; a live region.
        tone: Class of the sentence.
    """

    _esm = script("rail.js")
    _css = style_sheet()

    stations = t.List(t.Dict()).tag(sync=True)
    opened = t.Enum(("", *STATION_KEYS), default_value="").tag(sync=True)
    shown = t.Int(0).tag(sync=True)
    busy = t.Bool(default_value=False).tag(sync=True)
    sentence = t.Unicode("").tag(sync=True)
    tone = t.Enum(("ik-quiet", "ik-good", "ik-bad"), default_value="ik-quiet").tag(sync=True)

    @t.default("stations")
    def _waiting(self) -> list[dict[str, str]]:
        return rail_rows(WAITING)


class SecretField(anywidget.AnyWidget):
    """A field for a password that is no widget state, so that a saved notebook cannot hold it.

    Attributes:
        value: What was typed; not a trait, never sent back, not in any repr. `forget` empties it on both sides.
        description: Text of the label.
        placeholder: Text in the empty field.
        disabled: Whether the field is shut.
    """

    _esm = script("secret.js")
    _css = style_sheet()

    description = t.Unicode("").tag(sync=True)
    placeholder = t.Unicode("").tag(sync=True)
    disabled = t.Bool(default_value=False).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self.value = ""
        super().__init__(**traits)
        self.on_msg(self._on_secret)

    def __repr__(self) -> str:
        """Return a name without the value."""
        return f"SecretField({self.description!r})"

    def _on_secret(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        self.value = str(content.get("secret", self.value))

    def forget(self) -> None:
        """Empty the field, here and in every browser."""
        self.value = ""
        self.send({"forget": True})
