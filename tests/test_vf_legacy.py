"""vf-eval before 0.2: `results.jsonl` of 0.1.3, 0.1.9 and 0.1.14, written by those versions, and what they left out.

`tests/logs/vf_eval_0_1/*/expected.json` was derived from the raw JSON by a script that knows nothing of this package.
"""

import gzip
import json
import math
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import synthetic
from synthetic.formats.rollout_output import recognises
from tests.test_formats import SAMPLES

LOGS = Path(__file__).parent / "logs" / "vf_eval_0_1"
VERSIONS = ("0_1_3", "0_1_9", "0_1_14")
TOTALS = json.loads((LOGS / "samples.json").read_text("utf-8")) if SAMPLES.is_dir() else {}


def log(version: str) -> Path:
    (path,) = (LOGS / version).rglob("results.jsonl")
    return path


def expected(version: str) -> list[dict[str, Any]]:
    (file,) = json.loads((LOGS / version / "expected.json").read_text("utf-8")).values()
    rows: list[dict[str, Any]] = file["row"]
    return rows


def captured(path: Path, store: Path) -> pl.DataFrame:
    done = synthetic.capture(path, into=store)
    assert done.quarantined == 0
    assert done.formats == ["vf-eval-0.1"]
    return synthetic.scan(store).sort("log_offset").collect()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_log_gives_the_rows_that_were_derived_from_its_json(version, tmp_path):
    rows = captured(LOGS / version, tmp_path / "s").rows(named=True)
    for row, wanted in zip(rows, expected(version), strict=True):
        messages = row["messages"]
        calls = [[call["function"] for call in m["tool_calls"] or ()] for m in messages]
        assert {
            "problem": row["native_problem_id"],
            "roles": [m["role"] for m in messages],
            "texts": [m["content"] for m in messages],
            "thinking": [m["reasoning_content"] for m in messages],
            "calls": [[[call["name"], json.loads(call["arguments"])] for call in each] for each in calls],
            "prompt": row["num_prompt_messages"],
            "answer": row["ground_truth"],
            "reward": row["reward"],
            "scores": {scorer["name"]: scorer["score"] for scorer in row["rewards"] if scorer["name"] != "turn"},
            "ok": row["ok"],
            "truncated": row["is_truncated"],
            "stop_condition": row["stop_condition"],
            "completion_tokens": row["completion_tokens"],
            "tools": len(json.loads(row["tools"] or "[]")),
            "began": row["generated_at"] and row["generated_at"].timestamp(),
        } == wanted | {"problem": None if wanted["problem"] is None else str(wanted["problem"])}


@pytest.mark.parametrize("name", TOTALS)
def test_a_sample_has_the_totals_that_were_derived_from_its_json(name, tmp_path):
    rows = captured(SAMPLES / name, tmp_path / "s").rows(named=True)
    calls = [len(message["tool_calls"] or ()) for row in rows for message in row["messages"]]
    scores = [scorer for row in rows for scorer in row["rewards"] if scorer["name"] == "correct_answer"]
    assert {
        "rows": len(rows),
        "ok_false": sum(not row["ok"] for row in rows),
        "truncated": sum(row["is_truncated"] for row in rows),
        "null_reward": sum(row["reward"] is None for row in rows),
        "sum_of_rewards": round(sum(row["reward"] or 0 for row in rows), 6),
        "messages": len(calls),
        "tool_calls": sum(calls),
        "correct": sum(scorer["score"] for scorer in scores),
        "completion_tokens": sum(row["completion_tokens"] for row in rows),
    } == TOTALS[name]


# ---- nothing is lost


def made_again(row: dict[str, Any]) -> dict[str, Any]:
    """The line that gave a row, from its columns and `extra`."""
    line: dict[str, Any] = json.loads(row["extra"])
    line.pop("synthetic:repaired", None)
    task = json.loads(row["verification_info"])
    line |= {"answer": task["answer"], "info": task["info"] | line.get("info", {})}
    line["reward"] = row["reward"]
    scores = {scorer["name"]: scorer["score"] for scorer in row["rewards"]} | json.loads(row["metrics"] or "{}")
    line |= scores | ({"metrics": scores} if "timing" in line else {})
    if row["native_problem_id"]:
        line["example_id"] = int(row["native_problem_id"])
    for name in ("stop_condition", "is_truncated"):
        if row[name] is not None:
            line.setdefault(name, row[name])
    if row["tools"] and "oai_tools" not in line["info"]:
        line["tool_defs"] = [tool["function"] for tool in json.loads(row["tools"])]
    prompt = row["num_prompt_messages"]
    for key, said in (("prompt", row["messages"][:prompt]), ("completion", row["messages"][prompt:])):
        left = line.get(key) or [{}] * len(said)
        line[key] = [
            {name: text for name, text in m.items() if text is not None} | more
            for m, more in zip(said, left, strict=True)
        ]
    return line


def without_nan(given: Any) -> Any:
    match given:
        case float() if math.isnan(given):
            return None
        case dict():
            return {key: without_nan(inner) for key, inner in given.items() if key != "tokens"}
        case list():
            return [without_nan(inner) for inner in given]
    return given


@pytest.mark.parametrize("version", VERSIONS)
def test_every_line_can_be_made_again_from_its_row(version, tmp_path):
    rows = captured(LOGS / version, tmp_path / "s").rows(named=True)
    lines = log(version).read_bytes().splitlines()
    for line, row in zip(lines, rows, strict=True):
        assert made_again(row) == without_nan(json.loads(line))


def test_what_metadata_says_fills_columns_and_its_address_fills_none(tmp_path):
    rows = captured(LOGS / "0_1_14", tmp_path / "s")
    (row,) = rows.select("env_id", "model", "framework_version", "sampling", "run_name", "run_id").unique().rows()
    sampling = {"max_tokens": 500, "n": 1, "seed": 11, "temperature": 0.7}
    name = "puzzles--fixture--scribe-1b"
    assert row[:3] == ("puzzles", "fixture/scribe-1b", "0.1.14")
    assert (json.loads(row[3]), *row[4:]) == (sampling, name, log("0_1_14").parent.name)
    assert "127.0.0.1" in (log("0_1_14").parent / "metadata.json").read_text()
    assert "127.0.0.1" not in rows.write_json()


@pytest.mark.parametrize(
    "metadata", [None, "{", "[]", '{"env_id": 3, "model": null, "sampling_args": "hot"}', "[" * 9000]
)
def test_without_metadata_the_folder_says_environment_and_model(metadata, tmp_path):
    folder = tmp_path / "outputs" / "evals" / "puzzles--fixture--scribe-1b" / "0a1b2c3d"
    folder.mkdir(parents=True)
    shutil.copy(log("0_1_9"), folder)
    if metadata is not None:
        (folder / "metadata.json").write_text(metadata)
    rows = captured(tmp_path / "outputs", tmp_path / "s")
    assert rows.select("env_id", "model", "sampling").unique().rows() == [("puzzles", "fixture/scribe-1b", None)]


def test_a_name_in_metadata_that_is_no_whole_text_costs_no_line(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(log("0_1_9"), folder)
    (folder / "metadata.json").write_text(r'{"env_id": "puzzles", "model": "half \ud83d", "avg_reward": NaN}')
    assert set(captured(folder, tmp_path / "s")["model"]) == {"half \ufffd"}


# ---- what bites


def test_a_number_of_0_1_3_that_stands_on_two_problems_is_no_problems_id(tmp_path):
    rows = captured(LOGS / "0_1_3", tmp_path / "s")
    ids = rows["extra"].str.json_path_match("$.id")
    assert ids[:2].to_list() == ["0", "0"]
    assert rows["problem_id"][0] != rows["problem_id"][1]
    assert rows["problem_id"].n_unique() == 7
    assert rows["native_problem_id"].null_count() == 14


def test_a_problem_has_one_id_in_every_version(tmp_path):
    ids = [set(captured(LOGS / version, tmp_path / version)["problem_id"]) for version in VERSIONS]
    assert ids[1] == ids[2]
    assert ids[0] < ids[1]  # 0.1.3 played one puzzle less


@pytest.mark.parametrize("version", VERSIONS)
def test_a_scorer_that_gave_no_number_leaves_the_others_no_sole_judge(version, tmp_path):
    rows = captured(LOGS / version, tmp_path / "s")
    (row,) = rows.filter(pl.col("reward").is_null()).rows(named=True)
    scores = {scorer["name"]: scorer["score"] for scorer in row["rewards"]}
    assert (scores["correct"], scores["tidy"]) == (None, 1.0)


def test_an_error_names_its_type_status_and_message(tmp_path):
    rows = captured(LOGS / "0_1_14", tmp_path / "s").filter(~pl.col("ok"))
    errors = [json.loads(said)[0] for said in rows["errors"]]
    said = "ModelError() -> BadRequestError('Error code: 400 - the prompt was refused by the content filter')"
    assert errors[0] == {"type": "ModelError", "status_code": 400, "message": said}
    assert rows["reward"].to_list() == [0.0, 0.0, 0.0]  # 0.1 scores what failed 0: `ok` says that it is no answer


def test_tools_as_0_1_3_wrote_them_lose_the_nulls_between_them(tmp_path):
    rows = captured(LOGS / "0_1_3", tmp_path / "s")
    multiply, look_up = (tool["function"] for tool in json.loads(rows["tools"][0]))
    assert (multiply["name"], look_up["name"]) == ("desk_multiply", "desk_look_up")
    assert list(multiply["parameters"]["properties"]) == ["a", "b"]
    assert "oai_tools" not in rows["verification_info"][0]


def test_a_resumed_eval_that_moves_its_lines_makes_no_second_traces(tmp_path):
    folder = tmp_path / "0a1b2c3d"
    shutil.copytree(log("0_1_14").parent, folder)
    before = captured(folder, tmp_path / "s")
    lines = log("0_1_14").read_bytes().splitlines(keepends=True)
    (folder / "results.jsonl").write_bytes(b"".join(lines[8:] + lines[:4]))
    assert synthetic.capture(folder, into=tmp_path / "s").captured == 12
    after = synthetic.scan(tmp_path / "s").collect()
    assert set(after["row_id"]) == set(before["row_id"])
    assert after.height == 16


def test_equal_lines_without_a_time_are_two_attempts(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    first = log("0_1_3").read_bytes().splitlines(keepends=True)[0]
    (folder / "results.jsonl").write_bytes(first * 2)
    assert captured(folder, tmp_path / "s")["row_id"].n_unique() == 2


def test_a_text_prompt_and_a_text_completion_are_two_messages(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    line = {"example_id": 4, "prompt": "2 + 2 =", "completion": " 4", "task": "default", "reward": 1.0, "right": 1.0}
    (folder / "results.jsonl").write_text(json.dumps(line) + "\n")
    (row,) = captured(folder, tmp_path / "s").rows(named=True)
    assert [(m["role"], m["content"]) for m in row["messages"]] == [("user", "2 + 2 ="), ("assistant", " 4")]
    assert (row["text_form"], row["ok"], row["is_truncated"]) == ("parsed", True, None)


# ---- detection, twice, torn, hostile


@pytest.mark.parametrize("version", VERSIONS)
def test_a_second_capture_adds_nothing_and_a_torn_line_waits(version, tmp_path):
    folder = tmp_path / "0a1b2c3d"
    shutil.copytree(log(version).parent, folder)
    whole = log(version).read_bytes()
    (folder / "results.jsonl").write_bytes(whole[:-40])
    first = synthetic.capture(folder, into=tmp_path / "s")
    assert (first.rows, first.quarantined, len(first.torn)) == (len(expected(version)) - 1, 0, 1)
    (folder / "results.jsonl").write_bytes(whole)
    assert synthetic.capture(folder, into=tmp_path / "s").rows == 1
    assert synthetic.capture(folder, into=tmp_path / "s").rows == 0


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"completion": 5}, "neither messages nor text"),
        ({"completion": [{"content": "no role"}]}, "no role"),
        ({"completion": ["text"]}, "neither messages nor text"),
        ({"completion": [{"role": "assistant", "tool_calls": ["{not json"]}]}, "JSONDecodeError"),
        ({"completion": [{"role": "assistant", "tool_calls": ["3"]}]}, "a tool call is no object"),
        ({"reward": "pass"}, "a score is no number"),
        ({"reward": [1.0]}, "a score is no number"),
        ({"answer": ["4"], "reward": {"score": "1,0"}}, "a score is no number"),
    ],
)
def test_a_hostile_line_is_set_aside_with_its_reason(line, why, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    good = log("0_1_9").read_bytes().splitlines()[0]
    bad = json.dumps(json.loads(good) | line).encode()
    (folder / "results.jsonl").write_bytes(b"\n".join([good, bad, b'{"completion": ' + b"[" * 9000, good, b""]))
    done = synthetic.capture(folder, into=tmp_path / "s")
    assert (done.rows, done.captured, done.quarantined) == (2, 2, 2)
    reasons = [json.loads(line)["reason"] for line in Path(done.quarantine[0]).read_bytes().splitlines()]
    assert why in reasons[0]


def test_a_log_whose_every_reward_is_no_number_is_recognised(tmp_path):
    line = log("0_1_14").read_bytes().splitlines()[9]
    assert b'"reward": NaN' in line
    assert recognises(line)
    assert not recognises(b'{"completion": [], "example_id": 1}')
    assert not recognises(b"[" * 9000)


def test_a_log_may_have_been_renamed(tmp_path):
    shutil.copy(log("0_1_9"), tmp_path / "last-eval.jsonl")
    assert captured(tmp_path / "last-eval.jsonl", tmp_path / "s").height == 16


def test_a_compressed_log_is_the_same_log(tmp_path):
    folder = tmp_path / "0a1b2c3d"
    shutil.copytree(log("0_1_9").parent, folder)
    plain = captured(folder, tmp_path / "s")
    (folder / "results.jsonl.gz").write_bytes(gzip.compress((folder / "results.jsonl").read_bytes()))
    (folder / "results.jsonl").unlink()
    assert synthetic.capture(folder, into=tmp_path / "s").seen_before == 16
    assert captured(folder, tmp_path / "t").equals(plain)
