"""EVENTS -> status lines, scans, SMTP sessions, AUTH attempts."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from indimail_kit.errors import SchemaError
from indimail_kit.lab.demo_logs import DemoLogs
from indimail_kit.logs import Log, read
from indimail_kit.tables.event_frames import auth_frame, fields_of, scans_frame, sessions_frame, status_frame
from indimail_kit.tables.log_schemas import AUTH_ATTEMPTS, LOG_TABLES, SCANS, SESSIONS, STATUS
from indimail_kit.tables.schemas import Table

MAKERS = [
    pytest.param(STATUS, status_frame, id="status"),
    pytest.param(SCANS, scans_frame, id="scans"),
    pytest.param(SESSIONS, sessions_frame, id="sessions"),
    pytest.param(AUTH_ATTEMPTS, auth_frame, id="auth attempts"),
]

Maker = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="session")
def everything(day: DemoLogs) -> pd.DataFrame:
    """EVENTS of all three logs of a day."""
    return read(day.send, day.smtpd, day.clamd).events


@pytest.mark.parametrize(("table", "maker"), MAKERS)
def test_a_drawn_table_has_its_shape_with_rows_and_without(
    table: Table, maker: Maker, everything: pd.DataFrame
) -> None:
    """Columns, dtypes, index and key are those of the schema; an empty table is like a full one."""
    full, empty = maker(everything), maker(everything[:0])
    table.check(full)
    assert tuple(full.columns) == table.names
    assert not full.empty
    assert not full.duplicated(list(table.key)).any()
    assert empty.empty
    pd.testing.assert_series_equal(empty.dtypes, full.dtypes)
    assert type(empty.index) is type(full.index) is pd.RangeIndex


@pytest.mark.parametrize(("table", "maker"), MAKERS)
def test_a_frame_that_is_no_log_is_refused(table: Table, maker: Maker) -> None:
    """What is not EVENTS is named with the column that it lacks."""
    with pytest.raises(SchemaError, match="EVENTS without the column"):
        maker(pd.DataFrame({"kind": pd.Series(dtype="str")}))


@pytest.mark.parametrize("table", LOG_TABLES, ids=lambda table: table.name)
def test_every_column_tells_its_meaning(table: Table) -> None:
    """Meaning, null rule and source are there; numbers that have a unit name it."""
    assert all(column.meaning and column.null and column.source for column in table.columns)


def test_status_lines_are_rows(three_queues: Log) -> None:
    """As many as the log has, with their numbers and queues."""
    status = status_frame(three_queues.events)
    assert len(status) == three_queues.kinds["status"]
    first = status.iloc[0]
    assert tuple(first[["queue", "local_used", "local_max", "remote_used", "remote_max"]]) == ("queue3", 0, 20, 0, 20)
    assert three_queues.events["text"][first["event"]] == "status: local 0/20 remote 0/20 queue3"


def test_scans_have_verdicts(day: DemoLogs) -> None:
    """Each scan of the day, the infected ones with their signature, and the message that the path names."""
    scans = scans_frame(read(day.clamd).events)
    assert len(scans) == len(day.clamd.splitlines())
    assert (scans["verdict"] == "INFECTED").sum() == day.clamd.count(b" FOUND\n")
    assert scans["signature"].notna().equals(scans["verdict"] == "INFECTED")
    assert scans["message_number"].notna().all()


def test_what_clamd_cannot_read_is_an_error() -> None:
    """Neither clean nor infected."""
    scans = scans_frame(read(b"WARNING: File path check failure on: /nonexist\n/a/b: OK\n").events)
    assert scans[["path", "verdict"]].to_numpy().tolist() == [["/nonexist", "ERROR"], ["/a/b", "CLEAN"]]


def test_each_recorded_connection_is_a_session(smtpd: Log) -> None:
    """As many sessions as tcpserver says "pid", each with a start, an end and an address."""
    sessions = sessions_frame(smtpd.events)
    assert len(sessions) == smtpd.kinds["tcpserver_pid"]
    assert sessions["started_at"].notna().all()
    assert sessions["ended_at"].notna().all()
    assert (sessions["ended_at"] >= sessions["started_at"]).all()
    assert sessions["remote_ip"].notna().all()
    assert sessions["is_denied"].sum() == smtpd.kinds["tcpserver_deny"]
    assert sessions["rejected"].sum() == smtpd.kinds["smtpd_bad_domain"]
    assert sessions["first_event"].is_monotonic_increasing


def test_a_session_tells_auth_and_tls(smtpd: Log) -> None:
    """Users, results and TLS as the lines have them."""
    sessions = sessions_frame(smtpd.events)
    with_auth = sessions[sessions["auth_result"].notna()]
    assert with_auth["auth_result"].value_counts().to_dict() == {"error": 14, "wrong_password": 11}
    assert with_auth.iloc[0][["pid", "auth_user", "wrong_passwords"]].tolist() == [3573, "test@local.test", 1]
    assert sessions["tls"].value_counts().to_dict() == {"No": 25, "TLSv1.3": 1}


def test_auth_codes_are_told_apart(smtpd: Log) -> None:
    """Exit 1 and 2 of the checker are a wrong password; qmail-smtpd's negative numbers are errors."""
    attempts = auth_frame(smtpd.events)
    codes = smtpd.events["text"][attempts["event"]].str.extract(r"status=\[(-?\d+)\]", expand=False)
    found = sorted(set(zip(codes, attempts["auth_result"], strict=True)))
    assert found == [
        ("-1", "error"), ("-2", "error"), ("-3", "error"), ("1", "wrong_password"), ("2", "wrong_password"),
    ]  # fmt: skip


SMTPD = b"qmail-smtpd: pid 7 from 192.0.2.9 "
LET_IN = SMTPD + b" HELO <h> MAIL from <a@example.com> RCPT <b@example.com> AUTH <%s> Size: 5 TLS=TLSv1.3\n"


def test_a_pid_that_comes_again_is_another_session() -> None:
    """With start and end, with an end that got lost, and with a start that got lost."""
    log = read(
        b"tcpserver: pid 7 from 192.0.2.1\n"
        b"tcpserver: status: 0/30 sigchild, pid=7\n"
        b"tcpserver: end 7 status 0\n"
        b"tcpserver: pid 7 from 192.0.2.2\n"
        b"tcpserver: pid 7 from 192.0.2.3\n"
        b"tcpserver: end 7 status 0\n" + LET_IN % b"local-rcpt"
    )
    sessions = sessions_frame(log.events)
    assert sessions[["pid", "pid_lifetime", "remote_ip", "first_event", "last_event"]].to_numpy().tolist() == [
        [7, 1, "192.0.2.1", 0, 2],
        [7, 2, "192.0.2.2", 3, 3],
        [7, 3, "192.0.2.3", 4, 5],
        [7, 4, "192.0.2.9", 6, 6],
    ]


@pytest.mark.parametrize(
    ("auth", "user", "result"),
    [
        (b"ann@example.com: AUTH PLAIN", "ann@example.com", "success"),
        (b"ann@example.com: AUTH CRAM-MD5: local-rcpt", "ann@example.com", "success"),
        (b"a: AUTH b: AUTH LOGIN", "a: AUTH b", "success"),
        (b"local-rcpt", None, None),
        (b"auth-ip/pop", None, None),
    ],
)
def test_an_accepted_message_tells_who_logged_in(auth: bytes, user: str | None, result: str | None) -> None:
    """The user stands before the mechanism; without AUTH there is none."""
    session = sessions_frame(read(LET_IN % auth).events).iloc[0]
    assert [None if pd.isna(cell) else cell for cell in session[["auth_user", "auth_result"]]] == [user, result]
    assert (session["accepted"], session["tls"]) == (1, "TLSv1.3")


def test_a_login_counts_once_however_many_recipients() -> None:
    """A line for each recipient, one attempt; a failure before it stays one."""
    failure = SMTPD + b" AUTH USER [ann@example.com] status=[1] AUTH Unknown  TLS=No auth failure\n"
    events = read(failure + 3 * (LET_IN % b"ann@example.com: AUTH PLAIN")).events
    assert auth_frame(events)["auth_result"].tolist() == ["wrong_password", "success"]
    session = sessions_frame(events).iloc[0]
    assert session[["auth_result", "wrong_passwords", "accepted"]].tolist() == ["success", 1, 3]


def test_a_virus_is_a_refusal_with_its_qp() -> None:
    """qmail-queue's pid is told for what it refused."""
    line = (
        b"qmail-smtpd: pid 5301 from 127.0.0.1 qq message contains virus (#5.7.1) (permanent): HELO <[127.0.0.1]>"
        b" MAIL from <test@local.test> RCPT <alice@local.test> AUTH <local-rcpt> Size: 555 TLS=No qp 5303\n"
    )
    session = sessions_frame(read(line).events).iloc[0]
    assert session[["refused", "accepted", "qp"]].tolist() == [1, 0, 5303]


def test_hostile_names_stay_in_their_cells() -> None:
    """A user name with brackets, blanks, another session's words and octets that are no UTF-8."""
    name = b"] status=[0] AUTH \x1b[2J pid 9 <b>\xff"
    events = read(SMTPD + b" AUTH USER [" + name + b"] status=[1] AUTH Unknown  TLS=No auth failure\n").events
    attempts = auth_frame(events)
    assert attempts[["pid", "auth_user", "auth_result"]].to_numpy().tolist() == [
        [7, "] status=[0] AUTH \x1b[2J pid 9 <b>\\xff", "wrong_password"]
    ]


def test_fields_are_read_by_every_form_of_a_kind() -> None:
    """Today's and 2010's wording of one statement both tell `auth`."""
    today = LET_IN % b"local-rcpt"
    of_2010 = b"qmail-smtpd: pid 8 from 192.0.2.1 HELO <h> MAIL from <a@b> RCPT <c@d> AUTH <auth-ip/pop> Size: 7330\n"
    events = read(today + of_2010).events
    found = fields_of(events, "smtpd_accepted", "auth", "tls")
    assert found["auth"].tolist() == ["local-rcpt", "auth-ip/pop"]
    assert found["tls"].isna().tolist() == [False, True]
