"""Look at the control files of a host that decide who may send, what is local, and how much is delivered at once.

Source: qmail-control(5), qmail-send(8), qmail-smtpd(8); IndiMail qmail-send.c, control.c; tcprules(1).

Rule 1: reading changes nothing and never waits; a file that cannot be read is a sentence.
Rule 2: what the programs do not read is not judged.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from indimail_kit.admin.host_findings import Fact, Finding, Fine, Told, span_text
from indimail_kit.admin.host_queue import LIFETIME_S
from indimail_kit.admin.host_scanning import told_of_scanning
from indimail_kit.control.cdb import open_rules
from indimail_kit.control.rule_notes import note_rules
from indimail_kit.control.tcprules import Rules, match_of
from indimail_kit.errors import QueueError, RulesError
from indimail_kit.mailqueue.controls import read_control

LISTED: Final = ("me", "locals", "rcpthosts", "virtualdomains", "smtproutes")
"""Control files of lines that are told of."""

NUMBERS: Final = {
    "concurrencylocal": 10,
    "concurrencyremote": 20,
    "queuelifetime": LIFETIME_S,
    "holdlocal": 0,
    "holdremote": 0,
    "databytes": 0,
}
"""Control file that holds a number -> what counts without it. Source: qmail-send(8), qmail-smtpd(8)."""

SHORT_LIFETIME_S: Final = 3 * 86_400
"""A queue lifetime below this is short: a host may be away for a weekend (unit: s); ours."""

_SHOWN: Final = 4


class Controls:
    """The control files of a directory, each read once.

    Attributes:
        directory: The directory.
        lines: Name of a file -> its lines; only of those that could be read and are there.
        numbers: Name of a file -> its number, or what counts without it; only of those that hold a number.
        told: What was found while reading.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lines: dict[str, tuple[str, ...]] = {}
        self.numbers: dict[str, int] = {}
        self.told: list[Told] = []
        for name in (*LISTED, *NUMBERS):
            self._read(name)
        for name, default in NUMBERS.items():
            self._number(name, default)

    def _read(self, name: str) -> None:
        path = self.directory / name
        try:
            is_there = os.path.lexists(path)
            if not is_there:
                return
            self.lines[name] = read_control(name, {"CONTROLDIR": os.fspath(self.directory)})
            octets = b"".join(map(os.fsencode, self.lines[name]))
        except QueueError as error:
            reason = getattr(error.__cause__, "strerror", None) or str(error)
            look = (f"ls -la {shlex.quote(str(path))}",)
            self.told.append(Finding("control-unreadable", "control", name, f"{path}: {reason}", look))
            return
        if not os.path.exists(path):  # noqa: PTH110 - of a link that leads nowhere read_control says "not there"
            self.told.append(
                Finding(
                    "control-unreadable", "control", name, f"{path} is a link that leads nowhere", (f"ls -la {path}",)
                )
            )
            del self.lines[name]
        elif any(octet < 0x20 and octet != 0x09 for octet in octets) or _is_no_text(octets) or self._has_nul(path):
            text = f"{path} holds octets that no name has"
            self.told.append(Finding("control-binary", "control", name, text, (f"od -c {shlex.quote(str(path))}",)))
            del self.lines[name]

    @staticmethod
    def _has_nul(path: Path) -> bool:
        from indimail_kit.control.files import read_beginning

        try:
            return b"\0" in read_beginning(path, 1 << 20)
        except OSError:
            return False

    def _number(self, name: str, default: int) -> None:
        line = next(iter(self.lines.get(name, ())), "")
        if not line:
            self.numbers[name] = default
        elif line.isascii() and line.isdigit() and len(line) < 16:
            self.numbers[name] = int(line)
        else:
            path = self.directory / name
            text = f"{path} says {line!r}, which is no number"
            self.told.append(Finding("not-a-number", "control", name, text, (f"cat {shlex.quote(str(path))}",)))


def _is_no_text(octets: bytes) -> bool:
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def look_at_control(directory: Path, *, service: Path = Path("/service")) -> tuple[Controls, list[Told]]:
    """Return the control files of a directory, and what is to be told of them.

    Args:
        directory: The control directory.
        service: The directory of the services, for the commands that are told.
    """
    controls = Controls(directory)
    try:
        os.scandir(directory).close()
    except OSError as error:
        finding = Finding("control-unreadable", "control", str(directory), f"{directory}: {error.strerror}")
        return controls, [finding]
    told: list[Told] = [*controls.told, *_names(controls), *_amounts(controls, service), *_rules(directory)]
    if not any(isinstance(one, Finding) for one in told):
        told.append(Fine("control", "the control files"))
    return controls, told


def _names(controls: Controls) -> Iterator[Told]:
    """Tell of the host's name and of the domains."""
    quoted = shlex.quote(str(controls.directory))
    unread = {one.subject for one in controls.told if isinstance(one, Finding)}
    for name, lines in controls.lines.items():
        if name in LISTED:
            shown = ", ".join(lines[:_SHOWN]) + (f", … {len(lines):,} lines" if len(lines) > _SHOWN else "")
            yield Fact("configured", "control", name, shown or "empty")
    if not controls.lines.get("me") and "me" not in unread:
        yield Finding(
            "control-me", "control", "me", f"{controls.directory}/me is missing or empty", (f"ls -la {quoted}",)
        )
    if "rcpthosts" not in controls.lines and "rcpthosts" not in unread:
        text = f"{controls.directory}/rcpthosts is missing: qmail-smtpd takes mail for every domain"
        yield Finding("open-relay", "control", "rcpthosts", text, (f"cat {quoted}/locals > {quoted}/rcpthosts",))
    virtual = [line.partition(":") for line in controls.lines.get("virtualdomains", ())]
    for line, colon, _ in virtual:
        if not colon:
            yield Finding("bad-line", "control", "virtualdomains", f"virtualdomains: {line!r} has no colon")
    if "rcpthosts" in controls.lines and not _has_more_rcpthosts(controls.directory):
        taken = {line.lower() for line in controls.lines["rcpthosts"]}
        whole = {name for name, colon, _ in virtual if colon and "@" not in name and not name.startswith(".")} - {""}
        for domain in sorted({*controls.lines.get("locals", ()), *whole} - taken):
            if not _is_taken(domain.lower(), taken):
                text = f"{domain} is delivered here, but rcpthosts does not name it: 553 for everybody outside"
                yield Finding("domain-refused", "control", domain, text, (f"cat {quoted}/rcpthosts",))


def _has_more_rcpthosts(directory: Path) -> bool:
    """Say whether morercpthosts.cdb has domains that are not looked up here."""
    return os.path.lexists(directory / "morercpthosts.cdb")


def _is_taken(domain: str, taken: set[str]) -> bool:
    """Say whether rcpthosts takes a domain: by its name, or by ``.suffix``. Source: rcpthosts.c."""
    return domain in taken or any(domain[at:] in taken for at, letter in enumerate(domain) if letter == ".")


def _amounts(controls: Controls, service: Path) -> Iterator[Told]:
    """Tell of the numbers."""
    numbers = controls.numbers
    hup = f"svc -h {shlex.quote(str(service))}/qmail-send*"
    quoted = shlex.quote(str(controls.directory))
    shown = [
        f"{name} {numbers[name]}" for name in NUMBERS if name in numbers and (name in controls.lines or numbers[name])
    ]
    yield Fact("configured", "control", "numbers", ", ".join(shown))
    for channel in ("local", "remote"):
        if numbers.get(f"concurrency{channel}") == 0:
            text = f"concurrency{channel} is 0: no {channel} delivery is ever started"
            look = (f"cat {quoted}/concurrency{channel}", hup)
            yield Finding("no-concurrency", "control", f"concurrency{channel}", text, look)
        if numbers.get(f"hold{channel}"):
            text = f"hold{channel} is {numbers[f'hold{channel}']}: no {channel} delivery is started"
            look = (f"rm {quoted}/hold{channel}", hup)
            yield Finding("held", "control", f"hold{channel}", text, look)
    if numbers.get("queuelifetime", LIFETIME_S) < SHORT_LIFETIME_S:
        text = f"queuelifetime is {span_text(numbers['queuelifetime'])} (the default is {span_text(LIFETIME_S)})"
        yield Finding("short-lifetime", "control", "queuelifetime", text, (f"cat {quoted}/queuelifetime",))


# --- tcp.smtp -------------------------------------------------------------------------------------------------------


def _rules(directory: Path) -> Iterator[Told]:
    """Tell of the rules by which tcpserver lets clients in: the text, and the cdb that counts."""
    rules: Rules | None = None
    modified: dict[str, int] = {}
    for name in ("tcp.smtp", "tcp.smtp.cdb"):
        path = directory / name
        try:
            modified[name] = path.stat().st_mtime_ns
            rules = open_rules(path)
        except FileNotFoundError:
            continue
        except RulesError as error:
            yield Finding("rules-refused", "control", name, str(error), (_check(path),))
            modified.pop(name, None)
        except OSError as error:
            yield Finding("control-unreadable", "control", name, f"{path}: {error.strerror}")
            modified.pop(name, None)
    if rules is None:
        return
    path = Path(rules.source or directory / "tcp.smtp")
    yield Fact("configured", "control", path.name, f"{len(rules.records)} rules")
    if len(modified) == 2 and modified["tcp.smtp"] > modified["tcp.smtp.cdb"]:
        ahead_s = (modified["tcp.smtp"] - modified["tcp.smtp.cdb"]) / 10**9
        text = f"{directory}/tcp.smtp is newer than its cdb by {span_text(ahead_s)}"
        look = (f"indimail-kit tcprules compile {directory}/tcp.smtp {directory}/tcp.smtp.cdb",)
        yield Finding("rules-stale", "control", "tcp.smtp", text, look)
    yield from _who_is_let_in(rules, path)


def _who_is_let_in(rules: Rules, path: Path) -> Iterator[Told]:
    """Tell of rules that let in nobody, or everybody to send anywhere; without a rule tcpserver lets in."""
    everybody = rules.find("192.0.2.1")
    is_default_deny = everybody.action == "deny"
    if is_default_deny and all(match_of(record).action == "deny" for record in rules.records):
        yield Finding("rules-deny-all", "control", path.name, f"{path}: every rule denies", (_check(path),))
    if everybody.action != "deny" and "RELAYCLIENT" in everybody.environment:
        text = f"{path} sets RELAYCLIENT for a stranger (192.0.2.1)"
        yield Finding("open-relay", "control", path.name, text, (_check(path),))

    for note in note_rules(rules):
        where = f"{path}, rule {note.rule}" + (f" (line {note.line_number})" if note.line_number else "")
        yield Finding("rule-note", "control", path.name, f"{where}: {note.text}", (_check(path),))
    for record in rules.records:
        match = match_of(record)
        rule = f"{path.name} rule {match.rule or ':'}"
        yield from told_of_scanning(match.environment, area="control", subject=rule, look=(_check(path),))


def _check(path: Path) -> str:
    return f"indimail-kit tcprules check {shlex.quote(str(path))} 192.0.2.1"
