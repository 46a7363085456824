"""qmail-queue as a process of its own: descriptors that are closed, signals after every step, callers of every kind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indimail_kit.mailqueue import QueueLayout, create_queue, detect_layout, list_messages, read_message

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("killed_program.py")
MESSAGE = b"Subject: hi\n\nbody\n"
ENVELOPE = b"Fann@local.test\0Tbob@local.test\0\0"

STATES = [*["S1"] * 3, *["S2"] * 4, *["S3"] * 5, *["S4"] * 3]
"""State that is left after each step: chdir, open, fstat | link, unlink, write, scan | open intd, write, three syncs |
link todo, its directory, trigger. Source: INTERNALS section 3."""

ENDS = {"SIGKILL": -9, "SIGTERM": -15, "SIGALRM": 52, "SIGINT": 0}
"""Signal -> how a process ends that gets it on the way. SIGINT is ignored: it goes on to success."""


def states(directory: Path) -> list[str]:
    """Return the states of the messages in a queue; none may be odd."""
    layout = detect_layout(directory)
    messages = [read_message(layout, number) for number in list_messages(layout)]
    assert [message.anomalies for message in messages] == [()] * len(messages)
    return [message.state.name if message.state else "none" for message in messages]


@pytest.mark.parametrize("name", ENDS)
def test_signal_after_any_step_leaves_the_message_whole_or_not_queued(tmp_path: Path, name: str) -> None:
    """S1 … S3 before todo is linked, S4 after it; success only where it is queued; the files stay where they are."""
    done = subprocess.run(
        [sys.executable, str(CHILD), str(tmp_path), name, str(len(STATES))],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=120,
    )
    assert done.stderr == b""
    *ends, unharmed = json.loads(done.stdout)
    left = [states(tmp_path / f"{name}.{step}") for step in range(len(STATES) + 1)]
    goes_on = ENDS[name] == 0
    expected = [["S4"] if goes_on or state == "S4" else [] if state == "S1" else [state] for state in STATES]
    assert (ends, unharmed, left) == ([ENDS[name]] * len(STATES), 0, [*expected, ["S4"]])


@pytest.fixture
def layout(tmp_path: Path) -> QueueLayout:
    """Return an empty queue."""
    return create_queue(tmp_path / "queue1", split=3)


Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(layout: QueueLayout) -> Iterator[Start]:
    """Return a function that starts the verb as a mail server does: two pipes that it has to close itself."""
    started: list[subprocess.Popen[bytes]] = []

    def run(stdin: int = subprocess.PIPE, **environ: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "indimail_kit", "qmail-queue"],
            stdin=stdin,
            stderr=subprocess.PIPE,
            env=os.environ | {"QUEUEDIR": str(layout.directory), "CONTROLDIR": "/nonexistent"} | environ,
            stdout=envelope_reader,
            process_group=0,
        )
        started.append(process)
        return process

    envelope_reader, envelope_writer = os.pipe()
    run.envelope_fd = envelope_writer  # type: ignore[attr-defined]  # for the tests
    yield run
    for fd in (envelope_reader, envelope_writer):
        try:
            os.close(fd)
        except OSError:
            continue
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stderr):
            if stream is not None:
                stream.close()


def until(condition: Callable[[], object]) -> None:
    """Wait for something, at most 20 s."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def has(layout: QueueLayout, kind: str) -> Callable[[], bool]:
    """Return a condition: there is a file of a kind."""
    return lambda: any(path.is_file() for path in (layout.directory / kind).rglob("*"))


def is_napping(nap: str) -> Callable[[], bool]:
    """Return a condition: the scanner runs."""

    def found() -> bool:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if path.read_bytes() == f"/bin/sleep\0{nap}\0".encode():
                    return True
        return False

    return found


def test_message_comes_first_and_the_envelope_may_wait(start: Start, layout: QueueLayout) -> None:
    """A server writes the envelope when the message has been taken; the program neither hangs nor hurries."""
    process = start()
    assert process.stdin is not None
    process.stdin.write(MESSAGE)
    process.stdin.close()
    until(has(layout, "intd"))
    assert states(layout.directory) == ["S3"]
    os.write(start.envelope_fd, ENVELOPE)  # type: ignore[attr-defined]  # and kept open
    assert (process.wait(20), states(layout.directory)) == (0, ["S4"])


@pytest.mark.parametrize(
    ("number", "end"), [(signal.SIGKILL, -9), (signal.SIGTERM, -15), (signal.SIGALRM, 52)], ids=str
)
@pytest.mark.parametrize("place", ["message", "scanner", "envelope"])
def test_signal_while_it_waits_ends_it_at_once(
    start: Start, layout: QueueLayout, number: int, end: int, place: str
) -> None:
    """For the message, for the scanner, for the envelope: nothing is queued, what was made stays."""
    nap = f"4.{os.getpid()}{number}"  # told from every other sleep on this machine
    process = start(**({"QHPSI": f"/bin/sleep {nap}"} if place == "scanner" else {}))
    assert process.stdin is not None
    process.stdin.write(MESSAGE)
    process.stdin.flush()
    if place != "message":
        process.stdin.close()
    until({"message": has(layout, "mess"), "envelope": has(layout, "intd"), "scanner": is_napping(nap)}[place])
    process.send_signal(number)
    assert (process.wait(20), states(layout.directory)) == (end, ["S3" if place == "envelope" else "S2"])


def test_death_is_the_end_of_a_caller_that_never_writes(start: Start, layout: QueueLayout) -> None:
    """DEATH, in seconds: exit code 52, or its text when it is asked for."""
    process = start(DEATH="1", QMAIL_QUEUE_CUSTOM_ERROR="1")
    assert process.stderr is not None
    assert (process.wait(20), process.stderr.read(), states(layout.directory)) == (
        88,
        b"Zqmail-queue: timer expired (#4.3.0)",
        ["S2"],
    )


@pytest.mark.parametrize(("closed", "exit_code"), [("0", 54), ("1", 54), ("2", 0), ("012", 54)])
def test_closed_descriptor_is_no_file_of_the_queue(layout: QueueLayout, closed: str, exit_code: int) -> None:
    """The queue's own files must not become fd 0 … 2: a closed fd 0 is a read error, not somebody's mess file."""
    script = f'exec "$0" -m indimail_kit qmail-queue {" ".join(f"{fd}<&-" for fd in closed)}'
    message, envelope = layout.directory.parent / "message", layout.directory.parent / "envelope"
    message.write_bytes(MESSAGE)
    envelope.write_bytes(ENVELOPE)
    with message.open("rb") as fd0, envelope.open("rb") as fd1:
        done = subprocess.run(
            ["/bin/sh", "-c", script, sys.executable],
            stdin=fd0,
            stdout=fd1,
            stderr=subprocess.PIPE,
            env=os.environ | {"QUEUEDIR": str(layout.directory), "CONTROLDIR": "/nonexistent"},
            timeout=60,
        )
    assert (done.returncode, done.stderr, states(layout.directory)) == (exit_code, b"", [] if exit_code else ["S4"])


@pytest.fixture
def drop_in(tmp_path: Path) -> Path:
    """Return the program that pip makes of the entry point, so that QMAILQUEUE can name it."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    module, _, function = scripts["indimail-kit-qmail-queue"].partition(":")
    program = tmp_path / "indimail-kit-qmail-queue"
    program.write_text(f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n")
    program.chmod(0o755)
    return program


def run_drop_in(program: Path, layout: QueueLayout, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run the drop-in as qmail_open() does: argv[0] and nothing else."""
    envelope = layout.directory.parent / "envelope"
    envelope.write_bytes(ENVELOPE)
    with envelope.open("rb") as fd1:
        return subprocess.run(
            [program],
            input=MESSAGE,
            stdout=fd1,
            stderr=subprocess.PIPE,
            env=os.environ
            | {"QUEUEDIR": str(layout.directory), "CONTROLDIR": "/nonexistent", "PYTHONPATH": str(ROOT)}
            | environ,
            timeout=60,
        )


def test_drop_in_needs_no_arguments(drop_in: Path, layout: QueueLayout) -> None:
    """QMAILQUEUE names a program, without words behind it."""
    done = run_drop_in(drop_in, layout)
    assert (done.returncode, done.stderr, states(layout.directory)) == (0, b"", ["S4"])


@pytest.mark.parametrize(("name", "exit_code"), [("qmail-multi", 53), ("qmail-queue", 0), ("qmail-nullqueue", 0)])
def test_drop_in_is_what_its_name_says(drop_in: Path, layout: QueueLayout, name: str, exit_code: int) -> None:
    """A link named qmail-multi looks at MIN_FREE, one named qmail-nullqueue keeps nothing."""
    link = drop_in.with_name(name)
    link.symlink_to(drop_in)
    done = run_drop_in(link, layout, MIN_FREE=str(10**18))
    left = ["S4"] if name == "qmail-queue" else []
    assert (done.returncode, done.stderr, states(layout.directory)) == (exit_code, b"", left)


def test_drop_in_refuses_a_sync_that_it_does_not_know(drop_in: Path, layout: QueueLayout) -> None:
    """55 and a line on descriptor 2: to go on with another one could lose mail."""
    done = run_drop_in(drop_in, layout, INDIMAIL_KIT_SYNC="fast")
    assert (done.returncode, done.stderr, states(layout.directory)) == (
        55,
        b"qmail-queue: INDIMAIL_KIT_SYNC that is none of safe, qmail, indimail\n",
        [],
    )


def test_scanner_counts_though_the_caller_ignores_sigchld(drop_in: Path, layout: QueueLayout) -> None:
    """Popen takes an exit code that is lost for 0, clean: a virus would go through."""
    environ = {"QHPSI": "/bin/false %s", "REJECTVIRUS": "1"}
    wrapper = drop_in.with_name("wrapper")
    wrapper.write_text(
        f"#!{sys.executable}\nimport os, signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        f"os.execv({str(drop_in)!r}, ['qmail-queue'])\n"
    )
    wrapper.chmod(0o755)
    done = run_drop_in(wrapper, layout, **environ)
    assert (done.returncode, states(layout.directory)) == (33, [])
