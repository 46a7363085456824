"""The key of a class and the signature of what was handed in: what it proves, and that the key is shown nowhere."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import pickle
import stat
import traceback

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indimail_kit.course import EXERCISES, ClassKey, Classroom, SignatureState, new_class_key
from indimail_kit.course.class_key import (
    MAX_KEY_BYTES,
    MIN_KEY_BYTES,
    canonical,
    judge_signature,
    read_class_key,
    signed,
)
from indimail_kit.errors import FormatError

CANARY = "zitronenfalter-im-mai"
KEY = ClassKey(CANARY.encode())
DOCUMENT = {
    "format": "indimail-kit progress 1",
    "learner": "ann",
    "exercises": {"01.1": {"attempts": 3, "hints": 0, "right": True, "solution_seen": False}},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def read_back(document):
    """Return a document after it was in a file."""
    return json.loads(json.dumps(document, indent=2))


# --- what a signature says ------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(document=st.dictionaries(st.text(max_size=8).filter(lambda name: name != "signature"), JSON, max_size=4))
def test_what_was_signed_is_good(document):
    """Whatever is in a document, and however it is laid out in its file."""
    assert judge_signature(read_back(signed(document, KEY)), KEY) == (SignatureState.GOOD, "")


def test_it_is_an_hmac_that_anybody_can_compute():
    """RFC 2104 with SHA-256 over the document in one form, without the value itself: with the standard library."""
    document = signed(DOCUMENT, KEY)
    value = document["signature"].pop("value")
    octets = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

    assert value == hmac.new(CANARY.encode(), octets, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(learner="bob"),
        lambda document: document["exercises"]["01.1"].update(attempts=1),
        lambda document: document["exercises"].update({"01.2": {}}),
        lambda document: document.update(exercises={}),
        lambda document: document.update(more=1),
        lambda document: document.update(more=float("inf")),
        lambda document: document["signature"].update(method="none"),
        lambda document: document["signature"].update(value="0" * 64),
        lambda document: document["signature"].update(value=""),
    ],
    ids=["name", "count", "exercise more", "exercises gone", "field more", "no number", "method", "value", "no value"],
)
def test_a_change_is_seen(change):
    """Whatever is changed, added or left out by somebody who has no key."""
    document = read_back(signed(DOCUMENT, KEY))
    change(document)

    assert judge_signature(document, KEY) == (SignatureState.WRONG, "changed since it was signed")


@pytest.mark.parametrize(
    "signature", [None, 7, "x", [], {}, {"method": "HMAC-SHA-256", "key": "\x1b[31m", "value": "0"}]
)
def test_a_damaged_signature_is_wrong(signature):
    """It is there and says nothing; nothing of it is quoted."""
    assert judge_signature({**DOCUMENT, "signature": signature}, KEY) == (
        SignatureState.WRONG,
        "the signature is damaged",
    )


def test_a_deep_document_is_wrong():
    """One that no reader of JSON would have read is no crash either."""
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    document = {**signed(DOCUMENT, KEY), "more": deep}

    state = judge_signature(document, KEY)[0]
    while deep:
        deep = deep.pop()

    assert state is SignatureState.WRONG


def test_another_classs_key_is_told_by_its_name():
    """A file of the other group is not called changed."""
    other = ClassKey(b"another key of another class")

    assert judge_signature(signed(DOCUMENT, other), KEY) == (
        SignatureState.WRONG,
        f"signed with another key, {other.name}; yours is {KEY.name}",
    )


def test_without_a_key_or_a_signature_nothing_is_claimed():
    """No signature is none, whoever asks; a signature without a key to check it by is not checked."""
    assert (judge_signature(DOCUMENT, KEY)[0], judge_signature(DOCUMENT, None)[0]) == (
        SignatureState.NONE,
        SignatureState.NONE,
    )
    assert judge_signature(signed(DOCUMENT, KEY), None)[0] is SignatureState.NOT_CHECKED


# --- the key --------------------------------------------------------------------------------------------------------


def test_a_new_key_is_for_its_owner_alone_and_never_overwritten(tmp_path):
    """Mode 600, long enough, another one each time; a file that is there stays as it is."""
    path = tmp_path / "class.key"
    made = new_class_key(path)

    assert (read_class_key(path), stat.S_IMODE(path.stat().st_mode)) == (made, 0o600)
    assert new_class_key(tmp_path / "other.key").name != made.name
    with pytest.raises(FileExistsError):
        new_class_key(path)
    assert read_class_key(path) == made


@pytest.mark.parametrize("length", [MIN_KEY_BYTES, MAX_KEY_BYTES - 1])
def test_a_key_of_a_sensible_length_is_read(tmp_path, length):
    """From the shortest to the longest; the line end does not count."""
    path = tmp_path / "class.key"
    path.write_bytes(b"k" * length + b"\n")

    assert read_class_key(path) == ClassKey(b"k" * length)


@pytest.mark.parametrize(
    "octets",
    [b"", b"k" * (MIN_KEY_BYTES - 1) + b"\n", b"k" * (MAX_KEY_BYTES + 1), b"one line that is long\nand another"],
    ids=["empty", "short", "long", "two lines"],
)
def test_what_is_no_key_is_refused_unquoted(tmp_path, octets):
    """The error says what a key is, and nothing of what was there."""
    path = tmp_path / "class.key"
    path.write_bytes(octets)

    with pytest.raises(FormatError, match=r"class\.key: expected a class key: one line of 16 to 4096 octets") as caught:
        read_class_key(path)

    assert b"kkk" not in "".join(traceback.format_exception(caught.value)).encode()


def test_the_key_is_in_nothing_that_is_shown_or_saved(tmp_path):
    """No repr, no table, no HTML, no file, no error; only the eight digits of its name."""
    path = tmp_path / "class.key"
    path.write_text(CANARY, encoding="ascii")
    room = Classroom(EXERCISES, environ={"INDIMAIL_KIT_CLASS_KEY": str(path)})
    shown = room.begin(learner="ann")
    saved = shown.save(tmp_path / "ann.json").read_text(encoding="utf-8")
    told = (repr(KEY), repr(shown), shown._repr_html_(), saved, repr(read_class_key(path)), repr(vars(room)))

    assert [text for text in told if CANARY in text or CANARY.encode().hex() in text] == []
    assert KEY.name in saved


def test_a_key_that_is_copied_stays_hidden():
    """Copies show as little as the first."""
    assert [repr(copy.copy(KEY)), repr(pickle.loads(pickle.dumps(KEY)))] == [f"ClassKey(name='{KEY.name}')"] * 2  # noqa: S301


# --- a learner's side -----------------------------------------------------------------------------------------------


@pytest.fixture
def key_file(tmp_path):
    """Give a file with a key."""
    path = tmp_path / "class.key"
    path.write_text(CANARY + "\n", encoding="ascii")
    return path


def document_of(path):
    """Return what was saved."""
    return json.loads(path.read_text(encoding="utf-8"))


def test_without_a_class_key_nothing_is_signed(room, tmp_path):
    """A learner alone has a file as before."""
    assert "signature" not in document_of(room.progress().save(tmp_path / "ann.json"))


@pytest.mark.parametrize("way", ["environment", "begin"])
def test_with_a_class_key_what_is_saved_is_signed(tmp_path, key_file, way):
    """By the variable for a whole class, or by the file's name in `begin`."""
    room = Classroom(EXERCISES, environ={"INDIMAIL_KIT_CLASS_KEY": str(key_file)} if way == "environment" else {})
    room.begin(learner="ann", class_key_file=None if way == "environment" else key_file)
    room.check("01.1", room.solution("01.1").answer)

    saved = document_of(room.progress("01").save(tmp_path / "ann.json"))

    assert judge_signature(saved, KEY)[0] is SignatureState.GOOD


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)
@given(name=st.text(st.characters(), max_size=20))
def test_any_name_can_be_signed(tmp_path, key_file, name):
    """Any script, lone surrogates too: what comes back from the file is what was signed."""
    room = Classroom(EXERCISES, environ={})
    saved = document_of(room.begin(learner=name, class_key_file=key_file).save(tmp_path / "p.json"))

    assert judge_signature(saved, KEY)[0] is SignatureState.GOOD


def test_a_signed_file_goes_on_signed(tmp_path, key_file):
    """Saved, resumed and saved again, it is good and says nothing more."""
    room = Classroom(EXERCISES, environ={})
    path = room.begin(learner="ann", class_key_file=key_file).save(tmp_path / "ann.json")
    saved = document_of(room.resume(path).save(path))

    assert (judge_signature(saved, KEY)[0], saved.get("goes_on_unsigned")) == (SignatureState.GOOD, None)


@pytest.mark.parametrize("kind", ["unsigned", "changed"])
def test_a_changed_file_cannot_be_made_good_by_resuming_it(tmp_path, key_file, kind):
    """What was saved behind it is signed again, and says for ever that it went on from a file that was not good."""
    room = Classroom(EXERCISES, environ={})
    if kind == "changed":
        room.begin(class_key_file=key_file)
    path = room.begin(learner="ann").save(tmp_path / "ann.json")
    path.write_text(path.read_text(encoding="utf-8").replace('"ann"', '"bob"'), encoding="utf-8")
    later = Classroom(EXERCISES, environ={"INDIMAIL_KIT_CLASS_KEY": str(key_file)})
    later.resume(later.resume(path).save(path))
    saved = document_of(later.progress().save(path))

    assert (judge_signature(saved, KEY)[0], saved["goes_on_unsigned"], saved["learner"]) == (
        SignatureState.GOOD,
        True,
        "bob",
    )


def test_a_class_key_that_is_not_there_is_told_at_the_beginning(tmp_path):
    """Before anybody has worked for an hour, with the file's name."""
    room = Classroom(EXERCISES, environ={"INDIMAIL_KIT_CLASS_KEY": str(tmp_path / "lost.key")})

    with pytest.raises(FileNotFoundError, match=r"lost\.key"):
        room.begin(learner="ann")


def test_one_form_whatever_the_layout():
    """The order of fields and the blanks between them do not count."""
    assert canonical({"b": [1, 2], "a": {"d": "ü", "c": None}}) == b'{"a":{"c":null,"d":"\\u00fc"},"b":[1,2]}'
