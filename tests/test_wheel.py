"""The built wheel carries the schemas, recipes and card templates, and finds its own ones.

Built from the sdist, as an installer without the wheel would, and installed into an empty venv that sees the
current one's libraries but not the checkout. No network.
"""

import json
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Imports every module, then tells which resources the package found.
LOOK_AROUND = """
import importlib, json, pkgutil
import synthetic
from synthetic.resources import NAMES, folder
for module in pkgutil.walk_packages(synthetic.__path__, "synthetic."):
    importlib.import_module(module.name)
print(json.dumps({str(folder(name)): sorted(path.name for path in folder(name).iterdir()) for name in NAMES}))
"""


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def build(target: str, source: Path, to: Path) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", to, cwd=source)
    (built,) = to.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return built


def recipes(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.endswith(".toml"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel made from the sdist."""
    folder = tmp_path_factory.mktemp("build")
    with tarfile.open(build("sdist", ROOT, folder)) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
    return build("wheel", unpacked, folder)


def test_the_sdist_gives_the_same_wheel_as_the_checkout(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as ours, zipfile.ZipFile(build("wheel", ROOT, tmp_path)) as theirs:
        assert ours.namelist() == theirs.namelist()


def test_a_wheel_holds_the_package_and_nothing_beside_it(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"synthetic", f"{wheel.name.split('-py3')[0]}.dist-info"}
    assert "synthetic/py.typed" in names
    assert [name for name in names if "/generate/" in name] == []


def test_an_installed_wheel_finds_its_own_resources(wheel, tmp_path):
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python]
    run(*pip, "install", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    # A path named by a .pth file is searched, but .pth files in it are not read: the dependencies
    # are found, the editable install of the checkout is not.
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    site.joinpath("libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")

    found = json.loads(run(python, "-W", "error", "-c", LOOK_AROUND, cwd=tmp_path))

    assert list(found) == [str(site / "synthetic" / name) for name in ("schemas", "pipelines", "data_cards")]
    schemas, pipelines, data_cards = found.values()
    assert "record-1.toml" in schemas
    assert recipes(pipelines) == recipes(path.name for path in (ROOT / "pipelines").iterdir()) != []
    assert data_cards == sorted(path.name for path in (ROOT / "data_cards").iterdir())
    for script in ("synthetic", "synthetic-traces"):
        assert "usage: synthetic" in run(tmp_path / "venv" / "bin" / script, "--help", cwd=tmp_path).lower()
