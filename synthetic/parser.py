"""The words of the command line: every verb, its arguments, and an example of each."""

import argparse

from synthetic import __version__

ABOUT = "Verified RL rollouts in, published reasoning-trace datasets out."
START = """\
start here:
  synthetic demo                                  a real run, captured and released in seconds, offline
  synthetic export outputs/my-run --to my-release logs in, a publishable dataset out
"""


def parser() -> argparse.ArgumentParser:
    """The parser; what it gives names its verb in `verb`."""
    whole = argparse.ArgumentParser(
        prog="synthetic", description=ABOUT, epilog=START, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    whole.add_argument("--version", action="version", version=f"synthetic {__version__}")
    verbs = whole.add_subparsers(title="verbs", metavar="VERB", required=True)

    def verb(name: str, about: str, example: str) -> argparse.ArgumentParser:
        one = verbs.add_parser(
            name,
            help=about,
            description=f"{about[0].upper()}{about[1:]}.",
            epilog=f"example:\n  {example}\n",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
        one.set_defaults(verb=name)
        return one

    one = verb("export", "logs to a release, in one go", "synthetic export outputs/my-run --to my-release")
    _runs(one)
    one.add_argument("--to", required=True, metavar="DIR", help="folder of the release")
    one.add_argument(
        "--store", metavar="DIR", help="folder of the captured facts (default: DIR.store, beside the release)"
    )
    _recipe(one)

    one = verb("capture", "logs into a store of facts", "synthetic capture outputs/my-run --into my-store --follow")
    _runs(one)
    one.add_argument("--into", required=True, metavar="STORE", help="folder of the store; made if it is not there")
    one.add_argument(
        "--tokens",
        action="store_true",
        help="also take token ids, masks and log-probabilities, into a side table (large)",
    )
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

    one = verb("release", "stores to a release", "synthetic release my-store --to my-release --recipe my.toml")
    _stores(one)
    one.add_argument("--to", required=True, metavar="DIR", help="folder of the release")
    one.add_argument(
        "--previous",
        metavar="OLD",
        help="an earlier version, also org/name@revision: files are cut alike, so that few bytes change",
    )
    _compat(one)
    one.add_argument("--dry-run", action="store_true", help="judge every row, write nothing")
    one.add_argument("--engine", choices=["local"], default="local", help="where tasks run (default: local)")
    _recipe(one)

    about = "what a rule would drop, and the line to add to a recipe; changes nothing"
    one = verb("filter", about, "synthetic filter my-store --where 'completion_tokens < 8192'")
    _stores(one)
    one.add_argument(
        "--where", required=True, metavar="EXPR", help="SQL over columns, scorers and metrics; matching rows are kept"
    )

    about = "what copies and near-copies there are, pair by pair; changes nothing"
    one = verb("dedupe", about, "synthetic dedupe my-store --scope problem --explain")
    _stores(one)
    _near(one)

    about = "one trace, readable, and why it was dropped"
    one = _folder(verb("show", about, "synthetic show my-release 3f2a…/0"))
    one.add_argument(
        "row", nargs="?", metavar="ROW", help="row_id, trace_id or the beginning of one (default: the first row)"
    )

    one = _folder(
        verb("stats", "counts, pass rates, lengths and the funnel", "synthetic stats my-store --by env_id,model")
    )
    one.add_argument("--by", default="env_id,kind", metavar="COLS", help="columns to count by (default: env_id,kind)")

    about = "does every byte, count and claim of a release or a store hold?"
    one = _folder(verb("check", about, "synthetic check my-release"))

    about = "a release to the Hub: one commit, one tag, private unless you say otherwise"
    one = verb("push", about, "synthetic push my-release org/name --license apache-2.0 --dry-run")
    _repository(one)

    verb("formats", "the log formats that can be captured, and how each is detected", "synthetic formats")

    one = verb("demo", "a small real run, captured and released, offline", "synthetic demo --to demo-release")
    one.add_argument(
        "--to", default="demo-release", metavar="DIR", help="folder of the release (default: demo-release)"
    )
    return whole


def _near(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--alike", type=_share, default=0.8, metavar="J", help="least Jaccard similarity of near-copies (default: 0.8)"
    )
    one.add_argument(
        "--contained", type=_share, default=0.95, metavar="C", help="or least share within the other (default: 0.95)"
    )
    one.add_argument(
        "--scope",
        choices=["answer", "problem", "everything"],
        default="answer",
        help="compare rows of one problem, verdict and answer (default), of one problem, or all",
    )
    one.add_argument("--explain", action="store_true", help="also print what the settings find, and what edits mean")


def _share(text: str) -> float:
    if not 0 < float(text) <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share of more than 0 and at most 1")
    return float(text)


def _whole(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    if not 0 < float(text) <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is no time of more than 0 and at most 86400 seconds")
    return float(text)


def _runs(one: argparse.ArgumentParser) -> None:
    one.add_argument("run_folders", nargs="+", metavar="RUN", help="a run's folder, a folder of runs, or one log")
    one.add_argument(
        "--format",
        metavar="F",
        help="read logs as this format, or by a column map, my-map.toml (default: found out; `synthetic formats`)",
    )
    one.add_argument(
        "--tokenizer", metavar="FILE", help="the run's tokenizer.json, for logs that hold token ids and no text"
    )
    one.add_argument(
        "--workers",
        type=_whole,
        metavar="N",
        help="processes that take lines apart; 1 needs least memory (default: as many as cores, for a large run)",
    )


def _folder(one: argparse.ArgumentParser) -> argparse.ArgumentParser:
    one.add_argument("folder", metavar="STORE|DIR", help="a store or a release, also org/name@revision on the Hub")
    return one


def _compat(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--compat",
        action="append",
        choices=["synthetic-2", "synthetic-2-sft", "synthetic-1"],
        default=[],
        help="also write DIR.NAME, in the columns of that published table (may be given again)",
    )
    one.add_argument(
        "--taskset",
        action="store_true",
        help="also write DIR.taskset, its problems as a package that verifiers loads and scores with",
    )


def _stores(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "stores",
        nargs="+",
        metavar="STORE",
        help="a folder made by `synthetic capture`; of rows with one id the first named store's stay",
    )


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
