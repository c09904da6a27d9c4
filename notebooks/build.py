"""Makes the notebooks out of their sources: `python -m notebooks.build [NAME ...]`.

A source is a Python file in cells (jupytext's percent format). Its first two cells are
written here: the badge that opens it on Colab, with the address of the repository from
`pyproject.toml`, and the cell that installs what is missing. Each is then run from top
to bottom in a fresh process and saved with its outputs beside the source. `--check`
runs nothing, and fails where a notebook is not its source's.
"""

import argparse
import sys
import tomllib
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
REPOSITORY = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"][
    "urls"
]["Repository"]
COLAB = "https://colab.research.google.com/github"
INSTALL = """\
# Installs what is missing, for the hardware that is here. On Colab: a minute.
import sys
from glob import glob
from importlib.util import find_spec
from shutil import which
from subprocess import check_call

if find_spec("rmsprop_jax") is None:
    gpu, tpu = which("nvidia-smi"), glob("/dev/accel*") + glob("/dev/vfio/[0-9]*")
    jax = "jax[tpu]" if tpu else "jax[cuda12]" if gpu else "jax"
    ours = "rmsprop-jax[train] @ git+REPOSITORY"
    check_call([sys.executable, "-m", "pip", "install", "-q", jax, ours])

from rmsprop_jax.lessons import hardware

print(hardware.found())"""
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def sources() -> list[Path]:
    """The sources, in the order in which they are read."""
    return sorted(HERE.glob("[0-9]*.py"))


def badge(source: Path) -> str:
    """Markdown that opens the notebook of `source` on Colab."""
    owner_and_name = REPOSITORY.removeprefix("https://github.com/")
    address = f"{COLAB}/{owner_and_name}/blob/main/notebooks/{source.stem}.ipynb"
    image = "https://colab.research.google.com/assets/colab-badge.svg"
    return f"[![Open in Colab]({image})]({address})"


def read(source: Path) -> nbformat.NotebookNode:
    """The notebook of `source`, without outputs, its first two cells up to date."""
    book = jupytext.read(source)
    title, *rest = book.cells[0].source.split("\n\n")
    kept = [text for text in rest if not text.startswith("[![Open in Colab]")]
    book.cells[0].source = "\n\n".join([title, badge(source), *kept])
    book.cells[1].source = INSTALL.replace("REPOSITORY", REPOSITORY)
    book.metadata = nbformat.from_dict(
        {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    for number, cell in enumerate(book.cells):
        cell.id, cell.metadata = f"cell-{number}", {}
    return book


def write_source(source: Path, book: nbformat.NotebookNode) -> None:
    """`book` as `source`, cell by cell."""
    bare = nbformat.from_dict(book)
    bare.metadata = {}
    source.write_text(jupytext.writes(bare, "py:percent").split("# ---\n\n")[-1])


def run(book: nbformat.NotebookNode) -> None:
    """Run the cells, and leave in them what they put out and nothing else.

    Raises:
        CellExecutionError: If a cell fails.
    """
    client = NotebookClient(
        book,
        timeout=600,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": HERE}},
    )
    client.execute()
    book.metadata.pop("widgets", None)
    book.metadata["language_info"] = {"name": "python"}


def same_cells(one: nbformat.NotebookNode, other: nbformat.NotebookNode) -> bool:
    """Whether both have the same cells, outputs aside."""
    return [(x.cell_type, x.source) for x in one.cells] == [
        (x.cell_type, x.source) for x in other.cells
    ]


def up_to_date(source: Path) -> bool:
    """Whether source and notebook say the same."""
    file = source.with_suffix(".ipynb")
    book = read(source)
    return (
        same_cells(book, jupytext.read(source))
        and file.exists()
        and same_cells(book, nbformat.read(file, as_version=4))
    )


def main(arguments: list[str] | None = None) -> int:
    """Build the notebooks, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="beginnings of names; all by default")
    parser.add_argument("--check", action="store_true", help="run nothing")
    options = parser.parse_args(arguments)
    chosen = [x for x in sources() if x.name.startswith(tuple(options.names) or ("",))]
    if options.check:
        stale = [x.name for x in chosen if not up_to_date(x)]
        print(*(f"{x}: python -m notebooks.build {x[:2]}" for x in stale), sep="\n")
        return bool(stale)
    for source in chosen:
        book = read(source)
        write_source(source, book)
        run(book)
        nbformat.write(book, source.with_suffix(".ipynb"))
        print(source.stem, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
