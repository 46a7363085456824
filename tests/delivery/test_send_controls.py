"""SIGHUP: the control files that are read again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from indimail_kit.delivery.events import Report
from indimail_kit.delivery.send_controls import MAX_CONCURRENCY, SendControls, read_send_controls
from indimail_kit.errors import QueueError
from indimail_kit.logs.engine import read_events
from indimail_kit.logs.event import UNKNOWN

if TYPE_CHECKING:
    from tests.delivery.conftest import House


def write(directory: Path, **files: str) -> Path:
    """Write control files and return their directory."""
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


# -- the files ---------------------------------------------------------------------------------------------------


def test_all_files_are_read(tmp_path: Path) -> None:
    """Domains in lower case, comments left out, concurrency up to 120, held channels."""
    control = write(
        tmp_path / "control",
        locals="# ours\nExample.COM\nexample.net\n",
        virtualdomains="Virtual.example:joe\n.below.example:\nno colon\n",
        concurrencylocal="3\n",
        concurrencyremote="500\n",
        holdremote="1\n",
        holdlocal="0\n",
    )
    assert read_send_controls(control) == SendControls(
        locals={"example.com", "example.net"},
        virtual_domains={"virtual.example": "joe", ".below.example": ""},
        concurrency={"local": 3, "remote": MAX_CONCURRENCY},
        held=frozenset({"remote"}),
    )


def test_without_files_me_alone_is_local(tmp_path: Path) -> None:
    """As control_readfile() takes control/me for a missing locals."""
    control = write(tmp_path / "control", me="mx.example.com\n")
    assert read_send_controls(control) == SendControls(locals={"mx.example.com"})


@pytest.mark.parametrize("text", ["many", "-1", "1.5", "٣"])
def test_number_that_is_none_is_an_error(tmp_path: Path, text: str) -> None:
    """The error names the file."""
    control = write(tmp_path / "control", concurrencylocal=text)
    with pytest.raises(QueueError, match="a number in control/concurrencylocal"):
        read_send_controls(control)


def test_unreadable_file_is_an_error(tmp_path: Path) -> None:
    """A directory in place of a file."""
    control = write(tmp_path / "control")
    (control / "locals").mkdir()
    with pytest.raises(QueueError, match="unable to read configuration locals"):
        read_send_controls(control)


# -- qmail-send --------------------------------------------------------------------------------------------------


def test_reread_moves_a_domain(house: House) -> None:
    """Mail for example.net is remote before, and local after."""
    control = write(house.directory / "control", locals="example.com\n")
    send = house.send(controls=control)
    house.put(b"bob@example.net")
    send.run_once()
    write(control, locals="example.com\nexample.net\n")
    send.reread()
    house.put(b"bob@example.net")
    send.run_once()

    bobs = [event for event in house.events if (event.kind, event.recipient) == ("recipient", "bob@example.net")]
    channels = [event.channel for event in bobs]
    assert channels == ["remote", "local"]


def test_reread_changes_concurrency_and_says_so(house: House) -> None:
    """The lines are those of the real one: HUP, then the new status."""
    control = write(house.directory / "control", locals="example.com\n", concurrencylocal="7\n")
    send = house.send(controls=control)
    send.run_once()
    send.reread()
    send.run_once()
    lines = house.lines()

    hup = next(place for place, line in enumerate(lines) if line.endswith("got HUP: queue1"))
    assert lines[hup + 1] == "status: local 0/7 remote 0/20 queue1"


def test_held_channel_waits_until_it_is_resumed(house: House) -> None:
    """Nothing is lost, nothing is tried, and the log says what is held; every line is known."""
    control = write(house.directory / "control", locals="example.com\n", holdlocal="1\n")
    send = house.send(controls=control, remote=lambda _delivery: Report("success", b"gone\n"))
    send.run_once()
    send.reread()
    house.put(b"bob@example.com", b"far@example.org")
    send.run_once()
    assert house.mails("bob") == []
    assert "status: local 0/20 (held) remote 0/20 queue1" in house.lines()

    write(control, holdlocal="0\n")
    send.reread()
    send.run_once()
    assert len(house.mails("bob")) == 1
    assert house.left() == []
    lines = house.lines()
    assert lines.index("local deliveries temporarily held") < lines.index("local deliveries resumed")
    send.stop()
    assert [event for event in read_events(house.log.path) if event.kind == UNKNOWN] == []


def test_broken_file_changes_nothing_and_is_told(house: House) -> None:
    """The mail for example.com stays local."""
    control = write(house.directory / "control", locals="example.org\n", concurrencyremote="many\n")
    send = house.send(controls=control)
    send.run_once()
    send.reread()
    house.put(b"bob@example.com")
    send.run_once()

    assert len(house.mails("bob")) == 1
    warning = "warn: qmail-send: queue1: unable to reread controls: a number in control/concurrencyremote"
    assert warning in house.lines()


def test_hup_without_a_directory_is_only_told(house: House) -> None:
    """Nothing to read."""
    send = house.send()
    send.run_once()
    send.reread()
    send.run_once()

    assert any(line.endswith("got HUP: queue1") for line in house.lines())
