"""What each verb prints, tried while the site is built: in a directory of its own, on demo mails and demo logs.

Rule 1: an output on the site is what the verb really said; only paths are made short, and long outputs are cut.
Rule 2: a verb without an example has its reason in `WITHOUT`.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import click
from click.testing import CliRunner

from indimail_kit.cli import main

ROOT: Final = Path(__file__).resolve().parents[2]
MAX_LINES: Final = 40
"""Lines of an output that a page shows."""

SESSION: Final = """\
S: 220 mail.example.com ESMTP
C: EHLO client.example.com
S: 250-mail.example.com
S: 250 AUTH LOGIN PLAIN CRAM-MD5
C: AUTH PLAIN AHVzZXJAZXhhbXBsZS5jb20AcGFzcwo=
S: 535 authorization failure (#5.7.8)
"""
"""A login of the user user@example.com with the demo password and a line end too many."""

MAIL: Final = "From: ann@example.com\nTo: bob@example.com\nSubject: Hello\n\nHello\n"
RULES: Final = '192.0.2.:allow,QHPSI="/usr/bin/clamdscan --quiet %s"\n192.0.2.66:deny\n:allow\n'


@dataclass(frozen=True, slots=True)
class Example:
    """One call of a verb.

    Attributes:
        words: What is typed behind ``indimail-kit``.
        exit_code: How it ends.
        shown: Lines to show of its output.
    """

    words: str
    exit_code: int = 0
    shown: int = MAX_LINES


EXAMPLES: Final[Mapping[str, tuple[Example, ...]]] = MappingProxyType(
    {
        "lab run": (Example("lab run --seed 1 --scanner embedded", shown=16),),
        "auth encode": (
            Example("auth encode PLAIN user@example.com --password-file password"),
            Example(
                "auth encode CRAM-MD5 tim --password-file rfc-password"
                " --challenge PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"
            ),
        ),
        "auth verify": (
            Example(
                "auth verify CRAM-MD5 tim --password-file rfc-password"
                " --challenge PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"
                " --response dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"
            ),
        ),
        "auth explain": (Example("auth explain session.txt"),),
        "accounts add": (Example("accounts add ann@example.com --password-file password"),),
        "accounts passwd": (Example("accounts passwd ann@example.com --password-file password --store scram"),),
        "accounts list": (Example("accounts list"),),
        "accounts remove": (Example("accounts remove ann@example.com"),),
        "scan": (Example("scan --scanner embedded mail.eml"),),
        "qhpsi explain": (Example("qhpsi explain --clear --rules tcp.smtp --ip 192.0.2.7 --scanner-exit 1"),),
        "tcprules check": (Example("tcprules check tcp.smtp 192.0.2.66", exit_code=1),),
        "tcprules compile": (Example("tcprules compile tcp.smtp tcp.smtp.cdb"),),
        "tcprules show": (Example("tcprules show tcp.smtp.cdb"),),
        "queue create": (Example("queue create new/queue1 --split 23"),),
        "queue inject": (
            Example("queue inject --queue new/queue1 --sender ann@example.com --recipient bob@example.com mail.eml"),
        ),
        "queue list": (Example("queue list --queue queue1", shown=12),),
        "queue show": (Example("queue show {message_number} --queue queue1"),),
        "queue shape": (Example("queue shape --queue queue1"),),
        "queue check": (Example("queue check --queue queue1", exit_code=1),),
        "queue repair": (Example("queue repair --queue queue1"),),
        "queue overview": (Example("queue overview --queue queue1"),),
        "queue stuck": (Example("queue stuck --queue queue1 --log send.log"),),
        "queue scan": (Example("queue scan {message_number} --queue queue1 --scanner embedded"),),
        "case list": (Example("case list"),),
        "progress": (Example("progress --new-key class.key"),),
        "logs report": (Example("logs report send.log"), Example("logs report --view auth smtpd.log", shown=12)),
        "logs events": (Example("logs events --table deliveries send.log", shown=5),),
        "logs matchup": (Example("logs matchup send.log", shown=6),),
        "logs redact": (Example("logs redact send.log", shown=8),),
        "logs follow": (Example("logs follow --all --once log", shown=6),),
        "trace": (Example("trace --qp {qp} --log send.log --log smtpd.log --log clamd.log"),),
        "service status": (Example("service status service/clamd", exit_code=1),),
        "doctor": (
            Example("doctor", shown=30),
            Example("doctor --queue queue1 --log send.log", exit_code=1, shown=30),
        ),
    }
)
"""Verb -> what is tried, in this order: a later one may need what an earlier one has made."""

_NEEDS_CASE: Final = "It needs a case that `case start` keeps up; lesson 06 has some."
_NEEDS_SUPERVISE: Final = "It needs a service that runs under supervise; lesson 02 has one."

WITHOUT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "lab serve": "It stays up until Ctrl-C, and says host, port, users and how to talk to it.",
        "checkpassword": "It is run by qmail-smtpd with a user and a password on descriptor 3.",
        "qmail-queue": "It is run by qmail-smtpd with a message on descriptor 0 and an envelope on descriptor 1.",
        "service up": _NEEDS_SUPERVISE,
        "service down": _NEEDS_SUPERVISE,
        "service set": _NEEDS_SUPERVISE,
        "case start": "It stays up until Ctrl-C, and says what the people of a broken server complain about.",
        "case hint": _NEEDS_CASE,
        "case grade": _NEEDS_CASE,
        "case truth": _NEEDS_CASE,
        "notebook": "It opens JupyterLab in your browser.",
    }
)
"""Verb -> why the site shows no output of it."""


def verbs(group: click.Group = main, prefix: str = "") -> dict[str, click.Command]:
    """Return every verb by its words, in the order of the help."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        inside = isinstance(command, click.Group)
        found |= verbs(command, f"{prefix}{name} ") if inside else {f"{prefix}{name}": command}
    return found


@contextlib.contextmanager
def stage(directory: Path) -> Iterator[dict[str, str]]:
    """Fill a directory with demo files and work in it; yield the numbers that examples name."""
    from indimail_kit.lab import make_logs, make_queue

    files = {"password": "pass\n", "rfc-password": "tanstaaftanstaaf\n", "session.txt": SESSION, "mail.eml": MAIL}
    for name, text in {**files, "tcp.smtp": RULES}.items():
        (directory / name).write_text(text, encoding="utf-8")
    demo = make_logs(60, seed=1)
    for name, octets in (("send", demo.send), ("smtpd", demo.smtpd), ("clamd", demo.clamd)):
        (directory / f"{name}.log").write_bytes(octets)
    (directory / "log").mkdir()
    (directory / "log" / "current").write_bytes(demo.send)
    (directory / "new").mkdir()
    queue = make_queue(directory / "queue1", messages=12, seed=1, split=23, faults=["wrong-mode"])
    service = directory / "service" / "clamd"
    for part in ("variables", "supervise"):
        (service / part).mkdir(parents=True)
    (service / "run").write_text("#!/bin/sh\nexec envdir variables clamd\n", encoding="utf-8")
    (service / "run").chmod(0o755)
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield {"message_number": str(queue.numbers[-2]), "qp": str(demo.mails[0].qp)}
    finally:
        os.chdir(before)


def run(example: Example, numbers: Mapping[str, str]) -> tuple[str, str]:
    """Return what is typed and what is printed.

    Raises:
        RuntimeError: It ended in another way than the example says.
    """
    words = example.words.format(**numbers)
    done = CliRunner().invoke(main, shlex.split(words), env={"COLUMNS": "110"})
    if done.exit_code != example.exit_code:
        raise RuntimeError(f"indimail-kit {words}: exit code {done.exit_code}: {done.output}")
    lines = done.output.replace(f"{Path.cwd()}/", "").replace(f"{ROOT}/", "").splitlines()
    more = len(lines) - example.shown
    if more > 1:
        lines = [*lines[: example.shown], f"… {more} more lines"]
    return f"indimail-kit {words}", "\n".join(line.rstrip() for line in lines)
