"""Text to measure with: Zipf words with fragments of maths, as long as is asked for."""

from random import Random


def vocabulary(random: Random) -> list[str]:
    """65,536 draws by Zipf's law from 20,000 invented words: a word for each pair of random bytes."""
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    heavy = [1 / (i + 1.5) for i in range(len(letters))]
    words = ["".join(random.choices(letters, heavy, k=random.choice((2, 3, 4, 5, 6, 7, 9)))) for _ in range(20_000)]
    return random.choices(words, [1 / (rank + 3) for rank in range(len(words))], k=1 << 16)


def text(random: Random, words: list[str], size: int) -> str:
    """About `size` bytes of words, with a fragment of maths in every line."""
    drawn = memoryview(random.randbytes(2 * (size // 5 + 64))).cast("H")
    lines, length, at = [], 0, 0
    while length < size and at + 20 < len(drawn):
        count = 8 + drawn[at] % 12
        a, b, c = drawn[at] % 97, drawn[at + 1] % 1009, drawn[at + 2]
        line = " ".join([words[i] for i in drawn[at + 3 : at + 3 + count]])
        lines.append(f"{line}: ${a}x^2 + {b} = {c}$, so $x \\approx {c / (b + 1):.3f}$.")
        length += len(lines[-1]) + 1
        at += 3 + count
    return "\n".join(lines)


def length(random: Random) -> int:
    """Bytes of a text: log-normal, 8 KB on average, 2 to 40 KB."""
    return int(min(40_000, max(2_000, random.lognormvariate(8.74, 0.7))))
