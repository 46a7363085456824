"""``qhpsi explain``: one JSON document or a page for an administrator, from every source of variables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indimail_kit.cli import main
from indimail_kit.control import open_rules, write_cdb

SEED = "/usr/bin/clamdscan %s --quiet --no-summary"


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """A service with variables/, tcp.smtp and control/."""
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "QHPSI").write_text(f"{SEED}\n", encoding="ascii")
    (tmp_path / "variables" / "REJECTVIRUS").write_text("yes\n", encoding="ascii")
    (tmp_path / "control").mkdir()
    (tmp_path / "control" / "quarantine").write_text("q@example.com\n", encoding="ascii")
    (tmp_path / "tcp.smtp").write_text(
        '192.0.2.:allow,REJECTVIRUS="1",!QHPSIMAXSIZE\n198.51.100.:deny\n:allow\n', encoding="ascii"
    )
    return tmp_path


def explain(*words: str | Path, environ: dict[str, str] | None = None) -> Result:
    """Run the verb with nothing in the environment but what is given."""
    runner = CliRunner(env=dict.fromkeys(["QHPSI", "QHPSIRC", "REJECTVIRUS", "FASTQUEUE"]))
    return runner.invoke(main, ["qhpsi", "explain", *map(str, words)], env=environ or {})


def test_json_has_the_contract_s_keys() -> None:
    """INTERFACE.md: argv, action, header, exit_code, smtp_reply, steps; the default environment is the process's."""
    result = explain("--json", "--scanner-exit", "1", environ={"QHPSI": SEED, "REJECTVIRUS": "1"})

    document = json.loads(result.stdout)
    assert {"argv", "action", "header", "exit_code", "smtp_reply", "steps", "warnings"} <= set(document)
    assert (document["action"], document["exit_code"]) == ("BOUNCE", 33)
    assert (document["smtp_reply"], result.exit_code) == ("554 qq message contains virus (#5.7.1)", 0)


def test_every_source_is_put_together_and_named(service: Path) -> None:
    """Environment, variables directory, the client's rule, control files: the later one wins, and each is named."""
    result = explain(
        "--json", "--scanner-exit", "1", "--envdir", service / "variables", "--rules", service / "tcp.smtp",
        "--ip", "192.0.2.5", "--control", service / "control", environ={"QHPSIMAXSIZE": "10", "QHPSIRC": "1"},
    )  # fmt: skip

    document = json.loads(result.stdout)
    origins = {one["name"]: one["origin"] for one in document["variables"]}
    assert document["client"] == "192.0.2.5: rule 192.0.2. (line 1), let in"
    assert document["exit_code"] == 33
    assert (origins["QHPSI"], origins["REJECTVIRUS"]) == ("variables/QHPSI", "tcp.smtp rule 192.0.2. (line 1)")
    assert origins["QHPSIMAXSIZE"] == "unset by tcp.smtp rule 192.0.2. (line 1)"
    assert (origins["QUARANTINE"], origins["QHPSIRC"]) == ("control/quarantine", "environment")


def test_rules_may_be_a_cdb(service: Path) -> None:
    """What tcpserver reads is read too; a cdb has no line numbers."""
    write_cdb(open_rules(service / "tcp.smtp"), service / "tcp.smtp.cdb")

    result = explain("--json", "--rules", service / "tcp.smtp.cdb", "--ip", "192.0.2.5")

    assert json.loads(result.stdout)["client"] == "192.0.2.5: rule 192.0.2., let in"


def test_page_ends_with_the_warnings(service: Path) -> None:
    """A tired administrator reads the last lines: there is what is wrong, worst first."""
    result = explain("--envdir", service / "variables", "--scanner-exit", "1")

    before, warning, after = result.stdout.partition("! Warning: mail passes unscanned, or with its virus\n")
    assert "9. The message is queued with the header 'X-QHPSI: Virus found'" in before
    assert warning
    assert after.startswith("  - REJECTVIRUS='yes' is no number and read as 0: queue, marked infected.")


def test_without_an_exit_code_all_ends_are_shown() -> None:
    """What clean, infected, failed and crashed lead to is one table."""
    result = explain(environ={"QHPSI": SEED, "QHPSIRN": "2"})

    assert "exit code 2 (QHPSIRN)" in result.stdout
    assert "451 qq crashed (#4.3.0)" in result.stdout
    assert "QHPSIRN=2 (environment): exit code 2 means clean: the mail is clean." in result.stdout


def test_signal_can_be_asked_for() -> None:
    """--scanner-exit signal is the crashed scanner."""
    result = explain("--json", "--scanner-exit", "signal", environ={"QHPSI": SEED})

    assert json.loads(result.stdout)["exit_code"] == 123


def test_size_decides() -> None:
    """A message above QHPSIMAXSIZE is not scanned."""
    environ = {"QHPSI": SEED, "QHPSIMAXSIZE": "100"}

    actions = [
        json.loads(explain("--json", "--size", size, environ=environ).stdout)["action"] for size in ("100", "101")
    ]

    assert actions == ["ACCEPT_CLEAN", "SKIP"]


def test_client_that_is_turned_away_is_told(service: Path) -> None:
    """The page says first that no mail comes from this client at all."""
    result = explain("--rules", service / "tcp.smtp", "--ip", "198.51.100.7")

    assert result.stdout.startswith("Client 198.51.100.7: rule 198.51.100. (line 2), turned away")


def test_client_without_a_rule_is_told(tmp_path: Path) -> None:
    """No rule at all lets the client in."""
    (tmp_path / "rules").write_text("192.0.2.:deny\n", encoding="ascii")

    result = explain("--json", "--rules", tmp_path / "rules", "--ip", "198.51.100.7")

    assert json.loads(result.stdout)["client"] == "198.51.100.7: no rule, let in"


def test_process_environment_can_be_left_out() -> None:
    """--clear: only what the options name counts."""
    assert json.loads(explain("--json", "--clear", environ={"QHPSI": SEED}).stdout)["argv"] == []


def test_files_are_looked_at_when_asked() -> None:
    """--look finds that the program is not here."""
    result = explain("--look", environ={"QHPSI": "/no/such/scanner"})

    assert "/no/such/scanner: No such file or directory: every mail gets 451." in result.stdout


def test_hostile_variable_does_not_steer_the_terminal() -> None:
    """Escape sequences in a value are written out."""
    result = explain(environ={"QHPSI": "\x1b[2Jscan %s"})

    assert "\x1b" not in result.stdout
    assert "\\x1b[2Jscan" in result.stdout


@pytest.mark.parametrize(
    ("words", "exit_code", "text"),
    [
        (["--scanner-exit", "256"], 2, "a number from 0 to 255 or the word signal is wanted, not '256'"),
        (["--scanner-exit", "x"], 2, "a number from 0 to 255"),
        (["--size", "-1"], 2, "-1 is not in the range"),
        (["--ip", "192.0.2.1"], 2, "--rules and --ip go together"),
        (["--rules", "x"], 2, "--rules and --ip go together"),
        (["--info", "joe"], 2, "--info and --host belong to --rules"),
        (["--rules", "/nonexistent", "--ip", "192.0.2.1"], 3, "/nonexistent: "),
        (["--envdir", "/nonexistent"], 3, "/nonexistent: "),
    ],
)
def test_wrong_use_is_told(words: list[str], exit_code: int, text: str) -> None:
    """2 for wrong usage, 3 for what cannot be read; one sentence, no traceback."""
    result = explain(*words)

    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert text in result.stderr
    assert "Traceback" not in result.stderr
