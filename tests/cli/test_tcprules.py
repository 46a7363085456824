"""``tcprules check``, ``compile`` and ``show``: the same answers as the real programs, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indimail_kit.cli import main
from indimail_kit.cli.tcprules import _MAX_SHOWN

DATA = Path(__file__).parent.parent / "data" / "indimail" / "tcprules"
TEXT = (DATA / "rules3.txt").read_bytes()
REAL = (DATA / "rules3.cdb").read_bytes()


def run(*words: str | Path, stdin: bytes | None = None) -> Result:
    """Run the verb."""
    return CliRunner().invoke(main, ["tcprules", *map(str, words)], input=stdin)


@pytest.mark.parametrize("name", ["rules3.txt", "rules3.cdb"])
def test_check_begins_with_what_tcprulescheck_prints(name: str) -> None:
    """The first lines are the recorded ones, for the text and the cdb."""
    result = run("check", DATA / name, "10.0.0.2")
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "rule 10.0.0.2:\nset environment variable A=one\nset environment variable B=two,with,commas\n"
        'set environment variable C=it"s\nallow connection\n\n'
    )


def test_check_says_line_and_addresses_in_order() -> None:
    """An administrator sees why: the line, what was looked up, which one counted; network bits are one line."""
    shown = run("check", DATA / "rules3.txt", "8.8.8.8", "--info", "joe", "--host", "x.y.example.test").stdout
    assert "(text, 20 records), line 10." in shown
    looked_up = [line.strip() for line in shown.partition("counts:\n")[2].partition("\n\n")[0].splitlines()]
    assert looked_up == [
        "joe@8.8.8.8",
        "joe@=x.y.example.test",
        "8.8.8.8",
        "=x.y.example.test",
        "8.8.8.",
        "8.8.",
        "8.",
        "(31 keys of network bits, which tcprules never writes)",
        "=.y.example.test",
        "=.example.test   <- this one",
    ]


def test_denied_client_is_exit_code_1() -> None:
    """Turned away is something found."""
    result = run("check", DATA / "rules3.txt", "10.0.1.5")
    assert (result.exit_code, "deny connection" in result.stdout) == (1, True)


def test_client_without_a_rule_is_let_in_and_it_is_said(tmp_path: Path) -> None:
    """No rule is exit code 0, and the output says that there was none."""
    (tmp_path / "rules").write_text("10.:deny\n")
    result = run("check", tmp_path / "rules", "192.0.2.1")
    assert (result.exit_code, result.stdout.splitlines()[:2]) == (0, ["default:", "allow connection"])
    assert "who has no rule is let in" in result.stdout
    assert "this one" not in result.stdout


def test_json_has_the_contracts_keys() -> None:
    """rule, action, environment and unset, and why."""
    result = run("check", "--json", DATA / "rules3.txt", "1.2.3.4")
    document = json.loads(result.stdout)
    assert {key: document[key] for key in ("rule", "action", "environment", "unset", "line")} == {
        "rule": "1.2.3.4",
        "action": "allow",
        "environment": {"X": "x", "Y": "y"},
        "unset": ["FOO"],
        "line": 15,
    }
    assert document["tried"] == ["1.2.3.4"]


def test_json_holds_octets_that_are_not_utf8(tmp_path: Path) -> None:
    """A value in another character set does not break the document."""
    (tmp_path / "rules").write_bytes(b':allow,A="\xff",!B\xfe\n')
    document = json.loads(run("check", "--json", tmp_path / "rules", "192.0.2.1").stdout)
    assert (document["environment"], document["unset"]) == ({"A": r"\xff"}, [r"B\xfe"])


def test_ignored_lines_and_notes_are_shown(tmp_path: Path) -> None:
    """What does nothing, or something else than it looks like, is told with its line."""
    (tmp_path / "rules").write_text(":foo\n10.0.0.0/8:deny\n")
    shown = run("check", tmp_path / "rules", "10.0.0.1").stdout
    assert "line 1 does nothing: neither :allow nor :deny: :foo" in shown
    assert "line 2 (10.0.0.0/8) / makes no network" in shown


def test_many_notes_are_counted(tmp_path: Path) -> None:
    """The first notes are printed and the others counted; --json has all."""
    (tmp_path / "rules").write_text(":foo\n" * (_MAX_SHOWN + 3))
    shown = run("check", tmp_path / "rules", "10.0.0.1").stdout
    assert (shown.count("does nothing"), "and 3 more" in shown) == (_MAX_SHOWN, True)
    document = json.loads(run("check", "--json", tmp_path / "rules", "10.0.0.1").stdout)
    assert len(document["ignored"]) == _MAX_SHOWN + 3


def test_hostile_rules_do_not_steer_the_terminal(tmp_path: Path) -> None:
    """Escape sequences in addresses, values and ignored lines are written out."""
    (tmp_path / "rules").write_bytes(b':allow,A="\x1b[2J"\n\x1b[31m:foo\n\x1b[2Jx :deny\n')
    shown = run("check", tmp_path / "rules", "192.0.2.1").stdout
    assert "\x1b" not in shown
    assert r"A=\x1b[2J" in shown


def test_pasted_seed_rule_is_explained(tmp_path: Path) -> None:
    """The rule as the web page prints it, with typographic quotes, is refused with the reason and the line."""
    (tmp_path / "tcp.smtp").write_text(
        "# rules\n:allow,QHPSI=\u2019/usr/bin/clamdscan %s --quiet --no-summary\u2019\n", encoding="utf-8"
    )
    result = run("check", tmp_path / "tcp.smtp", "192.0.2.1")
    assert result.exit_code == 3
    assert "tcp.smtp, line 2: expected a plain ' or \"" in result.stderr
    assert "typographic" in result.stderr


@pytest.mark.parametrize("ip", ["1.2.3", "nobody", "", "1.2.3.4/24", "fe80::1%eth0%"])
def test_address_that_is_none_is_wrong_usage(ip: str) -> None:
    """A slip of the keyboard is not answered with the rule of everybody."""
    result = run("check", DATA / "rules3.txt", ip)
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("content", [None, b"", b"nonsense\n", REAL[:1000], REAL[:-1], b"\0" * 4000], ids=repr)
@pytest.mark.parametrize(
    "words", [["check", "192.0.2.1"], ["show"], ["compile", "out.cdb"]], ids=lambda words: words[0]
)
def test_file_that_holds_no_rules_is_exit_code_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, words: list[str]
) -> None:
    """Missing, empty, cut or nonsense: one sentence that names the file, no traceback, nothing written."""
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "rules").write_bytes(content)
    result = run(words[0], "rules", *words[1:])
    assert (result.exit_code, result.stdout, "rules" in result.stderr) == (3, "", True)
    assert not (tmp_path / "out.cdb").exists()


def test_compile_writes_the_recorded_cdb(tmp_path: Path) -> None:
    """The cdb is the recorded one, and the verb says how much it holds."""
    result = run("compile", DATA / "rules3.txt", tmp_path / "tcp.smtp.cdb")
    assert (result.exit_code, (tmp_path / "tcp.smtp.cdb").read_bytes() == REAL) == (0, True)
    assert f"20 records, {len(REAL):,} octets" in result.stdout


def test_compile_with_json_says_what_was_written(tmp_path: Path) -> None:
    """One document: cdb, records, octets, what was ignored, what is surprising."""
    document = json.loads(run("compile", "--json", DATA / "rules3.txt", tmp_path / "x.cdb").stdout)
    assert (document["records"], document["octets"], document["ignored"]) == (20, len(REAL), [])


def test_compile_of_a_text_with_an_error_leaves_the_old_cdb(tmp_path: Path) -> None:
    """The old rules stay, and the message names the line."""
    (tmp_path / "tcp.smtp").write_text(":deny\nnonsense\n")
    (tmp_path / "tcp.smtp.cdb").write_bytes(REAL)
    result = run("compile", tmp_path / "tcp.smtp", tmp_path / "tcp.smtp.cdb")
    assert (result.exit_code, "line 2" in result.stderr) == (3, True)
    assert (tmp_path / "tcp.smtp.cdb").read_bytes() == REAL


def test_arguments_that_changed_places_cost_nothing(tmp_path: Path) -> None:
    """Neither cdb, text nor text, text writes anything."""
    (tmp_path / "tcp.smtp").write_bytes(TEXT)
    (tmp_path / "tcp.smtp.cdb").write_bytes(REAL)
    swapped = run("compile", tmp_path / "tcp.smtp.cdb", tmp_path / "tcp.smtp")
    twice = run("compile", tmp_path / "tcp.smtp", tmp_path / "tcp.smtp")
    assert (swapped.exit_code, twice.exit_code) == (2, 3)
    assert (tmp_path / "tcp.smtp").read_bytes() == TEXT


def test_show_and_compile_give_the_same_cdb(tmp_path: Path) -> None:
    """The text of a cdb compiles to that cdb."""
    (tmp_path / "text").write_bytes(run("show", DATA / "rules3.cdb").stdout_bytes)
    assert run("compile", tmp_path / "text", tmp_path / "again.cdb").exit_code == 0
    assert (tmp_path / "again.cdb").read_bytes() == REAL


def test_show_with_json_is_a_list_of_rules() -> None:
    """One object for each record, in the order of the cdb."""
    rows = json.loads(run("show", "--json", DATA / "rules3.cdb").stdout)
    assert len(rows) == 20
    assert rows[0] == {"rule": "127.0.0.1", "action": "allow", "environment": {"RELAYCLIENT": ""}, "unset": []}


def test_standard_input_is_read() -> None:
    """``-`` stands for standard input, for text and cdb."""
    outputs = [run("check", "-", "10.0.1.5", stdin=octets) for octets in (TEXT, REAL)]
    assert [one.exit_code for one in outputs] == [1, 1]
    assert [one.stdout.startswith("rule 10.0.1.5:\ndeny connection\n") for one in outputs] == [True, True]


def test_check_changes_nothing(tmp_path: Path) -> None:
    """An administrator's file is only read: content, mode and times stay, and nothing is made beside it."""
    path = tmp_path / "tcp.smtp"
    path.write_bytes(TEXT)
    path.chmod(0o440)
    before = path.stat()
    run("check", path, "10.0.1.5")
    after = path.stat()
    assert (before.st_mtime_ns, before.st_mode, before.st_ino) == (after.st_mtime_ns, after.st_mode, after.st_ino)
    assert [one.name for one in tmp_path.iterdir()] == ["tcp.smtp"]
