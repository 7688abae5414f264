"""The gate before a push: finds what was planted, wherever it was planted, and never says it."""

import json

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

import synthetic
from synthetic import manifest, privacy, record
from synthetic.demo import demo
from synthetic.resources import folder
from tests.planted import found, planted
from tests.releases import attempt, attempts, copied, store


def test_the_demos_run_and_its_release_hold_no_secret(tmp_path):
    logs = pl.Series([path.read_text("utf-8") for path in (folder("pipelines") / "demo").rglob("*.jsonl")])
    assert list(privacy.Search({}).hits(logs)) == []
    demo(tmp_path / "release")
    assert privacy.scan(tmp_path / "release", manifest.read(tmp_path / "release")) == []


# ---- values of the environment


def test_variables_are_secret_by_their_name_and_long_enough():
    environment = {
        "HF_TOKEN": "abcdefgh",
        "PRIME_API_KEY": "a long value",
        "DB_PASSWORD": "12345678",
        "MY_SECRET_THING": " padded value ",
        "SHORT_TOKEN": "1234567",
        "PWD": "/home/someone",
        "PATH": "/usr/bin:/bin",
        "HOME": "/home/somebody",
        "LANG": "en_US.UTF-8",
        "TOKENIZERS_PARALLELISM": "disabled",
        "OPENAI_API_KEY": "sk-no-key-required",
        "AUTH_TOKEN": "not-needed",
        "APP_SECRET_MODE": "development",
        "DATABASE_URL": "postgresql://app:s3cr3t-word@db.internal:5432/traces",
        "GITHUBTOKEN": "abcdefgh-1",
        "OPENAI_API_KEY_2": "abcdefgh-2",
        "SLACK_WEBHOOK_URL": "abcdefgh-3",
        "AWS_ACCESS_KEY_ID": "abcdefgh-4",
        "MAX_TOKENS": "1000000000",
        "GOOGLE_APPLICATION_CREDENTIALS": __file__,
        "SLASH_KEY": "/abcdefgh/i/am/no/file",
        "NUL_KEY": "/abc\0defgh",
        "HTTPS_PROXY": "http://proxy.internal:3128",
        "MONKEY": "not a key",
    }
    assert privacy.secret_values(environment) == {
        "HF_TOKEN": "abcdefgh",
        "PRIME_API_KEY": "a long value",
        "DB_PASSWORD": "12345678",
        "MY_SECRET_THING": "padded value",
        "DATABASE_URL": "s3cr3t-word",
        "GITHUBTOKEN": "abcdefgh-1",
        "OPENAI_API_KEY_2": "abcdefgh-2",
        "SLACK_WEBHOOK_URL": "abcdefgh-3",
        "AWS_ACCESS_KEY_ID": "abcdefgh-4",
        "SLASH_KEY": "/abcdefgh/i/am/no/file",
        "NUL_KEY": "/abc\0defgh",
    }


@pytest.mark.parametrize("form", ['it is p/ss w"rd!', 'said \\"it is p/ss w\\"rd!\\"', "?x=p%2Fss%20w%22rd%21&"])
def test_a_value_of_the_environment_is_found_as_it_is_and_escaped(form):
    assert found(form, MY_SECRET='p/ss w"rd!') == {"the value of $MY_SECRET"}


def test_a_value_with_letters_and_quotes_is_found_in_json_that_escapes_only_what_it_must():
    assert found(record.canonical_json({"key": 'pä"sswörd'}), MY_SECRET='pä"sswörd') == {"the value of $MY_SECRET"}
    assert found(json.dumps({"key": 'pä"sswörd'}), MY_SECRET='pä"sswörd') == {"the value of $MY_SECRET"}


def test_a_value_of_seven_characters_is_not_looked_for():
    assert found("sunrise", MY_SECRET="sunrise") == set()


# ---- places


def release_with(tmp_path, *more):
    """A release of a few rows and these, and its manifest."""
    synthetic.release(store(tmp_path / "store", [*attempts(2), *more]), to=tmp_path / "release")
    return tmp_path / "release", manifest.read(tmp_path / "release")


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return release_with(tmp_path_factory.mktemp("clean"))


@pytest.fixture
def copy(clean, tmp_path):
    """A clean release to plant something in, and its manifest."""
    return copied(clean[0], tmp_path / "copy"), clean[1]


def said(row, column):
    """The places where the planted row says it, in a release's two files that hold it."""
    return {
        ("data/sft_verified/train-h000-of-001.parquet", row, column),
        ("data/traces/train-h000-of-001.parquet", row, column),
    }


def places(findings):
    return {(finding.file, finding.row, finding.column) for finding in findings}


def test_a_secret_in_a_nested_cell_is_named_by_row_and_column(tmp_path):
    token = planted(3)["github_token"]
    row = attempt(90, 1)
    row["messages"][1]["reasoning_content"] = f"let me use {token} here"
    findings = privacy.scan(*release_with(tmp_path, row))
    assert places(findings) == said("p90-1/0", "messages.reasoning_content")
    assert {finding.pattern for finding in findings} == {"github_token"}
    assert token not in str(findings)


@pytest.mark.parametrize("column", ["env_id", "model", "metadata", "stop_condition", "rewards"])
def test_a_secret_in_any_column_of_text_is_found(tmp_path, column):
    token = planted(4)["hugging_face_token"]
    value = [{"name": token, "score": 1.0, "weight": 1.0}] if column == "rewards" else token
    row = attempt(90, 1, **{column: f'{{"x":"{token}"}}' if column == "metadata" else value})
    findings = privacy.scan(*release_with(tmp_path, row))
    assert "p90-1/0" in {finding.row for finding in findings}
    assert token not in str(findings)


def test_a_secret_in_an_id_is_found_and_the_id_is_not_shown(tmp_path):
    token = planted(5)["npm_token"]
    row = attempt(90, 1) | {"row_id": f"{token}/0", "trace_id": token}
    findings = privacy.scan(*release_with(tmp_path, row))
    assert findings
    assert token not in str(findings)


def test_a_secret_in_the_card_is_named_by_its_line(copy):
    release, made = copy
    (release / "README.md").write_text(f"# card\n\nuse {planted(6)['groq_key']}\n{planted(6)['private_key']}")
    findings = privacy.scan(release, made)
    assert [(f.file, f.row, f.pattern) for f in findings if f.row] == [("README.md", "line 3", "groq_key")]
    assert [(f.file, f.row, f.pattern) for f in findings if not f.row] == [("README.md", None, "private_key")]


def test_text_that_is_about_to_be_written_is_read_instead_of_the_file(copy):
    release, made = copy
    findings = privacy.scan(release, made, texts={"README.md": planted(6)["groq_key"].encode()})
    assert [str(finding) for finding in findings] == ["README.md, line 1: groq_key"]


def test_a_secret_in_parquet_metadata_is_found(copy):
    release, made = copy
    file = release / "data/traces/train-h000-of-001.parquet"
    table = pq.read_table(file)
    pq.write_table(table.replace_schema_metadata({"note": planted(7)["slack_token"]}), file)
    assert {(f.file, f.pattern) for f in privacy.scan(release, made)} == {
        ("data/traces/train-h000-of-001.parquet", "slack_token")
    }


def test_a_secret_in_the_metadata_of_a_nested_field_is_found(copy):
    release, made = copy
    file = release / "data/traces/train-h000-of-001.parquet"
    table = pq.read_table(file)
    noted = pa.field("noted", pa.struct([pa.field("x", pa.string(), metadata={"k": planted(8)["stripe_key"]})]))
    pq.write_table(table.append_column(noted, pa.nulls(len(table), noted.type)), file)
    assert {f.pattern for f in privacy.scan(release, made)} == {"stripe_key"}


def test_a_secret_that_stands_only_in_the_statistics_of_a_column_is_found(copy):
    release, made = copy
    file = release / "data/traces/train-h000-of-001.parquet"
    token = planted(8)["gitlab_token"]
    plain = "p" * len(token)
    table = pa.table({"row_id": [plain, plain]})
    pq.write_table(table, file, compression="none", use_dictionary=False, write_page_index=True)
    data = file.read_bytes()
    column = pq.read_metadata(file).row_group(0).column(0)
    rows = column.data_page_offset + column.total_compressed_size
    assert data[rows:].count(plain.encode()) >= 4  # smallest and largest value, of the page and of the column
    file.write_bytes(data[:rows] + data[rows:].replace(plain.encode(), token.encode()))
    findings = privacy.scan(release, made)
    assert {(f.column, f.pattern) for f in findings} == {("metadata", "gitlab_token")}
    assert token not in str(findings)


def test_a_secret_in_a_columns_name_is_found_and_the_name_is_not_shown(copy):
    release, made = copy
    file = release / "data/traces/train-h000-of-001.parquet"
    token = planted(8)["npm_token"]
    table = pq.read_table(file)
    pq.write_table(table.append_column(token, pa.array([planted(9)["groq_key"]] * len(table))), file)
    findings = privacy.scan(release, made)
    assert {f.pattern for f in findings} == {"npm_token", "groq_key"}
    assert token not in str(findings)


@pytest.mark.parametrize("path", ["CHANGELOG.md", "release/recipe.toml", "release/manifest.json", "assets/lengths.svg"])
def test_a_secret_in_any_other_file_is_found_by_its_line(copy, path):
    release, made = copy
    (release / path).parent.mkdir(exist_ok=True)
    token = planted(9)["anthropic_key"]
    (release / path).write_text(f"<!-- a comment -->\n<text>{token}</text>\n")
    made = replace(
        made, files=[*made.files, manifest.File("assets/lengths.svg", 0, "")] if "svg" in path else made.files
    )
    assert [str(finding) for finding in privacy.scan(release, made)] == [f"{path}, line 2: anthropic_key"]


def test_a_secret_in_a_files_name_is_found_and_the_name_is_not_shown(copy):
    release, made = copy
    token = planted(9)["gitlab_token"]
    (release / f"{token}.md").write_text("harmless")
    made = replace(made, files=[*made.files, manifest.File(f"{token}.md", 8, "0" * 64)])
    findings = privacy.scan(release, made)
    assert {(f.column, f.pattern) for f in findings} == {("its name", "gitlab_token")}
    assert token not in str(findings)


def test_a_value_of_the_environment_in_a_cell_is_named_by_its_variable(tmp_path):
    row = attempt(90, 1, model="my-host-password-1")
    findings = privacy.scan(*release_with(tmp_path, row), secrets={"DB_PASSWORD": "host-password"})
    assert {(f.row, f.column, f.pattern) for f in findings} >= {("p90-1/0", "model", "the value of $DB_PASSWORD")}


def leaves(kind, name):
    """Every text within a type, by the name that a finding has, and a value that holds `text` there alone."""
    if pa.types.is_string(kind):
        yield name, lambda text: text
    elif pa.types.is_list(kind):
        yield from ((leaf, lambda text, of=of: [None, of(text)]) for leaf, of in leaves(kind.value_type, name))
    elif pa.types.is_struct(kind):
        for field in kind:
            for leaf, of in leaves(field.type, f"{name}.{field.name}"):
                yield leaf, lambda text, of=of, field=field: {field.name: of(text)}


@pytest.mark.parametrize("config", ["traces", "sft_verified"])
def test_a_secret_is_found_in_every_text_of_every_column(copy, config):
    release, made = copy
    schema = pa.schema([f.with_nullable(True) for f in record.schema(made.configs[config].schema).arrow])
    token = planted(11)["linear_key"]
    rows, wanted = [], set()
    for column in schema:
        for leaf, of in leaves(column.type, column.name):
            if leaf != "row_id":
                rows.append({"row_id": leaf, column.name: of(token)})
                wanted.add((leaf, leaf))
    assert len(wanted) >= 25
    pq.write_table(pa.Table.from_pylist(rows, schema), release / made.configs[config].files[0].path)
    findings = [f for f in privacy.scan(release, made) if f.file == made.configs[config].files[0].path]
    assert {(f.row, f.column) for f in findings} == wanted
    assert {f.pattern for f in findings} == {"linear_key"}


def test_columns_of_every_arrow_type_are_read(copy):
    release, made = copy
    token = planted(10)["age_key"]
    file = release / "data/traces/train-h000-of-001.parquet"
    rows = pq.read_table(file).num_rows
    for values in (
        pa.array([[(token, "x")]] * rows, pa.map_(pa.string(), pa.string())),
        pa.array([token] * rows).dictionary_encode(),
        pa.array([token.encode()] * rows),
        pa.array([None, [{"a": [token]}]] + [None] * (rows - 2)),
        pa.array([token] * rows, pa.large_string()),
    ):
        pq.write_table(pa.table({"row_id": pa.array(map(str, range(rows))), "x": values}), file)
        assert ("1", "age_key") in {(f.row, f.pattern) for f in privacy.scan(release, made)}
