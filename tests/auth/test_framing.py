"""Base64 as RFC 4648 and RFC 4954 have it, and nothing else."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import indimail_kit.auth
from indimail_kit.auth.framing import (
    decode_base64,
    decode_utf8,
    encode_base64,
    encode_field,
    encode_utf8,
    strip_line_end,
)
from indimail_kit.errors import SaslError

RFC_4648_VECTORS = [
    (b"", ""),
    (b"f", "Zg=="),
    (b"fo", "Zm8="),
    (b"foo", "Zm9v"),
    (b"foob", "Zm9vYg=="),
    (b"fooba", "Zm9vYmE="),
    (b"foobar", "Zm9vYmFy"),
]
"""RFC 4648 section 10."""


@pytest.mark.parametrize(("octets", "text"), RFC_4648_VECTORS)
def test_vectors_of_rfc_4648_encode_and_decode(octets: bytes, text: str) -> None:
    """The RFC's own examples hold in both directions."""
    assert (encode_base64(octets), decode_base64(text.encode())) == (text, octets)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        (b"!!!notb64", 0),
        (b"abc", 0),
        (b"abcd=", 4),
        (b"ab=c", 2),
        (b"=", 0),
        (b"====", 0),
        (b"a===", 1),
        (b"Zg==\n", 2),
        (b"Zg== ", 2),
        (b" Zg==", 0),
        (b"Zg==Zg==", 2),
        (b"Zm9v-w==", 4),
        (b"Zh==", 1),
        (b"Zm9=", 2),
        (b"\xc3\xa9==", 0),
        (b"Zg\0=", 2),
    ],
)
def test_anything_but_base64_is_refused_at_its_place(text: bytes, offset: int) -> None:
    """A wrong character, length, padding or bit raises SaslError with the place of the fault."""
    with pytest.raises(SaslError) as caught:
        decode_base64(text)
    assert caught.value.offset == offset


@given(st.binary(max_size=64))
def test_what_is_encoded_is_decoded(octets: bytes) -> None:
    """Decoding undoes encoding."""
    assert decode_base64(encode_base64(octets).encode()) == octets


@given(st.binary(max_size=24))
def test_a_text_is_the_one_encoding_of_its_octets_or_refused(text: bytes) -> None:
    """No two texts mean the same octets: what is accepted is what encoding gives."""
    assert reencoded(text) in {text, b"refused"}


def reencoded(text: bytes) -> bytes:
    """Return the encoding of the decoded text, or b"refused"."""
    try:
        return encode_base64(decode_base64(text)).encode()
    except SaslError:
        return b"refused"


@pytest.mark.parametrize("octets", [b"postmaster@example.com", b"\0tim\0tanstaaftanstaaf", bytes(range(256))])
def test_base64_is_that_of_coreutils(octets: bytes) -> None:
    """The program that the tutorial uses gives the same text."""
    printed = subprocess.run(["base64", "-w", "0"], input=octets, capture_output=True, check=True).stdout
    assert encode_base64(octets).encode() == printed


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"a\r\n", b"a"),
        (b"a\n", b"a"),
        (b"a", b"a"),
        (b"a\r", b"a"),
        (b"\r\n", b""),
        (b"a\r\r\n", b"a\r"),
        (b"a\n\n", b"a\n"),
    ],
)
def test_one_line_end_is_removed(line: bytes, text: bytes) -> None:
    """CR LF, LF or CR goes, once, as authgetl() does it."""
    assert strip_line_end(line) == text


def test_text_that_is_no_utf8_raises_what_was_expected() -> None:
    """Octets and texts without a UTF-8 form raise SaslError with the given phrase."""
    with pytest.raises(SaslError, match="a user"):
        decode_utf8(b"\xff", expected="a user")
    with pytest.raises(SaslError, match="a user"):
        encode_utf8("\ud800", expected="a user")


def test_field_with_nul_is_refused_by_name() -> None:
    """A NUL in a field raises SaslError that names the field."""
    with pytest.raises(SaslError, match="authzid"):
        encode_field("a\0b", name="authzid")


def test_only_framing_knows_base64() -> None:
    """No other module imports a Base64 codec (Rule 1 of framing); the explainer's look for what is wrong with it."""
    room = Path(indimail_kit.auth.__file__).parent
    importers = {
        path.name
        for path in room.glob("*.py")
        if not path.name.startswith("annotate")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
        if {alias.name, getattr(node, "module", None)} & {"base64", "binascii"}
    }
    assert importers == {"framing.py"}
