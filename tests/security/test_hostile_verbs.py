"""Attack: text that steers a terminal, in every place from which a verb of the command line takes text.

Every verb is called with all 65 control characters, the nine of direction and 200 sequences that terminals obey, in
file contents, in names of files, and in arguments, for people and with ``--json``; none of them may come out as it is.
A verb that is neither attacked nor excused fails `test_every_verb_is_attacked_or_excused`.

Source: CVE-like lists for terminals (rsyslog 1138, GHSA-xwfj-jgwm-7wp5); the table of threats, "Terminal escapes".
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from indimail_kit.cli import main
from indimail_kit.lab import make_logs
from indimail_kit.lab.corpus import make_queue
from indimail_kit.mailqueue import QueueState, open_queues

from .conftest import CONTROLS, DIRECTIONS, SEQUENCES, steering

TEXT = "".join((*CONTROLS, *DIRECTIONS, *SEQUENCES, "\ud800", "\u200b", "\u2028"))
"""Everything in one text: the line end and NUL of it too."""
LINE = TEXT.replace("\n", "").replace("\0", "").replace("\r", "").replace("\ud800", "")
"""The same for places where a line, or an argument, ends at those."""
NAME = "\x1b[2J\x9b31m\x07\u202egpj\x7f\r"
"""A file name that steers."""
OCTETS = LINE.encode()


@dataclass(frozen=True)
class Stage:
    """A directory in which everything is hostile.

    Attributes:
        directory: The directory; its own name is one.
        number: A message of the queue.
        environment: Variables for the verb.
    """

    directory: Path
    number: str
    environment: dict[str, str]

    def path(self, name: str) -> str:
        """Return the path of something in it."""
        return str(self.directory / name)


def spoil(queue: Path) -> str:
    """Put hostile text into the sender, the recipients and the header of a message; return its number."""
    row = next(one for one in open_queues(queue).snapshot().messages if one.state is QueueState.S5)
    for kind, letter in (("info", b"F"), ("local", b"T"), ("remote", b"T"), ("bounce", b"")):
        for path in queue.glob(f"{kind}/*/{row.message_number}"):
            path.write_bytes(letter + OCTETS + b"@example.com\0")
    for path in queue.glob(f"mess/*/{row.message_number}"):
        path.write_bytes(b"Subject: " + OCTETS + b"\nX-" + OCTETS + b": x\n\n" + OCTETS + b"\n")
    return str(row.message_number)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Make the directory."""
    directory = tmp_path_factory.mktemp("hostile") / NAME
    directory.mkdir()
    queue = make_queue(directory / "queue1", messages=8, seed=1, split=5).layout.directory
    number = spoil(queue)
    logs = make_logs(5, seed=1)
    lines = [b"@400000004b9da2f03b424bb4 " + form % OCTETS for form in (
        b"new msg 5 %b", b"info msg 5: bytes 9 from <%b> qp 7 uid 0", b"starting delivery 1: msg 5 to local %b",
        b"delivery 1: deferral: %b", b"warn: %b", b"%b",
    )]  # fmt: skip
    for name in ("send", "smtpd", "clamd"):
        (directory / f"{name}.log").write_bytes(b"\n".join(lines) + b"\n" + getattr(logs, name))
    (directory / "log").mkdir()
    (directory / "log" / "current").write_bytes(b"\n".join(lines) + b"\n")
    session = f"S: 220 {LINE}\nC: EHLO {LINE}\nC: AUTH PLAIN {LINE}\nS: 535 {LINE}\nC: MAIL FROM:<{LINE}>\n{LINE}\n"
    files = {
        "session.txt": session,
        "tcp.smtp": f'192.0.2.7:allow,EVIL="{LINE}"\n192.0.2.8:allow,{LINE}\n{LINE}:deny\n:allow\n',
        "password": "pass\n",
        "mail.eml": f"Subject: {LINE}\n\n{LINE}\n",
        f"{NAME}.eml": TEXT.replace("\ud800", ""),
        "progress.json": json.dumps({"learner": TEXT, "version": 1, "exercises": {TEXT: 1}}),
        "case.json": json.dumps({"name": TEXT}),
    }
    for name, text in files.items():
        (directory / name).write_bytes(text.encode())
    (directory / "rules.txt").write_bytes(f'192.0.2.7:allow,EVIL="{LINE}"\n:allow\n'.encode())
    for part in ("variables", "supervise"):
        (directory / NAME / part).mkdir(parents=True)
    (directory / NAME / "run").write_text("#!/bin/sh\n", encoding="utf-8")
    (directory / NAME / "variables" / NAME).write_bytes(OCTETS)
    (directory / "variables").mkdir()
    (directory / "variables" / "QHPSI").write_bytes(OCTETS)
    (directory / "variables" / "VIRUSFORWARD").write_bytes(OCTETS)
    return Stage(directory, number, {"QUEUE_BASE": str(directory), "QHPSI": f"/bin/{LINE} %s", "COLUMNS": "120"})


Feed = Callable[[Stage], list[list[str]]]
"""Returns the arguments behind a verb, once for each way to attack it."""


def one(*words: str) -> Feed:
    """Return a feed: words that begin with ``/`` are names in the directory, ``N`` is the message."""
    return lambda stage: [
        [stage.path(word[1:]) if word.startswith("/") else stage.number if word == "N" else word for word in words]
    ]


def both(*feeds: Feed) -> Feed:
    """Return several feeds as one."""
    return lambda stage: [argv for feed in feeds for argv in feed(stage)]


BAD_NUMBER = one(LINE, "--queue", "/")
FEEDS: dict[str, Feed] = {
    "lab run": one("--scanner", "embedded", "--keep", "/mail.eml"),
    "lab serve": one("--scanner", "embedded", "--keep", "/mail.eml"),
    "auth encode": both(
        one("PLAIN", LINE, "--password-file", "/password"),
        one(LINE, LINE, "--password-file", "/password"),
        one("CRAM-MD5", "a", "--challenge", LINE, "--password-file", "/password"),
    ),
    "auth verify": both(
        one("PLAIN", LINE, "--response", LINE, "--password-file", "/password"),
        one(LINE, "a", "--response", LINE, "--password-file", "/password"),
    ),
    "auth explain": both(one("/session.txt"), one("--show-secrets", "/session.txt"), one(f"/{NAME}.eml")),
    "accounts add": both(
        one(f"{LINE}@example.com", "--database", "sqlite:////users.db", "--password-file", "/password"),
        one("a@example.com", "--name", LINE, "--password-file", "/password", "--database", LINE),
    ),
    "accounts passwd": one(f"{LINE}@example.com", "--database", "sqlite:///none.db", "--password-file", "/password"),
    "accounts list": one("--database", LINE),
    "accounts remove": one(f"{LINE}@example.com", "--database", "sqlite:///none.db"),
    "scan": both(
        one("--scanner", "embedded", f"/{NAME}.eml"),
        one("--socket", LINE, "/mail.eml"),
        one("--scanner", "command", "--qhpsi", f"{LINE} %s", "/mail.eml"),
    ),
    "qhpsi explain": both(
        one("--envdir", "/variables"),
        one("--clear", "--envdir", f"/{NAME}"),
        one("--look"),
        one("--rules", "/rules.txt", "--ip", "192.0.2.7"),
        one("--rules", "/tcp.smtp", "--ip", LINE),
    ),
    "queue create": one("/mail.eml"),
    "queue inject": both(
        one("--sender", LINE, "--recipient", LINE, "/mail.eml"),
        one("--sender", LINE, "--recipient", LINE, "--queue", f"/{NAME}", "/mail.eml"),
    ),
    "queue list": both(one("--queue", "/"), one("--queue", f"/{NAME}")),
    "queue show": both(one("N", "--queue", "/"), BAD_NUMBER),
    "queue shape": both(one("--queue", "/"), one("--queue", "/", "--by", "sender")),
    "queue check": one("--queue", "/"),
    "queue repair": both(one("--queue", "/"), one("--queue", "/", "--trash", "N"), one("--queue", "/", "--hold", LINE)),
    "queue overview": one("--queue", "/"),
    "queue stuck": both(one("--queue", "/", "--log", "/send.log"), one("--queue", "/", "--log", "/send.log", "--each")),
    "queue scan": both(one("N", "--queue", "/", "--scanner", "embedded"), BAD_NUMBER),
    "logs report": both(
        one("/send.log"),
        one("--view", "deferrals", "/send.log"),
        one("--view", "auth", "/smtpd.log"),
        one("--view", "signatures", "/clamd.log"),
        one(f"/{NAME}.eml"),
    ),
    "logs follow": one("--all", "--once", "/log"),
    "trace": both(
        one("5", "--log", "/send.log"),
        one("a@example.com", "--log", "/send.log", "--session", "/session.txt"),
        one(LINE, "--log", "/send.log"),
        one("N", "--queue", "/", "--mail", "/mail.eml"),
    ),
    "service status": both(one(f"/{NAME}"), one("--svstat", f"/{NAME}")),
    "service up": one(f"/{NAME}"),
    "service down": one(f"/{NAME}"),
    "service set": one(f"/{NAME}", LINE, LINE),
    "tcprules check": both(
        one("/rules.txt", "192.0.2.7"),
        one("/tcp.smtp", "192.0.2.8"),
        one("/rules.txt", LINE),
        one("/rules.txt", "192.0.2.7", "--host", LINE, "--info", LINE),
    ),
    "tcprules compile": both(
        one("/rules.txt", "/rules.cdb"), one("/tcp.smtp", "/none.cdb"), one("/rules.txt", "/mail.eml")
    ),
    "tcprules show": both(one("/mail.eml"), one("/none.cdb")),
    "doctor": one(),
    "case start": both(one(LINE), one("clamd-down", "--keep", "/mail.eml")),
    "case list": one(),
    "case hint": both(one("/"), one("/mail.eml")),
    "case grade": both(one("/"), one("/mail.eml")),
    "case truth": both(one("/"), one("/mail.eml")),
    "progress": both(one("/progress.json"), one("/mail.eml"), one("--class-key", "/mail.eml", "/progress.json")),
}
"""Verb -> how it is attacked."""

EXCUSED = {
    "checkpassword": "prints nothing: it answers by its exit code",
    "qmail-queue": "prints nothing but with --verbose: see test_verbose_qmail_queue_does_not_steer_the_terminal",
    "notebook": "hands everything on to JupyterLab",
    "logs events": "octets for programs; CSV and JSON of every line: tests/widgets/test_log_hostile.py",
    "logs matchup": "octets for programs, as matchup's own: tests/widgets/test_log_hostile.py",
    "logs redact": "octets for programs: a log; what strangers wrote is not in it: tests/widgets/test_log_hostile.py",
}
"""Verb -> why it is not attacked here."""


def verbs(group: click.Group, prefix: str = "") -> dict[str, click.Command]:
    """Return every verb by its words."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        inside = isinstance(command, click.Group)
        found |= verbs(command, f"{prefix}{name} ") if inside else {f"{prefix}{name}": command}  # type: ignore[arg-type]
    return found


VERBS = verbs(main)


def test_every_verb_is_attacked_or_excused() -> None:
    """A new verb belongs into FEEDS, so that what strangers write cannot steer the terminal of whoever runs it."""
    assert sorted(FEEDS | EXCUSED) == sorted(VERBS)


def test_all_the_characters_of_the_threat_table_are_tried() -> None:
    """65 control characters, 9 of direction, 200 sequences."""
    assert (len(CONTROLS), len(DIRECTIONS), len(set(SEQUENCES))) == (65, 9, 200)


@pytest.fixture
def calls(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bool], list[str]]:
    """Return a function that calls a verb in every way, and returns what came out of each."""
    monkeypatch.chdir(stage.directory)

    def call(verb: str, as_json: bool) -> list[str]:
        said = []
        for argv in FEEDS[verb](stage):
            result = CliRunner().invoke(
                main, [*verb.split(), *argv, *(["--json"] if as_json else [])], env=stage.environment
            )
            assert result.exception is None or isinstance(result.exception, SystemExit), (argv, result.exc_info)
            said.append(result.stdout + result.stderr)
        return said

    return call


@pytest.mark.parametrize("verb", FEEDS)
def test_hostile_text_does_not_steer_the_terminal(verb: str, calls: Callable[[str, bool], list[str]]) -> None:
    """No control character, no change of direction, no sequence comes out as it went in; and no traceback."""
    # A tab moves within its line only; a folded line of a header is shown with it.
    assert [found for text in calls(verb, False) if (found := steering(text, kept=("\n", "\t")))] == []


@pytest.mark.parametrize("verb", [name for name in FEEDS if any(one.name == "as_json" for one in VERBS[name].params)])
def test_hostile_text_is_escaped_in_json(verb: str, calls: Callable[[str, bool], list[str]]) -> None:
    """A JSON document says the same text, and is harmless on a terminal, too."""
    assert [found for text in calls(verb, True) if (found := steering(text))] == []


def test_verbose_qmail_queue_does_not_steer_the_terminal(stage: Stage, tmp_path: Path) -> None:
    """What `qmail-queue --verbose` says of a refused message has nothing of it, or of the envelope, that steers."""
    (tmp_path / "message").write_bytes(OCTETS)
    (tmp_path / "envelope").write_bytes(b"F" + OCTETS + b"\0T" + OCTETS + b"@example.com\0\0")
    run = 'exec "$0" -m indimail_kit qmail-queue --verbose <"$1" 1<"$2"'
    done = subprocess.run(
        ["/bin/sh", "-c", run, sys.executable, tmp_path / "message", tmp_path / "envelope"],
        stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "QUEUEDIR": stage.path(NAME)},
    )

    assert done.returncode not in (0, 1)
    assert done.stderr
    assert steering(done.stderr.decode()) == []
