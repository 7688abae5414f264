"""What a log may say and a release may not repeat."""

import pytest

from synthetic.formats.private import masked, public_errors, public_name


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("Cannot connect to host api.acme.io:443 ssl:default", "Cannot connect to host [address] ssl:default"),
        ("server node7:80", "server [address]"),
        ("see //nas/share/alice/x", "see [path]"),
        (r"\\nas\share\alice", "[path]"),
        ("at ::1 and 2001:db8::1:8000", "at [address] and [address]"),
        ("host gpu17.mycluster.company.com", "host [address]"),
        ("open 'data/alice/secret.json'", "open '[path]'"),
        ("couldn't open b'data/alice/secret.json'", "couldn't open b'[path]'"),
        ("$HOME/.cache/hf", "[path]"),
        ("in </home/alice/x.py>", "in <[path]>"),
        ("'/home/alice/My Documents/secret plan.txt'", "'[path]'"),
        ("alice@corp.com", "[address]"),
        ("OPENAI_API_KEY=abc", "[secret]"),
        ("key sk-" + "proj-abc123", "key [secret]"),
    ],
)
def test_what_points_into_somebodys_machine_is_masked(text, public):
    assert masked(text) == public


@pytest.mark.parametrize(
    "text",
    [
        "expected 3 of 4 values, got 2.5",
        "HTTP 503",
        "ValueError: x is not 1/2",
        "std::vector",
        "It isn't 1/2, doesn't fit",
    ],
)
def test_ordinary_words_stay(text):
    assert masked(text) == text


@pytest.mark.parametrize(
    ("name", "public"),
    [
        ("org/env", "org/env"),
        ("user-sim+rg_trace", "user-sim+rg_trace"),
        ("env@1.2", "env@1.2"),
        ("C:/Users/alice/m", "m"),
        ("file:/a/b", "b"),
        ("alice@host:/m", "m"),
        ("/home/alice/envs/x", "x"),
        ("$HOME/x", "x"),
        ("http://10.0.0.1/x", "x"),
    ],
)
def test_of_a_path_only_the_last_part_is_a_name(name, public):
    assert public_name(name) == public


def test_the_type_of_an_error_stays_as_it_is():
    (error,) = public_errors([{"type": "verifiers.v1.errors.ProviderError", "message": "no", "traceback": "x"}])
    assert error == {"type": "verifiers.v1.errors.ProviderError", "status_code": None, "message": "no"}
