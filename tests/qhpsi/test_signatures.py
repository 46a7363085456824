"""Tests of signatures.py."""

from __future__ import annotations

import base64
import hashlib
import random
from pathlib import Path

import pytest

from indimail_kit.errors import FormatError
from indimail_kit.qhpsi.signature_builder import hash_signature
from indimail_kit.qhpsi.signatures import (
    Signature,
    eicar,
    teaching_signatures,
    write_database,
    yara_rules,
)


def test_eicar_is_the_published_test_file() -> None:
    """68 octets with the MD5 that every scanner's documentation names."""
    assert hashlib.md5(eicar(), usedforsecurity=False).hexdigest() == "44d88612fea8a8f36de82e1278abb02f"


def test_source_holds_no_marker_in_one_piece() -> None:
    """The module's text contains none of the markers, so no scanner flags the package."""
    from indimail_kit.qhpsi import signatures

    source = Path(str(signatures.__file__)).read_bytes()

    assert [s.name for s in teaching_signatures() if s.marker in source] == []


def test_there_are_three_teaching_signatures() -> None:
    """EICAR and two harmless ones of ours, with different names and markers."""
    signatures = teaching_signatures()

    assert len(signatures) == len({s.name for s in signatures}) == len({s.marker for s in signatures}) == 3


def test_markers_do_not_occur_in_random_base64() -> None:
    """Each marker holds an octet that Base64 cannot produce, so an attachment never matches by chance."""
    alphabet = set(base64.encodebytes(random.Random(1).randbytes(100_000)))  # noqa: S311 - a fixed sample, no secret

    assert all(set(signature.marker) - alphabet for signature in teaching_signatures())


def test_database_line_is_clamavs_form() -> None:
    """Name, any target, any offset, hexadecimal octets."""
    assert Signature("Lesson.One", b"0123456789abcdef").line == "Lesson.One:0:*:30313233343536373839616263646566"


def test_database_holds_a_line_for_each_signature(tmp_path: Path) -> None:
    """Each kind has its file, in the order given, and nothing is left beside them."""
    given = [*teaching_signatures(), Signature("Lesson.One", b"0123456789abcdef"), hash_signature("Lesson.Two", b"x")]

    written = write_database(tmp_path, given)

    assert [path.name for path in written] == ["indimail-kit.hdb", "indimail-kit.ndb"]
    assert sorted(tmp_path.iterdir()) == sorted(written)
    assert written[0].read_text(encoding="ascii") == "9dd4e461268c8034f5c8564e155c67a6:1:Lesson.Two\n"
    assert [line.partition(":")[0] for line in written[1].read_text(encoding="ascii").splitlines()] == [
        *(signature.name for signature in teaching_signatures()),
        "Lesson.One",
    ]


def test_kind_that_is_not_needed_any_more_is_removed(tmp_path: Path) -> None:
    """Clamd calls an empty file malformed and loads nothing: so there is none."""
    write_database(tmp_path, [hash_signature("Lesson.Two", b"x")])
    write_database(tmp_path, [Signature("Lesson.One", b"0123456789abcdef")])

    assert [path.name for path in tmp_path.iterdir()] == ["indimail-kit.ndb"]


def test_no_signature_at_all_is_a_comment(tmp_path: Path) -> None:
    """Clamd does not start without any database file; one with a comment it takes."""
    (path,) = write_database(tmp_path, [])

    assert (path.name, path.read_text(encoding="ascii")) == ("indimail-kit.ndb", "# no signatures\n")


def test_yara_finds_each_marker_by_its_own_rule() -> None:
    """The rules text compiles, and each marker is found under its signature's name and no other."""
    import yara

    rules = yara.compile(source=yara_rules())

    found = [[m.meta["signature"] for m in rules.match(data=b"x" + s.marker + b"y")] for s in teaching_signatures()]
    assert found == [[signature.name] for signature in teaching_signatures()]


@pytest.mark.parametrize("name", ["", "a b", "a:b", 'a"b', "a\nb", "-a", "a" * 101, "é"])
def test_names_that_would_break_a_database_are_refused(name: str) -> None:
    """A name cannot add fields or lines to clamd's file or escape a YARA string."""
    with pytest.raises(FormatError, match="signature name"):
        Signature(name, b"0123456789abcdef")


def test_short_marker_is_refused() -> None:
    """A marker of 16 octets is the shortest; 15 might occur by chance."""
    assert Signature("a", b"x" * 16).marker == b"x" * 16
    with pytest.raises(FormatError, match="at least 16 octets"):
        Signature("a", b"x" * 15)


def test_marker_is_not_in_the_repr() -> None:
    """A repr in a log or notebook does not become a finding itself."""
    assert b"EICAR" not in repr(teaching_signatures()).encode()
