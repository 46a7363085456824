"""``queue``: a new queue, a message put into one as qmail-queue would; and a look at queues, in modules of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from indimail_kit.cli.output import EXIT_FAILED, EXIT_FOUND, json_option, print_json, print_pairs
from indimail_kit.cli.queue_check import check_verb
from indimail_kit.cli.queue_list import list_verb, shape_verb
from indimail_kit.cli.queue_overview import overview_verb
from indimail_kit.cli.queue_repair import repair_verb
from indimail_kit.cli.queue_scan import scan_verb
from indimail_kit.cli.queue_show import show_verb
from indimail_kit.cli.queue_stuck import stuck_verb

if TYPE_CHECKING:
    from indimail_kit.errors import QueueError
    from indimail_kit.mailqueue.values import Queued


@click.group()
def queue() -> None:
    """Queues: make one, put a message into one, look at what waits, find and repair what is wrong."""


for _verb in (
    overview_verb, list_verb, show_verb, stuck_verb, shape_verb, scan_verb, check_verb, repair_verb,
):  # fmt: skip
    queue.add_command(_verb)


@queue.command("create")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--split",
    type=click.IntRange(1, 100_000),
    default=151,
    show_default=True,
    help="Sub-directories of mess, info, local, remote: IndiMail has 151, plain qmail 23.",
)
@click.option("--no-bigtodo", "is_flat", is_flag=True, help="Leave intd and todo flat, as plain qmail.")
@json_option
def create(directory: Path, split: int, is_flat: bool, as_json: bool) -> None:
    """Make a new empty queue as queue-fix makes it.

    Owners are set only where we are root and IndiMail's users exist. A queue that is there already stays as it is; one
    of another shape is refused.
    """
    from indimail_kit.errors import QueueError
    from indimail_kit.exitcodes import CHDIR
    from indimail_kit.mailqueue import create_queue, detect_layout

    if directory.exists() and any(directory.iterdir()):
        found = detect_layout(directory)
        if (found.split, found.has_bigtodo) != (split, not is_flat):
            shape = f"split {found.split}, {'with' if found.has_bigtodo else 'without'} bigtodo"
            raise QueueError(f"a queue of another shape at {directory}: {shape}", exit_code=CHDIR)
    layout = create_queue(directory, split=split, bigtodo=not is_flat)
    if as_json:
        print_json({"queue": str(layout.directory), "split": layout.split})
    else:
        print_pairs([("queue", str(layout.directory)), ("split", str(layout.split))])


@queue.command("inject")
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--sender", required=True, help="Envelope sender; the empty text for a bounce.")
@click.option("--recipient", "recipients", required=True, multiple=True, help="Envelope recipient; may be repeated.")
@click.option("--queue", "place", type=click.Path(path_type=Path), help="A queue, or a base with queue1 ….")
@json_option
def inject(file: IO[bytes], sender: str, recipients: tuple[str, ...], place: Path | None, as_json: bool) -> None:
    """Queue the message in FILE as qmail-queue would, after the scan that the environment asks for.

    The queue is $QUEUEDIR, else one below $QUEUE_BASE, else one below /var/indimail/queue. Exit code 1 when the message
    was refused for good (a virus), 3 when it could not be queued now.
    """
    from indimail_kit.envelope import Envelope, encode_envelope
    from indimail_kit.errors import EnvelopeError, QueueError
    from indimail_kit.exitcodes import exit_code

    queued: Queued | None = None
    problem: QueueError | None = None
    try:
        octets = encode_envelope(Envelope(os.fsencode(sender), tuple(map(os.fsencode, recipients))))
        queued = _queue(file, octets, _environ(place))
    except EnvelopeError as error:
        problem = QueueError(str(error), exit_code=error.exit_code)
    except QueueError as error:
        problem = error
    code = exit_code(0 if problem is None else problem.exit_code)
    document: dict[str, Any] = {
        "exit_code": code.number,
        "name": code.name,
        "reply": code.smtp_reply,
        "queue": queued.queue if queued is not None else None,
        "message_number": queued.message_number or None if queued is not None else None,
    }
    if as_json:
        print_json(document)
    else:
        reason = [] if problem is None else [("because", str(problem))]
        print_pairs([*((name, "-" if value is None else str(value)) for name, value in document.items()), *reason])
    if problem is not None:
        raise SystemExit(EXIT_FOUND if code.is_permanent else EXIT_FAILED)


def _environ(place: Path | None) -> dict[str, str]:
    """Return our environment with the queue that was asked for."""
    environ = dict(os.environ)
    if place is not None:
        environ.pop("QUEUEDIR", None)
        is_queue = (place / "mess").is_dir()
        environ["QUEUEDIR" if is_queue else "QUEUE_BASE"] = str(place)
        if not is_queue:
            # As many as there are from queue1 on, unless the environment says it.
            count = 0
            while (place / f"queue{count + 1}").is_dir():
                count += 1
            if count:
                environ.setdefault("QUEUE_COUNT", str(count))
    return environ


def _queue(file: IO[bytes], envelope: bytes, environ: dict[str, str]) -> Queued:
    """Queue a message from a file."""
    from indimail_kit.delivery.qmail_queue import QmailQueue

    program = QmailQueue(environ=environ)
    return program.queue(iter(lambda: file.read(1 << 16), b""), envelope=envelope)
