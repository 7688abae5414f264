"""open-instruct's saved traces, token ids only: read with the run's tokenizer, refused without it.

`expected_rows.json` holds the messages from before they were rendered and encoded.
"""

import json
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import synthetic
from synthetic import cli
from synthetic.errors import UnreadableLog
from synthetic.formats.rendered import turns
from synthetic.formats.tokenizer import decoder
from tests.episodes import episode, rows, write

LOGS = Path(__file__).parent / "logs" / "open_instruct"
TOKENIZER = LOGS / "tokenizer.json"
SAMPLE = Path(__file__).parent.parent.parent / "shared" / "samples" / "other"
EXPECTED = json.loads((LOGS / "expected_rows.json").read_text("utf-8"))
RUN = "grpo_sums__1__1764000000"


def lines_of(folder: Path) -> list[Any]:
    texts = (path.read_text("utf-8") for path in sorted(folder.glob("*_rollouts_*")))
    return [json.loads(line) for text in texts for line in text.split("\n")[:-1]]


LINES = lines_of(LOGS)


def captured(folder: Path, into: Path, tokenizer: Path = TOKENIZER, **settings: Any) -> pl.DataFrame:
    done = synthetic.capture(folder, into=into, tokenizer=tokenizer, **settings)
    assert (done.quarantined, done.warnings, done.refused, done.unknown) == (0, [], [], {})
    return rows(into).sort("log_file", "log_offset")


def shard(folder: Path, *lines: Any) -> Path:
    """A run of its own with these lines in its only shard."""
    return write(folder / f"{RUN}_rollouts_000000.jsonl", lines)


# ---- what is in the logs


def test_the_messages_that_were_encoded_come_back(tmp_path):
    found = captured(LOGS, tmp_path / "store")
    assert [
        {
            "trace_id": row["trace_id"],
            "group_id": row["group_id"],
            "sample_index": row["sample_index"],
            "step": row["step"],
            "messages": [[m["role"], m["content"]] for m in row["messages"]],
            "num_prompt_messages": row["num_prompt_messages"],
            "reward": row["reward"],
            "truncated": row["is_truncated"],
            "tokens": [row["prompt_tokens"], row["completion_tokens"]],
        }
        for row in found.to_dicts()
    ] == EXPECTED


def test_the_place_in_a_group_is_known_where_the_log_shows_an_end_of_one(tmp_path):
    found = captured(shard(tmp_path / "run", *LINES[:2]).parent, tmp_path / "store")
    assert found["sample_index"].to_list() == [None, None]
    assert [json.loads(extra)["sample_idx"] for extra in found["extra"]] == [0, 1]


def test_a_run_says_its_model_and_the_rest_of_the_columns(tmp_path):
    found = captured(LOGS, tmp_path / "store").to_dicts()
    said: dict[str, Any] = {"framework": "open-instruct", "kind": "train", "run_name": RUN, "text_form": "detokenized"}
    said |= {"model": "allenai/Olmo-3-7B-Think-SFT", "framework_version": "e6c3044aa", "recorded_verdict": None}
    assert [{name: row[name] for name in said} for row in found] == [said] * 8
    assert [row["ground_truth"] for row in found][3:6] == ["4", '["4","four"]', "4"]
    assert [row["env_id"] for row in found][4:6] == ["sums", None]
    assert [scorer["score"] for scorer in found[5]["rewards"]] == [0.5, 1.0]
    assert json.loads(found[4]["errors"])[0]["message"] == "no file [path]"
    assert "/data" not in found[4]["verification_result"]
    assert json.loads(found[4]["verification_result"])["num_calls"] == 1


def test_every_key_but_token_arrays_is_in_a_column_or_in_extra(tmp_path):
    found = captured(shard(tmp_path / "run", *LINES).parent, tmp_path / "store").to_dicts()
    for line, row in zip(LINES, found, strict=True):
        again = json.loads(row["extra"]) | {name: row[name] for name in ("step", "finish_reason", "advantage")}
        again["prompt_idx"] = int(row["group_id"].rpartition("/")[2])
        again["sample_idx"] = int(row["trace_id"].rpartition("/")[2])
        for key, column in {"reward": "reward", "dataset": "env_id", "ground_truth": "ground_truth"}.items():
            again.setdefault(key, row[column])
        arrays = {"prompt_tokens", "response_tokens", "logprobs"}
        assert again == {key: value for key, value in line.items() if key not in arrays}


def test_token_arrays_go_to_the_side_table_exactly(tmp_path):
    found = captured(LOGS, tmp_path / "store", tokens=True)
    table = {row["row_id"]: row for row in synthetic.tokens(tmp_path / "store").collect().to_dicts()}
    assert table.keys() == set(found["row_id"])
    for line, row_id in zip(LINES, found["row_id"], strict=True):
        row = table[row_id]
        assert row["token_ids"] == [line["prompt_tokens"], line["response_tokens"]]
        assert row["mask"] == [[False] * len(line["prompt_tokens"]), [True] * len(line["response_tokens"])]
        assert row["logprobs"] == (None if line["logprobs"] is None else [None, line["logprobs"]])


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample logs are not here")
def test_the_sample_decodes_to_what_its_tokens_say(tmp_path):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(SAMPLE / "_tokenizer" / "tokenizer.json"))
    lines = lines_of(SAMPLE / "open_instruct")
    found = captured(SAMPLE / "open_instruct", tmp_path / "store", SAMPLE / "_tokenizer" / "tokenizer.json").to_dicts()
    assert len(found) == len(lines) == 240
    for line, row in zip(lines, found, strict=True):
        assert row["messages"][-1]["content"] == tokenizer.decode(line["response_tokens"])
        asked = tokenizer.decode(line["prompt_tokens"])
        for message in row["messages"][:-1]:
            assert message["content"] in asked
        assert row["sample_index"] == line["sample_idx"] % 4
    assert Counter(row["is_truncated"] for row in found) == {False: 230, True: 10}
    assert Counter(row["reward"] for row in found) == {0.0: 156, 10.0: 84}


# ---- templates


@pytest.mark.parametrize(
    "text",
    [
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n",
        "<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|system|>\nBe brief.\n<|user|>\nWhy?\n<|assistant|>\n",
    ],
    ids=["ChatML", "Llama 3", "Tulu"],
)
def test_turns_are_found_by_the_marks_of_known_templates(text):
    _, found = turns(text)
    assert [(turn.role, turn.content, turn.ended) for turn in found] == [
        ("system", "Be brief.", True),
        ("user", "Why?", True),
        ("assistant", "", False),
    ]


def test_text_without_marks_is_no_turn():
    assert turns("user\nWhy?") == ("user\nWhy?", [])


def test_a_prompt_that_was_cut_in_the_question_gives_the_model_no_word_of_it(tmp_path):
    cut = LINES[0] | {"prompt_tokens": LINES[0]["prompt_tokens"][:-6]}
    (row,) = captured(shard(tmp_path / "run", cut).parent, tmp_path / "store").to_dicts()
    assert [message["role"] for message in row["messages"]] == ["system", "user", "assistant"]
    assert row["messages"][1]["content"].startswith("What is 2 + 2?")
    assert row["messages"][2] == {
        "role": "assistant",
        "content": "<think>\nTwo and two.\n</think>\n\n4",
    } | dict.fromkeys(("reasoning_content", "tool_calls", "tool_call_id", "name"))


# ---- without a tokenizer, or with a wrong one


def test_without_a_tokenizer_such_a_log_is_refused(tmp_path):
    with pytest.raises(UnreadableLog, match="holds token ids and no text") as refused:
        synthetic.capture(LOGS, into=tmp_path / "store")
    assert refused.value.hint == "add --tokenizer with the run's tokenizer.json"
    assert not (tmp_path / "store").exists()


def test_other_logs_of_the_folder_are_read_without_a_tokenizer(tmp_path):
    shard(tmp_path / "run", LINES[0])
    write(tmp_path / "run" / "traces.jsonl", [episode("e1")])
    done = synthetic.capture(tmp_path / "run", into=tmp_path / "store")
    assert (done.captured, len(done.refused)) == (1, 1)
    assert "--tokenizer" in done.refused[0]
    again = synthetic.capture(tmp_path / "run", into=tmp_path / "store", tokenizer=TOKENIZER)
    assert (again.captured, again.seen_before, again.refused) == (1, 1, [])


def test_the_command_line_takes_a_tokenizer(tmp_path, capsys):
    assert cli.main(["capture", str(LOGS), "--into", str(tmp_path / "s"), "--tokenizer", str(TOKENIZER), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["captured"] == 8


@pytest.mark.parametrize("content", [None, "{}", "text"])
def test_a_file_that_is_no_tokenizer_is_refused(content, tmp_path):
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(UnreadableLog, match=r"no such file|no tokenizer"):
        decoder(path)


def test_a_missing_package_is_named_with_its_extra(tmp_path):
    import subprocess

    code = f"""
import sys
from pathlib import Path
sys.modules["tokenizers"] = None
from synthetic.errors import UnreadableLog
from synthetic.formats.tokenizer import decoder
try:
    decoder(Path({str(TOKENIZER)!r}))
except UnreadableLog as error:
    print(error.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "pip install 'synthetic-traces[tokenizers]'"


# ---- bad and growing logs


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"prompt_tokens": [99_999]}, "the tokenizer has no token 99999: is it the run's?"),
        ({"response_tokens": [-1]}, "the tokenizer has no token -1"),
        ({"response_tokens": "text"}, ""),
        ({"response_tokens": [0.5]}, ""),
        ({"prompt_tokens": None}, ""),
        ({"step": "1"}, "no whole numbers"),
        ({"sample_idx": None}, "no whole numbers"),
        ({"reward": "good"}, "a score is no number"),
        ({"ground_truth": "x" * 64_000_000}, "more than 64 MB of text"),
    ],
    ids=lambda case: json.dumps(case)[:40],
)
def test_a_bad_line_is_set_aside_and_the_others_are_taken(bad, why, tmp_path):
    path = shard(tmp_path / "run", LINES[0] | bad, LINES[1])
    done = synthetic.capture(path, into=tmp_path / "store", tokenizer=TOKENIZER)
    assert (done.captured, done.quarantined) == (1, 1)
    assert why in Path(done.quarantine[0]).read_text("utf-8")


def test_a_shard_that_grows_is_taken_up_where_it_was_left(tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(LOGS, folder)
    log = folder / f"{RUN}_rollouts_000001.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole[:-40])
    first = synthetic.capture(folder, into=tmp_path / "store", tokenizer=TOKENIZER)
    assert (first.captured, len(first.torn)) == (7, 1)
    log.write_bytes(whole)
    again = synthetic.capture(folder, into=tmp_path / "store", tokenizer=TOKENIZER)
    assert (again.captured, again.seen_before, again.torn) == (1, 7, [])
    third = synthetic.capture(folder, into=tmp_path / "store", tokenizer=TOKENIZER)
    assert (third.captured, third.seen_before) == (0, 8)
