"""Crash here, counted: what a power loss may leave behind every step, for each sync policy and each kind of disk."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from indimail_kit.delivery import LocalDelivery, create_maildir, record_delivery
from indimail_kit.envelope import Envelope
from indimail_kit.mailqueue import (
    CRASH_MODELS,
    INDIMAIL,
    QMAIL,
    SAFE,
    CrashVerdict,
    SyncPolicy,
    Tape,
    create_queue,
    enqueue,
    record_enqueue,
)
from indimail_kit.mailqueue.crash import CrashCount
from indimail_kit.mailqueue.crash import crash_counts as count_crashes

pytestmark = pytest.mark.crash

POLICIES = {"safe": SAFE, "qmail": QMAIL, "indimail": INDIMAIL}
ENVELOPE = Envelope(b"ann@example.com", (b"bob@example.com", b"nobody@example.com"))
MESSAGE = b"Subject: hi\n\nbody\n"

Printing = Callable[[str, Sequence[Sequence[object]]], None]


def record_in(base: Path, deed: str, sync: SyncPolicy) -> Tape:
    """Record one enqueue, or the delivery and the bounce of what is queued."""
    layout = create_queue(base / "queue1", split=2)
    if deed == "enqueue":
        return record_enqueue(MESSAGE, ENVELOPE, layout=layout, sync=sync)
    enqueue(MESSAGE, ENVELOPE, layout=layout, environ={}, sync=INDIMAIL)
    users = {f"{user}@example.com": create_maildir(base / user) for user in ("ann", "bob")}
    local = LocalDelivery(locals={"example.com"}, users=users, host="example.com")
    return record_delivery(layout, local=local, sync=sync)


def totals(rows: Sequence[CrashCount]) -> Counter[str]:
    """Return the verdicts of all steps, and what was left out."""
    found: Counter[str] = Counter()
    for row in rows:
        found.update({verdict.name: count for verdict, count in row.counts.items()})
        found["left out"] += row.left_out
    return found


def test_power_loss_behind_every_step_is_counted(tmp_path: Path, crash_counts: Printing, crash_size: str) -> None:
    """SAFE loses nothing on any disk, and a killed program loses nothing with any policy."""
    deeds = {"short": ["enqueue"], "full": ["enqueue", "delivery with a bounce"]}[crash_size]
    columns = [*(verdict.name for verdict in CrashVerdict), "left out"]
    table: list[list[object]] = [["deed", "sync", "disk", "steps", *map(str.lower, columns)]]
    for number, (deed, policy) in enumerate(itertools.product(deeds, POLICIES)):
        tape = record_in(tmp_path / str(number), deed, POLICIES[policy])
        for model in CRASH_MODELS:
            found = totals(count_crashes(tape, model))
            table.append([deed, policy, model, len(tape), *(found[column] for column in columns)])
    crash_counts("A crash behind each step: combinations of what was not synced, by verdict", table)

    lost = {(row[0], row[1], row[2]): row[columns.index("LOST") + 4] for row in table[1:]}
    assert {key: count for key, count in lost.items() if count and (key[1] == "safe" or key[2] == "process")} == {}
    assert all(lost[deed, "qmail", "unordered"] for deed in deeds)
