"""Snapshots as tables: the columns of the schemas, row by row what the snapshot says, same shape without rows."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.delivery.schedule import next_retry_s
from indimail_kit.errors import SchemaError
from indimail_kit.lab.corpus import make_queue
from indimail_kit.lab.corpus_faults import FAULTS
from indimail_kit.mailqueue import QueueLayout, Snapshot, create_queue, open_queues
from indimail_kit.mailqueue.columns import HAS_SENDER, UNSAID, Columns
from indimail_kit.mailqueue.picture import QueuePicture
from indimail_kit.tables import (
    QSHAPE,
    QUEUE_ANOMALIES,
    QUEUE_MESSAGES,
    QUEUE_RECIPIENTS,
    anomalies,
    as_text,
    messages,
    qshape,
    recipients,
)
from indimail_kit.tables.questions import ShapeBy

NOVEMBER_S = 1_795_356_840
NOVEMBER_NS = NOVEMBER_S * 10**9


@pytest.fixture
def picture(tmp_path: Path) -> Snapshot:
    """Return a snapshot of two queues with every fault."""
    for name in ("queue1", "queue2"):
        make_queue(tmp_path / name, messages=90, split=5, seed=len(name), now_s=NOVEMBER_S, faults=FAULTS)
    return open_queues(tmp_path).snapshot(now_ns=NOVEMBER_NS, processes=1)


@pytest.fixture
def nothing(tmp_path: Path) -> Snapshot:
    """Return a snapshot of an empty queue."""
    return open_queues(create_queue(tmp_path / "queue1", split=2).directory).snapshot(now_ns=NOVEMBER_NS)


def cells(frame: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows with None for what is null."""
    rows = frame.astype(object).to_dict("records")
    return [{str(name): None if pd.isna(cell) else cell for name, cell in row.items()} for row in rows]


def when(unix_ns: int | None) -> pd.Timestamp | None:
    """Return a time of a table."""
    return None if unix_ns is None else pd.Timestamp(unix_ns, tz="UTC")


def test_row_of_messages_is_what_the_snapshot_says(picture: Snapshot) -> None:
    """Every column of every row, odd messages included."""
    expected = []
    for row in picture.messages:
        retries = [one.next_retry_ns for one in row.recipients if one.next_retry_ns is not None and not one.is_done]
        expected.append(
            {
                "queue": row.queue,
                "message_number": row.message_number,
                "state": row.state and row.state.name,
                "split_directory": row.split_directory,
                "size_bytes": row.size_bytes,
                "sender": as_text(row.sender),
                "birth": when(row.birth_ns),
                "age_s": row.age_s,
                "bouncing": row.is_bouncing,
                "recipients": len(row.recipients),
                "done": sum(one.is_done for one in row.recipients),
                "next_retry": when(min(retries, default=None)),
                "anomalies": len(row.anomalies),
            }
        )
    assert cells(messages(picture)) == expected


def test_row_of_recipients_is_what_the_snapshot_says(picture: Snapshot) -> None:
    """In the order of the messages, and with the retry that follows by the schedule of delivery."""
    expected = []
    for row in picture.messages:
        for one in row.recipients:
            retry_ns, following = (None if one.is_done else one.next_retry_ns), None
            if retry_ns is not None and row.birth_ns is not None:
                begin_s = max(retry_ns // 10**9, NOVEMBER_S)
                birth_s = row.birth_ns // 10**9
                channel = "local" if one.channel == "local" else "remote"
                following = next_retry_s(birth_s=birth_s, now_s=begin_s, channel=channel) * 10**9
            expected.append(
                {
                    "queue": row.queue,
                    "message_number": row.message_number,
                    "channel": one.channel,
                    "address": as_text(one.address),
                    "domain": one.address.decode().rpartition("@")[2],
                    "done": one.is_done,
                    "next_retry": when(retry_ns),
                    "following_retry": when(following),
                }
            )
    assert cells(recipients(picture)) == expected


def test_row_of_anomalies_says_what_and_why(picture: Snapshot) -> None:
    """Every violation of the snapshot, in its order."""
    assert cells(anomalies(picture)) == [
        {
            "queue": one.queue,
            "message_number": one.message_number or None,
            "path": one.path,
            "rule": one.rule,
            "text": one.text,
            "why": one.why,
        }
        for one in picture.anomalies
    ]


def test_tables_have_the_columns_of_their_schemas(picture: Snapshot) -> None:
    """Names and dtypes."""
    for table, frame in (
        (QUEUE_MESSAGES, messages(picture)),
        (QUEUE_RECIPIENTS, recipients(picture)),
        (QUEUE_ANOMALIES, anomalies(picture)),
        (QSHAPE, qshape(picture)),
    ):
        assert tuple(frame.columns) == table.names
        table.check(frame)


def test_tables_of_an_empty_queue_have_the_same_columns(nothing: Snapshot) -> None:
    """And no rows."""
    for table, frame in (
        (QUEUE_MESSAGES, messages(nothing)),
        (QUEUE_RECIPIENTS, recipients(nothing)),
        (QUEUE_ANOMALIES, anomalies(nothing)),
        (QSHAPE, qshape(nothing)),
        (QSHAPE, qshape(nothing, by="sender")),
    ):
        assert (tuple(frame.columns), len(frame)) == (table.names, 0)
        table.check(frame)


def test_snapshot_of_no_queue_gives_empty_tables() -> None:
    """A snapshot can be made by hand, of nothing."""
    nowhere = Snapshot(0, ())
    assert (len(messages(nowhere)), len(recipients(nowhere)), len(anomalies(nowhere))) == (0, 0, 0)


def test_snapshot_gives_its_table_itself(picture: Snapshot) -> None:
    """`picture.frame()` is `tables.messages(picture)`."""
    pd.testing.assert_frame_equal(picture.frame(), messages(picture))


def by_hand(columns: Columns) -> Snapshot:
    """Return a snapshot of columns."""
    return Snapshot(NOVEMBER_NS, (QueuePicture(QueueLayout(Path("queue1")), columns, ()),))


ADDRESSES = st.binary(max_size=12).filter(lambda octets: b"\0" not in octets)


@given(st.lists(st.tuples(ADDRESSES, st.lists(st.tuples(st.booleans(), ADDRESSES), max_size=3)), max_size=6))
def test_octets_that_are_no_text_are_written_out_cell_by_cell(
    mails: list[tuple[bytes, list[tuple[bool, bytes]]]],
) -> None:
    r"""Decoded in one piece, each address is what it would be alone: \xNN for what is not UTF-8."""
    columns = Columns()
    for number, (sender, addresses) in enumerate(mails, 1):
        records = b"".join((b"D" if is_done else b"T") + address + b"\0" for is_done, address in addresses)
        local = (len(addresses), records, NOVEMBER_NS)
        nobody = (0, b"", UNSAID)
        columns.add(number, 5, HAS_SENDER, 1, NOVEMBER_NS, NOVEMBER_NS, sender + b"\0", nobody, local, nobody)
    shown = by_hand(columns)
    assert messages(shown)["sender"].tolist() == [as_text(sender) for sender, _ in mails]
    assert recipients(shown)["address"].tolist() == [as_text(one) for _, many in mails for _, one in many]
    assert recipients(shown)["done"].tolist() == [is_done for _, many in mails for is_done, _ in many]


def test_file_name_that_is_no_text_is_written_out(tmp_path: Path) -> None:
    """It is whatever somebody put there."""
    queue = create_queue(tmp_path / "queue1", split=2).directory
    (queue / "mess" / os.fsdecode(b"caf\xe9")).write_bytes(b"")
    assert anomalies(open_queues(queue).snapshot())["path"].tolist() == ["mess/caf\\xe9"]


# --- qshape -----------------------------------------------------------------------------------------------------------


def aged(ages_s: list[int], address: bytes = b"bob@example.com", sender: bytes = b"ann@example.net") -> Snapshot:
    """Return a snapshot of messages of some ages, each with one recipient to do and one done."""
    columns = Columns()
    for number, age_s in enumerate(ages_s, 1):
        birth_ns = NOVEMBER_NS - age_s * 10**9
        remote = (2, b"T%b\0Deve@done.example.org\0" % address, NOVEMBER_NS)
        nobody = (0, b"", UNSAID)
        columns.add(number, 5, HAS_SENDER, 1, birth_ns, birth_ns, sender + b"\0", nobody, nobody, remote)
    return by_hand(columns)


def test_buckets_double_and_the_last_one_has_no_end() -> None:
    """Both sides of each limit: 4:59 is below five minutes, 5:00 is not."""
    ages_s = [0, 299, 300, 599, 600, 1199, 1200, 76_799, 76_800, 10**6]
    shape = qshape(aged(ages_s))
    assert cells(shape) == [
        {"domain": "example.com", "total": 10, "5": 2, "10": 2, "20": 2, "40": 1, "80": 0, "160": 0, "320": 0}
        | {"640": 0, "1280": 1, "1280+": 2}
    ]


@pytest.mark.parametrize(
    ("by", "domain", "total"), [("recipient", "example.com", 2), ("sender", "example.net", 2)], ids=str
)
def test_shape_is_by_recipients_to_do_or_by_messages(by: ShapeBy, domain: str, total: int) -> None:
    """Whoever is done does not wait; a message counts once for its sender."""
    shape = qshape(aged([1, 1]), by=by)
    assert (shape["domain"].tolist(), shape["total"].tolist()) == ([domain], [total])


def test_bounces_and_addresses_without_domain_have_the_empty_domain() -> None:
    """They are counted, not dropped."""
    assert qshape(aged([1], sender=b""), by="sender")["domain"].tolist() == [""]
    assert qshape(aged([1], address=b"postmaster"))["domain"].tolist() == [""]


def test_domain_with_the_most_comes_first() -> None:
    """And of two with as many, the one that the alphabet has first."""
    several = [aged([1], b"a@b.example"), aged([1], b"a@a.example"), aged([1, 1], b"a@C.example")]
    whole = Snapshot(NOVEMBER_NS, tuple(one.queues[0] for one in several))
    assert qshape(whole)["domain"].tolist() == ["c.example", "a.example", "b.example"]
    assert qshape(whole)["total"].tolist() == [2, 1, 1]


def test_shape_by_something_else_is_refused(nothing: Snapshot) -> None:
    """A slip of the pen is no question."""
    with pytest.raises(SchemaError, match="expected recipient or sender"):
        qshape(nothing, by="host")  # type: ignore[arg-type]  # on purpose
