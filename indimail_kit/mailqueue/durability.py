"""Which parts of a tape are on the disk: names and octets are two things, and each waits for its own fsync.

Source: fsync(2): "Calling fsync() does not necessarily ensure that the entry in the directory containing the file has
also reached disk. For that an explicit fsync() on a file descriptor for the directory is also needed."

Note for maintainers: the deeds are found by comparing the images before and after a step, not by trusting its name, so
that a step that did two things is still told right. The recorder keeps inode numbers from being used again.

Rule 1: pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from indimail_kit.mailqueue.image import FileImage, QueueImage

FILE_SYNCS: Final = ("fsync", "fdatasync")
"""Calls that bring the octets of a file to the disk."""

DIRECTORY_SYNC: Final = "fsyncdir"
"""Call that brings the names in a directory to the disk."""


class StepLike(Protocol):
    """What is needed of a step of a tape."""

    @property
    def call(self) -> str:
        """The name of the call."""
        ...

    @property
    def path(self) -> str:
        """The file or directory."""
        ...

    @property
    def image(self) -> QueueImage:
        """What is there after it."""
        ...


@dataclass(frozen=True, slots=True)
class NameChange:
    """A name that came or went: one change of a directory.

    Attributes:
        step: Number of the step that did it.
        path: The name.
        inode: The file that it names, or named.
        is_added: Whether it came; False when it went.
    """

    step: int
    path: str
    inode: int
    is_added: bool

    @property
    def directory(self) -> str:
        """Return the directory that was changed."""
        return self.path.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class DataChange:
    """New octets of a file.

    Attributes:
        step: Number of the step that did it.
        inode: The file.
        before: What it was; its content is empty for a new file.
        after: What it became.
    """

    step: int
    inode: int
    before: FileImage
    after: FileImage


@dataclass(frozen=True, slots=True)
class Durable:
    """What is on the disk for sure, on every file system.

    Attributes:
        names: Names that are surely there.
        octets: Inode -> how many of its octets are surely there (unit: octets); files without durable octets are left
            out.
    """

    names: frozenset[str]
    octets: dict[int, int]


@dataclass(frozen=True, slots=True)
class Deeds:
    """What the steps up to one moment did, and what of it was synced.

    Attributes:
        names: Changes of names, in order.
        data: Changes of octets, in order.
        synced_names: Those of `names` whose directory was synced afterwards.
        synced_data: Those of `data` whose file was synced afterwards.
        journal_length: How many of `names` an ordered journal has surely written: all up to the last that a sync, of a
            file or of a directory, had to wait for.
    """

    names: tuple[NameChange, ...]
    data: tuple[DataChange, ...]
    synced_names: frozenset[NameChange]
    synced_data: frozenset[DataChange]
    journal_length: int


def deeds(before: QueueImage, steps: Sequence[StepLike]) -> Deeds:
    """Tell what steps did, and what of it was synced.

    Args:
        before: What was there, and on the disk, before the first step.
        steps: The steps, in order.
    """
    names: list[NameChange] = []
    data: list[DataChange] = []
    synced_names: set[NameChange] = set()
    synced_data: set[DataChange] = set()
    journal_length = 0
    old = before
    for number, step in enumerate(steps, 1):
        names += name_changes(number, old, step.image)
        data += data_changes(number, old, step.image)
        old = step.image
        if step.call in FILE_SYNCS and (file := step.image.names.get(step.path)) is not None:
            synced_data |= {change for change in data if change.inode == file.inode}
            touched = [index for index, change in enumerate(names) if change.inode == file.inode]
            journal_length = max([journal_length, *(index + 1 for index in touched)])
        elif step.call == DIRECTORY_SYNC:
            in_it = [index for index, change in enumerate(names) if change.directory == step.path]
            synced_names |= {names[index] for index in in_it}
            journal_length = max([journal_length, *(index + 1 for index in in_it)])
    return Deeds(tuple(names), tuple(data), frozenset(synced_names), frozenset(synced_data), journal_length)


def durable(before: QueueImage, steps: Sequence[StepLike]) -> Durable:
    """Tell what is on the disk for sure after the last of the steps."""
    done = deeds(before, steps)
    names = set(before.names)
    octets = {file.inode: len(file.content) for file in before.names.values()}
    for change in done.names:
        if not change.is_added:
            names.discard(change.path)  # synced or not: it is not surely there any more
        elif change in done.synced_names:
            names.add(change.path)
    for data_change in done.data:
        kept = len(data_change.after.content)
        if data_change in done.synced_data:
            octets[data_change.inode] = kept
        else:
            octets[data_change.inode] = min(octets.get(data_change.inode, 0), kept)
    return Durable(frozenset(names), {inode: count for inode, count in octets.items() if count})


def name_changes(number: int, before: QueueImage, after: QueueImage) -> Iterator[NameChange]:
    """Yield the names that a step changed: first those that came, then those that went."""
    old, new = before.names, after.names
    for path, file in new.items():
        if path not in old or old[path].inode != file.inode:
            yield NameChange(number, path, file.inode, True)
    for path, file in old.items():
        if path not in new:
            yield NameChange(number, path, file.inode, False)


def data_changes(number: int, before: QueueImage, after: QueueImage) -> Iterator[DataChange]:
    """Yield the files whose octets a step changed, each once."""
    old = {file.inode: file for file in before.names.values()}
    for inode, file in {file.inode: file for file in after.names.values()}.items():
        was = old.get(inode, FileImage(inode, b"", file.mode, file.mtime_ns))
        if was.content != file.content:
            yield DataChange(number, inode, was, file)
