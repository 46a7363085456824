"""A plan says what will be done in words and commands; making it reads and changes nothing."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indimail_kit.admin import plan as plans
from indimail_kit.admin.plan import CreateFile, Plan, RemoveFile, Tell, WriteVariable, inverse_of, step_of
from indimail_kit.admin.run import DOERS
from indimail_kit.control.supervise import Service, ServiceStatus
from indimail_kit.errors import SuperviseError

HERE = Path("/service/clamd")
STATUS = ServiceStatus("djb 18 bytes", is_up=True, pid=4711, since_ns=0, is_paused=False, want="up")


def service(
    *, is_up: bool = True, want: Literal["up", "down", ""] = "up", is_normally_up: bool = True, is_paused: bool = False
) -> Service:
    """Return a service under supervise."""
    status = replace(STATUS, is_up=is_up, pid=4711 if is_up else 0, want=want, is_paused=is_paused)
    return Service(HERE, True, status, is_normally_up, True, HERE / "supervise")


ALONE = Service(HERE, False, None, True, False, HERE / "supervise")


def commands(plan: Plan) -> list[str]:
    """Return what a person would type."""
    return [step.command for step in plan.steps]


def test_seeds_commands_bring_a_service_up() -> None:
    """The seed of 2010: rm /service/clamd/down, then svc -u."""
    plan = plans.service_up(service(is_up=False, want="down", is_normally_up=False))
    assert commands(plan) == ["rm /service/clamd/down", "svc -u /service/clamd"]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (service(), []),
        (service(is_normally_up=False), ["rm /service/clamd/down"]),
        (service(is_up=False, want="down"), ["svc -u /service/clamd"]),
        (service(want="down"), ["svc -u /service/clamd"]),
        (service(want=""), ["svc -u /service/clamd"]),
        (service(is_paused=True), ["svc -c /service/clamd"]),
        (service(is_paused=True, want="down"), ["svc -c /service/clamd", "svc -u /service/clamd"]),
    ],
    ids=["up", "up, but normally down", "down", "about to go down", "once", "paused", "paused and about to go down"],
)
def test_only_what_is_needed_brings_it_up(found: Service, expected: list[str]) -> None:
    """A service that is up already needs nothing; a paused one must be told to go on."""
    assert commands(plans.service_up(found)) == expected


@pytest.mark.parametrize(
    ("found", "for_good", "expected"),
    [
        (service(), False, ["svc -d /service/clamd"]),
        (service(), True, ["touch /service/clamd/down", "svc -d /service/clamd"]),
        (service(is_normally_up=False), True, ["svc -d /service/clamd"]),
        (service(is_up=False, want="up"), False, ["svc -d /service/clamd"]),
        (service(is_up=False, want="down"), False, []),
    ],
)
def test_only_what_is_needed_takes_it_down(found: Service, for_good: bool, expected: list[str]) -> None:
    """A file down only on wish; a service that is down but to come up is told not to."""
    assert commands(plans.service_down(found, for_good=for_good)) == expected


def test_going_down_says_what_is_lost() -> None:
    """SIGTERM cuts off what runs: the plan says so before it happens."""
    (step,) = plans.service_down(service()).steps
    assert "clients see the connection break" in step.cannot_undo
    assert f"Cannot be undone: {step.cannot_undo}" in plans.service_down(service()).text


def test_seeds_commands_set_a_variable() -> None:
    """The seed of 2010: echo 1 > variables/REJECTVIRUS, svc -d, svc -u; the old value is in the words."""
    plan = plans.variable(service(), "REJECTVIRUS", b"1\n", before=b"0\n")
    assert commands(plan) == [
        "echo 1 > /service/clamd/variables/REJECTVIRUS",
        "svc -d /service/clamd",
        "svc -u /service/clamd",
    ]
    assert "REJECTVIRUS becomes '1'; now it is '0'." in plan.text


@pytest.mark.parametrize(
    ("found", "octets", "before", "restarts", "expected"),
    [
        (service(), b"1\n", b"1\n", True, []),
        (service(), b"1\n", None, False, ["echo 1 > /service/clamd/variables/A"]),
        (service(is_up=False), b"1\n", None, True, ["echo 1 > /service/clamd/variables/A"]),
        (service(is_up=False), None, b"1\n", True, ["rm /service/clamd/variables/A"]),
        (service(), None, None, True, []),
        (ALONE, b"1\n", None, False, ["echo 1 > /service/clamd/variables/A"]),
    ],
)
def test_only_what_is_needed_sets_a_variable(
    found: Service, octets: bytes | None, before: bytes | None, restarts: bool, expected: list[str]
) -> None:
    """The same value needs nothing; a service that is down is not started."""
    assert commands(plans.variable(found, "A", octets, before=before, restarts=restarts)) == expected


@pytest.mark.parametrize("make", [plans.service_up, plans.service_down])
def test_without_a_supervise_there_is_no_plan(make: object) -> None:
    """Nobody would do it: better no plan than one that cannot work."""
    with pytest.raises(SuperviseError, match="/service/clamd: expected a supervise that runs"):
        make(ALONE)  # type: ignore[operator]  # both take a service


def test_empty_plan_says_that_it_is_so_already() -> None:
    """No steps, no question."""
    plan = plans.service_up(service())
    assert (len(plan), plan.text) == (0, "Bring /service/clamd up: nothing to do, it is so already.")


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (None, "is no longer set here; now it is not set here."),
        (b"", "becomes unset by an empty file"),
        (b"\n", "becomes ''"),
    ],
)
def test_what_a_file_means_is_said(octets: bytes | None, words: str) -> None:
    """No file, an empty one and an empty value are three things."""
    assert words in step_of(WriteVariable(HERE, "A", octets, None)).text


@given(st.binary(max_size=60))
@example(b"-\0")
def test_command_for_a_variable_writes_exactly_its_octets(octets: bytes) -> None:
    """What a person would type gives the same file, whatever is in it; a hyphen in front is no option of printf."""
    command = step_of(WriteVariable(Path("/tmp"), "A", octets, None)).command.removesuffix(" > /tmp/A")
    assert subprocess.run(["sh", "-c", command], capture_output=True).stdout == octets


DEEDS = [
    RemoveFile(HERE / "down"),
    CreateFile(HERE / "down"),
    WriteVariable(HERE, "A", b"1\n", None),
    Tell(HERE, "u", "up"),
    Tell(HERE, "d", "down"),
]


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: type(deed).__name__)
def test_taking_back_twice_is_doing(deed: plans.Deed) -> None:
    """The inverse of the inverse is the deed, and every kind has somebody who does it."""
    assert inverse_of(inverse_of(deed)) == deed
    assert type(deed) in DOERS


def test_new_start_comes_after_the_old_value() -> None:
    """Undoing writes the old value first: the service reads it when it starts."""
    plan = plans.variable(service(), "REJECTVIRUS", b"1\n", before=b"0\n")
    assert commands(plan.undone()) == [
        "echo 0 > /service/clamd/variables/REJECTVIRUS",
        "svc -d /service/clamd",
        "svc -u /service/clamd",
    ]


def test_plan_is_undone_from_its_end() -> None:
    """What was done last is taken back first."""
    plan = plans.service_up(service(is_up=False, want="down", is_normally_up=False))
    assert commands(plan.undone()) == ["svc -d /service/clamd", "touch /service/clamd/down"]


def test_plans_are_joined_in_their_order() -> None:
    """Two services, one plan."""
    plan = plans.service_up(service(is_normally_up=False))
    assert commands(plans.join("both", [plan, plan])) == ["rm /service/clamd/down"] * 2


def test_hostile_directory_is_quoted() -> None:
    """A command that is copied into a shell does only what it says."""
    found = replace(service(is_normally_up=False), directory=Path("/service/a; rm -rf x"))
    assert commands(plans.service_up(found)) == ["rm '/service/a; rm -rf x/down'"]
