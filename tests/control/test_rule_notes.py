"""What tcprules takes without a word, an administrator is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.control.cdb import decode_cdb
from indimail_kit.control.rule_notes import note_rules
from indimail_kit.control.tcprules import parse_rules
from indimail_kit.errors import RulesError

DATA = Path(__file__).parent.parent / "data" / "indimail" / "tcprules"

SILENT = [
    "10.:allow",
    "10.0.0.1-3:deny",
    "=:allow",
    "=.example.com:allow",
    "=a-b.example.com:allow",
    "joe@10.0.0.1:allow",
    "2001:db8::1:deny",
    "2001:db8:::deny",
    ":allow,QHPSI='/usr/bin/clamdscan %s --quiet --no-summary'",
    ":allow,B=/two,with,commas/",
    ":allow,!FOO",
    ":deny",
]


@pytest.mark.parametrize("line", SILENT)
def test_ordinary_rule_needs_no_note(line: str) -> None:
    """A rule that does what it looks like is not commented."""
    assert note_rules(parse_rules(line)) == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"10.0.0.0/8:allow", "/ makes no network"),
        (b"192.168:deny", "the network is written 192.168."),
        (b"10:deny", "the network is written 10."),
        (b" 1.2.3.4:allow", "a blank belongs to the address"),
        (b"1.2.3.4 :allow", "a blank belongs to the address"),
        (b"192.168.*:deny", "* is no wildcard"),
        (b"=*.example.com:deny", "* is no wildcard"),
        (b"joe@:allow", "nothing is behind @"),
        (b"2001:db8::allow", "IPv6 addresses match whole only"),
        (b':deny,A="x"', "what is behind deny"),
        (b':allow, A="x"', "the variable is named ' A'"),
        (b':allow,A="\xe2\x80\x93quiet"', "outside ASCII (EN DASH)"),
        (b':allow,A="\xff"', "outside ASCII (octet 0xff)"),
        (b":allow,A=\x92x\x92", "octet 0x92"),
        (b":allow,A=xax", "the letter 'x'"),
    ],
    ids=repr,
)
def test_surprising_rule_is_explained(line: bytes, said: str) -> None:
    """Each of the traps has one sentence, with the line."""
    (note,) = note_rules(parse_rules(b"# rules\n" + line))
    assert said in note.text
    assert note.line_number == 2


def test_rule_that_counts_for_nothing_names_the_one_that_counts() -> None:
    """Of two rules for one address the first counts; one note tells of a whole range."""
    notes = note_rules(parse_rules("10.0.0.1-3:deny\n10.0.0.2:allow\n"))
    assert [(note.rule, note.line_number, note.text) for note in notes] == [
        ("10.0.0.2", 2, "it counts for nothing: line 1 has the same address")
    ]


def test_notes_on_a_cdb_have_no_lines() -> None:
    """Of the recorded cdb the same is told as of its text, without lines."""
    from_text = note_rules(parse_rules((DATA / "rules3.txt").read_bytes()))
    from_cdb = note_rules(decode_cdb((DATA / "rules3.cdb").read_bytes()))
    assert [(note.rule, note.text) for note in from_cdb] == [(note.rule, note.text) for note in from_text]
    assert {note.line_number for note in from_cdb} == {None}


@given(st.binary(max_size=60))
def test_no_note_quotes_a_value(octets: bytes) -> None:
    """Whatever the rules are, notes are sentences, and a value is in none of them."""
    secret = b"tanstaaftanstaaf"
    try:
        rules = parse_rules(b':allow,PASS="' + secret + b'"\n' + octets)
    except RulesError:
        return
    assert [note for note in note_rules(rules) if secret.decode() in note.text] == []
