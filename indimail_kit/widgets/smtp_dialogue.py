"""A telnet of our own: one line out, the reply back, everything recorded. A socket and no Jupyter.

Source: RFC 5321 section 4.2.1 (a reply ends with the line that has a blank behind its code), section 3.3 (DATA).

Rule 1: the record holds what was typed, passwords too; it is given out for `auth.redact` and `auth.annotate` only.
Rule 2: everything is bounded: the line, the reply, the record, the wait.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Callable
from typing import Final

from indimail_kit.auth.framing import strip_line_end
from indimail_kit.auth.transcript import Direction, WireChunk
from indimail_kit.errors import LabError

MAX_LINE_BYTES: Final = 12_288
"""Longest line (unit: octets). Source: RFC 4954 section 4, longest Base64 of an AUTH exchange."""

MAX_REPLY_BYTES: Final = 65_536
"""Longest reply that is read (unit: octets)."""

MAX_RECORD_BYTES: Final = 262_144
"""Longest record (unit: octets). It is never cut at its start: a secret could lose the AUTH that tells it is one."""

_LAST_LINE: Final = re.compile(rb"[0-9]{3}(?!-)")
_HUNG_UP: Final = "The server hung up."


class SmtpDialogue:
    """A connection to an SMTP server, used by hand.

    Attributes:
        is_open: Whether lines can be sent.
        trouble: Why the last reply is missing or cut, as a sentence; "" for none.
    """

    def __init__(
        self,
        address: Callable[[], tuple[str, int]],
        *,
        timeout_s: float = 10.0,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Prepare; nothing is connected before `connect`.

        Args:
            address: Gives host and port when a connection is made.
            timeout_s: Longest wait for a reply (unit: s).
            clock: Gives the time for the record (unit: ns since 1970).
        """
        self.trouble = ""
        self._address = address
        self._timeout_s = timeout_s
        self._clock = clock
        self._socket: socket.socket | None = None
        self._chunks: list[WireChunk] = []
        self._unread = b""
        self._is_in_data = False

    def __repr__(self) -> str:
        """Return whether it is open; no octet of the dialogue."""
        return f"<SmtpDialogue, {'open' if self.is_open else 'closed'}>"

    @property
    def is_open(self) -> bool:
        """Say whether lines can be sent."""
        return self._socket is not None

    @property
    def chunks(self) -> tuple[WireChunk, ...]:
        """Return the record of this connection; it holds secrets."""
        return tuple(self._chunks)

    def connect(self) -> tuple[str, ...]:
        """Connect anew and return the greeting; the record of the connection before is forgotten.

        Raises:
            LabError: Nobody listens.
        """
        self.forget()
        try:
            self._socket = socket.create_connection(self._address(), timeout=self._timeout_s)
        except OSError as error:
            raise LabError(f"no connection: {error.strerror or type(error).__name__}") from None
        return self._read_reply()

    def say(self, line: str) -> tuple[str, ...]:
        """Send a line with CR LF and return the reply's lines; () for a line of a mail's text.

        Raises:
            LabError: The connection is closed, the record is full, or the text is longer than a line may be, or several
                lines.
        """
        if self._socket is None:
            raise LabError("a connection that is closed; connect again")
        octets = line.encode("utf-8", "surrogatepass") + b"\r\n"
        if len(octets) > MAX_LINE_BYTES or "\n" in line or "\r" in line:
            raise LabError(f"one line of at most {MAX_LINE_BYTES:,} octets")
        if sum(len(chunk.octets) for chunk in self._chunks) + len(octets) > MAX_RECORD_BYTES:
            raise LabError(f"a record that is full ({MAX_RECORD_BYTES:,} octets); connect again")
        self.trouble = ""
        self._note("client", octets)
        try:
            self._socket.sendall(octets)
        except OSError:
            self._hang_up(_HUNG_UP)
            return ()
        if self._is_in_data and line != ".":
            return ()
        self._is_in_data = False
        reply = self._read_reply()
        self._is_in_data = bool(reply) and reply[-1].startswith("354")
        if line.strip().upper() == "STARTTLS" and reply and reply[-1].startswith("220"):
            self._hang_up("From here on the server speaks TLS, which nobody can type. The connection is closed.")
        return reply

    def close(self) -> None:
        """Close the connection; the record stays."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
        self._socket, self._unread, self._is_in_data = None, b"", False

    def forget(self) -> None:
        """Close the connection and forget what was said."""
        self.close()
        self._chunks.clear()
        self.trouble = ""

    def _note(self, direction: Direction, octets: bytes) -> None:
        self._chunks.append(WireChunk(self._clock(), direction, octets))

    def _hang_up(self, why: str) -> None:
        self.close()
        self.trouble = why

    def _read_reply(self) -> tuple[str, ...]:
        lines: list[bytes] = []
        total_bytes = 0
        until = time.monotonic() + self._timeout_s
        while not (lines and _LAST_LINE.match(lines[-1])):
            line = self._read_line(until)
            if line is None:
                break
            lines.append(line)
            self._note("server", line)
            total_bytes += len(line)
            if total_bytes > MAX_REPLY_BYTES:
                self._hang_up(f"A reply of more than {MAX_REPLY_BYTES:,} octets. The connection is closed.")
                break
        if lines and lines[-1].startswith((b"221", b"421")):
            self._hang_up("" if lines[-1].startswith(b"221") else _HUNG_UP)
        return tuple(strip_line_end(line).decode("utf-8", "backslashreplace") for line in lines)

    def _read_line(self, until: float) -> bytes | None:
        """Return the next line with its end; None, and `trouble`, when there is none."""
        while b"\n" not in self._unread and len(self._unread) <= MAX_REPLY_BYTES:
            octets = self._receive(until)
            if octets is None:
                return None
            self._unread += octets
        line, end, self._unread = self._unread.partition(b"\n")
        return line + end

    def _receive(self, until: float) -> bytes | None:
        left_s = until - time.monotonic()
        if self._socket is None or left_s <= 0:
            self.trouble = f"No reply within {self._timeout_s:g} s."
            return None
        try:
            self._socket.settimeout(left_s)
            octets = self._socket.recv(4096)
        except TimeoutError:
            self.trouble = f"No reply within {self._timeout_s:g} s."
            return None
        except OSError:
            octets = b""
        if not octets:
            self._hang_up(_HUNG_UP)
        return octets or None
