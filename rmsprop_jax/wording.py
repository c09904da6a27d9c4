"""In words: what two RMSProps may differ in, how much, how many."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Choice:
    """One thing in which two RMSProps may differ.

    Attributes:
        text: What is said of a value, with a place for it.
        matters: When, or how.
        words: Value → words for it; a number needs none.
        without: What is said of no value.
        needs: The argument without which it has no effect.
    """

    text: str
    matters: str
    words: Mapping[Any, str] = field(default_factory=dict, hash=False)
    without: str = ""
    needs: str | None = None


# In this order they are told where they matter alike.
CHOICES: dict[str, Choice] = {
    "learning_rate": Choice("learning rate {}", "steps are in proportion"),
    "decay": Choice("ρ = {}", "ν remembers about 1 / (1 − ρ) steps"),
    "eps": Choice("ε = {}", "the smaller the gradients, the more"),
    "eps_placement": Choice(
        "ε {}",
        "it weighs as much as gradients of √ε inside, of ε outside",
        words={"inside": "inside, √(ν + ε)", "outside": "outside, √ν + ε"},
    ),
    "nu_init": Choice("ν starts at {}", "until it is forgotten"),
    "moment": Choice(
        "one ν for {}",
        "it sets the size of every step",
        words={"elementwise": "each element", "tensor": "each array, of ‖g‖²"},
    ),
    "centered": Choice(
        "divided by the {}",
        "as far as gradients have a mean",
        words={True: "standard deviation", False: "root mean square"},
    ),
    "variance_floor": Choice(
        "variance floor {}",
        "where gradients are nearly constant",
        without="no variance floor",
        needs="centered",
    ),
    "bias_correction": Choice(
        "ν averages over {}",
        "first steps, by up to 1 / √(1 − ρ)",
        words={True: "the steps made", False: "a past of zeros too"},
    ),
    "momentum": Choice(
        "momentum {}", "steps add up to 1 / (1 − β) of one", without="no momentum"
    ),
    "lr_placement": Choice(
        "learning rate {} the trace",
        "once it changes; before, the trace keeps the old one",
        words={"in_trace": "before", "after_trace": "after"},
        needs="momentum",
    ),
    "nesterov": Choice(
        "{} momentum",
        "one step ahead or not",
        words={True: "Nesterov's", False: "plain"},
        needs="momentum",
    ),
    "cautious": Choice(
        "moves along {}",
        "where gradients change sign",
        words={True: "the trace only where gradients agree", False: "all of the trace"},
        needs="momentum",
    ),
    "weight_decay": Choice(
        "weight decay {}", "here of parameters of about 1", without="no weight decay"
    ),
    "weight_decay_form": Choice(
        "weight decay {}",
        "in the gradient, it is divided like it",
        words={
            "coupled": "in the gradient, g + λ θ",
            "decoupled": "apart, α λ θ",
            "corrected": "apart, α² / α_peak λ θ",
        },
        needs="weight_decay",
    ),
    "peak_learning_rate": Choice(
        "α_peak = {}", "weight decay is in proportion", needs="weight_decay"
    ),
    "float32_hyperparams": Choice(
        "rounded to float32: {}",
        "1 − ρ, if ρ is near 1; in float64, all",
        without="no number rounded to float32",
    ),
    "complex_form": Choice(
        "complex numbers: {}",
        "not for real parameters",
        words={"split": "two reals", "modulus": "one |g|²", "refused": "refused"},
    ),
}


def sentence(argument: str, one: Any, other: Any, idle: bool) -> str:
    """How the other differs; `idle`: what it needs is on neither side."""
    choice = CHOICES[argument]
    absent = other in (None, ())
    said = choice.without if absent else choice.text.format(_word(choice, other))
    said = f"{said}, not {_word(choice, one)}"
    if idle:
        return f"{said}: nothing without {str(choice.needs).replace('_', ' ')}"
    return f"{said}: {choice.matters}"


def _word(choice: Choice, value: Any) -> str:
    if value in (None, ()):
        return "none"
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else choice.words[value]


def percent(size: float, rounding: float) -> str:
    """A relative difference, to two digits."""
    if size == 0:
        return "0"
    if size <= rounding:
        return "rounding"
    if size >= 10:
        return f"{size:,.0f} x"
    return f"{size:.0%}" if size >= 0.1 else f"{100 * size:.2g}%"


def counted(number: int, name: str) -> str:
    """How many.

    Example:
        >>> counted(1, "epoch"), counted(1200, "step")
        ('1 epoch', '1,200 steps')
    """
    return f"{number:,} {name}{'s' * (number != 1)}"


def first_few(said: Sequence[str], most: int = 5) -> list[str]:
    """The first of them, and how many more there are.

    Example:
        >>> first_few("abc", 2), first_few("abc")
        (['a', 'b', 'and 1 more'], ['a', 'b', 'c'])
    """
    more = [f"and {len(said) - most:,} more"] if len(said) > most else []
    return [*said[:most], *more]


def nearest(word: str, known: Iterable[str]) -> str:
    """A question to follow a sentence, if what was typed is like something known.

    Example:
        >>> nearest("trch", ["torch", "keras"]), nearest("x", ["torch", "keras"])
        (" Did you mean 'torch'?", '')
    """
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
