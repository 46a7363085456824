"""What is wrong, or surprising, with QHPSI variables before a single mail has come: the table of pitfalls; pure.

Source: IndiMail indimail-mta-x/qmail-queue.c, qhpsi.c; recorded calls (data/indimail/qhpsi); clamdscan(1).

Rule 1: a pitfall says what happens and what to write instead; it never guesses what was meant.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from indimail_kit.qhpsi.config import PLUGIN_PREFIX, QhpsiConfig
from indimail_kit.qhpsi.decision import ScanAction, decide
from indimail_kit.qhpsi.makeargs import Word, build_argv, read_words


class Danger(enum.Enum):
    """What a pitfall leads to, worst first."""

    PASSES = "mail passes unscanned, or with its virus"
    REFUSES = "mail is refused or lost"
    IGNORED = "something that was written has no effect"


@dataclass(frozen=True, slots=True)
class Pitfall:
    """One warning.

    Attributes:
        key: Short name.
        danger: What it leads to.
        variables: The variables that make it.
        text: What happens, and what to do.
    """

    key: str
    danger: Danger
    variables: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Scene:
    """What the rules look at.

    Attributes:
        environ: The variables as text.
        config: The same, read.
        words: The words of QHPSI, behind ``plugin:`` if it names plugins.
        argv: The argument vector.
        file_name: How the message is named in it.
    """

    environ: Mapping[str, str] = field(repr=False)
    config: QhpsiConfig
    words: tuple[Word, ...]
    argv: tuple[str, ...]
    file_name: str

    @property
    def arguments(self) -> tuple[str, ...]:
        """Return what follows the program's name."""
        return self.argv[1:]

    @property
    def program(self) -> str:
        """Return the name of the program without its directory, "" for plugins."""
        return "" if self.config.is_plugin or not self.argv else self.argv[0].rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of pitfall.

    Attributes:
        key: Its short name.
        danger: What it leads to.
        variables: The variables that make it.
        find: The text for a scene; "" when all is well.
    """

    key: str
    danger: Danger
    variables: tuple[str, ...]
    find: Callable[[Scene], str]


Find: TypeAlias = Callable[[Scene], str]


def scene_of(environ: Mapping[str, str], *, file_name: str) -> Scene:
    """Read the variables once for all rules."""
    config = QhpsiConfig.from_environ(environ)
    text = config.command or ""
    words = tuple(read_words(text.removeprefix(PLUGIN_PREFIX) if config.is_plugin else text, environ))
    return Scene(environ, config, words, tuple(build_argv(text, file_name, environ)), file_name)


def when(holds: Callable[[Scene], bool], text: str) -> Find:
    """Make a rule's function from a condition and a fixed text."""
    return lambda scene: text if holds(scene) else ""


_CODES: Final = range(256)
"""What an exit code can be."""


def _misread(scene: Scene) -> str:
    """Find numbers with something in them that is not read."""
    numbers = {
        "QHPSIRC": scene.config.infected_rc,
        "QHPSIRN": scene.config.clean_rc,
        "QHPSIMINSIZE": scene.config.min_bytes,
        "QHPSIMAXSIZE": scene.config.max_bytes,
    }
    wrong = [
        f"{name}={text!r} is read as {numbers[name]}"
        for name in numbers
        if (text := scene.environ.get(name)) is not None and not _is_number(text, numbers[name])
    ]
    return f"{'; '.join(wrong)}: leading digits count, nothing else, and the rest is cut to 32 bits." if wrong else ""


def _is_number(text: str, number: int) -> bool:
    """Say whether a text is no more and no less than the number that was read."""
    return text.isascii() and text.isdigit() and int(text) == number


def _misread_rejection(scene: Scene) -> str:
    text = scene.environ.get("REJECTVIRUS", "0")
    number = scene.config.reject_virus
    if _is_number(text, number):
        return ""
    result = decide(QhpsiConfig("", reject_virus=number), message_bytes=0, scanner_rc=1).value
    return f"REJECTVIRUS={text!r} is no number and read as {number}: {result}. Write 1 to refuse, 2 to swallow."


def _code_out_of_range(scene: Scene) -> str:
    texts = {
        scene.config.infected_rc: "QHPSIRC is {}, which no exit code is (0 to 255): no virus is ever seen.",
        scene.config.clean_rc: "QHPSIRN is {}, which no exit code is (0 to 255): no mail is ever clean, all get 451.",
    }
    return " ".join(text.format(number) for number, text in texts.items() if number not in _CODES)


def _same_codes(scene: Scene) -> str:
    code = scene.config.infected_rc
    if code != scene.config.clean_rc:
        return ""
    return f"QHPSIRC and QHPSIRN are both {code}; QHPSIRC is compared first: every mail with it counts as a virus."


def _zero_is_virus(scene: Scene) -> str:
    if scene.config.infected_rc != 0 or scene.config.clean_rc == 0:
        return ""
    return "QHPSIRC is 0: scanners say 0 for clean mail, and every clean mail counts as a virus."


def _rejection(scene: Scene) -> ScanAction:
    """Return what becomes of a virus by REJECTVIRUS alone."""
    return decide(QhpsiConfig("", reject_virus=scene.config.reject_virus), message_bytes=0, scanner_rc=1)


def _old_arguments(scene: Scene) -> str:
    names = sorted(name for name in scene.environ if name.startswith("QHPSIARG"))
    return f"{', '.join(names)}: not read by this IndiMail; the arguments stand in QHPSI itself." if names else ""


POLICY_RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "fast-queue",
        Danger.PASSES,
        ("FASTQUEUE",),
        when(
            lambda scene: scene.config.is_fast_queue and scene.config.command is not None,
            "FASTQUEUE switches scanning off, and QUARANTINE, EXTRAQUEUE and QQEH with it: no scan, no header.",
        ),
    ),
    Rule("code-out-of-range", Danger.PASSES, ("QHPSIRC", "QHPSIRN"), _code_out_of_range),
    Rule("same-codes", Danger.REFUSES, ("QHPSIRC", "QHPSIRN"), _same_codes),
    Rule("zero-is-virus", Danger.REFUSES, ("QHPSIRC",), _zero_is_virus),
    Rule("misread-number", Danger.IGNORED, ("QHPSIRC", "QHPSIRN", "QHPSIMINSIZE", "QHPSIMAXSIZE"), _misread),
    Rule("misread-rejection", Danger.PASSES, ("REJECTVIRUS",), _misread_rejection),
    Rule(
        "sizes-crossed",
        Danger.PASSES,
        ("QHPSIMINSIZE", "QHPSIMAXSIZE"),
        when(
            lambda scene: 0 < scene.config.max_bytes < scene.config.min_bytes,
            "QHPSIMINSIZE is above QHPSIMAXSIZE: every message is too small or too large, nothing is scanned.",
        ),
    ),
    Rule(
        "large-unscanned",
        Danger.PASSES,
        ("QHPSIMAXSIZE",),
        when(
            lambda scene: 0 < scene.config.max_bytes >= scene.config.min_bytes,
            "QHPSIMAXSIZE: a larger message is queued unscanned and without X-QHPSI, as if there were no scanner.",
        ),
    ),
    Rule(
        "forward-ignored",
        Danger.IGNORED,
        ("VIRUSFORWARD", "REJECTVIRUS"),
        when(
            lambda scene: bool(scene.config.virus_forward) and _rejection(scene) is ScanAction.BOUNCE,
            "VIRUSFORWARD has no effect: REJECTVIRUS refuses the mail before. With 0 or 2 it is forwarded.",
        ),
    ),
    Rule(
        "forward-empty",
        Danger.PASSES,
        ("VIRUSFORWARD", "QUARANTINE"),
        when(
            lambda scene: scene.environ.get("VIRUSFORWARD") == "" and bool(scene.environ.get("QUARANTINE")),
            "VIRUSFORWARD is set but empty: for a virus it empties QUARANTINE too (read in qmail-queue.c). Unset it.",
        ),
    ),
    Rule(
        "custom-error",
        Danger.REFUSES,
        ("QMAIL_QUEUE_CUSTOM_ERROR",),
        when(
            lambda scene: "QMAIL_QUEUE_CUSTOM_ERROR" in scene.environ,
            "QMAIL_QUEUE_CUSTOM_ERROR makes every refusal temporary (exit code 88, 451), a virus too, so the client "
            "tries again for days; often with an error text that has nothing to do with it.",
        ),
    ),
    Rule("old-arguments", Danger.IGNORED, ("QHPSI",), _old_arguments),
)
"""Pitfalls of the numbers and of what is done with a virus."""


def apply_rules(rules: tuple[Rule, ...], scene: Scene) -> tuple[Pitfall, ...]:
    """Return what the rules find; without QHPSI there is nothing to find."""
    if scene.config.command is None:
        return ()
    return tuple(Pitfall(rule.key, rule.danger, rule.variables, text) for rule in rules if (text := rule.find(scene)))


def worst_first(pitfalls: Iterable[Pitfall]) -> tuple[Pitfall, ...]:
    """Sort by danger, else as they come."""
    order = list(Danger)
    return tuple(sorted(pitfalls, key=lambda pitfall: order.index(pitfall.danger)))
