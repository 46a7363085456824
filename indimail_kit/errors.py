"""The one exception tree of the kit.

The name of a leaf says whose problem it is::

    KitError
    ├── FormatError          the octets break their grammar (the file's or the peer's problem)
    │   ├── Tai64Error
    │   ├── EnvelopeError    carries qmail-queue's exit code
    │   ├── SaslError        never quotes the octets: they hold a password
    │   ├── RulesError       tcprules text or cdb
    │   ├── EnvdirError      a variables directory
    │   ├── SuperviseError   a service directory, or supervise's status file in it
    │   └── FilterError      a vfilter rule
    ├── QueueError           qmail-queue or qmail-send could not do its step; carries the exit code
    ├── ScanError            a scanner could not be asked
    ├── AccountError         the user table
    ├── SchemaError          a table lacks a column
    ├── TraceError           a question about a message that has no answer here
    ├── LabError             the lab could not start or stop
    └── MissingPartError     a program, package or right is not there; says how to get it

Error texts are noun phrases without blame; they hold neither secrets nor local variables.
"""

from __future__ import annotations


class KitError(Exception):
    """Root of all deliberate errors of indimail-kit."""


class FormatError(KitError):
    """Octets or text that break the expected grammar.

    Attributes:
        expected: What was expected, as a noun phrase.
        offset: Position of the fault in octets from the start, or None.
        line_number: Line of the fault, counted from 1, or None.
        source: File or peer the octets came from, or "".
    """

    def __init__(
        self, expected: str, *, offset: int | None = None, line_number: int | None = None, source: str = ""
    ) -> None:
        self.expected = expected
        self.offset = offset
        self.line_number = line_number
        self.source = source
        super().__init__(expected)

    def __str__(self) -> str:
        """Return where and what: ``rules.txt, line 3, octet 4: expected …``."""
        where = [self.source] if self.source else []
        if self.line_number is not None:
            where.append(f"line {self.line_number}")
        if self.offset is not None:
            where.append(f"octet {self.offset}")
        return (", ".join(where) + ": " if where else "") + f"expected {self.expected}"


class Tai64Error(FormatError):
    """A label that is not TAI64 or TAI64N."""


class EnvelopeError(FormatError):
    """An envelope that qmail-queue refuses.

    Attributes:
        exit_code: What qmail-queue answers: 11 too long, 54 end of file, 79 format.
    """

    def __init__(self, expected: str, *, exit_code: int, offset: int | None = None) -> None:
        self.exit_code = exit_code
        super().__init__(expected, offset=offset)


class SaslError(FormatError):
    """A SASL message that breaks its grammar; the text never quotes it."""


class RulesError(FormatError):
    """A tcprules line or cdb that tcprules refuses.

    Attributes:
        exit_code: What tcprules answers: 100 for a line it cannot parse, 111 for one without a colon; and what
            tcprulescheck answers for a cdb that it cannot read: 111.
    """

    def __init__(
        self,
        expected: str,
        *,
        exit_code: int = 100,
        offset: int | None = None,
        line_number: int | None = None,
        source: str = "",
    ) -> None:
        self.exit_code = exit_code
        super().__init__(expected, offset=offset, line_number=line_number, source=source)


class EnvdirError(FormatError):
    """A variables directory that envdir refuses."""


class SuperviseError(FormatError):
    """A directory that is no service, or a status file that supervise did not write."""


class FilterError(FormatError):
    """A vfilter rule that vcfilter refuses."""


class QueueError(KitError):
    """A step in the queue that failed.

    Attributes:
        exit_code: qmail-queue's exit code, see `indimail_kit.exitcodes`.
        path: File or directory of the step, relative to the queue, or "".
    """

    def __init__(self, text: str, *, exit_code: int, path: str = "") -> None:
        self.exit_code = exit_code
        self.path = path
        super().__init__(text)


class ScanError(KitError):
    """A scanner that could not be asked or did not answer."""


class AccountError(KitError):
    """The user table refuses the request."""


class SchemaError(KitError):
    """A table lacks a column of its schema."""


class TraceError(KitError):
    """A question about a message that nothing here tells of, or that is none."""


class LabError(KitError):
    """The lab could not start, run or stop."""


class MissingPartError(KitError):
    """A program, package or right that is needed is not there.

    Attributes:
        part: What is missing.
        remedy: What to do about it, as a sentence.
    """

    def __init__(self, part: str, remedy: str) -> None:
        self.part = part
        self.remedy = remedy
        super().__init__(f"{part} is missing. {remedy}")
