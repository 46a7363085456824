"""``auth encode``, ``auth verify`` and ``auth explain``: the seed's numbers, the agreed JSON, exit codes, no secret."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indimail_kit.cli import main

DIALOGUES = Path(__file__).parent.parent / "data" / "dialogues"
USER = "postmaster@example.com"
CHALLENGE = "PDIwMTM3LjEyNjc1ODUxMDBAaW5kaW1haWwub3JnPg=="
RESPONSE = "cG9zdG1hc3RlckBleGFtcGxlLmNvbSBjZWU4Mzk3YWIxMjNhMGQ0ZjNhN2ZkZGJiOWNiODcxOQ=="
PLAIN = "AHBvc3RtYXN0ZXJAZXhhbXBsZS5jb20AcGFzcw=="
LOGIN = ("cG9zdG1hc3RlckBleGFtcGxlLmNvbQ==", "cGFzcw==")


def run(*words: str | Path, stdin: str | bytes = "") -> Result:
    """Run a verb in this process."""
    return CliRunner().invoke(main, ["auth", *map(str, words)], input=stdin)


ENCODED = {
    "LOGIN": (["LOGIN", USER], list(LOGIN)),
    "PLAIN": (["plain", USER], [PLAIN]),
    "PLAIN, authzid": (["PLAIN", "tim", "--authzid", "zid"], ["emlkAHRpbQBwYXNz"]),
    "CRAM-MD5": (["CRAM-MD5", USER, "--challenge", CHALLENGE], [RESPONSE]),
    "XOAUTH2": (["XOAUTH2", "a@b"], [base64.b64encode(b"user=a@b\x01auth=Bearer pass\x01\x01").decode()]),
}


@pytest.mark.parametrize(("words", "messages"), ENCODED.values(), ids=ENCODED)
def test_encode_prints_the_messages_of_the_seed(words: list[str], messages: list[str]) -> None:
    """One message a line; the seed's lost cram-md5 script is `auth encode CRAM-MD5`."""
    result = run("encode", *words, "--password-stdin", stdin="pass\n")
    assert (result.exit_code, result.stdout.split("\n")) == (0, [*messages, ""])


@pytest.mark.parametrize(("words", "messages"), ENCODED.values(), ids=ENCODED)
def test_encode_json_is_a_list_of_strings(words: list[str], messages: list[str]) -> None:
    """INTERFACE: list of strings."""
    assert json.loads(run("encode", *words, "--password-stdin", "--json", stdin="pass\n").stdout) == messages


def test_encode_scram_prints_client_first() -> None:
    """SCRAM begins with the user and a nonce (RFC 5802 section 7)."""
    result = run("encode", "SCRAM-SHA-256", "user", "--password-stdin", stdin="pencil\n")
    assert base64.b64decode(result.stdout).startswith(b"n,,n=user,r=")


def test_encode_agrees_with_the_base64_program() -> None:
    """What the seed makes with printf and base64 is the same."""
    made = subprocess.run(
        ["sh", "-c", rf"printf '\0{USER}\0pass' | base64"], capture_output=True, text=True, check=True
    )
    assert run("encode", "PLAIN", USER, "--password-stdin", stdin="pass\n").stdout == made.stdout


def test_password_comes_from_a_file(tmp_path: Path) -> None:
    """The first line of the file, without its end."""
    (tmp_path / "secret").write_bytes(b"pass\r\nsecond line\n")
    assert run("encode", "PLAIN", USER, "--password-file", tmp_path / "secret").stdout == PLAIN + "\n"


def test_password_file_may_be_standard_input() -> None:
    """'-' is standard input."""
    assert run("encode", "PLAIN", USER, "--password-file", "-", stdin="pass\n").stdout == PLAIN + "\n"


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Return both ends of a terminal."""
    ends = os.openpty()
    yield ends
    for end in ends:
        os.close(end)


ASKED = {
    "encode": (["encode", "PLAIN", USER], PLAIN),
    "explain --ask-password": (
        ["explain", "--ask-password", DIALOGUES / "swaks-cram-md5.txt"],
        "The digest is right for the password given.",
    ),
}


@pytest.mark.parametrize(("words", "answer"), ASKED.values(), ids=ASKED)
def test_password_is_asked_for_without_an_echo(terminal: tuple[int, int], words: list[str | Path], answer: str) -> None:
    """On a terminal there is a prompt; what is typed is not printed."""
    ours, theirs = terminal
    with subprocess.Popen(
        [sys.executable, "-m", "indimail_kit", "auth", *map(str, words)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        prompt = process.stderr.read(8)  # the echo is off before the prompt is written
        os.write(ours, b"pass\n")
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, answer in stdout.decode()) == (0, True)
    assert b"pass\n" not in prompt + stderr + stdout
    os.set_blocking(ours, False)
    with contextlib.suppress(BlockingIOError):
        assert os.read(ours, 1000).strip() == b""


USAGE = {
    "unknown mechanism": ["encode", "GSSAPI", USER],
    "CRAM without a challenge": ["encode", "CRAM-MD5", USER],
    "challenge that is not Base64": ["encode", "CRAM-MD5", USER, "--challenge", "!!!", "--password-stdin"],
    "two sources of the password": ["encode", "PLAIN", USER, "--password-stdin", "--password-file", "x"],
    "there is no --password": ["encode", "PLAIN", USER, "--password", "pass"],
    "verify CRAM without a challenge": ["verify", "CRAM-MD5", USER, "--response", RESPONSE],
    "verify without a response": ["verify", "PLAIN", USER],
    "verify challenge that is not Base64": [
        "verify", "CRAM-MD5", USER, "--challenge", "!", "--response", RESPONSE, "--password-stdin",
    ],
    "verify SCRAM": ["verify", "SCRAM-SHA-1", "user", "--response", "biwsbj11c2VyLHI9YWJj", "--password-stdin"],
    "verify LOGIN with one answer": ["verify", "LOGIN", USER, "--response", LOGIN[0], "--password-stdin"],
    "session and password from one stream": ["explain", "-", "--password-stdin"],
    "nobody to ask": ["encode", "PLAIN", USER],
    "nobody to ask, explain": ["explain", "--ask-password", DIALOGUES / "swaks-cram-md5.txt"],
}  # fmt: skip


@pytest.mark.parametrize("words", USAGE.values(), ids=USAGE)
def test_wrong_usage_is_exit_code_2(words: list[str | Path]) -> None:
    """Exit code 2 and a sentence on standard error."""
    result = run(*words, stdin="pass\n")
    assert (result.exit_code, result.stdout, "Error: " in result.stderr) == (2, "", True)


@pytest.mark.parametrize("stdin", [b"\n", b"", b"p\xe4ssword\n"], ids=["empty line", "nothing", "not UTF-8"])
def test_password_that_cannot_be_is_wrong_usage(stdin: bytes) -> None:
    """Exit code 2, and nothing of the password in the message."""
    result = run("encode", "PLAIN", USER, "--password-stdin", stdin=stdin)
    assert (result.exit_code, result.stdout, "ssword\n" in result.stderr) == (2, "", False)


FAILED = {
    "password file": ["encode", "PLAIN", USER, "--password-file", "/nonexistent/file"],
    "session": ["explain", "/nonexistent/file"],
}


@pytest.mark.parametrize("words", FAILED.values(), ids=FAILED)
def test_file_that_is_not_there_is_exit_code_3(words: list[str]) -> None:
    """Exit code 3 and a sentence with the file's name; no traceback."""
    result = run(*words)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "indimail-kit: /nonexistent/file: No such file or directory\n"


RIGHT = {
    "CRAM-MD5": ["CRAM-MD5", USER, "--challenge", CHALLENGE, "--response", RESPONSE],
    "PLAIN": ["PLAIN", USER, "--response", PLAIN],
    "LOGIN": ["LOGIN", USER, "--response", LOGIN[0], "--response", LOGIN[1]],
}


@pytest.mark.parametrize("words", RIGHT.values(), ids=RIGHT)
def test_verify_accepts_the_seeds_responses(words: list[str]) -> None:
    """Exit code 0 and the agreed document."""
    result = run("verify", *words, "--password-stdin", "--json", stdin="pass\n")
    document = {"ok": True, "mechanism": words[0], "user": USER, "reason": ""}
    assert (result.exit_code, json.loads(result.stdout)) == (0, document)


@pytest.mark.parametrize("words", RIGHT.values(), ids=RIGHT)
def test_verify_refuses_another_password(words: list[str]) -> None:
    """Exit code 1, and a reason."""
    result = run("verify", *words, "--password-stdin", "--json", stdin="sesame\n")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["ok"], document["user"]) == (1, False, USER)
    assert "not" in document["reason"]


def test_verify_refuses_another_user() -> None:
    """A right response of somebody else is not right."""
    result = run(
        "verify", "PLAIN", "ann@example.com", "--response", PLAIN, "--password-stdin", "--json", stdin="pass\n"
    )
    assert (result.exit_code, json.loads(result.stdout)["reason"]) == (1, f"a response of another user: {USER}")


def test_verify_tells_how_a_digest_went_wrong() -> None:
    """The reason is the explainer's: here a newline behind the password."""
    words = ["CRAM-MD5", USER, "--challenge", CHALLENGE, "--password-stdin"]
    response = run("encode", *words, stdin="pass\n").stdout.strip()
    wrong = run("verify", *words, "--response", response, stdin="PASS\n")
    assert wrong.exit_code == 1
    assert wrong.stdout.startswith("✕ The response is not right: ")


def test_verify_says_in_words_that_it_is_right() -> None:
    """Without --json a line for a person."""
    result = run("verify", *RIGHT["PLAIN"], "--password-stdin", stdin="pass\n")
    assert result.stdout == f"✓ The response is right: PLAIN, {USER}.\n"


def test_explain_json_has_exactly_the_agreed_keys() -> None:
    """INTERFACE: a list of steps, each with parts."""
    steps = json.loads(run("explain", "--json", DIALOGUES / "swaks-plain.txt").stdout)
    assert {key for step in steps for key in step} == {"line", "direction", "raw", "decoded", "parts", "verdict"}
    assert {key for step in steps for part in step["parts"] for key in part} == {
        "start",
        "end",
        "role",
        "text",
        "source",
    }


def test_explain_reads_standard_input() -> None:
    """'-' is the default, and octets that are no UTF-8 are taken."""
    result = run("explain", stdin=b"C: AUTH PLAIN AHRpbQD8\nS: 535 no \xff\n")
    assert result.exit_code == 0
    assert "perhaps Latin-1" in " ".join(result.stdout.split())


TEXTS = {
    "swaks": "swaks-login-wrong.txt",
    "telnet": "telnet-login-newline.txt",
    "recordio": "recordio-four-sessions.log",
}


@pytest.mark.parametrize(("name", "file"), TEXTS.items(), ids=TEXTS)
def test_explain_tells_the_result_first(name: str, file: str) -> None:
    """The first line says what was read, the next ones how each login ended."""
    lines = run("explain", DIALOGUES / file).stdout.split("\n")
    assert lines[0].startswith(f"Read as: {name}; ")
    assert lines[1].startswith("► line ")


def test_explain_masks_unless_asked() -> None:
    """The password is hidden, and the last line says how to see it; then it is seen."""
    masked = run("explain", DIALOGUES / "swaks-plain.txt").stdout
    shown = run("explain", "--show-secrets", DIALOGUES / "swaks-plain.txt").stdout
    assert masked.endswith("--show-secrets shows them.\n")
    assert ("└─ pass" in masked, "└─ pass" in shown) == (False, True)


def test_explain_checks_with_the_right_password() -> None:
    """With the password the verdict says whether the digest is right."""
    result = run("explain", DIALOGUES / "swaks-cram-md5.txt", "--password-stdin", stdin="pass\n")
    assert "The digest is right for the password given." in result.stdout


def test_explain_uses_the_password_for_one_user_only() -> None:
    """--user says whose password it is; of others nothing is said."""
    words = ["explain", DIALOGUES / "swaks-cram-md5.txt", "--user", "ann@example.com", "--password-stdin"]
    assert "The digest is right" not in run(*words, stdin="pass\n").stdout


def test_hostile_session_does_not_steer_the_terminal() -> None:
    """Control and bidirectional characters of a session are written out."""
    hostile = "S: 220 \x1b[31mred\x07 \u202egnp\nC: AUTH PLAIN AHRpbQAbWzMxbXg=\nS: 535 \x9b31m\n"
    text = run("explain", "--show-secrets", stdin=hostile).stdout
    assert [one for one in text if not one.isprintable() and one != "\n"] == []


@pytest.mark.parametrize("verb", ["encode", "verify", "explain"])
def test_help_names_no_password_option(verb: str) -> None:
    """There is --password-stdin and --password-file, and no --password."""
    words = run(verb, "--help").stdout.replace(",", " ").split()
    assert ("--password-stdin" in words, "--password" in words) == (True, False)
