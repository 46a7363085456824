r"""Rules of vfilter and the command line of vcfilter, read and written.

A rule says: if this header compares so with this keyword, put the mail into that folder. The seed's rule::

    vcfilter -i -t virusFilter -c 0 -k "virus found" -f Quarantine -b 0 -h 28 prefilt@example.com

reads: add (-i) the filter "virusFilter"; when X-QHPSI (-h 28) Equals (-c 0) "virus found", deliver to Quarantine (-f)
and bounce nothing (-b 0); for everybody at example.com, before their own filters (prefilt@).

Source: IndiMail vcfilter.c, variables.c, etc/headerlist, indimail.h (table `vfilter`), vcfilter(1).

Note for maintainers: the manual counts differently from the program; both are in the tables, the program's are used.
"""

from __future__ import annotations

import getopt
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal

from indimail_kit.errors import FilterError

HEADERS: Final = (
    *("Return-Path", "From", "Subject", "To", "Cc", "Bcc", "Reply-To", "Date", "Sender", "User-Agent"),
    *("Message-Id", "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Precedence", "Organization"),
    *("Errors-To", "List-Id", "Importance", "Mailing-List", "X-Sender", "X-Mailing-List", "X-ML-Name", "X-List"),
    *("X-Loop", "X-BeenThere", "X-Sequence", "X-Mailer", "X-QHPSI", "X-Priority", "X-Spam-Status", "X-Spam-Rating"),
    *("X-Bogosity", "Received", "X-Quarantine", "Domainkey-Signature", "DKIM-Signature", "DKIM-Status"),
    *("Domainkey-Status", "X-Forwarded-To", "X-Forwarded-For", "Return-Receipt-To", "Dispostion-Notification-To"),
    *("Disposition-Notification-Options", "Original-Recipient", "X-BitDefender-Spam", "X-DSPAM-Result"),
)
"""Number of -h -> header, from 0. Source: lines of /etc/indimail/headerlist, the missing letter of no. 42 included."""

_MANUAL_SHIFT_FROM: Final = 30
"""vcfilter(1) names X-Mailer twice: from this header on its numbers are one too high."""


class Comparision(IntEnum):
    """-c: how data and keyword are compared; spelt as in IndiMail. Source: variables.c `vfilter_comparision[]`."""

    EQUALS = 0
    CONTAINS = 1
    DOES_NOT_CONTAIN = 2
    STARTS_WITH = 3
    ENDS_WITH = 4
    NOT_IN_TO_CC_BCC = 5
    NUMERICAL = 6
    REGEXP = 7


COMPARISION_NAMES: Final = {
    Comparision.EQUALS: "Equals",
    Comparision.CONTAINS: "Contains",
    Comparision.DOES_NOT_CONTAIN: "Does not contain",
    Comparision.STARTS_WITH: "Starts with",
    Comparision.ENDS_WITH: "Ends with",
    Comparision.NOT_IN_TO_CC_BCC: "My id not in To, CC, Bcc",
    Comparision.NUMERICAL: "Numerical Logical Expression",
    Comparision.REGEXP: "RegExp",
}
"""Names that -c takes as well as numbers."""

MANUAL_COMPARISION_NUMBERS: Final = {
    comparision: comparision + (comparision >= Comparision.NOT_IN_TO_CC_BCC) for comparision in Comparision
}
"""Program's number -> vcfilter(1)'s, which still has "5 Sender not in address book" and is one ahead from there."""

INBOX: Final = "Inbox"
NO_DELIVER: Final = "/NoDeliver"
"""Destination that throws the mail away."""

NO_HEADER: Final = -1
"""Header number of a rule with Comparision.NOT_IN_TO_CC_BCC."""

PREFILT: Final = "prefilt@"
POSTFILT: Final = "postfilt@"
"""Local parts of the rules for a whole domain, before and after the user's own."""

_RESERVED: Final = (
    *("postmaster", "abuse", "mailer-daemon", "prefilt", "postfilt", "spam", "nonspam"),
    *("register-spam", "register-nonspam"),
)
"""Addresses that must not be filtered, by their first letters. Source: variables.c `rfc_ids[]`."""

_COLUMN_OCTETS: Final = {"emailid": 107, "filter_name": 32, "keyword": 64, "destination": 156, "bounce_action": 64}
"""Width of the columns (unit: octets). Source: indimail.h, layout of the table `vfilter`."""

_OPTIONS: Final = "vCsird:u:h:c:b:k:f:t:"
_PLAIN_OCTETS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%+=:,./-_")

Action = Literal["show", "add", "delete", "update"]
_ACTIONS: Final[dict[str, Action]] = {"-s": "show", "-i": "add", "-d": "delete", "-u": "update"}
_ACTION_OPTIONS: Final = {action: option for option, action in _ACTIONS.items()}


def manual_header_number(header_name: int) -> int:
    """Return the number that vcfilter(1) gives to a header.

    Example:
        >>> manual_header_number(28), manual_header_number(34)
        (28, 35)
    """
    return header_name + (header_name >= _MANUAL_SHIFT_FROM)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterRule:
    """One row of the table `vfilter`; the fields are named after its columns.

    Attributes:
        emailid: Whose mail: an address, prefilt@domain or postfilt@domain.
        filter_no: Place among the rules of this address, from 1; 0 is not yet given, or comparision 5.
        filter_name: Text for people.
        header_name: Index into HEADERS, or NO_HEADER.
        comparision: How to compare.
        keyword: What to compare with.
        destination: "Inbox", a folder, or "/NoDeliver".
        bounce_action: "0" none, "1" bounce, "2&address" forward, "2|program" pipe, "3…" both bounce and the other.
    """

    emailid: str
    filter_no: int = 0
    filter_name: str = ""
    header_name: int = NO_HEADER
    comparision: Comparision = Comparision.EQUALS
    keyword: str = ""
    destination: str = INBOX
    bounce_action: str = "0"

    def __post_init__(self) -> None:
        """Refuse what vcfilter refuses.

        Raises:
            FilterError: A value is out of its range or does not fit into its column.
        """
        for column, octets in _COLUMN_OCTETS.items():
            value: str = getattr(self, column)
            if len(value.encode("utf-8", "surrogateescape")) > octets or "\0" in value:
                raise FilterError(f"a {column} without NUL of at most {octets} octets")
        if not NO_HEADER <= self.header_name < len(HEADERS):
            raise FilterError(f"a header number from 0 to {len(HEADERS) - 1}")
        if (self.header_name == NO_HEADER) != (self.comparision is Comparision.NOT_IN_TO_CC_BCC):
            raise FilterError("a header for every comparision but 5, and none for 5")
        _check_destination(self.destination)
        _check_bounce_action(self.bounce_action)

    @property
    def is_global(self) -> bool:
        """Say whether the rule is for a whole domain."""
        return self.emailid.startswith((PREFILT, POSTFILT))

    @property
    def folder(self) -> str:
        """Return the folder to deliver to, "Inbox" included, or "" for /NoDeliver."""
        return "" if self.destination.lower() == NO_DELIVER.lower() else self.destination

    @property
    def is_bounced(self) -> bool:
        """Say whether the sender gets the mail back."""
        return self.bounce_action[0] in "13"

    @property
    def forward_to(self) -> str:
        """Return ``"&address"`` or ``"|program"``, or "" when nothing is forwarded."""
        return self.bounce_action[1:]

    @property
    def header(self) -> str:
        """Return the name of the header, or ""."""
        return "" if self.header_name == NO_HEADER else HEADERS[self.header_name]


def _check_destination(destination: str) -> None:
    if not destination:
        raise FilterError("a folder (-f)")
    if destination.lower() == NO_DELIVER.lower():
        return
    if destination.startswith(".") or "/" in destination:
        raise FilterError("a folder name that does not begin with a dot and holds no slash")


def _check_bounce_action(bounce_action: str) -> None:
    kind, rest = bounce_action[:1], bounce_action[1:]
    if kind not in ("0", "1", "2", "3"):
        raise FilterError("a bounce action 0, 1, 2 or 3 (-b)")
    is_forward = len(rest) > 1 and rest[0] in "&|"
    if (kind in "23" and not is_forward) or (kind in "01" and rest):
        raise FilterError(
            "an address (&user@domain) or program (|name) behind bounce action 2 or 3, and nothing behind 0 or 1"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VcfilterCommand:
    """One vcfilter command line.

    Attributes:
        action: What to do.
        emailid: Whose rules.
        filter_no: The rule to delete or update; 0 otherwise.
        rule: The rule to add or the new values to update; None otherwise.
        is_raw: -r, plain display for -s.
        is_verbose: -v.
        is_cluster: -C.
    """

    action: Action
    emailid: str
    filter_no: int = 0
    rule: FilterRule | None = None
    is_raw: bool = False
    is_verbose: bool = False
    is_cluster: bool = False


def parse_command(command: str | Sequence[str]) -> VcfilterCommand:
    """Read a vcfilter command line.

    Args:
        command: As typed into a shell (quotes are understood, nothing is expanded or run), or the list of words. The
            first word is the program, with or without a path.

    Raises:
        FilterError: vcfilter would refuse it; the text says which option.

    Deviation:
        Digits behind -b 0 and -b 1, which vcfilter ignores, are refused.

    Source:
        vcfilter.c `get_options()`.

    Example:
        >>> parse_command('vcfilter -i -t v -c 0 -k "virus found" -f Spam -b 0 -h 28 prefilt@example.com').rule.header
        'X-QHPSI'
    """
    words = _split(command)
    if not words or words[0].rpartition("/")[2] != "vcfilter":
        raise FilterError("a command line that begins with vcfilter")
    try:
        pairs, rest = getopt.getopt(words[1:], _OPTIONS)
    except getopt.GetoptError as error:
        raise FilterError(f"an option of vcfilter with its value, not -{error.opt}") from None
    options = dict(pairs)
    actions = [(option, value) for option, value in pairs if option in _ACTIONS]
    if not actions:
        raise FilterError("one of -s, -i, -u, -d")
    if not rest:
        raise FilterError("an address behind the options")
    option, number = actions[-1]
    action, emailid = _ACTIONS[option], rest[0]
    _check_emailid(emailid)
    if action in ("delete", "update") and not (number.isascii() and number.isdigit()):
        raise FilterError(f"a filter number behind {option}")
    return VcfilterCommand(
        action=action,
        emailid=emailid,
        filter_no=int(number or "0"),
        rule=_build_rule(options, action, emailid, int(number or "0")) if action in ("add", "update") else None,
        is_raw="-r" in options,
        is_verbose="-v" in options,
        is_cluster="-C" in options,
    )


def _split(command: str | Sequence[str]) -> list[str]:
    if not isinstance(command, str):
        return list(command)
    try:
        return shlex.split(command)
    except ValueError:
        raise FilterError("a closing quote") from None


def _check_emailid(emailid: str) -> None:
    if not emailid.startswith(("prefilt", "postfilt")) and emailid.startswith(_RESERVED):
        raise FilterError("an address that may be filtered; postmaster, abuse, spam and their like may not")


def _build_rule(options: dict[str, str], action: Action, emailid: str, filter_no: int) -> FilterRule:
    if action == "add" and "-t" not in options:
        raise FilterError("a filter name (-t)")
    if "-c" not in options:
        raise FilterError("a comparision (-c)")
    if "-b" not in options:
        raise FilterError("a bounce action (-b)")
    comparision = _comparision(options["-c"])
    header_name, keyword = NO_HEADER, ""
    if comparision is not Comparision.NOT_IN_TO_CC_BCC:
        if "-h" not in options or "-k" not in options:
            raise FilterError("a header (-h) and a keyword (-k)")
        header_name, keyword = _header(options["-h"]), options["-k"]
    if comparision is Comparision.NUMERICAL:
        keyword = "".join(keyword.split())
    return FilterRule(
        emailid=emailid,
        filter_no=filter_no,
        filter_name=options.get("-t", ""),
        header_name=header_name,
        comparision=comparision,
        keyword=keyword,
        destination=options.get("-f", ""),
        bounce_action=options["-b"],
    )


def _comparision(text: str) -> Comparision:
    names = {name: comparision for comparision, name in COMPARISION_NAMES.items()}
    if text in names:
        return names[text]
    if text.isascii() and text.isdigit() and int(text) < len(Comparision):
        return Comparision(int(text))
    raise FilterError(f"a comparision from 0 to {len(Comparision) - 1}, or its exact name")


def _header(text: str) -> int:
    if text in HEADERS:
        return HEADERS.index(text)
    if text.isascii() and text.isdigit() and int(text) < len(HEADERS):
        return int(text)
    raise FilterError(f"a header number from 0 to {len(HEADERS) - 1}, or its exact name")


def format_command(command: VcfilterCommand) -> str:
    """Write a vcfilter command line in the seed's order of options; `parse_command` reads it back."""
    words = ["vcfilter"]
    words += ["-v"] * command.is_verbose + ["-C"] * command.is_cluster + ["-r"] * command.is_raw
    words.append(_ACTION_OPTIONS[command.action])
    if command.action in ("delete", "update"):
        words.append(str(command.filter_no))
    if command.rule is not None:
        words += _rule_words(command.rule)
    words.append(_quote(command.emailid))
    return " ".join(words)


def _rule_words(rule: FilterRule) -> list[str]:
    words = ["-t", _quote(rule.filter_name)] if rule.filter_name else []
    words += ["-c", str(int(rule.comparision))]
    has_header = rule.header_name != NO_HEADER
    words += ["-k", _quote(rule.keyword)] if has_header else []
    words += ["-f", _quote(rule.destination), "-b", _quote(rule.bounce_action)]
    words += ["-h", str(rule.header_name)] if has_header else []
    return words


def _quote(word: str) -> str:
    if word and set(word) <= _PLAIN_OCTETS:
        return word
    if set(word) & set('"\\$`!'):  # a shell changes these between double quotes
        return shlex.quote(word)
    return f'"{word}"'
