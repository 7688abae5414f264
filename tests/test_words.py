"""Tokens, shingles and signatures: what they are, pinned; and that a plain reading of the definition agrees."""

import math
import random
import unicodedata

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthetic.alike import sets as exact
from synthetic.alike import sketch, words
from synthetic.alike.sets import pairs, sets
from synthetic.alike.sketch import estimates, matrix, signatures
from synthetic.alike.words import SINGLE, SPACE, WORD
from synthetic.record import measured

MASK = 2**64 - 1


def kind(character: str) -> int:
    """The kind of a character, looked up in the table one by one."""
    if ord(character) < 0x80:
        if character.isalnum() or character == "_":
            return WORD
        return SINGLE if character.isprintable() and character != " " else SPACE
    return [kind for first, kind in words._RANGES if first <= ord(character)][-1]


def tokens(text: str) -> list[bytes]:
    found, word = [], ""
    for character in text + " ":
        if kind(character) == WORD:
            word += character.lower() if ord(character) < 0x80 else character
            continue
        if word:
            found.append(word.encode())
            word = ""
        if kind(character) == SINGLE:
            found.append(character.encode())
    return found


def mix(h: int) -> int:
    h ^= h >> 37
    h = h * 0x165667919E3779F9 & MASK
    return h ^ (h >> 32)


def token_hash(token: bytes) -> int:
    h = 0xCBF29CE484222325
    for start in range(0, len(token), 8):
        h = (h ^ int.from_bytes(token[start : start + 8].ljust(8, b"\0"), "little")) * 0xC2B2AE3D27D4EB4F & MASK
        h ^= h >> 32
    return h


def shingles(text: str) -> list[int]:
    """Each shingle from its own tokens, not rolled."""
    hashes = [token_hash(token) for token in tokens(text)]
    windows = [hashes[i : i + 5] for i in range(len(hashes) - 4)] or ([hashes] if hashes else [])
    found = []
    for window in windows:
        whole = 0
        for one in window:
            whole = (whole * 0x9FB21C651E98DF25 + one) & MASK
        found.append(mix(whole))
    return found


def signature(text: str) -> bytes | None:
    slots: list[int | None] = [None] * 128
    hashes = shingles(text)
    if not hashes:
        return None
    for number in range(3):
        for x in hashes:
            h = mix((x + number * 0x9E3779B185EBCA87) & MASK) if number else x
            slot, value = (h >> 32) * 128 >> 32, number << 30 | (h & 0xFFFFFFFF) >> 2
            held = slots[slot]
            slots[slot] = value if held is None else min(held, value)
    for slot, held in enumerate(slots):
        if held is None:
            slots[slot] = min(3 << 30 | mix((x + (slot + 7) * 0xC2B2AE3D27D4EB4F) & MASK) >> 34 for x in hashes)
    return b"".join((value & 0xFFFF).to_bytes(2, "little") for value in slots if value is not None)


def made(*texts: str | None) -> list[bytes | None]:
    return signatures(pl.Series(texts, dtype=pl.String))[0].to_list()


# ---- the definition


def test_words_keep_digits_and_operators_and_lose_case():
    assert tokens("Let X_1 = 2+3, so café!") == b"let|x_1|=|2|+|3|,|so|caf\xc3\xa9|!".split(b"|")
    assert made("what is 2+3 then") == made("What  IS 2 + 3\nthen")
    assert made("what is 2+3 then") != made("what is 2-3 then") != made("what is 2+4 then")


def test_scripts_without_spaces_are_cut_into_characters():
    assert tokens("答案是42") == ["答".encode(), "案".encode(), "是".encode(), b"42"]
    assert tokens("สวัสดี")[:2] == ["ส".encode(), "ว".encode()]
    assert tokens("정답은 42") == ["정답은".encode(), b"42"], "Korean has spaces"
    one, other = "我们先来看这个问题的第一步应该怎么做才对呢" * 3, "我们先来看这个问题的第二步应该怎么做才对呢" * 3
    left, right = matrix(signatures(pl.Series([one, other]))[0])[0]
    assert 0.5 < (left == right).mean() < 0.95


PIECES = [
    "a",
    "Of",
    "12",
    "seven77",
    "eight_88",
    "NineNine9",
    "x" * 16,
    "Z" * 63,
    "y" * 130,
    " ",
    "  ",
    "\n",
    "_",
    "+",
    "$",
    "é",
    "答",
    "。",
    "≤",
]


@settings(deadline=None)
@given(
    st.text(max_size=60)
    | st.text("ab 1+_é答。\u2003\U0001d400", max_size=80)
    | st.lists(st.sampled_from(PIECES), min_size=20, max_size=90).map("".join),
    st.booleans(),
)
def test_a_plain_reading_of_the_definition_agrees(text, is_last):
    texts = [text] if is_last else [text, "what follows in memory is not read " * 3]
    found, numbers = (part.to_list() for part in signatures(pl.Series(texts)))
    assert numbers[0] == len(tokens(text))
    assert found[0] == signature(text)


@given(st.characters(exclude_categories=["Cs"]))
def test_letters_and_digits_are_in_words_and_spaces_are_not(character):
    """By Unicode's own categories; unassigned, private and rare ones aside."""
    category = unicodedata.category(character)
    if category in {"Zs", "Zl", "Zp", "Cc"}:
        assert kind(character) == SPACE
    if category in {"Lu", "Ll"} and ord(character) < 0x1D000:
        assert kind(character) == WORD


PINS = ["d03c3ca84db0", "e8b71c0b6534", "3d64445a445a", "0353069916d0"]


def test_signatures_do_not_change_from_version_to_version():
    """A change here is a new `VERSION`: signatures of published releases would no longer compare."""
    texts = ["The answer is 42.", "答案是四十二", "a " * 50, " ".join(map(str, range(2000)))]
    found = ["".join(f"{b:02x}" for b in one[:6]) for one in made(*texts) if one]
    assert found == PINS
    assert sketch.DEFINITION == "words-2 x 5, sketch-1 of 128 x 16 bits"
    assert sketch.DEFINITION in measured()["minhash"].doc


# ---- what may come


def test_what_has_no_token_has_no_signature():
    found, number = signatures(pl.Series([None, "", " \n\u2003", "one"], dtype=pl.String))
    assert [one is None for one in found.to_list()] == [True, True, True, False]
    assert number.to_list() == [None, 0, 0, 1]
    assert made() == []


def test_one_token_said_a_million_times_is_as_one_said_ten_times():
    assert made("na " * 1_000_000) == made("na " * 10)


def test_a_text_of_40_mb_is_read():
    long = "So we try x = 1, 2, 3 and see. " * 1_300_000
    found, number = signatures(pl.Series(["short", long]))
    assert number[1] == 13 * 1_300_000
    assert found[1] == signature("So we try x = 1, 2, 3 and see. " * 3)


def test_how_texts_are_chunked_and_how_many_threads_read_them_changes_nothing():
    chance = random.Random(3)
    texts = [None if i % 7 == 0 else " ".join(chance.choices("abcdefgh", k=i % 50)) for i in range(5000)]
    whole = pl.Series(texts)
    chunked = pl.concat([whole[:1], whole[1:1], whole[1:2500].clone(), whole[2500:]], rechunk=False)
    sliced = pl.concat([pl.Series(["x"] * 3), whole])[3:]
    for other in (chunked, sliced):
        for threads in (1, 4):
            found = signatures(other, threads=threads)
            assert all(a.equals(b) for a, b in zip(found, signatures(whole), strict=True))


@pytest.mark.parametrize("type", [pa.string(), pa.large_string(), pa.string_view()])
def test_every_layout_of_arrow_gives_the_same(type):
    array = pa.array(["skipped", "one two three four five six", None, "x"]).cast(type)[1:]
    assert pl.Series(signatures(pl.Series(pl.from_arrow(array)))[0]).to_list() == [
        signature("one two three four five six"),
        None,
        signature("x"),
    ]


# ---- how well it estimates


@pytest.mark.parametrize("length", [60, 1300])
def test_the_error_of_the_estimate_is_that_of_theory(length):
    """RMSE against exact Jaccard, over sqrt(J(1-J)/K): at most 1.05. On short texts it is better than theory."""
    chance = random.Random(length)
    vocabulary = [f"w{i}" for i in range(5000)]
    left, right = [], []
    for number in range(1500):
        one = chance.choices(vocabulary, k=length)
        share = (number % 25 + 1) / 250
        left.append(" ".join(one))
        right.append(" ".join(chance.choice(vocabulary) if chance.random() < share else word for word in one))
    both = pl.Series(left + right)
    rows = np.arange(1500)
    exact, _ = pairs(sets(both), rows, rows + 1500)
    held, _ = matrix(signatures(both)[0])
    error = estimates(held, held, rows, rows + 1500) - exact
    expected = np.sqrt(exact * (1 - exact) / 128)
    assert 0.3 < exact.mean() < 0.9
    assert math.sqrt((error**2).mean()) / math.sqrt((expected**2).mean()) <= 1.05
    assert abs(error.mean()) < 0.005


@settings(deadline=None)
@given(st.lists(st.text("ab c", max_size=30) | st.none(), max_size=8))
def test_exact_similarity_is_that_of_pythons_sets(texts):
    held = sets(pl.Series(texts, dtype=pl.String))
    own = [set(shingles(text or "")) for text in texts]
    both = [(i, j) for i in range(len(own)) for j in range(len(own))]
    left, right = np.array([i for i, _ in both], np.int64), np.array([j for _, j in both], np.int64)
    jaccard, containment = pairs(held, left, right)
    for i, j, found, contained in zip(left, right, jaccard, containment, strict=True):
        assert found == len(own[i] & own[j]) / max(len(own[i] | own[j]), 1)
        assert contained == len(own[i] & own[j]) / max(min(len(own[i]), len(own[j])), 1)


def test_the_set_of_a_huge_text_is_that_of_its_shingles():
    """These are sorted, and a loop among them counts once."""
    text = " ".join(random.Random(3).choices([f"w{n}" for n in range(900)], k=1_100_000)) + " and so on" * 1000
    assert len(text) > exact._LARGE
    held = sets(pl.Series([text, "a b", text]))
    out = np.empty(len(text) + 1, np.uint64)
    made, _ = words.shingles(np.frombuffer(text.encode(), np.uint8), 0, len(text), out)
    expected = np.unique(out[:made])
    assert len(expected) < made
    assert held.starts.tolist() == [0, len(expected), len(expected) + 1, 2 * len(expected) + 1]
    assert (held.hashes[: len(expected)] == expected).all()
    assert (held.hashes[-len(expected) :] == expected).all()
