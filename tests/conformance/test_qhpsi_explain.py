"""What a real IndiMail did with QHPSI, call by call, against what `explain` says it would do.

Nothing is run here: how each recorded scanner ended is told by its script, and by whether it got the file's name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.qhpsi import Explanation, build_argv, explain

DATA = Path(__file__).parents[1] / "data/indimail/qhpsi"
CASES = [
    case
    for name in ("qhpsi-cases.json", "qhpsi-plugin-cases.json")
    for case in json.loads((DATA / name).read_text(encoding="utf-8"))
]
FILE_NAME = "mess/26/1745435"

PLUGIN_RESULTS = {
    "plugin: generic.so": 0,
    "plugin generic default SCANCMD": 2,
    "plugin generic DEBUG": 57,
    "missing so": 57,
    "no symbol": 58,
    "QUEUE_PLUGIN_SYMB=other": 1,
}
"""Case -> what the plugin or its loading came to; for the others it is $PLUGRC."""

CLAMDSCAN_RESULTS = {"clamdscan not-root no fdpass": 2, "clamdscan down": 2}
"""Case -> clamdscan's exit code; for the others it is the message's."""


def scanner_rc(case: dict[str, Any]) -> int | None:
    """Return how the recorded scanner ended; None for a signal."""
    command = case["env"].get("QHPSI", "")
    if command.startswith("plugin:"):
        return PLUGIN_RESULTS.get(case["case"], int(case["env"].get("PLUGRC", "0")))
    argv = build_argv(command, FILE_NAME, case["env"])
    program = argv[0].rpartition("/")[2] if argv else ""
    is_infected = case["message"].startswith("eicar")
    if program.startswith("exit"):
        return int(program.removeprefix("exit"))
    found = {
        "clamdscan": CLAMDSCAN_RESULTS.get(case["case"], int(is_infected)),
        "greppy": int(case["message"] == "eicar-plain" and argv[1] == FILE_NAME) if len(argv) > 1 else 0,
        "sig": None,
        "scanner": 75,
        "": 75,
    }
    return found.get(program, 0)


def told(case: dict[str, Any]) -> Explanation:
    """Explain the case's environment."""
    size = 100_000 if case["message"] == "clean-large" else 400
    return explain(case["env"], message_bytes=size, scanner_rc=scanner_rc(case), file_name=FILE_NAME)


def recorded_header(case: dict[str, Any]) -> str:
    """Return the X-QHPSI line of the recorded e record, "" where there is none."""
    records = next((text for name, text in case["files"].items() if name.startswith("intd/")), "").split("\0")
    lines = [line for record in records if record.startswith("e") for line in record[1:].splitlines(keepends=True)]
    return next((line for line in lines if line.startswith("X-QHPSI:")), "")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['case']} {case['message']}")
def test_explanation_is_what_the_real_program_did(case: dict[str, Any]) -> None:
    """Exit code and header of all recorded calls, the custom errors included."""
    explanation = told(case)

    assert (explanation.exit_code, explanation.header) == (case["rc"], recorded_header(case))
    assert (explanation.exit_code == 0 and not explanation.steps[-1].startswith("The message is removed")) is bool(
        case["files"]
    )


def test_all_calls_are_explained() -> None:
    """Every recorded call is compared."""
    assert len(CASES) == 71


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("clamdscan not-root no fdpass", "access-denied"),
        ("clamdscan stream", "stream-limit"),
        ("REJECTVIRUS=abc", "misread-rejection"),
        ("VIRUSFORWARD REJECT=1", "forward-ignored"),
        ("QHPSIRC=0 exit0", "same-codes"),
        ("empty QHPSI", "no-program"),
        ("two args no %s", "no-file-name"),
        ("%s inside", "no-file-name"),
        ("custom error", "custom-error"),
        ("MAXSIZE 100", "large-unscanned"),
        ("FASTQUEUE", "fast-queue"),
        ("plugin PLUGINDIR abs", "plugin-directory"),
        ("plugin path", "plugin-name"),
        ("plugin: (none)", "no-plugin"),
        ("plugin generic DEBUG", "plugin-place"),
    ],
)
def test_recorded_surprise_has_its_warning(name: str, key: str) -> None:
    """What went wrong in the recording is warned of."""
    case = next(case for case in CASES if case["case"] == name)

    assert key in [pitfall.key for pitfall in told(case).warnings]
