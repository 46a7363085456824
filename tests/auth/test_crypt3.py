"""crypt(3): the vectors of the specification, openssl as the second opinion, and bounds on the work."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indimail_kit.auth import crypt3
from indimail_kit.auth.crypt3 import MAX_PASSWD_BYTES, SHA256, SHA512, check_hash, make_hash
from indimail_kit.errors import AccountError, MissingPartError

LONG_VECTOR = "OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v."

DREPPER = [
    (
        SHA512,
        "Hello world!",
        "saltstring",
        5000,
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    ),
    (
        SHA512,
        "Hello world!",
        "saltstringsaltst",
        10000,
        "$6$rounds=10000$saltstringsaltst$" + LONG_VECTOR,
    ),
    (SHA256, "Hello world!", "saltstring", 5000, "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
]
"""Scheme, password, salt, rounds, hash: of Ulrich Drepper's specification; glibc and openssl give the same."""

MD5_OF_PASS = "$1$GsamfuEK$eSxzR6dswY.kaNTtPNi5c1"
"""libqmail get_scram_secrets.c, the hash of "pass"."""


@pytest.mark.parametrize(("scheme", "passwd", "salt", "rounds", "crypted"), DREPPER)
def test_hash_is_that_of_the_specification(
    scheme: crypt3.Scheme, passwd: str, salt: str, rounds: int, crypted: str
) -> None:
    """The vectors of the specification come out."""
    assert make_hash(passwd, scheme=scheme, salt=salt, rounds=rounds) == crypted


@pytest.mark.parametrize("option", ["-6", "-5", "-1"])
@pytest.mark.parametrize("passwd", ["pass", "pässwörd", "x" * 200, "a b,c:$"])
def test_openssls_hash_is_believed(option: str, passwd: str) -> None:
    """What openssl makes is right for its password and wrong for another one."""
    crypted = subprocess.run(
        ["openssl", "passwd", option, "-salt", "saltsalt", "-stdin"],
        input=passwd,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert (check_hash(passwd, crypted), check_hash(passwd + "x", crypted)) == (True, False)


@settings(max_examples=20, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30))
def test_hash_fits_its_password(passwd: str) -> None:
    """A hash is right for the password that it was made from, and has the length that the columns count on."""
    crypted = make_hash(passwd)
    assert (check_hash(passwd, crypted), check_hash(passwd + "x", crypted)) == (True, False)
    assert len(crypted) == SHA512.hash_bytes


def test_salt_is_new_each_time() -> None:
    """No two hashes of a password are alike."""
    assert len({make_hash("pass") for _ in range(10)}) == 10


@pytest.mark.parametrize(("crypted", "passwd"), [(MD5_OF_PASS, "pass"), ("abJnggxhB/yWI", "rasmuslerdorf")])
def test_old_hashes_are_still_checked(crypted: str, passwd: str) -> None:
    """MD5 (IndiMail's example) is checked; DES is, and says no to a wrong password."""
    assert check_hash(passwd, crypted) is crypted.startswith("$1$")


def test_php_des_example_is_believed() -> None:
    """The DES example of PHP's manual of crypt()."""
    assert check_hash("rasmuslerdorf", "rl.3StKT.4T8M")


@pytest.mark.parametrize("passwd", ["", "x", "nobody"])
def test_no_hash_is_no_password(passwd: str) -> None:
    """Where no hash is kept nothing is right, though the same work is done."""
    assert not check_hash(passwd, "")


@pytest.mark.parametrize("passwd", ["a\0b", "x" * (MAX_PASSWD_BYTES + 1)])
def test_password_that_no_hash_has_is_wrong_and_cannot_be_stored(passwd: str) -> None:
    """NUL, or more octets than are hashed: wrong when checked, an error when set."""
    assert not check_hash(passwd, make_hash(""))
    with pytest.raises(AccountError):
        make_hash(passwd)


@pytest.mark.parametrize("salt", ["x" * 17, "a$b", "ä"])
def test_salt_that_crypt_does_not_take_is_refused(salt: str) -> None:
    """A salt that is too long or has other characters raises AccountError."""
    with pytest.raises(AccountError, match="salt"):
        make_hash("pass", salt=salt)


@pytest.mark.parametrize(
    "crypted",
    [
        "$6$salt$hash",
        "$6$rounds=999$salt$" + "A" * 86,
        "$6$rounds=999999999$salt$" + "A" * 86,
        "$6$rounds=05000$salt$" + "A" * 86,
        "nonsense",
        "x" * 14,
    ],
)
def test_stored_text_that_is_no_hash_is_an_error(crypted: str) -> None:
    """A broken row, or one that asks for minutes of work, raises AccountError."""
    with pytest.raises(AccountError):
        check_hash("pass", crypted)


@pytest.mark.parametrize("crypted", ["$y$j9T$salt$hash", "$2b$12$" + "A" * 53, "$7$x"])
def test_hash_of_another_kind_is_a_missing_part(crypted: str) -> None:
    """yescrypt, bcrypt and scrypt are named as what is missing, with what to do."""
    with pytest.raises(MissingPartError, match="--pam"):
        check_hash("pass", crypted)


@pytest.mark.parametrize("length", range(len(DREPPER[2][4])))
def test_truncated_hash_is_never_right(length: int) -> None:
    """A hash cut anywhere is none, or wrong."""
    crypted = DREPPER[2][4][:length]
    try:
        is_right = check_hash("Hello world!", crypted)
    except (AccountError, MissingPartError):
        is_right = False
    assert not is_right


def test_missing_libpass_is_named_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without libpass MissingPartError says how to install it."""
    crypt3._handler.cache_clear()
    monkeypatch.setitem(sys.modules, "passlib.hash", None)
    with pytest.raises(MissingPartError, match="pip install"):
        make_hash("x")
