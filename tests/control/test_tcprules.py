"""tcp.smtp is read and looked up as the recorded tcprules and tcprulescheck did."""

from __future__ import annotations

import re
from pathlib import Path

import cdblib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.control.rule_keys import MAX_CLIENT_BYTES, candidate_keys
from indimail_kit.control.tcprules import DEFAULT_MATCH, MAX_RULES_BYTES, Change, parse_rules
from indimail_kit.errors import RulesError

DATA = Path(__file__).parent.parent / "data" / "indimail" / "tcprules"
RULES3 = parse_rules((DATA / "rules3.txt").read_bytes())


def recorded_lookups() -> list[object]:
    """Return (ip, info, host, lines printed) for each look-up in results.txt."""
    text = (DATA / "results.txt").read_text()
    blocks = re.findall(r"^--- ip=(\S*) info=(\S*) host=(\S*)\n((?:(?!---|bad line).*\n)+)", text, re.MULTILINE)
    return [
        pytest.param(ip, info, host, tuple(printed.splitlines()), id=f"{ip}-{info}-{host}")
        for ip, info, host, printed in blocks
    ]


def recorded_bad_lines() -> list[object]:
    """Return (line, exit code) for each "bad line" in results.txt."""
    text = (DATA / "results.txt").read_text()
    return [
        pytest.param(line, int(rc), id=line)
        for line, rc in re.findall(r"^bad line: (.*)\n(?:tcprules:.*\n)?  rc=(\d+)", text, re.MULTILINE)
    ]


def recorded_odd_lines() -> list[object]:
    """Return (line, exit code, records, lines printed for two addresses) for each entry of odd-lines.txt."""
    entries = re.split(r"^line: ", (DATA / "odd-lines.txt").read_text(), flags=re.MULTILINE)[1:]
    cases = []
    for entry in entries:
        first, *rest = entry.splitlines()
        records = [line.strip().removeprefix("cdb ") for line in rest if line.startswith("  cdb +")]
        printed = {
            ip: tuple(line.split(": ", 1)[1] for line in rest if line.startswith(f"    {ip}: "))
            for ip in ("1.2.3.4", "10.0.0.255")
        }
        rc = int(re.search(r"rc=(\d+)", entry)[1])
        cases.append(pytest.param(first[1:-1], rc, records, printed, id=first))
    return cases


def test_all_recorded_cases_are_tested() -> None:
    """No recorded look-up, bad line or odd line is lost by the reading of the records."""
    counts = tuple(len(cases) for cases in (recorded_lookups(), recorded_bad_lines(), recorded_odd_lines()))
    assert counts == (19, 13, 12)


@pytest.mark.parametrize(("ip", "info", "host", "printed"), recorded_lookups())
def test_lookup_prints_what_tcprulescheck_printed(ip: str, info: str, host: str, printed: tuple[str, ...]) -> None:
    """A look-up gives the recorded rule, variables in order, and decision."""
    assert RULES3.find(ip, info=info, host=host).lines() == printed


def test_records_are_those_of_the_real_cdb() -> None:
    """The rules give the very records, in order, that tcprules wrote into the cdb."""
    expected = list(cdblib.Reader((DATA / "rules3.cdb").read_bytes()).items())
    assert [(record.key, record.octets) for record in RULES3.records] == expected


@pytest.mark.parametrize(("line", "rc"), recorded_bad_lines())
def test_bad_line_ends_with_the_recorded_exit_code(line: str, rc: int) -> None:
    """A line is refused with the exit code of tcprules, or taken where tcprules took it."""
    assert exit_code_of(line) == rc


@pytest.mark.parametrize(("line", "rc", "records", "printed"), recorded_odd_lines())
def test_odd_line_is_stored_and_looked_up_as_recorded(
    line: str, rc: int, records: list[str], printed: dict[str, tuple[str, ...]]
) -> None:
    """An odd line ends with the recorded exit code, and its records and look-ups are the recorded ones."""
    assert exit_code_of(line) == rc
    assert stored_by(line) == records
    assert {ip: looked_up_by(line, ip) for ip in printed} == printed


def exit_code_of(line: str) -> int:
    """Return tcprules' exit code for a text of one line."""
    try:
        parse_rules(line)
    except RulesError as error:
        return error.exit_code
    return 0


def stored_by(line: str) -> list[str]:
    """Return the records of a line as cdbdump with ^@ for NUL writes them; none for a line that is refused."""
    try:
        records = parse_rules(line).records
    except RulesError:
        return []
    return [
        f"+{len(record.key)},{len(record.octets)}:{record.key.decode()}->{record.octets.decode()}".replace("\0", "^@")
        for record in records
    ]


def looked_up_by(line: str, ip: str) -> tuple[str, ...]:
    """Return what tcprulescheck prints with the rules of one line; nothing for a line that is refused."""
    try:
        return parse_rules(line).find(ip).lines()
    except RulesError:
        return ()


@pytest.mark.parametrize(
    ("name", "exit_code", "line_number"),
    [("rules.txt", 100, 18), ("rules2.txt", 111, 18)],
    ids=["cannot parse", "blanks only"],
)
def test_recorded_file_is_refused_at_its_line(name: str, exit_code: int, line_number: int) -> None:
    """A rule file that tcprules refused is refused with its exit code, and the error names the line."""
    with pytest.raises(RulesError) as caught:
        parse_rules((DATA / name).read_bytes(), source=name)
    assert (caught.value.exit_code, caught.value.line_number, caught.value.source) == (exit_code, line_number, name)


@pytest.mark.parametrize(
    ("ip", "action", "variables"),
    [
        ("127.0.0.2", "allow", {"RELAYCLIENT": "", "QHPSI": "/opt/lab/scan/greppy", "REJECTVIRUS": "1"}),
        ("127.0.0.4", "deny", {}),
        ("127.0.0.9", "allow", {}),
        ("192.0.2.1", "deny", {}),
    ],
)
def test_rules_of_the_recorded_lab_apply(ip: str, action: str, variables: dict[str, str]) -> None:
    """The tcp.smtp that the recorded dialogues ran with admits, refuses and sets what it did there."""
    match = parse_rules((DATA / "tcp.smtp.used").read_bytes()).find(ip)
    assert (match.action, match.environment) == (action, variables)


def test_seed_rule_sets_the_scanner_for_everybody() -> None:
    """The seed's rule (with straight quotes) gives every client QHPSI."""
    rules = parse_rules(":allow,QHPSI='/usr/bin/clamdscan %s --quiet --no-summary'\n")
    assert rules.find("192.0.2.1").environment == {"QHPSI": "/usr/bin/clamdscan %s --quiet --no-summary"}


def test_no_rule_at_all_means_allowed() -> None:
    """A client that no rule knows is admitted, and the match says that it is the default."""
    assert parse_rules("10.:deny").find("192.0.2.1") == DEFAULT_MATCH


def test_line_without_allow_or_deny_is_kept_and_shown() -> None:
    """What tcprules drops without a word is in the ignored lines, with its number."""
    rules = parse_rules("10.:deny\n:foo\n")
    assert [(line.line_number, line.text) for line in rules.ignored] == [(2, ":foo")]


def test_first_of_two_rules_for_one_address_counts() -> None:
    """A cdb look-up finds the first record of a key."""
    assert parse_rules("10.:deny\n10.:allow\n").find("10.0.0.1").action == "deny"


def test_unset_after_set_wins_and_the_other_way_round() -> None:
    """A variable is in the environment or among the unset ones, by what came last."""
    match = parse_rules(':allow,A="1",!A,!B,B="2"').find("192.0.2.1")
    assert (match.environment, match.unset) == ({"B": "2"}, ("A",))


def test_expanded_ipv6_rule_matches_any_spelling() -> None:
    """A rule with all digits of an IPv6 address is found for the compressed spelling."""
    rules = parse_rules('2001:0db8:0000:0000:0000:0000:0000:0001:allow,A="x"')
    assert rules.find("2001:db8::1").environment == {"A": "x"}


def test_client_with_info_is_looked_up_by_its_expanded_ipv6_address() -> None:
    """INFO@IP uses the address with all its digits."""
    rules = parse_rules('joe@2001:0db8:0000:0000:0000:0000:0000:0001:allow,A="x"')
    assert rules.find("2001:db8::1", info="joe").environment == {"A": "x"}


def test_info_and_host_rule_comes_before_the_address() -> None:
    """INFO@=HOST is the second thing looked up."""
    rules = parse_rules('joe@=mail.example.com:allow,A="1"\n192.0.2.1:deny\n')
    assert rules.find("192.0.2.1", info="joe", host="mail.example.com").environment == {"A": "1"}


def test_order_of_keys_is_that_of_rules_c() -> None:
    """The keys come as in rules.c: who, address, host, prefixes, network bits, domains, known host, everybody."""
    keys = list(candidate_keys("10.0.0.1", info="joe", host="a.example"))
    bits = [key for key in keys if key.startswith(b"_")]
    others = [key for key in keys if not key.startswith(b"_")]
    assert others == [
        b"joe@10.0.0.1",
        b"joe@=a.example",
        b"10.0.0.1",
        b"=a.example",
        b"10.0.0.",
        b"10.0.",
        b"10.",
        b"=.example",
        b"=",
        b"",
    ]
    assert (len(bits), keys.index(bits[0]), bits[0], bits[-1]) == (31, 7, b"_0000e0g" + b"0" * 24 + b"6", b"_00")


def test_ipv6_network_bits_are_numbered_letters() -> None:
    """The n-th bit that is set in an IPv6 address is the n-th letter from the backquote."""
    key = next(key for key in candidate_keys("8000::1") if key.startswith(b"^"))
    assert key == b"^`" + b"0" * 126 + b"a"


def test_ipv6_network_bits_are_left_out_when_the_host_is_known() -> None:
    """With a host name rules.c cannot make the bits of an IPv6 address, so no such key is looked up."""
    keys = list(candidate_keys("2001:db8::1", host="a.example"))
    assert [key for key in keys if key.startswith(b"^")] == []


@pytest.mark.parametrize("ip", ["", "nonsense", "1.2.3", "1.2.3.4.5", "::gg", "1.2.3.4\n", "fe80::1%eth0", "\ud800"])
def test_address_that_is_none_gets_the_rule_of_everybody_or_an_error(ip: str) -> None:
    """An address that is none is never a crash: the empty rule applies, or RulesError is raised."""
    assert action_for(ip) in {"deny", "refused"}


def action_for(ip: str) -> str:
    """Return what becomes of an address when everybody is denied."""
    try:
        return parse_rules(":deny").find(ip).action
    except RulesError:
        return "refused"


@pytest.mark.parametrize(
    ("line", "first", "last", "count"),
    [
        ("10.0.0.0-255:deny", b"10.0.0.0", b"10.0.0.255", 256),
        ("10.0.0.255-255:deny", b"10.0.0.255", b"10.0.0.255", 1),
        ("10.0.0.254-256:deny", b"10.0.0.254", b"10.0.0.255", 2),
        ("1-2.:deny", b"1.", b"2.", 2),
        ("-1:deny", b"0", b"1", 2),
        ("10.0.0.18446744073709551616-1:deny", b"10.0.0.0", b"10.0.0.1", 2),
    ],
)
def test_range_ends_at_255(line: str, first: bytes, last: bytes, count: int) -> None:
    """A range gives one record a number, from the first to the last but at most 255; numbers wrap as in C."""
    keys = [record.key for record in parse_rules(line).records]
    assert (keys[0], keys[-1], len(keys)) == (first, last, count)


@pytest.mark.parametrize("line", ["10.0.0.256-300:deny", "10.0.0.5-4:deny"])
def test_empty_range_stores_nothing(line: str) -> None:
    """A range that begins above its end, or above 255, stores nothing and is no error."""
    assert parse_rules(line).records == ()


@pytest.mark.parametrize("line", ["=a-b.example:allow", "joe@1-2:allow"], ids=["host with hyphen", "info with hyphen"])
def test_hyphen_in_host_or_info_is_no_range(line: str) -> None:
    """A hyphen means a range in an address only."""
    assert [record.key for record in parse_rules(line).records] == [line.partition(":")[0].encode()]


@pytest.mark.parametrize("end", ["\n", " \t\n", ""], ids=["LF", "blanks and LF", "end of file"])
def test_line_may_end_in_blanks_or_at_the_end_of_the_file(end: str) -> None:
    """Blanks at the end of a line and a missing last line end make no difference."""
    assert parse_rules("10.:deny" + end).find("10.1.1.1").rule == "10."


def test_carriage_return_is_refused_like_tcprules_does() -> None:
    """A file with CR LF line ends is refused: CR is no blank."""
    with pytest.raises(RulesError) as caught:
        parse_rules("10.:deny\r\n")
    assert caught.value.exit_code == 100


def test_nul_in_a_value_begins_the_next_entry_of_the_record() -> None:
    """A NUL in a value divides the record, as the C programs see it: D behind it denies."""
    match = parse_rules(b':allow,A="x\0D"').find("192.0.2.1")
    assert (match.action, match.changes) == ("deny", (Change("A", "x"),))


def test_what_no_program_writes_into_a_record_changes_nothing() -> None:
    """An entry of a record that begins with neither +, - nor D has no effect."""
    match = parse_rules(b':allow,A="x\0?y"').find("192.0.2.1")
    assert match.changes == (Change("A", "x"),)


def test_octets_that_are_not_utf8_survive_into_the_environment() -> None:
    """A value is decoded as Python decodes an environment, so that no octet is lost."""
    match = parse_rules(b':allow,A="\xff"').find("192.0.2.1")
    assert match.environment["A"].encode("utf-8", "surrogateescape") == b"\xff"


def test_lone_surrogate_in_text_is_refused() -> None:
    """Text that cannot be octets raises RulesError."""
    with pytest.raises(RulesError):
        parse_rules(":allow\ud800")


def outcome_of(octets: bytes) -> object:
    """Return what becomes of a client under these rules, or tcprules' exit code and whether a line is named."""
    try:
        return parse_rules(octets).find("10.0.0.1", info="joe", host="mail.example.com").action
    except RulesError as error:
        return error.exit_code, error.line_number is not None


OUTCOMES = ("allow", "deny", (100, True), (111, True))


@given(st.binary(max_size=80))
def test_any_octets_are_rules_or_refused(octets: bytes) -> None:
    """Whatever a file holds: rules, or RulesError with an exit code of tcprules and a line number."""
    assert outcome_of(octets) in OUTCOMES


@given(
    st.lists(
        st.sampled_from(
            [b"10.", b"=", b":", b"allow", b"deny", b",", b"!", b"A", b'"', b"-", b"\n", b"#", b" ", b"\0", b"@", b"_0"]
        ),
        max_size=24,
    )
)
def test_any_row_of_rule_pieces_is_rules_or_refused(pieces: list[bytes]) -> None:
    """Pieces of rules in any order: rules, or RulesError with an exit code of tcprules and a line number."""
    assert outcome_of(b"".join(pieces)) in OUTCOMES


@pytest.mark.parametrize("length", range(len((DATA / "rules3.txt").read_bytes()) + 1))
def test_truncated_file_is_rules_or_refused(length: int) -> None:
    """The recorded file cut at any octet is rules, or refused with an exit code of tcprules."""
    octets = (DATA / "rules3.txt").read_bytes()[:length]
    assert exit_code_of(octets.decode()) in {0, 100, 111}


names = st.text(st.characters(min_codepoint=0x41, max_codepoint=0x5A), min_size=1, max_size=8)
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters='"'), max_size=20)


@given(st.dictionaries(names, values, max_size=5))
def test_what_a_rule_sets_is_what_the_client_gets(environment: dict[str, str]) -> None:
    """Any names and values without a double quote come through, commas and blanks included."""
    text = ":allow" + "".join(f',{name}="{value}"' for name, value in environment.items())
    assert parse_rules(text).find("192.0.2.1").environment == environment


@pytest.mark.parametrize("who", ["ip", "info", "host"])
def test_client_that_is_too_long_is_refused(who: str) -> None:
    """At the limit an address, info or host is looked up, above it refused: each dot would be one more look-up."""
    client = {"ip": "192.0.2.1"}
    assert parse_rules(":deny").find(**client | {who: "." * MAX_CLIENT_BYTES}).action == "deny"
    with pytest.raises(RulesError, match=f"at most {MAX_CLIENT_BYTES} octets"):
        parse_rules(":deny").find(**client | {who: "." * (MAX_CLIENT_BYTES + 1)})


def test_text_that_is_too_long_is_refused() -> None:
    """At the limit a text is read, above it refused."""
    assert parse_rules(b"#" * MAX_RULES_BYTES).records == ()
    with pytest.raises(RulesError, match=f"a text of at most {MAX_RULES_BYTES}"):
        parse_rules(b"#" * (MAX_RULES_BYTES + 1))


def test_ranges_that_would_fill_the_memory_are_refused() -> None:
    """A line of two million octets is not stored 256 times."""
    with pytest.raises(RulesError, match="whose cdb has at most") as caught:
        parse_rules(b"# rules\n0-255." + b"a" * 2_000_000 + b":deny")
    assert caught.value.line_number == 2


def test_repr_of_rules_and_matches_shows_no_value() -> None:
    """A password in a rule is in no repr."""
    rules = parse_rules(':allow,DB_PASS="tanstaaftanstaaf"')
    assert "tanstaaf" not in repr(rules) + repr(rules.find("192.0.2.1"))


def test_typographic_quote_is_named() -> None:
    """The rule pasted from a web page is refused with the reason, not with a missing comma; no value is quoted."""
    with pytest.raises(RulesError, match=r"typographic.*0xe2") as caught:
        parse_rules(":allow,QHPSI=\u2019/usr/bin/clamdscan %s\u2019\n")
    assert (caught.value.exit_code, caught.value.line_number) == (100, 1)
    assert "clamdscan" not in str(caught.value)
