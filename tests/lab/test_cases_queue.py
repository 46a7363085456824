"""Broken queues and ways: unsolved at first and after half a repair, solved after the reference solution."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest

from indimail_kit.admin import examine_host, places_of_lab
from indimail_kit.control.supervise import read_service
from indimail_kit.lab import start_case
from indimail_kit.lab.case_looks import solve_by_repair, start_send, stop_send, tell_send, the_queue
from indimail_kit.lab.cases import RunningCase
from indimail_kit.lab.places import FAR_DOMAIN, SEND
from indimail_kit.mailqueue import open_queues


def half_start_it(case: RunningCase) -> None:
    """Start qmail-send on the copied queue, as it is: what is local goes, the rest has its wrong numbers."""
    tell_send(case.lab, "u")


def half_start_it_again(case: RunningCase) -> None:
    """Start qmail-send anew, and hope that it finds the files."""
    tell_send(case.lab, "d")
    tell_send(case.lab, "u")


def half_mess_only(case: RunningCase) -> None:
    """Remove the old mess files, which monitoring counts; their envelopes stay."""
    layout = the_queue(case.queue_base)
    for row in open_queues(case.queue_base).snapshot().messages:
        if row.state is not None and row.state.name == "S3" and str(row.message_number) != case.state.facts["writing"]:
            layout.path("mess", row.message_number).unlink()


def half_new_fifo(case: RunningCase) -> None:
    """Make the FIFO as it should be, under a qmail-send that has the old one open."""
    trigger = the_queue(case.queue_base).directory / "lock" / "trigger"
    trigger.unlink()
    os.mkfifo(trigger)
    trigger.chmod(0o622)


def half_route(case: RunningCase) -> None:
    """Write the new route, and wait."""
    case.site.places.routes.write_text(f"{FAR_DOMAIN}:{case.state.facts['new']}\n")


def half_file(case: RunningCase) -> None:
    """Remove the file; qmail-send has read it already."""
    (case.site.places.control / "concurrencyremote").unlink()


def undo_file(case: RunningCase) -> None:
    """Write it again: the reference solution removes it."""
    (case.site.places.control / "concurrencyremote").write_text("0\n")


def half_everybody(case: RunningCase) -> None:
    """Let everybody in, for the time being."""
    rules = case.site.places.rules
    rules.write_text(rules.read_text().replace(":deny", ":allow"))


HALF: dict[str, tuple[Callable[[RunningCase], None], str]] = {
    "queue-copied": (half_start_it, "differs from its name"),
    "wrong-split": (half_start_it_again, "belongs into"),
    "orphans": (half_mess_only, "intd"),
    "trigger": (half_new_fifo, "was taken, and does not arrive"),
    "backlog": (half_route, f"Mail for {FAR_DOMAIN} still waits in the queue: 12."),
    "office-shut": (half_everybody, "gets in, too"),
    "channel-shut": (half_file, f"Mail for {FAR_DOMAIN} still waits in the queue: 3."),
}
"""Case -> what somebody does who has seen half of it, and what the grader still says."""

UNDO: dict[str, Callable[[RunningCase], None]] = {"channel-shut": undo_file}
"""Case -> how the half repair is taken back, where the reference solution would stumble over it."""

SEEN_BY_DOCTOR = {
    "queue-copied": ("queue-broken", "inode-differs"),
    "wrong-split": ("queue-broken", "wrong-split"),
    "orphans": ("queue-odd", "ossified"),
    "trigger": ("trigger", "lock/trigger is a file, not a FIFO"),
    "backlog": ("route-dead", f"sends {FAR_DOMAIN} to 127.0.0.1:"),
    "office-shut": ("rule-note", "no dot at the end"),
    "channel-shut": ("no-concurrency", "concurrencyremote is 0"),
}
"""Case -> the finding of doctor that names the cause: its kind, and words of it."""


@pytest.mark.parametrize("name", sorted(HALF))
def test_case_is_unsolved_then_half_repaired_then_solved(name: str) -> None:
    """The grader looks at the server: broken, half repaired, repaired by the reference solution; doctor sees it."""
    half, still = HALF[name]
    key, words = SEEN_BY_DOCTOR[name]
    with start_case(name, seed=5) as case:
        told = [one.text for one in examine_host(places_of_lab(case.directory)).findings if one.key == key]
        assert words in " ".join(told)
        assert not case.grade().is_solved
        half(case)
        halfway = case.grade()
        assert not halfway.is_solved
        assert still in " ".join(finding.text for finding in halfway.findings if not finding.is_good)
        UNDO.get(name, lambda _case: None)(case)
        case.solve()
        assert case.grade().is_solved, case.grade()


@pytest.fixture(scope="module")
def orphans() -> Iterator[RunningCase]:
    """Start the case with leftovers once, for those who remove too much."""
    with start_case("orphans", seed=2) as case:
        yield case


def test_mail_that_is_being_written_is_no_leftover(orphans: RunningCase) -> None:
    """Who removes everything without a todo takes somebody's mail away while it comes in."""
    orphans.solve()
    layout, number = the_queue(orphans.queue_base), int(orphans.state.facts["writing"])
    layout.path("intd", number).unlink()

    assert f"Message {number} is gone or torn" in repr(orphans.grade())


def test_queue_cases_are_repaired_with_the_kit_alone(orphans: RunningCase) -> None:
    """Stop, repair, start: three commands that a person types."""
    commands = [deed.command for deed in solve_by_repair(orphans.site)]

    assert [command.split()[1:3] for command in commands] == [
        ["service", "down"],
        ["queue", "repair"],
        ["service", "up"],
    ]
    assert commands[0] == stop_send(orphans.site).command
    assert commands[2] == start_send(orphans.site).command


# --- the played supervise ---------------------------------------------------------------------------------------------


def test_service_that_ends_by_itself_is_started_again(orphans: RunningCase) -> None:
    """As supervise does: whoever stops qmail-send behind its back finds it up again, with the same want."""
    orphans.lab._running().sender.stop()
    directory = orphans.site.places.services / SEND

    assert orphans.site.wait_for(lambda: bool(read_service(directory, run_directories=()).is_up), 5.0)
    assert orphans.site.wait_for(lambda: orphans.lab._running().sender.is_running, 5.0)


def test_real_svc_and_svstat_work_on_it(orphans: RunningCase) -> None:
    """Daemontools' own programs see the played supervise as one, and are obeyed."""
    directory = str(orphans.site.places.services / SEND)

    def says(text: str) -> bool:
        return text in subprocess.run(["svstat", directory], capture_output=True, text=True).stdout

    subprocess.run(["svc", "-d", directory], check=True)
    assert orphans.site.wait_for(lambda: says(": down "), 10.0)
    subprocess.run(["svc", "-u", directory], check=True)
    assert orphans.site.wait_for(lambda: says(f": up (pid {os.getpid()})"), 10.0)


def test_nonsense_in_the_control_fifo_is_not_answered(orphans: RunningCase) -> None:
    """Octets that are no letters of svc change nothing."""
    directory = orphans.site.places.services / SEND
    fd = os.open(directory / "supervise" / "control", os.O_WRONLY | os.O_NONBLOCK)
    os.write(fd, bytes(range(32)) + b"\xff" * 200)
    os.close(fd)
    tell_send(orphans.lab, "d")
    tell_send(orphans.lab, "u")

    assert read_service(directory, run_directories=()).is_as_it_should_be
