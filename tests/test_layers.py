"""Which module may import which, and what only some of them may do.

`LAYERS` is the diagram: a module imports from lines above its own, never from its own line or below. A
package (`rules/`) counts as one module; its files may import each other. A module that is not in the
diagram fails.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LAYERS = """
errors
resources captured fetch columns plain
record
expression evaluations splits
stage alike
context contract
pairs
formats measures rules views
lines
pool shard
worker
manifest
fold piles target
store
rewind draft turns
parts recipe stats
references judged
counted run
buckets croissant index plots
card privacy
intake
capture release preview diff
compat taskset
dedupe
check relicense
look
hub show demo
__init__
parser
cli
"""

# Imports that need a reason, and the modules that have one.
ONLY = {
    **{name: {"hub"} for name in ("aiohttp", "http", "httpx", "httpx2", "requests", "socket", "ssl", "urllib")},
    "huggingface_hub": {"hub", "fetch", "card"},  # card: DatasetCardData writes the YAML
    "datasets": {"check", "hub"},  # check: a release must load the way its readers load it
    **{name: {"plots"} for name in ("altair", "vl_convert")},
    "rich": {"cli", "show"},
    "pickle": set[str](),
    "marshal": set[str](),
    "shelve": set[str](),
    "dill": set[str](),
}

# The same for names a module may call or read.
ONLY_USE = {
    "print": {"cli", "show"},
    "sys.stdout": {"cli", "show"},
    "sys.stderr": {"cli", "show"},
    "eval": set[str](),
    "exec": set[str](),
    "os.system": set[str](),
    "os.popen": set[str](),
}

NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "base", "misc"}

LEVEL = {name: level for level, line in enumerate(LAYERS.split("\n")) for name in line.split()}


def unit(module: str) -> str:
    """The entry of the diagram a module belongs to: `rules` for `synthetic.rules.unique`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of all that a file imports, also inside functions and for types only."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno}: ruff refuses relative imports, and so does this test"
            for alias in node.names:
                # `from synthetic import store` names a module, `from synthetic import scan` an attribute
                # of the package, that is of its __init__.
                is_package = node.module == "synthetic" and alias.name not in LEVEL
                yield node.lineno, "synthetic" if is_package else f"{node.module}.{alias.name}"


def complaints(module: str, source: str) -> list[str]:
    """What is wrong with the source of `module`, one sentence each."""
    own = unit(module)
    if own not in LEVEL:
        return [f"{module} is not in the diagram; add {own!r} to LAYERS where its imports point up"]
    found = []
    if NAMES_THAT_SAY_NOTHING & set(module.split(".")):
        found.append(f"{module}: the name does not say what the file does")
    tree = ast.parse(source)
    for line, name in imports(tree):
        top = name.split(".")[0]
        if top == "synthetic":
            target = unit(name)
            if target != own and LEVEL.get(target, len(LEVEL)) >= LEVEL[own]:
                found.append(f"{module}:{line} imports {target}, which is not above {own}")
        elif own not in ONLY.get(top, {own}):
            found.append(f"{module}:{line} imports {top}; only {sorted(ONLY[top])} may")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and own not in ONLY_USE.get(ast.unparse(node), {own}):
            found.append(f"{module}:{node.lineno} uses {ast.unparse(node)}")
        if isinstance(node, ast.keyword) and node.arg == "shell":
            found.append(f"{module}:{node.value.lineno} passes shell=; give a list of arguments instead")
    return found


def module_name(path: Path) -> str:
    """`synthetic.rules.unique` for synthetic/rules/unique.py, `synthetic.rules` for its __init__.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_imports_point_one_way():
    files = sorted((ROOT / "synthetic").rglob("*.py"))
    assert files
    assert [c for file in files for c in complaints(module_name(file), file.read_text("utf-8"))] == []


def test_no_file_is_longer_than_400_lines():
    files = [file for folder in ("synthetic", "pipelines", "tests") for file in (ROOT / folder).rglob("*.py")]
    lines = {str(file.relative_to(ROOT)): file.read_text("utf-8").count("\n") for file in files}
    assert {file: n for file, n in lines.items() if n > 400} == {}


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("store", "from synthetic.run import f", "store:1 imports run, which is not above store"),
        ("rules.a", "import synthetic.views", "rules.a:1 imports views, which is not above rules"),
        ("run", "def f():\n    from synthetic import cli", "run:2 imports cli, which is not above run"),
        ("run", "from synthetic import scan", "run:1 imports __init__, which is not above run"),
        ("cli", "import synthetic.sorting", "cli:1 imports sorting, which is not above cli"),
        ("sorting", "", "sorting is not in the diagram; add 'sorting' to LAYERS where its imports point up"),
        ("rules.utils", "", "rules.utils: the name does not say what the file does"),
        ("store", "from urllib.request import urlopen", "store:1 imports urllib; only ['hub'] may"),
        ("hub", "import pickle", "hub:1 imports pickle; only [] may"),
        ("demo", "print(1)", "demo:1 uses print"),
        ("hub", "import sys\nsys.stderr.write('')", "hub:2 uses sys.stderr"),
        ("cli", "eval('1')", "cli:1 uses eval"),
        ("cli", "run('ls', shell=True)", "cli:1 passes shell=; give a list of arguments instead"),
    ],
)
def test_the_diagram_refuses(module, source, complaint):
    assert complaints(f"synthetic.{module}", source) == [f"synthetic.{complaint}"]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("rules.unique", "from synthetic.rules import text\nfrom synthetic.stage import rule"),
        ("card", "def yaml():\n    from huggingface_hub import DatasetCardData"),
        ("cli", "import rich, synthetic\nprint(1)"),
        ("show", "self.evaluate(print)\nmodel.eval()"),
    ],
)
def test_the_diagram_allows(module, source):
    assert complaints(f"synthetic.{module}", source) == []
