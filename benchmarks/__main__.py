"""The questions that are answered here, and the commands that answer them.

python -m benchmarks
"""

import ast
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent


def questions() -> Iterator[tuple[str, str]]:
    """Each module that answers a question, which is the first line of its docstring."""
    files = [*FOLDER.glob("*.py"), *FOLDER.glob("*/__main__.py")]
    for file in sorted(files):
        said = ast.get_docstring(ast.parse(file.read_text())) or ""
        question = said.partition("\n")[0]
        if question.endswith("?"):
            name = file.parent.name if file.stem == "__main__" else file.stem
            yield f"benchmarks.{name}", question


def main() -> None:
    """Print them."""
    for module, question in questions():
        print(f"{question}\n    python -m {module}")
    print("\nEach takes --smoke (seconds, no receipt), --table and --help.")
    print("From the receipts to the README:\n    python -m benchmarks.report [--check]")


if __name__ == "__main__":
    main()
