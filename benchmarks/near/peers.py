"""What other tools do to the same texts, each as its own documentation does it, in the peers' Python environment.

    PEERS/bin/python -m benchmarks.near.peers signatures|drops CASE CORPUS OUT

`signatures` takes texts that are in memory (Python strings; Arrow for daft) and makes a signature of each, one thread:
the clock sees no file. `drops` goes from the Parquet files to the ids of the rows to drop, on all cores, and writes
those to OUT as JSON. Imports come before the clock. Each peer has the setting that costs it least where its own
documentation leaves a choice: whitespace for a tokeniser, xxHash for SHA-1.

    datatrove           MinHash with its defaults (14 × 8 of 64 bits, 5-grams), a tokeniser that only splits; stages 1
                        to 3, without the fourth, which would rewrite the data
    text-dedup          its command with xxh3 (250 permutations, threshold 0.7): it also writes what stays
    rensa               its readme's script: `RMinHashDeduplicator` on the bag of words
    rensa 5-grams       the same, on word 5-grams
    rensa rho           its benchmark's batch pipeline, which flags rows that have a twin: no row is told to stay
    datasketch          MinHash of word 5-grams with xxh32, and LSH of 14 × 8
    daft                `minhash` of 14 × 8 on spaces, clustered here by sorting keys and by scipy's components
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any  # peers' objects, of packages that we do not have

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import measured

BANDS, ROWS = 14, 8
"""datatrove's default, given to every peer whose documentation names none."""

SIZE = 128
"""Values of a signature, where signatures alone are measured."""


def _read(corpus: Path) -> tuple[list[str], list[str]]:
    table = pq.read_table(corpus / "texts", columns=["id", "text"])
    return table["id"].to_pylist(), table["text"].to_pylist()


def _grams(text: str) -> list[str]:
    """The word 5-grams; a text of fewer words is one."""
    words = text.split()
    return list(map(" ".join, zip(words, words[1:], words[2:], words[3:], words[4:], strict=False))) or [
        " ".join(words)
    ]


def _first_of(clusters: Sequence[int]) -> Iterator[int]:
    """Places of the rows that are not the first of their cluster."""
    seen = set()
    for place, cluster in enumerate(clusters):
        if cluster in seen:
            yield place
        seen.add(cluster)


# ---- signatures: from texts in memory


def _datatrove_signatures(texts: list[str]) -> Callable[[], int]:
    step = _datatrove_step("memory://signatures")

    def work() -> int:
        return sum(len(step.get_signature(step.get_shingles(text))) > 0 for text in texts)

    return work


def _text_dedup_signatures(texts: list[str]) -> Callable[[], int]:
    import numpy as np
    from text_dedup.minhash import RNG, embed_func
    from text_dedup.utils import xxh3_32hash

    most, prime = np.uint32((1 << 32) - 1), np.uint32((1 << 32) - 5)
    permutations = tuple(RNG.randint(low, prime, size=SIZE, dtype=np.uint32) for low in (1, 0))
    settings: dict[str, Any] = {
        "num_perm": SIZE,
        "ngram_size": 5,
        "min_length": 5,
        "hashranges": [(start, start + ROWS) for start in range(0, SIZE, ROWS)],
        "permutations": permutations,
        "hash_func": xxh3_32hash,
        "dtype": np.uint32,
        "max_hash": most,
        "modulo_prime": prime,
    }
    return lambda: sum(bool(embed_func(text, place, **settings)) for place, text in enumerate(texts))


def _rensa_signatures(texts: list[str], *, tokens: Callable[[str], list[str]], rho: bool = False) -> Callable[[], int]:
    from rensa import RMinHash

    make = RMinHash.digest_matrix_from_token_sets_rho if rho else RMinHash.digest_matrix_from_token_sets
    more = {"probes": 4} if rho else {}

    def work() -> int:
        done = 0
        for start in range(0, len(texts), 512):  # in parts, or the lists of tokens would fill the memory
            done += make([tokens(text) for text in texts[start : start + 512]], num_perm=SIZE, seed=42, **more).len()
        return done

    return work


def _datasketch_signatures(texts: list[str]) -> Callable[[], int]:
    return lambda: sum(len(each) > 0 for each in _sketches(texts, SIZE))


def _sketches(texts: list[str], size: int) -> Any:
    import xxhash
    from datasketch import MinHash

    grams = ([gram.encode() for gram in _grams(text)] for text in texts)
    return MinHash.generator(grams, num_perm=size, hashfunc=xxhash.xxh32_intdigest)


def _daft_signatures(texts: list[str]) -> Callable[[], int]:
    import daft

    held = daft.from_arrow(pa.table({"text": pa.array(texts, pa.large_string())}))
    return lambda: len(held.select(_daft_minhash(daft.col("text"), SIZE)).to_arrow())


def _daft_minhash(text: Any, size: int) -> Any:
    from daft.functions import minhash

    return minhash(text, num_hashes=size, ngram_size=5, hash_function="xxhash3_64")


SIGNATURES: dict[str, tuple[int, Callable[[list[str]], Callable[[], int]]]] = {
    "datatrove": (400, _datatrove_signatures),
    "text-dedup": (400, _text_dedup_signatures),
    "rensa": (4000, lambda texts: _rensa_signatures(texts, tokens=str.split)),
    "rensa 5-grams": (2000, lambda texts: _rensa_signatures(texts, tokens=_grams)),
    "rensa rho": (4000, lambda texts: _rensa_signatures(texts, tokens=str.split, rho=True)),
    "datasketch": (1000, _datasketch_signatures),
    "daft": (4000, _daft_signatures),
}
"""How many texts each is given, so that all take seconds, and how it makes their signatures."""


# ---- drops: from Parquet files to ids


def _datatrove_step(folder: str) -> Any:
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
    from datatrove.utils.word_tokenizers import WordTokenizer

    class Split(WordTokenizer):  # type: ignore[misc]
        """Splits on whitespace: the least that a tokeniser can do."""

        def word_tokenize(self, text: str) -> list[str]:
            return text.split()

        def sent_tokenize(self, text: str) -> list[str]:
            return text.splitlines()

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            raise NotImplementedError

    config = MinhashConfig(n_grams=5, num_buckets=BANDS, hashes_per_bucket=ROWS)
    return MinhashDedupSignature(folder, config, language=Split())


def _datatrove_drops(corpus: Path, scratch: Path) -> Callable[[], list[str]]:
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup.minhash import MinhashDedupBuckets, MinhashDedupCluster
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.utils.logging import logger

    logger.remove()
    cores = len(os.sched_getaffinity(0))
    files = sorted((corpus / "texts").glob("*.parquet"))

    def run(name: str, tasks: int, *pipeline: Any) -> None:
        # forked, so that workers need not import it all again
        logs = str(scratch / "logs" / name)
        LocalPipelineExecutor(
            list(pipeline), tasks=tasks, workers=min(cores, tasks), logging_dir=logs, start_method="fork"
        ).run()

    def work() -> list[str]:
        signatures = _datatrove_step(str(scratch / "signatures"))
        config = signatures.config
        reader = ParquetReader(str(corpus / "texts"), text_key="text", id_key="id", glob_pattern="*.parquet")
        run("signatures", len(files), reader, signatures)
        buckets = MinhashDedupBuckets(str(scratch / "signatures"), str(scratch / "buckets"), config=config)
        run("buckets", BANDS, buckets)
        run("clusters", 1, MinhashDedupCluster(str(scratch / "buckets"), str(scratch / "drops"), config=config))
        dropped = []
        for number, file in enumerate(files):  # one file a task: a row's number is its place in the file
            removed = scratch / "drops" / f"{number:06d}.remove"
            if removed.exists():
                places = memoryview(removed.read_bytes()).cast("I")
                dropped += pq.read_table(file, columns=["id"])["id"].take(pa.array(places)).to_pylist()
        return dropped

    return work


def _text_dedup_drops(corpus: Path, scratch: Path) -> Callable[[], list[str]]:
    import datasets
    from text_dedup.minhash import main as text_dedup

    cores = len(os.sched_getaffinity(0))
    given = {
        "path": "parquet",
        "data_files": str(corpus / "texts" / "*.parquet"),
        "split": "train",
        "cache_dir": str(scratch / "cache"),
        "output": str(scratch / "kept"),
        "column": "text",
        "batch_size": "10000",
        "hash_func": "xxh3",
        "hash_bits": "32",
        "num_proc": str(cores),
    }

    def work() -> list[str]:
        arguments = [word for name, value in given.items() for word in (f"--{name}", value)]
        text_dedup(arguments, standalone_mode=False)
        kept = set(datasets.load_from_disk(str(scratch / "kept"))["id"])
        ids, _ = _read(corpus)
        return [id for id in ids if id not in kept]

    return work


def _rensa_drops(corpus: Path, *, tokens: Callable[[str], list[str]]) -> Callable[[], list[str]]:
    from rensa import RMinHashDeduplicator

    def work() -> list[str]:
        ids, texts = _read(corpus)
        deduplicator = RMinHashDeduplicator(threshold=0.8, num_perm=128, use_lsh=True)
        kept = deduplicator.add_pairs((id, tokens(text)) for id, text in zip(ids, texts, strict=True))
        return [id for id, keep in zip(ids, kept, strict=True) if not keep]

    return work


def _rensa_rho_drops(corpus: Path) -> Callable[[], list[str]]:
    from rensa import RMinHash, RMinHashLSH

    def work() -> list[str]:
        ids, texts = _read(corpus)
        matrix = RMinHash.digest_matrix_from_token_sets_rho(map(str.split, texts), num_perm=128, seed=42, probes=4)
        lsh = RMinHashLSH(threshold=0.8, num_perm=128, num_bands=8)
        flags = lsh.query_duplicate_flags_matrix_one_shot(matrix)
        return [id for id, flag in zip(ids, flags, strict=True) if flag]

    return work


def _datasketch_drops(corpus: Path) -> Callable[[], list[str]]:
    from datasketch import MinHashLSH

    def work() -> list[str]:
        ids, texts = _read(corpus)
        lsh = MinHashLSH(num_perm=128, params=(BANDS, ROWS))
        dropped = []
        for id, sketch in zip(ids, _sketches(texts, 128), strict=True):
            if lsh.query(sketch):
                dropped.append(id)
            else:
                lsh.insert(id, sketch)
        return dropped

    return work


def _daft_drops(corpus: Path) -> Callable[[], list[str]]:
    import daft
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    def work() -> list[str]:
        read = daft.read_parquet(str(corpus / "texts" / "*.parquet"))
        found = read.select("id", _daft_minhash(daft.col("text"), BANDS * ROWS).alias("minhash")).to_arrow()
        rows = len(found)
        values = found["minhash"].combine_chunks().flatten().to_numpy().reshape(rows, BANDS, ROWS)
        left, right = [], []
        for band in range(BANDS):
            keys = np.ascontiguousarray(values[:, band]).view(f"V{4 * ROWS}").ravel()
            _, first, of = np.unique(keys, return_index=True, return_inverse=True)
            left.append(np.arange(rows))
            right.append(first[of])
        edges = np.concatenate(left), np.concatenate(right)
        graph = coo_array((np.ones(len(edges[0]), np.int8), edges), shape=(rows, rows))
        _, clusters = connected_components(graph, directed=False)
        ids = found["id"].to_pylist()
        return [ids[place] for place in _first_of(clusters.tolist())]

    return work


DROPS: dict[str, Callable[[Path, Path], Callable[[], list[str]]]] = {
    "datatrove": _datatrove_drops,
    "text-dedup": _text_dedup_drops,
    "rensa": lambda corpus, _: _rensa_drops(corpus, tokens=str.split),
    "rensa 5-grams": lambda corpus, _: _rensa_drops(corpus, tokens=_grams),
    "rensa rho": lambda corpus, _: _rensa_rho_drops(corpus),
    "datasketch": lambda corpus, _: _datasketch_drops(corpus),
    "daft": lambda corpus, _: _daft_drops(corpus),
}


def main() -> None:
    """Run one case and print its `Cost`; of signatures, `log_bytes` is the size of the texts."""
    parser = argparse.ArgumentParser(description="Run one peer.")
    parser.add_argument("what", choices=("signatures", "drops"))
    parser.add_argument("case", choices=DROPS)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    if given.what == "signatures":
        count, signatures = SIGNATURES[given.case]
        texts = _read(given.corpus)[1][:count]
        size = sum(len(text.encode()) for text in texts)
        cost = measured(signatures(texts), size)
    else:
        scratch = given.out.with_suffix(".scratch")
        scratch.mkdir(parents=True)
        work, dropped = DROPS[given.case](given.corpus, scratch), []

        def drops() -> int:
            dropped.extend(work())
            return len(dropped)

        cost = measured(drops)
        given.out.write_text(json.dumps(sorted(dropped)), "utf-8")
    print(msgspec.json.encode(cost).decode())


if __name__ == "__main__":
    main()
