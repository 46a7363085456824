"""The lab's own certificate for STARTTLS, made when the lab starts and worth nothing elsewhere.

trustme makes it (a certificate authority and one server certificate); nobody but the lab's clients trusts it.

Source: RFC 3207; IndiMail smtpd.c tls_init() (servercert.pem holds key and certificate).
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from indimail_kit.errors import MissingPartError

SERVER_CERTIFICATE: Final = "servercert.pem"
"""File in control/ with the key, the certificate and its chain, mode 600."""

AUTHORITY: Final = "cacert.pem"
"""File in control/ that a client may trust, to see a verified session."""


def make_certificate(control: Path, *, host: str) -> Path:
    """Write the lab's certificate into control/ unless it is there; return the server's file.

    Raises:
        MissingPartError: trustme is not installed.
        OSError: The directory cannot be written.
    """
    path = control / SERVER_CERTIFICATE
    if path.exists():
        return path
    try:
        import trustme
    except ImportError:
        raise MissingPartError("trustme", "Install it with: pip install 'indimail-kit[lab]'.") from None
    authority = trustme.CA(organization_name="indimail-kit lab")
    certificate = authority.issue_cert(host, "localhost", "127.0.0.1")
    path.touch(mode=0o600)
    path.write_bytes(certificate.private_key_and_cert_chain_pem.bytes())
    authority.cert_pem.write_to_path(str(control / AUTHORITY))
    return path


def server_context(certificate: Path) -> ssl.SSLContext:
    """Return the settings of the server's side: TLS 1.2 or newer, no client certificate.

    Raises:
        OSError: The file cannot be read, or holds no key and certificate that fit (ssl.SSLError is an OSError).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate)
    return context
