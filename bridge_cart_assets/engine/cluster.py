"""Functions per bucket of keys on Apache Spark.

Spark sees a bucket's number and bytes: rows travel as Polars wrote them, so no type is converted on
the way, and only whole buckets are shuffled. Executors read the files that a snapshot lists by
Polars, and write files by this package's own writer; no jar of Delta is needed. Sums are columns
that Spark adds up.

Belongs here: how work is given to Spark, and how rows come back. Does not belong here: which work
(`pipeline`), or how a session begins (`session`).
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from bridge_cart_assets.engine.engine import Frames, Keyed, Output, buckets_for, rows_of_a_task
from bridge_cart_assets.engine.session import Session, failures
from bridge_cart_assets.lake.row_files import RowFiles
from bridge_cart_assets.lake.staging import stage_apart
from bridge_cart_assets.tables.table import Table

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

_SPLIT = "bucket long, input int, rows binary"
_GIVEN = "output int, rows binary"
# Rows of one file that an executor writes.
_FILE_ROWS = 500_000


@dataclass(frozen=True)
class _There:
    """One of the frames that a function gave, on the executors."""

    given: "DataFrame"
    place: int
    empty: pl.DataFrame
    buckets: int

    @property
    def rows(self) -> "DataFrame":
        return self.given.where(f"output = {self.place}").select("rows")

    def collect(self) -> pl.DataFrame:
        with failures():
            parts = self.rows.toArrow().column("rows").to_pylist()
        return pl.concat([self.empty, *(_read(part) for part in parts)])


class Cluster:
    """An engine on Spark, with one session per process that begins with the first work."""

    def __init__(self, address: str, least_rows: int = 0) -> None:
        self._session = Session(address)
        self._least_rows = least_rows

    def is_used_for(self, rows: int) -> bool:
        """Whether there are enough rows."""
        return rows > 0 and rows >= self._least_rows

    def check(self) -> None:
        """Look for Java, pyspark and a server at the address.

        Raises:
            EngineError: one is missing.
        """
        self._session.check()

    def stop(self) -> None:
        """End the session, if there is one."""
        self._session.stop()

    def per_key(self, function: Callable[..., Frames], *inputs: Keyed) -> tuple[Output, ...]:
        """Call the function per bucket on the executors; the rows stay there.

        Raises:
            EngineError: the work failed.
        """
        empty = _on_nothing(function, inputs)
        buckets = self._buckets(inputs)
        with failures():
            call = _PerBucket(function, tuple(one.narrowed(_nothing(one)) for one in inputs))
            # Spark counts the arguments: two would be the key and the rows.
            grouped = self._grouped(inputs, buckets)
            given = grouped.applyInArrow(lambda bucket: call(bucket), _GIVEN)  # noqa: PLW0108
            # What is lost with an executor is computed again, from the same rows.
            kept = given.persist(self._session.on_disk)
        return tuple(_There(kept, place, rows, buckets) for place, rows in enumerate(empty))

    def sums(
        self, function: Callable[..., pl.DataFrame], *inputs: Keyed, by: Sequence[str]
    ) -> pl.DataFrame:
        """Call the function per bucket on the executors, and let Spark add up.

        Raises:
            EngineError: the work failed.
        """
        from pyspark.sql.pandas.types import from_arrow_schema

        empty = function(*(given.narrowed(_nothing(given)) for given in inputs))
        nothing = tuple(given.narrowed(_nothing(given)) for given in inputs)
        with failures():
            call = _Contributions(function, nothing)
            grouped = self._grouped(inputs, self._buckets(inputs))
            schema = from_arrow_schema(_arrow(empty).schema)
            contributions = grouped.applyInArrow(lambda bucket: call(bucket), schema)  # noqa: PLW0108
            # By name: a server of Spark Connect does not take the functions of a session without.
            summed = [name for name in empty.columns if name not in by]
            added = contributions.groupBy(*by).agg(dict.fromkeys(summed, "sum")).toArrow()
        named = pl.DataFrame(added).rename({f"sum({name})": name for name in summed})
        return named.select(empty.columns).cast(empty.schema)

    def stage(
        self,
        output: Output,
        finish: Callable[[pl.DataFrame], pl.DataFrame],
        table: Table,
        root: str,
        options: Mapping[str, str],
    ) -> list[str]:
        """Let the executors write the rows.

        Raises:
            EngineError: the work failed.
        """
        assert isinstance(output, _There)  # noqa: S101 - given by `per_key`
        writer = _Writer(finish, table, root, options)
        with failures():
            # A file for each of few tasks, and not for each bucket.
            few = output.rows.coalesce(self._session.parallelism)
            written = few.mapInArrow(writer, "action string").toArrow()
        return list(written.column("action").to_pylist())

    def _buckets(self, inputs: Sequence[Keyed]) -> int:
        rows = [given.rows for given in inputs]
        known = [one.buckets for one in rows if isinstance(one, _There)]
        counts = [sum(one.rows) for one in rows if isinstance(one, RowFiles)]
        counts += [one.height for one in rows if isinstance(one, pl.DataFrame)]
        return max(*known, 1, buckets_for(sum(counts), self._session.parallelism))

    def _grouped(self, inputs: Sequence[Keyed], buckets: int) -> Any:
        """The rows of all inputs, grouped by bucket."""
        parts = [self._split(place, given, buckets) for place, given in enumerate(inputs)]
        both = parts[0]
        for part in parts[1:]:
            both = both.union(part)
        return both.repartition(buckets, "bucket").groupBy("bucket")

    def _split(self, place: int, given: Keyed, buckets: int) -> "DataFrame":
        """The rows of one input, cut into buckets where they are."""
        spark = self._session.spark
        if isinstance(given.rows, _There):
            return given.rows.rows.mapInArrow(_SplitParts(place, given, buckets), _SPLIT)
        if isinstance(given.rows, RowFiles):
            most = rows_of_a_task(sum(given.rows.rows), self._session.parallelism)
            groups = given.rows.groups(most)
            tasks = spark.range(0, len(groups), 1, max(1, len(groups)))
            return tasks.mapInArrow(_SplitFiles(place, given, buckets, tuple(groups)), _SPLIT)
        assert isinstance(given.rows, pl.DataFrame)  # noqa: S101 - the outputs of others are not ours
        cut = list(_cut(place, given, given.rows.lazy(), buckets))
        return spark.createDataFrame(_table(cut, _split_schema()), _SPLIT)


def _nothing(given: Keyed) -> pl.LazyFrame:
    """No rows, in the columns of an input."""
    if isinstance(given.rows, pl.DataFrame):
        return given.rows.clear().lazy()
    if isinstance(given.rows, RowFiles):
        return given.rows.table.empty().lazy()
    assert isinstance(given.rows, _There)  # noqa: S101 - the outputs of others are not ours
    return given.rows.empty.lazy()


def _on_nothing(function: Callable[..., Frames], inputs: Sequence[Keyed]) -> Frames:
    """What a function gives for no rows: the columns of what it gives."""
    return tuple(
        frame.clear() for frame in function(*(given.narrowed(_nothing(given)) for given in inputs))
    )


# What follows is sent to the executors and runs there.


@dataclass(frozen=True)
class _SplitFiles:
    """Reads groups of files, and cuts their rows into buckets; a task gets the number of one."""

    place: int
    given: Keyed
    buckets: int
    groups: tuple[RowFiles, ...]

    def __call__(self, batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        for batch in batches:
            for number in batch.column(0).to_pylist():
                rows = self.groups[number].scan()
                for cut in _cut(self.place, self.given, rows, self.buckets):
                    yield from _table([cut], _split_schema()).to_batches()


@dataclass(frozen=True)
class _SplitParts:
    """Cuts what functions gave into other buckets."""

    place: int
    given: Keyed
    buckets: int

    def __getstate__(self) -> dict[str, Any]:
        # Its rows are what it is called with; they cannot be sent.
        given = Keyed(pl.DataFrame(), self.given.key, self.given.columns, self.given.where)
        return {"place": self.place, "given": given, "buckets": self.buckets}

    def __call__(self, batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        for batch in batches:
            for part in batch.column(0).to_pylist():
                for cut in _cut(self.place, self.given, _read(part).lazy(), self.buckets):
                    yield from _table([cut], _split_schema()).to_batches()


def _cut(
    place: int, given: Keyed, rows: pl.LazyFrame, buckets: int
) -> Iterator[tuple[int, int, bytes]]:
    for number, part in given.split(rows, buckets):
        yield number, place, _written(part)


@dataclass(frozen=True)
class _PerBucket:
    """Calls a function for the rows of one bucket."""

    function: Callable[..., Any]
    nothing: tuple[pl.LazyFrame, ...]

    def __getstate__(self) -> dict[str, Any]:
        return {"function": self.function, "nothing": [_written(f.collect()) for f in self.nothing]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        object.__setattr__(self, "function", state["function"])
        object.__setattr__(self, "nothing", tuple(_read(f).lazy() for f in state["nothing"]))

    def __call__(self, bucket: "pa.Table") -> "pa.Table":
        rows = [
            (place, _written(frame))
            for place, frame in enumerate(self.function(*_inputs(bucket, self.nothing)))
            if frame.height
        ]
        return _table(rows, _given_schema())


class _Contributions(_PerBucket):
    """Calls a function that gives contributions for the rows of one bucket."""

    def __call__(self, bucket: "pa.Table") -> "pa.Table":
        frame: Any = self.function(*_inputs(bucket, self.nothing))
        return _arrow(frame)


def _inputs(bucket: "pa.Table", nothing: Sequence[pl.LazyFrame]) -> list[pl.LazyFrame]:
    parts: list[list[pl.DataFrame]] = [[] for _ in nothing]
    places, rows = bucket.column("input").to_pylist(), bucket.column("rows").to_pylist()
    for place, part in zip(places, rows, strict=True):
        parts[place].append(_read(part))
    return [
        pl.concat(some).lazy() if some else empty
        for some, empty in zip(parts, nothing, strict=True)
    ]


@dataclass(frozen=True)
class _Writer:
    """Writes rows as files below a table."""

    finish: Callable[[pl.DataFrame], pl.DataFrame]
    table: Table
    root: str
    options: Mapping[str, str]

    def __call__(self, batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        parts = (_read(part) for batch in batches for part in batch.column(0).to_pylist())
        frames = (self.finish(rows) for rows in _gathered(parts, _FILE_ROWS))
        actions = list(stage_apart(self.table, self.root, self.options, frames))
        yield from pa.table({"action": pa.array(actions, pa.string())}).to_batches()


def _gathered(parts: Iterator[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """Frames of at least so many rows, but for the last one."""
    some: list[pl.DataFrame] = []
    for part in parts:
        some.append(part)
        if sum(one.height for one in some) >= rows:
            yield pl.concat(some)
            some = []
    if some:
        yield pl.concat(some)


def _written(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.rechunk().write_ipc(buffer)
    return buffer.getvalue()


def _read(part: bytes) -> pl.DataFrame:
    return pl.read_ipc(io.BytesIO(part))


def _split_schema() -> "pa.Schema":
    import pyarrow as pa

    return pa.schema([("bucket", pa.int64()), ("input", pa.int32()), ("rows", pa.binary())])


def _given_schema() -> "pa.Schema":
    import pyarrow as pa

    return pa.schema([("output", pa.int32()), ("rows", pa.binary())])


def _table(rows: Sequence[tuple[Any, ...]], schema: "pa.Schema") -> "pa.Table":
    import pyarrow as pa

    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    return pa.table([list(column) for column in columns], schema=schema)


def _arrow(frame: pl.DataFrame) -> "pa.Table":
    """The rows in types that Spark knows: it has one kind of text, with offsets of 32 bits."""
    import pyarrow as pa

    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    kinds = {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}
    fields = [pa.field(field.name, kinds.get(field.type, field.type)) for field in table.schema]
    return table.cast(pa.schema(fields))
