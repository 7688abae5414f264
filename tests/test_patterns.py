"""The formats of secrets: what was planted is found in any wording, and ordinary text is let through."""

import json
import random
import time

import polars as pl
import pytest

from synthetic import privacy
from synthetic.privacy.patterns import PATTERNS
from tests.planted import found, planted


def nested(text):
    """Within JSON within JSON, as a tool's answer stands in a column of JSON."""
    return json.dumps({"result": json.dumps({"text": text})})


AROUND = {
    "alone": "{}",
    "in a sentence": "I set it to {} and ran it again.",
    "in JSON text": '{{"stdout": "ok\\n{}\\n"}}',
    "in code": "key = '{}'  # é∑",
}


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


def test_every_planted_value_is_found_in_json_within_json():
    values = planted(2)
    # What stands before a value must be its own text: here a quote does, or an escape.
    assert [name for name, value in values.items() if name not in found(nested(f"so:\n{value}"))] == []


@pytest.mark.parametrize("end", ["\\n", "\\\\n", "\r\n", "\n" + 12 * " ", "\n> ", '\\n"\n    "', "\n\t"])
def test_a_private_key_is_found_however_its_lines_end(end):
    assert found(planted(1)["private_key"].replace("\n", end)) == {"private_key"}


def test_a_header_of_a_key_that_goes_on_for_ever_takes_no_time():
    begun = time.process_time()
    assert found(("-----BEGIN PRIVATE " + "KEY-----\n" + 5000 * "a: ") * 20) == set()
    assert time.process_time() - begun < 2


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
    SECRET_KEY = 'django-insecure-4f8a7b2c9d1e3f5a6b7c8d9e0f1a2b3c'; api_key = settings_openai_default_key_v2_of_2024
    http://u:p4ssw0rd@[::1]:8000/ http://u:p4ssw0rd@0.0.0.0/ http://u:p4ssw0rd@127.0.1.1/ postgres:postgres123@db
    postgresql://postgres:postgres123@db:5432/app amqp://admin:admin1@rabbit mysql://root:root1234@db/x
    cache-key-d41d8cd98f00b204e9800998ecf8427e md5key-d41d8cd98f00b204e9800998ecf8427e disc-fc-1 SK-1 nvapi-key
    Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== and Basic dXNlcjpwYXNzd29yZA== and Basic YWRtaW46YWRtaW4=
    basic understanding, basic internationalization, basic abcdefabcdefabcdef; login admin password required
    the bearer: the_quick_brown_fox_jumps_over_13_lazy_dogs; Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW is of RFC 6749
"""


def test_look_alikes_are_let_through():
    lines = pl.Series([line.strip() for line in LOOK_ALIKES.strip().split("\n")])
    assert [(lines[line], pattern) for line, pattern in privacy.Search({}).hits(lines)] == []


def test_hashes_and_random_numbers_are_no_secrets():
    draw = random.Random(5)
    words = (
        f"{draw.getrandbits(bits):x} {draw.getrandbits(bits)}" for bits in (64, 128, 160, 256) for _ in range(2000)
    )
    assert found(" ".join(words)) == set()


def test_clean_text_passes_fast():
    draw = random.Random(1)
    words = ["together", "task-based", "the", "https://example.com/x", "password", "equation", "42", "risk-free", "so"]
    texts = pl.Series([" ".join(draw.choices(words, k=2000)) for _ in range(200)])
    begun = time.process_time()
    assert list(privacy.Search({}).hits(texts)) == []
    megabytes = sum(map(len, texts)) / 1e6
    # Traces take 90 MB/s; here every other word is a candidate, which costs most of it.
    assert megabytes / (time.process_time() - begun) > 2
