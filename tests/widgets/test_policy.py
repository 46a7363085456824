"""The decision table as values, as HTML, as a DataFrame and as a widget."""

from __future__ import annotations

import itertools
import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import traitlets as t
from click.testing import CliRunner

from indimail_kit.cli import main
from indimail_kit.qhpsi import QhpsiConfig, ScanAction, decide
from indimail_kit.widgets.policy import (
    COLUMNS,
    EXAMPLE_BYTES,
    FORWARD_TO,
    KEEP_FOR,
    ROW_KEYS,
    Policy,
    can_stand_in_environment,
    cells,
    policy_cell,
    policy_table,
)
from indimail_kit.widgets.policy_explorer import CELL_KEYS, PolicyExplorer
from indimail_kit.widgets.policy_frame import POLICIES, policies_frame
from indimail_kit.widgets.policy_markup import cell_html, explain_command
from indimail_kit.widgets.signs import ENDINGS

RECORDED = Path(__file__).parent.parent / "data" / "indimail" / "qhpsi" / "qhpsi-cases.json"
VIRUS_REPLY = "554 qq message contains virus (#5.7.1)"
SCANNED = ("infected", "clean", "other", "signal")


@pytest.mark.parametrize(
    ("policy", "row", "ending", "reply", "header", "recipients"),
    [
        pytest.param(
            Policy(), "infected", "marked", "250 ok", "X-QHPSI: Virus found", ("bob@example.com",), id="marked"
        ),
        pytest.param(
            Policy(reject_virus=1), "infected", "refused", VIRUS_REPLY, "", (), id="refused"
        ),
        pytest.param(
            Policy(reject_virus=3), "infected", "refused", VIRUS_REPLY, "", (), id="other"
        ),
        pytest.param(Policy(reject_virus=2), "infected", "swallowed", "250 ok", "", (), id="swallowed"),
        pytest.param(
            Policy(reject_virus=1), "clean", "clean", "250 ok", "X-QHPSI: clean", ("bob@example.com",), id="clean"
        ),
        pytest.param(
            Policy(), "other", "later", "451 qq unable to run QHPSI scanner (#4.3.0)", "", (), id="scanner's error"
        ),
        pytest.param(Policy(), "signal", "crashed", "451 qq crashed (#4.3.0)", "", (), id="signal"),
        pytest.param(
            Policy(), "failed", "later", "451 qq unable to run QHPSI scanner (#4.3.0)", "", (), id="no verdict"
        ),
        pytest.param(Policy(), "small", "unscanned", "250 ok", "", ("bob@example.com",), id="too small"),
        pytest.param(
            Policy(reject_virus=2, virus_forward="v@example.com"), "infected", "forwarded", "250 ok",
            "X-QHPSI: Virus found\nX-Quarantine-ID: v@example.com,bob@example.com", ("v@example.com",),
            id="saved from the black hole",
        ),
        pytest.param(
            Policy(reject_virus=1, virus_forward="v@example.com"), "infected", "refused",
            VIRUS_REPLY, "", (), id="not saved from refusal",
        ),
        pytest.param(
            Policy(reject_virus=2, quarantine="q@example.com"), "infected", "quarantined", "250 ok",
            "X-QHPSI: Virus found\nX-Quarantine-ID: q@example.com,bob@example.com", ("q@example.com",),
            id="kept from the black hole",
        ),
        pytest.param(
            Policy(quarantine="q@example.com"), "fast", "unscanned", "250 ok", "", ("bob@example.com",),
            id="FASTQUEUE knows no quarantine",
        ),
        pytest.param(
            Policy(quarantine="q@example.com"), "unset", "quarantined", "250 ok",
            "X-Quarantine-ID: q@example.com,bob@example.com", ("q@example.com",), id="quarantine needs no scan",
        ),
        pytest.param(
            Policy(infected_rc=0, reject_virus=1), "clean", "refused", VIRUS_REPLY, "", (),
            id="QHPSIRC=0 makes a virus of every clean mail",
        ),
    ],
)  # fmt: skip
def test_a_cell_is_what_the_program_does(policy, row, ending, reply, header, recipients):
    """The facts of qmail-queue, one by one."""
    cell = policy_cell(policy, row)

    assert (cell.ending, cell.reply, cell.header, cell.recipients) == (ending, reply, header, recipients)


@pytest.mark.parametrize("reject_virus", COLUMNS)
@pytest.mark.parametrize("row", SCANNED)
@pytest.mark.parametrize("forward", ["", FORWARD_TO], ids=["", "VIRUSFORWARD"])
def test_every_cell_is_decides_answer(row, reject_virus, forward):
    """The table says the same as the decision that the recorded calls prove."""
    cell = policy_cell(Policy(reject_virus=reject_virus, virus_forward=forward), row)
    config = QhpsiConfig.from_environ(cell.environ)

    assert cell.action is decide(config, message_bytes=EXAMPLE_BYTES, scanner_rc=cell.scanner_rc)


def test_no_recorded_exit_code_is_missing():
    """Each of qmail-queue's recorded ways to end a scan is in the table."""
    recorded = {case["rc"] for case in json.loads(RECORDED.read_text(encoding="utf-8"))}
    shown = {cell.exit_code for cell in cells(policy_table())}

    assert recorded & {0, 33, 77, 123} <= shown


def test_nothing_but_an_exact_answer_is_clean():
    """Under every combination of switches only one row can be "clean"."""
    policies = [
        Policy(virus_forward=forward, quarantine=keep, infected_rc=infected, clean_rc=clean)
        for forward, keep, infected, clean in itertools.product(("", FORWARD_TO), ("", KEEP_FOR), (0, 1, 2), (0, 1, 2))
    ]
    rows = {cell.row for policy in policies for cell in cells(policy_table(policy)) if cell.ending == "clean"}

    assert rows == {"clean"}


def test_a_row_that_does_not_exist_is_refused():
    """A misspelt row says which there are."""
    with pytest.raises(ValueError, match="infected, clean, other"):
        policy_cell(Policy(), "infectd")


def test_the_frame_has_every_combination():
    """36 cells, with and without VIRUSFORWARD and QUARANTINE; refused wherever REJECTVIRUS says so."""
    frame = policies_frame()
    refused = frame[(frame.row == "infected") & frame.reject_virus.isin([1, 3])]

    assert (frame.shape, dict(frame.dtypes.astype(str)), set(refused.smtp_reply)) == (
        (len(CELL_KEYS) * 4, len(POLICIES)),
        POLICIES,
        {VIRUS_REPLY},
    )


def test_every_ending_has_its_own_sign():
    """Word and class may be shared, the mark never: colour is not the only difference."""
    marks = [sign.mark for sign in ENDINGS.values()]

    assert (len(set(marks)), {cell.ending for one in (Policy(), Policy(virus_forward="v"), Policy(quarantine="q"))
                              for cell in cells(policy_table(one))}) == (len(marks), set(ENDINGS))  # fmt: skip


def test_the_command_is_what_the_cell_says():
    """The variables before the verb are the cell's, quoted for a shell."""
    cell = policy_cell(Policy(reject_virus=1, quarantine="a b@example.com"), "infected")
    words = shlex.split(explain_command(cell))

    assert words == [
        "QHPSI=/usr/bin/clamdscan %s --quiet --no-summary", "REJECTVIRUS=1", "QUARANTINE=a b@example.com",
        "indimail-kit", "qhpsi", "explain", "--size", "2794", "--scanner-exit", "1",
    ]  # fmt: skip


@pytest.mark.parametrize("reject_virus", COLUMNS)
@pytest.mark.parametrize("row", ROW_KEYS)
def test_the_command_tells_the_same(row, reject_virus):
    """What a person copies from a cell and runs in a terminal ends with the cell's reply."""
    cell = policy_cell(Policy(reject_virus=reject_virus), row)
    words = shlex.split(explain_command(cell))
    at = words.index("indimail-kit")
    environ = dict(word.split("=", 1) for word in words[:at])
    done = CliRunner().invoke(main, [*words[at + 1 :], "--json"], env=environ)

    told = json.loads(done.stdout)
    assert (told["smtp_reply"], told["exit_code"]) == (cell.reply, cell.exit_code)


@pytest.fixture
def explorer() -> PolicyExplorer:
    """An explorer."""
    return PolicyExplorer()


def words_of(explorer: PolicyExplorer) -> list[list[str]]:
    """Return the words in the grid."""
    return [[cell["word"] for cell in row["cells"]] for row in explorer.grid.rows]


def test_the_grid_is_the_table(explorer):
    """Nine rows of four cells, each with mark, word, class and a label for a screen reader."""
    assert words_of(explorer) == [[cell.sign.word for cell in row] for row in policy_table()]
    assert {len(row["cells"]) for row in explorer.grid.rows} == {len(COLUMNS)}
    assert explorer.grid.rows[0]["cells"][0]["label"] == ("exit code = QHPSIRC, REJECTVIRUS=0: marked, 250 ok")


def test_a_switch_changes_the_table_and_says_what(explorer):
    """VIRUSFORWARD: two cells, and the live region names them."""
    explorer.virus_forward = FORWARD_TO

    changed = [cell["key"] for row in explorer.grid.rows for cell in row["cells"] if cell["changed"]]
    assert (changed, explorer.grid.sentence) == (
        ["infected/0", "infected/2"],
        "2 cells of 36 changed: exit code = QHPSIRC → forwarded ➜.",
    )


def test_a_switch_shows_the_variable_it_sets(explorer):
    """Beside each switch stands the variable, or that it is not set and what counts then."""
    before = [field["shows"] for field in explorer.grid.fields]
    explorer.virus_forward, explorer.infected_rc = FORWARD_TO, 0

    assert (before, [field["shows"] for field in explorer.grid.fields]) == (
        ["VIRUSFORWARD not set", "QUARANTINE not set", "QHPSIRC not set: 1", "QHPSIRN not set: 0"],
        ["VIRUSFORWARD=postmaster@example.com", "QUARANTINE not set", "QHPSIRC=0", "QHPSIRN not set: 0"],
    )


def test_the_browsers_switch_is_the_same(explorer):
    """What is clicked and what is set from Python are one trait."""
    explorer.grid.quarantine = KEEP_FOR

    assert (explorer.quarantine, explorer.policy.environ()["QUARANTINE"]) == (KEEP_FOR, KEEP_FOR)


def test_an_opened_cell_explains_itself(explorer):
    """Reply, exit code, header, who gets it, the way through the questions, the variables."""
    explorer.opened = "infected/1"

    assert (explorer.cell.action, explorer.grid.opened) == (ScanAction.BOUNCE, "infected/1")
    said = explorer.panel.value
    expected = (
        "554 qq message contains virus", "33 of qmail-queue", "none added", "nobody", "What is REJECTVIRUS?",
        "qmail-queue.c", "REJECTVIRUS=1",
    )  # fmt: skip
    assert [text for text in expected if text not in said] == []


def test_an_opened_cell_follows_the_switches(explorer):
    """The explanation is the new table's."""
    explorer.opened = "infected/2"
    explorer.virus_forward = FORWARD_TO

    assert "X-Quarantine-ID: postmaster@example.com,bob@example.com" in explorer.panel.value


@pytest.mark.parametrize("key", ["moon", "infected/7", "infected"])
def test_a_cell_that_does_not_exist_cannot_be_opened(key, explorer):
    """36 names and "" for none."""
    with pytest.raises(t.TraitError):
        explorer.opened = key


@pytest.mark.parametrize("code", [-1, 256])
def test_an_exit_code_has_one_octet(code, explorer):
    """0 to 255."""
    with pytest.raises(t.TraitError):
        explorer.infected_rc = code


def test_an_explorer_without_a_kernel_is_html(explorer, strangers):
    """The table, the opened cell and the legend; and a sentence."""
    explorer.opened = "clean/0"
    bundle = explorer._repr_mimebundle_()

    assert (strangers(bundle["text/html"]), "X-QHPSI: clean" in bundle["text/html"]) == ([], True)
    assert bundle["text/plain"].startswith("PolicyExplorer: QHPSI=")


def test_hostile_addresses_stay_text(payloads, strangers):
    """An address may be anything a person sets from Python."""
    outputs = []
    for value in filter(can_stand_in_environment, payloads):
        policy = Policy(virus_forward=value, quarantine=value)
        outputs += [str(cell_html(cell)) for cell in (policy_cell(policy, "infected"), policy_cell(policy, "clean"))]

    assert strangers("".join(outputs)) == []


@pytest.mark.parametrize("value", ["a\0b", "\ud800"], ids=["NUL", "no octets"])
def test_what_no_variable_can_hold_is_refused(value, explorer):
    """An environment has no NUL, and every character of it stands for octets."""
    with pytest.raises(t.TraitError, match="environment"):
        explorer.quarantine = value


def test_rows_do_not_hide_each_other():
    """A policy with sizes and FASTQUEUE of its own still shows every row."""
    odd = Policy(min_bytes=10**6, max_bytes=1, is_fast_queue=True, qhpsi=None)

    assert policy_table(odd) == policy_table(replace(odd, min_bytes=0, max_bytes=0, is_fast_queue=False, qhpsi=None))
    assert [row[0].row for row in policy_table(odd)] == list(ROW_KEYS)
