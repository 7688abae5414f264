"""Files are cut by the leading bits of problem_id into the smallest power of two of buckets that fit."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import synthetic
from synthetic import manifest
from synthetic.buckets import count
from synthetic.shard import frame_bytes
from tests.releases import attempt, attempts, config_rows, store, tree

EIGHTH = 2**13  # of the values that 16 leading bits have


@pytest.mark.parametrize(
    ("sizes", "most", "buckets"),
    [
        ({0: 100}, 100, 1),
        ({0: 50, 7 * EIGHTH: 50}, 100, 1),
        ({0: 51, 7 * EIGHTH: 50}, 100, 2),
        ({0: 51, 1 * EIGHTH: 50}, 100, 8),  # neighbours are parted by the third bit
        ({0: 60, 2 * EIGHTH: 60, 4 * EIGHTH: 60, 6 * EIGHTH: 60}, 100, 4),
        ({0: 1000}, 100, 256),  # one huge problem fits nowhere: there is an end to cutting
    ],
)
def test_buckets_are_the_smallest_power_of_two_that_fit(sizes, most, buckets):
    assert count(sizes, most) == buckets


@given(st.dictionaries(st.integers(0, 2**16 - 1), st.integers(1, 1000), min_size=1), st.integers(1, 5000))
def test_half_as_many_buckets_would_not_fit(sizes, most):
    buckets = count(sizes, most)

    def largest(of: int) -> int:
        filled: dict[int, int] = {}
        for bits, size in sizes.items():
            filled[bits * of // 2**16] = filled.get(bits * of // 2**16, 0) + size
        return max(filled.values())

    assert buckets.bit_count() == 1
    assert buckets == 1 or largest(buckets // 2) > most
    assert largest(buckets) <= most or buckets == 2**16 or 2 * buckets * most > 16 * sum(sizes.values())


def files(release: Path, config: str = "traces") -> list[str]:
    return sorted(path.name for path in (release / "data" / config).iterdir())


def test_small_configs_are_one_file(tmp_path):
    synthetic.release(store(tmp_path / "store"), to=tmp_path / "r")
    assert files(tmp_path / "r") == files(tmp_path / "r", "sft_verified") == ["train-h000-of-001.parquet"]


@pytest.mark.parametrize("most", [1500, 9000, 20_000])
def test_every_bucket_fits_and_holds_the_problems_of_its_bits(tmp_path, most):
    synthetic.release(store(tmp_path / "store", attempts(20)), to=tmp_path / "r", bucket_bytes=most)
    config = manifest.read(tmp_path / "r").configs["traces"]
    assert config.buckets > 1
    for data in config.files:
        rows = pl.read_parquet(tmp_path / "r" / data.path)
        name = Path(data.path).name
        assert {int(id[:4], 16) * config.buckets // 2**16 for id in rows["problem_id"]} == {
            int(name.removeprefix("train-h").partition("-")[0])
        }
        assert frame_bytes(rows).sum() <= most or rows["problem_id"].n_unique() == 1
    assert sum(data.rows for data in config.files) == 120
    assert synthetic.check(tmp_path / "r").problems == []


def test_a_bucket_without_rows_has_no_file(tmp_path):
    rows = [attempt(1, number, problem_id=digit * 32) for number, digit in enumerate("04f")]
    synthetic.release(store(tmp_path / "store", rows), to=tmp_path / "r", bucket_bytes=600)
    assert files(tmp_path / "r") == [f"train-h{bucket:03d}-of-004.parquet" for bucket in (0, 1, 3)]


def test_files_in_order_are_sorted_as_a_whole(tmp_path):
    synthetic.release(store(tmp_path / "store"), to=tmp_path / "r", bucket_bytes=4000)
    rows = config_rows(tmp_path / "r", "traces").select("problem_id", "trace_id")
    assert rows.equals(rows.sort("problem_id", "trace_id"))


def test_an_earlier_version_keeps_its_cut_and_few_files_change(tmp_path):
    facts = store(tmp_path / "store")
    synthetic.release(facts, to=tmp_path / "v1" / "r", bucket_bytes=4000)
    store(facts, [attempt(5, 7)])
    synthetic.release(facts, to=tmp_path / "v2" / "r", previous=tmp_path / "v1" / "r")
    one, two = tree(tmp_path / "v1" / "r" / "data"), tree(tmp_path / "v2" / "r" / "data")
    assert one.keys() == two.keys()
    changed = [name for name in one if one[name] != two[name]]
    assert len(changed) == 3  # the bucket of problem 5, in sft_verified, in traces and (its counts) in rl_tasks
    assert len(one) > 8


def test_the_release_that_is_replaced_is_the_earlier_version(tmp_path):
    facts = store(tmp_path / "store")
    synthetic.release(facts, to=tmp_path / "r", bucket_bytes=4000)
    before = files(tmp_path / "r")
    store(facts, [attempt(5, 7)])
    synthetic.release(facts, to=tmp_path / "r")
    assert files(tmp_path / "r") == before


def test_a_new_major_version_is_cut_anew(tmp_path):
    facts = store(tmp_path / "store")
    synthetic.release(facts, to=tmp_path / "v1", bucket_bytes=4000)
    recipe = tmp_path / "two.toml"
    recipe.write_text((tmp_path / "v1/release/recipe.toml").read_text().replace('"1.0.0"', '"2.0.0"'))
    synthetic.release(facts, to=tmp_path / "v2", previous=tmp_path / "v1", recipe=recipe)
    assert files(tmp_path / "v2") == ["train-h000-of-001.parquet"]
