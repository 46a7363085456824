"""How long it takes until the kit is imported and the lab is ready, and how much memory its clamd has. Medians."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from indimail_kit.lab import Lab

ROUNDS = 9


def _python(code: str) -> float:
    """Return the seconds that a fresh Python needs for a line."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    bare, imported, modules = [], [], []
    for _ in range(ROUNDS):
        bare.append(_python("pass"))
        imported.append(_python("import indimail_kit"))
        modules.append(_python("import indimail_kit.cli"))
    base = statistics.median(bare)
    print(f"python -c pass              {base * 1e3:7.0f} ms")
    for name, values in (("import indimail_kit", imported), ("import indimail_kit.cli", modules)):
        print(f"{name:<26}  {(statistics.median(values) - base) * 1e3:7.0f} ms on top")
    ready = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        with Lab() as lab:
            ready.append(time.perf_counter() - start)
            scanner, daemon = lab.scanner_name, lab._scanner.daemon
            memory = daemon.rss_bytes / 2**20 if daemon is not None else 0.0
    print(f"lab ready                   {statistics.median(ready) * 1e3:7.0f} ms (worst {max(ready) * 1e3:.0f})")
    print(f"scanner                     {scanner}")
    if memory:
        print(f"memory of its clamd         {memory:7.1f} MiB")


if __name__ == "__main__":
    main()
