"""``logs events``: every line, delivery or message of a log as a row of CSV, JSON or Parquet."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from indimail_kit.cli.logs_reading import told
from indimail_kit.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from indimail_kit.logs.files import Source
    from indimail_kit.tables.log_frames import Cells

TABLES = ("events", "deliveries", "messages")


@click.command("events", short_help="Lines, deliveries or messages as CSV, JSON or Parquet.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--table", type=click.Choice(TABLES), default="events", show_default=True, help="What a row is.")
@click.option(
    "--format", "form", type=click.Choice(("csv", "json", "parquet")), default="csv", show_default=True,
    help="CSV with a head line; a JSON object a line; Parquet (needs the extra logs).",
)  # fmt: skip
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path), help="Instead of standard output.")
def events_verb(files: tuple[Path, ...], table: str, form: str, output: Path | None) -> None:
    """Write the lines of logs as rows, while they are read: memory does not grow with the log.

    FILE is a log (plain, .gz or .zst), a multilog directory, or - for standard input; several are one log, oldest
    first. Deliveries and messages come in the order in which they ended, the open ones last.
    """
    if form == "parquet" and output is None:
        raise click.UsageError("--format parquet needs --output FILE")
    with ExitStack() as stack:
        sources = stack.enter_context(told(files, has_rows=output is None))
        if form == "parquet":
            from indimail_kit.tables import schemas
            from indimail_kit.tables.parquet import write_parquet_cells

            write_parquet_cells(getattr(schemas, table.upper()), _cells(sources, table), output or Path())
            return
        out: IO[str] = stack.enter_context(output.open("w", encoding="utf-8", newline="")) if output else sys.stdout
        _write(_frames(sources, table), form, out, is_seen=output is None and sys.stdout.isatty())


def _frames(sources: Sequence[Source], table: str) -> Iterator[pd.DataFrame]:
    """Yield the rows in pieces; an empty piece first, so that there is a head line whatever the log holds."""
    from indimail_kit.logs import join_blocks, read_blocks
    from indimail_kit.tables import log_frames

    blocks = read_blocks(*sources)
    if table == "events":
        yield log_frames.event_columns_frame(())
        for block in blocks:
            yield log_frames.event_columns_frame([block])
        return
    frame = log_frames.delivery_columns_frame if table == "deliveries" else log_frames.message_columns_frame
    yield frame(())
    for joined in join_blocks(blocks):
        yield frame([joined])


def _cells(sources: Sequence[Source], table: str) -> Iterator[Cells]:
    """Yield the rows in pieces without pandas, which would be a quarter of the memory; most time goes into texts."""
    from indimail_kit.logs import join_blocks, read_blocks
    from indimail_kit.tables.log_frames import delivery_cells, event_cells, message_cells

    blocks = read_blocks(*sources)
    if table == "events":
        return map(event_cells, blocks)
    joined = join_blocks(blocks)
    return map(delivery_cells, joined) if table == "deliveries" else map(message_cells, joined)


def _write(frames: Iterator[pd.DataFrame], form: str, out: Any, *, is_seen: bool) -> None:
    for number, frame in enumerate(frames):
        if form == "csv":
            text = frame.to_csv(index=False, header=number == 0, lineterminator="\n")
        else:
            text = frame.to_json(orient="records", lines=True, date_format="iso", date_unit="ns") if len(frame) else ""
        out.write(visible(text, kept="\n") if is_seen else text)
