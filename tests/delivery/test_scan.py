"""Which messages have files."""

from __future__ import annotations

from pathlib import Path

import pytest

from indimail_kit.delivery.scan import scan_numbers
from indimail_kit.mailqueue.layout import QueueLayout, create_queue


@pytest.mark.parametrize("has_bigtodo", [True, False], ids=["split", "flat"])
def test_files_are_found_in_order(tmp_path: Path, has_bigtodo: bool) -> None:
    """Directory by directory, numbers rising; IndiMail's todo is split, qmail's is not."""
    layout = create_queue(tmp_path / "queue1", split=3, bigtodo=has_bigtodo)
    for number in (30, 9, 4, 100):
        layout.path("todo", number).touch()

    found = list(scan_numbers(layout, "todo"))

    assert [number for _, number in found] == ([9, 30, 4, 100] if has_bigtodo else [4, 9, 30, 100])
    assert {directory for directory, _ in found} == ({"todo/0", "todo/1"} if has_bigtodo else {"todo"})


@pytest.mark.parametrize("name", ["0", "007", "7x", "-7", "x", "٧", "9" * 20])
def test_name_that_is_no_number_is_no_message(tmp_path: Path, name: str) -> None:
    """A stray file cannot become a message number."""
    layout = create_queue(tmp_path / "queue1", split=1)
    (layout.directory / "info" / "0" / name).touch()

    assert list(scan_numbers(layout, "info")) == []


def test_directory_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """The others are read all the same."""
    layout = QueueLayout(create_queue(tmp_path / "queue1", split=2).directory, split=3)
    layout.path("info", 4).touch()
    troubles: list[str] = []

    found = list(scan_numbers(layout, "info", on_trouble=troubles.append))

    assert (found, troubles) == ([("info/1", 4)], ["info/2"])
