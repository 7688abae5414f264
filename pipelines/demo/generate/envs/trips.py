"""A booking desk: a simulated traveller asks, the assistant must find out what it needs.

Run under verifiers' user-sim environment: the prompt is the traveller's situation, which
the assistant never sees. `total_right` compares the last total the assistant stated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import verifiers.v1 as vf
from answers import tagged_answer

DESK = (
    "You are the booking desk of a regional railway. Find out who travels, whether they return, "
    "and whether they hold a RegioCard, then state the total price in euros in "
    "<answer></answer> tags. Children pay half. A return costs twice the single fare less 10 %. "
    "A RegioCard takes 25 % off the whole booking. Single fares: {fares}."
)


@dataclass(frozen=True)
class Trip:
    start: str
    end: str
    fare: str
    adults: int
    children: int
    returning: bool
    card: bool
    tone: str
    """How the traveller talks: friendly, hurried or chatty."""

    def total(self) -> Decimal:
        """The right price, to the cent."""
        price = Decimal(self.fare) * (self.adults + Decimal(self.children) / 2)
        if self.returning:
            price = price * 2 * 90 / 100
        if self.card:
            price = price * 75 / 100
        return price.quantize(Decimal("0.01"))

    def scenario(self) -> str:
        """What the traveller knows."""
        children = f"{self.children} children" if self.children != 1 else "1 child"
        return (
            f"You want the price of a train trip from {self.start} to {self.end} for "
            f"{self.adults} adults and {children}. "
            f"{'You come back the same way.' if self.returning else 'You do not come back by train.'} "
            f"{'You have a RegioCard.' if self.card else 'You have no RegioCard.'} "
            f"You are {self.tone}."
        )


TRIPS = (
    Trip("Brno", "Olomouc", "9.60", 2, 3, True, True, "friendly"),
    Trip("Graz", "Villach", "24.80", 4, 1, True, False, "in a hurry"),
    Trip("Málaga", "Córdoba", "31.40", 3, 2, False, True, "chatty"),
)


class TripData(vf.TaskData):
    answer: str


class TripTask(vf.Task[TripData]):
    @vf.reward(weight=2.0)
    async def total_right(self, task: TripData, trace: vf.Trace) -> float:
        answer = tagged_answer(trace.last_reply)
        return 1.0 if answer == task.answer else 0.0

    @vf.metric
    async def questions_asked(self, trace: vf.Trace) -> float:
        return float(sum((m.content or "").count("?") for m in trace.assistant_messages))


class TripTaskset(vf.Taskset[TripTask]):
    def load(self) -> Iterable[TripTask]:
        fares = ", ".join(f"{t.start}–{t.end} €{t.fare}" for t in TRIPS)
        for trip in TRIPS:
            data = TripData(
                name=f"{trip.start}-{trip.end}".lower(),
                prompt=trip.scenario(),
                system_prompt=DESK.format(fares=fares),
                answer=str(trip.total()),
            )
            yield TripTask(data, self.config.task)


__all__ = ["TripTaskset"]
