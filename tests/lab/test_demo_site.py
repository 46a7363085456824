"""The demo server at noon: queue and log are of one day, and everything that an administrator may find is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from indimail_kit.admin import Site, scan_queued
from indimail_kit.errors import LabError
from indimail_kit.lab import DemoSite, make_site
from indimail_kit.lab.demo_site import FAULTS_AT_NOON
from indimail_kit.logs import Log, read
from indimail_kit.mailqueue import Snapshot, check_queue, open_queues
from indimail_kit.qhpsi import Verdict, embedded
from indimail_kit.tables import messages
from indimail_kit.tables.questions import stuck

NOON_S = 1_900_000_020
"""In 2030: later than the copy that a fault makes of a file, whose time is the system's."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> DemoSite:
    """Return the server."""
    return make_site(tmp_path_factory.mktemp("site") / "new", seed=1, now_s=NOON_S)


@pytest.fixture(scope="module")
def log(site: DemoSite) -> Log:
    """Return qmail-send's log."""
    return read(site.logs["send"])


@pytest.fixture(scope="module")
def picture(site: DemoSite) -> Snapshot:
    """Return the queues at noon."""
    return open_queues(site.queue_base).snapshot(now_ns=NOON_S * 10**9, processes=1)


def test_queue_holds_what_the_log_says_is_there(site: DemoSite, log: Log, picture: Snapshot) -> None:
    """Every life that is open at the end of the log lies in its queue, and nothing else but what is not taken up."""
    lives = log.messages[log.messages["is_open"]]
    rows = messages(picture)
    there = rows[rows["state"] != "S4"]
    key = ["queue", "message_number", "message_bytes"]

    assert sorted(map(tuple, lives[key].values.tolist())) == sorted(
        zip(there["queue"], there["message_number"], there["size_bytes"], strict=True)
    )
    assert len(rows) - len(there) == 2


def test_truth_of_each_mail_is_what_the_join_finds(site: DemoSite, log: Log, picture: Snapshot) -> None:
    """Who was deferred has a reason that is certain, in the words of the log; the oracle is what the day did."""
    table = stuck(picture, log.deliveries, log.messages)
    known = table[table["reason"].notna()]
    truth = {
        (mail.queue, mail.message_number, address)
        for mail in site.mails
        for address, outcome in mail.outcomes.items()
        if outcome == "deferral"
    }

    assert set(zip(known["queue"], known["message_number"], known["address"], strict=True)) >= truth
    assert truth
    # inode-differs gave one message another inode under its name; its number, birth and size are as before
    assert set(known["confidence"]) == {"certain"}


def test_what_is_wrong_is_what_was_spoilt(site: DemoSite) -> None:
    """And nothing else, in none of the queues."""
    queues = open_queues(site.queue_base)
    found = [one.rule for layout in queues.layouts for one in check_queue(layout, now_s=NOON_S)]

    assert sorted(found) == sorted(FAULTS_AT_NOON)


def test_one_message_has_a_virus(site: DemoSite) -> None:
    """A scan by its number finds it."""
    queue, number = site.infected
    layout = open_queues(site.queue_base).layout(queue)

    assert scan_queued(layout, number, scanner=embedded()).answer.verdict is Verdict.INFECTED


def test_its_variables_point_a_site_at_it(site: DemoSite) -> None:
    """As those of a real server do."""
    found = Site.from_environ(site.environ)

    assert (found.queue_base, found.logs, Site.is_named(site.environ)) == (
        site.queue_base,
        tuple(site.logs.values()),
        True,
    )


def test_nothing_is_overwritten(site: DemoSite) -> None:
    """A second one at the same place is refused."""
    with pytest.raises(LabError, match="not empty"):
        make_site(Path(site.queue_base).parent)
