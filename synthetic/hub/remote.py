"""A dataset repository on the Hub, as a push needs it: every call patient, every failure with a name.

huggingface_hub retries some calls and not others, and never one that commits. Here each call is tried again after a
passing failure (`Patience`), unless trying again could do something twice: then `passing` tells the caller to look
first. The token goes to huggingface_hub and nowhere else; `_said` takes it out of whatever the Hub answers.
"""

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from json import JSONDecodeError
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar  # Any: what whoami answers

import httpx2
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    get_session,
    get_token,
    hf_raise_for_status,
)
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from synthetic.errors import HubFailed, PushRefused, SyntheticError
from synthetic.hub.plan import Plan, Sent, There

if TYPE_CHECKING:
    from huggingface_hub.hf_api import GitCommitInfo, GitRefs

T = TypeVar("T")

FAILURES = (httpx2.HTTPError, OSError, RuntimeError, ValueError)
"""What a call through huggingface_hub can raise when the Hub, the network or an upload fails."""

PASSING = frozenset((408, 425, 429, 500, 502, 503, 504))
TOLD_BY_XET = re.compile(r"HTTP status \w+ error \((\d{3})\b[^)]*\).*?(https?://\S+)")
TOKEN_PAGE = "huggingface.co/settings/tokens"  # noqa: S105 - an address

HERE: tuple[tuple[type[Exception], str, str], ...] = (
    (LocalTokenNotFoundError, "there is no token for the Hub", f"hf auth login, with a token from {TOKEN_PAGE}"),
    (UnicodeEncodeError, "the token holds a character that no token has", f"hf auth login ({TOKEN_PAGE})"),
    (OfflineModeIsEnabled, "huggingface_hub is set to be offline", "unset HF_HUB_OFFLINE"),
    (httpx2.UnsupportedProtocol, "the endpoint is no address", "unset HF_ENDPOINT, or write https://… there"),
    (httpx2.InvalidURL, "the endpoint is no address", "unset HF_ENDPOINT, or write https://… there"),
)
"""Failures whose cause is on this host, and which never pass: what to say, and what would work."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for the Hub."""

    tries: int = 6
    first_seconds: float = 1.0
    """Before the second try; each further wait is twice as long."""
    longest_seconds: float = 60.0
    """No wait is longer; when the Hub asks for more, the push stops and says when to come back."""
    answer_seconds: float = 300.0
    """A call without any answer for so long has failed."""
    sleep: Callable[[float], None] = time.sleep


class Remote:
    """One dataset repository, for one token."""

    def __init__(self, repo: str, *, token: str | None, endpoint: str | None, patience: Patience) -> None:
        self.repo = repo
        self.patience = patience
        self._token = token or get_token()
        self._api = HfApi(
            endpoint=endpoint, token=token, library_name="synthetic-traces", library_version=version("synthetic-traces")
        )
        self._at: dict[str, Any] = {"repo_id": repo, "repo_type": "dataset"}

    @property
    def url(self) -> str:
        """The repository's page."""
        return f"{self._api.endpoint}/datasets/{self.repo}"

    @property
    def secret(self) -> dict[str, str]:
        """The token as a value that must not leave with a release."""
        return {"HF_TOKEN": self._token} if self._token else {}

    # ---- reading

    def who(self) -> dict[str, Any]:
        """Whose token it is, as `whoami` answers."""
        return self._patiently("asking whose token this is", self._api.whoami)

    def is_private(self) -> bool | None:
        """Whether the repository is private; None: there is none that this token may see."""
        try:
            return bool(
                self._patiently("looking for the repository", lambda: self._api.dataset_info(self.repo)).private
            )
        except PushRefused as error:
            if isinstance(error.__cause__, RepositoryNotFoundError):
                return None
            raise

    def refs(self) -> "GitRefs":
        """Branches, tags and pull requests."""
        return self._patiently(
            "listing the tags", lambda: self._api.list_repo_refs(**self._at, include_pull_requests=True)
        )

    def tagged(self, tag: str) -> str | None:
        """The commit that a tag names."""
        return next((ref.target_commit for ref in self.refs().tags if ref.name == tag), None)

    def head(self, revision: str) -> str:
        """The commit that a branch or a pull request is at."""
        info = self._patiently(f"reading {revision}", lambda: self._api.dataset_info(self.repo, revision=revision))
        if info.sha is None:
            raise HubFailed(f"{self.repo}: the Hub does not say at which commit {revision} is")
        return info.sha

    def tree(self, revision: str) -> list[There]:
        """Every file at a revision."""
        from huggingface_hub.hf_api import RepoFile

        def listed() -> list[There]:
            entries = self._api.list_repo_tree(**self._at, recursive=True, revision=revision)
            return [
                There(entry.path, entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else None)
                for entry in entries
                if isinstance(entry, RepoFile)
            ]

        return self._patiently("listing the files", listed)

    def read(self, path: str, revision: str) -> bytes | None:
        """A file's content at a commit, from the Hub and no cache; None: it is not there."""

        def fetched() -> bytes | None:
            with tempfile.TemporaryDirectory(prefix="synthetic-") as cache:
                try:
                    name = self._api.hf_hub_download(**self._at, filename=path, revision=revision, cache_dir=cache)
                except RemoteEntryNotFoundError:
                    return None
                return Path(name).read_bytes()

        return self._patiently(f"reading {path}", fetched)

    def commits(self, revision: str) -> "list[GitCommitInfo]":
        """The history of a branch, the newest first."""
        return self._patiently(
            "reading the history", lambda: self._api.list_repo_commits(**self._at, revision=revision)
        )

    def pull_request(self, title: str, author: str) -> str | None:
        """The open pull request of that title and author, as a revision."""

        def found() -> str | None:
            listed = self._api.get_repo_discussions(**self._at, discussion_type="pull_request")
            mine = [d.num for d in listed if (d.title, d.author) == (title, author) and d.status in ("open", "draft")]
            return f"refs/pr/{min(mine)}" if mine else None

        return self._patiently("listing the pull requests", found)

    # ---- writing

    def validate(self, card: str) -> None:
        """Let the Hub judge the card. Raises `PushRefused` with what it says."""

        def asked() -> None:
            url, body = f"{self._api.endpoint}/api/validate-yaml", {"content": card, "repoType": "dataset"}
            answer = get_session().post(url, json=body)
            if answer.status_code == 400:
                errors = [str(error.get("message")) for error in answer.json().get("errors", [])]
                raise PushRefused(f"README.md: the Hub refuses the card: {'; '.join(errors) or answer.text[:200]}")
            hf_raise_for_status(answer)

        self._patiently("checking the card", asked)

    def create(self, *, public: bool) -> None:
        """Make the repository; one that is there stays as it is."""
        visible = "public" if public else "private"
        self._patiently(
            f"creating {self.repo}",
            lambda: self._api.create_repo(**self._at, visibility=visible, exist_ok=True),  # type: ignore[arg-type]
        )

    def open_pull_request(self, title: str, author: str, description: str) -> str:
        """A pull request of that title, new or the one that is open, as a revision."""

        def opened() -> str:
            if there := self.pull_request(title, author):  # also one whose answer was lost
                return there
            made = self._api.create_pull_request(**self._at, title=title, description=description)
            return f"refs/pr/{made.num}"

        return self._patiently("opening a pull request", opened)

    def upload(self, sent: Sent, revision: str) -> CommitOperationAdd:
        """Store a shard, which no one sees until a commit names it."""

        def stored() -> CommitOperationAdd:
            operation = addition(sent)
            self._api.preupload_lfs_files(
                self.repo, [operation], repo_type="dataset", revision=revision, free_memory=True
            )
            return operation

        return self._patiently(f"uploading {sent.path}", stored)

    def commit(self, plan: Plan, additions: Sequence[CommitOperationAdd], title: str, description: str) -> str:
        """Commit once, and give the commit; never tried again here, since the first try may have been applied."""
        deletions = [CommitOperationDelete(path, is_folder=False) for path in plan.delete]
        with self._bounded():
            done = self._api.create_commit(
                **self._at,
                operations=[*additions, *deletions],
                commit_message=title,
                commit_description=description,
                revision=plan.revision,
                parent_commit=plan.parent,
            )
        return str(done.oid)

    def tag(self, tag: str, commit: str, message: str) -> None:
        """Tag a commit; a tag that names it already is as good. Raises `PushRefused` when it names another one."""

        def tagged() -> None:
            # A tag that is there is ours, its answer lost, or another writer's: looking at it tells.
            if (there := self.tagged(tag)) is None:
                self._api.create_tag(**self._at, tag=tag, tag_message=message, revision=commit, exist_ok=True)
                there = self.tagged(tag)
            if there != commit:
                raise PushRefused(f"{self.repo}: the tag {tag} was set meanwhile, to the commit {there}")

        self._patiently(f"setting the tag {tag}", tagged)

    # ---- failures

    def _patiently(self, what: str, call: Callable[[], T]) -> T:
        """Call until it succeeds, or fails for good; for what may be done twice."""
        for tried in range(1, self.patience.tries + 1):
            try:
                with self._bounded():
                    return call()
            except FAILURES as error:
                if not self.passing(error) or tried == self.patience.tries:
                    raise self.named(what, error) from error
                self.wait(tried, error)
        raise AssertionError("the last try returns or raises")

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        """An end to waiting for an answer, where huggingface_hub waits for ever; none of its progress bars."""
        session, bars = get_session(), not are_progress_bars_disabled()
        before = session.timeout
        if before == httpx2.Timeout(None):
            session.timeout = httpx2.Timeout(self.patience.answer_seconds, connect=30)
        if bars:
            disable_progress_bars()
        try:
            yield
        finally:
            session.timeout = before
            if bars:
                enable_progress_bars()

    def wait(self, tried: int, error: BaseException | None = None) -> None:
        """Wait before the next try: as long as the Hub asks, else twice as long each time. Raises `HubFailed`."""
        asked = _asked_to_wait(error)
        if asked > self.patience.longest_seconds:
            raise HubFailed(
                f"{self.repo}: the Hub asks to come back in {asked:.0f} s", hint="run the same command then"
            )
        doubled: float = self.patience.first_seconds * 2 ** (tried - 1)
        self.patience.sleep(max(asked, min(doubled, self.patience.longest_seconds)))

    def passing(self, error: BaseException) -> bool:
        """Whether a failure may pass by itself."""
        status, url = _status(error)
        if status is not None:
            # A storage's address or token expires; asking the Hub again gives a new one.
            expired = status in (401, 403) and not url.startswith(self._api.endpoint)
            return status in PASSING or expired
        if any(isinstance(error, kind) for kind, _, _ in HERE):
            return False
        return isinstance(error, httpx2.TransportError | JSONDecodeError | ConnectionError | RuntimeError) or (
            error.__cause__ is not None and self.passing(error.__cause__)
        )

    def named(self, what: str, error: BaseException) -> SyntheticError:
        """A failure as a person should read it."""
        text = f"{self.repo}: {what}: {self._said(error)}"
        for kind, said, hint in HERE:
            if isinstance(error, kind):
                return PushRefused(said, hint=hint)
        match _status(error)[0]:
            case 401:
                return PushRefused(text, hint=f"hf auth login, with a new token from {TOKEN_PAGE}")
            case 403:
                return PushRefused(text, hint="use a token with write access to that repository, or add --pr")
            case 400 | 404 | 422:
                return PushRefused(text)
            case 413 | 507:
                return HubFailed(text, hint="make room on the Hub, then run again; stored shards are not sent again")
        return HubFailed(text, hint="run the same command again; stored shards are not sent again")

    def _said(self, error: BaseException) -> str:
        """The Hub's own words on one line, without the token."""
        answer = _answer(error)
        if answer is not None:
            message = answer.headers.get("X-Error-Message") or getattr(error, "server_message", None) or ""
            said = f"the Hub answered {answer.status_code}" + (f" ({message})" if message else "")
        else:
            while isinstance(error, RuntimeError) and error.__cause__:  # huggingface_hub hides what broke an upload
                error = error.__cause__
            said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        said = " ".join(said.split())[:400]
        return said.replace(self._token, "…") if self._token else said


def addition(sent: Sent) -> CommitOperationAdd:
    """The file as huggingface_hub takes it. An operation is used for one commit: never keep it."""
    return CommitOperationAdd(sent.path, sent.source)


def _answer(error: BaseException | None) -> httpx2.Response | None:
    """The answer that a failure comes from."""
    while error is not None:
        if isinstance(error, HfHubHTTPError):
            return error.response
        error = error.__cause__
    return None


def _status(error: BaseException) -> tuple[int | None, str]:
    """The status of the answer that a failure comes from, and whose answer it was; None: there was no answer."""
    if (answer := _answer(error)) is not None:
        return answer.status_code, str(answer.url)
    # hf_xet raises a ConnectionError for every refused request, and says the status only in its text.
    told = TOLD_BY_XET.search(str(error)) if isinstance(error, ConnectionError) else None
    return (int(told[1]), told[2]) if told else (None, "")


def _asked_to_wait(error: BaseException | None) -> float:
    """The seconds that the Hub asks to wait; 0: it asks for nothing."""
    answer = _answer(error)
    if answer is None:
        return 0.0
    said = answer.headers.get("Retry-After", "")
    limit = re.search(r"\bt=(\d+)", answer.headers.get("ratelimit", ""))
    return float(said) if said.isdigit() else float(limit[1]) if limit and answer.status_code == 429 else 0.0
