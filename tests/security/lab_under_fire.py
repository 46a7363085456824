"""A lab in a process of its own, which tells about itself when it is asked: a line in, a JSON document out."""

from __future__ import annotations

import gc
import json
import sys
import threading
from pathlib import Path

from indimail_kit.lab import Lab, SmtpdLimits


def resident_bytes() -> int:
    """Return how much memory this process holds (unit: octets)."""
    (line,) = [one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def main() -> None:
    """Start the lab, say its port, answer until standard input ends."""
    limits = SmtpdLimits(message_bytes=20_000, idle_s=5.0, session_s=20.0)
    with Lab(seed=1, scanner="embedded", queue_count=1, limits=limits) as lab:
        service = lab._parts.service
        for line in iter(sys.stdin.readline, ""):
            if line == "mail\n":
                said: object = lab.send().folder
            else:
                gc.collect()
                said = {
                    "port": lab.port,
                    "resident_bytes": resident_bytes(),
                    "sessions": len(service._sessions),
                    "faults": [repr(fault) for fault in service.faults],
                    "threads": threading.active_count(),
                }
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
