"""Fail when a module has more lines than pyproject.toml allows: `python tools/module_length.py`.

`[tool.module-length]` holds the limit, and under `exceptions` each longer module with the reason why it is not split.
An exception that is no longer needed fails too.
"""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("backpropd", "service", "worker", "embedded", "migrations", "bench", "tests", "tools")


def main() -> None:
    """Print each module that breaks the rule, and exit with status 1 if there is one."""
    rule = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["module-length"]
    limit, exceptions = rule["limit"], rule.get("exceptions", {})
    modules = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules}
    long = {name: length for name, length in lengths.items() if length > limit}
    problems = [
        f"{name} has {length} lines, {limit} are allowed: split it, or add it to the exceptions with a reason"
        for name, length in sorted(long.items())
        if not exceptions.get(name)
    ]
    problems += [f"{name} needs no exception: remove it" for name in exceptions if name not in long]
    sys.exit("\n".join(problems) or None)


if __name__ == "__main__":
    main()
