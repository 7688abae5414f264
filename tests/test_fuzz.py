"""A slice of the fuzzer: `python -m tests.fuzz --inputs 100000` runs as much as one likes."""

from tests import fuzz


def test_mutated_logs_are_captured_or_set_aside_and_nothing_else(tmp_path):
    said: list[object] = []
    assert fuzz.fuzz(600, 26, tmp_path / "failures", say=said.append) == [], said


def test_the_same_seed_makes_the_same_inputs(tmp_path):
    starts = fuzz.logs(fuzz.ROOT / "tests" / "logs" / "vf_eval_0_4_0")
    counts = [fuzz.batch(3, 1, starts, tmp_path / name) for name in ("one", "two")]
    files = [
        [path.read_bytes() for path in sorted((tmp_path / name).rglob("*")) if path.is_file()]
        for name in ("one", "two")
    ]
    assert counts[0] == counts[1] > 0
    assert files[0] == files[1]
