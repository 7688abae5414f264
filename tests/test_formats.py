"""Real logs, read as their frameworks mean them, and nothing that they say lost.

`tests/logs/*/expected.json` was derived from the raw JSON by a script that knows nothing of this package.
"""

import json
import shutil
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import synthetic
from synthetic.formats import FORMATS
from synthetic.formats.find import find
from synthetic.formats.format import Place, Source
from synthetic.formats.records import open_log
from synthetic.formats.rows import late_facts, traces
from synthetic.record import content_hash, digest, facts
from tests.rebuild import rebuilt, without_tokens

ROOT = Path(__file__).parent.parent
LOGS = ROOT / "tests" / "logs"
SAMPLES = ROOT.parent / "shared" / "samples"
EXPECTED = {
    f"{file.parent.name}/{name}": expected
    for file in sorted(LOGS.glob("*/expected.json"))
    for name, expected in json.loads(file.read_text("utf-8")).items()
    if Path(name).name == "traces.jsonl"
}
TOTALS = json.loads((LOGS / "samples_expected.json").read_text("utf-8")) if SAMPLES.is_dir() else {}

# Columns that no log of today's formats fills: other formats' logs and recipes do.
NOT_IN_THESE_LOGS = {
    "sample_index",
    "task_type",
    "domain",
    "source",
    "in_source_id",
    "hf_dataset_name",
    "gold_standard_solution",
    "recorded_verdict",
    "verification_result",
    "model_revision",
    "sampling",  # these runs left every setting to the server; tests/test_episodes.py has some
}


HERE = Place("l", 0, "")


def source_of(path: Path) -> Source:
    (source,) = find(path).sources
    return source


@cache
def parsed(path: Path) -> list[tuple[bytes, list[dict[str, Any]]]]:
    """Every line of a log and its rows; of a log of shipped rollouts, those that it would give in `all`."""
    source = source_of(path)
    parse = FORMATS["vf-eval"].parse
    given = []
    with open_log(path) as text:
        for offset, line, _ in text.lines(0):
            assert line is not None
            place = Place(source.name, offset, digest(line))
            given.append((line, traces(parse(line, source, place), place, {})))
    return given


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [row for _, rows in parsed(path) for row in rows]


def sampled_calls(row):
    return sum(len(message["tool_calls"] or ()) for message in row["messages"])


def near(number):
    return None if number is None else pytest.approx(number)


# ---- what is in the logs


@pytest.mark.parametrize("name", EXPECTED)
def test_a_log_gives_the_rows_that_were_derived_from_its_json(name):
    rows, expected = rows_of(LOGS / name), EXPECTED[name]
    assert len(rows) == expected["rows"] == len(expected["row"])
    leaves = Counter(row["trace_id"] for row in rows)
    for row, wanted in zip(rows, expected["row"], strict=True):
        fails_with_episode = wanted.get("episode_ok") is False
        assert {
            "trace_id": row["trace_id"],
            "branch": row["branch"],
            "reward": row["reward"],
            "roles": [message["role"] for message in row["messages"]],
            "num_turns": row["num_turns"],
            "tool_calls": sampled_calls(row),
            "stop_condition": row["stop_condition"],
        } == {
            "trace_id": wanted["trace_id"],
            "branch": wanted["branch"],
            "reward": near(wanted["reward"]),
            "roles": wanted["roles"],
            "num_turns": sum(wanted["sampled"]),
            "tool_calls": wanted["tool_calls"],
            "stop_condition": wanted["stop_condition"],
        }
        assert row["ok"] is wanted["ok"] or (fails_with_episode and not row["ok"])
        assert row["episode_id"] == wanted.get("episode_id")
        if "env" in wanted:
            assert wanted["env"] == (row["env_name"] or row["env_id"])
        if leaves[row["trace_id"]] == 1:  # elsewhere the ending is the branch's, not the trace's
            assert (row["finish_reason"], row["is_truncated"] or False) == (
                wanted["finish_reason"],
                wanted["truncated"],
            )


@pytest.mark.parametrize("name", EXPECTED)
def test_a_torn_last_line_is_left_where_it_is(name, tmp_path):
    done = synthetic.capture(LOGS / name, into=tmp_path / "store")
    assert (done.captured, done.quarantined) == (EXPECTED[name]["lines"], 0)
    assert len(done.torn) == bool(EXPECTED[name]["torn_bytes"])


def test_traces_of_june_stand_in_results_beside_their_configuration(tmp_path):
    shutil.copy(LOGS / "vf_eval_0_2_0" / "traces.jsonl", tmp_path / "results.jsonl")
    (tmp_path / "config.toml").write_text('model = "fake/reasoner-1b"\n')
    done = synthetic.capture(tmp_path, into=tmp_path / "store")
    assert (done.formats, done.rows, done.quarantined) == (["vf-eval"], 16, 0)
    assert synthetic.scan(tmp_path / "store").collect()["model"].unique().to_list() == ["fake/reasoner-1b"]


@pytest.mark.parametrize("name", [name for name in EXPECTED if "/effective/" in name])
def test_what_was_shipped_is_late_facts(name):
    source = source_of(LOGS / name)
    said = [fact for line, _ in parsed(LOGS / name) for fact in source.format.parse(line, source, HERE).late]
    advantages = {trace_id: value for trace_id, _, key, value in said if key == "advantage"}
    assert advantages == EXPECTED[name]["advantages"]
    shipped = {trace_id for trace_id, _, key, _ in said if key in {"trained_on", "effective"}}
    assert shipped == {row["trace_id"] for row in EXPECTED[name]["row"]}
    assert {value for _, _, key, value in said if key == "ship_step"} <= {source.facts["step"]}
    assert late_facts(source.format.parse(parsed(LOGS / name)[0][0], source, HERE), HERE)


@pytest.mark.parametrize("name", TOTALS)
def test_a_sample_has_the_totals_that_were_derived_from_its_json(name):
    rows, totals = rows_of(SAMPLES / name), TOTALS[name]
    whole = [row for row in rows if row["branch"] == 0]
    assert {
        "rows": len(rows),
        "ok_false": sum(not row["ok"] for row in rows),
        "truncated": sum(row["is_truncated"] or False for row in rows),
        "null_reward": sum(row["reward"] is None for row in rows),
        "sum_of_rewards": round(sum(row["reward"] or 0 for row in rows), 6),
        "messages": sum(len(row["messages"]) for row in rows),
        "tool_calls": sum(sampled_calls(row) for row in rows),
        "rows_by_env": dict(Counter(row["env_name"] or row["env_id"] for row in rows)),
    } == {key: totals[key] for key in totals.keys() - {"lines", "torn_bytes", "effective_lines", "sum_of_advantages"}}
    assert len(parsed(SAMPLES / name)) == totals["lines"]
    assert whole


# ---- nothing is lost


def named(path: Path) -> str:
    """A log's name in a test's name."""
    return path.relative_to(LOGS if LOGS in path.parents else SAMPLES).parent.as_posix()


def logs() -> list[Path]:
    """Every log of the fixtures, and of the samples where they are."""
    known = ("*/traces.jsonl", "*/*/traces.jsonl", "**/rollouts/**/traces.jsonl")
    found = {path for top in (LOGS, SAMPLES) if top.is_dir() for known_ in known for path in top.glob(known_)}
    return sorted(found)


@pytest.mark.parametrize("path", logs(), ids=named)
def test_every_line_can_be_made_again_from_its_rows(path):
    for line, rows in parsed(path):
        assert rebuilt(rows) == without_tokens(json.loads(line))


def test_every_column_is_filled_by_some_log_and_no_other_is_given():
    source = source_of(LOGS / "vf_eval_0_4_0" / "traces.jsonl")
    filled = {name for path in logs() for row in rows_of(path) for name, value in row.items() if value is not None}
    assert set(facts().names) - filled == NOT_IN_THESE_LOGS
    given = {
        name
        for path in logs()
        for line, _ in parsed(path)
        for row in FORMATS["vf-eval"].parse(line, source, HERE).rows
        for name in row
    }
    assert given <= set(facts().names)


@pytest.mark.parametrize("path", logs(), ids=named)
def test_the_content_hash_can_be_checked_from_the_row(path):
    for row in rows_of(path):
        assert content_hash(row) == row["content_hash"]
