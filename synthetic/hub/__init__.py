"""A release to the Hub: one version is one commit, and a tag on it.

Rights first, then the gate (licence, card, secrets), then shards stored one by one, where no reader sees them, then one
commit that names them all, pinned to the commit that the plan was made for. What the Hub holds afterwards is read back
before the tag makes it a version. A commit is never sent again before a look at whether it was applied; a second push
of the same release finds its tag and does nothing.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from synthetic import manifest
from synthetic.errors import HubFailed, PushRefused
from synthetic.hub import cards, gate
from synthetic.hub import plan as plans
from synthetic.hub.plan import Plan, Sent, There
from synthetic.manifest import Manifest
from synthetic.relicense import relicense
from synthetic.stage import Progress, silent

if TYPE_CHECKING:
    from synthetic.hub.remote import Patience, Remote

NEW_PULL_REQUEST = "a new pull request"
MOST_OPERATIONS = 25_000
"""The Hub takes no more in one commit."""


@dataclass(frozen=True)
class Pushed:
    """What a push did, or would do."""

    done: Literal["pushed", "tagged", "proposed", "unchanged", "planned"]
    """`tagged`: the commit was there already; `proposed`: it is in a pull request; `planned`: a dry run."""
    repo: str
    url: str
    plan: Plan
    commit: str | None
    """The commit that holds the release; None: there is none yet."""
    tag: str | None
    """The tag on it; None: none was set."""
    load: str
    """The line of Python that loads it."""
    notes: tuple[str, ...] = ()


def push(  # noqa: PLR0913 - each is an option of the verb
    folder: str | Path,
    repo: str,
    *,
    public: bool = False,
    pr: bool = False,
    license: str | None = None,
    dry_run: bool = False,
    token: str | None = None,
    endpoint: str | None = None,
    secrets: Mapping[str, str] | None = None,
    progress: Progress = silent,
    patience: "Patience | None" = None,
) -> Pushed:
    """Push the release in `folder` to the dataset repository `org/name`.

    A repository is private from its creation unless `public`; the visibility of one that exists is never changed. `pr`
    proposes the release in a pull request, or goes on with the one that is open. `license` is written into card, recipe
    and manifest first. `dry_run` only reads, and nothing of the release leaves. `token` and `endpoint` are those of
    huggingface_hub when they are None; `secrets` are values that must not be in the release, by their name.

    Raises `PushRefused`, `SecretFound`, `HubFailed`, `BrokenRelease`, `RecipeError`, `TargetTaken`, `CannotWrite`.
    """
    path = Path(folder)
    made, texts = gate.licensed(path, repo, license)
    card = gate.card(path, texts)
    cards.check_card(path, made, card)
    _no_telemetry()
    from synthetic.hub.remote import Patience, Remote

    remote = Remote(repo, token=token, endpoint=endpoint, patience=patience or Patience())
    author, notes = _rights(remote, pr=pr)
    private = remote.is_private()
    notes += _visibility(remote, private, public=public, pr=pr, mine=_namespace(repo) == author)
    sent = plans.files(path, made, texts)
    gate.check_secrets(path, made, remote.secret | dict(secrets or {}), texts, progress)

    one = _Push(remote, made, sent, public=public, pr=pr, author=author, progress=progress)
    if private is not None and (commit := one.already_tagged()):
        return one.result("unchanged", one.nothing(commit), commit, notes, tagged=True)
    plan = one.plan(one.branch(), creates=private is None)
    if dry_run:
        return one.result("planned", plan, None, notes)
    remote.validate(card)
    if texts and license:
        relicense(path, license)
    if plan.creates:
        remote.create(public=public)
        if remote.is_private() is public:
            raise PushRefused(f"{repo}: was created meanwhile, {'private' if public else 'public'}; nothing was sent")
    if pr:
        return one.propose(plan, notes)
    done, commit, pushed = one.commit("main")
    plan = replace(done, creates=plan.creates)
    one.read_back(commit)
    remote.tag(one.tag, commit, f"root {made.root}")
    return one.result("pushed" if pushed else "tagged", plan, commit, notes, tagged=True)


# ---- before anything is sent


def _no_telemetry() -> None:
    """Nothing about this machine leaves with a push, also when huggingface_hub was imported before."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_XET_TELEMETRY_ENABLED", "0")
    from huggingface_hub import constants

    constants.HF_HUB_DISABLE_TELEMETRY = True


def _namespace(repo: str) -> str:
    return repo.partition("/")[0]


def _rights(remote: "Remote", *, pr: bool) -> tuple[str, list[str]]:
    """Whose token it is, and what to say about it. Raises `PushRefused` when it cannot write there."""
    who = remote.who()
    name, namespace = str(who.get("name")), _namespace(remote.repo)
    role = who.get("auth", {}).get("accessToken", {}).get("role")
    if role == "read":
        raise PushRefused(
            f"the token of {name} may only read", hint="make one that may write to this repository, then: hf auth login"
        )
    roles = {str(org.get("name")): org.get("roleInOrg") for org in who.get("orgs", [])}
    # What a fine-grained token may do is not said in full: the Hub decides when the repository is made or written.
    if not pr and namespace != name and role != "fineGrained":
        if namespace not in roles:
            choices = sorted([name, *roles])
            raise PushRefused(
                f"{remote.repo}: {name} may not write to {namespace!r}; the token's namespaces are {choices}",
                hint="push to one of them, or add --pr",
            )
        if roles[namespace] == "read":
            raise PushRefused(f"{remote.repo}: {name} may only read in {namespace!r}", hint="add --pr to propose it")
    broad = role == "write" and len(roles) > 0
    return name, ["this token may write everywhere; a fine-grained one for this repository is safer"] if broad else []


def _visibility(remote: "Remote", private: bool | None, *, public: bool, pr: bool, mine: bool) -> list[str]:
    """What to say about who will see it. Raises `PushRefused` when more people would than was asked for."""
    if private is None and pr and not mine:
        raise PushRefused(
            f"{remote.repo}: does not exist, or this token may not see it; a proposal needs a repository",
            hint="without --pr it is made, where this token may do that",
        )
    if private is False and not public:
        raise PushRefused(
            f"{remote.repo}: is public, and a push is private unless you say otherwise",
            hint="add --public, or push to another repository",
        )
    if private and public:
        return [f"{remote.repo} is private and stays so: change that in its settings on the Hub"]
    return []


# ---- the push


class _Push:
    """One push, after all that may refuse it."""

    def __init__(
        self,
        remote: "Remote",
        made: Manifest,
        sent: tuple[Sent, ...],
        *,
        public: bool,
        pr: bool,
        author: str,
        progress: Progress,
    ) -> None:
        self._remote, self._made, self._sent, self._progress = remote, made, sent, progress
        self._public, self._pr, self._author = public, pr, author
        self.tag = f"v{made.version}"
        self._title = f"Release {made.name} {made.version}"
        self._about = f"root {made.root}"

    def already_tagged(self) -> str | None:
        """The commit of this version's tag, when it holds this release. Raises `PushRefused` when it holds another."""
        commit = self._remote.tagged(self.tag)
        if commit is None:
            return None
        if self._holds(commit):
            return commit
        there = plans.earlier(self._remote.read(str(manifest.PATH), commit))
        root = f"the root {there.root}" if there else "no release of ours"
        same = there is not None and there.root == self._made.root
        rows = "the same rows with another card or licence" if same else f"the root {self._made.root}"
        major, minor, patch = self._made.version.split(".")
        following = f"{major}.{minor}.{int(patch) + 1}" if same else f"{major}.{int(minor) + 1}.0"
        raise PushRefused(
            f"{self._remote.repo}: the tag {self.tag} holds {root}; this release holds {rows}. A tag never changes",
            hint=f'release again with version = "{following}" in the recipe',
        )

    def branch(self) -> str:
        """Where the commit goes."""
        if not self._pr:
            return "main"
        there = self._remote.is_private() is not None
        return (self._remote.pull_request(self._title, self._author) if there else None) or NEW_PULL_REQUEST

    def plan(self, revision: str, *, creates: bool = False) -> Plan:
        """What to send to a branch and to delete from it, as it is now."""
        add, unchanged, delete = plans.changes(self._remote.repo, self._sent, self._made, (), None)
        parent: str | None = None
        overwritten: tuple[str, ...] = ()
        replaces: str | None = None
        if not creates:
            parent = self._remote.head("main" if revision == NEW_PULL_REQUEST else revision)
            before = plans.earlier(self._remote.read(str(manifest.PATH), parent))
            replaces = plans.replaced(self._made, before)
            there = self._remote.tree(parent)
            add, unchanged, delete = plans.changes(self._remote.repo, self._sent, self._made, there, before)
            overwritten = plans.overwritten([*(file.path for file in add), *delete], there, *self._written(before))
        if len(add) + len(delete) > MOST_OPERATIONS:
            raise PushRefused(f"{self._remote.repo}: {len(add) + len(delete):,} files are too many for one commit")
        tag = None if self._pr else self.tag
        return Plan(
            self._remote.repo,
            creates,
            self._public,
            revision,
            parent,
            add,
            unchanged,
            delete,
            tag,
            overwritten,
            replaces,
        )

    def _written(self, before: Manifest | None) -> tuple[set[str], list[There] | None]:
        """The paths that the earlier release lists, and its files as they were tagged; None: it has no tag."""
        if before is None:
            return set(), []
        commit = self._remote.tagged(f"v{before.version}")
        return plans.manifest_paths(before), self._remote.tree(commit) if commit else None

    def nothing(self, commit: str, revision: str = "main") -> Plan:
        """The plan of a push that has nothing to do."""
        paths, tag = tuple(file.path for file in self._sent), None if self._pr else self.tag
        return Plan(self._remote.repo, False, self._public, revision, commit, (), paths, (), tag)

    def propose(self, plan: Plan, notes: list[str]) -> Pushed:
        """Bring a pull request to the release."""
        if plan.is_empty and plan.revision == NEW_PULL_REQUEST:
            notes = [*notes, "main holds this release already; push again without --pr to set the tag"]
            return self.result("unchanged", plan, plan.parent, notes)
        revision = plan.revision
        if revision == NEW_PULL_REQUEST:
            revision = self._remote.open_pull_request(self._title, self._author, self._about)
        done, commit, pushed = self.commit(revision)
        self.read_back(commit)
        plan = replace(done, creates=plan.creates)
        return self.result("proposed" if pushed else "unchanged", plan, commit, notes)

    def commit(self, revision: str) -> tuple[Plan, str, bool]:
        """Bring a branch to the release in one commit: the plan, the commit, and whether it was made now.

        Made anew for the branch as it is after each refusal or unclear failure.
        """
        from synthetic.hub.remote import FAILURES, addition

        remote, began = self._remote, None
        for tried in range(1, remote.patience.tries + 1):
            plan = self.plan(revision)
            began = began or plan.parent
            if landed := self._landed(revision):  # by a push that ended before its tag
                return self.nothing(landed, revision), landed, False
            if plan.is_empty:
                return plan, str(plan.parent), False
            additions = []
            for number, file in enumerate(plan.add):
                additions.append(remote.upload(file, revision) if file.is_shard else addition(file))
                self._progress("uploading", number + 1, len(plan.add))
            if any(a.upload_info.sha256.hex() != f.sha256 for a, f in zip(additions, plan.add, strict=True)):
                raise HubFailed(f"{remote.repo}: a file of the release changed during the push; nothing was committed")
            try:
                return plan, remote.commit(plan, additions, self._title, self._about), True
            except FAILURES as error:
                # Applied or not, the answer does not say: the history does.
                if landed := self._landed(revision, since=began):
                    return plan, landed, True
                moved = remote.head(revision) != plan.parent
                if not (moved or remote.passing(error)) or tried == remote.patience.tries:
                    raise remote.named("committing", error) from error
                remote.wait(tried, error)
        raise AssertionError("the last try returns or raises")

    def _landed(self, revision: str, since: str | None = None) -> str | None:
        """The commit of ours in a branch's history that holds the release."""
        for commit in self._remote.commits(revision):
            if commit.commit_id == since:
                return None
            if commit.title == self._title and self._holds(commit.commit_id):
                return commit.commit_id
        return None

    def _holds(self, commit: str) -> bool:
        """Whether a commit holds every file of the release with its size and hash."""
        there = {file.path: file for file in self._remote.tree(commit)}
        return all(file.path in there and there[file.path].holds(file) for file in self._sent)

    def read_back(self, commit: str) -> None:
        """Compare what the Hub holds: every size and hash, and the bytes of one shard. Raises `HubFailed`."""
        if not self._holds(commit):
            raise HubFailed(f"{self._remote.repo}: the commit {commit} does not hold what was sent; it got no tag")
        shards = [file for file in self._sent if file.path.endswith(".parquet")]
        sample = shards[int(self._made.root, 16) % len(shards)]
        content = self._remote.read(sample.path, commit)
        if content is None or sha256(content).hexdigest() != sample.sha256:
            raise HubFailed(
                f"{self._remote.repo}: {sample.path} reads back with other bytes than were sent; the commit got no tag",
                hint="delete that file on the Hub, then push again",
            )

    def result(
        self,
        done: Literal["pushed", "tagged", "proposed", "unchanged", "planned"],
        plan: Plan,
        commit: str | None,
        notes: list[str],
        *,
        tagged: bool = False,
    ) -> Pushed:
        """What to tell."""
        if plan.replaces:
            notes = [*notes, f"takes the place of {plan.replaces}, which stays in the history"]
        if plan.overwritten:
            some = ", ".join(plan.overwritten[:3]) + (" …" if len(plan.overwritten) > 3 else "")
            notes = [*notes, f"overwrites what others wrote on the Hub, which stays in its history: {some}"]
        url, revision = self._remote.url, plan.revision
        if revision.startswith("refs/pr/"):
            url += f"/discussions/{revision.rpartition('/')[2]}"
        else:
            revision = self.tag if tagged or plan.tag else "main"
        load = f'load_dataset("{self._remote.repo}", "{self._made.default}", split="train", revision="{revision}")'
        return Pushed(done, self._remote.repo, url, plan, commit, self.tag if tagged else None, load, tuple(notes))
