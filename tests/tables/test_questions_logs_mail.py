"""The numbers of qmailanalog, from the recorded log of three queues."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from indimail_kit.errors import SchemaError
from indimail_kit.logs import Log, read
from indimail_kit.tables.log_answers import DELAYS, HOSTS, OVERALL, RECIPIENTS, SENDERS, UIDS
from indimail_kit.tables.questions import (
    by_host,
    by_recipient,
    by_sender,
    by_uid,
    delay_percentiles,
    overall,
)
from indimail_kit.tables.questions_logs_mail import distribution
from indimail_kit.tables.schemas import Table

Z = Path(__file__).parents[1] / "data" / "indimail" / "logs" / "qscheduler-static-3queues.z"

Lines = Callable[[str, int], list[list[str]]]

AWK_S = 1e-5
"""How far qmailanalog's sums of some thousand differences of seconds since 1970 are off (unit: s)."""

ANSWERS = [
    pytest.param(OVERALL, overall, True, id="overall"),
    pytest.param(DELAYS, delay_percentiles, False, id="delays"),
    pytest.param(SENDERS, by_sender, True, id="senders"),
    pytest.param(UIDS, by_uid, True, id="uids"),
    pytest.param(RECIPIENTS, by_recipient, False, id="recipients"),
    pytest.param(HOSTS, by_host, False, id="hosts"),
]


@pytest.mark.parametrize(("table", "question", "asks_messages"), ANSWERS)
@pytest.mark.parametrize("rows", [0, 1, None], ids=["no row", "one row", "all rows"])
def test_an_answer_has_its_shape(
    table: Table, question: Callable[..., pd.DataFrame], asks_messages: bool, rows: int | None, three_queues: Log
) -> None:
    """Columns, dtypes and index are those of the schema, whatever the log holds."""
    deliveries, messages = three_queues.deliveries[:rows], three_queues.messages[:rows]
    answer = question(deliveries, messages) if asks_messages else question(deliveries)
    table.check(answer)
    assert tuple(answer.columns) == table.names
    assert isinstance(answer.index, pd.RangeIndex)


@pytest.mark.parametrize(("table", "question", "asks_messages"), ANSWERS)
def test_a_missing_column_is_named(
    table: Table, question: Callable[..., pd.DataFrame], asks_messages: bool, three_queues: Log
) -> None:
    """A frame that is no DELIVERIES is refused with the column that it lacks."""
    frame = three_queues.deliveries.drop(columns=["outcome"])
    with pytest.raises(SchemaError, match="DELIVERIES without the column outcome"):
        question(frame, three_queues.messages) if asks_messages else question(frame)


def test_overall_has_the_numbers_of_zoverall(three_queues: Log) -> None:
    """Each line of zoverall, to the digits that it prints; times to what floating point seconds are good for."""
    said = dict(
        re.fullmatch(r" *([^:]+): (.+)", line).groups()  # type: ignore[union-attr]  # each line has the form
        for line in (Z / "zoverall.txt").read_text(encoding="utf-8").splitlines()
        if line
    )
    row = overall(three_queues.deliveries, three_queues.messages).iloc[0]
    counts = {
        "Completed messages": "messages",
        "Recipients for completed messages": "recipients",
        "Total delivery attempts for completed messages": "message_attempts",
        "Bytes in completed messages": "message_bytes",
        "Bytes weighted by success": "success_bytes",
        "Total delivery attempts": "attempts",
        "success": "successes",
        "failure": "failures",
        "deferral": "deferrals",
    }
    sixes = {
        "Average delivery attempts per completed message": "attempts_per_message",
        "Average message qtime (s)": "qtime_mean_s",
        "Time span (s)": "span_s",
        "Queue concurrency": "concurrency",
    }
    sums = {
        "Total ddelay (s)": "ddelay_s",
        "Average ddelay per success (s)": "ddelay_mean_s",
        "Total xdelay (s)": "xdelay_s",
        "Average xdelay per delivery attempt (s)": "xdelay_mean_s",
    }
    assert {name: row[column] for name, column in counts.items()} == {name: int(said[name]) for name in counts}
    assert {name: f"{row[column]:.6g}" for name, column in sixes.items()} == {name: said[name] for name in sixes}
    assert [row[column] for column in sums.values()] == pytest.approx([float(said[name]) for name in sums], abs=AWK_S)
    assert set(said) == {*counts, *sixes, *sums}


def test_the_last_digits_of_qmailanalog_are_rounding(three_queues: Log) -> None:
    """Seconds since 1970 in floating point, as awk has them, give qmailanalog's sums to the last digit."""
    ended = three_queues.deliveries.sort_values("end_event")
    born, begun, done = (
        np.array([float(f"{time.value // 10**9}.{time.value % 10**9:09}") for time in ended[name]])
        for name in ("queued_at", "started_at", "ended_at")
    )
    is_success = (ended["outcome"] == "success").to_numpy()
    assert f"{sum(done[is_success] - born[is_success]):.6f}" == "155.095861"
    assert f"{sum(done - begun):.6f}" == "183.440722"


def test_what_the_log_does_not_show_whole_is_counted(three_queues: Log) -> None:
    """An attempt without its start, one that is under way, and a message that waits."""
    log = read(
        b"@400000004b9da2f03b424bb4 delivery 3: success: did_1+0+0/\n"
        b"@400000004b9da2f03b424bb4 new msg 660188\n"
        b"@400000004b9da2f03b426324 info msg 660188: bytes 2794 from <a@example.com> qp 3223 uid 555\n"
        b"@400000004b9da2f03b42c0e4 starting delivery 6: msg 660188 to local b@example.com\n"
    )
    row = overall(log.deliveries, log.messages).iloc[0]
    assert (row["attempts"], row["cut_attempts"], row["open_attempts"], row["open_messages"]) == (1, 1, 1, 1)
    assert (row["messages"], row["xdelay_s"]) == (0, 0)
    assert math.isnan(row["qtime_mean_s"])


def test_senders_are_those_of_zsenders(three_queues: Log, qmailanalog: Lines) -> None:
    """Each sender of each user with seven numbers."""
    answer = by_sender(three_queues.deliveries, three_queues.messages)
    said = {line[-1]: line[:-1] for line in qmailanalog("zsenders", 8)}
    rows = {f"{row.uid}/<{row.sender}>": row for row in answer.itertuples()}
    found = {
        name: [row.messages, row.message_bytes, row.success_bytes, row.recipient_bytes, row.recipients, row.attempts]
        for name, row in rows.items()
    }
    assert found == {name: list(map(int, words[:-1])) for name, words in said.items()}
    times = {name: row.xdelay_s for name, row in rows.items()}
    assert times == pytest.approx({name: float(words[-1]) for name, words in said.items()}, abs=AWK_S)


def test_users_are_those_of_zsuids(three_queues: Log, qmailanalog: Lines) -> None:
    """Each user with seven numbers, in the order of zsuids."""
    answer = by_uid(three_queues.deliveries, three_queues.messages)
    said = qmailanalog("zsuids", 8)
    names = ["messages", "message_bytes", "success_bytes", "recipient_bytes", "recipients", "attempts"]
    assert answer[[*names, "uid"]].to_numpy().tolist() == [
        [int(word) for word in [*line[:6], line[7]]] for line in said
    ]
    assert answer["xdelay_s"].tolist() == pytest.approx([float(line[6]) for line in said], abs=AWK_S)


def test_recipients_are_those_of_zrecipients(three_queues: Log, qmailanalog: Lines) -> None:
    """Each recipient with sbytes, mess (successes and failures), tries, xdelay as printed."""
    found = {
        f"{row.channel}.{row.recipient}": [
            row.success_bytes, row.successes + row.failures, row.attempts, f"{row.xdelay_s:.2f}",
        ]
        for row in by_recipient(three_queues.deliveries).itertuples()
    }  # fmt: skip
    said = {line[4]: [*map(int, line[:3]), line[3]] for line in qmailanalog("zrecipients", 5)}
    assert found == said


def test_slow_recipients_are_those_of_zrxdelay(three_queues: Log, qmailanalog: Lines) -> None:
    """Each recipient with the mean time of its attempts; zrxdelay divides the time as zrecipients prints it."""
    answer = by_recipient(three_queues.deliveries)
    means = answer["xdelay_mean_s"]
    assert means.tolist() == pytest.approx((answer["xdelay_s"] / answer["attempts"]).tolist())
    found = {
        f"{row.channel}.{row.recipient}": [f"{float(f'{row.xdelay_s:.2f}') / row.attempts:.2f}", row.attempts]
        for row in answer.itertuples()
    }
    assert found == {line[2]: [line[0], int(line[1])] for line in qmailanalog("zrxdelay", 3)}


def test_hosts_are_those_of_zrhosts(three_queues: Log, qmailanalog: Lines) -> None:
    """Each domain with sbytes, mess, tries, xdelay as printed."""
    found = {
        row.host: [row.success_bytes, row.successes + row.failures, row.attempts, f"{row.xdelay_s:.2f}"]
        for row in by_host(three_queues.deliveries).itertuples()
    }
    assert found == {line[4]: [*map(int, line[:3]), line[3]] for line in qmailanalog("zrhosts", 5)}


def test_addresses_are_one_in_any_case() -> None:
    """Bob@Example.COM and bob@example.com are one recipient, as in matchup's output."""
    log = read(
        b"starting delivery 1: msg 5 to remote Bob@Example.COM\n"
        b"delivery 1: success: ok/\n"
        b"starting delivery 2: msg 5 to remote bob@example.com\n"
        b"delivery 2: deferral: later/\n"
    )
    assert by_recipient(log.deliveries)[["recipient", "attempts"]].to_numpy().tolist() == [["bob@example.com", 2]]
    assert by_host(log.deliveries)[["host", "recipients"]].to_numpy().tolist() == [["example.com", 1]]


def awk_seconds(time: pd.Timestamp) -> float:
    """Return a time as awk has it: seconds since 1970 in floating point."""
    return float(f"{time.value // 10**9}.{time.value % 10**9:09}")


def as_zddist_has_them(deliveries: pd.DataFrame) -> list[str]:
    """Return the delays of the successes as awk prints them, in the order of ``sort -n``, which does not know 2e-06."""
    ended = deliveries[deliveries["outcome"] == "success"].sort_values("end_event")
    printed = [
        f"{awk_seconds(done) - awk_seconds(born):.6g}"
        for born, done in zip(ended["queued_at"], ended["ended_at"], strict=True)
    ]
    return sorted(printed, key=lambda delay: float(delay.split("e")[0]))


def test_the_table_gives_every_line_of_zddist(three_queues: Log, qmailanalog: Lines) -> None:
    """All 91 lines to the last digit, by zddist's own rule; which shows why its line 99 says 0.00.

    A delay belongs to the whole percent that the deliveries up to it make up; a delay that occurs twice counts once.
    doneby is the smallest delay of its percent, avg the mean of the delays up to the end of it. The eleven delays that
    awk prints as 2e-06 stand last, as if they were 2 s: ten of them fall into percent 99, and one is its smallest.
    """
    delays = as_zddist_has_them(three_queues.deliveries)
    last_place = {delay: place for place, delay in enumerate(delays, 1)}
    of_percent: dict[int, list[float]] = {}
    for delay, place in last_place.items():
        of_percent.setdefault(place * 100 // len(delays), []).append(float(delay))
    told = {
        percent: (
            f"{min(group):.2f}",
            f"{np.mean(sum((of_percent.get(one, []) for one in range(percent)), group)):.2f}",
        )
        for percent, group in of_percent.items()
        if percent >= 10
    }
    assert told == {int(line[2]): (line[0], line[1]) for line in qmailanalog("zddist", 3)}
    assert len(told) == 91
    assert sum("e" in delay for delay in delays) == 11
    assert sorted(of_percent[99])[0] < 1e-5 < 0.55 < sorted(of_percent[99])[-1]


def test_delays_have_the_numbers_of_zddist(three_queues: Log, qmailanalog: Lines) -> None:
    """Up to the percents that zddist's sorting spoils, its doneby is ours: in its order, line by line, 10 to 98."""
    as_sorted = np.array([float(delay) for delay in as_zddist_has_them(three_queues.deliveries)])
    table = distribution(as_sorted, range(10, 99))
    said = {int(line[2]): line[0] for line in qmailanalog("zddist", 3)}
    assert [f"{done_by:.2f}" for done_by in table["done_by_s"]] == [said[percent] for percent in range(10, 99)]


def test_a_share_of_the_deliveries_was_done_by_then(three_queues: Log) -> None:
    """At least the share, and fewer without the slowest of them; the whole has zoverall's mean."""
    deliveries = three_queues.deliveries
    table = delay_percentiles(deliveries, percents=[0.01, 50, 99, 100])
    successes = deliveries[deliveries["outcome"] == "success"]
    delays = (successes["ended_at"] - successes["queued_at"]).dt.total_seconds()
    shares = [(delays <= done_by).mean() * 100 for done_by in table["done_by_s"]]
    below = [(delays < done_by).mean() * 100 for done_by in table["done_by_s"]]
    assert all(least < asked <= most for least, asked, most in zip(below, table["percent"], shares, strict=True))
    assert table["deliveries"].tolist() == [1, 870, 1722, 1739]
    assert f"{table['mean_s'][3]:.6f}" == "0.089187"


def test_delays_without_a_success_are_unknown(three_queues: Log) -> None:
    """All NaN, no error."""
    table = delay_percentiles(three_queues.deliveries[:0])
    assert table["done_by_s"].isna().all()
    assert table["deliveries"].tolist() == [0] * len(table)


@pytest.mark.parametrize("percent", [0, -1, 100.1, math.nan])
def test_a_percent_out_of_range_is_refused(percent: float, three_queues: Log) -> None:
    """Above 0 and up to 100."""
    with pytest.raises(SchemaError, match="above 0 and up to 100"):
        delay_percentiles(three_queues.deliveries, percents=[percent])
