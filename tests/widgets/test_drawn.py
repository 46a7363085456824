"""What is drawn by message: never state, sent to each page that asks, forgotten at the end."""

from __future__ import annotations

import pytest

from indimail_kit.widgets.drawn import DrawnByMessage
from indimail_kit.widgets.log_grid import LogGrid
from indimail_kit.widgets.stuck_mail import StuckGrid
from indimail_kit.widgets.trace_grid import TraceGrid

LINE = "info msg 7: from <ann@example.com>"


@pytest.fixture(params=[DrawnByMessage, LogGrid, StuckGrid, TraceGrid])
def grid(request, monkeypatch):
    """Give each widget that draws so, and keep what it sends."""
    sent = []
    made = request.param()
    monkeypatch.setattr(made, "send", lambda content, *_: sent.append(content))
    made.sent = sent
    yield made
    made.close()


def test_what_is_drawn_is_no_state(grid):
    """A notebook saved with its widgets' state has no line of it."""
    grid.draw(table=[LINE])

    assert (grid.sent, LINE in repr(grid.get_state())) == ([{"draw": {"table": [LINE]}}], False)


def test_a_new_page_is_sent_all_that_was_drawn(grid):
    """A second tab says hello and gets what the first one shows."""
    grid.draw(table=[LINE], place="a")
    grid.draw(place="b")
    grid._handle_custom_msg({"hello": True}, [])

    assert grid.sent[-1] == {"draw": {"table": [LINE], "place": "b"}}


def test_a_closed_view_forgets(grid):
    """Nothing of a stranger's mail stays behind in the kernel."""
    grid.draw(table=[LINE])
    grid.close()

    assert grid.document == {}


def test_a_sentence_shows_what_is_hidden_in_it(grid):
    """Characters that would turn the text around are written out."""
    grid.say("No answer: \u202egnp", "ik-bad")

    assert (grid.sentence, grid.tone) == ("No answer: <U+202E>gnp", "ik-bad")
