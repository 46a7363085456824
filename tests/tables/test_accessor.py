"""``frame.qmail``."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pandas as pd
import pytest

from indimail_kit.errors import SchemaError
from indimail_kit.lab.demo_logs import DemoLogs
from indimail_kit.logs import Log, read
from indimail_kit.tables import questions
from indimail_kit.tables.accessor import QmailAccessor, register


def test_a_table_answers_its_questions_itself(three_queues: Log, day: DemoLogs) -> None:
    """Each method gives what the function of that name gives."""
    deliveries, messages, events = three_queues.deliveries, three_queues.messages, three_queues.events
    smtpd, clamd = read(day.smtpd).events, read(day.clamd).events
    moment = "2026-11-22T14:09:00Z"
    for found, expected in (
        (deliveries.qmail.overall(messages), questions.overall(deliveries, messages)),
        (deliveries.qmail.delay_percentiles(percents=[7]), questions.delay_percentiles(deliveries, percents=[7])),
        (deliveries.qmail.by_sender(messages), questions.by_sender(deliveries, messages)),
        (deliveries.qmail.by_uid(messages), questions.by_uid(deliveries, messages)),
        (deliveries.qmail.by_recipient(), questions.by_recipient(deliveries)),
        (deliveries.qmail.by_host(), questions.by_host(deliveries)),
        (deliveries.qmail.deferral_reasons(), questions.deferral_reasons(deliveries)),
        (deliveries.qmail.failure_reasons(as_written=True), questions.failure_reasons(deliveries, as_written=True)),
        (deliveries.qmail.success_reasons(), questions.success_reasons(deliveries)),
        (messages.qmail.message_rate(every="5s"), questions.message_rate(messages, every="5s")),
        (messages.qmail.queue_at(deliveries, moment), questions.queue_at(messages, deliveries, moment)),
        (messages.qmail.gaps(longer_than="1s"), questions.gaps(messages, longer_than="1s")),
        (events.qmail.gaps(longer_than="1s"), questions.gaps(events, longer_than="1s", column="time")),
        (events.qmail.status().qmail.concurrency(), questions.concurrency(events.qmail.status())),
        (clamd.qmail.scans().qmail.virus_rate(every="1h"), questions.virus_rate(clamd.qmail.scans(), every="1h")),
        (clamd.qmail.scans().qmail.signatures(), questions.signatures(clamd.qmail.scans())),
        (
            smtpd.qmail.auth_attempts().qmail.auth_failures(min_strangers=2),
            questions.auth_failures(smtpd.qmail.auth_attempts(), min_strangers=2),
        ),
    ):
        pd.testing.assert_frame_equal(found, expected)
        assert not found.empty


@pytest.mark.parametrize("name", ["events", "deliveries", "messages"])
def test_a_table_knows_what_it_is(name: str, three_queues: Log) -> None:
    """The name of the schema, and what each column means."""
    frame = getattr(three_queues, name)
    assert frame.qmail.table.name == name.upper()
    assert repr(frame.qmail).startswith(f"<{name.upper()}: {len(frame):,} rows")
    columns = frame.qmail.columns()
    assert tuple(columns["name"]) == frame.qmail.table.names
    assert columns["meaning"].str.len().gt(0).all()


def test_sessions_are_a_table_too(day: DemoLogs) -> None:
    """What was drawn from EVENTS knows itself."""
    assert read(day.smtpd).events.qmail.sessions().qmail.table.name == "SESSIONS"


def test_another_frame_is_told_so() -> None:
    """A frame of somebody else has no questions."""
    register()
    with pytest.raises(SchemaError, match="without the columns of any table"):
        _ = pd.DataFrame({"a": [1]}).qmail


def test_every_question_of_logs_is_a_method() -> None:
    """No question is forgotten: each has a method of its name (`reasons` has three)."""
    asked = {
        name
        for name, function in vars(questions).items()
        if inspect.isfunction(function) and function.__module__.startswith("indimail_kit.tables.questions_logs")
    }
    assert asked - {"reasons"} <= set(vars(QmailAccessor))


def test_the_first_table_teaches_pandas() -> None:
    """Nobody has to register anything, and importing the kit does not import pandas."""
    code = (
        "import sys, indimail_kit as kit; assert 'pandas' not in sys.modules;"
        "print(kit.logs.read(b'new msg 5\\n').events.qmail.table.name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("EVENTS\n", "")
