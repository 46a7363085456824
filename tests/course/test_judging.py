"""Judging: which of several mistakes is told."""

from __future__ import annotations

import pytest

from indimail_kit.course.judging import first_mistake


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([], ""),
        ([("a", False), ("b", False)], ""),
        ([("a", False), ("b", True), ("c", True)], "b"),
    ],
    ids=["none known", "none made", "two made"],
)
def test_the_first_mistake_is_told(found, told):
    """The order says which mistake a learner hears of first; one who made none hears of none."""
    assert first_mistake(found) == told
