"""Releases in the columns of the published tables: exact names and types, and what comes back when they are read."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

import synthetic
from synthetic.compat import ONE, SFT
from synthetic.errors import SyntheticError
from tests.logs.generate.synthetic_tables import PRINTED
from tests.releases import attempt, attempts, command, store, tree
from tests.rows import said
from tests.test_genesys import as_table

LOGS = Path(__file__).parent / "logs" / "synthetic"
PUBLISHED = {"synthetic-2": "synthetic_2", "synthetic-2-sft": "synthetic_2_sft", "synthetic-1": "synthetic_1"}


def table(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(sorted(folder.glob("data/*.parquet")))


def names_and_types(folder: Path) -> list[tuple[str, str]]:
    schema = pq.read_schema(sorted(folder.glob("data/*.parquet"))[0])
    return [(field.name, str(field.type).replace("item: ", "element: ")) for field in schema]


def as_read(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its JSON decoded and without nulls."""
    texts = ("verification_info", "verification_result_info", "metadata")
    read = {name: _table(row[name]) for name in texts if isinstance(row.get(name), str)}
    return {name: value for name, value in (row | read).items() if value is not None}


def _table(text: str) -> Any:
    """A table in a column: as JSON, or as Python prints it."""
    return as_table(text) if text in PRINTED else json.loads(text)


def again(tmp_path: Path, kind: Any) -> Path:
    """A published table captured, released and written in its own columns."""
    synthetic.capture(LOGS / PUBLISHED[kind], into=tmp_path / "s")
    synthetic.release(tmp_path / "s", to=tmp_path / "r", recipe="synthetic-2")
    synthetic.compat(tmp_path / "r", kind, to=tmp_path / "t")
    return tmp_path / "t"


@pytest.mark.parametrize("kind", PUBLISHED)
def test_names_types_and_order_are_the_published_ones(tmp_path, kind):
    made, published = names_and_types(again(tmp_path, kind)), names_and_types(LOGS / PUBLISHED[kind])
    if kind == "synthetic-2":  # models in any order, each with its two columns, but those that answered nothing
        assert made[:3] == published[:3]
        assert set(made[3:]) <= set(published[3:])
        answered = table(LOGS / PUBLISHED[kind]).select(pl.col("^.*_responses$").list.len().fill_null(0).sum())
        assert len(made[3:]) == 2 * sum(count > 0 for count in answered.row(0))
    elif kind == "synthetic-1":
        assert sorted(made) == sorted(published)
        assert [name for name, _ in made] == list(ONE)
    else:
        assert made == published


@pytest.mark.parametrize("kind", ["synthetic-2", "synthetic-1"])
def test_a_published_table_comes_back_row_by_row(tmp_path, kind):
    made = [as_read(row) for row in table(again(tmp_path, kind)).iter_rows(named=True)]
    published = [as_read(row) for row in table(LOGS / PUBLISHED[kind]).iter_rows(named=True)]
    key = "prompt" if kind == "synthetic-2" else "response_id"
    for one, other in zip(sorted(made, key=lambda r: r[key]), sorted(published, key=lambda r: r[key]), strict=True):
        if "problem_id" not in other:
            one.pop("problem_id")  # ours, where the table had none
        # A mean of a model that answered nothing is of answers that are not here.
        silent = {name.removesuffix("_responses") for name in other if name.endswith("_responses") and not other[name]}
        known = {name.removesuffix("_responses") for name in other if name.endswith("_responses")} - silent
        means = {f"{model}_avg_reward" for model in known}
        told = {k: v for k, v in other.items() if v != [] and (not k.endswith("_avg_reward") or k in means)}
        assert {k: v for k, v in one.items() if v != []} == told


@pytest.mark.parametrize("kind", PUBLISHED)
def test_what_is_written_is_read_back_as_the_same_rows(tmp_path, kind):
    folder = again(tmp_path, kind)
    synthetic.capture(folder, into=tmp_path / "back")
    told = ["messages", "reward", "task_type", "ground_truth"]
    back = synthetic.scan(tmp_path / "back").select(told).collect()
    before = synthetic.scan(tmp_path / "s").select(told).collect()
    if kind == "synthetic-2-sft":
        assert back.height == table(folder).height
        assert set(back["reward"]) == {0.83, 1.0}
    else:
        assert sorted(map(str, back.rows())) == sorted(map(str, before.rows()))


def test_what_the_columns_cannot_hold_is_left_out_and_told(tmp_path):
    tools = attempt(3, 8, tools='[{"type":"function","function":{"name":"f"}}]')
    turns = attempt(3, 9, messages=[said("system", "be brief"), said("user", "3 + 3?"), said("assistant", "6")])
    synthetic.release(store(tmp_path / "s", [*attempts(3), tools, turns]), to=tmp_path / "r")
    wide = synthetic.compat(tmp_path / "r", "synthetic-2", to=tmp_path / "wide")
    assert wide.left_out == {"of several turns, with tools or a system message": 1}
    assert table(tmp_path / "wide").columns[3:] == ["unknown_responses", "unknown_avg_reward"]
    assert "1 row is not here: of several turns" in (tmp_path / "wide" / "README.md").read_text()
    sft = synthetic.compat(tmp_path / "r", "synthetic-2-sft", to=tmp_path / "sft")
    assert sft.left_out == {"with tools, which have no column": 1}
    assert table(tmp_path / "sft").columns == list(SFT)
    texts = table(tmp_path / "sft")["messages"].list.last().struct.field("content")
    assert texts.str.starts_with("<think>\n").sum() == texts.len() - 1, (
        "reasoning stands in the text, where there is any"
    )


def test_datasets_and_splits(tmp_path):
    import datasets

    (tmp_path / "r.toml").write_text('[split]\nvalidation = 0.4\nsalt = "x"\n')
    synthetic.release(store(tmp_path / "s", attempts(20)), to=tmp_path / "r", recipe=tmp_path / "r.toml")
    synthetic.compat(tmp_path / "r", "synthetic-2", to=tmp_path / "t")
    loaded = datasets.load_dataset(str(tmp_path / "t"), cache_dir=str(tmp_path / "cache"))
    assert sorted(loaded) == ["train", "validation"]
    assert sum(map(len, loaded.values())) == 20
    assert loaded["train"][0]["unknown_avg_reward"] == pytest.approx(0.8)


def test_the_command_writes_beside_the_release_and_the_same_again(tmp_path):
    facts = store(tmp_path / "s")
    line = ["release", facts, "--to", tmp_path / "r", "--compat", "synthetic-2", "--compat", "synthetic-1"]
    done = command(*line)
    assert done.returncode == 0, done.stderr
    assert "synthetic-1  72 rows" in done.stdout
    first = tree(tmp_path / "r.synthetic-2")
    assert command(*line).returncode == 0
    assert tree(tmp_path / "r.synthetic-2") == first
    assert json.loads(command(*line, "--json").stdout)["compat"][0]["rows"] == 12


def test_another_folder_is_not_overwritten_and_an_empty_table_is_an_error(tmp_path):
    synthetic.release(store(tmp_path / "s", attempts(2)), to=tmp_path / "r")
    (tmp_path / "mine").mkdir()
    with pytest.raises(SyntheticError, match="is there already, and is no such table"):
        synthetic.compat(tmp_path / "r", "synthetic-1", to=tmp_path / "mine")
    turns = [
        attempt(1, n, messages=[said("system", "s"), said("user", "?"), said("assistant", str(n))]) for n in range(2)
    ]
    synthetic.release(store(tmp_path / "s2", turns), to=tmp_path / "r2")
    with pytest.raises(SyntheticError, match="no row fits the columns of synthetic-1: 2 of several turns"):
        synthetic.compat(tmp_path / "r2", "synthetic-1", to=tmp_path / "t")
