"""Sentences for steps."""

from __future__ import annotations

import pytest

from indimail_kit.mailqueue.step_text import SENTENCES, describe_step, kind_of


def test_every_sentence_ends() -> None:
    """With a point, or with dots where the next one goes on."""
    assert [text for text in SENTENCES.values() if not text.endswith((".", "…"))] == []


@pytest.mark.parametrize(
    ("path", "kind"),
    [("mess/16/660188", "mess"), ("bounce/12", "bounce"), ("a@x/tmp/1.y", "tmp"), ("a@x/.Spam/new", "new"), ("", "")],
)
def test_kind_is_a_directory_of_the_queue_or_of_a_mailbox(path: str, kind: str) -> None:
    """Folders of a mailbox have tmp and new of their own."""
    assert kind_of(path) == kind


def test_unknown_step_is_told_in_its_bare_form() -> None:
    """Nothing disappears."""
    assert describe_step("rename", "mess/1/1") == "rename mess/1/1"


def test_removal_of_nothing_says_so() -> None:
    """todo-proc removes what an earlier try may have left; mostly there is nothing."""
    assert describe_step("unlink", "local/1/1", has_changed=False).startswith("Nothing to remove")


def test_hostile_name_cannot_steer_the_terminal() -> None:
    """A file that somebody put there is shown with its control characters written out."""
    assert describe_step("rename", "mess/1/\x1b[2J") == "rename mess/1/\\x1b[2J"
