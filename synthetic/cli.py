"""The command line: one verb, one call into the library.

Every verb takes `--json` (one JSON object on stdout, nothing else). Progress goes to stderr when it is a terminal.
Exit codes: 0 done, 1 a problem named with its fix, 2 a command line that makes no sense, 130 interrupted.

Nothing heavy is imported before a verb needs it: `--help` must feel instant.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any  # Any: JSON values

from synthetic.errors import SyntheticError
from synthetic.parser import parser

if TYPE_CHECKING:
    from pathlib import Path

    from synthetic.compat import Compat
    from synthetic.stage import Progress
    from synthetic.taskset import Taskset

NEWLINE = "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; give its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    given = parser().parse_args(argv)
    try:
        code = int(VERBS[given.verb](given))
        sys.stdout.flush()
        return code
    except SyntheticError as error:
        hint = shlex.join(["synthetic", *argv, error.option]) if error.option else error.hint
        return _fail(given, str(error), hint, 1)
    except KeyboardInterrupt:
        return _fail(given, "interrupted; what was finished is kept", "run the same command again to go on", 130)
    except (BrokenPipeError, SystemExit):  # the reader of our output went away; rich makes it a SystemExit
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what would still be printed at the end of the program
        return 0
    except OSError as error:  # a name that no file can have, a folder that went away
        return _fail(given, f"{error.filename or 'a file'}: {error.strerror or error}", None, 1)


def _fail(given: argparse.Namespace, message: str, hint: str | None, code: int) -> int:
    from synthetic.show import shown

    if given.json:
        _print_json({"error": message, "hint": hint})
    print(f"error: {shown(message.replace(NEWLINE, ' '))}", file=sys.stderr)
    if hint:
        print(f"  try: {shown(hint).replace(NEWLINE, NEWLINE + ' ' * 7)}", file=sys.stderr)
    return code


# ---- verbs


def _export(given: argparse.Namespace) -> int:
    from synthetic import show
    from synthetic.capture import capture
    from synthetic.release import prepare, release
    from synthetic.target import store_beside

    store = given.store or str(store_beside(given.to))
    settings = _release_settings(given)
    prepare(store, to=given.to, **settings)  # a mistake in these is told before logs are read
    with _progress() as progress:
        captured = capture(
            *given.run_folders,
            into=store,
            format=given.format,
            tokenizer=given.tokenizer,
            workers=given.workers,
            progress=progress,
        )
        try:
            released = release(store, to=given.to, progress=progress, **settings)
        except SyntheticError:
            if not given.json:
                show.captured(captured)
            raise
    _report(given, {"capture": show.captured_json(captured), "release": show.released_json(released)})
    if not given.json:
        show.captured(captured)
        show.released(released)
        show.next_steps(released, store)
    return 0


def _capture(given: argparse.Namespace) -> int:
    from synthetic import show
    from synthetic.capture import capture, follow

    with _progress() as progress:
        settings = {
            "into": given.into,
            "format": given.format,
            "tokens": given.tokens,
            "tokenizer": given.tokenizer,
            "workers": given.workers,
            "progress": progress,
        }
        if given.follow:
            rounds = follow(*given.run_folders, every_seconds=given.every, **settings)
        else:
            rounds = iter([capture(*given.run_folders, **settings)])
        for number, captured in enumerate(rounds):
            if number and not captured.captured and not captured.quarantined:
                continue
            if given.json:
                _print_json(show.captured_json(captured))
            else:
                show.captured(captured)
                sys.stdout.flush()
    return 0


def _release(given: argparse.Namespace) -> int:
    from synthetic import show
    from synthetic.fetch import local
    from synthetic.release import release

    with _progress() as progress:
        previous = local(given.previous, ["release/manifest.json"]) if given.previous else None
        settings = _release_settings(given)
        released = release(
            *given.stores, to=given.to, previous=previous, dry_run=given.dry_run, progress=progress, **settings
        )
        beside = [] if given.dry_run else [_compat(given.to, kind, progress) for kind in given.compat]
        tasks = _taskset(given.to, progress) if given.taskset and not given.dry_run else None
    more = {"compat": [asdict(table) for table in beside], "taskset": asdict(tasks) if tasks else None}
    _report(given, show.released_json(released) | more)
    if not given.json:
        show.released(released)
        for table in beside:
            show.table(table)
        if tasks:
            show.taskset(tasks)
        show.next_steps(released, *given.stores)
    return 0


def _compat(release: str, kind: Any, progress: "Progress") -> "Compat":
    from synthetic.compat import compat

    return compat(release, kind, to=f"{release.rstrip('/')}.{kind}", progress=progress)


def _taskset(release: str, progress: "Progress") -> "Taskset":
    from synthetic.taskset import taskset

    return taskset(release, to=f"{release.rstrip('/')}.taskset", progress=progress)


def _release_settings(given: argparse.Namespace) -> dict[str, Any]:
    return {"recipe": given.recipe, "include_eval": True if given.include_eval else None, "license": given.license}


def _filter(given: argparse.Namespace) -> int:
    from synthetic import preview, show

    with _progress() as progress:
        seen = preview.filter(*given.stores, where=given.where, progress=progress)
    _report(given, show.preview_json(seen))
    if not given.json:
        show.preview(seen)
    return 0


def _dedupe(given: argparse.Namespace) -> int:
    from synthetic import show
    from synthetic.dedupe import dedupe, explain

    explained = explain() if given.explain else None
    settings = {"alike": given.alike, "contained": given.contained, "scope": given.scope}
    with _progress() as progress:
        found = dedupe(*given.stores, **settings, progress=progress)
    _report(given, show.deduped_json(found, explained))
    if not given.json:
        show.deduped(found, explained)
    return 0


def _folder(given: argparse.Namespace) -> "Path":
    """The store or release that is named, brought here from the Hub where it lies there."""
    from synthetic.fetch import local

    return local(given.folder)


def _show(given: argparse.Namespace) -> int:
    from synthetic import look, show

    row = look.find(_folder(given), given.row)
    _report(given, show.plain(row))
    if not given.json:
        show.trace(row)
    return 0


def _stats(given: argparse.Namespace) -> int:
    from synthetic import look, show

    columns = [name.strip() for name in given.by.split(",") if name.strip()]
    folder = _folder(given)
    table, funnels = look.counted(folder, columns), look.funnels(folder)
    _report(given, {"by": columns, "rows": show.plain(table.to_dicts()), "funnels": show.funnels_json(funnels)})
    if not given.json:
        show.counted(table, columns)
        for config, (steps, kept) in funnels.items():
            show.funnel(config, steps, kept)
    return 0


def _check(given: argparse.Namespace) -> int:
    from synthetic import show
    from synthetic.check import check

    with _progress() as progress:
        checked = check(_folder(given), progress=progress)
    _report(given, show.checked_json(checked))
    if not given.json:
        show.checked(checked)
    return 0 if checked.holds else 1


def _push(given: argparse.Namespace) -> int:
    from synthetic import show
    from synthetic.hub import push, told
    from synthetic.privacy import secret_values

    options = {name: getattr(given, name) for name in ("public", "pr", "license", "dry_run")}
    with _progress() as progress:
        done = push(given.folder, given.repo, secrets=secret_values(os.environ), progress=progress, **options)
    _report(given, told.plain(done))
    if not given.json:
        show.lines(told.lines(done))
    return 0


def _formats(given: argparse.Namespace) -> int:
    from synthetic import show
    from synthetic.capture import formats

    known = formats()
    keys = ("name", "title", "looked_for", "detected_by")
    _report(given, {"formats": [{key: getattr(one, key) for key in keys} for one in known]})
    if not given.json:
        show.formats(known)
    return 0


def _demo(given: argparse.Namespace) -> int:
    from synthetic import show
    from synthetic.demo import demo

    with _progress() as progress:
        captured, released = demo(given.to, progress=progress)
    _report(given, {"capture": show.captured_json(captured), "release": show.released_json(released)})
    if not given.json:
        show.captured(captured)
        show.released(released)
        show.what_to_look_at(released)
    return 0


# ---- output


def _report(given: argparse.Namespace, answer: Any) -> None:
    if given.json:
        _print_json(answer)


def _print_json(answer: Any) -> None:
    from synthetic.record import canonical_json
    from synthetic.show import shown_json

    print(shown_json(canonical_json(answer)), flush=True)


@contextmanager
def _progress() -> "Iterator[Progress]":
    """A progress line on stderr when that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda what, done, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    with Bar(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # results go to stdout, also while a capture follows its run
        redirect_stderr=False,
    ) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda what, done, of: bar.update(task, description=what, completed=done, total=of)


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "export": _export,
    "capture": _capture,
    "release": _release,
    "filter": _filter,
    "dedupe": _dedupe,
    "show": _show,
    "stats": _stats,
    "check": _check,
    "push": _push,
    "formats": _formats,
    "demo": _demo,
}
"""What runs for each verb."""


if __name__ == "__main__":
    sys.exit(main())
