"""What the tests of the course share: a classroom of their own, never the kernel's."""

from __future__ import annotations

import pytest

from indimail_kit.course import EXERCISES, Classroom


@pytest.fixture
def room() -> Classroom:
    """A classroom with an empty environment."""
    classroom = Classroom(EXERCISES, environ={})
    classroom.begin(learner="ann")
    return classroom
