"""Whatever is damaged, in a release or in a store, `check` names it."""

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import synthetic
from synthetic import manifest
from synthetic.errors import BrokenRelease
from synthetic.shard import read_meta
from tests.episodes import episodes, log, write
from tests.releases import ROOT, attempts, captured, copied, rewritten, store

SAMPLES = ROOT.parent / "shared" / "samples"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh")
    synthetic.release(store(folder / "store", attempts(8)), to=folder / "r", bucket_bytes=4000)
    return folder / "r"


@pytest.fixture
def release(fresh: Path, tmp_path: Path) -> Path:
    return copied(fresh, tmp_path / "r")


@pytest.fixture(scope="module")
def fresh_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three steps, in a shard each, with two bad lines."""
    folder = tmp_path_factory.mktemp("store")
    for step in (1, 2, 3):
        bad = ["no json", '{"also": "no rollout"}'] if step == 2 else []
        write(log(folder / "run", step), [*episodes(4, first=4 * step), *bad])
        synthetic.capture(folder / "run", into=folder / "s")
    return folder / "s"


@pytest.fixture
def facts(fresh_store: Path, tmp_path: Path) -> Path:
    return copied(fresh_store, tmp_path / "s")


def problems(folder: Path) -> str:
    done = synthetic.check(folder)
    assert not done.holds
    return "\n".join(done.problems)


def edit(release: Path, change) -> None:
    """Change the manifest, as somebody would who hides something."""
    path = release / manifest.PATH
    made = json.loads(path.read_text())
    change(made)
    path.write_text(json.dumps(made, indent=2) + "\n")


def hide(release: Path, name: str) -> None:
    """Make the manifest agree with the bytes of a file."""

    def change(made):
        listed = [file for file in made["files"] if file["path"] == name]
        listed += [data for config in made["configs"].values() for data in config["files"] if data["path"] == name]
        listed[0].update(sha256=manifest.sha256(release / name), bytes=(release / name).stat().st_size)

    edit(release, change)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


# ---- a release


def test_a_fresh_release_holds(fresh):
    done = synthetic.check(fresh)
    assert done.problems == []
    assert (done.kind, done.rows) == ("release", 48 + 16 + 8 + 8)


def test_a_release_of_real_logs_holds(tmp_path):
    synthetic.release(captured(tmp_path / "s"), to=tmp_path / "r", include_eval=True)
    assert synthetic.check(tmp_path / "r").problems == []
    assert synthetic.check(tmp_path / "s").problems == []


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the larger samples are not in this repository")
@pytest.mark.parametrize("run", ["prime_rl_run_v040", "vf_eval_v030", "vf_eval_v040_singleturn", "vf_eval_v040_tools"])
def test_a_release_of_a_larger_sample_holds(tmp_path, run):
    synthetic.release(captured(tmp_path / "s", SAMPLES / run), to=tmp_path / "r", include_eval=True)
    assert synthetic.check(tmp_path / "r").problems == []
    assert synthetic.check(tmp_path / "s").problems == []


def test_a_flipped_byte_is_found(release):
    file = next((release / "data" / "traces").iterdir())
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert problems(release) == f"data/traces/{file.name}: its bytes are not those of the manifest"


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "release/recipe.toml", "release/reports/stats.json"])
def test_a_removed_file_is_found(release, name):
    (release / name).unlink()
    assert f"{name}: is missing" in problems(release)


def test_a_removed_data_file_is_found(release):
    file = next((release / "data" / "sft_verified").iterdir())
    file.unlink()
    assert f"data/sft_verified/{file.name}: is missing" in problems(release)


@pytest.mark.parametrize("name", [".gitattributes", ".cache/huggingface/download/x.lock", ".git/config"])
def test_what_a_download_from_the_hub_adds_is_no_problem(release, name):
    (release / name).parent.mkdir(parents=True, exist_ok=True)
    (release / name).write_text("?")
    assert synthetic.check(release).problems == []


@pytest.mark.parametrize("name", ["notes.md", "data/traces/train-h000-of-999.parquet", "release/.hidden"])
def test_an_extra_file_is_found(release, name):
    (release / name).write_text("?")
    assert f"{name}: is not in the manifest" in problems(release)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("README.md", "16 rows", "17 rows", "README.md, line "),
        ("release/reports/stats.json", '"correct": 24', '"correct": 25', "the numbers are not those of the rows"),
        ("CHANGELOG.md", "1.0.0", "1.0.1", "CHANGELOG.md, line "),
    ],
)
def test_a_changed_number_is_found_also_when_the_manifest_agrees(release, name, old, new, said):
    replace(release / name, old, new)
    assert f"{name}: its bytes are not those of the manifest" in problems(release)
    hide(release, name)
    assert said in problems(release)


def test_a_line_added_to_the_card_is_found(release):
    with (release / "README.md").open("a") as card:
        card.write("\nEvery answer was checked by hand.\n")
    hide(release, "README.md")
    assert "'Every answer was checked by hand.'" in problems(release) or "says ''" in problems(release)


def sft(made):
    return made["configs"]["sft_verified"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda made: sft(made).update(rows=17), "sft_verified: the manifest says 17 rows, its files hold 16"),
        (lambda made: sft(made)["files"][0].update(rows=99), "the manifest says 99 rows, it holds"),
        (lambda made: sft(made)["files"][0].update(row_hash="0" * 64), "its rows are not those of the manifest"),
        (lambda made: sft(made).update(buckets=64), "the manifest says 64"),
        (lambda made: sft(made)["columns"][0].update(doc="?"), "its columns are not those of schema sft-1"),
        (lambda made: sft(made).update(title="?"), "sft_verified: its title is not that of the config"),
        (lambda made: sft(made)["files"][0].update(bytes=7), "the manifest says 7 bytes, it has"),
        (lambda made: made["files"][0].update(bytes=7), "CHANGELOG.md: the manifest says 7 bytes, it has"),
        (lambda made: made["inputs"][0].update(rows=99), "its inputs hold 99 rows that count, traces holds 48"),
        (lambda made: made.update(repeated=1), "its inputs hold 47 rows that count, traces holds 48"),
        (lambda made: made.update(root="0" * 64), "the root hash is not that of its files"),
        (lambda made: sft(made)["funnel"][2].update(dropped=15), "sft_verified: the funnel"),
        (lambda made: sft(made).update(funnel=[]), "README.md, line "),
        (lambda made: made.update(left_out=[]), "these are: ['sft_unverified']"),
        (lambda made: made.update(version="1.0.1"), "its version is '1.0.1', the recipe says '1.0.0'"),
        (lambda made: made.update(license="mit"), "its license is 'mit', the recipe says None"),
        (lambda made: made.update(recipe="0" * 64), "release/recipe.toml: is not the manifest's recipe"),
        (lambda made: made.update(files=made["files"][:1]), "is not in the manifest"),
        (lambda made: made["configs"].pop("traces"), "there is no config 'traces'"),
    ],
)
def test_a_changed_claim_of_the_manifest_is_found(release, change, said):
    edit(release, change)
    assert said in problems(release)


def test_drops_moved_from_one_rule_to_another_are_found(release):
    def change(made):
        finished, verified = sft(made)["funnel"][2:4]
        finished["dropped"] -= 1
        verified["seen"] += 1
        verified["dropped"] += 1

    edit(release, change)
    assert "the drops of 'finished' are not those of the manifest" in problems(release)


def test_files_swapped_between_buckets_are_found(release):
    one, two = sorted((release / "data" / "traces").iterdir())[:2]
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    assert "its bytes are not those of the manifest" in problems(release)

    def change(made):
        files = {data["path"]: data for data in made["configs"]["traces"]["files"]}
        a, b = files[f"data/traces/{one.name}"], files[f"data/traces/{two.name}"]
        a["path"], b["path"] = b["path"], a["path"]

    edit(release, change)
    assert "holds problems of another bucket" in problems(release)


def test_a_row_edited_in_a_valid_file_is_found(release):
    file = next((release / "data" / "sft_verified").iterdir())
    reward = pa.array([7.0])

    def better(table):
        column = table.schema.get_field_index("reward")
        return table.set_column(column, "reward", pa.concat_arrays([reward] * table.num_rows))

    rewritten(file, better)
    name = f"data/sft_verified/{file.name}"
    assert f"{name}: its bytes are not those of the manifest" in problems(release)
    hide(release, name)
    assert f"{name}: its rows are not those of the manifest" in problems(release)


def test_rows_in_another_order_are_found(release):
    file = max((release / "data" / "traces").iterdir(), key=lambda path: path.stat().st_size)
    rewritten(file, lambda table: table.take(list(reversed(range(table.num_rows)))))
    hide(release, f"data/traces/{file.name}")
    assert "rows are not sorted by problem_id, trace_id, branch" in problems(release)


def test_a_changed_recipe_is_found(release):
    replace(release / "release/recipe.toml", 'thinking = "field"', 'thinking = "inline"')
    assert "release/recipe.toml: its bytes are not those of the manifest" in problems(release)
    hide(release, "release/recipe.toml")
    assert "release/recipe.toml: is not the manifest's recipe" in problems(release)


def test_a_broken_manifest_is_an_error(release):
    (release / manifest.PATH).write_text('{"name": ')
    with pytest.raises(BrokenRelease, match="not a manifest"):
        synthetic.check(release)


def test_a_folder_that_is_neither_is_an_error(tmp_path):
    with pytest.raises(BrokenRelease, match=r"neither a release .* nor a store"):
        synthetic.check(tmp_path)


# ---- a store


def shards(store: Path) -> list[Path]:
    return sorted((store / "shards").iterdir())


def test_a_fresh_store_holds(fresh_store):
    done = synthetic.check(fresh_store)
    assert done.problems == []
    assert (done.kind, done.files, done.rows) == ("store", 3, 12)


@pytest.mark.parametrize("place", [0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_a_flipped_byte_in_a_shard_is_found(facts, place):
    data = bytearray(shards(facts)[1].read_bytes())
    data[int(len(data) * place)] ^= 0xFF
    shards(facts)[1].write_bytes(data)
    assert "000000000001.parquet" in problems(facts)


def test_a_torn_shard_is_found(facts):
    data = shards(facts)[1].read_bytes()
    shards(facts)[1].write_bytes(data[: len(data) // 2])
    assert "000000000001.parquet: not a whole Parquet file" in problems(facts)


def test_a_missing_shard_number_is_found(facts):
    shards(facts)[1].unlink()
    assert "shards: numbers are missing" in problems(facts)


def test_a_shard_replaced_by_a_copy_of_another_is_found(facts):
    shards(facts)[1].write_bytes(shards(facts)[0].read_bytes())
    assert "missing or doubled" in problems(facts)


def test_a_row_edited_in_a_shard_is_found(facts):
    shard = shards(facts)[0]
    table = pq.read_table(shard)
    column = table.schema.get_field_index("reward")
    edited = table.set_column(column, table.schema.field(column), pa.array([0.5] * table.num_rows))
    meta = read_meta(shard)
    with pq.ParquetWriter(shard, edited.schema) as writer:
        writer.write_table(edited)
        writer.add_key_value_metadata({b"synthetic": meta})
    assert "its rows are not those of its footer" in problems(facts)


def test_a_shard_of_another_program_is_found(facts):
    pl.DataFrame({"a": [1]}).write_parquet(shards(facts)[2])
    assert "no footer of ours" in problems(facts)


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_quarantine_file_is_found(facts, damage):
    (file,) = (facts / "quarantine").iterdir()
    data = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(data[:-20] if damage == "cut" else data.replace(b"no json", b"an json"))
    assert file.name in problems(facts)
