"""All exercises, in the order of the lessons."""

from __future__ import annotations

from typing import Final

from indimail_kit.course import lesson_01_bytes, lesson_01_reading
from indimail_kit.course.exercise import Exercise

EXERCISES: Final[tuple[Exercise, ...]] = (
    lesson_01_bytes.USER,
    lesson_01_bytes.NEWLINE,
    lesson_01_bytes.PLAIN,
    lesson_01_reading.SESSION,
    lesson_01_bytes.TIME,
    lesson_01_bytes.RESPONSE,
    lesson_01_bytes.GUESS,
    lesson_01_reading.REPLAY,
    lesson_01_reading.HASHES,
    lesson_01_reading.THREE_FAILURES,
)
"""Number, grade and all; `Classroom` asks them by number."""
