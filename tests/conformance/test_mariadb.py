"""One contract for the user table, kept by SQLite and by a real MariaDB that this file starts and stops itself.

The server has a data directory of its own, a Unix socket below /tmp and no network. It is Debian's mariadb-server;
where it is missing these tests are skipped, and in CI they fail.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from indimail_kit.auth.accounts import UserTable
from indimail_kit.auth.smtp_auth import ClientExchange, Reply, ServerExchange
from indimail_kit.auth.stored import NO_RELAY, StoredForm
from indimail_kit.errors import AccountError

PROGRAMS = ("mariadbd", "mariadb-install-db")
START_S = 30.0


def find(name: str) -> str | None:
    """Return the path of a program; Debian has servers in /usr/sbin, which is not in everybody's PATH."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def die_with_parent() -> None:
    """Let the kernel end the server when the test's process ends, however it ends (PR_SET_PDEATHSIG)."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Run a MariaDB of our own; give the URL of its server without a database."""
    daemon, installer = map(find, PROGRAMS)
    if daemon is None or installer is None:
        complain = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        complain("mariadbd is missing: apt-get install --no-install-recommends mariadb-server")
    directory = Path(tempfile.mkdtemp(prefix="ik-maria-", dir="/tmp"))
    common = ["--no-defaults", f"--datadir={directory / 'data'}", f"--user={getpass.getuser()}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
    subprocess.run(
        [installer, *common, "--auth-root-authentication-method=normal", "--skip-test-db"], check=True, **quiet
    )
    socket = directory / "s"
    options = [f"--socket={socket}", "--skip-networking", "--innodb-buffer-pool-size=16M", "--skip-log-bin"]
    process = subprocess.Popen(
        [daemon, *common, *options, f"--pid-file={directory / 'pid'}", f"--log-error={directory / 'log'}"],
        preexec_fn=die_with_parent,  # noqa: PLW1509 - one call of the C library, in a process without threads of its own
        **quiet,
    )
    try:
        wait_for(socket, process)
        yield f"mysql+pymysql://root@localhost/%s?unix_socket={socket}"
    finally:
        process.terminate()
        process.wait(timeout=30)
        shutil.rmtree(directory)


def wait_for(socket: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server listens."""
    deadline = time.monotonic() + START_S
    while not socket.exists():
        assert process.poll() is None, "mariadbd ended at once"
        assert time.monotonic() < deadline, "mariadbd does not listen"
        time.sleep(0.05)


Execute = Callable[[str], list[tuple[object, ...]]]


@pytest.fixture(scope="module")
def execute(server: str) -> Iterator[Execute]:
    """Return what runs one SQL statement without our table's code."""
    engine = create_engine(server % "mysql")

    def run(statement: str) -> list[tuple[object, ...]]:
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []

    yield run
    engine.dispose()


@pytest.fixture
def mariadb_url(server: str, execute: Execute) -> str:
    """Give the URL of an empty database."""
    execute("DROP DATABASE IF EXISTS indimail")
    execute("CREATE DATABASE indimail")
    return server % "indimail"


class UserTableContract:
    """What every database must do; the classes below say which one."""

    @pytest.fixture
    def url(self) -> str:
        """Return the URL of an empty database."""
        raise AssertionError("a class below says which one")

    @pytest.fixture
    def table(self, url: str) -> Iterator[UserTable]:
        """Open the table."""
        with UserTable(url) as opened:
            yield opened

    def test_account_comes_back(self, table: UserTable) -> None:
        """What was added is found in any case, every column as it was given."""
        added = table.add("Ann@Example.com", "pass", pw_gecos="Ann Exämple", pw_dir="/m", pw_uid=1, pw_gid=NO_RELAY)
        assert table.get("ANN@example.COM") == added
        assert (added.pw_gecos, added.pw_uid, added.can_relay, added.has_passwd("pass")) == (
            "Ann Exämple",
            1,
            False,
            True,
        )

    def test_table_stays(self, table: UserTable, url: str) -> None:
        """A second connection sees what the first one wrote."""
        table.add("ann@example.com", "pass")
        with UserTable(url, create=False) as other:
            assert [account.address for account in other.list()] == ["ann@example.com"]

    @pytest.mark.parametrize("address", ["änn@example.com", "ann@exämple.com", "bob@example.com", "ann "])
    def test_only_the_very_address_is_found(self, table: UserTable, address: str) -> None:
        """Accents and blanks make another address: nobody is found by a look-alike."""
        table.add("ann@example.com", "pass")
        assert table.get(address) is None

    def test_user_cannot_be_added_twice(self, table: UserTable) -> None:
        """A second add raises AccountError, also for an inactive user."""
        table.add("ann@example.com", "pass")
        table.set_active("ann@example.com", is_active=False)
        with pytest.raises(AccountError, match="there already"):
            table.add("ANN@example.com", "other")

    @pytest.mark.parametrize("form", [StoredForm.CRAM, StoredForm.SCRAM, StoredForm.CRYPT])
    def test_password_is_changed_in_its_form(self, table: UserTable, form: StoredForm) -> None:
        """Passwd keeps the stored form, the new password is right and the old one wrong."""
        table.add("ann@example.com", "old", form=form)
        table.passwd("ann@example.com", "new,with comma")
        account = table.get("ann@example.com")
        assert (account.form, account.has_passwd("new,with comma"), account.has_passwd("old")) == (form, True, False)
        assert (account.passwd is not None) is (form is StoredForm.CRAM)

    def test_form_is_changed_with_the_password(self, table: UserTable) -> None:
        """A clear password can be given up, and no trace of it stays in the row."""
        table.add("ann@example.com", "zitronenfalter")
        table.passwd("ann@example.com", "zitronenfalter", form=StoredForm.SCRAM)
        account = table.get("ann@example.com")
        assert ("zitronenfalter" in account.pw_passwd + account.scram, account.form) == (False, StoredForm.SCRAM)

    def test_inactive_user_moves_and_returns(self, table: UserTable) -> None:
        """set_active moves the row as it is."""
        before = table.add("ann@example.com", "pass")
        table.set_active("ann@example.com", is_active=False)
        inactive = table.get("ann@example.com")
        table.set_active("ann@example.com", is_active=True)
        assert (inactive.is_active, table.get("ann@example.com")) == (False, before)

    def test_flags_are_changed_and_set_again(self, table: UserTable) -> None:
        """set_flags may write what is there already without an error."""
        table.add("ann@example.com", "pass")
        for _ in range(2):
            table.set_flags("ann@example.com", NO_RELAY)
        assert not table.get("ann@example.com").can_relay

    def test_removed_user_is_gone(self, table: UserTable) -> None:
        """Remove takes one user, and a second time nobody."""
        table.add("ann@example.com", "pass")
        table.add("bob@example.com", "pass")
        table.remove("ann@example.com")
        with pytest.raises(AccountError, match="unknown user"):
            table.remove("ann@example.com")
        assert [account.address for account in table.list()] == ["bob@example.com"]

    def test_threads_add_and_read_at_once(self, table: UserTable) -> None:
        """Users from four threads are all there, and each thread sees its own at once."""
        addresses = [f"user{number}@example.com" for number in range(20)]

        def add_and_get(address: str) -> bool:
            table.add(address, address)
            return table.get(address).has_passwd(address)

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(add_and_get, addresses))
        assert {account.address for account in table.list()} == set(addresses)

    def test_one_of_two_threads_adds_a_user(self, table: UserTable) -> None:
        """Of those who add the same user at once exactly one succeeds, and the others hear why."""

        def add(passwd: str) -> str:
            try:
                table.add("ann@example.com", passwd)
            except AccountError as error:
                return str(error)
            return "added"

        with ThreadPoolExecutor(4) as pool:
            outcomes = sorted(pool.map(add, ["a", "b", "c", "d"]))
        assert outcomes == ["a user who is there already"] * 3 + ["added"]

    @pytest.mark.parametrize(
        "mechanism", ["LOGIN", "PLAIN", "CRAM-MD5", "CRAM-SHA256", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]
    )
    @pytest.mark.parametrize(("passwd", "code"), [("pässwörd", 235), ("wrong", 535)])
    def test_exchange_asks_the_table(self, table: UserTable, mechanism: str, passwd: str, code: int) -> None:
        """Every mechanism lets the right password in from the table, and no other."""
        table.add("ann@example.com", "pässwörd")
        server = ServerExchange(mechanism, lookup=table.get)
        client = ClientExchange(mechanism, authcid="ann@example.com", passwd=passwd)
        initial = client.start()
        answer = server.start(None if initial is None else initial.encode())
        while not isinstance(answer, Reply):
            answer = server.feed(client.feed(answer.line.removeprefix("334 ")).encode())
        assert answer.code == code

    @pytest.mark.parametrize(
        "passwd",
        ["😀👍🏽", "'; DROP TABLE indimail; --", "%s%(x)s:p", "\\", '"', "a,b,c,", "{CRAM}x,y", "$6$x", "x" * 121],
    )
    def test_password_comes_back_unchanged(self, table: UserTable, passwd: str) -> None:
        """Whatever its characters, four octets in UTF-8 and those of SQL included, a password is right afterwards."""
        table.add("ann@example.com", "pass")
        table.passwd("ann@example.com", passwd)
        account = table.get("ann@example.com")
        table.remove("ann@example.com")
        assert (account.passwd, account.has_passwd(passwd)) == (passwd, True)


class TestSqlite(UserTableContract):
    """The contract, kept by an SQLite file."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """Return the URL of a file that is not there yet."""
        return f"sqlite:///{tmp_path / 'users.db'}"


class TestMariadb(UserTableContract):
    """The contract, kept by MariaDB."""

    @pytest.fixture
    def url(self, mariadb_url: str) -> str:
        """Return the URL of an empty database."""
        return mariadb_url


def test_tables_have_indimails_columns(mariadb_url: str, execute: Execute) -> None:
    """Names, widths and key of the small layout, as MariaDB itself tells them."""
    UserTable(mariadb_url).close()
    columns = execute(
        "SELECT column_name, character_maximum_length, column_key FROM information_schema.columns"
        " WHERE table_schema = 'indimail' AND table_name = 'indimail' ORDER BY ordinal_position"
    )
    assert columns[:3] == [("pw_name", 40, "PRI"), ("pw_domain", 67, "PRI"), ("pw_passwd", 128, "")]
    assert [name for name, _width, _key in columns[3:]] == [
        *("pw_uid", "pw_gid", "pw_gecos", "pw_dir", "pw_shell", "scram", "timestamp")
    ]


def test_table_that_indimail_made_is_used(mariadb_url: str, execute: Execute) -> None:
    """In a table that compares without accents nobody is found, changed or removed by a look-alike."""
    columns = (
        "pw_name char(40) NOT NULL, pw_domain char(67) NOT NULL, pw_passwd char(128) NOT NULL, pw_uid int, pw_gid int,"
        " pw_gecos char(48) NOT NULL, pw_dir char(156), pw_shell char(30), scram varchar(255),"
        " timestamp timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (pw_domain, pw_name)"
    )
    for name in ("indimail", "indibak"):
        execute(f"CREATE TABLE indimail.{name} ({columns}) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    execute(
        "INSERT INTO indimail.indimail (pw_name, pw_domain, pw_passwd, pw_gecos)"
        " VALUES ('Real', 'example.com', '{CRAM}pass,', 'Real')"
    )
    with UserTable(mariadb_url) as table:
        assert (table.get("real@example.com").passwd, table.get("réal@example.com")) == ("pass", None)
        for act in (table.remove, lambda address: table.passwd(address, "x")):
            with pytest.raises(AccountError, match="unknown user"):
                act("réal@example.com")
        assert table.get("real@example.com").has_passwd("pass")


@pytest.mark.parametrize(
    ("change", "number"),
    [(("root@localhost", "nobody:zitronenfalter@localhost"), "1045"), (("/indimail?", "/nosuch?"), "1049")],
)
def test_refusal_is_an_account_error_with_a_number_and_no_password(
    mariadb_url: str, change: tuple[str, str], number: str
) -> None:
    """A wrong login or database is told by MariaDB's number; nothing of the URL's password is in the error."""
    with pytest.raises(AccountError, match=number) as caught:
        UserTable(mariadb_url.replace(*change))
    assert ("zitronenfalter" in str(caught.value), caught.value.__context__) == (False, None)


def test_table_comes_back_after_its_connections_were_cut(mariadb_url: str, execute: Execute) -> None:
    """A server that drops idle connections is asked anew."""
    with UserTable(mariadb_url) as table:
        table.add("ann@example.com", "pass")
        for (number,) in execute("SELECT id FROM information_schema.processlist WHERE db = 'indimail'"):
            execute(f"KILL {number}")
        assert table.get("ann@example.com") is not None
