"""A log that can be shared: who and where have other names, what strangers wrote is gone, the numbers are the same.

Kept: times (or moved, all by the same), kinds of line, message numbers, deliveries, qp, uid, pid, sizes, ports,
outcomes, reply codes, queue names of the usual kind. So the deliveries and messages are the same ones, up to names.

Rule 1: every field of the grammar has its treatment in TREATMENTS; a field without one cannot be written (a test asks).
Rule 2: of a line that no form fits only its length is told.
Rule 3: what is written is read again: it is a line of the same kind with the same numbers, or it is withheld like an
unknown one and counted.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from indimail_kit.logs.blocks import Source
from indimail_kit.logs.engine import read_events
from indimail_kit.logs.event import Event
from indimail_kit.logs.fields import FIELDS, FieldKind
from indimail_kit.logs.grammar import FORMS, format_event, read_text
from indimail_kit.logs.labels import split_label
from indimail_kit.logs.pseudonyms import KEY_BYTES, Pseudonyms
from indimail_kit.logs.redact_words import GONE, redact_report, redact_text
from indimail_kit.logs.template import FieldValue
from indimail_kit.tai64 import to_tai64n

_NS: Final = 10**9

_USUAL_PART: Final = re.compile(
    rb"[0-9]{0,18}|queue[0-9]{0,4}|slowq|nqueue|qmta|mess|intd|todo|info|local|remote|bounce|pid|var|usr|opt|etc|home|tmp"
    rb"|run|log|lib|share|indimail|qmail|clamav|clamd|freshclam|db|mail|Maildir|new|cur|fd"
)
"""Parts of paths that name nobody."""

_USUAL_WORD: Final = re.compile(
    rb"[0-9]{1,6}|[0-9]{1,9}/[0-9]{1,9}(?:\.[0-9]+)?/[0-9]{1,9}(?:\.[0-9]+)?|[Nn][Oo]|[Yy][Ee][Ss]|ON|OFF|on|off|enabled|disabled|un-encrypted|encrypted|TLSv1(?:\.[0-3])?|SSLv[23]"
    rb"|TLS|SSL|LOGIN|PLAIN|CRAM-[A-Z0-9]{3,9}|DIGEST-MD5|SCRAM-SHA-[0-9]{1,3}(?:-PLUS)?|XOAUTH2|OAUTHBEARER|EXTERNAL"
    rb"|ALRM|ALARM|TERM|HUP|INT|KILL|QUIT|CHLD|USR1|USR2|PIPE|CONT|STOP|SEGV|ABRT|BUS"
    rb"|(?:daily|main|bytecode)\.(?:cvd|cld|cud)|(?:daily|main|bytecode)"
)
"""Words of small fields that name nobody."""

_SIGNATURE: Final = re.compile(
    rb"[A-Z][0-9A-Za-z]*(?:[._-][0-9A-Za-z_]+)*-[0-9]+(?:-[0-9]+)?|(?:[A-Z][A-Za-z]*\.)?Eicar-Test-Signature(?:\.UNOFFICIAL)?"
)
"""Names of signatures as ClamAV gives them: platform, category, name, number; and EICAR's."""

_AUTH: Final = re.compile(rb"(.*)(: AUTH )([0-9A-Z-]+)", re.DOTALL)
_CLOSED: Final = re.compile(rb"[A-Za-z0-9 -]+(?:\|[A-Za-z0-9 -]+)*")
_PROGRAMS: Final = frozenset(form.program.encode() for form in FORMS.values() if form.program)
_PEER: Final = re.compile(rb"(.*)@([0-9]+)")
_TIMELESS: Final = ("clamd_started", "clamd_stopped", "freshclam_started")
"""Forms whose remark is a time, which would give a move away."""

Treatment = Callable[[bytes, Pseudonyms], bytes]
"""Octets of a field -> what is shown instead."""


def _queue(octets: bytes, names: Pseudonyms) -> bytes:
    return octets if _USUAL_PART.fullmatch(octets) else names.part(octets)


def _path(octets: bytes, names: Pseudonyms) -> bytes:
    """Return a path, part by part; of clamd's ``instream(…)`` the address in it."""
    head, bracket, inner = octets.partition(b"(")
    if bracket and head in (b"instream", b"stream") and inner.endswith(b")"):
        peer = _PEER.fullmatch(inner[:-1])
        shown = names.host(peer[1]) + b"@" + peer[2] if peer else redact_text(inner[:-1], names)
        return head + b"(" + shown + b")"
    if octets.startswith((b"instream", b"stream", b"fd[")):
        word = re.match(rb"instream|stream|fd\[", octets)
        return (word[0] if word else b"") + redact_text(octets[word.end() if word else 0 :], names).replace(b"/", b"")
    return b"/".join(_queue(part, names) for part in octets.split(b"/"))


def _word(octets: bytes, names: Pseudonyms) -> bytes:
    return octets if _USUAL_WORD.fullmatch(octets) else names.part(octets)


def _auth(octets: bytes, names: Pseudonyms) -> bytes:
    if octets in (b"local-rcpt", b"auth-ip/pop", b""):
        return octets
    named = _AUTH.fullmatch(octets)
    return names.user(named[1]) + named[2] + _word(named[3], names) if named else names.user(octets)


def _letters(octets: bytes, names: Pseudonyms) -> bytes:
    """Return a text that may hold letters and blanks only."""
    return redact_text(octets, names).replace(GONE, b"x")


def _capitals(octets: bytes, _names: Pseudonyms) -> bytes:
    return octets if _USUAL_WORD.fullmatch(octets) else b"X"


def _smalls(octets: bytes, _names: Pseudonyms) -> bytes:
    return octets if _USUAL_WORD.fullmatch(octets) else b"x"


def _setting(octets: bytes, names: Pseudonyms) -> bytes:
    """Return a text that begins with a capital letter."""
    shown = redact_text(octets, names)
    return shown if b"A" <= shown[:1] <= b"Z" else b"X " + shown


def _bogosity(octets: bytes, names: Pseudonyms) -> bytes:
    head = b" X-Bogosity"
    return head + redact_text(octets[len(head) :], names).replace(b"<", b"").replace(b">", b"")


def _no_opening(octets: bytes, names: Pseudonyms) -> bytes:
    """Return a text that may hold no "<"."""
    return redact_text(octets, names).replace(b"<", b"")


def _list(octets: bytes, names: Pseudonyms) -> bytes:
    """Return a text that may hold no comma and no parenthesis."""
    return re.sub(rb"[,()]", b"", redact_text(octets, names)) or GONE


def _signature(octets: bytes, names: Pseudonyms) -> bytes:
    return octets if _SIGNATURE.fullmatch(octets) else names.part(octets)


def _digest(octets: bytes, names: Pseudonyms) -> bytes:
    return (names.digest("digest", octets).hex() * 2)[: len(octets)].encode()


def _address(octets: bytes, names: Pseudonyms) -> bytes:
    return names.address(octets)


def _host(octets: bytes, names: Pseudonyms) -> bytes:
    return names.host(octets)


def _ip(octets: bytes, names: Pseudonyms) -> bytes:
    return octets if octets == b"unknown" else names.ip(octets)


def _kept(octets: bytes, _names: Pseudonyms) -> bytes:
    return octets


TREATMENTS: Final[Mapping[str, Treatment]] = {
    **{
        name: _kept
        for name, field in FIELDS.items()
        if field.kind is not FieldKind.OCTETS or _CLOSED.fullmatch(field.pattern)
    },
    **dict.fromkeys(("sender", "bare_sender", "raw_sender", "smtp_sender"), _address),
    **dict.fromkeys(("recipient", "raw_recipient", "smtp_recipient"), _address),
    **dict.fromkeys(("domain", "remote_host", "local_host", "helo"), _host),
    **dict.fromkeys(("remote_ip", "local_ip"), _ip),
    **dict.fromkeys(("queue", "glued_queue"), _queue),
    **dict.fromkeys(("queue_directory", "subdirectory", "directory", "bounce_file"), _path),
    **dict.fromkeys(("scan_path", "failed_path", "scan_file"), _path),
    **dict.fromkeys(("mechanism", "tls", "database", "bigtodo", "rate"), _word),
    **dict.fromkeys(("tls_switch", "encryption"), _smalls),
    **dict.fromkeys(("sql_switch", "todo_processor", "signal"), _capitals),
    **dict.fromkeys(("reply_text", "content"), _no_opening),
    **dict.fromkeys(("builder", "database_version"), _list),
    "auth_user": lambda octets, names: names.user(octets),
    "auth": _auth,
    "program": lambda octets, names: octets if octets in _PROGRAMS else names.part(octets),
    "report": redact_report,
    "remark": redact_text,
    "subject": _letters,
    "setting": _setting,
    "bogosity": _bogosity,
    "signature": _signature,
    "digest": _digest,
}
"""Field -> what becomes of it."""


@dataclass(slots=True)
class Redacted:
    """How much was written.

    Attributes:
        lines: Lines.
        unknown: Lines that no form fits: their length is told and nothing else.
        withheld: Lines that could not be written safely, and are like unknown ones now.
    """

    lines: int = 0
    unknown: int = 0
    withheld: int = 0


class Redactor:
    """Writes lines anew.

    Attributes:
        names: The pseudonyms.
        shift_s: By how much times are moved (unit: s).
        done: How much was written.
    """

    def __init__(self, key: bytes | None = None, *, shift_s: int = 0) -> None:
        """Take a key, or make one that nobody will ever know.

        Raises:
            FormatError: The key is too short.
        """
        self.names = Pseudonyms(secrets.token_bytes(KEY_BYTES) if key is None else key)
        self.shift_s = shift_s
        self.done = Redacted()

    def line(self, event: Event) -> bytes:
        """Return the line of an event as it may be shown, with its end if it has one."""
        self.done.lines += 1
        end = b"\n" if event.is_whole else b""
        stamp = _stamp(event, self.shift_s)
        text = self._text(event) if event.form is not None else None
        if text is None:
            self.done.unknown += event.form is None
            self.done.withheld += event.form is not None
            text = b"redacted: %d octets" % (event.line_bytes - event.text_start)
        return stamp + text + end

    def _text(self, event: Event) -> bytes | None:
        fields = {name: self._value(event, name, value) for name, value in event.fields.items()}
        try:
            text = format_event(replace(event, fields=fields))
        except ValueError:
            return None
        form, found = read_text(text)
        is_same = form is not None and event.form is not None and form.kind == event.form.kind
        numbers = ({name: value for name, value in one.items() if isinstance(value, int)} for one in (fields, found))
        before, after = numbers
        return text if is_same and before == after else None

    def _value(self, event: Event, name: str, value: FieldValue) -> FieldValue:
        if not isinstance(value, bytes):
            return value
        if name == "remark" and event.form is not None and event.form.name in _TIMELESS:
            return GONE
        return TREATMENTS[name](value, self.names)


def redact_lines(*sources: Source, redactor: Redactor | None = None, utc_offset_s: int = 0) -> Iterator[bytes]:
    r"""Yield the lines of logs as they may be shown.

    Args:
        sources: Octets, files (plain, .gz or .zst) or multilog directories.
        redactor: What writes them and counts; a new one with a key of its own unless given.
        utc_offset_s: Local time minus UTC for stamps that name no zone (unit: s).

    Raises:
        FormatError: A directory holds no log, or a compressed file is damaged.
        MissingPartError: A file is compressed in a way that cannot be read here.
        OSError: A file cannot be read.

    Example:
        >>> list(redact_lines(b"new msg 5\nwho is ann?"))
        [b'new msg 5\n', b'redacted: 11 octets']
    """
    writer = redactor or Redactor()
    for event in read_events(*sources, utc_offset_s=utc_offset_s):
        yield writer.line(event)


_CIVIL: Final = {
    "iso": re.compile(rb"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(.*)", re.DOTALL),
    "clamav": re.compile(rb"([A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d \d{4})( -> ?)", re.DOTALL),
}
_SECONDS: Final = re.compile(rb"(?:.* )?(\d{1,11})(\.\d{6,9} )", re.DOTALL)
_DAYS: Final = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
_MONTHS: Final = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


def _stamp(event: Event, shift_s: int) -> bytes:
    """Return the stamp of a line, moved; of syslog's own stamp, which names the host, nothing."""
    stamp = event.line[: event.text_start]
    if event.label_kind == "none" or (not shift_s and event.label_kind != "splogger"):
        return stamp
    try:
        moved = _moved(event, stamp, shift_s)
    except (ValueError, OverflowError):
        return b""  # there is no such time
    return moved if split_label(moved).kind == event.label_kind else b""


def _moved(event: Event, stamp: bytes, shift_s: int) -> bytes:
    if event.label_kind == "tai64n":
        return b"" if event.unix_ns is None else to_tai64n(event.unix_ns + shift_s * _NS) + stamp[25:]
    seconds = _SECONDS.fullmatch(stamp)
    if seconds is not None and event.label_kind in ("unix", "splogger"):
        return b"%d%b" % (max(0, int(seconds[1]) + shift_s), seconds[2])
    civil = _CIVIL[event.label_kind].fullmatch(stamp)
    if civil is None:
        return b""
    if event.label_kind == "iso":
        blank = civil[1][10:11]
        moment = datetime.fromisoformat(civil[1].decode()).replace(tzinfo=UTC) + timedelta(seconds=shift_s)
        return (
            moment.strftime("%Y-%m-%d").encode().rjust(10, b"0")
            + blank
            + moment.strftime("%H:%M:%S").encode()
            + civil[2]
        )
    _, month, day, clock, year = civil[1].split()
    hour, minute, second = map(int, clock.split(b":"))
    moment = datetime(int(year), _MONTHS.index(month) + 1, int(day), hour, minute, second, tzinfo=UTC)
    moment += timedelta(seconds=shift_s)
    date = b"%b %b %2d" % (_DAYS[moment.weekday()], _MONTHS[moment.month - 1], moment.day)
    return date + moment.strftime(" %H:%M:%S %Y").encode() + civil[2]
