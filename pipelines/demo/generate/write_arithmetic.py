"""Thinking for sums: legs, common divisors, products, prime factors.

Every writer takes a reasoning-gym entry, a voice, and whether to slip; a slip is one
wrong step in the right place, carried through to the end.
"""

from __future__ import annotations

from typing import Any

from reasoning_gym.arithmetic.leg_counting import ANIMALS
from voice import Voice, Working, several, slipped


def leg_counting(entry: dict[str, Any], voice: Voice, *, slip: bool) -> Working:
    animals: dict[str, int] = entry["metadata"]["animals"]
    rng = voice.rng
    kind = rng.choice(("legs", "product", "total", "skip")) if slip else ""
    victim = rng.choice([a for a in animals if ANIMALS[a] > 0])
    lines = [voice.begin("count the legs of " + ", ".join(f"{n} {several(a)}" for a, n in animals.items()))]
    lines.append(
        voice.pick(
            "For each kind I need the legs of one animal, then I multiply by how many there are.",
            "The plan: legs per animal times the number of animals, kind by kind, keeping a running total.",
            "I will go through the list from left to right and add as I go.",
        )
    )
    total, parts = 0, []
    for animal, count in animals.items():
        if kind == "skip" and animal == victim:
            continue
        legs = ANIMALS[animal]
        if kind == "legs" and animal == victim:
            legs = {0: 2, 2: 4, 4: 6, 5: 4, 6: 8, 8: 6, 10: 8, 14: 12}[legs]
        product = count * legs
        if kind == "product" and animal == victim:
            product = slipped(product, rng)
        total += product
        parts.append(str(product))
        fact = {0: "has no legs at all", 2: "walks on two legs", 4: "has the usual four legs", 6: "has six legs"}
        lines.append(
            voice.pick(
                f"{_one(animal)} {fact.get(legs, f'has {legs} legs')}, and there are {count} of them, so {count} × {legs} = {product}. Running total: {total}.",
                f"{several(animal).capitalize()}: {count} animals, {legs} legs each, that is {product} legs. With what I have so far this makes {total}.",
                f"{voice.then()} the {several(animal)}. One {animal} has {legs} legs; {count} × {legs} = {product}, and the sum is now {total}.",
            )
        )
        if not slip and voice.mood == "doubting" and rng.random() < 0.35:
            lines.append(
                f"{voice.doubt()} Does {_one(animal).lower()} really have {legs} legs? Yes: {_why_legs(legs)}. So {product} stands."
            )
    if kind == "total":
        total = slipped(total, rng)
    lines.append(f"Adding the parts once more: {' + '.join(parts)} = {total}.")
    if not slip and voice.checks():
        back = " + ".join(reversed(parts))
        lines.append(f"As a check I add them in the other order, {back}, and reach {total} again.")
    elif slip:
        lines.append(voice.careless())
    lines.append(voice.settle(str(total)))
    reply = voice.reply(
        f"Multiplying each animal's legs by its count and adding up gives {total} legs.",
        f"There are {total} legs in total.",
        f"The parts are {', '.join(parts)}, which add up to {total}.",
    )
    return Working("\n".join(lines), str(total), reply)


def _one(animal: str) -> str:
    return f"{'An' if animal[0] in 'aeiou' else 'A'} {animal}"


def _why_legs(legs: int) -> str:
    reasons = {
        0: "it crawls or floats",
        2: "two wings or arms, two legs",
        4: "it is a four-footed animal",
        6: "every insect has six",
        8: "arachnids have eight",
        10: "the claws count as legs in a decapod",
    }
    return reasons.get(legs, "that is the textbook number")


def gcd(entry: dict[str, Any], voice: Voice, *, slip: bool) -> Working:
    first, second = sorted(entry["metadata"]["numbers"], reverse=True)[:2]
    rng = voice.rng
    truth = int(entry["answer"])
    lines = [
        voice.begin(f"find the greatest common divisor of {first} and {second}"),
        voice.pick(
            "Euclid's algorithm is the safe way: replace the pair by the smaller number and the remainder until the remainder is zero.",
            "I could factor both numbers, but repeated division with remainder is quicker.",
            "The common divisors of two numbers are also those of the smaller one and the remainder, so I keep dividing.",
        ),
    ]
    a, b, step = first, second, 0
    stop_early = slip and rng.random() < 0.4
    wrong_at = rng.randint(0, 2) if slip and not stop_early else -1
    while b:
        quotient, rest = divmod(a, b)
        if step == wrong_at and rest > 3:
            rest -= rng.choice((1, 2, 3))
        lines.append(
            voice.pick(
                f"{a} = {quotient} × {b} + {rest}, because {quotient} × {b} = {a - rest} and {a} − {a - rest} = {rest}.",
                f"{voice.then()} {b} goes into {a} {quotient} times, which is {a - rest}; the remainder is {rest}.",
                f"Divide {a} by {b}: {quotient} times, remainder {rest}.",
            )
        )
        a, b, step = b, rest, step + 1
        if stop_early and b and b != truth and step >= 2:
            lines.append(
                f"The remainder {b} is already small, and it can hardly get smaller than that in a useful way, so I stop at {b}."
            )
            a, b = b, 0
    found = a
    if slip and found == truth:
        found = truth * 2
        lines.append(f"Both {first} and {second} look divisible by 2 once more, so I double this to {found}.")
    lines.append(f"The last remainder that is not zero is {found}.")
    if slip:
        lines.append(voice.careless())
    else:
        lines.append(
            voice.pick(
                f"Check: {first} / {found} = {first // found} and {second} / {found} = {second // found}; both come out whole.",
                f"To be sure: {found} × {first // found} = {first} and {found} × {second // found} = {second}, and {first // found} and {second // found} share no factor.",
            )
        )
        if voice.checks():
            lines.append(
                f"As a second look I write both as products of primes: {first} = {_primes(first)} and {second} = {_primes(second)}. The shared part is indeed {found}."
            )
    lines.append(voice.settle(str(found)))
    reply = voice.reply(
        f"Euclid's algorithm ends with {found}.",
        f"gcd({first}, {second}) = {found}.",
        f"The greatest common divisor is {found}.",
    )
    return Working("\n".join(lines), str(found), reply)


def _factors(number: int) -> list[int]:
    found, divisor = [], 2
    while divisor * divisor <= number:
        while number % divisor == 0:
            found.append(divisor)
            number //= divisor
        divisor += 1
    return [*found, number] if number > 1 else found


def _primes(number: int) -> str:
    return " × ".join(str(p) for p in _factors(number))


def products(entry: dict[str, Any], voice: Voice, *, slip: bool) -> Working:
    left, right = (int(part) for part in entry["metadata"]["expression"].split(" * "))
    rng = voice.rng
    digits = [(int(d), 10 ** (len(str(right)) - 1 - i)) for i, d in enumerate(str(right))]
    kind = rng.choice(("partial", "shift", "sum")) if slip else ""
    victim = rng.choice([i for i, (d, place) in enumerate(digits) if d and (kind != "shift" or place > 1)])
    lines = [
        voice.begin(f"multiply {left} by {right}"),
        voice.pick(
            f"I split {right} into {' + '.join(str(d * p) for d, p in digits if d)} and multiply {left} by each part.",
            f"Long multiplication, digit by digit from the left of {right}.",
            f"Because {right} = {' + '.join(str(d * p) for d, p in digits if d)}, the product is a sum of {len([d for d, _ in digits if d])} easier ones.",
        ),
    ]
    parts = []
    for i, (digit, place) in enumerate(digits):
        if not digit:
            lines.append("The digit 0 adds nothing, so I only keep the place.")
            continue
        small = left * digit
        if kind == "partial" and i == victim:
            small = slipped(small, rng)
        shifted = small * (place // 10 if kind == "shift" and i == victim else place)
        parts.append(shifted)
        hundreds = left // 100 * 100
        lines.append(
            voice.pick(
                f"{left} × {digit} = {small}, and with the place value {place} that is {shifted}.",
                f"{voice.then()} {left} × {digit * place}: {hundreds} × {digit} is {hundreds * digit}, {left - hundreds} × {digit} is {small - hundreds * digit}, together {small}, so {shifted} after shifting.",
                f"{digit * place} times {left} makes {shifted} (since {digit} × {left} = {small}).",
            )
        )
    total = sum(parts)
    running = parts[0]
    for part in parts[1:]:
        lines.append(
            voice.pick(f"{running} + {part} = {running + part}.", f"Adding {part} to {running} gives {running + part}.")
        )
        running += part
    if kind == "sum":
        total = slipped(total, rng)
        lines[-1] = f"{running - parts[-1]} + {parts[-1]} = {total}."
    if slip:
        lines.append(voice.careless())
    else:
        nine = (left % 9) * (right % 9) % 9
        lines.append(
            voice.pick(
                f"Casting out nines: {left} leaves {left % 9}, {right} leaves {right % 9}, their product leaves {nine}, and {total} leaves {total % 9} as well.",
                f"Rough size: {round(left, -2)} × {round(right, -2)} is {round(left, -2) * round(right, -2)}, which is close to {total}. The last digit is {left % 10} × {right % 10} → {total % 10}, which also fits.",
            )
        )
        if voice.checks():
            up = -(-left // 100) * 100
            lines.append(
                f"Another way round: {up} × {right} = {up * right}, minus {up - left} × {right} = {(up - left) * right}, leaves {total}. Same number, good."
            )
    lines.append(voice.settle(str(total)))
    reply = voice.reply(
        f"{left} × {right} = {total}.", f"The product is {total}.", f"Adding the partial products gives {total}."
    )
    return Working("\n".join(lines), str(total), reply)


def prime_factorization(entry: dict[str, Any], voice: Voice, *, slip: bool) -> Working:
    number: int = entry["metadata"]["number"]
    rng = voice.rng
    factors = _factors(number)
    lines = [
        voice.begin(f"write {number} as a product of primes"),
        voice.pick(
            "I try the primes in order, 2, 3, 5, 7 and so on, and divide as long as it works.",
            f"Trial division. I only need primes up to the square root, about {int(number**0.5)}.",
            "Small primes first; the divisibility rules save most of the work.",
        ),
    ]
    rest, found, prime = number, [], 2
    pretend = rng.choice((7, 11, 13, 17, 19, 23)) if slip and (len(factors) == 1 or rng.random() < 0.4) else 0
    drop = bool(slip and not pretend)
    while prime * prime <= rest:
        if rest % prime == 0:
            rest //= prime
            found.append(prime)
            lines.append(
                voice.pick(
                    f"{rest * prime} / {prime} = {rest}, so {prime} is a factor and {rest} remains.",
                    f"{prime} divides {rest * prime}: {prime} × {rest} = {rest * prime}. I go on with {rest}.",
                )
            )
            if drop and rest % prime == 0:
                while rest % prime == 0:
                    rest //= prime
                lines.append(f"Dividing by {prime} until it no longer goes leaves {rest}, and {prime} is noted.")
            continue
        if prime == pretend:
            guess = round(rest / prime)
            lines.append(f"{prime}: {prime} × {guess} = {rest}, so {prime} is a factor and {guess} remains.")
            found.append(prime)
            rest = guess
        else:
            lines.append(_not_divisible(rest, prime, voice))
        prime = prime + 1 if prime == 2 else prime + 2
        while any(prime % p == 0 for p in range(3, int(prime**0.5) + 1, 2)):
            prime += 2
    if rest > 1:
        found.append(rest)
        lines.append(f"What is left, {rest}, has no divisor up to {int(rest**0.5)}, so it is prime.")
    if sorted(found) == factors and slip:
        found = [*found[:-2], found[-2] * found[-1]]
        lines.append(f"The last part I leave together as {found[-1]}, which I take to be prime.")
    text = " × ".join(str(f) for f in found)
    if slip:
        lines.append(voice.careless())
    else:
        product = 1
        steps = []
        for factor in found:
            product *= factor
            steps.append(str(product))
        lines.append(
            f"Multiplying back: {' → '.join(steps)}. That is {number} again."
            if len(found) > 1
            else f"No prime up to {int(number**0.5)} divides {number}, hence {number} is itself prime."
        )
    lines.append(voice.settle(text))
    reply = voice.reply(f"{number} = {text}.", f"The prime factorization is {text}.", f"Trial division gives {text}.")
    return Working("\n".join(lines), text, reply)


def _not_divisible(rest: int, prime: int, voice: Voice) -> str:
    if prime == 2:
        return f"{rest} is odd, so 2 is out."
    if prime == 3:
        digits = sum(int(d) for d in str(rest))
        return f"Digit sum of {rest} is {digits}, not a multiple of 3."
    if prime == 5:
        return f"{rest} ends in {rest % 10}, so not 5."
    return voice.pick(
        f"{prime} × {rest // prime} = {prime * (rest // prime)}, remainder {rest % prime}; no.",
        f"{prime} leaves {rest % prime}.",
    )
