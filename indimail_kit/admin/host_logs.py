"""Look at the logs of a host: are they written, and what do their last hours complain of.

Source: multilog(8), qmail-log(5); the questions of `tables.questions`.

Note for maintainers: of each log the end of ``current`` is read (TAIL_BYTES); older files are for `logs report`.

Rule 1: reading changes nothing; a log that cannot be read is a sentence.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.admin.host_findings import Fact, Finding, Fine, Told, span_text
from indimail_kit.counting import counted

if TYPE_CHECKING:
    import pandas as pd

    from indimail_kit.logs.log import Log

TAIL_BYTES: Final = 8 * 2**20
"""Octets that are read of a log, its last ones (unit: octets): a busy hour, in a second or two."""

RECENT_S: Final = 86_400
"""How far back from its last line a log is asked (unit: s)."""

BACKLOG_S: Final = 3600
"""Stretch for which arrivals and ends are compared (unit: s)."""

BACKLOG_LEAST: Final = 10
"""Messages by which arrivals must be ahead, to be called a backlog; ours."""

AHEAD_S: Final = 120
"""How far a log may be in the future (unit: s); hosts that run ntp are within a second."""

QUIET_S: Final = 86_400
"""A log without a line for so long is told of (unit: s)."""

LAG_S: Final = 300
"""How much later than qmail-send's last line a message may be in the queue (unit: s)."""

MAX_LOGS: Final = 100
"""Most log directories that are looked at."""

_NS: Final = 10**9
_SHOWN: Final = 3
_LONG: Final = 200
"""Characters of a line of a log that are shown."""

_FEW: Final = 5
_UNKNOWN_SHARE: Final = 0.01
_FRESHCLAM_FAILURES: Final = 3
_WRONG_PASSWORDS: Final = 3
_TWICE: Final = 2
_MANY: Final = 10
"""Wrong passwords from an address from which nobody ever gets in, for it to be called guessing; ours."""

_CALM: Final = frozenset({"signal", "todo_ordered_to_quit", "rate_exceeded", "rate_ok"})
"""Kinds of lines that claim a severity, and are part of a quiet day."""

_LOOPING: Final = ("looping", "too many hops", "mail loop")
_SEND: Final = frozenset({"new_msg", "starting_delivery", "status", "end_msg", "send_start"})


@dataclass(slots=True)
class LogLook:
    """One log, as far as it could be read.

    Attributes:
        directory: Its directory.
        last_ns: Time of its last line (unit: ns since 1970); None without one.
        is_send: Whether qmail-send writes it.
        log: What was read of it, where qmail-send writes it.
        option: What names the queue in commands: " --queue DIR", or "".
    """

    directory: Path
    last_ns: int | None = None
    is_send: bool = False
    log: Log | None = field(default=None, repr=False)
    option: str = ""

    @property
    def tail(self) -> str:
        """Return the command that shows its last lines."""
        file = self.directory / "current" if self.directory.is_dir() else self.directory
        return f"tail {shlex.quote(str(file))}"


def find_logs(places: Iterable[Path]) -> tuple[list[Path], list[Told]]:
    """Return the directories of logs at some places: the places themselves, or what lies in them."""
    found: dict[Path, None] = {}
    told: list[Told] = []
    for place in places:
        try:
            if place.is_file():
                found[place] = None
                continue
            with os.scandir(place) as entries:
                names = sorted((entry.name, entry.is_dir()) for entry in entries)
        except OSError as error:
            key = "log-missing" if isinstance(error, FileNotFoundError) else "log-unreadable"
            look = (f"ls -la {shlex.quote(str(place))}",)
            told.append(Finding(key, "logs", str(place), f"{place}: {error.strerror}", look))
            continue
        is_log = any(name == "current" or name.startswith("@") for name, _ in names)
        children = [place / name for name, is_directory in names if is_directory]
        found.update(dict.fromkeys([place] if is_log or not children else children))
    return list(found)[:MAX_LOGS], told


def look_at_log(directory: Path, *, now_ns: int, queue: Path | None = None) -> tuple[LogLook, list[Told]]:
    """Return one log, and what is to be told of it.

    Args:
        directory: A directory of multilog, or a file.
        now_ns: Time (unit: ns since 1970).
        queue: Where the mail is, for the commands that are told.
    """
    look = LogLook(directory, option="" if queue is None else f" --queue {shlex.quote(str(queue))}")
    told: list[Told] = []
    quoted = shlex.quote(str(directory))
    listing = (f"ls -la {quoted}",)
    current = directory
    try:
        if directory.is_dir():
            mode = directory.stat().st_mode
            if not mode & stat.S_IWUSR:
                text = f"{directory} has mode {stat.S_IMODE(mode):o}: its owner may not write there"
                told.append(Finding("log-shut", "logs", directory.name, text, listing))
            current = directory / "current"
        octets = read_tail(current)
    except FileNotFoundError:
        told.append(Finding("log-missing", "logs", directory.name, f"{current} is not there", listing))
        return look, told
    except OSError as error:
        told.append(Finding("log-unreadable", "logs", directory.name, f"{current}: {error.strerror}", listing))
        return look, told
    from indimail_kit.logs.log import read

    told += _told_of(read(octets), look, quoted, now_ns)
    return look, told


def read_tail(path: Path, limit_bytes: int = TAIL_BYTES) -> bytes:
    """Return the last octets of a log, beginning with a whole line.

    Raises:
        OSError: It is no regular file, or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "not a regular file", str(path))
        start = max(0, status.st_size - limit_bytes)
        file.seek(start)
        octets = file.read(limit_bytes)
    return octets.partition(b"\n")[2] if start else octets


def told_of_silence(looks: Iterable[LogLook], newest_birth_ns: int | None) -> Iterator[Told]:
    """Tell of logs of qmail-send that end before the newest message that it has preprocessed."""
    sends = [look for look in looks if look.is_send and look.last_ns is not None]
    if not sends or newest_birth_ns is None:
        return
    look = max(sends, key=lambda one: one.last_ns or 0)
    lag_s = (newest_birth_ns - (look.last_ns or 0)) / _NS
    if lag_s > LAG_S:
        text = f"{look.directory} ends {span_text(lag_s)} before the newest message in the queue was preprocessed"
        where = shlex.quote(str(look.directory))
        yield Finding("log-silent", "logs", look.directory.name, text, (f"ls -la {where}", look.tail))


def _told_of(log: Log, look: LogLook, quoted: str, now_ns: int) -> Iterator[Told]:
    """Tell of a log that was read, and write into `look` what it says."""
    name = look.directory.name
    events = log.events
    times = events["time"].dropna()
    if times.empty:
        if len(log):
            yield Finding("lines-unknown", "logs", name, f"{look.directory}: no line of {len(log):,} has a time")
        else:
            yield Fact("running", "logs", name, "empty")
        return
    last = times.max()
    look.last_ns = int(last.value)
    look.is_send = bool(_SEND & set(log.kinds))
    age_s = (now_ns - look.last_ns) / _NS
    yield Fact("running", "logs", name, f"last line {span_text(age_s)} ago")
    found = list(_times(look, quoted, age_s))
    recent = events[~(events["time"] < last - _delta(RECENT_S))]
    found += _lines(log, recent, name, quoted)
    if look.is_send:
        found += _deliveries(log, look, last, quoted)
    found += _clients(recent, name, quoted)
    found += _scanner(log, recent, name, quoted)
    yield from found
    if not any(isinstance(one, Finding) for one in found):
        yield Fine("logs", f"{name} complains of nothing")


def _begin(text: str) -> str:
    """Return the beginning of a text that may be long."""
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def _delta(seconds: float) -> Any:
    import pandas as pd

    return pd.Timedelta(seconds=seconds)


def _times(look: LogLook, quoted: str, age_s: float) -> Iterator[Told]:
    if age_s < -AHEAD_S:
        text = f"{look.directory}: the last line is {span_text(-age_s)} ahead of this host's clock"
        yield Finding("clock-ahead", "logs", look.directory.name, text, ("date -u", f"{look.tail} | tai64nlocal"))
    elif age_s > QUIET_S:
        text = f"{look.directory}: no line for {span_text(age_s)}"
        yield Finding("log-quiet", "logs", look.directory.name, text, (f"ls -la {quoted}",))


def _lines(log: Log, recent: pd.DataFrame, name: str, quoted: str) -> Iterator[Told]:
    """Tell of lines that nobody understands, and of those in which qmail-send complains."""
    unknown = log.kinds.get("unknown", 0)
    if unknown > _UNKNOWN_SHARE * len(log):
        text = f"{unknown:,} of {len(log):,} lines of {name} are of no form that the kit knows"
        yield Finding("lines-unknown", "logs", name, text, (f"indimail-kit logs events {quoted}",))
    loud = recent[recent["severity"].isin(["alert", "error", "warning"]) & ~recent["kind"].isin(_CALM)]
    loud = loud[loud["program"].isin(["qmail-send", "todo-proc", "qmail-clean", "slowq-send", "qscheduler"])]
    if not loud.empty:
        text = f"{counted(len(loud), 'complaint')} of qmail-send in {name}, the last: {_begin(loud['text'].iloc[-1])}"
        yield Finding("send-complains", "logs", name, text, (f"indimail-kit logs events {quoted}",))


# --- qmail-send -----------------------------------------------------------------------------------------------------


def _deliveries(log: Log, look: LogLook, last: Any, quoted: str) -> Iterator[Told]:
    """Tell of deferrals by reason, of loops and of a backlog."""
    from indimail_kit.tables.questions_logs_reasons import deferral_reasons, failure_reasons

    deliveries, messages = log.deliveries, log.messages
    look.log = log
    recent = deliveries[~(deliveries["ended_at"] < last - _delta(RECENT_S))]
    ended = recent[recent["outcome"].notna()]
    reasons = deferral_reasons(ended)
    count = int(reasons["deliveries"].sum())
    name, report = look.directory.name, f"indimail-kit logs report {quoted} --view"
    if count >= _FEW and count >= 0.2 * len(ended):
        shown = "; ".join(
            f"{_begin(str(row.reason))} ({row.deliveries:,})" for row in reasons.head(_SHOWN).itertuples()
        )
        text = (
            f"{count:,} of {len(ended):,} deliveries in the last {span_text(RECENT_S)} of {name} were deferred: {shown}"
        )
        yield Finding("deferrals", "logs", name, text, (f"{report} deferrals", f"{report} hosts"))
    failures = failure_reasons(ended)
    loops = failures[failures["example"].str.lower().map(lambda text: any(word in text for word in _LOOPING))]
    if not loops.empty:
        times = int(loops["deliveries"].sum())
        text = f"{name}: a mail went in a circle ({times:,} times): {_begin(loops['example'].iloc[0])}"
        yield Finding(
            "mail-loops",
            "logs",
            name,
            text,
            (f"{report} failures", f"indimail-kit trace ADDRESS --log {quoted}{look.option}"),
        )
    start = last - _delta(BACKLOG_S)
    came, left = int((messages["queued_at"] > start).sum()), int((messages["ended_at"] > start).sum())
    if came - left >= BACKLOG_LEAST and left < came / 2:
        still = int(messages["is_open"].sum())
        text = (
            f"in the last {span_text(BACKLOG_S)} of {name} {came:,} messages came, {left:,} left, {still:,} are there"
        )
        yield Finding("backlog", "logs", name, text, (f"{report} deferrals", f"indimail-kit queue shape{look.option}"))


# --- qmail-smtpd ----------------------------------------------------------------------------------------------------


def _clients(recent: pd.DataFrame, name: str, quoted: str) -> Iterator[Told]:
    """Tell of logins that fail, and of mail that qmail-queue did not take."""
    from indimail_kit.tables.event_frames import auth_frame
    from indimail_kit.tables.questions_logs_smtp import auth_failures

    if not recent["kind"].str.startswith("smtpd_").any():
        return
    look = (f"indimail-kit logs events {quoted}",)
    attempts = auth_frame(recent)
    failures = auth_failures(attempts)
    is_guessing = failures["is_guessing"] | ((failures["wrong_passwords"] >= _MANY) & (failures["logins"] == 0))
    guessers = failures[is_guessing]
    if not guessers.empty:
        first = ", ".join(
            f"{address} ({counted(int(users), 'user')}, {times} times)"
            for address, users, times in zip(
                *(guessers[column].head(_SHOWN) for column in ("remote_ip", "users", "wrong_passwords")), strict=True
            )
        )
        yield Finding("guessing", "logs", name, f"somebody tries passwords in {name}: {first}", look)
    others = failures[~is_guessing & (failures["wrong_passwords"] >= _WRONG_PASSWORDS)]
    if not others.empty:
        first = "; ".join(f"{str(row.examples) or 'somebody'} from {row.remote_ip}, {row.wrong_passwords} times"
                          for row in others.head(_SHOWN).itertuples())  # fmt: skip
        yield Finding("logins-fail", "logs", name, f"logins fail in {name}: {first}", look)
    yield from _mixed(attempts[~attempts["remote_ip"].isin(guessers["remote_ip"])], name, look)
    refused = recent[recent["kind"] == "smtpd_refused"]
    is_forever = refused["text"].str.contains("(permanent)", regex=False)
    if is_forever.any():
        yield Fact(
            "running", "logs", name, f"mail for {counted(int(is_forever.sum()), 'recipient')} refused for good: viruses"
        )
    for key, put_off in _by_cause(refused[~is_forever]):
        example = _begin(put_off["text"].iloc[-1])
        text = f"{name}: qmail-queue put off mail for {counted(len(put_off), 'recipient')}, the last: {example}"
        yield Finding(key, "logs", name, text, look)


def _mixed(attempts: pd.DataFrame, name: str, look: tuple[str, ...]) -> Iterator[Told]:
    """Tell of users who fail and get in, too."""
    wrong = attempts[(attempts["auth_result"] == "wrong_password") & (attempts["auth_user"] != "")]
    counts = wrong["auth_user"].value_counts()
    logins = set(attempts.loc[attempts["auth_result"] == "success", "auth_user"])
    users = [str(user) for user, count in counts.items() if count >= _TWICE and user in logins]
    if users:
        text = f"{', '.join(users[:_SHOWN])} failed {int(counts[users].sum())} times in {name}, and got in, too"
        yield Finding("logins-mixed", "logs", name, text, look)


def _by_cause(refused: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield what was put off: because of the scanner, and because of the queue."""
    is_scanner = refused["text"].str.contains("QHPSI scanner", regex=False)
    for key, rows in (("scanner-fails", refused[is_scanner]), ("queue-refuses", refused[~is_scanner])):
        if not rows.empty:
            yield key, rows


# --- clamd, freshclam -----------------------------------------------------------------------------------------------


def _scanner(log: Log, recent: pd.DataFrame, name: str, quoted: str) -> Iterator[Told]:
    """Tell of scans without an answer, and of updates that fail."""
    kinds = set(log.kinds)
    failed = recent[recent["kind"].isin(["clamd_scan_error", "clamd_path_check"])]
    if not failed.empty:
        text = f"{counted(len(failed), 'failed scan')} in {name}, the last: {_begin(failed['text'].iloc[-1])}"
        yield Finding("scans-fail", "logs", name, text, (f"indimail-kit logs events {quoted}",))
    if not any(kind.startswith("freshclam_") for kind in kinds):
        return
    from indimail_kit.logs.clamav_health import clamav_health

    health = clamav_health(log.events_list)
    if health.failed_in_a_row >= _FRESHCLAM_FAILURES:
        text = f"freshclam failed {health.failed_in_a_row} times in a row in {name}"
        yield Finding("freshclam-fails", "logs", name, text, (f"indimail-kit logs events {quoted}",))
