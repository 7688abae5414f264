"""The card in a real browser, with the look of a page of GitHub: light and dark, nothing broken, nothing cut off.

Screenshots are saved in the folder that CARD_SCREENSHOTS names, else in the test's own.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

import synthetic
from tests import pages, releases

CHROMIUM = next(filter(None, map(shutil.which, pages.script("pictures").CHROMIUM)), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (Debian: apt-get install chromium)")

WIDTH = 1012
"""Of a page of GitHub."""

# The colours and measures of github-markdown-css.
STYLE = """
body { margin: 0; padding: 32px; font: 16px/1.5 "Liberation Sans", Arial, sans-serif; overflow-wrap: break-word }
h1, h2 { border-bottom: 1px solid var(--line); padding-bottom: .3em }
h1, h2, h3 { line-height: 1.25; margin: 24px 0 16px }
h1 { font-size: 2em } h2 { font-size: 1.5em } p, table, pre { margin: 0 0 16px } img { max-width: 100% }
table { border-collapse: collapse; display: block; width: max-content; max-width: 100%; overflow: auto }
th, td { border: 1px solid var(--line); padding: 6px 13px } tbody tr:nth-child(even) { background: var(--soft) }
code { font: 85% "Liberation Mono", monospace; background: var(--code); border-radius: 6px; padding: .2em .4em }
pre { background: var(--soft); padding: 16px; overflow: auto; border-radius: 6px }
pre code { background: none; padding: 0 }
"""
THEMES = {
    "light": "body { color: #1f2328; background: #fff; --line: #d1d9e0; --soft: #f6f8fa; --code: #eff1f3 }",
    "dark": "body { color: #f0f6fc; background: #0d1117; --line: #3d444d; --soft: #151b23; --code: #2a313c }",
}
ASK = """<script>
window.onload = () => {
  const broken = [...document.images].filter(i => !i.naturalWidth).map(i => i.src);
  const wide = [...document.body.children].filter(e => e.scrollWidth > document.body.clientWidth && e.tagName != "PRE");
  document.title = JSON.stringify({height: document.documentElement.scrollHeight, images: document.images.length,
    broken: broken.length, wide: wide.filter(e => !["TABLE", "DETAILS"].includes(e.tagName)).length,
    silent: [...document.images].filter(i => !i.alt).length});
};
</script>"""


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    (run,) = (releases.ROOT / "pipelines" / "demo" / "run").iterdir()
    synthetic.capture(run, into=folder / "store")
    recipe = releases.ROOT / "pipelines" / "demo" / "recipe.toml"
    synthetic.release(folder / "store", to=folder / "release", recipe=recipe)
    return folder / "release"


@pytest.mark.parametrize("theme", THEMES)
def test_a_browser_shows_the_whole_card(release, theme, tmp_path):
    body = (release / "README.md").read_text("utf-8").partition("\n---\n")[2]
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(body)
    page = release.parent / f"{theme}.html"
    head = f'<!doctype html><meta charset="utf-8"><base href="release/"><style>{STYLE}{THEMES[theme]}</style>'
    page.write_text(head + html + ASK, "utf-8")
    dumped = browse(tmp_path, page, "--dump-dom", f"--window-size={WIDTH},900")
    found = re.search(r"<title>(\{.*?\})</title>", dumped)
    assert found is not None
    said = dict(re.findall(r'"(\w+)":(\d+)', found[1].replace("&quot;", '"')))
    assert (said["broken"], said["silent"], said["wide"]) == ("0", "0", "0")
    assert int(said["images"]) == len(re.findall("<img ", body))
    assert "<p>|" not in html  # a table that is none
    shots = Path(os.environ.get("CARD_SCREENSHOTS") or tmp_path)
    shots.mkdir(parents=True, exist_ok=True)
    shot = shots / f"card-{theme}.png"
    browse(tmp_path, page, f"--screenshot={shot}", "--hide-scrollbars", f"--window-size={WIDTH},{said['height']}")
    assert shot.read_bytes().startswith(b"\x89PNG")


def browse(folder: Path, page: Path, *what: str) -> str:
    alone = "--disable-quic --disable-background-networking --disable-component-update --disable-sync".split()
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", *alone]
    command += [f"--user-data-dir={folder}/profile", *what, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
