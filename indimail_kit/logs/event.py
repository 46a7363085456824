"""One line of a log, read: where it stands, when it was written, what it says.

Rule 1: what was on the wire stays octets; only closed sets (kind, channel, outcome, severity) and ASCII names are text.
Rule 2: a property is None where the line does not say it; `queue` is "" instead, because it is half of a key.
Rule 3: a property is what stands in the line or follows from this line alone; `run` is the one exception (see there).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from indimail_kit.logs.template import FieldValue, Form

UNKNOWN: Final = "unknown"
"""Kind of a line that no form fits."""

NO_FIELDS: Final[Mapping[str, FieldValue]] = MappingProxyType({})
"""The fields of a line that no form fits."""

SEVERITIES: Final = {
    "alert": "alert",
    "error": "error",
    "warning": "warning",
    "warn": "warning",
    "info": "info",
    "status": "info",
}
"""Word in the line -> column `severity`."""

_QUEUE_FILE: Final = re.compile(rb".*/([!-.0-~]+)/mess/[0-9]{1,18}/([0-9]{1,18})", re.DOTALL)
"""A message's file: queue, sub-directory, number."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a log.

    Attributes:
        line: The octets of the line without its end; the first 64 KiB of a longer one.
        text_start: Where the text behind the stamp begins (unit: octets).
        form: The form that fits, or None.
        fields: The form's fields with their values; for the meaning see `fields.FIELDS`.
        label_kind: Kind of the stamp, one of `labels.LABEL_KINDS`.
        unix_ns: Time of the stamp (unit: ns since 1970), or None.
        file: Where the line is from, "" for octets in memory.
        line_number: Line in that file, counted from 1.
        byte_offset: First octet of the line in that file (after decompression).
        line_bytes: True length of the line without its end (unit: octets).
        is_whole: Whether the line has an end; the last one of a growing file may not.
        run: How many starts of this queue's qmail-send the log shows up to this line; 0 = it was running when the log
            begins. None for lines that are not qmail-send's or todo-proc's. Counted while reading (see `engine`); a
            single line has none.
    """

    line: bytes
    text_start: int = 0
    form: Form | None = None
    fields: Mapping[str, FieldValue] = field(default_factory=lambda: NO_FIELDS)
    label_kind: str = "none"
    unix_ns: int | None = None
    file: str = ""
    line_number: int = 1
    byte_offset: int = 0
    line_bytes: int = 0
    is_whole: bool = True
    run: int | None = None

    @property
    def text(self) -> bytes:
        """Return the line without its stamp."""
        return self.line[self.text_start :]

    @property
    def kind(self) -> str:
        """Return what kind of statement the line is."""
        return self.form.kind if self.form else UNKNOWN

    def octets(self, *names: str) -> bytes | None:
        """Return the first of these fields that the line has, as octets."""
        for name in names:
            value = self.fields.get(name)
            if isinstance(value, bytes):
                return value
        return None

    def number(self, name: str) -> int | None:
        """Return a field that is a number."""
        value = self.fields.get(name)
        return value if isinstance(value, int) else None

    def _word(self, *names: str) -> str | None:
        value = self.octets(*names)
        return None if value is None else value.decode("ascii", "backslashreplace")

    def _implied(self, name: str) -> bytes | None:
        value = self.form.implied.get(name) if self.form else None
        return value if isinstance(value, bytes) else None

    def _file_in_queue(self) -> re.Match[bytes] | None:
        path = self.octets("scan_path", "failed_path")
        return None if path is None else _QUEUE_FILE.fullmatch(path)

    @property
    def program(self) -> str | None:
        """Return the program that wrote the line."""
        named = self._word("send_program", "todo_program", "program")
        return named or (self.form.program if self.form else "") or None

    @property
    def severity(self) -> str | None:
        """Return how bad it is: alert, error, warning, info."""
        word = self.octets("severity") or self._implied("severity")
        return None if word is None else SEVERITIES[word.decode()]

    @property
    def queue(self) -> str:
        """Return the name of the queue, "" where the line names none."""
        named = self._word("queue")
        if named is not None:
            return named
        directory = self._word("queue_directory")
        if directory is not None:
            return directory.rstrip("/").rpartition("/")[2]
        path = self._file_in_queue()
        return path[1].decode() if path else self._word("glued_queue") or ""

    @property
    def message_number(self) -> int | None:
        """Return the number of the message; for a scan, the number in the path."""
        number = self.number("message_number")
        if number is not None:
            return number
        path = self._file_in_queue()
        return int(path[2]) if path else None

    @property
    def delivery_number(self) -> int | None:
        """Return the number of the delivery, without the queue's number."""
        return self.number("delivery_number")

    @property
    def channel(self) -> str | None:
        """Return local or remote."""
        return self._word("channel")

    @property
    def sender(self) -> bytes | None:
        """Return the envelope sender; b"" for a bounce."""
        return self.octets("sender", "bare_sender", "raw_sender", "smtp_sender")

    @property
    def recipient(self) -> bytes | None:
        """Return the envelope recipient."""
        return self.octets("recipient", "raw_recipient", "smtp_recipient")

    @property
    def message_bytes(self) -> int | None:
        """Return the size of the message (unit: octets)."""
        return self.number("message_bytes")

    @property
    def qp(self) -> int | None:
        """Return the long-term queue identifier; in a "bounce msg" line it is the bounce's."""
        return self.number("qp")

    @property
    def uid(self) -> int | None:
        """Return the user id of who queued the message."""
        return self.number("uid")

    @property
    def pid(self) -> int | None:
        """Return the process id that the line names."""
        return self.number("pid")

    @property
    def outcome(self) -> str | None:
        """Return success, failure or deferral."""
        word = self.octets("outcome") or self._implied("outcome")
        return None if word is None else word.decode()

    @property
    def report(self) -> bytes | None:
        """Return what the delivery program said, cleaned by qmail-send."""
        report = self.octets("report")
        return self._implied("report") if report is None else report

    @property
    def local_used(self) -> int | None:
        """Return the local deliveries under way."""
        return self.number("local_used")

    @property
    def local_max(self) -> int | None:
        """Return the most local deliveries at once."""
        return self.number("local_max")

    @property
    def remote_used(self) -> int | None:
        """Return the remote deliveries under way."""
        return self.number("remote_used")

    @property
    def remote_max(self) -> int | None:
        """Return the most remote deliveries at once."""
        return self.number("remote_max")

    @property
    def remote_ip(self) -> str | None:
        """Return the address of the client."""
        return self._word("remote_ip")

    @property
    def path(self) -> bytes | None:
        """Return what was scanned."""
        return self.octets("scan_path", "failed_path")

    @property
    def signature(self) -> str | None:
        """Return the name of the signature that was found."""
        return self._word("signature")
