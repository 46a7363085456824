"""StuckMail: why mail waits, reason by reason, and who; a row chooses a message for the other views."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as w
import traitlets as t

from indimail_kit.errors import SchemaError
from indimail_kit.tables.questions_stuck import stuck, stuck_reasons
from indimail_kit.visible import visible
from indimail_kit.widgets.auth_markup import heading_html, standalone
from indimail_kit.widgets.drawn import DrawnByMessage
from indimail_kit.widgets.html import tag
from indimail_kit.widgets.markup import command_html
from indimail_kit.widgets.pages import cut
from indimail_kit.widgets.queue_words import count_text, moment_text
from indimail_kit.widgets.scripts import SWITCHES, TABLE_PARTS, script
from indimail_kit.widgets.static_view import StaticView
from indimail_kit.widgets.stuck_pages import VIEWS, page_of, static_page_html

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pandas as pd

    from indimail_kit.logs import Log
    from indimail_kit.mailqueue.picture import Snapshot

TITLE: Final = "Stuck mail"


class StuckGrid(DrawnByMessage):
    """The table that a browser draws; nothing of the log is a trait, it goes to the page as a message.

    Attributes:
        view: Which table is shown.
        page: Which page, from 1.
        chosen: "queue1/660188", "" for none.
    """

    _esm = script("stuck_mail.js", SWITCHES, TABLE_PARTS)

    view = t.Enum(VIEWS, default_value="reasons").tag(sync=True)
    page = t.Int(1, min=1).tag(sync=True)
    chosen = t.Unicode("").tag(sync=True)


class StuckMail(StaticView, w.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """Who waits in a queue, and what the log said when he was last deferred.

    `tables.questions.stuck` and `stuck_reasons` give the same as DataFrames, `indimail-kit queue stuck` in a terminal.

    Attributes:
        waiting: The table STUCK.
        reasons: The table STUCK_REASONS.
        view: "reasons" or "recipients".
        reason: Only recipients that wait for this reason; "" for all.
        page: Which page, from 1.
        chosen: "queue1/660188", the message that was chosen; "" for none.
        grid: The part that a browser draws.
    """

    view = t.Enum(VIEWS, default_value="reasons")
    reason = t.Unicode("")
    page = t.Int(1, min=1)
    chosen = t.Unicode("")

    def __init__(
        self,
        picture: Snapshot,
        log: Log | None = None,
        *,
        place: Path | str = "",
        logs: Iterable[Path | str] = (),
        **traits: Any,
    ) -> None:
        """Show what waits.

        Args:
            picture: What `Queues.snapshot` returned.
            log: qmail-send's log, None without one.
            place: Where the queues are, for people.
            logs: Where the log is, for the command that shows the same.
            traits: Other traits.
        """
        self.waiting = stuck(picture, *((None, None) if log is None else (log.deliveries, log.messages)))
        self.reasons = stuck_reasons(self.waiting)
        self._taken_ns, self._has_log = picture.taken_ns, log is not None
        self._place, self._command = str(place), _command(place, list(logs))
        self.grid = StuckGrid()
        own = {name: traits.pop(name) for name in ("view", "reason", "page", "chosen") if name in traits}
        super().__init__(children=[self.grid], **traits)
        self.add_class("ik-journey")
        for name in ("view", "page", "chosen"):
            t.link((self, name), (self.grid, name))
        self.grid.on_msg(self._on_message)
        self._draw()
        for name, value in own.items():
            setattr(self, name, value)

    def __repr__(self) -> str:
        """Return the view in words."""
        return visible(f"StuckMail: {self._place or 'a queue'}. {self.sentence}")

    def static_html(self) -> str:
        """Return the same as HTML that needs no kernel."""
        head = heading_html(TITLE, visible(f"{self._place} · picture of {moment_text(self._taken_ns)} UTC"))
        said = tag("p", self.sentence, cls="ik-status ik-quiet")
        return str(standalone(head, said, static_page_html(self._page()), command_html(self._command), label=TITLE))

    @property
    def sentence(self) -> str:
        """Return what is so, in words."""
        total, told = len(self.waiting), int(self.waiting["reason"].notna().sum())
        if not total:
            return "Nobody waits: every recipient in the queue is done."
        likely = int(self.waiting["confidence"].eq("likely").sum())
        unsure = f", {likely:,} of these only likely" if likely else ""
        hint = "" if self._has_log else " Name qmail-send's log, and the reasons come."
        chosen = f" {self.chosen} is chosen." if self.chosen else ""
        return f"{count_text(total, 'recipient')} wait; the log tells why of {told:,}{unsure}.{hint}{chosen}"

    def frame(self) -> pd.DataFrame:
        """Return the rows that are shown, all pages of them."""
        return self.reasons if self.view == "reasons" else self._rows()

    def _rows(self) -> pd.DataFrame:
        if not self.reason:
            return self.waiting
        why = self.waiting["reason"].fillna(self.waiting["note"])
        return self.waiting[why == self.reason].reset_index(drop=True)

    def _page(self) -> Any:
        return page_of(self.reasons, self._rows(), self.view, self.page)

    @t.validate("reason")
    def _check_reason(self, proposal: t.Bunch) -> str:
        if proposal.value and proposal.value not in set(self.reasons["reason"]):
            raise t.TraitError("a reason of the table, or none")
        return str(proposal.value)

    @t.validate("page")
    def _check_page(self, proposal: t.Bunch) -> int:
        rows = len(self.reasons if self.view == "reasons" else self._rows())
        return cut(range(rows), int(proposal.value))[1]

    @t.observe("view", "reason", "page")
    def _on_view(self, change: t.Bunch) -> None:
        if change.name != "page" and self.page != 1:
            self.page = 1
        else:
            self._draw()

    @t.observe("chosen")
    def _on_chosen(self, _change: object) -> None:
        self.grid.sentence = visible(self.sentence)

    def _draw(self) -> None:
        page = self._page()
        self.grid.sentence = visible(self.sentence)
        self.grid.draw(
            table=page.as_document(),
            reason=visible(self.reason)[:80],
            counts={"reasons": f"{len(self.reasons):,}", "recipients": f"{len(self._rows()):,}"},
            command=visible(self._command),
            place=visible(f"{self._place} · picture of {moment_text(self._taken_ns)} UTC"),
        )

    def act(self, key: str) -> None:
        """Do what a row's button says: show who waits for a reason, or choose a message.

        Args:
            key: "r0" for the first reason, "queue1/660188" for a message.

        Raises:
            SchemaError: There is no such row.
        """
        if self.view == "reasons":
            place = key.removeprefix("r")
            if not (place.isascii() and place.isdecimal()) or int(place) >= len(self.reasons):
                raise SchemaError("a row that is not there")
            with self.hold_trait_notifications():
                self.reason, self.view = str(self.reasons["reason"].iloc[int(place)]), "recipients"
        else:
            keys = self.waiting["queue"] + "/" + self.waiting["message_number"].astype(str)
            if key not in set(keys):
                raise SchemaError("a row that is not there")
            self.chosen = key

    def _on_message(self, _grid: object, content: dict[str, Any], _buffers: object) -> None:
        """Do what a row or button asks for; what nobody can ask for is left alone."""
        if content.get("drop"):
            self.reason = ""
        elif isinstance(content.get("act"), str):
            try:
                self.act(content["act"])
            except SchemaError:
                return


def _command(place: Path | str, logs: Sequence[Path | str]) -> str:
    """Return what shows the same in a terminal; "" without a place."""
    if not str(place):
        return ""
    named = "".join(f" --log {shlex.quote(str(one))}" for one in logs)
    return f"indimail-kit queue stuck --queue {shlex.quote(str(place))}{named}"
