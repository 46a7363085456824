"""The environment of a client is put together as a real service does it, and every value knows who set it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.control.cdb import write_cdb
from indimail_kit.control.environment import Setting, combine, from_environ, what_applies
from indimail_kit.control.tcprules import parse_rules
from indimail_kit.errors import EnvdirError


@pytest.fixture
def variables(tmp_path: Path) -> Path:
    """Return a service's variables directory: one variable set, one unset."""
    directory = tmp_path / "variables"
    directory.mkdir()
    (directory / "QHPSI").write_text("/usr/bin/clamdscan %s --quiet\n")
    (directory / "SPAMFILTER").write_text("")
    return directory


@pytest.fixture
def control(tmp_path: Path) -> Path:
    """Return an empty control directory."""
    directory = tmp_path / "control"
    directory.mkdir()
    return directory


def test_every_source_is_named_and_the_later_one_wins(variables: Path) -> None:
    """Environment, variables/, tcpserver and the rule come in this order, and what was overridden is kept."""
    rules = parse_rules('# rules\n192.0.2.:allow,QHPSI="/bin/true %s",PROTO="X"\n', source="/etc/indimail/tcp.smtp")
    applied = what_applies(
        environ={"QHPSI": "/bin/false", "SPAMFILTER": "bogofilter", "PATH": "/bin"},
        variables=variables,
        rules=rules,
        ip="192.0.2.7",
    )
    assert applied.environment == {
        "PATH": "/bin",
        "TCPREMOTEIP": "192.0.2.7",
        "QHPSI": "/bin/true %s",
        "PROTO": "X",
    }
    assert applied.origins == {
        "PATH": "environment",
        "TCPREMOTEIP": "tcpserver",
        "QHPSI": "tcp.smtp rule 192.0.2. (line 2)",
        "PROTO": "tcp.smtp rule 192.0.2. (line 2)",
    }
    assert [(one.value, one.origin) for one in applied.overridden["QHPSI"]] == [
        ("/bin/false", "environment"),
        ("/usr/bin/clamdscan %s --quiet", "variables/QHPSI"),
    ]
    assert applied.unset["SPAMFILTER"] == "variables/SPAMFILTER"
    assert applied.match is not None
    assert applied.match.line_number == 2


def test_unset_by_a_rule_says_who_set_and_who_unset(variables: Path) -> None:
    """A variable that a rule takes away tells its whole story in one sentence."""
    applied = what_applies(variables=variables, rules=parse_rules(":allow,!QHPSI"), ip="192.0.2.1")
    assert "QHPSI" not in applied.environment
    assert applied.explain("QHPSI") == "set by variables/QHPSI, unset by tcp.smtp rule : (line 1)"


def test_variable_that_nobody_names_is_said_to_be_so(variables: Path) -> None:
    """A variable without a source has no history."""
    applied = what_applies(variables=variables)
    assert (applied.history("VIRUSFORWARD"), applied.explain("VIRUSFORWARD")) == ((), "not set by anybody")


def test_without_a_client_no_rule_is_looked_up() -> None:
    """Mail that is injected on the host has no TCPREMOTEIP and no rule."""
    applied = what_applies(environ={"A": "1"}, rules=parse_rules(':allow,B="2"'))
    assert (applied.environment, applied.match) == ({"A": "1"}, None)


def test_client_without_a_rule_has_the_default_match() -> None:
    """A client that no rule knows is admitted, with nothing but tcpserver's own variables."""
    applied = what_applies(rules=parse_rules('10.:allow,B="2"'), ip="192.0.2.1")
    assert applied.match is not None
    assert applied.match.is_default
    assert set(applied.environment) == {"PROTO", "TCPREMOTEIP"}


def test_tcpserver_takes_away_what_it_does_not_know() -> None:
    """A TCPREMOTEINFO of the environment does not survive a client without one; one that is known is set."""
    environ = {"TCPREMOTEINFO": "old", "TCPREMOTEHOST": "old.example"}
    applied = what_applies(environ=environ, ip="192.0.2.1", host="mail.example.com", local_host="mx1.example.com")
    assert applied.environment == {
        "PROTO": "TCP",
        "TCPLOCALHOST": "mx1.example.com",
        "TCPREMOTEIP": "192.0.2.1",
        "TCPREMOTEHOST": "mail.example.com",
    }
    assert applied.explain("TCPREMOTEINFO") == "set by environment, unset by tcpserver"


def test_rule_is_looked_up_by_info_and_host() -> None:
    """Info and host decide about the rule as in tcpserver."""
    rules = parse_rules('joe@192.0.2.1:allow,A="joe"\n=.example.com:allow,A="host"\n:deny')
    by_info = what_applies(rules=rules, ip="192.0.2.1", info="joe")
    by_host = what_applies(rules=rules, ip="192.0.2.1", host="mail.example.com")
    assert (by_info.environment["A"], by_host.environment["A"]) == ("joe", "host")


def test_control_files_stand_in_for_variables_that_are_not_set(control: Path) -> None:
    """control/quarantine and its like count where the variable is not set, with the file as origin."""
    (control / "quarantine").write_text("# who looks at it\n\nadmin@example.com  \n")
    (control / "queue_base").write_text("/srv/queue\n")
    (control / "envheaders").write_text("X-Test\n")
    applied = what_applies(environ={"QUEUE_BASE": "/var/indimail/queue"}, control=control)
    assert applied.environment == {
        "QUEUE_BASE": "/var/indimail/queue",
        "QUARANTINE": "admin@example.com",
        "ENVHEADERS": "envheaders",
    }
    assert (applied.origins["QUARANTINE"], applied.origins["QUEUE_BASE"]) == ("control/quarantine", "environment")


def test_unsetting_a_variable_lets_the_control_file_in(control: Path) -> None:
    """A rule with !QUARANTINE does not end the quarantine: qmail-queue then reads control/quarantine."""
    (control / "quarantine").write_text("admin@example.com\n")
    applied = what_applies(
        environ={"QUARANTINE": "eve@example.com"},
        rules=parse_rules(":allow,!QUARANTINE"),
        control=control,
        ip="192.0.2.1",
    )
    assert applied.environment["QUARANTINE"] == "admin@example.com"
    assert applied.explain("QUARANTINE") == (
        "set by environment, unset by tcp.smtp rule : (line 1), set by control/quarantine"
    )


def test_variable_set_to_nothing_switches_the_control_file_off(control: Path) -> None:
    """QUARANTINE="" is set, so the file is not read."""
    (control / "quarantine").write_text("admin@example.com\n")
    assert what_applies(environ={"QUARANTINE": ""}, control=control).environment == {"QUARANTINE": ""}


@pytest.mark.parametrize("text", ["", "\n", "# nobody\n", "  \n"], ids=["empty", "line end", "comment", "blanks"])
def test_control_file_that_says_nothing_sets_nothing(control: Path, text: str) -> None:
    """A file without a line that says something stands in for nothing."""
    (control / "quarantine").write_text(text)
    assert what_applies(control=control).environment == {}


def test_several_lines_are_said_to_be_several(control: Path) -> None:
    """A variable holds one line; that there were more is in the origin."""
    (control / "extraqueue").write_text("ann@example.com\nbob@example.com\n")
    applied = what_applies(control=control)
    assert applied.environment == {"EXTRAQUEUE": "ann@example.com"}
    assert applied.origins == {"EXTRAQUEUE": "control/extraqueue (first of 2 lines)"}


def test_default_queue_is_for_injected_mail_only(control: Path) -> None:
    """control/defaultqueue is read as an envdir by the programs that inject mail, not for SMTP."""
    (control / "defaultqueue").mkdir()
    (control / "defaultqueue" / "QUEUE_COUNT").write_text("3\n")
    assert what_applies(control=control).environment == {}
    applied = what_applies(control=control, is_injected=True)
    assert applied.origins == {"QUEUE_COUNT": "control/defaultqueue/QUEUE_COUNT"}


def test_default_queue_is_left_out_when_queue_base_is_set(control: Path) -> None:
    """QUEUE_BASE switches control/defaultqueue off."""
    (control / "defaultqueue").mkdir()
    (control / "defaultqueue" / "QUEUE_COUNT").write_text("3\n")
    applied = what_applies(environ={"QUEUE_BASE": "/srv/queue"}, control=control, is_injected=True)
    assert applied.environment == {"QUEUE_BASE": "/srv/queue"}


def test_envfile_and_envdir_are_named_as_origin(variables: Path, tmp_path: Path) -> None:
    """A value from .envfile or from another directory names that file, not one that does not exist."""
    other = tmp_path / "common"
    other.mkdir()
    (other / "REJECTVIRUS").write_text("1\n")
    (variables / ".envfile").write_text("QHPSIRC=3\n")
    (variables / ".envdir").write_text(f"{other}\n")
    applied = what_applies(variables=variables)
    assert (applied.origins["QHPSIRC"], applied.origins["REJECTVIRUS"]) == (
        "variables/.envfile",
        f"{other}/REJECTVIRUS",
    )


def test_link_to_a_directory_is_called_by_its_own_name(variables: Path, tmp_path: Path) -> None:
    """A variables directory that is a link is named as the administrator named it."""
    link = tmp_path / "env"
    link.symlink_to(variables)
    assert what_applies(variables=f"{link}/").origins["QHPSI"] == "env/QHPSI"


def test_control_file_that_cannot_be_read_is_an_error(control: Path) -> None:
    """A directory in place of a control file is an EnvdirError that names it; qmail-queue would answer 55."""
    (control / "quarantine").mkdir()
    with pytest.raises(EnvdirError, match="quarantine: expected a control file that can be read"):
        what_applies(control=control)


def test_control_file_without_an_end_is_refused(control: Path) -> None:
    """An endless file is refused after its first octets."""
    (control / "quarantine").symlink_to("/dev/zero")
    with pytest.raises(EnvdirError, match="at most"):
        what_applies(control=control)


def test_control_file_that_is_a_fifo_does_not_wait(control: Path) -> None:
    """Reading a FIFO nobody writes to gives nothing and does not wait."""
    os.mkfifo(control / "quarantine")
    assert what_applies(control=control).environment == {}


def test_repr_shows_no_value(variables: Path) -> None:
    """A password in the environment is in no repr."""
    applied = what_applies(
        environ={"DB_PASS": "tanstaaftanstaaf"},
        variables=variables,
        rules=parse_rules(':allow,DB_PASS="pencil"'),
        ip="192.0.2.1",
    )
    shown = repr(applied) + repr(applied.history("DB_PASS")) + applied.explain("DB_PASS")
    assert "DB_PASS" in shown
    assert [secret for secret in ("tanstaaf", "pencil", "clamdscan") if secret in shown] == []


def test_result_cannot_be_changed(variables: Path) -> None:
    """The mappings of the result are read-only."""
    applied = what_applies(variables=variables)
    with pytest.raises(TypeError):
        applied.environment["QHPSI"] = ""  # type: ignore[index]  # what the test is about


def test_rules_may_be_the_path_of_a_text_or_a_cdb(tmp_path: Path) -> None:
    """The origin names the file; a cdb knows no lines."""
    text = tmp_path / "tcp.smtp"
    text.write_text('10.:allow,A="1"\n')
    write_cdb(parse_rules(text.read_bytes()), tmp_path / "tcp.smtp.cdb")
    origins = [what_applies(rules=path, ip="10.0.0.1").origins["A"] for path in (text, f"{text}.cdb")]
    assert origins == ["tcp.smtp rule 10. (line 1)", "tcp.smtp.cdb rule 10."]


names = st.sampled_from(["A", "B", "C"])
settings = st.builds(Setting, names, st.none() | st.text(max_size=3), st.sampled_from(["x", "y", "z"]))


@given(st.lists(st.lists(settings, max_size=5), max_size=5))
def test_environment_is_what_applying_one_by_one_gives(layers: list[list[Setting]]) -> None:
    """However settings come: the last one counts, none is lost, and a name is set or unset, never both."""
    applied = combine(*layers)
    plain: dict[str, str | None] = {}
    for setting in (one for layer in layers for one in layer):
        plain[setting.name] = setting.value
    assert applied.environment == {name: value for name, value in plain.items() if value is not None}
    assert set(applied.unset) == {name for name, value in plain.items() if value is None}
    assert set(applied.origins) == set(applied.environment)
    histories = {name: list(applied.history(name)) for name in plain}
    assert histories == {name: [one for layer in layers for one in layer if one.name == name] for name in plain}


def test_environ_is_one_layer() -> None:
    """Each variable of an environment is a setting of that origin."""
    assert from_environ({"A": "1"}, origin="recorded") == (Setting("A", "1", "recorded"),)
