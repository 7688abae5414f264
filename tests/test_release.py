"""A release: the same store and recipe give the same bytes, every row is accounted for, and nothing else is touched."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

import synthetic
from synthetic.errors import BrokenRelease, BrokenStore, NothingKept, RecipeError
from synthetic.record import schema
from tests.releases import ROOT, attempt, attempts, beside, captured, config_rows, first_shard, recipe, store, tree
from tests.rows import store_of


def ids(release: Path, config: str = "sft_verified") -> list[str]:
    return sorted(config_rows(release, config)["row_id"])


# ---- the same bytes


def test_the_same_store_and_recipe_give_the_same_bytes(tmp_path):
    facts = captured(tmp_path / "store")
    synthetic.release(facts, to=tmp_path / "a", recipe=recipe(tmp_path, 'name = "r"'))
    synthetic.release(facts, to=tmp_path / "b", recipe=tmp_path / "r.toml")
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_many_shards_give_the_rows_of_one_in_the_same_bytes(tmp_path):
    all_rows = attempts()
    one = store(tmp_path / "one", all_rows)
    many = store(tmp_path / "many", *(all_rows[i : i + 7] for i in range(0, len(all_rows), 7)))
    for facts in (one, many):
        synthetic.release(facts, to=tmp_path / facts.name / "out" / "r", bucket_bytes=4000)
    data = [tree(tmp_path / name / "out" / "r" / "data") for name in ("one", "many")]
    assert data[0] == data[1]
    assert len(data[0]) > 6


def test_the_order_of_capture_does_not_matter(tmp_path):
    shuffled = attempts()
    random.Random(4).shuffle(shuffled)
    for name, facts in (("a", attempts()), ("b", shuffled)):
        synthetic.release(store(tmp_path / f"{name}.store", facts), to=tmp_path / name / "r")
    assert tree(tmp_path / "a" / "r" / "data") == tree(tmp_path / "b" / "r" / "data")


def test_releasing_again_says_unchanged_and_changes_no_byte(tmp_path):
    facts = store(tmp_path / "store")
    assert synthetic.release(facts, to=tmp_path / "r").changed
    before = tree(tmp_path)
    again = synthetic.release(facts, to=tmp_path / "r")
    assert not again.changed
    assert again.ran == ()
    assert tree(tmp_path) == before


RELEASE = """
import sys, synthetic
synthetic.release(sys.argv[1], to=sys.argv[2], bucket_bytes=3000)
"""


def test_a_release_killed_at_any_moment_goes_on_to_the_same_bytes(tmp_path):
    facts = store(tmp_path / "store", attempts(60))
    synthetic.release(facts, to=tmp_path / "whole" / "r", bucket_bytes=3000)
    target = tmp_path / "killed" / "r"
    chance, killed = random.Random(7), 0
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", RELEASE, str(facts), str(target)], cwd=ROOT) as process:
            while not target.parent.exists() and process.poll() is None:
                time.sleep(0.002)
            time.sleep(chance.uniform(0, 0.25))
            process.kill()
        killed += process.returncode != 0
    assert killed
    synthetic.release(facts, to=target, bucket_bytes=3000)
    assert tree(target) == tree(tmp_path / "whole" / "r")
    assert beside(target.parent) == ["r"]


def test_what_an_interrupted_release_of_another_recipe_left_is_not_used(tmp_path):
    facts = store(tmp_path / "store")
    left = tmp_path / ".r.partial"
    (left / "data" / "sft_verified").mkdir(parents=True)
    (left / "data" / "sft_verified" / "train-h000-of-001.parquet").write_text("other")
    (left / "sft_verified.done.json").write_text("{}")
    (left / "plan").write_text("another plan")
    synthetic.release(facts, to=tmp_path / "r")
    assert synthetic.check(tmp_path / "r").problems == []
    assert beside(tmp_path) == ["r", "store"]


# ---- what is in it


def test_files_are_sorted_by_problem_trace_and_branch(tmp_path):
    branches = [attempt(1, 7, row_id=f"p1-7/{b}", branch=b) for b in (10, 9, 2)]
    facts = store(tmp_path / "store", [*attempts(), *branches])
    synthetic.release(facts, to=tmp_path / "r", bucket_bytes=4000)
    found = config_rows(tmp_path / "r", "traces").select("problem_id", "trace_id", "branch")
    assert found.equals(found.sort("problem_id", "trace_id", "branch"))
    assert synthetic.check(tmp_path / "r").problems == []


def test_traces_hold_everything_and_their_drops_agree_with_the_funnel(tmp_path):
    done = synthetic.release(store(tmp_path / "store"), to=tmp_path / "r")
    assert done.manifest
    funnel = done.manifest.configs["sft_verified"].funnel
    assert [(step.rule, step.seen, step.dropped) for step in funnel] == [
        ("from_training", 72, 0),
        ("trainable", 72, 0),
        ("well_formed", 72, 0),
        ("finished", 72, 24),
        ("verified", 48, 12),
        ("unique", 36, 12),
        ("at_most count = 4, per = problem_id", 24, 0),
    ]
    traces = config_rows(tmp_path / "r", "traces")
    assert traces.height == 72
    drops = traces.explode("drops").unnest("drops").filter(pl.col("config") == "sft_verified")
    assert dict(drops.group_by("rule").len().iter_rows()) == {"finished": 24, "verified": 12, "unique": 12}
    twin = traces.filter(pl.col("row_id") == "p3-1/0")["drops"].to_list()[0]
    assert twin == [
        {"config": "sft_verified", "rule": "unique", "reason": "same text as p3-0/0"},
        {"config": "sft_unverified", "rule": "undecided", "reason": "correct (log)"},
        {"config": "preference", "rule": "paired", "reason": "no partner left within the limits of a pair"},
    ]
    kept = traces.filter(pl.col("drops").list.eval(pl.element().struct.field("config")).list.contains("sft_verified"))
    assert kept.height + len(ids(tmp_path / "r")) == 72


def test_columns_are_those_of_the_schemas_and_no_others(tmp_path):
    facts = store(tmp_path / "store", [*attempts(), attempt(1, 9, recorded_verdict=None, reward=0.5, extra='{"a":1}')])
    synthetic.release(facts, to=tmp_path / "r")
    for config, id in (("sft_verified", "sft-1"), ("sft_unverified", "sft-1"), ("traces", "traces-1")):
        for file in (tmp_path / "r" / "data" / config).iterdir():
            assert pq.read_schema(file).equals(schema(id).arrow)
    unpublished = {column.name for column in schema("record-1").columns if not column.publish}
    assert unpublished
    assert unpublished & set(schema("traces-1").names) == set()


def test_a_null_where_the_schema_has_none_is_not_written(tmp_path):
    from synthetic import shard

    sft = schema("sft-1")
    row = pl.DataFrame([dict.fromkeys(sft.names)], schema=sft.polars)
    with pytest.raises(ValueError, match=r"(?i)null"):
        shard.write(tmp_path / "x.parquet", sft, [row])


@pytest.mark.parametrize(
    ("thinking", "reasoning", "content"),
    [("field", "3 twice", "p3-0: 6"), ("inline", None, "<think>\n3 twice\n</think>\n\np3-0: 6")],
)
def test_thinking_stands_where_the_recipe_says(tmp_path, thinking, reasoning, content):
    facts = store(tmp_path / "store")
    synthetic.release(facts, to=tmp_path / "r", recipe=recipe(tmp_path, f'thinking = "{thinking}"'))
    message = config_rows(tmp_path / "r").filter(pl.col("row_id") == "p3-0/0")["messages"].to_list()[0][1]
    assert (message["reasoning_content"], message["content"]) == (reasoning, content)


def test_the_recipe_fills_what_logs_do_not_say_of_an_environment(tmp_path):
    said_by_log = attempt(0, 9, domain="algebra")
    text = '[env.sums]\ntask_type = "math"\ndomain = "arithmetic"\nsource = "us"\nsource_license = "mit"'
    facts = store(tmp_path / "store", [*attempts(1), said_by_log, attempt(0, 8, env_id="other", env_name="sums")])
    synthetic.release(facts, to=tmp_path / "r", recipe=recipe(tmp_path, text))
    told = {row[0]: row[1:] for row in config_rows(tmp_path / "r").select("row_id", *DESCRIBED).iter_rows()}
    assert told["p0-0/0"] == ("math", "arithmetic", "us", "mit")
    assert told["p0-9/0"] == ("math", "algebra", "us", "mit")
    assert told["p0-8/0"] == ("math", "arithmetic", "us", "mit")


DESCRIBED = ("task_type", "domain", "source", "source_license")


def test_the_recipe_in_a_release_makes_it_again(tmp_path):
    facts = captured(tmp_path / "store")
    made_by = recipe(tmp_path, 'thinking = "inline"\n[env."echo"]\nsource = "us"')
    first = synthetic.release(facts, to=tmp_path / "a", recipe=made_by, license="mit", include_eval=True)
    again = synthetic.release(facts, to=tmp_path / "b", recipe=tmp_path / "a" / "release" / "recipe.toml")
    assert first.manifest == again.manifest
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_a_config_without_rows_is_left_out_and_said_to_be(tmp_path):
    done = synthetic.release(store(tmp_path / "store"), to=tmp_path / "r")
    assert beside(tmp_path / "r" / "data") == ["preference", "rl_tasks", "sft_verified", "traces"]
    assert done.manifest
    assert done.manifest.left_out == ["sft_unverified"]
    assert "without rows, so left out: sft_unverified" in done.warnings
    assert "sft_unverified" in (tmp_path / "r" / "README.md").read_text()


def test_a_dry_run_judges_and_writes_nothing(tmp_path):
    done = synthetic.release(store(tmp_path / "store"), to=tmp_path / "r", dry_run=True)
    assert done.path is None
    assert done.judged["sft_verified"].kept == 24
    assert beside(tmp_path) == ["store"]


# ---- nothing kept


def test_when_no_row_is_kept_the_deciding_rule_and_near_misses_are_named(tmp_path):
    facts = store(tmp_path / "store", [attempt(0, i, recorded_verdict=False) for i in range(4)])
    with pytest.raises(NothingKept) as caught:
        synthetic.release(facts, to=tmp_path / "r")
    assert "'verified' dropped the last 4 of 4" in str(caught.value)
    assert "p0-0/0: incorrect (log); p0-1/0: incorrect (log); p0-2/0" in str(caught.value)
    assert beside(tmp_path) == ["store"]


def test_when_all_is_undecided_the_lines_that_would_decide_are_given(tmp_path):
    graded = [
        attempt(0, i, recorded_verdict=None, rewards=[{"name": "near", "score": i / 8, "weight": 1.0}], reward=i / 8)
        for i in range(1, 5)
    ]
    with pytest.raises(NothingKept) as caught:
        synthetic.release(store(tmp_path / "store", graded), to=tmp_path / "r")
    assert '[env."sums"]\ncorrect = "near > 0.7"' in (caught.value.hint or "")


def test_only_evaluations_need_include_eval(tmp_path):
    facts = store(tmp_path / "store", [attempt(0, i, kind="eval") for i in range(3)])
    with pytest.raises(NothingKept, match="only evaluation rollouts") as caught:
        synthetic.release(facts, to=tmp_path / "r")
    assert caught.value.option == "--include-eval"
    synthetic.release(facts, to=tmp_path / "r", include_eval=True)
    assert ids(tmp_path / "r") == ["p0-0/0", "p0-1/0", "p0-2/0"]


def test_evaluations_stay_out_of_all_but_traces(tmp_path):
    facts = store(tmp_path / "store", [attempt(0, 0), attempt(0, 1, kind="eval")])
    synthetic.release(facts, to=tmp_path / "r")
    assert ids(tmp_path / "r") == ["p0-0/0"]
    assert ids(tmp_path / "r", "traces") == ["p0-0/0", "p0-1/0"]


@pytest.mark.parametrize("shards", [(), ([],)])
def test_a_store_without_rows_is_no_release(tmp_path, shards):
    with pytest.raises(NothingKept, match="the store has no rows"):
        synthetic.release(store_of(tmp_path / "store", *shards).path, to=tmp_path / "r")


# ---- the store


def test_a_store_is_not_changed_but_for_its_cache(tmp_path):
    facts = captured(tmp_path / "store")
    before = tree(facts)
    synthetic.release(facts, to=tmp_path / "r")
    after = {name: digest for name, digest in tree(facts).items() if not name.startswith("cache")}
    assert after == before


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path):
    facts = store(tmp_path / "store")
    (facts / "cache").write_text("a file where the cache would be")
    synthetic.release(facts, to=tmp_path / "r")
    assert len(ids(tmp_path / "r")) == 24


def test_a_folder_that_is_no_store_is_named(tmp_path):
    with pytest.raises(BrokenStore, match="no store here"):
        synthetic.release(tmp_path / "nothing", to=tmp_path / "r")


@pytest.mark.parametrize("part", ["footer", "pages"])
def test_a_damaged_shard_is_one_clear_error(tmp_path, part):
    facts = store(tmp_path / "store")
    shard = first_shard(facts)
    data = bytearray(shard.read_bytes())
    for place in range(len(data) - 200, len(data) - 100) if part == "footer" else range(4, len(data) // 2):
        data[place] = 0xFF
    shard.write_bytes(data)
    with pytest.raises(BrokenStore, match="store"):
        synthetic.release(facts, to=tmp_path / "r")
    assert "r" not in beside(tmp_path)


# ---- versions


def test_previous_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(BrokenRelease, match="no release here"):
        synthetic.release(store(tmp_path / "store"), to=tmp_path / "r", previous=tmp_path / "nothing")


def test_a_setting_of_the_command_is_checked_like_the_recipe(tmp_path):
    with pytest.raises(RecipeError, match="no identifier such as"):
        synthetic.release(store(tmp_path / "store"), to=tmp_path / "r", license="do what you want")


def test_nothing_in_a_release_tells_of_the_machine(tmp_path):
    facts = captured(tmp_path / "store")
    synthetic.release(facts, to=tmp_path / "r")
    told = json.dumps([path.read_bytes().decode("latin-1") for path in (tmp_path / "r").rglob("*") if path.is_file()])
    assert str(tmp_path) not in told
    assert str(ROOT) not in told
