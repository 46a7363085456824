"""What may stand in a field."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.logs.fields import FIELDS, FieldKind, logsafe, one_line


@pytest.mark.parametrize(
    ("octets", "logged"),
    [
        (b"sp ace@local.test", b"sp_ace@local.test"),
        (b"pct%x@local.test", b"pct_x@local.test"),
        (b"tab\tx@local.test", b"tab_x@local.test"),
        (b"far2@remote.test", b"far2@remote.test"),
        (b"Sorry, no mailbox here by that name. (#5.1.1)\n", b"Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/"),
        (
            b"From: <a@b> RCPT: <c@d> 127.0.0.1 ok\nRemote host said: 250\n",
            b"From:_<a@b>_RCPT:_<c@d>_127.0.0.1_ok/Remote_host_said:_250/",
        ),
        (b"caf\xc3\xa9\x7f\x01", b"caf____"),
        (b"lost\0after the NUL", b"lost"),
        (b"", b""),
    ],
    ids=["blank", "percent", "tab", "clean", "report", "two lines", "8-bit and control", "NUL", "empty"],
)
def test_logsafe_writes_what_qmail_send_writes(octets: bytes, logged: bytes) -> None:
    """Addresses are those of the recorded log send-odd-lines (todo-proc logs them raw, qmail-send cleaned)."""
    assert logsafe(octets) == logged


@given(st.binary())
def test_logsafe_leaves_no_blank_no_control_and_no_line_end(octets: bytes) -> None:
    """A cleaned address can never end its field or its line."""
    assert re.fullmatch(rb"[!-$&-~]*", logsafe(octets))


@given(st.binary())
def test_logsafe_of_logsafe_changes_nothing(octets: bytes) -> None:
    """What is clean stays as it is."""
    assert logsafe(logsafe(octets)) == logsafe(octets)


@given(st.binary())
def test_one_line_is_one_line(octets: bytes) -> None:
    """A raw address cannot forge a second line, unlike with the real todo-proc."""
    assert b"\n" not in one_line(octets)


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_field_says_what_it_means(name: str) -> None:
    """The table is documentation too."""
    assert FIELDS[name].meaning


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_no_pattern_has_a_capturing_group(name: str) -> None:
    """A group in a field would shift or shadow the template's own."""
    assert re.compile(FIELDS[name].pattern).groups == 0


@pytest.mark.parametrize("name", sorted(name for name, field in FIELDS.items() if field.kind is FieldKind.NUMBER))
@pytest.mark.parametrize("octets", [b"", b"007", b"1" * 19, b"1.5", b" 1", b"0x10", b"+1", "١".encode()])
def test_a_number_is_decimal_without_leading_zeros_and_fits_64_bits(name: str, octets: bytes) -> None:
    """Anything else is not a number of the programs' fmt_ulong()."""
    assert re.fullmatch(FIELDS[name].pattern, octets) is None


@pytest.mark.parametrize("octets", [b"0", b"9" * 18], ids=["smallest", "largest"])
def test_a_number_at_its_limits_is_read(octets: bytes) -> None:
    """0 and 18 digits are numbers."""
    assert re.fullmatch(FIELDS["message_number"].pattern, octets)
