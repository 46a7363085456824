"""A day with its truth, damaged as real logs are, and how right a tracer is about it; and the seed's lines.

The truth does not come from the kit's own pairing: who owns a line of qmail-send is told by a walk over the whole log
with one expression, who owns a line of qmail-smtpd by the order in which its pid's sessions begin, who owns a scan by
the moment that the day notes.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from random import Random

import pytest

from indimail_kit.errors import TraceError
from indimail_kit.lab.demo_logs import DemoLogs
from indimail_kit.lab.demo_world import Mail
from indimail_kit.logs import read
from indimail_kit.tai64 import from_tai64n, to_tai64n
from indimail_kit.trace import Trace, Tracer

NS = 10**9

_SEND = re.compile(
    rb"(?:new msg (\d+)|info msg (\d+):.*|bounce msg (\d+) qp \d+|end msg (\d+) \S+|info: todo-proc: .*/(\d+)"
    rb"|(?:local|remote): \S+ \S+ (\d+) \d+ bytes) ?(?:qmail-send: )?(queue\d+)?.*"
)
_START = re.compile(rb"starting delivery ([\d.]+): msg (\d+) to .* (queue\d+)")
_END = re.compile(rb"delivery ([\d.]+): .* (queue\d+)", re.DOTALL)
_QUEUE = re.compile(rb"queue\d+")


@dataclass(frozen=True)
class Told:
    """A line with its owner.

    Attributes:
        unix_ns: Its time.
        text: The line without its stamp.
        owner: Number of the mail that it tells of; None for a line of no mail.
    """

    unix_ns: int
    text: bytes
    owner: int | None


@dataclass
class Damage:
    """What happens to logs on their way to the one who reads them.

    Attributes:
        lost: Share of lines that are lost, each by itself.
        cut: Share of qmail-send's log that is cut off at its beginning.
        hole: Share of qmail-send's log that is missing in its middle.
        ahead_s: Log -> seconds that its clock is ahead.
        is_told: Whether the tracer is told of it.
    """

    lost: float = 0.0
    cut: float = 0.0
    hole: float = 0.0
    ahead_s: dict[str, float] = field(default_factory=dict)
    is_told: bool = True


@dataclass
class Figures:
    """How right traces were.

    Attributes:
        certain: Pieces of evidence told as certain.
        wrong: Those of them that belong to another mail.
        expected: Lines that the logs still have of the mails asked for.
        found: Those of them that were told as certain or likely.
        found_certain: Those of them that were told as certain.
        mistakes: What was wrong, for a person.
    """

    certain: int = 0
    wrong: int = 0
    expected: int = 0
    found: int = 0
    found_certain: int = 0
    mistakes: list[str] = field(default_factory=list)
    missed: Counter[str] = field(default_factory=Counter)

    @property
    def precision(self) -> float:
        """Return the share of certain evidence that is right."""
        return 1 - self.wrong / self.certain

    @property
    def recall(self) -> float:
        """Return the share of lines that were told as certain or likely."""
        return self.found / self.expected

    def __str__(self) -> str:
        """Return the figures in one line."""
        return (
            f"{self.certain} certain, {self.wrong} of them wrong: precision {self.precision:.5f};"
            f" recall {self.recall:.4f} (certain alone {self.found_certain / self.expected:.4f})"
            f" of {self.expected} lines"
        )


def owned_lines(day: DemoLogs) -> dict[str, list[Told]]:
    """Return the lines of the three logs, each with the mail that it tells of."""
    births = {(one.queue, one.message_number, one.queued_ns): at for at, one in enumerate(day.mails) if one.queued_ns}
    scans = {(one.scanned_ns, one.message_number): at for at, one in enumerate(day.mails) if one.scanned_ns}
    return {
        "send": [*_owned_sends(_stamped(day.send), births)],
        "smtpd": [*_owned_sessions(day)],
        "clamd": [
            Told(at, text, scans.get((at, int(text.partition(b": ")[0].rpartition(b"/")[2]))))
            for at, text in _stamped(day.clamd)
        ],
    }


def _stamped(octets: bytes):
    for line in octets.splitlines():
        label, _, text = line.partition(b" ")
        yield from_tai64n(label), text


def _owned_sessions(day: DemoLogs):
    """Walk over the whole log: the mails of a pid come in the order in which its sessions begin."""
    waiting: dict[int, list[int]] = defaultdict(list)
    for at, one in enumerate(day.mails):
        if one.session_pid:
            waiting[one.session_pid].append(at)
    current: dict[int, int | None] = {}
    for at, text in _stamped(day.smtpd):
        pid = int(re.search(rb"(?:pid[ =]|ok )(\d+)", text)[1])
        if text.startswith(b"tcpserver: pid "):
            current[pid] = None if text.endswith(b" " + day.guesser.encode()) else waiting[pid].pop(0)
        yield Told(at, text, current[pid])


def _owned_sends(lines, births):
    """Walk over the whole log: a number is one mail's at each moment, and so is a delivery of a running qmail-send."""
    current: dict[tuple[str, int], int] = {}
    flying: dict[tuple[str, bytes], int] = {}
    for at, text in lines:
        owner = None
        if started := _START.fullmatch(text):
            queue = started[3].decode()
            owner = flying[queue, started[1]] = current[queue, int(started[2])]
        elif ended := _END.fullmatch(text):
            owner = flying.pop((ended[2].decode(), ended[1]))
        elif found := _SEND.fullmatch(text):
            number = next(int(one) for one in found.groups()[:6] if one)
            queue = (found[7] or _QUEUE.findall(text)[-1]).decode()
            owner = births.get((queue, number, at), current.get((queue, number)))
            if owner is not None:
                current[queue, number] = owner
        yield Told(at, text, owner)


def damaged(lines: dict[str, list[Told]], damage: Damage, random: Random) -> dict[str, list[Told]]:
    """Return what is left of the logs."""
    left = {}
    for name, told in lines.items():
        kept = [one for one in told if random.random() >= damage.lost]
        if name == "send":
            first, middle = int(len(kept) * damage.cut), len(kept) // 2
            kept = kept[first:middle] + kept[middle + int(len(kept) * damage.hole) :]
        shift_ns = round(damage.ahead_s.get(name, 0.0) * NS)
        left[name] = [Told(one.unix_ns + shift_ns, one.text, one.owner) for one in kept]
    return left


_LOGS = {"session": "smtpd", "scan": "clamd"}


def measure_day(day: DemoLogs, damage: Damage, *, seed: int = 1) -> Figures:
    """Trace each mail of a day in damaged logs, and compare with the truth."""
    left = damaged(owned_lines(day), damage, Random(seed))  # noqa: S311 - a picture, no secret
    octets = {
        name: b"".join(b"%b %b\n" % (to_tai64n(one.unix_ns), one.text) for one in told) for name, told in left.items()
    }
    clocks = {"session": damage.ahead_s.get("smtpd", 0.0), "scan": damage.ahead_s.get("clamd", 0.0)}
    tracer = Tracer(logs=[read(one) for one in octets.values()], ahead_s=clocks if damage.is_told else {})
    of_mail: dict[int, set[tuple[str, int]]] = defaultdict(set)
    for name, told in left.items():
        for number, one in enumerate(told, 1):
            if one.owner is not None:
                of_mail[one.owner].add((name, number))
    figures = Figures()
    owners = {(name, number): at for at, lines in of_mail.items() for name, number in lines}
    for at, mail in enumerate(day.mails):
        if not any(name == "send" for name, _ in of_mail[at]) and not mail.is_infected:
            continue  # qmail-send's log has nothing of it any more: there is no message to ask for
        _compare(_ask(tracer, mail), at, day.mails, of_mail[at], owners, figures)
    return figures


def _ask(tracer: Tracer, mail: Mail) -> Trace | None:
    """Ask for a mail by its qp, else by its number and time."""
    try:
        return tracer.qp(mail.qp, at_ns=mail.queued_ns or mail.scanned_ns, within_s=1)
    except TraceError:
        if mail.is_infected:
            return None  # the line that names its qp is lost: nothing else does
    try:
        return tracer.message(mail.message_number, queue=mail.queue, at_ns=mail.queued_ns, within_s=1)
    except TraceError:
        return None


def _told_about(story: Trace, asked: int, mails) -> int:
    """Return which mail a story is about: the one whose qp it names, at the time that it names."""
    if story.message.qp in (None, mails[asked].qp):
        return asked
    began_ns = story.message.began_ns or 0
    named = [at for at, one in enumerate(mails) if one.qp == story.message.qp]
    return min(named, key=lambda at: abs(mails[at].queued_ns - began_ns))


def _compare(trace, asked, mails, expected, owners, figures) -> None:
    """Count what a trace has right and wrong; a story is about the mail whose qp it names."""
    found: dict[str, set[tuple[str, int]]] = {"certain": set(), "likely": set(), "possible": set()}
    told = [] if trace is None or trace.others else [trace]
    for story in told:
        about = _told_about(story, asked, mails)
        ours = mails[about]
        kin = {
            at
            for at, one in enumerate(mails)
            if (one.qp == ours.bounce_qp and abs(one.queued_ns - ours.ended_ns) < 60 * NS)
            or (one.bounce_qp == ours.qp and abs(ours.queued_ns - one.ended_ns) < 60 * NS)
        }
        if about != asked and story.confidence == "certain":
            figures.wrong += 1
            figures.mistakes.append(f"asked for {mails[asked]}, told {story}")
        for one in story.evidence:
            line = (_LOGS.get(one.source, "send"), one.line_number)
            is_right = owners.get(line) == about or (one.source == "bounce" and owners.get(line) in kin)
            found[one.confidence].add(line)
            if one.confidence == "certain":
                figures.certain += 1
                figures.wrong += not is_right
                figures.mistakes += [] if is_right else [f"{mails[about]}: {one}"]
    figures.expected += len(expected)
    figures.found_certain += len(expected & found["certain"])
    figures.found += len(expected & (found["certain"] | found["likely"]))
    for name, number in expected - found["certain"] - found["likely"]:
        figures.missed[name if (name, number) not in found["possible"] else f"{name} (possible)"] += 1


@pytest.fixture
def measure():
    """Return a function that traces each mail of a day in logs with a damage, and counts what is right."""
    return lambda day, *, seed=1, **damage: measure_day(day, Damage(**damage), seed=seed)


SEED = b"""\
@400000004b9da2a7061e372c /var/indimail/queue/queue2/mess/16/660188: OK
@400000004b9da2f03b424bb4 new msg 660188
@400000004b9da2f03b426324 info msg 660188: bytes 2794 from fogcreek_xxx@response.whatcounts.com qp 3223 uid 555
@400000004b9da2f03b42c0e4 starting delivery 6: msg 660188 to local mailstore@indimail.org
@400000004b9da2f03b42dc3c status: local 1/10 remote 0/20
@400000004b9da2f106a1e234 delivery 6: success: did_1+0+0/
@400000004b9da2f1091e676c status: local 0/10 remote 0/20
@400000004b9da2f1091fa3d4 end msg 660188
"""


@pytest.fixture
def seed_log():
    """The lines about message 660188 in the text of 2010: qmail-send's and clamd's."""
    return read(SEED)


@pytest.fixture
def write_log():
    """Return a function that makes a log of (seconds, text) pairs; 0 is 2010-03-15 03:00:00."""

    def written(*lines: tuple[float, str]):
        labelled = (b"%b %b\n" % (to_tai64n(START_NS + round(seconds * NS)), text.encode()) for seconds, text in lines)
        return read(b"".join(labelled))

    return written


START_NS = 1_268_622_000 * NS
