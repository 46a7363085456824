"""qmail-send as a process of its own, with real signals: ``python -m indimail_kit.delivery BASE --control … --mail …``.

    SIGALRM   try every waiting recipient now          (svc -a)
    SIGHUP    read the control files again             (svc -h)
    SIGUSR1   look into todo now
    SIGTERM   start nothing new, end what is under way, stop    (svc -t, svc -d); SIGINT likewise

Source: IndiMail qmail-send.c `main()`, `sigterm()`, `sigalrm()`, `sighup()`; svc(8).

Rule 1: signals are waited for, never handled in the middle of something: no step is torn in two.

Deviation:
    SIGINT stops, as a person at a terminal expects; IndiMail's switches loglock.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from indimail_kit.delivery.local import LocalDelivery
from indimail_kit.delivery.lock import CANNOT_START
from indimail_kit.delivery.remote import RemoteDelivery
from indimail_kit.delivery.schedule import LIFETIME_S
from indimail_kit.delivery.send import QmailSend
from indimail_kit.delivery.send_controls import read_number, read_send_controls
from indimail_kit.errors import KitError
from indimail_kit.logs.writer import LogWriter
from indimail_kit.mailqueue.controls import read_control
from indimail_kit.mailqueue.queues import open_queues

_LOOK_S: Final = 1.0
"""Pause between two looks whether the thread still works (unit: s)."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGHUP, signal.SIGUSR1)


class MailboxTree(Mapping[str, Path]):
    """The mailboxes below a directory: user@domain lives in DOMAIN/USER/Maildir."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __getitem__(self, address: str) -> Path:
        user, _, domain = address.rpartition("@")
        maildir = self.directory / domain / user / "Maildir"
        if not (_is_name(user) and _is_name(domain) and maildir.is_dir()):
            raise KeyError(address)
        return maildir

    def __iter__(self) -> Iterator[str]:
        for maildir in sorted(self.directory.glob("[!.]*/[!.]*/Maildir")):
            yield f"{maildir.parent.name}@{maildir.parent.parent.name}"

    def __len__(self) -> int:
        return sum(1 for _address in self)


def _is_name(text: str) -> bool:
    """Say whether a part of an address can be a directory's name and nothing else."""
    return bool(text) and not text.startswith(".") and not {"/", "\0"} & set(text)


def serve(send: QmailSend) -> int:
    """Deliver until SIGTERM or SIGINT; to be called in the main thread.

    Returns:
        The exit code: 0, or 111 when something ended qmail-send by itself.

    Raises:
        QueueError: Another qmail-send has one of the queues.
    """
    deeds: Mapping[int, Callable[[], None]] = {
        signal.SIGALRM: send.retry_now,
        signal.SIGHUP: send.reread,
        signal.SIGUSR1: send.poke,
    }
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        send.start()
        while send.is_running:
            got = signal.sigtimedwait(_SIGNALS, _LOOK_S)
            if got is not None and got.si_signo not in deeds:
                break
            if got is not None:
                deeds[got.si_signo]()
        while not send.stop(_LOOK_S):
            pass  # deliveries under way are waited for, as in the real program
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return CANNOT_START if send.failure is not None else 0


def make_send(base: Path, *, control: Path, mail: Path, log: LogWriter) -> QmailSend:
    """Return a qmail-send as the control files say.

    Args:
        base: A queue, or the directory of queue1 ….
        control: The control directory: me, locals, virtualdomains, concurrencylocal, concurrencyremote, holdlocal,
            holdremote, queuelifetime, smtproutes, helohost, timeoutremote, timeoutconnect.
        mail: The mailboxes, see `MailboxTree`.
        log: Gets the lines.

    Raises:
        QueueError: There is no queue, or a control file cannot be read.
    """
    controls = read_send_controls(control)
    environ = {"CONTROLDIR": str(control)}
    host = next(iter(read_control("me", environ)), "localhost")
    local = LocalDelivery(
        locals=controls.locals, users=MailboxTree(mail), host=host, virtual_domains=controls.virtual_domains
    )
    remote = RemoteDelivery(
        routes=control / "smtproutes",
        helo_host=next(iter(read_control("helohost", environ)), host),
        timeout_s=float(read_number("timeoutremote", environ, default=1200)),
        connect_timeout_s=float(read_number("timeoutconnect", environ, default=60)),
    )
    layouts = open_queues(base).layouts
    return QmailSend(
        layouts,
        local=local,
        remote=remote,
        log=log,
        lifetime_s=read_number("queuelifetime", environ, default=LIFETIME_S),
        concurrency_local=controls.concurrency["local"],
        concurrency_remote=controls.concurrency["remote"],
        held=controls.held,
        controls=control,
        qident=len(layouts) > 1,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run qmail-send until a signal ends it; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m indimail_kit.delivery", description=__doc__.partition("\n")[0])
    parser.add_argument("base", type=Path, metavar="BASE", help="a queue, or the directory of queue1, queue2 …")
    parser.add_argument("--control", type=Path, required=True, metavar="DIR", help="the control files")
    parser.add_argument("--mail", type=Path, required=True, metavar="DIR", help="mailboxes: DIR/DOMAIN/USER/Maildir")
    parser.add_argument("--log", type=Path, required=True, metavar="DIR", help="directory of the log, as multilog's")
    options = parser.parse_args(argv)
    try:
        with LogWriter(options.log) as log:
            return serve(make_send(options.base, control=options.control, mail=options.mail, log=log))
    except (KitError, OSError) as error:
        sys.stderr.write(f"qmail-send: {error}\n")
        return CANNOT_START
