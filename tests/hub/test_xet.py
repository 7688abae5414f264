"""The Xet storage of the Hub on loopback: it reads what the real client packs, and takes no other bytes."""

import json
import random
import struct

import pytest
from huggingface_hub import CommitOperationAdd, HfApi

from synthetic.errors import PushRefused
from tests.hub.pushing import REPO
from tests.hub.repos import Refused, Repo
from tests.hub.xet import GROUPED_LZ4, LZ4, PLAIN, Chunk

over_xet = pytest.mark.parametrize("transport", ["xet"], indirect=True)

NOISE = random.Random(1).randbytes(300_001)
TEXT = b"".join(b"line %d of a text\n" % number for number in range(20_000))
NUMBERS = struct.pack("<50000f", *(1 + number / 50_000 for number in range(50_000))) + b"odd"


@over_xet
def test_files_of_every_compression_are_rebuilt(hub, push, transport):
    hub.repos[REPO] = Repo(REPO, private=True)
    files = {"noise.bin": NOISE, "text.bin": TEXT, "numbers.bin": NUMBERS}
    api = HfApi(endpoint=hub.url, token=push.token)
    additions = [CommitOperationAdd(path, content) for path, content in files.items()]
    api.create_commit(REPO, additions, commit_message="three files", repo_type="dataset")
    tree = hub.repos[REPO].at("main").tree
    assert {path: tree[path].content for path in files} == files
    assert len(hub.xet.xorbs) == len(hub.points("register")) == 1
    chunks = next(iter(hub.xet.xorbs.values()))
    assert len(chunks) > len(files)
    assert {chunk.compression for chunk in chunks} == {PLAIN, LZ4, GROUPED_LZ4}


@over_xet
@pytest.mark.parametrize("first", [b"?", b""])
def test_a_file_of_damaged_chunks_is_not_taken(hub, push, transport, small, first):
    def damage():
        for name, chunks in hub.xet.xorbs.items():
            hub.xet.xorbs[name] = [Chunk(first + chunk.content[1:], chunk.compression) for chunk in chunks]

    hub.before["register"] = [damage]
    with pytest.raises(PushRefused, match="400"):
        push(small)
    assert hub.stored == {}
    assert hub.points("commit") == []


def test_the_token_of_the_hub_is_none_of_the_storage(hub, push):
    with pytest.raises(Refused, match="not the token of this storage"):
        hub.xet.answer("xorb", push.token, b"", "0" * 64)


def test_a_commit_cannot_name_a_file_that_is_not_stored_at_that_size():
    repo = Repo(REPO, private=True)
    for size in (2, 4):
        pointer = {"path": "a.bin", "algo": "sha256", "oid": "0" * 64, "size": size}
        with pytest.raises(Refused, match="does not exist"):
            repo.apply("main", json.dumps({"key": "lfsFile", "value": pointer}).encode(), {"0" * 64: b"abc"})
