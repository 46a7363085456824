"""The lab's mails are what a mail client would send."""

from __future__ import annotations

import email
import email.policy
import io
import zipfile
from datetime import UTC, datetime

import pytest

from indimail_kit.lab.mail import ATTACHMENTS, Attachment, compose, to_wire
from indimail_kit.qhpsi import eicar

DATE = datetime(2010, 3, 15, 3, 0, 54, tzinfo=UTC)


def parsed(attach: Attachment, body: str = "Hello") -> email.message.EmailMessage:
    """Compose a mail and read it with the standard library."""
    octets = compose(
        sender="ann@example.com",
        recipient="bob@example.com",
        subject="Grüße",
        body=body,
        attach=attach,
        date=DATE,
        message_id="<1@example.com>",
    )
    return email.message_from_bytes(octets, policy=email.policy.default)


@pytest.mark.parametrize("attach", ATTACHMENTS)
def test_lines_end_with_cr_lf_and_headers_are_there(attach: Attachment) -> None:
    """No bare LF, and the six headers of a mail."""
    octets = compose(
        sender="ann@example.com",
        recipient="bob@example.com",
        subject="s",
        body="b",
        attach=attach,
        date=DATE,
        message_id="<1@example.com>",
    )
    assert octets.count(b"\n") == octets.count(b"\r\n")
    mail = parsed(attach)
    assert (mail["From"], mail["To"], mail["Subject"]) == ("ann@example.com", "bob@example.com", "Grüße")
    assert (mail["Date"], mail["Message-ID"]) == ("Mon, 15 Mar 2010 03:00:54 +0000", "<1@example.com>")


def test_virus_in_the_text() -> None:
    """Plain: the string stands in the body."""
    assert eicar().decode() in parsed("eicar").get_content()


def test_virus_as_a_part() -> None:
    """Base64: an attachment whose octets are the string."""
    attachment = next(parsed("eicar-base64").iter_attachments())
    assert (attachment.get_filename(), attachment.get_content()) == ("eicar.com", eicar())


def test_virus_in_a_zip() -> None:
    """Zip: an archive whose only file is the string."""
    attachment = next(parsed("eicar-zip").iter_attachments())
    with zipfile.ZipFile(io.BytesIO(attachment.get_content())) as archive:
        assert archive.read("eicar.com") == eicar()


def test_text_of_any_language_arrives() -> None:
    """Letters beyond ASCII come out as they went in."""
    assert parsed("none", "Grüße aus Zürich, 你好").get_content().rstrip() == "Grüße aus Zürich, 你好"


def test_line_end_in_a_header_is_refused() -> None:
    """Nobody slips a header in through the subject."""
    with pytest.raises(ValueError, match="linefeed"):
        compose(
            sender="a@b", recipient="c@d", subject="x\nBcc: e@f", body="", attach="none", date=DATE, message_id="<1@b>"
        )


@pytest.mark.parametrize(
    ("octets", "sent"),
    [
        (b"a\nb\n", b"a\r\nb\r\n"),
        (b"a\r\nb\r\n", b"a\r\nb\r\n"),
        (b"a\r\nb\n", b"a\r\nb\n"),
        (b"a\rb\n", b"a\rb\r\n"),
        (b"", b""),
        (b"\x00\xff\n", b"\x00\xff\r\n"),
    ],
    ids=["a file", "a mail", "both kinds", "a bare CR", "nothing", "any octets"],
)
def test_a_mail_of_ones_own_gets_the_line_ends_of_a_client(octets: bytes, sent: bytes) -> None:
    """LF becomes CR LF where no line has CR LF; nothing else is touched."""
    assert to_wire(octets) == sent
