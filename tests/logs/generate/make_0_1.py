"""Write one fixture folder of verifiers 0.1 anew: play its scenes, keep what vf-eval saved, make it neutral.

    python make_0_1.py FOLDER --venv VENV

VENV holds the verifiers version of the folder (requirements_0_1_*.txt). The model is `server.py` on loopback; nothing
is sent anywhere else. What `make.py` rewrites is rewritten here too, and what only 0.1 wrote: the folder that a run is
given by chance, times in milliseconds, the hour in `metadata.json`, and the commit of the checkout that it found.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from make import CLOCK, HERE, LOGS, neutral, places_of
from server import MODEL, serving


@dataclass(frozen=True)
class Run:
    """One call of vf-eval and the folder it fills."""

    folder: str
    names: list[str]
    flags: list[str] = field(default_factory=list)


PLAYED = ["sum", "legs", "kanji", "refused", "dozen", "count", "product", "loop"]
RUNS = [
    # 0.1.3 stops at the first provider's error, and cannot save a state.
    Run("vf_eval_0_1/0_1_3", [name for name in PLAYED if name != "refused"], ["-T", "0.7"]),
    Run("vf_eval_0_1/0_1_9", PLAYED, ["-c", "1", "-C", "turn", "-S", '{"temperature": 0.7, "seed": 11}']),
    Run(
        "vf_eval_0_1/0_1_14",
        PLAYED,
        [
            *("-c", "1", "-C", "trajectory", "-S", '{"temperature": 0.7, "seed": 11}', "-t", "500"),
            *("--disable-env-server", "--max-retries", "0", "--disable-tui"),
        ],
    ),
]


def play(run: Run, venv: Path, out: Path) -> None:
    """Run vf-eval in the folder `out`."""
    env = {
        **os.environ,
        "PYTHONPATH": str(HERE / "v0_1"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENAI_API_KEY": "none",
        "HF_HUB_OFFLINE": "1",
    }
    size = ["-n", str(len(run.names)), "-r", "2", "-s"]
    prompts = [row["prompt"] for row in json.loads((HERE / "puzzles.json").read_bytes()) if row["name"] in run.names]
    scenes = json.loads((HERE / "scenes_old.json").read_bytes())
    played = out / "scenes.json"
    played.write_text(json.dumps([s for s in scenes if any(s["needle"] in prompt for prompt in prompts)]))
    with serving(played, run.folder) as (url, script):
        command = [str(venv / "bin" / "vf-eval"), "puzzles", "-m", MODEL, "-b", url, *size, *run.flags]
        command += ["-a", json.dumps({"names": run.names})]
        done = subprocess.run(command, env=env, cwd=out, capture_output=True, text=True, check=False)
        if done.returncode or script.left_over():
            raise SystemExit(
                f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}\n"
                f"exit {done.returncode}; unplayed scenes: {script.left_over()}"
            )


def neutral_0_1(text: str, places: dict[str, str], folder: str) -> str:
    """The file without what only this hour or this checkout would know."""
    text = neutral(text, places, folder)
    clock = re.compile(r'(?<=": )(1[78]\d{8}\.\d+)(?=[,}])')
    order = {t: n for n, t in enumerate(sorted(set(clock.findall(text)), key=float))}
    text = clock.sub(lambda m: str(round(CLOCK + order[m[1]] / 100, 2)), text)
    text = re.sub(r'("(?:duration|total|overhead)": ?)(?!0[,}]|0\.0[,}])[0-9.e-]+', r"\g<1>0.01", text)
    text = re.sub(r'("\w+_ms": ?)[0-9.e-]+', r"\g<1>10.0", text)
    text = re.sub(r'("time": )[0-9.]+', r"\g<1>1.5", text)
    text = re.sub(r'("date": )"[^"]*", ("time": )"[^"]*"', r'\g<1>"2026-11-23", \g<2>"12:00:00"', text)
    return re.sub(r'("env_commit": )"\w+"', r'\g<1>"' + "0" * 40 + '"', text)


def make(run: Run, venv: Path) -> None:
    """Play one run and put its neutral files where the tests read them."""
    target = LOGS / run.folder
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / "work"
        out.mkdir()
        play(run, venv, out)
        shutil.rmtree(target / "outputs", ignore_errors=True)
        for file in sorted(out.rglob("outputs/**/*.json*")):
            place = file.relative_to(out).parts
            chance = hashlib.sha256(run.folder.encode()).hexdigest()[:8]
            kept = target.joinpath(*place[:-2], chance, place[-1])
            kept.parent.mkdir(parents=True, exist_ok=True)
            text = neutral_0_1(file.read_bytes().decode(), places_of(venv, out), run.folder)
            kept.write_bytes(text.encode())


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
