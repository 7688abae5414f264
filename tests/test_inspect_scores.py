"""What the scorers of an inspect_ai sample said, as columns: verdicts, numbers and words."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.episodes import only
from tests.test_inspect_ai import SAMPLE, captured, written


def scored(folder: Path, **values: Any) -> Any:
    """The row of a sample with these scores."""
    scores = {name: {"value": value} for name, value in values.items()}
    return only(captured(written(folder, SAMPLE | {"scores": scores}), into=folder / "store"))


@pytest.mark.parametrize(
    ("values", "verdict", "reward"),
    [
        ({"a": "C"}, True, 1.0),
        ({"a": "I"}, False, 0.0),
        ({"a": "P"}, None, None),
        ({"a": "N"}, None, None),
        ({"a": "C", "b": "I"}, None, None),
        ({"a": "C", "b": "P"}, None, 1.0),
        ({"a": "C", "b": "C", "c": 0.5}, True, None),
        ({"a": "I", "b": 0.5}, False, 0.0),
        ({"a": 0.5}, None, 0.5),
        ({"a": True}, None, 1.0),
        ({"a": "0.25"}, None, 0.25),
        ({"a": "yes"}, None, None),
        ({"a": [1, 0]}, None, None),
        ({"a": {"x": 1, "y": "C"}}, None, None),
        ({}, None, None),
    ],
)
def test_only_c_and_i_are_verdicts(values, verdict, reward, tmp_path):
    row = scored(tmp_path, **values)
    assert (row["recorded_verdict"], row["reward"]) == (verdict, reward)
    said = json.loads(row["verification_result"] or "{}")
    assert {name: score["value"] for name, score in said.items()} == values


def test_a_score_of_several_numbers_is_several_scorers(tmp_path):
    row = scored(tmp_path, form={"short": True, "letters": 0.5, "word": "no"}, judge="N")
    assert [(scorer["name"], scorer["score"]) for scorer in row["rewards"]] == [
        ("form.short", 1.0),
        ("form.letters", 0.5),
        ("form.word", None),
        ("judge", None),
    ]


def test_what_a_scorer_says_is_published_without_paths_and_addresses_and_kept_whole(tmp_path):
    said = {
        "value": "I",
        "answer": "a/b",
        "explanation": "see /home/me/x.log",
        "metadata": {"at": "http://10.0.0.3/v1"},
    }
    row = only(captured(written(tmp_path, SAMPLE | {"scores": {"a": said}}), into=tmp_path / "store"))
    public = said | {"explanation": "see [path]", "metadata": {"at": "[address]"}}
    assert json.loads(row["verification_result"]) == {"a": public}
    kept = {key: said[key] for key in ("explanation", "metadata")}
    assert json.loads(row["extra"])["scores"] == {"a": kept}


def test_the_scorer_that_the_task_calls_its_headline_gives_the_reward(tmp_path):
    sample = SAMPLE | {"scores": {"a": {"value": "C"}, "b": {"value": 0.25}}}
    path = written(tmp_path, sample, headline_metric={"scorer": "b"})
    assert only(captured(path, into=tmp_path / "store"))["reward"] == 0.25
