"""How right traces are: days with their truth, message numbers used again up to two hundred times, damaged logs.

The figures are printed; see `conftest` for how the truth is known without the kit's own pairing.
"""

from __future__ import annotations

import os

import pytest

from indimail_kit.lab.demo_logs import make_logs

IS_FULL = os.environ.get("INDIMAIL_KIT_CRASH") == "full"
MESSAGES, SEEDS, MAX_PID = (4_000, (1, 2, 3, 4, 5), 3_500) if IS_FULL else (400, (1, 2), 2_250)

DAMAGES = {
    "whole logs": ({}, 0.99),
    "clocks 40 s behind and 7.5 s ahead, told": ({"ahead_s": {"smtpd": -40.0, "clamd": 7.5}}, 0.99),
    "1 % of the lines lost": ({"lost": 0.01}, 0.985),
    "5 % of the lines lost": ({"lost": 0.05}, 0.95),
    "beginning cut off": ({"cut": 0.3, "lost": 0.01}, 0.95),
    "a hole in the middle": ({"hole": 0.1, "lost": 0.01}, 0.95),
    "clocks differ, untold": ({"ahead_s": {"smtpd": -40.0, "clamd": 7.5}, "is_told": False}, 0.9),
    "clocks differ a little, untold": ({"ahead_s": {"smtpd": 1.0, "clamd": -0.5}, "is_told": False, "lost": 0.01}, 0.9),
}
"""Name -> damage, and how much must be found all the same."""


@pytest.fixture(scope="module")
def days():
    """The days of all seeds."""
    return {seed: make_logs(MESSAGES, seed=seed, queues=2, max_pid=MAX_PID) for seed in SEEDS}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_certain_is_right_and_nearly_everything_is_found(measure, days, capsys, name, seed):
    """Precision 1.00 at certain, whatever happened to the logs; recall of what the logs still have."""
    damage, least = DAMAGES[name]

    figures = measure(days[seed], seed=seed, **damage)

    with capsys.disabled():
        print(f"\ntrace, {MESSAGES} messages, seed {seed}, {name}: {figures}", end="")
    assert (figures.mistakes, figures.recall >= least) == ([], True)


def test_numbers_and_pids_are_used_again_many_times(days):
    """The days are hard ones: the figures would say nothing if a number or a pid were used once."""
    lives = max(one.lifetime for day in days.values() for one in day.mails)
    shares = [len({one.qp for one in day.mails}) / len(day.mails) for day in days.values()]

    assert (lives >= 30, max(shares) < 0.6) == (True, True)


def test_a_wrong_story_would_be_noticed(measure, days, monkeypatch):
    """The measure itself can fail: joined by the number alone, scans are told as certain and are wrong."""
    from indimail_kit.trace.joins import Link, ScanJoiner

    def by_number_alone(self, life, _mail, **_known):
        scans = self._by_number.get(life.message_number, [])
        return [Link(scans[0], "certain", "same number")] if scans else [], []

    monkeypatch.setattr(ScanJoiner, "of", by_number_alone)

    assert measure(days[1]).precision < 0.97
