"""The way of a message through QHPSI's decision, in words: one sentence or two a question, and the end.

Source: IndiMail indimail-mta-x/qmail-queue.c, qhpsi.c.

Rule 1: a sentence that depends on a variable names it, its value and where that comes from.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from indimail_kit.qhpsi.decision import ScanAction
from indimail_kit.qhpsi.decision_tree import ACCEPT, NO, REFUSE, SCANNER, SIGNAL, SWALLOW, YES, Leaf, Step
from indimail_kit.qhpsi.pitfalls import Scene
from indimail_kit.qhpsi.pitfalls_command import PLUGIN_HOME


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable as it counts.

    Attributes:
        name: Its name.
        value: Its value; the default where it is not set.
        origin: Who set or unset it; "" = nobody.
        is_set: Whether it is set.
    """

    name: str
    value: str
    origin: str
    is_set: bool

    @property
    def told(self) -> str:
        """Return name, value and origin as one piece of a sentence."""
        shown = self.value if self.value.isprintable() and self.value else repr(self.value)
        what = f"{self.name}={shown}" if self.is_set else f"{self.name} is not set"
        return f"{what} ({self.origin})" if self.origin else what


@dataclass(frozen=True, slots=True)
class Ending:
    """What one way for the scanner to end leads to.

    Attributes:
        scanner: How the scanner ends.
        action: What qmail-queue does then.
        exit_code: Its exit code.
        smtp_reply: What the client reads.
        header: The line that is added, "" for none.
        is_kept: QUARANTINE takes the message, swallowed or not.
    """

    scanner: str
    action: ScanAction
    exit_code: int
    smtp_reply: str
    header: str
    is_kept: bool = False

    @property
    def is_gone(self) -> bool:
        """Say whether the message is removed."""
        return self.exit_code != 0 or (self.action is ScanAction.BLACKHOLE and not self.is_kept)


@dataclass(frozen=True, slots=True)
class Telling:
    """What the sentences are made of.

    Attributes:
        scene: The variables, read.
        variables: Name -> variable.
        message_bytes: Size of the message (unit: octets).
        scanner_rc: How the scanner ends: its exit code, None for a signal.
        forced: Why no scanner comes to run, or "".
    """

    scene: Scene
    variables: Mapping[str, Variable]
    message_bytes: int
    scanner_rc: int | None
    forced: str

    def told(self, name: str) -> str:
        """Return a variable with value and origin."""
        return self.variables[name].told


def _one_of(name: str, texts: Mapping[str, str]) -> Callable[[Telling, str], str]:
    """Make a teller: the variable, and a text for each answer."""
    return lambda telling, answer: f"{telling.told(name)}: {texts[answer]}."


def _tell_min(telling: Telling, answer: str) -> str:
    return _tell_limit(telling, "QHPSIMINSIZE", telling.scene.config.min_bytes, ("small", "smaller"), answer)


def _tell_max(telling: Telling, answer: str) -> str:
    return _tell_limit(telling, "QHPSIMAXSIZE", telling.scene.config.max_bytes, ("large", "larger"), answer)


def _tell_limit(telling: Telling, name: str, limit: int, words: tuple[str, str], answer: str) -> str:
    """Say how the message stands to a limit of the size; 0 is none."""
    if not limit:
        return f"{telling.told(name)}: no message is too {words[0]}."
    what = f"is {words[1]}, so it is not scanned" if answer == YES else f"is not {words[1]}"
    return f"{telling.told(name)}: the message ({telling.message_bytes} octets with its Received line) {what}."


def _tell_run(telling: Telling) -> str:
    """Say what qhpsi is told to do."""
    config, argv = telling.scene.config, telling.scene.argv
    if config.is_plugin:
        paths = ", then ".join(f"{PLUGIN_HOME}/{config.plugin_dir}/{name}" for name in argv[1:]) or "nothing"
        each = " in each until one gives another number than 0" if len(argv) > 2 else ""
        return f"loads {paths} and calls {config.symbol}({telling.scene.file_name!r}){each}"
    return f"runs {shlex.join(argv) or 'nothing'}"


def _tell_scanner(telling: Telling, answer: str) -> str:
    """Say how the scanner ends, or that it never begins."""
    run = f"qhpsi becomes the user qscand and {_tell_run(telling)}."
    if telling.forced:
        return f"{run} It fails before any scan, because {telling.forced}: exit code {telling.scanner_rc}."
    end = "a signal ends it" if answer == SIGNAL else f"it ends with exit code {telling.scanner_rc}"
    return f"{run} Suppose {end}."


def _tell_infected(telling: Telling, answer: str) -> str:
    relation = "a virus was found" if answer == YES else f"{telling.scanner_rc} is not it"
    return f"{telling.told('QHPSIRC')}: exit code {telling.scene.config.infected_rc} means virus: {relation}."


def _tell_clean(telling: Telling, answer: str) -> str:
    relation = "the mail is clean" if answer == YES else f"{telling.scanner_rc} is not it either: no verdict"
    return f"{telling.told('QHPSIRN')}: exit code {telling.scene.config.clean_rc} means clean: {relation}."


_REPLACED: Final = "the mail goes there and not to its recipients"

_TELLERS: Final[Mapping[str, Callable[[Telling, str], str]]] = {
    "FASTQUEUE": _one_of("FASTQUEUE", {YES: "nothing is scanned", NO: "scanning is not switched off"}),
    "QHPSI": _one_of("QHPSI", {YES: "the message is to be scanned", NO: "no scanner is asked"}),
    "QHPSIMINSIZE": _tell_min,
    "QHPSIMAXSIZE": _tell_max,
    SCANNER: _tell_scanner,
    "QHPSIRC": _tell_infected,
    "QHPSIRN": _tell_clean,
    "REJECTVIRUS": _one_of(
        "REJECTVIRUS",
        {
            ACCEPT: "infected mail is accepted and marked",
            SWALLOW: "infected mail is swallowed",
            REFUSE: "infected mail is refused",
        },
    ),
    "VIRUSFORWARD-0": _one_of("VIRUSFORWARD", {YES: _REPLACED, NO: "it goes to its recipients"}),
    "VIRUSFORWARD-2": _one_of("VIRUSFORWARD", {YES: _REPLACED, NO: "nobody gets it instead"}),
}
"""Question -> its sentence."""


def tell(path: tuple[Step, ...], telling: Telling) -> Iterator[str]:
    """Give the sentences for the questions of a way."""
    for step in path:
        if not isinstance(step.node, Leaf):
            yield _TELLERS[step.node.key](telling, step.answer)


def tell_end(end: Ending, quarantine: Variable) -> Iterator[str]:
    """Give the sentences for what becomes of the message."""
    reply = f"qmail-queue ends with exit code {end.exit_code}; the client reads: {end.smtp_reply}"
    if end.is_gone:
        surprise = " although the client is told that it was taken" if end.exit_code == 0 else ""
        yield f"The message is removed{surprise}. {reply}"
        return
    header = f"with the header {end.header.rstrip()!r}" if end.header else "without a header X-QHPSI"
    yield f"The message is queued {header}. {reply}"
    if end.is_kept:
        yield (
            f"{quarantine.told}: like every mail it goes there and not to its recipients, whom the header "
            "X-Quarantine-ID names."
        )
