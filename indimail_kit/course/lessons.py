"""All exercises, in the order of the lessons."""

from __future__ import annotations

from typing import Final

from indimail_kit.course import (
    lesson_01_bytes,
    lesson_01_reading,
    lesson_02_deciding,
    lesson_02_reading,
    lesson_02_service,
    lesson_02_setting,
    lesson_02_signature,
    lesson_03_crash,
    lesson_03_places,
    lesson_03_records,
    lesson_03_repair,
    lesson_03_states,
    lesson_03_time,
    lesson_04_lines,
    lesson_04_pairs,
    lesson_04_report,
)
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
    lesson_02_setting.ARGV,
    lesson_02_setting.RULE,
    lesson_02_service.SCANS,
    lesson_02_service.REPAIR,
    lesson_02_reading.RECORD,
    lesson_02_deciding.DECISION,
    lesson_02_deciding.FILTER,
    lesson_02_deciding.WHY_451,
    lesson_02_reading.REPLIES,
    lesson_02_signature.SIGNATURE,
    lesson_03_places.PLACE,
    lesson_03_places.COPIED,
    lesson_03_records.ENVELOPE,
    lesson_03_records.WAITING,
    lesson_03_places.QUEUES,
    lesson_03_states.STATES,
    lesson_03_states.BROKEN,
    lesson_03_time.RETRY,
    lesson_03_time.WHY,
    lesson_03_crash.CRASH,
    lesson_03_repair.RENAME,
    lesson_04_lines.LABEL,
    lesson_04_lines.NEXT_STEP,
    lesson_04_lines.FORGED,
    lesson_04_pairs.WHOSE,
    lesson_04_pairs.DELAY,
    lesson_04_pairs.REUSE,
    lesson_04_report.OVERALL,
    lesson_04_report.REASON,
    lesson_04_report.GUESSING,
)
"""Number, grade and all; `Classroom` asks them by number."""
