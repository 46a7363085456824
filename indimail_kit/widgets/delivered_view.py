"""DeliveredView: a mail before and after, every added line with who added it and why."""

from __future__ import annotations

from typing import Any, Final

import anywidget
import traitlets as t

from indimail_kit.lab.journey import Journey
from indimail_kit.lab.shown import as_text
from indimail_kit.visible import visible
from indimail_kit.widgets.delivered import added_fields, commands, delivered_html, places, why_not
from indimail_kit.widgets.html import style_sheet
from indimail_kit.widgets.scripts import script
from indimail_kit.widgets.static_view import StaticView

IDLE: Final = "No mail so far. Set `journey` to what Lab.send returned."


class DeliveredView(StaticView, anywidget.AnyWidget):
    """What the client sent, and what lies in the mailbox.

    The mail itself is no widget state: it goes to the browser as a message when it is asked for, so that no saved
    notebook has it. `delivered_html` gives the same as HTML, `added_fields` the added lines as values.

    Attributes:
        journey: The mail's journey; not synchronised.
        added: The added lines, oldest program last: text, who, why, source.
        facts: Label and value pairs.
        commands: What shows the same in a terminal: caption and command.
        sentence: What happened, in words; a live region.
        tone: Class of the sentence.
    """

    _esm = script("delivered_view.js")
    _css = style_sheet()

    journey = t.Instance(Journey, allow_none=True)
    added = t.List(t.Dict()).tag(sync=True)
    facts = t.List(t.List(t.Unicode())).tag(sync=True)
    commands = t.List(t.List(t.Unicode())).tag(sync=True)
    sentence = t.Unicode(IDLE).tag(sync=True)
    tone = t.Enum(("ik-quiet", "ik-good", "ik-bad"), default_value="ik-quiet").tag(sync=True)

    def __init__(self, journey: Journey | None = None, **traits: Any) -> None:
        """Show a mail.

        Args:
            journey: What `Lab.send` returned.
            traits: Other traits.
        """
        super().__init__(journey=journey, **traits)
        self.on_msg(self._on_message)

    def __repr__(self) -> str:
        """Return the view in words."""
        return f"DeliveredView: {self.sentence}"

    def static_html(self) -> str:
        """Return the same as HTML that needs no kernel, without the mail itself."""
        return str(delivered_html(self.journey)) if self.journey is not None else ""

    @t.observe("journey")
    def _on_journey(self, _change: object) -> None:
        journey = self.journey
        arrival = journey.arrival if journey is not None else None
        fields = added_fields(arrival, dict(journey.variables)) if journey is not None and arrival is not None else ()
        self.added = [
            {"text": visible(one.text, kept="\n\t"), "who": one.who, "why": one.why, "source": one.source}
            for one in fields
        ]
        self.facts = [[label, visible(value)] for label, value in places(arrival)] if arrival is not None else []
        self.commands = [[caption, visible(text)] for caption, text in commands(arrival)] if arrival is not None else []
        self.sentence = _sentence(journey, len(fields))
        self.send({"mail": None})

    def _on_message(self, _view: object, content: dict[str, Any], _buffers: object) -> None:
        arrival = self.journey.arrival if self.journey is not None else None
        if content.get("show") and arrival is not None:
            own = visible(as_text(arrival.sent, limit=len(arrival.sent)).replace("\r\n", "\n"), kept="\n\t")
            left = arrival.sent_bytes - len(arrival.sent)
            self.send({"mail": own + (f"\n… {left:,} more octets" if left else "")})


def _sentence(journey: Journey | None, count: int) -> str:
    if journey is None:
        return IDLE
    arrival = journey.arrival
    if arrival is None:
        return visible(why_not(journey))
    state = "unchanged" if arrival.is_unchanged else "not what was sent"
    lies = f"It lies in {arrival.folder} of {arrival.recipient}"
    return visible(f"{lies}, {count} header fields were added, the mail itself is {state}.")
