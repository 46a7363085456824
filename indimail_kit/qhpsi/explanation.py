"""What an environment would do with a message, and why, without a message: settings, arguments, way, end, pitfalls.

Source: IndiMail indimail-mta-x/qmail-queue.c, qhpsi.c; recorded calls (data/indimail/qhpsi).

Rule 1: the decision is decision_tree's; here it is put into words.
Rule 2: nothing is run. Files are looked at only when the caller asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from indimail_kit.exitcodes import exit_code
from indimail_kit.qhpsi.child import EXEC_FAILED
from indimail_kit.qhpsi.config import QhpsiConfig
from indimail_kit.qhpsi.decision import ScanAction, decide, is_scanned, outcome
from indimail_kit.qhpsi.decision_tree import Step, action_of, path_of
from indimail_kit.qhpsi.explanation_steps import Ending, Telling, Variable, tell, tell_end
from indimail_kit.qhpsi.pitfalls import POLICY_RULES, Pitfall, Scene, apply_rules, scene_of, worst_first
from indimail_kit.qhpsi.pitfalls_command import COMMAND_RULES, NOT_LOOKED_RULES
from indimail_kit.qhpsi.pitfalls_files import look_at_files
from indimail_kit.wiring import html_of

ENVIRONMENT: Final = "environment"
"""Origin of a variable of which nobody said more."""

FILE_NAME: Final = "mess/16/660188"
"""The message of the examples: the seed text's."""

MESSAGE_BYTES: Final = 4096
"""Size of a message of which nothing is said (unit: octets)."""

DEFAULTS: Final = {
    "FASTQUEUE": "0",
    "QHPSI": "",
    "QHPSIMINSIZE": "0",
    "QHPSIMAXSIZE": "0",
    "QHPSIRC": "1",
    "QHPSIRN": "0",
    "REJECTVIRUS": "0",
    "VIRUSFORWARD": "",
    "QUARANTINE": "",
    "PLUGINDIR": "plugins",
    "QUEUE_PLUGIN_SYMB": "virusscan",
}
"""Variable -> what counts when it is not set, in the order of reading. Source: qmail-queue.c, qhpsi.c."""

_OPTIONAL: Final = ("QUEUE_PLUGIN", "QMAIL_QUEUE_CUSTOM_ERROR")
"""Variables that are shown only when they are set."""

_PLUGIN_ONLY: Final = ("PLUGINDIR", "QUEUE_PLUGIN_SYMB")

CUSTOM_ERROR_RC: Final = 88
"""qmail-queue's exit code for every refusal under QMAIL_QUEUE_CUSTOM_ERROR. Source: recorded calls."""

_CUSTOM_TEXTS: Final = {
    ScanAction.BOUNCE: "qhpsi: message contains virus",
    ScanAction.TEMPFAIL: "qhpsi: unable to run QHPSI scanner",
    ScanAction.CRASHED: "qhpsi: qmail-queue crashed",
}
"""Action -> text under QMAIL_QUEUE_CUSTOM_ERROR. Source: qmail-queue.c, die()."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an environment would do with a message.

    Attributes:
        argv: What qhpsi is handed; empty when QHPSI is not set or names nothing.
        action: What qmail-queue does.
        header: The line that is added to the message, "" for none.
        exit_code: qmail-queue's exit code.
        smtp_reply: What the client reads.
        steps: What is asked and done, in order, one sentence or two each.
        warnings: The pitfalls, worst first.
        variables: Every variable that counts, with its value and origin.
        endings: What each way for the scanner to end would lead to; empty when no scanner is asked.
        path: The way through the decision tree.
    """

    argv: tuple[str, ...]
    action: ScanAction
    header: str
    exit_code: int
    smtp_reply: str
    steps: tuple[str, ...]
    warnings: tuple[Pitfall, ...]
    variables: tuple[Variable, ...]
    endings: tuple[Ending, ...]
    path: tuple[Step, ...] = field(repr=False)

    def __repr__(self) -> str:
        """Return one line: the end, and how many pitfalls there are."""
        header = f", {self.header.rstrip()!r}" if self.header else ""
        return (
            f"<Explanation: {self.action.value}; exit code {self.exit_code}, {self.smtp_reply!r}{header}, "
            f"{len(self.steps)} steps, {len(self.warnings)} warnings>"
        )

    def _repr_html_(self) -> str:
        """Return the repr, escaped; for a notebook."""
        return html_of(self)

    def as_document(self) -> dict[str, object]:
        """Return the document of `qhpsi explain --json` (INTERFACE)."""
        return {
            "argv": list(self.argv),
            "action": self.action.name,
            "header": self.header,
            "exit_code": self.exit_code,
            "smtp_reply": self.smtp_reply,
            "steps": list(self.steps),
            "warnings": [
                {
                    "key": one.key,
                    "danger": one.danger.name,
                    "variables": list(one.variables),
                    "text": one.text,
                }
                for one in self.warnings
            ],
            "variables": [
                {"name": one.name, "value": one.value, "is_set": one.is_set, "origin": one.origin}
                for one in self.variables
            ],
            "endings": [
                {
                    "scanner": one.scanner,
                    "action": one.action.name,
                    "exit_code": one.exit_code,
                    "smtp_reply": one.smtp_reply,
                    "header": one.header,
                }
                for one in self.endings
            ],
        }


def _variables(environ: Mapping[str, str], origins: Mapping[str, str], config: QhpsiConfig) -> tuple[Variable, ...]:
    """Return every variable that counts, with its origin."""
    names = [
        *(name for name in DEFAULTS if config.is_plugin or name not in _PLUGIN_ONLY or name in environ),
        *(name for name in _OPTIONAL if name in environ),
    ]
    return tuple(
        Variable(name, environ[name], origins.get(name, ENVIRONMENT), is_set=True)
        if name in environ
        else Variable(name, DEFAULTS[name], origins.get(name, ""), is_set=False)
        for name in names
    )


def _forced_end(scene: Scene) -> tuple[int, str] | None:
    """Return qhpsi's exit code, and why, where no scanner comes to run; else None."""
    if scene.config.is_plugin:
        if "/" in scene.config.plugin_dir:
            return 87, "PLUGINDIR holds a /"
        if not scene.arguments:
            return 255, "there is no plugin in the list"
        if "/" in scene.arguments[0]:
            return 87, f"the plugin's name {scene.arguments[0]} holds a /"
        return None
    return None if scene.argv and scene.argv[0] else (EXEC_FAILED, "QHPSI names no program")


def _ending(scanner: str, action: ScanAction, scene: Scene) -> Ending:
    """Return what an action means for queue and client."""
    means = outcome(action, scene.config)
    if means.exit_code and "QMAIL_QUEUE_CUSTOM_ERROR" in scene.environ:
        reply = f"451 qmail-queue: {_CUSTOM_TEXTS[action]} (#4.3.0)"
        return Ending(scanner, action, CUSTOM_ERROR_RC, reply, "")
    # VIRUSFORWARD takes the place of QUARANTINE, and FASTQUEUE does without it.
    is_kept = bool(scene.environ.get("QUARANTINE")) and not scene.config.is_fast_queue and not means.forward_to
    is_gone = bool(means.exit_code) or (means.is_swallowed and not is_kept)
    header = "" if is_gone else means.header.decode("ascii")
    reply = exit_code(means.exit_code).smtp_reply
    return Ending(scanner, action, means.exit_code, reply, header, is_kept and not means.exit_code)


def _endings(scene: Scene, message_bytes: int) -> tuple[Ending, ...]:
    """Return what each way for the scanner to end leads to."""
    config = scene.config
    codes: dict[int | None, str] = {config.clean_rc: f"exit code {config.clean_rc} (QHPSIRN)"}
    codes[config.infected_rc] = f"exit code {config.infected_rc} (QHPSIRC)"
    other = next(code for code in (2, 3, 4) if code not in codes)
    codes |= {other: "any other exit code", None: "a signal"}
    return tuple(
        _ending(text, decide(config, message_bytes=message_bytes, scanner_rc=code), scene)
        for code, text in codes.items()
    )


def explain(
    environ: Mapping[str, str],
    *,
    message_bytes: int = MESSAGE_BYTES,
    scanner_rc: int | None = 0,
    file_name: str = FILE_NAME,
    origins: Mapping[str, str] | None = None,
    is_looking: bool = False,
) -> Explanation:
    """Tell what qmail-queue would do with a message in this environment.

    Args:
        environ: The variables as qmail-queue would find them.
        message_bytes: Size of the message, Received line included (unit: octets).
        scanner_rc: How the scanner shall end: its exit code, None for a signal. Where no scanner comes to run (no
            program, a slash in PLUGINDIR), qhpsi's own exit code counts instead.
        file_name: The message as the scanner shall see it.
        origins: Variable -> who set it (or unset it, for one that is not set); the rest is from the "environment".
        is_looking: Look whether the program or the plugins are on this machine.

    Example:
        >>> told = explain({"QHPSI": "/usr/bin/clamdscan --fdpass --quiet %s", "REJECTVIRUS": "1"}, scanner_rc=1)
        >>> told.smtp_reply
        '554 qq message contains virus (#5.7.1)'
        >>> told.steps[-2]
        'REJECTVIRUS=1 (environment): infected mail is refused.'
    """
    scene = scene_of(environ, file_name=file_name)
    config = scene.config
    variables = _variables(environ, origins or {}, config)
    forced = _forced_end(scene)
    rc = scanner_rc if forced is None else forced[0]
    path = path_of(config, message_bytes=message_bytes, scanner_rc=rc)
    end = _ending("", action_of(path), scene)
    by_name = {one.name: one for one in variables}
    telling = Telling(scene, by_name, message_bytes, rc, "" if forced is None else forced[1])
    is_open = forced is None and is_scanned(config, message_bytes=message_bytes)
    found = look_at_files(scene) if is_looking else apply_rules(NOT_LOOKED_RULES, scene)
    return Explanation(
        argv=scene.argv,
        action=end.action,
        header=end.header,
        exit_code=end.exit_code,
        smtp_reply=end.smtp_reply,
        steps=(*tell(path, telling), *tell_end(end, by_name["QUARANTINE"])),
        warnings=worst_first((*apply_rules((*POLICY_RULES, *COMMAND_RULES), scene), *found)),
        variables=variables,
        endings=_endings(scene, message_bytes) if is_open else (),
        path=path,
    )
