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
from typing import TYPE_CHECKING, Any  # Any: JSON values

from synthetic import __version__
from synthetic.errors import SyntheticError

if TYPE_CHECKING:
    from synthetic.stage import Progress

ABOUT = "Verified RL rollouts in, published reasoning-trace datasets out."
NEWLINE = "\n"
START = """\
start here:
  synthetic demo                                  a real run, captured and released in seconds, offline
  synthetic export outputs/my-run --to my-release logs in, a publishable dataset out
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; give its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    given = _parser().parse_args(argv)
    try:
        code = int(given.run(given))
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
        captured = capture(*given.run_folders, into=store, format=given.format, progress=progress)
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
        settings = {"into": given.into, "format": given.format, "progress": progress}
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
    from synthetic.release import release

    with _progress() as progress:
        settings = _release_settings(given)
        released = release(
            *given.stores, to=given.to, previous=given.previous, dry_run=given.dry_run, progress=progress, **settings
        )
    _report(given, show.released_json(released))
    if not given.json:
        show.released(released)
        show.next_steps(released, *given.stores)
    return 0


def _release_settings(given: argparse.Namespace) -> dict[str, Any]:
    return {"recipe": given.recipe, "include_eval": True if given.include_eval else None, "license": given.license}


def _preview(given: argparse.Namespace) -> int:
    from synthetic import preview, show

    with _progress() as progress:
        if "where" in given:
            seen = preview.filter(*given.stores, where=given.where, progress=progress)
        else:
            seen = preview.dedupe(*given.stores, progress=progress)
    _report(given, show.preview_json(seen))
    if not given.json:
        show.preview(seen)
    return 0


def _show(given: argparse.Namespace) -> int:
    from synthetic import look, show

    row = look.find(given.folder, given.row)
    _report(given, show.plain(row))
    if not given.json:
        show.trace(row)
    return 0


def _stats(given: argparse.Namespace) -> int:
    from synthetic import look, show

    columns = [name.strip() for name in given.by.split(",") if name.strip()]
    table, funnels = look.counted(given.folder, columns), look.funnels(given.folder)
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
        checked = check(given.folder, progress=progress)
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


# ---- arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="synthetic", description=ABOUT, epilog=START, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"synthetic {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)

    def verb(name: str, run: Callable[[argparse.Namespace], int], about: str, example: str) -> argparse.ArgumentParser:
        one = verbs.add_parser(
            name,
            help=about,
            description=f"{about[0].upper()}{about[1:]}.",
            epilog=f"example:\n  {example}\n",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
        one.set_defaults(run=run)
        return one

    one = verb("export", _export, "logs to a release, in one go", "synthetic export outputs/my-run --to my-release")
    _runs(one)
    one.add_argument("--to", required=True, metavar="DIR", help="folder of the release")
    one.add_argument(
        "--store", metavar="DIR", help="folder of the captured facts (default: DIR.store, beside the release)"
    )
    _recipe(one)

    one = verb(
        "capture", _capture, "logs into a store of facts", "synthetic capture outputs/my-run --into my-store --follow"
    )
    _runs(one)
    one.add_argument("--into", required=True, metavar="STORE", help="folder of the store; made if it is not there")
    one.add_argument(
        "--follow",
        action="store_true",
        help="go on capturing what is written, until Ctrl-C; --json prints an object each time",
    )
    one.add_argument(
        "--every",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="with --follow: time between looks (default: 10)",
    )

    one = verb(
        "release", _release, "stores to a release", "synthetic release my-store --to my-release --recipe my.toml"
    )
    _stores(one)
    one.add_argument("--to", required=True, metavar="DIR", help="folder of the release")
    one.add_argument(
        "--previous", metavar="OLD", help="an earlier version: files are cut alike, so that few bytes change"
    )
    one.add_argument("--dry-run", action="store_true", help="judge every row, write nothing")
    one.add_argument("--engine", choices=["local"], default="local", help="where tasks run (default: local)")
    _recipe(one)

    about = "what a rule would drop, and the line to add to a recipe; changes nothing"
    one = verb("filter", _preview, about, "synthetic filter my-store --where 'completion_tokens < 8192'")
    _stores(one)
    one.add_argument(
        "--where", required=True, metavar="EXPR", help="SQL over columns, scorers and metrics; matching rows are kept"
    )

    one = verb(
        "dedupe", _preview, "how many rows repeat a text of their problem; changes nothing", "synthetic dedupe my-store"
    )
    _stores(one)

    about = "one trace, readable, and why it was dropped"
    one = verb("show", _show, about, "synthetic show my-release 3f2a…/0")
    one.add_argument("folder", metavar="STORE|DIR", help="a store or a release")
    one.add_argument(
        "row", nargs="?", metavar="ROW", help="row_id, trace_id or the beginning of one (default: the first row)"
    )

    one = verb(
        "stats", _stats, "counts, pass rates, lengths and the funnel", "synthetic stats my-store --by env_id,model"
    )
    one.add_argument("folder", metavar="STORE|DIR", help="a store or a release")
    one.add_argument("--by", default="env_id,kind", metavar="COLS", help="columns to count by (default: env_id,kind)")

    about = "does every byte, count and claim of a release or a store hold?"
    one = verb("check", _check, about, "synthetic check my-release")
    one.add_argument("folder", metavar="STORE|DIR", help="a store or a release")

    about = "a release to the Hub: one commit, one tag, private unless you say otherwise"
    one = verb("push", _push, about, "synthetic push my-release org/name --license apache-2.0 --dry-run")
    _repository(one)

    verb("formats", _formats, "the log formats that can be captured, and how each is detected", "synthetic formats")

    one = verb("demo", _demo, "a small real run, captured and released, offline", "synthetic demo --to demo-release")
    one.add_argument(
        "--to", default="demo-release", metavar="DIR", help="folder of the release (default: demo-release)"
    )
    return parser


def _seconds(text: str) -> float:
    if not 0 < float(text) <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is no time of more than 0 and at most 86400 seconds")
    return float(text)


def _runs(one: argparse.ArgumentParser) -> None:
    one.add_argument("run_folders", nargs="+", metavar="RUN", help="a run's folder, a folder of runs, or one log")
    one.add_argument(
        "--format", metavar="F", help="read logs as this format (default: found out; see `synthetic formats`)"
    )


def _stores(one: argparse.ArgumentParser) -> None:
    one.add_argument("stores", nargs="+", metavar="STORE", help="a folder made by `synthetic capture`")


def _recipe(one: argparse.ArgumentParser) -> None:
    one.add_argument("--recipe", metavar="NAME|FILE", help="what the release holds (default: the recipe 'default')")
    one.add_argument("--include-eval", action="store_true", help="let evaluation rollouts into every config")
    one.add_argument("--license", metavar="ID", help="licence of the release, such as apache-2.0")


def _repository(one: argparse.ArgumentParser) -> None:
    one.add_argument("folder", metavar="DIR", help="a release")
    one.add_argument("repo", metavar="REPO", help="a dataset repository, org/name; made if it is not there")
    one.add_argument("--public", action="store_true", help="let everyone see it from the start")
    one.add_argument("--pr", action="store_true", help="propose it in a pull request, or go on with the open one")
    one.add_argument("--license", metavar="ID", help="licence to write into the release first, such as apache-2.0")
    one.add_argument("--dry-run", action="store_true", help="say what would be done; nothing of the release is sent")


if __name__ == "__main__":
    sys.exit(main())
