"""Logs that the real programs wrote: every line of a message is told in one story, and in no other."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from pathlib import Path

import pytest

from indimail_kit import logs, trace

LOGS = Path(__file__).parents[1] / "data" / "indimail" / "logs"
NAMES = ("send-single-queue1", "send-for-smtpd", "slowq-send", "qscheduler-static-3queues")

OF_A_MESSAGE = re.compile(
    r"@[0-9a-f]{24} (?:new msg|info msg|starting delivery|delivery \d|bounce msg|end msg|triple bounce|"
    r"(?:local|remote): .* bytes |info: (?:todo-proc|slowq-send): \S+: subdir=).*"
)
"""A line that tells of one message, by a look at its words alone."""


@pytest.fixture(scope="module", params=NAMES)
def told(request):
    """Name of a recorded log, its lines, and the stories of all its messages."""
    path = LOGS / f"{request.param}.tai64n.log.gz"
    log = logs.read(path)
    tracer = trace.Tracer(logs=[log])
    rows = log.messages[["queue", "message_number", "lifetime"]].itertuples(index=False)
    stories = [tracer.message(number, queue=queue, lifetime=lifetime) for queue, number, lifetime in rows]
    return gzip.decompress(path.read_bytes()).decode("utf-8", "backslashreplace").split("\n"), stories


def test_each_line_of_a_message_is_told_once(told):
    """In the story of its message, as certain; a bounce's lines in its message's story besides."""
    lines, stories = told
    counts = Counter(
        one.line_number
        for story in stories
        for one in story.evidence
        if one.source in ("queue", "delivery") and one.confidence == "certain"
    )
    expected = {
        number for number, line in enumerate(lines, 1) if OF_A_MESSAGE.fullmatch(line) and " bounce msg " not in line
    }

    assert (set(counts) - expected, expected - set(counts), {*counts.values()}) == (set(), set(), {1})


def test_each_bounce_leads_to_its_message_and_back(told):
    """The qp of "bounce msg" is the bounce's own, so both stories have the line."""
    lines, stories = told
    bounces = {number for number, line in enumerate(lines, 1) if " bounce msg " in line}
    counts = Counter(
        one.line_number for story in stories for one in story.of("bounce") if one.text.startswith("bounce msg ")
    )

    assert (set(counts), {*counts.values()} <= {2}) == (bounces, True)


def test_an_address_that_qmail_send_cleans_is_one_recipient():
    """The log has it as typed and with underlines; it is told once, and its delivery is certain."""
    log = logs.read(LOGS / "send-single-queue1.tai64n.log.gz")
    story = trace.address("we ird%x@local.test", logs=[log])

    assert [one for one in story.message.recipients if "ird" in one] == ["we ird%x@local.test"]
    assert {one.confidence for one in story.of("delivery")} == {"certain"}
