"""The 43 recorded calls of qmail-queue, qmail-multi and qmail-nullqueue: same exit code, todo records and files left.

Beside them the recorded QHPSI calls, as far as they show what qmail-queue writes when the scan has spoken.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.mailqueue import SyncPolicy, create_queue, enqueue
from indimail_kit.mailqueue.layout import KINDS
from indimail_kit.mailqueue.values import NotScanned

DATA = Path(__file__).parent.parent / "data" / "indimail"
CALLS: list[dict[str, Any]] = json.loads((DATA / "queue" / "qmail-queue-exit-codes.json").read_text(encoding="utf-8"))

LONG = {
    "sender 1002": b"F" + b"a" * 1002 + b"\0Tc@d\0\0",
    "sender 1003": b"F" + b"a" * 1003 + b"\0Tc@d\0\0",
    "sender 1004": b"F" + b"a" * 1004 + b"\0Tc@d\0\0",
    "too long custom error": b"F" + b"a" * 1004 + b"\0Tc@d\0\0",
    "rcpt 1002": b"Fa@b\0T" + b"a" * 1002 + b"\0\0",
    "rcpt 1003": b"Fa@b\0T" + b"a" * 1003 + b"\0\0",
}
"""Envelopes that the listing cuts after 80 octets."""

LISTED_TODO_CHARS = 200
"""Where the listing cuts a todo file."""

MESSAGES = {"empty message": b"", "message without final newline": b"Subject: x\n\nhi"}
"""Messages of the cases that have their own; the others have the one of the recorded mess file."""

RECORDED_NS = 1_795_357_659 * 10**9
"""The recorded date: Sun, 22 Nov 2026 14:27:39 +0000."""

Run = Callable[[dict[str, Any]], dict[str, Any]]

MESS_WITH_IP = (
    b"Received: indimail-mta queue 12093 by host vm\n"
    b" (invoked from network 10.1.1.1, by uid 0); Sun, 22 Nov 2026 14:27:39 +0000\n"
    b"X-Originating-IP: 10.1.1.1\nSubject: x\n\nhi\n"
)
"""The mess file of the case ORIGINIPFIELD, as listed in qmail-queue-exit-codes.txt."""


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a base with one default queue: 919 directories are made once."""
    base = tmp_path_factory.mktemp("base")
    create_queue(base / "queue1")
    (base / "no-pid").mkdir()
    return base


@pytest.fixture
def base(made_once: Path) -> Iterator[Path]:
    """Return the base; its queue is empty before and after."""
    yield made_once
    for kind in KINDS:
        for path in (made_once / "queue1" / kind).rglob("*"):
            if path.is_file():
                path.unlink()


@pytest.fixture
def run(base: Path, program: Callable[..., Any]) -> Run:
    """Return a function that makes a recorded call and describes its end as the recorder did."""

    def make(call: dict[str, Any]) -> dict[str, Any]:
        directories = {"/nonexistent": base / "nonexistent", "/var/indimail": base / "no-pid"}
        environ = {"QUEUE_BASE": str(base), "QUEUE_COUNT": "1"} | call["env"]
        if "QUEUEDIR" in environ:
            environ["QUEUEDIR"] = str(directories[environ["QUEUEDIR"]])
        closed_fd = os.open(os.devnull, os.O_WRONLY)  # as good as closed: it cannot be read
        try:
            ended = program(
                environ,
                closed_fd if call["case"] == "fd 0 closed" else MESSAGES.get(call["case"], b"Subject: x\n\nhi\n"),
                LONG.get(call["case"], call["envelope"].encode("latin-1")),
                base / "queue1",
                program=call["prog"].rpartition("/")[2],
                sync="indimail",
                qp=int((call["todo"] or ["u0\0p1\0"])[0].split("\0")[1][1:]),
                uid=0,
                clock=lambda: RECORDED_NS,
            )
        finally:
            os.close(closed_fd)
        split = [path.split("/") for path in ended.files if path.count("/") == 2]  # where the recorder looked
        todo = [text[:LISTED_TODO_CHARS] for path, text in ended.files.items() if path.startswith("todo/")]
        has_split_todo = any(kind == "todo" for kind, _, _ in split)
        return {
            "rc": ended.exit_code,
            "todo": todo if has_split_todo else [],
            "left": sorted(kind for kind, _, _ in split),
            "stderr": ended.stderr_class,
        }

    return make


def test_recording_is_whole() -> None:
    """43 calls, and each is made again below."""
    assert (len(CALLS), len({call["case"] for call in CALLS})) == (43, 43)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call["case"])
def test_recorded_call(call: dict[str, Any], run: Run, stderr_class: Callable[[str], str]) -> None:
    """Exit code, todo records, files left and who speaks on descriptor 2 are those of the real program.

    BIGTODO=0 on a queue with split directories: qmail-queue believes the variable and writes intd/N and todo/N flat,
    where the recorder, which looked into the sub-directories, did not see them.
    """
    recorded = {key: call[key] for key in ("rc", "todo", "left")}
    assert run(call) == {**recorded, "stderr": stderr_class(call["stderr"])}


def test_bigtodo_0_writes_flat_intd_and_todo(base: Path, run: Run) -> None:
    """The other half of the recorded case "BIGTODO=0"."""
    (call,) = (call for call in CALLS if call["case"] == "BIGTODO=0")
    run(call)
    flat = [path for kind in ("intd", "todo") for path in (base / "queue1" / kind).iterdir() if path.is_file()]
    assert [path.read_bytes() for path in flat] == [b"u0\0p1\0Fa@b\0Tc@d\0"] * 2


def test_confsplit_lowers_the_split(base: Path, run: Run) -> None:
    """CONFSPLIT=23: every file lies in number mod 23."""
    (call,) = (call for call in CALLS if call["case"] == "CONFSPLIT=23")
    run(call)
    files = [path for kind in ("mess", "intd", "todo") for path in (base / "queue1" / kind).glob("*/*")]
    assert [path.parent.name for path in files] == [str(int(path.name) % 23) for path in files]


def test_mess_file_with_originating_ip(base: Path, run: Run) -> None:
    """The one recorded mess file, octet for octet."""
    (call,) = (call for call in CALLS if call["case"] == "ORIGINIPFIELD")
    run(call)
    (mess,) = (base / "queue1").glob("mess/*/*")
    assert mess.read_bytes() == MESS_WITH_IP


QHPSI_CALLS = [call for call in json.loads((DATA / "qhpsi" / "qhpsi-cases.json").read_text()) if call["rc"] == 0]


def recorded_file(call: dict[str, Any], kind: str) -> str | None:
    """Return the text of a recorded file of a kind."""
    return next((text for path, text in call["files"].items() if path.startswith(f"{kind}/")), None)


def recorded_outcome(call: dict[str, Any]) -> NotScanned:
    """Return what the scan of a recorded call said, read from its header and environment."""
    todo = recorded_file(call, "todo")
    is_infected = todo is None or "X-QHPSI: Virus found\n" in todo
    is_clean = todo is not None and "X-QHPSI: clean\n" in todo
    return NotScanned(
        header=b"X-QHPSI: Virus found\n" if is_infected else b"X-QHPSI: clean\n" if is_clean else b"",
        is_swallowed=is_infected and call["env"].get("REJECTVIRUS") == "2",
        forward_to=call["env"].get("VIRUSFORWARD", "") if is_infected else "",
    )


@pytest.mark.parametrize("call", QHPSI_CALLS, ids=lambda call: f"{call['case']}-{call['message']}")
def test_recorded_call_after_its_scan(call: dict[str, Any], tmp_path: Path) -> None:
    """Given what the scan said, todo is the recorded one: order of T and e, X-Quarantine-ID, VIRUSFORWARD, QQEH."""
    layout = create_queue(tmp_path / "queue1", split=1)
    final = b"Q" if call["case"] == "envelope Q byte" else b"\0"
    recipients = b"Talice@local.test\0" + (b"" if final == b"Q" else b"Tbob@local.test\0")
    queued = enqueue(
        b"body\n",
        b"Fann@local.test\0" + recipients + final,
        layout=layout,
        environ=call["env"],
        qp=call["pid"],
        uid=call["uid"],
        scan=lambda _mess_path, **_: recorded_outcome(call),
        sync=SyncPolicy.from_environ(call["env"]),
    )
    todo = [path.read_bytes().decode("latin-1") for path in layout.directory.glob("todo/*/*")]
    recorded = recorded_file(call, "todo")
    assert (todo, queued.is_swallowed) == ([recorded] if recorded else [], recorded is None)
