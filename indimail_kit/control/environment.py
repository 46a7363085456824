"""What applies to a client, and who said so: every variable with the origin of its value.

Source: IndiMail's run script of qmail-smtpd.25 and ucspi-tcp-x tcpserver.c, rules.c (order of the sources);
indimail-mta-x qmail-queue.c `read_control()`, getqueue.c, qmulti.c `set_queuedir()` (control files that stand in for a
variable), set_environment.c (control/defaultqueue).

Note for maintainers: a real service builds the environment in this order, and the later one wins::

    environment     what svscan handed down
    variables/      envdir: sets, and unsets by an empty file
    tcpserver       PROTO, TCPREMOTEIP …; unsets TCPREMOTEINFO and TCPREMOTEHOST when they are not known
    tcp.smtp        the client's rule: sets, and unsets by !NAME
    control/        last, and only for a variable that is not set then: a file stands in for it

So a rule that says ``!QUARANTINE`` does not end the quarantine: it lets control/quarantine in. ``QUARANTINE=""`` does.

Rule 1: values may be passwords; the repr of what is here gives names and counts.
Rule 2: reading changes nothing; environment and directories are parameters.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Final

from indimail_kit.control.cdb import open_rules
from indimail_kit.control.envdir import MAX_VARIABLE_BYTES, read_envdir
from indimail_kit.control.files import problem_of, read_beginning
from indimail_kit.control.tcprules import Match, Rules
from indimail_kit.errors import EnvdirError

ENVIRONMENT: Final = "environment"
"""Origin of what the caller's environment says."""

TCPSERVER: Final = "tcpserver"
"""Origin of what tcpserver says of the connection."""

CONTROL_VALUES: Final = {
    "EXTRAQUEUE": "extraqueue",
    "QUARANTINE": "quarantine",
    "QUEUE_BASE": "queue_base",
}
"""Variable -> control file whose line is the value when the variable is not set.

Source: qmail-queue.c `main()`. A variable that is set to nothing counts as set: it switches the file off.
"""

CONTROL_LISTS: Final = {
    "ENVHEADERS": "envheaders",
    "LOGHEADERS": "logheaders",
    "MAILARCHIVE": "mailarchive",
    "REMOVEHEADERS": "removeheaders",
}
"""Variable -> control file that is read when the variable does not name another one; the value is the file's name.

Source: qmail-queue.c `read_control()` with a flag of 1.
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that one source does to one variable.

    Attributes:
        name: The variable.
        value: What it is set to, None where it is unset.
        origin: Who says so: ``variables/QHPSI``, ``tcp.smtp rule 192.0.2. (line 3)``, ``environment``.
    """

    name: str
    value: str | None = field(repr=False)
    origin: str

    def sentence(self) -> str:
        """Say what was done by whom, without the value."""
        return f"{'unset' if self.value is None else 'set'} by {self.origin}"


@dataclass(frozen=True, slots=True, repr=False)
class AppliedEnvironment:
    """The environment in the end, and how it came about.

    Attributes:
        environment: Variable -> value.
        origins: Variable -> who set it; the same names as in environment.
        overridden: Variable -> what earlier sources did to it, the earliest first; only where there was more than one.
        unset: Variable that is not set in the end -> who unset it.
        match: The client's rule, None when there were no rules.
    """

    environment: Mapping[str, str]
    origins: Mapping[str, str]
    overridden: Mapping[str, tuple[Setting, ...]] = field(default_factory=lambda: MappingProxyType({}))
    unset: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    match: Match | None = None

    def history(self, name: str) -> tuple[Setting, ...]:
        """Return everything that was done to a variable, the earliest first; what counts is the last one."""
        earlier = self.overridden.get(name, ())
        if name in self.environment:
            return (*earlier, Setting(name, self.environment[name], self.origins[name]))
        return (*earlier, Setting(name, None, self.unset[name])) if name in self.unset else ()

    def explain(self, name: str) -> str:
        """Say how a variable came by its value, without the value.

        Example:
            >>> service = [Setting("QHPSI", "/usr/bin/clamdscan %s", "variables/QHPSI")]
            >>> applied = combine(service, [Setting("QHPSI", None, "tcp.smtp rule : (line 4)")])
            >>> applied.explain("QHPSI"), applied.explain("REJECTVIRUS")
            ('set by variables/QHPSI, unset by tcp.smtp rule : (line 4)', 'not set by anybody')
        """
        return ", ".join(setting.sentence() for setting in self.history(name)) or "not set by anybody"

    def __repr__(self) -> str:
        """Return names and counts; a value may be a password."""
        names = ", ".join(self.environment)
        return f"<AppliedEnvironment {len(self.environment)} set ({names}), {len(self.unset)} unset>"


def what_applies(
    *,
    environ: Mapping[str, str] | None = None,
    variables: str | Path | None = None,
    rules: Rules | str | Path | None = None,
    control: str | Path | None = None,
    ip: str = "",
    info: str = "",
    host: str = "",
    local_host: str = "",
    is_injected: bool = False,
) -> AppliedEnvironment:
    """Tell what environment a message's programs have, and where each value comes from.

    Args:
        environ: What the service was started with.
        variables: The service's variables directory, read as envdir reads it.
        rules: Rules by client, or the path of their text or cdb; looked up only with an ip.
        control: The control directory, for the files that stand in for a variable.
        ip: Address of the client, "" when there is none (mail injected on the host).
        info: TCPREMOTEINFO, "" when it is not known.
        host: TCPREMOTEHOST, "" when it is not known.
        local_host: TCPLOCALHOST, "" to say nothing of it.
        is_injected: Read control/defaultqueue as qmail-inject does; qmail-smtpd does not.

    Raises:
        EnvdirError: The variables directory or a control file cannot be read.
        RulesError: The rules cannot be read, or the client's address cannot be looked up.
    """
    if rules is not None and not isinstance(rules, Rules):
        rules = open_rules(rules)
    match = rules.find(ip, info=info, host=host) if rules is not None and ip else None
    layers = [
        from_environ(environ or {}),
        from_envdir(variables) if variables is not None else (),
        from_client(ip, info=info, host=host, local_host=local_host) if ip else (),
        from_match(match, source=rules.source) if match is not None and rules is not None else (),
    ]
    if control is not None:
        if is_injected:
            layers.append(from_default_queue(control, combine(*layers).environment))
        layers.append(from_control(control, combine(*layers).environment))
    return combine(*layers, match=match)


def combine(*layers: Iterable[Setting], match: Match | None = None) -> AppliedEnvironment:
    """Let the later source win, and keep what it overrode."""
    last: dict[str, Setting] = {}
    earlier: dict[str, tuple[Setting, ...]] = {}
    for layer in layers:
        for setting in layer:
            before = last.pop(setting.name, None)
            if before is not None:
                earlier[setting.name] = (*earlier.get(setting.name, ()), before)
            last[setting.name] = setting
    return AppliedEnvironment(
        MappingProxyType({name: one.value for name, one in last.items() if one.value is not None}),
        MappingProxyType({name: one.origin for name, one in last.items() if one.value is not None}),
        MappingProxyType(earlier),
        MappingProxyType({name: one.origin for name, one in last.items() if one.value is None}),
        match,
    )


def from_environ(environ: Mapping[str, str], *, origin: str = ENVIRONMENT) -> tuple[Setting, ...]:
    """Return the variables of an environment as settings of one origin."""
    return tuple(Setting(name, value, origin) for name, value in environ.items())


def from_client(ip: str, *, info: str = "", host: str = "", local_host: str = "") -> tuple[Setting, ...]:
    """Return what tcpserver says of a connection; it unsets the client's info and host when they are not known.

    Args:
        ip: Address of the client.
        info: TCPREMOTEINFO, "" when it is not known.
        host: TCPREMOTEHOST, "" when it is not known.
        local_host: TCPLOCALHOST, "" to say nothing of it.

    Source:
        tcpserver(1), ENVIRONMENT; tcp-environ(5).
    """
    local = {"TCPLOCALHOST": local_host} if local_host else {}
    said = {"PROTO": "TCP", **local, "TCPREMOTEIP": ip, "TCPREMOTEHOST": host, "TCPREMOTEINFO": info}
    return tuple(Setting(name, value or None, TCPSERVER) for name, value in said.items())


def from_envdir(directory: str | Path) -> tuple[Setting, ...]:
    """Return what a variables directory does; the origin is the file, as ``variables/QHPSI``.

    Raises:
        EnvdirError: The directory or a file cannot be read.
    """
    result = read_envdir(directory)
    return tuple(
        Setting(name, result.environment.get(name), _below(path, Path(directory)))
        for name, path in result.files.items()
    )


def from_match(match: Match, *, source: str = "") -> tuple[Setting, ...]:
    """Return what a client's rule does; the origin is ``tcp.smtp rule 192.0.2. (line 3)``, without the line for a cdb.

    Args:
        match: The look-up's result.
        source: File of the rules, "" for tcp.smtp.
    """
    line = f" (line {match.line_number})" if match.line_number is not None else ""
    origin = f"{PurePath(source).name or 'tcp.smtp'} rule {match.rule or ':'}{line}"
    return tuple(Setting(name, value, origin) for name, value in match.changes)


def from_control(directory: str | Path, environ: Mapping[str, str]) -> tuple[Setting, ...]:
    """Return what control files stand in for, where the environment does not set the variable.

    Raises:
        EnvdirError: A file is there and cannot be read.

    Deviation:
        Of several lines only the first is a value, and the origin says so: an environment cannot hold the list that
        qmail-queue makes of control/extraqueue. With FASTQUEUE it reads none of the files but queue_base.
    """
    found: list[Setting] = []
    for name, file_name in sorted((CONTROL_VALUES | CONTROL_LISTS).items()):
        path = Path(directory) / file_name
        if name in environ or not os.path.lexists(path):
            continue
        lines = _control_lines(path)
        origin = f"{_label(directory)}/{file_name}"
        if name in CONTROL_LISTS:
            found.append(Setting(name, file_name, origin))
        elif lines:
            count = f" (first of {len(lines)} lines)" if len(lines) > 1 else ""
            found.append(Setting(name, lines[0], origin + count))
    return tuple(found)


def from_default_queue(directory: str | Path, environ: Mapping[str, str]) -> tuple[Setting, ...]:
    """Return what control/defaultqueue sets for programs that inject mail; nothing when QUEUE_BASE is set.

    Raises:
        EnvdirError: It is there and cannot be read.
    """
    default_queue = Path(directory) / "defaultqueue"
    if "QUEUE_BASE" in environ or not default_queue.is_dir():
        return ()
    label = _label(directory)
    return tuple(Setting(one.name, one.value, f"{label}/{one.origin}") for one in from_envdir(default_queue))


def _below(path: str, directory: Path) -> str:
    """Return a file's path as people say it: variables/NAME below the directory, else the whole path."""
    file = PurePath(path)
    return f"{_label(directory)}/{file.relative_to(directory)}" if file.is_relative_to(directory) else path


def _label(directory: str | Path) -> str:
    """Return what a directory is called."""
    return PurePath(os.path.abspath(directory)).name  # noqa: PTH100 - a link keeps its own name


def _control_lines(path: Path) -> list[str]:
    """Return the lines of a control file that say something, blanks at their ends removed.

    Source:
        libqmail control.c `control_readfile()`: empty lines and those that begin with # are left out.
    """
    try:
        octets = read_beginning(path, MAX_VARIABLE_BYTES)
    except OSError as error:
        problem = problem_of(error)
    else:
        if len(octets) > MAX_VARIABLE_BYTES:
            raise EnvdirError(f"at most {MAX_VARIABLE_BYTES} octets in a control file", source=str(path))
        lines = (line.partition(b"\0")[0].rstrip(b" \t") for line in octets.split(b"\n"))
        return [os.fsdecode(line) for line in lines if line and not line.startswith(b"#")]
    raise EnvdirError(f"a control file that can be read ({problem})", source=str(path))
