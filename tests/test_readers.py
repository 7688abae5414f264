"""A release is read by datasets, polars, pyarrow and chat templates, as it lies there."""

from pathlib import Path

import jinja2
import polars as pl
import pyarrow.parquet as pq
import pytest

import synthetic
from synthetic.record import schema
from tests.releases import attempt, attempts, config_rows, store
from tests.rows import said, store_of


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ready")
    facts = store(folder / "store", [*attempts(), attempt(2, 9, recorded_verdict=None, reward=0.5)])
    calls = [{"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":3}'}}]
    told = [
        said("user", "add"),
        said("assistant", None, tool_calls=calls),
        said("tool", "6", tool_call_id="c1", name="add"),
        said("assistant", "6"),
    ]
    store_of(facts, [attempt(3, 9, messages=told, tools="[]")])
    synthetic.release(facts, to=folder / "r", bucket_bytes=4000)
    return folder / "r"


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    ("config", "expected"), [(None, 25), ("sft_verified", 25), ("sft_unverified", 1), ("traces", 74)]
)
def test_datasets_loads_every_config(ready, tmp_path, config, expected, streaming):
    import datasets

    loaded = datasets.load_dataset(str(ready), config, split="train", streaming=streaming, cache_dir=str(tmp_path))
    found = list(loaded)
    assert len(found) == expected
    assert [type(found[0][name]) for name in ("row_id", "messages")] == [str, list]
    assert found[0]["metadata"] is None if config == "traces" else "metadata" not in found[0]


def test_messages_go_through_a_chat_template(ready):
    template = jinja2.Template(
        "{% for m in messages %}<{{ m.role }}>{% if m.reasoning_content %}[{{ m.reasoning_content }}]{% endif %}"
        "{{ m.content or '' }}{% for c in m.tool_calls or [] %}{{ c.function.name }}({{ c.function.arguments }})"
        "{% endfor %}{% endfor %}"
    )
    told = dict(config_rows(ready).select("row_id", "messages").iter_rows())
    assert template.render(messages=told["p3-0/0"]) == "<user>What is 3 + 3?<assistant>[3 twice]p3-0: 6"
    assert template.render(messages=told["p3-9/0"]) == '<user>add<assistant>add({"a":3})<tool>6<assistant>6'


def test_polars_and_pyarrow_read_the_files(ready):
    read = pl.scan_parquet(ready / "data" / "traces" / "*.parquet").collect()
    assert read.height == 74
    assert pq.ParquetDataset(ready / "data" / "traces").read().num_rows == 74
    assert read["drops"].dtype == schema("traces-1").polars["drops"]
