"""Texts as words and as bytes: what they are split into, and what is known of them."""

import unicodedata

import pytest

from rmsprop_jax.train.text import symbols
from rmsprop_jax.train.text.symbols import UNKNOWN, Bytes, Words, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Not  GOOD,\tat all!", ["not", "good", ",", "at", "all", "!"]),
        ("don't snake_case 3.5", ["don", "'", "t", "snake_case", "3", ".", "5"]),
        ("ÉTÉ Straße ПРИВЕТ", ["été", "straße", "привет"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("שָׁלוֹם", ["שָׁלוֹם"]),
        ("映画は", ["映", "画", "は"]),
        ("abc映画", ["abc", "映", "画"]),
        ("ไทย", ["ไ", "ท", "ย"]),
        ("so 😀😀", ["so", "😀", "😀"]),
    ],
)
def test_words_are_runs_of_letters_and_digits_and_all_else_stands_alone(text, words):
    composed = [unicodedata.normalize("NFC", word) for word in words]
    assert words_of(text) == composed
    assert words_of(unicodedata.normalize("NFD", text)) == composed


def test_the_vocabulary_is_ordered_by_frequency_and_then_by_the_alphabet():
    made = Words.among(["b a c", "c b", "c"])
    assert made.vocabulary == ("c", "b", "a")
    assert made.count == 5
    assert made.symbols(["A b new C"]) == [[4, 3, UNKNOWN, 2]]
    assert made.text([4, 3, UNKNOWN, 2, 0, 0]) == "a b □ c"


def test_of_many_texts_what_is_said_once_is_not_known(monkeypatch):
    texts = ["good film", "good plot", "bad film"]
    assert set(Words.among(texts).vocabulary) == {"good", "film", "plot", "bad"}
    monkeypatch.setattr(symbols, "MANY_TEXTS", 3)
    assert Words.among(texts).vocabulary == ("film", "good")
    monkeypatch.setattr(symbols, "MOST_WORDS", 1)
    assert Words.among(texts).vocabulary == ("film",)


def test_bytes_are_those_of_utf_8_and_say_the_text_again():
    made = Bytes.among(["anything"])
    text = "Größe: 映画 😀"
    (found,) = made.symbols([text])
    assert found == [byte + 1 for byte in text.encode()]
    assert max(made.symbols(["\U0010ffff"])[0]) < made.count
    assert made.text([*found, 0, 0]) == text
    assert made.text(made.symbols(["ä"])[0][:1]) == "□"


@pytest.mark.parametrize("kind", symbols.KINDS)
def test_symbols_come_back_from_what_a_run_keeps(kind):
    made = symbols.KINDS[kind].among(["a b", "c"])
    about = {"symbols": kind, "vocabulary": list(made.vocabulary)}
    assert symbols.of(about) == made
