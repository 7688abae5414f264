"""Invoice totals worked out with a calculator tool.

The calculator takes one expression a call, and several calls may go out in one turn.
`exact_match` compares decimals; it raises `InvalidOperation` on an answer that is not a plain number,
and is left so: the run then shows what a failed scorer leaves behind (a null reward,
an error, no verdict). `used_calculator` is a bonus, `spare_calls` a penalty.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

import verifiers.v1 as vf
from answers import tagged_answer

CENT = Decimal("0.01")
OPERATORS: dict[type, Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass(frozen=True)
class Line:
    count: int
    what: str
    price: str
    off: int = 0
    """Discount in percent."""


@dataclass(frozen=True)
class Order:
    number: int
    customer: str
    lines: tuple[Line, ...]
    tax: int
    shipping: str

    def line_total(self, line: Line) -> Decimal:
        """Count times price less the discount, not rounded."""
        return line.count * Decimal(line.price) * (100 - line.off) / 100

    def total(self) -> Decimal:
        """What is owed: goods, shipping, and tax on both, to the cent."""
        goods = sum((self.line_total(line) for line in self.lines), Decimal(0))
        owed = (goods + Decimal(self.shipping)) * (100 + self.tax) / 100
        return owed.quantize(CENT)

    def prompt(self) -> str:
        """The order as a customer reads it."""
        items = []
        for line in self.lines:
            less = f", less {line.off} %" if line.off else ""
            items.append(f"- {line.count} × {line.what} at €{line.price} each{less}")
        return (
            f"Order {self.number} for {self.customer}:\n"
            + "\n".join(items)
            + f"\nShipping is €{self.shipping}. Tax of {self.tax} % is charged on goods and "
            "shipping together.\nWhat is the total in euros, to the cent? Use the calculator, "
            "and give a plain number in <answer></answer> tags."
        )


ORDERS = (
    Order(
        4417,
        "Café Zoë",
        (
            Line(24, "espresso cup", "3.85"),
            Line(6, "milk jug", "11.40", 15),
            Line(3, "knock box", "18.90"),
        ),
        19,
        "7.50",
    ),
    Order(
        4431,
        "Łukasz Bike Repair",
        (Line(40, "inner tube", "4.15", 12), Line(18, "brake pad set", "9.95"), Line(7, "chain", "21.30", 5)),
        21,
        "12.80",
    ),
    Order(
        4452,
        "Kindergarten Sonnenhügel",
        (Line(30, "crayon box", "2.65"), Line(12, "drawing pad", "5.20", 10), Line(9, "glue pot", "3.45")),
        7,
        "4.90",
    ),
    Order(
        4468,
        "Ateliér Němcová",
        (Line(15, "linen canvas", "13.75", 8), Line(22, "oil tube", "6.35"), Line(4, "easel", "58.00", 20)),
        21,
        "19.60",
    ),
)


def evaluate(expression: str) -> Decimal:
    """The value of an expression of numbers, + - * / and brackets.

    Raises `ValueError` on anything else, with the offending part.
    """

    def value(node: ast.expr) -> Decimal:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return Decimal(ast.get_source_segment(expression, node) or "")
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            return OPERATORS[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -value(node.operand)
        raise ValueError(f"not arithmetic: {ast.unparse(node)}")

    try:
        return value(ast.parse(expression, mode="eval").body)
    except SyntaxError as problem:
        raise ValueError(f"cannot read {expression!r}: {problem.msg}") from problem


class OrderData(vf.TaskData):
    answer: str


class CalculatorConfig(vf.SharedToolsetConfig):
    """Where the shared calculator runs; the defaults do."""


class Calculator(vf.Toolset[CalculatorConfig]):
    TOOL_PREFIX = "calculator"

    @vf.tool
    def evaluate(self, expression: str) -> str:
        """Work out one expression of numbers, + - * / and brackets."""
        try:
            return f"{evaluate(expression).normalize():f}"
        except (ValueError, ArithmeticError) as problem:
            return f"error: {problem}"


class OrderTask(vf.Task[OrderData]):
    @vf.reward(weight=1.0)
    async def exact_match(self, task: OrderData, trace: vf.Trace) -> float:
        answer = tagged_answer(trace.last_reply)
        if answer is None:
            return 0.0
        return 1.0 if Decimal(answer) == Decimal(task.answer) else 0.0

    @vf.reward(weight=0.1)
    async def used_calculator(self, trace: vf.Trace) -> float:
        return 1.0 if _calls(trace) else 0.0

    @vf.reward(weight=-0.05)
    async def spare_calls(self, trace: vf.Trace) -> float:
        return float(max(0, _calls(trace) - 5))

    @vf.metric
    async def tool_calls(self, trace: vf.Trace) -> float:
        return float(_calls(trace))


def _calls(trace: vf.Trace) -> int:
    return sum(len(message.tool_calls or []) for message in trace.assistant_messages)


class OrderTaskset(vf.Taskset[OrderTask]):
    @classmethod
    def toolsets(cls, config: vf.TasksetConfig) -> list[vf.Toolset]:
        return [Calculator(CalculatorConfig())]

    def load(self) -> Iterable[OrderTask]:
        for order in ORDERS:
            data = OrderData(name=f"order-{order.number}", prompt=order.prompt(), answer=str(order.total()))
            yield OrderTask(data, self.config.task)


__all__ = ["OrderTaskset"]

if __name__ == "__main__":
    Calculator.run()
