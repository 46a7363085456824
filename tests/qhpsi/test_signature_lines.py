"""Tests of signature_lines.py: lines of foreign databases."""

from __future__ import annotations

import re

import pytest

from indimail_kit.errors import FormatError
from indimail_kit.qhpsi.signature_lines import LINE_LIMIT, parse_database, parse_signature

MARKER = "44656172206375737475656d6572"


@pytest.mark.parametrize(
    ("line", "database"),
    [
        ("44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test-Signature", "hdb"),
        ("44D88612FEA8A8F36DE82E1278ABB02F:68:Eicar-Test-Signature", "hdb"),
        ("275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f:68:Eicar-Test-Signature", "hsb"),
        ("44d88612fea8a8f36de82e1278abb02f:*:Eicar-Test-Signature:73", "hdb"),
        (f"Html.Phishing.Bank-1:3:*:{MARKER[2:]}", "ndb"),
        (f"{{HEX}}php.base64.{{v1}}:0:EOF-100,20:{MARKER}", "ndb"),
        (f"Win.Trojan.A-1:1:EP+0,10:{MARKER}", "ndb"),
        (f"Win.Trojan.B-1;Engine:51-255,Target:1;(0|1)&2;{MARKER};EP+0:{MARKER};{MARKER}::iw", "ldb"),
    ],
)
def test_line_of_a_real_database_is_read_and_written(line: str, database: str) -> None:
    """Every kind of line comes back as it was."""
    assert parse_signature(line, database).line == line


def test_functionality_levels_are_read_over() -> None:
    """Levels behind the fields say which clamd loads the line; the rest is the same."""
    assert parse_signature(f"A:0:*:{MARKER}:51:255", "ndb").line == f"A:0:*:{MARKER}"


BAD = {
    "too few fields": ("A:0:*", "ndb", "name:target:offset:pattern"),
    "too many fields": (f"A:0:*:{MARKER}:1:2:3", "ndb", "name:target:offset:pattern"),
    "target is a word": (f"A:mail:*:{MARKER}", "ndb", "the target as a decimal number"),
    "target is Arabic": (f"A:٤:*:{MARKER}", "ndb", "the target as a decimal number"),
    "level is a word": (f"A:0:*:{MARKER}:x", "ndb", "functionality levels"),
    "blank at the end": (f"A:0:*:{MARKER} ", "ndb", "two hexadecimal digits"),
    "size is a word": ("44d88612fea8a8f36de82e1278abb02f:big:A", "hdb", "the size as a decimal number"),
    "any size, no level": ("44d88612fea8a8f36de82e1278abb02f:*:A", "hdb", "the functionality level 73"),
    "no target": (f"A;Engine:1-2;0;{MARKER}", "ldb", "Target in the target description"),
    "engine behind": (f"A;Target:0,Engine:1-2;0;{MARKER}", "ldb", "Engine before it"),
    "two targets": (f"A;Target:0,Target:1;0;{MARKER}", "ldb", "each once"),
    "other keyword": (f"A;Target:0,FileSize:1-9;0;{MARKER}", "ldb", "Engine and Target"),
    "nothing behind ::": (f"A;Target:0;0;{MARKER}::", "ldb", "modifiers behind ::"),
    "regular expression": ("A;Target:0;0;0/x+/", "ldb", "a subsignature of octets, not a regular expression"),
    "macro": ("A;Target:0;0;${6-7}12$", "ldb", "a subsignature of octets, not a macro"),
    "image hash": ("A;Target:0;0;fuzzy_img#af2ad01ed42993c7", "ldb", "not an image hash"),
    "byte comparison": ("A;Target:0;0;0(>>10#hi2#=512)", "ldb", "not a byte comparison"),
    "no subsignature": ("A;Target:0;0", "ldb", "name;target description;expression;subsignatures"),
    "unknown kind": ("A", "cdb", "a kind of database: hdb, hsb, ndb, ldb"),
    "endless line": ("A" * (LINE_LIMIT + 1), "ndb", "a line of at most 65536 characters"),
}


@pytest.mark.parametrize(("line", "database", "expected"), BAD.values(), ids=BAD)
def test_bad_line_is_refused(line: str, database: str, expected: str) -> None:
    """The error says what was expected."""
    with pytest.raises(FormatError, match=re.escape(expected)):
        parse_signature(line, database)


def test_database_is_read_line_by_line() -> None:
    """Comments are no signatures; either line end will do."""
    text = f"# ours\nA:0:*:{MARKER}\r\nB:4:0:{MARKER}\n"

    assert [signature.name for signature in parse_database(text, "ndb")] == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "where"), [(f"A:0:*:{MARKER}\nB:0:*:4z\n", "my.ndb, line 2, octet 0: "), ("\n", "my.ndb, line 1: ")]
)
def test_bad_line_of_a_database_is_named(text: str, where: str) -> None:
    """One bad line is why clamd takes none of them: the error says which."""
    with pytest.raises(FormatError, match=f"^{where}expected"):
        parse_database(text, "ndb", source="my.ndb")
