"""The parts of QueueBrowser that a browser draws itself: the tables with their filters, and the header of a mail."""

from __future__ import annotations

from typing import Any, Final

import anywidget
import traitlets as t

from indimail_kit.widgets.html import style_sheet
from indimail_kit.widgets.queue_pages import VIEWS
from indimail_kit.widgets.queue_tables import AGES, NO_STATE, ORDERS, STATE_NAMES
from indimail_kit.widgets.scripts import QUEUE_PARTS, SWITCHES, TABLE_PARTS, script

_STATE_WORDS: Final = {"": "all states", NO_STATE: "no state"}

_AGE_WORDS: Final = {
    "": "any age",
    "new": "under 5 min",
    "5min": "from 5 min on",
    "1h": "from 1 h on",
    "12h": "from 12 h on",
    "1d": "from 1 d on",
    "36h": "from 36 h on",
    "7d": "from 7 d on",
}

_ORDER_WORDS: Final = {
    "oldest": "oldest first",
    "youngest": "youngest first",
    "largest": "largest first",
    "recipients": "most recipients first",
    "number": "by queue and number",
}

Options = dict[str, list[list[str]]]
"""Trait -> [text, value] of each choice."""


def options_of(names: tuple[str, ...]) -> Options:
    """Return the choices of each list; `names` are the queues."""
    return {
        "queue": [["all queues", ""], *([name, name] for name in names)],
        "state": [[_STATE_WORDS.get(name, name), name] for name in ("", *STATE_NAMES)],
        "age": [[_AGE_WORDS[name], name] for name in AGES],
        "order": [[_ORDER_WORDS[name], name] for name in ORDERS],
    }


class QueueGrid(anywidget.AnyWidget):
    """Filters, one page of rows, and how old the picture is.

    Attributes:
        place: Where the queues are.
        view: Which table is shown.
        queue: Name of a queue, "" for all.
        state: A state, "" for all.
        age: A name of AGES, "" for any.
        text: Part of an address, "" for all.
        only_anomalies: Only messages with which something is wrong.
        order: What comes first.
        page: Which page, from 1.
        opened: "queue1/660188", "" for none.
        options: The choices of each list.
        table: What is drawn, see `queue_pages.Page.as_document`.
        counts: View -> how many rows it has.
        chosen: What was chosen elsewhere, in words; "" for nothing.
        is_filtered: Whether any filter is set.
        command: What shows the same in a terminal.
        taken: When the picture was taken, in words.
        taken_ms: The same as a number (unit: ms since 1970); 0 without a picture.
        busy: Whether a new picture is being taken.
        sentence: What is shown, in words; a live region.
        tone: Class of the sentence.
    """

    _esm = script("queue_browser.js", SWITCHES, TABLE_PARTS, QUEUE_PARTS)
    _css = style_sheet()

    place = t.Unicode("").tag(sync=True)
    view = t.Enum(VIEWS, default_value="messages").tag(sync=True)
    queue = t.Unicode("").tag(sync=True)
    state = t.Enum(("", *STATE_NAMES), default_value="").tag(sync=True)
    age = t.Enum(tuple(AGES), default_value="").tag(sync=True)
    text = t.Unicode("").tag(sync=True)
    only_anomalies = t.Bool(default_value=False).tag(sync=True)
    order = t.Enum(ORDERS, default_value="oldest").tag(sync=True)
    page = t.Int(1, min=1).tag(sync=True)
    opened = t.Unicode("").tag(sync=True)
    options = t.Dict().tag(sync=True)
    table = t.Dict().tag(sync=True)
    counts = t.Dict().tag(sync=True)
    chosen = t.Unicode("").tag(sync=True)
    is_filtered = t.Bool(default_value=False).tag(sync=True)
    command = t.Unicode("").tag(sync=True)
    taken = t.Unicode("").tag(sync=True)
    taken_ms = t.Float(0).tag(sync=True)
    busy = t.Bool(default_value=False).tag(sync=True)
    sentence = t.Unicode("").tag(sync=True)
    tone = t.Enum(("ik-quiet", "ik-good", "ik-bad"), default_value="ik-quiet").tag(sync=True)


class QueueMail(anywidget.AnyWidget):
    """The header of an opened message's mail, shown on wish and never widget state, so that no saved notebook has it.

    Attributes:
        message: Which message it belongs to; "" for none, and nothing is shown.
    """

    _esm = script("queue_mail.js")
    _css = style_sheet()

    message = t.Unicode("").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self._header = ("", "")
        super().__init__(**traits)
        self.on_msg(self._on_message)

    def hold(self, message: str, header: tuple[str, str]) -> None:
        """Have a mail's header ready, text and note, both visible; what is shown of another one is taken away."""
        self._header = header
        self.message = message
        self.send({"mail": None})

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        if content.get("show") and self.message:
            text, note = self._header
            self.send({"mail": text, "note": note})
