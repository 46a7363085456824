"""The mails that the lab sends: text, and the test virus in its usual wrappings. Pure.

Rule 1: EICAR is put together at run time (`qhpsi.signatures.eicar`), so that no scanner flags the source.
"""

from __future__ import annotations

import io
import zipfile
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final, Literal

from indimail_kit.qhpsi.signatures import eicar

if TYPE_CHECKING:
    from datetime import datetime

Attachment = Literal["none", "eicar", "eicar-base64", "eicar-zip"]
"""What hangs on a mail: nothing, or the test virus in the text, as a Base64 part, in a zip."""

ATTACHMENTS: Final[tuple[Attachment, ...]] = ("none", "eicar", "eicar-base64", "eicar-zip")
"""Every kind of attachment."""

_ZIP_TIME: Final = (2010, 3, 15, 3, 0, 54)
"""Time of the file in the zip; fixed, so that the same mail is the same octets."""


def compose(
    *, sender: str, recipient: str, subject: str, body: str, attach: Attachment, date: datetime, message_id: str
) -> bytes:
    """Return a mail with CR LF line ends.

    Raises:
        ValueError: A header value holds a line end.
    """
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = recipient
    mail["Subject"] = subject
    mail["Date"] = format_datetime(date)
    mail["Message-ID"] = message_id
    text = body if body.endswith("\n") else body + "\n"
    if attach == "eicar":
        text = eicar().decode("ascii") + "\n\n" + text
    mail.set_content(text, cte="8bit" if not text.isascii() else "7bit")
    if attach == "eicar-base64":
        mail.add_attachment(eicar(), maintype="application", subtype="octet-stream", filename="eicar.com")
    elif attach == "eicar-zip":
        mail.add_attachment(_zipped_eicar(), maintype="application", subtype="zip", filename="eicar.zip")
    if mail.is_multipart():
        mail.set_boundary("=_indimail-kit_" + message_id.strip("<>").partition("@")[0])
    return mail.as_bytes(policy=mail.policy.clone(linesep="\r\n", max_line_length=998))


def to_wire(octets: bytes) -> bytes:
    r"""Return a mail of a person's own as a mail client would hand it to SMTP.

    A text whose lines all end with LF, as a file does, gets CR LF. Where both kinds are in it, nobody knows what was
    meant, and every octet stays: the server refuses it, which is worth seeing.

    Example:
        >>> to_wire(b"Subject: a\n\ntext\n"), to_wire(b"Subject: a\r\n\ntext\n")
        (b'Subject: a\r\n\r\ntext\r\n', b'Subject: a\r\n\ntext\n')
    """
    return octets if b"\r\n" in octets else octets.replace(b"\n", b"\r\n")


def _zipped_eicar() -> bytes:
    """Return a zip that holds the test virus as ``eicar.com``."""
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("eicar.com", _ZIP_TIME), eicar())
    return octets.getvalue()
