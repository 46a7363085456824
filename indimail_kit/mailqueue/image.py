"""What a queue holds at one moment, as values: the files of a few messages, whole, and the mailboxes beside it.

A real queue with thousands of messages is looked at by `snapshot`; an image is for one lesson, one tape, one crash.

Source: qmail's INTERNALS section 2; link(2): a file is its inode, and a name is only a way to it.

Rule 1: values, and two deeds: `take_image` reads and changes nothing, `write_image` writes into a new queue only.
Rule 2: nothing below lock/ is looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import BUG, CHDIR, MESS_FILE, WRITE
from indimail_kit.mailqueue.beneath import NUMBER, open_below, opened_directory
from indimail_kit.mailqueue.layout import KINDS, QueueLayout, create_queue
from indimail_kit.mailqueue.states import QueueState, state_of

MAX_FILES: Final = 1000
"""Most files in one image (unit: files)."""

MAX_BYTES: Final = 16 << 20
"""Most octets in one image (unit: octets)."""


@dataclass(frozen=True, slots=True)
class FileImage:
    """One file: what its inode says. Several names may share it.

    Attributes:
        inode: Inode number.
        content: All its octets.
        mode: Permission bits.
        mtime_ns: Time of last change (unit: ns since 1970).
    """

    inode: int
    content: bytes
    mode: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class QueueImage:
    """What a queue, and the mailboxes that its mail goes to, hold at one moment.

    Attributes:
        files: Path relative to the queue ("mess/16/660188") -> its file.
        mailboxes: "ann@example.com/new/NAME" -> its file; the address, then the path below the Maildir.
    """

    files: Mapping[str, FileImage]
    mailboxes: Mapping[str, FileImage] = field(default_factory=dict)

    @property
    def names(self) -> dict[str, FileImage]:
        """Return all the names, those of the mailboxes too."""
        return {**self.files, **self.mailboxes}

    def links(self, path: str) -> int:
        """Return how many names the file of a path has (its link count), 0 when there is no such path."""
        names = self.names
        return sum(file.inode == names[path].inode for file in names.values()) if path in names else 0

    def numbers(self) -> tuple[int, ...]:
        """Return the numbers of the messages that have a file, in rising order."""
        return tuple(sorted({number for path in self.files if (number := _number_of(path))}))

    def kinds(self, layout: QueueLayout, message_number: int) -> frozenset[str]:
        """Return the kinds of the files that a message has, each in its place."""
        return frozenset(kind for kind in KINDS if layout.relative(kind, message_number) in self.files)

    def file(self, layout: QueueLayout, kind: str, message_number: int) -> FileImage | None:
        """Return one file of a message, None when it is not there."""
        return self.files.get(layout.relative(kind, message_number))

    def state(self, layout: QueueLayout, message_number: int) -> QueueState | None:
        """Return the state that the files of a message prove, None when no state has these files."""
        try:
            return state_of(self.kinds(layout, message_number))
        except QueueError:
            return None


def take_image(layout: QueueLayout, mailboxes: Mapping[str, Path] | None = None) -> QueueImage:
    """Read all the files of a queue, and of Maildirs.

    Args:
        layout: The queue; a small one.
        mailboxes: Address -> its Maildir.

    Raises:
        QueueError: Exit code 61: a directory cannot be read. 62: too many files or octets for an image.
    """
    room = _Room()
    files = _take(layout.directory, "queue", "", room)
    boxes: dict[str, FileImage] = {}
    for address, directory in (mailboxes or {}).items():
        boxes |= _take(directory, "mailbox", f"{address}/", room)
    return QueueImage(files, boxes)


@dataclass(slots=True)
class _Room:
    """What an image may still hold."""

    files: int = MAX_FILES
    octets: int = MAX_BYTES


def _take(directory: Path, what: str, prefix: str, room: _Room) -> dict[str, FileImage]:
    """Return the regular files below a directory."""
    with opened_directory(directory, what=what) as top_fd:
        looks = ((path, _read(path, top_fd, room)) for path in _regular_files("", top_fd))
        return {prefix + path: file for path, file in looks if file is not None}


def _regular_files(below: str, top_fd: int) -> Iterator[str]:
    """Yield the regular files below a directory, without lock/ and without following a link."""
    try:
        fd = open_below(below or ".", top_fd, os.O_DIRECTORY)
    except FileNotFoundError:
        return  # gone meanwhile
    except OSError as error:
        raise QueueError(f"no image of {below}: {error.strerror}", exit_code=CHDIR) from error
    try:
        with os.scandir(fd) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
        for entry in entries:
            path = f"{below}/{entry.name}" if below else entry.name
            if entry.is_dir(follow_symlinks=False):
                if path != "lock":
                    yield from _regular_files(path, top_fd)
            elif entry.is_file(follow_symlinks=False):
                yield path
    finally:
        os.close(fd)


def _read(path: str, top_fd: int, room: _Room) -> FileImage | None:
    """Read one file; None when it has gone meanwhile."""
    try:
        with os.fdopen(open_below(path, top_fd), "rb") as file:
            status = os.fstat(file.fileno())
            room.files -= 1
            content = file.read(room.octets + 1)
            room.octets -= len(content)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise QueueError(f"no image of {path}: {error.strerror}", exit_code=CHDIR) from error
    if room.files < 0 or room.octets < 0:
        raise QueueError(
            f"more than {MAX_FILES} files or {MAX_BYTES} octets: an image is for a small queue", exit_code=MESS_FILE
        )
    return FileImage(status.st_ino, content, status.st_mode & 0o7777, status.st_mtime_ns)


def write_image(
    image: QueueImage, layout: QueueLayout, mailboxes: Mapping[str, Path] | None = None
) -> Mapping[int, int]:
    """Make the files of an image in a new queue, so that a real qmail-send can be run on it.

    A message gets the number that its mess file has there, since the number of a message is its inode. A message whose
    mess is missing keeps its number.

    Args:
        image: What to write.
        layout: The queue; it is made, and must hold no mail.
        mailboxes: Address -> the Maildir to write; mailboxes that are not named are left out.

    Returns:
        Number in the image -> number in the new queue.

    Raises:
        QueueError: Exit code 81: the queue holds mail already. 53: a file cannot be written.
    """
    create_queue(layout.directory, split=layout.split, bigtodo=layout.has_bigtodo)
    if take_image(layout).files:
        raise QueueError(f"a queue with mail in {layout.directory}", exit_code=BUG)
    places: dict[int, Path] = {}
    numbers: dict[int, int] = {}
    try:
        for path, file in sorted(image.files.items(), key=lambda item: not item[0].startswith("mess/")):
            kind, number = path.split("/")[0], _number_of(path)
            if kind == "mess" and number:
                numbers[number] = _write_mess(layout, file, places)
            else:
                where = layout.relative(kind, numbers.setdefault(number, number)) if number else path
                _write(layout.directory / where, file, places)
        for path, file in image.mailboxes.items():
            address, _, below = path.partition("/")
            if mailboxes and address in mailboxes:
                _write(mailboxes[address] / below, file, places)
    except OSError as error:
        raise QueueError(f"no image in {layout.directory}: {error.strerror}", exit_code=WRITE) from error
    return numbers


def _number_of(path: str) -> int:
    """Return the number of the message that a file belongs to, 0 when it belongs to none."""
    kind, _, rest = path.partition("/")
    name = rest.rpartition("/")[2]
    return int(name) if kind in KINDS and NUMBER.fullmatch(name) and int(name) < 1 << 64 else 0


def _write_mess(layout: QueueLayout, file: FileImage, places: dict[int, Path]) -> int:
    """Make a mess file as qmail-queue does, under the number that it gets; return that."""
    first = layout.directory / "pid" / "0.0.1"
    _write(first, file, places)
    number = first.stat().st_ino
    path = layout.path("mess", number)
    first.rename(path)
    places[file.inode] = path
    return number


def _write(path: Path, file: FileImage, places: dict[int, Path]) -> None:
    """Make a file, or one more name of a file that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if file.inode in places:
        os.link(places[file.inode], path)
        return
    path.write_bytes(file.content)
    path.chmod(file.mode)
    os.utime(path, ns=(file.mtime_ns, file.mtime_ns))
    places[file.inode] = path
