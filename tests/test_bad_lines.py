"""A bad line is data: set aside with its place and a reason, and no other line suffers."""

import json
import random
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import synthetic
from tests.episodes import captured, episode, episodes, node, only, rows, text, trace, write

LOGS = Path(__file__).parent / "logs"


def aside(done):
    """The lines set aside, in order."""
    return [json.loads(line) for path in done.quarantine for line in Path(path).read_text("utf-8").splitlines()]


def with_(path, value):
    """An episode with this value at a place in its first trace."""
    whole = episode("bad", trace("bad"))
    *outer, last = path
    place = whole["traces"][0]
    for key in outer:
        place = place[key]
    place[last] = value
    return whole


DEEP = "[" * 20_000 + "]" * 20_000

BAD = {
    "words": "not JSON",
    "cut": json.dumps(episode("bad"))[:-30],
    "a list": "[1, 2]",
    "a number": "3",
    "null": "null",
    "nothing": "{}",
    "Python": str(episode("bad", ok=None)),
    "nested too deeply": '{"id": "bad", "traces": [], "x": ' + DEEP + "}",
    "a very long integer": json.dumps(episode("bad", big=0)).replace('"big": 0', '"big": ' + "9" * 5000),
    "a step beyond 32 bits": episode("bad") | {"run": {"work": {"step": 2**31}}},
    "no trace id": with_(["id"], None),
    "a number as id": with_(["id"], 7),
    "an empty object as trace": episode("bad", traces=[{}]),
    "no nodes": episode("bad", traces=[{"id": "t", "rewards": {}}]),
    "a parent that comes later": episode("bad", trace("t", nodes=[node("user", "a", parent=1), node("user", "b")])),
    "its own parent": episode("bad", trace("t", nodes=[node("user", "a", parent=0)])),
    "a message without a role": with_(["nodes", 0, "message"], {"content": "x"}),
    "a finish reason that is a list": with_(["calls", 0, "finish_reason"], ["stop"]),
    "tokens beyond 32 bits": with_(["calls", 0, "usage", "completion_tokens"], 2**40),
    "cached tokens in words": with_(["calls", 0, "usage", "cached_input_tokens"], "many"),
    "a call that is no object": with_(["nodes", 1, "message", "tool_calls"], ["add"]),
    "a list as timing": with_(["timing"], [1]),
    "a number as errors": with_(["errors"], 3),
    "no id and no traces": episode("bad", traces=[]) | {"id": None},
    "NUL bytes": "\0" * 100,
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_set_aside_with_its_place_and_a_reason(tmp_path, name):
    bad = BAD[name] if isinstance(BAD[name], str) else json.dumps(BAD[name])
    before, after = text(episodes(1)), text(episodes(1, first=1))
    path = write(tmp_path / "run" / "traces.jsonl", [])
    path.write_bytes(before + bad.encode() + b"\n" + after)
    done = synthetic.capture(tmp_path / "run", into=tmp_path / "store")
    assert (done.captured, done.quarantined) == (2, 1)
    (line,) = aside(done)
    assert (line["run"], line["log_file"], line["log_offset"]) == ("run", "traces.jsonl", len(before))
    assert line["line"] == bad
    assert line["reason"]
    assert "/" not in line["reason"] or str(tmp_path) not in line["reason"]
    assert rows(tmp_path / "store")["trace_id"].to_list() == ["t0", "t1"]


def test_bytes_that_are_no_utf_8_are_set_aside_and_can_still_be_read(tmp_path):
    path = write(tmp_path / "run" / "traces.jsonl", [])
    bad = json.dumps(with_(["nodes", 1, "message", "content"], "CAFE")).encode().replace(b"CAFE", b"caf\xe9")
    path.write_bytes(text(episodes(1)) + bad + b"\n")
    (line,) = aside(synthetic.capture(tmp_path / "run", into=tmp_path / "store"))
    assert '"caf\\xe9"' in line["line"]
    assert "UTF-8" in line["reason"]


def test_an_integer_of_any_size_that_json_can_say_is_kept_as_it_is(tmp_path):
    row = only(captured(tmp_path, episode("e", seed=10**30)))
    assert json.loads(row["extra"])["seed"] == 10**30


def test_a_log_of_bad_lines_alone_is_captured_once(tmp_path):
    write(tmp_path / "run" / "traces.jsonl", ["bad", "worse"])
    first = synthetic.capture(tmp_path / "run", into=tmp_path / "store")
    assert (first.captured, first.quarantined, first.rows) == (0, 2, 0)
    again = synthetic.capture(tmp_path / "run", into=tmp_path / "store")
    assert (again.quarantined, again.seen_before) == (0, 2)
    assert rows(tmp_path / "store").is_empty()


# ---- anything, anywhere

LINES = [
    line
    for name in ("vf_eval_0_2_0", "vf_eval_0_4_0", "branches_0_4_0/panel")
    for line in (LOGS / name / "traces.jsonl").read_text("utf-8").split("\n")[:3]
    if line
]
ANYTHING: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        -1,
        2**31,
        2**63,
        2**64,
        1.5,
        -0.0,
        1e300,
        "",
        "x",
        "\ud800",
        [],
        [None],
        [[]],
        ["x"],
        [{}],
        {},
        {"x": {}},
    ]
) | st.recursive(st.none() | st.text(max_size=3), st.lists, max_leaves=5)


def places(value, path=()):
    """The path of every value within."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key)
        yield from places(each, (*path, key))


@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.data())
def test_no_value_in_any_place_stops_a_capture_or_spoils_another_line(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("any")
    seed = random.Random(data.draw(st.integers(0, 2**32)))
    changed = []
    for _ in range(50):
        line = json.loads(seed.choice(LINES))
        for place in seed.sample(list(places(line)), seed.randint(1, 2)):
            _change(line, place, seed, deepcopy(data.draw(ANYTHING)))  # a later change may put something into it
        changed.append(json.dumps(line))
    write(folder / "run" / "traces.jsonl", [*episodes(1), *changed, *episodes(1, first=1)])
    done = synthetic.capture(folder / "run", into=folder / "store")
    assert done.captured + done.quarantined == 52
    reasons = [line["reason"] for line in aside(done)]
    assert [reason for reason in reasons if not reason] == []
    assert {"t0", "t1"} <= set(rows(folder / "store")["trace_id"])


def _change(line, place, seed, value):
    *outer, last = place
    try:
        for key in outer:
            line = line[key]
        if isinstance(line, dict) and seed.random() < 0.3:
            del line[last]
        elif not isinstance(line, str):
            line[last] = value
    except (LookupError, TypeError):
        return  # an earlier change took the place away
