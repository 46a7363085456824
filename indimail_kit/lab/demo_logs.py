"""A day of a busy server as logs, made from a seed: qmail-send, qmail-smtpd and clamd, and the truth about each mail.

The day has its stories: a newsletter at ten, a host that does not answer from nine to one, a restart at three, somebody
who guesses passwords at night, and a virus now and then. Message numbers are used again as soon as they are free.

Source: the recorded logs (three queues under qscheduler); `delivery.schedule` for the retry times.

Note for maintainers: every line is written by `logs.grammar`, whose table is checked against the recorded ones.

Rule 1: pure: a seed and a time in, octets and values out; `DemoLogs.write` alone touches a disk.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from indimail_kit.errors import LabError
from indimail_kit.lab.demo_server import FIRST_PID, DemoServer
from indimail_kit.lab.demo_world import NS, Mail
from indimail_kit.tai64 import to_tai64n

DAY_START_S: Final = 1_268_611_200
"""Midnight before the day of the tutorial: 2010-03-15 00:00:00 UTC (unit: s since 1970)."""

LOG_DIRECTORIES: Final = {"send": "deliver.25", "smtpd": "smtpd.25", "clamd": "clamd"}
"""Log -> its directory below /var/log/indimail."""

MAX_MESSAGES: Final = 1_000_000

_DAY_S: Final = 86_400
_NEWSLETTER_S: Final = 10 * 3_600
_GUESSING_S: Final = (2 * 3_600, 3 * 3_600)
_GUESSES: Final = 400
"""Most guesses of the night."""

_OFFICE: Final = "192.0.2.{}"
_STRANGER: Final = "198.51.100.{}"
_GUESSER: Final = "203.0.113.66"


@dataclass(frozen=True, slots=True)
class DemoLogs:
    """The logs of a day.

    Attributes:
        send: qmail-send's log.
        smtpd: The log of tcpserver and qmail-smtpd.
        clamd: clamd's log.
        mails: What happened to each mail, in the order in which they came.
        guesser: Address from which passwords were tried.
    """

    send: bytes = field(repr=False)
    smtpd: bytes = field(repr=False)
    clamd: bytes = field(repr=False)
    mails: tuple[Mail, ...] = field(repr=False)
    guesser: str

    def write(self, directory: Path) -> dict[str, Path]:
        """Write the logs as multilog has them, and return name -> directory.

        Raises:
            LabError: There is a log already.
        """
        places = {name: Path(directory) / place for name, place in LOG_DIRECTORIES.items()}
        for name, place in places.items():
            place.mkdir(parents=True, exist_ok=True)
            try:
                with (place / "current").open("xb") as file:
                    file.write(getattr(self, name))
            except FileExistsError as error:
                raise LabError(f"a log is at {place} already") from error
        return places


def make_logs(
    messages: int = 400, *, seed: int = 1, queues: int = 3, start_s: int = DAY_START_S, max_pid: int | None = None
) -> DemoLogs:
    """Make the logs of a day.

    Args:
        messages: Mails that come over SMTP; bounces come on top.
        seed: Decides everything.
        queues: Number of queues.
        start_s: Midnight at which it begins (unit: s since 1970).
        max_pid: Largest process id, behind which they begin again, as a real system's do; None if they never do.

    Raises:
        LabError: No message, too many, no queue, or too few process ids.
    """
    if not 1 <= messages <= MAX_MESSAGES or not 1 <= queues <= 99:
        raise LabError(f"between 1 and {MAX_MESSAGES} messages and between 1 and 99 queues")
    if max_pid is not None and max_pid < FIRST_PID + 200:
        raise LabError(f"a largest process id of {FIRST_PID + 200} or more")
    return logs_of(play(messages, seed=seed, queues=queues, start_s=start_s, max_pid=max_pid))


def play(
    messages: int,
    *,
    seed: int,
    queues: int,
    start_s: int,
    max_pid: int | None = None,
    length_s: int = _DAY_S,
    numbers: Mapping[int, int] | None = None,
    is_silent: bool = False,
) -> DemoServer:
    """Play a day, or its beginning, and return the server as it stands then.

    Args:
        messages: Mails that come over SMTP in a day; bounces come on top.
        seed: Decides everything.
        queues: Number of queues.
        start_s: Midnight at which it begins (unit: s since 1970).
        max_pid: Largest process id; None without one.
        length_s: How much of the day is played (unit: s).
        numbers: Message numbers of some mails, see `DemoServer`.
        is_silent: Whether no line is written.
    """
    random = Random(seed)  # noqa: S311 - a picture, no secret
    start_ns = start_s * NS
    server = DemoServer(random, queues=queues, start_ns=start_ns, max_pid=max_pid, numbers=numbers, is_silent=is_silent)
    for after_s, client in sorted(_arrivals(random, messages)):
        server.expect_mail(start_ns + int(after_s * NS), client)
    for after_s in sorted(_guesses(random, messages)):
        server.expect_guess(start_ns + int(after_s * NS), _GUESSER)
    server.run(until_ns=(start_s + length_s) * NS)
    return server


def logs_of(server: DemoServer) -> DemoLogs:
    """Return the logs of a server that has played."""
    return DemoLogs(
        send=_octets(server.send_lines),
        smtpd=_octets(server.smtpd_lines),
        clamd=_octets(server.clamd_lines),
        mails=tuple(server.mails),
        guesser=_GUESSER,
    )


def _arrivals(random: Random, messages: int) -> Iterator[tuple[float, str]]:
    """Yield when mails come (unit: s after midnight) and from which address."""
    for index in range(messages):
        if index % 10 == 0:  # the newsletter of the office
            yield _NEWSLETTER_S + random.expovariate(1 / 120), _OFFICE.format(10)
            continue
        address = _OFFICE.format(random.randrange(11, 60)) if random.random() < 0.4 else _STRANGER.format(index % 250)
        yield _by_day(random), address


def _by_day(random: Random) -> float:
    """Return a second of the day; by night a tenth of what there is at noon."""
    while True:
        second = random.random() * _DAY_S
        if random.random() < 0.1 + 0.9 * math.sin(math.pi * second / _DAY_S) ** 4:
            return min(second, _DAY_S - 60.0)


def _guesses(random: Random, messages: int) -> Iterator[float]:
    """Yield when a password is tried (unit: s after midnight)."""
    first, last = _GUESSING_S
    for _ in range(min(_GUESSES, max(5, messages // 10))):
        yield first + random.random() * (last - first)


def _octets(lines: list[tuple[int, bytes]]) -> bytes:
    """Return lines with their labels."""
    return b"".join(b"%b %b\n" % (to_tai64n(unix_ns), text) for unix_ns, text in lines)
