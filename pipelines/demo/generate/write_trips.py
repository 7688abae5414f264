"""Both sides of the booking desk: the traveller's messages and the assistant's turns."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from trips import Trip
from voice import Voice, Working

DONE = "###DONE###"


def _children(trip: Trip) -> str:
    return "1 child" if trip.children == 1 else f"{trip.children} children"


def traveller(trip: Trip, heard: list[str], rng: Random) -> str:
    """The traveller's next message, given every message of the desk so far.

    The first one is the desk's greeting. Details come only when the desk asks for them.
    """
    if len(heard) == 1:
        return {
            "friendly": f"Hello! Could you tell me what a trip from {trip.start} to {trip.end} would cost us?",
            "in a hurry": f"Quick one: price {trip.start} to {trip.end}, please. We are {trip.adults + trip.children} people.",
            "chatty": f"Good morning! My sister tells me {trip.end} is lovely this time of year. What would we pay from {trip.start}?",
        }[trip.tone]
    last = heard[-1].lower()
    if "<answer>" in last:
        return DONE
    facts = []
    if "child" in last or "how many" in last or "who" in last:
        facts.append(
            rng.choice(
                (f"It is {trip.adults} adults and {_children(trip)}.", f"{trip.adults} grown-ups, {_children(trip)}.")
            )
        )
    if "return" in last or "back" in last:
        facts.append(
            "Yes, we come back the same way." if trip.returning else "No, one way only, a friend drives us home."
        )
    if "card" in last:
        facts.append("I do have a RegioCard." if trip.card else "No RegioCard, sorry.")
    return " ".join(facts) or "Could you just tell me the price, please?"


def desk(trip: Trip, voice: Voice, *, slip: bool) -> tuple[list[Working], Working]:
    """The desk's questions (thinking and text) and its closing turn."""
    rng = voice.rng
    kind = (
        rng.choice(("card" if trip.card else "child", "child", "return" if trip.returning else "child")) if slip else ""
    )
    people = voice.pick(
        "How many adults and how many children are travelling?",
        "Who is travelling: how many adults, how many children?",
    )
    rest = voice.pick(
        "Will you come back by train, and do you hold a RegioCard?", "Is it a return trip, and is there a RegioCard?"
    )
    greet = voice.pick("With pleasure!", "Gladly.", "Of course.", "Happy to help.")
    opening = (
        f"The traveller wants {trip.start} to {trip.end}; the single fare is €{trip.fare}. The price depends on the number of "
        "adults and children, on whether they return, and on a RegioCard, and I know none of this yet. "
    )
    if rng.random() < 0.5:
        asks = [
            Working(opening + "I ask for the party first and the rest afterwards.", "", f"{greet} {people}"),
            Working(
                f"{trip.adults} adults and {trip.children} at half fare. Still open: the way back and the card.",
                "",
                f"Thank you. {rest}",
            ),
        ]
    else:
        asks = [
            Working(
                opening + "I put everything into one message to save the traveller's time.",
                "",
                f"{greet} {people} {rest}",
            )
        ]
    fare = Decimal(trip.fare)
    heads = trip.adults + (Decimal(trip.children) if kind == "child" else Decimal(trip.children) / 2)
    price = fare * heads
    lines = [
        f"Now I have everything: {trip.adults} adults, {_children(trip)}, {'return' if trip.returning else 'single'}, {'with' if trip.card else 'without'} RegioCard.",
        f"{trip.adults} adults and {_children(trip)} pay for {heads.normalize():f} fares: {heads.normalize():f} × {fare} = {price.normalize():f}.",
    ]
    if trip.returning:
        if kind == "return":
            price = price * 2
            lines.append(f"There and back doubles that to {price.normalize():f}.")
        else:
            price = price * 2 * 90 / 100
            lines.append(
                f"Return: twice that is {(price / 90 * 100).normalize():f}, less 10 % leaves {price.normalize():f}."
            )
    if trip.card and kind != "card":
        lines.append(
            f"RegioCard: a quarter of {price.normalize():f} is {(price / 4).normalize():f}, so {(price * 75 / 100).normalize():f} remains."
        )
        price = price * 75 / 100
    elif not trip.card:
        lines.append("Without a RegioCard nothing else comes off.")
    answer = str(price.quantize(Decimal("0.01")))
    lines.append(
        voice.careless()
        if slip
        else f"Order of discounts does not matter as they only multiply. {voice.settle('€' + answer)}"
    )
    reply = voice.reply(
        f"That makes €{answer} for all of you.",
        f"The whole booking {trip.start}–{trip.end} comes to €{answer}.",
        f"Your total is €{answer}. Have a good trip!",
    )
    return asks, Working(" ".join(lines), answer, reply)
