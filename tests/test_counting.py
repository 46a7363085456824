"""Numbers of things in words."""

from __future__ import annotations

import pytest

from indimail_kit.counting import counted


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 messages"), (1, "1 message"), (2, "2 messages"), (1_234_567, "1,234,567 messages")]
)
def test_one_thing_has_no_s(count, words):
    """Nothing and many are plural, thousands are told apart."""
    assert counted(count, "message") == words
