"""The deed: do with one mess file what the QHPSI variables say.

Source: IndiMail indimail-mta-x/qmail-queue.c `qhpsiprog()`.

Deviation: QHPSIRC and QHPSIRN apply to what a program answered. A scanner that failed (it could not be started, gave
no answer, met a limit) is a temporary refusal (77) even where the variables would read its exit code as clean or as a
virus, and a scanner that found something is never clean.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from indimail_kit.qhpsi.command import DEFAULT_TIMEOUT_S, CommandScanner
from indimail_kit.qhpsi.config import QhpsiConfig
from indimail_kit.qhpsi.decision import ScanAction, is_scanned, outcome
from indimail_kit.qhpsi.decision_tree import action_of, path_of_answer
from indimail_kit.qhpsi.makeargs import build_argv
from indimail_kit.qhpsi.mess_file import describe
from indimail_kit.qhpsi.plugin import HOME, PluginScanner
from indimail_kit.qhpsi.scan_user import NOT_ROOT
from indimail_kit.qhpsi.verdict import ScanAnswer, Scanner, Verdict
from indimail_kit.wiring import html_of

_MARK: Final = "the message"


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What the scan means for the queue.

    Attributes:
        answer: What the scanner said; None when it was not asked.
        action: What qmail-queue does.
        exit_code: qmail-queue's exit code; 0 = go on.
        header: Text for the e record, b"" for none.
        is_swallowed: Remove the message and answer 0, unless QUARANTINE keeps it.
        forward_to: Address that replaces the recipients, or "".
    """

    answer: ScanAnswer | None
    action: ScanAction
    exit_code: int
    header: bytes
    is_swallowed: bool
    forward_to: str

    def _repr_html_(self) -> str:
        """Return the repr, escaped; for a notebook."""
        return html_of(self)


def _report(answer: ScanAnswer | None, action: ScanAction, config: QhpsiConfig) -> ScanReport:
    """Put answer, action and its meaning together."""
    means = outcome(action, config)
    return ScanReport(answer, action, means.exit_code, means.header, means.is_swallowed, means.forward_to)


def scan_message(
    mess_path: Path, *, config: QhpsiConfig, scanner: Scanner, message_bytes: int | None = None
) -> ScanReport:
    """Scan a mess file as the variables say.

    Args:
        mess_path: The message, Received line included.
        config: The QHPSI variables.
        scanner: Who is asked.
        message_bytes: Size of the file (unit: octets); None = look.

    Returns:
        The report; it fits `mailqueue.enqueue`'s ScanOutcome. Nothing is raised for a scan that failed.
    """
    if not config.is_enabled:
        return _report(None, ScanAction.SKIP, config)
    if message_bytes is None:
        try:
            message_bytes = mess_path.stat().st_size
        except OSError as error:
            answer = ScanAnswer(Verdict.ERROR, reason=f"message: {describe(error)}")
            return _report(answer, ScanAction.TEMPFAIL, config)
    if not is_scanned(config, message_bytes=message_bytes):
        return _report(None, ScanAction.SKIP, config)
    try:
        answer = scanner(mess_path)
    except Exception as error:  # a scanner that breaks its promise not to raise must not let mail through either
        answer = ScanAnswer(Verdict.ERROR, reason=f"scanner raised {type(error).__name__}: {error}")
    return _report(answer, action_of(path_of_answer(config, answer, message_bytes=message_bytes)), config)


def scanner_for(
    config: QhpsiConfig,
    environ: Mapping[str, str],
    *,
    clamdscan: Scanner | None = None,
    cwd: Path | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    run_as: str | None = NOT_ROOT,
    home: Path = HOME,
) -> Scanner:
    """Choose who answers for what QHPSI says.

    Args:
        config: The QHPSI variables.
        environ: Environment of the scanner.
        clamdscan: Who takes the place of the program clamdscan (a ClamdClient saves its start; the embedded scanner
            needs no clamd), if QHPSI gives it the message. None = the program itself.
        cwd: Working directory of a program or plugin: the queue.
        timeout_s: Time limit of a program or plugin (unit: s).
        run_as: User of a program or plugin; needs root. NOT_ROOT = if we are root, qscand or nobody; None = as we are.
        home: Directory in which PLUGINDIR lies.
    """
    if config.is_plugin:
        return PluginScanner(config, environ, home=home, cwd=cwd, timeout_s=timeout_s, run_as=run_as)
    argv = build_argv(config.command or "", _MARK, environ)
    if clamdscan is not None and argv and os.path.basename(argv[0]) == "clamdscan" and _MARK in argv:  # noqa: PTH119
        return clamdscan
    return CommandScanner(config, environ, cwd=cwd, timeout_s=timeout_s, run_as=run_as)
