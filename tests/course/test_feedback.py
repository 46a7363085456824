"""What a learner is told, as text and as HTML."""

from __future__ import annotations

import pytest

from indimail_kit.course.feedback import WIDTH, Feedback, Grade, Hint, Solution, State, Task

LONG = "one word after the other " * 12
VALUES = [
    Feedback("01.1", State.RIGHT, LONG),
    Hint("01.1", 2, 3, LONG),
    Solution("01.1", "x", LONG),
    Task("01.1", Grade.REPEAT, LONG, {"user": "u@example.com", "session": "C: a\nS: b", "words": ("a", "b") * 60}),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_no_line_is_too_wide(value):
    """A narrow screen shows whole words."""
    assert max(map(len, repr(value).splitlines())) <= WIDTH


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_html_has_the_same_words(value):
    """Nothing is said on one screen only, and lines stay lines."""
    html = value._repr_html_()

    assert (value.number in html, "one word after the other" in html, "\\x0a" in html) == (True, True, False)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Feedback("01.1", State.RIGHT, "Right."), "✅ 01.1  Right."),
        (Feedback("01.1", State.WRONG, "No."), "❌ 01.1  No."),
        (Feedback("01.1", State.OPEN, "Not yet."), "☐ 01.1  Not yet."),
        (Hint("01.1", 1, 3, "Look."), "💡 01.1 hint 1 of 3: Look."),
        (Hint("9", 0, 0, "No such."), "💡 9 No such."),
        (Solution("01.1", "YQ==", "So."), "🔑 01.1  So.\n    'YQ=='"),
        (Solution("01.1", None, "Off."), "🔑 01.1  Off."),
        (Task("01.1", Grade.FIND_OUT, "Do.", {"a": "x", "bb": "y"}), "● 01.1  Do.\n  a   x\n  bb  y"),
        (
            Task("1", Grade.REPEAT, "Do.", {"a": "x", "a long name": "1\n2"}),
            "◯ 1  Do.\n  a  x\n\n  a long name:\n    1\n    2",
        ),
    ],
    ids=["right", "wrong", "open", "hint", "no hint", "solution", "no solution", "task", "task with a log"],
)
def test_what_is_said_in_a_terminal(value, text):
    """A sign, the number, the sentence."""
    assert repr(value) == text


def test_a_task_gives_its_values_by_name():
    """``task["user"]`` goes into the next function."""
    assert VALUES[3]["user"] == "u@example.com"


def test_markup_in_a_value_is_text():
    """A session may hold anything; on the screen it is text."""
    html = Task("1", Grade.REPEAT, "<b>", {"s": "<img src=x>\n<script>"})._repr_html_()

    assert ("<b>" in html, "<img" in html, "<script" in html) == (False, False, False)


def test_what_is_typed_looks_typed():
    """Between backticks stands code."""
    html = Feedback("01.1", State.WRONG, "Use `printf` here.")._repr_html_()

    assert ("<code>printf</code>" in html, "`" in html) == (True, False)
