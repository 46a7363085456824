"""A canary password, wherever people put it: it is in nothing that is shown, nor is a half of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.auth.annotate import Explanation, explain
from indimail_kit.auth.transcript import WireChunk

DIALOGUES = Path(__file__).parent.parent / "data" / "dialogues"
CANARY = "zitronenfalter"
OCTETS = CANARY.encode()
USER = "ann@example.com"
CHALLENGE = b"<20137.1267585100@indimail.org>"
MD5 = hashlib.new("md5", OCTETS, usedforsecurity=False).hexdigest()
DIGEST = hmac.digest(OCTETS, CHALLENGE, "md5").hex()
PLAIN = b"\0" + USER.encode() + b"\0" + OCTETS


def b64(text: str | bytes) -> str:
    """Encode as `base64` does."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def forms() -> tuple[str, ...]:
    """Return what must not be shown: the canary and its halves, raw, Base64 at each of three places, hex, hashed."""
    shifted = [b64(b"x" * shift + OCTETS)[4 if shift else 0 :].rstrip("=")[:-1] for shift in range(3)]
    hashes = [hashlib.new(name, OCTETS, usedforsecurity=False).hexdigest() for name in ("md5", "sha1")]
    whole = [CANARY, OCTETS.hex(), OCTETS.hex(" "), DIGEST, b64(DIGEST).rstrip("=")[:-1], *shifted, *hashes]
    halves = [half for form in whole for half in (form[: len(form) // 2], form[len(form) // 2 :])]
    return tuple(form for form in (*whole, *halves) if len(form) >= 6)


FORMS = forms()


def everything(explanation: Explanation) -> str:
    """Return all that an explanation can show."""
    return "\n".join(
        [
            repr(explanation),
            repr(explanation.steps),
            json.dumps(explanation.as_document()),
            json.dumps(explanation.as_document(), ensure_ascii=False),
            explanation.as_text(),
            *explanation.summary,
        ]
    )


def found_in(explanation: Explanation) -> list[str]:
    """Return the forms of the canary that an explanation shows."""
    text = everything(explanation)
    return [form for form in FORMS if form in text]


LOGIN = f"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {b64(USER)}\nS: 334 UGFzc3dvcmQ6\nC: {b64(CANARY)}\nS: 535 no"
SCRAM = b"c=biws,r=abcdef,p=" + base64.b64encode(OCTETS)

PLACES = {
    "LOGIN": LOGIN,
    "LOGIN, initial response": f"C: AUTH LOGIN {b64(USER)}\nS: 334 UGFzc3dvcmQ6\nC: {b64(CANARY)}\nS: 235 ok",
    "LOGIN, password first": (
        f"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {b64(CANARY)}\nS: 334 UGFzc3dvcmQ6\nC: {b64(USER)}\nS: 535 no"
    ),
    "LOGIN, password twice": (
        f"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {b64(CANARY)}\nS: 334 UGFzc3dvcmQ6\nC: {b64(CANARY)}\nS: 535"
    ),
    "LOGIN, password at the first prompt, cancelled": (
        f"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {b64(CANARY)}\nS: 334 UGFzc3dvcmQ6\nC: *"
    ),
    "LOGIN, user and password in one": f"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {b64(USER + ':' + CANARY)}\nS: 501 no",
    "LOGIN, in clear": f"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {USER}\nS: 334 UGFzc3dvcmQ6\nC: {CANARY}\nS: 535 no",
    "LOGIN, user and password in clear": f"C: AUTH LOGIN {USER} {CANARY}\nS: 501 no",
    "LOGIN, in clear after the end": (
        f"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {USER}\nS: 501 no\nC: {CANARY}\n"
        f"S: 502 command {CANARY} not recognized (#5.5.2)"
    ),
    "LOGIN, Base64 after the end": (
        f"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: *\nS: 501 no\nC: {b64(CANARY)}\n"
        f"S: 502 command {b64(CANARY)} not recognized"
    ),
    "LOGIN, blank in the token": (
        f"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {b64(USER)}\nS: 334 UGFzc3dvcmQ6\n"
        f"C: {b64(CANARY)[:9]} {b64(CANARY)[9:]}\nS: 535"
    ),
    "LOGIN, Base64 of Base64": (
        f"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {b64(b64(USER))}\nS: 334 UGFzc3dvcmQ6\nC: {b64(b64(CANARY))}\nS: 535"
    ),
    "LOGIN, the server's prompt is odd": (
        f"C: AUTH LOGIN\nS: 334 aGVsbG8=\nC: {b64(CANARY)}\nS: 334 d29ybGQ=\nC: {b64(CANARY)}\nS: 535"
    ),
    "PLAIN": f"C: AUTH PLAIN {b64(PLAIN)}\nS: 535 no",
    "PLAIN, after 334": f"C: AUTH PLAIN\nS: 334 \nC: {b64(PLAIN)}\nS: 235 ok",
    "PLAIN, without the first NUL": f"C: AUTH PLAIN {b64(PLAIN[1:])}\nS: 501 no",
    "PLAIN, colons": f"C: AUTH PLAIN {b64(USER + ':' + CANARY)}\nS: 501 no",
    "PLAIN, one NUL": f"C: AUTH PLAIN {b64(chr(0) + USER + CANARY)}\nS: 501 no",
    "PLAIN, too many NULs": f"C: AUTH PLAIN {b64(PLAIN + b'x' + bytes(1) + OCTETS)}\nS: 501 no",
    "PLAIN, password first": f"C: AUTH PLAIN {b64(chr(0) + CANARY + chr(0) + USER)}\nS: 535 no",
    "PLAIN, escapes": f"C: AUTH PLAIN \\0{USER}\\0{CANARY}\nS: 535 no",
    "PLAIN, URL-safe, unpadded": (
        f"C: AUTH PLAIN {base64.urlsafe_b64encode(PLAIN + b'??>').decode().rstrip('=')}\nS: 535"
    ),
    "PLAIN, UTF-16": f"C: AUTH PLAIN {b64((chr(0) + USER + chr(0) + CANARY).encode('utf-16'))}\nS: 535",
    "PLAIN, Latin-1": f"C: AUTH PLAIN {b64(PLAIN + bytes([0xFC]))}\nS: 535 no",
    "PLAIN, wrapped": (
        f"C: AUTH PLAIN\nS: 334 \nC: {b64(b'x' * 50 + PLAIN)[:76]}\nC: {b64(b'x' * 50 + PLAIN)[76:]}\nS: 535 no"
    ),
    "PLAIN, wrapped, the rest after the reply": (
        f"C: AUTH PLAIN\nS: 334 \nC: {b64(b'x' * 50 + PLAIN)[:76]}\nS: 535\nC: {b64(b'x' * 50 + PLAIN)[76:]}\n"
        f"S: 502 command {b64(b'x' * 50 + PLAIN)[76:]} not recognized"
    ),
    "PLAIN, the end cut": f"C: AUTH PLAIN {b64(PLAIN)[:-3]}\nS: 501 no",
    "mechanism forgotten": f"C: AUTH {b64(PLAIN)}\nS: 504 {b64(PLAIN)} unknown",
    "blank forgotten": f"C: AUTHPLAIN {b64(PLAIN)}\nS: 502 command AUTHPLAIN not recognized",
    "unknown mechanism": f"C: AUTH FANCY {b64(PLAIN)}\nS: 504 no",
    "mechanism in Base64": f"C: AUTH PLAIN{b64(PLAIN)}\nS: 504 no",
    "CRAM-MD5": f"C: AUTH CRAM-MD5\nS: 334 {b64(CHALLENGE)}\nC: {b64(USER + ' ' + DIGEST)}\nS: 535 no",
    "CRAM-MD5, capitals": (
        f"C: AUTH CRAM-MD5\nS: 334 {b64(CHALLENGE)}\nC: {b64(USER + ' ' + DIGEST.upper())}\nS: 535 no"
    ),
    "CRAM-MD5, password for digest": (
        f"C: AUTH CRAM-MD5\nS: 334 {b64(CHALLENGE)}\nC: {b64(USER + ' ' + CANARY)}\nS: 535 no"
    ),
    "CRAM-MD5, password alone": f"C: AUTH CRAM-MD5\nS: 334 {b64(CHALLENGE)}\nC: {b64(CANARY)}\nS: 501 no",
    "CRAM-MD5, MD5 of the password": (
        f"C: AUTH CRAM-MD5\nS: 334 {b64(CHALLENGE)}\nC: {b64(USER + ' ' + MD5)}\nS: 535 no"
    ),
    "CRAM-MD5, initial response": f"C: AUTH CRAM-MD5 {b64(CANARY)}\nS: 334 {b64(CHALLENGE)}",
    "DIGEST-MD5, out of form": f"C: AUTH DIGEST-MD5\nS: 334 bm9uY2U9IngiLHFvcD0iYXV0aCI=\nC: {b64(CANARY)}\nS: 501 no",
    "DIGEST-MD5, password in a directive": (
        f"C: AUTH DIGEST-MD5\nS: 334 bm9uY2U9IngiLHFvcD0iYXV0aCI=\nC: {b64('username=a,password=' + CANARY)}\nS: 501 no"
    ),
    "SCRAM proof": (
        f"C: AUTH SCRAM-SHA-1 {b64('n,,n=a,r=abc')}\nS: 334 {b64('r=abcdef,s=AAAA,i=1')}\nC: {b64(SCRAM)}\nS: 535 no"
    ),
    "SCRAM, out of form": f"C: AUTH SCRAM-SHA-1 {b64(CANARY)}\nS: 535 no",
    "XOAUTH2 token": (
        f"C: AUTH XOAUTH2 {b64(f'user={USER}' + chr(1) + f'auth=Bearer {CANARY}' + chr(1) * 2)}\nS: 535 no"
    ),
    "XOAUTH2 out of form": f"C: AUTH XOAUTH2 {b64(f'user={USER}^Aauth=Bearer {CANARY}^A^A')}\nS: 535 no",
    "OAUTHBEARER token": (
        f"C: AUTH OAUTHBEARER {b64(f'n,a={USER},' + chr(1) + f'auth=Bearer {CANARY}' + chr(1) * 2)}\nS: 535 no"
    ),
    "at a prompt that nobody gave": f"S: 220 mx\nC: {CANARY}\nS: 502 command {CANARY} not recognized",
    "as a command in Base64": f"S: 220 mx\nC: {b64(CANARY)}\nS: 500 what is {b64(CANARY)}?",
    "behind QUIT in an exchange": f"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: AUTH PLAIN {b64(PLAIN)}\nS: 501 no",
    "echoed decoded": f"C: AUTH PLAIN {b64(PLAIN)}\nS: 535 password {CANARY} is wrong",
    "token alone": b64(CANARY),
    "two tokens": f"{b64(USER)}\n{b64(CANARY)}",
    "PLAIN alone": b64(PLAIN),
    "prose": f"Dear all, the password is {CANARY}.",
    "swaks, command line above": (
        f"$ swaks --auth LOGIN --auth-user {USER} --auth-password {CANARY}\n=== Trying mx:25...\n<-  220 mx\n"
        " -> EHLO c\n"
    ),
    "swaks, password asked": f"Password: {CANARY}\n<-  220 mx\n -> EHLO c\n<-  250 AUTH LOGIN\n",
    "swaks, hex dump": (
        "<-  334 UGFzc3dvcmQ6\n -> ****\n  > 0000: " + b64(CANARY).encode().hex(" ") + "    " + b64(CANARY) + "\n"
        "<-  235 ok"
    ),
    "swaks, --auth-plaintext": f"<-  220 mx\n -> AUTH PLAIN \\0{USER}\\0{CANARY}\n<** 535 no",
    "curl, URL above": (
        f"$ curl smtp://ann:{CANARY}@mx -v\n< 220 mx\n> EHLO c\n< 250 AUTH PLAIN\n> AUTH PLAIN {b64(PLAIN)}\n< 235 ok"
    ),
    "curl, a note": f"* Server auth using Basic with user '{CANARY}'\n< 220 mx\n> EHLO c\n",
    "msmtp": f"passwordeval = echo {CANARY}\n<-- 220 mx\n--> AUTH PLAIN {b64(PLAIN)}\n<-- 235 ok",
    "smtplib": (
        f"send: 'AUTH PLAIN {b64(PLAIN)}\\r\\n'\nreply: b'535 no\\r\\n'\nreply: retcode (535); Msg: b'{CANARY}'\n"
    ),
    "smtplib, traceback": f"send: 'ehlo c\\r\\n'\n  File \"x.py\", line 4\n    s.login('{USER}', '{CANARY}')\n",
    "aiosmtpd": (
        f"DEBUG:mail.log:_handle_client readline: b'AUTH PLAIN {b64(PLAIN)}\\r\\n'\n"
        f"INFO:mail.log:('::1', 1) >> b'AUTH PLAIN {b64(PLAIN)}'\n"
    ),
    "recordio, cut": f"7 < AUTH PLAIN {b64(PLAIN)[:-12]}+\n7 < {b64(PLAIN)[-12:]}\r \n7 > 535 no\r \n",
    "recordio, cut and mixed": (
        f"7 < AUTH PLAIN {b64(PLAIN)[:-12]}+\n8 > 220 mx \n7 < {b64(PLAIN)[-12:]}\r \n7 > 535 no\r \n"
    ),
    "recordio, the first half missing": f"7 < {b64(PLAIN)[-12:]}\r \n7 > 535 no\r \n",
    "telnet": f"220 mx\nauth login\n334 VXNlcm5hbWU6\n{b64(USER)}\n334 UGFzc3dvcmQ6\n{b64(CANARY)}\n235 ok\n",
    "telnet, the shell before": (
        f"% echo -n {CANARY} | base64\n{b64(CANARY)}\n\n% telnet 0 smtp\n220 mx\nauth plain {b64(PLAIN)}\n235 ok\n"
    ),
    "telnet, typed in two": f"220 mx\nauth plain\n334 \n{b64(PLAIN)[:-12]}\n{b64(PLAIN)[-12:]}\n535 no\n502 no\n",
    "telnet, quoted": f'220 mx\nauth login\n334 VXNlcm5hbWU6\n"{b64(CANARY)}"\n501 no\n',
    "telnet, backspace": f"220 mx\nauth login\n334 UGFzc3dvcmQ6\n{b64(CANARY)[:8]}x\x08{b64(CANARY)[8:]}\n535 no\n",
    "telnet, answers ahead": (
        f"220 mx\nauth login\n{b64(USER)}\n{b64(CANARY)}\n334 VXNlcm5hbWU6\n334 UGFzc3dvcmQ6\n235 ok\n"
    ),
}
"""Where the canary is -> the text."""


@pytest.mark.parametrize("text", PLACES.values(), ids=PLACES)
def test_password_is_never_shown(text: str) -> None:
    """Without `show_secrets` no form of the canary is shown."""
    assert found_in(explain(text)) == []


@pytest.mark.parametrize("text", PLACES.values(), ids=PLACES)
def test_password_is_never_shown_when_it_is_known(text: str) -> None:
    """Nor when it is known and the verdicts speak about it."""
    assert found_in(explain(text, passwd_of=lambda _user: CANARY)) == []


@pytest.mark.parametrize("text", [LOGIN, PLACES["PLAIN"], PLACES["telnet"], PLACES["recordio, cut"]])
def test_password_is_shown_when_asked_for(text: str) -> None:
    """With `show_secrets` it is there: the search above can find it."""
    assert CANARY in everything(explain(text, show_secrets=True))


@pytest.mark.parametrize("cut", range(1, 60, 3))
def test_recording_cut_anywhere_shows_nothing(cut: int) -> None:
    """Chunks cut in the middle of a secret."""
    octets = b"AUTH PLAIN " + b64(PLAIN).encode() + b"\r\n"
    chunks = [
        WireChunk(0, "server", b"220 mx\r\n"),
        WireChunk(1, "client", octets[:cut]),
        WireChunk(2, "client", octets[cut:]),
        WireChunk(3, "server", b"535 no\r\n"),
    ]
    assert found_in(explain(chunks)) == []


@given(st.binary(max_size=12), st.binary(max_size=12))
def test_neighbours_of_the_password_do_not_uncover_it(before: bytes, behind: bytes) -> None:
    """Whatever stands around the password in PLAIN: the characters that share a bit with it are masked."""
    message = before.replace(b"\0", b"") + b"\0" + USER.encode() + b"\0" + OCTETS + behind.replace(b"\0", b"")
    assert found_in(explain(f"C: AUTH PLAIN {b64(message)}\nS: 535 no")) == []


@given(st.text(alphabet="\n\r CS:<>-~+7=", max_size=30), st.text(alphabet="\n\r CS:<>-~+7=", max_size=30))
def test_noise_around_the_login_does_not_uncover_it(before: str, behind: str) -> None:
    """Marks of any format before and behind the line do not change that it is masked."""
    assert found_in(explain(f"{before}\nC: AUTH PLAIN {b64(PLAIN)}\nS: 535 no\n{behind}")) == []


@pytest.mark.parametrize("passwd", ["x", "pass", "zitronenfalter", "correct horse battery staple"])
def test_length_of_the_password_is_not_told(passwd: str) -> None:
    """Passwords of any length look the same, ranges included."""
    text = f"AUTH PLAIN {b64(f'{chr(0)}{USER}{chr(0)}{passwd}')}"
    assert explain(text).as_document() == explain(f"AUTH PLAIN {b64(PLAIN)}").as_document()


@pytest.mark.parametrize(
    "name", ["swaks-login.txt", "recordio-four-sessions.log", "smtplib-login.txt", "telnet-plain.txt"]
)
def test_demo_password_is_masked_in_real_sessions(name: str) -> None:
    """Neither "pass" in Base64 nor decoded stands in what is shown of a real session."""
    explanation = explain((DIALOGUES / name).read_bytes())
    assert "cGFzcw" not in everything(explanation)
    assert [part.text for step in explanation.steps for part in step.parts if part.role == "password"] != []
    assert {part.text for step in explanation.steps for part in step.parts if part.role == "password"} == {"****"}


def test_reply_that_says_password_keeps_its_words() -> None:
    """A short password ("pass") is masked as a word of its own, not inside of "password"."""
    text = f"C: AUTH PLAIN {b64(f'{chr(0)}{USER}{chr(0)}pass')}\nS: 535 password pass is wrong"
    assert explain(text).steps[1].raw == "535 password **** is wrong"


def test_secret_of_one_session_is_masked_in_another() -> None:
    """Sessions are mixed in a log, and a server may repeat a secret late."""
    text = (
        f"7 < AUTH PLAIN {b64(PLAIN)} \n7 > 535 no \n8 > 220 mx \n8 < NOOP \n8 > 250 last was {CANARY}, {b64(PLAIN)} "
    )
    assert explain(text).steps[4].raw == "250 last was ****, ****"
