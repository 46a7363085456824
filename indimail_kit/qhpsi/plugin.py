"""``QHPSI="plugin: a.so b.so"``: shared objects with ``int virusscan(const char *)``, always in a child process.

Source: IndiMail indimail-mta-x/qhpsi.c: PLUGINDIR and names without a slash, below IndiMail's home; dlopen, dlsym,
call; the first result other than 0 ends the list and is the exit code.

Note for maintainers: the plugins that ``make install`` puts into /usr/lib/indimail/plugins are not found by qhpsi,
which looks into /var/indimail/PLUGINDIR; the manual says otherwise.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from indimail_kit.qhpsi.child import EXEC_FAILED, ChildEnd, run_child
from indimail_kit.qhpsi.command import DEFAULT_TIMEOUT_S, answer_of, name_for_child
from indimail_kit.qhpsi.config import PLUGIN_PREFIX, QhpsiConfig
from indimail_kit.qhpsi.makeargs import build_argv
from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict, visible

HOME: Final = Path("/var/indimail")
"""Where PLUGINDIR lies. Source: indimail-mta-x/conf-qmail."""

_CHILD: Final = Path(__file__).with_name("plugin_child.py")
"""The program that stands in for /usr/sbin/qhpsi."""


@dataclass(frozen=True, slots=True)
class PluginScanner:
    """Ask the plugins that QHPSI names; a `Scanner`.

    Attributes:
        config: The QHPSI variables.
        environ: Environment of the plugins.
        home: Directory in which PLUGINDIR lies.
        cwd: Working directory; messages below it are named relative to it.
        timeout_s: Time limit for all plugins together (unit: s).
        run_as: User to run as; needs root. None = as we are.
        python: Interpreter of the child.
        clock_ns: Monotonic clock (unit: ns).
    """

    config: QhpsiConfig
    environ: Mapping[str, str] = field(repr=False)
    home: Path = HOME
    cwd: Path | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    run_as: str | None = None
    python: str = sys.executable
    clock_ns: Callable[[], int] = field(default=time.monotonic_ns, repr=False)

    def __call__(self, path: Path) -> ScanAnswer:
        """Run the plugins on a message."""
        file_name = name_for_child(path, self.cwd)
        _, *names = build_argv(self.config.command or PLUGIN_PREFIX, file_name, self.environ)
        start_ns = self.clock_ns()
        end = self._run(file_name, names)
        elapsed_ns = self.clock_ns() - start_ns
        answer = answer_of(end, self.config, scanner=" ".join([PLUGIN_PREFIX, *names]), elapsed_ns=elapsed_ns)
        if answer.verdict is Verdict.ERROR and answer.raw:
            return _with_last_line(answer)
        return answer

    def _run(self, file_name: str, names: list[str]) -> ChildEnd:
        """Start the child that loads them one after the other."""
        if not self.python:
            return ChildEnd(exit_code=EXEC_FAILED, problem="no Python interpreter for the plugins' child process")
        # -I -S: nothing of the environment or of site-packages has a say in the child.
        interpreter = (self.python, "-I", "-S", str(_CHILD))
        return run_child(
            [*interpreter, str(self.home), self.config.plugin_dir, self.config.symbol, file_name, *names],
            environ=self.environ,
            cwd=self.cwd,
            timeout_s=self.timeout_s,
            run_as=self.run_as,
            clock_ns=self.clock_ns,
        )


def _with_last_line(answer: ScanAnswer) -> ScanAnswer:
    """Add what the child said last to the reason: it names the plugin that could not be loaded."""
    from dataclasses import replace

    last_line = visible(answer.raw.rstrip().rpartition(b"\n")[2])
    return replace(answer, reason=f"{answer.reason}: {last_line}")
