"""Tests of clamd_protocol.py."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.qhpsi.clamd_protocol import (
    CHUNK_BYTES,
    DESCRIPTOR_NAME,
    STREAM_NAME,
    instream_frames,
    parse_reply,
    pieces,
)
from indimail_kit.qhpsi.verdict import Verdict

REPLIES = json.loads(Path(__file__).with_name("replies.json").read_text(encoding="utf-8"))
"""Rows of title, reply (one character per octet, NAME for clamd's name of the thing), verdict."""

RECORDED = (Path(__file__).parents[1] / "data/indimail/clamd/clamd-protocol.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "names"), [(b"fd[10]", DESCRIPTOR_NAME), (b"stream", STREAM_NAME)])
@pytest.mark.parametrize(("title", "reply", "verdict"), REPLIES, ids=[row[0] for row in REPLIES])
def test_reply_has_its_verdict(title: str, reply: str, verdict: str, name: bytes, names: re.Pattern[bytes]) -> None:
    """60 replies, true, garbled and foreign: none but the true OK is CLEAN."""
    octets = reply.encode("latin-1").replace(b"NAME", name)

    assert parse_reply(octets, names=names).verdict.value == verdict


def test_table_is_long_enough() -> None:
    """The table has at least forty rows and exactly one CLEAN."""
    assert len(REPLIES) >= 40
    assert [row[0] for row in REPLIES if row[2] == "CLEAN"] == ["clean"]


@pytest.mark.parametrize(
    "row", [row for row in REPLIES if row[1].partition("\0")[1:] == ("\0", "")], ids=lambda r: r[0]
)
def test_truncated_reply_is_never_clean(row: list[str]) -> None:
    """Cut at every octet, a reply that came alone is an ERROR and nothing else."""
    octets = row[1].encode("latin-1")

    assert {parse_reply(octets[:length]).verdict for length in range(len(octets))} == {Verdict.ERROR}


@given(octets=st.binary(max_size=60))
def test_garbage_is_never_clean(octets: bytes) -> None:
    """Any octets give a verdict and no exception; CLEAN only with name, status and NUL in place."""
    reply = parse_reply(octets)

    assert (reply.verdict is Verdict.CLEAN) is bool(re.fullmatch(rb"[^\0]+: OK\0", octets, re.DOTALL))


@given(name=st.binary(min_size=1, max_size=30).filter(lambda octets: b"\0" not in octets))
def test_name_cannot_change_the_verdict(name: bytes) -> None:
    """Colons, blanks, line ends, "OK" in a file's name: the status behind the last ": " decides."""
    assert parse_reply(name + b": OK\0").verdict is Verdict.CLEAN
    found = parse_reply(name + b": Eicar.UNOFFICIAL FOUND\0")
    assert (found.verdict, found.signature) == (Verdict.INFECTED, "Eicar.UNOFFICIAL")
    assert parse_reply(name + b": Access denied. ERROR\0").verdict is Verdict.ERROR


@pytest.mark.parametrize(
    ("command", "verdict", "text"),
    [
        ("SCAN /opt/lab/run/eicar.com", Verdict.INFECTED, "Oracle.Eicar-Test-Signature.UNOFFICIAL"),
        ("CONTSCAN /nonexist", Verdict.ERROR, "clamd: No such file or directory."),
        ("FOO", Verdict.ERROR, "unknown reply: UNKNOWN COMMAND"),
        ("RELOAD", Verdict.ERROR, "unknown reply: RELOADING"),
        ("VERSION", Verdict.ERROR, "unknown reply: ClamAV 1.4.6"),
    ],
)
def test_recorded_replies_are_read(command: str, verdict: Verdict, text: str) -> None:
    """Replies that a real ClamAV 1.4.6 gave."""
    line = RECORDED.partition(f"> {command}\n")[2].partition("\n")[0]

    reply = parse_reply(line.encode() + b"\0")

    assert (reply.verdict, reply.signature or reply.reason) == (verdict, text)


def test_reason_shows_octets_that_are_not_text() -> None:
    """A garbled reply is quoted readably and shortened."""
    reason = parse_reply(b"\xff" * 1000 + b"\0").reason

    assert reason == "unknown reply: " + "\\xff" * 200


def read_frames(octets: bytes) -> tuple[bytes, bytes]:
    """Read INSTREAM octets as clamd does: command, then chunks up to the zero length."""
    command, _, rest = octets.partition(b"\0")
    content = b""
    while (length := struct.unpack("!I", rest[:4])[0]) != 0:
        content, rest = content + rest[4 : 4 + length], rest[4 + length :]
    return command, content + rest[4:]


@given(chunks=st.lists(st.binary(max_size=20), max_size=8))
def test_stream_arrives_whole(chunks: list[bytes]) -> None:
    """What is cut into chunks, empty ones among them, is what clamd puts together, and nothing follows it."""
    octets = b"".join(instream_frames(chunks))

    assert read_frames(octets) == (b"zINSTREAM", b"".join(chunks))


@pytest.mark.parametrize("length", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES])
def test_pieces_are_whole_and_small(length: int) -> None:
    """Octets are cut into pieces of at most the chunk size, none of them empty."""
    octets = bytes(length)

    cut = list(pieces(octets))

    assert b"".join(cut) == octets
    assert all(0 < len(piece) <= CHUNK_BYTES for piece in cut)
