"""What a real IndiMail did with QHPSI, call by call, against the decision, scanners and header of this room.

The recorded scanners (data/indimail/qhpsi) are small shell scripts; they are written anew and run for real. Where the
recording used clamdscan, the distribution's clamdscan asks a real clamd of ours. What qmail-queue does besides the
scan is not decided in this room and stands in NOT_OURS, with its reason.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.qhpsi import ClamdDaemon, PluginScanner, QhpsiConfig, ScanReport, eicar, scan_message, scanner_for

DATA = Path(__file__).parents[1] / "data/indimail/qhpsi"
CASES = json.loads((DATA / "qhpsi-cases.json").read_text(encoding="utf-8"))
PLUGIN_CASES = json.loads((DATA / "qhpsi-plugin-cases.json").read_text(encoding="utf-8"))
SCANNERS = json.loads((DATA / "scanners.json").read_text(encoding="utf-8"))

NOT_OURS = {
    "custom error": "exit code 88 and its text on fd 2 are qmail-queue's own (QMAIL_QUEUE_CUSTOM_ERROR): mailqueue",
    "custom error scanner fail": "the same",
    "plugin: generic.so": "generic.so is IndiMail's own object, which is not here",
    "plugin generic default SCANCMD": "the same",
    "fds": "the recording's script that lists descriptors is not in scanners.json; test_child covers what is inherited",
    "fds uid 30001": "the same",
}
"""Case -> why its answer is not decided in this room."""

KEPT_BY_QUARANTINE = "QUARANTINE virus REJECT=2"
"""REJECTVIRUS=2 swallows, but QUARANTINE keeps the message: the queue knows that, the scan does not."""


def covered(cases: list[dict[str, Any]]) -> list[Any]:
    """Return the cases that this room decides, as parameters with readable names."""
    kept = [case for case in cases if case["case"] not in NOT_OURS]
    return [pytest.param(case, id=f"{number} {case['case']} {case['message']}") for number, case in enumerate(kept)]


def e_record(case: dict[str, Any]) -> str:
    """Return the e record of the recorded intd file, "" where there is none."""
    records = next((text for name, text in case["files"].items() if name.startswith("intd/")), "").split("\0")
    return next((record[1:] for record in records if record.startswith("e")), "")


def recorded_recipients(case: dict[str, Any]) -> list[str]:
    """Return the T records of the recorded intd file."""
    records = next((text for name, text in case["files"].items() if name.startswith("intd/")), "").split("\0")
    return [record[1:] for record in records if record.startswith("T")]


def qhpsi_header(case: dict[str, Any]) -> bytes:
    """Return the X-QHPSI line of the e record."""
    lines = e_record(case).splitlines(keepends=True)
    return "".join(line for line in lines if line.startswith("X-QHPSI:")).encode()


def mess_octets(case: dict[str, Any]) -> bytes:
    """Return the mess file of a case: as recorded, or made anew where the recording removed or shortened it."""
    recorded = next((text for name, text in case["files"].items() if name.startswith("mess/")), "")
    if not recorded or recorded.endswith("bytes)"):
        received = (
            f"Received: indimail-mta queue {case['pid']} by host vm\n"
            f" (invoked by uid {case['uid']}); Sun, 22 Nov 2026 14:14:00 +0000\n"
        )
        recorded = received + (DATA / "messages" / f"{case['message']}.eml").read_text(encoding="ascii")
    wrapped = base64.encodebytes(eicar()).rstrip(b"\n").decode()
    return recorded.replace("{EICAR}", eicar().decode()).replace("{EICAR_BASE64_WRAPPED}", wrapped).encode()


@pytest.fixture(scope="module")
def scan_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded scanner scripts, as programs."""
    directory = tmp_path_factory.mktemp("scan")
    for name, text in SCANNERS.items():
        (directory / name).write_text(text, encoding="ascii")
        (directory / name).chmod(0o755)
    return directory


@pytest.fixture(scope="module")
def clamd() -> Iterator[ClamdDaemon]:
    """A clamd that, where we are root, runs as another user, as in the recording (clamav there)."""
    with ClamdDaemon(user="nobody" if os.geteuid() == 0 else None) as daemon:
        yield daemon


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    """A queue directory that the user of clamd may not enter."""
    directory = tmp_path / "queue1"
    (directory / "mess" / "26").mkdir(parents=True)
    directory.chmod(0o700)
    return directory


Rerun = Callable[[dict[str, Any]], tuple[ScanReport, Path]]


@pytest.fixture
def rerun(queue: Path, scan_directory: Path, clamd: ClamdDaemon) -> Rerun:
    """A function: recorded case -> our report and the mess file."""

    def run(case: dict[str, Any]) -> tuple[ScanReport, Path]:
        mess = queue / "mess" / "26" / "1745435"
        mess.write_bytes(mess_octets(case))
        mess.chmod(0o600)
        environ = {"PATH": "/usr/bin:/bin", **case["env"]}
        if "QHPSI" in environ:
            environ["QHPSI"] = (
                environ["QHPSI"]
                .replace("/opt/lab/scan", str(scan_directory))
                .replace("/opt/lab/clamd/clamd.conf", str(clamd.config_path))
            )
        config = QhpsiConfig.from_environ(environ)
        return scan_message(mess, config=config, scanner=scanner_for(config, environ, cwd=queue)), mess

    return run


@pytest.mark.parametrize("case", covered(CASES))
def test_recorded_call_has_the_same_outcome(case: dict[str, Any], rerun: Rerun) -> None:
    """Same exit code, same X-QHPSI line, queued or not, and to the same recipients as the real qmail-queue."""
    if case["case"] == "clamdscan not-root no fdpass" and os.geteuid() != 0:
        pytest.skip("only root can run clamd as a user that may not read the queue")

    report, _ = rerun(case)

    header = report.header if case["files"] or not report.is_swallowed else b""
    assert (report.exit_code, header) == (case["rc"], qhpsi_header(case))
    is_queued = bool(case["files"]) and case["case"] != KEPT_BY_QUARANTINE
    assert (report.exit_code == 0 and not report.is_swallowed) is is_queued
    forwarded = (
        [case["env"]["VIRUSFORWARD"]] if recorded_recipients(case) == [case["env"].get("VIRUSFORWARD")] else [""]
    )
    assert [report.forward_to] == forwarded


def test_recording_is_covered() -> None:
    """All but two of the 51 calls are compared, and those two have their reason."""
    names = [case["case"] for case in CASES]

    assert len(names) == 51
    assert [name for name in names if name in NOT_OURS] == ["custom error", "custom error scanner fail"]


# ---- plugins and arguments ----


@pytest.fixture(scope="module")
def plugin_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plugins as the recording's README describes them, compiled here, in plugins and plugins2."""
    home = tmp_path_factory.mktemp("indimail")
    source = home / "plugin.c"
    source.write_text(
        "#include <stdlib.h>\n"
        "#ifndef NOSYM\n"
        'int virusscan(const char *m) { const char *rc = getenv("PLUGRC"); return m && rc ? atoi(rc) : 0; }\n'
        "int other(const char *m) { return m != 0; }\n"
        "#else\nint nothing;\n#endif\n",
        encoding="ascii",
    )
    for place in ("plugins", "plugins2"):
        (home / place).mkdir()
        for name, flags in (("first", []), ("second", []), ("nosym", ["-DNOSYM"])):
            target = home / place / f"{name}.so"
            subprocess.run(["gcc", "-shared", "-fPIC", *flags, "-o", str(target), str(source)], check=True)
    return home


@pytest.mark.skipif(shutil.which("gcc") is None, reason="plugins are C: gcc is not installed")
@pytest.mark.parametrize("case", covered([case for case in PLUGIN_CASES if case["env"]["QHPSI"].startswith("plugin")]))
def test_recorded_plugin_call_has_the_same_outcome(case: dict[str, Any], queue: Path, plugin_home: Path) -> None:
    """Plugins end with the exit codes and headers of the recording."""
    mess = queue / "mess" / "26" / "1745435"
    mess.write_bytes(mess_octets(case))
    config = QhpsiConfig.from_environ(case["env"])

    report = scan_message(mess, config=config, scanner=PluginScanner(config, case["env"], home=plugin_home, cwd=queue))

    assert (report.exit_code, report.header) == (case["rc"], qhpsi_header(case))


@pytest.mark.parametrize("case", covered([c for c in PLUGIN_CASES if not c["env"]["QHPSI"].startswith("plugin")]))
def test_recorded_command_has_the_same_outcome(case: dict[str, Any], rerun: Rerun) -> None:
    """The commands with quotes, tabs, backslashes and variables end as recorded."""
    report, _ = rerun(case)

    assert (report.exit_code, report.header) == (case["rc"], qhpsi_header(case))


def test_scanner_cannot_change_the_message(rerun: Rerun) -> None:
    """The recorded scanner appended a line through fd 3, which IndiMail leaks; here there is no such descriptor."""
    case = next(case for case in PLUGIN_CASES if case["case"] == "scanner writes fd 3")

    report, mess = rerun({**case, "files": {}})

    assert "APPENDED-BY-SCANNER" in next(text for name, text in case["files"].items() if name.startswith("mess/"))
    assert b"APPENDED-BY-SCANNER" not in mess.read_bytes()
    assert report.exit_code == case["rc"]


def test_scanner_cannot_read_the_envelope(rerun: Rerun) -> None:
    """The script that ate the envelope from fd 1 finds nothing to read there, and the message is queued."""
    case = {**CASES[0], "env": {"QHPSI": "/opt/lab/scan/steal"}}

    report, _ = rerun(case)

    assert (report.exit_code, report.header) == (0, b"X-QHPSI: clean\n")
