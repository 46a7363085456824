"""The files of clamd and freshclam as services: run scripts, configurations, the place of everything.

Source: supervise(8), multilog(8), clamd.conf(5), freshclam.conf(5); the seed text of 2010 (which services there are,
and what their logs look like).

::

    DIR/service/clamd/      run, log/run, down       what svscan starts
    DIR/service/freshclam/  the same
    DIR/log/clamd/          current                  what multilog writes: /var/log/indimail/clamd on a real host
    DIR/clamd/              clamd.conf, clamd.sock, db/, tmp/
    DIR/freshclam/          freshclam.conf, mirror/  what freshclam would fetch from the world

Rule 1: freshclam asks nobody. Its one database is a file on this machine, and it is told not to look in the DNS.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from indimail_kit.errors import MissingPartError
from indimail_kit.qhpsi.clamd_conf import SEARCH_PATH, config_text, find_clamd
from indimail_kit.qhpsi.scan_user import scan_user
from indimail_kit.qhpsi.signatures import DatabaseLine, Signature, teaching_signatures, write_database

SERVICES: Final = ("clamd", "freshclam")
"""The services, in the order in which they are of use."""

LESSON_DATABASE: Final = "lesson.ndb"
"""Name of the database that freshclam fetches."""

LESSON_SIGNATURE: Final = Signature("IndiMailKit.Lesson.First", b"X-INDIMAIL-KIT-" + b"HARMLESS-LESSON-MARKER")
"""What the mirror offers at first; clamd knows it after freshclam's first run, not before."""

_DAEMONTOOLS: Final = ("svscan", "supervise", "multilog")
_NOWHERE: Final = "http://127.0.0.1:9"
"""The mirror that freshclam must be given and, with --update-db=custom, never asks; nothing listens on port 9."""

_FRESHCLAM_OPTIONS: Final = ("--daemon", "--foreground", "--no-dns", "--update-db=custom")
_FILE_LOG_OPTIONS: Final = ("LogFile", "LogFileMaxSize", "LogRotate", "PidFile")


@dataclass(frozen=True, slots=True)
class Programs:
    """What the services need of this machine.

    Attributes:
        svscan: Starts a supervise for each service.
        supervise: Starts and watches one service.
        multilog: Writes a service's log.
        clamd: The scanner's daemon.
        freshclam: Fetches signatures; None where it is not installed, then there is no such service.
    """

    svscan: Path
    supervise: Path
    multilog: Path
    clamd: Path
    freshclam: Path | None


def find_programs(path: str | None = None) -> Programs:
    """Look for the programs.

    Args:
        path: PATH to search first; None = the one of this process.

    Raises:
        MissingPartError: daemontools or clamd is not installed.
    """
    tools = {name: _find(name, path) for name in _DAEMONTOOLS}
    missing = [name for name, found in tools.items() if found is None]
    if missing:
        raise MissingPartError(
            f"daemontools ({', '.join(missing)})", "Install it: apt-get install daemontools, or run make lab again."
        )
    clamd = find_clamd(path)
    if clamd is None:
        raise MissingPartError("clamd", "Install it: apt-get install --no-install-recommends clamav-daemon.")
    svscan, supervise, multilog = (found for found in tools.values() if found is not None)
    return Programs(svscan, supervise, multilog, clamd, _find("freshclam", path))


def _find(name: str, path: str | None) -> Path | None:
    for where in (path, os.pathsep.join(SEARCH_PATH)):
        found = shutil.which(name, path=where)
        if found is not None:
            return Path(found)
    return None


@dataclass(frozen=True, slots=True)
class ServicePlaces:
    """Where everything of the services lies.

    Attributes:
        directory: The directory that holds all of it.
    """

    directory: Path

    @property
    def services(self) -> Path:
        """Return the directory that svscan scans: /service on a real host."""
        return self.directory / "service"

    @property
    def clamd(self) -> Path:
        """Return the directory of clamd's socket, configuration and database."""
        return self.directory / "clamd"

    @property
    def freshclam(self) -> Path:
        """Return the directory of freshclam's configuration and of its mirror."""
        return self.directory / "freshclam"

    @property
    def mirror(self) -> Path:
        """Return the file that freshclam fetches."""
        return self.freshclam / "mirror" / LESSON_DATABASE

    def log(self, name: str) -> Path:
        """Return the directory of a service's log."""
        return self.directory / "log" / name


def write_services(
    places: ServicePlaces,
    programs: Programs,
    *,
    down: Collection[str],
    extra_signatures: Iterable[DatabaseLine] = (),
) -> tuple[str, ...]:
    """Write the files of all services that this machine can run, and return their names.

    Args:
        places: Where.
        programs: What there is.
        down: The services that get a file ``down``; of the others it is removed.
        extra_signatures: For clamd's database, besides the teaching ones.
    """
    for directory in (places.clamd / "db", places.clamd / "tmp", places.mirror.parent):
        directory.mkdir(parents=True, exist_ok=True)
    write_database(places.clamd / "db", [*teaching_signatures(), *extra_signatures])
    if not places.mirror.exists():
        write_mirror(places, [LESSON_SIGNATURE])
    conf = places.clamd / "clamd.conf"
    conf.write_text(clamd_config(places.clamd), encoding="utf-8")
    commands = {"clamd": [str(programs.clamd), "--foreground", "-c", str(conf)]}
    if programs.freshclam is not None:
        fresh = places.freshclam / "freshclam.conf"
        fresh.write_text(freshclam_config(places), encoding="utf-8")
        commands["freshclam"] = [str(programs.freshclam), *_FRESHCLAM_OPTIONS, f"--config-file={fresh}"]
    for name, argv in commands.items():
        log = places.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        _write_run(places.services / name, ["exec 2>&1", f"exec {shlex.join(argv)}"])
        _write_run(places.services / name / "log", [f"exec {shlex.join([str(programs.multilog), 't', str(log)])}"])
        marker = places.services / name / "down"
        if name in down:
            marker.touch()
        else:
            marker.unlink(missing_ok=True)
    return tuple(commands)


def write_mirror(places: ServicePlaces, signatures: Iterable[Signature]) -> None:
    """Replace the database that freshclam fetches; freshclam sees the old one or the new one."""
    fresh = places.mirror.with_suffix(".new")
    fresh.write_text("".join(f"{signature.line}\n" for signature in signatures), encoding="ascii")
    fresh.replace(places.mirror)


def clamd_config(directory: Path) -> str:
    """Return a clamd.conf for a clamd whose log is what it prints: multilog stamps and keeps it."""
    options = {"LogTime": "no"}
    if group := _scanner_group():
        # Each start makes a new socket, and the next one may be svc's.
        options |= {"LocalSocketGroup": group, "LocalSocketMode": "660"}
    lines = config_text(directory, options).splitlines(keepends=True)
    return "".join(line for line in lines if line.split()[0] not in _FILE_LOG_OPTIONS)


def _scanner_group() -> str:
    """Return the group as which clamdscan runs, where we are root; "" otherwise, or where it has no name."""
    import grp

    user = scan_user()
    try:
        return grp.getgrgid(user.gid).gr_name if user is not None else ""
    except KeyError:
        return ""


def freshclam_config(places: ServicePlaces) -> str:
    """Return a freshclam.conf that fetches one file of this machine into clamd's database, and tells clamd."""
    lines = [
        f"DatabaseDirectory {places.clamd / 'db'}",
        f"DatabaseCustomURL file://{places.mirror}",
        f"DatabaseMirror {_NOWHERE}",
        f"NotifyClamd {places.clamd / 'clamd.conf'}",
        "Checks 24",
        *([f"DatabaseOwner {owner}"] if (owner := _user_name()) else []),
    ]
    return "".join(f"{line}\n" for line in lines)


def _user_name() -> str:
    """Return who we are; freshclam becomes another user otherwise when it is started by root."""
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return ""  # a user without a name, as in some containers; then not root, and freshclam stays who it is


def _write_run(directory: Path, lines: list[str]) -> None:
    """Write a run script under its name when it is whole: supervise may look at any time."""
    directory.mkdir(parents=True, exist_ok=True)
    fresh = directory / ".run.new"
    fresh.write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf-8")
    fresh.chmod(0o755)
    fresh.replace(directory / "run")
