"""How lines, blocks and tables are printed; all text from logs is made harmless first."""

import json
import unicodedata
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

NEWLINE = "\n"


def shown(text: str) -> str:
    """The text with control, bidi and other invisible characters as escapes; newlines and tabs stay."""
    return "".join(
        c if c in "\n\t" or unicodedata.category(c)[0] != "C" else c.encode("unicode_escape").decode() for c in text
    )


def shown_json(text: str) -> str:
    """The same for JSON text, which stays equal JSON."""
    return "".join(c if unicodedata.category(c)[0] != "C" else json.dumps(c)[1:-1] for c in text)


def terminal() -> Console:
    """Where results go."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 140  # what is piped is not cut for a terminal that nobody sees
    return console


def line(text: str, style: str = "") -> None:
    """A line of text, of any length."""
    terminal().print(Text(shown(text), style=style), soft_wrap=True)


def block(text: str, style: str = "", *, indent: int = 4, wrap: bool = True) -> None:
    """A text of several lines, indented; wrapped for a terminal, unless it is to be copied."""
    console, content = terminal(), Text(shown(text), style=style)
    narrow = wrap and console.is_terminal
    for part in content.wrap(console, max(20, console.width - indent)) if narrow else content.split(allow_blank=True):
        part.rstrip()
        console.print(Text(" " * indent if part.plain else "") + part, soft_wrap=True)


def show_table(table: Table, console: Console | None = None) -> None:
    """A table, without spaces at the ends of its lines."""
    console = console or terminal()
    with console.capture() as printed:
        console.print(table)
    for printed_line in printed.get().splitlines():
        print(printed_line.rstrip())


def lines(texts: Iterable[tuple[str, str]]) -> None:
    """Lines of text, each with its style."""
    for text, style in texts:
        line(text, style)


def columns(*names: str) -> Table:
    """A plain table; a name that begins with '#' is a column of numbers."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for name in names:
        number = name.startswith("#")
        table.add_column(name.lstrip("#"), justify="right" if number else "left", overflow="fold", no_wrap=number)
    return table


def rows(count: int) -> str:
    """So many rows, in words."""
    return f"{count:,} row{'s' * (count != 1)}"


def add(table: Table, *cells: object) -> None:
    """A row of a table."""
    table.add_row(*(Text(cell(value)) for value in cells))


def cell(value: object) -> str:
    """A value as it stands in a table, on one line."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".") if abs(value) >= 0.001 or not value else f"{value:.2g}"
    return shown(str(value).replace("\n", "⏎"))
