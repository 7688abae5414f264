"""inspect_ai's logs: every sample as inspect_ai's own reader finds it, and nothing that it says lost.

`expected_rows.json` and `sample_totals.json` were written by `tests/logs/generate/expect_inspect_ai.py`.
"""

import json
import zipfile
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import synthetic
from synthetic.errors import UnreadableLog
from synthetic.formats.find import find
from synthetic.formats.inspect_log import open_inspect
from tests.episodes import only, rows

LOGS = Path(__file__).parent / "logs" / "inspect_ai"
SAMPLES = Path(__file__).parent.parent.parent / "shared" / "samples"
EXPECTED = json.loads((LOGS / "expected_rows.json").read_text("utf-8"))
TOTALS = json.loads((LOGS / "sample_totals.json").read_text("utf-8"))
LETTERS = {"C": 1.0, "I": 0.0}

SAMPLE: dict[str, Any] = {
    "id": "a",
    "epoch": 1,
    "input": "1 + 1?",
    "target": "2",
    "messages": [
        {"role": "user", "content": "1 + 1?", "source": "input"},
        {"role": "assistant", "content": "2", "source": "generate"},
    ],
    "output": {"model": "m", "choices": []},
    "uuid": "u",
}


def log_of(name: str) -> Path:
    (path,) = [path for path in (LOGS / name).iterdir() if path.suffix in {".eval", ".json"}]
    return path


def captured(*logs: Path, into: Path) -> pl.DataFrame:
    done = synthetic.capture(*logs, into=into)
    assert (done.quarantined, done.warnings, done.torn) == (0, [], [])
    return rows(into)


def written(folder: Path, *samples: Any, **head: Any) -> Path:
    """A `.json` log of these samples."""
    spec = {"task": "sums", "model": "m", "run_id": "r", "eval_id": "e"}
    path = folder / "sums.json"
    text = json.dumps({"version": 2, "status": "success", "eval": spec | head, "samples": list(samples)})
    path.write_text(text, "utf-8")
    return path


# ---- what is in the logs


@pytest.mark.parametrize("name", EXPECTED)
def test_a_log_gives_what_inspect_ai_itself_reads(name, tmp_path):
    found = captured(log_of(name), into=tmp_path / "store").sort("log_offset")
    assert found.height == len(EXPECTED[name])
    for row, wanted in zip(found.iter_rows(named=True), EXPECTED[name], strict=True):
        assert (row["trace_id"], row["native_problem_id"], row["sample_index"]) == (
            wanted["uuid"],
            wanted["id"],
            wanted["epoch"] - 1,
        )
        assert row["ground_truth"] == (
            t if isinstance(t := wanted["target"], str) else json.dumps(t, separators=(",", ":"))
        )
        assert [m["role"] for m in row["messages"]] == wanted["roles"]
        assert [m["content"] for m in row["messages"]] == wanted["texts"]
        assert [m["reasoning_content"] for m in row["messages"] if m["reasoning_content"]] == wanted["reasoning"]
        calls = [call for message in row["messages"] for call in message["tool_calls"] or []]
        assert [[c["id"], c["function"]["name"], json.loads(c["function"]["arguments"])] for c in calls] == wanted[
            "tool_calls"
        ]
        assert [tool["function"]["name"] for tool in json.loads(row["tools"] or "[]")] == wanted["tools"]
        assert row["num_turns"] == wanted["sampled"]
        assert row["finish_reason"] == wanted["stop_reason"]
        assert row["stop_condition"] == (f"{wanted['limit']} limit" if wanted["limit"] else None)
        assert row["is_truncated"] is (wanted["limit"] is not None or wanted["stop_reason"] == "max_tokens")
        assert row["ok"] is not wanted["failed"]
        assert (row["completion_tokens"] or 0) == wanted["output_tokens"]
        assert row["generated_at"] == datetime.fromisoformat(wanted["started_at"])
        judged = wanted["values"].get("judge")
        assert row["recorded_verdict"] == {"C": True, "I": False}.get(judged)
        assert row["reward"] == LETTERS.get(judged)


def test_the_header_fills_the_columns_that_samples_do_not_say(tmp_path):
    row = captured(log_of("crashed"), into=tmp_path / "store").row(0, named=True)
    said = ("framework", "framework_version", "kind", "env_id", "model", "source", "verifier", "text_form")
    assert {name: row[name] for name in said} == {
        "framework": "inspect_ai",
        "framework_version": "0.3.285",
        "kind": "eval",
        "env_id": "puzzles",
        "model": "mockllm/scripted",
        "source": "puzzles",
        "verifier": "inspect_ai/puzzles",
        "text_form": "native",
    }
    assert json.loads(row["sampling"]) == {"max_tokens": 64, "temperature": 0.5}
    header = json.loads(row["extra"])["header"]
    assert (row["run_id"], row["group_id"]) == (header["eval"]["run_id"], header["eval"]["eval_id"] + "/sum")


def test_an_error_an_invalidated_sample_and_their_private_parts(tmp_path):
    found = captured(log_of("plain"), into=tmp_path / "store")
    failed = {row["native_problem_id"]: json.loads(row["errors"]) for row in found.filter(~pl.col("ok")).to_dicts()}
    assert failed == {
        "broken": [{"message": "RuntimeError('no reply from [address]')", "status_code": None, "type": "RuntimeError"}],
        "sealed": [{"message": "the question had leaked to [path]", "status_code": None, "type": "Invalidated"}],
    }
    sealed = found.row(by_predicate=pl.col("native_problem_id") == "sealed", named=True)
    assert json.loads(sealed["extra"])["invalidation"]["author"] == "reader"


def test_attempts_at_one_problem_are_one_problem_in_every_log(tmp_path):
    found = captured(*(log_of(name) for name in EXPECTED), into=tmp_path / "store")
    problems = found.group_by("native_problem_id").agg(pl.col("problem_id").n_unique(), pl.len())
    assert problems["problem_id"].to_list() == [1] * 10
    assert found["group_id"].n_unique() == 3 + 10 + 7 + 10


@pytest.mark.parametrize("name", [name for name in TOTALS if (SAMPLES / name).is_file()])
def test_a_sample_has_the_totals_that_inspect_ai_reads(name, tmp_path):
    found, totals = captured(SAMPLES / name, into=tmp_path / "store"), TOTALS[name]
    results = [json.loads(text) for text in found["verification_result"]]
    messages = found["messages"].explode().struct.unnest()
    assert {
        "rows": found.height,
        "values": dict(sorted(Counter(json.dumps({n: s["value"] for n, s in r.items()}) for r in results).items())),
        "messages": messages.height,
        "reasoning_characters": messages["reasoning_content"].str.len_chars().sum(),
        "stop_reasons": dict(sorted(Counter(found["finish_reason"]).items())),
        "output_tokens": found["completion_tokens"].sum(),
    } == totals | {"values": {_reordered(key): count for key, count in totals["values"].items()}}


def _reordered(values: str) -> str:
    return json.dumps(dict(sorted(json.loads(values).items())))


# ---- nothing is lost


def raw_samples(name: str) -> list[dict[str, Any]]:
    path = log_of(name)

    def read(text: bytes | str) -> Any:
        return json.loads(text, parse_constant=lambda word: None)

    if path.suffix == ".json":
        return list(read(path.read_text("utf-8"))["samples"])
    with zipfile.ZipFile(path) as archive:
        return [read(archive.read(name)) for name in archive.namelist() if name.startswith("samples/")]


def resolved(tree: Any, attachments: dict[str, str]) -> Any:
    if isinstance(tree, dict):
        return {key: resolved(item, attachments) for key, item in tree.items()}
    if isinstance(tree, list):
        return [resolved(item, attachments) for item in tree]
    if isinstance(tree, str):
        for name, text in attachments.items():
            tree = tree.replace(f"attachment://{name}", text)
    return tree


def again(row: dict[str, Any]) -> dict[str, Any]:
    """The sample, made again from its row."""
    line: dict[str, Any] = json.loads(row["extra"])
    for ours in ("header", "synthetic:repaired", "tools"):
        line.pop(ours, None)
    line |= {"epoch": row["sample_index"] + 1, "uuid": row["trace_id"]}
    line.setdefault("id", row["native_problem_id"])
    line.setdefault("target", json.loads(t) if (t := row["ground_truth"])[:1] == "[" else t)
    line |= json.loads(row["verification_info"] or "{}")
    for left, message in zip(line["messages"], row["messages"], strict=True):
        _put_message(left, message)
    line.setdefault("input", next((m["content"] for m in line["messages"] if m["role"] == "user"), None))
    for name, said in json.loads(row["verification_result"] or "{}").items():
        line["scores"][name] |= said
    said = [i for i, message in enumerate(row["messages"]) if message["role"] == "assistant"]
    for choice in line["output"]["choices"]:
        choice |= {"stop_reason": row["finish_reason"], "message": line["messages"][said[-1]]}
        line["output"].setdefault("completion", row["messages"][said[-1]]["content"])
    return line


def _put_message(left: dict[str, Any], message: dict[str, Any]) -> None:
    parts = [
        {"type": "reasoning", "reasoning": message["reasoning_content"], "redacted": False},
        {"type": "text", "text": message["content"]},
    ]
    left |= {"role": message["role"]} | ({"tool_call_id": c} if (c := message["tool_call_id"]) else {})
    left.setdefault("content", parts if message["reasoning_content"] else message["content"])
    if message["name"]:
        left.setdefault("function", message["name"])
    if message["tool_calls"]:
        flat = [
            {
                "id": call["id"],
                "function": call["function"]["name"],
                "arguments": json.loads(call["function"]["arguments"]),
                "type": call["type"],
            }
            for call in message["tool_calls"]
        ]
        left.setdefault("tool_calls", flat)


@pytest.mark.parametrize("name", ["plain", "deflated"])
def test_every_sample_can_be_made_again_from_its_row(name, tmp_path):
    found = captured(log_of(name), into=tmp_path / "store").sort("log_offset")
    for row, raw in zip(found.to_dicts(), raw_samples(name), strict=True):
        attachments = raw.pop("attachments")
        for left_out in ("events", "events_data"):
            raw.pop(left_out, None)
        for retried in raw["error_retries"]:
            retried.pop("events", None)
        assert again(row) == resolved(raw, attachments)


# ---- texts


def test_long_texts_stand_where_they_were_referred_to(tmp_path):
    name = "ab" * 16
    said = [{"role": "user", "content": f"attachment://{name}"}, {"role": "assistant", "content": "2"}]
    sample = SAMPLE | {"messages": said, "events": [], "attachments": {name: "long", "cd" * 16: "for an event"}}
    row = only(captured(written(tmp_path, sample), into=tmp_path / "store"))
    assert row["messages"][0]["content"] == "long"
    assert "for an event" not in row["extra"]


def test_attachments_cannot_blow_a_sample_up(tmp_path):
    name = "ab" * 16
    said = [{"role": "user", "content": f"attachment://{name}" * 2000}]
    sample = SAMPLE | {"messages": said, "attachments": {name: "x" * 100_000}}
    done = synthetic.capture(written(tmp_path, sample, SAMPLE), into=tmp_path / "store")
    assert (done.captured, done.quarantined) == (1, 1)
    assert "more than 64 MB of text" in Path(done.quarantine[0]).read_text("utf-8")


def test_a_sample_of_more_text_than_any_talk_is_set_aside(tmp_path):
    done = synthetic.capture(written(tmp_path, SAMPLE | {"store": "x" * 64_000_000}, SAMPLE), into=tmp_path / "store")
    assert (done.captured, done.quarantined) == (1, 1)
    assert "sample 0: more than 64 MB without its events" in Path(done.quarantine[0]).read_text("utf-8")


def test_encrypted_thinking_is_no_thinking(tmp_path):
    part = {"type": "reasoning", "reasoning": "gAAA", "redacted": True, "signature": "s"}
    said = [{"role": "assistant", "source": "generate", "content": [part, {"type": "text", "text": "2"}]}]
    row = only(captured(written(tmp_path, SAMPLE | {"messages": said}), into=tmp_path / "store"))
    assert (row["messages"][0]["reasoning_content"], row["messages"][0]["content"]) == (None, "2")
    assert json.loads(row["extra"])["messages"][0]["content"][0] == part


def test_a_tool_call_whose_arguments_could_not_be_read_keeps_its_remark(tmp_path):
    call = {"id": "c", "function": "add", "arguments": {}, "type": "function", "parse_error": "no JSON"}
    said = [{"role": "assistant", "source": "generate", "content": "", "tool_calls": [call]}]
    row = only(captured(written(tmp_path, SAMPLE | {"messages": said}), into=tmp_path / "store"))
    assert row["messages"][0]["tool_calls"][0]["function"] == {"name": "add", "arguments": "{}"}
    assert json.loads(row["extra"])["messages"][0]["tool_calls"] == [call]


def test_folders_of_a_local_model_are_not_in_its_name(tmp_path):
    found = captured(written(tmp_path, SAMPLE, model="vllm//home/someone/ckpt-7"), into=tmp_path / "store")
    assert only(found)["model"] == "vllm/ckpt-7"


# ---- bad and growing logs


def test_a_log_that_was_captured_adds_nothing(tmp_path):
    first = synthetic.capture(LOGS, into=tmp_path / "store")
    again = synthetic.capture(LOGS, into=tmp_path / "store")
    assert (first.captured, again.captured, again.seen_before, again.warnings) == (40, 0, 40, [])


def test_samples_before_a_cut_are_taken(tmp_path):
    whole = log_of("plain").read_bytes()
    (tmp_path / "cut.json").write_bytes(whole[: len(whole) // 2])
    done = synthetic.capture(tmp_path / "cut.json", into=tmp_path / "store")
    assert (0 < done.captured < 7, done.quarantined) == (True, 0)
    assert "cut.json: reading stopped before its end (breaks off)" in done.warnings[0]


def test_a_zip_without_its_end_is_refused(tmp_path):
    (tmp_path / "cut.eval").write_bytes(log_of("zipped").read_bytes()[:-200])
    with pytest.raises(UnreadableLog, match=r"cut.eval: not a whole file \(not a whole zip file"):
        synthetic.capture(tmp_path / "cut.eval", into=tmp_path / "store")


@pytest.mark.parametrize(
    "bad",
    [
        {"epoch": 0},
        {"epoch": "1"},
        {"id": None},
        {"id": [1]},
        {"messages": [{"content": "no role"}]},
        {"messages": "text"},
        {"messages": ["text"]},
        {"messages": [{"role": "assistant", "content": "", "tool_calls": ["add"]}]},
        {"output": {"choices": [{"stop_reason": ["stop"]}], "usage": {"output_tokens": 2**40}}},
    ],
    ids=json.dumps,
)
def test_a_bad_sample_is_set_aside_and_the_others_are_taken(bad, tmp_path):
    done = synthetic.capture(written(tmp_path, SAMPLE | bad, SAMPLE), into=tmp_path / "store")
    assert (done.captured, done.quarantined) == (1, 1)


def test_other_json_files_are_no_logs(tmp_path):
    (tmp_path / "config.json").write_text('{"version": 2, "samples": []}', "utf-8")
    path = written(tmp_path, SAMPLE)
    assert [source.path for source in find(tmp_path).sources] == [path]


def test_events_take_no_memory(tmp_path):
    import tracemalloc

    event = {"event": "info", "data": "x" * 1000}
    path = written(tmp_path, SAMPLE | {"events": [event] * 12_000})
    tracemalloc.start()
    with open_inspect(path) as log:
        lines = [line for _, line, _ in log.lines(0)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [len(line or b"") < 1000 for line in lines] == [True]
    assert peak < 6_000_000 < path.stat().st_size
