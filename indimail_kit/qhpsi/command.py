"""A QHPSI string -> exit code of the program that it names, without a shell.

Source: IndiMail indimail-mta-x/qmail-queue.c `qhpsiprog()`, qhpsi.c.

Deviation: IndiMail's scanner inherits the envelope pipe and the message open for writing; ours inherits nothing. A
script without ``#!`` is not run (execvp would hand it to /bin/sh).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from indimail_kit.qhpsi.child import EXEC_FAILED, ChildEnd, run_child
from indimail_kit.qhpsi.config import PLUGIN_PREFIX, QhpsiConfig
from indimail_kit.qhpsi.decision import verdict_of
from indimail_kit.qhpsi.makeargs import build_argv
from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict

DEFAULT_TIMEOUT_S: Final = 120.0
"""Time limit of one scan (unit: s): clamd's own MaxScanTime. qmail-queue itself would wait 86,400 s (DEATH)."""


def name_for_child(path: Path, cwd: Path | None) -> str:
    """Return the name that a child in `cwd` finds the message by: relative where it can be, as qmail-queue gives it."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
    if cwd is not None and absolute.is_relative_to(home := Path(os.path.abspath(cwd))):  # noqa: PTH100
        return str(absolute.relative_to(home))
    return str(absolute)


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
        run_as: User to run as without supplementary groups; needs root. The message is passed by its path, so this
            user must be able to reach and read it. None = as we are.
        clock_ns: Monotonic clock (unit: ns).
    """

    config: QhpsiConfig
    environ: Mapping[str, str] = field(repr=False)
    cwd: Path | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    run_as: str | None = None
    clock_ns: Callable[[], int] = field(default=time.monotonic_ns, repr=False)

    def __call__(self, path: Path) -> ScanAnswer:
        """Run the program on a message."""
        argv = build_argv(self.config.command or "", name_for_child(path, self.cwd), self.environ)
        start_ns = self.clock_ns()
        end = self._run(argv)
        scanner = argv[0] if argv else ""
        return answer_of(end, self.config, scanner=scanner, elapsed_ns=self.clock_ns() - start_ns)

    def _run(self, argv: list[str]) -> ChildEnd:
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
            run_as=self.run_as,
            clock_ns=self.clock_ns,
        )
