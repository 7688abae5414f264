"""Make the pictures of README from the demo: `make pictures`, or `python docs/pictures.py`.

    docs/pictures/demo.svg    what `synthetic demo` prints, as a terminal shows it
    docs/pictures/card.png    the top of the card that it writes, as a page of the Hub shows it

The second needs Chromium; where there is none, only the first is made. tests/test_readme.py makes demo.svg again and
compares; of card.png it compares the digest, written into it, of the Markdown that it shows.
"""

import hashlib
import io
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt
from rich.console import Console
from rich.text import Text

PICTURES = Path(__file__).with_name("pictures")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FIRST_HEADING_NOT_SHOWN = "\n## Load it"

COLUMNS = 122
"""Width of the terminal: no line of the demo is longer."""

# A terminal of this width and these colours, wherever the script runs.
TERMINAL = {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "FORCE_COLOR": "1"}
NOT_SEEN = {"COLORTERM", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}

CARD_WIDTH = 900
CARD_SCALE = 1.5
"""Pixels of the picture for one of the page, so that it is sharp on dense screens."""

# A picture in README loads nothing, so the font is whatever monospaced one the reader has.
SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px Menlo, Consolas, "DejaVu Sans Mono", monospace }}
.{unique_id}-title {{ font: bold 18px sans-serif }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""

PAGE = """\
<!doctype html>
<meta charset="utf-8">
<style>
body { margin: 0; padding: 24px 40px; border: 1px solid #d1d9e0 }
body { font: 16px/1.5 "Liberation Sans", Arial, sans-serif; color: #1f2328 }
h1, h2 { line-height: 1.25; border-bottom: 1px solid #d1d9e0; padding-bottom: .3em; margin: 24px 0 16px }
h1 { font-size: 2em; margin-top: 0 } h2 { font-size: 1.5em }
p, table { margin: 0 0 16px }
table { border-collapse: collapse } th, td { border: 1px solid #d1d9e0; padding: 6px 13px }
tbody tr:nth-child(even) { background: #f6f8fa }
code { font: 85% "Liberation Mono", monospace; background: #eff1f3; border-radius: 6px; padding: .2em .4em }
</style>
"""


def terminal(folder: Path) -> str:
    """What the demo prints in a terminal, colours included, when it is run in this folder."""
    kept = {name: value for name, value in os.environ.items() if name not in NOT_SEEN}
    line = [sys.executable, "-m", "synthetic.cli", "demo"]
    done = subprocess.run(line, cwd=folder, env=kept | TERMINAL, capture_output=True, text=True, check=True)
    return done.stdout


def demo_svg(printed: str) -> str:
    """The picture of what the demo printed, the same bytes each time."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), highlight=False, force_terminal=True)
    console.print(Text("$ make demo", style="bold green"))
    console.print(Text.from_ansi(printed), soft_wrap=True)
    return console.export_svg(title="synthetic", code_format=SVG, unique_id="demo")


def card_top(card: str) -> str:
    """The Markdown of a card that the picture shows: its title and what stands at a glance."""
    return card.split("---\n", 2)[2].partition(FIRST_HEADING_NOT_SHOWN)[0]


def card_png(markdown: str, chromium: str) -> bytes:
    """The Markdown as a page, photographed whole; the PNG holds the Markdown's digest."""
    html = PAGE + MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    with tempfile.TemporaryDirectory() as folder:
        page, picture = Path(folder, "card.html"), Path(folder, "card.png")
        # The browser alone knows how high the page is: its title says it, and the dumped page has the title.
        page.write_text(html + "<script>document.title = document.documentElement.offsetHeight</script>", "utf-8")
        dumped = _browse(chromium, folder, page, "--dump-dom", f"--window-size={CARD_WIDTH},600")
        height = int(dumped.partition("<title>")[2].partition("</title>")[0])
        size = (f"--window-size={CARD_WIDTH},{height}", f"--force-device-scale-factor={CARD_SCALE}")
        _browse(chromium, folder, page, f"--screenshot={picture}", "--hide-scrollbars", *size)
        return stamped(picture.read_bytes(), digest(markdown))


def _browse(chromium: str, folder: str, page: Path, *what: str) -> str:
    alone = "--disable-quic --disable-background-networking --disable-component-update --disable-sync".split()
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", *alone]
    command += [f"--user-data-dir={folder}/profile", *what, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def digest(markdown: str) -> str:
    """What tells one card from another."""
    return hashlib.sha256(markdown.encode()).hexdigest()


def stamped(png: bytes, text: str) -> bytes:
    """The PNG with a text chunk, `card`, after its header."""
    body = b"tEXt" + b"card\0" + text.encode("latin-1")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    after_header = 8 + 25
    return png[:after_header] + chunk + png[after_header:]


def stamp(png: bytes) -> str | None:
    """The text that `stamped` wrote; None where it wrote none."""
    return next((body[5:].decode("latin-1") for kind, body in _chunks(png) if kind + body[:5] == b"tEXtcard\0"), None)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def main() -> int:
    """Write the pictures; 1 when Chromium is missing."""
    with tempfile.TemporaryDirectory() as folder:
        printed = terminal(Path(folder))
        card = Path(folder, "demo-release", "README.md").read_text("utf-8")
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / "demo.svg").write_text(demo_svg(printed), "utf-8")
    print("docs/pictures/demo.svg")
    if not (chromium := next(filter(None, map(shutil.which, CHROMIUM)), None)):
        print("card.png was not made: it needs Chromium (Debian: apt-get install chromium)", file=sys.stderr)
        return 1
    (PICTURES / "card.png").write_bytes(card_png(card_top(card), chromium))
    print("docs/pictures/card.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
