"""Replies of a stranger, and a mail made ready for the wire."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.delivery.smtp_reply import (
    REPLY_MAX_OCTETS,
    TEXT_MAX_OCTETS,
    Reply,
    ReplyError,
    ReplyReader,
    WireData,
    wire_size,
)

EHLO = b"250-mx.example.org\r\n250-SIZE 10485760\r\n250-AUTH=LOGIN\r\n250 8BITMIME\r\n"


@pytest.mark.parametrize(
    ("octets", "code", "text"),
    [
        (b"250 2.0.0 ok 1700000001 qp 4242\r\n", 250, b"250 2.0.0 ok 1700000001 qp 4242\n"),
        (b"550-no\r\n550 never\r\n", 550, b"550-no\n550 never\n"),
        (b"220 bare line feed\n", 220, b"220 bare line feed\n"),
        (b"250\r\n", 400, b"250\n"),
        (b"150 too low\r\n", 400, b"150 too low\n"),
        (b"25x what\r\n", 400, b"25x what\n"),
        (b"hello\r\n", 400, b"hello\n"),
        (b"\n", 400, b"\n"),
        (b"2\n", 400, b"2\n"),
        (b"999 over\r\n", 999, b"999 over\n"),
    ],
    ids=["one line", "two lines", "without CR", "code alone", "1xx", "no code", "no SMTP", "empty", "short", "9xx"],
)
def test_reply_is_read_as_qmail_remote_reads_it(octets: bytes, code: int, text: bytes) -> None:
    """What is no code, or has neither blank nor hyphen behind it, is a temporary refusal."""
    assert ReplyReader().feed(octets) == Reply(code, text)


def test_reply_may_come_octet_by_octet() -> None:
    """Only the last octet completes it."""
    reader = ReplyReader()
    replies = [reader.feed(EHLO[place : place + 1]) for place in range(len(EHLO))]

    assert replies[:-1] == [None] * (len(EHLO) - 1)
    assert replies[-1] == Reply(250, EHLO.replace(b"\r", b""))


def test_second_reply_waits_for_its_turn() -> None:
    """IndiMail's own server sends two replies to a malformed AUTH; the second one is the next answer."""
    reader = ReplyReader()

    assert reader.feed(b"501 no\r\n454 and no\r\n25") == Reply(501, b"501 no\n")
    assert reader.feed() == Reply(454, b"454 and no\n")
    assert reader.feed() is None
    assert reader.feed(b"0 ok\r\n") == Reply(250, b"250 ok\n")


def test_long_reply_is_cut_and_endless_one_is_an_error() -> None:
    """5000 octets are kept of a reply; a megabyte without its end is none."""
    long = ReplyReader().feed(b"550 " + b"x" * 10_000 + b"\r\n")
    assert long is not None
    assert len(long.text) == TEXT_MAX_OCTETS

    reader = ReplyReader()
    assert reader.feed(b"250-" + b"x" * (REPLY_MAX_OCTETS - 4)) is None
    with pytest.raises(ReplyError):
        reader.feed(b"x")


def test_keywords_of_ehlo_are_the_first_words() -> None:
    """The host's name is none; AUTH= counts as AUTH."""
    assert Reply(250, EHLO.replace(b"\r", b"")).keywords == {b"SIZE", b"AUTH", b"8BITMIME"}
    assert Reply(250, b"250 mx.example.org SIZE\n").keywords == frozenset()


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_octets_are_replies_or_wait(pieces: list[bytes]) -> None:
    """A reply ends with its line, and its code is between 200 and 999."""
    reader = ReplyReader()
    replies = [reply for piece in pieces if (reply := reader.feed(piece)) is not None]

    assert all(reply.text.endswith(b"\n") and 200 <= reply.code <= 999 for reply in replies)


def wire(parts: Sequence[bytes]) -> bytes:
    """Return the mail for the wire."""
    return b"".join(WireData().encode(parts))


@pytest.mark.parametrize(
    ("mail", "on_wire"),
    [
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b".\n..\n.a\n", b"..\r\n...\r\n..a\r\n"),
        (b"a\r\nb\rc\n", b"a\r\r\nb\rc\r\n"),
        (b"a\n.\r\nMAIL FROM:<evil>\n", b"a\r\n..\r\r\nMAIL FROM:<evil>\r\n"),
        (b"\xff\0\n", b"\xff\0\r\n"),
        (b"", b""),
    ],
    ids=["line ends", "dots", "bare CR stays", "smuggled end of data", "8 bits and NUL", "empty"],
)
def test_mail_is_made_ready_for_the_wire(mail: bytes, on_wire: bytes) -> None:
    """LF becomes CR LF, a leading dot is doubled, and nothing else is touched."""
    assert wire([mail]) == on_wire


@given(st.lists(st.sampled_from([b"", b".", b"\n", b"\r", b".\n", b"\n.", b"a", b"..\r\n"]), max_size=10))
def test_pieces_make_no_difference(parts: list[bytes]) -> None:
    """Wherever the mail is cut, the same octets go over the wire, and never the end of data."""
    assert wire(parts) == wire([b"".join(parts)])
    assert b"\r\n.\r\n" not in b"\r\n" + wire(parts)


@given(st.binary(max_size=60))
def test_host_gets_back_every_octet(mail: bytes) -> None:
    """A receiver that undoes RFC 5321 section 4.5.2 has the mail again."""
    lines = wire([mail]).split(b"\r\n")
    undone = [line[1:] if line.startswith(b".") else line for line in lines]

    assert b"\n".join(undone) == mail


@pytest.mark.parametrize(
    ("parts", "size", "is_whole"),
    [
        ([b"a\nb\n"], 6, True),
        ([b".\n"], 3, True),
        ([b"a", b"", b"b"], 2, False),
        ([b"a\n", b"", b"b\n", b""], 6, True),
        ([], 0, True),
    ],
    ids=["two lines", "a doubled dot does not count", "unfinished line", "pieces", "empty"],
)
def test_size_is_that_of_rfc_1870(parts: list[bytes], size: int, is_whole: bool) -> None:
    """Line ends count twice, doubled dots not at all."""
    assert wire_size(parts) == (size, is_whole)


@pytest.mark.parametrize(("parts", "is_whole"), [([b"a\n"], True), ([b"a"], False), ([b"a\n", b""], True)])
def test_unfinished_last_line_is_noticed(parts: list[bytes], is_whole: bool) -> None:
    """Without its line end the last line would run into the dot."""
    data = WireData()
    list(data.encode(parts))

    assert data.is_whole is is_whole
