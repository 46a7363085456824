"""The course: exercises for the notebooks, with checks, hints and solutions. Above the lab, below the widgets.

One learner for each kernel::

    from indimail_kit import course

    course.begin(learner="your name")     # values of your own
    course.task("01.1")                   # what to do
    course.check("01.1", "…")             # right or not, and why; never the answer
    course.hint("01.1")                   # the next hint
    course.solution("01.1")               # unless a teacher says no
    course.start_case("06.3")             # where the answer is a server: start it, repair it, check it
    course.progress("01")                 # how far you are; .save("file") and course.resume("file")

For a trainer::

    course.new_class_key("class.key")     # once; learners' kernels find it through INDIMAIL_KIT_CLASS_KEY
    course.read_hand_in("handed-in/", class_key_file="class.key")  # a row for each file, and its signature

`type_lines` types at a lab's server as with telnet, for those who read without a widget.

Rule 1: no Jupyter here: everything is a value with a repr, and the same as HTML.
Rule 2: values differ from learner to learner and are the same for one name, on every machine.
"""

from __future__ import annotations

import os

from indimail_kit.course.class_key import CLASS_KEY_VARIABLE as CLASS_KEY_VARIABLE
from indimail_kit.course.class_key import ClassKey as ClassKey
from indimail_kit.course.class_key import SignatureState as SignatureState
from indimail_kit.course.class_key import new_class_key as new_class_key
from indimail_kit.course.classroom import SOLUTIONS_VARIABLE as SOLUTIONS_VARIABLE
from indimail_kit.course.classroom import Classroom as Classroom
from indimail_kit.course.exercise import Exercise as Exercise
from indimail_kit.course.feedback import Feedback as Feedback
from indimail_kit.course.feedback import Hint as Hint
from indimail_kit.course.feedback import Solution as Solution
from indimail_kit.course.feedback import Task as Task
from indimail_kit.course.hand_in import HandIn as HandIn
from indimail_kit.course.hand_in import HandIns as HandIns
from indimail_kit.course.hand_in import read_hand_in as read_hand_in
from indimail_kit.course.lessons import EXERCISES as EXERCISES
from indimail_kit.course.progress import Progress as Progress
from indimail_kit.course.telnet import Typed as Typed
from indimail_kit.course.telnet import type_lines as type_lines

_room = Classroom(EXERCISES, environ=os.environ)

begin = _room.begin
check = _room.check
hint = _room.hint
progress = _room.progress
resume = _room.resume
repaired = _room.repaired
running_case = _room.running_case
solution = _room.solution
start_case = _room.start_case
solutions_allowed = _room.solutions_allowed
task = _room.task

__all__ = [
    "CLASS_KEY_VARIABLE",
    "EXERCISES",
    "SOLUTIONS_VARIABLE",
    "ClassKey",
    "Classroom",
    "Exercise",
    "Feedback",
    "HandIn",
    "HandIns",
    "Hint",
    "Progress",
    "SignatureState",
    "Solution",
    "Task",
    "Typed",
    "begin",
    "check",
    "hint",
    "new_class_key",
    "progress",
    "read_hand_in",
    "repaired",
    "resume",
    "running_case",
    "solution",
    "solutions_allowed",
    "start_case",
    "task",
    "type_lines",
]
