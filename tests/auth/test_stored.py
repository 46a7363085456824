"""pw_passwd is read in each of its forms, and compares as it should."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.auth import stored as stored_module
from indimail_kit.auth.stored import (
    NO_RELAY,
    NO_SMTP,
    Account,
    StoredForm,
    StoredPasswd,
    decode_pw_passwd,
    encode_pw_passwd,
)
from indimail_kit.errors import MissingPartError

CRYPT = "$1$GsamfuEK$eSxzR6dswY.kaNTtPNi5c1"
SCRAM = (
    "{SCRAM-SHA-256}4096,GppkE9F92zRciuyk,n9boN+EV/P7i+Uxn063JLcppQnyOrIktX81FCy8iibk=,"
    "cVjrqEdR7DuGDAwKMLrn6YOp5Z4w7zOBjrxo+1mGmfE="
)
HEX = "86e346545877b822f8d904ae90595f3f7050d453b33eaf6b78dc95b4a3bfde3b"

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@pytest.mark.parametrize(
    ("pw_passwd", "stored"),
    [
        (f"{SCRAM},{CRYPT}", StoredPasswd(StoredForm.SCRAM, None, CRYPT)),
        (f"{SCRAM}:{HEX}:pass,{CRYPT}", StoredPasswd(StoredForm.SCRAM, "pass", CRYPT)),
        (SCRAM, StoredPasswd(StoredForm.SCRAM, None, "")),
        (f"{{CRAM}}pass,{CRYPT}", StoredPasswd(StoredForm.CRAM, "pass", CRYPT)),
        ("{CRAM}pass,", StoredPasswd(StoredForm.CRAM, "pass", "")),
        ("{CRAM}pass", StoredPasswd(StoredForm.CRAM, "pass", "")),
        ("{CRAM}a,b,c", StoredPasswd(StoredForm.CRAM, "a,b", "c")),
        (CRYPT, StoredPasswd(StoredForm.CRYPT, None, CRYPT)),
        ("abJnggxhB/yWI", StoredPasswd(StoredForm.CRYPT, None, "abJnggxhB/yWI")),
        ("pass", StoredPasswd(StoredForm.CLEAR, "pass", "")),
        ("", StoredPasswd(StoredForm.LOCKED)),
        ("*", StoredPasswd(StoredForm.LOCKED)),
        ("!pass", StoredPasswd(StoredForm.LOCKED)),
    ],
)
def test_each_form_is_told_by_how_it_begins(pw_passwd: str, stored: StoredPasswd) -> None:
    """The forms of vchkpass.c and both examples of get_scram_secrets.c are taken apart."""
    assert decode_pw_passwd(pw_passwd) == stored


@given(text)
def test_any_text_has_a_form(pw_passwd: str) -> None:
    """Whatever the column holds, it has one form, and a clear password is part of it."""
    assert (decode_pw_passwd(pw_passwd).clear or "") in pw_passwd


@given(clear=text, crypted=text.filter(lambda value: "," not in value))
def test_both_halves_come_back(clear: str, crypted: str) -> None:
    """Both halves of {CRAM}clear,crypt come back, commas in the clear one included."""
    stored = decode_pw_passwd(encode_pw_passwd(clear, crypted=crypted))
    assert stored == StoredPasswd(StoredForm.CRAM, clear, crypted)


@pytest.mark.parametrize(
    ("pw_passwd", "passwd", "is_right"),
    [
        ("{CRAM}pass,", "pass", True),
        ("{CRAM}pass,", "Pass", False),
        ("{CRAM}pass,", "pass,", False),
        ("{CRAM}pass,", "", False),
        ("{CRAM},", "", False),
        ("pass", "pass", True),
        ("{CRAM}pässwörd,", "pässwörd", True),
        ("{CRAM}pass,", "pass\ud800", False),
        ("*", "*", False),
        ("", "", False),
    ],
)
def test_password_is_compared_with_the_clear_one(pw_passwd: str, passwd: str, *, is_right: bool) -> None:
    """Only the very password is right; an empty or locked one never is."""
    assert Account(address="a@example.com", pw_passwd=pw_passwd).has_passwd(passwd) is is_right


@pytest.mark.parametrize(("passwd", "is_right"), [("pass", True), ("Pass", False), ("", False)])
@pytest.mark.parametrize("pw_passwd", [CRYPT, f"{SCRAM},{CRYPT}", f"{{CRAM}}other,{CRYPT}"])
def test_hash_decides_where_there_is_one(pw_passwd: str, passwd: str, *, is_right: bool) -> None:
    """As in vchkpass the crypt(3) half decides; the examples of get_scram_secrets.c are hashes of "pass"."""
    assert Account(address="a@example.com", pw_passwd=pw_passwd).has_passwd(passwd) is is_right


def test_hash_of_another_kind_is_no_verdict() -> None:
    """A hash that cannot be computed here decides nothing: a part is missing, and what to do is said."""
    with pytest.raises(MissingPartError, match="accounts passwd"):
        Account(address="a@example.com", pw_passwd="$y$j9T$salt$hash").has_passwd("pass")


@pytest.mark.parametrize("pw_passwd", ["{CRAM}pass,", f"{{CRAM}}pass,{CRYPT}", CRYPT, "pass", "*", "", SCRAM])
def test_same_work_whatever_is_stored(pw_passwd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One hash is computed for every account, also where none is kept: time does not tell them apart."""
    made: list[str] = []
    real = stored_module.crypt3.check_hash

    def check_hash(passwd: str, crypted: str) -> bool:
        made.append(crypted)
        return real(passwd, crypted)

    monkeypatch.setattr(stored_module.crypt3, "check_hash", check_hash)
    Account(address="a@example.com", pw_passwd=pw_passwd).has_passwd("x")
    assert len(made) == 1


@pytest.mark.parametrize(
    ("pw_passwd", "scram", "form"),
    [
        ("{CRAM}pass,", SCRAM, StoredForm.CRAM),
        (CRYPT, SCRAM, StoredForm.SCRAM),
        (CRYPT, "", StoredForm.CRYPT),
        (SCRAM, "", StoredForm.SCRAM),
        ("*", "", StoredForm.LOCKED),
    ],
)
def test_form_looks_at_both_columns(pw_passwd: str, scram: str, form: StoredForm) -> None:
    """Keys in the column scram beside a hash are the SCRAM form."""
    assert Account(address="a@example.com", pw_passwd=pw_passwd, scram=scram).form is form


def test_scram_keys_alone_open_nothing() -> None:
    """SCRAM keys without a crypt hash cannot be compared with a password."""
    assert not Account(address="a@example.com", pw_passwd=SCRAM).has_passwd("pass")


@pytest.mark.parametrize(
    ("pw_gid", "can_smtp", "can_relay"),
    [(0, True, True), (NO_RELAY, True, False), (NO_SMTP, False, True), (NO_RELAY | NO_SMTP | 1, False, False)],
)
def test_flags_say_what_a_user_may(pw_gid: int, *, can_smtp: bool, can_relay: bool) -> None:
    """NO_SMTP and NO_RELAY are read from pw_gid, whatever other flags are set."""
    account = Account(address="a@example.com", pw_passwd="{CRAM}pass,", pw_gid=pw_gid)
    assert (account.can_smtp, account.can_relay) == (can_smtp, can_relay)


def test_row_holds_the_form_and_no_secret() -> None:
    """What may be shown of an account has the stored form's name and nothing of its content."""
    row = Account(address="a@example.com", pw_passwd="{CRAM}tanstaaf,", scram="tanstaaf").as_row()
    assert (row["stored_form"], "tanstaaf" in str(row)) == ("{CRAM}", False)
