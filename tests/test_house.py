"""The house itself: settings that must agree, documents that must not rot, files that must hold no traces.

Source: issue "One real message", The repository; pyproject.toml is the one truth for names and lower bounds.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import tomllib
from pathlib import Path

import click
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import indimail_kit as kit
from indimail_kit.cli import main

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SCRIPTS = ("tools/setup", "tools/find-chromium", ".ci/run", "binder/postBuild", "binder/start")

GLOSSARY_TERMS = """
message_number message_id_header qp delivery delivery_number success failure deferral
sender recipients mail_from rcpt_to
mess intd todo info local remote bounce pid lock S1 S2 S3 S4 S5 queued preprocessed
qmail_smtpd qmail_queue qmail_send todo_proc qmail_lspawn qmail_rspawn qmail_clean
qhpsi infected_rc clean_rc min_bytes max_bytes reject_virus scanner_rc exit_code
command reply signature INSTREAM chunk Clean Infected ScanAction
mechanism initial_response challenge response authcid authzid passwd
client_first server_first client_final server_final salt iteration_count stored_key server_key channel_binding
label unix_ns time reply_code enhanced_code reply_text
"""
"""The field's words that code, tests and notebooks use (house style, table of names)."""

REGISTRY_HOSTS = tuple(
    f"{name}.{domain}"
    for name, domain in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("deb.debian", "org"),
        ("archive.ubuntu", "com"),
        ("npmjs", "org"),
        ("conda.anaconda", "org"),
    )
)
"""Hosts of package registries; which one serves is the machine's business. In pieces, so that this file passes too."""


def run(*argv: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
    """Run a program in the project's root and keep what it says."""
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, **kwargs)  # type: ignore[call-overload, no-any-return]


CONDA_NAMES = {"matplotlib-base": "matplotlib"}
"""Name of a package at conda-forge -> its name elsewhere; conda-forge's own matplotlib brings Qt, this one does not."""


def requirements(lines: list[str]) -> dict[str, SpecifierSet]:
    """Return name -> version range."""
    parsed = [Requirement(line) for line in lines]
    return {canonicalize_name(requirement.name): requirement.specifier for requirement in parsed}


@pytest.fixture(scope="module")
def project_files() -> dict[str, bytes]:
    """Every file that is in git or would be added, by its path."""
    listing = run("git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return {
        str(path.relative_to(ROOT)): path.read_bytes() for path in paths if path.is_file() and not path.is_symlink()
    }


# --- settings that must agree ---------------------------------------------------------------------


def test_conda_has_the_packages_and_bounds_of_pyproject() -> None:
    """environment.yml names exactly the packages of base, lab and widgets, with the same lower bounds."""
    extras = PROJECT["optional-dependencies"]
    conda = [
        line for line in ENVIRONMENT["dependencies"] if isinstance(line, str) and not re.match(r"(python|pip)\b", line)
    ]
    pip = [line for group in ENVIRONMENT["dependencies"] if isinstance(group, dict) for line in group["pip"]]

    found = {CONDA_NAMES.get(name, name): bound for name, bound in requirements(conda + pip).items()}
    assert found == requirements([*PROJECT["dependencies"], *extras["lab"], *extras["widgets"]])


def test_conda_python_is_one_that_pyproject_allows() -> None:
    """environment.yml pins a Python inside requires-python."""
    (pin,) = [line for line in ENVIRONMENT["dependencies"] if isinstance(line, str) and line.startswith("python=")]

    assert SpecifierSet(PROJECT["requires-python"]).contains(pin.removeprefix("python="))


def test_conda_environment_has_the_projects_name() -> None:
    """`conda activate indimail-kit` is what the documents say."""
    assert (ENVIRONMENT["name"], ENVIRONMENT["channels"][0]) == (PROJECT["name"], "conda-forge")


def test_version_is_the_same_everywhere() -> None:
    """pyproject.toml, the package and the changelog name one version."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert PROJECT["version"] == kit.__version__
    assert kit.__version__ in changelog


def test_every_dependency_has_its_reason() -> None:
    """Decision 2 has a row for each package that a user gets."""
    extras = PROJECT["optional-dependencies"]
    page = (ROOT / "docs/decisions/0002-dependencies.md").read_text(encoding="utf-8")
    rows = {
        canonicalize_name(name) for name in re.findall(r"^\| ([\w-]+) \| (?:base|lab|widgets) \|", page, re.MULTILINE)
    }

    assert rows == set(requirements([*PROJECT["dependencies"], *extras["lab"], *extras["widgets"]]))


# --- make and the scripts -------------------------------------------------------------------------


def test_make_alone_is_make_help() -> None:
    """A person who types `make` gets the list, and nothing is done."""
    assert run("make").stdout == run("make", "help").stdout


def test_make_help_lists_every_target() -> None:
    """Each target of the Makefile has its line in the list, with a text."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    listed = re.findall(r"^  make (\w+) +\S", run("make", "help").stdout, re.MULTILINE)

    assert listed == phony.split()
    assert set(phony.split()) == set(re.findall(r"^(\w+):(?!=)", makefile, re.MULTILINE))


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_is_executable_and_bash_reads_it(script: str) -> None:
    """A script starts as it is, and has no fault of syntax."""
    assert os.access(ROOT / script, os.X_OK)
    assert run("bash", "-n", script).returncode == 0


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_stops_at_unset_variables_and_broken_pipes(script: str) -> None:
    """A script never goes on with half a value."""
    assert re.search(r"^set -e?uo pipefail$", (ROOT / script).read_text(encoding="utf-8"), re.MULTILINE)


def test_nothing_is_downloaded_into_a_shell(project_files: dict[str, bytes]) -> None:
    """No script, Makefile or document pipes what it fetched into a shell."""
    fetch_and_run = re.compile(rb"(curl|wget)[^\n|]*\|\s*(sudo )?(ba)?sh\b")

    assert [name for name, octets in project_files.items() if fetch_and_run.search(octets)] == []


@pytest.mark.parametrize(
    ("broken", "returncode", "last_line"),
    [
        pytest.param("", 0, "=== passed: test lint", id="both pass"),
        pytest.param("test", 1, "=== failed: test", id="tests fail"),
        pytest.param("lint", 1, "=== failed: lint", id="lint fails"),
    ],
)
def test_ci_runs_both_and_fails_if_one_fails(tmp_path: Path, broken: str, returncode: int, last_line: str) -> None:
    """`.ci/run` runs `make test` and then `make lint` whatever the first says, with no input, and tells the end."""
    fake_make = tmp_path / "make"
    fake_make.write_text(f'#!/bin/sh\ncat\necho "made $1 with CI=$CI"\n[ "$1" != "{broken}" ]\n', encoding="utf-8")
    fake_make.chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if key != "CI"} | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}"
    }

    ended = run("bash", ".ci/run", env=environment)

    assert re.findall(r"^made .*$", ended.stdout, re.MULTILINE) == ["made test with CI=true", "made lint with CI=true"]
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (returncode, last_line)


# --- the size of a module ---------------------------------------------------------------------------


def test_a_module_can_be_read_in_one_go() -> None:
    """No module of the package is longer than 400 lines; a longer one has two subjects, and is cut."""
    modules = sorted((ROOT / "indimail_kit").rglob("*.py"))

    assert modules
    assert [str(path) for path in modules if len(path.read_text(encoding="utf-8").splitlines()) > 400] == []


# --- no traces ------------------------------------------------------------------------------------


def test_eicar_is_nowhere_in_one_piece(project_files: dict[str, bytes]) -> None:
    """No file holds the test virus, plain or as one line of Base64, so that no scanner flags the repository."""
    eicar = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
    forms = (eicar[:40], base64.b64encode(eicar)[:90])

    assert [name for name, octets in project_files.items() if any(form in octets for form in forms)] == []


def test_no_file_names_a_path_of_this_machine(project_files: dict[str, bytes]) -> None:
    """Neither this working copy nor the home of who works on it stands in a file."""
    places = re.compile(
        "|".join([re.escape(f"{ROOT}/"), re.escape(f"{Path.home()}/"), r"(?<![\w.-])/(?:work|farm)/[a-z.]"]).encode()
    )

    assert [name for name, octets in project_files.items() if places.search(octets)] == []


@pytest.mark.parametrize("host", REGISTRY_HOSTS)
def test_no_file_names_a_package_registry(project_files: dict[str, bytes], host: str) -> None:
    """The programs pip and apt-get ask where the machine's own settings say."""
    assert [name for name, octets in project_files.items() if host.encode() in octets] == []


# --- documents ------------------------------------------------------------------------------------


def test_first_screen_has_exactly_two_commands() -> None:
    """What a newcomer is told to type is `make lab` and `make test`, nothing else."""
    first_screen = README.split("\n## ", maxsplit=1)[0]
    blocks = re.findall(r"```\w*\n(.*?)```", first_screen, re.DOTALL)

    assert [line for block in blocks for line in block.splitlines()] == ["make lab", "make test"]


def test_first_screen_has_the_picture_in_words_too() -> None:
    """The notebook's picture is a PNG that is there, and who cannot see it reads what it shows."""
    first_screen = README.split("\n## ", maxsplit=1)[0]
    ((words, path),) = re.findall(r"!\[([^]]*)\]\(([^)]+)\)", first_screen)

    assert path == "docs/images/journey.png"
    assert len(words.split()) >= 8
    assert (ROOT / path).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def verbs(group: click.Group, prefix: str = "") -> list[str]:
    """Return the command lines of all verbs below a group."""
    leaves = []
    for name, command in group.commands.items():
        leaves += verbs(command, f"{prefix}{name} ") if isinstance(command, click.Group) else [f"{prefix}{name}"]
    return leaves


@pytest.mark.parametrize("verb", verbs(main))
def test_readme_tells_of_every_verb(verb: str) -> None:
    """A verb that exists is in the README's table."""
    assert f"| `indimail-kit {verb}" in README


@pytest.mark.parametrize("room", kit.ROOMS)
def test_readme_says_where_every_room_is(room: str) -> None:
    """A room that exists is in the README's map."""
    assert f"(indimail_kit/{room}/)" in README


def anchors(page: Path) -> set[str]:
    """Return the anchors that a Markdown page offers."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Each link to a file of ours has its file, and its heading if it names one."""
    targets = re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8"))
    files = [((page.parent / path) if path else page, anchor) for path, anchor in targets]

    assert [str(file) for file, _ in files if not file.exists()] == []
    assert [(file.name, anchor) for file, anchor in files if anchor and anchor not in anchors(file)] == []


def test_every_decision_is_in_the_list() -> None:
    """docs/decisions/README.md lists each page once, numbered without gaps."""
    pages = sorted(path.name for path in (ROOT / "docs/decisions").glob("[0-9]*.md"))
    listing = (ROOT / "docs/decisions/README.md").read_text(encoding="utf-8")

    assert re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", listing) == pages
    assert [int(page[:4]) for page in pages] == list(range(1, len(pages) + 1))


# --- glossary -------------------------------------------------------------------------------------

GLOSSARY = re.findall(r"^### (.+)\n\n(.+)$", (ROOT / "docs/glossary.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("term", GLOSSARY_TERMS.split())
def test_glossary_has_the_fields_word(term: str) -> None:
    """Each word of the table of names is explained."""
    assert term in [name for name, _ in GLOSSARY]


@pytest.mark.parametrize(("term", "text"), GLOSSARY)
def test_glossary_says_it_in_one_sentence_with_its_source(term: str, text: str) -> None:
    """An entry is a sentence and where it comes from."""
    assert re.fullmatch(r"\S.+\. \*Source: \S.+\.\*", text), term


def test_glossary_is_in_alphabetical_order() -> None:
    """A reader finds a word by turning pages; none is there twice."""
    names = [re.sub("[-_]", " ", name.lower()) for name, _ in GLOSSARY]

    assert names == sorted(set(names))
