"""PolicyExplorer: the whole decision table as a grid to walk through, every cell open to its reasons."""

from __future__ import annotations

from typing import Any, Final

import anywidget
import ipywidgets as w
import traitlets as t

from indimail_kit.visible import visible
from indimail_kit.widgets import policy_markup
from indimail_kit.widgets.html import EMPTY, style_sheet
from indimail_kit.widgets.policy import (
    CLEAN_FIELD,
    COLUMNS,
    FORWARD_FIELD,
    INFECTED_FIELD,
    QUARANTINE_FIELD,
    ROW_KEYS,
    ROWS,
    Policy,
    PolicyCell,
    can_stand_in_environment,
    cells,
    policy_table,
)
from indimail_kit.widgets.scripts import SWITCHES, script
from indimail_kit.widgets.static_view import StaticView

CELL_KEYS: Final = tuple(f"{row}/{value}" for row in ROW_KEYS for value in COLUMNS)
"""The cells' names: "infected/1"."""

POLICY_TRAITS: Final = ("virus_forward", "quarantine", "infected_rc", "clean_rc")

_HINT: Final = "Choose a cell: Enter opens it, arrows move, Esc closes. The switches change the whole table."


class PolicyGrid(anywidget.AnyWidget):
    """The part that a browser draws: the switches with their variables, and the grid.

    Attributes:
        virus_forward: VIRUSFORWARD, "" for none.
        quarantine: QUARANTINE, "" for none.
        infected_rc: QHPSIRC.
        clean_rc: QHPSIRN.
        opened: Name of the opened cell, "" for none.
        fields: The switches, see `policy.Field.as_document`.
        columns: Headings.
        rows: Title, note and cells of each row, as texts.
        sentence: What changed, in words; a live region.
        tone: Class of the sentence.
    """

    _esm = script("policy_explorer.js", SWITCHES)
    _css = style_sheet()

    virus_forward = t.Unicode("").tag(sync=True)
    quarantine = t.Unicode("").tag(sync=True)
    infected_rc = t.Int(1, min=0, max=255).tag(sync=True)
    clean_rc = t.Int(0, min=0, max=255).tag(sync=True)
    opened = t.Enum(("", *CELL_KEYS), default_value="").tag(sync=True)
    fields = t.List(t.Dict()).tag(sync=True)
    columns = t.List(t.Unicode()).tag(sync=True)
    rows = t.List(t.Dict()).tag(sync=True)
    sentence = t.Unicode(_HINT).tag(sync=True)
    tone = t.Enum(("ik-quiet", "ik-good", "ik-bad"), default_value="ik-quiet").tag(sync=True)


class PolicyExplorer(StaticView, w.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """Every scan result against every REJECTVIRUS; VIRUSFORWARD, QUARANTINE, QHPSIRC and QHPSIRN are switches.

    `policy_cell` gives one cell as a value, `policy_table` a table, `policies_frame` all of them as a DataFrame.

    Attributes:
        virus_forward: VIRUSFORWARD, "" for none.
        quarantine: QUARANTINE, "" for none.
        infected_rc: QHPSIRC.
        clean_rc: QHPSIRN.
        opened: Name of the opened cell, for example "infected/1"; "" for none.
        grid: The part that a browser draws.
        panel: What the opened cell explains.
    """

    virus_forward = t.Unicode("")
    quarantine = t.Unicode("")
    infected_rc = t.Int(1, min=0, max=255)
    clean_rc = t.Int(0, min=0, max=255)
    opened = t.Enum(("", *CELL_KEYS), default_value="")

    def __init__(self, **traits: Any) -> None:
        self.grid = PolicyGrid(columns=[f"REJECTVIRUS={value}" for value in COLUMNS])
        self.panel, legend = w.HTML(), w.HTML(str(policy_markup.endings_html()))
        self._table: tuple[tuple[PolicyCell, ...], ...] = ()
        super().__init__(children=[self.grid, self.panel, legend], **traits)
        self.add_class("ik-journey")
        for part in (self.panel, legend):
            part.add_class("ik-html")
        for name in (*POLICY_TRAITS, "opened"):
            t.link((self, name), (self.grid, name))
        self._draw()

    def __repr__(self) -> str:
        """Return the view in words."""
        variables = " ".join(f"{name}={value}" for name, value in self.policy.environ().items() if name[0] in "VQ")
        return visible(f"PolicyExplorer: {variables}. {self.grid.sentence}")

    def static_html(self) -> str:
        """Return the same as HTML that needs no kernel."""
        return str(policy_markup.policy_html(self.policy, self._table, self.cell, said=self.grid.sentence))

    @property
    def policy(self) -> Policy:
        """Return the policy of the switches; REJECTVIRUS is the columns'."""
        return Policy(**{name: getattr(self, name) for name in POLICY_TRAITS})

    @property
    def cell(self) -> PolicyCell | None:
        """Return the opened cell, None for none."""
        return next((cell for cell in cells(self._table) if cell.key == self.opened), None)

    @t.validate("virus_forward", "quarantine")
    def _check_address(self, proposal: t.Bunch) -> str:
        if not can_stand_in_environment(proposal.value):
            raise t.TraitError("an address that can stand in an environment")
        return str(proposal.value)

    @t.observe(*POLICY_TRAITS)
    def _on_switch(self, _change: t.Bunch) -> None:
        if self._table:
            self._draw()

    def _draw(self) -> None:
        before = {cell.key: cell.sign for cell in cells(self._table)}
        self._table = policy_table(self.policy)
        changed = [cell for cell in cells(self._table) if before.get(cell.key, cell.sign) is not cell.sign]
        self.grid.fields = [field.as_document(self.policy) for field in _FIELDS]
        self.grid.rows = [
            {"title": row.title, "note": row.note, "cells": [_document(one, changed) for one in shown]}
            for row, shown in zip(ROWS, self._table, strict=True)
        ]
        self.grid.sentence = _changes(changed) if before else _HINT
        self._draw_panel()

    @t.observe("opened")
    def _draw_panel(self, _change: object = None) -> None:
        cell = self.cell
        self.panel.value = str(EMPTY if cell is None else policy_markup.cell_html(cell, has_buttons=True))


_FIELDS: Final = (FORWARD_FIELD, QUARANTINE_FIELD, INFECTED_FIELD, CLEAN_FIELD)


def _document(cell: PolicyCell, changed: list[PolicyCell]) -> dict[str, Any]:
    row = next(one for one in ROWS if one.key == cell.row)
    label = f"{row.title}, REJECTVIRUS={cell.reject_virus}: {cell.sign.word}, {cell.reply}"
    return {
        "key": cell.key,
        "mark": cell.sign.mark,
        "word": cell.sign.word,
        "code": cell.reply[:3],
        "at": f"={cell.reject_virus}",
        "cls": cell.sign.cls,
        "label": label,
        "changed": cell in changed,
    }


def _changes(changed: list[PolicyCell]) -> str:
    if not changed:
        return "No cell changes."
    titles = {row.key: row.title for row in ROWS}
    places = dict.fromkeys(f"{titles[cell.row]} → {cell.sign}" for cell in changed)
    return f"{len(changed)} cell{'s' * (len(changed) > 1)} of {len(CELL_KEYS)} changed: {'; '.join(places)}."
