"""Tapes and crashes as tables: one row for each step.

Rule 1: the columns are said here, with the words of `schemas`; a table without rows has the same dtypes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from indimail_kit.mailqueue.crash import CRASH_MODELS, LIMIT, CrashCount, CrashModel, CrashVerdict, crash_counts
from indimail_kit.mailqueue.durability import Durable
from indimail_kit.mailqueue.step_text import kind_of
from indimail_kit.mailqueue.tape import Tape, TapeStep
from indimail_kit.tables.frames import build_frame
from indimail_kit.tables.schemas import NEVER, Column, Table

if TYPE_CHECKING:
    import pandas as pd

_RECORDER: Final = "mailqueue.recorder"
_CRASH: Final = "mailqueue.crash"
_NO_FILE: Final = "where the step's path is no file after it"
_STEP: Final = Column("step_number", "int64", "number of the step, counted from 1", NEVER, _RECORDER)
_CALL: Final = Column("call", "str", "the call that was made", NEVER, "values.Step")
_PATH: Final = Column("path", "str", "file or directory, relative to the queue", NEVER, "values.Step")
_ACKNOWLEDGED: Final = Column("is_acknowledged", "bool", "the client has its 250", NEVER, _RECORDER)

TAPE: Final = Table(
    "TAPE",
    "one step of an enqueue or a delivery",
    (
        _STEP,
        _CALL,
        Column("kind", "str", "kind of the file: mess, pid, …; tmp or new in a mailbox", NEVER, "the path"),
        _PATH,
        Column("message_number", "Int64", "number of the message", "while it has none", _RECORDER),
        Column(
            "state", "str", "S1 … S5 of the message that the tape is about", "where no state has its files", _RECORDER
        ),
        Column("inode", "Int64", "inode number of the file", _NO_FILE, "fstat"),
        Column("links", "Int64", "names of the file", _NO_FILE, "fstat"),
        Column("size_bytes", "Int64", "size of the file", _NO_FILE, "fstat", unit="octets"),
        Column(
            "durable_bytes", "Int64", "octets of it that are on the disk for sure", _NO_FILE, "fsync", unit="octets"
        ),
        Column("is_name_durable", "bool", "its name is on the disk for sure", NEVER, "fsync of its directory"),
        _ACKNOWLEDGED,
        Column("text", "str", "what happened, in a sentence", NEVER, "mailqueue.step_text"),
    ),
    key=("step_number",),
)
"""The rows are in the order of the steps."""

CRASHES: Final = Table(
    "CRASHES",
    "a crash behind one step, under one model",
    (
        Column("model", "str", "what survives: process, ordered or unordered", NEVER, "mailqueue.crash_images"),
        _STEP,
        _CALL,
        _PATH,
        _ACKNOWLEDGED,
        Column("combinations", "int64", "combinations of what was not synced", NEVER, _CRASH),
        Column("left_out", "int64", "those that were not looked at", NEVER, _CRASH),
        *(
            Column(verdict.name.lower(), "int64", f"combinations with the verdict: {verdict.value}", NEVER, _CRASH)
            for verdict in CrashVerdict
        ),
    ),
    key=("model", "step_number"),
)
"""The rows are in the order of the models, then of the steps."""


def tape_frame(tape: Tape) -> pd.DataFrame:
    """Return the table TAPE, one row for each step."""
    return build_frame(TAPE, tuple(_step_rows(tape)))


def crash_frame(
    tape: Tape,
    models: Sequence[CrashModel] = CRASH_MODELS,
    *,
    synchronous_directories: bool = False,
    limit: int = LIMIT,
) -> pd.DataFrame:
    """Return the table CRASHES, one row for each model and step.

    Args:
        tape: What was recorded.
        models: What survives.
        synchronous_directories: Whether every change of a directory waits for the disk (mount -o dirsync).
        limit: Most different disks to look at behind each step.
    """
    rows = [
        _crash_row(model, count)
        for model in models
        for count in crash_counts(tape, model, synchronous_directories=synchronous_directories, limit=limit)
    ]
    return build_frame(CRASHES, rows)


@dataclass(frozen=True, slots=True)
class _StepRow:
    """A row of TAPE."""

    step_number: int
    call: str
    kind: str
    path: str
    message_number: int | None
    state: str | None
    inode: int | None
    links: int | None
    size_bytes: int | None
    durable_bytes: int | None
    is_name_durable: bool
    is_acknowledged: bool
    text: str


def _step_rows(tape: Tape) -> Iterator[_StepRow]:
    for step in tape.steps:
        state = tape.state(step.number)
        yield _step_row(step, None if state is None else state.name, tape.durable(step.number))


def _step_row(step: TapeStep, state: str | None, durable: Durable) -> _StepRow:
    file = step.image.names.get(step.path)
    return _StepRow(
        step_number=step.number,
        call=step.call,
        kind=kind_of(step.path),
        path=step.path,
        message_number=step.message_number or None,
        state=state,
        inode=None if file is None else file.inode,
        links=None if file is None else step.image.links(step.path),
        size_bytes=None if file is None else len(file.content),
        durable_bytes=None if file is None else durable.octets.get(file.inode, 0),
        is_name_durable=step.path in durable.names,
        is_acknowledged=step.acknowledged,
        text=step.text,
    )


@dataclass(frozen=True, slots=True)
class _CrashRow:
    """A row of CRASHES; its verdicts are those of CrashVerdict, in small letters."""

    model: str
    step_number: int
    call: str
    path: str
    is_acknowledged: bool
    combinations: int
    left_out: int
    kept: int
    duplicate: int
    gone: int
    broken: int
    lost: int


def _crash_row(model: CrashModel, count: CrashCount) -> _CrashRow:
    return _CrashRow(
        model=model,
        step_number=count.number,
        call=count.call,
        path=count.path,
        is_acknowledged=count.acknowledged,
        combinations=count.combinations,
        left_out=count.left_out,
        **{verdict.name.lower(): number for verdict, number in count.counts.items()},
    )
