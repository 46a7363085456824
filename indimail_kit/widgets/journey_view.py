"""JourneyView: write a mail, press Send, and see each station of its way as it happens."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

import ipywidgets as w
import traitlets as t

from indimail_kit.auth.mechanisms import MECHANISMS
from indimail_kit.errors import LabError
from indimail_kit.lab.journey import STATION_KEYS, Journey, Station, StationState
from indimail_kit.visible import visible
from indimail_kit.widgets import markup
from indimail_kit.widgets.html import Html, tag
from indimail_kit.widgets.mail_form import MailForm
from indimail_kit.widgets.rail import StationRail
from indimail_kit.widgets.runner import Ended, run, run_here
from indimail_kit.widgets.sends_mail import SendsMail
from indimail_kit.widgets.static_view import StaticView

if TYPE_CHECKING:
    from pathlib import Path

ON_ITS_WAY: Final = "On its way …"
"""What the live region says while a mail travels."""

IDLE: Final = "Nothing is on its way. Write a mail and press Send."
"""What the live region says before the first mail."""

_HINT: Final = "Choose a station to look inside: Enter opens it, arrows move, Esc closes."


class ShowsQueues(SendsMail, Protocol):
    """What JourneyView needs of a lab."""

    @property
    def queue_base(self) -> Path:
        """Directory of the queues."""


class JourneyView(StaticView, w.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """One mail from AUTH to the inbox, every station visible and open to its raw bytes.

    Attributes:
        lab: The lab that sends.
        last_journey: The journey on the rail, None before the first mail.
        busy: Whether a mail is on its way.
        sentence: What happened, in words.
        opened: Key of the opened station, "" for none.
        header: Title, scanner and place of the queues.
        form: The fields, see `MailForm`.
        rail: The stations.
        panel: What the opened station shows.
        table: The messages so far.
    """

    last_journey = t.Instance(Journey, allow_none=True)
    busy = t.Bool(default_value=False)
    sentence = t.Unicode(IDLE)
    opened = t.Enum(("", *STATION_KEYS), default_value="")

    def __init__(self, lab: ShowsQueues, **traits: Any) -> None:
        self.lab = lab
        self.form = MailForm(users=lab.users, mechanisms=tuple(MECHANISMS))
        self.rail = StationRail()
        self.header, self.panel, self.table = w.HTML(), w.HTML(), w.HTML()
        self._stations = dict(zip(STATION_KEYS, markup.WAITING, strict=True))
        self._starting = threading.Lock()
        legend = w.HTML(str(markup.legend_html()))
        super().__init__(children=[self.header, self.form, self.rail, self.panel, self.table, legend], **traits)
        self.add_class("ik-journey")
        for part in (self.header, self.panel, self.table, legend):
            part.add_class("ik-html")
        for name in ("busy", "sentence", "opened"):
            t.link((self, name), (self.rail, name))
        self.rail.observe(self._on_shown, "shown")
        self.form.send_button.on_click(self._on_send)
        self._draw_table()
        self._draw_panel()

    def __repr__(self) -> str:
        """Return the view in words."""
        count = len(self.lab.journeys)
        return f"JourneyView: {count} messages so far, scanner {self.lab.scanner_name}. {self.sentence}".strip()

    def static_html(self) -> str:
        """Return the same as HTML that needs no kernel."""
        return str(markup.view_html(self.lab.journeys, header=self._header()))

    def send(self) -> Journey:
        """Send the mail of the form, wait until its journey ends, and return it.

        Raises:
            LabError: A mail of this view is on its way, or the lab could not send.
        """
        ended = run_here(self._begin(), self._show)
        self._end(ended)
        return ended.outcome()

    def _on_send(self, _button: object) -> None:
        if not self.busy:
            run(self._begin, self._show, self._end)

    def _begin(self) -> Callable[[Callable[[Station], None]], Journey]:
        with self._starting:
            if self.busy:
                raise LabError("a mail of this view is on its way")
            self.busy = True
        order = self.form.take_order()
        self.rail.tone, self.sentence = "ik-quiet", ON_ITS_WAY
        self.form.send_button.description = "Sending …"
        self._set_stations((Station("auth", StationState.WORKING), *markup.WAITING[1:]))
        return lambda tell: self.lab.send(**order, on_station=tell)

    def _show(self, station: Station) -> None:
        self._set_stations([station if one.key == station.key else one for one in self._stations.values()])

    def _end(self, ended: Ended[Journey]) -> None:
        self.busy, self.form.send_button.description = False, "Send"
        if ended.result is not None:
            self.last_journey = ended.result
        else:
            self.rail.tone, self.sentence = "ik-bad", self._failure(ended.error)
        self.rail.shown = 0
        self._draw_table()

    def _failure(self, error: BaseException | None) -> str:
        start = "" if self.lab.is_running else "start the lab with lab.start(), then "
        what = f"{type(error).__name__}: {error}"
        return visible(f"The lab could not send this mail. {what}. What to do: {start}correct the form and press Send.")

    @t.observe("last_journey")
    def _on_journey(self, change: t.Bunch) -> None:
        self._set_stations(change.new.stations if change.new else markup.WAITING)
        self.rail.tone = markup.tone(change.new) if change.new else "ik-quiet"
        self.sentence = markup.sentence(change.new) if change.new else IDLE

    def _on_shown(self, change: t.Bunch) -> None:
        journeys = self.lab.journeys
        if 1 <= change.new <= len(journeys) and not self.busy:
            self.last_journey = journeys[change.new - 1]

    def _set_stations(self, stations: Any) -> None:
        self._stations = {station.key: station for station in stations}
        self.rail.stations = markup.rail_rows(tuple(self._stations.values()))
        self._draw_panel()

    @t.observe("opened")
    def _draw_panel(self, _change: object = None) -> None:
        station = self._stations.get(self.opened)
        inside = markup.panel_html(station, has_buttons=True) if station else tag("p", _HINT, cls="ik-hint")
        self.panel.value = str(inside)

    def _draw_table(self) -> None:
        self.header.value = str(self._header())
        self.table.value = str(markup.journeys_html(self.lab.journeys, has_buttons=True))

    def _header(self) -> Html:
        title = tag("p", "One mail, seven stations", cls="ik-name", role="heading", aria_level="3")
        if not self.lab.is_running:
            stopped = tag("p", "The lab is stopped. Start it: lab.start()", cls="ik-place")
            return tag("div", title, stopped, cls="ik-top")
        queues = "/".join(self.lab.queue_base.parts[-2:])
        scanner = tag("span", f"scanner: {self.lab.scanner_name}", cls="ik-fact-inline")
        base = tag("span", f"queue base: …/{queues}", cls="ik-fact-inline", title=str(self.lab.queue_base))
        return tag("div", title, tag("p", scanner, base, cls="ik-place"), cls="ik-top")
