"""Numbers in filters."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.delivery.expression import MAX_OCTETS, evaluate, is_match
from indimail_kit.errors import FilterError


@pytest.mark.parametrize(
    "text",
    [
        "0.7 > 0.4",
        "0.3>0.4",
        "5 >= 5",
        "5 <= 4",
        "5 == 5.0",
        "5 != 5",
        "1 + 2 * 3",
        "(1 + 2) * 3",
        "10 - 4 - 3",
        "-3 + 5",
        "7 / 2 > 3",
        "007 + 1",
        "(1 < 2) < 3",
        ".5 < 0.6",
    ],
)
def test_expression_has_the_value_that_awk_gives(text: str) -> None:
    """Awk is the independent program: it knows the same operators."""
    answer = subprocess.run(["awk", f"BEGIN {{ print ({text}) }}"], capture_output=True, text=True, check=True)

    assert evaluate(text) == float(answer.stdout)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("spam", id="a word"),
        pytest.param("2 ** 99", id="power"),
        pytest.param("7 // 2", id="another division"),
        pytest.param("1 / 0", id="division by zero"),
        pytest.param("1.0 / (2 - 2)", id="division by a computed zero"),
        pytest.param("(1", id="open bracket"),
        pytest.param("1 << 2", id="shift"),
        pytest.param("1 = 1", id="assignment"),
        pytest.param("__import__", id="a name"),
        pytest.param("[1][0]", id="a list"),
        pytest.param("1,2", id="a tuple"),
        pytest.param("1j", id="a complex number"),
        pytest.param("!1", id="not"),
        pytest.param("1\n2", id="two lines"),
        pytest.param("(" * 201, id="brackets without end"),
        pytest.param("1" * (MAX_OCTETS + 1), id="too long"),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """Only the operators in the tables are computed."""
    with pytest.raises(FilterError):
        evaluate(text)


def test_longest_expression_is_computed() -> None:
    """The limit itself is allowed."""
    assert evaluate("1" * MAX_OCTETS) == int("1" * MAX_OCTETS)


@given(text=st.text("0123456789.()+-*/<>=! \t", max_size=MAX_OCTETS))
def test_hostile_expression_gives_a_number_or_a_filter_error(text: str) -> None:
    """Every text of the right letters ends in one of the two."""
    try:
        result = evaluate(text)
    except FilterError:
        return
    assert isinstance(result, int | float)


@pytest.mark.parametrize(
    ("data", "keyword", "expected"),
    [
        pytest.param(b"0.7", b"%p>0.4", True, id="true comparison"),
        pytest.param(b"0.2", b"%p>0.4", False, id="false comparison"),
        pytest.param(b"7", b"%p-3", True, id="a whole number above 0"),
        pytest.param(b"3", b"%p-3", False, id="0"),
        pytest.param(b"2", b"%p-3", False, id="below 0"),
        pytest.param(b"0.7", b"%p", False, id="a fraction is no answer"),
        pytest.param(b"seven", b"%p>0.4", False, id="data that is no number"),
        pytest.param(b"", b"%p>0.4", False, id="empty data"),
        pytest.param(b"3", b"%p>1)+(%p>2", False, id="broken keyword"),
        pytest.param(b"3", b"(%p>1)*(%p<5)", True, id="data twice"),
    ],
)
def test_filter_matches_when_the_result_is_a_whole_number_above_zero(
    data: bytes, keyword: bytes, expected: bool
) -> None:
    """vfilter.c numerical_compare(): real results count as 0, errors as no match."""
    assert is_match(data=data, keyword=keyword) is expected
