"""What the recorded calls of qmail-queue are made with again: the whole program, in this process, with real files."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.delivery.qmail_queue import QmailQueue
from indimail_kit.mailqueue.layout import KINDS

CUSTOM = re.compile(r"Zqmail-queue: ((?:qhpsi: )?[^:(]+?)Z?(?:: .+)? \(#4\.3\.0\)")
"""The text of QMAIL_QUEUE_CUSTOM_ERROR. The Z behind "directory" is a bug of the real program, which prints what lies
behind its buffer; behind the colon stands whatever errno holds."""


def classify(text: str) -> str:
    """Say who speaks on descriptor 2: nobody, qhpsi, the scanner or filter, or qmail-queue itself and what it says."""
    if custom := CUSTOM.fullmatch(text):
        return f"qmail-queue: {custom[1].strip()}"
    if "qhpsi: fatal: " in text:
        return "qhpsi"
    return "scanner" if text else "nobody"


@dataclass(frozen=True)
class Ended:
    """How a call ended.

    Attributes:
        exit_code: Its exit code.
        stderr: What is on descriptor 2.
        files: Path below the queue -> text, for every file of a message that is left.
    """

    exit_code: int
    stderr: str
    files: dict[str, str]

    @property
    def stderr_class(self) -> str:
        """Say who speaks on descriptor 2."""
        return classify(self.stderr)

    def of_kind(self, kind: str) -> list[str]:
        """Return the texts of the files of one kind."""
        return [text for path, text in self.files.items() if path.startswith(f"{kind}/")]


Program = Callable[..., Ended]


def left_in(queue: Path) -> dict[str, str]:
    """Return the files of messages in a queue."""
    paths = [path for kind in (*KINDS, "pid") for path in (queue / kind).rglob("*") if path.is_file()]
    return {str(path.relative_to(queue)): path.read_bytes().decode("latin-1") for path in paths}


@pytest.fixture
def stderr_class() -> Callable[[str], str]:
    """Return the function that says who speaks on descriptor 2."""
    return classify


@pytest.fixture
def program() -> Program:
    """Return a function that runs the program on a message and an envelope, and looks at what it left in a queue."""

    def run(environ: Mapping[str, str], message: bytes | int, envelope: bytes, queue: Path, **options: Any) -> Ended:
        with tempfile.TemporaryFile() as fd0, tempfile.TemporaryFile() as fd1, tempfile.TemporaryFile() as fd2:
            fd0.write(message if isinstance(message, bytes) else b"")
            fd1.write(envelope)
            for file in (fd0, fd1):
                file.seek(0)
            message_fd = message if isinstance(message, int) else fd0.fileno()
            call = QmailQueue(
                environ={"CONTROLDIR": "/nonexistent", **environ},
                message_fd=message_fd,
                envelope_fd=fd1.fileno(),
                error_fd=fd2.fileno(),
                host="vm",
                **options,
            )
            descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (a count of names)
            exit_code = call.run()
            assert len(os.listdir("/proc/self/fd")) == descriptors  # noqa: PTH208
            fd2.seek(0)
            return Ended(exit_code, fd2.read().decode("utf-8"), left_in(queue))

    return run
