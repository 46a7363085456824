"""The envelope on its way into the queue: qmail-queue's input on fd 1, and the records that it and qmail-send keep.

Source: IndiMail indimail-mta-x/qmail-queue.c `main()` (reads fd 1, writes intd), todo-proc.c (todo -> info, local,
remote); qmail-queue(8); indimail-mta-internals(7).

Note for maintainers: an intd, todo or info file is a row of records, each a letter, a text and a NUL, without an extra
NUL at the end. The envelope on fd 1 has no ``u`` and no ``p``, and does end with an extra NUL.

Rule 1: codec only: octets in, values out; no file is touched.
Rule 2: addresses stay octets; newlines, blanks and 8-bit octets in them are allowed, as the real program allows them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from indimail_kit.errors import EnvelopeError

MAX_ADDRESS_BYTES: Final = 1003
"""Shortest address that is refused, with exit code 11 (unit: octets). Source: qmail-queue.c `ADDR`; 1002 passes."""

_TOO_LONG: Final = 11
"""Exit code for an address that is too long. Source: qmail.h; `exitcodes.TOO_LONG`, a module of our own line."""

_READ: Final = 54
"""Exit code for an end of file too early. Source: qmail.h; `exitcodes.READ`."""

_FORMAT: Final = 79
"""Exit code for a record out of place. Source: qmail.h; `exitcodes.ENVELOPE`."""

_MAX_NUMBER_DIGITS: Final = 20
"""Digits of the largest 64-bit number (unit: digits); a longer uid or pid is no number of the system."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends and who shall get the message.

    Attributes:
        sender: Envelope sender; empty for a bounce.
        recipients: Envelope recipients in order; none is allowed.
    """

    sender: bytes
    recipients: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class QueueRecords:
    """What an intd, todo or info file says.

    Attributes:
        uid: User that called qmail-queue; None when there is no ``u`` record (info).
        pid: Long-term queue identifier, `qp` in the logs; None when there is no ``p`` record.
        sender: Envelope sender; None when there is no ``F`` record (a file that was not finished).
        recipients: The ``T`` records in order.
        header: The ``e`` record: header lines to put on top of the message, each with its newline; empty if none.
        environment_header: The ``h`` record: header lines for the environment of qmail-local and qmail-remote.
        unknown: Records of another kind, or a second one of a kind, each with its letter: kept, never dropped.
    """

    uid: int | None = None
    pid: int | None = None
    sender: bytes | None = None
    recipients: tuple[bytes, ...] = ()
    header: bytes = b""
    environment_header: bytes = b""
    unknown: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipient:
    """One record of a local or remote file.

    Attributes:
        address: Envelope recipient after the rewriting of todo-proc.
        is_done: ``D`` instead of ``T``: delivered, or failed for good.
    """

    address: bytes
    is_done: bool


def decode_sender(octets: bytes) -> tuple[bytes, int]:
    """Read the first record of an envelope: the sender, and where the next record starts.

    Raises:
        EnvelopeError: Exit code 54, 79 or 11, see `decode_envelope`.
    """
    if not octets:
        raise EnvelopeError("an envelope that starts with F", exit_code=_READ, offset=0)
    if octets[:1] != b"F":
        raise EnvelopeError("an envelope that starts with F", exit_code=_FORMAT, offset=0)
    return _decode_address(octets, 1)


def decode_envelope(octets: bytes) -> Envelope:
    r"""Read an envelope as qmail-queue reads its fd 1: ``F sender NUL (T recipient NUL)* NUL``.

    Args:
        octets: Everything up to the end of file. What follows the final NUL is not looked at.

    Raises:
        EnvelopeError: Exit code 54: end of file before the final NUL. 79: a record that is neither ``F`` (first) nor
            ``T``. 11: an address of 1003 octets or more.

    Source:
        qmail-queue.c `main()`; a ``Q`` in the place of the final NUL ends the envelope too.

    Example:
        >>> decode_envelope(b"Fann@example.com\0Tbob@example.com\0\0")
        Envelope(sender=b'ann@example.com', recipients=(b'bob@example.com',))
    """
    sender, offset = decode_sender(octets)
    recipients: list[bytes] = []
    while True:
        kind = octets[offset : offset + 1]
        if kind in (b"\0", b"Q"):
            return Envelope(sender, tuple(recipients))
        if kind != b"T":
            raise EnvelopeError("T or the final NUL", exit_code=_FORMAT if kind else _READ, offset=offset)
        recipient, offset = _decode_address(octets, offset + 1)
        recipients.append(recipient)


def look_at_envelope(octets: bytes | bytearray, offset: int = 0) -> tuple[int, bool]:
    r"""Tell how far an envelope that is still coming in has come.

    Args:
        octets: What has come so far.
        offset: Start of a record: what this function said of fewer octets.

    Returns:
        Where the first record starts that is not whole, and whether `decode_envelope` has seen enough: the final NUL,
        or something that it refuses.

    Example:
        >>> look_at_envelope(b"Fann@example.com\0Tbo"), look_at_envelope(b"Fann@example.com\0Tbob@example.com\0\0", 17)
        ((17, False), (34, True))
    """
    while offset < len(octets):
        if octets[offset] != (b"T" if offset else b"F")[0]:
            return offset, True
        end = octets.find(b"\0", offset + 1, offset + 1 + MAX_ADDRESS_BYTES)
        if end < 0:
            return offset, len(octets) - offset > MAX_ADDRESS_BYTES
        offset = end + 1
    return offset, False


def encode_envelope(envelope: Envelope) -> bytes:
    """Write an envelope as qmail-queue reads it on fd 1.

    Raises:
        EnvelopeError: Exit code 11: an address of 1003 octets or more. 79: a NUL in an address.
    """
    check_envelope(envelope)
    return b"".join((b"F", envelope.sender, b"\0", *(b"T%b\0" % address for address in envelope.recipients), b"\0"))


def check_envelope(envelope: Envelope) -> None:
    """Refuse an envelope that qmail-queue could not read back.

    Raises:
        EnvelopeError: Exit code 11: an address of 1003 octets or more. 79: a NUL in an address.
    """
    for address in (envelope.sender, *envelope.recipients):
        if len(address) >= MAX_ADDRESS_BYTES:
            raise EnvelopeError("an address of at most 1002 octets", exit_code=_TOO_LONG)
        if b"\0" in address:
            raise EnvelopeError("an address without NUL", exit_code=_FORMAT)


def decode_records(octets: bytes) -> QueueRecords:
    r"""Read an intd, todo or info file.

    An empty file is a file that was not finished: no record at all.

    Raises:
        EnvelopeError: Exit code 54: the last record has no NUL (a file that was cut).

    Example:
        >>> records = decode_records(b"u0\0p4305\0Fann@local.test\0Tbob@local.test\0eX-QHPSI: clean\n\0")
        >>> records.pid, records.recipients, records.header
        (4305, (b'bob@local.test',), b'X-QHPSI: clean\n')
    """
    texts: dict[bytes, bytes] = {}
    recipients: list[bytes] = []
    unknown: list[bytes] = []
    for record in _split_records(octets):
        kind, text = record[:1], record[1:]
        if kind == b"T":
            recipients.append(text)
        elif kind in texts or kind not in _KINDS or (kind in _NUMBER_KINDS and not _is_number(text)):
            unknown.append(record)
        else:
            texts[kind] = text
    return QueueRecords(
        uid=_number(texts.get(b"u")),
        pid=_number(texts.get(b"p")),
        sender=texts.get(b"F"),
        recipients=tuple(recipients),
        header=texts.get(b"e", b""),
        environment_header=texts.get(b"h", b""),
        unknown=tuple(unknown),
    )


def encode_records(records: QueueRecords) -> bytes:
    r"""Write the records of an intd, todo or info file in the order of qmail-queue: u p F T… e h, then unknown ones.

    Raises:
        EnvelopeError: Exit code 79: a NUL within a record.

    Example:
        >>> encode_records(QueueRecords(uid=0, pid=7, sender=b"", recipients=(b"bob@example.com",)))
        b'u0\x00p7\x00F\x00Tbob@example.com\x00'
    """
    parts = [
        *(() if records.uid is None else (b"u%d" % records.uid,)),
        *(() if records.pid is None else (b"p%d" % records.pid,)),
        *(() if records.sender is None else (b"F" + records.sender,)),
        *(b"T" + address for address in records.recipients),
        *((b"e" + records.header,) if records.header else ()),
        *((b"h" + records.environment_header,) if records.environment_header else ()),
        *records.unknown,
        b"",
    ]
    octets = b"\0".join(parts)
    if octets.count(b"\0") != len(parts) - 1:
        raise EnvelopeError("records without NUL", exit_code=_FORMAT)
    return octets


def decode_recipients(octets: bytes) -> tuple[Recipient, ...]:
    r"""Read a local or remote file.

    Raises:
        EnvelopeError: Exit code 79: a record that starts neither with ``T`` nor with ``D``. 54: the last one has no
            NUL.

    Example:
        >>> decode_recipients(b"Dann@local.test\0Tbob@local.test\0")[1]
        Recipient(address=b'bob@local.test', is_done=False)
    """
    recipients: list[Recipient] = []
    offset = 0
    for record in _split_records(octets):
        if record[:1] not in (b"T", b"D"):
            raise EnvelopeError("T or D", exit_code=_FORMAT, offset=offset)
        recipients.append(Recipient(record[1:], record[:1] == b"D"))
        offset += len(record) + 1
    return tuple(recipients)


def encode_recipients(addresses: Iterable[bytes]) -> bytes:
    """Write a local or remote file in which nobody is done yet.

    Raises:
        EnvelopeError: Exit code 79: a NUL in an address.
    """
    parts = [b"T" + address for address in addresses]
    octets = b"".join(part + b"\0" for part in parts)
    if octets.count(b"\0") != len(parts):
        raise EnvelopeError("an address without NUL", exit_code=_FORMAT)
    return octets


_KINDS: Final = frozenset((b"u", b"p", b"F", b"e", b"h"))
"""Letters of the records that occur at most once."""

_NUMBER_KINDS: Final = frozenset((b"u", b"p"))
"""Letters of the records whose text is a decimal number."""


def _decode_address(octets: bytes, start: int) -> tuple[bytes, int]:
    """Return the address from `start` and the position behind its NUL."""
    end = octets.find(b"\0", start, start + MAX_ADDRESS_BYTES)
    if end >= 0:
        return octets[start:end], end + 1
    if len(octets) - start >= MAX_ADDRESS_BYTES:
        raise EnvelopeError("an address of at most 1002 octets", exit_code=_TOO_LONG, offset=start)
    raise EnvelopeError("NUL behind an address", exit_code=_READ, offset=len(octets))


def _split_records(octets: bytes) -> list[bytes]:
    """Return the records without their NUL."""
    records = octets.split(b"\0")
    if records.pop():
        raise EnvelopeError("NUL behind the last record", exit_code=_READ, offset=len(octets))
    return records


def _is_number(text: bytes) -> bool:
    """Say whether a text is a decimal number of a sane length."""
    return text.isdigit() and len(text) <= _MAX_NUMBER_DIGITS


def _number(text: bytes | None) -> int | None:
    """Return the number of a record, None when there is no record."""
    return None if text is None else int(text)
