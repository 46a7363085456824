"""The columns of every table."""

from __future__ import annotations

from typing import get_args

import pandas as pd
import pytest

from indimail_kit.errors import SchemaError
from indimail_kit.logs import KINDS, Delivery, Event, Message
from indimail_kit.logs.clamav_runs import FreshclamRun, Reload
from indimail_kit.logs.fields import FIELDS
from indimail_kit.tables.schemas import DELIVERIES, EVENTS, MESSAGES, NEVER, TABLES, Column, Dtype, Table

COLUMNS = [
    pytest.param(table, column, id=f"{table.name}.{column.name}") for table in TABLES for column in table.columns
]


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_every_column_says_dtype_meaning_null_rule_and_source(table: Table, column: Column) -> None:
    """Nobody has to guess what a cell means."""
    assert column.dtype in get_args(Dtype)
    assert column.meaning
    assert column.null
    assert column.source


@pytest.mark.parametrize(("table", "column"), [one for one in COLUMNS if one.values[1].dtype in ("int64", "bool")])
def test_a_column_that_cannot_be_null_says_never(table: Table, column: Column) -> None:
    """int64 and bool have no null."""
    assert column.null.startswith(NEVER)


@pytest.mark.parametrize(("table", "column"), [one for one in COLUMNS if one.values[1].dtype == "Int64"])
def test_a_nullable_number_says_when_it_is_null(table: Table, column: Column) -> None:
    """Otherwise it would be int64."""
    assert not column.null.startswith(NEVER)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_key_is_made_of_columns(table: Table) -> None:
    """And no name occurs twice."""
    assert set(table.key) <= set(table.names)
    assert len(set(table.names)) == len(table.names)


def test_a_name_has_one_dtype_and_one_unit_in_all_tables() -> None:
    """Joins need no conversion; only nullability may differ."""
    facts: dict[str, set[tuple[str, str]]] = {}
    for table in TABLES:
        for column in table.columns:
            facts.setdefault(column.name, set()).add((column.dtype.lower(), column.unit))
    assert {name: fact for name, fact in facts.items() if len(fact) > 1} == {}


@pytest.mark.parametrize(
    ("table", "kind"),
    list(zip(TABLES, (Event, Delivery, Message, FreshclamRun, Reload), strict=True)),
    ids=[table.name for table in TABLES],
)
def test_every_column_has_its_attribute(table: Table, kind: type) -> None:
    """A column without a source could only be empty."""
    assert [column.name for column in table.columns if not hasattr(kind, column.attribute)] == []


def test_columns_of_events_that_are_fields_have_the_fields_names() -> None:
    """One concept, one word: the numbers of a line have the same names in the grammar and in the table."""
    numbers = {column.name for column in EVENTS.columns if column.dtype == "Int64"} - {"run"}
    assert numbers <= set(FIELDS)


def test_a_kind_is_named_like_the_column_says() -> None:
    """Kinds are words of the grammar: lower case, underscores."""
    assert all(kind == kind.lower() and kind.isidentifier() for kind in KINDS)


def _frame(table: Table) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in table.dtypes.items()})


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_frame_of_the_right_shape_passes_the_check(table: Table) -> None:
    """More columns are no fault."""
    table.check(_frame(table).assign(extra=1))


def test_a_missing_column_is_a_schema_error() -> None:
    """The message names it."""
    with pytest.raises(SchemaError, match="MESSAGES without the column qp"):
        MESSAGES.check(_frame(MESSAGES).drop(columns="qp"))


def test_a_wrong_dtype_is_a_schema_error() -> None:
    """The message names both dtypes."""
    with pytest.raises(SchemaError, match=r"MESSAGES\.qp of dtype float64 instead of Int64"):
        MESSAGES.check(_frame(MESSAGES).astype({"qp": "float64"}))


def test_a_column_is_found_by_its_name() -> None:
    """For documentation and widgets."""
    assert DELIVERIES["message_bytes"].unit == "octets"
