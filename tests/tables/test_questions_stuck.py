"""Why mail is stuck: recorded queue trees with the logs of the same machine, and the ways in which a join lies."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pandas as pd
import pytest

from indimail_kit.errors import SchemaError
from indimail_kit.logs import Log, read
from indimail_kit.mailqueue import QueueLayout, Snapshot, create_queue
from indimail_kit.mailqueue.picture import take_picture
from indimail_kit.tables import STUCK, STUCK_REASONS
from indimail_kit.tables import questions_stuck as module
from indimail_kit.tables.questions import stuck, stuck_reasons

RECORDED = Path(__file__).parents[1] / "data" / "indimail"
S = 10**9
BORN_S = 1_795_356_346
"""Birth of both messages of the recorded tree s5 (unit: s)."""

GREYLISTED = (
    "From: <address> RCPT: <address> <ip> does not like recipient./Remote host said: 451 4.7.1 greylisted, try again"
    " later/Giving up on <ip>./"
)


def recorded(name: str, place: Path, now_s: int) -> Snapshot:
    """Return the picture of a recorded tree."""
    with tarfile.open(RECORDED / "queue" / f"{name}.tar") as archive:
        queue = archive.getnames()[0].split("/")[0]
        archive.extractall(place, filter="fully_trusted")  # noqa: S202 (our own recordings)
    return picture_of(QueueLayout(place / queue), now_s)


def picture_of(layout: QueueLayout, now_s: int) -> Snapshot:
    """Return the picture of a queue at a time."""
    return Snapshot(now_s * S, (take_picture(layout, now_ns=now_s * S),))


def recorded_log(name: str) -> Log:
    """Return a recorded log of qmail-send."""
    return read(RECORDED / "logs" / f"{name}.tai64n.log.gz")


def said(picture: Snapshot, log: Log) -> list[tuple[object, ...]]:
    """Return address, deferrals, reason, confidence and note of each recipient that waits."""
    table = stuck(picture, log.deliveries, log.messages)
    names = ["address", "deferrals", "reason", "confidence", "note"]
    return [tuple(None if pd.isna(cell) else cell for cell in row) for row in table[names].itertuples(index=False)]


def made(place: Path, *, size: int = 9, birth_s: int = 1000) -> tuple[QueueLayout, int]:
    """Return a queue with one preprocessed message to bob@example.net, and its number."""
    layout = create_queue(place / "queue1", split=3)
    mess = layout.directory / "pid" / "new"
    mess.write_bytes(b"x" * size)
    number = mess.stat().st_ino
    mess.rename(layout.path("mess", number))
    layout.path("info", number).write_bytes(b"Fann@example.com\0")
    layout.path("remote", number).write_bytes(b"Tbob@example.net\0")
    for kind, at_s in (("mess", birth_s), ("info", birth_s), ("remote", birth_s + 400)):
        os.utime(layout.path(kind, number), (at_s, at_s))
    return layout, number


def line(at_s: float, text: str) -> bytes:
    """Return a line of a log with its label."""
    return f"@{2**62 + 10 + int(at_s):016x}{int(at_s % 1 * S):08x} {text}\n".encode()


def life(number: int, at_s: float, *, size: int = 9, sender: str = "ann@example.com") -> bytes:
    """Return the lines of a birth."""
    return line(at_s, f"new msg {number} queue1") + line(
        at_s, f"info msg {number}: bytes {size} from <{sender}> qp 7 uid 0 queue1"
    )


def attempt(number: int, at_s: float, end: str = "deferral: try_later/") -> bytes:
    """Return the lines of an attempt."""
    start = line(at_s, f"starting delivery {int(at_s)}: msg {number} to remote bob@example.net queue1")
    return start + line(at_s + 1, f"delivery {int(at_s)}: {end} queue1")


# --- the real machine --------------------------------------------------------------------------------------------


def test_recorded_tree_has_the_reasons_of_its_own_log(tmp_path: Path) -> None:
    """Tree and log were taken from one machine: each recipient that waits has the reason that its log tells."""
    picture = recorded("s5-deferred-and-bounce-queue1", tmp_path, BORN_S + 4)

    assert (
        said(picture, recorded_log("send-single-queue1"))
        == [
            ("defer@local.test", 1, "temporary trouble/", "certain", ""),
            ("grey1@remote.test", 1, GREYLISTED, "certain", ""),
        ]
        * 2
    )


def test_log_of_another_day_in_which_the_number_was_used_tells_nothing(tmp_path: Path) -> None:
    """The same numbers, another mail: joined by number alone, it would have had a reason."""
    picture = recorded("mixed-queue1", tmp_path, 1_795_357_320)
    notes = [row[2:] for row in said(picture, recorded_log("qscheduler-static-3queues"))]

    assert notes == [
        (None, None, module.ANOTHER),
        (None, None, module.NOT_IN_LOG),
        (None, None, module.NOT_IN_LOG),
        *[(None, None, module.NOT_PREPROCESSED)] * 3,
    ]


def test_mixed_tree_has_reasons_of_known_and_of_waiting_mail(tmp_path: Path) -> None:
    """Of the second queue: greylisted, a mailbox in trouble, a dead host; and one that todo-proc has not taken up."""
    picture = recorded("mixed-queue2", tmp_path, 1_795_357_320)
    log = recorded_log("send-for-smtpd")
    table = stuck_reasons(stuck(picture, log.deliveries, log.messages))

    assert table[["is_known", "recipients", "messages"]].values.tolist() == [
        [True, 1, 1],
        [True, 1, 1],
        [True, 1, 1],
        [False, 2, 1],
    ]
    assert table["reason"].tolist()[0] == GREYLISTED
    assert table["reason"].tolist()[2:] == ["temporary trouble/", module.NOT_PREPROCESSED]
    STUCK_REASONS.check(table)


# --- what a join may not do -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(lambda n: life(n, 1000.5) + attempt(n, 1001), (1, "certain", ""), id="its own life"),
        pytest.param(
            lambda n: life(n, 1000.5) + attempt(n, 1001) + attempt(n, 1400), (2, "certain", ""), id="the last of two"
        ),
        pytest.param(
            lambda n: life(n, 500) + attempt(n, 501) + line(600, f"end msg {n} qmail-send: queue1"),
            (0, None, module.ANOTHER),
            id="another mail had the number",
        ),
        pytest.param(lambda n: life(n, 1000, size=8) + attempt(n, 1001), (0, None, module.ANOTHER), id="another size"),
        pytest.param(
            lambda n: life(n, 1000, sender="eve@example.org") + attempt(n, 1001),
            (0, None, module.ANOTHER),
            id="another sender",
        ),
        pytest.param(lambda n: attempt(n, 1001), (1, "likely", module.NO_BIRTH), id="the log begins later"),
        pytest.param(lambda n: life(n, 700) + attempt(n, 701), (1, "likely", module.OTHER_BIRTH), id="back-dated"),
        pytest.param(lambda n: life(n, 1000), (0, None, module.UNTRIED), id="not tried"),
        pytest.param(
            lambda n: (life(n, 1000) + attempt(n, 1001)).rsplit(b"@", 1)[0], (0, None, module.UNDER_WAY), id="under way"
        ),
        pytest.param(
            lambda n: life(n, 1000) + attempt(n, 1001) + line(1500, f"end msg {n} qmail-send: queue1"),
            (0, None, module.HAS_LEFT),
            id="left meanwhile",
        ),
        pytest.param(
            lambda n: life(n, 1000) + attempt(n, 1001, "success: ok/"), (0, None, module.DONE_IN_LOG), id="just done"
        ),
        pytest.param(
            lambda n: life(n, 1000) + attempt(n, 1001) + attempt(n, 9000), (1, "certain", ""), id="later than the look"
        ),
        pytest.param(lambda n: life(n + 1, 1000) + attempt(n + 1, 1001), (0, None, module.NOT_IN_LOG), id="neighbour"),
        pytest.param(
            lambda n: (life(n, 1000) + attempt(n, 1001)).replace(b" queue1", b" queue2"),
            (0, None, module.NOT_IN_LOG),
            id="another queue",
        ),
        pytest.param(
            lambda n: (life(n, 1000) + attempt(n, 1001)).replace(b" queue1", b""),
            (1, "likely", module.NAMELESS),
            id="plain qmail",
        ),
    ],
)  # fmt: skip
def test_reason_is_told_only_of_the_same_life(lines, expected, tmp_path: Path) -> None:
    """By queue, number and lifetime: birth, size and sender have to agree; else it is said why nothing is known."""
    layout, number = made(tmp_path)
    log = read(lines(number))
    [(_address, count, reason, sure, note)] = said(picture_of(layout, 2000), log)

    assert ((count, sure, note), reason is not None) == (expected, sure is not None)


def test_without_a_log_nothing_is_known(tmp_path: Path) -> None:
    """And that is said; the table has its shape."""
    layout, _number = made(tmp_path)
    table = stuck(picture_of(layout, 2000))
    STUCK.check(table)

    assert table[["note", "age_s", "deferrals"]].values.tolist() == [[module.NO_LOG, 1000, 0]]


def test_empty_queue_has_the_same_columns(tmp_path: Path) -> None:
    """With and without a log."""
    picture, log = picture_of(create_queue(tmp_path / "queue1", split=3), 2000), read(life(5, 1000))

    for table in (stuck(picture), stuck(picture, log.deliveries, log.messages)):
        STUCK.check(table)
        assert (len(table), len(stuck_reasons(table))) == (0, 0)


def test_half_a_log_is_refused(tmp_path: Path) -> None:
    """Deliveries without messages cannot tell lives apart."""
    layout, _number = made(tmp_path)
    with pytest.raises(SchemaError, match="without the other"):
        stuck(picture_of(layout, 2000), deliveries=read(b"").deliveries)
