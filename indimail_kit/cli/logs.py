"""``logs``: what the logs of a mail server say; each verb in a module of its own."""

from __future__ import annotations

import click

from indimail_kit.cli.logs_events import events_verb
from indimail_kit.cli.logs_follow import follow_verb
from indimail_kit.cli.logs_matchup import matchup_verb
from indimail_kit.cli.logs_redact import redact_verb
from indimail_kit.cli.logs_report import report_verb


@click.group()
def logs() -> None:
    """Logs of qmail-send, qmail-smtpd and clamd: what they tell; follow them, share them."""


for _verb in (report_verb, events_verb, matchup_verb, follow_verb, redact_verb):
    logs.add_command(_verb)
