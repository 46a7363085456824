"""Tests of the pitfalls modules: each pitfall is found, and not where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from indimail_kit.qhpsi import ClamdDaemon, CommandScanner, QhpsiConfig, eicar
from indimail_kit.qhpsi.explanation import explain
from indimail_kit.qhpsi.pitfalls import POLICY_RULES, Danger, scene_of
from indimail_kit.qhpsi.pitfalls_command import COMMAND_RULES, NOT_LOOKED_RULES
from indimail_kit.qhpsi.pitfalls_files import look_at_files

GOOD = "/usr/bin/clamdscan --fdpass --quiet %s"

CASES = {
    "fast-queue": ({"QHPSI": GOOD, "FASTQUEUE": "1005"}, {"QHPSI": GOOD, "FASTQUEUE": "0"}),
    "code-out-of-range": ({"QHPSI": GOOD, "QHPSIRC": "256"}, {"QHPSI": GOOD, "QHPSIRC": "255"}),
    "same-codes": ({"QHPSI": GOOD, "QHPSIRN": "1"}, {"QHPSI": GOOD, "QHPSIRN": "2"}),
    "zero-is-virus": ({"QHPSI": GOOD, "QHPSIRC": "0", "QHPSIRN": "1"}, {"QHPSI": GOOD, "QHPSIRC": "13"}),
    "misread-number": ({"QHPSI": GOOD, "QHPSIMAXSIZE": "1M"}, {"QHPSI": GOOD, "QHPSIMAXSIZE": "1000000"}),
    "misread-rejection": ({"QHPSI": GOOD, "REJECTVIRUS": "yes"}, {"QHPSI": GOOD, "REJECTVIRUS": "3"}),
    "sizes-crossed": (
        {"QHPSI": GOOD, "QHPSIMINSIZE": "200", "QHPSIMAXSIZE": "100"},
        {"QHPSI": GOOD, "QHPSIMINSIZE": "100", "QHPSIMAXSIZE": "100"},
    ),
    "large-unscanned": ({"QHPSI": GOOD, "QHPSIMAXSIZE": "100"}, {"QHPSI": GOOD, "QHPSIMAXSIZE": "0"}),
    "forward-ignored": (
        {"QHPSI": GOOD, "VIRUSFORWARD": "v@example.com", "REJECTVIRUS": "1"},
        {"QHPSI": GOOD, "VIRUSFORWARD": "v@example.com", "REJECTVIRUS": "2"},
    ),
    "forward-empty": (
        {"QHPSI": GOOD, "VIRUSFORWARD": "", "QUARANTINE": "q@example.com"},
        {"QHPSI": GOOD, "VIRUSFORWARD": ""},
    ),
    "custom-error": ({"QHPSI": GOOD, "QMAIL_QUEUE_CUSTOM_ERROR": ""}, {"QHPSI": GOOD}),
    "old-arguments": ({"QHPSI": "/bin/scan", "QHPSIARG1": "-x"}, {"QHPSI": "/bin/scan -x %s"}),
    "no-program": ({"QHPSI": ""}, {}),
    "no-file-name": ({"QHPSI": "/usr/bin/clamdscan --fdpass --quiet"}, {"QHPSI": "/usr/bin/clamdscan"}),
    "stream-limit": ({"QHPSI": "/usr/bin/clamdscan --stream --quiet %s"}, {"QHPSI": "/bin/scan --stream %s"}),
    "standard-input": ({"QHPSI": "/usr/bin/clamdscan --quiet -"}, {"QHPSI": "/usr/bin/clamdscan --quiet %s"}),
    "access-denied": ({"QHPSI": "clamdscan --quiet %s"}, {"QHPSI": "clamscan --quiet %s"}),
    "typographic-quotes": ({"QHPSI": "\u2019/usr/bin/clamdscan %s\u2019"}, {"QHPSI": "'/usr/bin/clamdscan' %s"}),
    "relative-program": ({"QHPSI": "bin/scan"}, {"QHPSI": "scan"}),
    "blank-before-plugin": ({"QHPSI": " plugin: a.so"}, {"QHPSI": "plugin: a.so"}),
    "plugin-directory": (
        {"QHPSI": "plugin: a.so", "PLUGINDIR": "/usr/lib/indimail/plugins"},
        {"QHPSI": "plugin: a.so", "PLUGINDIR": "plugins2"},
    ),
    "plugin-name": ({"QHPSI": "plugin: ./a.so"}, {"QHPSI": "plugin: a.so"}),
    "no-plugin": ({"QHPSI": "plugin: "}, {"QHPSI": "plugin:a.so"}),
    "plugins-after-generic": ({"QHPSI": "plugin: generic.so a.so"}, {"QHPSI": "plugin: a.so generic.so"}),
    "plugin-symbol": (
        {"QHPSI": "plugin: a.so", "QUEUE_PLUGIN": "x"},
        {"QHPSI": "plugin: a.so", "QUEUE_PLUGIN_SYMB": "x"},
    ),
    "variable": ({"QHPSI": "/bin/scan $OPTION %s", "OPTION": "-x"}, {"QHPSI": "/bin/scan %s $OPTION", "OPTION": "-x"}),
    "percent-s-tail": ({"QHPSI": "/bin/scan %s.eml"}, {"QHPSI": "/bin/scan %s"}),
    "quote-inside": ({"QHPSI": '/bin/scan -x="1 2" %s'}, {"QHPSI": '/bin/scan "-x=1 2" %s'}),
    "after-quote": ({"QHPSI": '/bin/scan "a"b %s'}, {"QHPSI": '/bin/scan "ab" %s'}),
    "mixed-quotes": ({"QHPSI": "/bin/scan \"a' %s"}, {"QHPSI": "/bin/scan 'a' %s"}),
    "backslash": ({"QHPSI": "/bin/scan a\\ b %s"}, {"QHPSI": "/bin/scan 'a b' %s"}),
    "no-shell": ({"QHPSI": "/bin/scan %s >/dev/null"}, {"QHPSI": "/bin/scan %s /dev/null"}),
    "output": ({"QHPSI": "clamdscan --fdpass --no-summary %s"}, {"QHPSI": "clamdscan --fdpass --quiet %s"}),
    "plugin-place": ({"QHPSI": "plugin: a.so"}, {"QHPSI": "/bin/a.so"}),
}
"""Key -> an environment with the pitfall, and one that comes as near as can be without it."""


@pytest.fixture(scope="module")
def small_stream_clamd() -> Iterator[ClamdDaemon]:
    """A real clamd that takes streams of at most 100 KB."""
    with ClamdDaemon(options={"StreamMaxLength": "100K"}) as daemon:
        yield daemon


def keys(environ: dict[str, str]) -> list[str]:
    """Return the keys of what is found."""
    return [pitfall.key for pitfall in explain(environ).warnings]


@pytest.mark.parametrize("key", CASES)
def test_pitfall_is_found_where_it_is_and_not_next_to_it(key: str) -> None:
    """One environment with it, one without: the warning tells them apart, and its text has no loose ends."""
    with_it, without_it = CASES[key]

    found = next(pitfall for pitfall in explain(with_it).warnings if pitfall.key == key)

    assert found.text.endswith(".")
    assert "{" not in found.text
    assert key not in keys(without_it)


def test_every_rule_has_a_case() -> None:
    """No rule is without a test."""
    assert set(CASES) == {rule.key for rule in (*POLICY_RULES, *COMMAND_RULES, *NOT_LOOKED_RULES)}


def test_good_configuration_has_no_warning() -> None:
    """Who does it right is not bothered."""
    assert explain({"QHPSI": GOOD, "REJECTVIRUS": "1"}).warnings == ()


def test_without_a_scanner_there_is_nothing_to_warn_of() -> None:
    """QHPSI is not set: what stands in the other variables does not matter."""
    assert explain({"REJECTVIRUS": "yes", "QHPSIRC": "0", "FASTQUEUE": "1"}).warnings == ()


def test_worst_comes_first() -> None:
    """What lets mail pass stands before what refuses it and what has no effect."""
    dangers = [one.danger for one in explain({"QHPSI": "clamdscan x=%s `id`", "REJECTVIRUS": "on"}).warnings]

    assert dangers == sorted(dangers, key=list(Danger).index)
    assert set(dangers) == set(Danger)


@pytest.mark.parametrize(
    ("environ", "key", "part"),
    [
        ({"QHPSI": "/bin/scan -q file=%s"}, "no-file-name", "(in 'file=%s' it is not at the beginning of the word)"),
        ({"QHPSI": "clamdscan --fdpass --quiet"}, "no-file-name", "clamdscan then scans its working directory"),
        ({"QHPSI": "/bin/scan %s $NONE"}, "variable", "$NONE is not set: the word is left out"),
        ({"QHPSI": "/bin/scan $NONE %s"}, "variable", "A variable works as the last word only"),
        ({"QHPSI": "plugin: a.so", "QUEUE_PLUGIN": "x"}, "plugin-symbol", "today's qhpsi does not"),
        (
            {"QHPSI": "plugin: a.so", "QUEUE_PLUGIN": "x", "QUEUE_PLUGIN_SYMB": "y"},
            "plugin-symbol",
            "QUEUE_PLUGIN_SYMB counts",
        ),
        ({"QHPSI": GOOD, "REJECTVIRUS": "1x"}, "misread-rejection", "read as 1: refuse for good"),
        ({"QHPSI": GOOD, "REJECTVIRUS": " 1"}, "misread-rejection", "read as 0: queue, marked infected"),
        ({"QHPSI": GOOD, "QHPSIRN": "300"}, "code-out-of-range", "no mail is ever clean"),
        ({"QHPSI": GOOD, "QHPSIRC": "4294967296"}, "misread-number", "QHPSIRC='4294967296' is read as 0"),
        ({"QHPSI": "\udce2\udc80clamdscan %s"}, "typographic-quotes", "copied from a web page"),
    ],
)
def test_text_fits_the_case(environ: dict[str, str], key: str, part: str) -> None:
    """The warning says what happens in this environment."""
    assert part in next(pitfall for pitfall in explain(environ).warnings if pitfall.key == key).text


@pytest.mark.parametrize(
    ("arguments", "scanner_rc", "is_warned"),
    [("--stream %s", 0, True), ("--stream -", 0, True), ("--fdpass %s", 1, False), ("--fdpass -", 1, True)],
)
def test_clamdscan_is_as_the_warning_says(
    small_stream_clamd: ClamdDaemon, tmp_path: Path, arguments: str, scanner_rc: int, is_warned: bool
) -> None:
    """A virus behind StreamMaxLength: the real clamdscan calls it clean with --stream, and finds it with --fdpass."""
    (tmp_path / "m").write_bytes(b"Subject: x\n\n" + b"B" * 300_000 + b"\n" + eicar() + b"\n")
    command = f"clamdscan -c {small_stream_clamd.config_path} --quiet {arguments}"

    answer = CommandScanner(QhpsiConfig(command), {"PATH": "/usr/bin:/bin"}, run_as=None)(tmp_path / "m")

    assert answer.scanner_rc == scanner_rc
    assert ("stream-limit" in keys({"QHPSI": command})) is is_warned


# ---- with a look at the files ----


def look(environ: dict[str, str], home: Path, cwd: Path | None = None) -> list[str]:
    """Return the texts of what the files tell."""
    return [pitfall.text for pitfall in look_at_files(scene_of(environ, file_name="m"), home=home, cwd=cwd)]


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("sh", ""),
        ("/bin/sh", ""),
        ("", ""),
        (" plugin: a.so", ""),
        ("no-such-scanner", "no-such-scanner is not in PATH (/bin): every mail gets 451."),
        ("/no/such/scanner", "/no/such/scanner: No such file or directory: every mail gets 451."),
        ("/etc/passwd", "/etc/passwd is not executable: every mail gets 451."),
        ("/bin", "/bin is not a file: every mail gets 451."),
        ("./scan", "{cwd}/scan: No such file or directory: every mail gets 451."),
    ],
)
def test_program_that_cannot_run_is_seen(tmp_path: Path, command: str, text: str) -> None:
    """Missing, no file, not executable: each is told, with the path that qhpsi would try."""
    found = look({"QHPSI": command, "PATH": "/bin"}, tmp_path, tmp_path)

    assert found == ([text.format(cwd=tmp_path)] if text else [])


def test_relative_program_is_not_looked_for_without_a_queue(tmp_path: Path) -> None:
    """Nobody knows which queue it would be."""
    assert look({"QHPSI": "./scan"}, tmp_path) == []


def test_missing_plugin_is_seen(tmp_path: Path) -> None:
    """A plugin that is not below PLUGINDIR is told, one that is there is not."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "a.so").touch()

    assert look({"QHPSI": "plugin: a.so b.so c/d.so"}, tmp_path) == [
        f"{tmp_path}/plugins/b.so does not exist: qhpsi ends with 57 and every mail gets 451."
    ]
    assert look({"QHPSI": "plugin: b.so", "PLUGINDIR": "/x"}, tmp_path) == []


def test_files_are_looked_at_only_when_asked() -> None:
    """By default nothing of this machine has a say."""
    assert "cannot-run" not in keys({"QHPSI": "/no/such/scanner"})
    assert "cannot-run" in [one.key for one in explain({"QHPSI": "/no/such/scanner"}, is_looking=True).warnings]
