"""The lab traced as a real host would be: its logs, its queue, its mailboxes, its clamd; nothing but files."""

from __future__ import annotations

import pytest

from indimail_kit import logs, mailqueue, trace
from indimail_kit.lab import Lab


@pytest.fixture(scope="module")
def lab():
    """A lab with a real clamd."""
    with Lab(seed=1, scanner="clamd") as running:
        yield running


def tracer_of(lab: Lab) -> trace.Tracer:
    """A tracer of everything that the lab has left on the disk."""
    written = logs.read(lab.directory / "log" / "deliver.25", lab.directory / "log" / "smtpd.25")
    return trace.Tracer(
        logs=[written, lab.clamd_log()],
        queues=mailqueue.open_queues(lab.queue_base),
        mails=[lab.directory / "mail" / "example.com" / "bob" / "Maildir"],
    )


def test_a_mail_is_certain_from_the_session_to_the_mailbox(lab):
    """Every station has evidence, all of it certain; nothing is missing."""
    journey = lab.send(mechanism="CRAM-MD5", recipient="bob@example.com")

    told = tracer_of(lab).qp(journey.qp)

    assert ({one.source for one in told.evidence}, told.confidence, told.gaps) == (
        {"session", "scan", "queue", "delivery", "mail"},
        "certain",
        (),
    )
    assert (told.message.queue, told.message.message_number) == (journey.queue, journey.message_number)
