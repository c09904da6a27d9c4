"""Every public name tells what it is, what it takes and shows it; pdoc shows all."""

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import rmsprop_jax

ROOT = Path(__file__).parents[1]
RETURNED = {
    "rmsprop_jax.comparison": ["Difference", "Explanation"],
    "rmsprop_jax.groups": ["ParamGroups"],
    "rmsprop_jax.published": ["Recipe", "Recipes"],
}
INTEROP = [f"rmsprop_jax.interop.{name}" for name in rmsprop_jax.interop.__all__]
MODULES = ["rmsprop_jax", *INTEROP, "rmsprop_jax.sweeping", "rmsprop_jax.train"]
PUBLIC = {name: importlib.import_module(name).__all__ for name in MODULES} | RETURNED
NAMES = [f"{module}.{x}" for module in PUBLIC for x in PUBLIC[module] if x != "interop"]
# Records and exceptions, shown where a function hands them out; and options, each of
# which is told, for they are the command's.
HANDED_OUT = {*RETURNED, "rmsprop_jax.sweeping", "rmsprop_jax.train"}
SECTION = re.compile(
    r"^(Args|Attributes|Raises|Returns|Example):\n((?:(?: .*)?\n)+)", re.M
)


def public(name):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def sections(thing):
    """The sections of a docstring by their names."""
    return dict(SECTION.findall(inspect.getdoc(thing) + "\n"))


def explained(section):
    """The names that an Args or Attributes section explains."""
    return re.findall(r"^    \*{0,2}(\w+): \S", section, re.M)


def takes(function):
    return list(inspect.signature(function).parameters)


functions = [name for name in NAMES if inspect.isfunction(public(name))]
classes = [name for name in NAMES if inspect.isclass(public(name))]
shown = [x for x in classes if x.rpartition(".")[0] not in HANDED_OUT] + functions


@pytest.mark.parametrize("name", classes + functions)
def test_a_summary_is_one_sentence_on_one_line(name):
    summary = inspect.getdoc(public(name)).split("\n\n")[0]
    assert re.fullmatch(r"\S[^\n]*\.", summary)


@pytest.mark.parametrize("name", shown)
def test_an_example_shows_it(name):
    assert re.search(r"^    >>> ", sections(public(name))["Example"], re.M)


@pytest.mark.parametrize("name", functions)
def test_every_argument_is_explained_and_no_other(name):
    function = public(name)
    told = explained(sections(function).get("Args", ""))
    if "arguments are\nthose of `rmsprop`" in inspect.getdoc(function):
        elsewhere = explained(sections(rmsprop_jax.rmsprop)["Args"])
        assert set(takes(function)) - set(elsewhere) == {"refused"}
    else:
        assert told == takes(function)


@pytest.mark.parametrize("name", functions)
def test_what_is_raised_is_told(name):
    source = ast.parse(inspect.getsource(public(name)))
    raised = {
        getattr(getattr(node.exc, "func", None), "id", None)
        for node in ast.walk(source)
        if isinstance(node, ast.Raise)
    } - {None}
    assert raised <= set(explained(sections(public(name)).get("Raises", "")))


@pytest.mark.parametrize("name", classes)
def test_every_field_of_a_class_is_explained(name):
    kind = public(name)
    fields = [
        field
        for base in kind.__mro__
        if base.__module__.startswith("rmsprop_jax")
        for field in vars(base).get("__annotations__", {})
    ]
    told = explained(sections(kind).get("Attributes", ""))
    beneath = re.findall(r'^    (\w+): .*\n    """\S', inspect.getsource(kind), re.M)
    parts = ["learning", "optimizer", "schedule", "running"]  # A `Config`'s own.
    assert fields in (told, beneath, parts)


def test_the_map_names_every_public_name_on_few_lines():
    told = re.findall(r"`(?:rmsprop_jax\.)?(\w+)`", rmsprop_jax.__doc__)
    assert set(rmsprop_jax.__all__) <= set(told)
    assert len(rmsprop_jax.__doc__.splitlines()) <= 25


class Page(HTMLParser):
    """A page: anchors, links, what it loads, and text by where it stands."""

    def __init__(self, html):
        super().__init__()
        self.anchors, self.links, self.loads = set(), [], []
        self.text, self.bold, self.unlinked, self.loose = [], set(), set(), []
        self._open, self._new_item = [], False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors.add(found.get("id"))
        self.links += [found["href"]] if tag == "a" and "href" in found else []
        self.loads += [found["src"]] if "src" in found else []
        self._new_item = tag == "li" or (tag == "p" and self._new_item)
        if tag not in ("input", "img", "meta", "link", "br", "wbr", "hr"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if not data.strip():
            return
        if self._new_item:
            self.loose.append(data)
        self._new_item = False
        if self._open[-1:] == ["strong"]:
            self.bold.add(data)
        if self._open[-1:] == ["code"] and "pre" not in self._open:
            self.unlinked.add(data)
        if not {"code", "style", "script", "pre"} & set(self._open):
            self.text.append(data)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    pytest.importorskip("pdoc", reason="the extra `docs` is not installed")
    folder = tmp_path_factory.mktemp("reference")
    build = ROOT / ".ci/reference/build.py"
    command = [sys.executable, "-W", "error", str(build), str(folder)]
    here = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=here)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    files = sorted(folder.rglob("*.html"))
    return {file.relative_to(folder): Page(file.read_text("utf-8")) for file in files}


def page_of(module):
    return Path(f"{module.replace('.', '/')}.html")


@pytest.mark.parametrize("name", NAMES)
def test_a_page_shows_every_public_name(name, pages):
    module, _, attribute = name.rpartition(".")
    assert attribute in pages[page_of(module)].anchors


@pytest.mark.parametrize("name", functions)
def test_every_argument_is_an_item_of_a_list(name, pages):
    bold = pages[page_of(name.rpartition(".")[0])].bold
    told = explained(sections(public(name)).get("Args", ""))
    assert {x for x in told if f"{x}:" not in bold and f"**{x}:" not in bold} == set()


def test_the_pages_are_the_public_ones(pages):
    modules = {*PUBLIC, "rmsprop_jax.interop"}
    assert set(pages) == {Path("index.html"), *map(page_of, modules)}


def test_no_markup_is_left_as_it_is_written(pages):
    for page in pages.values():
        assert not re.findall(r"\bArgs:|>>>|`|\*\*[A-Z]| at 0x", "".join(page.text))


def test_an_item_begins_with_what_it_is_about(pages):
    # A "1." that begins a line makes a list of the middle of a sentence.
    assert {str(file): page.loose for file, page in pages.items() if page.loose} == {}


def test_a_public_name_is_a_link_wherever_it_is_mentioned(pages):
    names = {*rmsprop_jax.__all__, *PUBLIC["rmsprop_jax.sweeping"]} - {"interop"}
    for file, page in pages.items():
        assert not names & page.unlinked, file


def test_links_lead_somewhere(pages):
    for file, page in pages.items():
        for link in page.links:
            if link.startswith("http"):
                continue
            path, _, anchor = link.partition("#")
            target = file if not path else Path(*_resolved(file.parent / path))
            assert target in pages, (file, link)
            assert not anchor or anchor in pages[target].anchors, (file, link)


def test_nothing_is_loaded_from_elsewhere(pages):
    for page in pages.values():
        assert not [x for x in page.loads if x.startswith(("http", "//"))]


def _resolved(path):
    parts = []
    for part in path.parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return parts
