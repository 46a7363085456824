"""Every disk that a crash may leave behind a step of a tape, found by enumeration.

What a step did to names (open, link, unlink) and to octets (write) are two things, and each may have reached the disk
or not, unless it was synced. A persistence model says which combinations there are:

* process: the program is killed, the system lives on: everything that was done is there. One state.
* ordered: a journal with ordered data, as ext4's default: changes of names are on the disk in their order, up to some
  point; octets that were not synced may be missing behind a name that is there (ext4 allocates them later), but what a
  file does have is what was written. An fsync writes the journal up to the last change of the file's own names.
* unordered: anything that was not synced is there or not, independently; and a file may have its length and not its
  octets, zeros then. The weakest disk that POSIX allows, near to ext2, or to a journal that is switched off.

Source: fsync(2); ext4 documentation, "data=ordered", "delayed allocation"; Pillai and others, "All File Systems Are Not
Created Equal" (OSDI 2014), for the way of enumerating.

Why so: docs/decisions/0017-crash-models.md.

Rule 1: pure.
Rule 2: nothing is guessed. With more disks than the limit, names in pid, intd and tmp, which decide nothing, are told
as they should be; if that is not enough, the disks near to "everything" and to "nothing" are taken, and the others are
counted as left out.

Deviation:
    A file that is extended may have reached the disk up to a sector (unordered) or page (ordered); of all these cuts
    only the one in the middle is taken. The time of a file counts as written with its octets.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from indimail_kit.mailqueue.durability import DataChange, Deeds, NameChange, StepLike, deeds
from indimail_kit.mailqueue.image import FileImage, QueueImage
from indimail_kit.mailqueue.step_text import kind_of

CrashModel = Literal["process", "ordered", "unordered"]
"""How much of what was done survives."""

CRASH_MODELS: Final[tuple[CrashModel, ...]] = get_args(CrashModel)
"""The models: the mildest first."""

LIMIT: Final = 4096
"""Most different disks that are looked at behind one step (unit: disks)."""

_INDIFFERENT: Final = frozenset(("pid", "intd", "tmp"))
"""Kinds of names that nobody reads a mail through."""

_SECTOR_BYTES: Final = 512
"""What a disk writes whole or not at all (unit: octets)."""

_PAGE_BYTES: Final = 4096
"""What a file system with ordered data writes whole or not at all (unit: octets)."""


@dataclass(frozen=True, slots=True)
class PossibleImage:
    """One disk that a crash may leave.

    Attributes:
        image: What is on it.
        ways: How many combinations of things that were not synced give just this disk.
    """

    image: QueueImage
    ways: int


@dataclass(frozen=True, slots=True)
class PossibleImages:
    """All the disks that a crash may leave.

    Attributes:
        images: The different disks; the first is that on which everything is.
        combinations: How many combinations there are of things that were not synced.
        left_out: How many of them were not looked at, because of the limit.
    """

    images: tuple[PossibleImage, ...]
    combinations: int
    left_out: int


@dataclass(frozen=True, slots=True)
class _Choice:
    """One way in which something may have reached the disk.

    Attributes:
        names: Path -> inode, or None where the name is not there.
        data: Inode -> its file.
        ways: How many combinations mean this.
    """

    names: Mapping[str, int | None]
    data: Mapping[int, FileImage]
    ways: int = 1


_Site = Sequence[_Choice]
"""Choices of which exactly one is on the disk; the first is "everything", the last is "nothing"."""


def possible_images(
    before: QueueImage,
    steps: Sequence[StepLike],
    model: CrashModel,
    *,
    synchronous_directories: bool = False,
    limit: int = LIMIT,
) -> PossibleImages:
    """Tell what may be on the disk after a crash behind the last of some steps.

    Args:
        before: What was there, and on the disk, before the first step.
        steps: The steps, in order.
        model: What survives.
        synchronous_directories: Whether every change of a directory waits for the disk (mount -o dirsync).
        limit: Most different disks to look at.
    """
    images = (before, *(step.image for step in steps))
    if model == "process":
        return PossibleImages((PossibleImage(images[-1], 1),), 1, 0)
    done = deeds(before, steps)
    sites = list(_data_sites(done, model))
    if synchronous_directories:
        pass
    elif model == "ordered":
        sites.append(_journal_site(before, done))
    else:
        sites += _name_sites(before, done)
    sites = [site for site in sites if len(site) > 1]
    combinations = math.prod(sum(choice.ways for choice in site) for site in sites)
    if math.prod(len(site) for site in sites) > limit:
        sites = [_pruned(site) for site in sites]
    builder = _Builder(images)
    seen: dict[_Key, tuple[QueueImage, int]] = {}
    looked_at = 0
    for choices in _near_first(sites, limit):
        ways = math.prod(choice.ways for choice in choices)
        looked_at += ways
        image, key = builder.build(choices)
        seen[key] = (image, ways + seen.get(key, (image, 0))[1])
    found = tuple(PossibleImage(image, ways) for image, ways in seen.values())
    return PossibleImages(found, combinations, combinations - looked_at)


def _pruned(site: _Site) -> _Site:
    """Let one choice stand for all, where the name decides nothing: no program begins with it."""
    names = site[0].names
    if len(names) == 1 and kind_of(next(iter(names))) in _INDIFFERENT:
        return [replace(site[0], ways=sum(choice.ways for choice in site))]
    return site


def _near_first(sites: Sequence[_Site], limit: int) -> Iterator[tuple[_Choice, ...]]:
    """Yield combinations: all of them if the limit allows, else those near to "everything" and near to "nothing"."""
    if math.prod(len(site) for site in sites) <= limit:
        yield from itertools.product(*sites)
        return
    given: set[tuple[int, ...]] = set()
    ends = tuple(len(site) - 1 for site in sites)
    fronts = (_around((0,) * len(sites), sites), _around(ends, sites))
    while len(given) < limit:
        for front in fronts:
            indices = next(one for one in front if one not in given)
            given.add(indices)
            yield tuple(site[index] for site, index in zip(sites, indices, strict=True))


def _around(centre: tuple[int, ...], sites: Sequence[_Site]) -> Iterator[tuple[int, ...]]:
    """Yield the combinations that differ from one in no site, in one site, in two …."""
    for count in range(len(sites) + 1):
        for changed in itertools.combinations(range(len(sites)), count):
            others = ([i for i in range(len(sites[site])) if i != centre[site]] for site in changed)
            for picks in itertools.product(*others):
                indices = list(centre)
                for site, pick in zip(changed, picks, strict=True):
                    indices[site] = pick
                yield tuple(indices)


def _name_sites(before: QueueImage, done: Deeds) -> Iterator[_Site]:
    """Yield the choices of each name whose changes were not all synced."""
    old = before.names
    by_path: dict[str, list[NameChange]] = {}
    for change in done.names:
        by_path.setdefault(change.path, []).append(change)
    for path, changes in by_path.items():
        base = old[path].inode if path in old else None
        pending: list[NameChange] = []
        for change in changes:
            if change in done.synced_names:  # and so were the earlier ones, of the same directory
                base, pending = _named(change), []
            else:
                pending.append(change)
        # the last change that is there decides; all the earlier ones may be there or not
        outcomes = [(_named(change), 1 << index) for index, change in enumerate(pending)]
        choices: dict[int | None, int] = {}
        for inode, ways in (*reversed(outcomes), (base, 1)):
            choices[inode] = choices.get(inode, 0) + ways
        yield [_Choice({path: inode}, {}, ways) for inode, ways in choices.items()]


def _journal_site(before: QueueImage, done: Deeds) -> _Site:
    """Return the choices of a journal: how far it was written."""
    names: dict[str, int | None] = {change.path: None for change in done.names}
    names |= {path: file.inode for path, file in before.names.items()}
    choices: list[_Choice] = []
    for count in range(len(done.names) + 1):
        if count:
            change = done.names[count - 1]
            names[change.path] = _named(change)
        if count >= done.journal_length:
            choices.append(_Choice(dict(names), {}))
    return choices[::-1]


def _named(change: NameChange) -> int | None:
    """Return what a name means after a change of it."""
    return change.inode if change.is_added else None


def _data_sites(done: Deeds, model: CrashModel) -> Iterator[_Site]:
    """Yield the choices of each file whose octets were not all synced."""
    by_inode: dict[int, list[DataChange]] = {}
    for change in done.data:
        by_inode.setdefault(change.inode, []).append(change)
    for inode, changes in by_inode.items():
        synced = [index for index, change in enumerate(changes) if change in done.synced_data]
        start = synced[-1] + 1 if synced else 0
        base = changes[start - 1].after if start else changes[0].before
        versions = [change.after for change in changes[start:]]
        contents: dict[bytes, FileImage] = {}
        for file in (*reversed(versions), *_half_written(base, versions, model), base):
            contents.setdefault(file.content, file)
        yield [_Choice({}, {inode: file}) for file in contents.values()]


def _half_written(base: FileImage, versions: Sequence[FileImage], model: CrashModel) -> Iterator[FileImage]:
    """Yield what a file may be between two versions, where its end was extended."""
    earlier = base
    for file in versions:
        old, new = earlier.content, file.content
        earlier = file
        if not new.startswith(old):
            continue  # a mark in place, or a file that was emptied: whole or not at all
        block = _SECTOR_BYTES if model == "unordered" else _PAGE_BYTES
        middle = (len(old) + len(new)) // 2 // block * block
        if middle > len(old):
            yield replace(file, content=new[:middle])
        if model == "unordered" and len(new) > len(old):
            yield replace(file, content=old + bytes(len(new) - len(old)))


_Key = frozenset[tuple[str, int, bytes]]
"""What makes two disks the same: names, and the octets behind them."""


class _Builder:
    """Puts images together."""

    def __init__(self, images: Sequence[QueueImage]) -> None:
        self._files: dict[int, FileImage] = {}
        self._mailbox_paths: set[str] = set()
        for image in images:
            self._files |= {file.inode: file for file in image.names.values()}
            self._mailbox_paths |= set(image.mailboxes)
        self._done = {path: file.inode for path, file in images[-1].names.items()}

    def build(self, choices: Sequence[_Choice]) -> tuple[QueueImage, _Key]:
        """Return the disk of some choices, and what makes it different from others."""
        names: dict[str, int | None] = dict(self._done)
        data = dict(self._files)
        for choice in choices:
            names.update(choice.names)
            data.update(choice.data)
        files: dict[str, FileImage] = {}
        mailboxes: dict[str, FileImage] = {}
        for path, inode in sorted(names.items()):
            if inode is not None:
                (mailboxes if path in self._mailbox_paths else files)[path] = data[inode]
        image = QueueImage(files, mailboxes)
        return image, frozenset((path, file.inode, file.content) for path, file in image.names.items())
