"""Counts by which the layout of the code is judged: long functions, large files, ``Any``, shapes.

    python tools/count_house.py

Only reads; nothing is imported.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "hodor"
LONG_FUNCTION = 60  # lines; a function fits on a screen
LARGE_FILE = 400  # lines; a file tells one story
ARRAYS = re.compile(r"\b(Tensor|NDArray|Floats|ArrayT|LabelMap|Logits)\b")
SHAPE = re.compile(r"\([A-Z0-9]\w*[^()]*,[^()]*\)|\(\w+,\)|\(h, w\)|\(y, x\)")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.Module) -> Iterator[Function]:
    """All functions and methods of a file."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def length(function: Function) -> int:
    """Lines of a function without its docstring."""
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and ast.get_docstring(function) is not None:
        total -= (first.end_lineno or first.lineno) - first.lineno + 1
    return total


def takes_arrays(function: Function) -> bool:
    """Whether an argument or the result is an array."""
    notes = [a.annotation for a in [*function.args.args, *function.args.kwonlyargs]]
    words = [ast.unparse(note) for note in [*notes, function.returns] if note is not None]
    return any(ARRAYS.search(word) for word in words)


def main() -> None:
    """Print the counts of the package, one a line."""
    files = {path: path.read_text(encoding="utf-8") for path in sorted(SOURCE.rglob("*.py"))}
    trees = {path: ast.parse(text) for path, text in files.items()}
    every = [(path, f) for path, tree in trees.items() for f in functions(tree)]
    lengths = [length(f) for _, f in every]
    print(f"functions {len(every)}: median {median(lengths):.0f}, longest {max(lengths)} lines")
    too_long = [(p, f) for p, f in every if length(f) > LONG_FUNCTION]
    print(f"functions over {LONG_FUNCTION} lines: {len(too_long)}")
    for path, function in too_long:
        print(f"  {path.relative_to(ROOT)} {function.name} {length(function)}")
    large = {path: text.count("\n") for path, text in files.items()}
    large = {path: lines for path, lines in large.items() if lines > LARGE_FILE}
    print(f"files over {LARGE_FILE} lines: {len(large)}")
    for path, lines in large.items():
        print(f"  {path.relative_to(ROOT)} {lines}")
    names = [n for tree in trees.values() for n in ast.walk(tree) if isinstance(n, ast.Name)]
    print(f"Any: {sum(n.id == 'Any' for n in names)}")
    asserts = sum(isinstance(n, ast.Assert) for tree in trees.values() for n in ast.walk(tree))
    print(f"asserts: {asserts}")
    shown = [f for _, f in every if not f.name.startswith("_") and takes_arrays(f)]
    shaped = [f for f in shown if SHAPE.search(ast.get_docstring(f) or "")]
    print(f"public functions of arrays whose docstring has a shape: {len(shaped)}/{len(shown)}")
    tests = sum(p.read_text(encoding="utf-8").count("\n") for p in (ROOT / "tests").rglob("*.py"))
    source = sum(text.count("\n") for text in files.values())
    print(f"lines: source {source}, tests {tests}, tests to source {tests / source:.2f}")


if __name__ == "__main__":
    main()
