"""qmail-queue's decision about a scan as data: questions, answers, ends, and the way of one message through them; pure.

A picture can be drawn from `TREE`, `path_of` says which way a message takes, and `decision.decide` is the end of that
way: the logic is here and nowhere else.

Source: IndiMail indimail-mta-x/qmail-queue.c `main()` and `qhpsiprog()`, question for question in its order: FASTQUEUE
is read before anything else, the sizes before the scanner is started, QHPSIRC before QHPSIRN.

Note for maintainers: the program reads VIRUSFORWARD before REJECTVIRUS, but it counts afterwards only (a refusal ends
the program, a swallowed message is saved by it), and that is where it stands here.

Deviation: one answer is the kit's own, "no verdict" (`Leaf.is_ours`). A program always has an exit code or a signal.
Ours may also be too slow, meet a limit, or contradict itself; then neither QHPSIRC nor QHPSIRN is asked.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from indimail_kit.qhpsi.config import QhpsiConfig
from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict


class ScanAction(enum.Enum):
    """What qmail-queue does with the message."""

    SKIP = "no scan, no header"
    ACCEPT_CLEAN = "queue, marked clean"
    ACCEPT_INFECTED = "queue, marked infected"
    FORWARD = "queue for VIRUSFORWARD instead of the recipients, marked infected"
    BOUNCE = "refuse for good"
    BLACKHOLE = "say ok and drop"
    TEMPFAIL = "refuse for now: the scanner gave no verdict"
    CRASHED = "refuse for now: a signal ended the scanner"


CLAMDSCAN_RC: Final = {Verdict.CLEAN: 0, Verdict.INFECTED: 1}
"""Verdict -> exit code that clamdscan would give: how a scanner that is no program takes its place. Source:
clamdscan(1)."""


@dataclass(frozen=True, slots=True)
class ScanCase:
    """All that the decision is made of.

    Attributes:
        config: The QHPSI variables.
        message_bytes: Size of the mess file, Received line included (unit: octets).
        scanner_rc: The scanner's exit code, or None.
        is_signalled: A signal ended the scanner.
        said: What the scanner itself said, where it is more than a program; None when its exit code is all there is.
    """

    config: QhpsiConfig
    message_bytes: int
    scanner_rc: int | None = None
    is_signalled: bool = False
    said: Verdict | None = None


def verdict_of(config: QhpsiConfig, scanner_rc: int) -> Verdict:
    """Read a program's exit code: QHPSIRC first, then QHPSIRN, anything else is an error."""
    if scanner_rc == config.infected_rc:
        return Verdict.INFECTED
    return Verdict.CLEAN if scanner_rc == config.clean_rc else Verdict.ERROR


def _read(case: ScanCase) -> Verdict:
    """Read the exit code of a case; ERROR without one."""
    return Verdict.ERROR if case.scanner_rc is None else verdict_of(case.config, case.scanner_rc)


def _ending(case: ScanCase) -> str:
    """Say how the scanner ended, and never let the variables make "clean" of what it did not call clean."""
    if case.is_signalled:
        return SIGNAL
    if case.scanner_rc is None:
        return NO_VERDICT
    read = _read(case)
    # QHPSIRC=0 makes a virus of a clean mail in the program too; that one is believed.
    is_believed = read is Verdict.ERROR or case.said in (None, read, Verdict.CLEAN)
    return EXIT_CODE if is_believed else NO_VERDICT


YES: Final = "yes"
NO: Final = "no"
EXIT_CODE: Final = "exit code"
SIGNAL: Final = "signal"
NO_VERDICT: Final = "no verdict"
ACCEPT: Final = "0"
SWALLOW: Final = "2"
REFUSE: Final = "other"


def _yes(is_so: bool) -> str:
    """Return the label of the answer."""
    return YES if is_so else NO


_REJECTION: Final = {0: ACCEPT, 2: SWALLOW}
"""REJECTVIRUS -> answer; every other number refuses."""


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that qmail-queue asks.

    Attributes:
        key: Its name in TREE.
        text: The question, for people.
        variables: The variables that are read for it.
        source: Where the program asks it.
        answers: Label of each answer -> key of what comes next, in the order of drawing.
        answer: The label for a case.
    """

    key: str
    text: str
    variables: tuple[str, ...]
    source: str
    answers: Mapping[str, str]
    answer: Callable[[ScanCase], str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One end of the decision.

    Attributes:
        key: Its name in TREE.
        action: What qmail-queue does.
        source: Where the program does it.
        is_ours: The program has no such end; it is the kit's deviation.
    """

    key: str
    action: ScanAction
    source: str
    is_ours: bool = False


Node: TypeAlias = Question | Leaf


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a message's way.

    Attributes:
        node: The question, or at the end the leaf.
        answer: Label of the answer that was given; "" at the leaf.
    """

    node: Node
    answer: str = ""


_MAIN: Final = "qmail-queue.c main()"
_PROG: Final = "qmail-queue.c qhpsiprog()"
_OURS: Final = "indimail_kit.qhpsi"

ROOT: Final = "FASTQUEUE"
"""Key of the first question."""

SCANNER: Final = "SCANNER"
"""Key of the question that is asked after the scanner has run: who comes here is scanned."""

_NODES: Final[tuple[Node, ...]] = (
    Question(
        "FASTQUEUE",
        "Is FASTQUEUE a number other than 0?",
        ("FASTQUEUE",),
        _MAIN,
        {YES: "skip-fastqueue", NO: "QHPSI"},
        lambda case: _yes(case.config.is_fast_queue),
    ),
    Leaf("skip-fastqueue", ScanAction.SKIP, _MAIN),
    Question(
        "QHPSI",
        "Is QHPSI set?",
        ("QHPSI",),
        _MAIN,
        {NO: "skip-qhpsi", YES: "QHPSIMINSIZE"},
        lambda case: _yes(case.config.command is not None),
    ),
    Leaf("skip-qhpsi", ScanAction.SKIP, _MAIN),
    Question(
        "QHPSIMINSIZE",
        "Is the message smaller than QHPSIMINSIZE?",
        ("QHPSIMINSIZE",),
        _PROG,
        {YES: "skip-small", NO: "QHPSIMAXSIZE"},
        lambda case: _yes(case.message_bytes < case.config.min_bytes),
    ),
    Leaf("skip-small", ScanAction.SKIP, _PROG),
    Question(
        "QHPSIMAXSIZE",
        "Is the message larger than QHPSIMAXSIZE?",
        ("QHPSIMAXSIZE",),
        _PROG,
        {YES: "skip-large", NO: SCANNER},
        lambda case: _yes(0 < case.config.max_bytes < case.message_bytes),
    ),
    Leaf("skip-large", ScanAction.SKIP, _PROG),
    Question(
        SCANNER,
        "How did the scanner end?",
        ("QHPSI", "PLUGINDIR", "QUEUE_PLUGIN_SYMB", "QUEUE_PLUGIN"),
        f"{_PROG}, wait_crashed(); qhpsi.c main()",
        {SIGNAL: "crashed", NO_VERDICT: "tempfail-no-verdict", EXIT_CODE: "QHPSIRC"},
        _ending,
    ),
    Leaf("crashed", ScanAction.CRASHED, _PROG),
    Leaf("tempfail-no-verdict", ScanAction.TEMPFAIL, _OURS, is_ours=True),
    Question(
        "QHPSIRC",
        "Is the exit code QHPSIRC?",
        ("QHPSIRC",),
        _PROG,
        {YES: "REJECTVIRUS", NO: "QHPSIRN"},
        lambda case: _yes(_read(case) is Verdict.INFECTED),
    ),
    Question(
        "QHPSIRN",
        "Is the exit code QHPSIRN?",
        ("QHPSIRN",),
        _PROG,
        {YES: "accept-clean", NO: "tempfail"},
        lambda case: _yes(_read(case) is Verdict.CLEAN),
    ),
    Leaf("accept-clean", ScanAction.ACCEPT_CLEAN, _PROG),
    Leaf("tempfail", ScanAction.TEMPFAIL, _PROG),
    Question(
        "REJECTVIRUS",
        "What is REJECTVIRUS?",
        ("REJECTVIRUS",),
        _PROG,
        {REFUSE: "bounce", SWALLOW: "VIRUSFORWARD-2", ACCEPT: "VIRUSFORWARD-0"},
        lambda case: _REJECTION.get(case.config.reject_virus, REFUSE),
    ),
    Leaf("bounce", ScanAction.BOUNCE, _PROG),
    Question(
        "VIRUSFORWARD-2",
        "Is VIRUSFORWARD an address?",
        ("VIRUSFORWARD",),
        f"{_PROG}, {_MAIN}: flagblackhole = 0",
        {YES: "forward-2", NO: "blackhole"},
        lambda case: _yes(bool(case.config.virus_forward)),
    ),
    Leaf("forward-2", ScanAction.FORWARD, _MAIN),
    Leaf("blackhole", ScanAction.BLACKHOLE, _MAIN),
    Question(
        "VIRUSFORWARD-0",
        "Is VIRUSFORWARD an address?",
        ("VIRUSFORWARD",),
        f"{_PROG}, {_MAIN}: flagquarantine",
        {YES: "forward-0", NO: "accept-infected"},
        lambda case: _yes(bool(case.config.virus_forward)),
    ),
    Leaf("forward-0", ScanAction.FORWARD, _MAIN),
    Leaf("accept-infected", ScanAction.ACCEPT_INFECTED, _PROG),
)

TREE: Final[Mapping[str, Node]] = {node.key: node for node in _NODES}
"""Key -> question or end, in the program's order; every node but ROOT is led to by exactly one answer."""


def path_of_case(case: ScanCase) -> tuple[Step, ...]:
    """Return the way of one case: the questions with their answers, and the leaf at the end."""
    steps = []
    node = TREE[ROOT]
    while isinstance(node, Question):
        label = node.answer(case)
        steps.append(Step(node, label))
        node = TREE[node.answers[label]]
    return (*steps, Step(node))


def path_of(config: QhpsiConfig, *, message_bytes: int, scanner_rc: int | None) -> tuple[Step, ...]:
    """Return the way of a message whose scanner is a program.

    Args:
        config: The QHPSI variables.
        message_bytes: Size of the mess file, Received line included.
        scanner_rc: The scanner's exit code; None when a signal ended it.

    Example:
        >>> way = path_of(QhpsiConfig("clamdscan", min_bytes=100), message_bytes=99, scanner_rc=0)
        >>> [(step.node.key, step.answer) for step in way]
        [('FASTQUEUE', 'no'), ('QHPSI', 'yes'), ('QHPSIMINSIZE', 'yes'), ('skip-small', '')]
    """
    return path_of_case(ScanCase(config, message_bytes, scanner_rc, is_signalled=scanner_rc is None))


def path_of_answer(config: QhpsiConfig, answer: ScanAnswer | None, *, message_bytes: int) -> tuple[Step, ...]:
    """Return the way of a real scan (`ScanReport.answer`), failed scans included.

    Args:
        config: The QHPSI variables.
        answer: What the scanner said; None when it was not asked.
        message_bytes: Size of the mess file, Received line included.

    Deviation:
        A scanner that is no program takes clamdscan's place with its exit codes 0 and 1. NOT_SCANNED and ERROR
        never end at an acceptance, and what was found is never clean, whatever the variables say.

    Example:
        >>> answer = ScanAnswer(Verdict.NOT_SCANNED, reason="larger than clamd takes")
        >>> path_of_answer(QhpsiConfig("clamdscan"), answer, message_bytes=250)[-1].node.key
        'tempfail-no-verdict'
    """
    if answer is None:
        return path_of_case(ScanCase(config, message_bytes))
    scanner_rc = CLAMDSCAN_RC.get(answer.verdict) if answer.scanner_rc is None else answer.scanner_rc
    is_signalled = bool(answer.signal_number)
    return path_of_case(ScanCase(config, message_bytes, scanner_rc, is_signalled=is_signalled, said=answer.verdict))


def action_of(path: tuple[Step, ...]) -> ScanAction:
    """Return the action at the end of a way."""
    leaf = path[-1].node
    if not isinstance(leaf, Leaf):
        raise TypeError("a way that ends in a question")
    return leaf.action
