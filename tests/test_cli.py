"""The command line as a user runs it: output, exit codes, and one clear line for every mistake."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import synthetic
from synthetic.cli import main
from tests.episodes import episodes, log, write
from tests.releases import LOGS, ROOT, RUN, attempt, attempts, beside, command, first_shard, store, tree

EVALUATION = LOGS / "vf_eval_0_4_0"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store `s` and its release `r`."""
    folder = tmp_path_factory.mktemp("made")
    synthetic.release(store(folder / "s"), to=folder / "r")
    return folder


@pytest.fixture
def here(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(made)
    return made


def run(capsys: Any, *arguments: object) -> tuple[int, str, str]:
    """A command line in this process: exit code, stdout, stderr."""
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


# ---- what a user sees


def test_export_shows_balance_funnel_traces_warnings_recipe_and_what_is_next(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "export", RUN, "--to", "my-release")
    assert (code, err) == (0, "")
    assert beside(tmp_path) == ["my-release", "my-release.store"]
    lines = out.splitlines()
    told = iter(lines)
    for text in (
        "captured  ",
        "lines seen = ",
        "released  my-release 1.0.0",
        "  sft_verified  ",
        "    kept",
        "  kept: ",
        "  dropped: ",
        "  ! ",
        "a recipe for what was captured",
        '  name = "my-release"',
        "next",
        "  synthetic check my-release",
    ):
        assert any(text in line for line in told), text  # in this order
    seen = [int(word.replace(",", "")) for word in lines[1].split() if word.isdigit()]
    assert seen[0] == sum(seen[1:])
    assert [line for line in lines if line != line.rstrip()] == []
    assert max(map(len, lines)) <= 160


def test_exporting_twice_says_unchanged_and_changes_no_byte(tmp_path, capsys):
    run(capsys, "export", RUN, "--to", tmp_path / "r")
    before = tree(tmp_path)
    code, out, _ = run(capsys, "export", RUN, "--to", tmp_path / "r")
    assert code == 0
    assert "(unchanged)" in out
    assert " = 0 captured + 0 quarantined + " in out
    assert tree(tmp_path) == before


def test_the_recipe_that_export_prints_works(tmp_path, capsys):
    _, out, _ = run(capsys, "export", RUN, "--to", tmp_path / "r", "--json")
    (tmp_path / "mine.toml").write_text(json.loads(out)["release"]["recipe"])
    before = tree(tmp_path / "r" / "data")
    made = ["release", tmp_path / "r.store", "--to", tmp_path / "r", "--recipe", tmp_path / "mine.toml"]
    assert run(capsys, *made)[0] == 0
    assert tree(tmp_path / "r" / "data") == before


def test_undecided_rows_are_shown_with_the_lines_that_would_decide_them(tmp_path, capsys):
    graded = [
        attempt(5, i, recorded_verdict=None, rewards=[{"name": "near", "score": i / 9, "weight": 1.0}], reward=i / 9)
        for i in range(1, 7)
    ]
    store(tmp_path / "s", [*attempts(2), *graded])
    _, out, _ = run(capsys, "release", tmp_path / "s", "--to", tmp_path / "r")
    assert "undecided: 6 rows of sums; rewards from 0.111 " in out
    assert '    [env."sums"]\n    correct = "near >' in out


VERBS: dict[str, list[str | Path]] = {
    "release": ["release", "s", "--to", "r"],
    "dry run": ["release", "s", "--to", "r", "--dry-run"],
    "capture": ["capture", RUN, "--into", "captured"],
    "filter": ["filter", "s", "--where", "reward > 0.5"],
    "dedupe": ["dedupe", "s"],
    "show": ["show", "s"],
    "show release": ["show", "r", "p1-3"],
    "stats": ["stats", "s"],
    "stats release": ["stats", "r", "--by", ""],
    "check": ["check", "r"],
    "check store": ["check", "s"],
    "formats": ["formats"],
    "export": ["export", RUN, "--to", "exported"],
    "failure": ["show", "nothing"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_json_is_one_object_and_nothing_else(here, capsys, verb):
    code, out, _ = run(capsys, *VERBS[verb], "--json")
    assert code == (verb == "failure")
    assert isinstance(json.loads(out), dict)
    assert len(out.splitlines()) == 1


@pytest.mark.parametrize("verb", VERBS)
def test_without_json_something_readable_is_said(here, capsys, verb):
    code, out, err = run(capsys, *VERBS[verb])
    assert code == (verb == "failure")
    assert (err if verb == "failure" else out).strip()
    assert "\x1b" not in out + err


def test_a_dry_run_writes_nothing(tmp_path, capsys):
    store(tmp_path / "s")
    code, out, _ = run(capsys, "release", tmp_path / "s", "--to", tmp_path / "r", "--dry-run")
    assert code == 0
    assert "dry run: nothing was written" in out
    assert beside(tmp_path) == ["s"]


def test_what_does_not_hold_is_exit_code_1(made, tmp_path, capsys):
    (tmp_path / "s" / "shards").mkdir(parents=True)
    (tmp_path / "s" / "shards" / "000000000000.parquet").write_bytes(b"PAR1")
    code, out, _ = run(capsys, "check", tmp_path / "s")
    assert code == 1
    assert "does not hold: 1 problem" in out


# ---- mistakes


def empty(folder: Path) -> None:
    write(folder / "empty" / "traces.jsonl", [])
    (folder / "bare").mkdir()


def taken(folder: Path) -> None:
    (folder / "taken").mkdir()
    (folder / "taken" / "mine").write_text("mine")


def broken(folder: Path) -> None:
    store(folder / "broken")
    shard = first_shard(folder / "broken")
    shard.write_bytes(shard.read_bytes()[:-100])


def recipes(folder: Path) -> None:
    keep = '[sft_verified]\nkeep = [{rule = "verified"}]\n[sft_unverified]\nkeep = [{rule = "undecided"}]\n[[keep]]\n'
    (folder / "rule.toml").write_text(keep + 'rule = "finnished"')
    (folder / "setting.toml").write_text(keep + 'rule = "at_most"\ncuont = 3')
    (folder / "nothing.toml").write_text(keep + 'rule = "finished"\n[[keep]]\nwhere = "reward > 5"')
    (folder / "toml.toml").write_text("keep = [")


MISTAKES = [
    # files to make, command line, what the line says, what the hint says
    (None, ["export", "missing", "--to", "x"], "missing: no such file or folder", ""),
    (
        empty,
        ["export", "bare", "--to", "x"],
        "bare: no logs found; looked for prime-rl: rollouts/",
        "synthetic formats",
    ),
    (empty, ["export", "empty", "--to", "x"], "empty: only logs without a whole line", "synthetic formats"),
    (None, ["export", RUN, "--to", "x", "--format", "nope"], "no format is called 'nope'", "synthetic formats"),
    (None, ["release", "s", "--to", "x", "--recipe", "nope"], "there is no recipe 'nope'", ""),
    (recipes, ["release", "s", "--to", "x", "--recipe", "rule.toml"], "no rule 'finnished'; there are ['answered'", ""),
    (recipes, ["release", "s", "--to", "x", "--recipe", "setting.toml"], "no setting 'cuont'; it has ['count'", ""),
    (recipes, ["release", "s", "--to", "x", "--recipe", "toml.toml"], "not TOML", ""),
    (recipes, ["release", "s", "--to", "x", "--recipe", "nothing.toml"], "no row is kept. 'where", "loosen that rule"),
    (None, ["release", "s", "--to", "x", "--license", "as you like"], "no identifier such as apache-2.0", ""),
    (
        None,
        ["release", "s", "--to", "x", "--previous", "nope"],
        "nope: no release here",
        "synthetic release STORE --to nope",
    ),
    (None, ["filter", "s", "--where", "reward >"], "'reward >' is no expression", "for example"),
    (None, ["filter", "s", "--where", "completion_token > 1"], "is called 'completion_token'", "completion_tokens"),
    (None, ["export", EVALUATION, "--to", "x"], "only evaluation rollouts", "--to x --include-eval"),
    (taken, ["release", "s", "--to", "taken/mine"], "taken/mine: exists and is no release", "name a folder"),
    (taken, ["release", "s", "--to", "taken/mine/r"], "Not a directory", "choose another folder"),
    (taken, ["release", "s", "--to", "taken"], "taken: exists and is no release", "name a folder"),
    (taken, ["capture", RUN, "--into", "taken/mine"], "taken/mine: ", "choose another folder"),
    (None, ["show", "s", "nope"], "no row whose id begins with 'nope'", "synthetic stats s"),
    (None, ["stats", "s", "--by", "env"], "cannot count by 'env'", "env_id or env_name"),
    (taken, ["show", "taken"], "neither a release (no release/manifest.json) nor a store", ""),
    (taken, ["stats", "taken"], "neither a release", ""),
    (taken, ["check", "taken"], "neither a release", ""),
    (taken, ["release", "taken", "--to", "x"], "taken: no store here", "synthetic capture RUN --into taken"),
    (broken, ["release", "broken", "--to", "x"], "not a whole Parquet file", ""),
    (broken, ["show", "broken"], "not a whole Parquet file", ""),
]


@pytest.mark.parametrize(
    ("make", "line", "said", "hint"),
    MISTAKES,
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_clear_line(tmp_path, monkeypatch, capsys, make, line, said, hint):
    monkeypatch.chdir(tmp_path)
    if "s" in line:
        store(tmp_path / "s", attempts(2))
    if make:
        make(tmp_path)
    code, out, err = run(capsys, *line)
    assert (code, out.startswith("captured") or not out) == (1, True)
    first, *rest = err.splitlines()
    assert first.startswith("error: ")
    assert said in first
    assert hint in "\n".join(rest) if hint else rest == []
    assert "Traceback" not in err
    assert "x" not in beside(tmp_path)


def test_a_mistake_in_the_recipe_is_told_before_logs_are_read(tmp_path, capsys):
    assert run(capsys, "export", RUN, "--to", tmp_path / "r", "--recipe", "nope")[0] == 1
    assert beside(tmp_path) == []


@pytest.mark.parametrize(
    "line", [[], ["nope"], ["export"], ["export", "x"], ["show"], ["filter", "s"], ["check", "r", "--nope"]]
)
def test_a_command_line_that_makes_no_sense_is_exit_code_2(capsys, line):
    with pytest.raises(SystemExit) as caught:
        main(line)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: synthetic")


# ---- terminals, pipes, signals


def in_terminal(*arguments: str | Path, columns: int, cwd: Path) -> str:
    """What a terminal of that width is told, stdout and stderr together."""
    import pty

    main_end, other_end = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": str(columns), "TERM": "xterm-256color"}
    line = [sys.executable, "-m", "synthetic.cli", *map(str, arguments)]
    with subprocess.Popen(
        line, stdin=other_end, stdout=other_end, stderr=other_end, cwd=cwd, env=environment
    ) as process:
        os.close(other_end)
        told = b""
        while True:
            try:
                piece = os.read(main_end, 4096)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            told += piece
    os.close(main_end)
    assert process.returncode == 0, told
    return told.decode()


def plain(text: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


def test_progress_is_shown_on_a_terminal_and_goes_away(made, tmp_path):
    told = in_terminal("release", made / "s", "--to", tmp_path / "r", columns=100, cwd=tmp_path)
    assert any(step in told for step in ("gathering rows", "writing ", "counting", "drawing the card"))  # the longest
    assert "\x1b[2K" in told
    quiet = command("release", made / "s", "--to", tmp_path / "q")
    assert quiet.stderr == ""


@pytest.mark.parametrize("columns", [60, 200])
def test_counts_fit_the_terminal(made, tmp_path, columns):
    told = plain(in_terminal("stats", made / "r", columns=columns, cwd=tmp_path))
    assert max(map(len, told.splitlines())) <= columns
    assert ("rows 72, problems 12" in told) == (columns == 60)


@pytest.mark.parametrize("line", ["show r --json", "stats r --by row_id"])
def test_the_reader_of_a_pipe_may_leave(made, line):
    piped = f"{sys.executable} -m synthetic.cli {line} | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", piped], cwd=made, env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_an_interrupted_export_is_told_so_and_goes_on(tmp_path):
    write(log(tmp_path / "run", 1), episodes(3000))
    line = [sys.executable, "-m", "synthetic.cli", "export", str(tmp_path / "run"), "--to", str(tmp_path / "r")]
    with subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "r.store" / "lock").exists():
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert err == "error: interrupted; what was finished is kept\n  try: run the same command again to go on\n"
    again = command(*line[3:])
    assert (again.returncode, again.stderr) == (0, "")
    assert "3,000 lines seen = " in again.stdout
    assert sorted(name for name in beside(tmp_path) if name.startswith(".")) == []


def test_follow_takes_up_what_is_appended_until_interrupted(tmp_path):
    path = write(tmp_path / "run" / "traces.jsonl", episodes(2))
    line = [sys.executable, "-m", "synthetic.cli", "capture", str(tmp_path / "run"), "--into", str(tmp_path / "s")]
    line += ["--follow", "--every", "0.2", "--json"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["captured"] == 2
        with path.open("a") as file:
            file.write("".join(json.dumps(one) + "\n" for one in episodes(3, first=2)))
        assert json.loads(process.stdout.readline())["captured"] == 3
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert synthetic.scan(tmp_path / "s").collect().height == 5


def test_a_time_that_makes_no_sense_is_a_usage_error(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["capture", "r", "--into", "s", "--every", "-1"])
    assert "error: argument --every: -1 is no time" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["show", "check", "stats"])
def test_a_name_that_no_file_can_have_is_one_clear_line(verb, capsys):
    assert main([verb, "x" * 300]) == 1
    assert capsys.readouterr().err.endswith("File name too long\n")
