"""Tapes and crashes as tables."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pandas as pd
import pytest

from indimail_kit.mailqueue import QMAIL, SAFE, SyncPolicy, create_queue
from indimail_kit.mailqueue.recorder import record_enqueue
from indimail_kit.mailqueue.tape import Tape
from indimail_kit.tables.schemas import Dtype, Table
from indimail_kit.tables.tapes import CRASHES, TAPE, crash_frame, tape_frame


def tape_in(directory: Path, sync: SyncPolicy) -> Tape:
    """Record one enqueue."""
    layout = create_queue(directory / "queue1", split=3)
    envelope = b"Fann@local.test\0Tbob@local.test\0\0"
    return record_enqueue(b"Subject: hi\n\n", envelope, layout=layout, sync=sync, qp=1, clock=lambda: 0)


@pytest.mark.parametrize("table", [TAPE, CRASHES], ids=["tape", "crashes"])
def test_columns_say_what_they_mean(table: Table) -> None:
    """As in the other tables: dtype, meaning, null rule and source; a key of columns."""
    assert [c for c in table.columns if c.dtype not in get_args(Dtype) or not (c.meaning and c.null and c.source)] == []
    assert set(table.key) <= set(table.names)


def test_tape_table_has_a_row_for_each_step(tmp_path: Path) -> None:
    """In order, with the dtypes that the schema says."""
    tape = tape_in(tmp_path, SAFE)
    frame = tape_frame(tape)
    TAPE.check(frame)
    assert list(zip(frame["call"], frame["kind"], strict=True)) == [
        *(("chdir", "."), ("open", "pid"), ("fstat", "pid"), ("link", "mess"), ("unlink", "pid"), ("write", "mess")),
        *(("open", "intd"), ("write", "intd"), ("fsync", "mess"), ("fsync", "intd"), ("fsyncdir", "mess")),
        *(("link", "todo"), ("fsyncdir", "todo"), ("trigger", "lock"), ("exit", "")),
    ]


def test_tape_table_tells_inode_links_and_what_is_durable(tmp_path: Path) -> None:
    """The link to todo: the file of intd, two names, all its octets on the disk, its name not yet."""
    tape = tape_in(tmp_path, SAFE)
    row = tape_frame(tape).iloc[11]
    size = len(tape.image(12).files[row["path"]].content)
    wanted = ["message_number", "state", "links", "size_bytes", "durable_bytes", "is_name_durable"]
    assert row[wanted].tolist() == [tape.message_number, "S4", 2, size, size, False]
    assert row["inode"] != tape.message_number


def test_removed_name_has_no_file_in_the_table(tmp_path: Path) -> None:
    """Unlink of pid: no inode behind this path any more."""
    frame = tape_frame(tape_in(tmp_path, SAFE))
    assert frame.loc[frame["call"] == "unlink", ["inode", "links", "size_bytes"]].isna().all().all()


def test_crash_table_counts_verdicts_of_all_models(tmp_path: Path) -> None:
    """The last step of the plain qmail: 0 of 1, 1 of 2, 24 of 32."""
    frame = crash_frame(tape_in(tmp_path, QMAIL))
    CRASHES.check(frame)
    last = frame.groupby("model", sort=False).last()
    assert last[["lost", "combinations"]].to_numpy().tolist() == [[0, 1], [1, 2], [24, 32]]


def test_verdicts_and_what_was_left_out_add_up(tmp_path: Path) -> None:
    """Each combination is counted once."""
    frame = crash_frame(tape_in(tmp_path, QMAIL), ["unordered"], limit=5)
    verdicts = frame[["kept", "duplicate", "gone", "broken", "lost"]].sum(axis=1)
    assert (verdicts + frame["left_out"]).tolist() == frame["combinations"].tolist()
    assert frame["left_out"].max() > 0


def test_no_models_give_an_empty_table_of_the_same_shape(tmp_path: Path) -> None:
    """With all columns and dtypes."""
    frame = crash_frame(tape_in(tmp_path, SAFE), [])
    CRASHES.check(frame)
    assert isinstance(frame, pd.DataFrame)
    assert frame.shape == (0, len(CRASHES.columns))
