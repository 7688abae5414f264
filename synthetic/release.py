"""Facts to a release: judge every config, write its rows, count what was written, prove it, explain it.

Everything is built in a folder beside the target and put in its place at the end, the manifest last (`target`).
Configs that were finished before an interruption are used again.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any  # numbers as JSON

import msgspec
import polars as pl

from synthetic import card, index, manifest, measures, plots, references, shard, stats
from synthetic import recipe as recipes
from synthetic import target as targets
from synthetic.buckets import BUCKET_BYTES, Cut, reads, write_configs
from synthetic.counted import counted, numbers_text, open_configs
from synthetic.errors import CannotWrite, NothingKept
from synthetic.formats import FORMATS
from synthetic.judged import Judged
from synthetic.manifest import Clash, Config, File, Input, Manifest, Run
from synthetic.recipe import Recipe
from synthetic.record import canonical_json, digest
from synthetic.run import Bench
from synthetic.stage import Progress, silent
from synthetic.store import Cache, Snapshot, snapshot
from synthetic.views import DEFAULT, VIEWS

EXCERPT = 400
"""Characters of a text that `Sample` shows."""

SHOWN = 3
"""Pairs of runs whose ids clash that a warning names."""


@dataclass(frozen=True)
class Sample:
    """One row to look at: why it is in, or why it is out."""

    row_id: str
    env_id: str | None
    verdict: str
    prompt: str
    answer: str
    rule: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Released:
    """What a release holds, for people."""

    path: str | None
    """None: a dry run."""
    recipe: Recipe
    judged: Mapping[str, Judged] = field(repr=False)
    manifest: Manifest | None = None
    numbers: Mapping[str, Any] = field(default_factory=dict)
    undecided: tuple[Mapping[str, Any], ...] = ()
    """Environments with rows that no scorer decides, as `stats.undecided` gives them."""
    starter: str = ""
    """A recipe for these stores, filled with what they are: to edit."""
    kept: Sample | None = None
    dropped: Sample | None = None
    warnings: tuple[str, ...] = ()
    changed: bool = True
    """False: the release that was there had the same bytes."""
    ran: tuple[str, ...] = ()
    """Tasks that were run; those not named were finished before."""


def release(
    *stores: str | Path,
    to: str | Path,
    recipe: str | Path | Recipe | None = None,
    previous: str | Path | None = None,
    include_eval: bool | None = None,
    license: str | None = None,
    dry_run: bool = False,
    bucket_bytes: int = BUCKET_BYTES,
    progress: Progress = silent,
) -> Released:
    """Make a release of stores in the folder `to`, by a recipe (a name, a file, or one that was read).

    `previous` is an earlier version whose files are cut alike, so that few bytes change. A release of the same name
    that stands in `to` is replaced when the new one is whole. Raises `RecipeError`, `NothingKept`, `TargetTaken`,
    `CannotWrite`, `BrokenStore`, `BrokenRelease`; `UnreadableLog` for a tokenizer that is none.
    """
    target, read = prepare(*stores, to=to, recipe=recipe, include_eval=include_eval, license=license)
    if read.tokens:
        references.tokenizer(asdict(read.tokens), read)  # what is no tokenizer fails before anything long is begun
    least = _earlier_buckets(Path(previous) if previous else target, read.version, named=previous is not None)
    with ExitStack() as stack:
        stack.enter_context(shard.reading(*stores))
        facts = snapshot(*stores, progress=progress)
        if not sum(facts.rows):
            raise NothingKept(f"{stores[0]}: the store has no rows", hint="capture a run that has rollouts")
        _check_not_only_evaluations(facts, read)
        bench = Bench(facts, read, Cache.of(Path(stores[0]), stack), progress)
        judged = bench.judge_all(() if dry_run else [*index.COLUMNS, *(n for v in VIEWS.values() for n in reads(v))])
        rows = bench.rows(["verdict", "reward", "rewards", "env_id", "env_name", "trainable"])
        undecided = tuple(stats.undecided(rows))
        _check_something_kept(bench, judged[DEFAULT], undecided)
        kept, dropped = _samples(bench, judged[DEFAULT])
        trained = rows.filter(pl.col("trainable").ne_missing(False)).select("env_id", "env_name", "verdict")
        environments = stats.by(trained, ["env_id", "env_name"])
        absent = _absent(read, environments)
        starter = recipes.starter(read, environments.to_dicts(), undecided)
        done = Released(None, read, judged, undecided=undecided, starter=starter, kept=kept, dropped=dropped)
        if dry_run:
            return replace(done, ran=tuple(bench.ran))
        try:
            written, numbers, changed = _build(facts, bench, judged, target, Cut(bucket_bytes, least), progress)
        except OSError as error:
            raise CannotWrite(
                f"{error.filename or to}: {error.strerror or error}",
                hint="make room or choose another folder, then run again",
            ) from error
    return replace(
        done,
        path=str(to),
        manifest=written,
        numbers=numbers,
        warnings=(*_warnings(written, numbers), *absent, *_no_pictures(written)),
        changed=changed,
        ran=tuple(bench.ran),
    )


# ---- before anything is written


def prepare(
    *stores: str | Path,
    to: str | Path,
    recipe: str | Path | Recipe | None = None,
    include_eval: bool | None = None,
    license: str | None = None,
) -> tuple[Path, Recipe]:
    """The target and the recipe of a release, before anything long is begun. Raises as `release` does."""
    if not isinstance(recipe, Recipe):
        said = Path(to).resolve().name
        name = "".join(c if (c.isalnum() and c.isascii()) or c in "._-" else "-" for c in said).strip("._-")
        recipe = recipes.read(recipe, name=name or "release")
    recipe = recipe.with_(include_eval=include_eval, license=license)
    return targets.check(to, recipe.name, stores), recipe


def _check_not_only_evaluations(facts: Snapshot, read: Recipe) -> None:
    if read.include_eval:
        return
    kinds = facts.scan().select(pl.col("kind").unique()).collect().to_series().to_list()
    if kinds == ["eval"]:
        raise NothingKept(
            "there are only evaluation rollouts, and they stay out of every config but 'traces'",
            hint="include_eval = true in the recipe",
            option="--include-eval",
        )


def _check_something_kept(bench: Bench, judged: Judged, undecided: Sequence[Mapping[str, Any]]) -> None:
    """Raise `NothingKept` with the deciding rule and the nearest misses."""
    if judged.kept:
        return
    decisive = max(i for i, step in enumerate(judged.steps) if step.dropped)
    step = judged.steps[decisive]
    misses = []
    for place, found in step.hits.items():
        last = found.filter(pl.col("position").is_in((judged.first[place] == decisive).arg_true().implode()))
        rows = bench.frame(place, ["row_id"]).collect()["row_id"]
        misses += [
            f"{rows[position]}: {reason}" for position, reason in last.select("position", "reason").head(3).iter_rows()
        ]
    nearest = "; ".join(misses[:3])
    hint = "loosen that rule in the recipe; `synthetic stats STORE --by env_id,verdict_rule` shows what was decided"
    if step.use.name == "verified" and (lines := [one["recipe"] for one in undecided if one["recipe"]]):
        hint = "say in a recipe what is correct, for example:\n" + "\n".join(lines)
    raise NothingKept(
        f"{judged.config}: no row is kept. '{step.use.text}' dropped the last {step.dropped:,} of"
        f" {sum(bench.snapshot.rows):,}; nearest misses: {nearest}",
        hint=hint,
    )


def _samples(bench: Bench, judged: Judged) -> tuple[Sample | None, Sample | None]:
    """The first row that is kept, and the first that the last deciding rule dropped."""
    kept = dropped = None
    columns = ["row_id", "env_id", "verdict", "messages"]
    for place, standing in enumerate(judged.standing):
        if standing.any():
            kept = _sample(
                bench.frame(place, columns).slice(int(standing.arg_true()[0]), 1).collect().row(0, named=True)
            )
            break
    # A wrong answer says more about a release than a duplicate.
    for number, step in sorted(enumerate(judged.steps), key=lambda each: each[1].use.name != "verified"):
        for place, found in step.hits.items():
            hits = found.filter(pl.col("position").is_in((judged.first[place] == number).arg_true().implode()))
            if dropped is None and hits.height:
                wrong = pl.col("reason").str.starts_with("incorrect")
                position, reason, _ = hits.sort(wrong, descending=True, maintain_order=True).row(0)
                row = bench.frame(place, columns).slice(position, 1).collect().row(0, named=True)
                dropped = _sample(row, step.use.name, reason)
    return kept, dropped


def _sample(row: dict[str, Any], rule: str | None = None, reason: str | None = None) -> Sample:
    def text(role: str, messages: Iterable[dict[str, Any]]) -> str:
        return next((m["content"] or m["reasoning_content"] or "" for m in messages if m["role"] == role), "").strip()

    prompt, answer = text("user", row["messages"]), text("assistant", reversed(row["messages"]))
    if len(prompt) > EXCERPT:
        prompt = prompt[:EXCERPT].rpartition(" ")[0] + " …"
    if len(answer) > EXCERPT:
        answer = "… " + answer[-EXCERPT:].partition(" ")[2]
    return Sample(row["row_id"], row["env_id"], row["verdict"], prompt, answer, rule, reason)


# ---- building


def _build(
    facts: Snapshot, bench: Bench, judged: Mapping[str, Judged], target: Path, cut: Cut, progress: Progress
) -> tuple[Manifest, dict[str, Any], bool]:
    """Write the release beside its target, then put it in its place; give whether it differs from what was there."""
    with targets.building(target, _plan(facts, bench, cut)) as partial:
        kept = [name for name in VIEWS if judged[name].kept]
        finished = {name: config for name in kept if (config := targets.finished(partial, name)) is not None}
        todo = [VIEWS[name] for name in kept if name not in finished]
        index.write(partial / manifest.INDEX, bench, judged, progress)
        for name, config in write_configs(bench, todo, judged, partial, cut, progress) if todo else ():
            targets.note_finished(partial, name, config)
            finished[name] = config
        configs = {name: finished[name] for name in kept}
        progress("counting", 0, None)
        numbers = counted(open_configs(partial, configs), bench.recipe)
        progress("drawing the card", 0, None)
        made = _describe(facts, bench, configs, numbers, partial)
        return made, numbers, targets.put(partial, target, manifest.encode(made))


def _plan(facts: Snapshot, bench: Bench, cut: Cut) -> str:
    """A hash of everything that decides the bytes of the Parquet files."""
    recipe = bench.recipe
    inputs = [*facts.row_hashes, *(s.footer.row_hash for s in facts.annotations)]
    stages = {use.name: use.stage.version for config in VIEWS for use in recipe.rules(config)}
    stages |= {measure.name: measure.version for measure in measures.BY_COLUMN.values()}
    return digest(canonical_json([recipe.toml(), stages, inputs, cut.bytes, dict(cut.least), made_with()]))


def made_with() -> dict[str, str]:
    """Versions of the packages that decide the bytes of a release."""
    return {name: version(name) for name in ("synthetic-traces", "polars", "pyarrow")}


def _earlier_buckets(previous: Path, version: str, *, named: bool) -> dict[str, int]:
    """How an earlier release of the same major version cut its configs; it must be there when it was `named`."""
    if not named and not manifest.is_release(previous):
        return {}
    earlier = manifest.read(previous)
    if earlier.version.partition(".")[0] != version.partition(".")[0]:
        return {}
    return {name: config.buckets for name, config in earlier.configs.items()}


# ---- describing


def _describe(
    facts: Snapshot, bench: Bench, configs: dict[str, Config], numbers: dict[str, Any], partial: Path
) -> Manifest:
    """Write everything but data and manifest; give the manifest."""
    recipe_text = bench.recipe.toml()
    files = {
        "release/recipe.toml": recipe_text,
        "release/reports/stats.json": numbers_text(numbers),
        **{
            f"release/schema/{name}.json": msgspec.json.format(canonical_json(c.columns), indent=2) + "\n"
            for name, c in configs.items()
        },
    }
    for path, text in files.items():
        _write_text(partial / path, text)
    if versions := plots.versions():
        files |= dict.fromkeys(plots.drawn(plots.of(numbers, configs), partial), "")
    made = Manifest(
        name=bench.recipe.name,
        version=bench.recipe.version,
        license=bench.recipe.license,
        made_with=made_with() | versions,
        recipe=manifest.sha256(partial / "release/recipe.toml"),
        runs=_runs(facts),
        inputs=[Input(s.footer.kind, s.footer.rows, s.footer.row_hash) for s in (*facts.traces, *facts.annotations)],
        repeated=sum(len(again) for again in facts.again.values()),
        conflicts=facts.conflicts.height,
        clashes=_clashes(facts),
        configs=configs,
        left_out=[name for name in VIEWS if name not in configs],
        references=[{"digest": each.digest, **each.told} for _, each in sorted(bench.references.items())],
        files=[],
        root=manifest.root(configs),
    )
    for path, text in card.texts(made, numbers, bench.recipe).items():
        _write_text(partial / path, text)
        files[path] = text
    files[manifest.INDEX] = ""
    listed = [File(path, (partial / path).stat().st_size, manifest.sha256(partial / path)) for path in sorted(files)]
    return msgspec.structs.replace(made, files=listed)


def _clashes(facts: Snapshot) -> list[Clash]:
    """The rows that came again with another content, by the runs that they and the kept ones are of."""
    runs = ["run_name", "kept_run_name"]
    places = [pl.format("{} at {}", f"{of}log_file", f"{of}log_offset").first().alias(of) for of in ("", "kept_")]
    each = facts.conflicts.sort(*runs, "row_id", nulls_last=True).group_by(runs, maintain_order=True)
    counted = each.agg(pl.len(), pl.col("row_id").first(), *places)
    return [Clash(*row) for row in counted.iter_rows()]


def _runs(facts: Snapshot) -> list[Run]:
    """What came from each run's folder."""
    runs: dict[str, list[Any]] = {}
    for each in (*facts.traces, *facts.annotations):
        for part in each.footer.ranges:
            runs.setdefault(part.run, []).append(part)
    return [
        Run(
            name,
            sorted({part.format for part in parts}),
            len({part.path for part in parts}),
            sum(part.captured for part in parts),
            sum(part.quarantined for part in parts),
            sorted({s for part in parts if part.format in FORMATS and (s := FORMATS[part.format].selected)}),
        )
        for name, parts in sorted(runs.items())
    ]


def _warnings(made: Manifest, numbers: Mapping[str, Any]) -> tuple[str, ...]:
    """What a person should know before they trust or publish the release."""
    total = {key: sum(env[key] for env in numbers["environments"]) for key in ("attempts", "truncated", "error")}
    set_aside = sum(run.quarantined for run in made.runs)
    said = (
        (total["truncated"], f"{total['truncated'] / total['attempts']:.1%} truncated: cut off, not counted wrong"),
        (total["error"], f"{total['error']:,} attempts failed in generation or scoring: neither right nor wrong"),
        *((True, _clash(each)) for each in made.clashes[:SHOWN]),
        (len(made.clashes) > SHOWN, f"ids of {len(made.clashes) - SHOWN} more pairs of runs clash: see the card"),
        (set_aside, f"{set_aside:,} lines of the logs were set aside when they were captured"),
        (numbers["late"]["rewound"], f"{numbers['late']['rewound']} rows are of steps that a resumed run took back"),
        (made.left_out, f"without rows, so left out: {', '.join(made.left_out)}"),
        (made.license is None, "no licence is set: --license apache-2.0, or `license` in the recipe"),
    )
    return tuple(text for holds, text in said if holds)


def _clash(each: Clash) -> str:
    rows = f"{each.rows:,} row{'' if each.rows == 1 else 's'} of {each.run or 'an unnamed run'}"
    of = "it has" if each.run == each.kept else f"{each.kept or 'an unnamed run'} has"
    first = f"{each.row_id} in {each.at or 'a log'}, and before in {each.kept_at or 'a log'}"
    return f"{rows} left out: {of} others under the same ids, with another content, which came first ({first})"


def _no_pictures(made: Manifest) -> list[str]:
    """A warning where nothing drew the pictures of the card."""
    if made.made_with.keys() >= set(plots.PACKAGES):
        return []
    return ["the card has no pictures: pip install 'synthetic-traces[plots]', then release again"]


def _absent(read: Recipe, environments: pl.DataFrame) -> list[str]:
    """A warning when the recipe speaks of environments that the stores do not have: a name may be misspelt."""
    here = set(environments["env_id"].drop_nulls()) | set(environments["env_name"].drop_nulls())
    if not (absent := sorted(set(read.environments) - here)):
        return []
    return [
        f"the recipe describes environments that are not here: {', '.join(absent)}; here are {', '.join(sorted(here))}"
    ]


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8", newline="\n")
