"""Where the schemas, recipes and card templates are.

A wheel carries them inside the package (synthetic/schemas …). In a checkout, also one installed as
editable, they stand beside the package, where people edit them. Both look the same from here.
"""

from pathlib import Path

from synthetic.errors import SyntheticError

NAMES = ("schemas", "pipelines", "data_cards")


def folder(name: str) -> Path:
    """The folder of that name: `schemas`, `pipelines` (recipes, the demo's logs) or `data_cards`.

    Raises `SyntheticError` for another name, and where an installation has lost the folder.
    """
    if name not in NAMES:
        raise SyntheticError(f"there is no resource folder {name!r}; there are {list(NAMES)}")
    package = Path(__file__).parent
    inside = package / name
    if inside.is_dir():
        return inside
    # Only a checkout has a pyproject.toml beside the package. In site-packages the same name
    # beside it would belong to somebody else.
    root = package.parent
    if (root / "pyproject.toml").is_file() and (root / name).is_dir():
        return root / name
    raise SyntheticError(
        f"this installation of synthetic-traces is incomplete: {inside} is missing",
        hint="pip install --force-reinstall synthetic-traces",
    )
