"""The trees in the docstrings of the error modules show every class below its base."""

import inspect
import re
from types import ModuleType

import pytest

from backpropd import errors
from backpropd.client import errors as client_errors


def drawn(module: ModuleType) -> dict[str, str]:
    """The base of each class that the docstring's tree shows."""
    bases, levels = {}, [""]
    for line in (module.__doc__ or "").splitlines()[1:]:
        match = re.fullmatch(r"([│ ]*(?:[├└]── )?)([\w, ]+?)(?:, in .*)?", line)
        if match and line:
            depth = len(match[1]) // 4
            names = match[2].split(", ")
            bases.update(dict.fromkeys(names, levels[depth]))
            levels[depth + 1 :] = [names[-1]]
    return bases


@pytest.mark.parametrize("module", [errors, client_errors])
def test_the_drawn_tree_is_the_class_tree(module: ModuleType) -> None:
    classes = [each for _, each in inspect.getmembers(module, inspect.isclass) if issubclass(each, Exception)]
    own = {
        each.__name__: each.__base__.__name__
        for each in classes
        if f"{each.__module__}.".startswith(f"{module.__name__}.")
    }
    shown = {name: base or own.get(name) for name, base in drawn(module).items()}
    assert {name: base for name, base in shown.items() if name in own} == own
    assert set(shown) - set(own) <= {"ClientError"}
