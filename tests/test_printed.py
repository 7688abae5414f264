"""What a log says is printed so that a terminal never acts on it."""

from pathlib import Path

import pytest

from synthetic.cli import main
from tests.episodes import episode, trace, write

HOSTILE = (
    "\x1b[31mred\x1b[0m \u202egnp.exe\u2066 [bold]markup[/bold] \x9b2J \x07 \ud83d\ude00 :smile:\r\n  ! forged".encode(
        "utf-16", "surrogatepass"
    ).decode("utf-16")
)
RAW = ("\x1b", "\u202e", "\u2066", "\x9b", "\x07", "\r")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    lines = [
        episode(
            f"e{i}",
            trace(f"t{i}{HOSTILE}", HOSTILE + str(i), rewards={HOSTILE: {"score": i / 4, "weight": 1.0}}),
            env={"id": HOSTILE, "name": HOSTILE},
            run={"type": "train", "id": HOSTILE, "name": HOSTILE},
        )
        for i in (0, 2, 3, 4)
    ]
    right = [episode(f"r{i}", trace(f"r{i}{HOSTILE}", HOSTILE)) for i in range(2)]
    write(folder / "run" / "traces.jsonl", [*lines, *right, "{" + HOSTILE.replace("\r\n", "")])
    return folder


@pytest.mark.parametrize("json_too", [[], ["--json"]])
def test_what_a_log_says_never_reaches_the_terminal_raw(hostile, tmp_path, capsys, json_too):
    for line in (
        ["export", hostile / "run", "--to", tmp_path / "r"],
        ["show", tmp_path / "r"],
        ["show", tmp_path / "r.store", "r1"],
        ["show", tmp_path / "r.store", "no such \x1b[31m row"],
        ["stats", tmp_path / "r", "--by", "env_id,run_name,row_id"],
        ["dedupe", tmp_path / "r.store"],
        ["filter", tmp_path / "r.store", "--where", "reward > 0.9"],
        ["check", tmp_path / "r"],
    ):
        code = main([*map(str, line), *json_too])
        out, err = capsys.readouterr()
        assert code == ("no such" in str(line[-1])), err
        assert [raw for raw in RAW if raw in out + err] == [], line
        if not json_too and line[0] == "show" and code == 0:
            assert "[bold]markup[/bold]" in out
            assert ":smile:" in out
