"""clamd's words: commands to send, replies to read; no socket.

Source: clamd(8), "COMMANDS"; replies recorded from ClamAV 1.4.6 (data/indimail/clamd/clamd-protocol.txt).

Note for maintainers: a reply is ``NAME: OK``, ``NAME: SIGNATURE FOUND`` or ``TEXT. ERROR``. NAME may hold ``: `` and
line ends, so the last ``: `` parts it from the rest; with ``z`` commands a NUL ends the reply. pyclamd splits at the
first ``: ``.

Inside IDSESSION each reply begins with the number of its question, ``N: ``; replies come in any order.

Rule 1: only a whole reply whose status is exactly ``OK`` is CLEAN. Whatever is cut off, doubled, or unknown is ERROR.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from indimail_kit.qhpsi.verdict import Verdict, visible

ANY_NAME: Final = re.compile(rb".+", re.DOTALL)
"""A name that is not known beforehand."""

STREAM_NAME: Final = re.compile(rb"stream")
"""What clamd calls the octets of INSTREAM."""

DESCRIPTOR_NAME: Final = re.compile(rb"fd\[[0-9]{1,10}\]")
"""What clamd calls a passed descriptor: its own number for it."""

REPLY_LIMIT: Final = 65_536
"""More than this is no reply (unit: octets)."""

CHUNK_BYTES: Final = 1 << 20
"""Size of the pieces in which octets are streamed (unit: octets); below clamd's default StreamMaxLength of 100 MB."""

_NUMBERED: Final = re.compile(rb"([1-9][0-9]{0,9}): (.+)", re.DOTALL)
_THREADS: Final = re.compile(r"^THREADS: live \d+ +idle \d+ +max (\d{1,6}) ", re.MULTILINE)
_SIZE_LIMIT: Final = b"INSTREAM size limit exceeded. ERROR"
_LIMITS: Final = "Heuristics.Limits.Exceeded"
"""With AlertExceedsMax clamd "finds" this where it stopped to look. Source: clamd.conf(5)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a reply says.

    Attributes:
        verdict: How the scan ended.
        signature: Name of the signature found, or "".
        reason: Why it is neither CLEAN nor INFECTED, or "".
    """

    verdict: Verdict
    signature: str = ""
    reason: str = ""


def _error(reason: str) -> Reply:
    """Return the reply that is not one."""
    return Reply(Verdict.ERROR, reason=reason)


def parse_reply(octets: bytes, *, names: re.Pattern[bytes] = ANY_NAME) -> Reply:
    r"""Read the reply to one ``z`` scan command.

    Args:
        octets: Everything that came until clamd closed the connection, with the final NUL.
        names: What the name in the reply must look like.

    Example:
        >>> parse_reply(b"stream: OK\0")
        Reply(verdict=<Verdict.CLEAN: 'CLEAN'>, signature='', reason='')
        >>> parse_reply(b"a: OK: Kit.Eicar.UNOFFICIAL FOUND\0").signature
        'Kit.Eicar.UNOFFICIAL'
        >>> parse_reply(b"stream: OK").reason
        'reply cut off: stream: OK'
    """
    if not octets:
        return _error("no reply: the connection was closed")
    body, terminator, rest = octets.partition(b"\0")
    if not terminator:
        return _error(f"reply cut off: {visible(body[:200])}")
    if rest:
        return _error(f"more than one reply: {visible(octets[:200])}")
    if body == _SIZE_LIMIT:
        return Reply(Verdict.NOT_SCANNED, reason="longer than clamd's StreamMaxLength")
    name, separator, status = body.rpartition(b": ")
    if status.endswith(b" ERROR"):
        return _error(f"clamd: {visible(status.removesuffix(b' ERROR'))}")
    if separator and names.fullmatch(name):
        if status == b"OK":
            return Reply(Verdict.CLEAN)
        signature = visible(status.removesuffix(b" FOUND"))
        if status.endswith(b" FOUND") and signature.strip():
            return _found(signature)
    return _error(f"unknown reply: {visible(body[:200])}")


def _found(signature: str) -> Reply:
    """Tell a signature from clamd's word that a limit stopped it."""
    if signature.startswith(_LIMITS):
        return Reply(Verdict.NOT_SCANNED, reason=f"beyond clamd's limits: {signature}")
    return Reply(Verdict.INFECTED, signature)


def parse_numbered(octets: bytes) -> tuple[int, bytes] | None:
    r"""Part a reply inside IDSESSION, its NUL already gone, into the number of the question and the reply to it.

    Returns:
        Number (from 1) and reply; None for what has no number, such as "COMMAND READ TIMED OUT".

    Example:
        >>> parse_numbered(b"2: fd[12]: OK"), parse_numbered(b"02: fd[12]: OK")
        ((2, b'fd[12]: OK'), None)
    """
    match = _NUMBERED.fullmatch(octets)
    return None if match is None else (int(match[1]), match[2])


def parse_thread_limit(stats: str) -> int | None:
    r"""Return how many threads clamd scans with at most, from the answer to STATS; None where it does not say.

    Source:
        ClamAV 1.4.6, recorded; clamd(8) warns that the form may change.

    Example:
        >>> parse_thread_limit("POOLS: 1\n\nSTATE: VALID PRIMARY\nTHREADS: live 1  idle 0 max 10 idle-timeout 30\n")
        10
    """
    match = _THREADS.search(stats)
    return None if match is None else int(match[1])


def instream_frames(chunks: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    r"""Yield the octets to send: command, length-prefixed chunks, zero length.

    Example:
        >>> list(instream_frames([b"ab", b""]))
        [b'zINSTREAM\x00', b'\x00\x00\x00\x02ab', b'\x00\x00\x00\x00']
    """
    yield b"zINSTREAM\0"
    for chunk in chunks:
        if len(chunk):  # an empty chunk would end the stream
            yield struct.pack("!I", len(chunk)) + chunk
    yield struct.pack("!I", 0)


def pieces(octets: bytes) -> Iterator[memoryview]:
    """Cut octets into chunks without copying all of them."""
    view = memoryview(octets)
    for start in range(0, len(view), CHUNK_BYTES):
        yield view[start : start + CHUNK_BYTES]
