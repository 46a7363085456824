"""The user table: IndiMail's columns in SQLite, errors without secrets, several threads."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indimail_kit.auth.accounts import UserTable, split_address
from indimail_kit.auth.stored import NO_RELAY, Account, StoredForm
from indimail_kit.errors import AccountError, MissingPartError

SMALL_LAYOUT = [
    "pw_name",
    "pw_domain",
    "pw_passwd",
    "pw_uid",
    "pw_gid",
    "pw_gecos",
    "pw_dir",
    "pw_shell",
    "scram",
    "timestamp",
]
"""Columns of IndiMail's small layout (indimail.h SMALL_TABLE_LAYOUT, with scram)."""


@pytest.fixture
def table(tmp_path: Path) -> object:
    """Open a table in a file."""
    with UserTable(tmp_path / "users.db") as opened:
        yield opened


def rows(path: Path, statement: str) -> list[tuple[object, ...]]:
    """Ask the file with sqlite3 itself."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


@pytest.mark.parametrize("name", ["indimail", "indibak"])
def test_tables_have_the_columns_of_the_small_layout(table: UserTable, tmp_path: Path, name: str) -> None:
    """The table of the active and that of the inactive have IndiMail's columns, and name and domain as the key."""
    columns = rows(tmp_path / "users.db", f"PRAGMA table_info({name})")
    assert [row[1] for row in columns] == SMALL_LAYOUT
    assert [row[1] for row in columns if row[5]] == ["pw_name", "pw_domain"]


def test_seeds_user_is_stored_in_the_cram_form(table: UserTable, tmp_path: Path) -> None:
    """``vpasswd -e postmaster@example.com pass``: name and domain apart, {CRAM}pass, and its crypt(3) hash."""
    table.add("postmaster@example.com", "pass")
    stored = rows(tmp_path / "users.db", "SELECT pw_name, pw_domain, pw_passwd, pw_shell FROM indimail")
    (name, domain, pw_passwd, pw_shell) = stored[0]
    clear, _comma, crypted = pw_passwd.partition(",")
    checked = subprocess.run(
        ["openssl", "passwd", "-6", "-salt", crypted.split("$")[2], "-stdin"],
        input="pass",
        capture_output=True,
        text=True,
        check=True,
    )
    assert (name, domain, clear, pw_shell) == ("postmaster", "example.com", "{CRAM}pass", "NOQUOTA")
    assert crypted == checked.stdout.strip()


def test_database_file_is_private(table: UserTable, tmp_path: Path) -> None:
    """The file holds clear passwords, so nobody else may read it."""
    assert stat.S_IMODE((tmp_path / "users.db").stat().st_mode) == 0o600


def test_account_that_was_added_is_found_in_any_case(table: UserTable) -> None:
    """An address is found whatever its case, with every column as it was given."""
    added = table.add("Ann@Example.com", "pass", pw_gecos="Ann Example", pw_dir="/mail/ann", pw_uid=1, pw_gid=NO_RELAY)
    expected = Account(
        address="ann@example.com",
        pw_passwd=added.pw_passwd,
        scram=added.scram,
        pw_uid=1,
        pw_gid=NO_RELAY,
        pw_gecos="Ann Example",
        pw_dir="/mail/ann",
        pw_shell="NOQUOTA",
    )
    assert (added, table.get("ANN@example.COM")) == (expected, expected)


@pytest.mark.parametrize(
    "address", ["bob@example.com", "ann", "", "@", "ann@", "@example.com", "a b@example.com", "a\0@b"]
)
def test_who_is_not_there_is_none(table: UserTable, address: str) -> None:
    """An unknown user, and a text that is no address, give None."""
    table.add("ann@example.com", "pass")
    assert table.get(address) is None


def test_row_of_a_real_indimail_is_read(table: UserTable, tmp_path: Path) -> None:
    """A row that vadduser wrote, with NULL columns and both halves of a password, is an account."""
    with closing(sqlite3.connect(tmp_path / "users.db")) as connection:
        connection.execute(
            "INSERT INTO indimail (pw_name, pw_domain, pw_passwd, pw_gecos) VALUES (?, ?, ?, ?)",
            ("real", "example.com", "{CRAM}pass,$6$salt$hash", "Real"),
        )
        connection.commit()
    found = table.get("real@example.com")
    assert found == Account(address="real@example.com", pw_passwd="{CRAM}pass,$6$salt$hash", pw_gecos="Real")


def test_user_cannot_be_added_twice(table: UserTable) -> None:
    """A second add raises AccountError and changes nothing, also for an inactive user."""
    table.add("ann@example.com", "pass")
    table.set_active("ann@example.com", is_active=False)
    with pytest.raises(AccountError, match="there already"):
        table.add("ANN@example.com", "other")
    assert table.list() == (table.get("ann@example.com"),)


def test_password_is_changed(table: UserTable) -> None:
    """The new password is right and the old one wrong."""
    table.add("ann@example.com", "old")
    table.passwd("ann@example.com", "new,with comma")
    account = table.get("ann@example.com")
    assert (account.has_passwd("new,with comma"), account.has_passwd("old")) == (True, False)


def test_flags_are_changed(table: UserTable) -> None:
    """set_flags writes pw_gid."""
    table.add("ann@example.com", "pass")
    table.set_flags("ann@example.com", NO_RELAY)
    assert not table.get("ann@example.com").can_relay


def test_inactive_user_moves_to_indibak_and_back(table: UserTable, tmp_path: Path) -> None:
    """As in IndiMail the inactive have their own table; the account is otherwise the same, and moving twice is once."""
    before = table.add("ann@example.com", "pass", pw_gecos="Ann")
    for is_active in (False, False):
        table.set_active("ann@example.com", is_active=is_active)
    inactive = table.get("ann@example.com")
    counts = rows(tmp_path / "users.db", "SELECT (SELECT count(*) FROM indimail), (SELECT count(*) FROM indibak)")
    table.set_active("ann@example.com", is_active=True)
    assert (inactive.is_active, counts, table.get("ann@example.com")) == (False, [(0, 1)], before)


def test_removed_user_is_gone(table: UserTable) -> None:
    """Active and inactive users can be removed."""
    table.add("ann@example.com", "pass")
    table.add("bob@example.com", "pass")
    table.set_active("bob@example.com", is_active=False)
    table.remove("ann@example.com")
    table.remove("bob@example.com")
    assert table.list() == ()


def test_list_is_by_domain_and_name(table: UserTable) -> None:
    """Everybody is listed, the inactive among the others."""
    for address in ("zoe@a.example", "bob@b.example", "ann@b.example"):
        table.add(address, "pass")
    table.set_active("ann@b.example", is_active=False)
    assert [account.address for account in table.list()] == ["zoe@a.example", "ann@b.example", "bob@b.example"]


@pytest.mark.parametrize(
    "act",
    [
        lambda table: table.passwd("nobody@example.com", "x"),
        lambda table: table.remove("nobody@example.com"),
        lambda table: table.set_flags("nobody@example.com", 1),
        lambda table: table.set_active("nobody@example.com", is_active=False),
    ],
    ids=["passwd", "remove", "set_flags", "set_active"],
)
def test_unknown_user_is_an_error_where_something_is_to_change(table: UserTable, act: object) -> None:
    """Changing somebody who is not there raises AccountError."""
    with pytest.raises(AccountError, match="unknown user"):
        act(table)


@pytest.mark.parametrize("address", ["ann", "@example.com", "ann@", "a b@example.com", "a\nb@example.com", "\ud800@b"])
def test_address_that_is_none_cannot_be_added(table: UserTable, address: str) -> None:
    """A name or domain that is missing or unprintable raises AccountError."""
    with pytest.raises(AccountError):
        table.add(address, "pass")


@pytest.mark.parametrize(
    ("address", "is_taken"),
    [
        ("n" * 40 + "@" + "d" * 67, True),
        ("n" * 41 + "@example.com", False),
        ("ann@" + "d" * 68, False),
    ],
)
def test_address_must_fit_its_columns(address: str, *, is_taken: bool) -> None:
    """40 and 67 characters fit, one more does not."""
    assert fits(address) is is_taken


def fits(address: str) -> bool:
    """Say whether an address can be divided."""
    try:
        split_address(address)
    except AccountError:
        return False
    return True


def test_quoted_at_sign_belongs_to_the_name() -> None:
    """The last ``@`` divides."""
    assert split_address('"a@b"@Example.com') == ('"a@b"', "example.com")


@pytest.mark.parametrize("passwd", ["", "a\0b", "a\nb", "\ud800", "x" * 122])
def test_password_that_does_not_fit_is_refused_unseen(table: UserTable, passwd: str) -> None:
    """An empty, unprintable or over-long password raises AccountError that does not quote it."""
    with pytest.raises(AccountError) as caught:
        table.add("ann@example.com", passwd)
    assert (passwd in str(caught.value), table.get("ann@example.com")) == (passwd == "", None)


def test_longest_password_fits(table: UserTable) -> None:
    """121 characters and the {CRAM} form are the 128 of the column."""
    table.add("ann@example.com", "x" * 121)
    assert table.get("ann@example.com").has_passwd("x" * 121)


@pytest.mark.parametrize("column", ["pw_gecos", "pw_dir", "pw_shell"])
@pytest.mark.parametrize("text", ["x" * 157, "a\x1bb", "\ud800"])
def test_text_that_does_not_fit_is_refused(table: UserTable, column: str, text: str) -> None:
    """A text that the column would cut, or a terminal would obey, raises AccountError that names the column."""
    with pytest.raises(AccountError, match=column):
        table.add("ann@example.com", "pass", **{column: text})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=100))
def test_any_printable_password_comes_back(table: UserTable, passwd: str) -> None:
    """Whatever the password's characters, it is right afterwards."""
    table.add("ann@example.com", "pass")
    table.passwd("ann@example.com", passwd)
    is_right = table.get("ann@example.com").has_passwd(passwd)
    table.remove("ann@example.com")
    assert is_right


def test_table_in_memory_is_one_for_all_threads() -> None:
    """``sqlite://`` is one database, whichever thread asks."""
    with UserTable("sqlite://") as table, ThreadPoolExecutor(4) as pool:
        table.add("ann@example.com", "pass")
        found = list(pool.map(table.get, ["ann@example.com"] * 40))
    assert {account.address for account in found} == {"ann@example.com"}


@pytest.mark.parametrize("where", ["sqlite://", "file"])
def test_threads_add_and_read_at_once(tmp_path: Path, where: str) -> None:
    """Forty users from four threads are all there, and each thread sees its own at once."""
    addresses = [f"user{number}@example.com" for number in range(40)]

    def add_and_get(address: str) -> bool:
        table.add(address, address)
        return table.get(address).has_passwd(address)

    with UserTable(where if "://" in where else tmp_path / where) as table, ThreadPoolExecutor(4) as pool:
        verdicts = list(pool.map(add_and_get, addresses))
        listed = {account.address for account in table.list()}
    assert (all(verdicts), listed) == (True, set(addresses))


def test_table_is_there_for_the_next_process(table: UserTable, tmp_path: Path) -> None:
    """What one process writes another one reads, by path or by URL."""
    table.add("ann@example.com", "pass")
    program = """if True:
        import sys
        from indimail_kit.auth.accounts import UserTable
        with UserTable(sys.argv[1]) as table:
            print(table.list())
    """
    command = [sys.executable, "-c", program, f"sqlite:///{tmp_path / 'users.db'}"]
    printed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert "address='ann@example.com'" in printed


@pytest.mark.parametrize("where", ["missing/users.db", ".", "nul\0.db"])
def test_file_that_cannot_be_opened_is_an_account_error(tmp_path: Path, where: str) -> None:
    """A directory, a path through nothing, or an impossible name raise AccountError."""
    with pytest.raises(AccountError, match="cannot be opened"):
        UserTable(f"{tmp_path}/{where}")


def test_file_that_is_no_database_is_an_account_error(tmp_path: Path) -> None:
    """A text file raises AccountError with what SQLite says."""
    (tmp_path / "users.db").write_text("this is no database, it is a text file")
    with pytest.raises(AccountError, match="not a database"):
        UserTable(tmp_path / "users.db")


def test_table_that_lost_its_columns_is_an_account_error(table: UserTable, tmp_path: Path) -> None:
    """A table that is not IndiMail's raises AccountError when it is asked."""
    with closing(sqlite3.connect(tmp_path / "users.db")) as connection:
        connection.execute("DROP TABLE indimail")
        connection.commit()
    with pytest.raises(AccountError, match="no such table"):
        table.get("ann@example.com")


@pytest.mark.parametrize("url", ["://x", "nosuch://user:zitronenfalter@host/db", "mysql+nosuch://u:zitronenfalter@h/d"])
def test_url_that_is_none_is_refused_without_its_password(url: str) -> None:
    """An impossible URL raises AccountError, and no part of the error quotes it."""
    with pytest.raises(AccountError) as caught:
        UserTable(url)
    assert ("zitronenfalter" in str(caught.value), caught.value.__context__) == (False, None)


def test_missing_driver_is_named_with_a_remedy() -> None:
    """A database whose driver is not installed raises MissingPartError that says how to get it."""
    with pytest.raises(MissingPartError, match="pip install oracledb"):
        UserTable("oracle+oracledb://user:zitronenfalter@localhost/name")


def test_missing_sqlalchemy_is_named_with_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without SQLAlchemy MissingPartError says how to install it."""
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(MissingPartError, match="pip install"):
        UserTable(tmp_path / "users.db")


def test_server_that_is_not_there_is_refused_without_the_password_of_its_url() -> None:
    """A database server that does not answer (or whose driver is missing) is an error without the URL's password."""
    with pytest.raises((AccountError, MissingPartError)) as caught:
        UserTable("mysql+pymysql://user:zitronenfalter@127.0.0.1:1/indimail")
    assert ("zitronenfalter" in str(caught.value), caught.value.__context__) == (False, None)


def test_repr_names_the_table(tmp_path: Path) -> None:
    """The repr has the URL of the table."""
    url = f"sqlite:///{tmp_path}/users.db"
    with UserTable(url) as table:
        assert repr(table) == f"UserTable('{url}')"


def test_room_is_imported_without_sqlalchemy() -> None:
    """SQLAlchemy is imported when a table is opened, not with the room."""
    program = "import sys, indimail_kit.auth; print('sqlalchemy' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout
    assert printed == "False\n"


@pytest.mark.parametrize("form", [StoredForm.LOCKED, StoredForm.CLEAR])
def test_form_that_stores_nothing_is_refused(table: UserTable, form: StoredForm) -> None:
    """A password is stored in one of three forms."""
    with pytest.raises(AccountError, match="stored form"):
        table.add("ann@example.com", "pass", form=form)


@pytest.mark.parametrize(
    ("passwd", "scheme"), [("x" * 15, "$6$"), ("x" * 16, "$5$"), ("x" * 58, "$5$"), ("x" * 59, "")]
)
def test_hash_fits_beside_the_clear_password(table: UserTable, passwd: str, scheme: str) -> None:
    """The strongest hash for which the column has room stands behind the clear password."""
    crypted = table.add("ann@example.com", passwd).pw_passwd.rpartition(",")[2]
    assert (crypted[:3], table.get("ann@example.com").has_passwd(passwd)) == (scheme, True)


@pytest.mark.parametrize(("form", "is_taken"), [(StoredForm.CRAM, True), (StoredForm.SCRAM, False)])
def test_password_that_saslprep_forbids_has_no_keys(table: UserTable, form: StoredForm, *, is_taken: bool) -> None:
    """An unassigned character is fine for CRAM; where keys alone would be kept, it is refused unseen."""
    passwd = "pass\U0001f979"
    with nullcontext() if is_taken else pytest.raises(AccountError, match="SCRAM"):
        assert table.add("ann@example.com", passwd, form=form).scram == ""
