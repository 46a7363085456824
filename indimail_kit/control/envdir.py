"""A service's variables directory: one file a variable, read as IndiMail's envdir reads it, written without a gap.

Source: IndiMail libqmail envdir.c `envdir()`, `process_dot_envfile()`, `process_dot_envdir()`; envdir(8); svctool.sh
(how services write them); answers recorded in tests/data/indimail/tools/envdir.txt.

Note for maintainers: what a file says::

    first line, trailing blanks and tabs removed      the value; a NUL in it becomes a line end
    a line end alone                                  the value ""
    nothing at all (0 octets)                         the variable is unset
    a name that begins with a dot                     skipped, but for .envdir and .envfile

``.envfile`` (VAR=value lines) counts first, then ``.envdir`` (a directory, a link to one, or a file that lists some),
then the directory itself: the later one wins.

Rule 1: reading changes nothing and never waits: a FIFO without a writer is an empty file.
Rule 2: a writer makes a dot file and renames it, so that a reader sees the old value or the new one.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from indimail_kit.control.files import problem_of, read_beginning, replace_file
from indimail_kit.errors import EnvdirError

MAX_VARIABLE_BYTES: Final = 128 * 1024
"""Longest NAME=value that Linux hands to a program (unit: octets, NUL included). Source: execve(2), MAX_ARG_STRLEN."""

MAX_DIRECTORIES: Final = 64
"""Most directories that one reading follows through .envdir; ours, against endless chains."""

_MAX_LIST_BYTES: Final = 2**20
_VARIABLE_MODE: Final = 0o644


@dataclass(frozen=True, slots=True)
class EnvdirResult:
    """What a variables directory does to the environment; a name is in one of the two, never in both.

    Attributes:
        environment: Variables that are set, in the order in which they were found.
        unset: Variables that are removed.
        unreadable: Files that were left out because they could not be read (only with ignores_unreadable).
        files: Variable, set or unset -> path of the file that had the last word.
    """

    environment: dict[str, str] = field(repr=False)
    unset: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict, repr=False, compare=False)


def read_envdir(directory: str | Path, *, ignores_unreadable: bool = False) -> EnvdirResult:
    """Read a variables directory.

    Args:
        directory: The directory; a link to one is followed.
        ignores_unreadable: Leave out what cannot be read (envdir -i) instead of refusing the whole directory.

    Raises:
        EnvdirError: The directory or a file cannot be read, a variable is a directory, or a value is too long.

    Deviation:
        A path in ``.envdir`` that is not absolute begins at the directory that holds it (in the program: where that was
        started). A file that vanishes while the directory is read is not there (in the program: a fatal error).
    """
    reader = _Reader(ignores_unreadable=ignores_unreadable)
    reader.read_directory(Path(directory))
    environment = {name: value for name, (value, _path) in reader.final.items() if value is not None}
    unset = tuple(name for name, (value, _path) in reader.final.items() if value is None)
    files = {name: str(path) for name, (_value, path) in reader.final.items()}
    return EnvdirResult(environment, unset, tuple(reader.unreadable), files)


def apply(environ: Mapping[str, str], result: EnvdirResult) -> dict[str, str]:
    """Return the environment of a program that envdir starts; environ itself stays as it is."""
    kept = {name: value for name, value in environ.items() if name not in result.unset}
    return kept | result.environment


def write_variable(directory: str | Path, name: str, value: str | None) -> None:
    """Write or remove a variable; a reader sees the old value or the new one, never half of one.

    Args:
        directory: The variables directory; it must exist.
        name: Variable; no ``=`` and no ``/`` in it, no dot at its beginning.
        value: Its value, "" for an empty one, None to remove the file. A line end in it is kept as NUL.

    Raises:
        EnvdirError: The name or value cannot be kept in such a file, or the directory cannot be written.
    """
    write_octets(directory, name, None if value is None else encode_value(value))


def write_octets(directory: str | Path, name: str, octets: bytes | None) -> None:
    """Write a variable's file as it shall be, or remove it with None; otherwise as `write_variable`.

    Raises:
        EnvdirError: The name cannot be a variable's, or the directory cannot be written.
    """
    check_name(name)
    target = Path(directory) / name
    try:
        if octets is None:
            target.unlink(missing_ok=True)
        else:
            replace_file(target, octets, mode=_VARIABLE_MODE)
    except (OSError, ValueError) as error:
        problem = problem_of(error)
    else:
        return
    raise EnvdirError(f"a variables directory that can be written ({problem})", source=str(target))


def decode_value(octets: bytes) -> str | None:
    r"""Return the value that a file's octets mean, None for "unset".

    Example:
        >>> decode_value(b"/usr/bin/clamdscan %s --quiet  \nmore\n"), decode_value(b"\n"), decode_value(b"")
        ('/usr/bin/clamdscan %s --quiet', '', None)
    """
    if not octets:
        return None
    line = octets.partition(b"\n")[0].rstrip(b" \t")
    return os.fsdecode(line.replace(b"\0", b"\n"))


def encode_value(value: str) -> bytes:
    """Return the octets of a file that gives this value.

    Raises:
        EnvdirError: No file gives it.
    """
    if "\0" in value:
        raise EnvdirError("a value without NUL")
    if value.endswith((" ", "\t")):
        raise EnvdirError("a value without blanks or tabs at its end, which envdir would remove")
    with contextlib.suppress(UnicodeEncodeError):
        octets = os.fsencode(value)
        if len(octets) >= MAX_VARIABLE_BYTES:
            raise EnvdirError(f"a value of less than {MAX_VARIABLE_BYTES} octets")
        return octets.replace(b"\n", b"\0") + b"\n"
    raise EnvdirError("a value without lone surrogates")


class _Reader:
    """One run of envdir: what was found so far, and which directories were visited."""

    def __init__(self, *, ignores_unreadable: bool) -> None:
        self.final: dict[str, tuple[str | None, Path]] = {}
        self.unreadable: list[str] = []
        self._ignores_unreadable = ignores_unreadable
        self._visited: set[tuple[int, int]] = set()

    def read_directory(self, directory: Path) -> None:
        """Read a directory, its .envfile and .envdir first; one that was visited before is left out."""
        if not self._enter(directory):
            return
        self._read_dot_envfile(directory / ".envfile")
        self._read_dot_envdir(directory / ".envdir")
        for name in _list_names(directory):
            octets = self._read_file(directory / name, limit_bytes=MAX_VARIABLE_BYTES)
            if octets is not None:
                self._note(name, decode_value(octets), directory / name)

    def _enter(self, directory: Path) -> bool:
        """Note a directory as visited; False when it was visited before."""
        status = _stat_directory(directory)
        if (status.st_dev, status.st_ino) in self._visited:
            return False
        self._visited.add((status.st_dev, status.st_ino))
        if len(self._visited) > MAX_DIRECTORIES:
            raise EnvdirError(f"at most {MAX_DIRECTORIES} directories", source=str(directory))
        return True

    def _note(self, file_name: str, file_value: str | None, path: Path) -> None:
        """Set or unset a variable; a name with ``=`` is divided there, as pathexec_env() and execve() do."""
        name, equals, rest = file_name.partition("=")
        value = file_value
        if equals:
            value = rest if file_value is None else f"{rest}={file_value}"
        if not name:
            return  # no program can look such a variable up
        if len(os.fsencode(f"{name}={value or ''}")) >= MAX_VARIABLE_BYTES:
            raise EnvdirError(f"less than {MAX_VARIABLE_BYTES} octets in a variable", source=name)
        self.final.pop(name, None)
        self.final[name] = (value, path)

    def _read_dot_envfile(self, path: Path) -> None:
        """Read VAR=value lines; as in the program a NUL ends the first line, and in a later one the file."""
        if not os.path.lexists(path) or path.is_dir():
            return
        first, line_end, others = (self._read_file(path) or b"").partition(b"\n")
        for line in _ended_lines(first.replace(b"\0", b"\n") + line_end + others.partition(b"\0")[0]):
            text = line.lstrip(b" \t\r\v\f")
            if text and not text.startswith(b"#"):
                name, equals, value = text.partition(b"=")
                self._note(os.fsdecode(name), os.fsdecode(value) if equals else None, path)

    def _read_dot_envdir(self, path: Path) -> None:
        """Read the directory .envdir, or those that the file .envdir lists."""
        if not os.path.lexists(path):
            return
        if path.is_dir():
            self.read_directory(path)
            return
        for line in _ended_lines(self._read_file(path) or b""):
            self.read_directory(path.parent / os.fsdecode(line))

    def _read_file(self, path: Path, *, limit_bytes: int = _MAX_LIST_BYTES) -> bytes | None:
        """Return the octets of a file; None when it is left out or has vanished."""
        try:
            return read_beginning(path, limit_bytes)
        except OSError as error:
            problem = problem_of(error)
            if isinstance(error, FileNotFoundError) and not os.path.lexists(path):
                return None
        if not self._ignores_unreadable:
            raise EnvdirError(f"a file that can be read ({problem})", source=str(path))
        self.unreadable.append(str(path))
        return None


def _stat_directory(directory: Path) -> os.stat_result:
    """Return the status of a directory, links followed."""
    try:
        return directory.stat()
    except (OSError, ValueError) as error:
        problem = problem_of(error)
    raise EnvdirError(f"a directory that can be read ({problem})", source=str(directory))


def _list_names(directory: Path) -> list[str]:
    """Return the names in a directory that do not begin with a dot, sorted."""
    try:
        return sorted(path.name for path in directory.iterdir() if not path.name.startswith("."))
    except OSError as error:
        problem = problem_of(error)
    raise EnvdirError(f"a directory that can be read ({problem})", source=str(directory))


def _ended_lines(octets: bytes) -> list[bytes]:
    """Return the lines that have an end, without it; the program does not see another one."""
    return octets.split(b"\n")[:-1]


def check_name(name: str) -> None:
    """Refuse a name that no variable file can have.

    Raises:
        EnvdirError: It is one.
    """
    is_file_name = bool(name) and not set(name) & {"/", "=", "\0"} and not name.startswith(".")
    if not is_file_name:
        raise EnvdirError("a variable's name without '=', '/' and NUL, and without a dot in front")
