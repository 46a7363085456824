"""``queue stuck``: who still waits in a queue, by the reason that the log told when the recipient was last deferred."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indimail_kit.cli.output import json_option, note, print_json, print_table
from indimail_kit.cli.queue_place import opened, place_options
from indimail_kit.counting import counted

if TYPE_CHECKING:
    import pandas as pd


@click.command("stuck")
@place_options
@click.option(
    "--log", "logs", type=click.Path(path_type=Path), multiple=True, help="qmail-send's log: file, .gz, directory."
)
@click.option("--each", "lists_each", is_flag=True, help="A row for each recipient instead of one for each reason.")
@json_option
def stuck_verb(place: Path | None, split: int | None, logs: tuple[Path, ...], lists_each: bool, as_json: bool) -> None:
    """Say why mail waits: each recipient that is not done, with the last deferral that the log tells of it.

    Queue and log are joined by queue, number and lifetime: a number that another message had before tells nothing.
    Where the log does not say why, that is said, too. Nothing changes by it.
    """
    from indimail_kit.tables.log_reading import LogReading
    from indimail_kit.tables.questions import stuck, stuck_reasons

    picture = opened(place, split).snapshot()
    deliveries, messages = LogReading(*logs).tables() if logs else (None, None)
    waiting = stuck(picture, deliveries, messages)
    table = waiting if lists_each else stuck_reasons(waiting)
    if as_json:
        print_json(_document(table))
        return
    _print_each(table) if lists_each else _print_reasons(table)
    known = int(waiting["reason"].notna().sum())
    note(
        f"{counted(len(waiting), 'recipient')} waiting, the reason of {known:,} is known"
        + ("" if logs else "; give --log")
    )


def _print_reasons(table: pd.DataFrame) -> None:
    heads = [("recipients", "right"), ("messages", "right"), ("domains", "right"), ("oldest", "right"), ("why", "left")]
    rows = [
        [(f"{row.recipients:,}", ""), (f"{row.messages:,}", ""), (f"{row.domains:,}", ""), (_age(row.oldest_age_s), ""),
         (str(row.reason) if row.is_known else f"no reason known: {row.reason}", "" if row.is_known else "dim")]
        for row in table.itertuples(index=False)
    ]  # fmt: skip
    print_table(heads, rows)


def _print_each(table: pd.DataFrame) -> None:
    heads = [("queue", "left"), ("message", "right"), ("age", "right"), ("deferrals", "right"), ("to", "left"),
             ("why", "left")]  # fmt: skip
    rows = [
        [(str(row.queue), ""), (str(row.message_number), ""), (_age(row.age_s), ""), (str(row.deferrals), ""),
         (str(row.address), ""), (_why(row), "")]
        for row in table.itertuples(index=False)
    ]  # fmt: skip
    print_table(heads, rows)


def _why(row: Any) -> str:
    if not isinstance(row.text, str):
        return f"no reason known: {row.note}"
    return f"{row.text} (likely: {row.note})" if row.note else str(row.text)


def _age(seconds: Any) -> str:
    import pandas as pd

    from indimail_kit.admin.overview import span_text

    return span_text(None if pd.isna(seconds) else int(seconds))


def _document(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table as JSON has it."""
    from indimail_kit.cli.logs_report import plain

    columns = {name: [plain(cell) for cell in table[name]] for name in table.columns}
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
