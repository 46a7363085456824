"""Which vfilter rule takes a mail: pure functions on its octets.

The order is prefilt@domain, then the user's own rules, then postfilt@domain; the first rule that matches ends it.

Source: IndiMail vfilter.c `main()` and `process_filter()`, storeHeader.c, parseAddress.c.

Note for maintainers: the comparisons do what the program does, not what their names say (table `_COMPARE`).

Rule 1: the mail is hostile. It is read line by line, once, up to the limits below; nothing here recurses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from indimail_kit.delivery.vfilter import POSTFILT, PREFILT, Comparision, FilterRule
from indimail_kit.errors import FilterError

MAX_SCAN_OCTETS: Final = 1 << 20
"""How far into a mail headers of MIME parts are looked for (unit: octets)."""

MAX_VALUES: Final = 2000
"""How many header lines are kept."""

MAX_DATA_OCTETS: Final = 4096
"""How much of one header is compared (unit: octets); a line of mail has 998."""

_ADDRESS_HEADERS: Final = frozenset(
    (b"to", b"return-path", b"delivered-to", b"cc", b"bcc", b"reply-to", b"from", b"sender", b"errors-to")
)
"""Headers of which only the addresses are compared. Source: variables.c `i_headers[]`."""

_MY_ID_HEADERS: Final = (b"to", b"cc", b"bcc")
_BOUNDARY: Final = re.compile(rb'boundary\s*=\s*(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_ADDRESS: Final = re.compile(rb"[^\s<>,;:()\"@]+@[^\s<>,;:()\"@]+")

Headers = Mapping[bytes, Sequence[bytes]]
"""Lower-case header name -> its values in the order of the mail, lower-case."""

Stage = Literal["", "prefilt", "user", "postfilt"]


@dataclass(frozen=True, slots=True)
class FilterDecision:
    """What the filters say of one mail.

    Attributes:
        rule: The rule that matched, or None: Inbox.
        stage: Whose rule it is.
        faults: Rules that could not be applied, as texts; they did not match.
    """

    rule: FilterRule | None
    stage: Stage = ""
    faults: tuple[str, ...] = ()


def read_headers(lines: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    r"""Collect the headers of a mail and of its MIME parts.

    Args:
        lines: The mail as it will be delivered, line by line, each with its newline.

    Example:
        >>> read_headers([b"Subject: Hello\n", b"  World\n", b"\n", b"text\n"])
        {b'subject': [b'hello world']}
    """
    found: dict[bytes, list[bytes]] = {}
    boundaries: set[bytes] = set()
    kept = 0
    for field in _fields(lines, boundaries):
        name, colon, value = field.partition(b":")
        name, value = name.strip().lower(), value.strip()[:MAX_DATA_OCTETS]
        if not colon or not name or kept >= MAX_VALUES:
            continue
        if name == b"content-type":
            boundaries.update(one or other for one, other in _BOUNDARY.findall(value))
        if name in _ADDRESS_HEADERS:
            value = b",".join(_ADDRESS.findall(value))
        found.setdefault(name, []).append(value.lower())
        kept += 1
    return found


def _fields(lines: Iterable[bytes], boundaries: set[bytes]) -> Iterator[bytes]:
    """Yield each header of the mail and its parts, unfolded; `boundaries` grows while the caller reads."""
    pending, is_header, seen_octets = b"", True, 0
    for line in lines:
        seen_octets += len(line)
        text = line.rstrip(b"\r\n")
        is_boundary = text.startswith(b"--") and text[2:].rstrip() in boundaries
        if is_header and text[:1] in (b" ", b"\t") and pending:
            pending = (pending + b" " + text.strip())[: MAX_DATA_OCTETS * 2]
            continue
        if pending:
            yield pending
            pending = b""
        if is_boundary:
            is_header = True
        elif not text:
            is_header = False
        elif is_header:
            pending = text[: MAX_DATA_OCTETS * 2]
        if seen_octets > MAX_SCAN_OCTETS:
            break
    if pending:
        yield pending


def _contains(data: bytes, keyword: bytes) -> bool:
    return keyword in data


def _starts_with(data: bytes, keyword: bytes) -> bool:
    return data.startswith(keyword)


def _numerical(data: bytes, keyword: bytes) -> bool:
    from indimail_kit.delivery import expression  # few filters calculate

    return expression.is_match(data=data, keyword=keyword)


def _regexp(data: bytes, keyword: bytes) -> bool:
    from indimail_kit.delivery.ere import Ere  # few filters have regular expressions

    return Ere(keyword).is_found(data)


_COMPARE: Final[Mapping[Comparision, Callable[[bytes, bytes], bool]]] = {
    Comparision.EQUALS: _starts_with,  # the compare is limited to the length of the keyword
    Comparision.CONTAINS: _contains,
    Comparision.STARTS_WITH: _starts_with,
    Comparision.ENDS_WITH: _contains,  # the first occurrence is compared with the keyword, not the end
    Comparision.NUMERICAL: _numerical,
    Comparision.REGEXP: _regexp,
}
"""What each comparision really does with one value. The two that look at all values are in `is_match`."""


def is_match(rule: FilterRule, headers: Headers, *, emailid: str) -> bool:
    """Say whether a rule takes a mail with these headers, for this address.

    Raises:
        FilterError: The rule's regular expression cannot be used.

    Source:
        vfilter.c `process_filter()`.
    """
    keyword = rule.keyword.lower().encode("utf-8", "surrogateescape")
    if rule.comparision is Comparision.NOT_IN_TO_CC_BCC:
        wanted = emailid.lower().encode("utf-8", "surrogateescape")
        named = [value.split(b",") for name in _MY_ID_HEADERS for value in headers.get(name, ())]
        return not rule.is_global and not any(wanted in addresses for addresses in named)
    values = headers.get(rule.header.lower().encode(), ())
    if rule.comparision is Comparision.DOES_NOT_CONTAIN:  # needs the header to be there
        return bool(values) and not any(keyword in value for value in values)
    compare = _COMPARE[rule.comparision]
    return any(compare(value, keyword) for value in values)


def decide(
    headers: Headers,
    *,
    emailid: str,
    filters: Mapping[str, Sequence[FilterRule]],
    has_vfilter: bool,
    has_noprefilt: bool = False,
    has_nopostfilt: bool = False,
) -> FilterDecision:
    """Return the first rule that takes the mail.

    Args:
        headers: As `read_headers` gives them.
        emailid: The recipient.
        filters: Address (lower case), prefilt@domain or postfilt@domain -> its rules in order.
        has_vfilter: Whether Maildir/vfilter exists; without it only prefilt is asked, not even postfilt.
        has_noprefilt: Whether Maildir/noprefilt exists.
        has_nopostfilt: Whether Maildir/nopostfilt exists.
    """
    emailid = emailid.lower()
    domain = emailid.rpartition("@")[2]
    stages: list[tuple[Stage, str]] = []
    if not has_noprefilt:
        stages.append(("prefilt", PREFILT + domain))
    if has_vfilter:
        stages.append(("user", emailid))
        if not has_nopostfilt:
            stages.append(("postfilt", POSTFILT + domain))
    faults: list[str] = []
    for stage, owner in stages:
        for rule in sorted(filters.get(owner, ()), key=lambda rule: rule.filter_no):
            try:
                if is_match(rule, headers, emailid=emailid):
                    return FilterDecision(rule, stage, tuple(faults))
            except FilterError as error:
                faults.append(f"filter {rule.filter_no} of {owner}: {error}")
    return FilterDecision(None, "", tuple(faults))
