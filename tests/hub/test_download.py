"""A release that came back from the Hub is the release that went there, also for `check`."""

from huggingface_hub import snapshot_download

import synthetic
from synthetic import manifest
from tests.hub.pushing import REPO
from tests.releases import tree


def test_a_release_holds_after_it_was_downloaded(hub, push, v1, tmp_path):
    push(v1)
    there = snapshot_download(
        REPO,
        repo_type="dataset",
        revision="v1.0.0",
        local_dir=tmp_path / "sums",
        endpoint=hub.url,
        token=push.token,
        cache_dir=tmp_path / "cache",
    )
    assert there == str(tmp_path / "sums")
    found = tree(tmp_path / "sums")
    assert found.keys() - tree(v1).keys() >= {".gitattributes"}
    assert found.items() >= tree(v1).items()
    assert synthetic.check(tmp_path / "sums").problems == []
    assert manifest.read(tmp_path / "sums").root == manifest.read(v1).root
