"""Calls verbs with hostile message numbers in a process of its own, and writes down what is opened meanwhile.

Standard input: ``{"queue": DIR, "ids": [...], "verbs": [[words before the number], ...]}``; standard output: a document
with what was opened, removed or renamed outside the queue, and how the calls ended. An audit hook cannot be taken away
again, so it has a process of its own.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from indimail_kit.admin.queue_deeds import held_directory
from indimail_kit.cli import main

EVENTS = ("open", "os.listdir", "os.scandir", "os.remove", "os.rename", "os.link", "os.symlink", "os.mkdir", "os.rmdir")
"""Audit events with a path."""


def run() -> dict[str, object]:
    """Do it."""
    task = json.load(sys.stdin)
    root = os.path.realpath(task["queue"])
    seen: list[str] = []
    ends: dict[str, int] = {}
    texts: list[str] = []
    is_watching = False

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if is_watching and event in EVENTS and isinstance(arguments[0], str | bytes | os.PathLike):
            seen.append(os.fsdecode(arguments[0]))

    sys.addaudithook(watch)
    for words in task["verbs"]:
        call(words, task["known"], root)  # modules are imported here
    for words in task["verbs"]:
        for one in task["ids"]:
            is_watching = True
            result = call(words, one, root)
            is_watching = False
            if not (result.exception is None or isinstance(result.exception, SystemExit)):
                raise RuntimeError(f"{words} {one!r}") from result.exception
            ends[str(result.exit_code)] = ends.get(str(result.exit_code), 0) + 1
            texts.append(result.output)
    held = held_directory(Path(root)).split("/")
    steps = zip(seen, [*seen[1:], ""], strict=True)
    # Held messages lie beside the queue: the one step up that is allowed goes on into their directory.
    outside = sorted({path for path, then in steps if is_outside(path, root) and [path, then] != held[:2]})
    return {"outside": outside, "opened": len(seen), "ends": ends, "leaked": task["canary"] in "".join(texts)}


def call(words: list[str], number: str, root: str) -> Any:
    """Call a verb."""
    return CliRunner().invoke(main, [*words, "--queue", root, "--", number] if words[-1][:2] != "--" else
                              [*words, number, "--queue", root])  # fmt: skip


def is_outside(path: str, root: str) -> bool:
    """Say whether a path leads out of the queue; a name alone is one beneath a descriptor."""
    if "/" not in path and path not in ("..", "."):
        return False
    inside = os.path.realpath(root + "/" + path if path[0] != "/" else path)
    return ".." in path.split("/") or not (inside == root or inside.startswith((f"{root}/", "/proc/", sys.prefix)))


if __name__ == "__main__":
    json.dump(run(), sys.stdout)
