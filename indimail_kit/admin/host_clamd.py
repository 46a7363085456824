"""Look at the clamd that the scans of a host ask: does it answer, how old are its signatures, what are its limits.

Source: clamd.conf(5), clamd(8), clamdscan(1); ClamAV 1.4.6 for the defaults.

Rule 1: clamd is asked PING and VERSION, which change nothing; nothing is scanned or reloaded.
Rule 2: only a clamd on this machine is asked.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from indimail_kit.admin.host_findings import Fact, Finding, Fine, Told, span_text
from indimail_kit.admin.host_services import ServiceLook
from indimail_kit.control.files import read_beginning
from indimail_kit.errors import ScanError
from indimail_kit.qhpsi.clamd_client import ClamdClient

CONFIGS: Final = (Path("/etc/clamav/clamd.conf"), Path("/etc/clamd.conf"), Path("/etc/clamd.d/scan.conf"))
"""Where distributions put clamd.conf, for a clamdscan that is not told another one."""

LIMITS: Final = {"MaxFileSize": 100 * 2**20, "MaxScanSize": 400 * 2**20, "StreamMaxLength": 100 * 2**20}
"""Limit of clamd -> its default (unit: octets). Source: clamd.conf(5) of ClamAV 1.4.6."""

USUAL_BYTES: Final = 10 * 2**20
"""A mail of this size is nothing unusual (unit: octets); ours: the limit of many providers, after Base64."""

OLD_S: Final = 7 * 86_400
AGEING_S: Final = 2 * 86_400
"""Ages of the signatures that are too much, and that are odd (unit: s); ours."""

TIMEOUT_S: Final = 5.0
"""How long clamd may take to answer PING (unit: s)."""

_MAX_BYTES: Final = 1 << 20
_SIZES: Final = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}
_SIZE: Final = re.compile(r"([0-9]{1,15})([kKmMgG]?)")
_YES: Final = frozenset({"yes", "true", "1"})


@dataclass(frozen=True, slots=True)
class ClamdConf:
    """What a clamd.conf says.

    Attributes:
        path: Where it is; None for a clamd of which only the socket is known.
        options: Option -> value; the last one counts.
    """

    path: Path | None
    options: Mapping[str, str]

    @property
    def address(self) -> Path | tuple[str, int] | None:
        """Return where it listens: its LocalSocket, else its TCP port; None without any."""
        if "LocalSocket" in self.options:
            return Path(self.options["LocalSocket"])
        port = self.options.get("TCPSocket", "")
        if port.isascii() and port.isdigit() and 0 < int(port) < 2**16:
            return (self.options.get("TCPAddr", "127.0.0.1"), int(port))
        return None

    def limit(self, name: str) -> int | None:
        """Return a limit (unit: octets), None for none at all; of a value that is no size the default."""
        match = _SIZE.fullmatch(self.options.get(name, ""))
        number = int(match[1]) * _SIZES[match[2].lower()] if match else LIMITS[name]
        return number or None


def read_clamd_conf(path: Path) -> ClamdConf:
    """Read a clamd.conf; lines that are none of an option and a value are left out.

    Raises:
        OSError: It cannot be read.
    """
    text = read_beginning(path, _MAX_BYTES).decode("utf-8", "backslashreplace")
    pairs = (line.split(maxsplit=1) for line in text.splitlines() if not line.lstrip().startswith("#"))
    return ClamdConf(path, {pair[0]: pair[1].strip().strip('"') for pair in pairs if len(pair) == 2})


def find_confs(looks: Iterable[ServiceLook], given: Path | None) -> tuple[Path, ...]:
    """Return the configurations of clamd, or its sockets, that this host names: each once, the given one alone.

    They are looked for in QHPSI's arguments and in the run scripts; where clamdscan is told none, distributions' places
    count.
    """
    if given is not None:
        return (given,)
    found: dict[Path, None] = {}
    for look in looks:
        for words in (look.argv, look.run_words):
            named = list(_named(words))
            found.update(dict.fromkeys(named))
            if not named and words and _is_clamdscan(words):
                found.update(dict.fromkeys(path for path in CONFIGS if os.path.lexists(path)))
    return tuple(found)


def _is_clamdscan(words: tuple[str, ...]) -> bool:
    return words[0].rpartition("/")[2] == "clamdscan"


def _named(words: tuple[str, ...]) -> Iterator[Path]:
    """Yield the configurations that the words of a command name; only of clamd's programs."""
    if not any(word.rpartition("/")[2] in ("clamd", "clamdscan") for word in words):
        return
    for at, word in enumerate(words):
        if word in ("-c", "--config-file") and at + 1 < len(words):
            yield Path(words[at + 1])
        elif word.startswith("--config-file="):
            yield Path(word.partition("=")[2])


def look_at_clamd(
    place: Path, *, now_ns: int, databytes: int = 0, service: Path = Path("/service/clamd")
) -> Iterator[Told]:
    """Tell of the clamd of a configuration or a socket.

    Args:
        place: Its clamd.conf, or its LocalSocket.
        now_ns: Time (unit: ns since 1970).
        databytes: Longest mail that qmail-smtpd takes (unit: octets); 0 = any.
        service: Its service directory, for the commands that are told.
    """
    look = (f"ls -la {shlex.quote(str(place))}",)
    try:
        is_socket = stat.S_ISSOCK(place.stat().st_mode)
        conf = ClamdConf(None, {"LocalSocket": str(place)}) if is_socket else read_clamd_conf(place)
    except OSError as error:
        key = "clamd-conf" if error.errno in (errno.EACCES, errno.EPERM) else "clamd-silent"
        yield Finding(key, "clamd", str(place), f"{place}: {error.strerror}", look)
        return
    address = conf.address
    if address is None:
        yield Finding("clamd-conf", "clamd", str(place), f"{place} names neither LocalSocket nor TCPSocket", look)
        return
    shown = str(address) if isinstance(address, Path) else f"{address[0]}:{address[1]}"
    yield Fact("configured", "clamd", "clamd", f"{place} → {shown}" if conf.path else shown)
    yield from _limits(conf, databytes)
    if not isinstance(address, Path) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        yield Finding("clamd-conf", "clamd", shown, f"clamd is on another host ({shown}) and was not asked")
        return
    yield from _ask(address, now_ns, service)


def _ask(address: Path | tuple[str, int], now_ns: int, service: Path) -> Iterator[Told]:
    """Tell whether clamd answers, and of its signatures."""
    client = ClamdClient(address, timeout_s=TIMEOUT_S)
    where = shlex.quote(str(service))
    try:
        client.ping()
        version = client.version()
    except ScanError as error:
        key = "clamd-conf" if isinstance(error.__cause__, PermissionError) else "clamd-silent"
        look = (f"indimail-kit service status {where}", f"indimail-kit service up {where}")
        yield Finding(key, "clamd", "clamd", str(error), look)
        return
    yield Fact("running", "clamd", "clamd", version)
    signatures_ns = signatures_unix_ns(version)
    if signatures_ns is None:
        yield Fine("clamd", "clamd answers (with signatures of its own, without a date)")
        return
    age_s = (now_ns - signatures_ns) / 10**9
    if age_s > AGEING_S:
        key = "signatures-old" if age_s > OLD_S else "signatures-ageing"
        text = f"clamd's signatures are {span_text(age_s)} old"
        look = ("indimail-kit service status /service/freshclam", "tail /var/log/*/freshclam/current")
        yield Finding(key, "clamd", "clamd", text, look)
    else:
        yield Fine("clamd", f"clamd answers, signatures {span_text(age_s)} old")


def signatures_unix_ns(version: str) -> int | None:
    """Return when the signatures of clamd's VERSION line were made (unit: ns since 1970), None where it has no date.

    Example:
        >>> signatures_unix_ns("ClamAV 1.4.6/27432/Mon Nov 23 08:24:01 2026")
        1795422241000000000
        >>> signatures_unix_ns("ClamAV 1.4.6") is None
        True
    """
    try:
        moment = datetime.strptime(f"{version.split('/')[2].strip()} +0000", "%a %b %d %H:%M:%S %Y %z")
    except (IndexError, ValueError):
        return None
    return int(moment.timestamp()) * 10**9


def _limits(conf: ClamdConf, databytes: int) -> Iterator[Told]:
    """Tell of limits that usual mail is beyond, or mail that qmail-smtpd takes."""
    if conf.path is None:
        return
    is_alerting = conf.options.get("AlertExceedsMax", "no").lower() in _YES
    ends = {
        True: "is not looked into: Heuristics.Limits.Exceeded, which counts as a virus or as no verdict (451)",
        False: "is called OK without a look at the rest (AlertExceedsMax is not set)",
    }
    for name in LIMITS:
        limit = conf.limit(name)
        wanted = databytes or (USUAL_BYTES if name in conf.options else 0)
        if limit is None or limit >= wanted:
            continue
        what = f"qmail-smtpd takes {databytes:,}" if databytes else f"{USUAL_BYTES:,} are usual"
        end = "gets 451 where it is sent as a stream" if name == "StreamMaxLength" else ends[is_alerting]
        text = f"{name} is {limit:,} octets ({what}): a longer mail {end}"
        yield Finding("clamd-limit", "clamd", name, text, (f"grep {name} {shlex.quote(str(conf.path))}",))
