"""What a Hub remembers: repositories with their commits, branches, tags and pull requests, and stored large files.

No HTTP here. `Refused` carries the status and the words of the answer.
"""

import base64
import fnmatch
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any  # JSON

from huggingface_hub import DatasetCard

WHEN = "2026-11-01T12:00:00.000Z"
LFS_PATTERNS = ("*.parquet", "*.bin", "*.zst")


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


@dataclass(frozen=True)
class Blob:
    """A file's content; of a large one the pointer's name and its SHA-256."""

    content: bytes
    large: bool
    claimed: str | None = None
    """The SHA-256 under which a large file was stored; its bytes may have rotted since."""

    @property
    def sha256(self) -> str:
        return self.claimed or hashlib.sha256(self.content).hexdigest()

    @property
    def oid(self) -> str:
        data = self.content
        if self.large:
            data = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(data)}\n".encode()
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()

    def described(self, path: str) -> dict[str, Any]:
        lfs = {"oid": self.sha256, "size": len(self.content), "pointerSize": 134} if self.large else {}
        entry = {"type": "file", "path": path, "size": len(self.content), "oid": self.oid}
        return entry | ({"lfs": lfs} if lfs else {})


@dataclass
class Commit:
    id: str
    parent: str | None
    title: str
    message: str
    tree: dict[str, Blob]
    keys: list[str] = field(default_factory=list)
    """The kinds of operations it was made of."""


@dataclass
class PullRequest:
    num: int
    title: str
    author: str
    status: str = "draft"


class Repo:
    """One dataset repository."""

    def __init__(self, id: str, *, private: bool) -> None:
        self.id, self.private = id, private
        self.commits: dict[str, Commit] = {}
        self.heads: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.pull_requests: list[PullRequest] = []
        attributes = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LFS_PATTERNS)
        self.add("main", "initial commit", "", {".gitattributes": Blob(attributes.encode(), False)})

    def add(
        self, branch: str, title: str, message: str, tree: dict[str, Blob], keys: list[str] | None = None
    ) -> Commit:
        parent = self.heads.get(branch)
        listed = json.dumps([self.id, branch, parent, title, len(self.commits), sorted(tree)])
        id = hashlib.sha1(listed.encode(), usedforsecurity=False).hexdigest()
        self.commits[id] = Commit(id, parent, title, message, tree, keys or [])
        self.heads[branch] = id
        return self.commits[id]

    def at(self, revision: str) -> Commit:
        """The commit of a branch, tag, pull request or commit id."""
        id = self.heads.get(revision) or self.tags.get(revision) or revision
        if id not in self.commits:
            raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[id]

    def history(self, revision: str) -> list[Commit]:
        found, commit = [], self.at(revision)
        while True:
            found.append(commit)
            if commit.parent is None:
                return found
            commit = self.commits[commit.parent]

    def write(self, path: str, content: bytes | None, title: str = "another writer", branch: str = "main") -> str:
        """A commit of another writer; None deletes the file."""
        tree = dict(self.at(branch).tree)
        if content is None:
            del tree[path]
        else:
            tree[path] = Blob(content, is_large(path, content))
        return self.add(branch, title, "", tree).id

    def apply(self, branch: str, body: bytes, stored: dict[str, bytes]) -> Commit:
        """Apply the lines of a commit call: all or nothing."""
        header: dict[str, Any] = {}
        head = self.at(branch)
        tree, keys = dict(head.tree), []
        for line in body.splitlines():
            entry = json.loads(line)
            key, value = entry["key"], entry["value"]
            keys.append(key)
            if key == "header":
                header = value
                if value.get("parentCommit") not in (None, head.id):
                    raise Refused(412, "A commit has happened since. Please refresh and try again.")
            elif key == "file":
                tree[value["path"]] = Blob(base64.b64decode(value["content"]), False)
            elif key == "lfsFile":
                if value["oid"] not in stored or len(stored[value["oid"]]) != value["size"]:
                    raise Refused(400, f"LFS pointer pointed to a file that does not exist: {value['path']}")
                tree[value["path"]] = Blob(stored[value["oid"]], True, value["oid"])
            elif key == "deletedFile":
                if value["path"] not in tree:
                    raise Refused(404, f"A file with this name doesn't exist: {value['path']}", "EntryNotFound")
                del tree[value["path"]]
            else:
                raise Refused(400, f"unknown operation {key}")
        return self.add(branch, header["summary"], header.get("description", ""), tree, keys)

    def open_pull_request(self, title: str, author: str) -> PullRequest:
        made = PullRequest(len(self.pull_requests) + 1, title, author)
        self.pull_requests.append(made)
        self.heads[f"refs/pr/{made.num}"] = self.heads["main"]
        return made

    def merge(self, num: int) -> None:
        self.heads["main"] = self.heads[f"refs/pr/{num}"]
        self.pull_requests[num - 1].status = "merged"


def is_large(path: str, sample: bytes, size: int = 0) -> bool:
    """Whether the Hub keeps a file in its large storage."""
    return size > 10_000_000 or b"\0" in sample or any(fnmatch.fnmatch(path, pattern) for pattern in LFS_PATTERNS)


def judged(card: str) -> list[str]:
    """What the Hub's validation says against a card: syntax, licence, configs."""
    try:
        data = DatasetCard(card, ignore_metadata_errors=True).data.to_dict()
    except Exception as error:  # noqa: BLE001 - whatever the YAML reader raises
        return [f"YAML: {error}"]
    errors = [] if data.get("license") in ("mit", "apache-2.0", "cc-by-4.0") else ['"license" must be one of […]']
    errors += ['"configs" must be an array'] * (not isinstance(data.get("configs", []), list))
    return errors
