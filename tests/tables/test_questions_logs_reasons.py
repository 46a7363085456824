"""Reasons: as qmailanalog writes them, and as one reason each."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.errors import SchemaError
from indimail_kit.logs import Log, read
from indimail_kit.tables.log_answers import REASONS
from indimail_kit.tables.questions import deferral_reasons, failure_reasons, reasons, success_reasons
from indimail_kit.tables.questions_logs_reasons import MAX_REASON, normal_reason

Lines = Callable[[str, int], list[list[str]]]


@pytest.mark.parametrize(
    ("name", "question"),
    [
        pytest.param("zdeferrals", deferral_reasons, id="deferrals"),
        pytest.param("zfailures", failure_reasons, id="failures"),
        pytest.param("zsuccesses", success_reasons, id="successes"),
    ],
)
def test_texts_are_those_of_qmailanalog(
    name: str, question: Callable[..., pd.DataFrame], three_queues: Log, qmailanalog: Lines
) -> None:
    """Each different text with its count and its time as printed."""
    answer = question(three_queues.deliveries, as_written=True)
    found = {row.reason: (row.deliveries, f"{row.xdelay_s:.2f}") for row in answer.itertuples()}
    assert found == {line[2]: (int(line[0]), line[1]) for line in qmailanalog(name, 3)}


def test_one_reason_is_one_row(three_queues: Log) -> None:
    """Thirty-two texts of deferrals are four reasons: a program, greylisting, a 450 after DATA, a host that is down."""
    answer = deferral_reasons(three_queues.deliveries)
    address = "From: <address> RCPT: <address> <ip>"
    greylisted = "Remote host said: 451 4.7.1 greylisted, try again later"
    assert answer[["reason", "deliveries", "messages", "hosts", "texts"]].to_numpy().tolist() == [
        ["temporary trouble/", 92, 46, 1, 1],
        [
            f"{address} does not like recipient./{greylisted}/Giving up on <ip>./", 33, 17, 1, 16,
        ],
        [f"{address} failed after I sent the message./Remote host said: 450 4.3.2 try later/", 30, 15, 1, 14],
        [
            "Sorry, I wasn't able to establish a SMTP connection for <ip> to <ip> port 2599 bind IP [<ip>]. (#4.4.1)/",
            24, 12, 1, 1,
        ],
    ]  # fmt: skip
    assert answer["deliveries"].sum() == 179


def test_no_delivery_is_lost_between_reasons(three_queues: Log) -> None:
    """The reasons of all three outcomes hold each attempt that ended once."""
    found = sum(
        reasons(three_queues.deliveries, name)["deliveries"].sum() for name in ("success", "failure", "deferral")
    )
    assert found == three_queues.deliveries["outcome"].notna().sum()


@pytest.mark.parametrize("as_written", [True, False])
def test_the_answer_has_its_shape_without_rows(as_written: bool, three_queues: Log) -> None:
    """Columns and dtypes of an empty table are those of a full one."""
    empty = failure_reasons(three_queues.deliveries[:0], as_written=as_written)
    REASONS.check(empty)
    pd.testing.assert_series_equal(empty.dtypes, failure_reasons(three_queues.deliveries).dtypes)
    assert empty.empty


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("192.0.2.7 does not like recipient./", "<ip> does not like recipient./"),
        ("Connected to 2001:db8::7 but greeting failed./", "Connected to <ip> but greeting failed./"),
        ("Remote host said: 421 too many, session 77/", "Remote host said: 421 too many, session <n>/"),
        ("Remote host said: 550-first line/550 5.1.1 no/", "Remote host said: 550-first line/550 5.1.1 no/"),
        ("user bob@example.com unknown/", "user <address> unknown/"),
        ("queued as 4F2A1B3C9D/", "queued as <id>/"),
        ("did 1+0+0/", "did 1+0+0/"),
        ("did 0+2+0/qp 32110/", "did 0+2+0/qp <n>/"),
        ("no room (#4.3.1)/", "no room (#4.3.1)/"),
        ("port 2599 is closed/", "port 2599 is closed/"),
        ("", ""),
    ],
)
def test_only_what_differs_each_time_is_replaced(text: str, reason: str) -> None:
    """Codes, ports and local's counts tell the reason; addresses and running numbers do not."""
    assert normal_reason(text) == reason


@given(st.text(max_size=2 * MAX_REASON))
def test_a_reason_is_never_longer_than_its_marks_allow(text: str) -> None:
    """Any text gives a reason, and a second time changes nothing about which texts are one."""
    assert len(normal_reason(text)) <= MAX_REASON * len("<address>")


@pytest.mark.parametrize(
    "hostile", ["1:" * 5000, "a-" * 5000 + "1", "@" * 9000, "<" * 9000, "1." * 5000, "a" * 9000 + "@"]
)
def test_a_hostile_report_does_not_hang_the_search(hostile: str) -> None:
    """Texts made to be slow end like others."""
    assert normal_reason(hostile) is not None


def test_an_outcome_that_is_none_is_refused(three_queues: Log) -> None:
    """The three words are said."""
    with pytest.raises(SchemaError, match="success, failure or deferral"):
        reasons(three_queues.deliveries, "bounce")


def test_a_delivery_without_its_start_has_a_reason_and_no_time() -> None:
    """The report is known, the time is not."""
    answer = failure_reasons(read(b"delivery 3: failure: no_way/\n").deliveries)
    assert answer[["reason", "deliveries", "xdelay_s"]].to_numpy().tolist() == [["no way/", 1, 0.0]]
