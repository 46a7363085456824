"""Tests of config.py."""

from __future__ import annotations

import pytest

from indimail_kit.qhpsi.config import QhpsiConfig, scan_number


def test_empty_environment_asks_for_no_scan() -> None:
    """Without QHPSI nothing is scanned, and the numbers are the program's defaults."""
    config = QhpsiConfig.from_environ({})

    assert config == QhpsiConfig(
        command=None,
        infected_rc=1,
        clean_rc=0,
        min_bytes=0,
        max_bytes=0,
        reject_virus=0,
        virus_forward="",
        is_fast_queue=False,
        plugin_dir="plugins",
        symbol="virusscan",
    )
    assert not config.is_enabled


def test_every_variable_is_read() -> None:
    """Each field comes from its variable."""
    environ = {
        "QHPSI": "/usr/bin/clamdscan %s",
        "QHPSIRC": "13",
        "QHPSIRN": "2",
        "QHPSIMINSIZE": "100",
        "QHPSIMAXSIZE": "200",
        "REJECTVIRUS": "2",
        "VIRUSFORWARD": "virusadm@example.com",
        "FASTQUEUE": "1005",
        "PLUGINDIR": "plugins2",
        "QUEUE_PLUGIN_SYMB": "other",
    }

    assert QhpsiConfig.from_environ(environ) == QhpsiConfig(
        "/usr/bin/clamdscan %s", 13, 2, 100, 200, 2, "virusadm@example.com", True, "plugins2", "other"
    )


def test_empty_qhpsi_is_set() -> None:
    """An empty QHPSI asks for a scan that cannot work (IndiMail: exit code 77)."""
    assert QhpsiConfig.from_environ({"QHPSI": ""}).is_enabled


@pytest.mark.parametrize(
    ("text", "is_enabled"),
    [("1005", False), ("-1", False), ("0", True), ("", True), ("yes", True), ("00", True), ("4294967296", True)],
)
def test_fast_queue_switches_the_scan_off(text: str, is_enabled: bool) -> None:
    """FASTQUEUE counts when it is a number other than 0 (qmail-queue.c, scan_int)."""
    assert QhpsiConfig.from_environ({"QHPSI": "x", "FASTQUEUE": text}).is_enabled is is_enabled


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("1", 1),
        ("", 0),
        ("abc", 0),
        ("2x", 2),
        (" 2", 0),
        ("-1", 0),
        ("007", 7),
        ("2147483647", 2**31 - 1),
        ("2147483648", -(2**31)),
        ("4294967296", 0),
        ("4294967297", 1),
        ("18446744073709551616", 0),
    ],
)
def test_numbers_are_read_as_scan_ulong_does(text: str, number: int) -> None:
    """Leading digits count, anything else is 0, and the result is a C int."""
    assert scan_number(text) == number


def test_size_is_unsigned() -> None:
    """The int of QHPSIMAXSIZE is stored in an unsigned int: 3 GB are 3 GB."""
    assert QhpsiConfig.from_environ({"QHPSIMAXSIZE": "3000000000"}).max_bytes == 3_000_000_000


@pytest.mark.parametrize(
    ("environ", "symbol"),
    [
        ({"QUEUE_PLUGIN": "old"}, "old"),
        ({"QUEUE_PLUGIN": "old", "QUEUE_PLUGIN_SYMB": "new"}, "new"),
        ({"QUEUE_PLUGIN_SYMB": "new"}, "new"),
    ],
)
def test_both_names_of_the_symbol_variable_count(environ: dict[str, str], symbol: str) -> None:
    """The variable of 2010, QUEUE_PLUGIN, is still read; today's name wins."""
    assert QhpsiConfig.from_environ(environ).symbol == symbol


@pytest.mark.parametrize(
    ("command", "is_plugin"),
    [("plugin: a.so", True), ("plugin:a.so", True), (" plugin: a.so", False), ("Plugin:", False)],
)
def test_plugin_form_begins_with_the_word(command: str, is_plugin: bool) -> None:
    """Only a QHPSI whose first seven characters are "plugin:" names plugins."""
    assert QhpsiConfig(command).is_plugin is is_plugin
