"""``indimail-kit checkpassword`` as a real module: run as qmail-smtpd runs one, in a chain, on SQLite and on PAM."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indimail_kit.auth.accounts import UserTable
from indimail_kit.auth.checkpassword import make_fields
from indimail_kit.auth.checkpassword_run import ModuleAuthority, run_module
from indimail_kit.auth.smtp_auth import ClientExchange, Reply, ServerExchange
from indimail_kit.auth.stored import NO_RELAY, NO_SMTP, StoredForm

PROGRAM = "from indimail_kit.cli.checkpassword import checkpassword; checkpassword()"
RECORDED = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "data" / "indimail" / "auth" / "checkpassword-fd3.jsonl")
    .read_text()
    .splitlines()
]
FIRST_OF_A_KIND = {(bytes.fromhex(row["hex"])[-2], row["rc"]): row for row in reversed(RECORDED)}
"""One recorded row for each method and exit code; the room's own tests judge them all, without a process."""

KINDS = [(1, 0), (2, 1), (2, 3), (2, 111), (3, 0), (8, 0), (10, 0), (10, 1), (17, 1)]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of a table with the recording's users."""
    url = f"sqlite:///{tmp_path_factory.mktemp('users') / 'users.db'}"
    with UserTable(url) as table:
        table.add("test@local.test", "secret", pw_dir="/mail/test")
        table.add("norelay@local.test", "secret", pw_gid=NO_RELAY)
        table.add("nosmtp@local.test", "secret", pw_gid=NO_SMTP)
        table.add("hashed@local.test", "secret", form=StoredForm.CRYPT)
    return url


def argv(*words: str) -> list[str]:
    """Return the command line of the module."""
    return [sys.executable, "-c", PROGRAM, *words]


@pytest.mark.parametrize("kind", KINDS, ids=[f"method {method}, exit {rc}" for method, rc in KINDS])
def test_exit_code_is_the_recorded_one(database: str, kind: tuple[int, int]) -> None:
    """For the recorded octets the module exits as the recorded checker, whose 2, 5 and 111 were made for its users."""
    row = FIRST_OF_A_KIND[kind]
    answer = run_module(argv("--database", database, "--", "/bin/false"), bytes.fromhex(row["hex"]))
    assert answer.exit_code == {0: 0, 3: 3}.get(row["rc"], 1)
    assert len(answer.rspauth) == (32 if "want" in row and row["rc"] == 0 else 0)


@pytest.mark.parametrize(
    ("user", "passwd", "exit_code"),
    [
        ("test@local.test", "secret", 0),
        ("hashed@local.test", "secret", 0),
        ("norelay@local.test", "secret", 3),
        ("nosmtp@local.test", "secret", 1),
        ("test@local.test", "wrong", 7),
        ("nobody@local.test", "secret", 7),
    ],
)
def test_next_module_is_asked_when_this_one_says_no(
    database: str, tmp_path: Path, user: str, passwd: str, exit_code: int
) -> None:
    """The chain of qmail-smtpd: right ends it, wrong hands the same fields to the next; who is shut out stays out."""
    following = tmp_path / "next"
    following.write_text(f"#!/bin/sh\ncat <&3 >{tmp_path}/seen\nexit 7\n")
    following.chmod(0o700)
    octets = make_fields(user.encode(), passwd.encode(), method=2).encode()
    answer = run_module(argv("--database", database, "--", str(following), "/bin/false"), octets)
    seen = (tmp_path / "seen").read_bytes() if (tmp_path / "seen").exists() else None
    assert (answer.exit_code, seen) == (exit_code, octets if exit_code == 7 else None)


@pytest.mark.parametrize(
    ("switch", "passwd", "exit_code"),
    [
        ("--classic", b"secret", 9),
        ("--classic", b"wrong", 1),
        ("NATIVE_CHECKPASSWORD", b"secret", 9),
        ("DOVECOT_VERSION", b"wrong", 1),
    ],
)
def test_classic_module_runs_the_program_when_right(
    database: str, tmp_path: Path, switch: str, passwd: bytes, exit_code: int
) -> None:
    """Three fields; the program is run with HOME, USER and IndiMail's variables, and only then."""
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\necho "$USER $HOME $userdb_uid $EXTRA $1" >{tmp_path}/seen\nexit 9\n')
    program.chmod(0o700)
    options = ["--classic"] if switch == "--classic" else []
    environ = {**os.environ} | ({} if options else {switch: "1"})
    words = argv("--database", database, *options, "--", str(program), "argument")
    answer = run_module(words, make_fields(b"test@local.test", passwd, b"Y123").encode(), environ=environ)
    seen = (tmp_path / "seen").read_text() if (tmp_path / "seen").exists() else ""
    expected = "test@local.test /mail/test indimail userdb_uid userdb_gid argument\n"
    assert (answer.exit_code, seen) == (exit_code, expected if exit_code == 9 else "")


@pytest.mark.parametrize(
    ("words", "octets", "exit_code"),
    [
        (["--database", "DATABASE", "--", "/bin/false"], b"test@local.test", 2),
        (["--database", "DATABASE", "--", "/bin/false"], b"x" * 512, 2),
        (["--database", "DATABASE"], b"u\0p\0\0\x01\0", 2),
        (["--", "/bin/false"], b"u\0p\0\0\x01\0", 2),
        (["--database", "DATABASE", "--pam", "x", "--", "/bin/false"], b"u\0p\0\0\x01\0", 2),
        (["--database", "sqlite:////no/such/file.db", "--", "/bin/false"], b"u\0p\0\0\x01\0", 111),
        (["--database", "nonsense://", "--", "/bin/false"], b"u\0p\0\0\x01\0", 111),
        (["--pam", "../x", "--", "/bin/false"], b"u\0p\0\0\x01\0", 111),
        (["--database", "DATABASE", "--", "/no/such/program"], b"u\0p\0\0\x01\0", 111),
    ],
)
def test_misuse_is_2_and_trouble_is_111(database: str, words: list[str], octets: bytes, exit_code: int) -> None:
    """A wrong call or broken fields: 2; a database, service or program that is not there: 111; never 0, never 1."""
    line = argv(*(database if word == "DATABASE" else word for word in words))
    environ = {name: value for name, value in os.environ.items() if name != "INDIMAIL_KIT_DATABASE"}
    assert run_module(line, octets, environ=environ).exit_code == exit_code


def test_without_descriptor_3_is_misuse(database: str) -> None:
    """Called from a shell the module says what is missing, and does not wait; the message holds no traceback."""
    result = subprocess.run(
        argv("--database", database, "--", "/bin/false"), capture_output=True, text=True, timeout=60
    )
    assert (result.returncode, "descriptor 3" in result.stderr, "Traceback" in result.stderr) == (2, True, False)


def test_database_may_stand_in_the_environment(database: str) -> None:
    """A URL with a password need not stand where ps shows it."""
    environ = {**os.environ, "INDIMAIL_KIT_DATABASE": database}
    octets = make_fields(b"test@local.test", b"secret", method=1).encode()
    assert run_module(argv("--", "/bin/false"), octets, environ=environ).exit_code == 0


@pytest.mark.parametrize("mechanism", ["PLAIN", "CRAM-MD5", "DIGEST-MD5"])
@pytest.mark.parametrize(("passwd", "code"), [("secret", 235), ("wrong", 535)])
def test_our_server_asks_our_module(database: str, mechanism: str, passwd: str, code: int) -> None:
    """Both sides together: an exchange whose authority is the module, from client to table and back."""
    authority = ModuleAuthority(argv("--database", database, "--", "/bin/false"), mechanism=mechanism)
    server = ServerExchange(mechanism, authority=authority)
    client = ClientExchange(mechanism, authcid="test@local.test", passwd=passwd)
    initial = client.start()
    answer = server.start(None if initial is None else initial.encode())
    while not isinstance(answer, Reply):
        answer = server.feed(client.feed(answer.line.removeprefix("334 ")).encode())
    assert answer.code == code


@pytest.fixture
def service() -> Iterator[Callable[[str], str]]:
    """Return a maker of PAM service files, which are removed afterwards."""
    if os.geteuid() != 0 or not Path("/etc/pam.d").is_dir():
        pytest.skip("only root can write a service file to /etc/pam.d")
    paths: list[Path] = []

    def make(text: str) -> str:
        path = Path("/etc/pam.d") / f"indimail-kit-test-{secrets.token_hex(8)}"
        path.write_text(text)
        paths.append(path)
        return path.name

    yield make
    for path in paths:
        path.unlink()


@pytest.mark.parametrize(("module", "exit_code"), [("pam_permit.so", 0), ("pam_deny.so", 1), ("pam_none.so", 111)])
def test_pam_decides(service: Callable[[str], str], module: str, exit_code: int) -> None:
    """As pam-checkpwd: PAM's yes, no and failure are 0, 1 and 111."""
    name = service(f"auth required {module}\naccount required pam_permit.so\n")
    octets = make_fields(b"nobody", b"secret", method=2).encode()
    assert run_module(argv("--pam", name, "--", "/bin/false"), octets).exit_code == exit_code
