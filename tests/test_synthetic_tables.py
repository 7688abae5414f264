"""The published tables of SYNTHETIC-1 and SYNTHETIC-2 as logs, in Parquet and in JSON lines.

`tests/logs/synthetic/*/expected.json` was derived from the raw files by a script that knows nothing of this package.
"""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

import synthetic
from synthetic.errors import UnreadableLog
from synthetic.formats.find import find
from synthetic.formats.format import Place
from synthetic.formats.records import open_log
from synthetic.formats.rows import traces
from synthetic.formats.synthetic_tables import recognises
from synthetic.record import digest
from tests.logs.generate.synthetic_tables import PRINTED
from tests.test_genesys import LOGS, as_table, expected, rows_of

PARQUET = "data/train-00000-of-00001.parquet"
LINES = {"synthetic_1_lines": "SYNTHETIC-1.jsonl", "synthetic_2_lines": "SYNTHETIC-2.jsonl"}
TABLES = ["synthetic_1", "synthetic_1_lines", "synthetic_1_sft", "synthetic_2", "synthetic_2_lines", "synthetic_2_sft"]
Q32, R1 = "Qwen/Qwen3-32B", "deepseek-ai/DeepSeek-R1-0528"


def parsed(folder: str) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Every line of a table and its rows, in order."""
    (source,) = find(LOGS / folder).sources
    given: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    with open_log(source.path) as table:
        for position, line, _ in table.lines(0):
            assert line is not None
            place = Place(source.name, position, digest(line), len(given))
            given.append((json.loads(line), traces(source.format.parse(line, source, place), place, {})))
    return given


def told(row: dict[str, Any]) -> dict[str, Any]:
    """All that an expectation may say of a row."""
    return {
        "id": row["trace_id"],
        "problem": row["native_problem_id"],
        "task_type": row["task_type"],
        "source": row["source"],
        "gold": row["gold_standard_solution"],
        "texts": [message["content"] for message in row["messages"]],
        "model": row["model"],
        "index": row["sample_index"],
        "mean": json.loads(row["metrics"] or "{}").get("avg_reward"),
        "reward": row["reward"],
        "ok": row["ok"],
        "prompt_tokens": row["prompt_tokens"],
        "completion_tokens": row["completion_tokens"],
    }


@pytest.mark.parametrize("folder", TABLES)
def test_a_table_gives_the_rows_that_were_derived_from_it(folder, tmp_path):
    rows = [row for _, given in parsed(folder) for row in given]
    for row, said in zip(rows, expected(folder, LINES.get(folder, PARQUET)), strict=True):
        known = {key for key in said if key != "id" or said[key] is not None}  # SYNTHETIC-2 has no ids of responses
        assert {key: told(row)[key] for key in known} == {key: said[key] for key in known}
    assert {row["row_id"] for row in rows} == {row["row_id"] for row in rows_of(LOGS / folder, tmp_path / "s")}
    again = synthetic.capture(LOGS / folder, into=tmp_path / "s")
    assert (again.captured, again.seen_before) == (0, len(parsed(folder)))


def made_again(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The line that gave these rows; columns that were null may be missing."""
    line: dict[str, Any] = json.loads(rows[0]["extra"] or "{}")
    first = rows[0]
    plain = "task_type source in_source_id hf_dataset_name gold_standard_solution"
    for name in plain.split():
        if first[name] is not None:
            line[name] = first[name]
    if first["native_problem_id"] is not None:
        line["problem_id"] = first["native_problem_id"]
    for name, column in (
        *(("verification_info", "verification_info"), ("metadata", "metadata")),
        ("verification_result_info", "verification_result"),
    ):
        if first[column] is not None:
            line[name] = json.loads(first[column])
    said = [[message["content"] for message in row["messages"]] for row in rows]
    if first["sample_index"] is not None:
        line["prompt"] = said[0][0]
        for row, texts in zip(rows, said, strict=True):
            line.setdefault(f"{row['model']}_responses", []).append(texts[1])
            if row["metrics"] is not None:
                line[f"{row['model']}_avg_reward"] = json.loads(row["metrics"])["avg_reward"]
    elif "source" in line:
        line |= {"prompt": said[0][0], "llm_response": said[0][1], "response_id": first["trace_id"]}
    else:
        line["messages"] = [{"content": m["content"], "role": m["role"]} for m in first["messages"]]
        if first["framework"] == "synthetic-1":
            line["response_id"] = first["trace_id"]
    if first["rewards"] is not None and first["sample_index"] is None:
        line[first["rewards"][0]["name"]] = first["reward"]
    return line


def as_read(line: dict[str, Any]) -> dict[str, Any]:
    """A line without null members, its tables in text as tables."""
    texts = ("verification_info", "metadata", "verification_result_info")
    read = {k: as_table(line[k]) if line[k] in PRINTED else json.loads(line[k]) for k in texts if line.get(k)}
    return {key: value for key, value in (line | read).items() if value is not None}


@pytest.mark.parametrize("folder", TABLES)
def test_every_line_can_be_made_again_from_its_rows(folder):
    for line, rows in parsed(folder):
        again = {key: value for key, value in made_again(rows).items() if value is not None}
        assert again == as_read(line)


@pytest.mark.parametrize("folder", ["synthetic_1_sft", "synthetic_2", "synthetic_2_sft"])
def test_a_table_named_by_its_dataset_by_its_folder_and_by_its_file_is_one(folder, tmp_path):
    synthetic.capture(LOGS / folder, into=tmp_path / "s")
    rows = synthetic.scan(tmp_path / "s").collect().height
    synthetic.capture(LOGS / folder / "data", into=tmp_path / "s")
    synthetic.capture(LOGS / folder / PARQUET, into=tmp_path / "s")
    assert synthetic.scan(tmp_path / "s").collect().height == rows


def test_a_mean_is_no_responses_own_reward_unless_there_is_one_response():
    rows = [row for _, given in parsed("synthetic_2") for row in given]
    assert [(row["reward"], told(row)["mean"]) for row in rows if row["model"] == Q32] == [(None, 0.75)] * 4
    (one,) = (row for row in rows if row["model"] == R1 and row["native_problem_id"] == "sky_work_math_1")
    assert (one["reward"], one["rewards"]) == (1.0, [{"name": "reward", "score": 1.0, "weight": 1.0}])
    (unscored,) = (row for row in rows if row["model"] == R1 and row["native_problem_id"] is None)
    assert (unscored["reward"], unscored["metrics"]) == (None, None)


def test_the_responses_to_a_task_are_attempts_at_one_problem():
    (_, first), (_, second), (_, third) = parsed("synthetic_2")
    assert [len({row["problem_id"] for row in rows}) for rows in (first, second, third)] == [1, 1, 1]
    assert len({row["trace_id"] for rows in (first, second, third) for row in rows}) == 12
    assert {row["ground_truth"] for row in first} == {"42"}


def test_parquet_and_json_lines_of_a_table_say_the_same():
    for one, other in (("synthetic_1", "synthetic_1_lines"), ("synthetic_2", "synthetic_2_lines")):
        kept = [
            [{k: v for k, v in row.items() if k not in PLACES} for _, rows in parsed(folder) for row in rows]
            for folder in (one, other)
        ]
        if one == "synthetic_2":  # it has no ids: they come from the place
            for row in (*kept[0], *kept[1]):
                del row["row_id"], row["trace_id"], row["content_hash"]
        assert kept[0] == kept[1]


PLACES = {"log_file", "log_digest", "log_offset", "run_name"}


def test_the_rule_of_synthetic_2_decides_its_graded_tasks(tmp_path):
    rows_of(LOGS / "synthetic_2_sft", tmp_path / "s")
    synthetic.release(tmp_path / "s", to=tmp_path / "r", recipe="synthetic-2")
    chosen = pl.read_parquet(tmp_path / "r" / "data" / "sft_verified" / "*.parquet")
    assert sorted(chosen["reward"].to_list()) == [0.83, 1.0]


def test_tasks_without_responses_are_no_log():
    with pytest.raises(UnreadableLog, match="no format knows its lines"):
        synthetic.capture(LOGS / "synthetic_2_rl", into="nowhere")


@pytest.mark.parametrize("folder", ["synthetic_1", "synthetic_1_sft", "synthetic_2", "synthetic_2_sft"])
def test_columns_have_the_published_names_and_types(folder):
    """The fixtures are those of the cards: a release in these shapes is written from the same lists."""
    schema = pq.read_schema(LOGS / folder / PARQUET)
    texts = {"score": "double", "reward": "double", "messages": "list<element: struct<content: string, role: string>>"}
    for field in schema:
        wanted = texts.get(field.name, "string")
        wanted = "list<element: string>" if field.name.endswith("_responses") else wanted
        wanted = "double" if field.name.endswith("_avg_reward") else wanted
        assert str(field.type).replace("item: ", "element: ") == wanted, field.name


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"prompt": None}, "'prompt' is no text"),
        ({f"{Q32}_responses": "text"}, "is no list of texts"),
        ({f"{Q32}_responses": [3]}, "is no list of texts"),
        ({f"{R1}_avg_reward": "high"}, "a score is no number"),
        ({f"{model}_responses": None for model in (Q32, R1, "Qwen/Qwen3-4B")}, "without a response of any model"),
        ({"messages": [3]}, "no list of messages"),
        ({"messages": [{"content": "x"}]}, "no role"),
        ({"llm_response": "x"}, "no response_id"),
    ],
)
def test_a_hostile_line_is_set_aside_with_its_reason(line, why, tmp_path):
    good = (LOGS / "synthetic_2_lines" / "SYNTHETIC-2.jsonl").read_bytes().splitlines()[0]
    log = tmp_path / "run" / "train.jsonl"
    log.parent.mkdir()
    log.write_bytes(b"\n".join([good, json.dumps(json.loads(good) | line).encode(), b"[" * 9000, good[:-9]]))
    done = synthetic.capture(log, into=tmp_path / "s")
    assert (done.captured, done.rows, done.quarantined, len(done.torn)) == (1, 7, 2, 1)
    assert why in Path(done.quarantine[0]).read_text("utf-8")


@pytest.mark.parametrize("folder", ["synthetic_1_sft", "synthetic_2_sft"])
def test_a_table_to_train_on_in_json_lines_is_no_other_chat(folder, tmp_path):
    (tmp_path / "run").mkdir()
    rows = pq.read_table(LOGS / folder / PARQUET).to_pylist()
    (tmp_path / "run" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (source,) = find(tmp_path / "run").sources
    assert source.format.name == "synthetic-tables"
    read = rows_of(tmp_path / "run", tmp_path / "s")
    assert [told(row)["texts"] for row in read] == [said["texts"] for said in expected(folder, PARQUET)]


def test_only_the_tables_are_recognised():
    for folder in TABLES:
        assert all(recognises(json.dumps(line).encode()) for line, _ in parsed(folder))
    assert not recognises(b'{"problem_id": "a", "messages": [], "task_type": "math"}')
    assert not recognises(b'{"prompt": "", "verification_info": "", "x_avg_reward": 1.0}')
    assert not recognises(b"torn")
