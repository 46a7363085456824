r"""The octets behind DATA become the mail exactly as qmail-smtpd's blast() makes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.lab.smtp_data import END, MAX_LINE_BYTES, DataDecoder, DataFault, count_hops


def decode(octets: bytes, *, step: int = 0, max_bytes: int = 10_000_000) -> tuple[bytes, DataFault | None, bytes, bool]:
    """Feed octets whole (step 0) or in pieces and return message, fault, rest, whether the end was seen."""
    decoder = DataDecoder(max_bytes=max_bytes)
    pieces = [octets] if not step else [octets[i : i + step] for i in range(0, len(octets), step)]
    rest = b""
    for number, piece in enumerate(pieces):
        if decoder.feed(piece):
            rest = decoder.rest + b"".join(pieces[number + 1 :])
            break
    message = decoder.message()
    return message, decoder.fault, rest if decoder.is_done else b"", decoder.is_done


CASES = {
    "one line": (b"hello\r\n.\r\n", b"hello\n"),
    "empty mail": (b".\r\n", b""),
    "dot unstuffed": (b"..hidden\r\n.\r\n", b".hidden\n"),
    "dots within a line stay": (b"a..b\r\n.\r\n", b"a..b\n"),
    "line of two dots": (b"..\r\n.\r\n", b".\n"),
    "leading dot is taken whatever follows": (b".x\r\n.\r\n", b"x\n"),
    "CR alone stays": (b"a\rb\r\n.\r\n", b"a\rb\n"),
    "dot CR and more keeps its dot": (b".\rb\r\n.\r\n", b".\rb\n"),
    "not UTF-8": (b"\xff\xfe\r\n.\r\n", b"\xff\xfe\n"),
}


@pytest.mark.parametrize("step", [0, 1, 2, 3], ids=lambda step: f"step{step}")
@pytest.mark.parametrize(("octets", "message"), CASES.values(), ids=CASES)
def test_data_becomes_the_mail(octets: bytes, message: bytes, step: int) -> None:
    """The mail is the same however the octets arrive, and pipelined commands are left over."""
    assert decode(octets + b"QUIT\r\n", step=step) == (message, None, b"QUIT\r\n", True)


# Source: the smuggling forms collected for CVE-2023-51764/5/6; each tries to end the mail without CR LF . CR LF.
SMUGGLED = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\n.\r", b"\r.\n", b"\n\n.\r\n", b"\r\r\n.\n", b"x\n"]


@pytest.mark.parametrize("step", [0, 1, 2, 7], ids=lambda step: f"step{step}")
@pytest.mark.parametrize("form", SMUGGLED, ids=repr)
def test_smuggled_end_of_data(form: bytes, step: int) -> None:
    """A LF without CR never ends a mail: the session is over, and nothing behind it is read as a command."""
    message, fault, _, is_done = decode(b"hello" + form + b"MAIL FROM:<x>\r\n.\r\n", step=step)
    assert (message, fault, is_done) == (b"", DataFault.BARE_LF, False)


@pytest.mark.parametrize("form", [b"\r.\r", b"\r.\r\r", b"\r\r.\r\r"], ids=repr)
def test_dots_between_bare_cr_do_not_end_the_mail(form: bytes) -> None:
    """A CR without LF is part of the mail, as in qmail, so a dot between two of them is too."""
    message, fault, _, is_done = decode(b"a" + form + b"b\r\n.\r\n")
    assert (message, fault, is_done) == (b"a" + form + b"b\n", None, True)


@pytest.mark.parametrize("step", [0, 100], ids=["whole", "pieces"])
def test_too_big_mail_is_read_to_its_end_and_refused(step: int) -> None:
    """A mail over the limit is not kept in memory, and the next command is still found."""
    octets = b"x" * 60 + b"\r\n"
    assert decode(octets * 50 + b".\r\nRSET\r\n", step=step, max_bytes=1000) == (
        b"",
        DataFault.TOO_BIG,
        b"RSET\r\n",
        True,
    )


@pytest.mark.parametrize(("size", "fault"), [(1000, None), (1001, DataFault.TOO_BIG)])
def test_both_sides_of_the_size_limit(size: int, fault: DataFault | None) -> None:
    """The limit itself is allowed; the end of data does not count."""
    assert decode(b"x" * (size - 2) + b"\r\n.\r\n", max_bytes=1000)[1] is fault


@pytest.mark.parametrize(("length", "fault"), [(MAX_LINE_BYTES - 2, None), (MAX_LINE_BYTES + 1, DataFault.LONG_LINE)])
def test_over_long_line_is_refused(length: int, fault: DataFault | None) -> None:
    """One line may not be longer than the limit."""
    assert decode(b"x" * length + b"\r\n.\r\n")[1] is fault


def test_nul_is_refused() -> None:
    """A NUL in a mail is refused, so that no C program behind us sees half of it."""
    assert decode(b"a\0b\r\n.\r\n")[1] is DataFault.NUL


@given(st.binary(max_size=200), st.integers(1, 9))
def test_pieces_and_whole_agree(octets: bytes, step: int) -> None:
    """Whatever the octets are, the answer does not depend on how the network cut them."""
    assert decode(octets + END, step=step) == decode(octets + END)


@given(st.lists(st.binary(max_size=20).filter(lambda line: not set(line) & set(b"\r\n\0")), max_size=8))
def test_stuffing_round_trip(lines: list[bytes]) -> None:
    """What a client stuffs by RFC 5321 section 4.5.2 comes out as it was."""
    wire = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)
    assert decode(wire + b".\r\n")[0] == b"".join(line + b"\n" for line in lines)


def test_hops_are_the_received_and_delivered_lines_of_the_header() -> None:
    """Lines of the body do not count."""
    assert count_hops(b"Received: a\nDELIVERED-TO: b\nSubject: c\n\nReceived: d\n") == 2
