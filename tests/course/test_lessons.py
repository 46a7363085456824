"""Every exercise: its solution passes its check, each mistake has its sentence, and no sentence has the answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indimail_kit.auth import annotate
from indimail_kit.auth.mechanisms import MECHANISMS
from indimail_kit.course import EXERCISES
from indimail_kit.course.exercise import learner_named
from indimail_kit.course.failures import FAILURES, Login, play
from indimail_kit.course.lesson_01_reading import SENTENCES
from indimail_kit.course.words import NAMES, PASSWORDS

BY_NUMBER = {exercise.number: exercise for exercise in EXERCISES}
TEXTS = [exercise for exercise in EXERCISES if isinstance(learner_named("ann").draw(exercise).right, str)]
STILL = [exercise for exercise in EXERCISES if not exercise.is_live]
"""Those whose answer is a value; servers have their tests in test_lesson_06.py."""
LEARNERS = [learner_named(f"learner {number}") for number in range(25)]
ANSWERS = st.text(max_size=60) | st.binary(max_size=60) | st.integers() | st.lists(st.text(max_size=9), max_size=4)


def ids(exercise):
    """Name a case by its exercise."""
    return exercise.number


def drawn(number, name="ann"):
    """Return the values of an exercise for a learner."""
    return learner_named(name).draw(BY_NUMBER[number])


@pytest.mark.parametrize("exercise", STILL, ids=ids)
def test_the_solution_passes_the_check(exercise):
    """For 25 learners: what `solve` works out from what is given is right."""
    said = [exercise.judge(values, exercise.solve(values.given)) for values in (one.draw(exercise) for one in LEARNERS)]

    assert said == [None] * len(LEARNERS)


@pytest.mark.parametrize("exercise", EXERCISES, ids=ids)
def test_the_same_learner_gets_the_same_values(exercise):
    """A notebook that is opened again has the same exercise."""
    assert learner_named("ann").draw(exercise) == learner_named(" Ann").draw(exercise)


@pytest.mark.parametrize("exercise", EXERCISES, ids=ids)
def test_values_differ_between_learners(exercise):
    """Nobody's task is the neighbour's."""
    assert len({repr(sorted(learner.draw(exercise).given.items(), key=str)) for learner in LEARNERS}) > 20


@pytest.mark.parametrize("exercise", TEXTS, ids=ids)
def test_answers_cannot_be_copied(exercise):
    """The right answer of one learner is wrong for another."""
    answers = [learner.draw(exercise).right for learner in LEARNERS]

    assert len(set(answers)) > 18


@pytest.mark.parametrize("exercise", TEXTS, ids=ids)
def test_each_mistake_has_its_sentence(exercise):
    """For 25 learners: every known wrong answer gets the sentence that was written for it, and none is right."""
    values = [learner.draw(exercise) for learner in LEARNERS]
    said = [exercise.judge(one, wrong) == sentence for one in values for wrong, sentence in one.traps.items()]

    assert (all(said), len(said) > 5 * len(LEARNERS)) == (True, True)


@pytest.mark.parametrize("exercise", EXERCISES, ids=ids)
def test_no_feedback_shows_the_answer(exercise):
    """Neither the sentences of mistakes nor the hints nor the reason hold the right answer."""
    values = [learner.draw(exercise) for learner in LEARNERS]
    told = [exercise.reason, exercise.goal, exercise.way, *exercise.hints]
    told += [str(exercise.judge(one, wrong)) for one in values for wrong in (*one.traps, "x", "cGFzcw==", 7, [], {})]
    rights = {str(one.right) for one in values}

    assert [(right, text) for right in rights for text in set(told) if right in text] == []


@pytest.mark.parametrize("exercise", EXERCISES, ids=ids)
@settings(deadline=None, max_examples=50)
@given(answer=ANSWERS)
def test_nonsense_gets_a_sentence(exercise, answer):
    """Whatever is answered: no exception, and a sentence that ends like one."""
    said = exercise.judge(drawn(exercise.number), answer)

    assert said is None or re.search(r"[.!?)]$", said)


@pytest.mark.parametrize("exercise", EXERCISES, ids=ids)
def test_every_exercise_has_several_hints(exercise):
    """From a nudge to nearly all of it, all different."""
    assert (len(exercise.hints) >= 3, len(set(exercise.hints))) == (True, len(exercise.hints))


def test_numbers_are_in_order():
    """The table of progress reads from the first lesson to the last."""
    numbers = [tuple(map(int, exercise.number.split("."))) for exercise in EXERCISES]

    assert numbers == sorted(set(numbers))


def test_all_three_grades_are_there():
    """Something to repeat, something to change, something to find out."""
    assert {exercise.grade.value for exercise in EXERCISES} == {"◯", "◐", "●"}


@pytest.mark.parametrize("exercise", EXERCISES, ids=ids)
def test_no_sentence_is_taken_for_a_formula(exercise):
    """JupyterLab takes what stands between dollar signs for mathematics: `$6$` was shown as a 6, and is code now."""
    values = [learner.draw(exercise) for learner in LEARNERS[:5]]
    told = [exercise.goal, exercise.reason, exercise.way, *exercise.hints]
    told += [sentence for one in values for sentence in one.traps.values()]

    assert [text for text in told if "$" in "".join(text.split("`")[::2])] == []


def test_no_password_stands_in_a_sentence():
    """A word of the list in a text would give an answer away by accident."""
    told = " ".join(
        text for exercise in EXERCISES for text in (exercise.goal, exercise.reason, exercise.way, *exercise.hints)
    )
    told += " ".join(failure.meaning + failure.not_this for failure in FAILURES)

    assert [word for word in PASSWORDS if re.search(rf"\b{word}\b", told, re.IGNORECASE)] == []


def test_words_are_different():
    """No word and no name is twice in its list."""
    assert (len(set(PASSWORDS)), len(set(NAMES))) == (len(PASSWORDS), len(NAMES))


# --- the answers, worked out with the standard library ------------------------------------------------------------


def test_a_user_is_encoded_as_base64_does_it():
    """01.1 against the standard library, and with the seed's user the seed's text."""
    values = drawn("01.1")

    assert base64.b64decode(values.right) == values.given["user"].encode()
    assert base64.b64encode(b"postmaster@example.com").decode() in values.traps


def test_the_repaired_base64_lacks_the_newline_only():
    """01.2: what was sent is the right text and a newline."""
    values = drawn("01.2")

    assert base64.b64decode(values.given["sent"]) == base64.b64decode(values.right) + b"\n"


def test_the_captured_plain_has_the_password_last():
    """01.3: RFC 4616, authzid NUL authcid NUL passwd."""
    values = drawn("01.3")

    assert base64.b64decode(values.given["captured"].split()[2]).split(b"\0")[2] == values.right.encode()


def test_the_response_is_hmac_md5_in_hexadecimal():
    """01.6 against the standard library's HMAC: user, blank, digest."""
    values = drawn("01.6")
    user, password, challenge = (values.given[name] for name in ("user", "password", "challenge"))
    digest = hmac.new(password.encode(), base64.b64decode(challenge), hashlib.md5).hexdigest()

    assert base64.b64decode(values.right) == f"{user} {digest}".encode()


def test_exactly_one_word_fits_the_captured_digest():
    """01.7: there is one answer, and it is in the list."""
    values = drawn("01.7")
    challenge, digest = values.given["challenge"].encode(), values.given["digest"]
    fitting = [
        word for word in values.given["words"] if hmac.new(word.encode(), challenge, "md5").hexdigest() == digest
    ]

    assert fitting == [values.right]


def test_the_first_words_are_never_the_answer():
    """01.7: the notebook's start cell tries three words and must not give the answer away."""
    values = [learner.draw(BY_NUMBER["01.7"]) for learner in LEARNERS]

    assert [one.right for one in values if one.right in one.given["words"][:3]] == []


def test_secrets_on_the_wire_can_be_replayed_and_nothing_else():
    """01.8: LOGIN and PLAIN send the password (draft, RFC 4616), XOAUTH2 a bearer token (RFC 6750 section 5.3)."""
    assert drawn("01.8").right == {"LOGIN", "PLAIN", "XOAUTH2"}


def test_a_hash_is_enough_where_the_server_hears_the_password():
    """01.9: CRAM needs the key itself (RFC 2195 section 4), SCRAM keys of its own (RFC 5802 section 3)."""
    assert drawn("01.9").right == {"LOGIN", "PLAIN"}


SETS = {"01.8": ({"LOGIN", "PLAIN", "XOAUTH2"}, "replay"), "01.9": ({"LOGIN", "PLAIN"}, "hash")}


@pytest.mark.parametrize("number", SETS)
@pytest.mark.parametrize(
    ("add", "words"),
    [("SCRAM-SHA-256", "SCRAM"), ("KERBEROS", "none of the list")],
)
def test_a_wrong_name_has_its_sentence(number, add, words):
    """A name that does not belong to the set says what is wrong with its kind."""
    right, _about = SETS[number]

    assert words in BY_NUMBER[number].judge(drawn(number), right | {add})


@pytest.mark.parametrize("number", SETS)
def test_a_challenged_mechanism_has_its_sentence(number):
    """CRAM and DIGEST in the set: the sentence speaks of what they do."""
    right, about = SETS[number]
    extra = {name for name in drawn(number).given["mechanisms"] if name.startswith(("CRAM", "DIGEST"))}

    assert about in BY_NUMBER[number].judge(drawn(number), right | extra)


@pytest.mark.parametrize("number", SETS)
def test_a_missing_name_is_not_told(number):
    """It says that one is missing, and not which."""
    said = BY_NUMBER[number].judge(drawn(number), {"PLAIN"})

    assert ("one is missing" in said, "LOGIN" in said) == (True, False)


@pytest.mark.parametrize("number", SETS)
def test_all_names_are_too_many(number):
    """Taking everything is no answer."""
    assert BY_NUMBER[number].judge(drawn(number), drawn(number).given["mechanisms"]).startswith("Not all of them")


def test_the_lists_have_mechanisms_that_exist():
    """01.8 and 01.9 name mechanisms of the table only."""
    assert {*drawn("01.8").given["mechanisms"], *drawn("01.9").given["mechanisms"]} <= set(MECHANISMS)


# --- three failures -----------------------------------------------------------------------------------------------

LOGIN = Login(user="tim@example.com", password="tanstaaftanstaaf", challenge=b"<1896.697170952@postoffice.example.com>")


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name)
def test_each_recorded_login_fails(failure):
    """The kit's own server refuses every one of them: 535, or 501 where the form is broken."""
    assert re.search(
        r"S: 5(35 authorization failure|01 malformed auth input) \(#5\.[57]\.[48]\)$", play(failure, LOGIN)
    )


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name)
def test_the_explainer_names_each_failure(failure):
    """A learner who asks `annotate.explain` is told the reason, for many users and passwords."""
    logins = [LOGIN, Login(user="zelda21@example.com", password="agate-10", challenge=LOGIN.challenge)]
    said = [" ".join(step.verdict for step in annotate.explain(play(failure, login)).steps) for login in logins]

    assert [SENTENCES[failure.name] in text for text in said] == [True, True]


@pytest.mark.parametrize("letter", ["A", "B", "C"])
def test_a_wrong_reason_names_the_session(letter):
    """The first session with a wrong reason is named, with what speaks against that reason."""
    values = drawn("01.10")
    other = next(failure for failure in FAILURES if failure.name not in values.right.values())

    assert BY_NUMBER["01.10"].judge(values, {**values.right, letter: other.name}) == f"{letter}: {other.not_this}"


def test_a_reason_that_is_none_is_told():
    """A sentence in place of a name of the list."""
    values = drawn("01.10")

    assert BY_NUMBER["01.10"].judge(values, {**values.right, "B": "it did not work"}).startswith("B: take one")


def test_reasons_are_different():
    """Two reasons never have the same name or the same words of the explainer."""
    pairs = list(itertools.combinations(FAILURES, 2))

    assert [one.name for one, two in pairs if one.name == two.name or SENTENCES[one.name] == SENTENCES[two.name]] == []


# --- texts that are no known mistake --------------------------------------------------------------------------------


def b64(octets):
    """Encode with the standard library."""
    return base64.b64encode(octets).decode()


@pytest.mark.parametrize(
    ("number", "answer", "words"),
    [
        ("01.1", "not base64!", "This is no Base64"),
        ("01.1", b64(b"somebody@example.com"), "of another text"),
        ("01.2", "not base64!", "This is no Base64"),
        ("01.2", b64(b"another\n"), "still a line end"),
        ("01.2", b64(b"another"), "not the one that was meant"),
        ("01.3", "a\0b", "There is a NUL"),
        ("01.3", "somebody@example.com", "looks like a user"),
        ("01.3", "another", "not the password that was sent"),
        ("01.4", "somebody@example.com", "not in the session's login"),
        ("01.5", 12, "not in the challenge"),
        ("01.5", "noon", "A whole number is wanted"),
        ("01.6", "not base64!", "This is no Base64"),
        ("01.6", b64(b"no blank"), "not a user, a blank and a digest"),
        ("01.6", b64(b"tim@example.com 12"), "not 32 characters"),
        ("01.6", b64(b"tim@example.com " + b"0" * 32), "The form is right"),
        ("01.7", "another", "not in the list"),
        ("01.10", "newline", "A dictionary with A, B and C"),
    ],
)
def test_an_unknown_mistake_is_told_by_its_form(number, answer, words):
    """What nobody foresaw is still looked at: Base64 or not, a user or not, how long."""
    assert words in BY_NUMBER[number].judge(drawn(number), answer)
