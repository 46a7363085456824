"""Rows of the join as the text that matchup(1) prints: written to be compiled, right without.

Source: IndiMail matchup.c `delivery()`, `endmsg()`, main(); the recorded `logs/*.matchup.gz`.

Rule 1: as in `kernel`.
Rule 2: whoever calls has made room: `ROW_BYTES` for each row besides its texts.
"""

from __future__ import annotations

from typing import Any, Final

from indimail_kit.logs.join_codes import (
    D_BYTES,
    D_CHANNEL,
    D_END_EVENT,
    D_ENDED,
    D_OUTCOME,
    D_QP,
    D_QUEUED,
    D_RECIPIENT,
    D_REPORT,
    D_SENDER,
    D_START_EVENT,
    D_STARTED,
    D_UID,
    M_BYTES,
    M_COUNTS,
    M_END_EVENT,
    M_ENDED,
    M_QP,
    M_QUEUED,
    M_SENDER,
    M_UID,
)
from indimail_kit.logs.kernel_codes import NO_TIME

ROW_BYTES: Final = 256
"""Longest row without its texts (unit: octets): ten numbers of twenty digits, and words."""

QUESTION: Final = 1
"""A line that is printed behind "? "."""
AS_IS: Final = 2
"""A line that is printed as it is."""

_NS: Final = 10**9
_BLANK, _DOT = 32, 46
_LETTERS: Final = b"kdz"
_TENS: Final = bytes(48 + pair // 10 for pair in range(100))
_ONES: Final = bytes(48 + pair % 10 for pair in range(100))


def put_word(out: Any, at: int, word: bytes) -> int:
    """Write a word; return the position behind."""
    for index in range(len(word)):
        out[at + index] = word[index]
    return at + len(word)


def put_digits(out: Any, at: int, value: int, count: int) -> int:
    """Write a number of so many digits."""
    index = at + count
    while index - at >= 2:  # two digits for a division: divisions are what takes time here
        rest = value // 100
        pair = value - rest * 100
        out[index - 2], out[index - 1] = _TENS[pair], _ONES[pair]
        index -= 2
        value = rest
    if index > at:
        out[at] = 48 + value
    return at + count


def put_number(out: Any, at: int, value: int) -> int:
    """Write a number."""
    count, limit = 1, 10
    while count < 18 and value >= limit:
        limit *= 10
        count += 1
    return put_digits(out, at, value, count)


def put_time(out: Any, at: int, unix_ns: int) -> int:
    """Write a time as seconds and nanoseconds, a blank before it; one that is not known is 0."""
    moment = 0 if unix_ns == NO_TIME else unix_ns
    out[at] = _BLANK
    at += 1
    if moment < 0:
        at = put_word(out, at, b"-")
        moment = -moment
    seconds = moment // _NS
    at = put_digits(out, at, seconds, 10) if seconds >= _NS else put_number(out, at, seconds)
    out[at] = _DOT
    return put_digits(out, at + 1, moment - seconds * _NS, 9)


def put_count(out: Any, at: int, value: int) -> int:
    """Write a number, a blank before it."""
    out[at] = _BLANK
    return put_number(out, at + 1, value)


def put_text(out: Any, at: int, carry: Any, octets: Any, row: Any, column: int) -> int:
    """Write a text as it is; its span is a position in the carry and the block behind it."""
    begin, end, size = row[column], row[column + 1], len(carry)
    if begin >= size:
        for index in range(begin, end):
            out[at + index - begin] = octets[index - size]
    else:
        for index in range(begin, end):
            out[at + index - begin] = carry[index]
    return int(at + max(end - begin, 0))


def put_lower(out: Any, at: int, carry: Any, octets: Any, row: Any, column: int) -> int:
    """Write a text in lower case, as ASCII has it."""
    behind = put_text(out, at, carry, octets, row, column)
    for index in range(at, behind):
        if 65 <= out[index] <= 90:
            out[index] += 32
    return behind


def put_sender(out: Any, at: int, carry: Any, octets: Any, row: Any, column: int) -> int:
    """Write a sender in angle brackets, a blank before it."""
    at = put_lower(out, put_word(out, at, b" <"), carry, octets, row, column)
    return put_word(out, at, b">")


def put_delivery(out: Any, at: int, row: Any, carry: Any, octets: Any) -> int:
    """Write ``d``: a delivery with both ends; where the log does not tell of its message, 0 and question marks."""
    if row[D_START_EVENT] < 0 or row[D_OUTCOME] < 0:
        return at
    is_known = row[D_SENDER] >= 0
    at = put_word(out, at, b"d ")
    out[at] = _LETTERS[row[D_OUTCOME]]
    at = put_time(out, at + 1, row[D_QUEUED] if is_known else row[D_STARTED])
    at = put_time(out, put_time(out, at, row[D_STARTED]), row[D_ENDED])
    at = put_count(out, at, max(row[D_BYTES], 0))
    at = put_sender(out, at, carry, octets, row, D_SENDER) if is_known else put_word(out, at, b" ?")
    at = put_word(out, at, b" remote." if row[D_CHANNEL] == 1 else b" local.")
    at = put_lower(out, at, carry, octets, row, D_RECIPIENT)
    at = put_count(out, put_count(out, at, row[D_QP]), row[D_UID]) if is_known else put_word(out, at, b" ? ?")
    at = put_word(out, at, b" ")
    if row[D_REPORT] < 0:
        return put_word(out, at, b"report_mangled\n")
    return put_word(out, put_text(out, at, carry, octets, row, D_REPORT), b"\n")


def put_message(out: Any, at: int, row: Any, carry: Any, octets: Any) -> int:
    """Write ``m``: a message with both ends."""
    if row[M_SENDER] < 0 or row[M_END_EVENT] < 0:
        return at
    at = put_time(out, put_time(out, put_word(out, at, b"m"), row[M_QUEUED]), row[M_ENDED])
    at = put_count(out, at, row[M_BYTES])
    for column in range(M_COUNTS, M_COUNTS + 3):
        at = put_count(out, at, row[column])
    at = put_sender(out, at, carry, octets, row, M_SENDER)
    at = put_count(out, put_count(out, at, row[M_QP]), row[M_UID])
    return put_word(out, at, b"\n")


def put_rows(
    deliveries: Any, messages: Any, carry: Any, octets: Any, lines: Any, ways: Any, positions: Any, out: Any
) -> int:
    """Write the rows that a block finished and the lines that are printed, in order; return the position behind.

    Args:
        deliveries: Rows of the answer, in the order of their ends.
        messages: Likewise.
        carry: Texts of older blocks.
        octets: The block.
        lines: First and last octets of the lines to print, in carry and block together.
        ways: QUESTION or AS_IS, for each.
        positions: Where each stands in the log.
        out: Room for all of it.
    """
    at, delivery, message, line = 0, 0, 0, 0
    while delivery < len(deliveries) or message < len(messages) or line < len(lines):
        next_delivery = deliveries[delivery][D_END_EVENT] if delivery < len(deliveries) else _NEVER
        next_message = messages[message][M_END_EVENT] if message < len(messages) else _NEVER
        next_line = positions[line] if line < len(lines) else _NEVER
        if delivery < len(deliveries) and next_delivery <= next_message and next_delivery <= next_line:
            at = put_delivery(out, at, deliveries[delivery], carry, octets)
            delivery += 1
        elif message < len(messages) and next_message <= next_line:
            at = put_message(out, at, messages[message], carry, octets)
            message += 1
        else:
            at = put_word(out, at, b"? ") if ways[line] == QUESTION else at
            at = put_text(out, at, carry, octets, lines[line], 0)
            at = put_word(out, at, b"\n")
            line += 1
    return at


_NEVER: Final = 2**62

KERNELS: Final = (
    put_word, put_digits, put_number, put_time, put_count, put_text, put_lower, put_sender, put_delivery, put_message,
    put_rows,
)  # fmt: skip
"""What is compiled, each behind those that it calls."""
