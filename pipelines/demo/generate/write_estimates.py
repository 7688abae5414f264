"""Thinking for estimates: roots by Newton's step, growth year by year.

`care` says how far the attempt goes (0 a rough guess, 1 one refinement, 2 all the way);
a slip is a wrong formula or a lost year, carried through to the end.
"""

from __future__ import annotations

from estimates import Estimate
from voice import Voice, Working


def estimate(item: Estimate, voice: Voice, *, care: int, slip: bool) -> Working:
    """The working for one estimate."""
    if item.kind == "growth":
        return _growth(item, voice, care=care, slip=slip)
    return _root(item, voice, care=care, slip=slip)


def _root(item: Estimate, voice: Voice, *, care: int, slip: bool) -> Working:
    number = int(item.values[0])
    power = 2 if item.kind == "square_root" else 3
    name = "square root" if power == 2 else "cube root"
    low = int(number ** (1 / power) + 1e-9)
    high = low + 1
    lines = [
        voice.begin(f"estimate the {name} of {number}"),
        voice.pick(
            f"Perfect powers nearby: {low}^{power} = {low**power} and {high}^{power} = {high**power}, so the root lies between {low} and {high}.",
            f"{low}^{power} is {low**power}, a bit too small; {high}^{power} is {high**power}, too large. The root is {low} point something.",
        ),
    ]
    near = low if number - low**power < high**power - number else high
    gap = number - near**power
    lines.append(
        voice.pick(
            f"{number} is {abs(gap)} {'above' if gap > 0 else 'below'} {near**power}, so {near} is the closer end.",
            f"The distance from {near**power} is {gap}, from the other end {number - (low + high - near) ** power}. I start from {near}.",
        )
    )
    if care == 0 and not slip:
        share = (number - low**power) / (high**power - low**power)
        guess = round((low + share) * 2) / 2
        lines += [
            f"How far along the gap? {number - low**power} out of {high**power - low**power}, which is about {share:.1f}.",
            f"A root grows almost evenly over such a short stretch, so roughly {guess} should do. To the nearest half that is {guess}.",
            voice.pick(
                f"Squaring back in my head: {guess}^{power} is near {guess**power:.0f}, the target is {number}. Close enough for an estimate by hand.",
                f"{guess}^{power} comes to about {guess**power:.0f} against {number}. I could refine this, but the question says estimate.",
            ),
        ]
        value = f"{guess}"
    else:
        slope = power * near ** (power - 1)
        if slip:
            slope = near if power == 2 else 2 * near
            rule = f"the gap divided by {near}" if power == 2 else f"the gap divided by 2 × {near} = {slope}"
            lines.append(f"The correction is {rule}: {gap} / {slope} = {gap / slope:.4f}.")
        else:
            rule = f"2 × {near}" if power == 2 else f"3 × {near}² = 3 × {near * near}"
            lines.append(
                voice.pick(
                    f"The slope of x^{power} at {near} is {rule} = {slope}, so the correction is {gap} / {slope} = {gap / slope:.4f}.",
                    f"Newton: x − (x^{power} − {number}) / ({power}·x^{power - 1}). At x = {near} the denominator is {slope}, and {gap} / {slope} = {gap / slope:.4f}.",
                )
            )
        first = near + gap / slope
        lines.append(f"First approximation: {near} {'+' if gap > 0 else '−'} {abs(gap / slope):.4f} = {first:.4f}.")
        value = f"{first:.2f}" if care == 1 else f"{first:.4f}"
        if not slip and care == 2:
            x = round(first, 3)
            over = x**power - number
            second = x - over / (power * x ** (power - 1))
            lines += [
                f"{voice.then()} once more from {x}: {x}^{power} = {x**power:.4f}, which is off by {over:.4f}.",
                f"Dividing by {power} × {x}{'' if power == 2 else '²'} = {power * x ** (power - 1):.3f} gives {over / (power * x ** (power - 1)):.6f}, so the better value is {second:.5f}.",
            ]
            if voice.checks():
                lines.append(
                    f"Check: {second:.4f}^{power} = {round(second, 4) ** power:.3f}, and the target is {number}. The fourth decimal holds."
                )
            value = f"{second:.5f}"
        elif slip:
            lines.append(voice.careless())
        else:
            lines.append(
                voice.pick(
                    "The curve bends only a little here, so two decimals should be safe.",
                    f"Since the slope changes slowly, I round to {value} and leave it there.",
                )
            )
    lines.append(voice.settle(value))
    reply = voice.reply(
        f"The {name} of {number} is about {value}.",
        f"Starting from {near}^{power} = {near**power} and correcting, I get ≈ {value}.",
        f"≈ {value}",
    )
    return Working("\n".join(lines), value, reply)


def _growth(item: Estimate, voice: Voice, *, care: int, slip: bool) -> Working:
    start, percent, years = item.values[0], item.values[1], int(item.values[2])
    rate = percent / 100
    lines = [
        voice.begin(f"find what {start:.0f} becomes after {years} years at {percent} % a year"),
        voice.pick(
            f"Every year the amount is multiplied by {1 + rate:.3f}.",
            f"Growth of {percent} % means a factor of {1 + rate:.3f} each year, {years} times over.",
        ),
    ]
    rng = voice.rng
    if care == 0 and not slip:
        value = start * (1 + rate * years)
        lines += [
            f"A quick way: {years} years of {percent} % are {percent * years:.1f} % in all.",
            f"{percent * years:.1f} % of {start:.0f} is {start * rate * years:.1f}.",
            f"Adding that to {start:.0f} gives {value:.1f}. Compounding would add a little, but over only {years} years the interest on interest should be small.",
            voice.pick("I take that as a fair estimate and stop here.", "For an estimate by hand this should do."),
        ]
        text = f"{value:.1f}"
    elif care == 1 and not slip:
        pairs = years * (years - 1) // 2
        second = pairs * rate * rate
        value = start * (1 + rate * years + second)
        lines += [
            f"I expand (1 + {rate:.3f})^{years} and keep the first terms.",
            f"First order: {years} × {rate:.3f} = {years * rate:.4f}.",
            f"Second order: there are {pairs} pairs of years, each worth {rate:.3f}² = {rate * rate:.6f}, so {pairs} × {rate * rate:.6f} = {second:.5f}.",
            f"The sum is 1 + {years * rate:.4f} + {second:.5f} = {1 + years * rate + second:.5f}.",
            f"{start:.0f} × {1 + years * rate + second:.5f} = {value:.1f}.",
            voice.pick(
                "The third-order term is tiny, I leave it out.",
                f"The next term would be of the size of {rate**3:.6f}, which I neglect.",
            ),
        ]
        text = f"{value:.1f}"
    else:
        amount = start
        wrong = rng.randint(1, years) if slip else 0
        last = years - 1 if slip and rng.random() < 0.5 else years
        wrong = wrong if last == years else 0
        for year in range(1, last + 1):
            gain = round(amount * rate, 2)
            if year == wrong:
                gain = round(gain / 10, 2) if rng.random() < 0.5 else round(gain * 2, 2)
            amount = round(amount + gain, 2)
            lines.append(
                voice.pick(
                    f"Year {year}: {percent} % of {amount - gain:.2f} is {gain:.2f}, new amount {amount:.2f}.",
                    f"{voice.then()} year {year}: {amount - gain:.2f} + {gain:.2f} = {amount:.2f}.",
                )
            )
        if slip:
            lines.append(f"After {years} years this stands at {amount:.2f}. {voice.careless()}")
        else:
            lines.append(
                f"Check by squaring: {1 + rate:.3f}² = {(1 + rate) ** 2:.6f}, and {1 + rate:.3f}^{years} = {(1 + rate) ** years:.6f}; times {start:.0f} that is {start * (1 + rate) ** years:.2f}."
            )
        text = f"{amount:.2f}"
    lines.append(voice.settle(text))
    reply = voice.reply(
        f"After {years} years the amount is about {text}.",
        f"{start:.0f} grows to roughly {text}.",
        f"≈ {text} after {years} years.",
    )
    return Working("\n".join(lines), text, reply)
