"""The command line keeps its promises: one JSON document, exit codes, never a traceback."""

from __future__ import annotations

import json
import os
import re
import signal
import smtplib
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from indimail_kit.cli import main
from indimail_kit.cli.notebook import find_notebooks, lab_arguments
from indimail_kit.cli.notebook_page import PREFIX, page_at, write_page
from indimail_kit.errors import MissingPartError
from indimail_kit.qhpsi import ClamdDaemon, eicar
from indimail_kit.qhpsi.private_dir import sweep


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a person does, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "indimail_kit", *map(str, words)], capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Return a clean file, an infected one, and the name of one that is not there."""
    paths = {name: tmp_path / name for name in ("clean", "infected", "missing")}
    paths["clean"].write_bytes(b"Subject: x\n\nhello\n")
    paths["infected"].write_bytes(b"Subject: x\n\n" + eicar() + b"\n")
    return paths


@pytest.mark.parametrize("scanner", ["embedded", "auto", "clamd"])
@pytest.mark.parametrize(
    ("name", "exit_code", "verdict"), [("clean", 0, "CLEAN"), ("infected", 1, "INFECTED"), ("missing", 3, "ERROR")]
)
def test_scan_tells_by_its_exit_code(
    files: dict[str, Path], scanner: str, name: str, exit_code: int, verdict: str
) -> None:
    """0 clean, 1 infected, 3 could not be scanned; the JSON has the contract's keys."""
    result = run("scan", "--json", "--scanner", scanner, files[name])
    rows = json.loads(result.stdout)
    assert (result.returncode, rows[0]["verdict"]) == (exit_code, verdict)
    assert set(rows[0]) == {"path", "verdict", "signature", "scanner", "elapsed_ms", "reason"}


def test_scan_runs_the_seeds_command(files: dict[str, Path]) -> None:
    """--scanner command runs QHPSI as qmail-queue would."""
    result = run("scan", "--json", "--scanner", "command", "--qhpsi", "/bin/false %s", files["clean"])
    assert (result.returncode, json.loads(result.stdout)[0]["verdict"]) == (1, "INFECTED")


def test_scan_without_a_command_says_how_to_give_one(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the option and an example."""
    monkeypatch.delenv("QHPSI", raising=False)
    result = run("scan", "--scanner", "command", files["clean"])
    assert (result.returncode, "--qhpsi" in result.stderr, "Traceback" in result.stderr) == (3, True, False)


def test_scan_with_a_dead_socket_is_not_clean(files: dict[str, Path], tmp_path: Path) -> None:
    """No clamd behind the socket: exit 3, never 0."""
    result = run("scan", "--json", "--socket", tmp_path / "none.sock", files["clean"])
    assert (result.returncode, json.loads(result.stdout)[0]["verdict"]) == (3, "ERROR")


def test_many_files_keep_their_order(tmp_path: Path) -> None:
    """A hundred files go to clamd several at once, over either socket; the rows stay in the given order."""
    paths = []
    for number in range(100):
        paths.append(tmp_path / f"{number}")
        paths[-1].write_bytes(eicar() if number % 7 == 0 else b"x" * (60_000 if number % 5 == 0 else 10))
    with ClamdDaemon(has_tcp=True) as daemon:
        results = [
            run("scan", "--json", "--socket", where, *paths)
            for where in (daemon.socket_path, f"127.0.0.1:{daemon.tcp_port}")
        ]
    rows = [json.loads(result.stdout) for result in results]
    expected = [(str(path), "CLEAN" if number % 7 else "INFECTED") for number, path in enumerate(paths)]
    assert [[(row["path"], row["verdict"]) for row in row_list] for row_list in rows] == [expected, expected]
    assert [result.returncode for result in results] == [1, 1]
    assert rows[1][0]["scanner"].endswith("(over TCP: files by INSTREAM)")


def test_scan_does_not_believe_a_clamd_without_signatures(files: dict[str, Path]) -> None:
    """Clamd with an empty database says OK to everything: exit 3 and not 0."""
    with ClamdDaemon(has_teaching_signatures=False) as daemon:
        result = run("scan", "--json", "--socket", daemon.socket_path, files["clean"], files["infected"])
    assert (result.returncode, [row["verdict"] for row in json.loads(result.stdout)]) == (3, ["ERROR", "ERROR"])


def test_scan_of_several_files_ends_with_their_numbers(files: dict[str, Path]) -> None:
    """Below a long table a person reads how many there were of each; of one file nobody needs that."""
    several = run("scan", "--scanner", "embedded", files["clean"], files["infected"], files["clean"], files["missing"])
    one = run("scan", "--scanner", "embedded", files["clean"])

    assert "4 files: 2 CLEAN, 1 INFECTED, 1 ERROR\n" in several.stderr
    assert "files" not in one.stderr


def test_hostile_file_name_is_shown_harmless(tmp_path: Path) -> None:
    """Escape sequences and direction marks in a name do not reach the terminal."""
    path = tmp_path / "\x1b[2J\u202egpj.exe"
    path.write_bytes(b"x\n")
    result = run("scan", "--scanner", "embedded", path)
    shown = re.sub(r"\s", "", result.stdout)
    assert "\x1b[2J" not in result.stdout
    assert "\u202e" not in result.stdout
    assert r"\x1b[2J<U+202E>gpj.exe" in shown


def test_lab_run_is_ok_and_names_a_real_clamd() -> None:
    """``lab run --json``: one document, ok, and the scanner's version."""
    result = run("lab", "run", "--json", "--seed", "1")
    document = json.loads(result.stdout)
    assert (result.returncode, document["ok"], result.stderr) == (0, True, "")
    assert document["scanner"].startswith("ClamAV ")
    assert len(document["messages"]) >= 12
    assert set(document["messages"][0]) == {
        *("case", "mechanism", "smtp_reply", "queue", "message_number", "verdict", "signature", "header"),
        *("delivered_to", "expected", "ok"),
    }


def test_lab_run_with_the_embedded_scanner_says_so() -> None:
    """The same journeys without clamd, and every output names the scanner."""
    document = json.loads(run("lab", "run", "--json", "--scanner", "embedded").stdout)
    assert (document["ok"], "embedded scanner" in document["scanner"]) == (True, True)


def test_lab_run_for_a_person_keeps_its_directory(tmp_path: Path) -> None:
    """--keep leaves queue, logs and mail; the table names every case."""
    result = run("lab", "run", "--scanner", "embedded", "--keep", tmp_path / "kept")
    assert result.returncode == 0, result.stderr
    assert "18 of 18 journeys went as they should." in result.stdout
    assert (tmp_path / "kept" / "log" / "deliver.25" / "current").is_file()
    assert "embedded scanner" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "TERM"])
def test_lab_serve_takes_mail_until_it_is_stopped(number: signal.Signals) -> None:
    """The printed host and port take a mail; a signal ends it with exit code 0."""
    command = [
        sys.executable,
        "-m",
        "indimail_kit",
        "lab",
        "serve",
        "--json",
        "--scanner",
        "embedded",
        "--reject-virus",
        "1",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = []
    while not lines or lines[-1] != "}\n":
        lines.append(process.stdout.readline())
    about = json.loads("".join(lines))
    with smtplib.SMTP(about["host"], about["port"], timeout=10) as client:
        client.login(about["users"][0], about["password"])
        assert client.sendmail("ann@example.com", ["bob@example.com"], b"Subject: x\r\n\r\nhello\r\n") == {}
        with pytest.raises(smtplib.SMTPDataError, match="554"):
            client.sendmail("ann@example.com", ["bob@example.com"], b"Subject: x\r\n\r\n" + eicar() + b"\r\n")
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "The lab has stopped.\n")


def test_busy_port_is_one_sentence_and_exit_code_3() -> None:
    """No traceback; the sentence says what to do."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = run("lab", "serve", "--scanner", "embedded", "--port", str(taken.getsockname()[1]))
    assert result.returncode == 3
    assert re.fullmatch(r"indimail-kit: port \d+ on 127\.0\.0\.1 is used by another program; .*\n", result.stderr)


def test_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    """A file where the directory should be: the message names it."""
    (tmp_path / "file").write_text("x")
    result = run("lab", "run", "--scanner", "embedded", "--keep", tmp_path / "file" / "lab")
    assert (result.returncode, "Traceback" in result.stderr, str(tmp_path / "file") in result.stderr) == (
        3,
        False,
        True,
    )


@pytest.mark.parametrize("words", [["scan"], ["lab", "run", "--scanner", "magic"], ["nonsense"]], ids=" ".join)
def test_wrong_usage_is_exit_code_2(words: list[str]) -> None:
    """As every command does."""
    assert CliRunner().invoke(main, words).exit_code == 2


@pytest.mark.parametrize(
    "verb", [[], ["lab"], ["lab", "run"], ["lab", "serve"], ["scan"], ["doctor"], ["notebook"]], ids=" ".join
)
def test_every_verb_has_help(verb: list[str]) -> None:
    """--help works everywhere and is not empty."""
    result = CliRunner().invoke(main, [*verb, "--help"])
    assert (result.exit_code, "Usage:" in result.output) == (0, True)


def test_doctor_says_json_and_text() -> None:
    """Both forms name the same parts."""
    document = json.loads(run("doctor", "--json").stdout)
    text = run("doctor").stdout
    assert [check["name"] for check in document["checks"] if check["name"] not in text] == []


def test_reader_that_goes_away_is_no_error() -> None:
    """``indimail-kit doctor | head -0`` ends quietly."""
    process = subprocess.Popen(
        [sys.executable, "-m", "indimail_kit", "doctor"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
    assert "Traceback" not in errors


def test_notebook_listens_on_loopback_only() -> None:
    """JupyterLab is told 127.0.0.1, the project as root, and the first notebook."""
    arguments = lab_arguments(find_notebooks(), ("--no-browser",), is_root=True)
    assert "--ServerApp.ip=127.0.0.1" in arguments
    assert "--ServerApp.allow_root=True" in arguments
    assert "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb" in arguments
    assert arguments[-1] == "--no-browser"


def test_notebook_without_notebooks_is_a_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Installed without the source tree and started elsewhere: the message says where to go."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.modules["indimail_kit.cli.notebook"], "START", "no_such_notebook.ipynb")
    with pytest.raises(MissingPartError, match="project's directory"):
        find_notebooks()


def test_page_is_a_copy_without_code(tmp_path: Path) -> None:
    """Its code is hidden, everything it links to is there, and the notebook itself is as it was."""
    source = find_notebooks() / "10_admin.ipynb"
    before = source.read_bytes()
    write_page(source, tmp_path)
    page = page_at(tmp_path, source)
    copy = json.loads((page.root / "notebooks" / source.name).read_text())
    hidden = [cell["metadata"] for cell in copy["cells"] if cell["cell_type"] == "code"]
    links = [name for name in ("notebooks/03_queue.ipynb", "docs/teaching/10.md") if not (page.root / name).exists()]

    assert (source.read_bytes(), links) == (before, [])
    assert hidden == [{"jupyter": {"source_hidden": True}}] * len(hidden)
    assert "Run All Cells" in "".join(copy["cells"][0]["source"])
    assert nbformat.validate(copy) is None


def test_page_is_served_on_loopback_with_settings_of_its_own(tmp_path: Path) -> None:
    """One document, no code by a style sheet, nothing of the person's own configuration."""
    source = find_notebooks() / "10_admin.ipynb"
    write_page(source, tmp_path)
    page = page_at(tmp_path, source)
    arguments = lab_arguments(source.parent, ("--port=8900",), is_root=False, page=page)
    css = (Path(page.environment["JUPYTER_CONFIG_DIR"]) / "custom" / "custom.css").read_text()
    settings = json.loads((tmp_path / "app-settings" / "overrides.json").read_text())

    assert {"--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={page.root}", "--LabApp.custom_css=True"} < {*arguments}
    assert "--LabApp.default_url=/doc/tree/notebooks/10_admin.ipynb" in arguments
    assert (".jp-Cell-inputWrapper" in css, arguments[-1]) == (True, "--port=8900")
    assert settings["@jupyterlab/apputils-extension:sanitizer"] == {"allowCommandLinker": False}


def test_page_is_held_until_its_jupyterlab_ends() -> None:
    """Its private directory has a lock that goes over to the program that takes this one's place."""
    code = (
        "import os, sys; from pathlib import Path; from indimail_kit.cli.notebook import find_notebooks;"
        "from indimail_kit.cli.notebook_page import prepare_page; page = prepare_page(find_notebooks(), '10_admin');"
        "look = 'import sys, pathlib; from indimail_kit.qhpsi.private_dir import sweep;"
        "from indimail_kit.cli.notebook_page import PREFIX; sweep(PREFIX); print(pathlib.Path(sys.argv[1]).exists())';"
        "os.execv(sys.executable, [sys.executable, '-c', look, str(page.root)])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "True\n"
    assert sweep(PREFIX)


def test_page_of_no_notebook_is_a_usage_error() -> None:
    """Those that are there are listed."""
    done = CliRunner().invoke(main, ["notebook", "--page", "../../etc/passwd"])

    assert (done.exit_code, "10_admin" in done.output) == (2, True)


def test_import_is_light() -> None:
    """``import indimail_kit`` brings none of the heavy packages in."""
    heavy = {"pandas", "numpy", "sqlalchemy", "aiosmtpd", "ipywidgets", "IPython", "yara", "pyclamd", "rich"}
    code = "import sys, indimail_kit, indimail_kit.cli; print(*sys.modules)"
    modules = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ}).stdout.split()
    )
    assert modules & heavy == set()
