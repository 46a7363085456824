"""Memory of a learner's machine: JupyterLab's server, the kernels of open notebooks, and what their labs start.

A real server is started as Binder starts it, each notebook gets a kernel by the server's own API, and every cell runs
in it. Meanwhile the tree of processes below is read four times a second: PSS, in which what several processes share is
counted once. The notebooks stay open, as learners leave them; each alone is the server, that kernel and its children.
Source: proc(5), /proc/PID/smaps_rollup. Goal: server, lab and one notebook below 700 MB (10**6 octets) at any moment.
Run: python tests/bench/bench_memory.py [--limit-mb 700] [NOTEBOOK …], best from an environment that has the extras lab
and widgets only, as Binder's. Exit code 1 if a notebook alone is above the limit or a cell fails.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
DEFAULT: Final = ("notebooks/00_start_here.ipynb", "notebooks/02_qhpsi.ipynb")

MB: Final = 10**6
"""Octets of a megabyte, as clouds sell it."""

EVERY_S: Final = 0.25
"""Time between two looks (unit: s)."""

START_S: Final = 60.0
CELL_S: Final = 120
_PR_SET_CHILD_SUBREAPER: Final = 36
"""prctl(2): whoever loses its parent below us becomes our child, so that no daemon is left out of the sum."""


# --- counting ---------------------------------------------------------------------------------------------------------


def parents() -> dict[int, int]:
    """Return process -> parent, for all that can be seen."""
    found = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with contextlib.suppress(OSError):
                # The name in brackets may hold anything, so count from its end.
                found[int(place.name)] = int((place / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    return found


def below(root: int, tree: Mapping[int, int]) -> list[int]:
    """Return a process and all below it."""
    found = [root]
    for pid in found:  # grows while it is walked
        found += [child for child, parent in tree.items() if parent == pid]
    return found


def pss_bytes(pid: int) -> int:
    """Return a process's share of memory; 0 when it is gone (unit: octets)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def name_of(pid: int) -> str:
    """Return a process's name, "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return ""


@dataclass
class Meter:
    """Looks at a server and its kernels again and again, in a thread of its own.

    Attributes:
        server: The server's process.
        kernels: Title of a notebook -> its kernel's process.
        peaks: Title -> most that the server and this kernel's tree had at one moment (unit: octets).
        parts: Title -> who had how much at that moment.
        peak_all: Most that everything had at one moment (unit: octets).
        looks: How often it looked.
    """

    server: int
    kernels: dict[str, int] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    parts: dict[str, dict[str, int]] = field(default_factory=dict)
    peak_all: int = 0
    looks: int = 0

    def look(self) -> None:
        """Take one reading."""
        tree = parents()
        everything = {pid: pss_bytes(pid) for pid in below(os.getpid(), tree) if pid != os.getpid()}
        self.peak_all = max(self.peak_all, sum(everything.values()))
        for title, kernel in list(self.kernels.items()):
            own = {pid for pid in below(kernel, tree) if pid in everything}
            total = everything.get(self.server, 0) + sum(everything[pid] for pid in own)
            if total > self.peaks.get(title, 0):
                self.peaks[title] = total
                parts = {"server": everything.get(self.server, 0), "kernel": everything.get(kernel, 0)}
                for pid in own - {kernel}:
                    name = name_of(pid) or "gone"
                    parts[name] = parts.get(name, 0) + everything[pid]
                self.parts[title] = parts
        self.looks += 1

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """Look while the block runs."""
        done = threading.Event()

        def work() -> None:
            while not done.wait(EVERY_S):
                self.look()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


# --- a server and its kernels -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Server:
    """A running JupyterLab.

    Attributes:
        address: Where it answers.
        token: Its token.
        runtime: Where its kernels' connection files lie.
        process: It.
    """

    address: str
    token: str = field(repr=False)
    runtime: Path
    process: subprocess.Popen[bytes]

    def ask(self, path: str, document: object | None = None) -> Any:
        """Ask its API."""
        octets = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self.address + path, octets, {"Authorization": f"token {self.token}"})  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=START_S) as answer:  # noqa: S310
            return json.load(answer)


@contextlib.contextmanager
def running_server(home: Path) -> Iterator[Server]:
    """Start JupyterLab on loopback, with a HOME of its own; end it and all kernels behind it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_urlsafe(16)
    environment = {
        **os.environ,
        "HOME": str(home),
        "JUPYTER_TOKEN": token,
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    argv = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    argv += ["--ServerApp.port_retries=0", f"--ServerApp.root_dir={ROOT}"] + ["--allow-root"] * (os.geteuid() == 0)
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=log, stderr=log)
        server = Server(f"http://127.0.0.1:{port}", token, home / "runtime", process)
        try:
            ends = time.monotonic() + START_S
            while True:
                try:
                    server.ask("/api/status")
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > ends:
                        raise SystemExit(f"JupyterLab did not start: {(home / 'log').read_text()[-500:]}") from None
                    time.sleep(0.1)
            yield server
        finally:
            process.terminate()
            process.wait(timeout=START_S)


def run_notebook(server: Server, path: Path, meter: Meter) -> str:
    """Open a notebook, run every cell, leave it open; return the first error, "" for none."""
    import nbformat
    from jupyter_client.blocking.client import BlockingKernelClient

    name = str(path.resolve().relative_to(ROOT))
    before = set(below(server.process.pid, parents()))
    asked = {"path": name, "name": path.name, "type": "notebook", "kernel": {"name": "python3"}}
    kernel_id = server.ask("/api/sessions", asked)["kernel"]["id"]
    connection = server.runtime / f"kernel-{kernel_id}.json"
    client = BlockingKernelClient(connection_file=str(connection))
    client.load_connection_file()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=START_S)
        tree = parents()
        meter.kernels[path.stem] = next(
            pid for pid in below(server.process.pid, tree) if pid not in before and tree[pid] == server.process.pid
        )
        for number, cell in enumerate(nbformat.read(path, as_version=4).cells, 1):
            if cell.cell_type == "code":
                reply = client.execute_interactive(
                    cell.source, timeout=CELL_S, allow_stdin=False, output_hook=lambda _: None
                )
                if reply["content"]["status"] != "ok":
                    return f"{path.name}, cell {number}: {reply['content'].get('ename')}"
    finally:
        client.stop_channels()
    meter.look()
    return ""


# --- telling ----------------------------------------------------------------------------------------------------------


def told(parts: Mapping[str, int]) -> str:
    """Return who had how much, the largest first."""
    ranked = sorted(parts.items(), key=lambda part: -part[1])
    return ", ".join(f"{name} {octets / MB:.0f}" for name, octets in ranked if octets >= MB)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK")
    parser.add_argument("--limit-mb", type=int, default=700)
    asked = parser.parse_args(argv)
    paths = [path if path.is_absolute() else ROOT / path for path in asked.notebooks or map(Path, DEFAULT)]
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    faults = []
    with tempfile.TemporaryDirectory(prefix="indimail-kit-") as name, running_server(Path(name)) as server:
        alone = pss_bytes(server.process.pid)
        meter = Meter(server.process.pid)
        with meter.looking():
            faults += [fault for path in paths if (fault := run_notebook(server, path, meter))]
    print(f"PSS in MB, most at one moment, of {meter.looks} looks; server alone {alone / MB:.0f}")
    for title, octets in meter.peaks.items():
        print(f"  {title:<24} {octets / MB:>5.0f}   ({told(meter.parts[title])})")
    print(f"  {'all of them open':<24} {meter.peak_all / MB:>5.0f}")
    high = [title for title, octets in meter.peaks.items() if octets > asked.limit_mb * MB]
    faults += [f"{title}: above {asked.limit_mb} MB" for title in high]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
