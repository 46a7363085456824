"""``qmail-queue``: be the program, as a drop-in for QMAILQUEUE and for looking at it step by step.

Note for maintainers: descriptor 1 is the envelope and is read, so nothing may be printed here.
"""

from __future__ import annotations

import os
from pathlib import Path

import click


@click.command("qmail-queue")
@click.option(
    "--as",
    "program",
    type=click.Choice(["qmail-queue", "qmail-multi", "qmail-nullqueue"]),
    default="qmail-queue",
    show_default=True,
    help="qmail-multi adds MIN_FREE and FILTERARGS; qmail-nullqueue throws everything away.",
)
@click.option(
    "--sync",
    type=click.Choice(["safe", "qmail", "indimail"]),
    envvar="INDIMAIL_KIT_SYNC",
    default="safe",
    show_default=True,
    help="What is on the disk before success: files and directories, files only, or what USE_FSYNC … say (nothing).",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path),
    envvar="INDIMAIL_KIT_HOME",
    help="Where queue/ and plugins/ are. Default /var/indimail.",
)
@click.option("--scan-as", metavar="USER", help="As root: the scanner's user. Default qscand, or nobody.")
@click.option("--verbose", "-v", is_flag=True, help="Say on descriptor 2 what happened; the real program is silent.")
def qmail_queue(program: str, sync: str, home: Path | None, scan_as: str | None, verbose: bool) -> None:
    """Queue the message on descriptor 0 for the envelope on descriptor 1, which is read.

    Everything else stands in the environment, as for the real program: QUEUEDIR or QUEUE_BASE, QUEUE_START and
    QUEUE_COUNT, QHPSI and its variables, EXTRAQUEUE, QUARANTINE, ENVHEADERS, QMAIL_QUEUE_CUSTOM_ERROR, DEATH …; control
    files are in CONTROLDIR. The exit code is the program's: 0 means that the message is in the queue and on the disk.

    To try it: indimail-kit qmail-queue -v < MESSAGE 1< ENVELOPE
    """
    from indimail_kit.delivery.qmail_queue import HOME, QmailQueue, main

    main(
        QmailQueue(
            environ=dict(os.environ),
            program=program,  # type: ignore[arg-type]  # click has checked it
            sync=sync,  # type: ignore[arg-type]  # click has checked it
            home=home or HOME,
            scan_as=scan_as or "",
            is_verbose=verbose,
        )
    )
