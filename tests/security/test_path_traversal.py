"""Attack: a message number that is a path. It must not lead out of the queue, whatever it looks like.

Source: table of threats, "Path traversal by queue id": a number is its digits, paths are made from numbers only.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from indimail_kit.errors import KitError
from indimail_kit.lab.corpus import make_queue
from indimail_kit.mailqueue import open_queues
from indimail_kit.mailqueue.layout import QueueLayout

CANARY = "this stands outside of the queue"

_UP = (
    "../",
    "..%2f",
    "..\\",
    "....//",
    "%2e%2e/",
    "..;/",
    "．．/",
    "..%c0%af",
    "./../",
    "1/../../",
    "\u2024\u2024/",
    "/",
)
_TARGETS = ("secret", "outside/secret", "../outside/secret", "../../outside/secret", "etc/passwd", "lock/trigger")
_TAILS = ("", "\0", "\0.txt", "%00", "/", "/.", "#", " ", "\n")
_ODD = (
    *("", " ", ".", "..", "/", "//", "-", "-1", "+1", "01", "0x10", "1e3", "1.0", "1,000", "１２", "٣", "²", "½", "Ⅳ"),
    *("1 ", " 1", "1\n", "1\0", "1/2", "mess", "lock", "lock/sendmutex", "~", "~root", "$HOME", "`id`", "$(id)", ";id"),
    *(
        "|id",
        "&",
        "*",
        "?",
        "[0-9]*",
        "{1,2}",
        "con",
        "nul",
        "file:///etc/passwd",
        "\\\\host\\share",
        "1" * 21,
        "9" * 400,
    ),
    *(
        str(2**64),
        str(2**64 + 1),
        str(2**128),
        "1_000",
        "0b1",
        "0o7",
        "NaN",
        "inf",
        "True",
        "None",
        "\ud800",
        "\u202e1",
    ),
)


def hostile_ids() -> list[str]:
    """Return the ids, each once."""
    paths = [
        up * times + target + tail for up, target, tail in itertools.product(_UP, _TARGETS, _TAILS) for times in (1, 3)
    ]
    return list(dict.fromkeys((*_ODD, *paths)))


IDS = hostile_ids()
VERBS = [
    ["queue", "show"],
    ["queue", "scan", "--scanner", "embedded"],
    ["queue", "repair", "--trash"],
    ["queue", "repair", "--hold"],
    ["queue", "repair", "--release"],
    ["queue", "repair", "--expire"],
]
"""Words before the number; a verb whose number is an option ends with it."""


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> QueueLayout:
    """Make a queue, and something outside of it, where the ids lead."""
    place = tmp_path_factory.mktemp("traversal")
    (place / "outside").mkdir()
    for path in (place / "secret", place / "outside" / "secret", place / "outside" / "passwd"):
        path.write_text(CANARY, encoding="utf-8")
    return make_queue(place / "queue1", messages=4, seed=1, split=3).layout


def test_at_least_five_hundred_ids_are_tried() -> None:
    """The table of threats asks for five hundred."""
    assert len(IDS) >= 500


def test_queue_number_cannot_leave_the_queue(queue: QueueLayout, sweep_size: str) -> None:
    """No verb opens, lists, makes or removes anything outside, shows anything from there, or ends in a traceback."""
    before = {path: path.stat().st_mtime_ns for path in Path(queue.directory).parent.rglob("*")}
    ids = IDS if sweep_size == "full" else IDS[: len(_ODD)] + IDS[len(_ODD) :: 20]
    known = str(open_queues(queue.directory).snapshot().messages[0].message_number)
    task = {"queue": str(queue.directory), "ids": ids, "known": known, "verbs": VERBS, "canary": CANARY}
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("opened_paths.py")],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    after = {path: path.stat().st_mtime_ns for path in Path(queue.directory).parent.rglob("*")}
    print(f"{len(ids)} ids, {len(VERBS)} verbs: exit codes {found['ends']}, {found['opened']} paths opened")

    assert (found["outside"], found["leaked"]) == ([], False)
    assert set(found["ends"]) <= {"2", "3"}
    assert sum(found["ends"].values()) == len(ids) * len(VERBS) >= 500
    assert after == before


@pytest.mark.parametrize("number", [-1, -(10**30), "../../outside/secret", b"1", 1.5, None, True], ids=repr)
def test_path_is_made_from_numbers_only(queue: QueueLayout, number: object) -> None:
    """From Python, too, a path below the queue comes out, or an error; never a path that leads away."""
    try:
        path = queue.path("mess", number)  # type: ignore[arg-type]
    except (KitError, TypeError, ValueError):
        return
    assert Path(queue.directory) in path.resolve().parents
    assert path.name.isdecimal()
