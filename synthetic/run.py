"""From facts to drops: which rows each config leaves out, and why.

The recipe's order is the order. A row-by-row rule runs on every row and its result is kept per shard; a row's drop is
attributed to the first rule that hits it. A rule that needs rows to meet sees only the rows still standing, cut into
parts by a hash of the column whose equal values meet.

Every task is a pure function of its input, and its result is a file named by the digest of what made it: the stage's
name, version and settings, and the content it read. An existing file is a finished task. That one idea is cache, resume
and provenance: re-tuning a rule recomputes that rule and the later meeting rules whose input changed, nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any  # settings

import polars as pl
import xxhash
from msgspec import json

from synthetic import measures
from synthetic.errors import RecipeError
from synthetic.expression import MEASURED, scored, types
from synthetic.recipe import Recipe, Use
from synthetic.record import canonical_json, digest, record
from synthetic.shard import RowHash
from synthetic.stage import EVERYTHING, Progress, Stage, silent
from synthetic.store import Cache, Snapshot
from synthetic.views import VIEWS

PART_ROWS = 2_000_000
"""Rows that meet are cut into parts of about this many."""

Hits = Mapping[int, pl.DataFrame]
"""By place of the shard: position and reason of the rows that a rule drops."""


@dataclass(frozen=True)
class Step:
    """One rule of a config, applied."""

    use: Use
    seen: int
    dropped: int
    hits: Hits = field(repr=False)


@dataclass(frozen=True)
class Judged:
    """One config, judged."""

    config: str
    steps: tuple[Step, ...]
    standing: tuple[pl.Series, ...] = field(repr=False)
    """For each shard, whether each row is kept."""
    first: tuple[pl.Series, ...] = field(repr=False)
    """For each shard, the number of the step that dropped each row; null = kept."""

    @property
    def kept(self) -> int:
        """Rows of the config."""
        return sum(int(standing.sum()) for standing in self.standing)

    def drops(self, place: int) -> pl.DataFrame:
        """position, config, rule, reason of the rows of one shard that the config leaves out, in their order."""
        frames = [
            step.hits[place].lazy().filter(pl.col("position").is_in(positions.implode()))
            .select("position", pl.lit(self.config).alias("config"), pl.lit(step.use.name).alias("rule"), "reason")
            for number, step in enumerate(self.steps)
            if place in step.hits and (positions := (self.first[place] == number).arg_true()).len()
        ]  # fmt: skip
        empty = {"position": pl.UInt32, "config": pl.String, "rule": pl.String, "reason": pl.String}
        return pl.concat(frames).sort("position").collect() if frames else pl.DataFrame(schema=empty)


class Bench:
    """A snapshot of stores on which a recipe's measures and rules are run."""

    def __init__(
        self,
        snapshot: Snapshot,
        recipe: Recipe,
        cache: Cache,
        progress: Progress = silent,
        *,
        part_rows: int = PART_ROWS,
    ) -> None:
        self.snapshot, self.recipe, self.cache, self.progress = snapshot, recipe, cache, progress
        self.part_rows = part_rows
        self.ran: list[str] = []
        """Tasks that were run, and not found finished: stage, and shard or part."""
        self._measured: dict[str, Hits] = {}
        self._hit: dict[str, Hits] = {}
        self._makes: dict[tuple[str, int | None], str] = {}
        self._late = digest(canonical_json([s.footer.row_hash for s in snapshot.annotations]))

    # ---- columns

    def settings(self, measure: Stage) -> dict[str, Any]:
        """What the recipe says to a measure."""
        return {"correct": self.recipe.correct} if measure.name == "verdict" else {}

    def frame(self, place: int, columns: Sequence[str]) -> pl.LazyFrame:
        """Columns of one shard's rows, measured ones included, in the shard's order."""
        facts = [name for name in columns if name not in MEASURED]
        frame = self.snapshot.lazy(place).select(facts)
        for measure in dict.fromkeys(measures.BY_COLUMN[name] for name in columns if name in MEASURED):
            # Results stand in the order of the shard's rows.
            frame = pl.concat(
                [frame, self.measured(measure, place).lazy().drop("row_id", strict=False)], how="horizontal"
            )
        return frame.select(columns)

    def rows(self, columns: Sequence[str]) -> pl.LazyFrame:
        """Columns of all rows, measured ones included."""
        if not self.snapshot.traces:
            return pl.LazyFrame(schema={name: types()[name] for name in columns})
        return pl.concat([self.frame(place, columns) for place in range(len(self.snapshot.traces))])

    def measured(self, measure: Stage, place: int) -> pl.DataFrame:
        """The columns that a measure gives, one row for every row of the shard, in its order."""
        settings = self.settings(measure)
        if measure.meets(settings) is not None:
            if measure.name not in self._measured:
                everywhere = [pl.repeat(True, rows, eager=True, dtype=pl.Boolean) for rows in self.snapshot.rows]
                self._measured[measure.name] = self._meet(measure, settings, everywhere)
            of = self._measured[measure.name]
            if place not in of:  # a shard whose rows all came before has none
                return pl.DataFrame(schema={name: types()[name] for name in measure.gives})
            return of[place].select(measure.gives)
        return self._by_row(measure, settings, place)

    # ---- tasks

    def _key(self, stage: Stage, settings: Mapping[str, Any], content: Any) -> str:
        home = f"{stage.function.__module__}.{stage.name}"
        return digest(canonical_json([home, stage.version, dict(settings), content]))

    def _content(self, stage: Stage, settings: Mapping[str, Any], place: int) -> list[str]:
        """What a row-by-row task on a shard reads, by digest."""
        read = stage.columns(settings)
        content = [self.snapshot.row_hashes[place]]
        if any(name in record().by_name and record()[name].late for name in read):
            content.append(self._late)
        measured = dict.fromkeys(measures.BY_COLUMN[name] for name in read if name in MEASURED)
        return content + [self._made(measure, place) for measure in measured]

    def _made(self, measure: Stage, place: int) -> str:
        """What makes a measure's columns of a shard's rows, by digest."""
        settings = self.settings(measure)
        everywhere = measure.meets(settings) is not None
        memo = measure.name, None if everywhere else place
        if memo not in self._makes:
            places = range(len(self.snapshot.traces)) if everywhere else [place]
            self._makes[memo] = self._key(measure, settings, [self._content(measure, settings, p) for p in places])
        return self._makes[memo]

    def _by_row(self, stage: Stage, settings: Mapping[str, Any], place: int) -> pl.DataFrame:
        """The result of a row-by-row stage on one shard."""
        key = self._key(stage, settings, self._content(stage, settings, place))
        if (result := self.cache.get(key)) is None:
            frame = self.frame(place, stage.columns(settings))
            result = self._run(stage, settings, frame, f"shard {place}", key)
        return result

    def _run(self, stage: Stage, settings: Mapping[str, Any], frame: pl.LazyFrame, task: str, key: str) -> pl.DataFrame:
        """Run a task and keep its result. Raises `RecipeError` where the stage does not fit the rows."""
        try:
            result = stage(frame, **settings).select("row_id", *(stage.gives or ("reason",))).collect()
        except pl.exceptions.PolarsError as error:
            texts = ", ".join(repr(text) for text in stage.texts(settings).values())
            raise RecipeError(
                f"'{stage.name}' {texts or dict(settings)}: {str(error).partition(chr(10))[0]}",
                hint="try_cast(… as …) gives null where cast fails" if texts else None,
            ) from error
        self.cache.put(key, result)
        self.ran.append(f"{stage.name}: {task}")
        return result

    def _positions(self, place: int) -> pl.LazyFrame:
        ids = self.snapshot.lazy(place).select("row_id")
        return ids.with_columns(position=pl.int_range(pl.len(), dtype=pl.UInt32))

    def _row_hits(self, use: Use) -> Hits:
        """What a row-by-row rule drops, for every shard."""
        hits = {}
        for place in range(len(self.snapshot.traces)):
            dropped = self._by_row(use.stage, use.settings, place)
            if dropped.height:
                placed = self._positions(place).join(dropped.lazy(), on="row_id", how="inner", maintain_order="left")
                hits[place] = placed.select("position", "reason").collect()
            self.progress(use.text, place + 1, len(self.snapshot.traces))
        return hits

    def _meet(
        self, stage: Stage, settings: Mapping[str, Any], standing: Sequence[pl.Series]
    ) -> dict[int, pl.DataFrame]:
        """The result of a stage whose rows meet, by shard, with positions in place of row_id."""
        column = stage.meets(settings)
        assert column is not None  # noqa: S101 - the caller asked for a stage whose rows meet
        read = stage.columns(settings)
        found: list[pl.DataFrame] = []
        for number, (part, of) in enumerate(self._parts(column, read, standing)):
            content = RowHash(part.select(read).to_arrow().schema)
            content.add(part.select(read).to_arrow())
            key = self._key(stage, settings, content.digest())
            if (result := self.cache.get(key)) is None:
                result = self._run(stage, settings, part.lazy().select(read), f"part {number} of {of}", key)
            places = part.select("row_id", "place", "position")
            found.append(places.join(result, on="row_id", how="inner", maintain_order="left").drop("row_id"))
            self.progress(stage.name, number + 1, of)
        if not found:
            return {}
        whole = pl.concat(found).sort("place", "position")
        return {int(p[0]): frame.drop("place") for p, frame in whole.partition_by("place", as_dict=True).items()}

    def _parts(
        self, column: str, read: Sequence[str], standing: Sequence[pl.Series]
    ) -> Iterator[tuple[pl.DataFrame, int]]:
        """The standing rows in parts, equal values of the column together, each in the store's order; and how many."""
        rows = sum(int(s.sum()) for s in standing)
        parts = 1 if column == EVERYTHING else 1 << max(0, (rows - 1) // self.part_rows).bit_length()

        def narrow(place: int) -> pl.DataFrame:
            where = [pl.lit(place, pl.UInt32).alias("place"), pl.int_range(pl.len(), dtype=pl.UInt32).alias("position")]
            frame = self.frame(place, read).with_columns(where).collect()
            return frame.filter(standing[place])

        places = range(len(self.snapshot.traces))
        if parts == 1:
            if places:
                yield pl.concat([narrow(place) for place in places]), 1
            return
        self.cache.folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.cache.folder) as folder:
            for place in places:
                frame = narrow(place)
                for (part,), piece in frame.group_by(_part(frame[column], parts), maintain_order=True):
                    piece.write_ipc(Path(folder) / f"{part}-{place:09d}.arrow", compression="lz4")
            for number in range(parts):
                if pieces := sorted(Path(folder).glob(f"{number}-*.arrow")):
                    yield pl.concat([pl.read_ipc(piece) for piece in pieces]), parts

    # ---- configs

    def judge_all(self) -> dict[str, Judged]:
        """Every config of the recipe. Raises `RecipeError`."""
        self.check_names([use for config in VIEWS for use in self.recipe.rules(config)])
        return {config: self.apply(config, self.recipe.rules(config)) for config in VIEWS}

    def apply(self, config: str, uses: Sequence[Use]) -> Judged:
        """Apply rules in their order."""
        rows = self.snapshot.rows
        first = [pl.Series([None], dtype=pl.UInt8).new_from_index(0, n) for n in rows]
        steps: list[Step] = []
        prefix: list[Any] = []
        for number, use in enumerate(uses):
            standing = [f.is_null() for f in first]
            prefix.append([use.name, dict(use.settings)])
            meets = use.stage.meets(use.settings) is not None
            # A row-by-row rule finds the same in every config, one whose rows meet in configs that begin alike.
            memo = digest(canonical_json(prefix if meets else prefix[-1]))
            if memo not in self._hit:
                self._hit[memo] = self._meet(use.stage, use.settings, standing) if meets else self._row_hits(use)
            hits = self._hit[memo]
            dropped = 0
            for place, found in hits.items():
                hit = pl.Series(pl.repeat(False, rows[place], eager=True)).scatter(found["position"], True)
                new = hit & standing[place]
                dropped += int(new.sum())
                first[place] = first[place].zip_with(
                    ~new, pl.Series([number], dtype=pl.UInt8).new_from_index(0, rows[place])
                )
            steps.append(Step(use, sum(int(s.sum()) for s in standing), dropped, hits))
        return Judged(config, tuple(steps), tuple(f.is_null() for f in first), tuple(first))

    def check_names(self, uses: Sequence[Use]) -> None:
        """Raise `RecipeError` where an expression names what is no column, scorer or metric of the store."""
        wanted = [(text, f'env."{env}".correct') for env, text in self.recipe.correct.items()]
        for use in uses:
            wanted += [(text, use.where) for text in use.stage.texts(use.settings).values()]
        unknown = {(name, where) for text, where in wanted for name in scored(text, where)}
        if not unknown or not any(self.snapshot.rows):
            return
        known: set[str] = set()
        for place in range(len(self.snapshot.traces)):
            frame = self.snapshot.lazy(place)
            scorers = frame.select(pl.col("rewards").list.explode().struct.field("name").unique())
            keys = pl.col("metrics").str.extract_all(r'"(?:[^"\\]|\\.)*":').list.explode().str.head(-1).unique()
            known |= set(scorers.collect().to_series().drop_nulls())
            known |= {json.decode(key) for key in frame.select(keys).collect().to_series().drop_nulls()}
        for name, where in sorted(unknown):
            if name not in known and not self._of_absent_environment(where):
                choices = f"scorers and metrics here are {sorted(known)}" if known else "there are no scorers here"
                near = get_close_matches(name, [*record().names, *sorted(known)], n=1)
                raise RecipeError(
                    f"{where}: no column, scorer or metric is called '{name}'; {choices}",
                    hint=near[0] if near else None,
                )

    def _of_absent_environment(self, where: str) -> bool:
        """Whether an expression is for an environment that the store has no rows of: it need not hold."""
        envs = {f'env."{env}".correct': env for env in self.recipe.correct}
        if where not in envs:
            return False
        here = (pl.col("env_id") == envs[where]) | (pl.col("env_name") == envs[where])
        places = range(len(self.snapshot.traces))
        return not any(self.snapshot.lazy(p).select(here.fill_null(False).any()).collect().item() for p in places)


def _part(column: pl.Series, parts: int) -> pl.Series:
    """Which part each value belongs to: a stable hash, equal for equal values; null goes to part 0."""
    # -0.0 equals 0.0, and stays what it is where 0.0 is added: polars leaves that out.
    text = (column.set(column == 0, 0.0) if column.dtype.is_float() else column).cast(pl.String)
    values = text.drop_nulls().unique()
    of = pl.Series([xxhash.xxh3_64_intdigest(value.encode()) % parts for value in values], dtype=pl.UInt32)
    return text.replace_strict(values, of, default=0, return_dtype=pl.UInt32).alias("part")
