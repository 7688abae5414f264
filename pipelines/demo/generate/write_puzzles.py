"""Thinking for puzzles: equations, number bases, letters, truth tellers and liars.

Every writer takes a reasoning-gym entry, a voice, and whether to slip; a slip is one
wrong step in the right place, carried through to the end.
"""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import product
from typing import Any

from voice import Voice, Working, slipped

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def simple_equations(entry: dict[str, Any], voice: Voice, *, slip: bool) -> Working:
    equation: str = entry["metadata"]["equation"]
    name: str = entry["metadata"]["variable"]
    left, right = equation.split(" = ")
    rng = voice.rng
    terms = re.findall(r"([+-]?)\s*(?:(\d+)\*)?(\d+|[a-z])", left)
    slope, rest = 0, 0
    for sign, factor, body in terms:
        size = (-1 if sign == "-" else 1) * int(factor or 1)
        if body == name:
            slope += size
        else:
            rest += size * int(body)
    goal = int(right)
    kind = rng.choice(("sign", "divide", "subtract")) if slip else ""
    lines = [
        voice.begin(f"solve {equation} for {name}"),
        voice.pick(
            f"There is a term with {name}, namely {slope}·{name}, and a constant {rest} on the left; on the right stands {goal}.",
            f"It is linear in {name}: coefficient {slope}, constant {rest}, right-hand side {goal}.",
            f"I isolate {name}: first move the constant {rest} over, then divide by {slope}.",
        ),
    ]
    moved = goal - rest
    if kind == "sign":
        moved = goal + rest
        lines.append(
            f"Moving {rest} to the other side: {slope}·{name} = {goal} + {rest} = {moved}."
            if rest > 0
            else f"Moving {rest} to the other side: {slope}·{name} = {goal} − {abs(rest)} = {moved}."
        )
    elif kind == "subtract":
        moved = goal - rest + rng.choice((-1, 1)) * abs(slope)
        lines.append(f"Taking {rest} away on both sides: {slope}·{name} = {moved}.")
    else:
        verb = "subtract" if rest > 0 else "add"
        lines.append(
            voice.pick(
                f"I {verb} {abs(rest)} on both sides: {slope}·{name} = {goal} {'−' if rest > 0 else '+'} {abs(rest)} = {moved}.",
                f"The constant goes to the right with the opposite sign, so {slope}·{name} = {moved}.",
            )
        )
    exact = Fraction(moved, slope)
    solution = str(exact.numerator) if exact.denominator == 1 else f"{float(exact):.2f}"
    if exact.denominator == 1 and kind == "divide":
        solution = str(slipped(int(exact), rng))
    lines.append(f"{voice.then()} I divide by {slope}: {name} = {moved} / {slope}.")
    whole = abs(exact.numerator // exact.denominator)
    tens, step = whole // 10 * 10, abs(slope)
    lines.append(
        voice.pick(
            f"How often does {step} go into {abs(moved)}? {tens} times is {tens * step}, which leaves {abs(moved) - tens * step}; that is another {whole - tens if kind != 'divide' else abs(int(solution)) - tens} times.",
            f"Estimating: {step} × {tens} = {tens * step}. The difference to {abs(moved)} is {abs(moved) - tens * step}, and {step} fits into that about {whole - tens if kind != 'divide' else abs(int(solution)) - tens} times.",
        )
    )
    lines.append(f"So {name} = {solution}.")
    if slip:
        lines.append(voice.careless())
        if exact.denominator != 1:
            lines.append(
                f"It is not a whole number, which is a little odd for an exercise like this, but nothing in the question says {name} must be whole."
            )
    else:
        value = int(solution)
        lines.append(
            f"Check by putting it back: {slope} × {value} = {slope * value}, and {slope * value} {'+' if rest >= 0 else '−'} {abs(rest)} = {slope * value + rest}. The right-hand side is {goal}, so it fits."
        )
        if voice.checks():
            lines.append(
                f"The neighbours do not work: {name} = {value - 1} would give {slope * (value - 1) + rest} and {name} = {value + 1} would give {slope * (value + 1) + rest}."
            )
    lines.append(voice.settle(f"{name} = {solution}"))
    reply = voice.reply(
        f"Solving the equation gives {name} = {solution}.",
        f"{name} = {solution}.",
        f"Isolating {name} and dividing by {slope} yields {solution}.",
    )
    return Working("\n".join(lines), solution, reply)


def base_conversion(entry: dict[str, Any], voice: Voice, *, slip: bool) -> Working:
    meta = entry["metadata"]
    text, source, target = meta["source_repr"], meta["source_base"], meta["target_base"]
    rng = voice.rng
    kind = rng.choice(("power", "sum", "order" if target != 10 else "power")) if slip else ""
    lines = [
        voice.begin(f"turn {text} from base {source} into base {target}"),
        voice.pick(
            f"Base {source} to ten first: every digit times its power of {source}.",
            f"I go through decimal: read {text} in base {source}, then write the value in base {target}.",
            f"Each place of {text} is worth {source} times the place to its right.",
        ),
    ]
    victim = rng.randrange(len(text) - 1)
    total, parts = 0, []
    for place, char in enumerate(reversed(text)):
        digit, power = DIGITS.index(char), source**place
        if kind == "power" and place == victim + 1:
            power = source ** (place + 1) if place == 1 else source ** (place - 1)
        parts.append(digit * power)
        total += digit * power
        lines.append(
            voice.pick(
                f"Digit {char} in place {place}: {source}^{place} is {power}, and {digit} × {power} = {digit * power}.",
                f"{voice.then()} the {char}: worth {digit} × {power} = {digit * power}, sum so far {total}.",
            )
        )
    if kind == "sum":
        total = slipped(total, rng)
    lines.append(f"Together: {' + '.join(str(p) for p in reversed(parts))} = {total}.")
    answer = str(total)
    if target != 10:
        lines.append(f"Now {total} in base {target}, by repeated division.")
        value, digits = total, []
        while value:
            value, rest = divmod(value, target)
            digits.append(DIGITS[rest])
            lines.append(
                f"{value * target + rest} / {target} = {value}, remainder {rest}"
                + (f", which is the digit {DIGITS[rest]}." if rest > 9 else ".")
            )
        answer = "".join(digits if kind == "order" else reversed(digits))
        if kind == "order" and answer == entry["answer"]:
            answer = answer[:-1] + DIGITS[(DIGITS.index(answer[-1]) + 1) % target]
        lines.append(
            f"Reading the remainders {'from the top down' if kind == 'order' else 'from the last to the first'}: {answer}."
        )
    if slip:
        lines.append(voice.careless())
    else:
        value = 0
        steps = []
        for char in answer:
            value = value * target + DIGITS.index(char)
            steps.append(str(value))
        lines.append(
            f"Check with Horner's scheme in base {target}: {' → '.join(steps)}, which is the decimal value {total}."
        )
        if voice.checks():
            high = source ** (len(text) - 1)
            lines.append(
                f"The size is plausible too: a {len(text)}-digit number in base {source} lies between {high} and {high * source - 1}."
            )
    lines.append(voice.settle(answer))
    reply = voice.reply(
        f"{text} in base {source} is {answer} in base {target}.",
        f"The converted number is {answer}.",
        f"In base {target} this is {answer}.",
    )
    return Working("\n".join(lines), answer, reply)


def letter_counting(entry: dict[str, Any], voice: Voice, *, slip: bool) -> Working:
    letter, words = entry["metadata"]["target_letter"], entry["metadata"]["span"]
    rng = voice.rng
    holders = [w for w in words if letter.lower() in w.lower()]
    victim = rng.choice([i for i, w in enumerate(words) if w in holders])
    lines = [
        voice.begin(f"count the letter “{letter}” in “{' '.join(words)}”"),
        voice.pick(
            "Counting in one sweep is error-prone, so I take one word at a time.",
            "Word by word, keeping a tally.",
            f"I spell out every word and mark each {letter}.",
        ),
    ]
    total = 0
    for i, word in enumerate(words):
        count = word.lower().count(letter.lower())
        if slip and i == victim:
            count += rng.choice((-1, 1))
        total += count
        spelled = "-".join(word)
        lines.append(
            voice.pick(
                f"{i + 1}. {word} ({spelled}): {count}, tally {total}.",
                f"{word}: {spelled}. I see {count or 'no'} {letter}{'' if count == 1 else '’s'}. Tally {total}.",
            )
        )
    if slip:
        lines.append(voice.careless())
    elif voice.checks():
        lines.append(
            f"Going backwards through the words that have it at all, {', '.join(reversed(holders)) or 'none'}, I count {total} again."
        )
    lines.append(voice.settle(str(total)))
    reply = voice.reply(
        f"The letter {letter} appears {total} times.", f"I count {total}.", f"Tallying word by word gives {total}."
    )
    return Working("\n".join(lines), str(total), reply)


def knights_knaves(entry: dict[str, Any], voice: Voice, *, slip: bool) -> Working:
    meta = entry["metadata"]
    names, statements, terms = meta["names"], meta["statements"], meta["knight_knave_terms"]
    truth = tuple(bool(x) for x in meta["solution"])
    rng = voice.rng

    def role(knight: bool) -> str:
        return terms["a_knight"] if knight else terms["a_knave"]

    def world(case: tuple[bool, ...]) -> str:
        return " and ".join(f"{n} is {role(k)}" for n, k in zip(names, case, strict=True))

    cases = list(product((True, False), repeat=len(names)))
    rng.shuffle(cases)
    chosen = rng.choice([c for c in cases if c != truth]) if slip else truth
    lines = [voice.begin(f"find out who is {terms['a_knight']} and who is {terms['a_knave']}")]
    for name, statement in zip(names, statements, strict=True):
        lines.append(f"{name} says: {_say(statement, names, role)}.")
    lines.append(
        voice.pick(
            f"Each {terms['knight']} must say something true and each {terms['knave']} something false, so I try the {len(cases)} cases in turn.",
            f"There are only {len(cases)} possibilities; a case survives if every statement has the truth value its speaker demands.",
        )
    )
    for number, case in enumerate(cases, 1):
        lines.append(f"Case {number}: suppose {world(case)}.")
        for speaker, (name, statement) in enumerate(zip(names, statements, strict=True)):
            holds = _holds(statement, case)
            fits = holds == case[speaker]
            claimed = holds
            if slip and case == chosen and not fits:
                claimed, fits = not holds, True
            if slip and case == truth and speaker == len(names) - 1:
                claimed, fits = not case[speaker], False
            lines.append(
                f"{name}'s statement would be {'true' if claimed else 'false'}; "
                + voice.pick(
                    f"{role(case[speaker])} {'may' if fits else 'cannot'} say that.",
                    f"that {'fits' if fits else 'does not fit'} {role(case[speaker])}.",
                )
            )
            if not fits:
                lines.append(voice.pick("Contradiction, this case is out.", "So this case falls.", "Not possible."))
                break
        else:
            lines.append(voice.pick("This one holds together.", "No contradiction here, I keep it.", "Consistent."))
    answer = ", and ".join(f"{n} is {role(k)}" for n, k in zip(names, chosen, strict=True))
    lines.append(
        voice.careless()
        if slip
        else voice.pick("Exactly one case survives.", "Only one case is left, as it should be.")
    )
    lines.append(voice.settle(f"“{answer}”"))
    reply = voice.reply(
        "Only one assignment is consistent with both statements.",
        "Going through all cases leaves a single one.",
        f"{answer}.",
    )
    return Working("\n".join(lines), answer, reply)


# Statements are nested tuples of mixed kinds, as reasoning-gym writes them.
def _holds(statement: Any, case: tuple[bool, ...]) -> bool:
    head, *parts = statement
    if head == "telling-truth":
        return case[parts[0]]
    if head == "lying":
        return not case[parts[0]]
    values = [_holds(part, case) for part in parts]
    if head == "not":
        return not values[0]
    if head == "and":
        return all(values)
    if head == "or":
        return any(values)
    if head == "->":
        return not values[0] or values[1]
    return values[0] == values[1]


def _say(statement: Any, names: list[str], role: Any) -> str:
    head, *parts = statement
    if head in ("telling-truth", "lying"):
        return f"{names[parts[0]]} is {role(head == 'telling-truth')}"
    said = [_say(part, names, role) for part in parts]
    if head == "not":
        return f"it is not so that {said[0]}"
    if head == "->":
        return f"if {said[0]}, then {said[1]}"
    if head == "<=>":
        return f"{said[0]} exactly when {said[1]}"
    return f" {head} ".join(said)
