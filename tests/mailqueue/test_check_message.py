"""The invariants of one message: every set of files is decided, and each rule is broken by exactly its own fault."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from indimail_kit.errors import QueueError
from indimail_kit.mailqueue import (
    KINDS,
    RULES,
    MessageFiles,
    QueueFile,
    QueueLayout,
    QueueState,
    Violation,
    check_message,
)
from indimail_kit.mailqueue.check_message import CLOCK_SLACK_S, check_kinds

LAYOUT = QueueLayout(Path("/var/indimail/queue/queue1"))
NUMBER = 660188
NOW_S = 1_795_356_840
HOUR_S = 3600
ALL_SETS = [frozenset(kinds) for size in range(len(KINDS) + 1) for kinds in itertools.combinations(KINDS, size)]
OWNERS = {"qmailq": (201, 200), "qmails": (202, 200)}
RECORDS = {"todo": b"u0\0p1\0Fa@b\0Tc@d\0", "info": b"Fa@b\0", "local": b"Tc@d\0", "remote": b"De@f\0"}


def fitting(pattern: str) -> list[frozenset[str]]:
    """Return the sets of files of a pattern."""
    return [
        kinds
        for kinds in ALL_SETS
        if all(sign == "?" or (sign == "+") == (kind in kinds) for kind, sign in zip(KINDS, pattern, strict=True))
    ]


BY_HAND = {
    "S1": fitting("-------"),
    "S2": fitting("+------"),
    "S3": fitting("++-----"),
    "S4": fitting("+?+???-"),
    "S5": fitting("+--+???"),
    "todo-without-mess": fitting("-?+????"),
    "without-mess": [kinds for kinds in fitting("-?-????") if kinds],
    "bounce-before-info": fitting("+?+???+"),
    "intd-without-todo": fitting("++-+???"),
    "without-info": [kinds for kinds in fitting("+?--???") if kinds - {"mess", "intd"}],
}
"""Our reading of INTERNALS: which sets of files are what."""


def file(kind: str, **changes: object) -> QueueFile:
    """Return a file as qmail would have made it an hour ago."""
    whole = QueueFile(
        kind=kind,
        path=LAYOUT.relative(kind, NUMBER),
        inode=NUMBER if kind == "mess" else {"intd": 5, "todo": 5}.get(kind, 6 + KINDS.index(kind)),
        links=2 if kind in ("intd", "todo") else 1,
        size_bytes=len(RECORDS.get(kind, b"Subject: hi\n\n")),
        mode=0o644 if kind in ("mess", "intd", "todo") else 0o600,
        uid=OWNERS["qmailq" if kind in ("mess", "intd", "todo") else "qmails"][0],
        gid=200,
        mtime_ns=(NOW_S - HOUR_S) * 10**9,
        atime_ns=(NOW_S - HOUR_S) * 10**9,
        ctime_ns=(NOW_S - HOUR_S) * 10**9,
        content=RECORDS.get(kind, RECORDS["todo"] if kind == "intd" else b"Subject: hi\n\n"),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]  # field names and values are the test's


def message(*files: QueueFile, unread: tuple[tuple[str, str], ...] = ()) -> MessageFiles:
    """Return a message of these files."""
    state, _, _ = check_kinds({one.kind for one in files})
    return MessageFiles("queue1", NUMBER, files, state, None, (), (), unread)


def rules(found: MessageFiles, now_s: int = NOW_S) -> list[str]:
    """Return the rules that a message breaks."""
    return [violation.rule for violation in check_message(LAYOUT, found, now_s=now_s, owners=OWNERS)]


S4 = (file("mess"), file("intd"), file("todo"))
S5 = (file("mess"), file("info"), file("local"), file("remote"), file("bounce"))


# --- sets of files --------------------------------------------------------------------------------------------------


def test_every_set_of_files_is_decided_once() -> None:
    """2^7 = 128 sets, none in two rows and none forgotten."""
    assert sorted(map(sorted, itertools.chain(*BY_HAND.values()))) == sorted(map(sorted, ALL_SETS))


@pytest.mark.parametrize("kinds", ALL_SETS, ids=lambda kinds: "+".join(sorted(kinds)) or "nothing")
def test_set_of_files_is_a_state_or_breaks_a_rule(kinds: frozenset[str]) -> None:
    """All 128: the state, or the rule that explains why there is none; the file that shows it is there."""
    state, rule, shown = check_kinds(kinds)
    (expected,) = [name for name, sets in BY_HAND.items() if kinds in sets]
    assert (state.name if state else rule) == expected
    assert (state is None) == (shown in kinds)


@pytest.mark.parametrize("kinds", ALL_SETS, ids=lambda kinds: "+".join(sorted(kinds)) or "nothing")
def test_message_with_a_state_breaks_no_rule_and_another_one_rule(kinds: frozenset[str]) -> None:
    """Files that are all as they should be: only the set of them can be wrong, and it is said once."""
    links = 2 if {"intd", "todo"} <= kinds else 1
    files = (file(kind, links=links) if kind in ("intd", "todo") else file(kind) for kind in KINDS if kind in kinds)
    assert len(rules(message(*files))) == (check_kinds(kinds)[0] is None)


def test_text_names_what_is_there_and_what_is_not() -> None:
    """With the number, for a person."""
    (violation,) = check_message(LAYOUT, message(file("mess"), file("intd"), file("info")), now_s=NOW_S)
    assert violation == Violation(
        "queue1",
        f"intd/16/{NUMBER}",
        "intd-without-todo",
        f"message {NUMBER} has mess, info and intd, but no todo",
        NUMBER,
    )


def test_kind_that_no_queue_has_is_refused() -> None:
    """A misspelt kind does not become a rule."""
    with pytest.raises(QueueError):
        check_kinds({"mess", "pid"})


def test_rule_that_is_not_in_the_table_is_refused() -> None:
    """Nobody could look it up."""
    with pytest.raises(QueueError):
        Violation("queue1", "mess/16/660188", "odd", "text")


def test_every_rule_is_explained() -> None:
    """A sentence that ends."""
    assert [rule for rule, why in RULES.items() if not why.endswith(".") or len(why) < 40] == []


def test_violation_explains_itself() -> None:
    """For a tooltip."""
    assert Violation("queue1", "todo/16/660188", "todo-without-mess", "text").why == RULES["todo-without-mess"]


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "files", [(), S4, S5, S4[:1], S4[:2], S4[:1] + S4[2:]], ids=["S1", "S4", "S5", "S2", "S3", "S4-"]
)
def test_message_as_qmail_makes_it_breaks_no_rule(files: tuple[QueueFile, ...]) -> None:
    """An hour old, with all its attributes; intd may be gone already in S4."""
    files = tuple(replace(one, links=1) if len(files) == 2 and one.kind != "mess" else one for one in files)
    assert rules(message(*files)) == []


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ((file("mess", inode=7), *S4[1:]), ["inode-differs"]),
        ((*S4[:2], file("todo", inode=99)), ["two-envelopes"]),
        ((file("mess", links=2), *S4[1:]), ["extra-link"]),
        ((file("mess"), file("intd", links=3), file("todo", links=3)), ["extra-link", "extra-link"]),
        ((file("mess"), file("todo", links=2)), ["extra-link"]),
        ((file("mess"), file("info", links=2)), ["extra-link"]),
        ((file("mess"), file("info", mode=0o644)), ["wrong-mode"]),
        ((file("mess", mode=0o600), *S4[1:]), ["wrong-mode"]),
        ((file("mess"), file("info", uid=0)), ["wrong-owner"]),
        ((file("mess", gid=0), *S4[1:]), ["wrong-owner"]),
        ((file("mess"), file("info", is_regular=False, content=b"")), ["not-regular"]),
        ((file("mess", size_bytes=0, content=b""), *S4[1:]), ["empty-mess"]),
        ((file("mess"), file("info", size_bytes=0, content=b"")), ["no-sender"]),
        ((*S4[:2], file("todo", content=b"u0\0p1\0")), ["no-sender"]),
        ((*S4[:2], file("todo", content=b"u0\0p1\0Fa@b\0Tc")), ["unfinished-record"]),
        ((*S4[:2], file("todo", content=b"u0\0p1\0Fa@b\0Xc\0")), ["unknown-record"]),
        ((file("mess"), file("info"), file("local", content=b"Xc\0")), ["unknown-record"]),
        ((file("mess"), file("info"), file("remote", content=b"Tc")), ["unfinished-record"]),
        ((file("mess"), file("info"), file("remote", is_truncated=True)), ["unreadable"]),
        ((file("mess"), file("info", mtime_ns=(NOW_S + 600) * 10**9)), ["in-future"]),
        ((file("mess"), file("info"), file("local", mtime_ns=(NOW_S + 900_000) * 10**9)), ["in-future"]),
        ((file("mess"), file("info"), file("local", mtime_ns=(NOW_S + HOUR_S) * 10**9)), []),
    ],
)
def test_one_fault_breaks_one_rule(files: tuple[QueueFile, ...], expected: list[str]) -> None:
    """Nothing else is said of it; a retry in an hour is no fault."""
    assert rules(message(*files)) == expected


def test_message_that_is_being_written_may_have_two_names() -> None:
    """qmail-queue links pid to mess, then removes pid; and intd to todo."""
    assert rules(message(file("mess", links=2))) == []


@pytest.mark.parametrize("kind", ["info", "local", "remote"])
def test_file_that_is_being_preprocessed_may_be_half_written(kind: str) -> None:
    """As long as there is a todo, todo-proc writes them anew."""
    assert rules(message(*S4, file(kind, size_bytes=0, content=b"T"))) == []


def test_owners_are_looked_at_only_where_they_are_known() -> None:
    """A machine without IndiMail's users has nothing to compare with."""
    foreign = message(file("mess", uid=1000), file("info", uid=1000))
    assert check_message(LAYOUT, foreign, now_s=NOW_S) == ()


def test_file_that_cannot_be_read_is_said_and_not_guessed_about() -> None:
    """Intd could not be seen: no word of missing files."""
    found = message(file("info"), unread=(("mess/16/660188", "Permission denied"),))
    assert rules(found) == ["unreadable"]


@pytest.mark.parametrize(("age_s", "expected"), [(129_600, []), (129_601, ["ossified"])])
@pytest.mark.parametrize("files", [(file("mess"),), (file("mess"), file("intd", links=1))], ids=["S2", "S3"])
def test_message_that_nobody_writes_any_more_is_ossified(
    files: tuple[QueueFile, ...], age_s: int, expected: list[str]
) -> None:
    """Both sides of qmail-clean's 36 hours, by the access time of mess; the times of intd do not count."""
    mess = replace(files[0], atime_ns=(NOW_S - age_s) * 10**9)
    assert rules(message(mess, *files[1:])) == expected


@pytest.mark.parametrize("files", [S4, S5], ids=["S4", "S5"])
def test_queued_message_does_not_ossify(files: tuple[QueueFile, ...]) -> None:
    """It waits for as long as it takes."""
    mess = replace(files[0], atime_ns=0)
    assert rules(message(mess, *files[1:])) == []


@pytest.mark.parametrize(("ahead_s", "expected"), [(CLOCK_SLACK_S, []), (CLOCK_SLACK_S + 1, ["in-future"])])
def test_clock_may_be_a_little_behind(ahead_s: int, expected: list[str]) -> None:
    """Both sides of five minutes."""
    assert rules(message(file("mess", mtime_ns=(NOW_S + ahead_s) * 10**9))) == expected


def test_without_a_clock_nothing_is_said_about_time() -> None:
    """`read_message` has none."""
    assert check_message(LAYOUT, message(file("mess", atime_ns=0, mtime_ns=10**19)), now_s=None) == ()


def test_state_is_none_where_a_rule_is_broken() -> None:
    """And the other way round."""
    assert (check_kinds({"mess"})[0], check_kinds({"info"})[0]) == (QueueState.S2, None)
