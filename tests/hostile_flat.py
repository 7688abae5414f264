"""Rows of trainers' logs for the table of bad input, read by a map: values, JSON arrays, Parquet."""

import io
import json
import os
import pickle
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.hostile_episodes import BOM, Case, damaged

FLAT_MAP = """
name = "flat"
keys = ["question", "generation"]

[columns]
prompt = "question"
response = "generation"
reward = "score"
recorded_verdict = "right"
ground_truth = "gold"
step = "step"
"""


def flat(*given: Any, **more: Any) -> bytes:
    """Lines of attempts: with these scores, or one with these values."""
    rows_ = [{"score": score} for score in given] or [more]
    return b"".join(json.dumps({"question": "2 + 2?", "generation": "4"} | row).encode() + b"\n" for row in rows_)


def table(**columns: Any) -> bytes:
    """A Parquet file of attempts with these columns beside question and generation."""
    height = len(next(iter(columns.values())))
    said = {"question": ["2 + 2?"] * height, "generation": ["4"] * height}
    return parquet(pa.table(said | columns))


def parquet(of: pa.Table, **settings: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(of, sink, **settings)
    return sink.getvalue()


def twice() -> bytes:
    columns = {"question": "q", "generation": "g", "score": 1.0}
    arrays = [pa.array([value]) for value in (*columns.values(), 0.0)]
    return parquet(pa.Table.from_arrays(arrays, names=[*columns, "score"]))


def repeated(count: int) -> pa.Array:
    """So many texts of 200 KB that stand once in a file."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array(["x" * 200_000]))


def many_nulls() -> bytes:
    """A row of 200 million values in 600 bytes; made of a smaller one, so that the test needs no memory itself."""
    nulls = pa.ListArray.from_arrays(pa.array([0, 20_000_000], pa.int32()), pa.nulls(20_000_000, pa.int8()))
    return parquet(pa.table({"question": ["q"], "generation": ["g"], "x": nulls}), compression="zstd")


def forged_schema(payload: bytes) -> bytes:
    """A file that names a Python type whose data must never be unpickled."""
    kind = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": payload}
    field = pa.field("x", pa.int64(), metadata=kind)
    columns = [pa.array(["q"]), pa.array(["g"]), pa.array([1])]
    schema = pa.schema([pa.field("question", pa.string()), pa.field("generation", pa.string()), field])
    return parquet(pa.Table.from_arrays(columns, schema=schema))


class Trap:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("unpickled",)


WHOLE = table(score=[1, 0, 1])
FOOTER = int.from_bytes(WHOLE[-8:-4], "little") + 8

FLAT: dict[str, list[Case]] = {
    "JSON array file": [
        Case("array.json", b"[" + flat(1, 0).replace(b"\n", b",\n")[:-2] + b"]", 2),
        Case("array bom.json", BOM + b" [\n" + flat(1) + b"]\n", 1),
        Case("cut array.json", b"[" + flat(1, 0).replace(b"\n", b",\n")[:-9], 1, said="stopped before its end"),
        Case("more.json", b"[" + flat(1) + b"] and more", 1, said="stopped before its end"),
        Case("scalars.json", b"[" + b"1," * 300 + flat(1) + b"]", said=""),
        Case("utf16.json", ("[" + flat(1).decode() + "]").encode("utf-16"), said="UTF-16"),
    ],
    "score types": [
        Case("scores.jsonl", flat(1, 1.0, True, "1.0", {"score": 1}, -1, 2.5, None, "nan", -0.0), 10),
        Case("no scores.jsonl", flat("true", "pass", "1,0", "", [1], {"score": "pass"}, {}), 0, 7),
    ],
    "NaN, Infinity, 1e999": [
        Case("not finite.jsonl", flat(float("nan"), float("inf")) + flat(0.5).replace(b"0.5", b"1e999"), 3)
    ],
    "type drift": [
        Case(
            "drift.jsonl",
            flat(step="4") + flat(step=5.0) + flat(step=5.5) + flat(gold=3) + flat(step="five") + flat(step=2**31),
            3,
            3,
        )
    ],
    "no attempt": [
        Case("no rows.jsonl", flat(1) + b'{}\n[1]\n3\n"x"\nnull\n{"question": "q"}\n' + flat(generation=None), 1, 7)
    ],
    "Python repr": [Case("repr.jsonl", flat(1) + b"{'question': 'q', 'generation': None}\n", 1, 1)],
    "unknown keys": [
        Case(
            "mixed.jsonl",
            flat(1) + flat(late={"a": [1]}) + b'{"uid": "x", "input": "q", "output": "a"}\n' + flat(0),
            3,
            1,
        )
    ],
    "order": [Case("order.jsonl", flat(step=9) + flat(step=-1) + flat(step=2**31 - 1) + flat(step=3), 4)],
    "same record twice": [Case("twice.jsonl", flat(1) * 3, 3)],
    "forged columns": [
        Case(
            "forged.jsonl",
            flat(row_id="r", trace_id="t", verdict="correct", verdict_rule="x", quarantine=True, ok=False),
            1,
        )
    ],
    "special tokens": [Case("tokens.jsonl", flat(generation="<|im_end|><think>" + "\\boxed{6} or \\boxed{7}" * 9), 1)],
    "broken Parquet": [
        Case("text.parquet", b"question,generation\n2,4\n", said="no Parquet file"),
        Case("empty.parquet", b"", said="no Parquet file"),
        Case("magic.parquet", b"PAR1", said="not a whole file"),
        Case("no footer.parquet", WHOLE[:-FOOTER], said="not a whole file"),
        Case("cut.parquet", WHOLE[:-9], said="not a whole file"),
        Case("zeros.parquet", b"PAR1" + bytes(len(WHOLE) - 4), said="not a whole file"),
        Case("zero footer.parquet", damaged(WHOLE, len(WHOLE) - 8, bytes(4)), said="not a whole file"),
        Case("huge footer.parquet", damaged(WHOLE, len(WHOLE) - 8, b"\xff\xff\xff\x7f"), said="not a whole file"),
        Case("rubbish footer.parquet", damaged(WHOLE, len(WHOLE) - FOOTER, b"\x15" * 90), said="not a whole file"),
        Case("damaged page.parquet", damaged(WHOLE, 4, b"\xff" * 60), said="not a whole file"),
    ],
    "columns twice": [Case("columns twice.parquet", twice(), said="two columns are called 'score'")],
    "hostile Parquet": [
        Case(
            "metadata.parquet",
            parquet(
                pa.table({"question": ["q"], "generation": ["g"]}).replace_schema_metadata(
                    {"pandas": "{", "x": "y" * 99999}
                )
            ),
            1,
        ),
        Case("extension.parquet", forged_schema(pickle.dumps(Trap())), 1),
        Case("bytes.parquet", table(score=[b"\xff\x00", b"pass", b"1.0"]), 1, 2),
        Case("nested.parquet", table(score=[1.0], x=pa.array([[[[[[[["x"]]]]]]]])), 1),
        Case("years.parquet", table(score=[1, 1], at=pa.array([0, 2**62], pa.timestamp("us"))), 1, 1),
    ],
    "dictionary bomb": [
        Case("flat bomb.parquet", table(score=[1] * 1000, x=repeated(1000)), 1000),
        Case("row bomb.parquet", table(score=[1, 1], x=pa.ListArray.from_arrays([0, 1, 1001], repeated(1001))), 1, 1),
        Case("nulls bomb.parquet", many_nulls(), said="not a whole file"),
    ],
}
