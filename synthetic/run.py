"""From facts to drops: which rows each config leaves out, and why.

The recipe's order is the order. A row-by-row rule runs on every row and its result is kept per shard; a row's drop is
attributed to the first rule that hits it. A rule that needs rows to meet sees only the rows still standing, cut into
parts by a hash of the column whose equal values meet; one that groups them first is given the grouped ones alone. What
a rule flags it does not drop: the row stands on, and is marked.

Every task is a pure function of its input, and its result is a file named by the digest of what made it: the stage's
name, version and settings, and the content it read. An existing file is a finished task. That one idea is cache, resume
and provenance: re-tuning a rule recomputes that rule and the later meeting rules whose input changed, nothing else.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any  # settings

import polars as pl
from msgspec import json

from synthetic import measures, parts
from synthetic.errors import RecipeError
from synthetic.expression import scored, types
from synthetic.judged import Hits, Judged, Rows, Step
from synthetic.parts import PART_BYTES, PART_ROWS
from synthetic.recipe import Recipe, Use
from synthetic.record import canonical_json, digest, measured, record
from synthetic.references import OPENERS, Opener, Reference
from synthetic.shard import RowHash
from synthetic.stage import EVERYTHING, Progress, Stage, View, silent
from synthetic.store import Cache
from synthetic.views import VIEWS

LAYOUT = 2
"""Of cached results; raised when it changes."""


class Bench:
    """Rows on which a recipe's measures and rules are run."""

    def __init__(
        self,
        snapshot: Rows,
        recipe: Recipe,
        cache: Cache,
        progress: Progress = silent,
        *,
        part_rows: int = PART_ROWS,
        part_bytes: int = PART_BYTES,
        openers: Mapping[str, Opener] = OPENERS,
    ) -> None:
        self.snapshot, self.recipe, self.cache, self.progress = snapshot, recipe, cache, progress
        self.part_rows, self.part_bytes, self.openers = part_rows, part_bytes, openers
        self.references: dict[str, Reference] = {}
        """What rules were compared with, by kind and settings."""
        self.ran: list[str] = []
        """Tasks that were run, and not found finished: stage, and shard or part."""
        self._hit: dict[str, Hits] = {}
        self._makes: dict[tuple[str, int | None], str] = {}

    # ---- columns

    def settings(self, measure: Stage) -> dict[str, Any]:
        """What the recipe says to a measure."""
        return {"correct": self.recipe.correct} if measure.name == "verdict" else {}

    def frame(self, place: int, columns: Sequence[str]) -> pl.LazyFrame:
        """Columns of one shard's rows, measured ones included, in the shard's order."""
        facts = [name for name in columns if name not in measured().by_name]
        frame = self.snapshot.lazy(place).select(facts)
        made = dict.fromkeys(measures.BY_COLUMN[name] for name in columns if name in measured().by_name)
        self._measure_at_once([each for each in made if each.meets(self.settings(each)) is None], place)
        for measure in made:
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
        if measure.meets(settings) is None:
            return self._by_row(measure, settings, place)
        if (share := self.cache.get(self._share(measure, place))) is None:
            found = self._meet(measure, settings, [pl.Series([True]).new_from_index(0, n) for n in self.snapshot.rows])
            none = pl.DataFrame(schema={name: types()[name] for name in measure.gives})  # all its rows came before
            for each in range(len(self.snapshot.rows)):  # kept, not held: a name of a cluster is 48 bytes a row
                self.cache.put(self._share(measure, each), found.pop(each, none).select(measure.gives))
            share = self.cache.get(self._share(measure, place))
        assert share is not None  # noqa: S101 - it was found, or put there
        return share

    # ---- tasks

    def _key(self, stage: Stage, settings: Mapping[str, Any], content: Any) -> str:
        home = f"{stage.function.__module__}.{stage.name}"
        made = [LAYOUT, home, stage.version, dict(settings), content]
        return digest(canonical_json([*made, self.reference(stage, settings).digest] if stage.against else made))

    def reference(self, stage: Stage, settings: Mapping[str, Any]) -> Reference:
        """What the stage compares rows with. Raises `SyntheticError` where it cannot be opened."""
        assert stage.against is not None  # noqa: S101 - the caller asked for a stage that compares
        held = {**stage.defaults, **settings}
        memo = canonical_json([stage.against, held])
        if memo not in self.references:
            self.progress(f"opening what '{stage.name}' compares with", 0, None)
            self.references[memo] = self.openers[stage.against](held, self.recipe)
        return self.references[memo]

    def _content(self, stage: Stage, settings: Mapping[str, Any], place: int) -> list[str]:
        """What a row-by-row task on a shard reads, by digest."""
        read = stage.columns(settings)
        content = [self.snapshot.row_hashes[place]]
        if any(name in record().by_name and record()[name].late for name in read):
            content.append(self.snapshot.late_hash)
        made = dict.fromkeys(measures.BY_COLUMN[name] for name in read if name in measured().by_name)
        return content + [self._made(measure, place) for measure in made]

    def _made(self, measure: Stage, place: int) -> str:
        """What makes a measure's columns of a shard's rows, by digest."""
        settings = self.settings(measure)
        everywhere = measure.meets(settings) is not None
        memo = measure.name, None if everywhere else place
        if memo not in self._makes:
            places = range(len(self.snapshot.traces)) if everywhere else [place]
            self._makes[memo] = self._key(measure, settings, [self._content(measure, settings, p) for p in places])
        return self._makes[memo]

    def _share(self, measure: Stage, place: int) -> str:
        """Where a shard's share of what a measure finds of all rows is kept."""
        return digest(canonical_json([self._made(measure, place), place]))

    def _by_row(self, stage: Stage, settings: Mapping[str, Any], place: int) -> pl.DataFrame:
        """The result of a row-by-row stage on one shard."""
        key = self._key(stage, settings, self._content(stage, settings, place))
        if (result := self.cache.get(key)) is None:
            frame = self.frame(place, stage.columns(settings))
            result = self._run(stage, settings, frame, f"shard {place}", key)
        return result

    def _measure_first(self, columns: Iterable[str]) -> None:
        """Run the row-by-row measures that these columns come from: every shard's messages are read once for all."""
        stages: dict[str, Stage] = {}
        waiting = [*columns]
        while waiting:
            stage = measures.BY_COLUMN.get(waiting.pop())
            if stage and stage.name not in stages:
                stages[stage.name] = stage
                waiting += stage.columns(self.settings(stage))
        by_row = [stage for _, stage in sorted(stages.items()) if stage.meets(self.settings(stage)) is None]
        for place in range(len(self.snapshot.traces)):
            self._measure_at_once(by_row, place)

    def _measure_at_once(self, stages: Sequence[Stage], place: int) -> None:
        """Run those row-by-row measures that are not finished on rows that are read once, where they read the same."""
        todo = []
        for stage in stages:
            settings = self.settings(stage)
            key = self._key(stage, settings, self._content(stage, settings, place))
            if not self.cache.path(key).is_file():
                todo.append((stage, settings, key))
        read = [name for stage, settings, _ in todo for name in stage.columns(settings)]
        if len(todo) > 1 and read.count("messages") > 1:  # all else is read in no time
            rows = self.frame(place, list(dict.fromkeys(read))).collect().lazy()
            for stage, settings, key in todo:
                self._run(stage, settings, rows.select(stage.columns(settings)), f"shard {place}", key)

    def _run(self, stage: Stage, settings: Mapping[str, Any], frame: pl.LazyFrame, task: str, key: str) -> pl.DataFrame:
        """Run a task and keep its result. Raises `RecipeError` where the stage does not fit the rows."""
        again = " (compiled the first time, which takes some seconds)" if stage.compiles else ""
        self.progress(f"{stage.name}, {task}{again}", 0, None)
        try:
            others = [self.reference(stage, settings).frame] if stage.against else []
            found = stage(frame, *others, **settings)
            if not stage.gives and "flag" not in found.collect_schema():
                found = found.with_columns(flag=False)
            result = found.select("row_id", *(stage.gives or ("reason", "flag"))).collect()
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
                hits[place] = placed.select("position", "reason", "flag").collect()
            self.progress(use.text, place + 1, len(self.snapshot.traces))
        return hits

    def _meet(
        self, stage: Stage, settings: Mapping[str, Any], standing: Sequence[pl.Series]
    ) -> dict[int, pl.DataFrame]:
        """The result of a stage whose rows meet, by shard, with positions in place of row_id."""
        read = stage.columns(settings)
        grouped = self._meet(stage.groups, stage.grouping(settings), standing) if stage.groups else None
        found: dict[int, list[pl.DataFrame]] = {}
        for number, (part, of) in enumerate(self._parts(stage, settings, standing, grouped)):
            names = [*read, *stage.groups.gives] if stage.groups else read
            content = RowHash(part.select(names).to_arrow().schema)
            content.add(part.select(names).to_arrow())
            key = self._key(stage, settings, content.digest())
            if (result := self.cache.get(key)) is None:
                result = self._run(stage, settings, part.lazy().select(names), f"part {number} of {of}", key)
            by = stage.once or "row_id"
            if stage.once:
                result = part.select("row_id", by).join(result, on="row_id", how="inner").drop("row_id")
                for place, rows in self._everyone(by, result):
                    found.setdefault(place, []).append(rows)
            else:
                where = part.select("row_id", "place", "position")
                placed = where.join(result, on=by, how="inner", maintain_order="left").drop(by)
                for (place,), rows in placed.partition_by("place", as_dict=True, include_key=False).items():
                    found.setdefault(int(place), []).append(rows)
            self.progress(stage.name, number + 1, of)
        # Shard by shard: what is found of all rows is never held twice.
        return {place: pl.concat(found.pop(place)).sort("position") for place in sorted(found)}

    def _everyone(self, by: str, result: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
        """What was found for one row of each value, for every row, by shard."""
        for place in range(len(self.snapshot.traces)):
            rows = self.frame(place, [by]).with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias("position"))
            yield place, rows.join(result.lazy(), on=by, how="left", maintain_order="left").drop(by).collect()

    def _parts(
        self, stage: Stage, settings: Mapping[str, Any], standing: Sequence[pl.Series], grouped: Hits | None
    ) -> Iterator[tuple[pl.DataFrame, int]]:
        """The standing rows in parts, equal values of the column together, each in the store's order; and how many."""
        column, read = stage.meets(settings), stage.columns(settings)
        assert column is not None  # noqa: S101 - the caller asked for a stage whose rows meet

        def rows_of(place: int) -> pl.DataFrame:
            frame = self.frame(place, read).with_columns(_where(place))
            if grouped is not None:
                return frame.join(grouped[place].lazy(), on="position", how="inner", maintain_order="left").collect()
            rows = frame.collect().filter(standing[place])
            return _once(rows, stage.once) if stage.once else rows

        places = [p for p, s in enumerate(standing) if (p in grouped if grouped is not None else s.any())]
        if not places:
            return
        if column == EVERYTHING:
            whole = pl.concat([rows_of(place) for place in places])
            yield _once(whole, stage.once) if stage.once else whole, 1
            return
        rows = sum(grouped[p].height if grouped is not None else int(standing[p].sum()) for p in places)
        looked_at = [rows_of(place) for place in {places[0], places[len(places) // 2], places[-1]}]
        row_bytes = max(frame.estimated_size() / max(frame.height, 1) for frame in looked_at)
        del looked_at
        of = parts.count(rows, row_bytes, part_rows=self.part_rows, part_bytes=self.part_bytes)
        for part in parts.cut(places, rows_of, lambda rows: parts.part_of(rows[column], of), of, self.cache.folder):
            yield part, of

    # ---- configs

    def judge_all(self, also: Iterable[str] = ()) -> dict[str, Judged]:
        """Every config of the recipe. `also`: columns that will be asked for besides. Raises `RecipeError`."""
        uses = [use for config in VIEWS for use in self.recipe.rules(config)]
        self.check_names(uses)
        self._measure_first([*(name for use in uses for name in use.stage.all_columns(use.settings)), *also])
        judged = {config: self.apply(config, self.recipe.rules(config)) for config in VIEWS}
        for view in VIEWS.values():
            if view.whole:
                self._check_whole(view, judged[view.config])
        return judged

    def _check_whole(self, view: View, judged: Judged) -> None:
        """Raise `RecipeError` where the recipe's rules leave out some rows of a value and keep others."""
        named = [number for number, step in enumerate(judged.steps) if step.use.name not in view.always]
        stands: set[str] = set()
        out: dict[str, int] = {}
        for place, first in enumerate(judged.first if any(judged.steps[n].dropped for n in named) else ()):
            values = self.frame(place, [str(view.whole)]).collect().to_series()
            stands |= set(values.filter(first.is_null()))
            for number in named:
                out |= dict.fromkeys(values.filter(first == number).unique().sort(), number)
        for value, number in out.items():
            if value in stands:
                use = judged.steps[number].use
                raise RecipeError(
                    f"{use.where}: '{use.text}' leaves out some attempts at problem {value} and keeps others, so that"
                    f" pass rates would be of what it left: {view.config} takes rules that look at the problem alone",
                    hint=f"[{view.config}] keep = [ {{ where = \"domain = 'math'\" }} ], or no rule",
                )

    def apply(self, config: str, uses: Sequence[Use], known: Mapping[int, Hits] | None = None) -> Judged:
        """Apply rules in their order; of those in `known`, by number, what they hit is taken from there."""
        rows = self.snapshot.rows
        first = [pl.Series([None], dtype=pl.UInt8).new_from_index(0, n) for n in rows]
        steps: list[Step] = []
        prefix: list[Any] = []
        for number, use in enumerate(uses):
            standing = [f.is_null() for f in first]
            prefix.append([use.name, dict(use.settings), use.flag])
            meets = use.stage.meets(use.settings) is not None
            # A row-by-row rule finds the same in every config, one whose rows meet in configs that begin alike.
            memo = digest(canonical_json(prefix if meets else prefix[-1]))
            if known and number in known:
                self._hit[memo] = known[number]
            elif memo not in self._hit:
                self._hit[memo] = self._meet(use.stage, use.settings, standing) if meets else self._row_hits(use)
            hits = self._hit[memo]
            if use.flag:
                hits = {place: found.with_columns(flag=True) for place, found in hits.items()}
            dropped = flagged = 0
            for place, found in hits.items():
                new = _at(found.filter(~pl.col("flag")), rows[place]) & standing[place]
                flagged += int((_at(found.filter("flag"), rows[place]) & standing[place]).sum())
                dropped += int(new.sum())
                first[place] = first[place].zip_with(
                    ~new, pl.Series([number], dtype=pl.UInt8).new_from_index(0, rows[place])
                )
            steps.append(Step(use, sum(int(s.sum()) for s in standing), dropped, hits, flagged))
            if use.stage.never_empties and dropped:
                self._check_nothing_vanished(use, standing, [f.is_null() for f in first])
        return Judged(config, tuple(steps), tuple(f.is_null() for f in first), tuple(first))

    def _check_nothing_vanished(self, use: Use, before: Sequence[pl.Series], after: Sequence[pl.Series]) -> None:
        """Raise `RecipeError` where a rule left no row of a problem, a verdict or whatever else it must not empty."""
        if {**use.stage.defaults, **use.settings}.get("may_empty"):
            return
        for column in use.stage.never_empties:
            stood: set[Any] = set()
            stands: set[Any] = set()
            for place, (was, remains) in enumerate(zip(before, after, strict=True)):
                values = self.frame(place, [column]).collect()[column]
                stood |= set(values.filter(was).unique().drop_nulls())
                stands |= set(values.filter(remains).unique().drop_nulls())
            if gone := sorted(map(str, stood - stands)):
                more = f" and {len(gone) - 3:,} more" if len(gone) > 3 else ""
                raise RecipeError(
                    f"{use.where}: '{use.text}' would leave no row of {len(gone):,} of {len(stood):,} values of"
                    f" {column}: {', '.join(gone[:3])}{more}",
                    hint="compare within a problem only, or set may_empty = true if that is meant",
                )

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


def _where(place: int) -> list[pl.Expr]:
    """Which row of which shard."""
    return [pl.lit(place, pl.UInt32).alias("place"), pl.int_range(pl.len(), dtype=pl.UInt32).alias("position")]


def _once(rows: pl.DataFrame, by: str) -> pl.DataFrame:
    """The row of least row_id of each value."""
    return rows.sort("row_id").unique(by, keep="first", maintain_order=True)


def _at(found: pl.DataFrame, rows: int) -> pl.Series:
    """For each row, whether it is among those found."""
    return pl.Series(pl.repeat(False, rows, eager=True)).scatter(found["position"], True)
