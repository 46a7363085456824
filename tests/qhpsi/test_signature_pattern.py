"""Tests of signature_pattern.py and signature_logic.py: the grammars inside a signature, against what clamd loads."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.errors import FormatError
from indimail_kit.qhpsi import ClamdDaemon
from indimail_kit.qhpsi.signature_lines import parse_signature
from indimail_kit.qhpsi.signature_logic import DEPTH_LIMIT, parse_logic
from indimail_kit.qhpsi.signature_pattern import describe_octets, fixed_count, parse_pattern


@pytest.mark.parametrize(
    ("text", "meanings"),
    [
        ("4142", ['2 octets: "AB"']),
        ("00ff", ["2 octets: 00 ff"]),
        ("4142??4344", ['2 octets: "AB"', "any octet", '2 octets: "CD"']),
        ("41424?", ['2 octets: "AB"', "one octet of which its high half is 4"]),
        ("4142?a", ['2 octets: "AB"', "one octet of which its low half is a"]),
        ("4142*4344", ['2 octets: "AB"', "any number of octets, none too", '2 octets: "CD"']),
        ("4142{4-8}4344", ['2 octets: "AB"', "any 4 to 8 octets", '2 octets: "CD"']),
        ("4142{-8}4344", ['2 octets: "AB"', "any at most 8 octets", '2 octets: "CD"']),
        ("4142{4-}4344", ['2 octets: "AB"', "any at least 4 octets", '2 octets: "CD"']),
        ("4142[1-3]43", ['2 octets: "AB"', "any 1 to 3 octets", '1 octets: "C"']),
        ("4142(43|4445)", ['2 octets: "AB"', '"C" or "DE"']),
        ("4142(4?)", ['2 octets: "AB"', "4?"]),
        ("4142!(43|44)", ['2 octets: "AB"', 'neither "C" or "D"']),
        ("4142!(43)", ['2 octets: "AB"', 'not "C"']),
        ("(B)4142", ["a word boundary: an octet that is neither letter nor digit, or an end of the file",
                     '2 octets: "AB"']),
        ("4142!(W)", ['2 octets: "AB"', "no place with an octet that is neither letter nor digit"]),
    ],
)  # fmt: skip
def test_pattern_is_said_in_words(text: str, meanings: list[str]) -> None:
    """Each piece of a pattern has its meaning, and the pieces are the pattern."""
    parts = parse_pattern(text)

    assert [part.meaning for part in parts] == meanings
    assert "".join(part.text for part in parts) == text


BAD_PATTERNS = {
    "": 0, "4": 0, "414": 2, "zz": 0, "41 42": 2, "4142*": None, "*4142": None, "4142**4344": None, "41*42": None,
    "69??76??69": None, "4142()": 4, "4142(4)": 4, "4142((41)|42)": 4, "4142(41": 4, "4142!(41|4243)": 4,
    "4142{": 4, "4142{}": 4, "4142{-}": 4, "4142{8-4}4344": 4, "4142{a}4344": 4, "4142[3]43": 4, "4142[-3]43": 4,
    "4142]": 4, "4142(X)": 4, "4142(41|)": 4,
}  # fmt: skip


@pytest.mark.parametrize(("text", "offset"), BAD_PATTERNS.items(), ids=[text or "nothing" for text in BAD_PATTERNS])
def test_bad_pattern_is_refused(text: str, offset: int | None) -> None:
    """The error says at which character, where there is one."""
    with pytest.raises(FormatError) as caught:
        parse_pattern(text)

    assert caught.value.offset == offset


@pytest.mark.parametrize(
    "text", ["4142**4344", "41*42", "69??76??69", "4142*", "*4142", "4142()", "4142(4)", "414"]
)  # fmt: skip
def test_clamd_refuses_it_too(text: str) -> None:
    """What is refused here as malformed, the real clamd does not load: it ends at once."""

    class Line:
        name, database, line = "Lesson.Bad", "ndb", f"Lesson.Bad:0:*:{text}"

    daemon = ClamdDaemon(extra_signatures=[Line()])
    try:
        with pytest.raises(Exception, match="Malformed database"):
            daemon.start()
    finally:
        daemon.close()


def test_only_fixed_octets_are_counted() -> None:
    """Holes, choices and half octets are no evidence."""
    assert fixed_count(parse_pattern("4142??43(44|45){3}46474?48")) == 6


@given(st.text(alphabet="0123456789abcdefABL?*{}[]()|!-W", max_size=40))
def test_any_text_is_a_pattern_or_an_error(text: str) -> None:
    """Nothing else comes of it, and the parts are the text."""
    try:
        parts = parse_pattern(text)
    except FormatError:
        return
    assert "".join(part.text for part in parts) == text


@pytest.mark.parametrize(
    ("octets", "shown"), [(b"ab", '"ab"'), (b"a" * 25, f'"{"a" * 24}…"'), (b"\x1b[1m", "1b 5b 31 6d")]
)
def test_octets_for_a_person_are_safe(octets: bytes, shown: str) -> None:
    """Control characters are never printed, and long ones are cut."""
    assert describe_octets(octets) == shown


@pytest.mark.parametrize(
    ("text", "meaning", "evidence"),
    [
        ("0&1&2", "0 and 1 and 2", 35),
        ("0&(1|2)", "0 and (1 or 2)", 15),
        ("(0|1)=2&2", "((0 or 1) exactly 2 times) and 2", 30),
        ("0=2&1&2", "(0 exactly 2 times) and 1 and 2", 45),
        ("0&1&2=0", "0 and 1 and (2 never)", 15),
        ("(0|1|2)>1,2", "(0 or 1 or 2) more than 1 times, of 2 different ones", 10),
        ("0&1&2<3", "0 and 1 and (2 fewer than 3 times)", 15),
    ],
)
def test_expression_is_said_in_words(text: str, meaning: str, evidence: int) -> None:
    """The meaning, and the fewest octets that fulfil it, of three parts with 10, 5 and 20 octets."""
    logic = parse_logic(text, [10, 5, 20])

    assert (logic.meaning, logic.evidence) == (meaning, evidence)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a subsignature's number"),
        ("0&", "a subsignature's number"),
        ("0&1|2", "parentheses where & and | stand side by side"),
        ("0&1&2&3", "a subsignature's number below 3"),
        ("0&1", "each subsignature in the expression; 2 is not"),
        ("(0)&1&2", "parentheses around more than one"),
        ("((0&1))&2)", "the end of the expression"),
        ("(0&1&2", "a closing parenthesis"),
        ("0=&1&2", "how often"),
        ("0>1,&1&2", "how many different"),
        ("0 &1&2", "the end of the expression"),
        ("(" * (DEPTH_LIMIT + 1) + "0&1", f"at most {DEPTH_LIMIT} parentheses"),
        ("(" * 100_000, f"at most {DEPTH_LIMIT} parentheses"),
    ],
)
def test_bad_expression_is_refused(text: str, expected: str) -> None:
    """The error says what was expected; a hostile one cannot exhaust the stack."""
    with pytest.raises(FormatError, match=re.escape(expected)):
        parse_logic(text, [16, 16, 16])


@given(st.text(alphabet="012&|()=<>,9 ", max_size=40))
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    """Nothing else comes of it."""
    try:
        logic = parse_logic(text, [16, 16, 16])
    except FormatError:
        return
    assert logic.indexes == {0, 1, 2}


@given(st.text(max_size=60), st.sampled_from(["hdb", "hsb", "ndb", "ldb"]))
def test_any_line_is_a_signature_or_an_error(line: str, database: str) -> None:
    """A hostile line never does anything else."""
    try:
        signature = parse_signature(line, database)
    except FormatError:
        return
    assert signature.line
