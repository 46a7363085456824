"""What the tests of the tables share: the recorded log of three queues, what qmailanalog said of it, and a made day."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from indimail_kit.lab.demo_logs import DemoLogs, make_logs
from indimail_kit.logs import Log, read

RECORDED = Path(__file__).parents[1] / "data" / "indimail" / "logs"


@pytest.fixture(scope="session")
def three_queues() -> Log:
    """Return the recorded log of three queues under qscheduler."""
    return read(RECORDED / "qscheduler-static-3queues.tai64n.log.gz")


@pytest.fixture(scope="session")
def smtpd() -> Log:
    """Return the recorded logs of tcpserver and qmail-smtpd."""
    return read(*sorted(RECORDED.glob("smtpd-*.log")))


@pytest.fixture(scope="session")
def day() -> DemoLogs:
    """Return a made day of a server, with somebody who guesses passwords, viruses, and a host that does not answer."""
    return make_logs(600, seed=7)


@pytest.fixture
def qmailanalog() -> Callable[[str, int], list[list[str]]]:
    """Return a reader of what qmailanalog said of that log: the words of each line below the heading."""

    def lines(name: str, width: int) -> list[list[str]]:
        text = (RECORDED / "qscheduler-static-3queues.z" / f"{name}.txt").read_text(encoding="utf-8")
        return [line.split(maxsplit=width - 1) for line in text.splitlines()[1:]]

    return lines
