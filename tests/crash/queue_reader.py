"""Read a queue as the manuals say it is, without a line of the kit: the judge of the crash tests.

Source: facts about IndiMail's queue: conf-split, queue-fix.c, fmtqfn.c (names), recorded trees (records), INTERNALS
(states).
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

SPLIT_KINDS = ("mess", "intd", "todo", "info", "local", "remote")
NUMBER = re.compile(r"[1-9][0-9]*")

MODES = {"mess": 0o644, "intd": 0o644, "todo": 0o644, "info": 0o600, "local": 0o600, "remote": 0o600, "bounce": 0o600}
"""Kind -> mode of its files. Source: recorded trees."""

STATES = {
    "S2": ({"mess"}, set()),
    "S3": ({"mess", "intd"}, set()),
    "S4": ({"mess", "todo"}, {"intd", "info", "local", "remote"}),
    "S5": ({"mess", "info"}, {"local", "remote", "bounce"}),
}
"""State -> kinds that must be there, kinds that may be there. Source: INTERNALS, section 2."""

TODO = re.compile(rb"u[0-9]+\0p[0-9]+\0F[^\0]*\0(?:T[^\0]*\0)*(?:e(?:[^\0]*\n)\0)?(?:h[^\0]*\0)?")
INFO = re.compile(rb"F[^\0]*\0(?:e(?:[^\0]*\n)\0)?(?:h[^\0]*\0)?")
CHANNEL = re.compile(rb"(?:[TD][^\0]*\0)+")
BOUNCE = re.compile(rb"(?:<[^\n]*>:\n(?:[^\n]+\n)*\n)*")
GRAMMARS = {"todo": TODO, "info": INFO, "local": CHANNEL, "remote": CHANNEL, "bounce": BOUNCE}
"""Kind -> grammar of a finished file."""


@dataclass
class Message:
    """The files of one message: kind -> octets; state "" where they fit none."""

    number: int
    files: dict[str, bytes] = field(default_factory=dict)
    statuses: dict[str, os.stat_result] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """Return the state that the files prove, or ""."""
        kinds = set(self.files)
        return next((name for name, (must, may) in STATES.items() if must <= kinds <= must | may), "")


@dataclass
class Reading:
    """A queue: its messages by number, the names in pid, and what is wrong with it, a sentence each."""

    messages: dict[int, Message]
    pid_files: list[str]
    faults: list[str]

    def states(self) -> list[str]:
        """Return the states of the messages, sorted."""
        return sorted(message.state or "none" for message in self.messages.values())


def read_queue(directory: Path, split: int) -> Reading:
    """Read a queue whose intd and todo are split too."""
    messages: dict[int, Message] = {}
    faults: list[str] = []
    for kind in (*SPLIT_KINDS, "bounce"):
        parts = [str(part) for part in range(split)] if kind in SPLIT_KINDS else [""]
        if kind in SPLIT_KINDS and sorted(names_in(directory / kind)) != sorted(parts):
            faults.append(f"{kind} holds more than its sub-directories")
        for part in parts:
            for name in sorted(names_in(directory / kind / part)):
                path = directory / kind / part / name
                status = path.lstat()
                if not NUMBER.fullmatch(name) or not stat.S_ISREG(status.st_mode):
                    faults.append(f"{kind}/{part}/{name} is no message's")
                    continue
                if part and int(name) % split != int(part):
                    faults.append(f"{kind}/{part}/{name} lies in the wrong directory")
                message = messages.setdefault(int(name), Message(int(name)))
                message.files[kind], message.statuses[kind] = path.read_bytes(), status
    for message in messages.values():
        faults += _look_at(message)
    return Reading(messages, sorted(names_in(directory / "pid")), faults)


def names_in(directory: Path) -> list[str]:
    """Return the names in a directory."""
    return [path.name for path in directory.iterdir()]


def _look_at(message: Message) -> list[str]:
    """Return what is wrong with the files of one message."""
    number, files, statuses = message.number, message.files, message.statuses
    faults = []
    if not message.state:
        faults.append(f"{number} has {'+'.join(sorted(files))}, which is no state")
    if "mess" in files and statuses["mess"].st_ino != number:
        faults.append(f"mess/{number} has inode {statuses['mess'].st_ino}")
    if "intd" in files and "todo" in files and statuses["intd"].st_ino != statuses["todo"].st_ino:
        faults.append(f"intd/{number} and todo/{number} are two files")
    for kind, grammar in GRAMMARS.items():
        # While todo is there info, local and remote are being written, and are written anew after a crash.
        is_finished = kind in files and not (message.state == "S4" and kind != "todo")
        if is_finished and not grammar.fullmatch(files[kind]):
            faults.append(f"{kind}/{number} breaks its grammar: {files[kind][:60]!r}")
    for kind, status in statuses.items():
        # Before todo is linked a file may have the mode that the umask left it.
        if message.state not in ("S2", "S3") and stat.S_IMODE(status.st_mode) != MODES[kind]:
            faults.append(f"{kind}/{number} has mode {stat.S_IMODE(status.st_mode):o}")
    return faults
