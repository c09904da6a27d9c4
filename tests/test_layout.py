import ast
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "rmsprop_jax"
FILES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LAYERS = [
    {"moments", "rounding", "eight_bits", "files"},
    {"storage", "apply"},
    {"rule"},
    {"state_dtype"},
    {"dialects", "signatures", "wording"},
    {"hyperparams"},
    {"arguments", "state"},
    {"skip", "acceptance", "resting"},
    {"conversion"},
    {"tree"},
    {"transform"},
    {"groups", "sharding", "diagnostics", "calls", "sides"},
    {"comparison"},
    {"published"},
    {"interop", "sweeping"},
    {"__init__"},
    {"train"},
    {"lessons"},
]
TOP_LEVEL = {
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "rmsprop_jax",
    "tests",
    "notebooks",
    "benchmarks",
}

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def short(file):
    return str(file.relative_to(ROOT))


each_file = pytest.mark.parametrize("file", FILES, ids=short)


def module(file):
    """The module, or the package of modules, that `file` belongs to."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer(name):
    return next(i for i, names in enumerate(LAYERS) if name in names)


def imported(node):
    """The dotted names that `node` imports, `from a import b` read as `a.b`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def imports(node, inside_functions):
    """Every dotted name imported under `node`."""
    for child in ast.iter_child_nodes(node):
        yield from imported(child)
        if inside_functions or not isinstance(child, FUNCTIONS):
            yield from imports(child, inside_functions)


def test_every_module_has_a_layer():
    assert {module(file) for file in FILES} == set.union(*LAYERS)


@each_file
def test_a_module_imports_only_from_earlier_layers(file):
    names = imports(ast.parse(file.read_text()), inside_functions=True)
    ours = {name.split(".")[1] for name in names if name.startswith("rmsprop_jax.")}
    modules = {name if name in set.union(*LAYERS) else "__init__" for name in ours}
    later = {name for name in modules if layer(name) >= layer(module(file))}
    assert later - {module(file)} == set()


@each_file
def test_a_module_imports_no_other_framework_when_it_is_loaded(file):
    names = imports(ast.parse(file.read_text()), inside_functions=False)
    roots = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)
    allowed = {"jax", "optax", "numpy", "rmsprop_jax"}
    # The trainer has an extra of its own; what only pictures need waits for them.
    extra = {"flax", "orbax", "tyro"} if module(file) == "train" else set()
    assert roots <= allowed | extra


@pytest.mark.parametrize("file", [*FILES, *TESTS], ids=short)
def test_a_file_is_at_most_300_lines(file):
    assert len(file.read_text().splitlines()) <= 300


def span(node):
    return set(range(node.lineno, node.end_lineno + 1))


def lines_of(function):
    """Lines without the docstring and without nested functions."""
    lines = span(function)
    if ast.get_docstring(function) is not None:
        lines -= span(function.body[0])
    for node in ast.walk(function):
        if isinstance(node, FUNCTIONS) and node is not function:
            lines -= span(node)
    return len(lines)


def functions(file):
    tree = ast.walk(ast.parse(file.read_text()))
    return [node for node in tree if isinstance(node, FUNCTIONS)]


@each_file
def test_a_function_is_at_most_60_lines(file):
    lengths = {node.name: lines_of(node) for node in functions(file)}
    assert {name: n for name, n in lengths.items() if n > 60} == {}


def test_no_file_is_named_after_nothing():
    banned = {"utils", "common", "helpers", "types", "_src", "compat"}
    parts = {part for file in FILES for part in file.relative_to(PACKAGE).parts}
    assert not banned & {part.removesuffix(".py") for part in parts}


def test_the_top_level_holds_what_the_readme_says():
    entries = {entry.name for entry in ROOT.iterdir() if entry.name[0] != "."}
    assert entries <= TOP_LEVEL
    assert TOP_LEVEL - {"notebooks", "benchmarks"} <= entries


def test_users_get_three_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {line.partition(">=")[0] for line in project["dependencies"]}
    assert names == {"jax", "optax", "numpy"}
