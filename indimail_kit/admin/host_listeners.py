"""Which ports of mail are listened on, and whether those that services are named after are among them.

Source: proc(5), "/proc/net/tcp": local address and port in hexadecimal, state 0A is LISTEN.

Rule 1: /proc alone is read; no connection is opened, so no service logs a client.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from indimail_kit.admin.host_findings import Fact, Finding, Told
from indimail_kit.admin.host_services import ServiceLook

MAIL_PORTS: Final = {25: "smtp", 465: "smtps", 587: "submission", 110: "pop3", 143: "imap", 993: "imaps", 995: "pop3s"}
"""Port -> its name. Source: IANA."""

_LISTEN: Final = re.compile(r"^\s*[0-9]+: ([0-9A-F]+):([0-9A-F]{4}) \S+ 0A ", re.MULTILINE)
_LOOPBACK: Final = ("0100007F", "00000000000000000000000001000000")
_HERE: Final = ("127.0.0.1", "localhost")
_NAMED: Final = re.compile(r"qmail-(?:smtpd|qmqpd|qmtpd|pop3d|imapd)\.([0-9]{1,5})")
"""A service that is named after its port. Source: IndiMail svctool.sh."""


def listening_ports(proc: Path = Path("/proc")) -> dict[int, bool] | None:
    """Return port -> whether it is listened on beyond loopback; None where /proc does not tell.

    Args:
        proc: Where the process information is mounted.
    """
    ports: dict[int, bool] = {}
    has_told = False
    for name in ("tcp", "tcp6"):
        try:
            text = (proc / "net" / name).read_text(encoding="ascii", errors="replace")
        except OSError:
            continue
        has_told = True
        for address, port in _LISTEN.findall(text):
            number = int(port, 16)
            ports[number] = ports.get(number, False) or address not in _LOOPBACK
    return ports if has_told else None


def told_of_listeners(looks: Iterable[ServiceLook], *, proc: Path = Path("/proc")) -> Iterator[Told]:
    """Tell of the ports of mail, and of services that are up though nobody listens on their port."""
    ports = listening_ports(proc)
    if ports is None:
        return
    near = {True: "", False: ", this host only"}
    shown = [f"{port} ({name}{near[ports[port]]})" for port, name in MAIL_PORTS.items() if port in ports]
    if shown:
        yield Fact("running", "services", "listeners", ", ".join(shown))
    for look in looks:
        match = _NAMED.fullmatch(look.name)
        if match is None or not look.is_up or int(match[1]) in ports:
            continue
        text = f"{look.name} is up, and nobody listens on port {match[1]}"
        commands = (f"cat {shlex.quote(str(look.directory / 'run'))}", "ss -ltn")
        yield Finding("nobody-listens", "services", look.name, text, commands)


def told_of_routes(lines: Iterable[str], looks: Iterable[ServiceLook], *, proc: Path = Path("/proc")) -> Iterator[Told]:
    """Tell of routes of control/smtproutes to this host: to a port that nobody listens on, or back into qmail-smtpd.

    Args:
        lines: The lines of smtproutes: domain, host and port, with colons between them.
        looks: The services; those that are named after their port tell which ports are qmail-smtpd's own.
        proc: Where the process information is mounted.
    """
    ports = listening_ports(proc)
    if ports is None:
        return
    own = {match[1] for look in looks if "smtpd" in look.name and (match := _NAMED.fullmatch(look.name))}
    for line in lines:
        domain, _, place = line.partition(":")
        host, _, port = place.partition(":")
        if host not in _HERE or not (port.isascii() and port.isdigit()):
            continue
        route = f"smtproutes sends {domain or 'everything'} to {place}"
        if port in own:
            yield Finding("route-circle", "control", "smtproutes", f"{route}, where this very server listens")
        elif int(port) not in ports:
            yield Finding("route-dead", "control", "smtproutes", f"{route}, where nobody listens", ("ss -ltn",))
