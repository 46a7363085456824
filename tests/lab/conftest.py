"""What the lab's tests share: labs that run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from indimail_kit.lab import Lab, SmtpdLimits


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Run a lab with the scanner that needs nothing installed."""
    with Lab(seed=1, scanner="embedded") as running:
        yield running


@pytest.fixture(scope="module")
def clamd_lab() -> Iterator[Lab]:
    """Run a lab with a real clamd."""
    with Lab(seed=1, scanner="clamd") as running:
        yield running


@pytest.fixture
def make_lab() -> Iterator[Callable[..., Lab]]:
    """Return a function that starts a lab of its own, stopped after the test."""
    labs: list[Lab] = []

    def start(**options: object) -> Lab:
        options = {"scanner": "embedded", "queue_count": 1, **options}
        labs.append(Lab(**options).start())
        return labs[-1]

    yield start
    for started in labs:
        started.stop()


@pytest.fixture
def small_limits() -> SmtpdLimits:
    """Return limits that a test reaches quickly."""
    return SmtpdLimits(
        message_bytes=4000, command_bytes=200, recipients=2, connections=2, auth_tries=2, idle_s=0.5, session_s=2.0
    )
