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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from indimail_kit.qhpsi.child import EXEC_FAILED, ChildEnd, run_child
from indimail_kit.qhpsi.command import DEFAULT_TIMEOUT_S, Handover, answer_of, failed_handover, hand_over
from indimail_kit.qhpsi.config import PLUGIN_PREFIX, QhpsiConfig
from indimail_kit.qhpsi.makeargs import build_argv
from indimail_kit.qhpsi.scan_user import NOT_ROOT
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
        run_as: User to run as; needs root. NOT_ROOT = if we are root, qscand or nobody; None = as we are.
        python: Interpreter of the child.
        clock_ns: Monotonic clock (unit: ns).
    """

    config: QhpsiConfig
    environ: Mapping[str, str] = field(repr=False)
    home: Path = HOME
    cwd: Path | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    run_as: str | None = NOT_ROOT
    python: str = sys.executable
    clock_ns: Callable[[], int] = field(default=time.monotonic_ns, repr=False)

    def __call__(self, path: Path) -> ScanAnswer:
        """Run the plugins on a message."""
        start_ns = self.clock_ns()
        _, *names = build_argv(self.config.command or PLUGIN_PREFIX, "", self.environ)
        file_name, user = "", None
        try:
            with hand_over(path, self.cwd, self.run_as) as message:
                file_name, user = message.file_name, message.user
                end = self._run(message, names)
        except (KeyError, OSError) as error:
            end = failed_handover(error, self.run_as)
        elapsed_ns = self.clock_ns() - start_ns
        answer = answer_of(end, self.config, scanner=" ".join([PLUGIN_PREFIX, *names]), elapsed_ns=elapsed_ns)
        argv = (PLUGIN_PREFIX + file_name, *names)
        answer = replace(answer, argv=argv, user=user.name if user is not None else "")
        if answer.verdict is Verdict.ERROR and answer.raw:
            return _with_last_line(answer)
        return answer

    def _run(self, message: Handover, names: list[str]) -> ChildEnd:
        """Start the child that loads them one after the other; it gives up root itself."""
        if not self.python:
            return ChildEnd(exit_code=EXEC_FAILED, problem="no Python interpreter for the plugins' child process")
        user = message.user
        numbers = ("-", "-") if user is None else (str(user.uid), str(user.gid))
        # -I -S: nothing of the environment or of site-packages has a say in the child.
        interpreter = (self.python, "-I", "-S", str(_CHILD))
        places = (str(self.home), self.config.plugin_dir, self.config.symbol, message.file_name)
        return run_child(
            [*interpreter, *places, *numbers, *names],
            environ=self.environ,
            cwd=self.cwd,
            timeout_s=self.timeout_s,
            stdin=message.descriptor,
            clock_ns=self.clock_ns,
        )


def _with_last_line(answer: ScanAnswer) -> ScanAnswer:
    """Add what the child said last to the reason: it names the plugin that could not be loaded."""
    last_line = visible(answer.raw.rstrip().rpartition(b"\n")[2])
    return replace(answer, reason=f"{answer.reason}: {last_line}")
