"""todo-proc's one message."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.delivery.preprocess import plan_preprocessing, preprocess
from indimail_kit.delivery.routing import Routing
from indimail_kit.errors import EnvelopeError, QueueError
from indimail_kit.mailqueue.layout import KINDS
from indimail_kit.mailqueue.states import QueueState, state_of
from indimail_kit.mailqueue.values import INDIMAIL, QMAIL, SAFE, Step, SyncPolicy

Limit = Callable[[int], AbstractContextManager[None]]

if TYPE_CHECKING:
    from tests.delivery.conftest import House

ROUTING = Routing(locals={"local.test", "example.com"}, default_host="local.test")


@pytest.mark.parametrize("number", ["137/1704474", "139/1704476"])
def test_real_envelope_becomes_the_real_files(recorded: Callable[[str], dict[str, bytes]], number: str) -> None:
    """One recorded message in S4, and the same one in S5: info, local and remote, octet for octet (with T for D)."""
    queued, done = recorded("s4-queued-queue1"), recorded("s5-deferred-and-bounce-queue1")

    plan = plan_preprocessing(queued[f"todo/{number}"], routing=ROUTING)

    assert {kind: plan.file(kind) for kind in ("info", "local", "remote")} == {
        "info": done[f"info/{number}"],
        "local": b"T" + done[f"local/{number}"][1:].replace(b"\0D", b"\0T"),
        "remote": b"T" + done[f"remote/{number}"][1:].replace(b"\0D", b"\0T"),
    }


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"u0\0p1\0Ta@b\0", id="no sender"),
        pytest.param(b"u0\0p1\0Fa@b\0Tc@d\0X\0", id="unknown record"),
        pytest.param(b"u0\0p1\0Fa@b\0Tc@d", id="unfinished record"),
        pytest.param(b"u0\0p1\0Fa@b\0Fc@d\0", id="two senders"),
    ],
)
def test_broken_envelope_is_refused(octets: bytes) -> None:
    """Nobody guesses who should get a mail."""
    with pytest.raises(EnvelopeError):
        plan_preprocessing(octets, routing=ROUTING)


@given(octets=st.binary(max_size=80))
def test_hostile_envelope_gives_a_plan_or_an_envelope_error(octets: bytes) -> None:
    """Any octets."""
    try:
        plan = plan_preprocessing(octets, routing=ROUTING)
    except EnvelopeError:
        return
    assert len(plan.routes) == len(plan.records.recipients)


def kinds_of(house: House, number: int) -> set[str]:
    """Return the kinds of files that a message has."""
    return {kind for kind in KINDS if house.layout.path(kind, number).exists()}


def run(
    house: House, number: int, *, sync: SyncPolicy = INDIMAIL, on_step: Callable[[Step], None] | None = None
) -> int:
    """Preprocess a message; return its size."""
    done = preprocess(house.layout, number, routing=ROUTING, clock=house.clock, sync=sync, on_step=on_step)
    return done.message_bytes


def test_message_goes_from_s4_to_s5(house: House) -> None:
    """The files say so, with mode 600, and the mtime of info is the birth."""
    queued = house.put(b"bob@example.com", b"x@far.test", environ={"QQEH": "X-Head: 1"})
    house.clock.advance(5)

    size = run(house, queued.message_number)

    paths = {kind: house.layout.path(kind, queued.message_number) for kind in ("info", "local", "remote")}
    assert state_of(kinds_of(house, queued.message_number)) is QueueState.S5
    assert {kind: path.read_bytes() for kind, path in paths.items()} == {
        "info": b"Fann@example.com\0eX-Head: 1\n\0",
        "local": b"Tbob@example.com\0",
        "remote": b"Tx@far.test\0",
    }
    assert {path.stat().st_mode & 0o777 for path in paths.values()} == {0o600}
    assert paths["info"].stat().st_mtime == house.clock.now_s
    assert size == queued.message_bytes


@pytest.mark.parametrize(
    ("recipients", "files"),
    [
        pytest.param([b"bob@example.com"], {"info", "local"}, id="local only"),
        pytest.param([b"x@far.test"], {"info", "remote"}, id="remote only"),
        pytest.param([], {"info"}, id="nobody"),
    ],
)
def test_channel_without_recipients_has_no_file(house: House, recipients: list[bytes], files: set[str]) -> None:
    """An absent file means: nobody."""
    number = house.put(*recipients).message_number

    run(house, number)

    assert kinds_of(house, number) == files | {"mess"}


def test_message_is_in_s4_until_the_very_last_step(house: House) -> None:
    """Whenever the program dies in between, todo-proc can begin again (the oracle is the table of INTERNALS)."""
    number = house.put(b"bob@example.com", b"x@far.test").message_number
    states: list[str] = []

    run(house, number, sync=SAFE, on_step=lambda _step: states.append(state_of(kinds_of(house, number)).name))

    assert states == ["S4"] * (len(states) - 1) + ["S5"]


@pytest.mark.parametrize(
    ("sync", "synced"),
    [
        pytest.param(SAFE, ["fsync", "fsync", "fsync", "fsyncdir", "fsyncdir", "fsyncdir"], id="SAFE"),
        pytest.param(QMAIL, ["fsync", "fsync", "fsync"], id="QMAIL"),
        pytest.param(INDIMAIL, [], id="INDIMAIL"),
    ],
)
def test_order_of_steps_is_that_of_todo_proc(house: House, sync: SyncPolicy, synced: list[str]) -> None:
    """Old files away, new ones written and synced, then intd, then todo."""
    number = house.put(b"bob@example.com", b"x@far.test").message_number
    steps: list[tuple[str, str]] = []

    run(house, number, sync=sync, on_step=lambda step: steps.append((step.call, step.path.split("/")[0])))

    without_sync = [step for step in steps if not step[0].startswith("fsync")]
    assert [call for call, _ in steps if call.startswith("fsync")] == synced
    assert without_sync == [
        *(("unlink", "local"), ("unlink", "remote"), ("unlink", "info")),
        *(("open", "info"), ("write", "info"), ("open", "local"), ("write", "local")),
        *(("open", "remote"), ("write", "remote"), ("unlink", "intd"), ("unlink", "todo")),
    ]
    assert steps[-2:] == [("unlink", "intd"), ("unlink", "todo")]


def test_leftovers_of_a_crash_are_replaced(house: House) -> None:
    """info, local and remote of an earlier try are not believed."""
    number = house.put(b"bob@example.com").message_number
    for kind in ("info", "local", "remote"):
        house.write(kind, number, b"Dhalf")

    run(house, number)

    assert house.layout.path("local", number).read_bytes() == b"Tbob@example.com\0"
    assert kinds_of(house, number) == {"mess", "info", "local"}


def in_the_way(path: Path) -> None:
    """Put a directory where a file should be."""
    path.unlink(missing_ok=True)
    path.mkdir()


@pytest.mark.parametrize(
    ("kind", "damage", "text"),
    [
        pytest.param("todo", lambda path: path.write_bytes(b"X\0"), "unknown record type in todo/", id="broken todo"),
        pytest.param("todo", lambda path: path.write_bytes(b"Fa"), "unknown record type in todo/", id="cut todo"),
        pytest.param("todo", in_the_way, "open todo/", id="todo is a directory"),
        pytest.param("mess", lambda path: path.unlink(), "unable to stat mess/", id="no mess"),
        pytest.param("info", in_the_way, "unable to unlink info/", id="old info cannot be removed"),
        pytest.param("local", in_the_way, "unable to unlink local/", id="old local cannot be removed"),
    ],
)
def test_trouble_is_named_and_leaves_the_message_queued(
    house: House, kind: str, damage: Callable[[Path], object], text: str
) -> None:
    """QueueError says which file; nothing was taken out of todo or intd."""
    number = house.put(b"bob@example.com").message_number
    damage(house.layout.path(kind, number))

    with pytest.raises(QueueError) as caught:
        run(house, number)
    assert str(caught.value).startswith(text)
    assert {"intd", "todo"} <= kinds_of(house, number)


def test_full_disk_leaves_the_message_queued(house: House, limited_file_size: Limit) -> None:
    """A file that cannot be written whole is no S5."""
    number = house.put(b"bob@example.com").message_number

    with pytest.raises(QueueError, match="trouble writing to info/"), limited_file_size(3):
        run(house, number)
    assert state_of(kinds_of(house, number)) is QueueState.S4


def test_todo_that_is_a_link_is_not_followed(house: House) -> None:
    """A symbolic link in todo is trouble, not an envelope from elsewhere."""
    number = house.put(b"bob@example.com").message_number
    elsewhere = house.directory / "elsewhere"
    elsewhere.write_bytes(b"u0\0p1\0Fa@b\0Tc@d\0")
    path = house.layout.path("todo", number)
    path.unlink()
    path.symlink_to(elsewhere)

    with pytest.raises(QueueError, match="open todo/"):
        run(house, number)


def test_file_that_cannot_be_closed_leaves_the_message_in_s4(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a network that may be the first that one hears of a full disk; it ended qmail-send once."""
    number = house.put(b"bob@example.com").message_number
    real = os.close

    def close(fd: int) -> None:
        is_written = (fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE) == os.O_WRONLY
        real(fd)
        if is_written:
            raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", close)
        with pytest.raises(QueueError, match=r"trouble writing to info/.*Disk quota exceeded"):
            preprocess(house.layout, number, routing=house.local().routing, clock=house.clock, sync=INDIMAIL)

    assert state_of({kind for kind in KINDS if house.layout.path(kind, number).exists()}) is QueueState.S4
