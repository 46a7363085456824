"""Log files that are dropped: pieces come in, whole files go out. Pure; the octets are in this process only.

Source: `docs/decisions/0012-dropped-mail.md`.

Rule 1: the caps hold whatever a page sends: files, octets, and octets after decompression.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Final

from indimail_kit.errors import LabError
from indimail_kit.widgets.queue_words import count_text

MAX_DROP_BYTES: Final = 256 * 2**20
"""Most octets of all files of a drop, compressed or not (unit: octets)."""

MAX_FILES: Final = 50
"""Most files of a drop."""

PIECE_BYTES: Final = 2 * 2**20
"""Octets of a file that a browser sends at once (unit: octets)."""

INSTEAD: Final = "Give a larger one by its path: LogExplorer(path)"


@dataclass
class Drop:
    """Files on their way.

    Attributes:
        names: Of the files that are whole.
    """

    names: list[str] = field(default_factory=list)
    _whole: list[bytes] = field(default_factory=list, repr=False)
    _part: bytearray = field(default_factory=bytearray, repr=False)
    _taken: int = 0

    @classmethod
    def of(cls, total_bytes: object, files: object) -> Drop:
        """Begin to take files, as many and as large as a page announces.

        Raises:
            LabError: They are too many or too large, or the page does not say it in numbers.
        """
        if not isinstance(total_bytes, int) or not isinstance(files, int):
            raise LabError("files with their number and size")
        if total_bytes > MAX_DROP_BYTES:
            raise LabError(f"a drop of at most {MAX_DROP_BYTES:,} octets; this one has {total_bytes:,}. {INSTEAD}")
        if files > MAX_FILES:
            raise LabError(f"at most {MAX_FILES} files at once; these are {files:,}. {INSTEAD}")
        return cls()

    def take(self, name: str, piece: bytes, *, is_last: bool) -> None:
        """Take a piece of a file; the pieces of a file come one after the other.

        Args:
            name: Of the file.
            piece: Its next octets.
            is_last: Whether the file is whole now.

        Raises:
            LabError: Too many files or octets, or a compressed file that is damaged.
        """
        self._taken += len(piece)
        if self._taken > MAX_DROP_BYTES:
            raise LabError(f"a drop of at most {MAX_DROP_BYTES:,} octets. {INSTEAD}")
        if len(self.names) >= MAX_FILES:
            raise LabError(f"at most {MAX_FILES} files at once. {INSTEAD}")
        self._part += piece
        if is_last:
            self._whole.append(unpacked(name, bytes(self._part)))
            self.names.append(name)
            self._part = bytearray()

    def files(self) -> list[tuple[str, bytes]]:
        """Return names and octets of the files that are not empty, in the order of multilog: `current` is the last."""
        both = sorted(zip(self.names, self._whole, strict=True), key=lambda one: (one[0] == "current", one[0]))
        return [one for one in both if one[1]]


def unpacked(name: str, octets: bytes) -> bytes:
    """Return a file's octets, decompressed where the name says .gz.

    Raises:
        LabError: The file is damaged, too large when decompressed, or compressed in another way.
    """
    if name.endswith(".zst"):
        raise LabError(f"a plain file or .gz instead of {name}: decompress it first, zstd -d")
    if not name.endswith(".gz"):
        return octets
    whole, rest = bytearray(), octets
    try:
        while rest:
            member = zlib.decompressobj(wbits=31)
            whole += member.decompress(rest, MAX_DROP_BYTES + 1 - len(whole))
            if len(whole) > MAX_DROP_BYTES:
                raise LabError(f"{name}: at most {MAX_DROP_BYTES:,} octets when decompressed. {INSTEAD}")
            if not member.eof:
                raise LabError(f"{name}: a whole gzip file; its end is missing behind {len(whole):,} octets")
            rest = member.unused_data
    except zlib.error:
        raise LabError(f"{name}: a whole gzip file; it is damaged behind {len(whole):,} octets") from None
    return bytes(whole)


def drop_text(files: list[tuple[str, bytes]]) -> str:
    """Return what was dropped, in words: names and sizes."""
    size = sum(len(octets) for _, octets in files)
    names = ", ".join(name for name, _ in files[:3]) + (", …" if len(files) > 3 else "")
    return f"{names} · {count_text(len(files), 'file')}, {size:,} octets, in this process only"
