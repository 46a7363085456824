"""EVENTS -> the tables that are drawn from it: status lines, scans, SMTP sessions, AUTH attempts.

Rule 1: what is a column of EVENTS is taken from there; the few fields that are not (AUTH's user, TLS) are read from the
text by the grammar's own forms, a column at a time.
Rule 2: pandas and numpy are imported here and not before the first table is asked for.

Note for maintainers: a pid is used again, so a session is a pid between two lines "tcpserver: pid"; it ends with
"sigchild" or "end". Logs of several hosts in one table would mix their pids: make a table for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from indimail_kit.logs.grammar import FORMS
from indimail_kit.tables.frames import shape_frame
from indimail_kit.tables.log_schemas import AUTH_ATTEMPTS, SCANS, SESSIONS, STATUS
from indimail_kit.tables.schemas import EVENTS, require

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, Any]

VERDICTS: Final = {"clamd_scan_ok": "CLEAN", "clamd_scan_found": "INFECTED", "clamd_scan_error": "ERROR"}
"""Kind of line -> column `verdict`."""

STATUS_NUMBERS: Final = ("local_used", "local_max", "remote_used", "remote_max")
"""Columns of EVENTS that status lines fill."""

_STARTS: Final = ("tcpserver_pid",)
_ENDS: Final = ("tcpserver_sigchild", "tcpserver_end")
_REJECTED: Final = ("smtpd_relay_denied", "smtpd_bad_domain", "smtpd_invalid", "smtpd_too_big", "smtpd_banned")
_MESSAGE: Final = ("smtpd_accepted", "smtpd_refused")
_FAILED: Final = "smtpd_auth_failure"
_WRONG_PASSWORD: Final = ("1", "2")
"""Exit codes of the password checker that mean: not this password. Source: smtpd.c smtp_auth()."""

_AUTH_USER: Final = r"\A(?P<auth_user>.*): AUTH [^:]*(?:: local-rcpt)?\Z"
"""In the field `auth` of an accepted message: user and mechanism. Source: smtpd.c log_trans()."""


def status_frame(events: pd.DataFrame) -> pd.DataFrame:
    """Return the table STATUS, one row for each status line of EVENTS."""
    require(events, EVENTS, "time", "kind", "queue", *STATUS_NUMBERS)
    lines = events[events["kind"] == "status"]
    numbers = {name: lines[name].fillna(0) for name in STATUS_NUMBERS}
    return shape_frame(STATUS, {"time": lines["time"], "queue": lines["queue"], **numbers, "event": lines.index})


def scans_frame(events: pd.DataFrame) -> pd.DataFrame:
    """Return the table SCANS, one row for each file or stream that clamd tells of in EVENTS."""
    require(events, EVENTS, "time", "kind", "path", "queue", "message_number", "signature")
    lines = events[events["kind"].isin(VERDICTS)]
    return shape_frame(
        SCANS,
        {name: lines[name] for name in ("time", "path", "queue", "message_number", "signature")}
        | {"verdict": lines["kind"].map(VERDICTS), "event": lines.index},
    )


def sessions_frame(events: pd.DataFrame) -> pd.DataFrame:
    """Return the table SESSIONS, one row for each connection that EVENTS tells of."""
    lines = _session_lines(events)
    kind = lines["kind"]
    counted = {
        "wrong_passwords": lines["auth_result"] == "wrong_password",
        "accepted": kind == "smtpd_accepted",
        "refused": kind == "smtpd_refused",
        "rejected": kind.isin(_REJECTED),
        "is_denied": kind == "tcpserver_deny",
        "has_success": lines["auth_result"] == "success",
    }
    told = {
        "started_at": lines["time"].where(kind.isin(_STARTS)),
        "ended_at": lines["time"].where(kind.isin(_ENDS)),
        "qp": lines["qp"].where(kind == "smtpd_refused"),
    }
    sessions = lines.assign(**counted, **told, event=lines.index).groupby("session", sort=True)
    first = sessions[["pid", "pid_lifetime", "remote_ip", "started_at", "ended_at"]].first()
    last = sessions[["tls", "auth_user", "auth_result", "qp"]].last()
    counts = sessions[list(counted)].sum()
    ends = sessions["event"].agg(["min", "max"]).set_axis(["first_event", "last_event"], axis=1)
    table = first.join(last).join(counts).join(ends).sort_values("first_event")
    table["auth_result"] = table["auth_result"].mask(table["has_success"] > 0, "success")
    return shape_frame(SESSIONS, table)


def auth_frame(events: pd.DataFrame) -> pd.DataFrame:
    """Return the table AUTH_ATTEMPTS: each AUTH that failed, and each user of a session that sent mail after AUTH."""
    lines = _session_lines(events)
    attempts = lines[lines["auth_result"].notna()]
    is_again = (attempts["auth_result"] == "success") & attempts.duplicated(["session", "auth_user", "auth_result"])
    attempts = attempts[~is_again]
    users = attempts["auth_user"].fillna("")
    return shape_frame(AUTH_ATTEMPTS, attempts.assign(auth_user=users, event=attempts.index).sort_values("event"))


def _session_lines(events: pd.DataFrame) -> pd.DataFrame:
    """Return the lines that belong to sessions, with the number of their session and what they say of AUTH and TLS."""
    import numpy as np

    require(events, EVENTS, "time", "kind", "pid", "qp", "remote_ip", "text")
    kinds = events["kind"]
    is_told = (kinds.str.startswith("smtpd_") | kinds.str.startswith("tcpserver_")) & (kinds != "tcpserver_start")
    lines = events.loc[is_told & events["pid"].notna(), ["time", "kind", "pid", "qp", "remote_ip", "text"]]
    lines = lines.iloc[np.argsort(lines["pid"].to_numpy("int64"), kind="stable")]
    pid, is_end = lines["pid"].to_numpy("int64"), lines["kind"].isin(_ENDS).to_numpy()
    is_first = np.append(True, pid[1:] != pid[:-1])[: len(pid)]
    follows_end = np.append(False, is_end[:-1])[: len(pid)] & ~is_end
    is_new = is_first | lines["kind"].isin(_STARTS).to_numpy() | follows_end
    session = np.cumsum(is_new)
    lines = lines.assign(session=session, pid_lifetime=session - _first_of(session, is_first) + 1)
    return lines.join(_auth_of(lines))


def _first_of(numbers: Array, is_first: Array) -> Array:
    """Return for each row the number of the first row of its stretch."""
    import numpy as np

    starts = np.flatnonzero(is_first)
    return np.repeat(numbers[starts], np.diff(np.append(starts, len(numbers))))


def _auth_of(lines: pd.DataFrame) -> pd.DataFrame:
    """Return what the lines say of AUTH's user and result, and of TLS."""
    import pandas as pd

    failed = fields_of(lines, _FAILED, "auth_user", "auth_status", "tls")
    status = failed.pop("auth_status")
    failed["auth_result"] = status.isin(_WRONG_PASSWORD).map({True: "wrong_password", False: "error"})
    parts = [failed, fields_of(lines, "smtpd_tls", "tls")]
    for kind in _MESSAGE:
        message = fields_of(lines, kind, "auth", "tls")
        message["auth_user"] = message.pop("auth").str.extract(_AUTH_USER, expand=False)
        message["auth_result"] = message["auth_user"].notna().map({True: "success", False: None})
        parts.append(message)
    names = ["auth_user", "auth_result", "tls"]
    return pd.concat([part.reindex(columns=names).astype("str") for part in parts]).reindex(lines.index)


def fields_of(lines: pd.DataFrame, kind: str, *names: str) -> pd.DataFrame:
    """Return fields that the lines of one kind have and EVENTS has not, read by the grammar's forms of that kind.

    Args:
        lines: Rows of EVENTS; of other kinds too.
        kind: Kind of the lines that are asked.
        names: Fields, see `logs.fields`.

    Returns:
        str columns with these names, one row for each line of the kind, index as given; null where a line lacks it.
    """
    import re

    import pandas as pd

    rows = lines.index[lines["kind"] == kind]
    texts, parts = lines.loc[rows, "text"], []
    for form in FORMS.values():
        if form.kind == kind:
            pattern = rf"\A(?:{form.pattern.pattern.decode('latin-1')})\Z"
            said = texts.str.extract(pattern, flags=re.DOTALL)
            is_this = said[form.field_names[0]].notna()
            parts.append(said[is_this].reindex(columns=list(names)).astype("str"))
            texts = texts[~is_this]
    found: pd.DataFrame = pd.concat(parts).reindex(rows)
    return found
