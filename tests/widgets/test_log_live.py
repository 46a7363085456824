"""A log that grows while somebody looks through it."""

from __future__ import annotations

import asyncio

import pandas as pd
import pytest

from indimail_kit import lab
from indimail_kit.errors import LabError
from indimail_kit.widgets import LiveLogExplorer, LogExplorer

LINES = lab.make_logs(60, seed=4).send.splitlines(keepends=True)


@pytest.fixture
def grow(tmp_path):
    """Give a function that appends lines to the log; the first half of them is there."""
    current = tmp_path / "current"
    current.write_bytes(b"".join(LINES[: len(LINES) // 2]))

    def more(count=None, *, turned=False):
        done = sum(len(path.read_bytes().splitlines()) for path in tmp_path.iterdir())
        if turned:
            current.rename(tmp_path / "@400000006b02fa8c00000000.s")
        with current.open("ab") as file:
            file.write(b"".join(LINES[done:][:count]))

    return more


def test_a_log_that_grew_is_the_log(grow, tmp_path):
    """Over a turn of the files: the same rows in every table as of the directory read at once."""
    view = LiveLogExplorer(tmp_path)
    half = len(view.log)
    grow(10)
    assert (view.refresh(), len(view.log)) == (True, half + 10)
    grow(turned=True)
    assert (view.refresh(), view.refresh(), len(view.log)) == (True, False, len(LINES))
    whole = LogExplorer(tmp_path)
    for name in ("messages", "deliveries", "unknown"):
        view.view = whole.view = name
        columns = [column for column in whole.frame().columns if column != "file"]
        pd.testing.assert_frame_equal(view.frame()[columns], whole.frame()[columns])
    view.close()


def test_what_is_chosen_and_opened_stays(grow, tmp_path):
    """Filters, page and the opened row; a reason by its words, since its number may be another one now."""
    view = LiveLogExplorer(tmp_path, view="deliveries")
    reason = view.tables.reasons[-1]
    view.reason = reason.code
    view.opened = view.rows.rows[0].key
    opened, before = view.opened, len(view.frame())
    grow()
    view.refresh()

    now = view.tables.reason_of(view.reason)
    assert ((now.outcome, now.text), view.opened, view.view) == ((reason.outcome, reason.text), opened, "deliveries")
    assert (view.shown.key, len(view.frame()) >= before) == (opened, True)
    view.reason = -1
    view.page = 2
    with (tmp_path / "current").open("ab") as file:
        file.write(b"what?\n")
    view.refresh()
    assert (view.page, view.tables.unknown.tolist()) == (2, [len(LINES)])
    view.close()


def test_an_opened_message_gets_its_new_lines(tmp_path):
    """Its delivery ends while somebody looks at it."""
    current = tmp_path / "current"
    current.write_bytes(b"new msg 7 queue1\nstarting delivery 1: msg 7 to local a@example.com queue1\n")
    view = LiveLogExplorer(tmp_path, opened="m0")
    assert view.shown.total == 2
    with current.open("ab") as file:
        file.write(b"delivery 1: success: did_1+0+0/ queue1\nend msg 7 qmail-send: queue1\n")
    view.refresh()
    assert view.shown.total == 4
    view.close()


def test_in_a_notebook_it_looks_by_itself(grow, tmp_path):
    """The kernel's loop is not held up, and closing ends it."""

    async def look():
        view = LiveLogExplorer(tmp_path, every_s=0.001)
        drawn = asyncio.Event()
        loop = asyncio.get_running_loop()
        view.grid.observe(lambda _change: loop.call_soon_threadsafe(drawn.set), "sentence")
        grow()
        await asyncio.wait_for(drawn.wait(), 30)
        count = len(view.log)
        view.close()
        await asyncio.gather(view._watching, return_exceptions=True)
        return count, view._watching.cancelled()

    assert asyncio.run(look()) == (len(LINES), True)


def test_what_no_line_tells_is_told(tmp_path):
    """An emptied file is said where the log's place stands."""
    current = tmp_path / "current"
    current.write_bytes(b"new msg 7 queue1\nend msg 7 qmail-send: queue1\n")
    view = LiveLogExplorer(tmp_path)
    current.write_bytes(b"new msg 8 queue1\n")
    view.refresh()
    assert ("became shorter" in view.static_html(), [one.kind for one in view.notices]) == (True, ["truncated"])
    view.close()


def test_it_takes_no_other_log(tmp_path, strangers):
    """It is asked for by code and by a drop; its form without a kernel is that of the explorer."""
    (tmp_path / "current").write_bytes(b"new msg 7 queue1\n")
    view = LiveLogExplorer(tmp_path)
    with pytest.raises(LabError, match="follows its own"):
        view.read(b"new msg 8\n")
    view.grid.on_files([("a", b"new msg 8\n")])
    assert (len(view.log), "follows its own log" in view.grid.sentence) == (1, True)
    assert (strangers(view.static_html()), "logs follow" in view.static_html()) == ([], True)
    view.close()
