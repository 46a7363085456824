"""The tree of errors, and what their texts say."""

from __future__ import annotations

import inspect
import re

import pytest

from indimail_kit import errors

CLASSES = [error for _, error in inspect.getmembers(errors, inspect.isclass) if error.__module__ == errors.__name__]


def drawn_tree() -> dict[str, str]:
    """Return class -> parent as the docstring of the module draws it."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        drawn = re.match(r"    ((?:│   |├── |└── )*)([A-Z]\w+)", line)
        if drawn:
            depth = len(drawn[1]) // 4
            path[depth:] = [drawn[2]]
            parents[drawn[2]] = path[depth - 1] if depth else "Exception"
    return parents


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    """The drawing is complete and right."""
    assert drawn_tree() == {error.__name__: error.__bases__[0].__name__ for error in CLASSES}


def test_one_except_clause_catches_every_error_of_the_kit() -> None:
    """KitError is the root."""
    assert all(issubclass(error, errors.KitError) for error in CLASSES)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (errors.FormatError("a label"), "expected a label"),
        (errors.FormatError("a label", offset=17), "octet 17: expected a label"),
        (errors.FormatError("a rule", line_number=3, source="rules.txt"), "rules.txt, line 3: expected a rule"),
        (
            errors.FormatError("a rule", line_number=3, offset=0, source="rules.txt"),
            "rules.txt, line 3, octet 0: expected a rule",
        ),
    ],
    ids=["what", "offset", "line", "all"],
)
def test_format_error_says_where_and_what_was_expected(error: errors.FormatError, text: str) -> None:
    """A person finds the place without a debugger."""
    assert str(error) == text


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (errors.EnvelopeError("F", exit_code=79), 79),
        (errors.QueueError("no queue", exit_code=61), 61),
        (errors.RulesError("a rule"), 100),
        (errors.RulesError("a colon", exit_code=111), 111),
    ],
    ids=["envelope", "queue", "rule", "rule without colon"],
)
def test_error_of_a_program_carries_its_exit_code(
    error: errors.EnvelopeError | errors.QueueError | errors.RulesError, exit_code: int
) -> None:
    """The caller can answer as the program would."""
    assert error.exit_code == exit_code


def test_queue_error_carries_the_path_of_its_step() -> None:
    """A notebook can show the file."""
    assert errors.QueueError("link todo/16/7", exit_code=66, path="todo/16/7").path == "todo/16/7"


def test_missing_part_says_what_to_do() -> None:
    """What is missing, and the remedy."""
    error = errors.MissingPartError("clamd", "Install clamav-daemon.")
    assert (str(error), error.part, error.remedy) == (
        "clamd is missing. Install clamav-daemon.",
        "clamd",
        "Install clamav-daemon.",
    )
