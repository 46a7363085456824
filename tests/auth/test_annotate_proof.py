"""With the password known: right is called right, and each known way to go wrong is called by its name."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

import pytest

from indimail_kit.auth.annotate import explain

DIALOGUES = Path(__file__).parent.parent / "data" / "dialogues"
USER = "postmaster@example.com"
PASSWD = "pass"
CHALLENGE = b"<20137.1267585100@indimail.org>"
REFUSED = "S: 535 authorization failure (#5.7.8)"


def b64(text: str | bytes) -> str:
    """Encode as `base64` does."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def passwd_of(passwd: str) -> Callable[[str], str]:
    """Return a look-up that knows this password of everybody."""
    return lambda _user: passwd


def verdicts(dialogue: str | bytes, passwd: str = PASSWD) -> str:
    """Return all verdicts and the summary, the password known."""
    explanation = explain(dialogue, passwd_of=passwd_of(passwd))
    return "\n".join([*explanation.summary, *(step.verdict for step in explanation.steps)])


def cram(digest: str, *, before: str = "", mechanism: str = "CRAM-MD5") -> str:
    """Return a refused CRAM login with this digest."""
    return f"{before}C: AUTH {mechanism}\nS: 334 {b64(CHALLENGE)}\nC: {b64(f'{USER} {digest}')}\n{REFUSED}"


def login(passwd: str | bytes) -> str:
    """Return a refused LOGIN with this password."""
    return f"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {b64(USER)}\nS: 334 UGFzc3dvcmQ6\nC: {b64(passwd)}\n{REFUSED}"


def md5(octets: bytes) -> hashlib._Hash:
    """Return MD5."""
    return hashlib.new("md5", octets, usedforsecurity=False)


def hmac_md5(key: bytes, octets: bytes) -> str:
    """Return HMAC-MD5 in hexadecimal digits."""
    return hmac.digest(key, octets, "md5").hex()


OLD = b"<1.1000000000@indimail.org>"

WRONG_DIGESTS = {
    "over the Base64 text": ("over the Base64 of the challenge", hmac_md5(b"pass", b64(CHALLENGE).encode())),
    "key and data swapped": ("with key and data exchanged", hmac_md5(CHALLENGE, b"pass")),
    "MD5(challenge + password)": ("as the plain hash of challenge and password", md5(CHALLENGE + b"pass").hexdigest()),
    "MD5(password + challenge)": ("as the plain hash of password and challenge", md5(b"pass" + CHALLENGE).hexdigest()),
    "MD5(password)": ("as the plain hash of the password", md5(b"pass").hexdigest()),
    "password with newline": ("with a newline at the end of the password", hmac_md5(b"pass\n", CHALLENGE)),
    "password with CR LF": ("with a carriage return and newline", hmac_md5(b"pass\r\n", CHALLENGE)),
    "challenge with newline": ("with a newline at the end of the challenge", hmac_md5(b"pass", CHALLENGE + b"\n")),
    "brackets stripped": ("over the challenge without its angle brackets", hmac_md5(b"pass", CHALLENGE[1:-1])),
    "hashed password as key": (
        "with the hash of the password as key",
        hmac_md5(md5(b"pass").hexdigest().encode(), CHALLENGE),
    ),
    "Base64 of the password as key": ("with Base64 of the password as key", hmac_md5(b64("pass").encode(), CHALLENGE)),
}


@pytest.mark.parametrize(("sentence", "digest"), WRONG_DIGESTS.values(), ids=WRONG_DIGESTS)
def test_wrong_digest_is_told_how_it_was_made(sentence: str, digest: str) -> None:
    """The verdict names the way in which the digest was made."""
    assert f"The digest was made {sentence}" in verdicts(cram(digest))


def test_digest_of_another_charset_is_told() -> None:
    """A key in Latin-1 instead of UTF-8."""
    text = verdicts(cram(hmac_md5("Schl\u00fcssel".encode("latin-1"), CHALLENGE)), "Schl\u00fcssel")
    assert "was made with the password in LATIN-1 instead of UTF-8" in text


def test_digest_for_an_older_challenge_is_told_with_its_line() -> None:
    """An answer that was worked out from the challenge before."""
    before = f"C: AUTH CRAM-MD5\nS: 334 {b64(OLD)}\nC: *\nS: 501 auth exchange cancelled (#5.0.0)\n"
    assert "answers the challenge of line 2, an older one" in verdicts(cram(hmac_md5(b"pass", OLD), before=before))


def test_replayed_answer_is_told_even_without_the_password() -> None:
    """The very same response to two challenges cannot be right twice."""
    response = b64(f"{USER} {hmac_md5(b'pass', OLD)}")
    before = f"C: AUTH CRAM-MD5\nS: 334 {b64(OLD)}\nC: {response}\nS: 235 ok\n"
    explanation = explain(cram(hmac_md5(b"pass", OLD), before=before))
    assert "was sent before, in line 3, to another challenge" in explanation.summary[1]


def test_right_digest_is_right() -> None:
    """The seed's digest with the seed's password."""
    text = cram("cee8397ab123a0d4f3a7fddbb9cb8719")
    assert "The digest is right for the password given." in verdicts(text)


def test_right_digest_that_was_refused_names_what_remains() -> None:
    """535 after a right digest: account, user table, or only a hash is kept."""
    text = verdicts(cram("cee8397ab123a0d4f3a7fddbb9cb8719"))
    assert "Refused although the password is right. Then the account is inactive or may not use SMTP" in text
    assert "keeps only a hash of the password, from which it cannot check CRAM-MD5" in text


def test_right_password_that_was_refused_does_not_speak_of_hashes() -> None:
    """For LOGIN a hash is enough, so it is no cause."""
    text = verdicts(login("pass"))
    assert "Refused although the password is right" in text
    assert "hash" not in text


def test_digest_of_another_password_is_wrong() -> None:
    """No known way fits: it is said that the digest is not right, and nothing more."""
    text = verdicts(cram(hmac_md5(b"other", CHALLENGE)))
    assert "The digest is not right for the password given." in text


@pytest.mark.parametrize("hash_name", ["sha1", "sha224", "sha256", "sha384", "sha512"])
def test_indimails_other_hashes_are_checked(hash_name: str) -> None:
    """CRAM-SHA1 to CRAM-SHA512 with Python's hmac as the judge."""
    digest = hmac.digest(b"pass", CHALLENGE, hash_name).hex()
    assert "The digest is right" in verdicts(cram(digest, mechanism=f"CRAM-{hash_name.upper()}"))


SENT = {
    "right": ("pass", "The password is the one given."),
    "blanks": (" pass ", "it is the right one but for blanks, line ends or quotation marks around it."),
    "newline": ("pass\n", "it is the right one but for blanks, line ends or quotation marks around it."),
    "case": ("PASS", "it is the right one in the wrong case."),
    "Base64": (b64("pass"), "it is the right one in Base64, so that it was encoded twice."),
    "cut off": ("pa", "it is only the beginning of the right one."),
    "more": ("password", "it is the right one and something more."),
    "user": (USER, "the user instead of the password"),
    "another": ("sesame", "This is not the password given."),
}


@pytest.mark.parametrize(("sent", "sentence"), SENT.values(), ids=SENT)
def test_password_is_held_against_the_right_one(sent: str, sentence: str) -> None:
    """What was sent is right, wrong in a known way, or simply another password."""
    assert sentence in verdicts(login(sent))


ODD = {
    "Latin-1": (
        "Schl\u00fcssel",
        "Schl\u00fcssel".encode("latin-1"),
        "it is the right one in LATIN-1 instead of UTF-8.",
    ),
    "typographic": ("it's", "it\u2019s", "it is the right one with typographic characters."),
    "decomposed": ("\u00fcber", "u\u0308ber", "it is the right one with another form of the same accents."),
    "HTML": ("a&b", "a&amp;b", "it is the right one with escapes of HTML."),
    "URL": ("a b", "a%20b", "it is the right one, percent-encoded."),
    "shell's dollar": ("pa$word", "pa", "it is what a shell has made of the right one"),
    "shell's backslash": (r"pa\ss", "pass", "it is what a shell has made of the right one"),
}


@pytest.mark.parametrize(("right", "sent", "sentence"), ODD.values(), ids=ODD)
def test_odd_password_is_told_how_it_went_wrong(right: str, sent: str | bytes, sentence: str) -> None:
    """Passwords with characters that something on the way has changed."""
    assert sentence in verdicts(login(sent), right)


RIGHT_OR_WRONG = {
    "msmtp-scram-sha-1.txt": "The proof is right for the password given.",
    "msmtp-scram-sha-256.txt": "The proof is right for the password given.",
    "msmtp-refused.txt": "The proof is not right for the password given.",
    "curl-digest-md5.txt": "The digest is right for the password given.",
    "curl-cram-md5.txt": "The digest is right for the password given.",
    "curl-refused.txt": "The digest is not right for the password given.",
    "swaks-login-wrong.txt": "This is not the password given.",
}


@pytest.mark.parametrize(("name", "sentence"), RIGHT_OR_WRONG.items(), ids=RIGHT_OR_WRONG)
def test_real_clients_are_judged_as_the_server_did(name: str, sentence: str) -> None:
    """Sessions of real programs, with the password that they should have used."""
    assert sentence in verdicts((DIALOGUES / name).read_bytes())


RFC_5802 = "C: AUTH SCRAM-SHA-1 {first}\nS: 334 {server_first}\nC: {final}\nS: 334 {server_final}\nC: \nS: 235 ok"
EXAMPLE = {
    "first": b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    "server_first": b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    "final": b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    "server_final": b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
}


def scram(**changes: bytes) -> str:
    """Return RFC 5802's own example with some messages changed."""
    return RFC_5802.format(**{name: b64(octets) for name, octets in (EXAMPLE | changes).items()})


def test_example_of_rfc_5802_is_right() -> None:
    """RFC 5802 section 5: user "user", password "pencil"."""
    assert "The proof is right for the password given." in verdicts(scram(), "pencil")


SCRAM_FAULTS = {
    "another nonce": ("The nonce is not the one that the server gave", {"final": b"c=biws,r=other,p=AAAA"}),
    "another header": (
        "c= is not the gs2-header",
        {"final": b"c=eSws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="},
    ),
}


@pytest.mark.parametrize(("sentence", "changes"), SCRAM_FAULTS.values(), ids=SCRAM_FAULTS)
def test_scram_fault_is_told_without_the_password(sentence: str, changes: dict[str, bytes]) -> None:
    """What binds the messages together needs no password to be seen."""
    steps = explain(scram(**changes)).steps
    assert any(sentence in step.verdict for step in steps)


def test_hostile_iteration_count_is_not_computed() -> None:
    """A thousand million iterations are not computed, and nothing is said of the proof."""
    server_first = EXAMPLE["server_first"].replace(b"4096", b"999999999")
    assert "The proof is" not in verdicts(scram(server_first=server_first), "pencil")


RFC_2831 = {
    "challenge": b'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8',
    "response": (
        b'charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001,'
        b'cnonce="OA6MHXh6VqTrRk",digest-uri="imap/elwood.innosoft.com",response=d388dad90d4bbd760a152321f2143af7,qop=auth'
    ),
}


def digest_md5(*, nonce: bytes = b"OA6MG9tEQGm2hh") -> str:
    """Return RFC 2831's own example, perhaps with another nonce in the challenge."""
    challenge = RFC_2831["challenge"].replace(b"OA6MG9tEQGm2hh", nonce)
    return f"C: AUTH DIGEST-MD5\nS: 334 {b64(challenge)}\nC: {b64(RFC_2831['response'])}\n{REFUSED}"


def test_example_of_rfc_2831_is_right() -> None:
    """RFC 2831 section 4: user "chris", password "secret"."""
    assert "The digest is right for the password given." in verdicts(digest_md5(), "secret")


def test_digest_md5_of_another_password_is_wrong() -> None:
    """The same example with another password; the realm may be the cause as well."""
    text = verdicts(digest_md5(), "other")
    assert "The digest is not right for the password given." in text
    assert "another password (or realm) than the one given" in text


def test_scram_without_its_beginning_is_not_judged() -> None:
    """A record that begins with client-final cannot be checked."""
    assert "The proof is" not in verdicts(
        f"S: 334 {b64(EXAMPLE['server_first'])}\nC: {b64(EXAMPLE['final'])}", "pencil"
    )


def test_scram_with_a_broken_salt_is_not_judged() -> None:
    """The server's own message is out of form."""
    server_first = EXAMPLE["server_first"].replace(b"QSXCR+Q6sek8bf92", b"Q")
    assert "The proof is" not in verdicts(scram(server_first=server_first), "pencil")


def test_digest_for_another_nonce_is_told() -> None:
    """A response to another challenge is seen by its nonce."""
    assert "The nonce is not the one of this challenge" in verdicts(digest_md5(nonce=b"other"))


def test_look_up_is_asked_for_the_user() -> None:
    """`passwd_of` gets the user as sent; None means that the password is not known."""
    asked: list[str] = []

    def know_nobody(user: str) -> None:
        asked.append(user)

    explain(login("pass"), passwd_of=know_nobody)
    assert asked == [USER]
