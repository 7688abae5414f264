"""Which files of a folder are logs, of which format, and what is said where that cannot be told."""

import json
import shutil
import tomllib

import msgspec
import pytest

import synthetic
from synthetic.cli import main
from synthetic.errors import UnreadableLog
from synthetic.formats import FORMATS
from synthetic.formats.find import find
from synthetic.formats.starter import starter
from tests.episodes import write
from tests.flat import LOGS

# What other programs write, made up from what their documentation says.
LM_EVAL = {
    "doc_id": 0,
    "doc": {"question": "How many legs have 3 ducks?", "answer": "#### 6"},
    "target": "6",
    "arguments": {
        "gen_args_0": {"arg_0": "Question: How many legs have 3 ducks?\nAnswer:", "arg_1": {"until": ["\n"]}}
    },
    "resps": [[" 3 × 2 = 6. #### 6"]],
    "filtered_resps": ["6"],
    "filter": "strict-match",
    "exact_match": 1.0,
}
NEMO_SKILLS = {
    "problem": "What is 2 + 2?",
    "expected_answer": "4",
    "generation": "\\boxed{4}",
    "reasoning_content": "two and two",
    "num_generated_tokens": 12,
    "predicted_answer": "4",
    "symbolic_correct": False,
}
TAU_BENCH = {
    "task_id": 5,
    "trial": 1,
    "reward": 1.0,
    "info": {"task": {"user_id": "mia", "actions": [{"name": "find"}]}, "user_cost": 0.01},
    "traj": [
        {"role": "system", "content": "policy"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "done"},
    ],
}


def test_two_formats_in_one_folder_are_both_read(tmp_path):
    shutil.copytree(LOGS / "roll" / "dump", tmp_path / "run")
    shutil.copytree(LOGS / "ms_swift" / "grpo", tmp_path / "run" / "swift")
    shutil.copytree(LOGS / "areal" / "trial0", tmp_path / "run" / "areal")
    done = synthetic.capture(tmp_path / "run", into=tmp_path / "store")
    assert done.formats == ["areal", "ms-swift", "roll"]
    assert {log: name for log, name in done.logs.items() if name != "areal"} == {
        "run/rollout_dump_data.step_1.jsonl": "roll",
        "run/rollout_dump_data.step_2.jsonl": "roll",
        "swift/completions.jsonl": "ms-swift",
    }
    frameworks = synthetic.scan(tmp_path / "store").collect()["framework"]
    assert dict(zip(*frameworks.value_counts().get_columns(), strict=True)) == {"areal": 6, "ms-swift": 7, "roll": 5}


def test_a_file_that_two_maps_claim_is_an_error_with_the_choices(tmp_path, capsys):
    both = {"prompt": "q", "completion": "a", "step": 1, "input_prompt": "q", "output_response": "a", "env_class": "e"}
    path = tmp_path / "run" / "dumped_evals" / "global_step_1_evals" / "completions.jsonl"
    write(path, [both | {"score": 1.0}])
    assert main(["capture", str(tmp_path / "run"), "--into", str(tmp_path / "store")]) == 1
    said = capsys.readouterr().err
    assert "completions.jsonl: could be a log of ms-swift, skyrl" in said
    assert "--format" in said
    (source,) = find(tmp_path / "run", "skyrl").sources
    assert (source.format.name, source.name) == ("skyrl", "dumped_evals/global_step_1_evals/completions.jsonl")


@pytest.mark.parametrize("named", ["file", "folder"])
def test_a_log_of_a_named_format_may_have_any_name(tmp_path, named):
    path = tmp_path / "mine" / "copied.jsonl"
    path.parent.mkdir()
    shutil.copy(LOGS / "areal" / "trial0" / "rollout" / "3" / "7.jsonl", path)
    run = path if named == "file" else path.parent
    done = synthetic.capture(run, into=tmp_path / "store", format="areal")
    assert (done.formats, done.runs, done.rows) == (["areal"], ["mine"], 3)


@pytest.mark.parametrize(
    ("log", "format"),
    [("roll/dump/rollout_dump_data.step_1.jsonl", "roll"), ("vf_eval_0_4_0/traces.jsonl", "vf-eval")],
)
@pytest.mark.parametrize("name", ["copied.jsonl", "copied.txt"])
def test_a_file_named_by_hand_is_known_by_its_lines_alone(tmp_path, log, format, name):
    path = tmp_path / "mine" / name
    path.parent.mkdir()
    shutil.copy(LOGS / log, path)
    assert synthetic.capture(path, into=tmp_path / "store").formats == [format]


def test_files_beside_the_rollouts_are_no_logs(tmp_path):
    for trainer, run in (("skyrl", "exports"), ("nemo_gym", "collected")):
        assert not find(LOGS / trainer / run).unknown


def test_all_formats_are_listed_with_how_they_are_known(capsys):
    assert main(["formats"]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 140
    for name, format in FORMATS.items():
        assert any(line.startswith(f"{name} ") for line in printed.splitlines())
        assert format.detected_by.split(",")[0][:40] in printed
    assert main(["formats", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["formats"]
    assert [one["name"] for one in told] == list(FORMATS)
    assert all(all(one.values()) for one in told)


@pytest.mark.parametrize(
    ("name", "line", "columns", "messages"),
    [
        (
            "samples_gsm8k.jsonl",
            LM_EVAL,
            {"recorded_verdict": True, "ground_truth": "6", "native_problem_id": "0"},
            [("user", "How many legs have 3 ducks?", None), ("assistant", " 3 × 2 = 6. #### 6", None)],
        ),
        (
            "output-rs3.jsonl",
            NEMO_SKILLS,
            {"recorded_verdict": False, "ground_truth": "4", "completion_tokens": 12},
            [("user", "What is 2 + 2?", None), ("assistant", "\\boxed{4}", "two and two")],
        ),
        (
            "step_7.jsonl",
            TAU_BENCH,
            {"reward": 1.0, "native_problem_id": "5", "sample_index": 1, "step": 7},
            [("system", "policy", None), ("user", "hi", None), ("assistant", "done", None)],
        ),
    ],
    ids=["lm-eval", "NeMo-Skills", "tau-bench"],
)
def test_the_map_for_an_unknown_log_reads_it(tmp_path, name, line, columns, messages):
    path = tmp_path / "run" / name
    write(path, [line])
    with pytest.raises(UnreadableLog, match="no format knows its lines") as caught:
        synthetic.capture(path, into=tmp_path / "store")
    (tmp_path / "my-map.toml").write_text(str(caught.value.hint).partition("\n\n")[2], "utf-8")
    synthetic.capture(path, into=tmp_path / "store", format=str(tmp_path / "my-map.toml"))
    (row,) = synthetic.scan(tmp_path / "store").collect().to_dicts()
    assert {column: row[column] for column in columns} == columns
    assert [(m["role"], m["content"], m["reasoning_content"]) for m in row["messages"]] == messages


def test_what_no_column_was_found_for_is_shown_with_its_path(tmp_path):
    line = LM_EVAL | {
        "long": "x" * 100,
        "bell": "\x07\x7f",
        "two words": {"a.b": [1, 2]},
        "none": None,
        "many": [[], []],
    }
    text = starter(msgspec.json.encode(line), tmp_path)
    assert "# arguments.gen_args_0.arg_1.until: list of 1, text" in text
    assert f'# long: text, "{"x" * 38}…' in text
    assert "# two words.a.b: list of 2, number, 1" in text
    assert '# bell: text, "\\u0007?"' in text
    assert "# many: list of 2" in text
    assert tomllib.loads(text)["columns"]["response"] == "resps.0.0"


def test_a_name_in_a_log_cannot_write_into_the_map(tmp_path):
    line = {"generation": "a", "x\nname = 'mine'\r": 1, "\u2028": 2} | {f"k{number}": 1 for number in range(200)}
    text = starter(msgspec.json.encode(line), tmp_path)
    assert tomllib.loads(text)["name"] == "my-trainer"
    assert "# x?name = 'mine'?: number, 1" in text
    assert text.splitlines()[-1] == "# … and 142 more values"


@pytest.mark.parametrize(
    "line", [b'{"score": NaN}', b"{}", b"[1]", b"{", b'{"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}']
)
def test_a_map_for_any_line_can_be_written(tmp_path, line):
    text = starter(line, tmp_path)
    assert text == "" or tomllib.loads(text)["name"] == "my-trainer"
