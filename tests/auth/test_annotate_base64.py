"""Base64 as people type it: RFC 4648's vectors are strict, each fault has its name, each octet its characters."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.auth import framing
from indimail_kit.auth.annotate_base64 import examine, wire_range
from indimail_kit.errors import SaslError

VECTORS = {"": b"", "Zg==": b"f", "Zm8=": b"fo", "Zm9v": b"foo", "Zm9vYg==": b"foob", "Zm9vYmE=": b"fooba"}


@pytest.mark.parametrize(("text", "octets"), VECTORS.items(), ids=VECTORS)
def test_vectors_of_rfc_4648_have_no_fault(text: str, octets: bytes) -> None:
    """RFC 4648 section 10."""
    view = examine(text)
    assert (view.octets, view.faults) == (octets, ())


MEANT = {
    "padding missing": ("Zm9vYg", b"foob", ("padding",)),
    "padding too long": ("Zm9v==", b"foo", ("padding",)),
    "padding half": ("Zm9vYg=", b"foob", ("padding",)),
    "quotes": ('"Zm9v"', b"foo", ("quotation marks",)),
    "typographic quotes": ("\u201cZm9v\u201d", b"foo", ("quotation marks",)),
    "blank inside": ("Zm 9v", b"foo", ("white space",)),
    "non-breaking space": ("Zm\u00a09v", b"foo", ("white space",)),
    "percent": ("Zg%3D%3d", b"f", ("percent-encoded",)),
    "URL-safe": ("_-8_", b"\xff\xef\x3f", ("URL-safe alphabet",)),
    "URL-safe without padding": ("_w", b"\xff", ("URL-safe alphabet", "padding")),
    "spare bits": ("Zh==", b"f", ("spare bits",)),
    "two texts": ("Zg==Zg==", None, ("two texts",)),
    "cut off": ("Zm9vY", None, ("cut off",)),
    "an address": ("a@example.com", None, ("not Base64",)),
    "padding alone": ("====", None, ("not Base64",)),
    "a very long word": ("!" * 20000, None, ("not Base64",)),
}


@pytest.mark.parametrize(("text", "octets", "faults"), MEANT.values(), ids=MEANT)
def test_what_was_meant_is_found_with_its_faults(text: str, octets: bytes | None, faults: tuple[str, ...]) -> None:
    """A fault that can be undone is named and undone; another is named and nothing is guessed."""
    view = examine(text)
    assert (view.octets, view.faults) == (octets, faults)


@given(st.text() | st.text(alphabet="AZaz09+/=-_ %3D\"'"))
def test_no_fault_means_exactly_rfc_4954(text: str) -> None:
    """Without a fault the strict decoder takes it, with one it does not."""
    view = examine(text)
    try:
        strict: bytes | None = framing.decode_base64(text.encode("utf-8", "surrogatepass"))
    except SaslError:
        strict = None
    assert (view.octets if not view.faults else None) == strict


@given(st.binary(min_size=1, max_size=40), st.data())
def test_characters_of_an_octet_carry_its_bits(octets: bytes, data: st.DataObject) -> None:
    """Changing octets start … end changes characters within their range only."""
    start = data.draw(st.integers(0, len(octets) - 1))
    end = data.draw(st.integers(start + 1, len(octets)))
    text = base64.b64encode(octets).decode()
    flipped = octets[:start] + bytes(one ^ 0xFF for one in octets[start:end]) + octets[end:]
    changed = [
        at for at, (one, other) in enumerate(zip(text, base64.b64encode(flipped).decode(), strict=True)) if one != other
    ]
    first, last = wire_range(examine(text).positions, start, end)
    assert (changed[0], changed[-1] + 1) == (first, last)


def test_characters_of_a_faulty_text_are_those_of_the_line() -> None:
    """Quotation marks and blanks shift the characters; the range counts in the line as typed."""
    view = examine('"Zm 9v"')
    assert wire_range(view.positions, 0, 1) == (1, 3)
    assert wire_range(view.positions, 2, 3) == (4, 6)


def test_nothing_has_an_empty_range() -> None:
    """Octets that are not there stand nowhere."""
    assert wire_range((), 0, 0) == (0, 0)
    assert wire_range((0, 1), 3, 3) == (2, 2)
