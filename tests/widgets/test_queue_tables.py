"""Choosing rows of a picture, and the page of them that is shown."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import pandas as pd
import pytest

from indimail_kit import tables
from indimail_kit.lab.corpus import make_queue
from indimail_kit.mailqueue import open_queues, read_message
from indimail_kit.mailqueue.violations import Violation
from indimail_kit.visible import is_hidden
from indimail_kit.widgets.pages import MAX_CHARACTERS, PAGE_ROWS, address_cell
from indimail_kit.widgets.queue_grid import options_of
from indimail_kit.widgets.queue_pages import (
    COLUMNS,
    VIEWS,
    chosen_sentence,
    page_holding,
    page_html,
    page_of,
)
from indimail_kit.widgets.queue_tables import AGES, NO_STATE, ORDERS, STATE_NAMES, Filters, join_tables, read_tables
from indimail_kit.widgets.queue_words import size_text

NOW_S = int(time.time())
FAULTS = ["inode-differs", "unknown-record", "wrong-split", "todo-without-mess", "unknown-file", "time-in-the-future"]


@pytest.fixture(scope="module")
def queues(tmp_path_factory):
    """Give two queues in true proportions, some messages spoilt, and an empty one."""
    base = tmp_path_factory.mktemp("base")
    make_queue(base / "queue1", messages=70, seed=3, now_s=NOW_S, faults=FAULTS)
    make_queue(base / "queue2", messages=45, seed=4, now_s=NOW_S)
    make_queue(base / "slowq", messages=0, now_s=NOW_S)
    return open_queues(base)


@pytest.fixture(scope="module")
def picture(queues):
    """Give a picture of them."""
    return queues.snapshot(now_ns=NOW_S * 10**9)


@pytest.fixture(scope="module")
def shown(queues, picture):
    """Give its tables."""
    return read_tables(picture, [layout.name for layout in queues.layouts])


def rows_of(shown, chosen):
    """Return the chosen messages as (queue, number)."""
    frame = shown.messages.iloc[chosen.messages]
    return list(zip(frame["queue"], frame["message_number"].tolist(), strict=True))


def slowly(picture, keep):
    """Return the messages that a plain loop over the picture keeps."""
    return {(one.queue, one.message_number) for one in picture.messages if keep(one)}


def has_text(one, text):
    """Say whether a message has a text in sender or recipients."""
    texts = [one.sender or b"", *(recipient.address for recipient in one.recipients)]
    return any(text.lower() in tables.as_text(address).lower() for address in texts)


FILTERS = [
    pytest.param(Filters(), lambda _one: True, id="none"),
    pytest.param(Filters(queue="queue2"), lambda one: one.queue == "queue2", id="a queue"),
    pytest.param(Filters(queue="slowq"), lambda _one: False, id="an empty queue"),
    pytest.param(Filters(state="S4"), lambda one: one.state is not None and one.state.name == "S4", id="a state"),
    pytest.param(Filters(state=NO_STATE), lambda one: one.state is None, id="no state"),
    pytest.param(Filters(text="HOST1"), lambda one: has_text(one, "host1"), id="a sender"),
    pytest.param(Filters(text="dest1"), lambda one: has_text(one, "dest1"), id="a recipient"),
    pytest.param(Filters(text="nobody at all"), lambda _one: False, id="no such text"),
    pytest.param(Filters(text=".*"), lambda _one: False, id="no pattern"),
    pytest.param(Filters(only_anomalies=True), lambda one: bool(one.anomalies), id="anomalies"),
    pytest.param(Filters(min_age_s=3600), lambda one: one.age_s is not None and one.age_s >= 3600, id="old"),
    pytest.param(Filters(max_age_s=1200), lambda one: one.age_s is not None and one.age_s < 1200, id="young"),
    pytest.param(
        Filters(domain="local.test"),
        lambda one: any(two.address.endswith(b"@local.test") for two in one.recipients),
        id="a recipient's domain",
    ),
    pytest.param(
        Filters(domain="", side="sender"), lambda one: b"@" not in (one.sender or b""), id="a sender without a domain"
    ),
    pytest.param(
        Filters(queue="queue1", state="S5", text="example", min_age_s=600),
        lambda one: (
            one.queue == "queue1"
            and one.state is not None
            and one.state.name == "S5"
            and has_text(one, "example")
            and (one.age_s or 0) >= 600
        ),
        id="several",
    ),
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("filters", "keep"), FILTERS)
def test_a_filter_leaves_what_a_plain_loop_leaves(shown, picture, filters, keep, order):
    """Columns or a loop over every message: the same ones, whatever comes first, and none twice."""
    found = rows_of(shown, shown.choose(filters, order))

    assert (set(found), len(found)) == (slowly(picture, keep), len(set(found)))


@pytest.mark.parametrize(
    ("order", "value"),
    [
        ("oldest", lambda row: -row["age_s"]),
        ("youngest", lambda row: row["age_s"]),
        ("largest", lambda row: -row["size_bytes"]),
        ("recipients", lambda row: -row["recipients"]),
    ],
)
def test_orders_put_first_what_they_say(shown, order, value):
    """By age, size or recipients; a message without the value stands last."""
    frame = shown.messages.iloc[shown.choose(Filters(), order).messages]
    values = [value(row) for _, row in frame.iterrows()]
    known = [one for one in values if not pd.isna(one)]

    assert known == sorted(known)
    assert known == values[: len(known)]


def test_recipients_are_those_of_the_chosen_messages_in_their_order(shown):
    """Each recipient once, message by message."""
    chosen = shown.choose(Filters(), "largest")
    people = shown.recipients.iloc[chosen.recipients]
    of_people = [key for key, _ in itertools.groupby(zip(people["queue"], people["message_number"], strict=True))]
    with_people = [key for key in rows_of(shown, chosen) if key in set(of_people)]

    assert (len(people), of_people) == (len(shown.recipients), with_people)


def test_a_text_leaves_only_the_recipients_that_have_it(shown):
    """Asked for "dest", a message of ten recipients shows those at dest; asked for its sender, all of them."""
    chosen = shown.choose(Filters(text="@dest"))
    people = shown.recipients.iloc[chosen.recipients]

    assert len(people) > 0
    assert all("@dest" in address for address in people["address"])


@pytest.mark.parametrize("side", ["recipient", "sender"])
def test_every_cell_of_qshape_can_be_chosen(shown, picture, side):
    """The rows that a cell's filters leave are as many as qshape counts there."""
    frame = tables.qshape(picture, by=side)
    ends_s = [0, *(60 * minutes for minutes in (5, 10, 20, 40, 80, 160, 320, 640, 1280)), None]
    wrong = []
    for row, (place, (low, high)) in itertools.product(frame.to_dict("records"), enumerate(itertools.pairwise(ends_s))):
        chosen = shown.choose(Filters(domain=row["domain"], side=side, min_age_s=low, max_age_s=high, is_counted=True))
        found = len(chosen.recipients if side == "recipient" else chosen.messages)
        if found != list(row.values())[2 + place]:
            wrong.append((row["domain"], low, found))

    assert (len(frame) > 3, wrong) == (True, [])


def test_what_is_wrong_belongs_to_its_message_or_to_none(shown, picture):
    """Every violation of the picture is shown once: at its message, or among the loose ones."""
    at_messages = [one for key in rows_of(shown, shown.choose(Filters())) for one in shown.violations_of(*key)]

    assert sorted(map(str, [*at_messages, *shown.loose])) == sorted(map(str, picture.anomalies))
    assert [one.rule for one in shown.loose] == ["unknown-file"]


def test_summary_adds_up(shown, picture):
    """Each queue in numbers, an empty one too."""
    queue1, slowq = shown.summary["queue1"], shown.summary["slowq"]
    own = [one for one in picture.messages if one.queue == "queue1"]

    assert (queue1.messages, sum(queue1.states), slowq.messages, slowq.oldest_s) == (len(own), len(own), 0, None)
    assert queue1.states == tuple(
        sum((one.state.name if one.state else NO_STATE) == name for one in own) for name in STATE_NAMES
    )
    assert queue1.size_bytes == sum(one.size_bytes or 0 for one in own)
    assert sum(count for _, count, _ in queue1.rules) == len(
        [one for one in picture.anomalies if one.queue == "queue1"]
    )


# --- pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["messages", "recipients"])
def test_pages_have_every_row_once(shown, view):
    """Page after page, nothing is left out, nothing is twice, and no page is longer than it may be."""
    chosen = shown.choose(Filters())
    first = page_of(shown, chosen, view)
    pages = [page_of(shown, chosen, view, number) for number in range(1, first.pages + 1)]
    ids = [row.id for page in pages for row in page.rows]

    assert (len(ids), len(set(ids))) == (first.total, first.total)
    assert {len(page.rows) for page in pages[:-1]} == {PAGE_ROWS}


@pytest.mark.parametrize(("number", "shows"), [(0, 1), (-5, 1), (10**9, 5)])
def test_a_page_that_is_not_there_is_the_nearest(shown, number, shows):
    """After a refresh there may be fewer pages than before."""
    assert page_of(shown, shown.choose(Filters()), "messages", number).number == shows


def test_the_page_of_an_opened_message_is_found(shown):
    """Wherever it stands in the order; a message that the filters leave out has no page."""
    chosen = shown.choose(Filters(), "largest")
    wanted = rows_of(shown, chosen)[PAGE_ROWS + 3]
    key = f"{wanted[0]}/{wanted[1]}"

    assert page_holding(shown, chosen, key) == 2
    assert any(row.key == key for row in page_of(shown, chosen, "messages", 2).rows)
    assert (
        page_holding(shown, shown.choose(Filters(queue="slowq")), key),
        page_holding(shown, chosen, "queue1/x"),
    ) == (
        None,
        None,
    )


def test_a_row_says_what_the_message_says(shown, queues):
    """Number, state, size, sender and what is to do agree with a look at the message itself."""
    row = page_of(shown, shown.choose(Filters(queue="queue2", state="S5")), "messages").rows[0]
    queue, number, state, _, size, sender, to_do = (cell.text for cell in row.cells)
    files = read_message(queues.layout(queue), int(number))
    people = [*files.local, *files.remote]

    assert (state, row.key) == ("● S5", f"queue2/{number}")
    assert size == size_text(files.file("mess").size_bytes)
    assert sender == tables.as_text(files.records.sender) or sender == "(empty)"
    assert to_do == f"{sum(not one.is_done for one in people)} of {len(people)}"


def test_rows_have_their_badges_with_reasons(shown):
    """Rule, this case, and why it matters."""
    page = page_of(shown, shown.choose(Filters(only_anomalies=True)), "messages")
    rules = {rule: why for row in page.rows for rule, _, why in row.badges}

    assert "inode-differs" in rules
    assert rules["inode-differs"].startswith("qmail knows a message by the inode number")
    assert all(row.badges for row in page.rows)


def test_a_rule_is_one_badge_however_often_it_is_broken(shown):
    """Four files with a wrong mode are one badge that says so."""
    first = shown.messages.iloc[0]
    wrong = [
        Violation(first["queue"], f"info/{place}", "wrong-mode", f"file {place}", int(first["message_number"]))
        for place in range(4)
    ]
    messages = shown.messages.assign(anomalies=0)
    messages.loc[0, "anomalies"] = 4
    joined = join_tables(messages, shown.recipients, wrong, names=shown.names, taken_ns=0, qshape=shown.qshape)
    (row,) = page_of(joined, joined.choose(Filters(only_anomalies=True)), "messages").rows

    assert [(rule, text) for rule, text, _ in row.badges] == [("wrong-mode", "file 0, and 3 more like it")]


@pytest.mark.parametrize(
    ("address", "text", "hover"),
    [
        (None, "–", "not known"),
        ("", "(empty)", "an empty sender: a bounce"),
        ("ann@example.com", "ann@example.com", ""),
        ("\x1b[2J@\u202eexample.com", r"\x1b[2J@<U+202E>example.com", ""),
    ],
)
def test_addresses_are_made_visible(address, text, hover):
    """Nothing steers the screen, and nothing is taken for an address that is none."""
    cell = address_cell(address)

    assert (cell.text, cell.hover) == (text, hover)


def test_a_long_address_is_shortened_in_the_middle():
    """Both ends are seen, the whole on hover."""
    cell = address_cell("a" * 500 + "@example.com")

    assert len(cell.text) == MAX_CHARACTERS - 1
    assert (cell.text[:3], cell.text[-12:], len(cell.hover)) == ("aaa", "@example.com", 512)


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_fits_its_columns(shown, view):
    """Every row has a cell for each column, the last one being the badges'."""
    page = page_of(shown, shown.choose(Filters()), view)

    assert {len(row.cells) for row in page.rows} == {len(COLUMNS[view]) - 1}


@pytest.mark.parametrize("view", VIEWS)
def test_an_empty_view_says_what_would_fill_it(tmp_path, view):
    """Without any message, and with filters that fit none."""
    make_queue(tmp_path / "queue1", messages=0, now_s=NOW_S)
    queues = open_queues(tmp_path)
    empty = read_tables(queues.snapshot(now_ns=NOW_S * 10**9), ["queue1"])
    page = page_of(empty, empty.choose(Filters()), view)

    expected = {"queues": "There is no queue."}
    assert page.empty == expected.get(view, "The queue is empty. A mail that is sent fills it.")
    assert (len(page.rows), page.pages) == (1 if view == "queues" else 0, 1)


def test_hostile_addresses_stay_text(shown, hostile_strings, strangers):
    """Markup, control characters and surrogates in senders, recipients and violations: shown, not done."""
    texts = list(hostile_strings[::40])[: PAGE_ROWS * 8]
    messages, recipients = shown.messages.copy(), shown.recipients.copy()
    found = []
    for start in range(0, len(texts), PAGE_ROWS):
        some = texts[start : start + PAGE_ROWS]
        # Objects, not Arrow's texts, which refuse surrogates.
        messages["sender"] = pd.Series([some[place % len(some)] for place in range(len(messages))], dtype=object)
        recipients["address"] = pd.Series([some[place % len(some)] for place in range(len(recipients))], dtype=object)
        first = shown.loose[0]
        wrong = tuple(
            replace(first, queue=queue, message_number=number, text=some[place % len(some)])
            for place, (queue, number) in enumerate(zip(messages["queue"], messages["message_number"], strict=True))
        )
        messages["anomalies"] = 1
        hostile = join_tables(messages, recipients, wrong, names=shown.names, taken_ns=0, qshape=shown.qshape)
        for view in VIEWS:
            page = page_of(hostile, hostile.choose(Filters()), view)
            found += strangers(str(page_html(page)))
            found += [one for one in str(page.as_document()) if is_hidden(one)]

    assert found == []


def test_half_a_character_in_a_filter_fits_nothing(shown):
    """With pyarrow installed a lone surrogate in the field raised an error from the depths of Arrow."""
    assert len(shown.choose(Filters(text="\ud800")).messages) == 0


def test_a_cell_narrows_the_ages_that_were_chosen():
    """From an hour on, and in the cell of 40 to 80 minutes: from 60 to 80; the rest of the filters stays."""
    cell = Filters(domain="a.example", side="sender", min_age_s=2400, max_age_s=4800, is_counted=True)
    both = Filters(queue="queue1", min_age_s=3600).at(cell)

    assert both == replace(cell, queue="queue1", min_age_s=3600)
    assert Filters(max_age_s=300).at(Filters()).max_age_s == 300


def test_the_choice_is_told_in_a_sentence(shown):
    """How many, with what is wrong in them and beside them."""
    odd = int(shown.is_odd.sum())
    texts = [chosen_sentence(shown, shown.choose(one)) for one in (Filters(), Filters(queue="slowq"))]

    assert texts == [
        f"{shown.count} messages; {odd} messages with anomalies. 1 more thing wrong in no message: see queues.",
        f"0 of {shown.count} messages fit; no message with anomalies. 1 more thing wrong in no message: see queues.",
    ]


def test_lists_offer_every_choice():
    """The names of the filters are those of the tables, each with its words."""
    options = options_of(("queue1", "slowq"))

    assert [value for _, value in options["queue"]] == ["", "queue1", "slowq"]
    assert [value for _, value in options["state"]] == ["", *STATE_NAMES]
    assert [value for _, value in options["age"]] == list(AGES)
    assert [value for _, value in options["order"]] == list(ORDERS)
