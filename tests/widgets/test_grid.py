"""The table that values of lower rooms show themselves with."""

from __future__ import annotations

from indimail_kit.widgets.grid import grid_html


def test_grid_has_caption_heads_and_cells() -> None:
    """A table that a screen reader can walk: caption, column heads, one row a tuple."""
    shown = str(grid_html("Two things", ("name", "value"), [("a", "1"), ("b", "2")]))

    assert "<caption>Two things</caption>" in shown
    assert shown.count('scope="col"') == 2
    assert [shown.count(f"<td>{cell}</td>") for cell in ("a", "1", "b", "2")] == [1] * 4


def test_hostile_cell_stays_text() -> None:
    """Markup and control characters in a cell, a head or the caption are shown, not done."""
    shown = str(grid_html("<b>", ("<i>",), [("<script>\x1b[2J",)]))

    assert [shown.count(f"<{name}>") for name in ("b", "i", "script")] == [0, 0, 0]
    assert "\x1b" not in shown
