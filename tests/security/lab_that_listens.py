"""A lab in a process of its own until standard input ends: ``lab_that_listens.py '{"scanner": …}'``."""

from __future__ import annotations

import json
import sys

from indimail_kit.lab import Lab


def main() -> None:
    """Start it, send a mail, say the port, wait."""
    with Lab(seed=1, queue_count=1, **json.loads(sys.argv[1])) as lab:
        lab.send()
        print(lab.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
