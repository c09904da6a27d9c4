"""Sentences whose label follows from a rule that the words alone do not tell.

What counts is the order: "good, but not dull" and "not good, but dull" have the same
words and different labels.
"""

import json
from collections import Counter, defaultdict

import numpy as np

GOOD = ["good", "lovely", "witty", "moving", "superb", "fresh", "clever", "gripping"]
BAD = ["bad", "dull", "clumsy", "tedious", "awful", "stale", "silly", "weak"]
THINGS = ["film", "plot", "cast", "music", "ending", "script", "story", "dialogue"]
HOW = ["", "really ", "rather ", "truly ", "somewhat ", "quite "]
BEGIN = ["", "I think ", "In the end ", "To be frank, ", "As they say, ", "Well, "]
END = [".", "!", ", to my mind.", " this time.", ", as ever.", ""]
LABELS = ("negative", "positive")


def drawn(rng):
    """A sentence and its label, and if it has one, that of the same words."""

    def one(words):
        return words[rng.integers(len(words))]

    this, other = one(GOOD), one(BAD)
    if rng.integers(2):
        this, other = other, this
    first, second, begin, thing, end = map(one, (HOW, HOW, BEGIN, THINGS, END))
    kind = rng.integers(5)
    no = "never" if kind == 4 else "not"

    def said(this, other):
        words = [
            f"{first}{this}",
            f"{no} {first}{other}",
            f"{first}{this}, but {no} {second}{other}",
            f"{no} {first}{other}, but {second}{this}",
            f"{no} {first}{other}, but {second}{this}",
        ][kind]
        text = f"{begin}the {thing} was {words}{end}"
        return text[0].upper() + text[1:], LABELS[this in GOOD]

    pair = [said(this, other), said(other, this)]
    return pair if kind >= 2 else pair[:1]


def sentences(count, seed=0):
    """So many different ones, and their labels."""
    rng, found = np.random.default_rng(seed), {}
    while len(found) < count:
        found.update(drawn(rng))
    return list(found.items())[:count]


def best_of_bags(rows, words_of):
    """The share that is right if all texts of the same words had the same answer."""
    bags = defaultdict(Counter)
    for text, label in rows:
        bags[frozenset(Counter(words_of(text)).items())][label] += 1
    return sum(max(labels.values()) for labels in bags.values()) / len(rows)


def write(path, rows):
    """As TSV, CSV or JSONL, by the ending."""
    if path.suffix == ".jsonl":
        lines = [json.dumps({"label": label, "text": text}) for text, label in rows]
    elif path.suffix == ".csv":
        lines = ["id,label,text"]
        lines += [f'{i},{label},"{text}"' for i, (text, label) in enumerate(rows)]
    else:
        lines = ["text\tlabel", *(f"{text}\t{label}" for text, label in rows)]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path
