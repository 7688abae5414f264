"""The answer of a Hub to each request: a route, and a method of `Answers`, for each point.

What is answered is taken from the clients' source and from the Hub's documentation, not from the live Hub.
"""

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any  # Any: JSON
from urllib.parse import parse_qs

from tests.hub import xet
from tests.hub.repos import WHEN, Refused, Repo, is_large, judged

if TYPE_CHECKING:
    from tests.hub.server import Hub

POINTS = [
    ("whoami", "GET", r"/api/whoami-v2"),
    ("create", "POST", r"/api/repos/create"),
    ("validate", "POST", r"/api/validate-yaml"),
    ("refs", "GET", r"/api/datasets/(?P<id>[^/]+/[^/]+)/refs"),
    ("tree", "GET", r"/api/datasets/(?P<id>[^/]+/[^/]+)/tree/(?P<rev>[^/]+)(?:/(?P<path>.*))?"),
    ("paths", "POST", r"/api/datasets/(?P<id>[^/]+/[^/]+)/paths-info/(?P<rev>[^/]+)"),
    ("commits", "GET", r"/api/datasets/(?P<id>[^/]+/[^/]+)/commits/(?P<rev>[^/]+)"),
    ("preupload", "POST", r"/api/datasets/(?P<id>[^/]+/[^/]+)/preupload/(?P<rev>[^/]+)"),
    ("commit", "POST", r"/api/datasets/(?P<id>[^/]+/[^/]+)/commit/(?P<rev>[^/]+)"),
    ("tag", "POST", r"/api/datasets/(?P<id>[^/]+/[^/]+)/tag/(?P<rev>[^/]+)"),
    ("discussions", "GET", r"/api/datasets/(?P<id>[^/]+/[^/]+)/discussions"),
    ("discussion", "GET", r"/api/datasets/(?P<id>[^/]+/[^/]+)/discussions/(?P<num>\d+)"),
    ("discuss", "POST", r"/api/datasets/(?P<id>[^/]+/[^/]+)/discussions"),
    ("info", "GET", r"/api/datasets/(?P<id>[^/]+/[^/]+)(?:/revision/(?P<rev>[^/]+))?"),
    ("batch", "POST", r"/datasets/(?P<id>[^/]+/[^/]+)\.git/info/lfs/objects/batch"),
    ("verify", "POST", r"/verify/(?P<oid>[0-9a-f]{64})"),
    ("access", "GET", r"/api/datasets/(?P<id>[^/]+/[^/]+)/xet-write-token/(?P<rev>[^/]+)"),
    ("resolve", "HEAD|GET", r"/datasets/(?P<id>[^/]+/[^/]+)/resolve/(?P<rev>[^/]+)/(?P<path>.*)"),
    ("put", "PUT", r"/store/(?P<oid>[0-9a-f]{64})"),
    ("get", "HEAD|GET", r"/store/(?P<oid>[0-9a-f]{64})"),
    *xet.POINTS,
]
OVER_XET = {point for point, _, _ in xet.POINTS}

Answer = tuple[int, bytes, dict[str, str]]


class Answers:
    """The answer to one request: a method for each point."""

    def __init__(
        self, hub: "Hub", token: str, body: bytes, query: dict[str, list[str]], range: str | None = None
    ) -> None:
        self.hub, self.body, self.query, self.range = hub, body, query, range
        self.who = hub.tokens.get(token)
        self.token = token

    def give(self, point: str, given: dict[str, str]) -> Answer:
        over_xet = point in OVER_XET
        answer: Any = (
            self.hub.xet.answer(point, self.token, self.body, **given) if over_xet else getattr(self, point)(**given)
        )
        return (
            answer
            if isinstance(answer, tuple)
            else (200, json.dumps(answer).encode(), {"Content-Type": "application/json"})
        )

    # ---- who

    def known(self) -> dict[str, Any]:
        if self.who is None:
            raise Refused(401, "Invalid username or password.")
        return self.who

    def member(self, namespace: str) -> bool:
        return self.who is not None and namespace in (self.who["name"], *self.hub.users[self.who["name"]])

    def repo(self, id: str, *, write: bool = False, rev: str = "main") -> Repo:
        repo = self.hub.repos.get(id)
        mine = self.member(id.partition("/")[0])
        if repo is None or (repo.private and not mine):
            raise Refused(404 if self.who else 401, "Repository not found", "RepoNotFound")
        if write and self.known()["role"] == "read":
            raise Refused(403, f"the token {self.token} may only read")
        authors = {f"refs/pr/{pr.num}": pr.author for pr in repo.pull_requests}
        if write and not mine and authors.get(rev) != self.known()["name"]:
            raise Refused(403, f"no right to write to {id} with {self.token}")
        return repo

    def whoami(self) -> Any:
        who = self.known()
        orgs = [{"name": org, "roleInOrg": "write"} for org in self.hub.users[who["name"]]]
        return {"type": "user", "name": who["name"], "orgs": orgs, "auth": {"accessToken": {"role": who["role"]}}}

    # ---- repositories

    def create(self) -> Any:
        asked = json.loads(self.body)
        id = f"{asked.get('organization') or self.known()['name']}/{asked['name']}"
        if not self.member(id.partition("/")[0]) or self.known()["role"] == "read":
            raise Refused(403, f"no right to create a dataset in {id}")
        url = f"{self.hub.url}/datasets/{id}"
        if id in self.hub.repos:
            return 409, json.dumps({"error": "You already created this dataset repo", "url": url}).encode(), {}
        self.hub.repos[id] = Repo(id, private=asked.get("visibility") == "private")
        return {"url": url, "name": id}

    def info(self, id: str, rev: str = "main") -> Any:
        repo = self.repo(id)
        commit = repo.at(rev)
        siblings = [{"rfilename": path} for path in sorted(commit.tree)]
        facts = {"_id": "0", "id": id, "author": id.partition("/")[0], "gated": False, "disabled": False, "tags": []}
        return facts | {"sha": commit.id, "private": repo.private, "siblings": siblings, "downloads": 0, "likes": 0}

    def refs(self, id: str) -> Any:
        repo = self.repo(id)

        def listed(prefix: str, refs: dict[str, str]) -> list[dict[str, str]]:
            return [{"name": n, "ref": f"{prefix}{n}", "targetCommit": commit} for n, commit in refs.items()]

        pulls = {name: commit for name, commit in repo.heads.items() if name != "main"}
        branches = listed("refs/heads/", {"main": repo.heads["main"]})
        return {
            "branches": branches,
            "converts": [],
            "tags": listed("refs/tags/", repo.tags),
            "pullRequests": listed("", pulls),
        }

    def tree(self, id: str, rev: str, path: str = "") -> Any:
        tree = self.repo(id).at(rev).tree
        inside = {name: blob for name, blob in sorted(tree.items()) if not path or name.startswith(f"{path}/")}
        if path and not inside:
            raise Refused(404, f"{path} does not exist on {rev}", "EntryNotFound")
        depth = path.count("/") + 1 if path else 0
        folders = sorted({"/".join(n.split("/")[:i]) for n in inside for i in range(depth + 1, n.count("/") + 1)})
        entries: list[Any] = [{"type": "directory", "path": name, "size": 0, "oid": "0" * 40} for name in folders]
        entries += [blob.described(name) for name, blob in inside.items()]
        deep = self.query.get("recursive") == ["true"]
        return [entry for entry in entries if deep or entry["path"].count("/") == depth]

    def paths(self, id: str, rev: str) -> Any:
        tree = self.repo(id).at(rev).tree
        asked = parse_qs(self.body.decode()).get("paths", [])
        files = [tree[path].described(path) for path in asked if path in tree]
        return files + [
            {"type": "directory", "path": path, "size": 0, "oid": "0" * 40}
            for path in asked
            if path not in tree and any(name.startswith(f"{path}/") for name in tree)
        ]

    def commits(self, id: str, rev: str) -> Any:
        return [
            {"id": c.id, "title": c.title, "message": c.message, "date": WHEN, "authors": [{"user": "ana"}]}
            for c in self.repo(id).history(rev)
        ]

    def validate(self) -> Any:
        errors = [{"message": message} for message in judged(json.loads(self.body)["content"])]
        return (400, json.dumps({"errors": errors}).encode(), {}) if errors else {"errors": [], "warnings": []}

    # ---- writing

    def preupload(self, id: str, rev: str) -> Any:
        tree = self.repo(id, write=True, rev=rev).at(rev).tree
        files = []
        for asked in json.loads(self.body)["files"]:
            large = is_large(asked["path"], base64.b64decode(asked["sample"]), asked["size"])
            there = tree.get(asked["path"])
            oid = {"oid": there.sha256 if there.large else there.oid} if there else {}
            mode = "lfs" if large else "regular"
            files.append({"path": asked["path"], "uploadMode": mode, "shouldIgnore": False} | oid)
        return {"files": files}

    def batch(self, id: str) -> Any:
        asked = json.loads(self.body)
        self.repo(id, write=True, rev=asked.get("ref", {}).get("name", "main"))
        objects = []
        for wanted in asked["objects"]:
            entry = {"oid": wanted["oid"], "size": wanted["size"]}
            if wanted["oid"] not in self.hub.stored:
                upload = {"href": f"{self.hub.storage}/store/{wanted['oid']}"}
                entry["actions"] = {"upload": upload, "verify": {"href": f"{self.hub.url}/verify/{wanted['oid']}"}}
            objects.append(entry)
        return {"transfer": "basic", "objects": objects}

    def put(self, oid: str) -> Any:
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise Refused(400, "the bytes are not those announced")
        self.hub.stored[oid] = self.body
        return {}

    def verify(self, oid: str) -> Any:
        if json.loads(self.body)["size"] != len(self.hub.stored.get(oid, b"")):
            raise Refused(400, "not stored")
        return {}

    def access(self, id: str, rev: str) -> Any:
        self.repo(id, write=True, rev=rev)
        return self.hub.xet.access(self.hub.storage)

    def commit(self, id: str, rev: str) -> Any:
        commit = self.repo(id, write=True, rev=rev).apply(rev, self.body, self.hub.stored)
        url = f"{self.hub.url}/datasets/{id}/commit/{commit.id}"
        return {"commitUrl": url, "commitOid": commit.id, "success": True}

    def tag(self, id: str, rev: str) -> Any:
        repo, tag = self.repo(id, write=True), json.loads(self.body)["tag"]
        if tag in repo.tags:
            raise Refused(409, f"Tag reference exists already: {tag}")
        repo.tags[tag] = repo.at(rev).id
        return {}

    # ---- pull requests

    def discuss(self, id: str) -> Any:
        asked, repo = json.loads(self.body), self.repo(id)
        return {"num": repo.open_pull_request(asked["title"], self.known()["name"]).num}

    def discussion(self, id: str, num: str) -> Any:
        listed = next(d for d in self.discussions(id)["discussions"] if d["num"] == int(num))
        return listed | {"events": [], "changes": {"base": "refs/heads/main"}, "filesWithConflicts": []}

    def discussions(self, id: str) -> Any:
        repo = self.repo(id)
        found = [
            {"num": pr.num, "title": pr.title, "author": {"name": pr.author}, "createdAt": WHEN, "status": pr.status}
            | {"isPullRequest": True, "repo": {"name": id, "type": "dataset"}}
            for pr in repo.pull_requests
        ]
        return {"discussions": found, "count": len(found), "start": 0}

    # ---- reading

    def resolve(self, id: str, rev: str, path: str) -> Answer:
        commit = self.repo(id).at(rev)
        if path not in commit.tree:
            raise Refused(404, f"{path} does not exist", "EntryNotFound")
        blob = commit.tree[path]
        headers = {"X-Repo-Commit": commit.id, "ETag": f'"{blob.oid}"'}
        if not blob.large:
            return self.part(blob.content, headers)
        linked = {"X-Linked-Etag": f'"{blob.sha256}"', "X-Linked-Size": str(len(blob.content))}
        return 302, b"", headers | linked | {"Location": f"{self.hub.storage}/store/{blob.sha256}"}

    def get(self, oid: str) -> Answer:
        return self.part(self.hub.stored[oid], {"ETag": f'"{oid}"'})

    def part(self, content: bytes, headers: dict[str, str]) -> Answer:
        """The content, or the range of it that was asked for."""
        whole = len(content)
        if not (asked := re.fullmatch(r"bytes=(\d*)-(\d*)", self.range or "")):
            return 200, content, headers | {"Content-Length": str(whole), "Accept-Ranges": "bytes"}
        first, last = asked.groups()
        start = int(first) if first else whole - int(last)
        end = min(int(last), whole - 1) if first and last else whole - 1
        piece = content[start : end + 1]
        headers |= {"Content-Length": str(len(piece)), "Content-Range": f"bytes {start}-{end}/{whole}"}
        return 206, piece, headers
