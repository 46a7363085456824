"""vfilter's "Numerical Logical Expression": + - * / and comparisons, evaluated without eval.

Source: IndiMail vfilter.c `numerical_compare()`, libqmail evaluate.c; facts: the result counts when it is above 0.

Rule 1: only the node kinds in the tables below are computed; anything else is a FilterError.
Rule 2: the text has at most MAX_OCTETS octets, and there is no power operator, so a value stays small.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from typing import Any, Final

from indimail_kit.errors import FilterError

MAX_OCTETS: Final = 256
"""Longest expression after the data was put in (unit: octets). The keyword column has 64."""

_ALPHABET: Final = re.compile(r"[0-9.()+\-*/<>=! \t]*")
_LEADING_ZEROS: Final = re.compile(r"(?<![0-9.])0+(?=[0-9])")

_BINARY: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_UNARY: Final[dict[type[ast.unaryop], Callable[[Any], Any]]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_COMPARE: Final[dict[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def evaluate(text: str) -> int | float:
    """Compute an expression; a comparison gives 1 or 0.

    Args:
        text: Numbers, brackets, + - * / and < <= > >= == !=.

    Returns:
        An int from whole numbers and comparisons, a float after "." or "/", as in evaluate.c.

    Raises:
        FilterError: Another character, operator or form; a division by zero; over MAX_OCTETS.

    Deviation:
        evaluate.c also knows variables, functions and bit operators, and reads 9-3-2 as 9-(3-2). Here it is (9-3)-2.

    Example:
        >>> evaluate("0.7 > 0.4")
        1
        >>> evaluate("(1 + 2) * 3")
        9
    """
    if len(text) > MAX_OCTETS or _ALPHABET.fullmatch(text) is None:
        raise FilterError(f"an expression of numbers, brackets, + - * / and comparisons, up to {MAX_OCTETS} octets")
    try:
        tree = ast.parse(_LEADING_ZEROS.sub("", text.strip()), mode="eval")
        return _value(tree.body)
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError) as error:
        raise FilterError("an expression that can be computed") from error


def _value(node: ast.expr) -> int | float:
    result: int | float
    match node:
        case ast.Constant(value=int() | float() as number):
            result = number
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _BINARY:
            result = _BINARY[type(sign)](_value(left), _value(right))
        case ast.UnaryOp(op=unary, operand=operand) if type(unary) in _UNARY:
            result = _UNARY[type(unary)](_value(operand))
        case ast.Compare(left=left, ops=signs, comparators=others) if all(type(sign) in _COMPARE for sign in signs):
            result = _value(left)
            for compare, other in zip(signs, others, strict=True):  # 1 < 2 < 3 is (1 < 2) < 3, as in C
                result = int(_COMPARE[type(compare)](result, _value(other)))
        case _:
            raise ValueError(node)
    return result


def is_match(*, data: bytes, keyword: bytes) -> bool:
    """Say whether the keyword, with %p replaced by the data, gives a whole number above 0.

    An expression that cannot be computed does not match: a mail is never thrown away because its header is odd.

    Example:
        >>> is_match(data=b"0.7", keyword=b"%p>0.4")
        True
        >>> is_match(data=b"seven", keyword=b"%p>0.4")
        False
    """
    text = keyword.replace(b"%p", data).decode("latin-1")
    try:
        result = evaluate(text)
    except FilterError:
        return False
    return isinstance(result, int) and result > 0
