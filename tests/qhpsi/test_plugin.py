"""Tests of plugin.py and of plugin_child.py, its child process; the plugins are compiled here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from indimail_kit.qhpsi import plugin_child
from indimail_kit.qhpsi.config import QhpsiConfig
from indimail_kit.qhpsi.plugin import PluginScanner
from indimail_kit.qhpsi.scan_user import scan_user
from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="plugins are C: gcc is not installed")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")

SOURCE = Path(__file__).with_name("plugins.c")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in for /var/indimail with plugins/ and plugins2/."""
    directory = tmp_path_factory.mktemp("home")
    for place in ("plugins", "plugins2"):
        (directory / place).mkdir()
    kinds = {"second": "first"}
    for name in ("first", "second", "crash", "nosym", "exits", "loops", "who"):
        flag = f"-D{kinds.get(name, name).upper()}"
        target = directory / "plugins" / f"{name}.so"
        subprocess.run(["gcc", "-shared", "-fPIC", flag, "-o", str(target), str(SOURCE)], check=True)
    shutil.copy(directory / "plugins" / "first.so", directory / "plugins2" / "only-here.so")
    (directory / "plugins" / "broken.so").write_bytes(b"no shared object")
    (directory / "mess").mkdir()
    (directory / "mess" / "7").write_bytes(b"Subject: hello\n\nhello\n")
    return directory


def ask(home: Path, command: str, **environ: str) -> ScanAnswer:
    """Ask the plugins as qmail-queue would, in the directory of the queue."""
    everything = {"QHPSI": command, **environ}
    return PluginScanner(QhpsiConfig.from_environ(everything), everything, home=home, cwd=home, run_as=None)(
        home / "mess" / "7"
    )


@pytest.mark.parametrize(
    ("command", "environ", "verdict", "scanner_rc"),
    [
        ("plugin: first.so second.so", {}, Verdict.CLEAN, 0),
        ("plugin:first.so", {}, Verdict.CLEAN, 0),
        ("plugin: first.so second.so", {"PLUGRC": "1"}, Verdict.INFECTED, 1),
        ("plugin: first.so second.so", {"PLUGRC": "5"}, Verdict.ERROR, 5),
        ("plugin: first.so", {"PLUGRC": "256"}, Verdict.CLEAN, 0),
        ("plugin: first.so", {"PLUGRC": "-1"}, Verdict.ERROR, 255),
        ("plugin: first.so", {"QUEUE_PLUGIN_SYMB": "other"}, Verdict.INFECTED, 1),
        ("plugin: first.so", {"QUEUE_PLUGIN": "other"}, Verdict.INFECTED, 1),
        ("plugin: only-here.so", {"PLUGINDIR": "plugins2"}, Verdict.CLEAN, 0),
        ("plugin: first.so", {"PLUGINDIR": "plugins2"}, Verdict.ERROR, 57),
        ("plugin: first.so", {"PLUGINDIR": "/usr/lib/indimail/plugins"}, Verdict.ERROR, 87),
        ("plugin: ./first.so", {}, Verdict.ERROR, 87),
        ("plugin: first.so ../x.so", {"PLUGRC": "1"}, Verdict.INFECTED, 1),
        ("plugin: none.so", {}, Verdict.ERROR, 57),
        ("plugin: broken.so", {}, Verdict.ERROR, 57),
        ("plugin: nosym.so", {}, Verdict.ERROR, 58),
        ("plugin: first.so", {"QUEUE_PLUGIN_SYMB": ""}, Verdict.ERROR, 58),
        ("plugin:", {}, Verdict.ERROR, 255),
        ("plugin: first.so none.so", {"PLUGRC": "1"}, Verdict.INFECTED, 1),
        ("plugin: first.so none.so", {}, Verdict.ERROR, 57),
    ],
)
def test_plugins_end_as_under_qhpsi(
    home: Path, command: str, environ: dict[str, str], verdict: Verdict, scanner_rc: int
) -> None:
    """Exit codes of qhpsi.c: the first result other than 0, 57 dlopen, 58 symbol, 87 a slash, -1 without plugins."""
    answer = ask(home, command, **environ)

    assert (answer.verdict, answer.scanner_rc) == (verdict, scanner_rc)


def test_plugins_get_the_relative_name_one_after_the_other(home: Path) -> None:
    """Each plugin is called with the message as the queue knows it."""
    answer = ask(home, "plugin: first.so second.so")

    assert (answer.raw, answer.scanner) == (b"virusscan(mess/7)\n" * 2, "plugin: first.so second.so")


def test_reason_names_the_plugin_that_could_not_be_loaded(home: Path) -> None:
    """The texts are qhpsi's."""
    answer = ask(home, "plugin: nosym.so")

    assert answer.reason.startswith("exit code 58, neither QHPSIRC (1) nor QHPSIRN (0): qhpsi: fatal: dlsym: ")
    assert answer.reason.endswith(f"{home}/plugins/nosym.so: undefined symbol: virusscan")


def test_plugin_that_crashes_ends_its_child_only(home: Path) -> None:
    """abort() in a plugin is a signal in the answer, and this process goes on."""
    answer = ask(home, "plugin: crash.so")

    assert (answer.verdict, answer.scanner_rc, answer.signal_number) == (Verdict.ERROR, None, int(signal.SIGABRT))


def test_without_an_interpreter_there_is_no_verdict(home: Path) -> None:
    """Where Python does not know its own program, plugins are an error and not clean."""
    answer = PluginScanner(QhpsiConfig("plugin: first.so"), {}, home=home, python="")(home / "mess" / "7")

    assert (answer.verdict, answer.scanner_rc) == (Verdict.ERROR, 75)


def test_child_takes_nothing_from_the_environment(home: Path, tmp_path: Path) -> None:
    """PYTHONPATH and PYTHONSTARTUP of the service do not run code in the child."""
    (tmp_path / "ctypes.py").write_text("raise SystemExit(0)", encoding="ascii")
    config = QhpsiConfig("plugin: none.so")

    answer = PluginScanner(config, {"PYTHONPATH": str(tmp_path)}, home=home, cwd=tmp_path, python=sys.executable)(
        home / "mess" / "7"
    )

    assert answer.scanner_rc == 57


def test_plugin_that_exits_ends_the_list(home: Path) -> None:
    """generic.so does: what stands behind it is never asked, and its 0 counts as clean."""
    assert ask(home, "plugin: exits.so first.so", PLUGRC="1").verdict is Verdict.CLEAN


def test_endless_plugin_is_killed(home: Path) -> None:
    """A plugin that never comes back is an error after the time limit."""
    config = QhpsiConfig("plugin: loops.so")

    answer = PluginScanner(config, {}, home=home, timeout_s=1.0)(home / "mess" / "7")

    assert (answer.verdict, answer.scanner_rc, answer.reason) == (Verdict.ERROR, None, "no answer within 1 s; killed")


@needs_root
def test_root_runs_no_code_of_a_plugin(home: Path) -> None:
    """From the first instruction on, constructors included, it is another user's: it reads, and nothing else."""
    user = scan_user()
    assert user is not None

    answer = PluginScanner(QhpsiConfig("plugin: who.so"), {}, home=home)(home / "mess" / "7")

    assert answer.raw.decode() == f"{user.uid} {user.uid} 0\nread 1, write 0, root 0\n"
    assert (answer.verdict, answer.user) == (Verdict.CLEAN, user.name)


@needs_root
@pytest.mark.parametrize(("name", "scanner_rc"), [("none.so", 57), ("broken.so", 57), ("nosym.so", 58), ("./x.so", 87)])
def test_faults_are_those_of_qhpsi_for_another_user_too(home: Path, name: str, scanner_rc: int) -> None:
    """The texts name the plugin's path, not the descriptor by which it was loaded."""
    answer = PluginScanner(QhpsiConfig(f"plugin: {name}"), {}, home=home)(home / "mess" / "7")

    assert answer.scanner_rc == scanner_rc
    assert "/proc/" not in answer.reason
    assert name in answer.reason


def test_fault_of_the_child_itself_is_no_verdict(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Python ends with 1 after a traceback, and 1 would be a virus: the child answers 75 instead."""
    assert plugin_child.main([b"only", b"three", b"words"]) == 75
    assert "ValueError" in capfd.readouterr().err


@needs_root
def test_plugin_of_an_unknown_user_is_not_run(home: Path) -> None:
    """No user, no scan."""
    answer = PluginScanner(QhpsiConfig("plugin: first.so"), {}, home=home, run_as="no-such-user")(home / "mess" / "7")

    assert (answer.verdict, answer.reason) == (Verdict.ERROR, "no user no-such-user")
