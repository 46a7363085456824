"""AdminDesk: one place to say where a server is, and views of it that are about the same message.

Rule 1: whatever is looked at is only read; what changes a queue is a plan in `PlanPanel`, and needs a yes.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as w
import traitlets as t

from indimail_kit.admin.overview import Overview, look_at_queues
from indimail_kit.admin.site import Site, parse_clocks, parse_split, split_paths
from indimail_kit.errors import LabError
from indimail_kit.lab.demo_site import make_site
from indimail_kit.mailqueue.queues import default_place
from indimail_kit.qhpsi.private_dir import PrivateHoldings
from indimail_kit.tables.queue_frames import messages
from indimail_kit.trace import Tracer
from indimail_kit.visible import visible
from indimail_kit.widgets.auth_markup import heading_html, standalone
from indimail_kit.widgets.desk_markup import overview_html
from indimail_kit.widgets.html import EMPTY, tag
from indimail_kit.widgets.plan_panel import PlanPanel
from indimail_kit.widgets.queue_browser import QueueBrowser
from indimail_kit.widgets.queue_scan_panel import QueueScanPanel
from indimail_kit.widgets.queue_shape import QueueShape
from indimail_kit.widgets.queue_words import moment_text
from indimail_kit.widgets.runner import Ended, run, run_here
from indimail_kit.widgets.static_view import StaticView
from indimail_kit.widgets.status_line import StatusLine
from indimail_kit.widgets.stuck_mail import StuckMail
from indimail_kit.widgets.trace_view import TraceView

if TYPE_CHECKING:
    from indimail_kit.logs import Log
    from indimail_kit.mailqueue.picture import Snapshot
    from indimail_kit.mailqueue.queues import Queues

TITLE: Final = "A mail server, looked at"
DEMO: Final = "This is a demonstration server at noon. Name your own queue base and logs, and press Look."
ROOT: Final = "You are root here: to look, a user who may only read is enough, and safer."
VIEWS: Final = ("stuck", "shape", "browser", "trace", "scan", "plans")
"""The views of a desk, in the order of a night."""

_FIELDS: Final = {
    "queue_base": ("queue base", "/var/indimail/queue"),
    "logs": ("logs", "files or multilog directories, with colons between them"),
    "clamd": ("clamd", "socket or HOST:PORT; empty: the built-in scanner"),
    "clocks": ("clocks", "ahead of qmail-send's, in seconds: scan=+2.5 session=-1"),
    "split": ("split", "empty: found"),
}
"""Field -> its name, and what may stand in it."""

_LONG: Final = ("queue_base", "logs")
"""Fields that have a line of their own."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What a look brings."""

    site: Site
    queues: Queues
    picture: Snapshot
    log: Log | None
    overview: Overview
    tracer: Tracer


class Pane(StaticView, w.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """A place for a view of a desk, which gets a new view with each look.

    Attributes:
        view: The view that is there now; None before the first look.
    """

    view = t.Any(None, allow_none=True)

    @t.observe("view")
    def _on_view(self, change: t.Bunch) -> None:
        self.children = () if change.new is None else (change.new,)
        if isinstance(change.old, w.Widget):
            change.old.close()

    def __repr__(self) -> str:
        """Return the view in words."""
        return repr(self.view) if self.view is not None else "Nothing is shown yet: press Look at the desk."

    def static_html(self) -> str:
        """Return the view as HTML that needs no kernel."""
        return str(self.view.static_html()) if self.view is not None else ""


class AdminDesk(StaticView, w.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """Where a server is, and its overview; the other views are attributes, and all are about the chosen message.

    `admin.Site`, `admin.look_at_queues`, `tables.questions.stuck`, `trace`, `admin.scan_queued` and `admin.run_plan`
    give the same as values; in a terminal, `indimail-kit queue overview`, `stuck`, `scan`, `repair` and `trace`.

    Attributes:
        site: The server that is looked at.
        is_demo: Whether it is the demonstration server.
        overview: Its queues as a whole, None before the first look.
        chosen: "queue1/660188", the message that all views are about; "" for none.
        stuck: Why mail waits, see `StuckMail`.
        shape: Domain by age, see `QueueShape`.
        browser: Queues, messages and recipients, see `QueueBrowser`.
        trace: The story of the chosen message, see `TraceView`.
        scan: What a scanner says of it, see `QueueScanPanel`.
        plans: What shall change, see `PlanPanel`.
        look_button: Takes a new picture of everything.
    """

    site = t.Instance(Site)
    chosen = t.Unicode("")
    overview = t.Instance(Overview, allow_none=True)

    def __init__(
        self, site: Site | None = None, *, environ: Mapping[str, str] | None = None, seed: int = 1, **traits: Any
    ) -> None:
        """Look at a server.

        Args:
            site: The server; what the environment names if not given, and a demonstration server if it names none.
            environ: The environment, see `admin.site`; the process's own if not given.
            seed: Seed of the demonstration server.
            traits: Other traits.

        Raises:
            FormatError: A variable is wrong.
            TraceError: A clock that nobody has.
        """
        environ = os.environ if environ is None else environ
        self.is_demo = site is None and not Site.is_named(environ)
        if site is None:
            site = Site.from_environ(self._make_demo(seed) if self.is_demo else environ)
        self._starting = threading.Lock()
        self._look: _Look | None = None
        for name in VIEWS:
            setattr(self, name, Pane())
        self.status = StatusLine()
        self.header, self.panel = w.HTML(), w.HTML()
        self.fields = {name: _field(name) for name in _FIELDS}
        self.look_button = w.Button(description="Look", tooltip="Takes a new picture; changes nothing")
        form = w.HBox([*self.fields.values(), self.look_button])
        form.add_class("ik-desk-fields")
        super().__init__(children=[self.header, form, self.status, self.panel], site=site, **traits)
        self.add_class("ik-journey")
        for part in (self.header, self.panel):
            part.add_class("ik-html")
        self._fill_form()
        self.look_button.on_click(lambda _button: self.look_beside())
        self._end(run_here(self._begin(self.site), lambda _none: None))

    def _make_demo(self, seed: int) -> dict[str, str]:
        """Make the demonstration server; it goes when the desk goes."""
        holdings = PrivateHoldings(os.getpid())
        directory = holdings.settle_in(None, prefix="indimail-kit-desk-")
        self.end_demo = weakref.finalize(self, _give_back, holdings)
        return make_site(directory / "server", seed=seed).environ

    def __repr__(self) -> str:
        """Return the view in words."""
        return visible(f"AdminDesk: {self._place()}. {self.status.sentence}")

    def static_html(self) -> str:
        """Return the same as HTML that needs no kernel."""
        said = tag("p", self.status.sentence, cls=f"ik-status {self.status.tone}")
        shown = EMPTY if self.overview is None else overview_html(self.overview)
        return str(standalone(heading_html(TITLE, self._place()), said, shown, label=TITLE))

    def _place(self) -> str:
        return f"{'demonstration server' if self.is_demo else self.site.queue_base} · {self.site.scanner_name}"

    # -- the form ----------------------------------------------------------------------------------------------------

    def _fill_form(self) -> None:
        site = self.site
        self.fields["queue_base"].value = visible(str(site.queue_base))
        self.fields["logs"].value = visible(os.pathsep.join(map(str, site.logs)))
        self.fields["clamd"].value = visible(site.clamd)
        self.fields["clocks"].value = " ".join(f"{name}={seconds:+g}" for name, seconds in site.ahead_s.items())
        self.fields["split"].value = "" if site.split is None else str(site.split)
        self.header.value = str(heading_html(TITLE, self._place()))

    def read_form(self) -> Site:
        """Return the server that the fields name.

        Raises:
            FormatError: A split or a clock is none.
            TraceError: A clock that nobody has.
        """
        typed = {name: str(field.value).strip() for name, field in self.fields.items()}
        return Site(
            default_place({"QUEUE_BASE": typed["queue_base"]}),
            split_paths(typed["logs"]),
            parse_split(typed["split"]),
            typed["clamd"],
            parse_clocks(typed["clocks"]),
        )

    # -- a look ------------------------------------------------------------------------------------------------------

    def look(self, site: Site | None = None) -> Overview:
        """Look at a server, and wait for it; all views get its new picture.

        Args:
            site: The server; what the fields name if not given.

        Raises:
            FormatError: A field is wrong, or a directory holds no log.
            QueueError: There is no queue there.
            OSError: A log cannot be read.
            LabError: A look is under way.
        """
        ended = run_here(self._begin(site), lambda _none: None)
        self._end(ended)
        return ended.outcome().overview

    def look_beside(self) -> None:
        """Begin a look and go on; nothing while one is under way."""
        if not self.status.busy:
            run(lambda: self._begin(None), lambda _none: None, self._end)

    def _begin(self, site: Site | None) -> Callable[[Callable[[None], None]], _Look]:
        with self._starting:
            if self.status.busy:
                raise LabError("a look that has not ended yet")
            self.status.busy = True
        self.status.say("Looking …")
        self.look_button.disabled = True
        return lambda _tell: _look_at(self.read_form() if site is None else site)

    def _end(self, ended: Ended[_Look]) -> None:
        self.status.busy = self.look_button.disabled = False
        look = ended.result
        if look is None:
            stays = "" if self._look is None else " What is shown below is of the last look."
            self.status.say(f"Cannot look there: {ended.error}.{stays}", "ik-bad")
            return
        self.is_demo = self.is_demo and look.site.queue_base == self.site.queue_base
        self._look, self.site, self.overview = look, look.site, look.overview
        self.chosen = ""
        self._fill_form()
        self._build(look)
        taken = f"Looked at {moment_text(look.overview.taken_ns)} UTC."
        more = DEMO if self.is_demo else ROOT if os.geteuid() == 0 else ""
        self.status.say(f"{taken} {more}".strip())

    @t.observe("overview")
    def _on_overview(self, change: t.Bunch) -> None:
        self.panel.value = "" if change.new is None else str(overview_html(change.new))

    def _build(self, look: _Look) -> None:
        """Give every pane its view of the new picture."""
        place, site, queues, picture = look.queues.place, look.site, look.queues, look.picture
        self.stuck.view = StuckMail(picture, look.log, place=place, logs=site.logs)
        self.shape.view = QueueShape(queues, picture=picture)
        self.browser.view = QueueBrowser(queues, picture=picture)
        self.trace.view = TraceView(look.tracer)
        self.scan.view = QueueScanPanel(queues, scanner=site.scanner, scanner_name=site.scanner_name)
        self.plans.view = PlanPanel(queues)
        self.stuck.view.observe(self._on_choice, "chosen")
        self.browser.view.observe(self._on_choice, "opened")
        self.shape.view.browser.observe(self._on_choice, "opened")

    # -- the chosen message ------------------------------------------------------------------------------------------

    def _on_choice(self, change: t.Bunch) -> None:
        if change.new:
            self.chosen = change.new

    @t.observe("chosen")
    def _on_chosen(self, change: t.Bunch) -> None:
        key, look = change.new, self._look
        if not key or look is None:
            return
        self.stuck.view.chosen = key
        self.browser.view.opened = key
        self.scan.view.message = key
        self.plans.view.message = key
        self.trace.view.asked = question_of(key, look.picture)

    @t.validate("chosen")
    def _check_chosen(self, proposal: t.Bunch) -> str:
        queue, _, number = str(proposal.value).rpartition("/")
        names = {one.layout.name for one in self._look.picture.queues} if self._look is not None else set()
        if proposal.value and (queue not in names or not number.isascii() or not number.isdecimal()):
            raise t.TraitError('a queue and a message number, as in "queue1/660188", or nothing')
        return str(proposal.value)


def question_of(key: str, picture: Snapshot) -> str:
    """Return the question that TraceView is asked about a message of a picture.

    Args:
        key: "queue1/660188".
        picture: The picture; its birth of the message tells which life of the number is meant.

    Example:
        >>> from indimail_kit.mailqueue import Snapshot
        >>> question_of("queue1/660188", Snapshot(0, ()))
        '660188 in queue1'
    """
    queue, _, number = key.rpartition("/")
    frame = messages(picture)
    own = frame[(frame["queue"] == queue) & (frame["message_number"] == int(number))]["birth"].dropna()
    return f"{number} in {queue}" + (f", {own.iloc[0].strftime('%Y-%m-%dT%H:%M:%SZ')} ± 60 s" if len(own) else "")


def _give_back(holdings: PrivateHoldings) -> None:
    """Remove the demonstration server; a fork of this process has only a copy of what is held, and lets it be."""
    if holdings.is_ours:
        holdings.give_back_directory()


def _field(name: str) -> w.Text:
    words, placeholder = _FIELDS[name]
    field = w.Text(description=words, placeholder=placeholder, tooltip=f"{words}: {placeholder}")
    field.style.description_width = "6em"
    if name in _LONG:
        field.add_class("ik-desk-long")
    return field


def _look_at(site: Site) -> _Look:
    """Do the slow work of a look."""
    queues = site.queues()
    picture, log = queues.snapshot(), site.log()
    tracer = Tracer(logs=[] if log is None else [log], queues=queues, ahead_s=site.ahead_s)
    return _Look(site, queues, picture, log, look_at_queues(queues, picture=picture), tracer)
