"""QHPSI's decision as rungs of a ladder, ready to be drawn: questions below each other, ends beside them. Pure.

Rule 1: questions, answers and ends are `qhpsi.TREE`'s; here is only where they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from indimail_kit.lab.journey import Journey
from indimail_kit.qhpsi.config import QhpsiConfig
from indimail_kit.qhpsi.decision_tree import ROOT, TREE, Leaf, Question, Step, path_of_answer
from indimail_kit.widgets.policy import ENDING_OF
from indimail_kit.widgets.signs import ENDINGS


def ladder(key: str = ROOT) -> list[dict[str, Any]]:
    """Return the rungs from a question down.

    A last answer that leads to another question goes down to the next rung; every other answer goes to the side.
    """
    rungs: list[dict[str, Any]] = []
    node = TREE[key]
    while isinstance(node, Question):
        down, to = list(node.answers.items())[-1]
        down = down if isinstance(TREE[to], Question) else ""
        side = [_side(label, there) for label, there in node.answers.items() if label != down]
        about = f"{node.text} It reads {', '.join(node.variables)}. Source: {node.source}."
        rungs.append({"key": node.key, "text": node.text, "about": about, "down": down, "side": side})
        if not down:
            break
        node = TREE[to]
    return rungs


def _side(label: str, to: str) -> dict[str, Any]:
    node = TREE[to]
    return {"label": label, "leaf": _leaf(node)} if isinstance(node, Leaf) else {"label": label, "rungs": ladder(to)}


def _leaf(leaf: Leaf) -> dict[str, str]:
    sign = ENDINGS[ENDING_OF[leaf.action]]
    own = " The kit's own end: a program has no such answer." if leaf.is_ours else ""
    about = f"{sign.word}: {leaf.action.value}. {sign.meaning} Source: {leaf.source}.{own}"
    return {"key": leaf.key, "word": sign.word, "mark": sign.mark, "cls": sign.cls, "about": about}


def path_of_journey(journey: Journey) -> tuple[Step, ...]:
    """Return the way of a mail through the decision; empty where it never came to qmail-queue."""
    if not journey.message_bytes:
        return ()
    config = QhpsiConfig.from_environ(dict(journey.variables))
    answer = journey.report.answer if journey.report is not None else None
    return path_of_answer(config, answer, message_bytes=journey.message_bytes)


def lit(path: Sequence[Step]) -> list[list[str]]:
    """Return the nodes of a way with the answers given, for the script: [key, answer]."""
    return [[step.node.key, step.answer] for step in path]
