"""``indimail-kit …``: every verb a thin call of the library.

Exit codes: 0 done, nothing bad found · 1 found something · 2 wrong usage · 3 something needed is missing or failed.

Rule 1: never a traceback for a fault that can be foreseen; the message says what, where and what to do.
Rule 2: a verb's work is imported when the verb runs, so that ``--help`` is quick.
"""

from __future__ import annotations

import signal
import sys

import click

from indimail_kit import __version__, sigchld
from indimail_kit.cli.accounts import accounts
from indimail_kit.cli.auth import auth
from indimail_kit.cli.case import case
from indimail_kit.cli.checkpassword import checkpassword
from indimail_kit.cli.doctor import doctor
from indimail_kit.cli.lab import lab
from indimail_kit.cli.logs import logs
from indimail_kit.cli.notebook import notebook
from indimail_kit.cli.output import EXIT_FAILED, complain, fault_text
from indimail_kit.cli.progress import progress
from indimail_kit.cli.qhpsi import qhpsi
from indimail_kit.cli.qmail_queue import qmail_queue
from indimail_kit.cli.queue import queue
from indimail_kit.cli.scan import scan
from indimail_kit.cli.service import service
from indimail_kit.cli.tcprules import tcprules
from indimail_kit.cli.trace import trace
from indimail_kit.errors import KitError


class _Group(click.Group):
    """A group whose deliberate errors are one clear sentence and exit code 3."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb; turn a KitError or an OSError into a sentence."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # The reader of our output went away (`| head`); nothing is wrong, and nobody reads a message.
            sys.stderr.close()
            ctx.exit(0)
        except (KitError, OSError) as error:
            complain(fault_text(error))
            ctx.exit(EXIT_FAILED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="indimail-kit")
def main() -> None:
    """See a mail server think: AUTH, virus scanning, queues and logs of IndiMail."""
    if sigchld.is_ignored():
        # Inherited from who started us: the exit codes of scanners and other programs would be lost.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


for _verb in (
    lab, case, auth, accounts, checkpassword, scan, qhpsi, qmail_queue, queue, logs, trace, service, tcprules, doctor,
    progress, notebook,
):  # fmt: skip
    main.add_command(_verb)
