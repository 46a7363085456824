"""A delivered mail beside one that a real IndiMail delivered: octet for octet, through the whole queue."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import pytest

from indimail_kit.delivery import Delivery, LocalDelivery, QmailSend, Report, create_maildir, parse_command
from indimail_kit.envelope import Envelope
from indimail_kit.logs.writer import LogWriter
from indimail_kit.mailqueue.enqueue import enqueue
from indimail_kit.mailqueue.layout import create_queue
from indimail_kit.mailqueue.values import INDIMAIL
from indimail_kit.qhpsi.signatures import eicar

QHPSI = Path(__file__).parent.parent / "data" / "indimail" / "qhpsi"

SEED = 'vcfilter -i -t virusFilter -c 0 -k "virus found" -f Quarantine -b 0 -h 28 prefilt@local.test'


@dataclass(frozen=True)
class Scanned:
    """What the scan said, as the e record shows it."""

    header: bytes
    exit_code: int = 0
    is_swallowed: bool = False
    forward_to: str = ""


CASES = [
    pytest.param("clean.eml", "local-1.eml", 5726, 1795357219, b"X-QHPSI: clean\n", id="clean"),
    pytest.param("eicar-base64.eml", "local-2.eml", 5734, 1795357220, b"X-QHPSI: Virus found\n", id="virus"),
]
"""Message, delivered mail, qp and time of its Received line, header of the scan."""


def recorded(directory: str, name: str) -> bytes:
    """Return a recorded mail, with the test virus in its place."""
    wrapped = base64.encodebytes(eicar()).rstrip(b"\n")
    return (QHPSI / directory / name).read_bytes().replace(b"{EICAR_BASE64_WRAPPED}", wrapped)


def deliver(directory: Path, message: str, qp: int, unix_s: int, header: bytes, *filters: str) -> Path:
    """Queue a recorded message as it was queued then, and deliver it; return alice's Maildir."""
    maildir = create_maildir(directory / "alice")
    layout = create_queue(directory / "queue1", split=3)
    rules = [rule for rule in (parse_command(line).rule for line in filters) if rule is not None]
    local = LocalDelivery(
        locals={"local.test"}, users={"alice@local.test": maildir}, filters={"prefilt@local.test": rules}, host="vm"
    )
    enqueue(
        recorded("messages", message),
        Envelope(b"ann@local.test", (b"alice@local.test",)),
        layout=layout,
        environ={"QQEH": "X-From-QQEH: yes\n"},
        qp=qp,
        uid=0,
        host="vm",
        clock=lambda: unix_s * 10**9,
        scan=lambda _path, *, message_bytes: Scanned(header),  # noqa: ARG005 - the queue names the argument
        sync=INDIMAIL,
    )
    with LogWriter(directory / "log") as log:
        send = QmailSend((layout,), local=local, log=log, sync=INDIMAIL)
        send.run_once()
        send.stop()
    return maildir


@pytest.mark.parametrize(("message", "delivered", "qp", "unix_s", "header"), CASES)
def test_mail_is_delivered_octet_for_octet(
    tmp_path: Path, message: str, delivered: str, qp: int, unix_s: int, header: bytes
) -> None:
    """Return-Path, Delivered-To, X-QHPSI, QQEH, Received, the message: as in qhpsi/delivered."""
    maildir = deliver(tmp_path, message, qp, unix_s, header)

    (mail,) = (maildir / "new").iterdir()
    assert mail.read_bytes() == recorded("delivered", delivered)


@pytest.mark.parametrize(("message", "delivered", "qp", "unix_s", "header"), CASES)
def test_seed_filter_changes_the_place_and_not_the_mail(
    tmp_path: Path, message: str, delivered: str, qp: int, unix_s: int, header: bytes
) -> None:
    """With the seed's vfilter rule the infected mail lies in Quarantine, the clean one in the Inbox, both unchanged."""
    maildir = deliver(tmp_path, message, qp, unix_s, header, SEED)
    folder = maildir / ".Quarantine" if delivered == "local-2.eml" else maildir

    (mail,) = (folder / "new").iterdir()
    assert mail.read_bytes() == recorded("delivered", delivered)


@pytest.mark.parametrize(("message", "sent", "qp", "unix_s", "header"), [
    pytest.param("clean.eml", "remote-1.eml", 5726, 1795357219, b"X-QHPSI: clean\n", id="clean"),
    pytest.param("eicar-base64.eml", "remote-2.eml", 5734, 1795357220, b"X-QHPSI: Virus found\n", id="virus"),
])  # fmt: skip
def test_mail_for_another_host_has_the_header_on_top(
    tmp_path: Path, message: str, sent: str, qp: int, unix_s: int, header: bytes
) -> None:
    """To a remote host the e record's lines come first; the recording's first line and last dot are SMTP's."""
    layout = create_queue(tmp_path / "queue1", split=3)
    enqueue(
        recorded("messages", message),
        Envelope(b"ann@local.test", (b"far1@remote.test",)),
        layout=layout, environ={"QQEH": "X-From-QQEH: yes\n"}, qp=qp, uid=0, host="vm",
        clock=lambda: unix_s * 10**9,
        scan=lambda _path, *, message_bytes: Scanned(header),  # noqa: ARG005 - the queue names the argument
        sync=INDIMAIL,
    )  # fmt: skip
    outgoing: list[bytes] = []

    def remote(delivery: Delivery) -> Report:
        outgoing.append(delivery.header + delivery.mess_path.read_bytes())
        return Report("success", b"sent\n")

    local = LocalDelivery(locals={"local.test"}, users={}, host="vm")
    with LogWriter(tmp_path / "log") as log:
        send = QmailSend((layout,), local=local, remote=remote, log=log, sync=INDIMAIL)
        send.run_once()
        send.stop()

    first, _, rest = recorded("delivered", sent).replace(b"\r\n", b"\n").partition(b"\n")
    assert first == b"X-Sink-Rcpt: far1@remote.test"
    assert outgoing == [rest.removesuffix(b".\n")]
