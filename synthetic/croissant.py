"""`croissant.json`: what a release holds, for programs that search data sets (Croissant 1.1, RAI, PROV-O).

Specification: mlcommons/croissant, docs/croissant-spec-1.1.md and croissant-rai-spec.md. Paths are relative to the
file, so that it is true of a folder and of a repository, whatever its name.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final  # Any: JSON-LD, and types of pyarrow

import pyarrow as pa

from synthetic.manifest import Config, Manifest
from synthetic.recipe import Recipe
from synthetic.record import Json, schema

PATH: Final = "croissant.json"

# The context that the specification gives (its appendix 1), and RAI and PROV-O.
CONTEXT: Final = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def text(manifest: Manifest, numbers: Mapping[str, Json], recipe: Recipe) -> str:
    """The file. `numbers` are those of `stats.numbers` for the release's configs."""
    said = _dataset(manifest, numbers, recipe)
    return (
        json.dumps({key: value for key, value in said.items() if value is not None}, indent=2, sort_keys=False) + "\n"
    )


def _dataset(manifest: Manifest, numbers: Mapping[str, Json], recipe: Recipe) -> dict[str, Json]:
    total = numbers["configs"]["traces"]["rows"]
    began = (numbers["generated"]["first"], numbers["generated"]["last"])
    models = sorted({row["model"] for row in numbers["models"] if row["model"] is not None})
    rules = [f"{name}: {', '.join(step.rule for step in c.funnel)}" for name, c in manifest.configs.items() if c.funnel]
    made = f"{numbers['traces']:,} traces of language models, {total:,} rows, each with the verdict of its scorers."
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": manifest.name,
        "description": recipe.description or made,
        "version": manifest.version,
        "license": manifest.license and f"https://spdx.org/licenses/{manifest.license}",
        "url": f"https://huggingface.co/datasets/org/{manifest.name}",
        "citeAs": f"{manifest.name} {manifest.version}, root hash {manifest.root}",
        "datePublished": began[1],
        "keywords": ["synthetic", "reasoning", "rlvr", "reinforcement learning"],
        "isLiveDataset": False,
        "prov:wasGeneratedBy": [
            {"@type": "prov:Activity", "name": f"rollouts of {run.name}", "description": f"{run.captured:,} log lines"}
            for run in manifest.runs
        ],
        "prov:wasAttributedTo": [{"@type": "prov:SoftwareAgent", "name": name} for name in models],
        "rai:dataCollection": f"{made} Logs of reinforcement-learning runs; nothing was sampled again.",
        "rai:dataCollectionType": ["Synthetic data generation"],
        "rai:dataCollectionMissingData": "A missing value is null; an attempt that was not scored is no failure.",
        "rai:dataPreprocessingProtocol": [f"Rules that drop rows, in order. {each}" for each in rules],
        "rai:dataAnnotationProtocol": "The environments' own scorers; a verdict repeats them (README.md).",
        "rai:machineAnnotationTools": sorted({_verifier(row) for row in numbers["verification"]} - {""}),
        "rai:dataLimitations": "See the sections on limitations and on what verified means in README.md.",
        "rai:personalSensitiveInformation": "Not looked for.",
        "rai:dataReleaseMaintenancePlan": "Versions have tags; CHANGELOG.md says what each holds.",
        "distribution": [each for name, config in manifest.configs.items() for each in _files(name, config)],
        "recordSet": [_records(name, config) for name, config in manifest.configs.items()],
    }


def _verifier(row: Mapping[str, Json]) -> str:
    return " ".join(row[key] for key in ("verifier", "verifier_version") if row[key] is not None)


def _files(name: str, config: Config) -> Iterator[dict[str, Json]]:
    """Every file with its hash, and the set of them that a config is."""
    for data in config.files:
        yield {
            "@type": "cr:FileObject",
            "@id": data.path,
            "name": data.path,
            "contentUrl": data.path,
            "contentSize": f"{data.bytes} B",
            "encodingFormat": "application/x-parquet",
            "sha256": data.sha256,
        }
    if len(config.files) == 1:
        return
    yield {
        "@type": "cr:FileSet",
        "@id": f"files/{name}",
        "name": f"files/{name}",
        "containedIn": [{"@id": data.path} for data in config.files],
        "encodingFormat": "application/x-parquet",
        "includes": "*.parquet",
    }


def _origin(name: str, config: Config) -> dict[str, Json]:
    """Where the rows of a config stand: its file, which mlcroissant 1.1 reads, or the set of its files."""
    one = len(config.files) == 1
    return {"fileObject": {"@id": config.files[0].path}} if one else {"fileSet": {"@id": f"files/{name}"}}


def _records(name: str, config: Config) -> dict[str, Json]:
    fields = zip(config.columns, schema(config.schema).arrow, strict=True)
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"{config.title} {config.rows:,} rows.",
        "key": {"@id": f"{name}/{config.columns[0]['name']}"},
        "field": [
            _field(name, column["name"], field.type, column["doc"], _origin(name, config)) for column, field in fields
        ],
    }


def _field(config: str, column: str, type: Any, doc: str, origin: Mapping[str, Json]) -> dict[str, Json]:
    """A column; lists repeat, structs have parts."""
    said: dict[str, Json] = {
        "@type": "cr:Field",
        "@id": f"{config}/{column}",
        "name": f"{config}/{column}",
        "description": doc,
        "source": {**origin, "extract": {"column": column}},
    }
    if pa.types.is_list(type):
        said |= {"isArray": True, "arrayShape": "-1"}
        type = type.value_type
    if pa.types.is_struct(type):
        said["subField"] = [_part(config, column, column, part, origin) for part in type]
    else:
        said["dataType"] = _data_type(type)
    return said


def _part(config: str, column: str, inside: str, field: Any, origin: Mapping[str, Json]) -> dict[str, Json]:
    path = f"{inside}/{field.name}"
    said: dict[str, Json] = {
        "@type": "cr:Field",
        "@id": f"{config}/{path}",
        "name": f"{config}/{path}",
        "source": {
            **origin,
            "extract": {"column": column},
            "transform": {"jsonPath": path.removeprefix(f"{column}/").replace("/", ".")},
        },
    }
    type = field.type
    if pa.types.is_list(type):
        said |= {"isArray": True, "arrayShape": "-1"}
        type = type.value_type
    if pa.types.is_struct(type):
        said["subField"] = [_part(config, column, path, part, origin) for part in type]
    else:
        said["dataType"] = _data_type(type)
    return said


def _data_type(type: Any) -> str:
    kinds = (
        (pa.types.is_boolean, "sc:Boolean"),
        (pa.types.is_integer, "sc:Integer"),
        (pa.types.is_floating, "sc:Float"),
        (pa.types.is_timestamp, "sc:DateTime"),
    )
    return next((name for holds, name in kinds if holds(type)), "sc:Text")
