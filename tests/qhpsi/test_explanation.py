"""Tests of explanation.py and explanation_steps.py; recorded calls: tests/conformance/test_qhpsi_explain.py."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit import qhpsi
from indimail_kit.qhpsi.decision_tree import ScanAction
from indimail_kit.qhpsi.explanation import DEFAULTS, explain

SEED = "/usr/bin/clamdscan %s --quiet --no-summary"
ENDS = "qmail-queue ends with exit code"
OK = f"{ENDS} 0; the client reads: 250 ok"
SIZE = "the message (4096 octets with its Received line)"
BECOMES = "qhpsi becomes the user qscand and"
CALLS = "calls virusscan('mess/16/660188')"
FAILS = "It fails before any scan, because"


def test_every_step_names_variable_value_and_origin() -> None:
    """The administrator reads who said what, in the order in which qmail-queue asks."""
    told = explain(
        {"QHPSI": SEED, "REJECTVIRUS": "1", "QHPSIMAXSIZE": "100000"},
        message_bytes=500,
        scanner_rc=1,
        origins={"QHPSI": "tcp.smtp rule 192.0.2. (line 3)", "QHPSIMINSIZE": "unset by variables/QHPSIMINSIZE"},
    )

    assert told.steps == (
        "FASTQUEUE is not set: scanning is not switched off.",
        f"QHPSI={SEED} (tcp.smtp rule 192.0.2. (line 3)): the message is to be scanned.",
        "QHPSIMINSIZE is not set (unset by variables/QHPSIMINSIZE): no message is too small.",
        "QHPSIMAXSIZE=100000 (environment): the message (500 octets with its Received line) is not larger.",
        f"{BECOMES} runs /usr/bin/clamdscan mess/16/660188 --quiet --no-summary. Suppose it ends with exit code 1.",
        "QHPSIRC is not set: exit code 1 means virus: a virus was found.",
        "REJECTVIRUS=1 (environment): infected mail is refused.",
        f"The message is removed. {ENDS} 33; the client reads: 554 qq message contains virus (#5.7.1)",
    )
    assert (told.action, told.exit_code, told.header) == (ScanAction.BOUNCE, 33, "")
    assert told.argv == ("/usr/bin/clamdscan", "mess/16/660188", "--quiet", "--no-summary")


@pytest.mark.parametrize(
    ("environ", "options", "last"),
    [
        ({}, {}, f"The message is queued without a header X-QHPSI. {OK}"),
        ({"QHPSI": SEED}, {}, f"The message is queued with the header 'X-QHPSI: clean'. {OK}"),
        (
            {"QHPSI": SEED, "REJECTVIRUS": "2"},
            {"scanner_rc": 1},
            f"The message is removed although the client is told that it was taken. {OK}",
        ),
        (
            {"QHPSI": SEED},
            {"scanner_rc": 2},
            f"The message is removed. {ENDS} 77; the client reads: 451 qq unable to run QHPSI scanner (#4.3.0)",
        ),
        (
            {"QHPSI": SEED},
            {"scanner_rc": None},
            f"The message is removed. {ENDS} 123; the client reads: 451 qq crashed (#4.3.0)",
        ),
        (
            {"QHPSI": SEED, "REJECTVIRUS": "2", "QUARANTINE": "q@example.com"},
            {"scanner_rc": 1},
            (
                "QUARANTINE=q@example.com (environment): like every mail it goes there and not to its recipients, "
                "whom the header X-Quarantine-ID names."
            ),
        ),
        (
            {"QUARANTINE": "q@example.com", "FASTQUEUE": "1"},
            {},
            f"The message is queued without a header X-QHPSI. {OK}",
        ),
        (
            {"QHPSI": SEED, "VIRUSFORWARD": "v@example.com", "QUARANTINE": "q@example.com"},
            {"scanner_rc": 1},
            f"The message is queued with the header 'X-QHPSI: Virus found'. {OK}",
        ),
    ],
)
def test_last_sentence_says_what_becomes_of_the_message(
    environ: dict[str, str], options: dict[str, int | None], last: str
) -> None:
    """Queued, removed, swallowed or quarantined: in one sentence with exit code and reply."""
    assert explain(environ, **options).steps[-1] == last  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"QHPSI": SEED, "FASTQUEUE": "1005"}, "FASTQUEUE=1005 (environment): nothing is scanned."),
        (
            {"QHPSI": SEED, "QHPSIMINSIZE": "5000"},
            f"QHPSIMINSIZE=5000 (environment): {SIZE} is smaller, so it is not scanned.",
        ),
        (
            {"QHPSI": SEED, "QHPSIMAXSIZE": "100"},
            f"QHPSIMAXSIZE=100 (environment): {SIZE} is larger, so it is not scanned.",
        ),
        ({"QHPSI": SEED, "QHPSIMINSIZE": "0"}, "QHPSIMINSIZE=0 (environment): no message is too small."),
        ({"QHPSI": SEED, "QHPSIMAXSIZE": "all"}, "QHPSIMAXSIZE=all (environment): no message is too large."),
        ({"QHPSI": "a\tb"}, "QHPSI='a\\tb' (environment): the message is to be scanned."),
        ({"QHPSI": ""}, f"{BECOMES} runs nothing. {FAILS} QHPSI names no program: exit code 75."),
        (
            {"QHPSI": "plugin:"},
            f"{BECOMES} loads nothing and {CALLS}. {FAILS} there is no plugin in the list: exit code 255.",
        ),
        (
            {"QHPSI": "plugin: a.so", "PLUGINDIR": "/p"},
            f"{BECOMES} loads /var/indimail//p/a.so and {CALLS}. {FAILS} PLUGINDIR holds a /: exit code 87.",
        ),
        (
            {"QHPSI": "plugin: ./a.so"},
            (
                f"{BECOMES} loads /var/indimail/plugins/./a.so and {CALLS}. {FAILS} "
                "the plugin's name ./a.so holds a /: exit code 87."
            ),
        ),
        (
            {"QHPSI": "plugin: a.so b.so", "QUEUE_PLUGIN_SYMB": "look"},
            (
                f"{BECOMES} loads /var/indimail/plugins/a.so, then /var/indimail/plugins/b.so and "
                "calls look('mess/16/660188') in each until one gives another number than 0. "
                "Suppose it ends with exit code 0."
            ),
        ),
    ],
)
def test_each_question_has_its_sentence(environ: dict[str, str], sentence: str) -> None:
    """What was asked, and what was answered, in words."""
    assert sentence in explain(environ).steps


def test_what_can_happen_is_listed_for_every_end_of_the_scanner() -> None:
    """One look tells what clean, infected, failed and crashed lead to."""
    endings = explain({"QHPSI": SEED, "REJECTVIRUS": "1", "QHPSIRC": "2"}).endings

    assert [(one.scanner, one.exit_code, one.smtp_reply) for one in endings] == [
        ("exit code 0 (QHPSIRN)", 0, "250 ok"),
        ("exit code 2 (QHPSIRC)", 33, "554 qq message contains virus (#5.7.1)"),
        ("any other exit code", 77, "451 qq unable to run QHPSI scanner (#4.3.0)"),
        ("a signal", 123, "451 qq crashed (#4.3.0)"),
    ]


@pytest.mark.parametrize(
    "environ", [{}, {"QHPSI": SEED, "FASTQUEUE": "1"}, {"QHPSI": ""}, {"QHPSI": SEED, "QHPSIMAXSIZE": "1"}]
)
def test_no_scan_has_no_endings(environ: dict[str, str]) -> None:
    """Where no scanner comes to run there is nothing to list."""
    assert explain(environ).endings == ()


def test_equal_codes_are_one_end() -> None:
    """QHPSIRC = QHPSIRN: the list says what the program does, virus."""
    endings = explain({"QHPSI": SEED, "QHPSIRC": "0"}).endings

    assert (endings[0].scanner, endings[0].action) == ("exit code 0 (QHPSIRC)", ScanAction.ACCEPT_INFECTED)
    assert len(endings) == 3


def test_variables_of_plugins_are_shown_where_they_count() -> None:
    """PLUGINDIR is not in the way of those who run clamdscan."""
    assert [one.name for one in explain({"QHPSI": "plugin: a.so"}).variables] == list(DEFAULTS)
    assert "PLUGINDIR" not in [one.name for one in explain({"QHPSI": SEED}).variables]
    assert "QUEUE_PLUGIN" in [one.name for one in explain({"QUEUE_PLUGIN": "x"}).variables]


def test_document_is_the_interface() -> None:
    """The JSON of INTERFACE.md has its six keys, and ours besides."""
    document = json.loads(json.dumps(explain({"QHPSI": SEED}, scanner_rc=1).as_document()))

    assert {"argv", "action", "header", "exit_code", "smtp_reply", "steps"} <= set(document)
    assert (document["action"], document["header"]) == ("ACCEPT_INFECTED", "X-QHPSI: Virus found\n")
    assert document["warnings"][0].keys() == {"key", "danger", "variables", "text"}
    assert document["variables"][1] == {"name": "QHPSI", "value": SEED, "is_set": True, "origin": "environment"}


def test_repr_is_one_line_and_html_is_escaped() -> None:
    """A notebook shows the end; hostile text stays text."""
    told = explain({"QHPSI": "<script>alert(1)</script> %s"})

    assert repr(told) == (
        "<Explanation: queue, marked clean; exit code 0, '250 ok', 'X-QHPSI: clean', 8 steps, 1 warnings>"
    )
    assert "<Explanation" not in told._repr_html_()


@given(
    environ=st.dictionaries(
        st.sampled_from([*DEFAULTS, "QUEUE_PLUGIN", "QMAIL_QUEUE_CUSTOM_ERROR"]),
        st.text(st.characters(exclude_characters="\0"), max_size=20),
    ),
    message_bytes=st.integers(0, 10**7),
    scanner_rc=st.none() | st.integers(0, 255),
    is_looking=st.booleans(),
)
def test_every_environment_is_explained(
    environ: dict[str, str], message_bytes: int, scanner_rc: int | None, is_looking: bool
) -> None:
    """Whatever stands in the variables, there are steps and an end, and the document is JSON."""
    told = explain(environ, message_bytes=message_bytes, scanner_rc=scanner_rc, is_looking=is_looking)

    assert told.steps
    assert "\n" not in repr(told)
    assert json.dumps(told.as_document())


def test_front_door_explains() -> None:
    """`kit.qhpsi.explain` is the function."""
    assert qhpsi.explain({}).action is ScanAction.SKIP
