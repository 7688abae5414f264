"""Charts of the analysis scripts in `pipelines/`: what is drawn, in which files, and whether it can be read."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import synthetic
from synthetic.errors import SyntheticError
from synthetic.record import record

PIPELINES = Path(__file__).parent.parent / "pipelines"
sys.path.insert(0, str(PIPELINES))  # scripts, and no package
training = importlib.import_module("training")
report = importlib.import_module("report")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The bundled run."""
    (run,) = (PIPELINES / "demo" / "run").iterdir()
    folder = tmp_path_factory.mktemp("charts")
    synthetic.capture(run, into=folder / "store")
    return folder / "store"


def attempts(steps, **columns):
    """Two attempts at each step, of one environment; a value of each column for either."""
    told = []
    for step in steps:
        for n in (0, 1):
            row = {"row_id": f"{step}-{n}/0", "trace_id": f"{step}-{n}", "branch": 0, "kind": "train"}
            told.append(row | {"env_id": "sums", "step": step} | {name: held[n] for name, held in columns.items()})
    return pl.LazyFrame(told, schema=record().polars)


def written(traces, name, folder):
    """Every text in one chart of training, as its .svg has it."""
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    drawn = training.charts(training.curves(traces).collect(), "step", ["env_id"])
    report.save({name: drawn[name]}, folder)
    return re.findall(r"<text[^>]*>([^<]*)</text>", (folder / f"{name}.svg").read_text("utf-8"))


@pytest.mark.parametrize(
    ("first", "last", "places"),
    [
        (1, 3, [1, 2, 3]),
        (4, 4, [4]),
        (0, 6, [0, 1, 2, 3, 4, 5, 6]),
        (1, 12, [2, 4, 6, 8, 10, 12]),
        (3, 1000, [200, 400, 600, 800, 1000]),
        (995, 1005, [996, 998, 1000, 1002, 1004]),
    ],
)
def test_ticks_stand_at_few_whole_and_round_numbers(first, last, places):
    assert report.whole_ticks(pl.Series([last, first, first])) == places


def test_a_run_of_three_steps_has_each_of_them_once_below_it(tmp_path):
    texts = written(attempts([1, 2, 3], reward=(0.6, 0.7)), "reward", tmp_path)
    assert [text for text in texts if text in ("1", "2", "3")] == ["1", "2", "3"]


def test_axes_have_titles(tmp_path):
    texts = written(attempts([1, 2, 3], completion_tokens=(300, 500)), "length", tmp_path)
    assert {"training step", "tokens", "sums", "Completion tokens of an attempt, by training step"} <= set(texts)


@pytest.mark.parametrize(
    ("name", "column", "values", "label"),
    [
        ("reward", "reward", (0.6, 0.7), "0.65"),
        ("reward", "reward", (0.0, 10.0), "5"),
        ("length", "completion_tokens", (100, 400), "200"),
        ("length", "completion_tokens", (1000, 5000), "4,000"),
    ],
)
def test_numbers_are_written_as_people_write_them(tmp_path, name, column, values, label):
    texts = written(attempts([1, 2], **{column: values}), name, tmp_path)
    assert label in texts
    assert not [text for text in texts if re.fullmatch(r"[\d.]+(?:e[+-]?\d+|[mkμ])", text)]


def test_lag_that_is_0_everywhere_stands_on_the_axis_of_a_scale(tmp_path):
    texts = written(attempts([5, 6], policy_start=(3, 3), policy_end=(3, 3)), "drift", tmp_path)
    assert [text for text in texts if re.fullmatch(r"[\d.]+", text)] == ["5", "6", "0", "1"]


@pytest.mark.parametrize("script", ["training", "duplicates"])
def test_without_the_extra_a_chart_names_it_and_the_numbers_still_come(script, store, tmp_path):
    # A module that Python is told not to have.
    (tmp_path / "altair.py").write_text("raise ImportError('no altair')\n", "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, str(PIPELINES / f"{script}.py"), str(store)]
    for more, code in (([], 0), (["--plot", str(tmp_path / "chart.svg")], 1)):
        done = subprocess.run([*command, *more], capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == code
        assert ("pip install 'synthetic-traces[plots]'" in done.stderr) == (code == 1)


@pytest.mark.parametrize(
    ("script", "names"),
    [("training", {"reward", "length", "truncated", "staleness", "drift"}), ("duplicates", {"copies", "drops"})],
)
def test_charts_are_written_one_file_or_many(script, names, store, tmp_path, capsys):
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    picture, folder = tmp_path / "all.png", tmp_path / "charts"
    command = [sys.executable, "-W", "error", str(PIPELINES / f"{script}.py"), str(store), "--plot", str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.rstrip().endswith(f"wrote {picture}")
    assert picture.read_bytes().startswith(b"\x89PNG")
    # In this process, because the library that draws takes seconds to start.
    main = importlib.import_module(script).main
    written = []
    for _ in range(2):
        assert main([str(store), "--plot", str(folder), "--json"]) == 0
        assert {Path(file).stem for file in json.loads(capsys.readouterr().out)["plots"]} == names
        written.append({path.name: path.read_text("utf-8") for path in folder.iterdir()})
    assert written[0] == written[1]
    assert written[0].keys() == {f"{name}.svg" for name in names}
    assert all("<svg" in text and ">estimates</text>" in text for text in written[0].values())


def test_what_has_no_step_is_not_drawn_and_that_is_said():
    pytest.importorskip("altair")
    found = pl.concat([attempts([1], reward=(1.0, 1.0)), attempts([None], completion_tokens=(5, 5))])
    found = training.curves(found).collect()
    assert set(training.charts(found, "step", ["env_id"])) == {"reward"}
    nowhere = training.curves(attempts([None], reward=(1.0, 1.0))).collect()
    with pytest.raises(SyntheticError, match="nothing to draw"):
        report.save(training.charts(nowhere, "step", ["env_id"]), Path("chart.svg"))


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", [report.INK, *report.COLOURS])
def test_every_colour_can_be_seen_on_white_and_on_near_black(colour):
    white, black = 1.05 / (luminance(colour) + 0.05), (luminance(colour) + 0.05) / (luminance("#0d1117") + 0.05)
    assert min(white, black) > (4.3 if colour == report.INK else 3.5)
