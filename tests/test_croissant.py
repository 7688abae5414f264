"""croissant.json by the reference reader: mlcroissant, which `make train` installs."""

import json
from pathlib import Path

import pytest

import synthetic
from synthetic import manifest
from tests import releases


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("croissant")
    synthetic.release(releases.store(folder / "store"), to=folder / "release")
    return folder / "release"


def said(release: Path):
    return json.loads((release / "croissant.json").read_text("utf-8"))


def test_it_names_every_file_with_its_hash_and_every_column(release):
    made = manifest.read(release)
    files = {each["@id"]: each["sha256"] for each in said(release)["distribution"] if each["@type"] == "cr:FileObject"}
    assert files == {data.path: data.sha256 for config in made.configs.values() for data in config.files}
    for records in said(release)["recordSet"]:
        columns = [column["name"] for column in made.configs[records["@id"]].columns]
        assert [field["name"] for field in records["field"]] == [f"{records['@id']}/{name}" for name in columns]


def test_a_number_in_it_that_is_wrong_is_found(release, tmp_path):
    damaged = releases.copied(release, tmp_path / "release")
    text = (damaged / "croissant.json").read_text("utf-8")
    (damaged / "croissant.json").write_text(text.replace("72 rows", "73 rows"), "utf-8")
    assert "croissant.json: its bytes are not those of the manifest" in synthetic.check(damaged).problems


# Of rdflib and pandas, which it calls in ways that these will give up.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_reference_reader_takes_it_without_a_complaint_and_reads_its_rows(release):
    reader = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed: make train")
    opened = reader.Dataset(release / "croissant.json")
    assert opened.metadata.ctx.issues.errors == set()
    # It cannot step into a list within a struct, as calls of tools in messages are.
    assert sum(1 for _ in opened.records("rl_tasks")) == manifest.read(release).configs["rl_tasks"].rows
