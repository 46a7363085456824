"""StuckMail: reasons, who waits for which, and the message that was chosen; a real demo server's queue and log."""

from __future__ import annotations

import pytest
import traitlets as t

from indimail_kit.lab import make_site
from indimail_kit.logs import read
from indimail_kit.mailqueue import create_queue, open_queues
from indimail_kit.tables.questions import stuck, stuck_reasons
from indimail_kit.widgets import StuckMail
from indimail_kit.widgets.pages import PAGE_ROWS
from indimail_kit.widgets.stuck_pages import COLUMNS

NOON_S = 1_900_000_020


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Give picture, log and place of the demo server."""
    site = make_site(tmp_path_factory.mktemp("stuck") / "server", now_s=NOON_S)
    queues = open_queues(site.queue_base)
    return queues.snapshot(now_ns=NOON_S * 10**9, processes=1), read(site.logs["send"]), site


@pytest.fixture
def view(server):
    """Give the view."""
    picture, log, site = server
    return StuckMail(picture, log, place=site.queue_base, logs=[site.logs["send"]])


def press(view, **content):
    """Do what a row or a button in the browser does."""
    view.grid._handle_custom_msg(content, [])


def texts(view):
    """Return the texts of the rows that are drawn."""
    return [[cell[0] for cell in row["cells"]] for row in view.grid.document["table"]["rows"]]


def test_reasons_are_those_of_the_question(view, server):
    """Row by row, with what is not known behind what is."""
    picture, log, _site = server
    expected = stuck_reasons(stuck(picture, log.deliveries, log.messages))

    assert [row[1:4] for row in texts(view)] == [
        [one.reason, f"{one.recipients:,}", f"{one.messages:,}"] for one in expected.itertuples()
    ]
    assert [row[0] for row in texts(view)] == ["✓ told" if known else "? not known" for known in expected["is_known"]]
    assert view.frame() is view.reasons


def test_reason_opens_to_who_waits_for_it(view):
    """As many rows as it counts; the chip says which reason, and drops it."""
    press(view, act="r0")

    assert (view.view, view.reason, len(view.frame())) == (
        "recipients", view.reasons["reason"][0], view.reasons["recipients"][0],
    )  # fmt: skip
    assert view.grid.document["reason"]
    press(view, drop=True)
    assert (view.reason, len(view.frame())) == ("", len(view.waiting))


def test_row_chooses_its_message(view):
    """Other views can follow it."""
    seen = []
    view.observe(lambda change: seen.append(change.new), "chosen")
    press(view, act="r0")
    key = view.grid.document["table"]["rows"][0]["key"]
    press(view, act=key)

    assert (view.chosen, view.grid.chosen, seen) == (key, key, [key])
    assert view.grid.sentence.endswith(f" {key} is chosen.")


@pytest.mark.parametrize("act", ["r99", "r-1", "r²", "", "queue1/5", "x", 7, None, ["r0"]])
@pytest.mark.parametrize("name", ["reasons", "recipients"])
def test_row_that_is_not_there_does_nothing(view, act, name):
    """Whatever a page sends."""
    view.view = name
    press(view, act=act)

    assert (view.view, view.chosen, view.reason) == (name, "", "")


def test_reason_that_is_none_is_refused(view):
    """Rather than an empty table."""
    with pytest.raises(t.TraitError):
        view.reason = "because"


def test_browser_is_sent_one_page(view):
    """Never more rows than a page has, and a page beyond the last is the last."""
    view.view = "recipients"
    assert len(view.grid.document["table"]["rows"]) == min(PAGE_ROWS, len(view.waiting))
    view.page = 99

    assert view.page == view.grid.document["table"]["pages"]


def test_no_line_of_a_log_is_widget_state(view):
    """A saved notebook's widget state has no address and no report."""
    view.view = "recipients"
    state = repr(view.grid.get_state())

    assert ("example.net" in state, "Sorry" in state) == (False, False)


def test_page_that_comes_later_is_drawn(view, monkeypatch):
    """A browser says hello and gets the whole document."""
    sent = []
    monkeypatch.setattr(view.grid, "send", sent.append)
    press(view, hello=True)

    assert sent == [{"draw": view.grid.document}]


def test_without_a_log_it_says_what_is_missing(server):
    """No reason is made up."""
    view = StuckMail(server[0])

    assert "Name qmail-send's log" in view.sentence
    assert [row[0] for row in texts(view)] == ["? not known"]


def test_empty_queue_says_so(tmp_path):
    """Nobody waits."""
    view = StuckMail(open_queues(create_queue(tmp_path / "queue1", split=2).directory).snapshot())

    assert (view.sentence[:12], view.grid.document["table"]["rows"]) == ("Nobody waits", [])


def test_it_is_words_and_html_without_a_kernel(view, strangers):
    """The same rows, as a table."""
    for name in ("reasons", "recipients"):
        view.view = name
        assert strangers(view.static_html()) == []
    assert ("down.example.net" in view.static_html(), repr(view)[:10]) == (True, "StuckMail:")


def test_command_shows_the_same(view, server):
    """In a terminal, with queue and log."""
    site = server[2]

    assert view.grid.document["command"] == (
        f"indimail-kit queue stuck --queue {site.queue_base} --log {site.logs['send']}"
    )


def test_columns_have_the_cells_of_their_rows(view):
    """One cell for each heading but the button's."""
    for name, columns in COLUMNS.items():
        view.view = name
        assert {len(row) for row in texts(view)} == {len(columns) - 1}


def test_hostile_addresses_and_reports_stay_text(tmp_path, payloads, strangers):
    """A recipient and a remote host say what they like."""
    layout = create_queue(tmp_path / "queue1", split=3)
    new = layout.directory / "pid" / "new"
    new.write_bytes(b"x" * 9)
    number = new.stat().st_ino
    new.rename(layout.path("mess", number))
    layout.path("info", number).write_bytes(b"Fann@example.com\0")
    records = [payload.replace("\0", "").encode("utf-8", "replace") for payload in payloads]
    layout.path("remote", number).write_bytes(b"".join(b"T%b@example.net\0" % one for one in records))
    lines = b"".join(
        b"starting delivery %d: msg %d to remote %b@example.net queue1\ndelivery %d: deferral: %b queue1\n"
        % (at, number, one.replace(b"\n", b"/"), at, one.replace(b"\n", b"/"))
        for at, one in enumerate(records)
    )
    view = StuckMail(open_queues(layout.directory).snapshot(), read(lines))
    for name in ("reasons", "recipients"):
        view.view = name
        assert strangers(view.static_html()) == []
        drawn = [text for row in view.grid.document["table"]["rows"] for cell in row["cells"] for text in cell[:2]]
        assert all(text.isprintable() for text in drawn)
    assert repr(view).isprintable()
