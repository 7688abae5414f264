"""A release whose rows were changed and whose hashes, numbers, card and manifest were all made to agree: `check` still
names the change, since verdicts, drops, contents and views are made again from the rows.
"""

from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

import synthetic
from synthetic import card, manifest, recipe, shard, stats
from synthetic.counted import numbers_text, open_configs
from synthetic.manifest import Config, Data, Manifest
from synthetic.record import content_hash, schema
from synthetic.views import VIEWS
from tests.releases import attempt, attempts, copied, store
from tests.rows import score

RECIPE = """
[env."sums"]
domain = "math"
source_license = "cc0-1.0"

[[keep]]
rule = "finished"

[[keep]]
where = "completion_tokens < 1000"

[sft_verified]
keep = [
  { rule = "verified" },
  { rule = "unique" },
  { rule = "at_most", count = 4, per = "problem_id" },
]

[sft_unverified]
keep = [{ rule = "undecided" }]
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten problems; at the last two, attempts that a single scorer decides, and one that nothing decides."""
    folder = tmp_path_factory.mktemp("fresh")
    (folder / "r.toml").write_text(RECIPE)
    scored = {"recorded_verdict": None, "rewards": [score("right", 1.0)]}
    more = [attempt(p, n, **scored) for p in (8, 9) for n in range(3)]
    more += [attempt(9, 5, recorded_verdict=None, task_type="arithmetic")]
    rows = store(folder / "store", [*attempts(8), *more])
    synthetic.release(rows, to=folder / "r", recipe=folder / "r.toml", bucket_bytes=9000)
    return folder / "r"


@pytest.fixture
def release(fresh: Path, tmp_path: Path) -> Path:
    return copied(fresh, tmp_path / "r")


def problems(folder: Path) -> list[str]:
    return synthetic.check(folder).problems


# ---- damage, and a manifest that agrees with it


def change(release: Path, config: str, rows: "pl.Expr | None" = None, **columns: pl.Expr) -> None:
    """Set columns of a config's rows, or keep only those for which `rows` holds; agree with it everywhere."""
    made = manifest.read(release)
    files = []
    for data in made.configs[config].files:
        frame = pl.read_parquet(release / data.path).with_columns(**columns)
        files += written(release, data, frame if rows is None else frame.filter(rows), made.configs[config])
    rows_now = sum(f.rows for f in files)
    stood = rows_now if VIEWS[config].by_row else made.configs[config].stood
    configs = made.configs | {config: replace(made.configs[config], files=files, rows=rows_now, stood=stood)}
    seal(release, replace(made, configs=configs))


def written(release: Path, data: Data, frame: pl.DataFrame, config: Config) -> list[Data]:
    """The file of these rows; none when there is none."""
    (release / data.path).unlink()
    if frame.is_empty():
        return []
    rows, row_hash = shard.write(release / data.path, schema(config.schema), [frame])
    size = (release / data.path).stat().st_size
    return [Data(data.path, rows, size, manifest.sha256(release / data.path), row_hash)]


def seal(release: Path, made: Manifest) -> None:
    """Make numbers, card and manifest agree with the rows."""
    numbers = stats.numbers(open_configs(release, made.configs))
    read = recipe.read(release / "release/recipe.toml", name=made.name)
    made = replace(made, root=manifest.root(made.configs))
    texts = {"release/reports/stats.json": numbers_text(numbers)} | card.texts(made, numbers, read)
    for path, text in texts.items():
        (release / path).write_text(text, "utf-8")
    files = [
        replace(f, bytes=(release / f.path).stat().st_size, sha256=manifest.sha256(release / f.path))
        for f in made.files
    ]
    (release / manifest.PATH).write_bytes(manifest.encode(replace(made, files=files)))


def at(row: str, column: str, value: object) -> pl.Expr:
    """The column with another value in one row."""
    return pl.when(pl.col("row_id") == row).then(pl.lit(value)).otherwise(column).alias(column)


def counted(release: Path, config: str, rule: str, more: int) -> None:
    """Count `more` drops of a rule in a config's funnel."""
    made = manifest.read(release)
    funnel, moved = [], 0
    for kept in made.configs[config].funnel:
        extra = more if kept.rule.startswith(rule) else 0
        funnel.append(replace(kept, seen=kept.seen - moved, dropped=kept.dropped + extra))
        moved += extra
    seal(release, replace(made, configs=made.configs | {config: replace(made.configs[config], funnel=funnel)}))


def dropped(row: str, rule: str, reason: str, config: str = "sft_verified") -> pl.Expr:
    """`drops` with one more in a row."""
    more = pl.concat_list(pl.struct(config=pl.lit(config), rule=pl.lit(rule), reason=pl.lit(reason)))
    there = pl.col("drops")
    return pl.when(pl.col("row_id") == row).then(there.list.concat(more)).otherwise(there).alias("drops")


# ---- what is named


def test_sealing_alone_changes_nothing(release):
    before = (release / manifest.PATH).read_bytes()
    change(release, "traces")
    change(release, "sft_verified")
    assert (release / manifest.PATH).read_bytes() == before
    assert problems(release) == []


def test_a_changed_verdict_is_named_with_what_decides_it(release):
    change(release, "traces", verdict=at("p3-3/0", "verdict", "undecided"))
    found = problems(release)
    assert "traces: p3-3/0 says verdict is undecided; it should be incorrect" in found


def test_a_changed_reason_for_a_verdict_is_named(release):
    for config in ("traces", "sft_verified"):
        change(release, config, verdict_rule=at("p8-0/0", "verdict_rule", "log"))
    found = problems(release)
    assert "traces: p8-0/0 says verdict_rule is log; it should be only scorer: right" in found


@pytest.mark.parametrize(
    ("rule", "reason"), [("verified", "incorrect (log)"), ("unique", "same text as p3-0/0"), ("where", "not: it")]
)
def test_a_row_taken_out_of_a_config_is_named_however_its_drop_is_told(release, rule, reason):
    change(release, "sft_verified", rows=pl.col("row_id") != "p3-2/0")
    change(release, "traces", drops=dropped("p3-2/0", rule, reason))
    counted(release, "sft_verified", rule, 1)
    found = problems(release)
    assert f"sft_verified: p3-2/0 is left out by '{rule}' ({reason}); by the recipe it is kept" in found
    assert "sft_verified: p3-2/0 is missing, which nothing drops from it" not in found


def test_a_row_taken_out_of_a_config_without_a_drop_is_named(release):
    change(release, "sft_verified", rows=pl.col("row_id") != "p3-2/0")
    counted(release, "sft_verified", "at_most", 1)
    assert "sft_verified: p3-2/0 is missing, which nothing drops from it" in problems(release)


def test_a_pair_that_was_swapped_is_named(release):
    change(release, "preference", chosen=pl.col("rejected"), rejected=pl.col("chosen"))
    assert any(
        p.startswith("preference: ") and p.endswith("is not what the rows of traces give") for p in problems(release)
    )


def test_a_pass_rate_that_was_raised_is_named(release):
    change(release, "rl_tasks", pass_rate=pl.lit(0.99))
    assert any("pass_rate: is not what the rows of traces give" in problem for problem in problems(release))


def test_a_row_that_is_kept_though_a_rule_drops_it_is_named(release):
    kept = pl.when(pl.col("row_id") == "p3-1/0").then(pl.col("drops").list.head(0)).otherwise("drops").alias("drops")
    change(release, "traces", drops=kept)
    found = problems(release)
    assert "sft_verified: p3-1/0 is kept; by the recipe 'unique' drops it (same text as p3-0/0)" in found


def test_another_reason_for_a_drop_is_named(release):
    first = pl.element().struct.with_fields(reason=pl.lit("too short"))
    said = (
        pl.when(pl.col("row_id") == "p3-1/0").then(pl.col("drops").list.eval(first)).otherwise("drops").alias("drops")
    )
    change(release, "traces", drops=said)
    assert (
        "sft_verified: p3-1/0 is left out by 'unique' (too short);"
        " by the recipe 'unique' drops it (same text as p3-0/0)" in problems(release)
    )


def test_drops_moved_between_rules_of_the_funnel_are_named(release):
    counted(release, "sft_verified", "finished", 1)
    counted(release, "sft_verified", "verified", -1)
    assert any("the drops of 'finished' are not those of the manifest" in problem for problem in problems(release))


def other(row: str) -> pl.Expr:
    """`messages` with another answer in one row."""
    answer = pl.element().struct.with_fields(content=pl.field("content").str.replace("^p3-2: .*", "p3-2: 7"))
    return pl.when(pl.col("row_id") == row).then(pl.col("messages").list.eval(answer)).otherwise("messages")


def test_messages_of_a_config_that_are_not_those_of_traces_are_named(release):
    change(release, "sft_verified", messages=other("p3-2/0"))
    assert problems(release) == ["sft_verified: p3-2/0, messages: is not what the rows of traces give"]


def test_messages_that_are_changed_in_every_config_are_named_by_their_hash(release):
    for config in ("traces", "sft_verified"):
        change(release, config, messages=other("p3-2/0"))
    assert problems(release) == [
        "traces: p3-2/0: its content is not what its content_hash was made of",
        "release/index/rows.parquet: p3-2/0, minhash: is not what the rows give",
    ]


@pytest.mark.parametrize(("column", "value"), [("tools", "[]"), ("source_license", "mit"), ("problem_pass_rate", 1.0)])
def test_another_value_in_a_config_than_in_traces_is_named(release, column, value):
    change(release, "sft_verified", **{column: at("p3-2/0", column, value)})
    assert problems(release) == [f"sft_verified: p3-2/0, {column}: is not what the rows of traces give"]


def test_a_value_that_the_recipe_gives_is_named_when_traces_has_another(release):
    for config in ("traces", "sft_verified"):
        change(release, config, source_license=at("p3-2/0", "source_license", "mit"))
    assert "traces: p3-2/0, source_license: is not what the rows of traces give" in problems(release)


def test_a_value_that_the_log_gave_is_not_taken_for_the_recipes(release):
    for config in ("traces", "sft_unverified"):
        change(release, config, task_type=at("p9-5/0", "task_type", "geometry"))
    assert [problem for problem in problems(release) if not problem.startswith("rl_tasks")] == [
        "traces: p9-5/0: its content is not what its content_hash was made of"
    ]


def test_a_row_made_up_with_a_hash_of_its_own_is_named_where_a_rule_would_drop_it(release):
    # Content and hash agree, also in the config: what betrays it is that `unique` sees its twin.
    key = pl.read_parquet(release / "data/traces/*.parquet").filter(row_id="p3-0/0")["text_key"].item()
    change(release, "traces", text_key=at("p3-2/0", "text_key", key))
    assert any("p3-2/0 is kept; by the recipe 'unique' drops it" in problem for problem in problems(release))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_named_by_row_and_column(release, bad):
    change(release, "traces", reward=at("p3-4/0", "reward", bad))
    assert any(p.endswith("p3-4/0, reward: a number that is not finite; it takes null") for p in problems(release))


def test_a_score_that_is_not_finite_is_named(release):
    worse = pl.col("rewards").list.eval(pl.element().struct.with_fields(weight=pl.lit(float("nan"))))
    change(release, "traces", rewards=pl.when(pl.col("row_id") == "p9-1/0").then(worse).otherwise("rewards"))
    assert any(p.endswith("p9-1/0, rewards: a number that is not finite; it takes null") for p in problems(release))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda t: t.append_column("note", t["row_id"]), "has the column 'note', which sft-1 does not have"),
        (lambda t: t.drop(["tools"]), "lacks the column 'tools' of sft-1"),
        (lambda t: t.set_column(0, "row_id", t["row_id"].cast("large_string")), "its column 'row_id' is large_string"),
        (lambda t: t.select(t.column_names[::-1]), "its columns are not in the order of sft-1"),
    ],
)
def test_columns_that_are_not_the_schemas_are_named(release, edit, said):
    made = manifest.read(release)
    config = made.configs["sft_verified"]
    file = release / config.files[0].path
    pq.write_table(edit(pq.read_table(file)), file)
    files = [replace(config.files[0], sha256=manifest.sha256(file)), *config.files[1:]]
    changed = replace(made, configs=made.configs | {"sft_verified": replace(config, files=files)})
    (release / manifest.PATH).write_bytes(manifest.encode(changed))
    assert any(said in problem for problem in problems(release))


def test_a_config_or_a_schema_that_is_not_known_is_named(release):
    made = manifest.read(release)
    config = made.configs["sft_verified"]
    for configs, said in (
        (made.configs | {"extra": config}, "manifest: there is no config 'extra'"),
        (made.configs | {"sft_verified": replace(config, schema="traces-1")}, "its schema is 'traces-1', not sft-1"),
    ):
        (release / manifest.PATH).write_bytes(manifest.encode(replace(made, configs=configs)))
        assert any(said in problem for problem in problems(release))


def test_rows_that_the_recipe_cannot_judge_are_named(release):
    file = release / "release/recipe.toml"
    file.write_text(file.read_text("utf-8").replace("completion_tokens < 1000", "cast(model as int) < 1000"), "utf-8")
    made = manifest.read(release)
    funnel = [
        replace(kept, rule=kept.rule.replace("completion_tokens", "cast(model as int)"))
        for kept in made.configs["sft_verified"].funnel
    ]
    configs = made.configs | {"sft_verified": replace(made.configs["sft_verified"], funnel=funnel)}
    seal(release, replace(made, configs=configs, recipe=manifest.sha256(file)))
    change(release, "traces", model=pl.lit("a name"))
    assert any("its rows cannot be judged by the recipe (" in problem for problem in problems(release))


@pytest.mark.parametrize(("column", "matches"), [("extra", "extra is null"), ("domain", "domain is null")])
def test_a_rule_that_reads_what_is_not_published_is_taken_at_its_word_and_noted(tmp_path, column, matches):
    (tmp_path / "r.toml").write_text(RECIPE.replace("completion_tokens < 1000", matches))
    synthetic.release(store(tmp_path / "store", attempts(3)), to=tmp_path / "r", recipe=tmp_path / "r.toml")
    done = synthetic.check(tmp_path / "r")
    assert done.problems == []
    assert f"sft_verified: the drops of 'where {matches}' are taken as they are: it reads ['{column}']" in done.notes[0]


def test_a_hash_is_that_of_what_the_log_said_before_the_recipe_filled_it(fresh):
    rows = pl.read_parquet(fresh / "data/traces/*.parquet")
    filled = rows.filter(row_id="p3-0/0").row(0, named=True)
    assert filled["domain"] == "math"
    assert content_hash(filled) != filled["content_hash"] == content_hash(filled | {"domain": None})
