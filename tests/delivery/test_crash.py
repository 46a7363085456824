"""SIGKILL after every step of qmail-send: whoever should get a mail gets it at least once, and the queue ends empty."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.crash

CHILD = Path(__file__).with_name("killed_send.py")

WANTED = {
    "delivered": {"bob", "carol"},
    "both": {"bob", "ann"},
}
"""Scenario -> who must have a mail in the end; ann is the sender and gets the bounces."""

Results = list[dict[str, Any]]


@pytest.fixture(scope="module", params=sorted(WANTED))
def killed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Results]:
    """Return a scenario and what its killed runs left."""
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    argv = [sys.executable, str(CHILD), str(tmp_path_factory.mktemp("killed")), request.param]
    done = subprocess.run(argv, env=environ, capture_output=True, check=True, timeout=120)
    return request.param, json.loads(done.stdout)


def test_every_kind_of_step_was_hit(killed: tuple[str, Results]) -> None:
    """The children died in todo-proc's part, in deliveries, at marks, at the end, and while a bounce was queued."""
    scenario, results = killed
    hit = {result["step"].rpartition("/")[0].rstrip("0123456789").rstrip("/") for result in results}

    wanted = {"unlink todo", "write info", "mark local", "unlink local", "unlink info", "unlink mess"}
    wanted |= {"write bounce", "unlink bounce", "link todo"} if scenario != "delivered" else set()
    assert {step for step in wanted if not any(one.startswith(step) for one in hit)} == set()


def test_no_mail_is_lost(killed: tuple[str, Results]) -> None:
    """After the second run everybody has at least one mail, whatever the step."""
    scenario, results = killed
    lost = [(r["step"], user) for r in results for user in WANTED[scenario] if r["mails"][user] < 1]

    assert lost == []


def test_mail_comes_twice_only_when_its_mark_was_missing(killed: tuple[str, Results]) -> None:
    """A second copy comes only from the steps between a delivery and its mark, or a bounce and its removal."""
    _scenario, results = killed
    between = re.compile(r"(link|fsyncdir|unlink) \S+/(new|tmp)\b|(link|fsyncdir) todo/|trigger ")
    twice = [r["step"] for r in results if max(r["mails"].values()) > 1]

    assert [step for step in twice if not between.match(step)] == []
    assert max(count for r in results for count in r["mails"].values()) == 2


def test_files_are_always_those_of_a_state(killed: tuple[str, Results]) -> None:
    """At no step does a message have files that INTERNALS does not know."""
    _scenario, results = killed

    assert [r["step"] for r in results if any(state.startswith("broken") for state in r["left"])] == []


def test_queue_ends_empty(killed: tuple[str, Results]) -> None:
    """The second run, two days later, leaves nothing: not even a mess file whose message had ended."""
    _scenario, results = killed

    assert [(r["step"], r["after"]) for r in results if r["after"]] == []
