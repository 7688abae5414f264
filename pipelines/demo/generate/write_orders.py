"""Turns for invoices: calculator calls, then the total.

An attempt calls the calculator for all lines at once, one by one, or in one expression;
some write an expression it cannot read and mend it. A slip loses the shipping, taxes the
goods alone, puts a discount on the wrong line, or misreads a count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from orders import CENT, Line, Order, evaluate
from voice import Voice, Working, several


@dataclass(frozen=True)
class Turn:
    thinking: str
    calls: tuple[str, ...] = ()
    """Expressions for the calculator, all in one message."""


def _expression(line: Line) -> str:
    base = f"{line.count} * {line.price}"
    return f"{base} * {100 - line.off} / 100" if line.off else base


def _shown(value: Decimal) -> str:
    return f"{value.normalize():f}"


def order_turns(order: Order, voice: Voice, *, slip: bool, mend: bool) -> tuple[list[Turn], Working]:
    """The calculator turns of an attempt, and its closing turn."""
    rng = voice.rng
    kind = rng.choice(("shipping", "tax", "discount", "count")) if slip else ""
    lines = list(order.lines)
    if kind == "discount":
        cut = next(i for i, line in enumerate(lines) if line.off)
        other = (cut + 1) % len(lines)
        lines[cut], lines[other] = replace(lines[cut], off=0), replace(lines[other], off=lines[cut].off)
    if kind == "count":
        first = str(lines[0].count)
        lines[0] = replace(
            lines[0], count=int(first[::-1]) if first[::-1] != first and first[-1] != "0" else lines[0].count + 10
        )
    sums = [evaluate(_expression(line)) for line in lines]
    goods = sum(sums, Decimal(0))
    shipping = Decimal("0") if kind == "shipping" else Decimal(order.shipping)
    taxed = goods if kind == "tax" else goods + shipping
    total = taxed * (100 + order.tax) / 100 + (shipping if kind == "tax" else 0)
    way = rng.choice(("together", "together", "single", "one by one"))
    opening = voice.begin(f"work out the total of order {order.number}")
    plan = voice.pick(
        f"There are {len(lines)} lines; each is count times price, with the discount where there is one.",
        "First the value of each line, then shipping, then tax on everything.",
        f"I need the goods first, and after that the tax of {order.tax} %.",
    )
    details = " ".join(
        voice.pick(
            f"The {line.what} line is {line.count} at €{line.price}"
            + (f" less {line.off} %, so I take {100 - line.off} %." if line.off else "."),
            f"{line.count} × €{line.price} for the {several(line.what)}"
            + (f", of which {line.off} % come off." if line.off else "."),
        )
        for line in lines
    )
    turns: list[Turn] = []
    wanted = [_expression(line) for line in lines]
    if mend:
        broken = wanted[0].replace("*", "×")
        turns.append(Turn(f"{opening} {plan} {details}", (broken, *wanted[1:])))
        turns.append(
            Turn(
                "The first call came back with an error: the calculator wants an asterisk, not the × sign. I send that one again.",
                (wanted[0],),
            )
        )
    elif way == "one by one":
        turns.append(Turn(f"{opening} {plan} {details} One after the other.", (wanted[0],)))
        for before, value, line, call in zip(lines, sums, lines[1:], wanted[1:], strict=False):
            turns.append(
                Turn(
                    f"The {before.what} line comes to {_shown(value)}. {voice.then()} the {several(line.what)}.",
                    (call,),
                )
            )
    elif way == "together":
        turns.append(
            Turn(
                f"{opening} {plan} {details} The lines do not depend on each other, so I ask for all of them in one go.",
                tuple(wanted),
            )
        )
    inside = " + ".join(f"({call})" for call in wanted) if not turns else " + ".join(_shown(value) for value in sums)
    owed = (
        f"({inside}) * {100 + order.tax} / 100 + {shipping}"
        if kind == "tax"
        else f"({inside} + {shipping}) * {100 + order.tax} / 100"
    )
    if kind == "shipping":
        owed = f"({inside}) * {100 + order.tax} / 100"
    so_far = (
        f"The lines are {', '.join(_shown(v) for v in sums)}. "
        if turns
        else f"{opening} {plan} {details} It fits in one expression. "
    )
    charged = {
        "tax": f"Tax of {order.tax} % goes on the goods, and shipping of {order.shipping} is added at the end.",
        "shipping": f"Now the tax of {order.tax} % on the goods.",
    }.get(
        kind,
        f"Shipping of {order.shipping} is taxed too, so it goes inside the bracket before the factor {Decimal(100 + order.tax) / 100}.",
    )
    turns.append(Turn(so_far + charged, (owed,)))
    exact = evaluate(owed)
    answer = total.quantize(CENT)
    closing = [f"The calculator says {_shown(exact)}, which rounds to {answer}."]
    if slip:
        closing.append(voice.careless())
    else:
        rough = round(goods, -1)
        closing.append(
            f"Rough check: goods of about {_shown(rough)} plus shipping and {order.tax} % tax should land near {_shown(round((rough + shipping) * (100 + order.tax) / 100, 0))}. It does."
        )
    reply = voice.reply(
        f"The goods come to €{_shown(goods)}; with shipping and {order.tax} % tax the total is €{answer}.",
        f"Total for {order.customer}: €{answer}.",
        f"Order {order.number} comes to €{answer} including shipping and tax.",
    )
    return turns, Working(" ".join(closing), str(answer), reply)
