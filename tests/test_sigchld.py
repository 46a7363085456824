"""SIGCHLD ignored, or not."""

from __future__ import annotations

import signal

import pytest

from indimail_kit.sigchld import is_ignored


@pytest.mark.parametrize(
    ("disposition", "ignored"),
    [(signal.SIG_IGN, True), (signal.SIG_DFL, False), (lambda _number, _frame: None, False)],
    ids=["ignored", "default", "handled"],
)
def test_only_an_ignored_signal_loses_the_ends_of_children(disposition, ignored):
    """With the default, nothing happens on SIGCHLD either, and yet the end of a child is kept until it is asked for."""
    old = signal.signal(signal.SIGCHLD, disposition)
    try:
        assert is_ignored() is ignored
    finally:
        signal.signal(signal.SIGCHLD, old)
