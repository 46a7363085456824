"""Tables that fit a terminal."""

from __future__ import annotations

import pytest

from indimail_kit.cli.output import json_text, print_table

COLUMNS = (("wrong passwords", "right"), ("first", "right"), ("users tried", "left"))
ROWS = [[("11", ""), ("2026-11-22 14:18:06", ""), ("test@local.test, who@local.test, rc2@local.test", "")]]


@pytest.mark.parametrize("width", [200, 100, 60, 45])
def test_numbers_and_times_stay_whole_where_texts_can_be_folded(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time that is cut in two is read wrong at night."""
    monkeypatch.setattr("indimail_kit.cli.output.console", lambda: _console(width))
    print_table(COLUMNS, ROWS)
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert max(map(len, lines)) <= width
    assert sum("2026-11-22 14:18:06" in line for line in lines) == 1
    assert "".join("".join(line[-width:].split()[-1:]) for line in lines[2:]).replace(" ", "").endswith("local.test")


def test_a_time_is_cut_between_date_and_time_of_day_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the whole has no room."""
    monkeypatch.setattr("indimail_kit.cli.output.console", lambda: _console(38))
    print_table(COLUMNS, ROWS)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 38
    assert [sum(part in line for line in lines) for part in ("2026-11-22 ", "14:18:06 ")] == [1, 1]


def test_nothing_is_lost_in_a_terminal_that_is_too_narrow(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then everything is folded: every character is there."""
    monkeypatch.setattr("indimail_kit.cli.output.console", lambda: _console(24))
    print_table(COLUMNS, ROWS)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 24
    assert sum(character.isdigit() for character in shown) == sum(
        character.isdigit() for character in "11202611221418062"
    )


def _console(width: int) -> object:
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, width=width)


def test_json_says_the_same_with_nothing_that_steers_a_terminal() -> None:
    """Escapes within strings; an octet that is no UTF-8 too."""
    text = json_text({"a": "\x1b[2J\u202e\x9b\udcff\U000e0001é"}, indent=None)
    assert text == '{"a": "\\u001b[2J\\u202e\\u009b\\udcff\\udb40\\udc01é"}'
