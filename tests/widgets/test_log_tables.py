"""Choosing rows of a log: filters that fit messages, deliveries, reasons and lines; bars; pages; raw lines."""

from __future__ import annotations

import json

import numpy as np
import pytest

from indimail_kit import lab, logs
from indimail_kit.tables import questions
from indimail_kit.visible import is_hidden
from indimail_kit.widgets.html import style_classes
from indimail_kit.widgets.log_bars import MAX_BARS, bars_document, bars_of, bars_sentence
from indimail_kit.widgets.log_pages import (
    COLUMNS,
    SIGNS,
    VIEWS,
    chosen_sentence,
    counts_of,
    duration_text,
    page_html,
    page_of,
    understood_text,
)
from indimail_kit.widgets.log_raw import MAX_LINES, Opened, opened_html, raw_command, read_raw
from indimail_kit.widgets.log_rows import lines_of_row, title_of
from indimail_kit.widgets.log_tables import NOT_A_TIME, OUTCOMES, Filters, read_tables
from indimail_kit.widgets.pages import PAGE_ROWS

NS = 10**9
STAMP = b"@400000004b9d888d06072d6e "


@pytest.fixture(scope="module")
def day():
    """Give a seeded day's qmail-send log, two lines of it strange."""
    send = lab.make_logs(200, seed=2).send
    return b"what is this?\n" + send + STAMP + b"and this of ann@example.com\n"


@pytest.fixture(scope="module")
def shown(day):
    """Give its tables."""
    return read_tables(logs.read(day))


def of(lines: list[bytes]):
    """Return the tables of a log of some lines."""
    return read_tables(logs.read(b"".join(STAMP + line + b"\n" for line in lines)))


def test_no_filter_leaves_everything(shown, day):
    """Every message, every delivery, every unknown line; the lines are those of the log."""
    chosen = shown.choose(Filters())

    assert (len(chosen.messages), len(chosen.deliveries)) == (len(shown.messages), len(shown.deliveries))
    assert chosen.unknown.tolist() == [0, shown.count - 1]
    assert shown.count == len(day.splitlines())


def test_each_delivery_knows_its_message(shown):
    """The owner's queue, number and lifetime are the delivery's own; numbers are used again, so lifetimes matter."""
    keys = ["queue", "message_number", "lifetime"]
    owners = shown.messages.iloc[shown.owner][keys].astype(object).to_numpy()

    assert shown.messages["lifetime"].max() > 1
    assert (owners == shown.deliveries[keys].astype(object).to_numpy()).all()


def test_reasons_are_those_of_the_question(shown):
    """Texts and counts equal `questions.reasons`, outcome by outcome, the most frequent first."""
    told = [(one.reason.outcome, one.reason.text, one.deliveries) for one in shown.choose(Filters()).reasons]
    asked = [
        (outcome, row.reason, row.deliveries)
        for outcome in ("deferral", "failure")
        for row in questions.reasons(shown.deliveries, outcome).itertuples()
    ]

    assert sorted(told) == sorted(asked)
    assert [count for _, _, count in told] == sorted((count for _, _, count in told), reverse=True)


def test_a_reason_leaves_its_deliveries_and_their_messages(shown):
    """The reason's count is the number of rows; each message has one of them; the table of reasons stays whole."""
    everything = shown.choose(Filters())
    first = everything.reasons[0]
    chosen = shown.choose(Filters(reason=first.reason.code))

    assert len(chosen.deliveries) == first.deliveries
    assert set(chosen.messages.tolist()) == set(shown.owner[chosen.deliveries].tolist())
    assert (len(chosen.messages), chosen.reasons) == (first.messages, everything.reasons)


@pytest.mark.parametrize("outcome", OUTCOMES[:3])
def test_an_outcome_leaves_its_deliveries(shown, outcome):
    """As many as the table of the log has."""
    chosen = shown.choose(Filters(outcome=outcome))

    assert len(chosen.deliveries) == (shown.deliveries["outcome"] == outcome).sum() > 0
    assert (shown.deliveries.iloc[chosen.deliveries]["outcome"] == outcome).all()


def test_open_and_cut_deliveries_are_told_apart():
    """What is under way at the end of the log is open; what a restart of qmail-send cut off is not told."""
    start = b"starting delivery %d: msg 7 to local a@example.com queue1"
    restart = b"info: qmail-send: pid 7: /var/indimail/queue/queue1: ratelimit=OFF, loglock=disabled, conf split=151"
    tables = of([restart, start % 1, b"status: exiting queue1", restart, start % 1])

    assert [OUTCOMES[code] for code in tables.outcomes] == ["cut", "open"]
    assert tables.choose(Filters(outcome="open")).deliveries.tolist() == [1]


def test_a_span_leaves_what_overlaps_it(shown):
    """Every chosen delivery and message began before its end and had not ended before its beginning."""
    begin, end = 1_268_611_200 * NS + 10 * 3600 * NS, 1_268_611_200 * NS + 11 * 3600 * NS
    chosen = shown.choose(Filters(span=(begin, end)))
    table = shown.deliveries.iloc[chosen.deliveries]
    starts = table["started_at"].dt.tz_localize(None).to_numpy("datetime64[ns]").astype("int64")
    ends = table["ended_at"].dt.tz_localize(None).to_numpy("datetime64[ns]").astype("int64")
    inside = (shown.deliveries["started_at"].dt.hour == 10).sum()

    assert (len(table) >= inside > 0, (starts < end).all(), (ends >= begin).all()) == (True, True, True)
    assert 0 < len(chosen.messages) < len(shown.messages)


def test_a_message_leaves_its_deliveries(shown):
    """As many attempts as the message counts."""
    row = int((shown.messages["deferrals"] > 1).to_numpy().argmax())
    one = shown.messages.iloc[row]
    chosen = shown.choose(Filters(message=row))

    assert chosen.messages.tolist() == [row]
    assert len(chosen.deliveries) == one["successes"] + one["failures"] + one["deferrals"] > 2


def test_part_of_an_address_fits_in_any_case(shown):
    """In the sender or in a recipient; of lines that nobody knows, in the line."""
    chosen = shown.choose(Filters(text="ANN@Example.com"))
    assert chosen.unknown.tolist() == [shown.count - 1]

    chosen = shown.choose(Filters(text="grey.example.org"))
    assert shown.deliveries.iloc[chosen.deliveries]["recipient"].str.endswith("@grey.example.org").all()
    assert set(shown.owner[chosen.deliveries].tolist()) == set(chosen.messages.tolist())
    assert len(chosen.deliveries) > 0


def test_filters_add_up(shown):
    """Each filter more leaves what all leave."""
    span = (1_268_611_200 * NS, 1_268_611_200 * NS + 12 * 3600 * NS)
    both = shown.choose(Filters(span=span, outcome="deferral", text="example.net"))
    each = [
        set(shown.choose(one).deliveries.tolist())
        for one in (Filters(span=span), Filters(outcome="deferral"), Filters(text="example.net"))
    ]

    assert set(both.deliveries.tolist()) == each[0] & each[1] & each[2]
    assert len(both.deliveries) > 0


def test_filters_that_fit_nothing_say_so(shown):
    """An empty page of each view has a sentence."""
    chosen = shown.choose(Filters(text="nobody at all", reason=10**6))

    assert set(counts_of(chosen).values()) == {"0"}
    assert all(page_of(shown, chosen, view).empty.endswith(".") for view in VIEWS)
    assert chosen_sentence(shown, chosen).startswith("0 messages and 0 deliveries of ")


def test_an_empty_log_is_no_error():
    """No line, no bar, no row; every view says so."""
    tables = read_tables(logs.read(b""))
    chosen = tables.choose(Filters(text="x", outcome="open", span=(0, 1)))

    assert {page_of(tables, chosen, view).empty for view in VIEWS} == {"The log has no line."}
    assert (bars_of(tables.times).counts, understood_text(0, 0)) == ((), "0 lines")


def test_a_message_opens_to_its_lines_and_no_others(shown):
    """In the order of the log: from "new msg" to "end msg", its deliveries' ends included; nothing of other lives."""
    row = int((shown.messages["deferrals"] > 0).to_numpy().argmax())
    one = shown.messages.iloc[row]
    lines = read_raw(shown.log, shown.lines_of_message(row).tolist())
    kinds = [line.kind for line in lines]
    attempts = one["successes"] + one["failures"] + one["deferrals"]

    assert (kinds.count("new_msg"), kinds[-1]) == (1, "end_msg")
    assert (kinds.count("starting_delivery"), kinds.count("delivery")) == (attempts, attempts)
    assert all(f" {one['message_number']}" in line.text or line.kind == "delivery" for line in lines)


def test_every_message_has_lines_of_its_own(shown):
    """No line "new msg", "starting delivery", "delivery" or "end msg" is in two messages, and none is left out."""
    found = np.concatenate([shown.lines_of_message(row) for row in range(len(shown.messages))])
    kinds = shown.events["kind"].isin(["new_msg", "starting_delivery", "delivery", "end_msg", "info_msg"]).to_numpy()

    assert len(found) == len(set(found.tolist()))
    assert set(np.flatnonzero(kinds).tolist()) <= set(found.tolist())


def test_raw_lines_are_the_octets_of_the_file(shown, day):
    """File, octet and length lead to the very line, stamp included."""
    lines = read_raw(shown.log, range(50), names=["a name"])

    assert all(
        day[line.byte_offset : line.byte_offset + line.line_bytes].decode() == line.text and line.file == "a name"
        for line in lines
    )


def test_the_raw_command_shows_the_same(tmp_path):
    """Run in a terminal it gives these lines; of logs in memory, of several files or packed ones there is none."""
    import shlex
    import subprocess

    path = tmp_path / "a log"
    path.write_bytes(b"".join(STAMP + b"new msg %d queue1\n" % number for number in range(50)))
    lines = read_raw(logs.read(path), [17])
    command = raw_command(lines, is_on_disk=True)
    tail, head = (shlex.split(part) for part in command.split(" | "))
    whole = subprocess.run(tail, capture_output=True, check=True).stdout
    first = subprocess.run(head, input=whole, capture_output=True, check=True).stdout

    assert first.decode().rstrip("\n") == lines[0].text
    assert raw_command(lines, is_on_disk=False) == ""
    other = tmp_path / "other.gz"
    other.write_bytes(__import__("gzip").compress(path.read_bytes()))
    assert raw_command(read_raw(logs.read(other), [3]), is_on_disk=True) == ""
    assert raw_command(read_raw(logs.read(path, other), [3, 60]), is_on_disk=True) == ""


def test_never_more_than_a_page(shown):
    """25 rows, 100 raw lines, whatever there is; the pages together are all rows, once."""
    chosen = shown.choose(Filters())
    pages = [page_of(shown, chosen, "deliveries", number) for number in range(1, 100)]
    keys = [row.key for page in pages[: pages[0].pages] for row in page.rows]

    assert max(len(page.rows) for page in pages) == PAGE_ROWS
    assert keys == [f"d{row}" for row in chosen.deliveries]
    assert (pages[-1].number, len(read_raw(shown.log, range(500)))) == (pages[0].pages, MAX_LINES)


@pytest.mark.parametrize("key", ["", "m", "x1", "m-1", "m01", "m1 ", "d999999", "r99", "u9999999", "m1e3", "ｍ1"])
def test_a_row_that_is_none_has_no_lines(shown, key):
    """Whatever a page asks for."""
    assert lines_of_row(shown, key, Filters()) is None


def test_an_opened_reason_has_the_lines_of_what_is_shown(shown):
    """A reason that is counted within filters opens to the deliveries within them."""
    for filters in (Filters(), Filters(text="example.net"), Filters(span=(0, 1_268_650_000 * NS))):
        for one in shown.choose(filters).reasons:
            key = f"r{one.reason.code}"
            lines = lines_of_row(shown, key, filters)
            assert len(lines) == 2 * one.deliveries
            assert title_of(shown, key, len(lines)).startswith(f"{one.reason.outcome}: ")


def test_the_bars_count_every_stamped_line(shown):
    """No more than fit; each stamped line is in one bar; the unstamped one is counted beside."""
    bars = bars_of(shown.times)

    assert (sum(bars.counts), bars.unstamped, len(bars.counts) <= MAX_BARS) == (shown.count - 1, 1, True)
    assert bars.covering((bars.start_ns, bars.start_ns + 1)) == (0, 0)
    assert bars.covering(bars.span(3, 7)) == (3, 7)
    assert bars.covering(None) == bars.covering((0, 1)) == (-1, -1)
    assert "1 line without a stamp." in bars_sentence(bars)
    assert len(bars_document(bars)["heights"]) == len(bars.counts)


@pytest.mark.parametrize("far", [0, 1, 59, 3600, 86_400 * 400, 9 * 10**9])
def test_bars_have_a_width_for_every_span(far):
    """From one moment to centuries: at most MAX_BARS bars, which hold both ends; the width is a clock's."""
    bars = bars_of(np.array([0, far * NS, NOT_A_TIME], dtype=np.int64))

    assert len(bars.counts) <= MAX_BARS
    assert (sum(bars.counts), bars.counts[0] > 0, bars.counts[-1] > 0, bars.unstamped) == (2, True, True, 1)


def test_the_rate_of_a_bar_is_in_lines_per_minute():
    """Ten lines in five seconds are 120 lines a minute."""
    bars = bars_of(np.array([0] * 10 + [500 * NS], dtype=np.int64))

    assert (bars.width_ns, bars.rate(bars.counts[0])) == (5 * NS, 120)


@pytest.mark.parametrize(
    ("lines", "unknown", "text"),
    [
        (1, 0, "1 line · all understood"),
        (290_872, 611, "290,872 lines · 290,261 understood · 611 unknown (0.21 %)"),
        (10**6, 1, "1,000,000 lines · 999,999 understood · 1 unknown (0.0001 %)"),
        (10**9, 1, "1,000,000,000 lines · 999,999,999 understood · 1 unknown (less than 0.0001 %)"),
    ],
)
def test_a_share_is_never_rounded_to_nothing(lines, unknown, text):
    """One unknown line of a billion is not 0 %."""
    assert understood_text(lines, unknown) == text


def test_durations_have_units():
    """Milliseconds, seconds, minutes, hours; a clock that went back is said so."""
    words = [duration_text(one) for one in (0.0123, 4.42, 61, 7300, -3)]
    assert words == ["12 ms", "4.4 s", "1 min 1 s", "2 h 1 min", "in 3 s"]


def test_the_classes_are_of_the_style_sheet():
    """Columns and chips."""
    used = {cls for columns in COLUMNS.values() for _, cls in columns} | {cls for _, _, cls in SIGNS.values()}

    assert used <= style_classes()


def test_hostile_text_is_text_in_every_table(hostile_strings, strangers, parse):
    """Senders, recipients, reports and lines that try to leave their place: nothing but text, in HTML and in JSON."""
    for some in _batches(hostile_strings[::8]):  # all of them in make sweep: test_log_hostile
        lines = []
        for number, one in enumerate(some, 1):
            octets = one.replace("\n", " ").encode("utf-8", "surrogatepass")
            word = octets.replace(b" ", b"_")
            lines += [
                b"new msg %d queue1" % number,
                b"info msg %d: bytes 9 from <%b> qp 1 uid 2 queue1" % (number, word),
                b"starting delivery %d: msg %d to remote %b queue1" % (number, number, word),
                b"delivery %d: deferral: %b/ queue1" % (number, word),
                octets,
            ]
        tables = of(lines)
        chosen = tables.choose(Filters())
        assert tables.count == len(lines)
        for view in VIEWS:
            pages = [
                page_of(tables, chosen, view, number) for number in range(1, 1 + page_of(tables, chosen, view).pages)
            ]
            for page in pages:
                assert strangers(str(page_html(page))) == []
                texts = json.dumps(page.as_document(), ensure_ascii=False)
                assert not any(is_hidden(character) for character in texts)
        raw = read_raw(tables.log, range(tables.count))
        opened = Opened("u0", title_of(tables, "r0", 2), raw, tables.count, "")
        assert strangers(str(opened_html(opened))) == []
        assert not any(is_hidden(one) for one in json.dumps(opened.as_document(), ensure_ascii=False))


def _batches(strings):
    for at in range(0, len(strings), 200):
        yield strings[at : at + 200]
