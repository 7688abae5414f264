"""An object with a key twice says different things to different readers: such a line is set aside, and no other one."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import synthetic
from synthetic.formats.format import BadLine
from synthetic.formats.line import fields, objects, value
from tests.episodes import episode, trace, write

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
LAYOUTS: tuple[dict[str, Any], ...] = (
    {"separators": (",", ":")},
    {"separators": (",", ":"), "ensure_ascii": False},
    {},
    {"indent": 1},
)


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4), st.sampled_from(LAYOUTS))
def test_no_object_is_refused_however_it_is_laid_out(given_object, layout):
    raw = json.dumps(given_object, **layout).encode("utf-8", "backslashreplace")
    assert fields(raw).keys() == given_object.keys()
    assert value(raw) == given_object
    assert [each.keys() for each in objects(b"[" + raw + b"," + raw + b"]")] == [given_object.keys()] * 2


@given(JSON, JSON, st.sampled_from(LAYOUTS), st.sampled_from(['{{"a":{0},"a":{1}}}', '{{"a" : {0} , "b":1,"a":{1}}}']))
def test_a_key_twice_is_found_at_every_depth(one, other, layout, shape):
    one, other = (json.dumps(each, **layout) for each in (one, other))
    raw = shape.format(one, other)
    deep = f'{{"x":[{raw}]}}'
    for read, text in ((fields, raw), (value, raw), (value, deep), (objects, f"[{raw}]")):
        with pytest.raises(BadLine, match="the key 'a' stands twice in an object"):
            read(text.encode())


def test_an_escaped_key_is_the_same_key():
    with pytest.raises(BadLine, match="stands twice"):
        value(rb'{"a":1,"\u0061":2}')


def test_a_number_with_another_spelling_is_no_reason():
    assert value(b'{"a":1E5,"b":-0,"c":1.50}') == {"a": 100000.0, "b": 0, "c": 1.5}
    assert fields(msgspec.Raw(b' {"a" : 1 } ')).keys() == {"a"}


@pytest.mark.parametrize(
    ("was", "twice"),
    [
        ('"score": 1.0', '"score": 0.0, "score": 1.0'),
        ('"ok": true', '"ok": false, "ok": true'),
        ('"content": "What', '"content": "x", "content": "What'),
        ('"rewards": {', '"rewards": {"correct": {"score": 0.0, "weight": 1.0}}, "rewards": {'),
        ('"traces": [', '"traces": [], "traces": ['),
        ('"model": "reasoner-1b"', '"model": "other", "model": "reasoner-1b"'),
    ],
)
def test_a_line_with_a_key_twice_is_set_aside(tmp_path, was, twice):
    good, bad = json.dumps(episode("good", trace("g"))), json.dumps(episode("bad", trace("b")))
    assert was in bad
    write(tmp_path / "run" / "traces.jsonl", [good, bad.replace(was, twice, 1), bad])
    done = synthetic.capture(tmp_path / "run", into=tmp_path / "store")
    assert (done.captured, done.quarantined) == (2, 1)
    (aside,) = (json.loads(line) for path in done.quarantine for line in Path(path).read_text("utf-8").splitlines())
    assert "stands twice in an object" in aside["reason"]


def test_a_key_twice_beside_a_value_that_is_repaired_is_found(tmp_path):
    line = json.dumps(episode("bad", trace("b"))).replace('"score": 1.0', '"score": NaN, "score": 1.0')
    write(tmp_path / "run" / "traces.jsonl", [line])
    assert synthetic.capture(tmp_path / "run", into=tmp_path / "store").quarantined == 1
