"""The clamd.conf of a clamd of our own, and where the program is.

Source: clamd.conf(5), clamd 1.4.6.

Note for maintainers: ConcurrentDatabaseReload stays at its default: with "no", ClamAV 1.4.6 answers nobody for up to
two minutes when a RELOAD follows a scan that followed a RELOAD.

Rule 1: an option cannot bring a second line into the file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from indimail_kit.errors import FormatError, ScanError

SOCKET_PATH_LIMIT: Final = 107
"""Longest path of a Unix socket (unit: octets). Source: unix(7), sun_path."""

SEARCH_PATH: Final = ("/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/sbin")
"""Where clamd is looked for besides PATH, which seldom holds the sbin directories of a plain user."""

LOOPBACK: Final = "127.0.0.1"
"""The only address that a clamd of ours listens on."""

DEFAULTS: Final = {
    "Foreground": "yes",
    "LocalSocketMode": "600",
    "LogTime": "yes",
    "LogClean": "yes",
    "LogRotate": "yes",
    "LogFileMaxSize": "16M",
    "ExtendedDetectionInfo": "yes",
    "SelfCheck": "0",
    # Without it clamd answers OK for what is beyond its limits.
    "AlertExceedsMax": "yes",
    "ExitOnOOM": "yes",
}
"""clamd.conf(5) options of ours that do not depend on the directory."""

LESSON_OPTIONS: Final = {
    "StreamMaxLength": "longest INSTREAM; a longer one is answered with an error and the connection is closed",
    "MaxFileSize": "what is longer is not looked into",
    "MaxScanSize": "of an archive or mail, as much is looked into",
    "MaxScanTime": "milliseconds for one scan",
    "MaxThreads": "scans at once",
    "AlertExceedsMax": "with yes, what is beyond a limit is a finding (Heuristics.Limits.Exceeded); with no it is OK",
    "AlertEncrypted": "with yes, an encrypted archive is a finding; with no it is OK",
    "DisableCache": "with yes, each scan is done, also of octets that were clean before",
    "LogClean": "with yes, the log has what was clean, too",
    "LogTime": "with yes, each line of the log has the local time",
    "ExtendedDetectionInfo": "with yes, the log has digest and size of what was found",
}
"""Options that a lesson turns -> what they do. Source: clamd.conf(5)."""

_OPTION: Final = re.compile(r"[A-Z][A-Za-z0-9]{1,63}")
_VALUE: Final = re.compile(r"[ -~]{1,1024}")


def find_clamd(path: str | None = None) -> Path | None:
    """Return where clamd is, or None.

    Args:
        path: PATH to search first; None = the one of this process.
    """
    import shutil

    for where in (path, os.pathsep.join(SEARCH_PATH)):
        found = shutil.which("clamd", path=where)
        if found is not None:
            return Path(found)
    return None


def require_options(options: Mapping[str, str]) -> dict[str, str]:
    """Return the options of a caller.

    Raises:
        FormatError: A name or value that would break clamd.conf, or TCPAddr beyond loopback.
    """
    for name, value in options.items():
        if _OPTION.fullmatch(name) is None:
            raise FormatError("an option's name of letters and digits, beginning with a capital", source="clamd.conf")
        if _VALUE.fullmatch(value) is None:
            raise FormatError(f"one line of printable ASCII for {name}", source="clamd.conf")
    if options.get("TCPAddr", LOOPBACK) != LOOPBACK or ("TCPSocket" in options and "TCPAddr" not in options):
        raise FormatError(f"TCPAddr {LOOPBACK} beside TCPSocket, for this machine only", source="clamd.conf")
    return dict(options)


def config_text(directory: Path, options: Mapping[str, str], *, user: str | None = None) -> str:
    """Return the clamd.conf for a directory; `options` win over ours."""
    places = {
        "LocalSocket": directory / "clamd.sock",
        "DatabaseDirectory": directory / "db",
        "TemporaryDirectory": directory / "tmp",
        "PidFile": directory / "clamd.pid",
        "LogFile": directory / "clamd.log",
    }
    lines = {**DEFAULTS, **{name: str(place) for name, place in places.items()}, **options}
    if user is not None:
        lines["User"] = user
    return "".join(f"{name} {value}\n" for name, value in lines.items())


def require_short(directory: Path) -> Path:
    """Return a directory that can hold clamd's socket and be written in clamd.conf without quotes.

    Raises:
        ScanError: It cannot.
    """
    text = os.fsencode(directory / "clamd.sock")
    if len(text) > SOCKET_PATH_LIMIT or len(text.split()) != 1 or b'"' in text:
        raise ScanError(f"no socket possible in {directory}: at most {SOCKET_PATH_LIMIT} octets, no white space")
    return directory


def free_port() -> int:
    """Return a port on loopback that nobody listens on now."""
    import socket

    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
