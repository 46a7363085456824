"""QueueShape: domain × age as values, as HTML, and as a widget whose cells open to their messages."""

from __future__ import annotations

import itertools
import shlex
import shutil
import time

import pandas as pd
import pytest
import traitlets as t
from click.testing import CliRunner

from indimail_kit import tables
from indimail_kit.cli import main
from indimail_kit.lab.corpus import make_queue
from indimail_kit.mailqueue import open_queues
from indimail_kit.tables.queue_schemas import BUCKET_NAMES, BUCKETS_MIN
from indimail_kit.widgets import QueueShape, queue_shape_html
from indimail_kit.widgets.queue_shape_grid import (
    ALL,
    LEVELS,
    MAX_DOMAINS,
    Shape,
    ShapeRow,
    left_text,
    level_of,
    shape_document,
    shape_html,
    shape_of,
    shape_sentence,
)

NOW_S = int(time.time())
EDGES_S = (0, *(60 * minutes for minutes in BUCKETS_MIN))


@pytest.fixture
def base(tmp_path):
    """Give a base with two queues."""
    make_queue(tmp_path / "queue1", messages=60, seed=3, split=23, now_s=NOW_S)
    make_queue(tmp_path / "queue2", messages=20, seed=4, split=23, now_s=NOW_S)
    return tmp_path


@pytest.fixture
def view(base):
    """Give the shape of their picture."""
    queues = open_queues(base)
    return QueueShape(queues, picture=queues.snapshot(now_ns=NOW_S * 10**9))


def press(view, **content):
    """Do what a cell or a button in the browser does."""
    view.grid._handle_custom_msg(content, [])


def made(*domains, side="recipient", count=None):
    """Return a shape of some domains, one in each of the first buckets."""
    rows = [ShapeRow(name, tuple(int(place == at) for at in range(10))) for place, name in enumerate(domains)]
    everything = ShapeRow(None, tuple(map(sum, zip(*(row.counts for row in rows), strict=True))) or (0,) * 10)
    return Shape(side, EDGES_S, (everything, *rows), len(rows) if count is None else count)


@pytest.mark.parametrize("by", ["recipient", "sender"])
def test_grid_has_the_numbers_of_qshape(view, base, by):
    """Domain by domain and bucket by bucket, the most frequent first; above them their sum."""
    frame = tables.qshape(open_queues(base).snapshot(now_ns=NOW_S * 10**9), by=by)
    view.by = by
    rows = [(row.domain, row.total, *row.counts) for row in view.shape.rows]

    assert rows[1:] == [tuple(row) for row in frame.itertuples(index=False)][:MAX_DOMAINS]
    assert rows[0] == (None, frame["total"].sum(), *(frame[name].sum() for name in BUCKET_NAMES))


@pytest.mark.parametrize("by", ["recipient", "sender"])
def test_every_cell_opens_to_as_many_rows_as_it_counts(view, by):
    """What is seen in a cell is what the linked browser lists."""
    view.by = by
    wrong = []
    for row, bucket in itertools.product(view.shape.rows, range(ALL, len(EDGES_S))):
        view.open_cell(row.domain, bucket)
        count = row.total if bucket == ALL else row.counts[bucket]
        if view.browser.rows.total != count:
            wrong.append((row.domain, bucket, count, view.browser.rows.total))

    assert wrong == []
    assert view.browser.view == ("recipients" if by == "recipient" else "messages")


def test_a_press_on_a_cell_opens_it_and_a_second_closes_it(view):
    """Row and column as the browser says them; the browser with its rows is shown and hidden."""
    assert view.browser.layout.display == "none"
    press(view, open=[1, 0])
    opened = (view.is_open, view.domain, view.bucket, view.browser.layout.display, view.grid.opened)
    press(view, open=[1, 0])

    assert opened == (True, view.shape.rows[1].domain, ALL, None, [1, 0])
    assert (view.is_open, view.browser.layout.display, view.grid.opened) == (False, "none", [-1, -1])
    assert view.browser.cell is None


def test_escape_closes_the_cell(view):
    """And the rows are all messages again."""
    press(view, open=[0, 3])
    press(view, close=True)

    assert (view.is_open, view.browser.rows.total) == (False, len(view.browser.tables.recipients))


def test_dropping_the_filter_below_closes_the_cell_above(view):
    """Both say the same at every moment."""
    press(view, open=[1, 0])
    view.browser.grid._handle_custom_msg({"drop": True}, [])

    assert (view.is_open, view.grid.opened) == (False, [-1, -1])


def test_another_side_closes_the_cell(view):
    """A recipient's domain is no sender's."""
    press(view, open=[1, 0])
    view.grid.by = "sender"

    assert (view.by, view.is_open, view.shape.side) == ("sender", False, "sender")


def test_an_opened_cell_survives_a_refresh(view, base):
    """It is found again by its domain and age, wherever its row stands then."""
    last = view.shape.rows[-1].domain
    view.open_cell(last, ALL)
    before = view.browser.rows.total
    for path in (base / "queue2").glob("mess/*/*"):
        for one in (base / "queue2").glob(f"*/**/{path.name}"):
            one.unlink()
    view.refresh()

    assert (view.is_open, view.domain) == (True, last)
    assert view.browser.tables.count < 80
    assert view.browser.rows.total <= before
    row = view.shape.row(last)
    assert view.browser.rows.total == (0 if row is None else row.total)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"open": [99, 0]},
        {"open": [0, 99]},
        {"open": [-1, 0]},
        {"open": ["0", 0]},
        {"open": 3},
        {"open": [1]},
        {"x": 1},
    ],
)
def test_a_message_that_means_nothing_is_left_alone(view, content):
    """Whatever a page sends, the view stays as it is."""
    press(view, **content)

    assert (view.is_open, view.grid.opened) == (False, [-1, -1])


def test_a_cell_that_is_not_there_is_an_error(view):
    """Bucket and domain are those of the grid."""
    with pytest.raises(IndexError, match="from -1 to 9"):
        view.open_cell(None, 10)
    with pytest.raises(KeyError):
        view.open_cell("nobody.example")
    with pytest.raises(t.TraitError):
        view.by = "chance"


def test_failure_of_a_refresh_is_said_here_too(view, base):
    """The old shape stays, with the sentence of the browser."""
    shutil.rmtree(base / "queue1")
    press(view, refresh=True)

    assert (view.grid.tone, view.grid.sentence.startswith("No new picture: ")) == ("ik-bad", True)
    assert view.shape.rows[0].total > 0


# --- the grid as values -----------------------------------------------------------------------------------------------


def test_buckets_double_and_none_is_left_out():
    """From 0 to 1280 minutes and more, each beginning where the one before ends."""
    shape = made("a.example")
    ends = [shape.ends(bucket) for bucket in range(10)]

    assert [low for low, _ in ends[1:]] == [high for _, high in ends[:-1]]
    assert (ends[0][0], ends[-1]) == (0, (76_800, None))
    assert [shape.heading(bucket) for bucket in (ALL, 0, 1, 9)] == ["all", "0–5", "5–10", "1280+"]
    assert [shape.ages(bucket) for bucket in (ALL, 0, 9)] == ["any age", "0 s to 5 min", "21 h 20 min and older"]


@pytest.mark.parametrize("most", [1, 2, 7, 100, 500_000])
def test_colours_grow_with_the_numbers(most):
    """Nothing has no colour, the most the strongest, and none is weaker than a smaller one."""
    levels = [level_of(count, most) for count in sorted({0, 1, 2, most // 2, most - 1, most} & set(range(most + 1)))]

    assert (levels[0], levels[-1], levels) == (0, LEVELS, sorted(levels))
    assert all(level > 0 for level in levels[1:])


def test_every_number_stands_in_its_cell(view):
    """Colour is never the only sign: the text of each cell is its number, and its label says what it counts."""
    document = shape_document(view.shape)
    for row, drawn in zip(view.shape.rows, document["rows"], strict=True):
        texts = [cell["text"] for cell in drawn["cells"]]
        assert texts == [f"{count:,}" if count else "·" for count in (row.total, *row.counts)]
        assert all(cell["label"].startswith(f"{row.name}, ") for cell in drawn["cells"])


def test_domains_without_a_row_are_counted(parse):
    """Twenty rows, and what the others have in all."""
    frame = pd.DataFrame({"domain": [f"d{place}.example" for place in range(30)], "total": 2})
    for name in BUCKET_NAMES:
        frame[name] = 2 if name == "5" else 0

    shape = shape_of(frame, "recipient")

    assert (len(shape.rows), shape.domains) == (1 + MAX_DOMAINS, 30)
    assert left_text(shape) == "10 more domains with 20 recipients in all."
    assert "60 recipients at 30 domains, most at d0.example: 2." in parse(str(shape_html(shape))).text


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        (made(), "No recipient waits: the queue is empty."),
        (made("", side="sender"), "1 message at 1 domain, most at (no domain): 1."),
        (made("\u202ex", "b.example"), "2 recipients at 2 domains, most at <U+202E>x: 1."),
    ],
)
def test_a_shape_has_its_sentence(shape, sentence):
    """How many, where most, and whether old ones wait."""
    assert shape_sentence(shape) == sentence


def test_old_mail_is_named():
    """What has waited for a day and longer is what an administrator looks for."""
    shape = Shape("recipient", EDGES_S, (ShapeRow(None, (0,) * 9 + (7,)), ShapeRow("a", (0,) * 9 + (7,))), 1)

    assert shape_sentence(shape) == "7 recipients at 1 domain, most at a: 7; 7 recipients older than 21 h 20 min."


def test_hostile_domains_stay_text(payloads, strangers):
    """A domain is what somebody wrote behind an @."""
    for start in range(0, len(payloads), 10):
        some = [payload.lower() for payload in payloads[start : start + 10]]
        assert strangers(str(shape_html(made(*some)))) == []


def test_static_html_and_words_need_no_kernel(view, strangers, parse):
    """The grid as a table, the opened cell's rows below it, and one sentence."""
    closed = parse(view.static_html()).text
    view.open_cell(view.shape.rows[1].domain, ALL)
    opened = view.static_html()

    assert (strangers(opened), view.shape.rows[1].name in closed) == ([], True)
    assert "to do" in parse(opened).text
    assert repr(view) == f"QueueShape by recipient: {view.browser.queues.place}. {view.grid.sentence}"


def test_the_command_shows_the_same_shape(view):
    """What the button copies prints the same domains in a terminal."""
    words = shlex.split(view.grid.command)
    printed = CliRunner().invoke(main, words[1:])

    assert (words[0], printed.exit_code) == ("indimail-kit", 0)
    assert [row.name for row in view.shape.rows[1:] if row.name not in printed.output] == []


@pytest.mark.parametrize("by", ["recipient", "sender"])
def test_a_shape_needs_no_widget(base, by, strangers, parse):
    """`queue_shape_html` of a snapshot has the rows of the widget."""
    picture = open_queues(base).snapshot(now_ns=NOW_S * 10**9)
    shown = str(queue_shape_html(picture, by=by))

    assert strangers(shown) == []
    assert all(domain in parse(shown).text for domain in tables.qshape(picture, by=by)["domain"][:MAX_DOMAINS])


def test_an_empty_queue_has_a_shape(tmp_path):
    """One row of dots, and a sentence that says why."""
    make_queue(tmp_path / "queue1", messages=0, split=23, now_s=NOW_S)
    view = QueueShape(tmp_path)

    assert (len(view.shape.rows), view.grid.sentence) == (1, "No recipient waits: the queue is empty.")
    view.open_cell()
    assert view.browser.rows.total == 0
