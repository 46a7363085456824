"""The recorded queue trees of a real IndiMail, unpacked and read by a snapshot: as their listings say.

The oracle is the listing (`.list`: sizes, modes, links, times) and the octets (`.raw.txt`) that were taken on the real
machine. A tar keeps everything but inode numbers, so every message of an unpacked tree has the anomaly that queue-fix
repairs after a copy: the inode of mess differs from its name. That one is expected; any other is not.
"""

from __future__ import annotations

import ast
import os
import re
import tarfile
from pathlib import Path

import pytest

from indimail_kit.mailqueue import MessageRow, QueueLayout, QueueState, RecipientRow, Snapshot, read_message
from indimail_kit.mailqueue.picture import take_picture
from indimail_kit.mailqueue.queues import read_tcpto
from indimail_kit.mailqueue.tcpto import TimeoutRecord
from indimail_kit.tables import messages, recipients

RECORDED = Path(__file__).parent.parent / "data" / "indimail" / "queue"

LATER_NS = 1_795_357_800 * 10**9
"""Some minutes after the last recording: 22 Nov 2026 14:30 UTC."""

TREES = {
    "s2-s3-in-progress-nqueue": {1745435: QueueState.S2, 1745440: QueueState.S3},
    "s4-queued-queue1": {1704474: QueueState.S4, 1704476: QueueState.S4},
    "s5-deferred-and-bounce-queue1": {1704474: QueueState.S5, 1704476: QueueState.S5},
    "mixed-queue1": {1704474: QueueState.S5, 1704477: QueueState.S5, 1704483: QueueState.S4},
    "mixed-queue2": {1720859: QueueState.S5, 1720862: QueueState.S5, 1720864: QueueState.S4},
}
"""Recorded tree -> its messages and their states, as the names of the trees and the steps of the recording say."""

HOSTS = {"mixed-queue2": (TimeoutRecord(0, "127.0.0.1", 1, 1_795_357_310),)}
"""Recorded tree -> hosts that qmail-tcpto listed."""


def unpacked(name: str, place: Path) -> QueueLayout:
    """Unpack a recorded tree."""
    with tarfile.open(RECORDED / f"{name}.tar") as archive:
        queue = archive.getnames()[0].split("/")[0]
        archive.extractall(place, filter="fully_trusted")  # noqa: S202 (our own recordings)
    return QueueLayout(place / queue)


def octets(name: str) -> dict[str, bytes]:
    """Return path below the queue -> octets, as read on the real machine."""
    lines = (RECORDED / f"{name}.raw.txt").read_text(encoding="ascii").splitlines()
    heads = [head.removeprefix("== ").partition("/")[2] for head in lines[::2]]
    return dict(zip(heads, map(ast.literal_eval, lines[1::2]), strict=True))


def listing(name: str) -> dict[str, dict[str, int]]:
    """Return path below the queue -> size and mtime, as listed on the real machine."""
    rows = {}
    for line in (RECORDED / f"{name}.list").read_text(encoding="ascii").splitlines():
        fields = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)}
        rows[line.split()[-1].partition("/")[2]] = fields
    return rows


def look(layout: QueueLayout) -> Snapshot:
    """Return a snapshot of one queue, as of the recording."""
    return Snapshot(LATER_NS, (take_picture(layout, now_ns=LATER_NS),))


def expected_row(name: str, number: int, state: QueueState) -> tuple[object, ...]:
    """Put a message together from the listings, with nothing of the kit but its words."""
    files, rows = octets(name), listing(name)
    part = number % 151
    envelope = files.get(f"todo/{part}/{number}", files.get(f"info/{part}/{number}", b""))
    senders = [record[1:] for record in envelope.split(b"\0") if record[:1] == b"F"]
    if state is QueueState.S4:
        addresses = [record[1:] for record in envelope.split(b"\0") if record[:1] == b"T"]
        named = tuple(RecipientRow("todo", address, False, None) for address in addresses)
    else:
        named = tuple(
            RecipientRow(channel, record[1:], record[:1] == b"D", rows[path]["mtime"] * 10**9)
            for channel in ("local", "remote")
            if (path := f"{channel}/{part}/{number}") in files
            for record in files[path].split(b"\0")[:-1]
        )
    info = rows.get(f"info/{part}/{number}")
    since = info if info is not None else rows[f"mess/{part}/{number}"]
    return (
        number,
        state,
        part,
        rows[f"mess/{part}/{number}"]["size"],
        senders[0] if senders else None,
        info["mtime"] * 10**9 if info is not None else None,
        LATER_NS // 10**9 - since["mtime"],
        f"bounce/{number}" in files,
        named,
    )


def seen_row(row: MessageRow) -> tuple[object, ...]:
    """Return what the snapshot says, in the order of `expected_row`."""
    return (
        row.message_number,
        row.state,
        row.split_directory,
        row.size_bytes,
        row.sender,
        row.birth_ns,
        row.age_s,
        row.is_bouncing,
        row.recipients,
    )


@pytest.mark.parametrize("name", TREES)
def test_snapshot_of_a_recorded_tree_says_what_its_listing_says(name: str, tmp_path: Path) -> None:
    """Numbers, states, sizes, senders, births, ages, bounces; each recipient with channel, mark and next retry."""
    picture = look(unpacked(name, tmp_path))
    expected = [expected_row(name, number, state) for number, state in TREES[name].items()]
    assert sorted(map(seen_row, picture.messages)) == sorted(expected)


@pytest.mark.parametrize("name", TREES)
def test_only_the_new_inodes_of_an_unpacked_tree_are_odd(name: str, tmp_path: Path) -> None:
    """And owners, where users of IndiMail with other numbers exist: the tar has those of the real machine."""
    picture = look(unpacked(name, tmp_path))
    rules = {(one.message_number, one.rule) for one in picture.anomalies if one.rule != "wrong-owner"}
    assert rules == {(number, "inode-differs") for number in TREES[name]}


@pytest.mark.parametrize("name", TREES)
def test_tree_renamed_as_queue_fix_does_has_no_anomaly(name: str, tmp_path: Path) -> None:
    """Every file of a message gets the inode number of its mess file; then the quick look takes them all."""
    layout = unpacked(name, tmp_path)
    renamed = {}
    for number in TREES[name]:
        inode = renamed[number] = layout.path("mess", number).stat().st_ino
        for kind in ("mess", "intd", "todo", "info", "local", "remote", "bounce"):
            if (old := layout.path(kind, number)).exists():
                layout.path(kind, inode).parent.mkdir(exist_ok=True)
                os.replace(old, layout.path(kind, inode))  # noqa: PTH105
    picture = look(layout)
    assert [one for one in picture.anomalies if one.rule != "wrong-owner"] == []
    seen = {row.message_number: seen_row(row)[3:] for row in picture.messages}
    assert seen == {renamed[number]: expected_row(name, number, state)[3:] for number, state in TREES[name].items()}


@pytest.mark.parametrize(
    ("name", "number", "header", "environment_header"),
    [
        ("s5-deferred-and-bounce-queue1", 1704476, b"X-Extra-Head: via QQEH\n", b""),
        ("mixed-queue1", 1704477, b"X-Extra: 1\n", b"Subject: hi\n"),
        ("mixed-queue1", 1704474, b"", b"Subject: hi\n"),
        ("mixed-queue1", 1704483, b"", b"Subject: hi\n"),
    ],
)
def test_e_and_h_records_are_read(
    tmp_path: Path, name: str, number: int, header: bytes, environment_header: bytes
) -> None:
    """As they stand in todo or info."""
    records = read_message(unpacked(name, tmp_path), number).records
    assert records is not None
    assert (records.header, records.environment_header) == (header, environment_header)


@pytest.mark.parametrize("name", TREES)
def test_tcpto_of_a_recorded_tree_says_what_qmail_tcpto_said(name: str, tmp_path: Path) -> None:
    """Read because the test names it; a snapshot does not."""
    assert read_tcpto(unpacked(name, tmp_path).directory / "lock" / "tcpto") == HOSTS.get(name, ())


@pytest.mark.parametrize("name", TREES)
def test_tables_of_a_recorded_tree_have_its_messages_and_recipients(name: str, tmp_path: Path) -> None:
    """As many rows as the listings have, with their marks."""
    picture = look(unpacked(name, tmp_path))
    expected = [expected_row(name, number, state)[-1] for number, state in TREES[name].items()]
    rows = [one for many in expected for one in many]  # type: ignore[attr-defined]  # a tuple of recipients
    frame = recipients(picture)
    assert len(messages(picture)) == len(TREES[name])
    assert sorted(zip(frame["channel"], frame["address"], frame["done"], strict=True)) == sorted(
        (one.channel, one.address.decode(), one.is_done) for one in rows
    )
