"""Who knocks at the door."""

from __future__ import annotations

import math
from collections import Counter

import pandas as pd
import pytest

from indimail_kit.errors import SchemaError
from indimail_kit.lab.demo_logs import DemoLogs
from indimail_kit.logs import Log, read
from indimail_kit.tables import auth_frame, scans_frame
from indimail_kit.tables.log_answers import GUESSES, SIGNATURES, VIRUS_RATE
from indimail_kit.tables.questions import auth_failures, signatures, virus_rate


def failure(address: str, user: str, status: int = 1, pid: int = 7) -> bytes:
    """Return the line of an AUTH that failed."""
    return (
        f"qmail-smtpd: pid {pid} from {address}  AUTH USER [{user}] status=[{status}] AUTH Unknown  TLS=No"
        " auth failure\n"
    ).encode()


def login(address: str, user: str, pid: int = 7) -> bytes:
    """Return the line of a message that came after AUTH."""
    return (
        f"qmail-smtpd: pid {pid} from {address}  HELO <h> MAIL from <{user}> RCPT <x@example.com>"
        f" AUTH <{user}: AUTH PLAIN> Size: 5 TLS=No\n"
    ).encode()


def test_who_guesses_stands_out_of_a_day(day: DemoLogs) -> None:
    """The address that tried passwords at night comes first, and is the only one that is called guessing."""
    found = auth_failures(auth_frame(read(day.smtpd).events))
    GUESSES.check(found)
    assert found["remote_ip"][0] == day.guesser
    assert found.loc[found["is_guessing"], "remote_ip"].tolist() == [day.guesser]
    assert found["wrong_passwords"].sum() == day.smtpd.count(b"status=[1]")


def test_a_forgetful_user_is_no_guesser() -> None:
    """One user, forty attempts; and who guesses, five users with one attempt each."""
    events = read(
        40 * failure("192.0.2.1", "ann@example.com")
        + b"".join(failure("203.0.113.9", f"{name}@example.com") for name in ("a", "b", "c", "d", "e"))
    ).events
    found = auth_failures(auth_frame(events)).set_index("remote_ip")
    assert found["is_guessing"].to_dict() == {"203.0.113.9": True, "192.0.2.1": False}
    assert found[["wrong_passwords", "users", "strangers"]].to_numpy().tolist() == [[5, 5, 5], [40, 1, 1]]
    assert found["examples"].iloc[0] == "a@example.com, b@example.com, c@example.com, d@example.com, e@example.com"


def test_an_office_is_no_guesser() -> None:
    """Six users behind one address mistype, and send mail all the same: nobody of them is a stranger."""
    users = [f"user{number}@example.com" for number in range(6)]
    log = read(b"".join(failure("192.0.2.1", user) + login("192.0.2.1", user) for user in users))
    found = auth_failures(auth_frame(log.events)).iloc[0]
    assert found[["users", "strangers", "is_guessing", "sessions", "logins"]].tolist() == [6, 0, False, 1, 1]


def test_the_limit_is_the_askers() -> None:
    """Both sides of the least number of strangers."""
    attempts = auth_frame(read(b"".join(failure("192.0.2.1", name) for name in "abc")).events)
    assert auth_failures(attempts, min_strangers=3)["is_guessing"].tolist() == [True]
    assert auth_failures(attempts, min_strangers=4)["is_guessing"].tolist() == [False]
    with pytest.raises(SchemaError, match="expected 1 or more"):
        auth_failures(attempts, min_strangers=0)


def test_who_only_logs_in_has_no_row() -> None:
    """Successes alone are no failures."""
    assert auth_failures(auth_frame(read(login("192.0.2.1", "ann@example.com")).events)).empty


def test_errors_are_no_guesses(smtpd: Log) -> None:
    """What was refused, broken off or not checked is counted apart."""
    found = auth_failures(auth_frame(smtpd.events)).iloc[0]
    assert found[["wrong_passwords", "errors", "users"]].tolist() == [11, 14, 4]


def test_the_virus_rate_of_a_day_is_that_of_its_lines(day: DemoLogs) -> None:
    """Infected among what was scanned, as a whole and hour by hour."""
    scans = scans_frame(read(day.clamd).events)
    whole, hours = virus_rate(scans), virus_rate(scans, every="1h")
    VIRUS_RATE.check(hours)
    infected, lines = day.clamd.count(b" FOUND\n"), len(day.clamd.splitlines())
    assert infected > 0
    assert whole[["scans", "infected", "errors"]].to_numpy().tolist() == [[lines, infected, 0]]
    assert whole["infected_share"][0] == infected / lines
    assert (hours["scans"].sum(), hours["infected"].sum()) == (lines, infected)
    assert list(hours["time"].diff().dropna().unique()) == [pd.Timedelta("1h")]


def test_without_clean_lines_the_rate_is_unknown() -> None:
    """Clamd without LogClean tells of viruses only: that is not a rate of 100 %."""
    scans = scans_frame(read(b"/a/b: Eicar-Test-Signature FOUND\n").events)
    found = virus_rate(scans).iloc[0]
    assert found[["scans", "clean", "infected"]].tolist() == [1, 0, 1]
    assert math.isnan(found["infected_share"])


def test_an_error_is_neither_clean_nor_infected() -> None:
    """Nobody knows; so it is not in the share."""
    log = read(b"/a/b: OK\n/a/c: X FOUND\nWARNING: File path check failure on: /a/d\n")
    found = virus_rate(scans_frame(log.events)).iloc[0]
    assert found[["scans", "clean", "infected", "errors", "infected_share"]].tolist() == [3, 1, 1, 1, 0.5]


def test_signatures_are_counted() -> None:
    """The most frequent first."""
    log = read(b"/a/b: X FOUND\n/a/c: Y FOUND\n/a/d: Y FOUND\n/a/e: OK\n")
    found = signatures(scans_frame(log.events))
    SIGNATURES.check(found)
    assert dict(zip(found["signature"], found["scans"], strict=True)) == Counter({"Y": 2, "X": 1})
    assert found["signature"].tolist() == ["Y", "X"]


def test_answers_about_the_door_have_their_shape_without_rows(day: DemoLogs) -> None:
    """Columns and dtypes of empty answers are those of full ones; no scan at all is a row of zeros."""
    scans, attempts = scans_frame(read(day.clamd).events), auth_frame(read(day.smtpd).events)
    for full, empty in (
        (virus_rate(scans, every="1h"), virus_rate(scans[:0], every="1h")),
        (signatures(scans), signatures(scans[:0])),
        (auth_failures(attempts), auth_failures(attempts[:0])),
    ):
        pd.testing.assert_series_equal(empty.dtypes, full.dtypes)
        assert empty.empty
    assert virus_rate(scans[:0])[["scans", "infected"]].to_numpy().tolist() == [[0, 0]]
