"""A log that was read: its events, and the tables made of them.

Rule 1: the tables are made when they are first asked for; pandas starts in `indimail_kit.tables`, so its name does not
occur here, not even in a type.
Rule 2: text from a log reaches HTML escaped only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from indimail_kit.logs.blocks import Source
from indimail_kit.logs.columns import KIND_NAMES, EventBlock
from indimail_kit.logs.engine import read_blocks
from indimail_kit.logs.event import UNKNOWN, Event
from indimail_kit.logs.join import JoinedBlock, join_blocks
from indimail_kit.logs.matchup import Matched, match_joined
from indimail_kit.wiring import html_of, provider

if TYPE_CHECKING:
    from indimail_kit.logs.cluster import ClusterLog


@dataclass(frozen=True, eq=False)
class Log:
    """Every line of one or more logs.

    Attributes:
        blocks: The lines as columns, in the order read.
        name: What was read, for people.
    """

    blocks: Sequence[EventBlock] = field(repr=False)
    name: str = ""

    def __len__(self) -> int:
        """Return the number of lines."""
        return sum(len(block) for block in self.blocks)

    @cached_property
    def kinds(self) -> Counter[str]:
        """Return how many lines of each kind there are."""
        kinds: Counter[str] = Counter()
        for block in self.blocks:
            kinds.update(KIND_NAMES[code] for code in block.kind.tolist())
        return kinds

    @property
    def unknown(self) -> tuple[Event, ...]:
        """Return the lines that no form fits."""
        return tuple(event for block in self.blocks for event in block.others.values() if event.kind == UNKNOWN)

    @cached_property
    def events_list(self) -> tuple[Event, ...]:
        """Return one event for each line, in the order read: every line is read by the grammar now."""
        return tuple(event for block in self.blocks for event in block.events())

    @cached_property
    def joined(self) -> tuple[JoinedBlock, ...]:
        """Return the deliveries and messages as columns, in the order in which they ended."""
        return tuple(join_blocks(self.blocks))

    @cached_property
    def matched(self) -> Matched:
        """Return the deliveries and messages as values."""
        return match_joined(self.joined)

    @cached_property
    def events(self) -> Any:
        """Return the DataFrame `schemas.EVENTS`: one row for each line."""
        return provider("event_columns_frame")(self.blocks)

    @cached_property
    def deliveries(self) -> Any:
        """Return the DataFrame `schemas.DELIVERIES`: one row for each delivery."""
        return provider("delivery_columns_frame")(self.joined)

    @cached_property
    def messages(self) -> Any:
        """Return the DataFrame `schemas.MESSAGES`: one row for each life of a message number."""
        return provider("message_columns_frame")(self.joined)

    def __repr__(self) -> str:
        """Return one line: what was read and how much of it is understood."""
        unknown = self.kinds.get(UNKNOWN, 0)
        what = f" of {self.name}" if self.name else ""
        return f"<Log{what}: {len(self):,} lines, {unknown:,} of them unknown>"

    def _repr_html_(self) -> str:
        return html_of(self)


@overload
def read(*sources: Source, utc_offset_s: int = 0) -> Log: ...


@overload
def read(*sources: Source, scheduler: Any, utc_offset_s: int = 0) -> ClusterLog: ...


def read(*sources: Source, scheduler: Any = None, utc_offset_s: int = 0) -> Log | ClusterLog:
    """Read logs: files (plain, .gz or .zst), multilog directories, or octets; oldest first.

    Args:
        sources: What to read.
        scheduler: A `dask.distributed.Client`, to read on its cluster: see `cluster`.
        utc_offset_s: Local time minus UTC for stamps that name no zone (unit: s).

    Raises:
        FormatError: A directory holds no log.
        MissingPartError: A file is compressed in a way that cannot be read here, or Dask is not installed.
        OSError: A file cannot be read.
        TypeError: The scheduler is something else.
    """
    name = ", ".join("octets" if isinstance(source, bytes) else str(source) for source in sources)
    if scheduler is not None:
        from indimail_kit.logs.cluster import read_on_cluster

        return read_on_cluster(*sources, scheduler=scheduler, utc_offset_s=utc_offset_s, name=name)
    return Log(tuple(read_blocks(*sources, utc_offset_s=utc_offset_s)), name)
