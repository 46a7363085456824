"""The table of mechanisms says what the RFCs and the recorded server say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from indimail_kit.auth import mechanisms
from indimail_kit.auth.mechanisms import MECHANISMS, available_mechanisms, find_mechanism

DATA = Path(__file__).parent.parent / "data" / "indimail" / "auth"

CHECKPASSWORD_METHODS = {
    "LOGIN": 1,
    "PLAIN": 2,
    "CRAM-MD5": 3,
    "CRAM-SHA1": 4,
    "CRAM-SHA224": 5,
    "CRAM-SHA256": 6,
    "CRAM-SHA384": 7,
    "CRAM-SHA512": 8,
    "CRAM-RIPEMD": 9,
}
"""libqmail authmethods.h."""


def test_order_is_that_of_the_recorded_ehlo_line() -> None:
    """The table has the names in the order in which qmail-smtpd offers them."""
    dialogue = json.loads((DATA / "transcripts.json").read_text())["LOGIN ok"]
    offered = next(line for line in dialogue if line.startswith("S: 250-AUTH ")).removeprefix("S: 250-AUTH ").split()
    assert list(MECHANISMS) == [name for name in offered if name in MECHANISMS]


def test_names_are_those_that_the_lab_offers() -> None:
    """LOGIN, PLAIN and the seven CRAM mechanisms are there, with their numbers on fd 3."""
    assert {name: row.fd3_method for name, row in MECHANISMS.items()} == CHECKPASSWORD_METHODS


def test_what_a_listener_can_do() -> None:
    """Who hears LOGIN or PLAIN has the password; who hears CRAM can only try passwords."""
    judged = {name: (row.can_listener_log_in, row.can_listener_guess) for name, row in MECHANISMS.items()}
    expected = {name: (True, False) if name in {"LOGIN", "PLAIN"} else (False, True) for name in MECHANISMS}
    assert judged == expected


def test_secret_on_the_wire_is_what_lets_a_listener_in() -> None:
    """A listener can log in exactly where the password itself is sent."""
    assert [row.is_secret_on_wire for row in MECHANISMS.values()] == [
        row.can_listener_log_in for row in MECHANISMS.values()
    ]


@pytest.mark.parametrize("name", ["cram-md5", "CRAM-MD5", "Cram-Md5"])
def test_name_is_found_in_any_case(name: str) -> None:
    """Mechanism names are compared without regard to case."""
    assert find_mechanism(name) is MECHANISMS["CRAM-MD5"]


@pytest.mark.parametrize("name", ["", "GSSAPI", "CRAM-MD5 ", "PLAIN\0"])
def test_unknown_name_is_not_found(name: str) -> None:
    """A name that is not in the table gives None."""
    assert find_mechanism(name) is None


def test_mechanism_without_its_hash_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where OpenSSL leaves RIPEMD-160 out, CRAM-RIPEMD is not among the available ones, and all others are."""
    monkeypatch.setattr(mechanisms.cram, "is_available", lambda hash_name: hash_name != "ripemd160")
    assert available_mechanisms() == tuple(MECHANISMS)[:-1]


def test_only_cram_needs_a_challenge() -> None:
    """A challenge is needed by the mechanisms with a hash."""
    assert [name for name, row in MECHANISMS.items() if not row.needs_challenge] == ["LOGIN", "PLAIN"]
