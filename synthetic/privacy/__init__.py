"""The gate before anything leaves: does a release hold a secret?

Everything that a push would send is read again from its final bytes: every string at any depth of every column of every
shard, the shards' own metadata, every other file as text, and the files' names. It is compared with the formats of
`patterns.PATTERNS` and with exact values that the caller hands in (`secret_values` picks those of an environment). A
`Finding` says where and what kind, never the value.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from synthetic.errors import BrokenRelease
from synthetic.manifest import PATH, Manifest
from synthetic.privacy.patterns import PATTERNS, Pattern, is_secret
from synthetic.stage import Progress, silent
from synthetic.views import VIEWS

SHORTEST = 8
"""Characters of the shortest value of an environment that is looked for: shorter ones stand in any text by chance."""
MOST = 1000
"""Findings after which the rest is not read."""
NAME = "its name"
"""The column of a finding in the name of a file."""
BATCH_BYTES = 16_000_000
"""Text that is searched at a time, unless one column of one row group is larger."""

# Not TOKENS: MAX_TOKENS is a number.
_SECRET_NAME = re.compile(
    r"(?:(?:^|_)(?:API_?)?(?:KEYS?|PAT|PASSWD|PASSPHRASE|CREDENTIALS?|DSN|AUTH)|TOKEN|WEBHOOK(?:_URL)?|ACCESS_KEY_ID)"
    r"(?:_?\d+)?$|SECRET|PASSWORD|_PWD$|APIKEY",
    re.IGNORECASE,
)
# Values that variables with such names have where there is no secret; a release may well hold these words.
_NO_SECRET = re.compile(
    r"(?:dis|en)abled|development|production|localhost|undefined|not[-_ ]?(?:needed|used|required|set|provided)"
    r"|no[-_ ]?(?:key|token)[-_ ]?(?:needed|required)?|sk-no-key-required|dummy\S*|test[-_]?(?:key|token)|change[-_]?me"
    r"|token-abc123",
    re.IGNORECASE,
)
_IN_ADDRESS = re.compile(r"://[^\s/:@]*:([^\s/@]+)@")


@dataclass(frozen=True)
class Finding:
    """A place where something that looks like a secret stands."""

    file: str
    row: str | None
    """The row_id; of a text file `line 7`; None: the file's name or metadata."""
    column: str | None
    """The column and, in nested ones, the field: `messages.content`."""
    pattern: str
    """The format's name, or which variable of the environment has this value."""

    def __str__(self) -> str:
        return ", ".join(part for part in (self.file, self.row, self.column) if part) + f": {self.pattern}"


def secret_values(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of an environment that look secret by their name, with their values; of any other that holds an
    address with a password (`DATABASE_URL`), the password. The path of a file that is there is no secret.
    """
    found = {}
    for name, held in environment.items():
        named = _SECRET_NAME.search(name) and name not in ("PWD", "OLDPWD")
        within = _IN_ADDRESS.search(held)
        value = held.strip() if named else within[1] if within else ""
        if len(value) >= SHORTEST and not _NO_SECRET.fullmatch(value) and not _is_there(value):
            found[name] = value
    return found


def _is_there(value: str) -> bool:
    """Whether it is the path of a file or folder on this host."""
    try:
        return value.startswith(("/", "~")) and Path(value).expanduser().exists()
    except (OSError, RuntimeError, ValueError):  # no name that a file could have
        return False


def scan(
    folder: Path,
    made: Manifest,
    *,
    secrets: Mapping[str, str] | None = None,
    texts: Mapping[str, bytes] | None = None,
    progress: Progress = silent,
) -> list[Finding]:
    """Where a release holds what looks like a secret; empty: it may leave.

    `secrets` are exact values by the name of their variable. `texts` stand in for files of the same path that are about
    to be rewritten. Reads a column of a row group at a time. Raises `BrokenRelease` when a shard cannot be read.
    """
    search = Search(secrets or {})
    listed = [file.path for file in made.files]
    shards = [data.path for config in made.configs.values() for data in config.files]
    shards += [name for name in listed if name.endswith(".parquet")]
    others = [str(PATH), *(name for name in listed if not name.endswith(".parquet"))]

    def pieces() -> Iterator[_Piece]:
        names = [*shards, *others]
        yield from (_Piece(name, NAME, lambda _: None, pl.Series([name])) for name in names)
        for name in others:
            yield from _of_text(name, (texts or {}).get(name) or (folder / name).read_bytes())
        for number, name in enumerate(shards):
            yield from _of_shard(folder, name)
            progress("looking for secrets", number + 1, len(shards))

    found: set[Finding] = set()
    for batch in _batches(pieces()):
        found |= _found(search, batch)
        if len(found) >= MOST:
            break
    # A text is searched whole and by its lines, and statistics repeat values of rows: where a line or a row says it,
    # the rest need not.
    said = {(finding.file, finding.pattern) for finding in found if finding.row}
    found = {f for f in found if f.row or f.column == NAME or (f.file, f.pattern) not in said}
    return _without_secrets(search, found)[:MOST]


class Search:
    """All patterns and values, made ready to be looked for at once."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        exact: dict[bytes, str] = {}
        for name, value in secrets.items():
            if len(value) >= SHORTEST:
                in_json = (json.dumps(value, ensure_ascii=ascii)[1:-1] for ascii in (True, False))
                for form in (value, *in_json, _in_url(value)):
                    exact.setdefault(form.encode(), f"the value of ${name}")
        self._literals = {False: _Literals.of(False, exact), True: _Literals.of(True, {})}

    def hits(self, texts: pl.Series) -> Iterator[tuple[int, str]]:
        """Index of a text and name of a pattern, once for each pattern that a text holds."""
        for any_case, literals in self._literals.items():
            # Offsets in bytes of every literal, found in one pass (Aho and Corasick, 1975).
            places = texts.str.find_many(literals.texts, overlapping=True, ascii_case_insensitive=any_case)
            candidates = (places.list.len() > 0).fill_null(False).arg_true()
            for index in candidates:
                data = texts[int(index)].encode()
                names = {name for place in set(places[int(index)]) for name in literals.at(data, place)}
                yield from ((int(index), name) for name in sorted(names))


@dataclass(frozen=True)
class _Literals:
    """Literals that are looked for together, and what each of them can be the sign of."""

    texts: list[str]
    longest: re.Pattern[bytes]
    """The longest literal at a place; every other one there is a beginning of it."""
    signs: Mapping[bytes, tuple[list[str], list[Pattern]]]
    """By literal: names of the exact values, and the patterns, of the literals that it begins with."""

    @classmethod
    def of(cls, any_case: bool, exact: Mapping[bytes, str]) -> "_Literals":
        known: dict[bytes, list[Pattern]] = {}
        for pattern in PATTERNS:
            if pattern.any_case == any_case:
                for text in pattern.literals:
                    known.setdefault(text.encode(), []).append(pattern)
        every = sorted({*known, *exact}, key=len, reverse=True)
        signs = {}
        for literal in every:
            begun = [other for other in every if literal.startswith(other)]
            patterns = [pattern for other in begun for pattern in known.get(other, ())]
            signs[literal] = [exact[other] for other in begun if other in exact], patterns
        longest = re.compile(b"|".join(map(re.escape, every)), re.IGNORECASE if any_case else 0)
        return cls([literal.decode() for literal in every], longest, signs)

    def at(self, data: bytes, place: int) -> Iterator[str]:
        """The names of what stands at a place where a literal was found."""
        found = self.longest.match(data, place)
        assert found is not None  # noqa: S101 - a literal was found there
        exact, patterns = self.signs.get(found[0]) or self.signs[found[0].lower()]
        yield from exact
        for pattern in patterns:
            for start in range(max(0, place - pattern.back), place + 1):
                match = pattern.regex.match(data, start)
                if match and is_secret(pattern, match):
                    yield pattern.name
                    break


def _in_url(text: str) -> str:
    """The text as a part of a URL."""
    return "".join(chr(b) if (chr(b).isalnum() and b < 128) or chr(b) in "-._~" else f"%{b:02X}" for b in text.encode())


# ---- places


@dataclass(frozen=True)
class _Piece:
    """Texts from one place."""

    file: str
    column: str | None
    row: Callable[[int], str | None]
    """Where the text of that index stands."""
    texts: pl.Series


def _batches(pieces: Iterable[_Piece]) -> Iterator[list[_Piece]]:
    """Pieces together until they are worth a search, which costs some milliseconds however little it reads."""
    batch: list[_Piece] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += int(piece.texts.estimated_size())
        if size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _found(search: Search, batch: Sequence[_Piece]) -> set[Finding]:
    """What the texts of some pieces hold."""
    starts = list(accumulate((len(piece.texts) for piece in batch), initial=0))
    found = set()
    for index, pattern in search.hits(pl.concat([piece.texts for piece in batch])):
        number = bisect_right(starts, index) - 1
        piece = batch[number]
        found.add(Finding(piece.file, piece.row(index - starts[number]), piece.column, pattern))
    return found


def _without_secrets(search: Search, found: Iterable[Finding]) -> list[Finding]:
    """The findings, those in rows first, without a name that would itself give a secret away."""
    listed = sorted(found, key=_nearest_first)
    names = [name or "" for finding in listed for name in (finding.file, finding.row, finding.column)]
    hidden = {names[index] for index, _ in search.hits(pl.Series(names, dtype=pl.String))}

    def shown(name: str) -> str:
        return "(a name that is left out here)" if name in hidden else name

    return [
        replace(
            each, file=shown(each.file), row=each.row and shown(each.row), column=each.column and shown(each.column)
        )
        for each in listed
    ]


def _nearest_first(finding: Finding) -> tuple[int, str]:
    """Rows of logs before what was made of them, and texts last: a secret is taken out of the logs."""
    data, _, rest = finding.file.partition("/")
    view = VIEWS.get(rest.partition("/")[0]) if data == "data" else None
    return 2 if view is None else 0 if view.by_row else 1, str(finding)


def _of_text(name: str, data: bytes) -> Iterator[_Piece]:
    """A file as text: by lines to say where, and whole, since a private key spans lines."""
    text = data.decode("utf-8", "replace")
    yield _Piece(name, None, lambda index: f"line {index + 1}", pl.Series(text.split("\n"), dtype=pl.String))
    yield _Piece(name, None, lambda _: None, pl.Series([text], dtype=pl.String))


def _of_shard(folder: Path, name: str) -> Iterator[_Piece]:
    """A Parquet file: its rows and what is written beside them."""
    try:
        reader = pq.ParquetFile(folder / name)
        ids = lru_cache(maxsize=2)(partial(_row_ids, folder / name))  # read only where something is found
        beside = [*_metadata(reader), *_after_rows(folder / name, reader)]
        yield _Piece(name, "metadata", lambda _: None, pl.Series(beside, dtype=pl.String))
        for group in range(reader.num_row_groups):
            for column in reader.schema_arrow.names:
                table = reader.read_row_group(group, columns=[column])
                for field, rows, texts in _strings(column, table.column(0).combine_chunks()):
                    yield _Piece(name, field, partial(_row_id, ids, group, rows), texts)
    except (pa.ArrowException, OSError) as error:
        raise BrokenRelease(f"{name}: cannot be read ({error})", hint=f"synthetic check {folder}") from error


def _row_id(ids: Callable[[int], list[str]], group: int, rows: pa.Array, index: int) -> str:
    return ids(group)[int(rows[index].as_py())]


def _row_ids(path: Path, group: int) -> list[str]:
    reader = pq.ParquetFile(path)
    for key in ("row_id", "pair_id", "problem_id"):
        if key in reader.schema_arrow.names:
            return [str(id) for id in reader.read_row_group(group, columns=[key]).column(0).to_pylist()]
    return [f"row {number + 1} of row group {group + 1}" for number in range(reader.metadata.row_group(group).num_rows)]


def _metadata(reader: pq.ParquetFile) -> Iterator[str]:
    """Everything written beside the rows: entries of the footer, and of the Arrow schema that one of them encodes."""
    yield str(reader.metadata.created_by)
    entries = [reader.metadata.metadata, reader.schema_arrow.metadata]
    fields = list(reader.schema_arrow)
    while fields:
        field = fields.pop()
        entries.append(field.metadata)
        yield field.name
        fields += [field.type.field(i) for i in range(field.type.num_fields)]
    for entry in entries:
        for key, value in (entry or {}).items():
            yield key.decode("utf-8", "replace")
            yield value.decode("utf-8", "replace")


def _after_rows(path: Path, reader: pq.ParquetFile) -> Iterator[str]:
    """The bytes behind the last row: statistics, page indexes and footer, as they are."""
    end = 0
    for group in range(reader.num_row_groups):
        for number in range(reader.metadata.num_columns):
            column = reader.metadata.row_group(group).column(number)
            start = column.dictionary_page_offset or column.data_page_offset
            end = max(end, start + column.total_compressed_size)
    with path.open("rb") as file:
        file.seek(end)
        # A text stands behind its length, which may look like a letter of it.
        parts = re.split(rb"[\x00-\x1f\x7f-\xff]+", file.read())
    for part in parts:
        if len(part) >= SHORTEST:
            yield part.decode()
            yield part[1:].decode()


def _strings(name: str, array: pa.Array, rows: pa.Array | None = None) -> Iterator[tuple[str, pa.Array, pl.Series]]:
    """Every array of strings within an array: its name, the row of each of its values, the values."""
    if rows is None:
        rows = pa.array(range(len(array)), pa.int64())
    kind = array.type
    if pa.types.is_dictionary(kind):
        yield from _strings(name, array.dictionary_decode(), rows)
    elif pa.types.is_map(kind):
        yield from _strings(
            name, array.cast(pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)]))), rows
        )
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _strings(name, pc.list_flatten(array), rows.take(pc.list_parent_indices(array)))
    elif pa.types.is_struct(kind):
        for field, values in zip(kind, array.flatten(), strict=True):
            yield from _strings(f"{name}.{field.name}", values, rows)
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        texts = [value.decode("utf-8", "replace") if value is not None else None for value in array.to_pylist()]
        yield name, rows, pl.Series(texts, dtype=pl.String)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        yield name, rows, pl.Series(pl.from_arrow(array), dtype=pl.String)
