"""The gate before a push: finds what was planted, wherever it was planted, says nothing of ordinary text.

Every value is drawn at random here and put together from parts, so that no file of this repository holds one.
"""

import random
import string
import time

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

import synthetic
from synthetic import manifest, privacy
from synthetic.demo import demo
from synthetic.privacy.patterns import PATTERNS
from synthetic.resources import folder
from tests.releases import attempt, attempts, copied, store

B62, HEX = string.ascii_letters + string.digits, "0123456789abcdef"
UPPER, URL64 = string.ascii_uppercase + string.digits, string.ascii_letters + string.digits + "-_"


def planted(seed):
    """A value of every format, in the words that stand around it."""
    draw = random.Random(seed)

    def b62(n):
        return "".join(draw.choices(B62, k=n - 3)) + "a7Q"  # every kind of letter, as almost every real value has

    def hexa(n):
        return "".join(draw.choices(HEX, k=n))

    def upper(n):
        return "".join(draw.choices(UPPER, k=n))

    def url64(n):
        return "".join(draw.choices(URL64, k=n - 3)) + "a7Q"

    def digits(n):
        return "".join(draw.choices("123456789", k=n))

    return {
        "hugging_face_token": "hf_" + b62(34),
        "hugging_face_organization_token": "api_org_" + b62(34),
        "anthropic_key": "sk-ant-" + "api03-" + url64(93),
        "openai_project_key": "sk-" + "proj-" + url64(120),
        "openai_key": "sk-" + b62(48),
        "openrouter_key": "sk-or-" + "v1-" + hexa(64),
        "groq_key": "gsk_" + b62(52),
        "xai_key": "xai-" + b62(80),
        "replicate_token": "r8_" + b62(37),
        "perplexity_key": "pplx-" + b62(48),
        "prime_intellect_key": "pit_" + b62(64),
        "wandb_key_v1": "wandb_" + "v1_" + b62(60),
        "wandb_key": "WANDB_" + "API_KEY=" + hexa(40),
        "langsmith_key": "lsv2_" + "pt_" + hexa(32) + "_" + hexa(10),
        "pinecone_key": "pcsk_" + b62(6) + "_" + b62(60),
        "e2b_key": "e2b_" + hexa(40),
        "runpod_key": "rpa_" + upper(40),
        "kaggle_token": "KGAT_" + hexa(32),
        "model_provider_key": "COHERE_" + 'API_KEY = "' + b62(40) + '"',
        "github_token": draw.choice(["ghp_", "gho_", "ghs_"]) + b62(36),
        "github_fine_grained_token": "github_" + "pat_" + b62(22) + "_" + b62(59),
        "gitlab_token": "glpat-" + url64(20),
        "npm_token": "npm_" + b62(36),
        "package_index_token": "py" + "pi-" + "AgE" + url64(80),
        "rubygems_key": "rubygems_" + hexa(48),
        "docker_token": "dckr_" + "pat_" + url64(27),
        "postman_key": "PMAK-" + hexa(24) + "-" + hexa(34),
        "sentry_token": "sntrys_" + b62(80),
        "aws_key_id": draw.choice(["AKIA", "ASIA"]) + "".join(draw.choices(string.ascii_uppercase + "234567", k=16)),
        "aws_secret": "aws_" + "secret_access_key = " + b62(40),
        "google_api_key": "AIza" + url64(35),
        "google_oauth_secret": "GOCSPX-" + url64(28),
        "google_oauth_token": "ya29." + url64(60),
        "google_refresh_token": "1//0" + url64(60),
        "azure_storage_key": "AccountName=data;Account" + "Key=" + b62(86) + "==",
        "azure_client_secret": b62(3)[:3] + "8Q~" + b62(33),
        "digitalocean_token": "dop_" + "v1_" + hexa(64),
        "databricks_token": "dapi" + hexa(32),
        "heroku_or_cloudflare_key": "CLOUDFLARE_" + "API_TOKEN: " + url64(40),
        "heroku_token": "HRKU-" + b62(40),
        "vault_token": "hvs." + url64(90),
        "doppler_token": "dp.pt." + b62(43),
        "supabase_token": "sbp_" + hexa(40),
        "tailscale_key": "tskey-" + "auth-" + b62(12) + "-" + b62(32),
        "grafana_token": "glsa_" + b62(32) + "_" + hexa(8),
        "new_relic_key": "NRAK-" + upper(27),
        "slack_token": "xoxb-" + digits(12) + "-" + digits(12) + "-" + b62(24),
        "slack_webhook": "https://hooks.slack.com/" + "services/T" + upper(9) + "/B" + upper(9) + "/" + b62(24),
        "discord_webhook": "https://discord.com/api/" + "webhooks/" + digits(18) + "/" + url64(68),
        "discord_token": "discord.run('" + "M" + b62(25) + "." + b62(6) + "." + url64(38) + "')",
        "telegram_token": digits(10) + ":AA" + url64(33),
        "twilio_key": "SK" + hexa(32),
        "twilio_auth_token": "TWILIO_" + "AUTH_TOKEN=" + hexa(32),
        "sendgrid_key": "SG." + url64(22) + "." + url64(43),
        "mailgun_key": "key-" + hexa(32),
        "mailchimp_key": hexa(32) + "-us" + "21",
        "stripe_key": "sk_" + "live_" + b62(24),
        "stripe_webhook_secret": "whsec_" + b62(32),
        "shopify_token": "shpat_" + hexa(32),
        "square_token": "sq0csp-" + url64(43),
        "linear_key": "lin_" + "api_" + b62(40),
        "notion_token": "ntn_" + b62(46),
        "atlassian_token": "ATATT3" + url64(180) + "=" + upper(8),
        "json_web_token": "eyJ" + url64(30) + ".eyJ" + url64(90) + "." + url64(43),
        "private_key": "-----BEGIN "
        + "RSA PRIVATE KEY-----\n"
        + b62(64)
        + "\n"
        + b62(64)
        + "\n-----END RSA PRIVATE KEY-----",
        "putty_key": "PuTTY-User-" + "Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\n" + b62(48),
        "age_key": "AGE-" + "SECRET-KEY-1" + upper(58),
        "url_credentials": "postgres" + "://app:" + b62(16) + "@db.internal:5432/traces",
        "connection_string": "Server=db;User Id=app;Pass" + "word=" + b62(16) + ";Encrypt=true",
        "bearer_token": "Authorization: Bear" + "er " + url64(48),
        "assigned_secret": '"client_' + 'secret": "' + b62(40) + '"',
    }


AROUND = {
    "alone": "{}",
    "in a sentence": "I set it to {} and ran it again.",
    "in JSON text": '{{"stdout": "ok\\n{}\\n"}}',
    "in code": "key = '{}'  # é∑",
}


def found(text, **secrets):
    return {pattern for _, pattern in privacy.Search(secrets).hits(pl.Series([text]))}


def test_there_is_a_planted_value_for_every_pattern_and_there_are_enough():
    names = [pattern.name for pattern in PATTERNS]
    assert set(planted(0)) == set(names)
    assert len(set(names)) >= 40


@pytest.mark.parametrize("around", AROUND)
def test_every_planted_value_is_found(around):
    values = [(name, value) for seed in range(40) for name, value in planted(seed).items()]
    texts = pl.Series([AROUND[around].format(value) for _, value in values])
    hits = set(privacy.Search({}).hits(texts))
    assert [texts[number] for number, (name, _) in enumerate(values) if (number, name) not in hits] == []


def test_a_private_key_is_found_with_its_line_ends_escaped():
    assert found(planted(1)["private_key"].replace("\n", "\\n")) == {"private_key"}


LOOK_ALIKES = """
    import sklearn as sk  # sk-learn, scikit-learn, task-1234567890abcdef1234567890abcdef
    password = input("Password: ")
    password = os.environ["DB_PASSWORD"]; token = get_token(user_id=17, refresh=True); passwd=hash(pw1);
    api_key = "YOUR_API_KEY"; api_key=os.getenv("OPENAI_API_KEY_FOR_PRODUCTION_USE_2"); access_token = response.json()
    openai.api_key = "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    sk-1234567890abcdefghijklmnopqrstuvwxyz1234567890ab is what the manual prints
    AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
    write to user@example.com, see https://example.com:8080/path@version and git@github.com:org/name.git
    postgresql://user:password@localhost:5432/db mysql://root:root@127.0.0.1/db https://user:pass@example.com/
    redis://:${REDIS_PASSWORD}@cache:6379 amqp://guest:guest@rabbit mongodb://{user}:{password}@host
    commit 3f786850e387550fdab836ed7e6dc881de23001b md5 d41d8cd98f00b204e9800998ecf8427e
    sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
    uuid 123e4567-e89b-42d3-a456-426614174000 wandb run 3f786850e387550fdab836ed7e6dc881de23001b
    3.14159265358979323846264338327950288419716939937510 = pi, 2^127 - 1 = 170141183460469231731687303715884105727
    hf_hub_download, hf_transfer, hf_xet; github_pattern; key-value; npm_config_registry; rpa_; SG.1
    -----BEGIN PRIVATE KEY----- is how the header looks, -----BEGIN PUBLIC KEY-----
    a JSON Web Token is eyJhbGciOi….eyJzdWIiOi….signature; together with 12345678901234567890123456789012
    Authorization: Bearer <token>; Bearer $TOKEN; the bearer of a_very_long_identifier_in_snake_case_is_known
    discord = Discord(...); telegram 12:34:AAAA; data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAAC
    secret_key = base64.b64encode(os.urandom(32)).decode("ascii")[:32]
"""


def test_look_alikes_are_let_through():
    lines = pl.Series([line.strip() for line in LOOK_ALIKES.strip().split("\n")])
    assert [(lines[line], pattern) for line, pattern in privacy.Search({}).hits(lines)] == []


def test_the_demos_run_and_its_release_hold_no_secret(tmp_path):
    logs = pl.Series([path.read_text("utf-8") for path in (folder("pipelines") / "demo").rglob("*.jsonl")])
    assert list(privacy.Search({}).hits(logs)) == []
    demo(tmp_path / "release")
    assert privacy.scan(tmp_path / "release", manifest.read(tmp_path / "release")) == []


def test_hashes_and_random_numbers_are_no_secrets():
    draw = random.Random(5)
    words = (
        f"{draw.getrandbits(bits):x} {draw.getrandbits(bits)}" for bits in (64, 128, 160, 256) for _ in range(2000)
    )
    assert found(" ".join(words)) == set()


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
        "TOKENIZERS_PARALLELISM": "disabled",
        "MONKEY": "not a key",
    }
    assert privacy.secret_values(environment) == {
        "HF_TOKEN": "abcdefgh",
        "PRIME_API_KEY": "a long value",
        "DB_PASSWORD": "12345678",
        "MY_SECRET_THING": "padded value",
    }


@pytest.mark.parametrize("form", ['it is p/ss w"rd!', 'said \\"it is p/ss w\\"rd!\\"', "?x=p%2Fss%20w%22rd%21&"])
def test_a_value_of_the_environment_is_found_as_it_is_and_escaped(form):
    assert found(form, MY_SECRET='p/ss w"rd!') == {"the value of $MY_SECRET"}


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


def test_clean_text_passes_fast():
    draw = random.Random(1)
    words = ["together", "task-based", "the", "https://example.com/x", "password", "equation", "42", "risk-free", "so"]
    texts = pl.Series([" ".join(draw.choices(words, k=2000)) for _ in range(200)])
    begun = time.process_time()
    assert list(privacy.Search({}).hits(texts)) == []
    megabytes = sum(map(len, texts)) / 1e6
    # The target is 10 MB/s on text; here every other word is a candidate, which costs most of it.
    assert megabytes / (time.process_time() - begun) > 1
