"""Lines are decoded in one scan where that loses nothing, and then it gives what taking them apart gives."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthetic.formats.episode import TOKENS, at_once, decoded, level_by_level
from synthetic.formats.format import BadLine
from synthetic.formats.line import repaired
from tests.episodes import captured, episode, node, task, trace
from tests.rebuild import rebuilt, without_tokens

LOGS = Path(__file__).parent / "logs"
SAMPLES = Path(__file__).parent.parent.parent / "shared" / "samples"
ROLLOUTS = sorted(
    path
    for top in (LOGS, SAMPLES)
    for pattern in ("**/traces.jsonl", "**/stream/*.jsonl")
    for path in top.glob(pattern)
)


def exact(decoded_line):
    """What was decoded, so that 1, 1.0 and true are three values and keys have an order."""
    return msgspec.json.encode(decoded_line, order="sorted")


def compact(line: Any, **layout: Any) -> bytes:
    """The line as logs have it, or laid out otherwise."""
    settings: dict[str, Any] = {"separators": (",", ":"), "ensure_ascii": False} | layout
    return json.dumps(line, **settings).encode("utf-8", "replace")


ARRAYS = {"token_ids": [5, 6], "mask": [True, False], "logprobs": [-0.5, 1e-7]}
PLAIN = episode("e", trace("t", nodes=[node("user", "q") | ARRAYS, node("assistant", "ä\n→", parent=0) | ARRAYS]))


@pytest.mark.parametrize("path", ROLLOUTS, ids=lambda path: "/".join(path.parts[-6:]))
def test_every_real_line_is_decoded_in_one_scan(path):
    for line in path.read_bytes().split(b"\n"):
        try:
            expected = level_by_level(line)
        except (BadLine, msgspec.DecodeError):
            assert at_once(line) is None
        else:
            assert exact(at_once(line)) == exact(expected)


def test_token_arrays_are_left_out():
    for line in (compact(PLAIN), compact(PLAIN, indent=1)):
        assert not any(TOKENS & each.keys() for each in decoded(line)["traces"][0]["nodes"])


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ('"ok":true', '"ok":false,"ok":true'),
        ('"token_ids":[5,6]', '"token_ids":[5],"token_ids":[5,6]'),
        ('"mask":[true,false]', '"mask":[true],"mask":[true,false]'),
        ('"content":"q"', '"content":"x","content":"q"'),
        ('"reward', '"new":1,"reward'),
        ('"parent":0', '"parent":0,"other_arrays":[1,2]'),
        ('"content":"q"', '"cont\\u0065nt":"q"'),
        ('"length":3.0', '"length":3.00'),
        ('"group":', '"nodes":[],"group":'),
        ('"traces":', '"traces" :'),
        ('"info":{}', f'"info":{"[" * 70 + "]" * 70}'),
        ('"info":{}', '"info":{"a":1,"token_ids":[5,6]}'),
        ('"content":"q"', '"content":"q","token_ids":[0]'),
        ('"logprobs":[-0.5,', '"logprobs":[NaN,'),
        ('"logprobs":[-0.5,', '"logprobs":[-Infinity,'),
        ('"token_ids":[5,6],"mask"', '"token_ids":[5,6{"mask"'),
    ],
)
def test_a_line_in_which_something_would_be_missed_is_taken_apart(was, now):
    text = compact(PLAIN).decode()
    assert at_once(text.encode()) is not None
    assert was in text
    assert at_once(text.replace(was, now, 1).encode()) is None


@pytest.mark.parametrize("array", ["[]", "[0]", "[5]", "[[5],[6]]", '["5]","6"]', "[{}]", "null", "7"])
def test_a_token_array_of_any_shape_is_left_out_and_what_stands_beside_it_is_kept(array):
    text = compact(PLAIN).decode()
    for name, was in ARRAYS.items():
        line = text.replace(f'"{name}":{compact(was).decode()}', f'"{name}":{array}', 1).encode()
        assert line != text.encode()
        assert exact(decoded(line)) == exact(level_by_level(text.encode()))


def test_words_about_token_arrays_stay_words():
    said = 'x,"token_ids":[1,2],"mask":[true]'
    line = compact(episode("e", trace("t", nodes=[node("user", said) | ARRAYS, node("assistant", said, parent=0)])))
    for found in (at_once(line), level_by_level(line)):
        assert found is not None
        assert [each["message"]["content"] for each in found["traces"][0]["nodes"]] == [said, said]


def test_what_lines_repeat_is_read_anew_where_it_changes(tmp_path):
    later = {"type": "train", "id": "r0", "work": {"type": "train", "step": 2, "policy": {"start": 1, "end": 1}}}
    other = task(answer="5")
    lines = [
        episode("a", trace("a", task=task())),
        episode("b", trace("b", task=other), task=other, run=later),
        episode("c", trace("c", task=task())),
    ]
    rows = captured(tmp_path, *lines).sort("trace_id")
    assert rows["ground_truth"].to_list() == ["4", "5", "4"]
    assert rows["step"].to_list() == [1, 2, 1]
    left = [json.loads(extra) for extra in rows["extra"]]
    for name in ("task", "run", "env"):
        assert left[0][name] == left[2][name]
    assert [rebuilt([row]) for row in rows.to_dicts()] == [without_tokens(line) for line in lines]


def test_agents_are_told_apart_and_what_they_hold_is_kept_in_order_and_size(tmp_path):
    agents = [
        {"name": name, "config": {"z": size, "model": name, "a": 1.5}, "trainable": trained}
        for name, size, trained in (("one", 10**30, True), ("two", 7, False), ("one", 10**30, True))
    ]
    lines = [episode(str(i), trace(str(i), agent=agent, calls=[])) for i, agent in enumerate(agents)]
    rows = captured(tmp_path, *lines).sort("trace_id")
    assert rows["agent"].to_list() == rows["model"].to_list() == ["one", "two", "one"]
    assert rows["trainable"].to_list() == [True, False, True]
    assert '"agent":{"config":{"a":1.5,"model":"one","z":1000000000000000000000000000000}' in rows["extra"][0]
    assert [rebuilt([row])["traces"][0]["agent"] for row in rows.to_dicts()] == agents


KEYS = st.sampled_from(["id", "task", "nodes", "message", "traces", "mask", "new", "ok", ""]) | st.text(max_size=2)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
ODD = st.dictionaries(KEYS, JSON, max_size=3)
LAYOUTS = st.sampled_from([{}, {"ensure_ascii": True}, {"separators": (", ", ": ")}])


@given(st.tuples(ODD, ODD, ODD, ODD), LAYOUTS, st.booleans(), st.tuples(KEYS, KEYS))
def test_odd_keys_and_values_are_read_the_same_both_ways(odd, layout, bare, renamed):
    first, last = node("user", "q") | ARRAYS | odd[0], node("assistant", "a", parent=0)
    last["message"] |= odd[1]
    one = trace("t", nodes=[first, last]) | odd[2]
    line = compact(one if bare else episode("e", one) | odd[3], **layout)
    was, now = (json.dumps(key).encode("utf-8", "replace") + b":" for key in renamed)
    line = line.replace(was, now)
    for text in (line, mended(line)):
        quick = at_once(text)
        if quick is not None:
            assert exact(quick) == exact(level_by_level(text))


def mended(line):
    """The line as it is read where strict JSON fails, or as it is."""
    try:
        return repaired(line)[0]
    except BadLine:
        return line
