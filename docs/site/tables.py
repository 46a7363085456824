"""The pages that tables of the product tell: verbs and their options, columns of every DataFrame, forms of log lines.

Rule 1: a list is taken from where the product has it; nothing is said a second time here.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

import click
from examples import EXAMPLES, WITHOUT, run, stage, verbs

import indimail_kit.tables
import indimail_kit.trace
from indimail_kit.logs.fields import FIELDS
from indimail_kit.logs.grammar import FORMS
from indimail_kit.tables.schemas import Table

_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>#|~$&])")


def words(text: str) -> str:
    """Return text whose characters mean nothing in Markdown."""
    return _MARKUP.sub(r"\\\1", text)


def code(text: str) -> str:
    """Return text as code within a line, a table's cell included."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}".replace("|", "\\|") if text else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    lines = [head, ["---"] * len(head), *rows]
    return ["", *("| " + " | ".join(cell.replace("\n", " ") for cell in row) + " |" for row in lines), ""]


# --- verbs ------------------------------------------------------------------------------------------------------------


def _help(command: click.Command) -> list[str]:
    """Return the paragraphs of a verb's help; one that keeps its lines is a block."""
    paragraphs = (command.help or "").split("\n\n")
    return [
        f"```text\n{text.strip()[1:].strip()}\n```" if text.strip().startswith("\b") else words(" ".join(text.split()))
        for text in paragraphs
    ]


def _options(command: click.Command, context: click.Context) -> list[str]:
    rows = [record for option in command.get_params(context) if (record := option.get_help_record(context))]
    return table(["option", "means"], [[code(name), words(text)] for name, text in rows]) if rows else []


def commands_page() -> str:
    """Return the page of the command line: every verb with its help, its options and what it prints."""
    lines = [
        "# The command line",
        "",
        "Every verb, as it explains itself, with what it printed when this page was made.",
    ]
    lines += ["Demo mails, demo logs and a demo queue stand in the working directory.", ""]
    lines += ["Exit codes: 0 done, nothing bad found; 1 found something; 2 wrong usage; 3 something needed is missing."]
    with tempfile.TemporaryDirectory() as directory, stage(Path(directory)) as numbers:
        outputs = {verb: [run(example, numbers) for example in tried] for verb, tried in EXAMPLES.items()}
    for verb, command in verbs().items():
        context = click.Context(command, info_name=f"indimail-kit {verb}", terminal_width=110)
        usage = " ".join(command.get_usage(context).removeprefix("Usage: ").split())
        lines += ["", f"## {verb}", "", f"```text\n{usage}\n```", ""]
        lines += [line for paragraph in _help(command) for line in (paragraph, "")]
        lines += _options(command, context)
        lines += [f"```console\n$ {typed}\n{printed}\n```\n" for typed, printed in outputs.get(verb, [])]
        lines += [f"*No output is shown.* {words(WITHOUT[verb])}"] if verb in WITHOUT else []
    return "\n".join(lines)


# --- tables -----------------------------------------------------------------------------------------------------------


def _modules(package: ModuleType) -> Iterable[ModuleType]:
    yield package
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(module.name)


def all_tables() -> list[Table]:
    """Return every table that the product defines, each once, as `tables` and `trace` have them."""
    found = {
        id(value): value
        for package in (indimail_kit.tables, indimail_kit.trace)
        for module in _modules(package)
        for value in vars(module).values()
        if isinstance(value, Table)
    }
    return sorted(found.values(), key=lambda one: one.name)


def tables_page() -> str:
    """Return the page of the columns."""
    lines = ["# The columns of every table", "", "A name means the same in every table. Times are UTC.", ""]
    for one in all_tables():
        key = ", ".join(code(name) for name in one.key) or "none"
        lines += [f"## {one.name}", "", f"One row is {words(one.row)}. Key: {key}.", ""]
        rows = [
            [code(c.name), code(c.dtype), words(c.unit), words(c.meaning), words(c.null), words(c.source)]
            for c in one.columns
        ]
        lines += table(["column", "dtype", "unit", "meaning", "null", "source"], rows)
    return "\n".join(lines)


# --- log lines --------------------------------------------------------------------------------------------------------


def forms_page() -> str:
    """Return the page of the log lines, in the order in which the forms are tried."""
    lines = ["# What log lines say", "", "A line is what the first form that fits says it is. `{field}` stands for a"]
    lines += ["value, `«…»` around what may be missing; a line that no form fits is kept as `unknown`.", ""]
    for form in FORMS.values():
        lines += [f"## {form.name}", "", words(form.meaning), "", f"```text\n{form.template}\n```", ""]
        lines += [f"For example:\n\n```text\n{form.example}\n```\n"] if form.example else []
        who = [f"Kind {code(form.kind)}."] + ([f"Written by {words(form.program)}."] if form.program else [])
        lines += [" ".join([*who, f"*Source: {words(form.source)}.*"]), ""]
    lines += ["## The fields", ""]
    lines += table(
        ["field", "meaning", "value"], [[code(n), words(f.meaning), f.kind.value] for n, f in FIELDS.items()]
    )
    return "\n".join(lines)
