"""Shared parts: a real clamd, a fake one that misbehaves, mails with and without the test virus."""

from __future__ import annotations

import base64
import contextlib
import io
import shutil
import socket
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from indimail_kit.qhpsi import ClamdDaemon
from indimail_kit.qhpsi.scan_user import scan_user

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}" + b"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"

HEADER = (
    b"Received: indimail-mta queue 1029 by host vm\n (invoked by uid 0); Sun, 22 Nov 2026 14:14:00 +0000\n"
    b"From: ann@example.com\nTo: bob@example.com\nSubject: test\nMIME-Version: 1.0\n"
)


def _attachment(octets: bytes) -> bytes:
    """Return a multipart mail with the octets in Base64."""
    return (
        HEADER
        + b'Content-Type: multipart/mixed; boundary="XX"\n\n--XX\nContent-Type: text/plain\n\nhello\n--XX\n'
        + b"Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(octets)
        + b"--XX--\n"
    )


def _zipped(octets: bytes, name: str = "attachment.com") -> bytes:
    """Return a zip file with one member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, octets)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def eicar_octets() -> bytes:
    """The EICAR test file, put together here and not taken from the package."""
    return EICAR


@pytest.fixture(scope="session")
def attachment() -> Callable[[bytes], bytes]:
    """A function: octets -> mail that carries them in Base64."""
    return _attachment


@pytest.fixture(scope="session")
def zipped() -> Callable[[bytes], bytes]:
    """A function: octets -> zip file."""
    return _zipped


@pytest.fixture(scope="session")
def mails() -> dict[str, bytes]:
    """Mails by name, as they lie in mess."""
    return {
        "clean": HEADER + b"\nhello, nothing bad here\n",
        "eicar": HEADER + b"\n" + EICAR + b"\n",
        "eicar-base64": _attachment(EICAR),
        "eicar-zip": _attachment(_zipped(EICAR)),
    }


@pytest.fixture
def mess(tmp_path: Path, mails: dict[str, bytes]) -> Callable[[str], Path]:
    """A function: name of a mail -> its file."""

    def write(name: str) -> Path:
        path = tmp_path / name
        path.write_bytes(mails[name])
        return path

    return write


@pytest.fixture(scope="session")
def clamd() -> Iterator[ClamdDaemon]:
    """A real clamd with the teaching signatures, for tests that leave it alone."""
    with ClamdDaemon() as daemon:
        yield daemon


@pytest.fixture(scope="session")
def clamd_of_scan_user() -> Iterator[ClamdDaemon]:
    """A real clamd whose files clamdscan can reach as the scanner's user."""
    user = scan_user()
    with ClamdDaemon(user=user.name if user is not None else None) as daemon:
        yield daemon


class FakeClamd:
    """A Unix socket that reads one question per connection and answers it with given octets."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reply = b""
        self.read_limit = 1 << 30
        self.is_silent = False
        self.questions: list[bytes] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(16)
        self._held: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """End the thread and close every socket."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for connection in (*self._held, self._listener):
            connection.close()

    def _serve(self) -> None:
        """Accept until the listener is shut down."""
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                if self._answer(connection):
                    connection.close()
                else:
                    self._held.append(connection)

    def _answer(self, connection: socket.socket) -> bool:
        """Read the question and reply; False when the connection shall stay open."""
        question = b""
        ends = {b"zIN": b"\0\0\0\0", b"zFI": b"\0\0", b"zSC": b"\0", b"nVE": b"\n", b"nPI": b"\n", b"nST": b"\n"}
        with contextlib.suppress(OSError):
            while len(question) < self.read_limit:
                octets = connection.recv(min(65536, self.read_limit - len(question)))
                question += octets
                if not octets or question.endswith(ends.get(question[:3], b"\n")):
                    break
            self.questions.append(question)
            if self.is_silent:
                return False
            connection.sendall(b"Fake 1.0\n" if question == b"nVERSION\n" else self.reply)
        return True


@pytest.fixture
def fake_clamd() -> Iterator[FakeClamd]:
    """A server that says what the test wants."""
    directory = Path(tempfile.mkdtemp(prefix="ik-fake-", dir="/tmp"))
    server = FakeClamd(directory / "s")
    yield server
    server.close()
    shutil.rmtree(directory)
