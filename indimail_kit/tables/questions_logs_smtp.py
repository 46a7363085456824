"""Who knocks at the door: passwords that are guessed, and viruses.

Rule 1: as in `questions_logs_mail`: whole columns, no loop over rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from indimail_kit.errors import SchemaError
from indimail_kit.tables.frames import shape_frame
from indimail_kit.tables.log_answers import GUESSES, SIGNATURES, VIRUS_RATE
from indimail_kit.tables.log_schemas import AUTH_ATTEMPTS, SCANS
from indimail_kit.tables.questions_logs_time import span_ns, spans_of, unix_ns
from indimail_kit.tables.schemas import require

if TYPE_CHECKING:
    import pandas as pd

MIN_STRANGERS: Final = 5
"""Users that fail from one address, and never succeed from there, for it to be called guessing."""

_EXAMPLES: Final = 5


def auth_failures(attempts: pd.DataFrame, *, min_strangers: int = MIN_STRANGERS) -> pd.DataFrame:
    """Tell from which addresses AUTH failed, and who guesses passwords.

    Who guesses tries many users from one address, and none of them ever sends mail from there. Who forgot a password
    tries one user many times; and behind the address of an office some users fail, yet they send mail, too.

    Args:
        attempts: The table AUTH_ATTEMPTS.
        min_strangers: Users that failed and never succeeded, for `is_guessing`.

    Returns:
        The table GUESSES; addresses without a failure have no row.

    Raises:
        SchemaError: A column is missing, or `min_strangers` is below 1.
    """
    if min_strangers < 1:
        raise SchemaError(f"{min_strangers} strangers; expected 1 or more")
    require(attempts, AUTH_ATTEMPTS, *AUTH_ATTEMPTS.names)
    is_success = attempts["auth_result"] == "success"
    logins, failures = attempts[is_success], attempts[~is_success]
    wrong = failures[failures["auth_result"] == "wrong_password"]
    named = wrong.drop_duplicates(["remote_ip", "auth_user"])
    known = logins[["remote_ip", "auth_user"]].drop_duplicates().assign(is_known=True)
    strangers = named.merge(known, on=["remote_ip", "auth_user"], how="left")
    strangers = strangers[strangers["is_known"].isna()]

    by_address = failures.assign(
        wrong_passwords=failures["auth_result"] == "wrong_password", errors=failures["auth_result"] == "error"
    ).groupby("remote_ip", sort=False)
    table = by_address[["wrong_passwords", "errors"]].sum()
    table["first_at"], table["last_at"] = by_address["time"].min(), by_address["time"].max()
    session = ["remote_ip", "pid", "pid_lifetime"]
    counted = {
        "sessions": failures.drop_duplicates(session),
        "users": named,
        "strangers": strangers,
        "logins": logins.drop_duplicates(session),
    }
    for name, rows in counted.items():
        table[name] = rows["remote_ip"].value_counts().reindex(table.index, fill_value=0)
    some = named[named["auth_user"] != ""].groupby("remote_ip", sort=False).head(_EXAMPLES)
    examples = some.groupby("remote_ip", sort=False)["auth_user"].agg(", ".join)
    table["examples"] = examples.reindex(table.index).fillna("")
    table["is_guessing"] = table["strangers"] >= min_strangers
    order = ["is_guessing", "wrong_passwords", "errors"]
    return shape_frame(GUESSES, table.reset_index().sort_values(order, ascending=False, kind="stable"))


def virus_rate(scans: pd.DataFrame, *, every: str | None = None) -> pd.DataFrame:
    """Tell how much of what was scanned is infected, span by span or as a whole.

    Args:
        scans: The table SCANS.
        every: Length of a span as pandas writes it ("1h", "1D"); without it, one row for the whole table.

    Returns:
        The table VIRUS_RATE. Where clamd does not log clean scans the share is unknown, not 100 %.

    Raises:
        SchemaError: A column is missing, `every` is no length of time, or the spans are too many.
    """
    import numpy as np
    import pandas as pd

    require(scans, SCANS, "time", "verdict")
    knows_clean = bool((scans["verdict"] == "CLEAN").any())
    if every is None:
        rows = np.zeros(len(scans), dtype="int64")
        starts = pd.Series([scans["time"].min()], dtype="datetime64[ns, UTC]")
    else:
        scans = scans[scans["time"].notna()]
        length, times = span_ns(every), unix_ns(scans["time"])
        edges = spans_of(times, length)
        rows = (times - edges[0]) // length if len(edges) else times
        starts = pd.Series(pd.to_datetime(edges[:-1], unit="ns", utc=True))
    counts = {
        name: np.bincount(rows[(scans["verdict"] == verdict).to_numpy()], minlength=len(starts))
        for name, verdict in (("clean", "CLEAN"), ("infected", "INFECTED"), ("errors", "ERROR"))
    }
    known = counts["clean"] + counts["infected"]
    share = np.divide(counts["infected"], known, out=np.full(len(starts), np.nan), where=(known > 0) & knows_clean)
    columns = counts | {"time": starts, "scans": known + counts["errors"], "infected_share": share}
    return shape_frame(VIRUS_RATE, columns)


def signatures(scans: pd.DataFrame) -> pd.DataFrame:
    """Tell which signatures were found, and how often: the table SIGNATURES.

    Raises:
        SchemaError: A column is missing.
    """
    require(scans, SCANS, "time", "verdict", "signature")
    found = scans[scans["verdict"] == "INFECTED"]
    grouped = found.assign(scans=1, name=found["signature"].fillna("")).groupby("name", sort=False)
    table = grouped[["scans"]].sum()
    table["first_at"], table["last_at"] = grouped["time"].min(), grouped["time"].max()
    table = table.reset_index(names="signature").sort_values("scans", ascending=False, kind="stable")
    return shape_frame(SIGNATURES, table)
