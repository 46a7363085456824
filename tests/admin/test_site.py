"""Where a server is: from variables, fail-closed where they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from indimail_kit.admin.site import Site, parse_clocks, parse_split, split_paths
from indimail_kit.errors import FormatError, KitError, TraceError
from indimail_kit.mailqueue import create_queue
from indimail_kit.qhpsi import EmbeddedScanner
from indimail_kit.qhpsi.canary import CanaryScanner

FULL = {
    "QUEUE_BASE": "somewhere/queue",
    "INDIMAIL_KIT_SPLIT": "23",
    "INDIMAIL_KIT_LOGS": "a/deliver.25:b/clamd:",
    "INDIMAIL_KIT_CLAMD": "run/clamd.sock",
    "INDIMAIL_KIT_CLOCKS": "scan=+2.5 session=-1",
}


def test_variables_say_everything() -> None:
    """Queues, split, logs, clamd and clocks."""
    assert Site.from_environ(FULL) == Site(
        Path("somewhere/queue"),
        (Path("a/deliver.25"), Path("b/clamd")),
        23,
        "run/clamd.sock",
        {"scan": 2.5, "session": -1.0},
    )


def test_without_variables_it_is_indimails_own_place() -> None:
    """Its queues are where IndiMail has them, no log, the built-in scanner."""
    site = Site.from_environ({})

    assert (str(site.queue_base), site.logs, site.split, site.log()) == ("/var/indimail/queue", (), None, None)
    assert isinstance(site.scanner(), EmbeddedScanner)


def test_clean_of_its_clamd_counts_only_with_the_canary() -> None:
    """A clamd without signatures says OK to everything."""
    assert isinstance(Site.from_environ(FULL).scanner(), CanaryScanner)


@pytest.mark.parametrize("text", ["x", "0", "-1", "2000000", "1.5", "²", "9" * 400])
def test_split_that_is_none_is_refused(text: str) -> None:
    """Rather than guessed."""
    with pytest.raises(FormatError):
        parse_split(text)


@pytest.mark.parametrize("text", ["scan", "scan=", "scan=x", "=1"])
def test_clock_without_seconds_is_refused(text: str) -> None:
    """The sentence shows what a clock looks like."""
    with pytest.raises(KitError, match="clock"):
        parse_clocks(text)


@pytest.mark.parametrize("text", ["moon=1", "scan=nan", "scan=inf"])
def test_clock_that_nobody_has_is_refused(text: str) -> None:
    """Session, scan and mail have clocks, and finite ones."""
    with pytest.raises(TraceError):
        parse_clocks(text)


def test_paths_have_colons_between_them() -> None:
    """As PATH has; a home directory may be written with a tilde."""
    assert split_paths("a:b: :~/c") == (Path("a"), Path("b"), Path("~/c").expanduser())


def test_it_opens_its_queues_and_reads_its_logs(tmp_path: Path) -> None:
    """All logs are read as one."""
    create_queue(tmp_path / "queue1", split=23)
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(b"new msg 5\n")
    site = Site(tmp_path, (tmp_path / "one", tmp_path / "two"), 23)
    log = site.log()

    assert log is not None
    assert ([one.name for one in site.queues().layouts], len(log)) == (["queue1"], 2)


@pytest.mark.parametrize(("environ", "is_named"), [({}, False), ({"QUEUEDIR": "x"}, True), (FULL, True)])
def test_it_is_named_by_its_queues_or_logs(environ: dict[str, str], is_named: bool, monkeypatch) -> None:
    """Where nothing names one and IndiMail is not here, a lesson takes the demo server."""
    monkeypatch.setattr("indimail_kit.admin.site.default_place", lambda _environ: Path("/nowhere at all"))

    assert Site.is_named(environ) is is_named


def test_place_that_is_closed_to_us_is_a_server_all_the_same(monkeypatch) -> None:
    """IndiMail is here, and its directory may not be entered: nobody shall take a demonstration for it."""

    def closed(_self: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", closed)

    assert Site.is_named({}) is True


def test_hostile_path_stays_text() -> None:
    """In words and in HTML."""
    site = Site(Path("<img src=x>\x1b"))

    assert ("\x1b" in repr(site), "<img" in site._repr_html_()) == (False, False)
