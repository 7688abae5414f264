"""Write one fixture folder anew: play its scenes, keep the log, make it neutral.

    python make.py FOLDER --venv VENV

VENV holds the verifiers version of the folder (requirements_*.txt). Nothing is
installed or sent anywhere else; the model is `server.py` on loopback. What a run writes
and this machine put into it (folders, ports) is rewritten to neutral text of the same
kind, ids to ids counted from the folder's name, and clock readings to a clock of
hundredths that keeps their order, so the same versions give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from server import serving

HERE = Path(__file__).resolve().parent
LOGS = HERE.parent
CLOCK = 1795430000.0


@dataclass(frozen=True)
class Run:
    """One call of an eval command and the folder it fills."""

    folder: str
    version: str
    scenes: str
    command: list[str]
    settings: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=lambda: ["--output-dir", "{out}"])
    """Flags that make the run write to the folder `{out}`."""


NEW_OUTPUT = ["--output-dir", "{parent}", "--run.name", "{name}"]


def branches(name: str, scenes: str) -> Run:
    """A run of the 0.4.0 branch fixtures."""
    return Run(
        f"branches_0_4_0/{name}",
        "v0_4_0",
        scenes,
        ["vf-eval"],
        ["@", f"{name}.toml"],
        NEW_OUTPUT,
    )


RUNS = [
    Run("vf_eval_0_2_0", "v0_2_0", "scenes_old.json", ["eval"], ["@", "puzzles.toml"]),
    Run("vf_eval_0_3_0", "v0_3_0", "scenes_old.json", ["eval"], ["@", "puzzles.toml"]),
    Run(
        "vf_eval_0_4_0",
        "v0_4_0",
        "scenes_0_4_0.json",
        ["vf-eval"],
        ["@", "puzzles.toml"],
        NEW_OUTPUT,
    ),
    branches("compaction", "scenes_branches.json"),
    branches("scribe", "scenes_branches.json"),
    branches("panel", "scenes_branches.json"),
    branches("user_sim", "scenes_branches.json"),
]


def play(run: Run, venv: Path, out: Path) -> None:
    """Run the eval command of `run` into the folder `out`."""
    env = {
        **os.environ,
        "PATH": f"{venv / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(HERE / run.version),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENAI_API_KEY": "none",
        "PRIME_RUNS_MODE": "disabled",
    }
    places = {"out": out, "parent": out.parent, "name": out.name}
    with serving(HERE / run.scenes, run.folder) as (url, script):
        command = [
            str(venv / "bin" / run.command[0]),
            *run.settings,
            *(flag.format(**places) for flag in run.output),
            "--client.base-url",
            url,
            "--no-rich",
        ]
        done = subprocess.run(
            command,
            env=env,
            cwd=HERE / run.version,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or script.left_over():
            raise SystemExit(
                f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}\n"
                f"exit {done.returncode}; unplayed scenes: {script.left_over()}"
            )


def places_of(venv: Path, out: Path) -> dict[str, str]:
    """This machine's folders and what stands for them, longest first."""
    base = subprocess.run(
        [str(venv / "bin" / "python"), "-c", "import sys; print(sys.base_prefix)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    places = {
        str(venv): "/opt/r/venv",
        base: "/opt/r/python",
        str(HERE): "/opt/r/envs",
        str(out.parent): "/opt/r/outputs",
        str(Path.home() / ".cache"): "/opt/r/cache",
        str(Path.home()): "/opt/r/home",
        tempfile.gettempdir() + "/": "/opt/r/tmp/",
    }
    return dict(sorted(places.items(), key=lambda item: -len(item[0])))


def neutral(text: str, places: dict[str, str], folder: str) -> str:
    """The same log without anything only this machine or this hour would know."""
    for place, stand_in in places.items():
        text = text.replace(place, stand_in)
    text = re.sub(r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:8000", text)
    ids: dict[str, str] = {}

    def new_id(match: re.Match[str]) -> str:
        old = match[0]
        if old not in ids:
            digest = hashlib.sha256(f"{folder}:{len(ids)}".encode()).hexdigest()
            ids[old] = "-".join(
                digest[sum(map(len, old.split("-")[:i])) :][: len(part)] for i, part in enumerate(old.split("-"))
            )
        return ids[old]

    text = re.sub(
        r"\b(?:[0-9a-f]{32}|(?<=disabled-)[0-9a-f]{16}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b",
        new_id,
        text,
    )
    clock = re.compile(r'(?<=[":])(1[78]\d{8}\.\d+)(?=[,}])')
    order = {t: n for n, t in enumerate(sorted(set(clock.findall(text)), key=float))}
    text = clock.sub(lambda m: str(round(CLOCK + order[m[1]] / 100, 2)), text)
    return re.sub(r'("duration":)(?!0\.0[,}])[0-9.e-]+', r"\g<1>0.01", text)


def make(run: Run, venv: Path) -> None:
    """Play one run and put its neutral files where the tests read them."""
    target = LOGS / run.folder
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / run.folder.replace("/", "_")
        play(run, venv, out)
        places = places_of(venv, out)
        for name in ("traces.jsonl", "config.toml", "configs"):
            if target.joinpath(name).is_dir():
                shutil.rmtree(target / name)
        for file in sorted(out.rglob("*")):
            if file.is_dir() or "logs" in file.parts or file.suffix == ".log":
                continue
            kept = target / file.relative_to(out)
            kept.parent.mkdir(parents=True, exist_ok=True)
            text = file.read_bytes().decode()
            kept.write_bytes(neutral(text, places, run.folder).encode())


def main() -> None:
    """Read the folder and the venv from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", choices=[run.folder for run in RUNS])
    parser.add_argument("--venv", type=Path, required=True)
    options = parser.parse_args()
    (run,) = [run for run in RUNS if run.folder == options.folder]
    make(run, options.venv.absolute())


if __name__ == "__main__":
    main()
