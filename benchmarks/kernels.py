"""Which kernels a compiled program launches, and which bytes each of them touches.

Read from the text of the optimised program (`compiled.as_text()`). A kernel is an
instruction of the entry computation that computes or copies; its bytes are those of its
operands and its outputs, each once, in main memory only: what a TPU keeps in its vector
or scalar memory (`S(1)`, `S(6)`) moves nothing. Inside a kernel nothing is stored.
"""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

_ARRAY = re.compile(r"\b(pred|[a-z]+(\d+)\w*)\[([\d,]*)\](\{[^}]*\})?")
_COMPUTATION = re.compile(r"(ENTRY )?%?([\w.\-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"\s+(?:ROOT )?%?([\w.\-]+) = ")
_CALLED = re.compile(r"(?:to_apply|calls)=%?([\w.\-]+)")
_ALIAS = re.compile(r"\{(\d*)\}: \((\d+), \{\}")
_LAUNCHES_NOTHING = {
    "after-all", "bitcast", "constant", "get-tuple-element", "opt-barrier",
    "parameter", "partition-id", "replica-id", "tuple",
}  # fmt: skip
_COLLECTIVES = (
    "all-gather", "all-reduce", "all-to-all", "collective-permute", "reduce-scatter",
)  # fmt: skip


class Kernel(NamedTuple):
    """One launch.

    Attributes:
        opcode: What XLA calls it.
        bytes: Read and written in main memory.
        elements: Of the largest array it touches, in any memory.
    """

    opcode: str
    bytes: float
    elements: int

    @property
    def is_copy(self) -> bool:
        """Whether it only moves: a copy, or a prefetch into the memory of a TPU."""
        return self.opcode.startswith("copy") or "slice-start" in self.opcode

    @property
    def is_collective(self) -> bool:
        """Whether devices talk to each other."""
        return self.opcode.startswith(_COLLECTIVES)


class _Array(NamedTuple):
    elements: int
    bytes: float


class _Instruction(NamedTuple):
    name: str
    opcode: str
    output: list[_Array]
    operands: list[str]
    attributes: str


def kernels(program: str) -> list[Kernel]:
    """What the program launches, in its order.

    Args:
        program: The text of an optimised program.

    Raises:
        ValueError: If there is a loop or a branch, whose launches the text cannot tell.
    """
    computations, entry = {}, ""
    for line in program.splitlines():
        if found := _COMPUTATION.match(line):
            body = computations.setdefault(found[2], [])
            entry = found[2] if found[1] else entry
        elif found := _INSTRUCTION.match(line):
            body.append(_instruction(found[1], line[found.end() :]))
    return list(_launched(computations, entry))


def donated(program: str) -> set[tuple[int, int]]:
    """Which output takes the place of which input: (output, input), as numbered."""
    head, _, _ = program.partition("\n")
    _, _, aliases = head.partition("input_output_alias={")
    pairs = _ALIAS.findall(aliases.partition("entry_computation_layout")[0])
    return {(int(output or 0), int(given)) for output, given in pairs}


def _instruction(name: str, rest: str) -> _Instruction:
    rest = re.sub(r"/\*.*?\*/", "", rest)
    end = _closing(rest) if rest.startswith("(") else rest.index(" ")
    output, rest = _arrays(rest[:end]), rest[end:].strip()
    opcode, _, _ = rest.partition("(")
    end = len(opcode) + _closing(rest[len(opcode) :])
    operands = re.findall(r"%([\w.\-]+)", rest[len(opcode) : end])
    return _Instruction(name, opcode, output, operands, rest[end:])


def _closing(text: str) -> int:
    """Behind the parenthesis that closes the one at the start."""
    depth = 0
    for i, x in enumerate(text):
        depth += (x == "(") - (x == ")")
        if depth == 0:
            return i + 1
    raise ValueError(f"{text[:60]!r}: expected a closing parenthesis.")


def _arrays(its_type: str) -> list[_Array]:
    """The arrays of a type; one outside main memory has no bytes."""
    arrays = []
    for dtype, bits, dims, layout in _ARRAY.findall(its_type):
        elements = math.prod(int(n) for n in dims.split(",") if n)
        width = 1 if dtype == "pred" else int(bits) / 8
        arrays.append(_Array(elements, 0 if "S(" in layout else elements * width))
    return arrays


def _launched(
    computations: dict[str, list[_Instruction]], name: str
) -> Iterator[Kernel]:
    outputs = {x.name: x.output for x in computations[name]}
    for x in computations[name]:
        if x.opcode in {"while", "conditional"}:
            raise ValueError(f"{x.opcode}: expected a program without, to count it.")
        if x.opcode in {"call", "async-start"}:
            yield from _launched(computations, _CALLED.search(x.attributes)[1])
        elif x.opcode not in _LAUNCHES_NOTHING and not x.opcode.endswith("-done"):
            operands = [y for name in dict.fromkeys(x.operands) for y in outputs[name]]
            yield _kernel(x, operands)


def _kernel(x: _Instruction, operands: list[_Array]) -> Kernel:
    written = x.output
    if x.opcode == "slice-start":
        # Its type is ((the whole), the slice, a flag), and only the slice moves: out
        # of main memory, into another.
        whole, piece, *_ = x.output
        share = piece.elements / whole.elements
        return Kernel(x.opcode, whole.bytes * share + piece.bytes, piece.elements)
    if x.opcode.endswith("-start"):
        # (the result, the operand, a flag)
        written = x.output[:1]
    touched = [*operands, *written]
    return Kernel(
        x.opcode,
        sum(y.bytes for y in touched),
        max((y.elements for y in touched), default=0),
    )
