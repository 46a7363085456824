"""What a real IndiMail did with QHPSI, call by call, made again with our qmail-queue and real scanners.

The recorded scanners (data/indimail/qhpsi) are small shell scripts; they are written anew and run for real. Where the
recording used clamdscan, the distribution's clamdscan asks a real clamd of ours. The plugins are compiled here: first,
second and nosym as the recording's README describes them, generic as IndiMail's own one behaves.

Of each call the exit code, the files left in the queue and who speaks on descriptor 2 are compared. Where we are
different on purpose it stands in BETTER, with the reason.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from indimail_kit.mailqueue import QueueLayout, create_queue
from indimail_kit.mailqueue.layout import KINDS
from indimail_kit.qhpsi import ClamdDaemon, eicar

if TYPE_CHECKING:
    from tests.conformance.conftest import Ended, Program

DATA = Path(__file__).parents[1] / "data/indimail/qhpsi"
CASES: list[dict[str, Any]] = json.loads((DATA / "qhpsi-cases.json").read_text(encoding="utf-8"))
PLUGIN_CASES: list[dict[str, Any]] = json.loads((DATA / "qhpsi-plugin-cases.json").read_text(encoding="utf-8"))
SCANNERS: dict[str, str] = json.loads((DATA / "scanners.json").read_text(encoding="utf-8"))

BETTER = {
    "scanner writes fd 3": "the recorded scanner appended a line through the message file that IndiMail leaks to it",
}
"""Case -> why mess is not the recorded one, and the scanner complains where the recorded one had no reason to."""

SCANNERS_OF_OURS = {
    # Not in scanners.json. The recording: fd 1 is the envelope, fd 3 is the message, open for writing.
    "fds": '#!/bin/sh\nreadlink /proc/$$/fd/* >"$0.seen"\nexit 0\n',
}

FIRST = """\
#include <stdlib.h>
#ifndef NOSYM
int virusscan(const char *m) { const char *rc = getenv("PLUGRC"); return m && rc ? atoi(rc) : 0; }
int other(const char *m) { return m != 0; }
#else
int nothing;
#endif
"""
"""first.so, second.so and nosym.so. Source: README.md of the recordings."""

GENERIC = """\
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs $SCANCMD, or its default, on the message and ends the whole process with its exit code. */
int virusscan(const char *message)
{
    char *words[16] = {0}, *command = getenv("SCANCMD");
    int count = 0, status = 0;
    char *word = strtok(strdup(command ? command : DEFAULT), " ");
    for (; word && count < 14; word = strtok(0, " "))
        words[count++] = strncmp(word, "%s", 2) ? word : (char *) message;
    if (count == 1)
        words[count++] = (char *) message;
    if (fork() == 0) {
        execvp(words[0], words);
        _exit(75);
    }
    wait(&status);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 123);
}
"""
"""What generic.so does. Source: facts on generic.c; written anew."""

ENVELOPE = b"Fann@local.test\0Talice@local.test\0Tbob@local.test\0\0"
ENVELOPES = {"envelope Q byte": b"Fann@local.test\0Talice@local.test\0Q"}

Rerun = Callable[[dict[str, Any]], "Ended"]


def with_eicar(text: str) -> bytes:
    """Return a recorded text with the test virus put in."""
    wrapped = base64.encodebytes(eicar()).rstrip(b"\n").decode()
    return text.replace("{EICAR}", eicar().decode()).replace("{EICAR_BASE64_WRAPPED}", wrapped).encode()


def recorded_ns(case: dict[str, Any]) -> int:
    """Return when a message was queued, read from the date in its Received line; 0 when none is left."""
    for path, text in case["files"].items():
        if path.startswith("mess/"):
            date = text.split("\n")[1].partition("; ")[2]
            return int(datetime.strptime(date, "%a, %d %b %Y %H:%M:%S %z").timestamp()) * 10**9
    return 0


def recorded_files(case: dict[str, Any]) -> dict[str, bytes]:
    """Return kind -> octets of the files that the real program left."""
    files = {path.partition("/")[0]: with_eicar(text) for path, text in case["files"].items()}
    if files.get("mess", b"").endswith(b"bytes)"):  # the recorder cut it
        head = b"".join(files["mess"].splitlines(keepends=True)[:2])
        files["mess"] = head + with_eicar((DATA / "messages" / f"{case['message']}.eml").read_text(encoding="ascii"))
    return files


@pytest.fixture(scope="module")
def scan_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded scanner scripts, as programs."""
    directory = tmp_path_factory.mktemp("scan")
    for name, text in (SCANNERS | SCANNERS_OF_OURS).items():
        (directory / name).write_text(text, encoding="ascii")
        (directory / name).chmod(0o755)
    return directory


@pytest.fixture(scope="module")
def clamd() -> Iterator[ClamdDaemon]:
    """A clamd that, where we are root, runs as another user, as in the recording (clamav there)."""
    with ClamdDaemon(user="nobody" if os.geteuid() == 0 else None) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """IndiMail's home with the plugins; generic.so apart from the others: it was copied there for some calls only."""
    home = tmp_path_factory.mktemp("indimail")
    (home / "dead.conf").write_text("LocalSocket /nonexistent/clamd.ctl\n", encoding="ascii")
    default = f'-DDEFAULT="clamdscan -c {home}/dead.conf --quiet ./"'
    for place in ("plugins", "plugins2", "with-generic"):
        (home / place).mkdir()
    for name, source, flags in (
        ("first", FIRST, []),
        ("second", FIRST, []),
        ("nosym", FIRST, ["-DNOSYM"]),
        ("generic", GENERIC, [default]),
    ):
        (home / f"{name}.c").write_text(source, encoding="ascii")
        compiled = home / f"{name}.so"
        subprocess.run(["gcc", "-shared", "-fPIC", *flags, "-o", compiled, home / f"{name}.c"], check=True)
        for place in ("with-generic",) if name == "generic" else ("plugins", "plugins2"):
            shutil.copy(compiled, home / place)
    return home


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> QueueLayout:
    """A queue that the user of clamd may not enter."""
    layout = create_queue(tmp_path_factory.mktemp("queues") / "queue1", split=3)
    layout.directory.chmod(0o700)
    return layout


@pytest.fixture
def rerun(
    queue: QueueLayout, scan_directory: Path, home: Path, request: pytest.FixtureRequest, program: Program
) -> Rerun:
    """A function: recorded case -> how it ends with our qmail-queue."""

    def run(case: dict[str, Any]) -> Ended:
        for kind in KINDS:
            for path in (queue.directory / kind).rglob("*"):
                if path.is_file():
                    path.unlink()
        environ = {"PATH": "/usr/bin:/bin", "QUEUEDIR": str(queue.directory), **case["env"]}
        for name in ("QHPSI", "SCANCMD"):
            if name in environ:
                environ[name] = environ[name].replace("/opt/lab/scan", str(scan_directory))
        if "/opt/lab/clamd/clamd.conf" in environ.get("QHPSI", ""):
            daemon: ClamdDaemon = request.getfixturevalue("clamd")
            environ["QHPSI"] = environ["QHPSI"].replace("/opt/lab/clamd/clamd.conf", str(daemon.config_path))
        message = with_eicar((DATA / "messages" / f"{case['message']}.eml").read_text(encoding="ascii"))
        return program(
            environ,
            message,
            ENVELOPES.get(case["case"], ENVELOPE),
            queue.directory,
            sync="indimail",
            home=home,
            scan_as=None,
            qp=case["pid"],
            uid=case["uid"],
            clock=lambda: recorded_ns(case),
        )

    return run


def as_params(cases: list[dict[str, Any]]) -> list[Any]:
    """Return cases as parameters with readable names."""
    return [pytest.param(case, id=f"{number} {case['case']} {case['message']}") for number, case in enumerate(cases)]


def compare(case: dict[str, Any], ended: Ended, stderr_class: Callable[[str], str]) -> None:
    """Hold the end of a call against the recorded one."""
    voice = "scanner" if case["case"] in BETTER else stderr_class(case["stderr"])
    assert (ended.exit_code, ended.stderr_class) == (case["rc"], voice)
    left = {path.partition("/")[0]: text.encode("latin-1") for path, text in ended.files.items()}
    recorded = recorded_files(case)
    if case["case"] in BETTER:
        assert left.pop("mess") != recorded.pop("mess")
    assert left == recorded


def test_recordings_are_whole() -> None:
    """51 calls and 20 with plugins and arguments; each is made again below."""
    assert (len(CASES), len(PLUGIN_CASES)) == (51, 20)


@pytest.mark.parametrize("case", as_params(CASES))
def test_recorded_call(case: dict[str, Any], rerun: Rerun, stderr_class: Callable[[str], str]) -> None:
    """Same exit code, same files in the queue, octet for octet, and the same voice on descriptor 2."""
    if case["case"] == "clamdscan not-root no fdpass" and os.geteuid() != 0:
        pytest.skip("only root can run clamd as a user that may not read the queue")

    compare(case, rerun(case), stderr_class)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="plugins are C: gcc is not installed")
@pytest.mark.parametrize("case", as_params(PLUGIN_CASES))
def test_recorded_call_with_plugin_or_arguments(
    case: dict[str, Any], rerun: Rerun, home: Path, stderr_class: Callable[[str], str]
) -> None:
    """The same for plugins, and for commands with quotes, tabs, backslashes and variables."""
    has_generic = "generic.so" in case["env"]["QHPSI"]  # by then it had been copied to where qhpsi looks

    ended = rerun(case if not has_generic else {**case, "env": {"PLUGINDIR": "with-generic", **case["env"]}})

    compare(case, ended, stderr_class)


@pytest.mark.parametrize("name", ["fds", "fds uid 30001"])
def test_scanner_inherits_neither_envelope_nor_writable_message(name: str, rerun: Rerun, scan_directory: Path) -> None:
    """The recorded scanner had the envelope on fd 1 and the message, open for writing, on fd 3; ours reads it, on 0."""
    (case,) = (case for case in PLUGIN_CASES if case["case"] == name)

    ended = rerun(case)

    seen = (scan_directory / "fds.seen").read_text(encoding="utf-8").splitlines()
    others = [target for target in seen if target != str(scan_directory / "fds")]
    assert (ended.exit_code, "/mess/" in others[0], {target.partition(":")[0] for target in others[1:]}) == (
        0,
        True,
        {"pipe", str(scan_directory / "fds.seen")},
    )


def test_scanner_cannot_change_the_message(rerun: Rerun) -> None:
    """The recorded scanner appended a line through fd 3; here there is no such descriptor."""
    (case,) = (case for case in PLUGIN_CASES if case["case"] == "scanner writes fd 3")

    ended = rerun(case)

    (recorded,) = (text for path, text in case["files"].items() if path.startswith("mess/"))
    (mess,) = ended.of_kind("mess")
    assert recorded == mess + "APPENDED-BY-SCANNER\n"


def test_scanner_cannot_read_the_envelope(rerun: Rerun) -> None:
    """The script that ate the envelope from fd 1 (exit code 54) finds nothing there, and the message is queued."""
    ended = rerun({**CASES[0], "env": {"QHPSI": "/opt/lab/scan/steal"}})

    assert (ended.exit_code, [text.endswith("eX-QHPSI: clean\n\0") for text in ended.of_kind("todo")]) == (0, [True])
