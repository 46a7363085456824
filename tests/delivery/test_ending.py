"""How messages end."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from indimail_kit.delivery.bounce import MAX_COPY_OCTETS, BounceSettings
from indimail_kit.delivery.ending import Ending, read_info
from indimail_kit.delivery.journal import Journal
from indimail_kit.delivery.preprocess import preprocess
from indimail_kit.delivery.settings import SendSettings
from indimail_kit.errors import EnvelopeError
from indimail_kit.mailqueue.snapshot import read_message
from indimail_kit.mailqueue.values import INDIMAIL, SAFE, Step

Limit = Callable[[int], AbstractContextManager[None]]

if TYPE_CHECKING:
    from tests.delivery.conftest import House

HOST = "mx1.indikit.test"


def ending_of(house: House, **changes: Any) -> Ending:
    """Return what ends the messages of the house's queue."""
    pids = itertools.count(6055)
    options: dict[str, Any] = {
        "local": house.local(),
        "clock": house.clock,
        "next_pid": lambda: next(pids),
        "bounce": BounceSettings(HOST),
        "sync": INDIMAIL,
    }
    journal = Journal(house.log, clock=house.clock, on_event=house.events.append)
    return Ending(house.layout, settings=SendSettings(**(options | changes)), journal=journal)


def ready(house: House, *, sender: bytes = b"ann@example.com", message: bytes = b"Subject: hi\n\nbody\n") -> int:
    """Bring a message to S5 without recipients left; return its number."""
    number = house.put(sender=sender, message=message).message_number
    preprocess(house.layout, number, routing=house.local().routing, clock=house.clock, sync=INDIMAIL)
    return number


def bounces(house: House) -> list[tuple[bytes | None, tuple[bytes, ...]]]:
    """Return sender and recipients of what is queued now."""
    numbers = [int(path.rpartition("/")[2]) for path in house.left() if path.startswith("todo/")]
    records = [read_message(house.layout, number).records for number in numbers]
    return [(record.sender, record.recipients) for record in records if record]


def test_message_without_failures_just_ends(house: House) -> None:
    """S5 -> S1: one line, no file, no bounce."""
    number = ready(house)

    assert ending_of(house).end(number) is True
    assert house.lines() == [f"end msg {number} qmail-send: queue1"]
    assert house.left() == []


@pytest.mark.parametrize(
    ("sender", "bounce", "first_line"),
    [
        pytest.param(b"ann@a.test", (b"", (b"ann@a.test",)), "bounce msg {} qp 6055 queue1", id="bounce"),
        pytest.param(b"", (b"#@[]", (b"postmaster@" + HOST.encode(),)), "bounce msg {} qp 6055 queue1", id="double"),
        pytest.param(b"#@[]", None, "triple bounce: discarding bounce/{} queue1", id="triple"),
        pytest.param(b"c@a.test-@[]", (b"", (b"c@a.test",)), "bounce msg {} qp 6055 queue1", id="VERP"),
    ],
)
def test_failure_is_told_as_the_real_program_tells_it(
    house: House, sender: bytes, bounce: tuple[bytes, tuple[bytes, ...]] | None, first_line: str
) -> None:
    """Who gets it, with which sender, and the lines of the recorded log."""
    number = ready(house, sender=sender)
    ending = ending_of(house)
    ending.add_bounce(number, b"fail@local.test", b"no way\n")

    assert ending.end(number) is True
    assert house.lines() == [first_line.format(number), f"end msg {number} qmail-send: queue1"]
    assert bounces(house) == ([] if bounce is None else [bounce])
    assert read_message(house.layout, number).state.name == "S1"


def test_double_bounce_to_nobody_is_discarded(house: House) -> None:
    """control/doublebounceto that begins with "@", as in the recorded odd lines."""
    number = ready(house, sender=b"")
    ending = ending_of(house, bounce=BounceSettings(HOST, double_bounce_to="@nowhere.test"))
    ending.add_bounce(number, b"fail@local.test", b"no way\n")
    ending.end(number)

    assert house.lines()[0] == f"double bounce: discarding bounce/{number} queue1"
    assert bounces(house) == []


def test_bounce_is_queued_before_anything_is_removed(house: House) -> None:
    """The order of INTERNALS: inject, remove bounce, info, mess; a crash in between may send it twice."""
    number = ready(house)
    steps: list[Step] = []
    ending = ending_of(house, on_step=steps.append)
    ending.add_bounce(number, b"fail@local.test", b"no way\n")
    ending.end(number)

    own = [(step.call, step.path.split("/")[0]) for step in steps if step.message_number == number]
    linked = next(place for place, step in enumerate(steps) if step.call == "link" and step.path.startswith("todo/"))
    removed = next(
        place for place, step in enumerate(steps) if step.path == f"bounce/{number}" and step.call == "unlink"
    )
    assert own == [
        *(("write", "bounce"), ("unlink", "bounce"), ("unlink", "info"), ("unlink", "intd"), ("unlink", "mess")),
    ]
    assert linked < removed


def test_bounce_file_grows_by_one_paragraph_a_failure(house: House) -> None:
    """Mode 600, appended; what stood there stays."""
    number = ready(house)
    ending = ending_of(house, sync=SAFE)
    ending.add_bounce(number, b"a@b.test", b"one\n")
    ending.add_bounce(number, b"c@d.test", b"two\n")
    path = house.layout.path("bounce", number)

    assert path.read_bytes() == b"<a@b.test>:\none\n\n<c@d.test>:\ntwo\n\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_bounce_names_the_address_without_its_virtual_prefix(house: House) -> None:
    """The sender wrote to bob@example.com, not to example.com-bob@example.com."""
    number = ready(house)
    local = house.local(locals=(), virtual_domains={"example.com": "example.com"})
    ending_of(house, local=local).add_bounce(number, b"example.com-bob@example.com", b"no\n")

    assert house.layout.path("bounce", number).read_bytes().startswith(b"<bob@example.com>:\n")


def test_full_disk_cuts_no_paragraph_in_two(house: House, limited_file_size: Limit) -> None:
    """What could not be written whole is taken back, and the caller hears of it."""
    number = ready(house)
    ending = ending_of(house)
    ending.add_bounce(number, b"a@b.test", b"one\n")
    whole = house.layout.path("bounce", number).read_bytes()
    house.log.close()

    with limited_file_size(len(whole) + 5):
        is_added = ending.add_bounce(number, b"c@d.test", b"two\n")

    assert is_added is False
    assert house.layout.path("bounce", number).read_bytes() == whole


@pytest.mark.parametrize(
    ("size", "is_cut"),
    [pytest.param(MAX_COPY_OCTETS, False, id="at the limit"), pytest.param(MAX_COPY_OCTETS + 1, True, id="over")],
)
def test_large_message_is_cut_in_its_bounce(house: House, size: int, is_cut: bool) -> None:
    """control/bouncemaxbytes counts the Received line too."""
    head = len(house.layout.path("mess", ready(house)).read_bytes()) - len(b"Subject: hi\n\nbody\n")
    number = ready(house, message=b"x" * (size - head))
    ending = ending_of(house)
    ending.add_bounce(number, b"a@b.test", b"no\n")
    ending.end(number)

    messages = [(house.layout.directory / path).read_bytes() for path in house.left() if path.startswith("mess/")]
    assert (b"left out here" in max(messages, key=len)) is is_cut


@pytest.mark.parametrize("kind", ["local", "remote", "todo"])
def test_message_that_somebody_still_has_to_get_is_left_alone(house: House, kind: str) -> None:
    """A false alarm removes nothing."""
    number = ready(house)
    house.write(kind, number, b"Tx@y.test\0")

    assert ending_of(house).end(number) is True
    assert house.layout.path("info", number).exists()
    assert house.lines() == []


def test_message_that_is_gone_is_no_trouble(house: House) -> None:
    """Nothing to do, nothing to say."""
    assert ending_of(house).end(7) is True
    assert house.lines() == []


def as_directory(path: Path) -> None:
    """Put a directory where a file should be."""
    path.unlink(missing_ok=True)
    path.mkdir()


@pytest.mark.parametrize(
    ("kind", "damage", "remark"),
    [
        pytest.param("info", lambda path: path.write_bytes(b"Fann"), "trouble reading info/", id="cut info"),
        pytest.param("info", lambda path: path.write_bytes(b"?\0"), "trouble reading info/", id="info without sender"),
        pytest.param("bounce", as_directory, "trouble reading bounce/", id="bounce is a directory"),
        pytest.param("mess", lambda path: path.unlink(), "trouble injecting bounce message", id="no mess to enclose"),
    ],
)
def test_trouble_keeps_the_message_for_later(
    house: House, kind: str, damage: Callable[[Path], object], remark: str
) -> None:
    """A warning, no "end msg", and info and bounce are still there."""
    number = ready(house)
    ending = ending_of(house)
    ending.add_bounce(number, b"a@b.test", b"no\n")
    damage(house.layout.path(kind, number))

    assert ending.end(number) is False
    assert [line.startswith(f"warn: qmail-send: queue1: {remark}") for line in house.lines()] == [True]
    assert house.layout.path("info", number).exists()
    assert house.layout.path("bounce", number).exists()


def test_queue_that_refuses_a_bounce_is_asked_again_later(house: House, limited_file_size: Limit) -> None:
    """A full disk: the bounce file stays, and the same call works once there is room."""
    number = ready(house)
    ending = ending_of(house)
    ending.add_bounce(number, b"a@b.test", b"no\n")
    house.log.close()
    with limited_file_size(10):
        refused = ending.end(number)

    assert (refused, house.layout.path("bounce", number).exists()) == (False, True)
    assert (ending.end(number), len(bounces(house))) == (True, 1)


def test_mess_that_cannot_be_removed_is_told(house: House) -> None:
    """qmail-clean's trouble; the message has ended all the same."""
    number = ready(house)
    as_directory(house.layout.path("mess", number))

    assert ending_of(house).end(number) is True
    assert house.lines() == [
        f"end msg {number} qmail-send: queue1",
        f"warn: qmail-send: queue1: qmail-clean unable to clean up mess/{number % 3}/{number}",
    ]


def test_info_without_a_sender_is_refused(house: House) -> None:
    """An info file that was never finished says nothing."""
    house.write("info", 7, b"")

    with pytest.raises(EnvelopeError):
        read_info(house.layout, 7)


@pytest.mark.parametrize(
    ("kind", "when", "remark"),
    [
        pytest.param("bounce", "link todo", "unable to unlink bounce/", id="bounce"),
        pytest.param("info", "unlink bounce", "unable to unlink info/", id="info"),
    ],
)
def test_file_that_cannot_be_removed_keeps_the_message(house: House, kind: str, when: str, remark: str) -> None:
    """Something odd took its place at the last moment: a warning, and another try later."""
    number = ready(house)

    def spoil(step: Step) -> None:
        if f"{step.call} {step.path}".startswith(when):
            as_directory(house.layout.path(kind, number))

    ending = ending_of(house, on_step=spoil)
    ending.add_bounce(number, b"a@b.test", b"no\n")

    assert ending.end(number) is False
    assert any(line.startswith(f"warn: qmail-send: queue1: {remark}") for line in house.lines())


def test_directory_that_is_none_is_trouble(house: House) -> None:
    """A file where remote/N's directory should be: nobody knows whether recipients wait, so nothing is ended."""
    number = ready(house)
    directory = house.layout.path("remote", number).parent
    directory.rmdir()
    directory.touch()

    assert ending_of(house).end(number) is False
    assert house.lines() == [
        f"warn: qmail-send: queue1: unable to stat remote/{number % 3}/{number}; will try again later"
    ]


def test_bounce_file_without_a_paragraph_is_no_bounce(house: House) -> None:
    """A full disk or a crash between making the file and writing to it: nobody failed, so nobody is told so."""
    number = ready(house)
    house.write("bounce", number, b"")

    assert ending_of(house).end(number) is True
    assert (bounces(house), house.left()) == ([], [])
