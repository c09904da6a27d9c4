"""What the page says of how long a step takes."""

from benchmarks import receipts
from benchmarks.receipts import Row
from benchmarks.reporting import markers

LARGE = (
    "optax", "float32", "bfloat16", "int8", "bfloat16-momentum", "int8-momentum",
    "torch-compile",
)  # fmt: skip
# The sides that the sentences speak of.
TREES = {"matrix": LARGE, "resnet50": LARGE, "thousand": ("optax", "float32")}


def sentences(rows: list[Row]) -> str:
    """A step, its dispatch and its compilation beside Optax's."""
    runs = {tree: _measured(rows, tree, sides) for tree, sides in TREES.items()}
    matrix, resnet, small = (of["float32", "step"] for of in runs.values())
    late = [
        of["float32", "dispatch"]["median"] - of["optax", "dispatch"]["median"]
        for of in runs.values()
    ]
    compiled = [of["float32", "compile"]["times_peer"] for of in runs.values()]

    def times(*sides, decimals=1):
        steps = [of.get((side, "step")) for of in runs.values() for side in sides]
        return _range([step["times_peer"] for step in steps if step], decimals)

    return markers.paragraph(f"""
        On {matrix["cores"]} cores of a server CPU (`python -m benchmarks.update_time`;
        median of {matrix["n"]}, as a ratio to Optax's, in turns) a float32 step takes
        {matrix["times_peer"]:.2f} on one array of {matrix["parameters"] / 2**20:.0f} M
        ({_ms(matrix)}), {resnet["times_peer"]:.2f} on ResNet-50's {resnet["leaves"]}
        ({_ms(resnet)}), {small["times_peer"]:.2f} on {_thousands(small["leaves"])}
        arrays of {small["parameters"] // small["leaves"]} ({_ms(small)}); a call
        returns {_range([1e3 * x for x in late], 2)} ms later. Compiling takes
        {_range(compiled, 1)} as long: the guards against 0/0 and overflow, and the live
        values. PyTorch's compiled step takes {times("torch-compile", decimals=2)},
        for XLA:CPU makes two passes where one would do. State in bfloat16 costs
        {times("bfloat16")}, in int8 {times("int8")}, and with momentum
        {times("bfloat16-momentum", "int8-momentum")}: on a CPU it is for memory.
    """)


def _measured(rows, tree, sides):
    run = receipts.newest(rows, "tree", sides)[tree]
    return {(row["side"], row["measured"]): row for row in run}


def _range(values, decimals):
    least, most = (f"{x:.{decimals}f}" for x in (min(values), max(values)))
    return least if least == most else f"{least} to {most}"


def _ms(row):
    return f"{1e3 * row['median']:.0f} ms"


def _thousands(count):
    return f"{count:,}".replace(",", " ")
