"""genesys: generated and scored files, tables that Python printed, verifiers that failed, token ids.

`tests/logs/synthetic/*/expected.json` was derived from the raw files by a script that knows nothing of this package.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import synthetic
from synthetic.formats import FORMATS
from synthetic.formats.find import find
from tests.logs.generate.synthetic_tables import PRINTED

LOGS = Path(__file__).parent / "logs" / "synthetic"
GENESYS = LOGS / "genesys"
SCORED = GENESYS / "output" / "out_4f0c9a52-1d1e-4b51-9c39-5d3b6a7e8f90_verified.jsonl"
LATER = GENESYS / "output" / "out_9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d.jsonl"
PRIVATE = ("192.0.2.7", "2001:db8::7", "machine_id")


def expected(folder: str, file: str) -> list[dict[str, Any]]:
    wanted = json.loads((LOGS / folder / "expected.json").read_text("utf-8"))
    rows: list[dict[str, Any]] = wanted[file]["row"]
    return rows


def rows_of(path: Path, store: Path) -> list[dict[str, Any]]:
    done = synthetic.capture(path, into=store)
    assert done.quarantined == 0
    return synthetic.scan(store).sort("log_file", "log_offset").collect().rows(named=True)


@pytest.mark.parametrize("path", [SCORED, LATER], ids=["scored", "generated"])
def test_a_log_gives_the_rows_that_were_derived_from_its_json(path, tmp_path):
    wanted = expected("genesys", path.relative_to(GENESYS).as_posix())
    for row, said in zip(rows_of(path, tmp_path / "s"), wanted, strict=True):
        assert {
            "id": row["trace_id"],
            "problem": row["native_problem_id"],
            "task_type": row["task_type"],
            "source": row["source"],
            "gold": row["gold_standard_solution"],
            "texts": [message["content"] for message in row["messages"]],
            "model": row["model"],
            "reward": row["reward"],
            "ok": row["ok"],
            "prompt_tokens": row["prompt_tokens"],
            "completion_tokens": row["completion_tokens"],
        } == said


def made_again(row: dict[str, Any]) -> dict[str, Any]:
    """The line that gave a row, from its columns and `extra`; what was a table in text is a table."""
    line: dict[str, Any] = json.loads(row["extra"] or "{}")
    prompt, response = (message["content"] for message in row["messages"])
    line |= {"prompt": prompt, "llm_response": response, "response_id": row["trace_id"]}
    named = {"problem_id": "native_problem_id", "model_name": "model"}
    for name in "source task_type in_source_id hf_dataset_name gold_standard_solution problem_id model_name".split():
        if row[named.get(name, name)] is not None:
            line.setdefault(name, row[named.get(name, name)])
    line |= {name: json.loads(row[name]) for name in ("verification_info", "metadata")}
    if row["rewards"] is not None:
        line["score"] = row["reward"]
        line.setdefault("verification_result_info", json.loads(row["verification_result"]))
    return line


@pytest.mark.parametrize("path", [SCORED, LATER], ids=["scored", "generated"])
def test_every_line_can_be_made_again_from_its_row(path, tmp_path):
    for line, row in zip(path.read_bytes().splitlines(), rows_of(path, tmp_path / "s"), strict=True):
        wanted = {key: value for key, value in json.loads(line).items() if key not in {"input_ids", "output_ids"}}
        tables = {name: as_table(wanted[name]) for name in ("verification_info", "metadata")}
        assert made_again(row) == wanted | tables


def as_table(given: Any) -> Any:
    """What a column says: the table that was printed into it, if JSON has words for it."""
    return PRINTED[given] if isinstance(given, str) and "(1, 2)" not in given else given


def test_a_table_that_python_printed_is_read_and_one_that_json_cannot_say_stays_text(tmp_path):
    rows = rows_of(LATER, tmp_path / "s")
    assert rows[0]["ground_truth"] == "42"
    assert json.loads(rows[0]["metadata"])["original_question"] == "It's 17 + 25?"
    assert json.loads(rows[2]["verification_info"])["test_cases"][0]["output"] == '4 "four"\n'
    assert json.loads(rows[5]["metadata"]) == "{'site': {'name': 'physics', 'score': (1, 2)}}"


def test_a_failed_verifier_is_no_wrong_answer(tmp_path):
    rows = rows_of(SCORED, tmp_path / "s")
    synthetic.release(tmp_path / "s", to=tmp_path / "r")
    verdicts = dict(
        pl.read_parquet(tmp_path / "r" / "data" / "traces" / "*.parquet").select("trace_id", "verdict").rows()
    )
    assert [verdicts[row["trace_id"]] for row in rows] == [
        "correct",
        "incorrect",
        "undecided",  # half of the tests
        "incorrect",
        "error",  # the verifier ran out of time
        "undecided",  # a judge's score
    ]
    assert json.loads(rows[4]["errors"]) == [{"type": "VerificationFailed", "status_code": None, "message": "timeout"}]


def test_a_response_as_long_as_it_was_let_is_cut_and_of_others_nothing_is_known(tmp_path):
    assert [row["is_truncated"] for row in rows_of(SCORED, tmp_path / "s")] == [None] * 5 + [True]


def test_nothing_of_the_machine_is_published(tmp_path):
    rows_of(SCORED, tmp_path / "s")
    synthetic.release(tmp_path / "s", to=tmp_path / "r")
    published = pl.read_parquet(tmp_path / "r" / "data" / "traces" / "*.parquet").write_json()
    assert not [word for word in PRIVATE if word in published]
    assert all(word in SCORED.read_text() for word in PRIVATE)


def test_what_a_failed_verifier_names_of_the_machine_is_masked(tmp_path):
    line = json.loads(SCORED.read_text().splitlines()[4])
    line["verification_result_info"] = {"failure_reason": "no such file: /home/me/x.py", "judge": "http://10.0.0.3/v1"}
    log = tmp_path / "run" / SCORED.name
    log.parent.mkdir()
    log.write_text(json.dumps(line) + "\n")
    (row,) = rows_of(log, tmp_path / "s")
    assert json.loads(row["verification_result"]) == {"failure_reason": "no such file: [path]", "judge": "[address]"}
    assert json.loads(row["extra"])["verification_result_info"] == line["verification_result_info"]


def test_a_file_that_stands_there_scored_adds_no_second_rows(tmp_path):
    found = {source.path.name: source.role for source in find(GENESYS).sources}
    assert found == {SCORED.name.replace("_verified", ""): "late", SCORED.name: "traces", LATER.name: "traces"}
    done = synthetic.capture(GENESYS, into=tmp_path / "s")
    assert (done.captured, done.rows, done.late_facts, done.warnings) == (18, 12, 0, [])
    assert synthetic.capture(GENESYS, into=tmp_path / "s").seen_before == 18
    rows = synthetic.scan(tmp_path / "s").collect()
    assert rows.height == rows["trace_id"].n_unique() == 12
    assert rows["reward"].null_count() == 6 + 1


def test_a_file_that_stands_there_scored_says_so_when_it_is_named_alone(tmp_path):
    alone = SCORED.with_name(SCORED.name.replace("_verified", ""))
    done = synthetic.capture(alone, into=tmp_path / "s")
    assert (done.rows, done.warnings) == (
        0,
        [f"output: {alone.name} only adds to rollouts of other logs, and those are not here: name the run's folder"],
    )


def test_token_ids_go_to_the_side_table_exactly(tmp_path):
    synthetic.capture(SCORED, into=tmp_path / "s", tokens=True)
    kept = {row["row_id"]: row["token_ids"] for row in synthetic.tokens(tmp_path / "s").collect().rows(named=True)}
    lines = [json.loads(line) for line in SCORED.read_text().splitlines()]
    assert kept == {f"{line['response_id']}/0": [line["input_ids"], line["output_ids"]] for line in lines}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"response_id": None}, "a response has no response_id"),
        ({"llm_response": None}, "are no texts"),
        ({"prompt": [1]}, "are no texts"),
        ({"score": "pass"}, "a score is no number"),
        ({"score": []}, "a score is no number"),
    ],
)
def test_a_hostile_line_is_set_aside_with_its_reason(more, why, tmp_path):
    good = SCORED.read_bytes().splitlines()[0]
    log = tmp_path / "run" / SCORED.name
    log.parent.mkdir()
    log.write_bytes(b"\n".join([good, json.dumps(json.loads(good) | more).encode(), good[:-20]]))
    done = synthetic.capture(log, into=tmp_path / "s")
    assert (done.captured, done.quarantined, len(done.torn)) == (1, 1, 1)
    assert why in Path(done.quarantine[0]).read_text("utf-8")


def test_a_long_line_is_set_aside_by_its_text_and_not_by_its_token_ids(tmp_path):
    line = json.loads(SCORED.read_bytes().splitlines()[0])
    log = tmp_path / "run" / SCORED.name
    log.parent.mkdir()
    ids = json.dumps(line | {"response_id": "ids", "output_ids": [100_000] * 10_000_000}, separators=(",", ":"))
    text = json.dumps(line | {"response_id": "text", "proof": "x" * 65_000_000})
    log.write_text(f"{ids}\n{text}\n")
    done = synthetic.capture(log, into=tmp_path / "s")
    assert (done.captured, done.quarantined) == (1, 1)
    assert synthetic.scan(tmp_path / "s").collect()["completion_tokens"].to_list() == [10_000_000]
    assert len(ids) > 64_000_000


def test_a_file_of_another_name_is_read_when_its_name_says_so(tmp_path):
    name = SCORED.name.replace("out_", "r1_math_")
    shutil.copy(SCORED, tmp_path / name)
    assert [source.format for source in find(tmp_path).sources] == [FORMATS["genesys"]]
