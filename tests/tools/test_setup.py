"""tools/setup: what it does first, what it leaves out the second time, and what it says when something cannot be had.

The programs that would change the machine or fetch packages (python3, apt-get, sudo) are stand-ins that write down how
they were called; the real ones run whenever somebody types `make test`.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REAL_PROGRAMS = (
    "basename bash cat cp cut dirname env grep head mkdir mktemp readlink rm sed sha256sum sh tail timeout tr"
)

PYTHON = r"""
case "$*" in
  *"version_info < "*) exit "${PYTHON_IS_OLD:-0}" ;;
  *ensurepip*) exit "${PYTHON_HAS_NO_VENV:-0}" ;;
  *"%d.%d"*) echo 3.12 ;;
  --version) echo "Python 3.12.4" ;;
  "-m pip --version") ;;
  "-m venv --clear .venv")
    echo "$(basename "$0") $*" >>"$CALLS"
    mkdir -p .venv/bin
    cp "$0" .venv/bin/python
    echo "VIRTUAL_ENV=\"$PWD/.venv\"" >.venv/bin/activate
    ;;
  "-m pip install"*)
    echo "pip $*" >>"$CALLS"
    exit "${PIP_FAILS:-0}"
    ;;
esac
"""
"""A Python that can be old, or without its venv part, and whose pip can fail."""

WRITES_DOWN = 'echo "$(basename "$0") $*" >>"$CALLS"\n'


@dataclass
class House:
    """A copy of what the set-up reads, with a PATH of its own.

    Attributes:
        directory: The copy.
        programs: The one directory on the PATH.
        calls_file: Where the stand-ins write.
    """

    directory: Path
    programs: Path
    calls_file: Path

    def add(self, name: str, script: str = WRITES_DOWN) -> None:
        """Put a stand-in on the PATH."""
        program = self.programs / name
        program.unlink(missing_ok=True)
        program.write_text(f"#!/bin/bash\n{script}", encoding="utf-8")
        program.chmod(0o755)

    def setup(self, level: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the set-up, with nobody at the terminal."""
        return subprocess.run(
            [self.directory / "tools" / "setup", level],
            env={"PATH": str(self.programs), "CALLS": str(self.calls_file), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def calls(self) -> list[str]:
        """Return what was called since the last question."""
        lines = self.calls_file.read_text(encoding="utf-8").splitlines() if self.calls_file.exists() else []
        self.calls_file.unlink(missing_ok=True)
        return lines


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A house with a Python 3.12 and no apt-get, no sudo, no other programs; the user is not root."""
    directory = tmp_path / "kit"
    shutil.copytree(ROOT / "tools", directory / "tools")
    (directory / "binder").mkdir()
    shutil.copy(ROOT / "binder" / "overrides.json", directory / "binder")
    shutil.copy(ROOT / "pyproject.toml", directory)
    house = House(directory, tmp_path / "programs", tmp_path / "calls")
    house.programs.mkdir()
    for name in REAL_PROGRAMS.split():
        (house.programs / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    house.add("id", "echo 1000\n")
    house.add("python3.12", PYTHON)
    return house


LAB = [
    "python3.12 -m venv --clear .venv",
    "pip -m pip install --quiet --editable .[lab,widgets]",
]
TEST = ["pip -m pip install --quiet --editable .[test]"]


def test_first_time_makes_the_environment(house: House) -> None:
    """A new environment is made with the Python that was found, and gets the packages of the level."""
    ended = house.setup("lab")

    assert (ended.returncode, house.calls()) == (0, LAB)


def test_level_docs_has_what_the_documentation_needs_and_asks_for_no_system_package(house: House) -> None:
    """Who only builds the pages gets neither a scanner nor a browser."""
    house.add("apt-get")
    house.add("id", "echo 0\n")

    ended = house.setup("docs")

    assert (ended.returncode, house.calls()) == (
        0,
        [LAB[0], "pip -m pip install --quiet --editable .[docs,lab,widgets]"],
    )


def test_second_time_does_nothing(house: House) -> None:
    """With the stamp in .venv neither Python's venv nor pip is called."""
    house.setup("lab")
    house.calls()

    ended = house.setup("lab")

    assert (ended.returncode, house.calls()) == (0, [])
    assert "set up already (level lab)" in ended.stdout


def test_changed_pyproject_is_noticed(house: House) -> None:
    """New dependencies are fetched into the environment that is there."""
    house.setup("lab")
    house.calls()
    with (house.directory / "pyproject.toml").open("a", encoding="utf-8") as pyproject:
        pyproject.write("# another dependency\n")

    house.setup("lab")

    assert house.calls() == LAB[1:]


def test_test_level_holds_the_lab_level(house: House) -> None:
    """After `make test` nothing is left to do for `make lab`; the other way round there is."""
    house.setup("lab")
    house.calls()

    house.setup("test")
    after_test = house.calls()
    house.setup("lab")

    assert (after_test, house.calls()) == (TEST, [])


def test_moved_folder_gets_a_new_environment(house: House) -> None:
    """An environment's programs hold its path, so a copied or moved one is made again."""
    house.setup("lab")
    house.calls()
    house.directory = house.directory.rename(house.directory.with_name("moved"))

    house.setup("lab")

    assert house.calls() == LAB


def test_failed_fetch_is_tried_again(house: House) -> None:
    """When pip fails, the set-up says so with code 3 and leaves no stamp."""
    failed = house.setup("lab", PIP_FAILS="1")
    house.calls()

    again = house.setup("lab")

    assert (failed.returncode, "is there a network connection?" in failed.stderr) == (3, True)
    assert (again.returncode, house.calls()) == (0, LAB[1:])


def test_jupyterlab_gets_our_settings(house: House) -> None:
    """The settings of Binder hold on this machine too."""
    house.setup("lab")

    installed = house.directory / ".venv/share/jupyter/lab/settings/overrides.json"
    assert installed.read_bytes() == (ROOT / "binder/overrides.json").read_bytes()


@pytest.mark.parametrize("flaw", ["PYTHON_IS_OLD", "PYTHON_HAS_NO_VENV"])
def test_unusable_python_is_explained(house: House, flaw: str) -> None:
    """A Python before 3.11 or without venv ends with code 3 and with what to do."""
    ended = house.setup("lab", **{flaw: "1"})

    assert (ended.returncode, house.calls()) == (3, [])
    assert "3.11 or later" in ended.stderr
    assert "apt-get install python3-venv" in ended.stderr


def test_broken_pythons_are_passed_over(house: House) -> None:
    """A `python3.13` that only says that it is not there (pyenv) does not stop the search."""
    house.add("python3.13", "exit 127\n")

    house.setup("lab")

    assert house.calls() == LAB


def test_named_python_is_the_only_one_tried(house: House) -> None:
    """PYTHON=… is obeyed, also when there is another one that would do."""
    house.add("python3.11", PYTHON)

    house.setup("lab", PYTHON=str(house.programs / "python3.11"))

    assert house.calls()[0] == "python3.11 -m venv --clear .venv"


def test_unknown_level_is_wrong_usage(house: House) -> None:
    """Anything but lab, docs and test is answered with the usage and code 2."""
    ended = house.setup("everything")

    assert (ended.returncode, ended.stderr) == (2, "usage: tools/setup lab|docs|test\n")


def test_other_systems_go_on_without_packages(house: House) -> None:
    """Where there is no apt-get the set-up says what it leaves out, and goes on."""
    ended = house.setup("test")

    assert ended.returncode == 0
    assert "not installed: swaks curl git msmtp strace ucspi-tcp gcc libc6-dev" in ended.stdout
    assert "this system has no apt-get" in ended.stdout


def test_ci_does_without_nothing(house: House) -> None:
    """With CI=true a missing part is an error that names it."""
    ended = house.setup("test", CI="true", SBIN="/nonexistent")

    assert ended.returncode == 3
    assert "clamd clamdscan swaks curl git msmtp mariadbd supervise tcprules gcc strace chromium" in ended.stderr


@pytest.mark.parametrize(
    ("environment", "sudo", "reason"),
    [
        pytest.param({"APT": "no"}, "exit 0\n", "APT=no was asked for", id="not wanted"),
        pytest.param({}, "exit 1\n", "nobody is here to give sudo a password", id="password needed"),
        pytest.param({}, None, "there is no sudo", id="no sudo"),
    ],
)
def test_packages_are_left_alone_without_the_right(
    house: House, environment: dict[str, str], sudo: str | None, reason: str
) -> None:
    """Without root, a willing sudo or the wish, apt-get is not called; the reason is said and the rest is done."""
    house.add("apt-get")
    house.add("sudo", sudo) if sudo is not None else None

    ended = house.setup("test", **environment)

    assert (ended.returncode, [call for call in house.calls() if call.startswith("apt-get")]) == (0, [])
    assert reason in ended.stdout


APT_OPTIONS = "-qq -o DPkg::Lock::Timeout=180 -o Dpkg::Use-Pty=0 install -y --no-install-recommends"


@pytest.mark.parametrize(
    ("user", "prefix"),
    [
        pytest.param("0", [], id="root"),
        pytest.param("1000", ["sudo -n"], id="sudo without password"),
    ],
)
def test_missing_programs_come_from_the_distribution(house: House, user: str, prefix: list[str]) -> None:
    """As root or with sudo the missing programs are installed, without questions, and the lists are asked once."""
    house.add("id", f"echo {user}\n")
    house.add("apt-get")
    house.add("sudo", f'[ "$2" = true ] || {WRITES_DOWN}shift\n"$@"\n')
    house.add("apt-cache", 'echo "  Candidate: 130.0-1~deb"\n')

    house.setup("test", SBIN="/nonexistent")
    calls = [call for call in house.calls() if call.startswith(("apt-get", "sudo"))]

    wanted = "apt-get " + APT_OPTIONS + " swaks curl git msmtp strace ucspi-tcp gcc libc6-dev"
    assert calls.count("apt-get -qq update") == 1
    assert wanted in calls
    assert f"apt-get {APT_OPTIONS} chromium" in calls
    assert f"apt-get {APT_OPTIONS} mariadb-server" in calls
    assert f"apt-get {APT_OPTIONS} daemontools" in calls
    before = calls[: calls.index(wanted)]
    assert [call for call in before if call.startswith("sudo") and "swaks" in call] == [
        f"{words} env DEBIAN_FRONTEND=noninteractive {wanted}" for words in prefix
    ]


@pytest.mark.parametrize("candidate", ["(none)", "2:1snap1-0ubuntu2"])
def test_snap_chromium_is_not_installed(house: House, candidate: str) -> None:
    """On Ubuntu, where chromium is a snap or nothing, it is left alone with the reason."""
    house.add("id", "echo 0\n")
    house.add("apt-get")
    house.add("apt-cache", f'echo "  Candidate: {candidate}"\n')

    ended = house.setup("test")

    assert [call for call in house.calls() if call.endswith(" chromium")] == []
    assert "only as a snap" in ended.stdout


@pytest.mark.parametrize(
    ("there_before", "switched_off"),
    [
        pytest.param("", "clamav-daemon.service clamav-daemon.socket clamav-freshclam.service", id="all new"),
        pytest.param("clamav-freshclam", "clamav-daemon.service clamav-daemon.socket", id="freshclam was in use"),
        pytest.param("clamav-daemon clamav-freshclam", None, id="both were in use"),
    ],
)
def test_services_that_came_with_the_scanner_stay_off(
    house: House, there_before: str, switched_off: str | None
) -> None:
    """Nothing is started by the installation; afterwards units are disabled that it brought, and no others."""
    house.add("id", "echo 0\n")
    house.add("apt-get", 'echo "apt-get ${!#} ${SYSTEMD_OFFLINE:-online}" >>"$CALLS"\n')
    house.add("dpkg-query", f'case " {there_before} " in *" $3 "*) echo -n installed ;; esac\n')
    house.add("systemctl")

    house.setup("lab", SBIN="/nonexistent")
    calls = house.calls()

    assert [call for call in calls if call.startswith("apt-get")] == [
        "apt-get update online",
        "apt-get clamdscan 1",
        "apt-get daemontools online",
    ]
    disabled = [call.removeprefix("systemctl --quiet disable ") for call in calls if " disable " in call]
    assert disabled == ([switched_off] if switched_off else [])


def test_missing_clamd_is_said_with_what_takes_its_place(house: House) -> None:
    """Without clamd the set-up goes on, names the embedded scanner, and says how to get the real one."""
    ended = house.setup("lab", SBIN="/nonexistent")

    assert ended.returncode == 0
    assert "scanner: the embedded one" in ended.stdout
    assert "apt-get install clamav-daemon clamdscan" in ended.stdout
