"""LogExplorer by its traits and messages: set, read, clicked; what is sent, and what stays here."""

from __future__ import annotations

import asyncio
import gzip
import json

import ipywidgets as w
import pytest
import traitlets as t

from indimail_kit import lab, logs
from indimail_kit.errors import FormatError, LabError
from indimail_kit.visible import is_hidden
from indimail_kit.widgets import LogExplorer
from indimail_kit.widgets.pages import PAGE_ROWS

CANARY = "canary-4711@example.com"


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Give the logs of a seeded day on disk."""
    return lab.make_logs(150, seed=3).write(tmp_path_factory.mktemp("logs"))


@pytest.fixture
def view(places):
    """Give an explorer of qmail-send's."""
    return LogExplorer(places["send"])


def press(view, **content):
    """Do what a button of the page does."""
    view.grid._handle_custom_msg(content, [])


def drop(view, *files):
    """Drop files, each in two pieces."""
    total = sum(len(octets) for _, octets in files)
    for at, (name, octets) in enumerate(files):
        for half, piece in enumerate((octets[:40], octets[40:])):
            content = {
                "name": name, "total": total, "files": len(files), "is_first": at == half == 0,
                "is_whole": half == 1, "is_last": half == 1 and at == len(files) - 1,
            }  # fmt: skip
            view.grid._handle_custom_msg({"piece": content}, [memoryview(piece)])


def state_of(view):
    """Return everything that a saved notebook would hold of the view."""
    views = [view, view.grid]
    return json.dumps(
        [{k: v for k, v in one.get_state().items() if k not in ("_esm", "_css")} for one in views], default=str
    )


def test_a_log_is_there_at_once(view, places):
    """A cell shows the first page without a click, and says how much is understood."""
    assert (len(view.rows.rows), view.rows.total, view.view) == (PAGE_ROWS, len(view.log.messages), "messages")
    assert (view.grid.document["understood"].endswith("all understood"), view.grid.tone) == (True, "ik-quiet")
    assert repr(view).startswith(f"LogExplorer: {places['send']} · 1 file, ")


@pytest.mark.parametrize("kind", ["log", "octets", "path", "several"])
def test_every_kind_of_source_is_the_same_log(kind, places):
    """A Log, octets, a path, or parts of it."""
    path = places["send"] / "current"
    octets = path.read_bytes()
    half = octets.index(b"\n", len(octets) // 2) + 1
    sources = {"log": [logs.read(path)], "octets": [octets], "path": [path], "several": [octets[:half], octets[half:]]}
    views = LogExplorer(*sources[kind])

    assert views.log.messages.equals(logs.read(path).messages)
    assert bool(views.grid.document["command"]) == (kind == "path")


def test_never_more_than_a_page_is_sent(view):
    """However long the log is: 25 rows and 100 raw lines, and no row of it is widget state."""
    view.view = "reasons"
    view.opened = view.rows.rows[0].key

    assert len(json.dumps(view.grid.document)) < 60_000
    assert len(view.grid.document["table"]["rows"]) <= PAGE_ROWS
    assert "example.com" not in state_of(view)


@pytest.mark.parametrize("name", ["grid", "own"])
def test_a_filter_can_be_set_on_both_sides(view, name):
    """In Python or in the browser: the same rows, and page 1."""
    view.page = 2
    (view.grid if name == "grid" else view).outcome = "failure"

    assert (view.page, view.grid.page, view.outcome, view.grid.outcome) == (1, 1, "failure", "failure")
    assert view.rows.total == view.log.messages["failures"].gt(0).sum() > 0


def test_tables_filter_each_other(view):
    """A reason leaves its deliveries; a delivery its message; a message its deliveries; each filter can be dropped."""
    view.view = "reasons"
    reason = view.rows.rows[0]
    press(view, only=reason.key)
    assert (view.view, f"{view.rows.total:,}") == ("deliveries", reason.cells[2].text)

    row = view.rows.rows[0].key
    press(view, only=row)
    assert (view.view, view.rows.total, [name for name, _ in view.grid.document["chips"]]) == (
        "messages", 1, ["reason", "message"],
    )  # fmt: skip
    press(view, drop="reason")
    press(view, only=view.rows.rows[0].key)
    one = view.log.messages.iloc[view.message]
    assert view.rows.total == one["successes"] + one["failures"] + one["deferrals"]

    press(view, clear=True)
    assert (view.rows.total, view.grid.document["chips"]) == (len(view.log.deliveries), [])


def test_the_brush_and_the_span_are_one(view):
    """Bars that are chosen in the browser are a span of time, and a span shows its bars."""
    view.grid.brush = [10, 20]
    first, last = view.span
    width = (last - first) // 11
    assert view.grid.document["chips"][0][0] == "span"

    view.span = (first + width, last)
    assert view.grid.brush == [11, 20]
    view.between("2010-03-15 10:00", "2010-03-15 11:00")
    assert view.span[1] - view.span[0] == 3600 * 10**9
    press(view, drop="span")
    assert (view.span, view.grid.brush, view.rows.total) == (None, [-1, -1], len(view.log.messages))


@pytest.mark.parametrize("bars", [[5, 3], [0, 10**6], [-7, 4], [-1, 3]])
def test_bars_that_are_none_drop_the_brush(view, bars):
    """Whatever a page sends."""
    view.grid.brush = [10, 20]
    view.grid.brush = bars

    assert view.span is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("view", "everything"),
        ("outcome", "by chance"),
        ("opened", "m999999"),
        ("opened", "../etc"),
        ("page", 0),
        ("span", (2, 1)),
        ("span", "now"),
        ("span", (1,)),
        ("reason", -2),
    ],
)
def test_what_cannot_be_chosen_is_refused(view, name, value):
    """A name that is none is an error, and nothing changes."""
    before = getattr(view, name)
    with pytest.raises(t.TraitError):
        setattr(view, name, value)

    assert getattr(view, name) == before


@pytest.mark.parametrize(
    "content", [{}, {"only": "m9999999"}, {"only": ["m1"]}, {"only": 1}, {"drop": "page"}, {"drop": []}, {"clear": 0}]
)
def test_a_message_that_means_nothing_is_left_alone(view, content):
    """Whatever a page sends, the view stays as it is."""
    before = (view.rows, view.view, view.filters, view.grid.sentence)
    press(view, **content)

    assert (view.rows, view.view, view.filters, view.grid.sentence) == before


@pytest.mark.parametrize("wrong", ["x", None])
def test_between_wants_two_times(view, wrong):
    """What is none, and a last one before the first."""
    with pytest.raises(ValueError):  # noqa: PT011 - pandas' own words or ours
        view.between(wrong, "2010-03-15")
    with pytest.raises(ValueError, match="a last moment behind the first"):
        view.between("2010-03-16", "2010-03-15")


def test_a_row_opens_to_its_raw_lines(view, places):
    """File, octet and the line itself; the command shows the same; closing takes them away."""
    view.opened = view.rows.rows[3].key
    shown, first = view.shown, view.shown.lines[0]
    octets = (places["send"] / "current").read_bytes()
    document = view.grid.document["opened"]

    assert octets[first.byte_offset :].startswith(first.text.encode())
    assert (document["key"], len(document["lines"]), document["command"]) == (view.opened, shown.total, shown.command)
    assert document["command"].startswith(f"tail -c +{first.byte_offset + 1} ")
    view.opened = ""
    assert (view.shown, view.grid.document["opened"]) == (None, None)


def test_the_frame_is_what_is_shown(view):
    """All pages of it, as rows of the log's own tables."""
    view.outcome = "deferral"
    frames = {}
    for name in ("messages", "deliveries", "reasons", "unknown"):
        view.view = name
        frames[name] = view.frame()

    assert frames["messages"]["deferrals"].gt(0).all()
    assert frames["deliveries"]["outcome"].eq("deferral").all()
    assert (len(frames["reasons"]), len(frames["unknown"])) == (len(frames["deliveries"]), 0)


def test_static_html_needs_no_kernel(view, strangers, parse):
    """The page, the opened lines and the command, as text in clean markup; shown in place of the widget, too."""
    view.opened = view.rows.rows[0].key
    page = view.static_html()
    bundle = view._repr_mimebundle_()

    assert strangers(page) == []
    assert all(text in parse(page).text for text in ("all understood", view.shown.lines[0].text, "logs report"))
    assert (bundle["text/html"], bundle["text/plain"]) == (page, repr(view))


def test_an_empty_view_says_what_fills_it():
    """No log: a sentence, no rows, nothing to choose."""
    view = LogExplorer()

    assert ("Drop log files here" in view.static_html(), view.rows, view.log) == (True, None, None)
    with pytest.raises(LabError, match="drop files"):
        view.frame()
    press(view, only="m0", clear=True)
    view.view, view.text, view.grid.brush = "reasons", "x", [1, 2]
    assert view.rows is None


def test_dropped_files_are_read_and_stay_here():
    """In pieces, several at once: one log; its names and lines are in no state and in no static HTML."""
    line = b"@400000004b9d888d06072d6e %b\n"
    old = b"".join(
        line % one
        for one in (b"new msg 7 queue1", b"info msg 7: bytes 5 from <%b> qp 1 uid 2 queue1" % CANARY.encode())
    )
    view = LogExplorer()
    drop(view, ("current", line % b"end msg 7 qmail-send: queue1" + line % CANARY.encode()), ("@4000000049.s", old))
    view.opened = "m0"

    assert [line.file for line in view.shown.lines] == ["@4000000049.s", "@4000000049.s", "current"]
    assert view.grid.document["place"].startswith("@4000000049.s, current · 2 files, ")
    assert "1 unknown" in view.grid.document["understood"]
    view.opened, view.view = "u3", "unknown"
    assert CANARY in json.dumps(view.grid.document)
    for kept in (state_of(view), view.static_html(), view.grid.sentence):
        assert (CANARY in kept, "@4000000049" in kept) == (False, False)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([("a.gz", b"no gzip at all, and longer than a piece of forty octets")], "Not taken: a.gz: a whole gzip file"),
        ([("a\x1b[2J.zst", b"x" * 50)], "a\\x1b[2J.zst"),
        ([("a", b"")], "Not taken: the files are empty."),
    ],
)
def test_a_drop_that_cannot_be_taken_says_why(files, said):
    """In the live region, without the log that was there going away."""
    view = LogExplorer(b"@400000004b9d888d06072d6e new msg 7 queue1\n")
    drop(view, *files)

    assert (said in view.grid.sentence, view.grid.tone, view.rows.total) == (True, "ik-bad", 1)
    assert not any(is_hidden(character) for character in view.grid.sentence)


def test_a_page_that_was_shown_later_gets_the_same(view):
    """Whoever says hello is told what is drawn now."""
    told = []
    view.grid.send = told.append
    press(view, hello=True)

    assert told == [{"draw": view.grid.document}]


def test_another_log_can_be_read(view, places):
    """It takes the place of the first, filters dropped; one that cannot be read leaves everything as it is."""
    view.outcome, view.opened = "failure", "m3"
    view.read(places["smtpd"])
    assert (view.outcome, view.opened, view.shown, view.rows.total) == ("", "", None, 0)
    assert "tells of no messages" in view.rows.empty

    with pytest.raises(FormatError):
        view.read(places["send"].parent)
    assert (view.grid.tone, view.grid.busy, len(view.log) > 0) == ("ik-bad", False, True)
    with pytest.raises(FileNotFoundError):
        LogExplorer("/nowhere/current")


def test_a_kernel_stays_awake_while_a_log_is_read(places):
    """In a loop the reading is done beside it; the view is busy, then it shows the log."""
    octets = (places["send"] / "current").read_bytes()

    async def dropped():
        view = LogExplorer()
        drop(view, ("current", octets))
        busy = view.grid.busy
        while view.grid.busy:
            await asyncio.sleep(0)
        return view, busy

    view, busy = asyncio.run(dropped())
    assert (busy, len(view.log), view.grid.tone) == (True, len(octets.splitlines()), "ik-quiet")


def test_a_closed_view_forgets_the_log(view):
    """Log, tables and what was drawn."""
    view.close()

    assert (view.log, view.tables, view.rows, view.grid.document) == (None, None, None, {})


def test_there_are_few_widgets(view):
    """A handful, whatever the log holds."""
    assert len([one for one in view.children if isinstance(one, w.DOMWidget)]) == 1


def test_of_a_damaged_file_is_shown_what_could_be_read(tmp_path):
    """A log whose end is missing, after the disk was full: its lines, and a sentence that it is not all of it."""
    octets = lab.make_logs(300, seed=2).send
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(octets)[:-5000])
    view = LogExplorer(path)

    assert 0 < len(view.log) < octets.count(b"\n")
    assert "not all of it: " in repr(view)
    assert "expected a whole gzip file" in view.static_html()
    path.write_bytes(b"no gzip")
    with pytest.raises(FormatError, match="whole gzip file"):
        LogExplorer(path)
