"""vcfilter's command line and the rules behind it."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.delivery.vfilter import (
    COMPARISION_NAMES,
    HEADERS,
    MANUAL_COMPARISION_NUMBERS,
    NO_HEADER,
    Comparision,
    FilterRule,
    VcfilterCommand,
    format_command,
    manual_header_number,
    parse_command,
)
from indimail_kit.errors import FilterError

SEED = 'vcfilter -i -t virusFilter -c 0 -k "virus found" -f Quarantine -b 0 -h 28 prefilt@example.com'
"""The seed text's rule, with its $1 filled in."""

SEED_RULE = FilterRule(
    emailid="prefilt@example.com",
    filter_name="virusFilter",
    header_name=28,
    comparision=Comparision.EQUALS,
    keyword="virus found",
    destination="Quarantine",
    bounce_action="0",
)


def test_seed_command_is_understood() -> None:
    """Every option of the seed's line means what the table of the facts says."""
    command = parse_command(SEED)

    assert command == VcfilterCommand(action="add", emailid="prefilt@example.com", rule=SEED_RULE)
    assert SEED_RULE.header == "X-QHPSI"
    assert SEED_RULE.is_global


def test_seed_command_is_written_letter_for_letter() -> None:
    """What is read is written the same."""
    assert format_command(parse_command(SEED)) == SEED


def test_path_of_the_program_makes_no_difference() -> None:
    """The seed calls /usr/bin/vcfilter."""
    assert parse_command("/usr/bin/" + SEED) == parse_command(SEED)


def test_header_table_is_the_headerlist() -> None:
    """Numbers 0 to 46 as in /etc/indimail/headerlist; some that the facts name."""
    assert len(HEADERS) == 47
    assert (HEADERS[0], HEADERS[28], HEADERS[42], HEADERS[46]) == (
        "Return-Path",
        "X-QHPSI",
        "Dispostion-Notification-To",
        "X-DSPAM-Result",
    )


@pytest.mark.parametrize(("header", "number"), [("X-Mailer", 27), ("X-Priority", 29), ("X-Spam-Status", 31)])
def test_manual_is_one_too_high_from_30_on(header: str, number: int) -> None:
    """vcfilter(1) lists X-Mailer a second time as 30."""
    assert manual_header_number(HEADERS.index(header)) == number


def test_manual_counts_comparisions_differently_from_5_on() -> None:
    """vcfilter(1) still has "5 Sender not in address book"."""
    assert MANUAL_COMPARISION_NUMBERS == {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 7, 7: 8}
    assert list(COMPARISION_NAMES) == list(Comparision)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            "vcfilter -s bob@example.com", VcfilterCommand(action="show", emailid="bob@example.com"), id="show"
        ),
        pytest.param(
            "vcfilter -v -C -s -r bob@example.com",
            VcfilterCommand(action="show", emailid="bob@example.com", is_raw=True, is_verbose=True, is_cluster=True),
            id="show raw",
        ),
        pytest.param(
            "vcfilter -d 3 bob@example.com",
            VcfilterCommand(action="delete", emailid="bob@example.com", filter_no=3),
            id="delete",
        ),
    ],
)
def test_other_actions_are_understood(line: str, expected: VcfilterCommand) -> None:
    """-s, -r, -d, -v and -C."""
    assert parse_command(line) == expected


def test_update_takes_a_number_and_new_values() -> None:
    """-u 2 replaces rule 2."""
    command = parse_command("vcfilter -u 2 -c Contains -k spam -f /NoDeliver -b 1 -h Subject bob@example.com")

    assert (command.action, command.filter_no) == ("update", 2)
    assert command.rule == FilterRule(
        emailid="bob@example.com",
        filter_no=2,
        header_name=2,
        comparision=Comparision.CONTAINS,
        keyword="spam",
        destination="/NoDeliver",
        bounce_action="1",
    )
    assert (command.rule.folder, command.rule.is_bounced) == ("", True)


def test_comparision_5_needs_neither_header_nor_keyword() -> None:
    """The comparision "My id not in To, CC, Bcc" drops -h and -k."""
    rule = parse_command("vcfilter -i -t me -c 5 -h 2 -k x -f Junk -b 0 bob@example.com").rule

    assert rule is not None
    assert (rule.header_name, rule.header, rule.keyword) == (NO_HEADER, "", "")


def test_blanks_in_an_expression_are_dropped() -> None:
    """-c 6 stores the expression without white space."""
    rule = parse_command('vcfilter -i -t n -c 6 -k "%p > 0.4" -f Junk -b 0 -h 32 bob@example.com').rule

    assert rule is not None
    assert rule.keyword == "%p>0.4"


@pytest.mark.parametrize(
    ("bounce_action", "forward_to", "is_bounced"),
    [
        pytest.param("0", "", False, id="none"),
        pytest.param("1", "", True, id="bounce"),
        pytest.param("2&a@b.test", "&a@b.test", False, id="forward"),
        pytest.param("3&a@b.test", "&a@b.test", True, id="forward and bounce"),
        pytest.param("2|/bin/true", "|/bin/true", False, id="pipe"),
    ],
)
def test_bounce_action_tells_who_else_gets_the_mail(bounce_action: str, forward_to: str, is_bounced: bool) -> None:
    """Vcfilter's help: 0, 1, 2&address, 2|program, 3 both."""
    line = shlex.join(
        ["vcfilter", "-i", "-t", "x", "-c", "0", "-k", "k", "-f", "Inbox", "-b", bounce_action, "-h", "2"]
    )
    rule = parse_command(line + " bob@example.com").rule

    assert rule is not None
    assert (rule.forward_to, rule.is_bounced) == (forward_to, is_bounced)


OPTIONS = {"-t": "x", "-c": "0", "-k": "k", "-f": "Inbox", "-b": "0", "-h": "2"}


def line_with(action: str = "-i", emailid: str = "bob@example.com", **changes: str | None) -> str:
    """Write a command line whose options differ from a good one in some."""
    options = OPTIONS | {f"-{name}": value for name, value in changes.items()}
    words = [word for name, value in options.items() if value is not None for word in (name, value)]
    return shlex.join(["vcfilter", *action.split(), *words, emailid])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("", "begins with vcfilter", id="empty"),
        pytest.param("vfilter -s bob@example.com", "begins with vcfilter", id="another program"),
        pytest.param('vcfilter -s "bob@example.com', "closing quote", id="open quote"),
        pytest.param("vcfilter bob@example.com", "-s, -i, -u, -d", id="no action"),
        pytest.param("vcfilter -s", "an address", id="no address"),
        pytest.param("vcfilter -x bob@example.com", "not -x", id="unknown option"),
        pytest.param("vcfilter -s -d", "not -d", id="option without value"),
        pytest.param("vcfilter -d two bob@example.com", "a filter number", id="delete without number"),
        pytest.param("vcfilter -u ² bob@example.com", "a filter number", id="number that is no digit"),
        pytest.param(line_with(t=None), "filter name", id="no name"),
        pytest.param(line_with(c=None), "comparision", id="no comparision"),
        pytest.param(line_with(c="8"), "comparision from 0 to 7", id="the manual's RegExp"),
        pytest.param(line_with(c="equals"), "comparision from 0 to 7", id="name in another case"),
        pytest.param(line_with(h="47"), "header number from 0 to 46", id="header out of range"),
        pytest.param(line_with(h="x-qhpsi"), "header number from 0 to 46", id="header in another case"),
        pytest.param(line_with(h=None), "header (-h) and a keyword (-k)", id="no header"),
        pytest.param(line_with(k=None), "header (-h) and a keyword (-k)", id="no keyword"),
        pytest.param(line_with(b=None), "bounce action", id="no bounce action"),
        pytest.param(line_with(b="4"), "bounce action 0, 1, 2 or 3", id="unknown bounce action"),
        pytest.param(line_with(b="2"), "an address", id="forward to nobody"),
        pytest.param(line_with(b="2&"), "an address", id="forward to an empty address"),
        pytest.param(line_with(b="1&a@b.test"), "nothing behind 0 or 1", id="bounce with address"),
        pytest.param(line_with(f=None), "a folder", id="no folder"),
        pytest.param(line_with(f=".hidden"), "begin with a dot", id="folder with a dot"),
        pytest.param(line_with(f="../../etc"), "begin with a dot", id="folder outside"),
        pytest.param(line_with(f="a/b"), "no slash", id="folder with a slash"),
        pytest.param(line_with(k="k" * 65), "at most 64 octets", id="keyword too long"),
        pytest.param(line_with(t="t" * 33), "at most 32 octets", id="name too long"),
        pytest.param(line_with(emailid="postmaster@example.com"), "may be filtered", id="postmaster"),
    ],
)
def test_line_that_vcfilter_refuses_is_a_filter_error(line: str, expected: str) -> None:
    """The text says what is missing."""
    with pytest.raises(FilterError) as caught:
        parse_command(line)
    assert expected in str(caught.value)


@pytest.mark.parametrize("changes", [{"k": "k" * 64}, {"t": "t" * 32}, {"h": "46"}, {"c": "7"}, {"f": "a.b"}])
def test_values_at_their_limits_are_taken(changes: dict[str, str]) -> None:
    """The other side of each limit."""
    assert parse_command(line_with(**changes)).rule is not None


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=15)


@given(
    name=WORDS.filter(bool),
    keyword=WORDS,
    folder=WORDS.filter(lambda text: text and not text.startswith(".") and "/" not in text),
    header_name=st.integers(0, 46),
    comparision=st.sampled_from([c for c in Comparision if c not in (5, 6)]),
    bounce_action=st.sampled_from(["0", "1", "2&a@b.test", "3|a program"]),
)
def test_command_reads_back_whatever_the_words_hold(
    name: str, keyword: str, folder: str, header_name: int, comparision: Comparision, bounce_action: str
) -> None:
    """Quotes, dollars, newlines: parse(format(x)) == x, and shlex splits it as a shell would."""
    rule = FilterRule(
        emailid="bob@example.com",
        filter_name=name[:8],
        header_name=header_name,
        comparision=comparision,
        keyword=keyword,
        destination=folder,
        bounce_action=bounce_action,
    )
    command = VcfilterCommand(action="add", emailid="bob@example.com", rule=rule)

    assert parse_command(format_command(command)) == command


@given(words=st.lists(st.text(max_size=12), max_size=12))
def test_hostile_words_give_a_command_or_a_filter_error(words: list[str]) -> None:
    """Nothing else comes out of a command line."""
    try:
        command = parse_command(["vcfilter", *words])
    except FilterError:
        return
    assert isinstance(command, VcfilterCommand)


@pytest.mark.parametrize(
    "command",
    [
        VcfilterCommand(action="delete", emailid="bob@example.com", filter_no=3),
        VcfilterCommand(action="show", emailid="bob@example.com", is_raw=True, is_verbose=True, is_cluster=True),
        VcfilterCommand(
            action="update",
            emailid="bob@example.com",
            filter_no=2,
            rule=FilterRule(
                emailid="bob@example.com",
                filter_no=2,
                comparision=Comparision.NOT_IN_TO_CC_BCC,
                destination="Junk",
            ),
        ),
    ],
    ids=["delete", "show", "update"],
)
def test_other_commands_read_back(command: VcfilterCommand) -> None:
    """-d, -s with its flags, and -u without header and keyword."""
    assert parse_command(format_command(command)) == command


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"header_name": 47}, id="header out of range"),
        pytest.param({"header_name": -2}, id="header below none"),
        pytest.param({"header_name": -1}, id="no header for Equals"),
        pytest.param({"comparision": Comparision.NOT_IN_TO_CC_BCC}, id="a header for comparision 5"),
        pytest.param({"keyword": "a\0b"}, id="NUL"),
        pytest.param({"bounce_action": ""}, id="no bounce action"),
    ],
)
def test_rule_that_the_table_could_not_hold_is_refused(values: dict[str, Any]) -> None:
    """Rules made in Python are checked like those of the command line."""
    with pytest.raises(FilterError):
        FilterRule(**({"emailid": "bob@example.com", "header_name": 2} | values))
