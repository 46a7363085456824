"""A QHPSI string -> exit code of the program that it names, without a shell.

Source: IndiMail indimail-mta-x/qmail-queue.c `qhpsiprog()`, qhpsi.c.

Deviation: IndiMail's scanner inherits the envelope pipe as descriptor 1 and the message open for writing as 3
(recorded: data/indimail/qhpsi, "scanner writes fd 3"), and an empty standard input. Ours has the message as its
standard input, read-only, its output in a pipe of ours, and no other descriptor. A script without ``#!`` is not run
(execvp would hand it to /bin/sh).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from indimail_kit.qhpsi.child import EXEC_FAILED, ChildEnd, run_child
from indimail_kit.qhpsi.config import PLUGIN_PREFIX, QhpsiConfig
from indimail_kit.qhpsi.decision import verdict_of
from indimail_kit.qhpsi.makeargs import build_argv
from indimail_kit.qhpsi.mess_file import describe, open_message
from indimail_kit.qhpsi.scan_user import NOT_ROOT, ScanUser, can_read, copy_for, scan_user
from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict

DEFAULT_TIMEOUT_S: Final = 120.0
"""Time limit of one scan (unit: s): clamd's own MaxScanTime. qmail-queue itself would wait 86,400 s (DEATH)."""


SCANNER_DESCRIPTORS: Final = {
    0: ("the client's connection to qmail-queue, read to its end", "the message, read-only"),
    1: ("the reading end of the envelope's pipe", "a pipe of ours: the scanner's output"),
    2: ("qmail-queue's standard error", "the same pipe"),
    3: ("the message, open for writing", ""),
}
"""Descriptor -> what it is for a scanner under IndiMail, and here ("" = closed).

Source: recorded calls (data/indimail/qhpsi: "dump single", "scanner writes fd 3", scanners.json "steal"); 0 is read in
qmail-queue.c. A scanner that writes to 3 changes the mail; one that reads 1 eats the envelope (exit code 54).
"""


def name_for_child(path: Path, cwd: Path | None) -> str:
    """Return the name that a child in `cwd` finds the message by: relative where it can be, as qmail-queue gives it."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
    if cwd is not None and absolute.is_relative_to(home := Path(os.path.abspath(cwd))):  # noqa: PTH100
        return str(absolute.relative_to(home))
    return str(absolute)


@dataclass(frozen=True, slots=True)
class Handover:
    """How a child gets the message.

    Attributes:
        file_name: Its name for the child: the message itself, or a copy where the child's user cannot reach it.
        descriptor: The message, open for reading: the child's standard input.
        user: Whom the child runs as; None = as we are.
    """

    file_name: str
    descriptor: int
    user: ScanUser | None


@contextmanager
def hand_over(path: Path, cwd: Path | None, run_as: str | None) -> Iterator[Handover]:
    """Make a message readable for a child for as long as the block lasts.

    Raises:
        KeyError: There is no such user.
        OSError: The message is not a regular file, or cannot be read or copied.
    """
    user = scan_user(run_as)
    with open_message(path) as (descriptor, _):
        if user is None or can_read(user, path):
            yield Handover(name_for_child(path, cwd), descriptor, user)
            return
        with copy_for(user, descriptor, path.name) as copy:
            yield Handover(str(copy), descriptor, user)


def failed_handover(error: KeyError | OSError, run_as: str | None) -> ChildEnd:
    """Return the end of a child that never began."""
    what = f"message: {describe(error)}" if isinstance(error, OSError) else f"no user {run_as}"
    return ChildEnd(exit_code=EXEC_FAILED, problem=what)


def answer_of(end: ChildEnd, config: QhpsiConfig, *, scanner: str, elapsed_ns: int) -> ScanAnswer:
    """Turn the end of a scanning child into an answer; only QHPSIRN's exit code is CLEAN."""
    if end.problem:
        return ScanAnswer(Verdict.ERROR, "", scanner, elapsed_ns, end.problem, end.output, scanner_rc=end.exit_code)
    if end.exit_code is None:
        reason = f"ended by signal {end.signal_number} ({signal.strsignal(end.signal_number)})"
        return ScanAnswer(Verdict.ERROR, "", scanner, elapsed_ns, reason, end.output, signal_number=end.signal_number)
    verdict = verdict_of(config, end.exit_code)
    expected = f"QHPSIRC ({config.infected_rc}) nor QHPSIRN ({config.clean_rc})"
    reason = f"exit code {end.exit_code}, neither {expected}" if verdict is Verdict.ERROR else ""
    return ScanAnswer(verdict, "", scanner, elapsed_ns, reason, end.output, scanner_rc=end.exit_code)


@dataclass(frozen=True, slots=True)
class CommandScanner:
    """Ask the program that QHPSI names; a `Scanner`.

    Attributes:
        config: The QHPSI variables.
        environ: Environment of the program, and where ``$VAR`` is looked up.
        cwd: Working directory of the program; messages below it are named relative to it. None = ours.
        timeout_s: Time limit; after it the program and its process group are killed (unit: s).
        run_as: User to run as, without supplementary groups; needs root. NOT_ROOT = if we are root, qscand or nobody.
            None = as we are. Where this user cannot reach the message it gets a copy.
        clock_ns: Monotonic clock (unit: ns).
    """

    config: QhpsiConfig
    environ: Mapping[str, str] = field(repr=False)
    cwd: Path | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    run_as: str | None = NOT_ROOT
    clock_ns: Callable[[], int] = field(default=time.monotonic_ns, repr=False)

    def __call__(self, path: Path) -> ScanAnswer:
        """Run the program on a message."""
        start_ns = self.clock_ns()
        argv: list[str] = []
        user = None
        try:
            with hand_over(path, self.cwd, self.run_as) as message:
                argv, user = build_argv(self.config.command or "", message.file_name, self.environ), message.user
                end = self._run(argv, message)
        except (KeyError, OSError) as error:
            end = failed_handover(error, self.run_as)
        scanner = argv[0] if argv else ""
        answer = answer_of(end, self.config, scanner=scanner, elapsed_ns=self.clock_ns() - start_ns)
        return replace(answer, argv=tuple(argv), user=user.name if user is not None else "")

    def _run(self, argv: list[str], message: Handover) -> ChildEnd:
        """Start the program as qhpsi does: PATH is searched unless the name starts with / or a dot."""
        if not argv or not argv[0]:
            return ChildEnd(exit_code=EXEC_FAILED, problem="no program in QHPSI")
        if argv[0].startswith(PLUGIN_PREFIX):
            # A blank in front of "plugin:" makes qhpsi scan a file with an empty name: refused.
            return ChildEnd(exit_code=EXEC_FAILED, problem='white space before "plugin:" in QHPSI')
        # Popen would look for ".name" in PATH; execv() would not.
        executable = f"./{argv[0]}" if argv[0].startswith(".") and "/" not in argv[0] else None
        return run_child(
            argv,
            executable=executable,
            environ=self.environ,
            cwd=self.cwd,
            timeout_s=self.timeout_s,
            user=message.user,
            stdin=message.descriptor,
            clock_ns=self.clock_ns,
        )
