"""The program qmail-queue in this process: settings, callers, complaints, and what happens to a bug of ours."""

from __future__ import annotations

import os
import re
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.delivery import qmail_queue
from indimail_kit.delivery.qmail_queue import QmailQueue
from indimail_kit.envelope import QueueRecords, decode_records
from indimail_kit.mailqueue import QueueLayout, create_queue

MESSAGE = b"From: ann@local.test\nSubject: hi\n\nbody\n"
ENVELOPE = b"Fann@local.test\0Tbob@local.test\0\0"


@dataclass(frozen=True)
class Ended:
    """How a call ended: exit code, what stands on descriptor 2, and each queued message with its records."""

    exit_code: int
    stderr: str
    queued: list[tuple[bytes, QueueRecords]]


Call = Callable[..., Ended]


@pytest.fixture
def layout(tmp_path: Path) -> QueueLayout:
    """Return a small queue in IndiMail's home."""
    return create_queue(tmp_path / "home" / "queue" / "queue1", split=3)


@pytest.fixture
def call(tmp_path: Path, layout: QueueLayout) -> Call:
    """Return a function that runs the program with variables; control files are in tmp_path/control."""
    (tmp_path / "control").mkdir()

    def run(environ: dict[str, str] | None = None, envelope: bytes = ENVELOPE, **options: Any) -> Ended:
        with tempfile.TemporaryFile() as fd0, tempfile.TemporaryFile() as fd1, tempfile.TemporaryFile() as fd2:
            for file, octets in ((fd0, MESSAGE), (fd1, envelope)):
                file.write(octets)
                file.seek(0)
            options = {
                "message_fd": fd0.fileno(),
                "envelope_fd": fd1.fileno(),
                "error_fd": fd2.fileno(),
                "home": tmp_path / "home",
                "uid": 1000,
                "host": "vm",
                "sync": "indimail",
            } | options
            variables = {"CONTROLDIR": str(tmp_path / "control"), "QUEUE_COUNT": "1", "PATH": "/usr/bin:/bin"}
            exit_code = QmailQueue(environ=variables | (environ or {}), **options).run()
            fd2.seek(0)
            stderr = fd2.read().decode()
        todo = sorted(path for path in layout.directory.glob("todo/*/*"))
        messages = [layout.path("mess", int(path.name)).read_bytes() for path in todo]
        return Ended(
            exit_code, stderr, list(zip(messages, (decode_records(p.read_bytes()) for p in todo), strict=True))
        )

    return run


def test_message_goes_to_a_queue_of_the_home(call: Call) -> None:
    """No variable names a queue: home/queue/queue1, and nothing is said."""
    ended = call()
    ((mess, records),) = ended.queued
    assert (ended.exit_code, ended.stderr, mess.endswith(MESSAGE), records.recipients) == (
        0,
        "",
        True,
        (b"bob@local.test",),
    )


def test_default_is_to_sync_files_and_directories(call: Call) -> None:
    """The safest, whatever IndiMail's variables say."""
    calls: list[str] = []
    call(sync="safe", on_step=lambda step: calls.append(step.call))
    assert (QmailQueue(environ={}).sync, calls.count("fsync"), calls.count("fsyncdir")) == ("safe", 2, 2)


@pytest.mark.parametrize(
    ("sync", "environ", "calls"),
    [
        ("safe", {"USE_FDATASYNC": "1"}, ["fdatasync", "fdatasync", "fsyncdir", "fsyncdir"]),
        ("qmail", {}, ["fsync", "fsync"]),
        ("indimail", {}, []),
        ("indimail", {"USE_FSYNC": "1"}, ["fsync", "fsync"]),
        ("indimail", {"USE_FDATASYNC": "1"}, ["fdatasync", "fdatasync"]),
        ("indimail", {"USE_SYNCDIR": "1"}, ["fsyncdir", "fsyncdir"]),
    ],
)
def test_sync_can_be_chosen(call: Call, sync: str, environ: dict[str, str], calls: list[str]) -> None:
    """For comparison: plain qmail's, and IndiMail's, which does what its variables say."""
    done: list[str] = []
    call(environ, sync=sync, on_step=lambda step: done.append(step.call))
    assert [one for one in done if "sync" in one] == calls


def test_control_files_are_read(tmp_path: Path, call: Call) -> None:
    """Extraqueue has a recipient a line, envheaders makes the h record, quarantine takes the place of all."""
    for name, text in (("extraqueue", "log@x\nlog2@x\n"), ("envheaders", "Subject\n"), ("quarantine", "q@x\n")):
        (tmp_path / "control" / name).write_text(text, encoding="ascii")
    ((_, records),) = call().queued
    assert (records.recipients, records.header, records.environment_header) == (
        (b"log@x", b"log2@x", b"q@x"),
        b"X-Quarantine-ID: q@x,bob@local.test\n",
        b"Subject: hi\n",
    )


def test_queue_base_of_the_control_directory_is_where_the_queues_are(tmp_path: Path, call: Call) -> None:
    """Unless QUEUE_BASE or QUEUEDIR say otherwise."""
    other = create_queue(tmp_path / "other" / "queue1", split=3)
    (tmp_path / "control" / "queue_base").write_text(f"{tmp_path}/other\n", encoding="ascii")
    assert (call().queued, len(list(other.directory.glob("todo/*/*")))) == ([], 1)


@pytest.mark.parametrize("program", ["qmail-queue", "qmail-multi"])
def test_unreadable_control_file_is_55(tmp_path: Path, call: Call, program: str) -> None:
    """For the choice of the queue as for who gets the mail."""
    (tmp_path / "control" / "queue_base").mkdir()
    assert call(program=program).exit_code == 55


def test_plain_qmails_queue_is_seen_and_used(tmp_path: Path, call: Call) -> None:
    """Split 5, intd and todo flat: no variable has to say so."""
    plain = create_queue(tmp_path / "plain", split=5, bigtodo=False)
    call({"QUEUEDIR": str(plain.directory)})
    (todo,) = [path for path in (plain.directory / "todo").iterdir() if path.is_file()]
    assert plain.path("mess", int(todo.name)).parent.name == str(int(todo.name) % 5)


@pytest.mark.parametrize(
    ("user", "environ", "words"),
    [
        ("alias", {}, b"(invoked by alias)"),
        ("qmails", {"TCPREMOTEIP": "10.1.1.1"}, b"(invoked for bounce)"),
        ("", {"TCPREMOTEIP": "10.1.1.1"}, b"(invoked from network 10.1.1.1, by uid 1000)"),
        ("", {}, b"(invoked by uid 1000)"),
    ],
)
def test_received_line_says_who_called(
    call: Call, monkeypatch: pytest.MonkeyPatch, user: str, environ: dict[str, str], words: bytes
) -> None:
    """By the uid, else by what tcpserver says."""
    monkeypatch.setattr(qmail_queue, "_uid_of", lambda name: 1000 if name == user else None)
    ((mess, _),) = call(environ).queued
    assert words in mess


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, b"(invoked from network 127.0.0.1, by uid 1000)"),
        ({"HIDE_HOST": "1"}, b"(invoked by uid 1000)"),
        ({"FASTQUEUE": "1"}, b"(invoked by uid 1000)"),
    ],
)
def test_received_line_names_the_other_end_of_a_socket(call: Call, environ: dict[str, str], words: bytes) -> None:
    """A message that comes straight from a socket; it is not looked at where its address is to be hidden."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        served, _ = server.accept()
        with served:
            client.sendall(MESSAGE)
            client.shutdown(socket.SHUT_WR)
            ended = call(environ, message_fd=served.fileno())
    ((mess, _),) = ended.queued
    assert words in mess


def test_text_of_an_error_goes_where_error_fd_says(call: Call) -> None:
    """ERROR_FD, as custom_error.c takes it; descriptor 2 stays silent."""
    reader, writer = os.pipe()
    try:
        ended = call({"QMAIL_QUEUE_CUSTOM_ERROR": "1", "ERROR_FD": str(writer), "QUEUEDIR": "/nonexistent"})
        text = os.read(reader, 200)
    finally:
        os.close(reader)
        os.close(writer)
    assert (ended.exit_code, ended.stderr, text) == (
        88,
        "",
        b"Zqmail-queue: trouble doing cd to queue directory: No such file or directory (#4.3.0)",
    )


def test_text_of_an_error_that_nobody_can_read_is_53(call: Call) -> None:
    """As custom_error.c: 88 without its text would say nothing."""
    assert call({"QMAIL_QUEUE_CUSTOM_ERROR": "1", "ERROR_FD": "9999"}, envelope=b"X").exit_code == 53


@pytest.mark.parametrize(
    ("envelope", "text"),
    [
        (b"", "trouble reading envelope"),
        (b"X", "envelope format error"),
        (b"F" + b"a" * 1003, "envelope address too long"),
    ],
)
def test_texts_are_those_of_die(call: Call, envelope: bytes, text: str) -> None:
    """Message and envelope are told apart."""
    ended = call({"QMAIL_QUEUE_CUSTOM_ERROR": "1"}, envelope=envelope)
    assert (ended.exit_code, ended.stderr) == (88, f"Zqmail-queue: {text} (#4.3.0)")


def test_filter_that_refuses_for_good_is_not_made_temporary(call: Call) -> None:
    """QMAIL_QUEUE_CUSTOM_ERROR is qmail-queue's: qmail-multi's own ends stay as they are."""
    environ = {"QMAIL_QUEUE_CUSTOM_ERROR": "1", "FILTERARGS": "/bin/sh -c 'exit 100'"}
    assert call(environ, program="qmail-multi").exit_code == 31


def test_filter_that_needs_a_shell_says_so(call: Call) -> None:
    """Exit code 71 alone would leave the administrator in the dark."""
    ended = call({"FILTERARGS": "cat | cat"}, program="qmail-multi")
    assert (ended.exit_code, ended.stderr, ended.queued) == (
        71,
        "qmail-multi: FILTERARGS that is no plain command: a shell would be needed\n",
        [],
    )


def test_filtered_message_is_scanned_and_queued(call: Call) -> None:
    """The filter comes before the scan."""
    environ = {"FILTERARGS": "sed s/body/EICAR-STANDARD/", "QHPSI": "grep -q EICAR-STANDARD %s", "REJECTVIRUS": "1"}
    environ |= {"QHPSIRC": "0", "QHPSIRN": "1"}
    assert call(environ, program="qmail-multi").exit_code == 33


def test_message_that_cannot_be_read_for_the_filter_is_68(call: Call) -> None:
    """mailfilter.c copies it into a temporary file first."""
    writer = os.open(os.devnull, os.O_WRONLY)
    try:
        ended = call({"FILTERARGS": "/bin/cat"}, program="qmail-multi", message_fd=writer)
    finally:
        os.close(writer)
    assert (ended.exit_code, ended.queued) == (68, [])


def test_nullqueue_that_cannot_read_is_54(call: Call) -> None:
    """As qmail-nullqueue.c."""
    writer = os.open(os.devnull, os.O_WRONLY)
    try:
        assert call(program="qmail-nullqueue", message_fd=writer).exit_code == 54
    finally:
        os.close(writer)


def test_what_the_scanner_says_comes_to_descriptor_2_made_visible(call: Call) -> None:
    """Escape sequences of a scanner do not reach the log."""
    ended = call({"QHPSI": r"printf \033[2Jred\tx\n"})
    assert (ended.exit_code, ended.stderr) == (0, "\\x1b[2Jred\tx\n")


def test_what_the_scanner_says_is_no_reply_to_the_client(call: Call) -> None:
    """With QMAIL_QUEUE_CUSTOM_ERROR descriptor 2 holds the text of the reply, and nothing before it."""
    ended = call({"QHPSI": "ls /nonexistent", "QMAIL_QUEUE_CUSTOM_ERROR": "1"})
    assert (ended.exit_code, ended.stderr) == (88, "Zqmail-queue: qhpsi: unable to run QHPSI scanner (#4.3.0)")


def test_debug_says_why_the_scanner_did_not_run(call: Call) -> None:
    """As qhpsi does with DEBUG, and only with it."""
    said = [call({"QHPSI": "/no/such"} | environ).stderr for environ in ({}, {"DEBUG": "1"})]
    as_user = " as user [a-z]+" if os.geteuid() == 0 else ""
    assert said[0] == ""
    assert re.fullmatch(f"qhpsi: fatal: /no/such could not be started{as_user}: No such file or directory\n", said[1])


def test_scan_that_answers_2_is_swallowed_and_told_when_asked(call: Call) -> None:
    """REJECTVIRUS=2: success, nothing queued; --verbose says so."""
    ended = call({"QHPSI": "false %s", "REJECTVIRUS": "2"}, is_verbose=True)
    assert (ended.exit_code, ended.stderr, ended.queued) == (0, "qmail-queue: swallowed after the scan\n", [])


@pytest.mark.parametrize(
    ("environ", "options", "text"),
    [
        ({"QUEUEDIR": "/nonexistent"}, {}, "qmail-queue: chdir to queue (61): chdir .: No such file or directory\n"),
        ({}, {"program": "qmail-nullqueue"}, "qmail-nullqueue: 72 octets thrown away\n"),
        ({"FILTERARGS": "/bin/sh -c 'exit 2'"}, {"program": "qmail-multi"}, "qmail-multi: swallowed by the filter\n"),
    ],
)
def test_verbose_says_what_happened(call: Call, environ: dict[str, str], options: dict[str, str], text: str) -> None:
    """For a person; the real program is silent."""
    assert call(environ, is_verbose=True, **options).stderr == text


def test_bug_of_ours_is_81_and_leaves_nothing(call: Call, layout: QueueLayout) -> None:
    """A text without a traceback, no exit code that a mail server would take for something else."""

    def bug(_step: object) -> None:
        raise ZeroDivisionError("division by \x1b zero")

    ended = call(on_step=bug)
    left = [path for path in layout.directory.rglob("*") if path.is_file() and path.parent.name != "lock"]
    assert (ended.exit_code, ended.stderr, left) == (
        81,
        "qmail-queue: internal bug: ZeroDivisionError: division by \\x1b zero\n",
        [],
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_files_of_root_belong_to_the_owner_of_the_queue(call: Call, layout: QueueLayout) -> None:
    """The real program runs under qmailq: todo-proc and qmail-clean find files that they may handle."""
    os.chown(layout.directory, 1234, 1235)
    call()
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in layout.directory.glob("[mit]*/*/*")}
    assert owners == {(1234, 1235)}
