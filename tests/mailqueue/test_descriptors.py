"""qmail-queue's input: read as far as the program reads it, and no further."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.envelope import decode_envelope, look_at_envelope
from indimail_kit.errors import EnvelopeError
from indimail_kit.mailqueue.descriptors import as_file, drain, peer_ip, read_envelope, read_message


@contextmanager
def pipe(*pieces: bytes, is_closed: bool = True) -> Iterator[int]:
    """Give the read end of a pipe that holds pieces, and whose other end is closed or stays open."""
    reader, writer = os.pipe()
    for piece in pieces:
        os.write(writer, piece)
    if is_closed:
        os.close(writer)
    try:
        yield reader
    finally:
        os.close(reader)
        if not is_closed:
            os.close(writer)


@pytest.mark.parametrize(
    "octets",
    [b"Fa@b\0Tc@d\0\0", b"F\0\0", b"Fa@b\0Q", b"X", b"Fa@b\0X", b"F" + b"a" * 1003, b"Fa@b\0T" + b"a" * 1003],
    ids=["whole", "empty sender", "Q", "no F", "no T", "long sender", "long recipient"],
)
def test_envelope_is_read_to_its_end_while_the_caller_keeps_it_open(octets: bytes) -> None:
    """Who calls may wait for our answer before it closes; waiting for its end of file would be for ever."""
    with pipe(octets, is_closed=False) as fd:
        assert read_envelope(fd) == octets


def test_envelope_that_comes_octet_by_octet_is_whole() -> None:
    """A slow writer in another thread."""
    octets = b"Fann@local.test\0Tbob@local.test\0Teve@local.test\0\0"
    reader, writer = os.pipe()
    thread = threading.Thread(target=lambda: [os.write(writer, octets[at : at + 1]) for at in range(len(octets))])
    thread.start()
    try:
        assert read_envelope(reader) == octets
    finally:
        thread.join()
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("octets", [b"", b"F", b"Fa@b", b"Fa@b\0", b"Fa@b\0Tc"])
def test_cut_envelope_is_what_there_was(octets: bytes) -> None:
    """decode_envelope then says 54."""
    with pipe(octets) as fd:
        assert read_envelope(fd) == octets


@given(st.lists(st.sampled_from([b"F", b"T", b"Q", b"X", b"\0", b"a@b", b"a" * 1002, b"a" * 1003]), max_size=12))
def test_decision_is_seen_exactly_when_more_octets_change_nothing(pieces: list[bytes]) -> None:
    """Property: as soon as it is decided, and not before, every continuation is decoded alike."""

    def end(octets: bytes) -> object:
        try:
            return decode_envelope(octets)
        except EnvelopeError as error:
            return error.exit_code

    octets = b"".join(pieces)
    _, is_decided = look_at_envelope(octets)
    ends = {str(end(octets + more)) for more in (b"", b"\0\0\0", b"F", b"x\0X", b"a" * 2000)}
    assert (len(ends) == 1) is is_decided


@given(st.binary(max_size=40), st.integers(0, 40))
def test_looking_twice_is_looking_once(octets: bytes, cut: int) -> None:
    """Property: going on from where the first look stopped ends as one look at everything."""
    octets = b"F" + octets
    offset, is_decided = look_at_envelope(octets[:cut])
    assert is_decided or look_at_envelope(octets, offset) == look_at_envelope(octets)


def test_message_is_read_in_pieces_to_its_end() -> None:
    """Nothing is lost between them."""
    with pipe(b"Subject: hi\n", b"\nbody\n") as fd:
        assert b"".join(read_message(fd)) == b"Subject: hi\n\nbody\n"


def test_drain_says_how_much_it_threw_away() -> None:
    """As qmail-nullqueue reads."""
    with pipe(b"12345") as fd:
        assert drain(fd) == 5


@pytest.mark.parametrize(
    ("family", "address", "ip"),
    [(socket.AF_INET, "127.0.0.1", "127.0.0.1"), (socket.AF_INET6, "::1", "::1")],
)
def test_address_at_the_other_end_of_a_socket_is_found(family: int, address: str, ip: str) -> None:
    """As from a qmail-smtpd that gave its own socket on."""
    with socket.socket(family) as server, socket.socket(family) as client:
        try:
            server.bind((address, 0))
        except OSError:
            pytest.skip("no IPv6 here")
        server.listen()
        client.connect(server.getsockname())
        with pipe() as fd:
            assert peer_ip(fd, client.fileno()) == ip


def test_socket_without_an_ip_address_counts() -> None:
    """A Unix socket is "from network ?.?.?.?", as tcpgetremoteip() says it."""
    one, other = socket.socketpair()
    with one, other:
        assert peer_ip(one.fileno()) == "?.?.?.?"


def test_socket_without_another_end_does_not_count() -> None:
    """It is not connected."""
    with socket.socket() as alone:
        assert peer_ip(alone.fileno()) is None


def test_closed_descriptor_ends_the_search() -> None:
    """As EBADF does in the real program."""
    one, other = socket.socketpair()
    with one, other, pipe() as fd:
        closed = os.dup(fd)
        os.close(closed)
        assert (peer_ip(closed, one.fileno()), peer_ip(fd)) == (None, None)


def test_descriptor_that_cannot_become_a_file_is_closed(tmp_path: Path) -> None:
    """`os.fdopen` leaves it open: a qmail-send that runs for months would run out of them."""
    fd = os.open(tmp_path, os.O_RDONLY)

    with pytest.raises(IsADirectoryError):
        as_file(fd, "rb")

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
