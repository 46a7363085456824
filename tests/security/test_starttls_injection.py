"""Attack: commands in the packet behind STARTTLS, to be obeyed inside TLS as if the client had said them there.

Source: CVE-2011-0411, CVE-2011-1431 (netqmail-tls), CVE-2024-34083 (aiosmtpd); RFC 3207 section 4.2.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator

import pytest

from indimail_kit.lab import Lab
from indimail_kit.lab.tls import AUTHORITY

INJECTED = {
    "a recipient": b"RCPT TO:<bob@example.com>\r\n",
    "a sender": b"MAIL FROM:<evil@example.com>\r\n",
    "a whole envelope": b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n",
    "a mail": b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nx\r\n.\r\n",
    "a login": b"AUTH PLAIN AGFubkBleGFtcGxlLmNvbQBwYXNz\r\n",
    "a greeting": b"EHLO evil.example\r\n",
    "half a command": b"MAIL FROM:<evil@exam",
    "a second STARTTLS": b"STARTTLS\r\n",
    "a hundred commands": b"NOOP\r\n" * 100,
    "a goodbye": b"QUIT\r\n",
}
"""What rides behind STARTTLS."""


@pytest.fixture(scope="module")
def tls_lab() -> Iterator[Lab]:
    """Run a lab that offers STARTTLS."""
    with Lab(scanner="embedded", queue_count=1, starttls=True) as running:
        yield running


@pytest.mark.parametrize("injected", INJECTED.values(), ids=INJECTED)
def test_command_pipelined_behind_starttls_is_never_honoured(tls_lab: Lab, connect: Callable, injected: bytes) -> None:
    """Inside TLS the first reply is that to the first command said there; no sender, no login, nothing is left."""
    client = connect(tls_lab)
    client.say("EHLO attacker.example")
    client.send(b"STARTTLS\r\n" + injected)
    ready = client.reply()
    context = ssl.create_default_context(cafile=tls_lab.directory / "control" / AUTHORITY)
    with context.wrap_socket(client.connection, server_hostname="localhost") as encrypted:
        encrypted.settimeout(10)
        encrypted.sendall(b"RCPT TO:<bob@example.com>\r\n")
        first = encrypted.recv(4000)
        encrypted.sendall(b"AUTH PLAIN AGFubkBleGFtcGxlLmNvbQBwYXNz\r\n")
        second = encrypted.recv(4000)

    assert ready == "220 Ready to start TLS (#5.7.0)"
    assert first == b"503 MAIL first (#5.5.1)\r\n"
    assert second[:3] == b"235"
