"""Regular expressions of filters, beside those of the C library that vfilter uses."""

from __future__ import annotations

import ctypes
import ctypes.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.delivery.ere import MAX_DEPTH, MAX_PATTERN_OCTETS, Ere
from indimail_kit.errors import FilterError

REG_EXTENDED, REG_ICASE = 1, 2
LIBC = ctypes.CDLL(ctypes.util.find_library("c"))


def c_library_finds(pattern: bytes, text: bytes) -> bool | None:
    """Ask regcomp(3) and regexec(3) as IndiMail's matchregex() does; None when the expression is refused."""
    compiled = ctypes.create_string_buffer(512)
    if LIBC.regcomp(compiled, pattern, REG_EXTENDED | REG_ICASE) != 0:
        return None
    found = LIBC.regexec(compiled, text, 0, None, 0) == 0
    LIBC.regfree(compiled)
    return found


PATTERNS = [
    b"virus",
    b"^virus",
    b"found$",
    b"^$",
    b"a|b|",
    b"(ab)+c",
    b"a{2}",
    b"a{2,}",
    b"a{,2}b",
    b"a{1,2}$",
    b"[a-c]+[^a-c]",
    b"[]x]",
    b"[^]x]",
    b"[a-]",
    b"[[:digit:]]+",
    b"[[:alpha:][:space:]]x",
    b"a.c",
    b"a\\.c",
    b"\\$5",
    b"(^a|b$)",
    b"x?y*z",
    b"()a",
    b"(a|)b",
    b"a**",
    b"a+?",
    b"a(b(c(d)))e",
    b"a)",
    b"[A-Z]",
    b"[^A-Z]",
    b"\\*\\+",
    b"",
]
TEXTS = [
    b"",
    b"virus found",
    b"VIRUS",
    b"aab",
    b"abababc",
    b"a.c",
    b"axc",
    b"$5",
    b"]x-",
    b"12 x",
    b"abcde",
    b"*+",
    b"a)",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_expression_finds_what_the_c_library_finds(pattern: bytes) -> None:
    """regcomp(REG_EXTENDED | REG_ICASE) and regexec are the oracle, text by text."""
    ours = Ere(pattern)

    assert [ours.is_found(text) for text in TEXTS] == [c_library_finds(pattern, text) for text in TEXTS]


@given(
    pattern=st.text("ab.()|*+?^$[]-{},12\\", max_size=9).map(str.encode),
    text=st.text("ab12.-", max_size=8).map(str.encode),
)
def test_random_expression_finds_what_the_c_library_finds(pattern: bytes, text: bytes) -> None:
    """Where both take an expression, they say the same (the C library refuses some ranges of punctuation)."""
    theirs = c_library_finds(pattern, text)
    try:
        ours = Ere(pattern)
    except FilterError:
        return
    assert theirs is None or ours.is_found(text) == theirs


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(b"*a", id="nothing to repeat"),
        pytest.param(b"a|*", id="nothing to repeat in a choice"),
        pytest.param(b"(a", id="open bracket"),
        pytest.param(b"[a", id="open set"),
        pytest.param(b"[b-a]", id="falling range"),
        pytest.param(b"a{2,1}", id="falling count"),
        pytest.param(b"a{", id="open count"),
        pytest.param(b"a{x}", id="count of letters"),
        pytest.param(b"a\\", id="backslash at the end"),
    ],
)
def test_broken_expression_is_refused_as_the_c_library_does(pattern: bytes) -> None:
    """What regcomp refuses is a FilterError."""
    assert c_library_finds(pattern, b"") is None
    with pytest.raises(FilterError):
        Ere(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(b"(a)\\1", id="back reference"),
        pytest.param(b"\\w+", id="letter behind the backslash"),
        pytest.param(b"a\\<b", id="word border"),
        pytest.param(b"[[.a.]]", id="collating symbol"),
        pytest.param(b"[[=a=]]", id="equivalence class"),
        pytest.param(b"[[:word:]]", id="unknown class"),
        pytest.param(b"[a-[:digit:]]", id="range to a class"),
        pytest.param(b"a{256}", id="count over the limit"),
        pytest.param(b"(((a{99}){99}){99}){99}", id="counts of counts"),
        pytest.param(b"((((){255}){255}){255}){255}", id="counts of nothing"),
        pytest.param(b"(" * (MAX_DEPTH + 1) + b")" * (MAX_DEPTH + 1), id="too deep"),
        pytest.param(b"a" * (MAX_PATTERN_OCTETS + 1), id="too long"),
        pytest.param(b"a\0b", id="NUL"),
        pytest.param(b"^*", id="repeated anchor"),
    ],
)
def test_expression_beyond_our_bounds_is_refused(pattern: bytes) -> None:
    """What would be unbounded, or different from the C library, is not guessed."""
    with pytest.raises(FilterError):
        Ere(pattern)


def test_deepest_and_longest_expressions_work() -> None:
    """The limits themselves are allowed."""
    deepest = Ere(b"(" * MAX_DEPTH + b"a" + b")" * MAX_DEPTH)
    longest = Ere(b"a" * MAX_PATTERN_OCTETS)

    assert deepest.is_found(b"a")
    assert longest.is_found(b"a" * MAX_PATTERN_OCTETS)


@pytest.mark.parametrize("pattern", [b"(a*)*b", b"(a|aa)+$", b"(.*)(.*)(.*)(.*)(.*)x"])
def test_expression_that_makes_others_run_for_ages_ends(pattern: bytes) -> None:
    """The classical traps for backtracking need time in proportion to the text."""
    assert Ere(pattern).is_found(b"a" * 4000 + b"!") is False


@given(pattern=st.binary(max_size=40))
def test_hostile_pattern_compiles_or_is_refused(pattern: bytes) -> None:
    """Any octets give a machine or a FilterError, nothing else."""
    try:
        compiled = Ere(pattern)
    except FilterError:
        return
    assert compiled.is_found(b"some text") in (True, False)
