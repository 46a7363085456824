"""Swaps what lies in a queue for something hostile and back, as fast as it can.

``swapper.py QUEUE OUTSIDE COUNT``: files and directories become links to OUTSIDE and come back; names come and go. Each
is replaced in one step (rename), as somebody would who races a reader with root's rights.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path


def swap(path: Path, outside: Path, away: Path) -> None:
    """Put a link in the place of a file or directory, then the old thing back."""
    link = away.with_name(f"{away.name}.link")
    link.symlink_to(outside, target_is_directory=outside.is_dir())
    path.rename(away)
    link.rename(path)
    path.rename(link)
    away.rename(path)
    link.unlink()


def main() -> None:
    """Swap."""
    queue, outside = Path(sys.argv[1]), Path(sys.argv[2])
    away = queue.parent / "away"
    files = sorted(path for kind in ("mess", "info", "local", "remote") for path in (queue / kind).glob("*/*"))
    directories = sorted(path for kind in ("mess", "info", "local") for path in (queue / kind).iterdir())
    for path in itertools.islice(itertools.cycle([*files, *directories]), int(sys.argv[3])):
        swap(path, outside / "secret" if path in files else outside, away)


if __name__ == "__main__":
    main()
