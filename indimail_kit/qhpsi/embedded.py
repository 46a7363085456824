"""The scanner that needs no daemon: YARA rules over a mail that is taken apart first.

It stands in where clamd cannot be had, and says so in every answer. It knows the teaching signatures only, and looks
into the mail as it is, into its decoded MIME parts, and into zip files, one level deep.

Source: YARA manual; RFC 2045 (encodings); PKWARE APPNOTE (zip).

Rule 1: what it cannot look into it does not call clean: over a limit, encrypted, damaged, or an archive of a kind
that it does not open is NOT_SCANNED, unless a signature was found elsewhere in the same mail.
Rule 2: foreign mail passes one guard: Python's email package raises RecursionError, LookupError and ValueError on
hostile input.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.errors import MissingPartError
from indimail_kit.qhpsi.mess_file import NotAFileError, describe, open_message
from indimail_kit.qhpsi.signatures import Signature, teaching_signatures, yara_rules
from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict

if TYPE_CHECKING:
    import zipfile

ZIP_STARTS: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
"""First octets of a zip file. Source: APPNOTE 4.3."""

CLOSED_ARCHIVES: Final = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "bzip2": re.compile(rb"BZh[1-9]1AY&SY"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
    "7z": re.compile(rb"7z\xbc\xaf\x27\x1c"),
    "rar": re.compile(rb"Rar!\x1a\x07"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
    "cabinet": re.compile(rb"MSCF\x00\x00\x00\x00"),
}
"""Kind of archive that is recognised but not opened -> its first octets."""

_CENTRAL_ENTRY: Final = b"PK\x01\x02"
"""Each member of a zip file has an entry that begins so. Source: APPNOTE 4.3.12."""

_PARAMETERS: Final = re.compile(
    rb"(?:^|[\r\n])content-(?:type|disposition)[^\r\n]*(?:(?:\r\n|\r|\n)[ \t][^\r\n]*)*", re.IGNORECASE
)
"""A header whose parameters Python's email package reads, in time that grows with the square of its length."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far the scanner looks; beyond a limit the verdict is NOT_SCANNED.

    Attributes:
        message_bytes: Largest message (unit: octets).
        line_count: Lines of a message; Python keeps an object for each line of a header.
        boundary_count: Lines that begin with "--", each of which may begin a MIME part.
        parameter_work: Squares of the lengths of all Content-Type and Content-Disposition headers together.
        decoded_bytes: All decoded parts and unpacked members of one message together (unit: octets).
        part_count: MIME parts.
        depth: MIME parts within parts.
        member_count: Members of one zip file.
        ratio: Unpacked to packed size of one member, counted from ratio_from_bytes on.
        ratio_from_bytes: Smaller members may have any ratio (unit: octets).
        rule_timeout_s: Time for the rules over one part (unit: s).
    """

    message_bytes: int = 32 << 20
    line_count: int = 500_000
    boundary_count: int = 10_000
    parameter_work: int = 2 * 10**8
    decoded_bytes: int = 64 << 20
    part_count: int = 1_000
    depth: int = 30
    member_count: int = 500
    ratio: int = 200
    ratio_from_bytes: int = 1 << 20
    rule_timeout_s: int = 20


class _LimitError(Exception):
    """The scanner stops to look; the text says why, as a noun phrase."""


def _allow(count: int, limit: int, what: str) -> None:
    """Stop the scan when there is more of something than the limit."""
    if count > limit:
        raise _LimitError(f"more than {limit} {what}")


@dataclass(slots=True)
class _Walk:
    """One walk through one message: what was found, what was left out."""

    limits: Limits
    match: Callable[[bytes], list[str]]
    found: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    budget_bytes: int = 0

    def look(self, octets: bytes, *, is_in_zip: bool = False) -> None:
        """Apply the rules to one piece, and open it if it is a zip file."""
        self.found += self.match(octets)
        kind = next((name for name, start in CLOSED_ARCHIVES.items() if start.match(octets)), "")
        if kind:
            self.left_out.append(f"{kind} archive")
        elif _is_zip(octets):
            if is_in_zip:
                self.left_out.append("zip file in a zip file")
            else:
                self.unpack(octets)

    def measure(self, octets: bytes) -> None:
        """Stop before a message that would cost too much to take apart."""
        _allow(len(octets), self.limits.message_bytes, "octets")
        line_count = octets.count(b"\n") + octets.count(b"\r") - octets.count(b"\r\n")
        _allow(line_count, self.limits.line_count, "lines")
        _allow(octets.count(b"\n--") + octets.count(b"\r--"), self.limits.boundary_count, "boundary lines")
        work = sum(len(match.group()) ** 2 for match in _PARAMETERS.finditer(octets))
        _allow(work, self.limits.parameter_work, "steps to read MIME parameters")

    def spend(self, octet_count: int) -> None:
        """Count decoded octets."""
        self.budget_bytes += octet_count
        _allow(self.budget_bytes, self.limits.decoded_bytes, "octets decoded")

    def unpack(self, octets: bytes) -> None:
        """Look into each member of a zip file."""
        import io
        import zipfile

        # Counted before zipfile makes an object of each.
        _allow(octets.count(_CENTRAL_ENTRY), self.limits.member_count, "members in a zip file")
        try:
            with zipfile.ZipFile(io.BytesIO(octets)) as archive:
                for member in archive.infolist():
                    self.look(self.read_member(archive, member), is_in_zip=True)
        except _LimitError:
            raise
        except Exception as error:  # hostile archives raise a dozen kinds, RuntimeError and EOFError among them
            self.left_out.append(f"zip file that cannot be read ({type(error).__name__})")

    def read_member(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
        """Unpack one member, never more than the limits allow, whatever its header promises."""
        with archive.open(member) as stream:
            octets = stream.read(self.limits.decoded_bytes - self.budget_bytes + 1)
        self.spend(len(octets))
        if len(octets) > self.limits.ratio_from_bytes:
            _allow(len(octets) // max(member.compress_size, 1), self.limits.ratio, "to 1 packed zip member")
        return octets

    def take_apart(self, octets: bytes) -> None:
        """Look into each decoded MIME part."""
        for count, part in enumerate(_parts(octets, self.limits.depth), start=1):
            _allow(count, self.limits.part_count, "MIME parts")
            self.spend(len(part))
            self.look(part)


def _is_zip(octets: bytes) -> bool:
    """Say whether a piece is a zip file, also one behind a self-extractor."""
    import io
    import zipfile

    return octets.startswith(ZIP_STARTS) or zipfile.is_zipfile(io.BytesIO(octets))


def _parts(octets: bytes, depth_limit: int) -> Iterator[bytes]:
    """Yield the decoded content of each leaf, without recursion of our own."""
    from email import message_from_bytes, policy

    waiting: list[tuple[Any, int]] = [(message_from_bytes(octets, policy=policy.compat32), 0)]
    while waiting:
        part, depth = waiting.pop()
        _allow(depth, depth_limit, "MIME parts within each other")
        if part.is_multipart():
            waiting.extend((child, depth + 1) for child in reversed(part.get_payload()))
            continue
        content = part.get_payload(decode=True)
        if isinstance(content, bytes) and content:
            yield content


class EmbeddedScanner:
    """Look for the teaching signatures without clamd; a `Scanner`, usable from several threads.

    Attributes:
        name: What it calls itself in its answers.
        limits: How far it looks.

    Raises:
        MissingPartError: yara-python is not installed.
    """

    def __init__(
        self,
        *,
        extra_signatures: Iterable[Signature] = (),
        limits: Limits | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        try:
            import yara
        except ImportError as error:
            raise MissingPartError("yara-python", "Install it: pip install yara-python.") from error
        extra = tuple(extra_signatures)
        rule_count = len(teaching_signatures()) + len(extra)
        self.name = f"embedded (YARA {yara.__version__}, {rule_count} teaching rules)"
        self.limits = limits or Limits()
        self._yara_error: type[Exception] = yara.Error
        self._rules: Any = yara.compile(source=yara_rules(extra))
        self._clock_ns = clock_ns

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __call__(self, path: Path) -> ScanAnswer:
        """Scan a file."""
        start_ns = self._clock_ns()
        try:
            with open_message(path) as (descriptor, size_bytes):
                _allow(size_bytes, self.limits.message_bytes, "octets")
                with open(descriptor, "rb", closefd=False) as stream:
                    octets = stream.read(self.limits.message_bytes + 1)
        except (NotAFileError, _LimitError) as error:
            return self._answer(start_ns, Verdict.NOT_SCANNED, reason=str(error))
        except OSError as error:
            return self._answer(start_ns, Verdict.ERROR, reason=f"message: {describe(error)}")
        return self.scan_octets(octets, start_ns=start_ns)

    def scan_octets(self, octets: bytes, *, start_ns: int | None = None) -> ScanAnswer:
        """Scan octets: as they are, and taken apart as a mail.

        Args:
            octets: A mail, or any file.
            start_ns: When the scan began; None = now (unit: ns).
        """
        begin_ns = self._clock_ns() if start_ns is None else start_ns
        walk = _Walk(self.limits, self._match)
        try:
            walk.measure(octets)
            walk.look(octets)
            walk.take_apart(octets)
        except self._yara_error as error:
            walk.left_out.append(f"YARA: {error}")
        except _LimitError as error:
            walk.left_out.append(str(error))
        except Exception as error:  # the guard of rule 2: whatever the email package raises, the mail is not clean
            walk.left_out.append(f"mail that cannot be taken apart ({type(error).__name__})")
        if walk.found:
            return self._answer(begin_ns, Verdict.INFECTED, signature=walk.found[0])
        if walk.left_out:
            return self._answer(begin_ns, Verdict.NOT_SCANNED, reason="; ".join(dict.fromkeys(walk.left_out)))
        return self._answer(begin_ns, Verdict.CLEAN)

    def _match(self, octets: bytes) -> list[str]:
        """Return the names of the signatures in one piece, in the order of the table."""
        matches = self._rules.match(data=octets, timeout=self.limits.rule_timeout_s)
        return [str(match.meta["signature"]) for match in matches]

    def _answer(self, start_ns: int, verdict: Verdict, *, signature: str = "", reason: str = "") -> ScanAnswer:
        """Build the answer."""
        return ScanAnswer(verdict, signature, self.name, self._clock_ns() - start_ns, reason)
