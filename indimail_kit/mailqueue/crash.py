"""Crash here: what may be on the disk behind each step of a tape, and whether a mail is lost by it.

Source: facts about the order of calls of qmail-queue; qmail's INTERNALS section 6 ("Cleanups"); D. J. Bernstein's
promise that qmail-queue answers 0 only for a message that survives a crash. The models are told in `crash_images`.

Rule 1: pure; a disk is written only by `image.write_image`.
Rule 2: the verdict is about people: who was promised a mail, and how often it comes. Files that are left over do not
count against it, but are told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, overload

from indimail_kit.envelope import decode_records
from indimail_kit.errors import EnvelopeError
from indimail_kit.mailqueue.crash_images import CRASH_MODELS as CRASH_MODELS
from indimail_kit.mailqueue.crash_images import LIMIT as LIMIT
from indimail_kit.mailqueue.crash_images import CrashModel as CrashModel
from indimail_kit.mailqueue.crash_images import possible_images
from indimail_kit.mailqueue.image import QueueImage
from indimail_kit.mailqueue.prognosis import BOUNCE, CHANNELS, Arrival, Originals, good_recipients, look_ahead, shown
from indimail_kit.mailqueue.states import QueueState
from indimail_kit.mailqueue.tape import Tape


class CrashVerdict(Enum):
    """What a crash does to the mail; the value is what to say about it."""

    KEPT = "kept: everybody gets the mail, once"
    DUPLICATE = "kept, but somebody may get it twice"
    GONE = "not acknowledged, and nothing is left that matters: the client sends it again"
    BROKEN = "not acknowledged, so the client sends it again; but something broken stands in the queue"
    LOST = "lost, though the client has its 250"


@dataclass(frozen=True, slots=True)
class CrashState:
    """One disk that a crash may leave.

    Attributes:
        image: What is on it.
        state: State of the message that the tape is about; None when no state has its files.
        verdict: What becomes of the mail.
        text: What is left, and what qmail-send, qmail-clean and the client do next.
        ways: How many combinations of things that were not synced give just this disk.
    """

    image: QueueImage = field(repr=False)
    state: QueueState | None
    verdict: CrashVerdict
    text: str
    ways: int = 1


@dataclass(frozen=True, slots=True)
class CrashSet(Sequence[CrashState]):
    """All the disks that a crash behind one step may leave.

    Attributes:
        states: The different disks; the first is that on which everything is.
        combinations: How many combinations there are of things that were not synced.
        left_out: How many of them were not looked at, because there were too many.
    """

    states: tuple[CrashState, ...]
    combinations: int
    left_out: int

    def __len__(self) -> int:
        """Return how many different disks there are."""
        return len(self.states)

    @overload
    def __getitem__(self, index: int) -> CrashState: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[CrashState]: ...
    def __getitem__(self, index: int | slice) -> CrashState | Sequence[CrashState]:
        """Return a disk, or some."""
        return self.states[index]

    @property
    def counts(self) -> dict[CrashVerdict, int]:
        """Return how many of the combinations that were looked at have each verdict."""
        found: Counter[CrashVerdict] = Counter()
        for state in self.states:
            found[state.verdict] += state.ways
        return {verdict: found[verdict] for verdict in CrashVerdict}

    @property
    def worst(self) -> CrashVerdict:
        """Return the worst verdict; the last of CrashVerdict is the worst."""
        verdicts = list(CrashVerdict)
        return max((state.verdict for state in self.states), key=verdicts.index)

    @property
    def text(self) -> str:
        """Return the figures in one sentence, and what was left out."""
        told = ", ".join(f"{count} {verdict.name.lower()}" for verdict, count in self.counts.items() if count)
        more = f" {self.left_out} more were not looked at." if self.left_out else ""
        return f"{self.combinations} possible: {told}.{more}"


@dataclass(frozen=True, slots=True)
class CrashCount:
    """A row of the table: what a crash behind one step may leave.

    Attributes:
        number: The step.
        call: Its call.
        path: Its path.
        acknowledged: Whether the client has its 250.
        combinations: How many combinations there are.
        left_out: How many of them were not looked at.
        counts: Verdict -> how many of the others.
    """

    number: int
    call: str
    path: str
    acknowledged: bool
    combinations: int
    left_out: int
    counts: Mapping[CrashVerdict, int]


def crash_states(
    tape: Tape, number: int, model: CrashModel, *, synchronous_directories: bool = False, limit: int = LIMIT
) -> CrashSet:
    """Tell every disk that a crash behind a step may leave, and what becomes of the mail on it.

    Args:
        tape: What was recorded.
        number: The step behind which it crashes; 0 is before the first.
        model: What survives: "process", "ordered" or "unordered".
        synchronous_directories: Whether every change of a directory waits for the disk (mount -o dirsync).
        limit: Most different disks to look at; the others are counted in `left_out`.

    Raises:
        QueueError: No such step.
    """
    acknowledged = tape.acknowledged(number)
    found = possible_images(
        tape.before, tape.steps[:number], model, synchronous_directories=synchronous_directories, limit=limit
    )
    judge = Judge(tape, number)
    states = tuple(judge.judge(one.image, acknowledged=acknowledged, ways=one.ways) for one in found.images)
    return CrashSet(states, found.combinations, found.left_out)


def crash_counts(
    tape: Tape, model: CrashModel, *, synchronous_directories: bool = False, limit: int = LIMIT
) -> tuple[CrashCount, ...]:
    """Count the verdicts behind each step of a tape.

    Args:
        tape: What was recorded; its sync policy is that of the recording.
        model: What survives.
        synchronous_directories: As `crash_states`.
        limit: As `crash_states`.
    """
    rows = []
    for step in tape.steps:
        found = crash_states(tape, step.number, model, synchronous_directories=synchronous_directories, limit=limit)
        rows.append(
            CrashCount(
                step.number, step.call, step.path, step.acknowledged, found.combinations, found.left_out, found.counts
            )
        )
    return tuple(rows)


_CLIENT_WAITS: Final = "The client has no answer, keeps its mail and sends it again."
_CLIENT_HAS_FORGOTTEN: Final = "The client has its 250 and has forgotten the mail."


class Judge:
    """Knows what a tape promised, and compares it with what a disk will bring."""

    def __init__(self, tape: Tape, number: int) -> None:
        """Find out what was promised, a mail to each recipient that had none when the tape began, and what was done.

        Args:
            tape: What was recorded.
            number: The step behind which it crashes: what another host has taken by then, no crash here takes away.
        """
        self._tape = tape
        self._elsewhere = tuple(self._handed_over(number).elements())
        self._originals = Originals.of(tape)
        self._others = set(tape.before.numbers()) - {tape.message_number}
        recipients = self._wanted()
        self._wanted_count = Counter(self._form(address) for address in recipients if not tape.is_failing(address))
        if len(recipients) > self._wanted_count.total():
            self._wanted_count[BOUNCE] = 1

    def judge(self, image: QueueImage, *, acknowledged: bool, ways: int = 1) -> CrashState:
        """Judge one disk."""
        tape, number = self._tape, self._tape.message_number
        arrivals, texts, is_stuck = list(self._arrived(image)), [], False
        arrivals += [Arrival(self._form(address)) for address in self._elsewhere]
        numbers = [number, *(one for one in image.numbers() if one != number)] if number else image.numbers()
        for one in numbers:
            if one in self._others:
                continue
            outlook = look_ahead(image, tape, one, self._originals)
            arrivals += [
                Arrival(self._form(arrival.recipient) if one == number else BOUNCE, arrival.is_whole)
                for arrival in outlook.arrivals
            ]
            is_stuck |= outlook.is_stuck
            texts += [outlook.text] if outlook.text else []
        verdict = self._verdict(arrivals, acknowledged=acknowledged, is_stuck=is_stuck)
        if any(path.startswith("pid/") for path in image.files):
            texts.append("A name in pid is left; qmail-clean removes it after 36 hours.")
        if self._elsewhere:
            names = ", ".join(map(shown, self._elsewhere))
            texts.append(f"Another host has taken the mail for {names}.")
        if not texts:
            texts = ["The mail is in the mailbox."] if arrivals else ["Nothing is left in the queue."]
        if not (acknowledged and verdict is CrashVerdict.KEPT):
            texts.append(_CLIENT_HAS_FORGOTTEN if acknowledged else _CLIENT_WAITS)
        state = image.state(tape.layout, number) if number else QueueState.S1
        return CrashState(image, state, verdict, " ".join(texts), ways)

    def _verdict(self, arrivals: Sequence[Arrival], *, acknowledged: bool, is_stuck: bool) -> CrashVerdict:
        whole = Counter(arrival.recipient for arrival in arrivals if arrival.is_whole)
        has_damage = any(not arrival.is_whole for arrival in arrivals)
        if acknowledged:
            if any(whole[address] < count for address, count in self._wanted_count.items()):
                return CrashVerdict.LOST
            return CrashVerdict.DUPLICATE if whole.total() > self._wanted_count.total() else CrashVerdict.KEPT
        if has_damage or is_stuck:
            return CrashVerdict.BROKEN
        return CrashVerdict.DUPLICATE if whole else CrashVerdict.GONE

    def _wanted(self) -> list[bytes]:
        """Return the recipients who are promised the mail."""
        tape, number = self._tape, self._tape.message_number
        before = tape.before
        kinds = before.kinds(tape.layout, number) if number else frozenset()
        if "info" in kinds and "todo" not in kinds:
            files = (before.file(tape.layout, kind, number) for kind in CHANNELS)
            return [
                recipient.address
                for file in files
                if file is not None
                for recipient in good_recipients(file.content)[0]
                if not recipient.is_done
            ]
        try:
            return list(decode_records(self._originals.records.get(number, b"")).recipients)
        except EnvelopeError:
            return []

    def _handed_over(self, number: int) -> Counter[bytes]:
        """Return whose mail another host has taken when a step was done: those that were marked in remote by then."""
        tape = self._tape
        was = self._done(tape.before)
        found: Counter[bytes] = Counter()
        for step in tape.steps[:number]:
            found |= self._done(step.image) - was
        return Counter({address: count for address, count in found.items() if tape.is_delivered(address)})

    def _done(self, image: QueueImage) -> Counter[bytes]:
        """Return the recipients elsewhere that are marked as done."""
        number = self._tape.message_number
        file = image.file(self._tape.layout, "remote", number) if number else None
        recipients = () if file is None else good_recipients(file.content)[0]
        return Counter(recipient.address for recipient in recipients if recipient.is_done)

    def _arrived(self, image: QueueImage) -> list[Arrival]:
        """Return the mails in mailboxes that were not there before."""
        found = []
        for path, file in image.mailboxes.items():
            if path in self._tape.before.mailboxes or path.split("/")[-2] not in ("new", "cur"):
                continue
            whole = self._originals.mails[path]
            recipient = path.split("/")[0].encode() if self._source(whole) == self._tape.message_number else BOUNCE
            found.append(Arrival(recipient, file.content == whole))
        return found

    def _source(self, mail: bytes) -> int:
        """Return which message a mail is a copy of: the longest that it ends with, since a bounce encloses another."""
        fitting = [(len(mess), number) for number, mess in self._originals.mess.items() if mail.endswith(mess)]
        return max(fitting, default=(0, 0))[1]

    def _form(self, address: bytes) -> bytes:
        """Return the address under which the mail of a recipient is counted."""
        return self._tape.forms.get(address, address)
