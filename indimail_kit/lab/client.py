"""The lab's own mail client: smtplib with the kit's client exchanges, one mail a session.

smtplib is in the standard library, well kept, and a true client: what it hears is what any client hears.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
from typing import TYPE_CHECKING, Final

from indimail_kit.auth.smtp_auth import ClientExchange
from indimail_kit.lab.places import HOST

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER_HOST: Final = HOST
"""Name of the server in a DIGEST-MD5 answer (digest-uri smtp/HOST)."""

CLIENT_HOST: Final = "client.example.com"
"""What the client calls itself in EHLO."""

_LINE_DOT: Final = re.compile(rb"(?m)^\.")
"""A dot that begins a line; it is sent twice. Source: RFC 5321 section 4.5.2."""


class _Client(smtplib.SMTP):
    """smtplib's client, which tells its port before it connects."""

    def __init__(self, *, on_port: Callable[[int], None], timeout: float, source: str = "") -> None:
        super().__init__(local_hostname=CLIENT_HOST, timeout=timeout)
        # IndiMail takes addresses of any octets without SMTPUTF8; smtplib would refuse to send them.
        self.command_encoding = "utf-8"
        self._on_port = on_port
        self._source = source

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout)
            connection.bind((self._source or host, 0))
            self._on_port(connection.getsockname()[1])
            connection.connect((host, port))
        except BaseException:
            connection.close()
            raise
        return connection


def _line(code: int, text: bytes) -> str:
    """Return the last line of a reply."""
    return f"{code} " + text.decode("utf-8", "backslashreplace").split("\n")[-1]


def send_mail(
    *,
    address: tuple[str, int],
    sender: str,
    recipient: str,
    mail: bytes,
    mechanism: str,
    authcid: str,
    passwd: str,
    timeout_s: float,
    on_port: Callable[[int], None],
    on_reply: Callable[[str, str], None],
    source: str = "",
) -> None:
    """Log in and send one mail; tell each reply that decides.

    Args:
        address: Host and port of the server.
        sender: Envelope sender.
        recipient: Envelope recipient.
        mail: The mail with CR LF line ends.
        mechanism: SASL mechanism, or "" for none.
        authcid: User.
        passwd: Password; it goes nowhere but into the exchange.
        timeout_s: Longest wait for a reply (unit: s).
        on_port: Told the client's port before it connects.
        on_reply: Told ("auth" | "mail" | "rcpt" | "data", reply line).
        source: Address that the client connects from; "" for the server's own.

    Raises:
        OSError: The connection broke; smtplib's own exceptions are OSErrors.
        ValueError: An address holds a line end, or a character that no octets stand for.
    """
    client = _Client(on_port=on_port, timeout=timeout_s, source=source)
    try:
        code, text = client.connect(*address)
        if code != 220:
            on_reply("mail", _line(code, text))
            return
        client.ehlo()
        if mechanism and not _log_in(client, mechanism, authcid, passwd, on_reply):
            return
        code, text = client.mail(sender)
        on_reply("mail", _line(code, text))
        if code >= 300:
            return
        code, text = client.rcpt(recipient)
        on_reply("rcpt", _line(code, text))
        if code >= 300:
            return
        code, text = _data(client, mail)
        on_reply("data", _line(code, text))
    finally:
        with contextlib.suppress(OSError):
            client.quit()
        client.close()


def _data(client: smtplib.SMTP, mail: bytes) -> tuple[int, bytes]:
    """Send the mail; return the reply to its end, or the one that refused DATA.

    smtplib loses the reply of a server that refuses in the middle of the mail and hangs up; this reads it.
    """
    code, text = client.docmd("DATA")
    if code != 354 or client.sock is None:
        return code, text
    end = b".\r\n" if mail.endswith(b"\r\n") else b"\r\n.\r\n"
    with contextlib.suppress(OSError):
        client.sock.sendall(_LINE_DOT.sub(b"..", mail) + end)
    return client.getreply()


def _log_in(
    client: smtplib.SMTP, mechanism: str, authcid: str, passwd: str, on_reply: Callable[[str, str], None]
) -> bool:
    """Play the client's side of AUTH; return whether it goes on."""
    exchange = ClientExchange(mechanism, authcid=authcid, passwd=passwd, host=SERVER_HOST)
    initial = exchange.start()
    code, text = client.docmd("AUTH", mechanism if initial is None else f"{mechanism} {initial}")
    while code == 334:
        code, text = client.docmd(exchange.feed(text))
    on_reply("auth", _line(code, text))
    return code == 235
