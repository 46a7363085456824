"""What can be told of a host: a fact, something that is fine, or a finding with its urgency, reason and lesson.

Rule 1: values and words only; the modules ``host_…`` look, `host` puts all together.
Rule 2: what a kind of finding means, how urgent it is and which lesson explains it stands in KINDS and nowhere else.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, Literal

Area = Literal["queue", "control", "services", "clamd", "logs"]
"""Which part of the host something is told of."""

_NS: Final = 10**9
_SPANS: Final = ((86_400, "days"), (3600, "h"), (60, "min"), (1, "s"))
"""Length (unit: s) -> its sign, longest first."""


class Urgency(enum.Enum):
    """How much it matters, worst first."""

    NOW = "mail is refused, waits or is lost, or a virus passes"
    SOON = "it works, but not for everybody, or not for long"
    UNKNOWN = "could not be looked at"
    NOTE = "good to know"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding.

    Attributes:
        urgency: How much it matters.
        lesson: The notebook that explains it.
        why: What it means, a sentence or two.
    """

    urgency: Urgency
    lesson: str
    why: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        key: One of KINDS.
        area: Which part of the host.
        subject: What it is about: a queue, a service, a file.
        text: What it is in this case, a phrase.
        look: Command lines that show more or repair it; the first one first.
        detail: Why it matters in this case; "" where what its kind says is enough.
    """

    key: str
    area: Area
    subject: str
    text: str
    look: tuple[str, ...] = ()
    detail: str = ""

    def __post_init__(self) -> None:
        """Refuse a kind that nobody could look up."""
        if self.key not in KINDS:
            raise ValueError(f"a finding {self.key!r} that is not in the table")

    @property
    def urgency(self) -> Urgency:
        """Return how much it matters."""
        return KINDS[self.key].urgency

    @property
    def lesson(self) -> str:
        """Return the notebook that explains it."""
        return KINDS[self.key].lesson

    @property
    def why(self) -> str:
        """Return what it means, a sentence or two."""
        return self.detail or KINDS[self.key].why


@dataclass(frozen=True, slots=True)
class Fact:
    """What is configured or running, without a judgement.

    Attributes:
        side: Which of the two.
        area: Which part of the host.
        name: What it is.
        text: How it is.
    """

    side: Literal["configured", "running"]
    area: Area
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Fine:
    """Something that was looked at and is as it should be.

    Attributes:
        area: Which part of the host.
        text: What, a phrase.
    """

    area: Area
    text: str


Told = Finding | Fact | Fine
"""Whatever a look at a host yields."""


def span_text(seconds: float) -> str:
    """Return a length of time in its handiest unit.

    Example:
        >>> span_text(7), span_text(90), span_text(260_000)
        ('7 s', '1 min', '3 days')
    """
    for length, sign in _SPANS:
        if seconds >= length * (2 if length == 86_400 else 1):
            return f"{int(seconds // length)} {sign}"
    return f"{max(0, int(seconds))} s"


_SCAN: Final = "02_qhpsi.ipynb"
_QUEUE: Final = "03_queue.ipynb"
_LOGS: Final = "04_logs.ipynb"
_START: Final = "00_start_here.ipynb"
_AUTH: Final = "01_auth.ipynb"

KINDS: Final = {
    # --- queue
    "no-queue": Kind(Urgency.UNKNOWN, _QUEUE, "Without a queue nothing can be said about mail that waits."),
    "queue-shut": Kind(
        Urgency.NOW, _QUEUE, "What qmail cannot find its way in, it neither fills nor empties: mail gets 451, or waits."
    ),
    "queue-unreadable": Kind(
        Urgency.UNKNOWN, _QUEUE, "A queue is for qmail's users: look at it as root, or as a member of the group qmail."
    ),
    "queue-broken": Kind(Urgency.NOW, _QUEUE, "Mail is stuck in the queue."),
    "queue-odd": Kind(Urgency.SOON, _QUEUE, "Something in the queue is not as qmail makes it."),
    "trigger": Kind(
        Urgency.NOW,
        _QUEUE,
        "qmail-queue wakes qmail-send by lock/trigger. Without it new mail waits until qmail-send looks by itself, "
        "up to 25 minutes.",
    ),
    "nobody-delivers": Kind(
        Urgency.NOW, _QUEUE, "No qmail-send works on this queue: its mail waits until one is started."
    ),
    "holder-unknown": Kind(Urgency.UNKNOWN, _QUEUE, "Whether qmail-send works on a queue is seen in /proc/locks."),
    "not-preprocessed": Kind(
        Urgency.NOW,
        _QUEUE,
        "Mail was accepted and is still in todo: todo-proc does not get to it, or nothing tells it to look.",
    ),
    "stuck": Kind(
        Urgency.SOON,
        _LOGS,
        "qmail-send tries again, at growing distances, until the queue lifetime is over; then the sender gets a "
        "bounce.",
    ),
    "backlog": Kind(
        Urgency.SOON, _LOGS, "More mail comes than leaves. What waits for one host takes the places of all the others."
    ),
    "base-stranger": Kind(
        Urgency.NOTE, _QUEUE, "It takes room from the mail, and a copy of a queue is easily taken for one."
    ),
    "expires": Kind(
        Urgency.SOON, _QUEUE, "When the queue lifetime is over, qmail-send gives up and tells the senders."
    ),
    "disk-full": Kind(
        Urgency.NOW, _QUEUE, "qmail-queue cannot write: each mail is answered with 451 and comes again later."
    ),
    "disk-fills": Kind(Urgency.SOON, _QUEUE, "On a full disk each mail is answered with 451."),
    # --- control
    "control-unreadable": Kind(
        Urgency.UNKNOWN, _AUTH, "A control file that a program cannot read either stops it: 451, or no start."
    ),
    "control-binary": Kind(
        Urgency.NOW, _AUTH, "A control file is lines of text. What follows a NUL is not read, and odd names fit nobody."
    ),
    "control-me": Kind(
        Urgency.NOW, _START, "Without control/me nearly every program of qmail refuses to start: it has no name."
    ),
    "open-relay": Kind(
        Urgency.NOW, _AUTH, "Anybody in the world can send mail to anybody through this host, and will."
    ),
    "no-concurrency": Kind(Urgency.NOW, _QUEUE, "With a concurrency of 0 a channel delivers nothing; its mail waits."),
    "held": Kind(
        Urgency.NOW, _QUEUE, "A held channel delivers nothing until the file is removed and qmail-send gets a HUP."
    ),
    "not-a-number": Kind(
        Urgency.NOW, _QUEUE, "qmail-send does not start, or goes on with the old settings, when a number is none."
    ),
    "short-lifetime": Kind(
        Urgency.SOON, _QUEUE, "A host that is away for a weekend loses its mail: bounces go out before it is back."
    ),
    "domain-refused": Kind(
        Urgency.SOON, _AUTH, "The domain is delivered here, but qmail-smtpd does not take mail for it from outside."
    ),
    "bad-line": Kind(Urgency.NOTE, _START, "A line without a colon in virtualdomains does nothing."),
    "route-dead": Kind(
        Urgency.NOW,
        _LOGS,
        "Each delivery there is deferred; its mail waits, and more joins it, until the route is right.",
    ),
    "route-circle": Kind(
        Urgency.NOW,
        _QUEUE,
        "Its mail comes in again, and goes out again, until a hundred hops are counted: 554, a bounce.",
    ),
    "rules-refused": Kind(
        Urgency.NOW, _SCAN, "tcprules does not compile this, so an older cdb goes on to count, or none at all."
    ),
    "rules-deny-all": Kind(Urgency.NOW, _SCAN, "tcpserver drops every client before qmail-smtpd says a word."),
    "rule-note": Kind(
        Urgency.SOON, _SCAN, "tcprules takes it without a word, and it does something else than it looks like."
    ),
    "rules-stale": Kind(
        Urgency.SOON, _SCAN, "tcpserver reads the cdb. What was changed in the text counts once tcprules made it anew."
    ),
    # --- services
    "no-services": Kind(Urgency.UNKNOWN, _SCAN, "Without a service directory nothing can be said about services."),
    "service-down": Kind(Urgency.NOW, _SCAN, "What it does is not done until it is up."),
    "service-down-on-purpose": Kind(
        Urgency.NOTE,
        _SCAN,
        "It has a file down, and supervise was told so: somebody wanted it, or it is not set up yet.",
    ),
    "other-base": Kind(
        Urgency.NOTE, _QUEUE, "What is said of the queue here is not said of the one that this service fills."
    ),
    "service-unsupervised": Kind(
        Urgency.NOW, _SCAN, "Nothing starts it, and nothing starts it again when it ends: is svscan running?"
    ),
    "nobody-listens": Kind(
        Urgency.NOW,
        _SCAN,
        "supervise keeps it up, and no client gets in: it listens elsewhere, or does not yet.",
    ),
    "service-unreadable": Kind(Urgency.UNKNOWN, _SCAN, "supervise's files are root's: look at them as root."),
    "service-not-kept": Kind(
        Urgency.NOTE, _SCAN, "It runs now, but the file down is there: after the next start of the machine it does not."
    ),
    "variables-refused": Kind(
        Urgency.NOW, _SCAN, "envdir refuses the whole directory, so the service does not start with these variables."
    ),
    "variables-unreadable": Kind(Urgency.UNKNOWN, _SCAN, "What the service is told cannot be seen by this user."),
    "scan-passes": Kind(Urgency.NOW, _SCAN, "Mail passes unscanned, or with its virus."),
    "scan-refuses": Kind(Urgency.NOW, _SCAN, "Every mail is refused, or lost."),
    "scan-note": Kind(Urgency.NOTE, _SCAN, "Something about scanning is not what it seems."),
    # --- clamd
    "clamd-silent": Kind(
        Urgency.NOW, _SCAN, "A scan without an answer is never clean: each mail that is to be scanned gets 451."
    ),
    "clamd-conf": Kind(Urgency.UNKNOWN, _SCAN, "clamdscan reads this file to find clamd; without it no scan is done."),
    "signatures-old": Kind(
        Urgency.NOW, _SCAN, "clamd finds what it has signatures of. Those of new viruses are missing here."
    ),
    "signatures-ageing": Kind(
        Urgency.SOON, _SCAN, "New signatures come several times a day; freshclam seems not to fetch them."
    ),
    "clamd-limit": Kind(
        Urgency.SOON, _SCAN, "What is beyond clamd's limits is answered with OK or with an error, but not looked into."
    ),
    # --- logs
    "log-missing": Kind(Urgency.SOON, _LOGS, "What is not logged cannot be found again: no matchup, no trace."),
    "log-shut": Kind(
        Urgency.SOON, _LOGS, "multilog cannot write there. It waits and complains, and the service waits with it."
    ),
    "log-unreadable": Kind(Urgency.UNKNOWN, _LOGS, "A log is often for root and qmaill only."),
    "log-silent": Kind(
        Urgency.SOON, _LOGS, "Either nothing happens any more, or what happens is not logged: look which of the two."
    ),
    "log-quiet": Kind(Urgency.NOTE, _LOGS, "On a small host that may be usual; else look whether its service runs."),
    "deferrals": Kind(
        Urgency.SOON, _LOGS, "A deferral is tried again later; where many have one reason, the reason is what to mend."
    ),
    "send-complains": Kind(
        Urgency.SOON, _LOGS, "qmail-send cannot do something in its queue, and says what; queue check says more."
    ),
    "clock-ahead": Kind(
        Urgency.SOON, _LOGS, "A clock is wrong. Ages, retries and every comparison of two logs are wrong with it."
    ),
    "mail-loops": Kind(
        Urgency.SOON,
        _LOGS,
        "A mail comes back to a host that has delivered it before; each round costs as much as a mail.",
    ),
    "guessing": Kind(
        Urgency.SOON, _AUTH, "Many users from one address, and none of them ever gets in: somebody tries passwords."
    ),
    "logins-fail": Kind(
        Urgency.SOON, _AUTH, "Somebody cannot log in: a wrong password, or one that this mechanism cannot check."
    ),
    "logins-mixed": Kind(
        Urgency.NOTE,
        _AUTH,
        "A slip of the fingers, or one of two programs: CRAM needs the clear password in the table, PLAIN only its "
        "hash.",
    ),
    "scanner-fails": Kind(
        Urgency.NOW, _SCAN, "Without a verdict qmail-queue takes no mail: exit code 77, and 451. It comes again later."
    ),
    "queue-refuses": Kind(
        Urgency.NOW, _QUEUE, "qmail-queue did not take mail that the client had sent; with 451 it comes again."
    ),
    "scans-fail": Kind(Urgency.NOW, _SCAN, "A scan that ended in an error is never clean: its mail got 451."),
    "freshclam-fails": Kind(Urgency.SOON, _SCAN, "No new signatures until freshclam succeeds again."),
    "lines-unknown": Kind(Urgency.NOTE, _LOGS, "Lines that no form fits are kept and counted; look what they say."),
}
"""Key -> how urgent it is, which lesson explains it, and what it means."""
