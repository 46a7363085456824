"""AdminDesk: where a server is, its overview, and views that are all about the chosen message."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest
import traitlets as t

from indimail_kit.admin import Site
from indimail_kit.errors import FormatError, QueueError
from indimail_kit.lab import Lab, make_site
from indimail_kit.lab.corpus import make_queue
from indimail_kit.qhpsi import Verdict
from indimail_kit.widgets import AdminDesk
from indimail_kit.widgets.admin_desk import VIEWS

RECORDED = Path(__file__).parents[1] / "data" / "indimail"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Give a demo server."""
    return make_site(tmp_path_factory.mktemp("desk") / "server")


@pytest.fixture(scope="module")
def shared_desk(server):
    """Give its desk; the tests below change what they look at, never the server."""
    return AdminDesk(environ=server.environ)


@pytest.fixture
def desk(shared_desk):
    """Give the desk with nothing chosen."""
    shared_desk.chosen = shared_desk.browser.view.opened = shared_desk.stuck.view.chosen = ""
    return shared_desk


def test_environment_says_where_the_server_is(desk, server):
    """Queues, logs, and everything of them in the fields."""
    assert (desk.is_demo, desk.site.queue_base, desk.site.logs) == (
        False, server.queue_base, tuple(server.logs.values()),
    )  # fmt: skip
    assert desk.read_form() == desk.site
    assert [one.queue for one in desk.overview.queues] == ["queue1", "queue2", "queue3"]


def test_every_view_has_the_same_picture(desk):
    """Taken once."""
    count = sum(one.messages for one in desk.overview.queues)

    assert (desk.browser.view.tables.count, desk.stuck.view.grid.document["counts"]["reasons"]) == (count, "3")
    assert all(getattr(desk, name).view is not None for name in VIEWS)


@pytest.mark.parametrize("source", ["stuck", "browser"])
def test_one_click_and_all_views_are_about_the_message(desk, source):
    """A row of stuck mail, or a message opened in the browser: its trace, its scan and its plans."""
    row = desk.stuck.view.waiting.iloc[0]
    key = f"{row['queue']}/{row['message_number']}"
    if source == "stuck":
        desk.stuck.view.chosen = key
    else:
        desk.browser.view.opened = key

    assert (desk.chosen, desk.scan.view.message, desk.plans.view.message, desk.browser.view.opened) == (key,) * 4
    story = desk.trace.view.trace
    assert (story.message.queue, story.message.message_number, story.others) == (
        row["queue"],
        row["message_number"],
        (),
    )
    assert story.confidence == "certain"


def test_a_whole_night_of_looking_leaves_the_queues_as_they_are(desk, server):
    """Overview, stuck mail, a message opened, its scan, a plan, a new picture: no octet, time, mode or link changes."""

    def picture():
        found = {path: path.lstat() for path in server.queue_base.rglob("*") if not path.is_dir()}
        names = ("st_ino", "st_nlink", "st_mode", "st_size", "st_atime_ns", "st_mtime_ns", "st_ctime_ns")
        return {path: [getattr(one, name) for name in names] for path, one in found.items()}

    before = picture()
    desk.stuck.view.act("r0")
    desk.stuck.view.act(desk.stuck.view.grid.document["table"]["rows"][0]["key"])
    desk.scan.view.scan_now()
    desk.plans.view.make_plan()
    desk.browser.view.refresh()
    desk.look()

    assert picture() == before


def test_virus_that_waits_is_found_by_its_number(desk, server):
    """Choose, scan."""
    queue, number = server.infected
    desk.chosen = f"{queue}/{number}"

    assert desk.scan.view.scan_now().answer.verdict is Verdict.INFECTED


@pytest.mark.parametrize("key", ["queue9/5", "5", "queue1/x", "queue1/²", "../../etc"])
def test_what_is_no_message_cannot_be_chosen(desk, key):
    """And the views stay as they are."""
    with pytest.raises(t.TraitError):
        desk.chosen = key
    assert desk.chosen == ""


@pytest.mark.parametrize(
    ("field", "text"),
    [("queue_base", "/nowhere/at/all"), ("split", "x"), ("clocks", "moon=1"), ("logs", "/nowhere/at/all")],
)
def test_wrong_field_is_said_and_the_last_look_stays(desk, field, text):
    """What, and what is shown below."""
    before, view, was = desk.overview, desk.stuck.view, desk.fields[field].value
    desk.fields[field].value = text
    desk.look_button.click()
    said, tone = desk.status.sentence, desk.status.tone
    desk.fields[field].value = was

    assert (desk.overview, desk.stuck.view, tone) == (before, view, "ik-bad")
    assert ("Cannot look there" in said, "last look" in said) == (True, True)


def test_new_look_gives_new_views(desk, server):
    """Of the same server."""
    old = desk.stuck.view
    desk.look_button.click()

    assert (desk.stuck.view is old, desk.site.queue_base, desk.status.busy) == (False, server.queue_base, False)


def test_recorded_queue_of_a_real_server(tmp_path):
    """A tree and a log of one real machine: split given, reasons found, a story told."""
    with tarfile.open(RECORDED / "queue" / "s5-deferred-and-bounce-queue1.tar") as archive:
        archive.extractall(tmp_path, filter="fully_trusted")  # noqa: S202 (our own recordings)
    log = RECORDED / "logs" / "send-single-queue1.tai64n.log.gz"
    desk = AdminDesk(Site(tmp_path / "queue1", (log,), 151))
    reasons = desk.stuck.view.reasons

    # Of the real clock's now, the log has gone on: it tells that both messages have left.
    assert (len(desk.stuck.view.waiting), reasons["is_known"].tolist()) == (4, [False])
    desk.chosen = "queue1/1704474"
    assert desk.trace.view.trace.message.message_number == 1704474


def test_server_at_work_is_looked_at_and_left_alone(tmp_path):
    """A lab: who holds its queues is seen, why its mail waits, and no plan is done while it runs."""
    with Lab(seed=1, directory=tmp_path / "lab", scanner="embedded") as lab:
        waiting = lab.send(recipient="someone@example.org")
        desk = AdminDesk(Site(lab.directory / "queue", (lab.directory / "log" / "deliver.25",)))
        desk.chosen = f"{waiting.queue}/{waiting.message_number}"
        desk.plans.view.wish = "trash"
        desk.plans.view.make_plan()
        desk.plans.view.is_yes = True
        report = desk.plans.view.do_plan()

    assert all(f"pid {os.getpid()}" in one.holder for one in desk.overview.queues)
    assert desk.stuck.view.waiting["confidence"].tolist() == ["certain"]
    assert desk.trace.view.trace.message.message_number == waiting.message_number
    assert (report.done, "stop it first" in report.problem) == ((), True)


def test_server_that_is_not_there_is_said(tmp_path):
    """The desk stands there, with fields to correct; nothing is shown."""
    desk = AdminDesk(Site(tmp_path))

    assert (desk.overview, desk.status.tone) == (None, "ik-bad")
    with pytest.raises(QueueError):
        desk.look()
    assert "Nothing is shown yet" in repr(desk.stuck)


def test_wrong_variable_is_an_error(server):
    """Nothing is guessed."""
    with pytest.raises(FormatError):
        AdminDesk(environ=server.environ | {"INDIMAIL_KIT_SPLIT": "x"})


def test_without_variables_it_is_a_demonstration_that_goes_with_the_desk(monkeypatch):
    """In a private directory, removed when the desk is."""
    monkeypatch.setattr(Site, "is_named", staticmethod(lambda _environ: False))
    monkeypatch.setattr("indimail_kit.lab.demo_site.MESSAGES", 200)  # a smaller day
    desk = AdminDesk(environ={})
    place = desk.site.queue_base

    assert (desk.is_demo, place.is_dir(), "demonstration" in desk.status.sentence) == (True, True, True)
    desk.end_demo()
    assert place.exists() is False


def test_it_is_words_and_html_without_a_kernel(desk, strangers):
    """The desk and each of its views."""
    assert (strangers(desk.static_html()), repr(desk).isprintable()) == ([], True)
    for name in VIEWS:
        pane = getattr(desk, name)
        assert (strangers(pane.static_html()), repr(pane)) == ([], repr(pane.view))


def test_hostile_place_stays_text(tmp_path, strangers):
    """A directory may be named as somebody likes."""
    place = tmp_path / "<img src=x onerror=alert(1)>\x1b[2J\u202e"
    make_queue(place / "queue1", messages=8, split=5)
    (place / "log").write_bytes(b"new msg 5\n")
    desk = AdminDesk(Site(place, (place / "log",)))
    for name in VIEWS:
        assert strangers(getattr(desk, name).static_html()) == []

    assert (strangers(desk.static_html()), strangers(desk.header.value), strangers(desk.panel.value)) == ([], [], [])
    assert (repr(desk) + desk.status.sentence).isprintable()
