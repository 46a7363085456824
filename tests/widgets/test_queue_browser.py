"""QueueBrowser by its traits: set, read, clicked; and what becomes of it while the queue goes on."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time

import pytest
import traitlets as t

from indimail_kit.errors import KitError, LabError, QueueError
from indimail_kit.lab.corpus import make_queue
from indimail_kit.mailqueue import Queues, open_queues
from indimail_kit.visible import is_hidden
from indimail_kit.widgets import QueueBrowser
from indimail_kit.widgets.pages import PAGE_ROWS

NOW_S = int(time.time())
FAULTS = ["inode-differs", "unknown-record", "unknown-file"]
CANARY = "private-canary-4711"


@pytest.fixture
def base(tmp_path):
    """Give a base with two queues."""
    make_queue(tmp_path / "queue1", messages=60, seed=3, split=23, now_s=NOW_S, faults=FAULTS)
    make_queue(tmp_path / "queue2", messages=20, seed=4, split=23, now_s=NOW_S)
    return tmp_path


@pytest.fixture
def view(base):
    """Give a browser of them."""
    return QueueBrowser(base, now_ns=lambda: NOW_S * 10**9)


def press(view, **content):
    """Do what a button or a key in the browser does."""
    view.grid._handle_custom_msg(content, [])


def keys(view):
    """Return what the rows of the page open."""
    return [row.key for row in view.rows.rows]


def remove(base, key):
    """Let a message leave the queue, as qmail-clean does."""
    queue, _, number = key.partition("/")
    for path in (base / queue).glob(f"*/**/{number}"):
        path.unlink()


def test_the_first_page_is_there_at_once(view):
    """A cell shows the messages, the oldest first, without a click."""
    assert (view.tables.count, len(view.rows.rows), view.view) == (view.rows.total, PAGE_ROWS, "messages")
    assert [row["key"] for row in view.grid.table["rows"]] == keys(view)


def test_never_more_than_a_page_is_sent(view):
    """However many messages there are, the browser has 25 rows of them."""
    state = view.grid.get_state()

    assert len(state["table"]["rows"]) == PAGE_ROWS
    assert len(json.dumps({name: value for name, value in state.items() if name not in ("_esm", "_css")})) < 40_000


@pytest.mark.parametrize("name", ["grid", "own"])
def test_a_filter_can_be_set_on_both_sides(view, name):
    """In Python or in the browser: the same rows, and page 1."""
    view.page = 2
    target = view.grid if name == "grid" else view
    target.only_anomalies = True

    assert (view.page, view.grid.page, len(view.rows.rows)) == (1, 1, 2)
    assert (view.only_anomalies, view.grid.is_filtered) == (True, True)
    assert view.grid.sentence.startswith("2 of ")


def test_filters_add_up_and_are_dropped_together(view):
    """Queue, state, age and text; one press clears them."""
    view.queue, view.state, view.age, view.text = "queue2", "S5", "5min", "  EXAMPLE "
    assert all(row.cells[0].text == "queue2" and "S5" in row.cells[2].text for row in view.rows.rows)
    assert 0 < view.rows.total < 20

    press(view, clear=True)

    assert (view.rows.total, view.text, view.grid.is_filtered) == (view.tables.count, "", False)


def test_filters_that_fit_nothing_say_so(view):
    """An empty table has a sentence, and the button that clears is there."""
    view.text = "nobody at all"

    assert (view.rows.rows, view.grid.table["empty"]) == ((), "No message fits these filters.")
    assert view.grid.is_filtered is True


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("queue", "queue9"),
        ("state", "S9"),
        ("age", "1y"),
        ("order", "by chance"),
        ("view", "everything"),
        ("opened", "queue9/7"),
        ("opened", "queue1/../../etc"),
        ("opened", "queue1/0"),
        ("opened", f"queue1/{2**64}"),
        ("page", 0),
    ],
)
def test_what_cannot_be_chosen_is_refused(view, name, value):
    """A name that is none is an error, from both sides, and nothing changes."""
    before = getattr(view, name)
    for target in (view, view.grid):
        with pytest.raises(t.TraitError):
            setattr(target, name, value)

    assert getattr(view, name) == before


@pytest.mark.parametrize(
    "content", [{}, {"queue": "queue9"}, {"queue": ["queue1"]}, {"queue": {}}, {"open": 1}, {"refresh": 0}, {"x": None}]
)
def test_a_message_that_means_nothing_is_left_alone(view, content):
    """Whatever a page sends, the view stays as it is."""
    before = (view.rows, view.queue, view.view, view.grid.sentence)
    press(view, **content)

    assert (view.rows, view.queue, view.view, view.grid.sentence) == before


def test_a_queue_opens_to_its_messages(view):
    """Enter on a row of the queues filters by it."""
    view.view = "queues"
    assert keys(view) == ["queue1", "queue2"]
    assert "unknown-file" in view.loose.value

    press(view, queue="queue2")

    assert (view.view, view.queue, view.loose.value) == ("messages", "queue2", "")
    assert {row.cells[0].text for row in view.rows.rows} == {"queue2"}


def test_a_message_opens_and_closes(view):
    """Its files are read anew, and are gone again from the screen."""
    key = keys(view)[0]
    view.grid.opened = key
    assert (view.message.key, "Its files" in view.panel.value, view.mail.message) == (key, True, key)

    view.grid.opened = ""

    assert (view.message, view.panel.value, view.mail.message) == (None, "", "")


def test_recipients_open_their_message(view):
    """A row of the recipients opens the message that it belongs to."""
    view.view = "recipients"
    view.opened = keys(view)[3]

    assert view.message.key == keys(view)[3]


def test_a_badge_comes_with_its_reason(view):
    """Rule, this case, and why it matters are sent with the row."""
    view.only_anomalies = True
    (badge,) = next(row["badges"] for row in view.grid.table["rows"] if row["badges"][0][0] == "inode-differs")

    assert "differs from its name" in badge[1]
    assert badge[2].startswith("qmail knows a message by the inode number")


@pytest.mark.parametrize("shown", ["messages", "recipients"])
def test_what_is_chosen_is_a_dataframe(view, shown):
    """All pages of it, in the order of the rows."""
    view.view, view.state = shown, "S5"
    frame = view.frame()
    first = [f"{queue}/{number}" for queue, number in zip(frame["queue"], frame["message_number"], strict=True)]

    assert (len(frame), first[:PAGE_ROWS]) == (view.rows.total, keys(view))


def test_an_opened_message_is_said(view):
    """The live region tells what was opened, and the count again when it is closed."""
    before = view.grid.sentence
    view.opened = keys(view)[0]
    number = view.opened.partition("/")[2]
    said = view.grid.sentence
    view.opened = ""

    assert (said.startswith(f"{number} in queue"), view.grid.sentence) == (True, before)


def test_a_message_that_cannot_be_read_is_said(view, base):
    """Its queue is gone: what happened is said, and nothing old is shown as if it were new."""
    view.opened = keys(view)[0]
    view.queue = "queue2"
    shutil.rmtree(base / "queue2")
    view.opened = keys(view)[1]

    assert (view.message, view.grid.tone) == (None, "ik-bad")
    assert "The message cannot be read: no queue at" in view.grid.sentence


# --- the queue goes on ------------------------------------------------------------------------------------------------


def test_a_selection_survives_a_refresh(view, base):
    """New messages before it, old ones gone: the opened one stays open, and its page is shown."""
    view.order = "number"
    view.opened = keys(view)[-1]
    number = int(view.opened.partition("/")[2])
    for key in keys(view)[:5]:
        remove(base, key)
    view.refresh()

    assert (view.message.key, view.message.is_there) == (view.opened, True)
    assert view.opened in keys(view)
    assert view.tables.messages["message_number"].tolist().count(number) == 1


def test_messages_that_vanish_are_gone_after_a_refresh(view, base):
    """Nobody stumbles over them; the number of pages follows."""
    view.page = view.rows.pages
    for key in keys(view):
        remove(base, key)
    before = view.tables.count
    view.refresh()

    assert view.tables.count < before
    assert (view.page, len(view.rows.rows) > 0) == (view.rows.pages, True)


def test_a_message_that_left_stays_on_the_screen_with_a_word(view, base):
    """What was seen is not taken away; that it is no longer true is said."""
    view.opened = keys(view)[0]
    remove(base, view.opened)
    view.refresh()

    assert "It has left queue" in view.panel.value
    assert "Its files" in view.panel.value
    assert "It has left queue" in view.static_html()


def test_opening_a_message_that_has_just_left_is_no_error(view, base):
    """Between the picture and the click it went."""
    key = keys(view)[0]
    remove(base, key)
    view.opened = key

    assert (view.message.is_there, "not there" in view.panel.value) == (False, True)


def test_a_number_that_is_used_again_is_another_mail(view):
    """The same number after a refresh, but another mail: said, and the new one is shown."""
    view.queue = "queue2"
    view.opened = keys(view)[0]
    number = view.message.files.message_number
    path = view.queues.layout("queue2").path("mess", number)
    path.write_bytes(b"Subject: another\n\nx\n")
    os.utime(path, ns=(0, 0))
    view.refresh()

    assert f"The number {number} was used again" in view.panel.value
    assert view.message.files.file("mess").size_bytes == 20


def test_a_queue_that_cannot_be_read_keeps_the_old_picture(view, base):
    """What happened, and what to do; the rows stay."""
    rows = view.rows
    shutil.rmtree(base / "queue1")
    with pytest.raises(QueueError):
        view.refresh()

    assert view.rows == rows
    assert (view.grid.tone, "Press refresh to try again" in view.grid.sentence, view.grid.busy) == (
        "ik-bad",
        True,
        False,
    )


def test_a_place_without_a_queue_is_an_error(tmp_path):
    """Said by the cell itself."""
    with pytest.raises(KitError, match="no queue at"):
        QueueBrowser(tmp_path / "nothing")


def test_one_picture_at_a_time(view):
    """Two refreshes at once are not begun; a press meanwhile does nothing."""
    view._begin()
    with pytest.raises(LabError):
        view.refresh()
    press(view, refresh=True)

    assert (view.grid.busy, view.grid.sentence) == (True, "Taking a new picture of the queue …")


async def press_and_wait(view):
    """Press refresh where a loop runs, and wait for the end as a kernel does; say whether it was busy at once."""
    ended = asyncio.Event()
    view.grid.observe(lambda change: change.new or ended.set(), "busy")
    press(view, refresh=True)
    was_busy = view.grid.busy
    await asyncio.wait_for(ended.wait(), 20)
    return was_busy


def test_a_press_takes_a_picture_beside(view, base):
    """In a kernel the click returns at once, and the picture comes when it is there."""
    taken_ns = view.tables.taken_ns
    remove(base, keys(view)[0])
    count = view.tables.count
    was_busy = asyncio.run(press_and_wait(view))

    assert (was_busy, view.grid.busy) == (True, False)
    assert view.tables.taken_ns > taken_ns
    assert (view.tables.count, view.grid.taken_ms) == (count - 1, view.tables.taken_ns / 10**6)


def test_looking_changes_nothing(view, base):
    """Pages, filters, opened messages and refreshes leave every name, inode, size and time as it was."""

    def tree():
        paths = sorted(base.rglob("*"))
        statuses = [path.lstat() for path in paths]
        return [
            (one.st_ino, one.st_mode, one.st_nlink, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for one in statuses
        ]

    before = tree()
    for number in range(1, view.rows.pages + 1):
        view.page = number
        for key in keys(view):
            view.opened = key
    view.refresh()

    assert tree() == before


# --- what leaves the view ---------------------------------------------------------------------------------------------


def test_no_saved_notebook_has_the_mail(view):
    """Its header goes to the browser as a message when it is asked for; neither state nor HTML hold it."""
    key = keys(view)[0]
    queue, _, number = key.partition("/")
    path = view.queues.layout(queue).path("mess", int(number))
    path.write_bytes(f"Subject: {CANARY}\x1b[2J\n\n{CANARY}\n".encode())
    sent = []
    view.mail.send = lambda content, **_: sent.append(content)
    view.opened = key
    view.mail._handle_custom_msg({"show": True}, [])

    states = [json.dumps(child.get_state(), default=str) for child in view.children]
    assert sent[-1]["mail"] == f"Subject: {CANARY}" + r"\x1b[2J" + "\n"
    assert [CANARY in text for text in (*states, view.static_html(), repr(view))] == [False] * (len(states) + 2)


def test_static_html_stays_behind_the_door(view, strangers, parse):
    """A notebook without a kernel shows rows and the opened message, and nothing that could run."""
    view.only_anomalies = True
    view.opened = keys(view)[0]
    text = parse(view.static_html()).text

    assert strangers(view.static_html()) == []
    assert all(one in text for one in (keys(view)[0].partition("/")[2], "inode-differs", "Its files", "picture of"))


def test_hostile_text_in_a_filter_brings_nothing_back(view, payloads, strangers):
    """What is typed is compared with addresses, and never shown as markup."""
    for payload in payloads:
        view.text = payload
        assert (strangers(view.static_html()), any(map(is_hidden, repr(view)))) == ([], False)


def test_a_notebook_without_a_kernel_gets_words_and_html(view):
    """Beside the widget stand its repr and its static form."""
    data = view._repr_mimebundle_()
    data = data[0] if isinstance(data, tuple) else data

    assert data["text/plain"] == repr(view)
    assert data["text/html"].startswith("<style>")
    assert repr(view).startswith(f"QueueBrowser: {view.queues.place}, ")


def test_a_ready_picture_is_taken_as_it_is(base):
    """A snapshot that is there already is shown; the queue is not read again."""
    queues = open_queues(base)
    picture = queues.snapshot(now_ns=NOW_S * 10**9)
    shutil.rmtree(base / "queue2")
    view = QueueBrowser(queues, picture=picture, view="recipients", queue="queue2")

    assert (isinstance(view.queues, Queues), view.tables.taken_ns, view.view) == (True, NOW_S * 10**9, "recipients")
    assert {row.cells[0].text for row in view.rows.rows} == {"queue2"}


def test_few_widgets_make_the_view(view):
    """A page of rows is one widget, not hundreds."""
    assert len(view.children) <= 5
