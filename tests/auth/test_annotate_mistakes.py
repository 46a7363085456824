"""Each mistake is made the way people make it, and recognised by the sentence of its row."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from indimail_kit.auth.annotate import Explanation, explain
from indimail_kit.auth.annotate_mistakes import MISTAKES

USER = "postmaster@example.com"
PASSWD = "pass"
CHALLENGE = b"<20137.1267585100@indimail.org>"
DIGEST = hmac.digest(PASSWD.encode(), CHALLENGE, "md5").hex()


def b64(text: str | bytes) -> str:
    """Encode as `base64` does."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def plain(text: str | bytes, *, reply: str = "535 authorization failure (#5.7.8)") -> str:
    """Return a PLAIN login with these octets in its message."""
    return plain_token(b64(text), reply=reply)


def plain_token(token: str, *, reply: str = "535 authorization failure (#5.7.8)") -> str:
    """Return a PLAIN login with this text for Base64."""
    return f"S: 220 mx\nC: EHLO c\nS: 250 AUTH PLAIN LOGIN CRAM-MD5\nC: AUTH PLAIN {token}\nS: {reply}"


def login(user: str | bytes, passwd: str | bytes = PASSWD) -> str:
    """Return a LOGIN login with these two answers."""
    return login_tokens(b64(user), b64(passwd))


def login_tokens(user: str, passwd: str, *, reply: str = "535 authorization failure (#5.7.8)") -> str:
    """Return a LOGIN login with these texts for Base64."""
    return (
        f"C: EHLO c\nS: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {user}\nS: 334 UGFzc3dvcmQ6\n"
        f"C: {passwd}\nS: {reply}"
    )


def cram(response: str | bytes) -> str:
    """Return a CRAM-MD5 login with these octets in its response."""
    return (
        f"C: EHLO c\nS: 250 AUTH CRAM-MD5\nC: AUTH CRAM-MD5\nS: 334 {b64(CHALLENGE)}\nC: {b64(response)}\n"
        "S: 535 authorization failure (#5.7.8)"
    )


def xoauth2(octets: bytes) -> str:
    """Return an XOAUTH2 login with these octets."""
    return f"C: AUTH XOAUTH2 {b64(octets)}\nS: 535 authorization failure (#5.7.8)"


LONG = "\0" + USER + "\0" + "correct horse battery staple, correct horse battery staple"

CASES = {
    "clear text at the 334": ("typed in clear", login_tokens(USER, PASSWD)),
    "clear text that is Base64 by chance": ("typed in clear", login_tokens(b64(USER), "pass")),
    "token in quotation marks": ("quotation marks around the Base64", login_tokens(f'"{b64(USER)}"', b64(PASSWD))),
    "token in angle brackets": ("quotation marks around the Base64", plain_token(f"<{b64(LONG)}>")),
    "blank copied into the token": (
        "white space in the Base64",
        login_tokens(b64(USER)[:8] + " " + b64(USER)[8:], "x"),
    ),
    "base64 without -w0": (
        "Base64 cut into lines",
        (
            f"C: AUTH PLAIN\nS: 334 \nC: {b64(LONG)[:76]}\nS: 535 authorization failure (#5.7.8)\nC: {b64(LONG)[76:]}\n"
            "S: 502 command not recognized"
        ),
    ),
    "padding from a URL": ("percent-encoded Base64", login_tokens(b64(USER).replace("=", "%3D"), b64(PASSWD))),
    "urlsafe_b64encode": ("URL-safe Base64", plain_token(base64.urlsafe_b64encode(b"\0tim\0??>>\xc3\xbf").decode())),
    "padding stripped": ("padding missing or wrong", login_tokens(b64(USER).rstrip("="), b64(PASSWD))),
    "padding too long": ("padding missing or wrong", login_tokens(b64(USER) + "==", b64(PASSWD))),
    "user and password encoded apart and joined": ("two Base64 texts in one", plain_token(b64(USER) + b64(PASSWD))),
    "last character lost": ("Base64 cut off", plain_token(b64(LONG)[:-3])),
    "character before the padding changed": ("spare bits", login_tokens(b64(USER), "cGFzcx==")),
    "log that masks": ("masked in the record", plain_token("********")),
    "encoded twice": ("Base64 of Base64", login(b64(USER), b64(PASSWD))),
    "PLAIN encoded twice": ("Base64 of Base64", plain(b64(f"\0{USER}\0{PASSWD}"))),
    "challenge sent back": ("the challenge sent back", cram(CHALLENGE)),
    "echo without -n": ("newline at the end", login(USER + "\n", PASSWD + "\n")),
    "echo without -n, PLAIN": ("newline at the end", plain(f"\0{USER}\0{PASSWD}\n")),
    "file with Windows line ends": ("carriage return at the end", login(USER, PASSWD + "\r\n")),
    "carriage return alone": ("carriage return at the end", plain(f"\0{USER}\0{PASSWD}\r")),
    "echo '\\0user\\0pass'": ("escape written out", plain(rf"\0{USER}\0{PASSWD}")),
    "literal newline": ("escape written out", login(USER, rf"{PASSWD}\n")),
    "swaks --auth-plaintext": ("escape written out", plain_token(rf"\0{USER}\0{PASSWD}")),
    "printf '\\012user'": ("digits after \\0 read as octal", plain(b"\n3tim@example.com\0pass")),
    "sh's echo -n": ("option of echo in the text", login(f"-n {USER}", f"-n {PASSWD}")),
    "PowerShell's Unicode": ("UTF-16", login(USER.encode("utf-16-le"), PASSWD.encode("utf-16-le"))),
    "UTF-16 with its mark, PLAIN": ("UTF-16", plain(f"\0{USER}\0{PASSWD}".encode("utf-16"))),
    "UTF-8 with BOM": ("byte order mark", login(b"\xef\xbb\xbf" + USER.encode())),
    "Latin-1 password": ("not UTF-8", plain(f"\0{USER}\0Schl\u00fcssel".encode("latin-1"))),
    "Latin-1 password, LOGIN": ("not UTF-8", login(USER, "Stra\u00dfe".encode("latin-1"))),
    "UTF-8 taken for Latin-1": ("UTF-8 encoded twice", login(USER, "Schl\u00fcssel".encode().decode("latin-1"))),
    "non-breaking space": ("invisible character", plain(f"\0{USER}\0pass\u00a0word")),
    "zero-width space": ("invisible character", login(USER, "pass\u200b")),
    "smart quotes": ("typographic character", login(USER, "\u201cpass\u201d")),
    "accent of macOS": ("accent apart from its letter", login(USER, "u\u0308ber")),
    "quoted password": ("quotation marks in the text", plain(f"\0{USER}\0'{PASSWD}'")),
    "backspace in telnet": ("backspace typed", login_tokens(b64(USER)[:4] + "x\x08" + b64(USER)[4:], b64(PASSWD))),
    "backspace while encoding": ("backspace typed", login(USER, "pasx\x7fs")),
    "escaped by a Web form": ("HTML entity", plain(f"\0{USER}\0black&amp;white")),
    "blank behind the user": ("blanks around", login(USER + " ", PASSWD)),
    "application password": ("application password with blanks", login(USER, "abcd efgh ijkl mnop")),
    "user without domain": ("user without its domain", login("postmaster")),
    "user without domain, PLAIN": ("user without its domain", plain(f"\0postmaster\0{PASSWD}")),
    "perl's double quotes": ("user without its domain", plain(f"\0postmaster.com\0{PASSWD}")),
    "user without domain, CRAM": ("user without its domain", cram(f"postmaster {DIGEST}")),
    "%40": ("percent-encoded user", login("postmaster%40example.com")),
    "<user>": ("user in angle brackets", login(f"<{USER}>")),
    "mailto:": ("user in angle brackets", plain(f"\0mailto:{USER}\0{PASSWD}")),
    "password before user, LOGIN": ("user and password exchanged", login(PASSWD, USER)),
    "password before user, PLAIN": ("user and password exchanged", plain(f"\0{PASSWD}\0{USER}")),
    "password sent twice": ("the same text twice", login(PASSWD, PASSWD)),
    "PLAIN message at LOGIN's prompt": ("PLAIN message in LOGIN", login(f"\0{USER}\0{PASSWD}")),
    "user:password": ("user and password in one answer", login(f"{USER}:{PASSWD}")),
    "empty user": ("empty answer", login("", PASSWD)),
    "no NUL before the user": ("first NUL missing", plain(f"{USER}\0{PASSWD}")),
    "no NUL before the password": ("second NUL missing", plain(f"\0{USER}{PASSWD}")),
    "colon for NUL": ("other separator for NUL", plain(f"{USER}:{PASSWD}")),
    "blank for NUL": ("other separator for NUL", plain(f"{USER} {PASSWD}")),
    "LOGIN's user in AUTH PLAIN": ("no NUL at all", plain(USER)),
    "end of a C string": ("too many NULs", plain(f"\0{USER}\0{PASSWD}\0")),
    "unset variable": ("user or password empty", plain(f"\0{USER}\0")),
    "another authzid": ("acts for another user", plain(f"ann@example.com\0{USER}\0{PASSWD}")),
    "longer than fd 3": ("too long for fd 3", login(USER, "x" * 500)),
    "a file in the password": ("too long a line", plain("\0" + USER + "\0" + "x" * 10000)),
    "^A written out": ("control-A missing", xoauth2(b"user=a@example.com^Aauth=Bearer t^A^A")),
    "token without Bearer": ("Bearer missing", xoauth2(b"user=a@example.com\x01auth=t\x01\x01")),
    "digest alone": ("digest without the user", cram(DIGEST)),
    "capital digits": ("digest in upper case", cram(f"{USER} {DIGEST.upper()}")),
    "digest in Base64": ("digest not in hexadecimal", cram(f"{USER} {b64(bytes.fromhex(DIGEST))}")),
    "LOGIN's user for CRAM": ("no blank in a CRAM answer", cram(USER)),
}
"""What was done -> (name of the row, the dialogue)."""


def verdicts(explanation: Explanation) -> str:
    """Return all verdicts."""
    return "\n".join(step.verdict for step in explanation.steps)


SENTENCES = {row.name: row.sentence for row in MISTAKES}


@pytest.mark.parametrize(("name", "dialogue"), CASES.values(), ids=CASES)
def test_mistake_is_recognised(name: str, dialogue: str) -> None:
    """The verdict has the sentence of the mistake's row."""
    assert SENTENCES[name] in verdicts(explain(dialogue))


@pytest.mark.parametrize(("name", "dialogue"), CASES.values(), ids=CASES)
def test_mistake_is_in_the_summary(name: str, dialogue: str) -> None:
    """The summary of the login names it, so that it is found without reading on."""
    assert any(name in sentence for sentence in explain(dialogue).summary)


def test_every_row_of_the_table_has_a_case() -> None:
    """No row is without an example of how the mistake is made."""
    assert {row.name for row in MISTAKES} - {name for name, _ in CASES.values()} == set()


def test_table_has_the_promised_number_of_rows() -> None:
    """At least 25 mistakes are recognised."""
    assert len(MISTAKES) >= 25


RIGHT = {
    "LOGIN": login(USER, PASSWD),
    "PLAIN": plain(f"\0{USER}\0{PASSWD}"),
    "PLAIN, authzid is the user": plain(f"{USER}\0{USER}\0{PASSWD}"),
    "PLAIN, password beyond ASCII": plain(f"\0{USER}\0Schl\u00fcssel"),
    "PLAIN, password with punctuation": plain(f"\0{USER}\0a:b@c/d,e;f"),
    "LOGIN, password that is Base64 by chance": login(USER, "passwort"),
    "LOGIN, long password of words": login(USER, "correct horse battery staple"),
    "CRAM-MD5": cram(f"{USER} {DIGEST}"),
    "CRAM-MD5, user with a blank": cram(f"John Doe@example.com {DIGEST}"),
    "XOAUTH2": xoauth2(b"user=a@example.com\x01auth=Bearer vF9dft4qmT\x01\x01"),
}


@pytest.mark.parametrize("dialogue", RIGHT.values(), ids=RIGHT)
def test_nothing_is_found_in_what_is_right(dialogue: str) -> None:
    """A well-formed message is not accused of anything, even when it was refused."""
    assert [name for name, sentence in SENTENCES.items() if sentence in verdicts(explain(dialogue))] == []


def test_several_sights_are_all_named() -> None:
    """Where several causes fit, the summary names each and says so."""
    (sentence,) = explain(login("postmaster", PASSWD + "\n")).summary
    assert "each may be the cause" in sentence
    assert "user without its domain" in sentence
    assert "newline at the end" in sentence


def test_refusal_without_a_sight_is_not_guessed_at() -> None:
    """Nothing seen: the verdict says so and lists what remains."""
    explanation = explain(plain(f"\0{USER}\0{PASSWD}"))
    assert "the octets do not tell why: a wrong password, an unknown user or an inactive account" in verdicts(
        explanation
    )


def test_address_typed_in_clear_gets_its_base64() -> None:
    """A user that was typed as it is gets what should have been typed; a password never does."""
    explanation = explain(login_tokens(USER, "sesame!!"))
    assert b64(USER) in verdicts(explanation)
    assert b64("sesame!!") not in verdicts(explanation)


@pytest.mark.parametrize("hash_name", ["sha1", "sha256"])
def test_digest_of_another_hash_tells_its_length(hash_name: str) -> None:
    """A digest with the wrong number of digits is told with the hash that has so many."""
    digest = hashlib.new(hash_name, b"x").hexdigest()
    explanation = explain(cram(f"{USER} {digest}"))
    assert f"as many as {hash_name.upper()} has; CRAM-MD5 wants 32" in verdicts(explanation)


@pytest.mark.parametrize(
    ("command", "is_told"),
    [
        ("% echo pass | base64", True),
        ("$ echo 'pass' | /usr/bin/base64 -i", True),
        ("% echo -n pass | base64", False),
        ("% printf %s pass | base64", False),
        ("% echo -ne pass | base64", False),
    ],
)
def test_echo_without_n_is_told_at_the_shells_line(command: str, is_told: bool) -> None:
    """The command above the session shows the mistake before the session does."""
    step = explain(f"{command}\n220 mx\nquit\n221 bye\n").steps[0]
    assert (step.raw, "puts a newline at the end" in step.verdict) == ("****", is_told)
