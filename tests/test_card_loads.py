"""The card as its readers use it: its YAML by the Hub's reader and `datasets`, and every line that loads a config."""

import subprocess
import sys

import datasets
import duckdb
import pytest
from huggingface_hub import DatasetCard
from markdown_it import MarkdownIt

import synthetic
from synthetic.record import schema
from synthetic.views import VIEWS
from tests import releases


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loads")
    (run,) = (releases.ROOT / "pipelines" / "demo" / "run").iterdir()
    recipe = releases.ROOT / "pipelines" / "demo" / "recipe.toml"
    synthetic.capture(run, into=folder / "store")
    synthetic.release(folder / "store", to=folder / "release", recipe=recipe)
    return folder / "release"


def blocks(release, kind):
    """The code of that kind in the section on loading, with the folder in place of the repository."""
    text = (release / "README.md").read_text("utf-8")
    section = text.partition("\n## Load it\n")[2].partition("\n## ")[0]
    found = [token.content for token in MarkdownIt().parse(section) if token.type == "fence" and token.info == kind]
    made = card(release).to_dict()["pretty_name"]
    for old, new in (
        (f"hf://datasets/org/{made}@v1.0.0", str(release)),
        (f"org/{made}", str(release)),
        (', revision="v1.0.0"', ""),
    ):
        assert any(old in block for block in found) or kind == "sql"
        found = [block.replace(old, new) for block in found]
    return found


def rows(release):
    return {info["config_name"]: info["splits"][0]["num_examples"] for info in card(release).to_dict()["dataset_info"]}


def card(release):
    return DatasetCard((release / "README.md").read_text("utf-8")).data


@pytest.mark.parametrize(
    ("library", "count"),
    [("datasets", "len({})"), ("polars", "{}.select(pl.len()).collect().item()"), ("pandas", "len({})")],
)
def test_every_line_of_python_gives_the_rows_of_its_config(release, library, count, tmp_path):
    (block,) = [text for text in blocks(release, "python") if f"import {library}" in text or f"from {library}" in text]
    counted = "".join(f"print({name!r}, {count.format(name)})\n" for name in VIEWS)
    script = tmp_path / "load.py"
    script.write_text(block + counted, "utf-8")
    home = {"HF_HOME": str(tmp_path), "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "PATH": ""}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, env=home)
    assert done.returncode == 0, done.stderr
    assert dict(line.split() for line in done.stdout.splitlines()) == {n: str(c) for n, c in rows(release).items()}


def test_every_line_of_sql_gives_the_rows_of_its_config(release):
    (block,) = blocks(release, "sql")
    database = duckdb.connect()
    answer = database.execute(block).fetchall()
    assert sum(count for *_, count in answer) == rows(release)["traces"]
    for name, count in rows(release).items():
        assert database.execute(f"SELECT count(*) FROM {name}").fetchall() == [(count,)]  # noqa: S608 - our own names


def test_the_yaml_says_columns_rows_and_bytes_as_datasets_does(release):
    said = card(release).to_dict()
    assert [config["config_name"] for config in said["configs"]] == list(VIEWS)
    assert said["configs"][0]["default"] is True
    for info in said["dataset_info"]:
        name = info["config_name"]
        wanted = datasets.Features.from_arrow_schema(schema(VIEWS[name].schema).arrow)
        assert datasets.Features._from_yaml_list(info["features"]) == wanted
        files = (release / "data" / name).glob("train-*.parquet")
        assert info["download_size"] == info["splits"][0]["num_bytes"] == sum(file.stat().st_size for file in files)


def test_datasets_loads_every_config_by_the_card_and_counts_what_it_says(release, tmp_path):
    for name, count in rows(release).items():
        loaded = datasets.load_dataset(str(release), name, cache_dir=str(tmp_path))
        assert {split: part.num_rows for split, part in loaded.items()} == {"train": count}
    default = datasets.load_dataset(str(release), split="train", cache_dir=str(tmp_path))
    assert default.num_rows == rows(release)["sft_verified"]
