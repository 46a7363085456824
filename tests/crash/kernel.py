"""What strace says of a process, in the words of `faults`: so that the two can be compared, and faults be placed.

Source: strace(1), options -f, -y, -e inject.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "/the deed begins", "/the deed has ended"
"""Names that a process asks for before and after what is compared."""

TRACED = (
    "openat,newfstatat,fstat,lstat,stat,statx,link,linkat,unlink,unlinkat,rename,read,pread64,write,pwrite64,writev,fsync,"
    "fdatasync,ftruncate,close,fadvise64,getdents64,lseek,fchmod,fchown,mkdir,utimensat,flock,pipe2,faccessat,access,statfs"
)
"""System calls that are looked at."""

WORDS = {
    "openat": "open",
    "newfstatat": "stat",
    "statx": "stat",
    "linkat": "link",
    "unlinkat": "unlink",
    "pread64": "pread",
    "pwrite64": "pwrite",
    "getdents64": "getdents",
    "utimensat": "utime",
    "faccessat": "access",
    "fadvise64": "posix_fadvise",
}
"""The kernel's name -> the name in `os`."""

_LINE = re.compile(r"^\d+ +(?:<\.\.\. )?(\w+)\((.*)$")
_FD = re.compile(r"^\d+<([^>]*)>(\(deleted\))?")
_PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>(?:\(deleted\))?, )?"((?:[^"\\]|\\.)*)"')
"""A name, with the directory that it starts from."""


@dataclass(frozen=True)
class KernelCall:
    """One call as strace saw it.

    Attributes:
        syscall: The kernel's name.
        ordinal: It is the n-th of this name in the whole process, from 1.
        text: In the words of `faults`: "link mess/1/77".
        is_injected: Whether strace made it fail.
    """

    syscall: str
    ordinal: int
    text: str
    is_injected: bool


def parse(log: str, roots: Sequence[str]) -> list[KernelCall]:
    """Read strace's log; targets are paths below the first root that they are below."""
    calls = []
    seen: Counter[str] = Counter()
    for line in log.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        syscall, rest = match[1], match[2]
        seen[syscall] += 1
        word, target = _understand(syscall, rest)
        text = f"{word} {_shorten(target, roots)}"
        calls.append(KernelCall(syscall, seen[syscall], text, "(INJECTED)" in rest))
    return calls


def _understand(syscall: str, rest: str) -> tuple[str, str]:
    """Return the word and the target of a call."""
    word = WORDS.get(syscall, syscall)
    fd = _FD.match(rest)
    if syscall == "newfstatat" and "AT_EMPTY_PATH" in rest and fd:
        return "fstat", fd[1]
    if syscall == "newfstatat" and "AT_SYMLINK_NOFOLLOW" in rest:
        word = "lstat"
    is_path = word in ("open", "stat", "lstat", "link", "unlink", "rename", "mkdir", "access", "utime")
    paths = [_join(directory, name) for directory, name in _PATH.findall(rest)] if is_path else []
    if not paths:
        return word, fd[1] if fd else ""
    return word, paths[1] if word in ("link", "rename") and len(paths) > 1 else paths[0]


def _join(directory: str, name: str) -> str:
    return name if name.startswith("/") or not directory else f"{directory}/{name}"


def _shorten(target: str, roots: Sequence[str]) -> str:
    for root in roots:
        if target == root:
            return "."
        target = target.removeprefix(f"{root}/")
    return target


def read_log(path: Path, roots: Sequence[str]) -> list[KernelCall]:
    """Read a log of strace -f -y."""
    return parse(path.read_text("utf-8", "backslashreplace"), roots)


def simplify(calls: Sequence[str]) -> list[str]:
    """Return calls as the wrapper and the kernel must agree on them.

    Numbers become N, and what is outside the house is left out. A look into a directory is one call "scandir"; repeated
    reads and looks at one open file are one (Python's two implementations of `open` differ there), and positions are
    not compared.
    """
    plain: list[str] = []
    for call in calls:
        text = re.sub(r"/[0-9]+(?=/|$)", "/N", re.sub(r"[0-9]{4,}.*", "N", call))
        if _OUTSIDE.match(text):
            continue
        if text.startswith(("lseek ", "pipe2 ")) or (plain and plain[-1] == text and text.startswith(REPEATED)):
            continue
        if text.startswith("scandir ") and plain and plain[-1] == text.replace("scandir", "open", 1):
            plain.pop()  # a directory that was opened first, and is looked into by its descriptor
        plain.append(text)
    return plain


_OUTSIDE = re.compile(r"\w+ (?:/|pipe:|socket:|closed|anon_inode:|$)")

REPEATED = ("read ", "fstat ", "getdents ")


def fold_directories(calls: Sequence[KernelCall]) -> list[str]:
    """Return the calls with open, fstat, getdents …, close of a look into a directory as "scandir" and "getdents"."""
    folded: list[str] = []
    place = 0
    while place < len(calls):
        call = calls[place]
        name = call.text.partition(" ")[2]
        if [one.text for one in calls[place + 1 : place + 3]] == [f"fstat {name}", f"getdents {name}"]:
            folded += [f"scandir {name}", f"getdents {name}"]
            while not calls[place].text.startswith("close "):
                place += 1
        else:
            folded.append(call.text)
        place += 1
    return folded


def between_marks(calls: Sequence[KernelCall]) -> Sequence[KernelCall]:
    """Return the calls of the deed."""
    marks = [place for place, call in enumerate(calls) if call.text in (f"access {BEGIN}", f"access {END}")]
    return calls[marks[0] + 1 : marks[1]]
