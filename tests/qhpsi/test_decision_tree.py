"""Tests of decision_tree.py; what the recorded qmail-queue did is in tests/conformance/test_qhpsi_decisions.py."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.qhpsi.config import QhpsiConfig
from indimail_kit.qhpsi.decision import decide
from indimail_kit.qhpsi.decision_tree import (
    ROOT,
    TREE,
    Leaf,
    Question,
    ScanAction,
    Step,
    action_of,
    path_of,
    path_of_answer,
)
from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict

SCAN = "/usr/bin/clamdscan %s"


def as_in_c(config: QhpsiConfig, message_bytes: int, scanner_rc: int | None) -> ScanAction:
    """Repeat main() and qhpsiprog() of qmail-queue.c line by line: the oracle, a ladder on purpose."""
    if config.is_fast_queue:
        return ScanAction.SKIP
    if config.command is None:
        return ScanAction.SKIP
    if config.min_bytes and message_bytes < config.min_bytes:
        return ScanAction.SKIP
    if config.max_bytes and message_bytes > config.max_bytes:
        return ScanAction.SKIP
    if scanner_rc is None:  # wait_crashed(wstat)
        return ScanAction.CRASHED
    if scanner_rc == config.infected_rc:
        quarantine = config.virus_forward
        flagblackhole = False
        if config.reject_virus == 0:
            pass
        elif config.reject_virus == 2:
            flagblackhole = True
        else:
            return ScanAction.BOUNCE
        if quarantine:
            return ScanAction.FORWARD
        return ScanAction.BLACKHOLE if flagblackhole else ScanAction.ACCEPT_INFECTED
    if scanner_rc == config.clean_rc:
        return ScanAction.ACCEPT_CLEAN
    return ScanAction.TEMPFAIL


def configs() -> list[QhpsiConfig]:
    """Every combination of values that could matter (1,440 of them)."""
    return [
        QhpsiConfig(command, infected_rc, clean_rc, min_bytes, max_bytes, reject_virus, forward, is_fast)
        for command, infected_rc, clean_rc, (min_bytes, max_bytes), reject_virus, forward, is_fast in itertools.product(
            (None, "", SCAN),
            (0, 1, 13),
            (0, 1),
            ((0, 0), (100, 0), (0, 200), (100, 200), (200, 100)),
            (0, 1, 2, -1),
            ("", "virusadm@example.com"),
            (False, True),
        )
    ]


def test_way_ends_where_the_program_ends() -> None:
    """In every combination of configuration, size and exit code the leaf is the action of the C code."""
    cases = list(itertools.product(configs(), (0, 99, 100, 150, 200, 201), (0, 1, 2, 13, None)))

    wrong = [
        case
        for case in cases
        if not as_in_c(*case)
        is action_of(path_of(case[0], message_bytes=case[1], scanner_rc=case[2]))
        is decide(case[0], message_bytes=case[1], scanner_rc=case[2])
    ]

    assert (len(cases), wrong) == (43_200, [])


@given(
    numbers=st.tuples(*[st.integers(-(2**31), 2**31 - 1)] * 3),
    limits=st.tuples(*[st.integers(0, 2**32 - 1)] * 2),
    message_bytes=st.integers(0, 2**32),
    scanner_rc=st.none() | st.integers(0, 255),
    virus_forward=st.text(max_size=2),
)
def test_way_ends_where_the_program_ends_for_odd_numbers(
    numbers: tuple[int, int, int],
    limits: tuple[int, int],
    message_bytes: int,
    scanner_rc: int | None,
    virus_forward: str,
) -> None:
    """Numbers that no administrator would write make no difference."""
    infected_rc, clean_rc, reject_virus = numbers
    config = QhpsiConfig(SCAN, infected_rc, clean_rc, *limits, reject_virus, virus_forward)

    assert decide(config, message_bytes=message_bytes, scanner_rc=scanner_rc) is as_in_c(
        config, message_bytes, scanner_rc
    )


# ---- the tree as data: what a picture can rely on ----


def test_it_is_a_tree() -> None:
    """Every node but the first is led to by exactly one answer, and no answer leads nowhere."""
    targets = Counter(
        target for node in TREE.values() if isinstance(node, Question) for target in node.answers.values()
    )

    assert targets == Counter(dict.fromkeys((key for key in TREE if key != ROOT), 1))


def test_every_answer_can_be_given() -> None:
    """No edge is drawn that no message can take."""
    ways = [
        path_of(config, message_bytes=message_bytes, scanner_rc=scanner_rc)
        for config, message_bytes, scanner_rc in itertools.product(configs(), (99, 150, 201), (0, 1, None))
    ]
    ways.append(path_of_answer(QhpsiConfig(SCAN), ScanAnswer(Verdict.ERROR), message_bytes=1))

    taken = {(step.node.key, step.answer) for way in ways for step in way[:-1]}
    drawn = {(node.key, label) for node in TREE.values() if isinstance(node, Question) for label in node.answers}
    assert taken == drawn
    assert {way[-1].node.key for way in ways} == {node.key for node in TREE.values() if isinstance(node, Leaf)}


def test_every_action_has_an_end() -> None:
    """All eight actions are somewhere in the tree, and only one end is the kit's own."""
    leaves = [node for node in TREE.values() if isinstance(node, Leaf)]

    assert {leaf.action for leaf in leaves} == set(ScanAction)
    assert [leaf.key for leaf in leaves if leaf.is_ours] == ["tempfail-no-verdict"]


def test_questions_stand_in_the_order_of_the_program() -> None:
    """FASTQUEUE is read before QHPSI, the sizes before the scan, QHPSIRC before QHPSIRN."""
    way = path_of(QhpsiConfig(SCAN), message_bytes=250, scanner_rc=2)

    assert [(step.node.key, step.answer) for step in way] == [
        ("FASTQUEUE", "no"),
        ("QHPSI", "yes"),
        ("QHPSIMINSIZE", "no"),
        ("QHPSIMAXSIZE", "no"),
        ("SCANNER", "exit code"),
        ("QHPSIRC", "no"),
        ("QHPSIRN", "no"),
        ("tempfail", ""),
    ]


def test_every_question_names_its_variables_and_source() -> None:
    """A reader can find each question in the source and each variable in the manual."""
    questions = [node for node in TREE.values() if isinstance(node, Question)]

    assert all(node.variables and node.text.endswith("?") for node in questions)
    assert all("qmail-queue.c" in node.source for node in questions)


# ---- the way of a real scan ----


@pytest.mark.parametrize(
    ("answer", "config", "key"),
    [
        (ScanAnswer(Verdict.CLEAN), QhpsiConfig(SCAN), "accept-clean"),
        (ScanAnswer(Verdict.INFECTED), QhpsiConfig(SCAN), "accept-infected"),
        (ScanAnswer(Verdict.INFECTED), QhpsiConfig(SCAN, reject_virus=1), "bounce"),
        (ScanAnswer(Verdict.INFECTED), QhpsiConfig(SCAN, reject_virus=2), "blackhole"),
        (ScanAnswer(Verdict.INFECTED), QhpsiConfig(SCAN, reject_virus=2, virus_forward="a@b"), "forward-2"),
        (ScanAnswer(Verdict.INFECTED), QhpsiConfig(SCAN, virus_forward="a@b"), "forward-0"),
        (ScanAnswer(Verdict.NOT_SCANNED), QhpsiConfig(SCAN), "tempfail-no-verdict"),
        (ScanAnswer(Verdict.ERROR), QhpsiConfig(SCAN), "tempfail-no-verdict"),
        (ScanAnswer(Verdict.ERROR, signal_number=11), QhpsiConfig(SCAN), "crashed"),
        (ScanAnswer(Verdict.ERROR, scanner_rc=2), QhpsiConfig(SCAN), "tempfail"),
        (ScanAnswer(Verdict.ERROR, scanner_rc=75), QhpsiConfig(SCAN), "tempfail"),
        (ScanAnswer(Verdict.ERROR, scanner_rc=75), QhpsiConfig(SCAN, clean_rc=75), "tempfail-no-verdict"),
        (ScanAnswer(Verdict.ERROR, scanner_rc=75), QhpsiConfig(SCAN, infected_rc=75), "tempfail-no-verdict"),
        (ScanAnswer(Verdict.INFECTED), QhpsiConfig(SCAN, infected_rc=5, clean_rc=1), "tempfail-no-verdict"),
        (ScanAnswer(Verdict.INFECTED), QhpsiConfig(SCAN, infected_rc=5, clean_rc=7), "tempfail"),
        (ScanAnswer(Verdict.CLEAN), QhpsiConfig(SCAN, infected_rc=0), "accept-infected"),
        (ScanAnswer(Verdict.CLEAN), QhpsiConfig(SCAN, clean_rc=2), "tempfail"),
        (None, QhpsiConfig(SCAN, is_fast_queue=True), "skip-fastqueue"),
        (None, QhpsiConfig(None), "skip-qhpsi"),
        (None, QhpsiConfig(SCAN, min_bytes=251), "skip-small"),
        (None, QhpsiConfig(SCAN, max_bytes=249), "skip-large"),
    ],
)
def test_real_scan_has_its_way(answer: ScanAnswer | None, config: QhpsiConfig, key: str) -> None:
    """What a scanner said, failures included, ends at one leaf, and a contradiction at "no verdict"."""
    assert path_of_answer(config, answer, message_bytes=250)[-1].node.key == key


@given(
    verdict=st.sampled_from(Verdict),
    scanner_rc=st.none() | st.integers(0, 3),
    signal_number=st.integers(0, 1),
    infected_rc=st.integers(0, 3),
    clean_rc=st.integers(0, 3),
)
def test_only_clean_is_clean(
    verdict: Verdict, scanner_rc: int | None, signal_number: int, infected_rc: int, clean_rc: int
) -> None:
    """No value of QHPSIRC or QHPSIRN leads from a scan that was not clean to "clean", or from a failed one to 250."""
    answer = ScanAnswer(verdict, scanner_rc=scanner_rc, signal_number=signal_number)

    action = action_of(path_of_answer(QhpsiConfig(SCAN, infected_rc, clean_rc), answer, message_bytes=250))

    assert action is not ScanAction.ACCEPT_CLEAN or (verdict is Verdict.CLEAN and not signal_number)
    assert verdict in (Verdict.CLEAN, Verdict.INFECTED) or action in (ScanAction.TEMPFAIL, ScanAction.CRASHED)


def test_scanner_that_was_not_asked_is_no_acceptance() -> None:
    """A missing answer where a scan is due is a refusal, not an acceptance."""
    assert path_of_answer(QhpsiConfig(SCAN), None, message_bytes=250)[-1].node.key == "tempfail-no-verdict"


def test_way_that_ends_in_a_question_has_no_action() -> None:
    """A way that was cut off is a programmer's error."""
    with pytest.raises(TypeError, match="ends in a question"):
        action_of((Step(TREE[ROOT], "no"),))
