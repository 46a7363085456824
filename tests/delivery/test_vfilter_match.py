"""Which rule takes which mail."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.delivery.vfilter import HEADERS, Comparision, FilterRule, parse_command
from indimail_kit.delivery.vfilter_match import MAX_SCAN_OCTETS, MAX_VALUES, decide, is_match, read_headers

DELIVERED = Path(__file__).parent.parent / "data" / "indimail" / "qhpsi" / "delivered"
SEED = 'vcfilter -i -t virusFilter -c 0 -k "virus found" -f Quarantine -b 0 -h 28 prefilt@local.test'


def rule(comparision: Comparision, keyword: str, header: str = "Subject", **options: Any) -> FilterRule:
    """Make a rule about a header, the subject unless told otherwise."""
    number = -1 if comparision is Comparision.NOT_IN_TO_CC_BCC else HEADERS.index(header)
    base: dict[str, Any] = {"emailid": "bob@example.com", "header_name": number, "destination": "Junk"}
    return FilterRule(**(base | {"comparision": comparision, "keyword": keyword} | options))


def headers_of(*lines: str) -> dict[bytes, list[bytes]]:
    """Read the headers of a mail that is given line by line."""
    return read_headers([line.encode() + b"\n" for line in lines])


@pytest.mark.parametrize(
    ("name", "folder"),
    [pytest.param("local-1.eml", None, id="clean"), pytest.param("local-2.eml", "Quarantine", id="Virus found")],
)
def test_seed_rule_takes_the_infected_mail_only(name: str, folder: str | None) -> None:
    """The recorded deliveries of a real IndiMail: X-QHPSI says "Virus found" in the second."""
    seed = parse_command(SEED).rule
    assert seed is not None
    headers = read_headers((DELIVERED / name).read_bytes().splitlines(keepends=True))

    decision = decide(headers, emailid="alice@local.test", filters={"prefilt@local.test": [seed]}, has_vfilter=False)

    assert (decision.rule.destination if decision.rule else None) == folder


@pytest.mark.parametrize(
    ("comparision", "keyword", "subject", "expected"),
    [
        pytest.param(Comparision.EQUALS, "Spam", "SPAM", True, id="equals: any case"),
        pytest.param(Comparision.EQUALS, "spam", "spam and more", True, id="equals: really begins with"),
        pytest.param(Comparision.EQUALS, "spam", "no spam", False, id="equals: not within"),
        pytest.param(Comparision.CONTAINS, "spam", "no SPAM here", True, id="contains"),
        pytest.param(Comparision.CONTAINS, "spam", "ham", False, id="contains not"),
        pytest.param(Comparision.DOES_NOT_CONTAIN, "spam", "ham", True, id="does not contain"),
        pytest.param(Comparision.DOES_NOT_CONTAIN, "spam", "a spam", False, id="does contain"),
        pytest.param(Comparision.STARTS_WITH, "spam", "spam!", True, id="starts"),
        pytest.param(Comparision.STARTS_WITH, "spam", "no spam", False, id="starts not"),
        pytest.param(Comparision.ENDS_WITH, "spam", "no spam", True, id="ends"),
        pytest.param(Comparision.ENDS_WITH, "spam", "spam at the start", True, id="ends: really anywhere"),
        pytest.param(Comparision.ENDS_WITH, "spam", "ham", False, id="ends not"),
        pytest.param(Comparision.NUMERICAL, "%p>5", "7", True, id="number"),
        pytest.param(Comparision.NUMERICAL, "%p>5", "seven", False, id="no number"),
        pytest.param(Comparision.REGEXP, "^(spam|ham)$", "HAM", True, id="expression"),
        pytest.param(Comparision.REGEXP, "^(spam|ham)$", "hams", False, id="expression not"),
    ],
)
def test_comparision_does_what_the_program_really_does(
    comparision: Comparision, keyword: str, subject: str, expected: bool
) -> None:
    """vfilter.c: "Equals" compares as far as the keyword goes, "Ends with" looks anywhere."""
    headers = headers_of(f"Subject: {subject}")

    assert is_match(rule(comparision, keyword), headers, emailid="bob@example.com") is expected


@pytest.mark.parametrize("comparision", [c for c in Comparision if c is not Comparision.NOT_IN_TO_CC_BCC])
def test_rule_about_a_header_that_is_not_there_never_matches(comparision: Comparision) -> None:
    """Even "Does not contain" needs the header."""
    assert is_match(rule(comparision, "1"), headers_of("To: x@y.test"), emailid="bob@example.com") is False


def test_every_value_of_a_repeated_header_is_tried() -> None:
    """The second Subject counts too."""
    headers = headers_of("Subject: ham", "Subject: spam")

    assert is_match(rule(Comparision.EQUALS, "spam"), headers, emailid="bob@example.com")


def test_does_not_contain_looks_at_all_values() -> None:
    """One value that contains the keyword is enough to spoil it."""
    headers = headers_of("Subject: ham", "Subject: spam")

    assert not is_match(rule(Comparision.DOES_NOT_CONTAIN, "spam"), headers, emailid="bob@example.com")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(["To: Bob <BOB@example.com>"], False, id="in To"),
        pytest.param(["To: x@y.test", "Cc: a@b.test, bob@example.com"], False, id="in Cc, behind another"),
        pytest.param(["Bcc: bob@example.com"], False, id="in Bcc"),
        pytest.param(["To: x@y.test"], True, id="elsewhere"),
        pytest.param(["To: bob@example.com.evil.test"], True, id="only the beginning"),
        pytest.param(["Subject: hi"], True, id="no To at all"),
    ],
)
def test_mail_that_is_not_addressed_to_me_is_noticed(lines: list[str], expected: bool) -> None:
    """Comparision 5: my id not in To, CC, Bcc."""
    mine = rule(Comparision.NOT_IN_TO_CC_BCC, "")

    assert is_match(mine, headers_of(*lines), emailid="bob@example.com") is expected


def test_comparision_5_is_nothing_for_a_whole_domain() -> None:
    """A global filter has no id of its own."""
    ours = rule(Comparision.NOT_IN_TO_CC_BCC, "", emailid="prefilt@example.com")

    assert not is_match(ours, headers_of("To: x@y.test"), emailid="bob@example.com")


def test_address_headers_are_compared_by_their_addresses() -> None:
    """From "Ann <ann@x>" equals "ann@x"."""
    headers = headers_of('From: "Ann, the spammer" <Ann@Example.com>')

    assert is_match(rule(Comparision.EQUALS, "ann@example.com", "From"), headers, emailid="bob@example.com")


def test_folded_header_is_one_value() -> None:
    """A continuation line belongs to its header."""
    assert headers_of("Subject: one", "\ttwo", "  three", "", "body: no") == {b"subject": [b"one two three"]}


MIME = [
    "Subject: outer",
    'Content-Type: multipart/mixed; boundary="XX"',
    "",
    "X-Not-A-Header: preamble",
    "--XX",
    "Content-Type: multipart/alternative;",
    " boundary=YY",
    "",
    "--YY",
    "Content-Type: text/html",
    "",
    "Subject: in the text",
    "--YY--",
    "--XX",
    "X-Mailer: inner",
    "",
    "--XX--",
]


def test_headers_of_mime_parts_are_tried_too() -> None:
    """Parts within parts, but not what stands in the text."""
    headers = headers_of(*MIME)

    assert headers[b"subject"] == [b"outer"]
    assert headers[b"x-mailer"] == [b"inner"]
    assert b"text/html" in headers[b"content-type"]
    assert b"x-not-a-header" not in headers


@given(octets=st.binary(max_size=300))
def test_hostile_mail_gives_headers(octets: bytes) -> None:
    """Any octets are read, every name and value is lower-case octets."""
    headers = read_headers(octets.splitlines(keepends=True))

    assert all(name == name.lower() and name for name in headers)


def test_endless_headers_are_read_to_a_limit() -> None:
    """A mail of a million headers costs only the first ones."""
    headers = read_headers(b"X-%d: y\n" % number for number in range(10 * MAX_VALUES))

    assert len(headers) == MAX_VALUES


def test_parts_far_inside_a_huge_mail_are_not_looked_at() -> None:
    """Behind the limit the reading stops."""
    head = [b'Content-Type: multipart/mixed; boundary="XX"\n', b"\n"]
    filler = [b"x" * 1023 + b"\n"] * (MAX_SCAN_OCTETS // 1024 + 1)

    assert b"x-mailer" not in read_headers([*head, *filler, b"--XX\n", b"X-Mailer: late\n"])


def test_regular_expression_that_cannot_be_used_is_told_and_skipped() -> None:
    """A broken rule never takes a mail; the next one is asked."""
    broken = rule(Comparision.REGEXP, "(a)\\1", filter_no=1)
    good = rule(Comparision.CONTAINS, "hi", filter_no=2)

    decision = decide(
        headers_of("Subject: hi"),
        emailid="bob@example.com",
        filters={"bob@example.com": [broken, good]},
        has_vfilter=True,
    )

    assert decision.rule == good
    assert [fault.startswith("filter 1 of bob@example.com: ") for fault in decision.faults] == [True]


ALL_STAGES: dict[str, Sequence[FilterRule]] = {
    owner: [rule(Comparision.CONTAINS, "hi", emailid=owner)]
    for owner in ("prefilt@example.com", "bob@example.com", "postfilt@example.com")
}


@pytest.mark.parametrize(
    ("without", "flags", "expected"),
    [
        pytest.param((), {"has_vfilter": True}, "prefilt", id="prefilt first"),
        pytest.param((), {"has_vfilter": True, "has_noprefilt": True}, "user", id="noprefilt: the user's"),
        pytest.param(("prefilt@example.com",), {"has_vfilter": True}, "user", id="then the user's"),
        pytest.param(("prefilt@example.com", "bob@example.com"), {"has_vfilter": True}, "postfilt", id="then postfilt"),
        pytest.param(
            ("prefilt@example.com", "bob@example.com"),
            {"has_vfilter": True, "has_nopostfilt": True},
            "",
            id="nopostfilt: Inbox",
        ),
        pytest.param((), {"has_vfilter": False}, "prefilt", id="prefilt needs no vfilter file"),
        pytest.param(("prefilt@example.com",), {"has_vfilter": False}, "", id="no vfilter file: Inbox at once"),
        pytest.param(tuple(ALL_STAGES), {"has_vfilter": True}, "", id="no rules"),
    ],
)
def test_filters_are_asked_in_the_order_of_vfilter(
    without: tuple[str, ...], flags: dict[str, bool], expected: str
) -> None:
    """vfilter.c main(): prefilt, the user's only with the file vfilter, then postfilt; the first match wins."""
    filters = {owner: rules for owner, rules in ALL_STAGES.items() if owner not in without}

    assert decide(headers_of("Subject: hi"), emailid="Bob@Example.com", filters=filters, **flags).stage == expected


def test_rules_are_tried_by_their_numbers() -> None:
    """The lowest number wins, whatever the order of the list."""
    late = rule(Comparision.CONTAINS, "hi", filter_no=9, destination="Late")
    early = rule(Comparision.CONTAINS, "hi", filter_no=1, destination="Early")

    decision = decide(
        headers_of("Subject: hi"),
        emailid="bob@example.com",
        filters={"bob@example.com": [late, early]},
        has_vfilter=True,
    )

    assert decision.rule == early
