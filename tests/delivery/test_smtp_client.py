"""The client's side of a session, against replies that were written beforehand."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from indimail_kit.delivery.smtp_client import (
    ConnectionDiedError,
    Mail,
    NextHostError,
    RemoteReport,
    Wire,
    converse,
    outsafe,
)

GOOD = (b"220 mx", b"250-mx\r\n250 SIZE 1000", b"250 ok", b"250 ok", b"354 go", b"250 taken")
"""Replies of a session in which all goes well."""

REJECTED_NAME = b"Connected to 127.0.0.1 but my name -->mx.example.com<-- was rejected :(.\n"


class Played:
    """A session whose other side said everything at once."""

    def __init__(self, replies: tuple[bytes, ...], *, end: bytes = b"", **changes: Any) -> None:
        ours, theirs = socket.socketpair()
        options: dict[str, Any] = {"sender": b"ann@example.com", "recipients": [b"bob@example.org"]}
        mail = Mail(**(options | {"size": 4, "parts": lambda: [b"a\n"]} | changes))
        with ours, theirs:
            theirs.sendall(b"".join(reply + b"\r\n" for reply in replies) + end)
            theirs.shutdown(socket.SHUT_WR)
            try:
                wire = Wire(ours, timeout_s=5.0)
                self.report = converse(wire, mail, address="127.0.0.1", helo_host="mx.example.com", max_tolerance_s=120)
            finally:
                ours.shutdown(socket.SHUT_WR)
                self.said = b"".join(iter(lambda: theirs.recv(65536), b""))


def replaced(number: int, reply: bytes) -> tuple[bytes, ...]:
    """Return the good replies up to one, which is another; nothing comes behind it."""
    return (*GOOD[:number], reply)


# -- what is said ------------------------------------------------------------------------------------------------


def test_whole_session_is_said_in_this_order() -> None:
    """EHLO, MAIL with SIZE, RCPT, DATA, the mail, the dot, QUIT."""
    played = Played(GOOD)

    assert played.said == (
        b"EHLO mx.example.com\r\nMAIL FROM:<ann@example.com> SIZE=4\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"
        b"a\r\n.\r\nQUIT\r\n"
    )
    who = b"From: <ann@example.com> RCPT: <bob@example.org> "
    text = b"127.0.0.1 accepted message - Protocol SMTP.\nRemote host said: 250 taken\n"
    assert played.report == RemoteReport((("r", who),), "K", text)


def test_host_without_ehlo_is_greeted_with_helo() -> None:
    """HELO follows a permanent refusal of EHLO, and MAIL has no SIZE then."""
    played = Played((b"220 mx", b"502 what", b"250 SIZE", b"250 ok", b"250 ok", b"354 go", b"250 ok"))

    assert played.report.letter == "K"
    assert played.said.startswith(b"EHLO mx.example.com\r\nHELO mx.example.com\r\nMAIL FROM:<ann@example.com>\r\n")


def test_size_is_said_only_where_it_is_understood() -> None:
    """A host that does not offer SIZE might refuse the parameter."""
    played = Played((b"220 mx", b"250-mx\r\n250 8BITMIME", *GOOD[2:]))
    assert b"MAIL FROM:<ann@example.com>\r\n" in played.said


def test_addresses_are_quoted_and_cannot_inject_commands() -> None:
    """A line end in an address never begins another command."""
    played = Played(GOOD, sender=b"a b@example.com", recipients=[b"x>\r\nDATA\r\n@example.org"])

    assert b'MAIL FROM:<"a b"@example.com>' in played.said
    assert played.said.count(b"DATA\r\n") == 1
    assert b"\r\nRCPT TO:<" in played.said


def test_bounce_has_the_null_sender() -> None:
    """MAIL FROM:<> is how a bounce is known."""
    assert b"MAIL FROM:<> SIZE=4\r\n" in Played(GOOD, sender=b"").said


# -- what is reported --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "reply", "letter", "text"),
    [
        (0, b"554 no", "D", b"Connected to 127.0.0.1 but greeting failed.\nRemote host said: 554 no\n"),
        (0, b"250 odd", "Z", b"Connected to 127.0.0.1 but greeting failed.\nRemote host said: 250 odd\n"),
        (0, b"600 odd", "Z", b"Connected to 127.0.0.1 but greeting failed.\nRemote host said: 600 odd\n"),
        (1, b"421 no", "Z", REJECTED_NAME + b"Remote host said: 421 no\n"),
        (2, b"451 no", "Z", b"Connected to 127.0.0.1 but sender was rejected.\nRemote host said: 451 no\n"),
        (2, b"553 no", "D", b"Connected to 127.0.0.1 but sender was rejected.\nRemote host said: 553 no\n"),
        (4, b"451 no", "Z", b"127.0.0.1 failed on DATA command.\nRemote host said: 451 no\n"),
        (4, b"554 no", "D", b"127.0.0.1 failed on DATA command.\nRemote host said: 554 no\n"),
        (5, b"450 no", "Z", b"127.0.0.1 failed after I sent the message.\nRemote host said: 450 no\n"),
        (5, b"554 n\0", "D", b"127.0.0.1 failed after I sent the message.\nRemote host said: 554 n?\n"),
        (5, b"junk", "Z", b"127.0.0.1 failed after I sent the message.\nRemote host said: junk\n"),
    ],
    ids=lambda value: value.decode().replace("\n", " ")[:12] if isinstance(value, bytes) else str(value),
)  # fmt: skip
def test_refusal_is_reported_with_the_hosts_words(number: int, reply: bytes, letter: str, text: bytes) -> None:
    """4xx is for later, 5xx for ever; the session ends with QUIT."""
    played = Played(replaced(number, reply))

    assert (played.report.letter, played.report.text) == (letter, text)
    assert played.said.endswith(b"QUIT\r\n")


def test_name_that_is_rejected_twice_is_a_failure() -> None:
    """EHLO and HELO both refused for ever."""
    report = Played((b"220 mx", b"550 no", b"550 never")).report
    assert (report.letter, report.text) == ("D", REJECTED_NAME + b"Remote host said: 550 never\n")


def test_temporary_greeting_asks_for_another_host() -> None:
    """RFC 5321: the client should try the next one."""
    with pytest.raises(NextHostError):
        Played((b"421 busy",))


def test_each_recipient_has_its_own_letter() -> None:
    """Accepted, later, never; one that is accepted is enough for DATA."""
    recipients = [b"good@example.org", b"grey@example.org", b"ghost@example.org"]
    replies = (*GOOD[:3], b"250 ok", b"450 later", b"550-no\r\n550 never", b"354 go", b"250 taken")
    report = Played(replies, recipients=recipients).report

    who = [b"From: <ann@example.com> RCPT: <%b> " % recipient for recipient in recipients]
    assert report.recipients == (
        ("r", who[0]),
        ("s", who[1] + b"127.0.0.1 does not like recipient.\nRemote host said: 450 later\n"),
        ("h", who[2] + b"127.0.0.1 does not like recipient.\nRemote host said: 550-no\n550 never\n"),
    )
    assert report.letter == "K"


def test_without_an_accepted_recipient_nothing_is_sent() -> None:
    """No DATA, and "Giving up"."""
    played = Played((*GOOD[:3], b"450 later", b"550 never"), recipients=[b"a@example.org", b"b@example.org"])

    assert (played.report.letter, played.report.text) == ("D", b"Giving up on 127.0.0.1.\n")
    assert [letter for letter, _text in played.report.recipients] == ["s", "h"]
    assert b"DATA" not in played.said


# -- what breaks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "remark", "is_at_fault"),
    [
        (0, b"Will try alternate MX. tcpto interval 120 ", True),
        (1, b"", False),
        (2, b"", False),
        (3, b"", False),
        (4, b"", False),
        (5, b"Possible duplicate! ", False),
    ],
    ids=["greeting", "EHLO", "MAIL", "RCPT", "DATA", "message"],
)
def test_death_is_a_deferral_that_says_what_it_may_mean(number: int, remark: bytes, is_at_fault: bool) -> None:
    """Behind the last dot the mail may have been taken; at the greeting the host is to blame."""
    report = Played(GOOD[:number]).report

    text = b"Connected to 127.0.0.1 but connection died. %b(#4.4.2)\n" % remark
    assert (report.letter, report.text, report.is_host_at_fault) == ("Z", text, is_at_fault)


def test_reply_without_an_end_is_a_death() -> None:
    """Half a line, and then nothing."""
    assert b"connection died. (#4.4.2)" in Played(GOOD[:3], end=b"250-half").report.text


def broken_mail() -> Iterator[bytes]:
    """Yield a piece, then fail as a disk does."""
    yield b"half of it\n"
    raise OSError(5, "Input/output error")


def test_read_error_never_sends_the_last_dot() -> None:
    """Half a mail is never taken for a whole one."""
    played = Played(GOOD, parts=broken_mail)

    assert (played.report.letter, played.report.text) == ("Z", b"Unable to read message. (#4.3.0)\n")
    assert played.said.endswith(b"DATA\r\nhalf of it\r\n")


def test_partial_last_line_never_gets_a_dot() -> None:
    """The mail changed behind our back: its last line has no end."""
    played = Played(GOOD, parts=lambda: [b"a\nb"])

    text = b"SMTP cannot transfer messages with partial final lines. (#5.6.2)\n"
    assert (played.report.letter, played.report.text) == ("D", text)
    assert played.said.endswith(b"DATA\r\na\r\nb")


def test_silence_ends_in_time() -> None:
    """A host that says half a line and stays has a limit for the whole reply."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"22")
        with pytest.raises(ConnectionDiedError):
            Wire(ours, timeout_s=0.05).read_reply()


def test_host_that_takes_nothing_ends_in_time() -> None:
    """The other side reads nothing, and its buffer is full."""
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ConnectionDiedError):
        Wire(ours, timeout_s=0.05).send(bytes(2**24))


def test_addresses_in_reports_are_visible_ascii() -> None:
    """Control characters, blanks and 8-bit octets become question marks."""
    assert outsafe(b"a b\n\xff\x1b[0m~!") == b"a?b???[0m~!"
