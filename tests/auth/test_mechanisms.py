"""The table of mechanisms says what the RFCs and the recorded server say."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from indimail_kit.auth import mechanisms
from indimail_kit.auth.mechanisms import (
    MECHANISMS,
    available_mechanisms,
    find_mechanism,
    must_be_encrypted,
    offered_mechanisms,
)

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
    "DIGEST-MD5": 10,
    "SCRAM-SHA-1": 11,
    "SCRAM-SHA-256": 12,
    "XOAUTH2": 17,
}
"""libqmail authmethods.h."""


def test_order_is_that_of_the_recorded_ehlo_line() -> None:
    """The table has the names in the order in which qmail-smtpd offers them."""
    dialogue = json.loads((DATA / "transcripts.json").read_text())["LOGIN ok"]
    offered = next(line for line in dialogue if line.startswith("S: 250-AUTH ")).removeprefix("S: 250-AUTH ").split()
    assert list(MECHANISMS) == [name for name in offered if name in MECHANISMS]


def test_names_are_those_that_the_lab_offers() -> None:
    """All thirteen mechanisms of the recorded EHLO line are there, with their numbers on fd 3."""
    assert {name: row.fd3_method for name, row in MECHANISMS.items()} == CHECKPASSWORD_METHODS


def test_what_a_listener_can_do() -> None:
    """Who hears LOGIN, PLAIN or XOAUTH2 has the secret; who hears another one can only try passwords."""
    judged = {name: (row.can_listener_log_in, row.can_listener_guess) for name, row in MECHANISMS.items()}
    expected = {name: (True, False) if name in {"LOGIN", "PLAIN", "XOAUTH2"} else (False, True) for name in MECHANISMS}
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
    assert set(MECHANISMS) - set(available_mechanisms()) == {"CRAM-RIPEMD"}


def test_mechanism_without_its_library_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where scramp is not installed, the SCRAM mechanisms are not among the available ones, and all others are."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(mechanisms.cram, "is_available", lambda _hash_name: True)
    assert set(MECHANISMS) - set(available_mechanisms()) == {"SCRAM-SHA-1", "SCRAM-SHA-256"}


def test_login_and_plain_need_no_challenge() -> None:
    """Every mechanism but those that send the password has something new for each exchange."""
    assert [name for name, row in MECHANISMS.items() if not row.needs_challenge] == ["LOGIN", "PLAIN"]


def test_every_column_says_something() -> None:
    """No row leaves a column for people empty."""
    columns = [
        (row.source, row.on_wire, row.server_stores, row.disable_variable, bool(row.fd3_method))
        for row in MECHANISMS.values()
    ]
    assert all(all(row) for row in columns)


@pytest.mark.parametrize("name", MECHANISMS)
def test_disabled_mechanism_is_not_offered(name: str) -> None:
    """DISABLE_… hides one mechanism and leaves the order of the others, whatever the variable's value."""
    rest = tuple(other for other in available_mechanisms() if other != name)
    assert offered_mechanisms({MECHANISMS[name].disable_variable: ""}) == rest


def test_secure_auth_offers_what_was_recorded() -> None:
    """With SECURE_AUTH and no TLS the recorded server hid LOGIN, PLAIN and XOAUTH2; its -PLUS names are a fault."""
    dialogue = json.loads((DATA / "transcripts.json").read_text())["2531 SECURE_AUTH no TLS: AUTH PLAIN"]
    line = next(line for line in dialogue if line.startswith("S: 250-AUTH ")).removeprefix("S: 250-AUTH ")
    recorded = [name for name in line.split() if not name.endswith("-PLUS")]
    offered = offered_mechanisms({"SECURE_AUTH": "1"})
    assert list(offered) == [name for name in recorded if MECHANISMS[name].is_available]


@pytest.mark.parametrize(
    ("name", "environ", "has_tls", "expected"),
    [
        ("plain", {"SECURE_AUTH": ""}, False, True),
        ("XOAUTH2", {"SECURE_AUTH": "1"}, False, True),
        ("PLAIN", {"SECURE_AUTH": "1"}, True, False),
        ("PLAIN", {}, False, False),
        ("CRAM-MD5", {"SECURE_AUTH": "1"}, False, False),
        ("GSSAPI", {"SECURE_AUTH": "1"}, False, False),
    ],
)
def test_secret_on_the_wire_must_be_encrypted(
    name: str, environ: dict[str, str], *, has_tls: bool, expected: bool
) -> None:
    """SECURE_AUTH refuses LOGIN, PLAIN and XOAUTH2 until TLS has begun, and nothing else."""
    assert must_be_encrypted(name, environ, has_tls=has_tls) is expected
