"""qmail-queue in process: what is queued, for whom, and what a bad caller gets."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indimail_kit.envelope import Envelope, QueueRecords
from indimail_kit.errors import QueueError, ScanError
from indimail_kit.mailqueue import (
    SAFE,
    Queued,
    QueueLayout,
    QueueState,
    Step,
    create_queue,
    enqueue,
    list_messages,
    plan_records,
    read_message,
)
from indimail_kit.mailqueue.values import NotScanned, QueueSettings

Put = Callable[..., Queued]
Left = Callable[[QueueLayout], list[str]]

HEAD = b"Received: indimail-mta queue 4305 by host vm\n (invoked by uid 0); Sun, 22 Nov 2026 14:14:00 +0000\n"
INFECTED = NotScanned(header=b"X-QHPSI: Virus found\n")


def scanner(outcome: NotScanned) -> Callable[..., NotScanned]:
    """Return a scan with a fixed outcome."""
    return lambda _mess_path, **_: outcome


def failing(error: BaseException, *pieces: bytes) -> Iterator[bytes]:
    """Yield pieces of a message, then fail."""
    yield from pieces
    raise error


def refused(put: Put, *args: Any, **options: Any) -> int:
    """Return the exit code of a call that must fail."""
    with pytest.raises(QueueError) as caught:
        put(*args, **options)
    return caught.value.exit_code


def test_queued_message_is_in_s4_without_anomaly(queue: QueueLayout, put: Put) -> None:
    """mess, intd and todo exist, and nothing is odd about them."""
    message = read_message(queue, put().message_number)
    assert (message.state, message.anomalies) == (QueueState.S4, ())


def test_message_number_is_the_inode_and_the_name_of_mess(queue: QueueLayout, put: Put) -> None:
    """The guarantee of INTERNALS."""
    number = put().message_number
    assert queue.path("mess", number).stat().st_ino == number


def test_mess_is_the_received_line_and_the_message_unchanged(queue: QueueLayout, put: Put) -> None:
    """Octet for octet, NULs, bare CR and all."""
    message = bytes(range(256)) + b"\r\n.\r\n\r no final newline"
    number = put(message).message_number
    assert queue.path("mess", number).read_bytes() == HEAD + message


def test_intd_and_todo_are_one_file_with_the_records(queue: QueueLayout, put: Put) -> None:
    """Hard links, as in the recorded tree."""
    number = put().message_number
    intd, todo = queue.path("intd", number), queue.path("todo", number)
    assert (todo.read_bytes(), todo.stat().st_nlink, todo.samefile(intd)) == (
        b"u0\0p4305\0Fann@local.test\0Tbob@local.test\0",
        2,
        True,
    )


def test_result_tells_what_was_queued(queue: QueueLayout, put: Put) -> None:
    """Whole value, for the reply "250 ok … qp 4305" and the JourneyView."""
    queued = put()
    number = queued.message_number
    assert queued == Queued(
        queue="queue1",
        message_number=number,
        qp=4305,
        is_swallowed=False,
        records=QueueRecords(uid=0, pid=4305, sender=b"ann@local.test", recipients=(b"bob@local.test",)),
        message_bytes=len(HEAD) + 18,
        split_directory=number % 7,
    )


def test_pid_directory_is_empty_afterwards(queue: QueueLayout, put: Put) -> None:
    """The pid file was linked away."""
    put()
    assert list((queue.directory / "pid").iterdir()) == []


def test_defaults_are_those_of_this_process(queue: QueueLayout) -> None:
    """Pid, uid, host and time of the system; synced."""
    queued = enqueue(b"", b"F\0\0", layout=queue, environ={})
    head = queue.path("mess", queued.message_number).read_bytes().decode()
    assert (queued.qp, queued.records.uid, head.startswith(f"Received: indimail-mta queue {os.getpid()} by host ")) == (
        os.getpid(),
        os.getuid(),
        True,
    )


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_modes_do_not_depend_on_the_umask(queue: QueueLayout, put: Put, umask: int) -> None:
    """mess, intd and todo are 644 as recorded; the umask of the process stays as it is."""
    old = os.umask(umask)
    try:
        number = put().message_number
        assert os.umask(umask) == umask
    finally:
        os.umask(old)
    modes = {stat.S_IMODE(queue.path(kind, number).stat().st_mode) for kind in ("mess", "intd", "todo")}
    assert modes == {0o644}


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b""],
        [b"Subject: hi\n", b"", b"\nbody\n"],
        [b"x"] * 3000,
        [b"x" * 65535, b"y", b"z" * 200_000],
        [bytearray(b"a"), memoryview(b"b")],
    ],
    ids=["none", "empty", "three", "3000 small", "large", "other bytes"],
)
@pytest.mark.parametrize(
    "as_type", [list, iter, lambda pieces: (piece for piece in pieces)], ids=["list", "iter", "gen"]
)
def test_message_in_pieces_is_the_message(
    queue: QueueLayout, put: Put, pieces: list[bytes], as_type: Callable[[list[bytes]], Any]
) -> None:
    """A list, an iterator, a generator; pieces of any size."""
    queued = put(as_type(pieces))
    octets = queue.path("mess", queued.message_number).read_bytes()
    assert (octets, queued.message_bytes) == (HEAD + b"".join(pieces), len(octets))


@pytest.mark.parametrize("message", [bytearray(b"body"), memoryview(b"body"), b"body"], ids=["array", "view", "bytes"])
def test_message_may_be_any_bytes(queue: QueueLayout, put: Put, message: bytes) -> None:
    """Whole, not in pieces."""
    assert queue.path("mess", put(message).message_number).read_bytes() == HEAD + b"body"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=300), max_size=6))
def test_any_message_comes_out_as_it_went_in(queue: QueueLayout, put: Put, pieces: list[bytes]) -> None:
    """Property: mess = head + pieces."""
    assert queue.path("mess", put(iter(pieces)).message_number).read_bytes() == HEAD + b"".join(pieces)


@pytest.mark.parametrize(
    "error",
    [OSError(9, "Bad file descriptor"), EOFError(), ConnectionResetError(), TimeoutError()],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("pieces", [(), (b"Subject: hi\n",), (b"x" * 100_000,)], ids=["at once", "early", "late"])
def test_message_that_cannot_be_read_to_its_end_is_54(
    queue: QueueLayout, put: Put, left: Left, error: Exception, pieces: tuple[bytes, ...]
) -> None:
    """A client that goes away in mid-message leaves nothing."""
    assert (refused(put, failing(error, *pieces)), left(queue)) == (54, [])


def test_error_of_the_caller_passes_after_everything_is_removed(queue: QueueLayout, put: Put, left: Left) -> None:
    """A bug in the caller's generator is not hidden behind an exit code."""
    with pytest.raises(ZeroDivisionError):
        put(failing(ZeroDivisionError(), b"Subject: hi\n"))
    assert left(queue) == []


def test_interrupt_leaves_nothing(queue: QueueLayout, put: Put, left: Left) -> None:
    """Ctrl-C in a notebook, in the middle of the message."""
    with pytest.raises(KeyboardInterrupt):
        put(failing(KeyboardInterrupt(), b"x" * 100_000))
    assert left(queue) == []


def test_out_of_memory_is_51(queue: QueueLayout, put: Put, left: Left) -> None:
    """A temporary error, nothing left."""
    assert (refused(put, failing(MemoryError(), b"x")), left(queue)) == (51, [])


def test_text_in_the_place_of_octets_is_a_bug_of_the_caller(queue: QueueLayout, put: Put, left: Left) -> None:
    """TypeError, and nothing left."""
    with pytest.raises(TypeError):
        put(iter(["Subject: hi\n"]))
    assert left(queue) == []


@pytest.mark.parametrize(
    ("envelope", "exit_code"),
    [
        (b"", 54),
        (b"Fa@b\0Tc@d\0", 54),
        (b"Xa@b\0\0", 79),
        (b"Fa@b\0Xc@d\0\0", 79),
        (b"F" + b"a" * 1003 + b"\0\0", 11),
        (Envelope(b"a" * 1003, ()), 11),
        (Envelope(b"", (b"c\0Td@e",)), 79),
    ],
    ids=["empty", "cut", "no F", "no T", "too long", "too long value", "NUL in value"],
)
def test_bad_envelope_leaves_nothing(
    queue: QueueLayout, put: Put, left: Left, envelope: bytes | Envelope, exit_code: int
) -> None:
    """The envelope is read after the message, when mess and intd exist; both are removed."""
    assert (refused(put, b"body", envelope), left(queue)) == (exit_code, [])


def test_envelope_may_be_a_value(queue: QueueLayout, put: Put) -> None:
    """The same records as from the octets."""
    value = put(b"", Envelope(b"a@b", (b"c@d", b"e@f"))).records
    assert value == put(b"", b"Fa@b\0Tc@d\0Te@f\0\0").records


def test_bounce_is_queued_as_qmail_send_does(queue: QueueLayout, put: Put) -> None:
    """Empty sender, invoked for bounce, uid of qmails."""
    queued = put(b"", Envelope(b"", (b"ann@local.test",)), uid=1007, invoked_from="bounce")
    mess = queue.path("mess", queued.message_number).read_bytes()
    assert (queue.path("todo", queued.message_number).read_bytes(), b"\n (invoked for bounce); " in mess) == (
        b"u1007\0p4305\0F\0Tann@local.test\0",
        True,
    )


ENVELOPE = Envelope(b"a@b", (b"c@d", b"e@f"))

PLANS = [
    ({}, NotScanned(), (b"c@d", b"e@f"), b""),
    ({"QQEH": "X-Extra: 1"}, NotScanned(), (b"c@d", b"e@f"), b"X-Extra: 1\n"),
    ({"QQEH": "X-Extra: 1\nX-More: 2\n"}, NotScanned(), (b"c@d", b"e@f"), b"X-Extra: 1\nX-More: 2\n"),
    ({"QQEH": ""}, NotScanned(), (b"c@d", b"e@f"), b""),
    ({"QQEH": "X: 1"}, INFECTED, (b"c@d", b"e@f"), b"X-QHPSI: Virus found\nX: 1\n"),
    ({"EXTRAQUEUE": "log@x"}, NotScanned(), (b"log@x", b"c@d", b"e@f"), b""),
    ({"EXTRAQUEUE": ""}, NotScanned(), (b"c@d", b"e@f"), b""),
    ({"QUARANTINE": "q@x"}, NotScanned(), (b"q@x",), b"X-Quarantine-ID: q@x,c@d,e@f\n"),
    ({"QUARANTINE": ""}, NotScanned(), (b"c@d", b"e@f"), b""),
    (
        {"QUARANTINE": "q@x", "EXTRAQUEUE": "log@x", "QQEH": "X: 1"},
        replace(INFECTED, forward_to="v@x"),
        (b"log@x", b"v@x"),
        b"X-QHPSI: Virus found\nX-Quarantine-ID: v@x,c@d,e@f\nX: 1\n",
    ),
    (
        {"QUARANTINE": "q@x", "EXTRAQUEUE": "log@x", "QQEH": "X: 1", "FASTQUEUE": "1005"},
        NotScanned(),
        (b"c@d", b"e@f"),
        b"",
    ),
]
"""Environment, scan, recipients, header. Source: qmail-queue.c `main()`; the first ones and the mixed one recorded."""


@pytest.mark.parametrize(("environ", "outcome", "recipients", "header"), PLANS, ids=[str(plan[0]) for plan in PLANS])
def test_environment_and_scan_decide_who_gets_it(
    environ: dict[str, str], outcome: NotScanned, recipients: tuple[bytes, ...], header: bytes
) -> None:
    """plan_records is pure: no queue is needed."""
    records = plan_records(ENVELOPE, uid=0, qp=7, outcome=outcome, settings=QueueSettings.from_environ(environ))
    assert (records.recipients, records.header) == (recipients, header)


def test_forged_header_line_in_an_address_stays_an_address() -> None:
    """A newline in a recipient must not start a line of its own in X-Quarantine-ID; the envelope keeps it."""
    envelope = Envelope(b"", (b"c@d\nX-QHPSI: clean\n",))
    settings = QueueSettings(quarantine="q@x")
    records = plan_records(envelope, uid=0, qp=7, outcome=NotScanned(), settings=settings)
    assert records.header == b"X-Quarantine-ID: q@x,c@d_X-QHPSI: clean_\n"


def test_scan_sees_the_finished_message(queue: QueueLayout, put: Put) -> None:
    """The whole mess file under its name, its size, and no intd yet."""
    seen: list[object] = []

    def scan(mess_path: Path, *, message_bytes: int) -> NotScanned:
        kinds = [file.kind for file in read_message(queue, int(mess_path.name)).files]
        seen.extend((mess_path.is_absolute(), mess_path.read_bytes(), message_bytes, kinds))
        return NotScanned(header=b"X-QHPSI: clean\n")

    queued = put(iter([b"body\n"]), scan=scan)
    assert (seen, queued.records.header) == ([True, HEAD + b"body\n", len(HEAD) + 5, ["mess"]], b"X-QHPSI: clean\n")


@pytest.mark.parametrize("exit_code", [33, 77, 123, 50])
def test_scan_that_refuses_leaves_nothing(queue: QueueLayout, put: Put, left: Left, exit_code: int) -> None:
    """The exit code of the scan is that of qmail-queue."""
    outcome = NotScanned(exit_code=exit_code, header=b"X-QHPSI: Virus found\n")
    assert (refused(put, scan=scanner(outcome)), left(queue)) == (exit_code, [])


@pytest.mark.parametrize("error", [ScanError("no scanner"), OSError(24, "Too many open files"), FileNotFoundError()])
def test_scanner_failure_is_not_clean(queue: QueueLayout, put: Put, left: Left, error: Exception) -> None:
    """A scan that could not be done is 77, never a queued message."""

    def scan(_mess_path: Path, *, message_bytes: int) -> NotScanned:
        raise error

    assert (refused(put, scan=scan), left(queue)) == (77, [])


def test_bug_in_a_scanner_leaves_nothing(queue: QueueLayout, put: Put, left: Left) -> None:
    """It passes to the caller, after everything is removed."""

    def scan(_mess_path: Path, *, message_bytes: int) -> NotScanned:
        raise AssertionError

    with pytest.raises(AssertionError):
        put(scan=scan)
    assert left(queue) == []


def test_fastqueue_is_not_scanned(queue: QueueLayout, put: Put) -> None:
    """FASTQUEUE goes round the scanner, as recorded."""
    outcome = NotScanned(exit_code=33)
    assert put(environ={"FASTQUEUE": "1005"}, scan=scanner(outcome)).records.header == b""


def test_swallowed_message_is_a_success_without_files(queue: QueueLayout, put: Put, left: Left) -> None:
    """REJECTVIRUS=2: recorded as rc 0, nothing left."""
    queued = put(scan=scanner(replace(INFECTED, is_swallowed=True)))
    assert (queued.is_swallowed, queued.message_number, queued.records.sender, left(queue)) == (
        True,
        0,
        b"ann@local.test",
        [],
    )


@pytest.mark.parametrize(
    ("environ", "forward_to"), [({"QUARANTINE": "q@x"}, ""), ({}, "q@x")], ids=["QUARANTINE", "VIRUSFORWARD"]
)
def test_message_for_the_quarantine_is_not_swallowed(
    queue: QueueLayout, put: Put, environ: dict[str, str], forward_to: str
) -> None:
    """Recorded as "QUARANTINE virus REJECT=2" and "VIRUSFORWARD REJECT=2"."""
    queued = put(environ=environ, scan=scanner(replace(INFECTED, is_swallowed=True, forward_to=forward_to)))
    assert (queued.is_swallowed, queued.records.recipients) == (False, (b"q@x",))


@pytest.mark.parametrize(
    ("envelope", "exit_code"),
    [
        (b"", 54),
        (b"Fa@b\0", 54),
        (b"Fa@b\0Tc@d", 54),
        (b"Xa@b\0\0", 79),
        (b"F" + b"a" * 1003, 11),
        (Envelope(b"a" * 1003, ()), 11),
    ],
    ids=["empty", "only a sender", "cut", "no F", "too long", "too long value"],
)
def test_sender_of_a_swallowed_message_is_still_looked_at(
    queue: QueueLayout, put: Put, left: Left, envelope: bytes | Envelope, exit_code: int
) -> None:
    """qmail-queue.c reads the sender as ever before it throws the message away."""
    scan = scanner(replace(INFECTED, is_swallowed=True))
    assert (refused(put, b"", envelope, scan=scan), left(queue)) == (exit_code, [])


@pytest.mark.parametrize(
    "envelope", [b"Fa@b\0Xc@d\0", b"Fa@b\0\0junk", Envelope(b"a@b", (b"c@d",))], ids=["X", "junk", "value"]
)
def test_recipients_of_a_swallowed_message_are_not_looked_at(queue: QueueLayout, put: Put, envelope: bytes) -> None:
    """qmail-queue.c reads on to the next NUL, whatever it is."""
    assert put(b"", envelope, scan=scanner(replace(INFECTED, is_swallowed=True))).records.sender == b"a@b"


def test_h_record_holds_the_headers_of_envheaders(queue: QueueLayout, put: Put) -> None:
    """As in the recorded todo file of mixed-queue1."""
    message = b"From: ann@local.test\nTo: alice@local.test\nSubject: hi\n\nbody\n"
    settings = QueueSettings(envheaders=("Subject",))
    number = put(message, b"F\0Tbob@local.test\0\0", settings=settings).message_number
    assert queue.path("todo", number).read_bytes() == b"u0\0p4305\0F\0Tbob@local.test\0hSubject: hi\n\0"


def test_queue_without_bigtodo_has_flat_intd_and_todo(tmp_path: Path, put: Put) -> None:
    """As plain qmail."""
    layout = create_queue(tmp_path / "flat", split=3, bigtodo=False)
    number = put(layout=layout).message_number
    assert (layout.directory / "todo" / str(number)).samefile(layout.directory / "intd" / str(number))


def test_listener_hears_the_time_and_number_of_each_step(queue: QueueLayout, put: Put) -> None:
    """The number is known from fstat on; times come from the clock."""
    steps: list[Step] = []
    ticks = iter(range(10**9, 2 * 10**9))
    number = put(on_step=steps.append, clock=lambda: next(ticks)).message_number
    assert [(step.call, step.message_number) for step in steps[:4]] == [
        ("chdir", 0),
        ("open", 0),
        ("fstat", number),
        ("link", number),
    ]
    assert [step.unix_ns for step in steps] == sorted({step.unix_ns for step in steps})


@pytest.mark.parametrize("before", range(8), ids=lambda before: f"step {before}")
def test_bug_in_a_listener_before_the_link_leaves_nothing(
    queue: QueueLayout, put: Put, left: Left, before: int
) -> None:
    """It passes to the caller, after everything is removed."""
    with pytest.raises(ZeroDivisionError):
        put(on_step=bug_at(before))
    assert left(queue) == []


@pytest.mark.parametrize("after", [0, 1], ids=["link", "trigger"])
def test_bug_in_a_listener_after_the_link_leaves_the_message_queued(
    queue: QueueLayout, put: Put, left: Left, after: int
) -> None:
    """todo-proc may already be at work: nothing is taken away from it."""
    with pytest.raises(ZeroDivisionError):
        put(on_step=bug_at(8 + after))
    assert left(queue) == ["intd", "mess", "todo"]


def bug_at(index: int) -> Callable[[Step], None]:
    """Return a listener that fails at one step."""
    count = iter(range(100))

    def on_step(_step: Step) -> None:
        if next(count) == index:
            raise ZeroDivisionError

    return on_step


def test_trigger_is_pulled(queue: QueueLayout, put: Put) -> None:
    """qmail-send reads one octet from the FIFO."""
    fd = os.open(queue.directory / "lock" / "trigger", os.O_RDONLY | os.O_NONBLOCK)
    try:
        put()
        assert os.read(fd, 10) == b"\0"
    finally:
        os.close(fd)


def fill(fd: int) -> None:
    """Write until a FIFO takes no more."""
    with contextlib.suppress(BlockingIOError):
        while os.write(fd, bytes(4096)):
            pass


def test_full_trigger_does_not_block(queue: QueueLayout, put: Put) -> None:
    """A qmail-send that sleeps for long: the message is queued all the same."""
    trigger = queue.directory / "lock" / "trigger"
    reading = os.open(trigger, os.O_RDONLY | os.O_NONBLOCK)
    writing = os.open(trigger, os.O_WRONLY | os.O_NONBLOCK)
    try:
        fill(writing)
        assert put().message_number > 0
    finally:
        os.close(reading)
        os.close(writing)


def test_missing_trigger_is_no_error(queue: QueueLayout, put: Put) -> None:
    """todo-proc looks by itself now and then."""
    (queue.directory / "lock" / "trigger").unlink()
    assert put().message_number > 0


def test_threads_do_not_meet(queue: QueueLayout, put: Put, left: Left) -> None:
    """Eight threads, one process, one second, one qp: every message has its number and its content."""
    barrier = threading.Barrier(8)

    def work(thread: int) -> dict[int, bytes]:
        barrier.wait()
        return {put(b"%d/%d" % (thread, count)).message_number: b"%d/%d" % (thread, count) for count in range(25)}

    with ThreadPoolExecutor(8) as pool:
        sent = {number: body for part in pool.map(work, range(8)) for number, body in part.items()}
    stored = {number: queue.path("mess", number).read_bytes().removeprefix(HEAD) for number in list_messages(queue)}
    assert (stored, len(stored), left(queue).count("pid")) == (sent, 200, 0)


def test_no_file_descriptor_is_left_open(queue: QueueLayout, put: Put) -> None:
    """After success, after a refusal, after a bug."""
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (a count of names)
    put()
    refused(put, b"", b"X")
    refused(put, scan=scanner(NotScanned(exit_code=33)))
    put(sync=SAFE)
    with pytest.raises(ZeroDivisionError):
        put(on_step=bug_at(5))
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
