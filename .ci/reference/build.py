"""The API reference as HTML, in the folder given: `python .ci/reference/build.py DIR`.

pdoc alone would show a lazy package as empty, and each class by the file it lives in.
"""

import importlib
import inspect
import re
import sys
from dataclasses import is_dataclass
from pathlib import Path
from types import ModuleType

import jax
import optax
import pdoc

import rmsprop_jax
from rmsprop_jax import DIALECTS
from rmsprop_jax.groups import ParamGroups

HERE = Path(__file__).parent
INTEROP = [f"rmsprop_jax.interop.{name}" for name in rmsprop_jax.interop.__all__]
# What public functions return, where it lives.
RETURNED = {
    "rmsprop_jax.comparison": ["Explanation", "Difference"],
    "rmsprop_jax.groups": ["ParamGroups"],
    "rmsprop_jax.published": ["Recipes", "Recipe"],
}
PAGES = [
    "rmsprop_jax",
    "rmsprop_jax.interop",
    *INTEROP,
    *RETURNED,
    "rmsprop_jax.sweeping",
    "rmsprop_jax.train",
]


def loaded(page: str) -> ModuleType:
    """The module with its public names in it, in the order in which it tells them."""
    module = importlib.import_module(page)
    names = RETURNED.get(page) or module.__all__
    told = re.findall(r"`(?:rmsprop_jax\.)?(\w+)`", module.__doc__ or "")
    places = {name: place for place, name in reversed([*enumerate(told)])}
    names = sorted(names, key=lambda name: places.get(name, len(told)))
    things = {name: getattr(module, name) for name in names}
    for thing in filter(inspect.isfunction, things.values()):
        # Else Markdown takes the stars of **kwargs for its own.
        thing.__doc__ = re.sub(r"(?m)^( +)\*\*(\w+:)", r"\1\\*\\*\2", thing.__doc__)
    vars(module).update(things, __all__=names)
    return module


def said_shortly() -> None:
    """Let signatures and bases say `jax.Array` as users do, not where it lives."""
    for module, names in (
        (jax, ["Array"]),
        (optax, ["GradientTransformation", "GradientTransformationExtraArgs"]),
    ):
        for name in names:
            kind = getattr(module, name)
            kind.__module__, kind.__qualname__ = module.__name__, name
    for kind in (rmsprop_jax.RMSProp, ParamGroups):
        # What is inherited says NamedTuple.
        kind.__orig_bases__ = kind.__bases__


class _AsWritten(str):
    """A default in a signature."""

    __repr__ = str.__str__


def shorten_defaults(constructor: pdoc.doc.Function) -> None:
    """Write `Part()` for a default that is one, not all that it holds."""
    signature = constructor.signature
    short = [
        one.replace(default=_AsWritten(f"{type(one.default).__name__}()"))
        if is_dataclass(one.default)
        else one
        for one in signature.parameters.values()
    ]
    constructor.signature = signature.replace(parameters=short)


def linked(html: str, page: str) -> str:
    """The page, with links from names in backticks to other pages too."""
    up = "../" * page.count(".")

    def target(name: str) -> str | None:
        if page == "rmsprop_jax.interop" and f"{page}.{name}" in PAGES:
            return f"interop/{name}.html"
        homes = [home for home in PAGES if name in sys.modules[home].__all__]
        sure = name in rmsprop_jax.__all__ or name[0].isupper()
        if not sure or len(homes) != 1 or page in homes:
            return None
        return f"{up}{homes[0].replace('.', '/')}.html#{name}"

    def link(match: re.Match) -> str:
        at = target(match[1])
        return f'<code><a href="{at}">{match[1]}</a></code>' if at else match[0]

    return re.sub(r"<code>(\w+)</code>", link, html)


def table_of_dialects() -> str:
    """What differs between the rows, as Markdown."""
    rows = [
        "| dialect | divides by | trace | α | ρ | ε | β | ν₀ | weight decay, if any |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    divides = {
        "inside": "√(ν + ε)",
        "outside": "√ν + ε",
        "inside_with_trace": "√(ν + ε); without momentum √ν + ε",
    }
    traces = {"in_trace": "β m + α u", "after_trace": "β m + u"}
    for name, row in DIALECTS.items():
        rule = row.rule
        cells = [
            f'`"{name}"`',
            divides[rule.eps_placement] + (", centered" if rule.centered else ""),
            traces[rule.lr_placement].replace(" ", "\N{NO-BREAK SPACE}"),
            "required" if row.learning_rate is None else f"{row.learning_rate:g}",
            *(f"{x:g}" for x in (row.decay, row.eps, row.momentum, rule.nu_init)),
            rule.weight_decay_form,
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def build(folder: Path) -> None:
    """Write the pages."""
    modules = [loaded(page) for page in PAGES]
    said_shortly()
    pdoc.render.configure(
        docformat="google", show_source=False, template_directory=HERE
    )
    pages = {module.__name__: pdoc.doc.Module(module) for module in modules}
    children = [page for name, page in pages.items() if name.count(".") == 1]
    pages["rmsprop_jax"].submodules = children
    dialects = pages["rmsprop_jax"].get("DIALECTS")
    told = pdoc.doc.Module(importlib.import_module("rmsprop_jax.dialects"))
    dialects.docstring = f"{told.get('DIALECTS').docstring}\n\n{table_of_dialects()}"
    shorten_defaults(pages["rmsprop_jax.train"].get("Config.__init__"))
    for name, page in pages.items():
        path = folder / f"{name.replace('.', '/')}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        html = linked(pdoc.render.html_module(page, pages), name)
        path.write_text(html, encoding="utf-8")
    (folder / "index.html").write_text(pdoc.render.html_index(pages), encoding="utf-8")
    (folder / "search.js").write_text(pdoc.render.search_index(pages), encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]))
