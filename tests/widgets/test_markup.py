"""A journey as sentences and as HTML, without Jupyter."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indimail_kit.lab.journey import STATION_KEYS, RawBlock, Station, StationState
from indimail_kit.qhpsi.signatures import eicar
from indimail_kit.widgets import markup
from indimail_kit.widgets.html import join

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize("index", range(12))
def test_hostile_text_brings_nothing_into_any_output(index, payloads, make_journey, strangers):
    """Sender, recipient, signature, reply, folder, facts, raw texts, paths and commands: all of them stay text."""
    journeys = [make_journey(value, smtp_reply=value, folder=value, queue=value) for value in payloads[index::12]]
    outputs = [
        *(markup.panel_html(journey.station("scan"), has_buttons=True) for journey in journeys),
        *(markup.rail_html(journey.stations) for journey in journeys),
        *(markup.journey_html(journey) for journey in journeys),
        markup.view_html(journeys),
        markup.journeys_html(journeys, has_buttons=True),
    ]

    assert strangers(str(join(outputs))) == []


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40)
@given(value=ANY_TEXT)
def test_any_text_in_a_station_brings_nothing(value, make_journey, strangers):
    """Hypothesis looks for a text that leaves its place."""
    assert strangers(str(markup.station_html(make_journey(value).station("inbox")))) == []


def test_hostile_text_reaches_the_rail_visible(payloads, make_journey):
    """The rail draws texts; none of them holds a character that steers the screen."""
    rows = [row for value in payloads for row in markup.rail_rows(make_journey(value).stations)]

    assert [text for row in rows for text in row.values() if not text.isprintable() and "\u00a0" not in text] == []


def test_hostile_text_reaches_the_sentence_visible(payloads, make_journey):
    """The sentence is read aloud and shown: nothing in it steers."""
    said = [markup.sentence(make_journey(value)) for value in payloads]

    assert [text for text in said if not text.isprintable()] == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"verdict": "CLEAN", "signature": "", "delivered_to": "bob@example.com Inbox", "folder": "Inbox"},
            "CLEAN ✓ — the server answered “250 ok 1795356723 qp 6543”. "
            "It is in the folder Inbox of bob@example.com. All in 84 ms.",
            id="clean",
        ),
        pytest.param(
            {"signature": "Eicar", "delivered_to": "bob@example.com Quarantine"},
            "INFECTED ✕ (Eicar) — the server answered “250 ok 1795356723 qp 6543”. "
            "It is in the folder Quarantine of bob@example.com. All in 84 ms.",
            id="infected and marked",
        ),
        pytest.param(
            {
                "smtp_reply": "554 qq message contains virus (#5.7.1)",
                "message_number": 0,
                "delivered_to": "",
                "folder": "",
            },
            "INFECTED ✕ (plain) — the server answered “554 qq message contains virus (#5.7.1)”. "
            "Nothing was queued. All in 84 ms.",
            id="refused",
        ),
        pytest.param(
            {"message_number": 0, "delivered_to": "", "folder": ""},
            "INFECTED ✕ (plain) — the server answered “250 ok 1795356723 qp 6543”. "
            "It was accepted and thrown away: nothing is in the queue. All in 84 ms.",
            id="swallowed",
        ),
        pytest.param(
            {"verdict": "CLEAN", "signature": "", "delivered_to": "bounce to ann@example.com", "folder": ""},
            "CLEAN ✓ — the server answered “250 ok 1795356723 qp 6543”. "
            "It came back: a bounce to ann@example.com. All in 84 ms.",
            id="bounced",
        ),
        pytest.param(
            {"verdict": "", "signature": "", "delivered_to": "", "folder": ""},
            "no scan – — the server answered “250 ok 1795356723 qp 6543”. It waits in queue2 as 660188. All in 84 ms.",
            id="waiting",
        ),
    ],
)
def test_the_sentence_tells_verdict_reply_and_end(changes, said, make_journey):
    """Each way to end has its own words."""
    assert markup.sentence(make_journey(**changes)) == said


@pytest.mark.parametrize(
    ("changes", "tone"),
    [
        pytest.param({"verdict": "CLEAN"}, "ik-good", id="clean and arrived"),
        pytest.param({"verdict": "INFECTED"}, "ik-bad", id="infected though delivered"),
        pytest.param({"verdict": "ERROR"}, "ik-bad", id="scanner failed"),
        pytest.param({"verdict": "", "message_number": 0}, "ik-bad", id="refused before the scan"),
        pytest.param({"verdict": "NOT_SCANNED"}, "ik-quiet", id="nobody looked, never good"),
        pytest.param({"verdict": "", "folder": "Inbox"}, "ik-quiet", id="arrived without a scan, never good"),
        pytest.param({"verdict": "CLEAN", "folder": ""}, "ik-quiet", id="clean but came back"),
    ],
)
def test_only_a_clean_mail_that_arrived_looks_good(changes, tone, make_journey):
    """Green is for an exact CLEAN in a folder, and for nothing else."""
    assert markup.tone(make_journey(**changes)) == tone


@pytest.mark.parametrize(
    ("elapsed_ms", "shown"),
    [(0.0, ""), (-1.0, ""), (0.04, "0.0 ms"), (9.94, "9.9 ms"), (10.0, "10 ms"), (1234.5, "1,234 ms")],
)
def test_a_time_has_its_unit(elapsed_ms, shown):
    """Short times with one decimal, long ones without; none for none."""
    assert markup.elapsed_text(elapsed_ms) == shown


@pytest.mark.parametrize(
    ("summary", "state", "row"),
    [
        pytest.param("INFECTED", StationState.DONE, ("INFECTED", "✕", "ik-done", "ik-infected"), id="infected"),
        pytest.param(
            "NOT SCANNED", StationState.FAILED, ("NOT SCANNED", "?", "ik-failed", "ik-not-scanned"), id="unseen"
        ),
        pytest.param("235", StationState.DONE, ("235", "✓", "ik-done", ""), id="done"),
        pytest.param("535", StationState.FAILED, ("535", "✕", "ik-failed", ""), id="failed"),
        pytest.param("", StationState.WAITING, ("", "○", "ik-waiting", ""), id="waiting"),
    ],
)
def test_a_row_of_the_rail_has_word_mark_and_state(summary, state, row):
    """A verdict brings its own sign; any other summary has the sign of the state."""
    drawn = markup.rail_row(Station("scan", state, summary=summary))

    assert tuple(drawn[name] for name in ("summary", "mark", "state", "verdict")) == row


def test_a_station_is_read_aloud_as_a_sentence():
    """Number, name, question, state and result are in the label, so that no sign has to be seen."""
    row = markup.rail_row(Station("scan", StationState.DONE, summary="INFECTED", elapsed_ms=12.0))

    assert row["label"] == "Station 4 of 7, SCAN, is it safe? done, INFECTED, after 12 ms"


def test_the_rail_has_the_stations_in_order():
    """Seven stations in the order of the journey."""
    assert [row["key"] for row in markup.rail_rows(markup.WAITING)] == list(STATION_KEYS)


def test_a_long_raw_text_is_cut_and_says_so(parse):
    """A huge file does not fill the page; what is left out is counted."""
    raw = RawBlock("mess", "x" * (markup.MAX_BLOCK_CHARACTERS + 1234), path="mess/16/660188")

    assert "… and 1,234 more characters" in parse(str(markup.raw_html(raw))).text


def test_raw_material_says_where_it_is_from(parse):
    """Path and offset stand beside the title, the command below."""
    raw = RawBlock("mess", "text", path="mess/16/660188", offset=2048, command="cat mess/16/660188")
    text = parse(str(markup.raw_html(raw, has_buttons=True))).text

    assert [
        part for part in ("mess/16/660188, from octet 2,048", "cat mess/16/660188", "copy") if part not in text
    ] == []


def test_html_without_a_kernel_has_no_dead_buttons(make_journey, parse):
    """Where no script runs there is nothing to press; everything unfolds by the browser itself."""
    outputs = [markup.journey_html(make_journey()), markup.view_html([make_journey()])]

    assert [name for name, _ in parse(str(join(outputs))).elements if name == "button"] == []


def test_an_empty_table_says_what_would_fill_it(parse):
    """No mail, no headings over nothing: a sentence."""
    assert parse(str(markup.journeys_html([]))).text == "No message so far. Send fills this table, one row a mail."


def test_a_row_of_the_table_tells_one_mail(make_journey, parse):
    """Number, UTC time, route, mechanism, verdict, reply, queue, number, folder."""
    journey = make_journey("bob@example.com", sender="ann@example.com")
    text = parse(str(markup.journeys_html([journey]))).text

    assert text.endswith(
        "114:12:03ann@example.com → bob@example.comCRAM-MD5INFECTED ✕250 ok 1795356723 qp 6543queue2660188Quarantine"
    )


def test_a_mail_that_was_not_queued_has_no_number(make_journey, parse):
    """Zero and nothing are shown as a dash."""
    journey = make_journey("b", mechanism="", verdict="", message_number=0, queue="", folder="")

    assert parse(str(markup.journeys_html([journey]))).text.endswith("noneno scan –250 ok 1795356723 qp 6543–––")


def test_the_legend_explains_every_sign(parse):
    """Four verdicts and five states, each with a sentence."""
    assert [name for name, _ in parse(str(markup.legend_html())).elements].count("li") == 9


def test_the_test_virus_is_shown_but_not_stored_whole(parse):
    """A reader sees EICAR as it was sent; saved HTML has it in two pieces, so no scanner flags the notebook."""
    virus = eicar().decode("ascii")
    written = str(markup.raw_html(RawBlock("mess", f"a\n{virus}\n{virus}b")))

    assert (virus in written, f"a\n{virus}\n{virus}b" in parse(written).text) == (False, True)


@pytest.mark.parametrize(
    ("count", "rows", "caption"), [(30, 30, "Messages so far"), (31, 30, "Messages so far, the newest 30 of 31")]
)
def test_a_long_table_shows_the_newest(count, rows, caption, make_journey, parse):
    """After many mails the page stays short; the numbers stay those of the mails."""
    parsed = parse(str(markup.journeys_html([make_journey("x")] * count)))

    assert ([name for name, _ in parsed.elements].count("tr"), parsed.text.startswith(caption + "#")) == (
        rows + 1,
        True,
    )


def test_an_empty_answer_says_so(parse):
    """A scanner that said nothing has an empty answer; that is a sentence, not an empty box."""
    assert parse(str(markup.raw_html(RawBlock("the scanner's own answer", "")))).text.endswith("Nothing: it is empty.")


@pytest.mark.parametrize(
    ("state", "time"),
    [
        (StationState.WAITING, ""),
        (StationState.WORKING, "12 ms"),
        (StationState.DONE, "12 ms"),
        (StationState.FAILED, "12 ms"),
        (StationState.SKIPPED, ""),
    ],
)
def test_only_a_station_that_was_reached_has_a_time(state, time):
    """A mail that never came to a station spent no time there."""
    assert markup.rail_row(Station("todo", state, elapsed_ms=12.0))["time"] == time
