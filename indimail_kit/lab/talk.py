"""Commands for a terminal: how to talk to the lab, and how to see there what a station shows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import Any

from indimail_kit.lab.places import DEMO_PASSWORD, DOMAIN, Places


def describe(
    address: tuple[str, int],
    *,
    users: Sequence[str],
    mechanisms: Sequence[str],
    scanner: str,
    places: Places,
    services: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what a person needs to talk to a lab, see INTERFACE: `lab serve`."""
    supervised = [quote(str(places.services / name)) for name in services]
    host, port = address
    ann, bob = f"ann@{DOMAIN}", f"bob@{DOMAIN}"
    swaks = f"swaks --server {host}:{port} --from {ann} --to {bob}"
    curl = f"curl -v smtp://{host}:{port} --mail-from {ann} --mail-rcpt {bob} --user {ann}:{DEMO_PASSWORD}"
    return {
        "host": host,
        "port": port,
        "users": list(users),
        "password": DEMO_PASSWORD,
        "mechanisms": list(mechanisms),
        "scanner": scanner,
        "directory": str(places.directory),
        "variables": str(places.variables),
        "commands": [
            f"telnet {host} {port}",
            f"{swaks} --auth CRAM-MD5 --auth-user {ann} --auth-password {DEMO_PASSWORD}",
            f"{curl} --upload-file MAIL",
            f"tail -f {quote(str(places.send_log))}/current",
            *([f"svstat {' '.join(supervised)}", f"svc -d {supervised[0]}"] if supervised else []),
        ],
    }


def station_commands(
    address: tuple[str, int], sender: str, recipient: str, mechanism: str, qhpsi: str, places: Places
) -> dict[str, str]:
    """Return station -> a command that shows the same; ``{path}`` and ``{number}`` are filled in when they are known.

    The password is not in it: swaks asks for it.
    """
    base, log = quote(str(places.queue_base)), quote(str(places.send_log))
    login = f" --auth {mechanism} --auth-user {quote(sender)}" if mechanism else ""
    client = f"swaks --server {address[0]}:{address[1]} --from {quote(sender)} --to {quote(recipient)}"
    return {
        "auth": client + login,
        "rules": f"cat {quote(str(places.rules))}; head {quote(str(places.variables))}/*",
        "mess": f"ls -li {base}/{{path}}",
        "scan": qhpsi,
        "todo": f"tr '\\0' '\\n' < {base}/{{path}}",
        "send": f"grep {{number}} {log}/current",
        "log": f"grep 'pid {{pid}} ' {quote(str(places.smtpd_log))}/current",
    }
