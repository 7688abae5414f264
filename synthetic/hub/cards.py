"""Will the Hub and `datasets` take the card? Asked before anything is sent, without the network.

The front matter against the release: a licence that the Hub knows, every config with exactly its own files, every count
as the Parquet footers have it.
"""

from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any  # values of YAML

import pyarrow as pa
import pyarrow.parquet as pq

from synthetic.errors import BrokenRelease, PushRefused
from synthetic.manifest import Manifest

# The Hub's identifiers (hub-docs, repositories-licenses), but `unknown`, which says nothing, and `other`, which needs a
# name and a link that a card does not have.
LICENSES = frozenset(
    """
    afl-3.0 agpl-3.0 apache-2.0 apple-amlr apple-ascl artistic-2.0 bigcode-openrail-m
    bigscience-bloom-rail-1.0 bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0
    c-uda cc cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0
    cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0
    cc0-1.0 cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m
    deepfloyd-if-license ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2
    fair-noncommercial-research-license gemma gfdl gpl gpl-2.0 gpl-3.0 grok2-community h-research
    intel-research isc lgpl lgpl-2.1 lgpl-3.0 lgpl-lr llama2 llama3 llama3.1 llama3.2 llama3.3 llama4
    lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 openmdw-1.0 openrail openrail++ osl-3.0 pddl
    postgresql unlicense wtfpl zlib
    """.split()
)


def check_license(license: str | None, again: str) -> None:
    """Raise `PushRefused` unless the Hub knows this licence. `again` is the command to type with another one."""
    if license is None:
        raise PushRefused(
            "the release has no licence, and without one nobody may use it",
            hint=f"{again} --license apache-2.0",
            option="--license=apache-2.0",
        )
    if license in ("other", "unknown"):
        raise PushRefused(
            f"licence '{license}' tells nobody what they may do; one that the Hub has no identifier for needs a name"
            " and a link, which cards of releases do not have",
            hint=f"{again} --license cc-by-4.0",
        )
    if license not in LICENSES:
        near = get_close_matches(license.lower(), LICENSES, n=3, cutoff=0.5) or ["apache-2.0", "cc-by-4.0", "mit"]
        raise PushRefused(
            f"the Hub knows no licence '{license}'; near it are {near}", hint=f"{again} --license {near[0]}"
        )


def check_card(folder: Path, made: Manifest, text: str) -> None:
    """Raise `PushRefused` when the card's front matter is not that of the release, `BrokenRelease` for its shards."""
    from huggingface_hub import DatasetCard

    try:
        said: dict[str, Any] = DatasetCard(text).data.to_dict()  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever the YAML reader raises on it
        raise PushRefused(f"README.md: its front matter cannot be read ({error})", hint=_again(folder)) from error
    problems = [*_license(made, said), *_configs(made, said), *_counts(folder, made, said)]
    if problems:
        raise PushRefused(f"README.md: {'; '.join(problems[:3])}", hint=_again(folder))


def _again(folder: Path) -> str:
    return f"synthetic check {folder}; release again if the card was edited"


def _license(made: Manifest, said: dict[str, Any]) -> list[str]:
    same = said.get("license") == made.license
    return [] if same else [f"its licence is {said.get('license')!r}, the manifest says {made.license!r}"]


def _configs(made: Manifest, said: dict[str, Any]) -> list[str]:
    """Every config by its own files, the default one marked."""
    configs = {str(config.get("config_name")): config for config in said.get("configs") or []}
    if list(configs) != list(made.configs):
        return [f"it has the configs {list(configs)}, the manifest {list(made.configs)}"]
    if [name for name, config in configs.items() if config.get("default")] != [made.default]:
        return [f"its default config is not {made.default!r}"]
    shards = {data.path for config in made.configs.values() for data in config.files}
    problems = []
    for name, config in configs.items():
        globs = [str(entry.get("path")) for entry in config.get("data_files") or []]
        read = {path for path in shards if any(fnmatchcase(path, glob) for glob in globs)}
        if read != {data.path for data in made.configs[name].files}:
            problems.append(f"its data_files of {name} are not the files of {name}")
    return problems


def _counts(folder: Path, made: Manifest, said: dict[str, Any]) -> list[str]:
    """Every count, of the manifest and of a `dataset_info`, as the footers of the shards have it."""
    infos = {str(info.get("config_name")): info for info in said.get("dataset_info") or []}
    problems = []
    for name, config in made.configs.items():
        rows = sum(_rows(folder, data.path) for data in config.files)
        counted = [split.get("num_examples") for split in infos.get(name, {}).get("splits") or []]
        if counted not in ([], [*config.splits.values()]) or config.rows != rows:
            said_rows = (*counted, config.rows)[0]
            problems.append(f"{said_rows} rows are counted in {name}, its files hold {rows}")
    return problems


def _rows(folder: Path, path: str) -> int:
    """The rows of a shard, as its footer has them. Raises `BrokenRelease`."""
    try:
        return int(pq.read_metadata(folder / path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise BrokenRelease(f"{path}: cannot be read ({error})", hint=f"synthetic check {folder}") from error
