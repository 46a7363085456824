"""``accounts``: a table kept from the command line; a password on no command line and in no output."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indimail_kit.auth.accounts import UserTable
from indimail_kit.auth.stored import StoredForm
from indimail_kit.cli.accounts import accounts
from indimail_kit.errors import AccountError

CANARY = "zitronenfalter"


@pytest.fixture
def database(tmp_path: Path) -> str:
    """Return the URL of a table that is not there yet."""
    return f"sqlite:///{tmp_path / 'users.db'}"


def run(*words: str, given: str = "") -> Result:
    """Run the verb with a standard input."""
    return CliRunner().invoke(accounts, words, input=given)


def add(database: str, user: str = "ann@example.com", *words: str, passwd: str = CANARY) -> Result:
    """Add a user with a password on standard input."""
    return run("add", user, "--database", database, "--password-stdin", *words, given=f"{passwd}\n")


def account(database: str, user: str = "ann@example.com") -> object:
    """Return a user by the table itself."""
    with UserTable(database) as table:
        return table.get(user)


def test_user_is_added_with_all_that_was_said(database: str) -> None:
    """Every option is a column, and the answer is the row without its secrets."""
    words = ("--name", "Ann", "--dir", "/mail/ann", "--quota", "1000", "--no-relay", "--json")
    result = add(database, "Ann@Example.com", *words)
    row = json.loads(result.stdout)
    assert (result.exit_code, row) == (0, account(database).as_row())
    assert (row["pw_gecos"], row["pw_dir"], row["pw_shell"], row["can_relay"], row["can_smtp"]) == (
        *("Ann", "/mail/ann", "1000"),
        *(False, True),
    )
    assert account(database).has_passwd(CANARY)


@pytest.mark.parametrize("store", ["cram", "scram", "crypt"])
def test_store_says_what_is_kept(database: str, store: str) -> None:
    """--store chooses the stored form; passwd keeps it, or changes it when asked."""
    add(database, "ann@example.com", "--store", store)
    assert account(database).form is StoredForm[store.upper()]
    run("passwd", "ann@example.com", "--database", database, "--password-stdin", given="other\n")
    assert (account(database).form, account(database).has_passwd("other")) == (StoredForm[store.upper()], True)
    run("passwd", "ann@example.com", "--database", database, "--password-stdin", "--store", "cram", given="third\n")
    assert (account(database).form, account(database).passwd) == (StoredForm.CRAM, "third")


def test_password_file_is_read(database: str, tmp_path: Path) -> None:
    """The first line of the file is the password, without its line end; ``-`` is standard input."""
    (tmp_path / "passwd").write_bytes(b"from a file\r\nnot this\n")
    add(database)
    run("passwd", "ann@example.com", "--database", database, "--password-file", str(tmp_path / "passwd"))
    assert account(database).has_passwd("from a file")
    run("passwd", "ann@example.com", "--database", database, "--password-file", "-", given="from stdin\n")
    assert account(database).has_passwd("from stdin")


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ([], CANARY),
        (["--password-stdin", "--password-file", "x"], CANARY),
        (["--password-stdin"], ""),
        (["--password-stdin"], "\n"),
        (["--password-stdin"], "x" * 4097),
        (["--password", CANARY], ""),
    ],
)
def test_password_that_is_not_given_rightly_is_wrong_usage(database: str, words: list[str], given: str) -> None:
    """No way, two ways, nothing, too much, or on the command line: exit 2, and nobody is added."""
    result = run("add", "ann@example.com", "--database", database, *words, given=given)
    assert (result.exit_code, account(database)) == (2, None)


def test_password_that_is_not_utf8_is_wrong_usage(database: str) -> None:
    """Octets that are no text are refused."""
    words = ["add", "ann@example.com", "--database", database, "--password-stdin"]
    assert CliRunner().invoke(accounts, words, input=b"\xff\n").exit_code == 2


def test_list_shows_everybody_and_no_secret(database: str) -> None:
    """Rows by domain and name; neither the password nor a hash is in either output."""
    add(database, "bob@b.example")
    add(database, "ann@a.example", "--store", "scram")
    text, rows = run("list", "--database", database), run("list", "--database", database, "--json")
    assert [row["address"] for row in json.loads(rows.stdout)] == ["ann@a.example", "bob@b.example"]
    assert ("ann@a.example" in text.stdout, "{SCRAM}" in text.stdout) == (True, True)
    assert [secret for secret in (CANARY, "$6$", "SHA-256") if secret in text.output + rows.output] == []


def test_removed_user_is_gone(database: str) -> None:
    """The answer is the row that was; a second time is an error."""
    add(database)
    result = run("remove", "ann@example.com", "--database", database, "--json")
    assert (json.loads(result.stdout)["address"], account(database)) == ("ann@example.com", None)
    again = run("remove", "ann@example.com", "--database", database)
    assert isinstance(again.exception, AccountError)


@pytest.mark.parametrize("words", [["passwd", "--password-stdin"], ["remove"]])
def test_unknown_user_is_an_account_error(database: str, words: list[str]) -> None:
    """Whom the table does not know it cannot change; the command line makes it exit code 3."""
    result = run(*words, "nobody@example.com", "--database", database, given=f"{CANARY}\n")
    assert isinstance(result.exception, AccountError)
    assert CANARY not in str(result.exception)


def test_list_makes_no_table(tmp_path: Path, database: str) -> None:
    """Looking does not make a file."""
    result = run("list", "--database", database)
    assert (isinstance(result.exception, AccountError), list(tmp_path.iterdir())) == (True, [])


def test_terminal_is_asked_twice_and_shows_nothing(database: str) -> None:
    """Without an option a person is asked, and what he types is not shown."""
    program = "from indimail_kit.cli.accounts import accounts; accounts()"
    words = [sys.executable, "-c", program, "add", "ann@example.com", "--database", database]
    ours, theirs = pty.openpty()
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        seen = b""
        for _ in range(2):
            while not seen.endswith(b": "):
                seen += os.read(ours, 1024)
            os.write(ours, CANARY.encode() + b"\n")
            seen += b"\n"
        assert process.wait(timeout=60) == 0
    os.close(ours)
    assert (b"Password" in seen, CANARY.encode() in seen, account(database).has_passwd(CANARY)) == (True, False, True)
