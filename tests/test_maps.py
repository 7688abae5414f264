"""A log of another trainer is read by ten lines of TOML; what is wrong in a map or unknown in a log is told."""

import json
import re
from pathlib import Path

import polars as pl
import pytest

import synthetic
from synthetic import show
from synthetic.cli import main
from synthetic.errors import UnreadableLog
from synthetic.formats import FORMATS
from tests.episodes import write

MAP = """
name = "my-trainer"
keys = ["question", "generation"]

[columns]
prompt = "question"
response = "generation"
"""

LINE = {
    "question": "What is 1 + 1?",
    "generation": "<think>one and one</think>2",
    "score": "1.0",
    "judge": {"correct": True, "notes": ["a", "b"]},
    "answer": 2,
    "id": "q1",
    "sample": 0,
}


class Mapped:
    """Rows of lines read by a map; what the last capture did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done = synthetic.Captured("none yet")

    def __call__(self, text, *lines, name="step_3/part.jsonl"):
        (self.folder / "my-map.toml").write_text(text, "utf-8")
        write(self.folder / "run" / name, lines)
        store = self.folder / "store"
        self.done = synthetic.capture(self.folder / "run", into=store, format=str(self.folder / "my-map.toml"))
        return synthetic.scan(store).collect().to_dicts()


@pytest.fixture
def mapped(tmp_path):
    return Mapped(tmp_path)


def test_ten_lines_of_toml_read_a_log(mapped):
    text = """
    name = "my-trainer"
    keys = ["question", "generation", "score"]

    [columns]
    prompt = "question"
    response = "generation"
    reward = "score"
    recorded_verdict = "judge.correct"
    ground_truth = "answer"
    trace_id = { template = "{id}-{sample}" }
    step = { file = "step_([0-9]+)" }
    domain = { value = "math" }
    """
    (row,) = mapped(text, LINE)
    wanted = {
        "row_id": "q1-0/0",
        "framework": "my-trainer",
        "run_name": "run",
        "kind": "train",
        "reward": 1.0,
        "recorded_verdict": True,
        "ground_truth": "2",
        "step": 3,
        "domain": "math",
        "num_prompt_messages": 1,
        "num_turns": 1,
        "text_form": "parsed",
        "log_file": "step_3/part.jsonl",
    }
    assert {name: row[name] for name in wanted} == wanted
    assert [(m["role"], m["content"]) for m in row["messages"]] == [
        ("user", "What is 1 + 1?"),
        ("assistant", "<think>one and one</think>2"),
    ]
    assert json.loads(row["extra"]) == {k: v for k, v in LINE.items() if k not in {"question", "generation"}}


def test_attempts_without_ids_get_the_same_ones_again(mapped, tmp_path):
    rows = mapped(MAP, LINE, LINE)
    assert len({row["trace_id"] for row in rows}) == 2
    copy = tmp_path / "elsewhere" / "run"
    copy.parent.mkdir()
    (tmp_path / "run").rename(copy)
    synthetic.capture(copy, into=tmp_path / "other", format=str(tmp_path / "my-map.toml"))
    again = synthetic.scan(tmp_path / "other").collect()
    assert again["trace_id"].to_list() == [row["trace_id"] for row in rows]


def test_a_line_of_columns_is_a_row_for_each_value(mapped):
    text = """
    name = "columns"
    keys = ["prompt", "completion", "step"]
    line = "columns"
    reward_keys = ".*Reward"
    reward = "sum"

    [columns]
    prompt = "prompt"
    response = "completion"
    step = "step"
    """
    line = {
        "step": ["7", "7"],
        "prompt": ["p", "p"],
        "completion": ["a", "b"],
        "fmtReward": [0.5, 0],
        "accReward": [1, 0],
    }
    first, second = mapped(text, line)
    assert [m["content"] for m in first["messages"] + second["messages"]] == ["p", "a", "p", "b"]
    assert (first["reward"], second["reward"], first["step"]) == (1.5, 0.0, 7)
    assert first["rewards"][1] == {"name": "accReward", "score": 1.0, "weight": 1.0}
    assert json.loads(first["extra"]) == {k: v for k, v in line.items() if k not in {"prompt", "completion"}}
    assert second["extra"] is None


def test_a_line_of_a_group_is_a_row_for_each_member(mapped):
    text = """
    name = "groups"
    keys = ["samples"]
    within = "samples"
    [columns]
    prompt = "task"
    response = "text"
    sample_index = "n"
    reward = { path = "token_scores", sum = true }
    """
    group = {"task": "q", "samples": [{"text": "a", "n": 0, "token_scores": [0, 0.5, 0.5]}, {"text": "b", "n": 1}]}
    first, second = mapped(text, group)
    assert (first["sample_index"], first["reward"], second["sample_index"], second["reward"]) == (0, 1.0, 1, None)
    assert first["problem_id"] == second["problem_id"]


def test_lists_of_one_and_json_in_strings_are_opened(mapped):
    text = """
    name = "boxed"
    keys = ["content"]
    unwrap = true
    json = ["sampling_params"]
    skip = ["token_ids"]
    [columns]
    messages = "content"
    sampling = "sampling_params"
    """
    content = [[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "weight": 3}]]
    (row,) = mapped(
        text, {"content": content, "token_ids": [[1, 2]], "sampling_params": '{"temperature": 0.5, "url": "x"}'}
    )
    assert (row["num_prompt_messages"], row["text_form"]) == (1, "native")
    assert json.loads(row["sampling"]) == {"temperature": 0.5}
    assert json.loads(row["extra"])["content"] == content, "a message's weight has no column"
    assert "token_ids" not in row["extra"]


def test_words_for_right_and_wrong_are_the_maps(mapped):
    text = MAP + 'recorded_verdict = { path = "grade", right = ["good"], wrong = ["bad"] }'
    rows = mapped(text, *[LINE | {"grade": grade} for grade in ("good", "bad", "unsure", None)])
    assert [row["recorded_verdict"] for row in rows] == [True, False, None, None]


def test_a_column_may_stand_at_one_of_several_paths(mapped):
    text = """
    name = "two-names"
    keys = ["generation", ["step", "gen_step"]]
    [columns]
    response = "generation"
    step = ["step", "gen_step"]
    domain = { path = ["no.such", "field.name"] }
    """
    rows = mapped(
        text,
        {"generation": "a", "step": 3, "gen_step": 9, "field.name": "has a dot"},
        {"generation": "b", "step": None, "gen_step": 4, "field": {"name": "has none"}},
    )
    assert [(row["step"], row["domain"]) for row in rows] == [(3, "has a dot"), (4, "has none")]


def test_a_batch_that_is_logged_twice_is_one_batch(mapped):
    text = MAP + 'trace_id = { hash = ["question", "generation"] }\nstep = "step"\nadvantage = "adv"\n'
    again = [LINE | {"step": step, "adv": adv} for step, adv in ((1, 0.5), (2, 0.75))]
    (row,) = mapped(text, *again)
    assert mapped.done.rows == 2
    assert (row["step"], row["advantage"]) == (1, 0.75), "a late fact is the newest"


def test_equal_attempts_of_a_line_are_two(mapped):
    text = """
    name = "columns"
    keys = ["completion"]
    line = "columns"
    [columns]
    response = "completion"
    trace_id = { hash = ["completion"] }
    group_id = { hash = ["{file}"] }
    """
    first, second, third = mapped(text, {"completion": ["a", "a", "b"]})
    assert len({row["trace_id"] for row in (first, second, third)}) == 3
    assert first["group_id"] == third["group_id"]


def test_what_the_trainer_did_becomes_late_facts(mapped):
    text = MAP + 'advantage = "adv"\ntrained_on = { path = "used", right = ["yes"] }\nship_step = "shipped"\n'
    done, left = mapped(text, LINE | {"adv": -1, "used": "yes", "shipped": 7}, LINE | {"adv": None, "used": "no"})
    assert (done["advantage"], done["trained_on"], done["ship_step"]) == (-1.0, True, 7)
    assert (left["advantage"], left["trained_on"], left["ship_step"]) == (None, None, None)


def test_columns_of_another_length_belong_to_no_attempt(mapped):
    text = """
    name = "columns"
    keys = ["completion"]
    line = "columns"
    json = ["prompt"]
    [columns]
    prompt = "prompt"
    response = "completion"
    ground_truth = "solution"
    """
    asked = json.dumps([{"role": "user", "content": "q"}])
    rows = mapped(
        text,
        {"prompt": [asked, "[no JSON"], "completion": ["a", "b"], "solution": ["1", "2", "3"]},
        {"prompt": ["q"], "completion": ["a", "b"]},
        {"prompt": "q", "completion": "one attempt", "solution": "4"},
    )
    assert [row["ground_truth"] for row in rows] == [None, None, "4"]
    assert [row["messages"][0]["content"] for row in rows] == ["q", "[no JSON", "q"]
    assert json.loads(rows[0]["extra"])["solution"] == ["1", "2", "3"]
    assert mapped.done.quarantined == 1
    assert "2 responses, but 1 of 'prompt'" in Path(mapped.done.quarantine[0]).read_text("utf-8")


@pytest.mark.parametrize(
    ("how", "scores", "reward", "weight"),
    [
        ('reward = "sum"', (1, 0.5), 1.5, 1.0),
        ('reward = "sum"', (1, None), None, 1.0),
        ('reward = "sum of given"', (1, None), 1.0, None),
        ('reward = "sum of given"', (None, None), None, None),
    ],
)
def test_a_total_is_made_of_scorers(mapped, how, scores, reward, weight):
    (row,) = mapped(f'rewards = {{ a = "a", b = "b" }}\n{how}\n{MAP}', LINE | dict(zip("ab", scores, strict=True)))
    assert row["reward"] == reward
    assert [scorer["weight"] for scorer in row["rewards"]] == [weight, weight]


def test_a_reward_without_scorers_is_one_so_that_a_verdict_can_follow(mapped):
    (row,) = mapped(MAP + 'reward = "judge.score"\n', LINE | {"judge": {"score": 1}})
    assert row["rewards"] == [{"name": "score", "score": 1.0, "weight": 1.0}]


def test_thinking_that_the_log_has_apart_stays_apart(mapped):
    (row,) = mapped(MAP + 'reasoning = "thoughts"\n', LINE | {"generation": "2", "thoughts": "one and one"})
    assert row["messages"][1] | {"content": "2", "reasoning_content": "one and one"} == row["messages"][1]
    assert "thoughts" not in json.loads(row["extra"])


def test_a_kind_that_is_none_is_set_aside(mapped):
    text = MAP + 'kind = { file = "^(eval|other)/" }\n'
    assert [row["kind"] for row in mapped(text, LINE, name="eval/a.jsonl")] == ["eval"]
    mapped(text, LINE, name="other/b.jsonl")
    assert mapped.done.quarantined == 1


def test_a_verifiers_words_are_masked(mapped):
    said = {"feedback": "see /home/someone/tests and http://10.0.0.3/x", "parsed": "1/2"}
    (row,) = mapped(MAP + 'verification_result = "said"\n', LINE | {"said": said})
    assert json.loads(row["verification_result"]) == {"feedback": "see [path] and [address]", "parsed": "1/2"}
    assert json.loads(row["extra"])["said"] == said


@pytest.mark.parametrize(
    "wrong", [{"score": "yes"}, {"score": [1]}, {"n": 1.5}, {"generation": None}, {"generation": 7}, {"question": [7]}]
)
def test_a_line_that_does_not_fit_is_set_aside(mapped, wrong):
    rows = mapped(MAP + 'reward = "score"\nsample_index = "n"\n', LINE | wrong, LINE)
    assert (len(rows), mapped.done.captured, mapped.done.quarantined) == (1, 1, 1)


def test_why_a_map_does_not_fit_is_told(mapped, capsys):
    text = 'name = "m"\nkeys = ["question"]\n[columns]\nresponse = "no.such"\n'
    assert mapped(text, LINE, LINE, LINE | {"no": {"such": 7}}) == []
    assert mapped.done.reasons == {"it has no response": 2, "neither text nor messages: 7": 1}
    show.captured(mapped.done)
    assert "2 lines set aside: it has no response" in capsys.readouterr().out


def test_a_row_of_parquet_is_read_by_a_map(tmp_path):
    (tmp_path / "my-map.toml").write_text(MAP, "utf-8")
    (tmp_path / "run").mkdir()
    pl.DataFrame([{"question": "q", "generation": "a"}] * 3).write_parquet(tmp_path / "run" / "part.parquet")
    done = synthetic.capture(tmp_path / "run", into=tmp_path / "store", format=str(tmp_path / "my-map.toml"))
    assert (done.captured, done.rows) == (3, 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 3", "Expected `str`, got `int`"),
        (
            MAP + 'rewrad = "x"',
            "columns.rewrad is no column; there are prompt, response, reasoning, messages, trace_id",
        ),
        ("colour = 1\n" + MAP, "unknown field `colour`"),
        (MAP + "reward = {}", "columns.reward has no value; it takes one of path, file, template, hash, value"),
        (MAP + 'reward = { path = "a", value = 1 }', "columns.reward has path and value; it takes one of"),
        (
            MAP + 'reward = { path = "a", right = [1] }',
            "`right` or `wrong`, which only trainable, recorded_verdict, ok, is_truncated, trained_on take",
        ),
        (MAP + 'step = { file = "([" }', "'([' is no regular expression"),
        (MAP + 'messages = "m"', "names `messages` beside `prompt` or `response`"),
        ('name = "m"\nkeys = ["a"]\n[columns]\nreward = "a"', "neither `messages` nor `response`"),
        ('name = "m"\nkeys = []\n[columns]\nresponse = "a"', "`keys` is empty"),
        ("name = ", "Invalid value"),
    ],
)
def test_a_mistake_in_a_map_is_told(tmp_path, text, said):
    (tmp_path / "my-map.toml").write_text(text, "utf-8")
    with pytest.raises(UnreadableLog, match=re.escape(said)) as caught:
        synthetic.capture(tmp_path, into=tmp_path / "store", format=str(tmp_path / "my-map.toml"))
    assert "my-map.toml: " in str(caught.value)


def test_an_unknown_log_gives_a_map_to_edit_that_reads_it(tmp_path, capsys):
    write(tmp_path / "run" / "part.jsonl", [LINE, LINE | {"sample": 1, "id": "q2"}])
    assert main(["capture", str(tmp_path / "run"), "--into", str(tmp_path / "store")]) == 1
    told = capsys.readouterr().err
    assert "part.jsonl: no format knows its lines; their keys are question, generation, score, judge" in told
    starter = "\n".join(line[7:] for line in told.splitlines()[3:])
    (tmp_path / "my-map.toml").write_text(starter, "utf-8")
    given = [
        "capture",
        str(tmp_path / "run"),
        "--into",
        str(tmp_path / "store"),
        "--format",
        str(tmp_path / "my-map.toml"),
    ]
    assert main(given) == 0
    facts = synthetic.scan(tmp_path / "store").collect()
    assert facts["reward"].to_list() == [1.0, 1.0]
    assert facts["trace_id"].to_list() == ["q1", "q2"]


def test_a_log_that_is_not_the_maps_is_told(mapped):
    said = "my-trainer does not know its lines (it knows lines with `question`, `generation`); their keys are prompt"
    with pytest.raises(UnreadableLog, match=re.escape(said)):
        mapped(MAP, {"prompt": "q", "output": "a"})


def test_every_map_that_ships_has_a_name_of_its_own():
    shipped = sorted(
        path.stem for path in (Path(synthetic.__file__).parent.parent / "pipelines" / "maps").glob("*.toml")
    )
    assert [name for name in FORMATS if name in shipped] == shipped
