"""A scan policy as variables, the switches that show them, and the whole decision table computed from it. Pure.

Source: IndiMail indimail-mta-x/qmail-queue.c `qhpsiprog()` and `main()`.

Rule 1: a cell is what `qhpsi.path_of_answer`, `qhpsi.outcome` and `mailqueue.plan_records` say of its variables; no
    result is written down here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from indimail_kit.envelope import Envelope
from indimail_kit.exitcodes import exit_code
from indimail_kit.mailqueue.enqueue import QueueSettings, ScanOutcome, is_blackhole, plan_records, quarantine_address
from indimail_kit.qhpsi.config import QhpsiConfig
from indimail_kit.qhpsi.decision import ScanAction, outcome
from indimail_kit.qhpsi.decision_tree import Step, action_of, path_of_answer
from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict
from indimail_kit.widgets.signs import ENDINGS, Sign

SEED_QHPSI: Final = "/usr/bin/clamdscan %s --quiet --no-summary"
"""The seed text's scanner."""

FORWARD_TO: Final = "postmaster@example.com"
"""Address that the switch of VIRUSFORWARD sets."""

KEEP_FOR: Final = "carol@example.com"
"""Address that the switch of QUARANTINE sets."""

SENDER: Final = "ann@example.com"
RECIPIENT: Final = "bob@example.com"
"""Envelope of the mail that the table is about."""

EXAMPLE_BYTES: Final = 2794
"""Size of that mail (unit: octets)."""

SIZE_LIMIT: Final = {"small": 10_000, "large": 1_000}
"""Row -> the QHPSIMINSIZE or QHPSIMAXSIZE that the mail misses (unit: octets)."""

REJECT_VIRUS: Final = (("0 · mark it", 0), ("1 · refuse", 1), ("2 · swallow", 2), ("3 · any other", 3))
"""REJECTVIRUS as labels and values; every number but 0 and 2 refuses."""


def can_stand_in_environment(value: str) -> bool:
    """Say whether a text can be the value of a variable: no NUL, and octets for every character."""
    try:
        return b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an administrator sets, before it becomes variables.

    Attributes:
        qhpsi: QHPSI, or None for no scan.
        infected_rc: QHPSIRC.
        clean_rc: QHPSIRN.
        min_bytes: QHPSIMINSIZE (unit: octets), 0 for none.
        max_bytes: QHPSIMAXSIZE (unit: octets), 0 for none.
        reject_virus: REJECTVIRUS.
        virus_forward: VIRUSFORWARD, "" for none.
        quarantine: QUARANTINE, "" for none.
        is_fast_queue: Whether FASTQUEUE is 1.
    """

    qhpsi: str | None = SEED_QHPSI
    infected_rc: int = 1
    clean_rc: int = 0
    min_bytes: int = 0
    max_bytes: int = 0
    reject_virus: int = 0
    virus_forward: str = ""
    quarantine: str = ""
    is_fast_queue: bool = False

    def variables(self) -> dict[str, str | None]:
        """Return each variable with its value, None where it is not set.

        Example:
            >>> [name for name, value in Policy(virus_forward="postmaster@example.com").variables().items() if value]
            ['QHPSI', 'REJECTVIRUS', 'VIRUSFORWARD']
        """
        return {
            "QHPSI": self.qhpsi,
            "QHPSIRC": str(self.infected_rc) if self.infected_rc != 1 else None,
            "QHPSIRN": str(self.clean_rc) if self.clean_rc != 0 else None,
            "QHPSIMINSIZE": str(self.min_bytes) if self.min_bytes else None,
            "QHPSIMAXSIZE": str(self.max_bytes) if self.max_bytes else None,
            "REJECTVIRUS": str(self.reject_virus),
            "VIRUSFORWARD": self.virus_forward or None,
            "QUARANTINE": self.quarantine or None,
            "FASTQUEUE": "1" if self.is_fast_queue else None,
        }

    def environ(self) -> dict[str, str]:
        """Return the variables that are set."""
        return {name: value for name, value in self.variables().items() if value is not None}


@dataclass(frozen=True, slots=True)
class Field:
    """A switch, and the variable that it sets.

    Attributes:
        trait: Name of the widget's trait.
        kind: "choice" and "list" (one of options), "switch" (the first option is off, the second on), or "number".
        caption: What it does, in words.
        variable: Name of the variable, "" for a field that sets none.
        options: Labels and values.
        most: Largest number.
        default: What counts where the variable is not set, or "".
    """

    trait: str
    kind: str
    caption: str
    variable: str
    options: tuple[tuple[str, Any], ...] = ()
    most: int = 255
    default: str = ""

    def as_document(self, policy: Policy) -> dict[str, Any]:
        """Return what a script draws."""
        value = policy.variables().get(self.variable)
        unset = f"{self.variable} not set" + (f": {self.default}" if self.default else "") if self.variable else ""
        return {
            "trait": self.trait,
            "kind": self.kind,
            "caption": self.caption,
            "shows": unset if value is None else f"{self.variable}={value}",
            "is_set": value is not None,
            "options": [list(option) for option in self.options],
            "most": self.most,
        }


REJECT_FIELD: Final = Field("reject_virus", "choice", "a virus is found", "REJECTVIRUS", REJECT_VIRUS)
FORWARD_FIELD: Final = Field(
    "virus_forward", "switch", "send viruses to the postmaster", "VIRUSFORWARD", (("off", ""), ("on", FORWARD_TO))
)
QUARANTINE_FIELD: Final = Field(
    "quarantine", "switch", "keep every mail for Carol", "QUARANTINE", (("off", ""), ("on", KEEP_FOR))
)
INFECTED_FIELD: Final = Field("infected_rc", "number", "exit code of a virus", "QHPSIRC", default="1")
MIN_BYTES_FIELD: Final = Field("min_bytes", "number", "scan nothing smaller", "QHPSIMINSIZE", most=2**31 - 1)
MAX_BYTES_FIELD: Final = Field("max_bytes", "number", "scan nothing larger", "QHPSIMAXSIZE", most=2**31 - 1)
CLEAN_FIELD: Final = Field("clean_rc", "number", "exit code of a clean mail", "QHPSIRN", default="0")


@dataclass(frozen=True, slots=True)
class Row:
    """One way for a scan to end.

    Attributes:
        key: Its name.
        title: For people.
        note: The variables that make it so.
    """

    key: str
    title: str
    note: str


ROWS: Final = (
    Row("infected", "exit code = QHPSIRC", "the scanner says: a virus"),
    Row("clean", "exit code = QHPSIRN", "the scanner says: clean"),
    Row("other", "any other exit code", "an error of the scanner"),
    Row("signal", "killed by a signal", "it crashed, or was killed"),
    Row("failed", "no verdict", "not started, too slow, over a limit"),
    Row("small", "smaller than QHPSIMINSIZE", "not scanned"),
    Row("large", "larger than QHPSIMAXSIZE", "not scanned"),
    Row("unset", "QHPSI is not set", "not scanned"),
    Row("fast", "FASTQUEUE is set", "not scanned"),
)
"""The rows of the table, the scanner's own answers first."""

ROW_KEYS: Final = tuple(row.key for row in ROWS)
COLUMNS: Final = tuple(value for _, value in REJECT_VIRUS)
"""The columns of the table: REJECTVIRUS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCell:
    """What qmail-queue does with one scan result under one policy.

    Attributes:
        row: Key of the row.
        reject_virus: REJECTVIRUS.
        environ: Every variable that is set.
        scanner_rc: The scanner's exit code; None when it has none.
        message_bytes: Size of the mail (unit: octets).
        action: What qmail-queue does.
        ending: Key of ENDINGS: what becomes of the mail, QUARANTINE counted.
        exit_code: qmail-queue's exit code.
        reply: What the client reads.
        header: Header lines on top of the mail, "" for none.
        recipients: Who gets the mail; empty when nobody does.
        path: The way through the decision.
    """

    row: str
    reject_virus: int
    environ: Mapping[str, str]
    scanner_rc: int | None
    message_bytes: int
    action: ScanAction
    ending: str
    exit_code: int
    reply: str
    header: str
    recipients: tuple[str, ...]
    path: tuple[Step, ...]

    @property
    def key(self) -> str:
        """Return the cell's name: "infected/1"."""
        return f"{self.row}/{self.reject_virus}"

    @property
    def sign(self) -> Sign:
        """Return how the ending is written and drawn."""
        return ENDINGS[self.ending]


ENDING_OF: Final = {
    ScanAction.SKIP: "unscanned",
    ScanAction.ACCEPT_CLEAN: "clean",
    ScanAction.ACCEPT_INFECTED: "marked",
    ScanAction.FORWARD: "forwarded",
    ScanAction.BOUNCE: "refused",
    ScanAction.BLACKHOLE: "swallowed",
    ScanAction.TEMPFAIL: "later",
    ScanAction.CRASHED: "crashed",
}
"""Action -> what becomes of the mail where QUARANTINE does not take it."""


def ending_of(action: ScanAction, means: ScanOutcome, environ: Mapping[str, str]) -> str:
    """Return the key of ENDINGS: what becomes of a mail, QUARANTINE counted."""
    is_taken = means.exit_code == 0 and action is not ScanAction.FORWARD
    return (
        "quarantined"
        if is_taken and quarantine_address(means, QueueSettings.from_environ(environ))
        else ENDING_OF[action]
    )


def _answer(row: str, config: QhpsiConfig) -> ScanAnswer | None:
    """Return what the scanner says in a row; None where nobody asks it."""
    taken = {config.infected_rc, config.clean_rc}
    answers = {
        "infected": (Verdict.INFECTED, config.infected_rc, 0),
        "clean": (Verdict.CLEAN, config.clean_rc, 0),
        "other": (Verdict.ERROR, next(code for code in (2, 3, 4) if code not in taken), 0),
        "signal": (Verdict.ERROR, None, 9),
        "failed": (Verdict.ERROR, None, 0),
    }
    if row not in answers:
        return None
    verdict, scanner_rc, signal_number = answers[row]
    return ScanAnswer(verdict, scanner_rc=scanner_rc, signal_number=signal_number)


def _in_row(policy: Policy, row: str) -> Policy:
    """Return the policy with what makes a row true, and nothing that would hide the other rows."""
    plain = replace(policy, min_bytes=0, max_bytes=0, is_fast_queue=False, qhpsi=policy.qhpsi or SEED_QHPSI)
    changes: dict[str, dict[str, Any]] = {
        "small": {"min_bytes": SIZE_LIMIT["small"]},
        "large": {"max_bytes": SIZE_LIMIT["large"]},
        "unset": {"qhpsi": None},
        "fast": {"is_fast_queue": True},
    }
    return replace(plain, **changes.get(row, {}))


def policy_cell(policy: Policy, row: str) -> PolicyCell:
    """Return one cell: what happens with the result of a row under a policy.

    Args:
        policy: The policy; its sizes, QHPSI and FASTQUEUE are the row's.
        row: One of ROW_KEYS.

    Raises:
        ValueError: There is no such row.

    Example:
        >>> policy_cell(Policy(reject_virus=1), "infected").reply
        '554 qq message contains virus (#5.7.1)'
    """
    if row not in ROW_KEYS:
        raise ValueError(f"a row of {', '.join(ROW_KEYS)}, not {row!r}")
    environ = _in_row(policy, row).environ()
    config = QhpsiConfig.from_environ(environ)
    answer = _answer(row, config)
    path = path_of_answer(config, answer, message_bytes=EXAMPLE_BYTES)
    action = action_of(path)
    means = outcome(action, config)
    envelope = Envelope(SENDER.encode(), (RECIPIENT.encode(),))
    settings = QueueSettings.from_environ(environ)
    records = plan_records(envelope, uid=0, qp=0, outcome=means, settings=settings)
    is_queued = means.exit_code == 0 and not is_blackhole(means, settings)
    recipients = tuple(one.decode("utf-8", "backslashreplace") for one in records.recipients) if is_queued else ()
    return PolicyCell(
        row=row,
        reject_virus=policy.reject_virus,
        environ=environ,
        scanner_rc=None if answer is None else answer.scanner_rc,
        message_bytes=EXAMPLE_BYTES,
        action=action,
        ending=ending_of(action, means, environ),
        exit_code=means.exit_code,
        reply=exit_code(means.exit_code).smtp_reply,
        header=records.header.decode("utf-8", "backslashreplace").rstrip("\n") if is_queued else "",
        recipients=recipients,
        path=path,
    )


def policy_table(policy: Policy = Policy()) -> tuple[tuple[PolicyCell, ...], ...]:
    """Return the whole table: a row for each way of a scan to end, a column for each REJECTVIRUS of COLUMNS.

    Args:
        policy: What stays the same in all cells: QHPSIRC, QHPSIRN, VIRUSFORWARD, QUARANTINE.
    """
    columns = [replace(policy, reject_virus=value) for value in COLUMNS]
    return tuple(tuple(policy_cell(column, row) for column in columns) for row in ROW_KEYS)


def cells(table: tuple[tuple[PolicyCell, ...], ...]) -> Iterator[PolicyCell]:
    """Yield the cells of a table, row by row."""
    for row in table:
        yield from row
