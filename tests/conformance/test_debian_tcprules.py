"""Rules are compiled and looked up as Debian's tcprules and tcprulescheck do it, for what both know.

IndiMail's programs know more (``!VAR``, IPv6, lines without a colon are fatal): tests/data/indimail/tcprules.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indimail_kit.control.cdb import decode_cdb, encode_cdb, write_cdb
from indimail_kit.control.tcprules import parse_rules
from indimail_kit.errors import RulesError

DATA = Path(__file__).parent.parent / "data" / "indimail" / "tcprules"
SEED = ":allow,QHPSI={quote}/usr/bin/clamdscan %s --quiet --no-summary{quote}\n"

pytestmark = pytest.mark.skipif(
    shutil.which("tcprules") is None and not os.environ.get("CI"), reason="ucspi-tcp is not installed"
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory for the files of the programs."""
    return tmp_path_factory.mktemp("tcprules")


def compile_with_debian(text: bytes, directory: Path) -> tuple[int, bytes]:
    """Return the exit code of Debian's tcprules and the cdb that it wrote, b"" for none."""
    target = directory / "debian.cdb"
    target.unlink(missing_ok=True)
    words = ["tcprules", str(target), str(directory / "debian.tmp")]
    done = subprocess.run(words, input=text, capture_output=True, timeout=20, check=False)
    return done.returncode, target.read_bytes() if target.exists() else b""


def check_with_debian(cdb: Path, *, ip: str, info: str = "", host: str = "") -> tuple[str, ...]:
    """Return the lines that Debian's tcprulescheck prints."""
    known = {"TCPREMOTEIP": ip, "TCPREMOTEINFO": info, "TCPREMOTEHOST": host}
    environ = {"PATH": os.environ["PATH"]} | {name: value for name, value in known.items() if value}
    done = subprocess.run(["tcprulescheck", str(cdb)], env=environ, capture_output=True, timeout=20, check=True)
    return tuple(done.stdout.decode("utf-8", "surrogateescape").split("\n")[:-1])


def ours(text: bytes) -> tuple[int, bytes]:
    """Return our exit code and cdb for a text."""
    try:
        return 0, encode_cdb(parse_rules(text))
    except RulesError as error:
        return error.exit_code, b""


BOTH_KNOW = [
    b'10.0.0.1-3:allow,A="one",B=/two,with,commas/,C=\'it"s\'',
    b"10.0.1-2.5:deny",
    b"300-302.:allow",
    b"10.0.0.250-260:deny",
    b"10.0.0.255-255:deny",
    b'1.2.3.4:allow, A="x"',
    b"10.0.0.0/8:allow",
    b" 1.2.3.4:allow",
    b"1.2.3.4:allow \t ",
    b"=a-b.example:allow",
    b"joe@1-2:allow",
    b"-1:deny",
    b':deny,A="x"',
    b':allow,="x"',
    b":allow,A=",
    b':allow,A="x',
    b':allow,A="x"B="y"',
    b":allow,A",
    b":allow,",
    b":allowed",
    b":denyX",
    b"1-x.2:allow",
    b"10.:deny\r",
    b':allow,A="\xff\x01"',
    b":allow,A=xax",
    b":allow,A=,a,",
    b":allow,A== =",
    b"",
    b"# rules",
    b"\n\n:deny",
]


@pytest.mark.parametrize("line", BOTH_KNOW, ids=repr)
def test_line_is_compiled_as_debian_compiles_it(line: bytes, directory: Path) -> None:
    """Exit code and cdb, octet for octet, are those of Debian's tcprules."""
    assert ours(line + b"\n") == compile_with_debian(line + b"\n", directory)


def without_what_only_indimail_knows(text: bytes) -> bytes:
    """Return the recorded rules without the lines with !VAR or IPv6 addresses."""
    lines = text.split(b"\n")
    return b"\n".join(line for line in lines if b"!" not in line and line.count(b":") < 2)


@pytest.mark.parametrize("name", ["rules3.txt", "tcp.smtp.used"])
def test_recorded_rules_are_compiled_as_debian_compiles_them(name: str, directory: Path) -> None:
    """The recorded files, as far as Debian's tcprules knows what is in them, give the same cdb."""
    text = without_what_only_indimail_knows((DATA / name).read_bytes())
    assert text.count(b"\n") >= 5
    assert ours(text) == compile_with_debian(text, directory)


def test_debian_knows_no_unsetting(directory: Path) -> None:
    """!VAR is IndiMail's: Debian's tcprules refuses it at the end of a line, tcprulescheck passes over the record."""
    text = b'1.2.3.4:allow,X="x",!FOO\n'
    assert (ours(text)[0], compile_with_debian(text, directory)) == (0, (100, b""))
    printed = check_with_debian(DATA / "rules3.cdb", ip="1.2.3.4")
    match = decode_cdb((DATA / "rules3.cdb").read_bytes()).find("1.2.3.4")
    assert printed == tuple(line for line in match.lines() if not line.startswith("unset"))


def test_debian_takes_unsetting_before_a_value_for_a_name(directory: Path) -> None:
    """A trap for who moves rules to Debian's tcpserver: !FOO,Y="y" sets a variable named "!FOO,Y" there."""
    text = b'1.2.3.4:allow,!FOO,Y="y"\n'
    exit_code, octets = compile_with_debian(text, directory)
    assert (exit_code, decode_cdb(octets).find("1.2.3.4").environment) == (0, {"!FOO,Y": "y"})
    match = parse_rules(text).find("1.2.3.4")
    assert (match.environment, match.unset) == ({"Y": "y"}, ("FOO",))


@pytest.mark.parametrize(
    ("quote", "exit_code"),
    [("'", 0), ("\N{RIGHT SINGLE QUOTATION MARK}", 100), ("\N{LEFT DOUBLE QUOTATION MARK}", 100), ("\u00ab", 100)],
    ids=["plain", "as the blog prints it", "double", "guillemets"],
)
def test_seeds_rule_works_with_plain_quotes_only(quote: str, exit_code: int, directory: Path) -> None:
    """The line pasted from a web page is refused by the real program too: a quote is one octet, and these are more."""
    text = SEED.format(quote=quote).encode()
    assert ours(text) == compile_with_debian(text, directory)
    assert ours(text)[0] == exit_code


def test_seeds_rule_in_windows_1252_works(directory: Path) -> None:
    """In a character set with one octet for it even the typographic quote is a quote."""
    text = SEED.format(quote="\N{RIGHT SINGLE QUOTATION MARK}").encode("cp1252")
    assert ours(text) == compile_with_debian(text, directory)
    assert parse_rules(text).find("192.0.2.1").environment["QHPSI"].startswith("/usr/bin/clamdscan")


def test_refused_text_leaves_debians_old_cdb_in_force(directory: Path) -> None:
    """Why the typographic quote is a trap: the message scrolls by, and the old rules go on to count."""
    target = directory / "old.cdb"
    write_cdb(parse_rules(":deny"), target)
    words = ["tcprules", str(target), str(directory / "old.tmp")]
    done = subprocess.run(
        words, input=SEED.format(quote="\u2019").encode(), capture_output=True, timeout=20, check=False
    )
    assert done.returncode == 100
    assert check_with_debian(target, ip="192.0.2.1") == ("rule :", "deny connection")


names = st.sampled_from(["A", "B", "QHPSI", "", " C"])
values = st.text(st.sampled_from('ab,=!"%: '), max_size=4)
addresses = st.sampled_from(
    [
        "",
        "10.",
        "10.0.",
        "10.0.0.1",
        "10.0.0.1-3",
        "10.0-1.0.1",
        "=",
        "=.example",
        "=a.example",
        "joe@10.0.0.1",
        "joe@=a",
    ]
)
quotes = st.sampled_from("\"'/|")
rule_lines = st.builds(
    "{}:{}{}".format,
    addresses,
    st.sampled_from(["allow", "deny"]),
    st.lists(st.builds(",{0}={2}{1}{2}".format, names, values, quotes), max_size=3).map("".join),
)
rule_texts = st.lists(rule_lines, max_size=8).map(lambda lines: "".join(line + "\n" for line in lines).encode())


@given(rule_texts)
@settings(max_examples=80, deadline=None)
def test_any_rules_are_compiled_as_debian_compiles_them(directory: Path, text: bytes) -> None:
    """Rules of any kind that both know give the same exit code and the same cdb."""
    assert ours(text) == compile_with_debian(text, directory)


@given(
    rule_texts.filter(lambda text: ours(text)[0] == 0),
    st.sampled_from(["10.0.0.1", "10.0.0.3", "10.0.9.9", "10.9.9.9", "192.0.2.1"]),
    st.sampled_from(["", "joe", "eve"]),
    st.sampled_from(["", "a.example", "x.y.example", "a"]),
)
@settings(max_examples=80, deadline=None)
def test_any_look_up_prints_what_debians_tcprulescheck_prints(
    directory: Path, text: bytes, ip: str, info: str, host: str
) -> None:
    """Rule, variables in order and decision are those of Debian's tcprulescheck on our cdb."""
    rules = parse_rules(text)
    target = directory / "ours.cdb"
    write_cdb(rules, target)
    assert rules.find(ip, info=info, host=host).lines() == check_with_debian(target, ip=ip, info=info, host=host)


def test_empty_and_cut_cdb_are_refused_by_debian_too(directory: Path) -> None:
    """What we refuse with 111 the real program refuses with 111."""
    for length in (0, 1000):
        (directory / "cut.cdb").write_bytes((DATA / "rules3.cdb").read_bytes()[:length])
        with pytest.raises(subprocess.CalledProcessError) as caught:
            check_with_debian(directory / "cut.cdb", ip="192.0.2.1")
        assert caught.value.returncode == 111
