"""Every notebook: the frame and the limits of STYLE section 4, and two runs from fresh kernels with the same result."""

from __future__ import annotations

import ast
import json
import os
import re
import statistics
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from indimail_kit.course import EXERCISES

from .security.canary_cell import forms_of
from .security.listeners import is_loopback, living

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

MAX_CELLS = 45
MAX_CODE_LINES = 12
MAX_CODE_WIDTH = 100
MAX_MEDIAN_CODE_LINES = 4
MAX_WORDS = 120
MAX_RUN_S = 60.0

FRAME = (
    "# ",
    "minutes**",
    "**You need**",
    "**You will be able to**",
    "you are here",
    "## What you can do now",
    "## Where this comes from",
    "**Next.**",
)
"""What every notebook has, in this order."""

TOOLS = {"10_admin"}
"""Notebooks for somebody with a problem now: the same frame and limits, but nothing to predict before a look."""

AVOIDED = re.compile(r"\b(simply|just|obviously|of course|easy|easily|trivial)\b", re.IGNORECASE)

LOG_LINE = re.compile(r"@[0-9a-f]{24} ")
"""A line of a real log stands as it is, however long."""

GLOSSARY = (FOLDER.parent / "docs" / "glossary.md").read_text(encoding="utf-8")
TERMS = {re.sub(r"[-_ ]", "", term.lower()) for term in re.findall(r"^### (.+)$", GLOSSARY, re.MULTILINE)}
ANCHORS = {
    re.sub(r"[^\w -]", "", term.lower()).replace(" ", "-") for term in re.findall(r"^### (.+)$", GLOSSARY, re.MULTILINE)
}

NUMBERS = {exercise.number for exercise in EXERCISES}

ALONE = "no program has to run beside this kernel"
"""What a lesson says that starts none."""

JOURNEYS = """
sent = getattr(globals().get("lab"), "journeys", ())
[(j.mechanism, j.verdict, j.smtp_reply[:3], j.queue, j.folder, j.delivered_to) for j in sent]
"""
"""What must be the same in every run; numbers of inodes, processes and seconds are not."""

CHILDREN = """
import pathlib
sum((place.read_text().split() for place in pathlib.Path("/proc/self/task").glob("*/children")), [])
"""
"""The programs that run beside the kernel when the last cell is done."""


CANARY = "kanarienvogel-4711-zitronenfalter"
"""A password that stands nowhere else."""

SECURITY = Path(__file__).parent / "security"

CANARY_CELL = f"""
import json, sys
sys.path.insert(0, {str(SECURITY)!r})
import canary_cell
print(json.dumps(canary_cell.use(globals())))
"""
"""Uses the canary wherever a password can go, behind the last cell."""

WITH_CANARY: dict[Path, Any] = {}
"""Notebook -> its run with the canary."""


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    """Give each notebook in turn."""
    found: Path = request.param
    return found


def cells(path: Path, kind: str) -> list[Any]:
    """Return the cells of a kind."""
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def sources(path: Path, kind: str) -> list[str]:
    """Return the sources of the cells of a kind."""
    return [cell.source for cell in cells(path, kind)]


def nodes(path: Path) -> list[ast.AST]:
    """Return every node of the code."""
    return [node for source in sources(path, "code") for node in ast.walk(ast.parse(source))]


def strings(path: Path) -> list[str]:
    """Return every string of the code."""
    return [node.value for node in nodes(path) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_it_is_a_valid_notebook(path):
    """JupyterLab opens it without a repair."""
    notebook = json.loads(path.read_text(encoding="utf-8"))

    assert (nbformat.validate(notebook), notebook["nbformat"]) == (None, 4)


def test_it_has_at_most_45_cells(path):
    """A lesson that is longer is two lessons."""
    assert len(nbformat.read(path, as_version=4).cells) <= MAX_CELLS


def test_code_cells_are_short(path):
    """The logic is in the package: at most 12 lines a cell, the median at most 4."""
    lengths = [len(source.splitlines()) for source in sources(path, "code")]

    assert (max(lengths) <= MAX_CODE_LINES, statistics.median(lengths) <= MAX_MEDIAN_CODE_LINES) == (True, True)


def test_code_fits_on_the_screen(path):
    """At most 100 characters a line, so that beside the file browser nothing is cut off; lines of real logs may."""
    lines = [line for source in sources(path, "code") for line in source.splitlines() if not LOG_LINE.match(line)]

    assert [line for line in lines if len(line) > MAX_CODE_WIDTH] == []


def test_text_cells_are_short(path):
    """At most 120 words a cell."""
    assert [source[:40] for source in sources(path, "markdown") if len(source.split()) > MAX_WORDS] == []


def test_code_asks_and_shows_only(path):
    """No definitions, star imports, shell lines, magics (they do not parse), regexes, sleeps or network libraries."""
    banned = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    modules = {"re", "os", "subprocess", "time", "socket", "urllib", "requests", "shutil", "sys"}
    found = [type(node).__name__ for node in nodes(path) if isinstance(node, banned)]
    found += [
        name.name
        for node in nodes(path)
        if isinstance(node, ast.Import)
        for name in node.names
        if name.name.split(".")[0] in modules
    ]
    found += [
        str(node.module)
        for node in nodes(path)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in modules
    ]
    found += [
        "*" for node in nodes(path) if isinstance(node, ast.ImportFrom) for name in node.names if name.name == "*"
    ]
    found += [
        node.attr
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and node.attr in {"sleep", "system", "popen"}
    ]

    assert found == []


def test_no_path_of_a_machine(path):
    """A notebook runs anywhere: no absolute path and no address outside loopback in its code."""
    assert [text for text in strings(path) if text.startswith(("/", "~")) or "://" in text] == []


def test_no_output_and_no_state_is_stored(path):
    """Git keeps the lesson, not what one reader saw."""
    notebook = nbformat.read(path, as_version=4)
    stored = [cell.source[:40] for cell in cells(path, "code") if cell.outputs or cell.execution_count is not None]
    editor = [name for cell in notebook.cells for name in cell.metadata]

    assert (stored, editor, "widgets" in notebook.metadata) == ([], [], False)


def test_it_runs_on_python3(path):
    """The kernel is every Jupyter's own."""
    assert nbformat.read(path, as_version=4).metadata.kernelspec.name == "python3"


def test_it_has_the_frame(path):
    """Title, box, map, sections, what you can do now, sources, next, in this order."""
    text = "\n".join(sources(path, "markdown"))
    places = [text.find(part) for part in FRAME]

    assert (min(places) >= 0, places) == (True, sorted(places))


def test_it_has_three_to_six_sections(path):
    """Numbered sections."""
    numbers = [
        int(number)
        for source in sources(path, "markdown")
        for number in re.findall(r"^## (\d)\.", source, re.MULTILINE)
    ]

    assert (numbers, 3 <= len(numbers) <= 6) == (list(range(1, len(numbers) + 1)), True)


def test_each_prediction_is_explained(path):
    """Predict, run, explain: a question, a place for the answer, and what it means; a tool may ask nothing."""
    text = "\n".join(sources(path, "markdown"))

    least = 0 if path.stem in TOOLS else 3
    assert (text.count("**Predict.**") >= least, text.count("**Predict.**")) == (True, text.count("**Explain.**"))


def test_the_tone_is_ours(path):
    """Nothing is called simple that somebody may find hard."""
    assert [AVOIDED.findall(source) for source in sources(path, "markdown") if AVOIDED.search(source)] == []


def test_links_lead_somewhere(path):
    """A link to a file of the project has its file."""
    links = [link for source in sources(path, "markdown") for link in re.findall(r"\]\(([^)#]+)\)", source)]

    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


def prose(path: Path) -> str:
    """Return the text without its code blocks."""
    return re.sub(r"```.*?```", "", "\n".join(sources(path, "markdown")), flags=re.DOTALL)


def test_links_into_the_glossary_have_their_entry(path):
    """Each one leads to a heading that is there, and a lesson has several."""
    links = re.findall(r"\]\(\.\./docs/glossary\.md#([^)]+)\)", prose(path))

    assert ([link for link in links if link not in ANCHORS], len(links) >= 3) == ([], True)


def test_terms_are_linked_at_first_use(path):
    """A word in italics that the glossary explains is a link the first time, and one time only."""
    known = [
        (re.sub(r"[-_ ]", "", (linked or bare).lower()), bool(linked))
        for linked, bare in re.findall(
            r"\[\*([^*\n]+)\*\]\(\.\./docs/glossary|(?<![*\w`])\*([^*\n`]+)\*(?![*\w])", prose(path)
        )
    ]
    first: dict[str, bool] = {}
    for term, is_linked in known:
        first.setdefault(term, is_linked)

    assert [term for term, is_linked in first.items() if term in TERMS and not is_linked] == []
    assert [term for term in first if known.count((term, True)) > 1] == []


def test_the_mark_stands_above_a_room(path):
    """The words "you are here" point at a word of the map, and not at an arrow beside it."""
    for source in sources(path, "markdown"):
        for mark, rooms in re.findall(r"^( *▼).*\n(.*──►.*)$", source, re.MULTILINE):
            assert rooms[len(mark) - 1 : len(mark)].isalpha()


def test_the_next_one_is_named(path):
    """From one lesson a learner gets to the following one."""
    after = [one.name for one in NOTEBOOKS[NOTEBOOKS.index(path) + 1 :]][:1]
    last = sources(path, "markdown")[-1]

    assert [name for name in after if f"({name})" not in last[last.rfind("**Next.**") :]] == []


def test_the_readme_names_it(path):
    """The path of all lessons has this one."""
    assert f"({path.name})" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_plans_name_exercises_that_exist():
    """Each exercise of a plan exists, in the notebook that stands before it; each notebook is in a plan."""
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    plans = readme[readme.index("## Plans for teachers") :]
    parts = re.findall(r"notebook (\d\d)((?:(?!notebook \d\d)[^|])*)", plans)
    named = [(lesson, number) for lesson, text in parts for number in re.findall(r"\b\d\d\.\d+\b", text)]

    assert [number for lesson, number in named if number not in NUMBERS or not number.startswith(f"{lesson}.")] == []
    assert {lesson for lesson, _ in parts} == {path.stem[:2] for path in NOTEBOOKS}


def test_minutes_are_the_same_everywhere(path):
    """The box of the notebook, the path in the README and the teacher's page say one number."""
    (minutes,) = re.findall(r"\*\*(\d+) minutes\*\*", sources(path, "markdown")[0] + sources(path, "markdown")[1])
    (row,) = [
        line for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines() if f"({path.name})" in line
    ][:1]
    page = (FOLDER.parent / "docs" / "teaching" / f"{path.stem[:2]}.md").read_text(encoding="utf-8")

    assert (row.split("|")[3].strip(), re.findall(r"\*\*Minutes\.\*\* (\d+)", page)) == (minutes, [minutes])


def run(path: Path, *, with_canary: bool = False) -> tuple[str, float, str]:
    """Run a notebook from a fresh kernel; return the journeys as text, the time (unit: s), and all its outputs.

    With a canary, the run is kept in `WITH_CANARY` as a person would save it, widgets' state and all.
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(CHILDREN))
    notebook.cells.append(nbformat.v4.new_code_cell(JOURNEYS))
    lesson = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if with_canary:
        WITH_CANARY[path] = notebook
        notebook.cells.append(nbformat.v4.new_code_cell(CANARY_CELL))
    started_s = time.monotonic()
    NotebookClient(
        notebook, timeout=int(MAX_RUN_S), kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    elapsed_s = time.monotonic() - started_s
    outputs = [output for cell in lesson for output in cell.outputs]
    return lesson[-1].outputs[0]["data"]["text/plain"], elapsed_s, json.dumps(outputs)


@pytest.fixture(scope="module")
def runs(path: Path) -> list[tuple[str, float, str]]:
    """Two runs, each from a fresh kernel."""
    os.environ["INDIMAIL_KIT_CANARY"] = CANARY
    try:
        return [run(path), run(path, with_canary=True)]
    finally:
        del os.environ["INDIMAIL_KIT_CANARY"]


def test_it_runs_twice_with_the_same_result(runs):
    """A seeded lab gives the same journeys to every learner, again and again."""
    assert runs[0][0] == runs[1][0]


def test_it_runs_in_less_than_a_minute(runs):
    """Two cores and 1 GB are enough."""
    assert max(elapsed_s for _, elapsed_s, _ in runs) < MAX_RUN_S


def test_it_puts_out_no_warning_and_no_whole_virus(runs):
    """Nothing on standard error; a notebook that is saved afterwards is no alarm for any scanner."""
    virus = "X5O!P%@AP[4" + "\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
    outputs = [output for _, _, text in runs for output in json.loads(text)]
    shown = [value for output in outputs for value in (output.get("text", ""), *output.get("data", {}).values())]

    assert (
        [output for output in outputs if output.get("name") == "stderr"],
        [text for text in shown if virus in text],
    ) == ([], [])


def test_a_lesson_that_says_so_starts_no_program(path, runs):
    """Where clamd cannot run, learners rely on it."""
    says_so = ALONE in " ".join(prose(path).split())
    last = json.loads(runs[0][2])[-2]["data"]["text/plain"]

    assert not says_so or last == "[]"


@pytest.fixture
def told(path, runs):
    """What the cell with the canary did and found."""
    outputs = WITH_CANARY[path].cells[-1].outputs
    return json.loads("".join(one["text"] for one in outputs if one.get("name") == "stdout").splitlines()[-1])


def test_password_is_never_in_a_saved_notebook_a_log_or_a_traceback(path, told):
    """A canary typed into every widget, used at every lab and in every error: no form of it is saved or written."""
    saved = nbformat.writes(WITH_CANARY[path])
    tracebacks = [one for one in WITH_CANARY[path].cells[-1].outputs if one.output_type == "error"]

    assert ([name for name, form in forms_of(CANARY).items() if form in saved], told["in files"]) == ([], [])
    assert (told["used"].count("a traceback"), len(tracebacks)) == (5, 5)


def test_nothing_of_a_notebook_listens_where_others_could_reach_it(told):
    """The kernel and everything that it started listen on loopback only."""
    assert told["listeners"]
    assert [one for one in told["listeners"] if not is_loopback(one[1])] == []


def test_nothing_of_a_notebook_stays_behind(told):
    """When the kernel has gone, so has everything that it started."""
    deadline = time.monotonic() + 20
    while living(told["family"]) and time.monotonic() < deadline:
        time.sleep(0.02)

    assert living(told["family"]) == []
