"""FILTERARGS: what the filter makes of the message, and how its end becomes qmail-multi's."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from indimail_kit.errors import QueueError
from indimail_kit.mailqueue.mail_filter import filter_message, split_filter

MESSAGE = b"Subject: hi\n\nbody\n"


def filtered(text: str, environ: dict[str, str] | None = None) -> bytes | None:
    """Return what a filter makes of the message."""
    with tempfile.TemporaryFile() as file:
        file.write(MESSAGE)
        file.seek(0)
        result = filter_message(file.fileno(), text, environ or {"PATH": "/usr/bin:/bin"}, error_fd=subprocess.DEVNULL)
    if result is None:
        return None
    with result:
        return result.read()


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("/bin/cat", MESSAGE),
        ("sed s/hi/ho/", MESSAGE.replace(b"hi", b"ho")),
        ("/bin/true", b""),
        ("/bin/sh -c 'exit 2'", None),
        ("/bin/sh -c 'exit 99'", None),
    ],
)
def test_filter_makes_another_message_or_none(text: str, result: bytes | None) -> None:
    """Exit code 0: its output is the message. 2 and 99: there is none, and that is a success."""
    assert filtered(text) == result


@pytest.mark.parametrize(
    ("end", "exit_code"),
    [("exit 1", 71), ("exit 31", 31), ("exit 88", 88), ("exit 100", 31), ("exit 111", 71), ("kill -SEGV $$", 123)],
)
def test_end_of_the_filter_is_an_end_of_qmail_multi(end: str, exit_code: int) -> None:
    """The recorded ones and the others of mailfilter.c."""
    with pytest.raises(QueueError) as caught:
        filtered(f"/bin/sh -c '{end}'")
    assert caught.value.exit_code == exit_code


def test_filter_whose_end_cannot_be_seen_is_not_believed() -> None:
    """With SIGCHLD ignored every exit code would look like 0, and a mail that was refused would go on."""
    old = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(QueueError, match="SIGCHLD is ignored") as caught:
            filtered("/bin/sh -c 'exit 100'")
    finally:
        signal.signal(signal.SIGCHLD, old)
    assert caught.value.exit_code == 71


@pytest.mark.parametrize("text", ["/no/such", "/etc/passwd", "/"])
def test_filter_that_cannot_start_is_temporary(text: str) -> None:
    """71, as the shell's 127 and 126 become; the text names the program."""
    with pytest.raises(QueueError, match=text) as caught:
        filtered(text)
    assert caught.value.exit_code == 71


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "cat | tee x",
        "cat > x",
        "A=1 cat",
        "cat $X",
        'cat "$X"',
        "cat `id`",
        "ls *",
        "cat 'x",
        "a\nb",
        "a\\ b",
    ],
)
def test_text_that_needs_a_shell_is_refused_and_not_guessed(text: str) -> None:
    """The real program would hand it to /bin/sh; without one it would mean something else."""
    with pytest.raises(QueueError, match="a shell would be needed") as caught:
        split_filter(text)
    assert caught.value.exit_code == 71


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/bin/sh -c 'exit 100'", ["/bin/sh", "-c", "exit 100"]),
        ('a "b c" d=e', ["a", "b c", "d=e"]),
        ("a  'b|c'\t''", ["a", "b|c", ""]),
        ("a b'c'\"d\"e", ["a", "bcde"]),
    ],
)
def test_plain_commands_are_split_as_a_shell_splits_them(text: str, words: list[str]) -> None:
    """A real shell says the same."""
    shell = subprocess.run(["/bin/sh", "-c", f"printf '%s\\0' {text}"], capture_output=True, check=True).stdout
    assert split_filter(text) == words == shell.decode().split("\0")[:-1]


def test_filter_gets_neither_filterargs_nor_our_descriptors(tmp_path: Path) -> None:
    """A qmail-inject in the filter must not filter again; fd 1 is its output, not the envelope."""
    script = tmp_path / "filter"
    script.write_text("#!/bin/sh\nenv\nreadlink /proc/$$/fd/*\nexit 0\n", encoding="ascii")
    script.chmod(0o755)
    fd = os.open("/etc/passwd", os.O_RDONLY)
    try:
        said = filtered(str(script), {"PATH": "/bin", "FILTERARGS": "x", "SPAMFILTER": "x", "A": "1"}) or b""
    finally:
        os.close(fd)
    assert (b"\nA=1\n" in b"\n" + said, b"FILTER" in said, b"passwd" in said) == (True, False, False)
