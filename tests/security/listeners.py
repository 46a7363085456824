"""Which sockets a process and everything it started listens on, as the kernel says it.

Source: proc(5): /proc/PID/fd, /proc/PID/net/tcp, tcp6, udp, udp6; only processes of ours are looked at.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from pathlib import Path

_LISTENING = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}
"""Table of the kernel -> state in which a socket takes what comes from anybody."""


def descendants(pid: int) -> list[int]:
    """Return the processes below a process, itself first."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += map(int, task.read_text(encoding="ascii").split())
            except OSError:
                continue
    return found


def _inodes(pid: int) -> set[str]:
    found = set()
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            match = re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink()))
            found |= {match[1]} if match else set()
    except OSError:
        pass  # it ended while we looked
    return found


def _address(text: str) -> str:
    """Return an address of the kernel's table, whose words are in the byte order of the machine."""
    octets = bytes.fromhex(text)
    words = [octets[at : at + 4] for at in range(0, len(octets), 4)]
    return str(ipaddress.ip_address(b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)))


def listeners(pids: list[int]) -> list[tuple[str, str, int]]:
    """Return protocol, address and port of every socket on which one of the processes listens."""
    inodes = set().union(*map(_inodes, pids)) if pids else set()
    found = []
    for protocol, state in _LISTENING.items():
        for line in Path(f"/proc/net/{protocol}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes and fields[3] == state:
                address, _, port = fields[1].partition(":")
                found.append((protocol, _address(address), int(port, 16)))
    return sorted(found)


def is_loopback(address: str) -> bool:
    """Say whether nobody but this machine can reach an address."""
    one = ipaddress.ip_address(address)
    mapped = getattr(one, "ipv4_mapped", None)
    return (mapped or one).is_loopback


def living(pids: list[int]) -> list[int]:
    """Return those that still run; one that ended and was not asked for yet does not."""
    found = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except OSError:
            continue
        found += [pid] if state not in "ZX" else []
    return found
