"""What a trained model depends on, as one number.

That is more than a configuration: the functions that make and train it, the functions that these
call, the settings and the data that they find outside, and the versions of all libraries. So the
functions are followed through the names that they use:

- a function or class of the reader, in a notebook or a file: its compiled code, and what that names
- one of ``aecore``: its module's text and that of the modules that it imports, directly or through
  others, at the top of the file (what is imported inside a function is there for pictures)
- one of a library: its name and the library's version
- settings and data: every value, every byte

What cannot be known in this way is refused, and never left out.
"""

import ast
import dis
import functools
import hashlib
import importlib
import inspect
import platform
import random
import sys
import sysconfig
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from aecore.randomness import base_seed

PACKAGE = "aecore"
PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...), range, slice)
PLAIN_OF_LIBRARIES = (torch.dtype, torch.device, torch.Size, np.generic, np.dtype, Path)
STREAMS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
DESCRIPTORS = (
    types.MethodDescriptorType, types.MemberDescriptorType, types.GetSetDescriptorType,
    types.WrapperDescriptorType,
)  # fmt: skip
HOUSEKEEPING = {  # what Python itself keeps in a class
    "__dict__", "__weakref__", "__module__", "__doc__", "__annotations__", "__qualname__",
    "__firstlineno__", "__static_attributes__", "__annotate_func__", "__annotations_cache__",
    "__abstractmethods__", "_abc_impl", "__dataclass_fields__", "__dataclass_params__",
}  # fmt: skip


def fingerprint(**parts: Any) -> str:
    """64 hexadecimal digits that change with anything that ``parts`` depend on.

    Raises ``ValueError``, naming the part and the way to it, for what cannot be known: an object
    of a library, an open file; and for a random generator, whose state would decide.
    """
    walk = _Walk()
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu"
    walk.text(platform.python_version(), torch.__version__, device, base_seed())
    for name, value in parts.items():
        walk.add(name, value)
    return walk.digest.hexdigest()


class _Walk:
    """A digest that grows by values; each object is entered once, so that circles end."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.seen: dict[int, tuple[int, Any]] = {}  # the object too: its id must stay its own

    def text(self, *words: object) -> None:
        for word in words:
            data = str(word).encode()
            self.digest.update(f"{len(data)}:".encode() + data)

    def add(self, where: str, value: Any) -> None:
        if isinstance(value, STREAMS):
            raise ValueError(
                f"{where} must not be a random generator from outside, got one: after a model "
                "from the cache it would stand elsewhere than after training. Make one inside"
            )
        if isinstance(value, PLAIN + PLAIN_OF_LIBRARIES):
            self.text(type(value).__name__, repr(value))
        elif isinstance(value, tuple | frozenset):  # Python may make one object of two equal ones
            self._enter(where, value)
        elif id(value) in self.seen:
            self.text("seen", self.seen[id(value)][0])
        else:
            self.seen[id(value)] = len(self.seen), value
            self._enter(where, value)

    def _enter(self, where: str, value: Any) -> None:
        self.text(type(value).__name__)
        if isinstance(value, Tensor | np.ndarray):
            self._array(where, value)
        elif isinstance(value, list | tuple):
            self.text(len(value))
            for position, item in enumerate(value):
                self.add(f"{where}[{position}]", item)
        elif isinstance(value, dict):
            self.text(len(value))
            for name, item in value.items():
                self.add(where, name)
                self.add(f"{where}[{name!r}]", item)
        elif isinstance(value, set | frozenset):
            if not all(isinstance(item, PLAIN) for item in value):
                raise ValueError(f"{where} must hold numbers or text, as it is a set")
            self.text(*sorted(map(repr, value)))
        elif isinstance(value, types.CodeType):
            self._code(where, value)
        elif isinstance(value, types.ModuleType):
            self._module(value)
        elif isinstance(value, types.MethodType):
            self.add(where, value.__func__)
            self.add(f"{where}.__self__", value.__self__)
        elif isinstance(value, functools.partial):
            self.add(where, [value.func, value.args, value.keywords])
        elif isinstance(value, staticmethod | classmethod):
            self.add(where, value.__func__)
        elif isinstance(value, property):
            self.add(where, [value.fget, value.fset, value.fdel])
        elif isinstance(value, types.FunctionType):
            self._function(where, value)
        elif isinstance(value, type):
            self._class(where, value)
        elif hasattr(value, "__wrapped__"):  # a cache around a function
            self.add(where, value.__wrapped__)
        elif isinstance(value, np.ufunc):
            self.text(value.__name__, np.__version__)
        elif isinstance(value, DESCRIPTORS) or type(value).__module__ == "dataclasses":
            self.text(getattr(value, "__qualname__", ""))
        elif isinstance(value, types.BuiltinFunctionType) and (
            value.__self__ is None or isinstance(value.__self__, types.ModuleType | type)
        ):
            self.text(value.__module__, value.__qualname__)
        elif hasattr(value, "__dict__") and (
            isinstance(value, nn.Module) or _home(type(value).__module__) != "library"
        ):
            self.add(f"type({where})", type(value))
            self.add(where, vars(value))
        else:
            kind = type(value)
            raise ValueError(
                f"{where} must be code, settings or data whose content can be known, got "
                f"{kind.__module__}.{kind.__qualname__}. Make it inside, or pass what matters of "
                "it through config"
            )

    def _array(self, where: str, value: Any) -> None:
        if isinstance(value, Tensor):
            self.text(value.dtype, tuple(value.shape))
            value = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        elif value.dtype.hasobject:
            raise ValueError(f"{where} must hold numbers, got an array of {value.dtype}")
        else:
            self.text(value.dtype.str, value.shape)
        self.digest.update(np.ascontiguousarray(value).data)

    def _function(self, where: str, value: types.FunctionType) -> None:
        # not __module__: a decorator hands on that of the function inside
        if self._elsewhere(value.__globals__["__name__"], value.__qualname__):
            if hasattr(value, "__wrapped__"):
                self.add(where, value.__wrapped__)
            return
        self.add(where, [value.__defaults__, value.__kwdefaults__])
        self.add(where, value.__code__)
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            try:
                self.add(f"{where} → {name}", cell.cell_contents)
            except ValueError as error:
                if str(error) != "Cell is empty":
                    raise
        for name in sorted(_names(value.__code__)):
            self.text(name)
            if name in value.__globals__:
                self.add(f"{where} → {name}", value.__globals__[name])

    def _class(self, where: str, value: type) -> None:
        if self._elsewhere(value.__module__, value.__qualname__):
            return
        self.add(where, list(value.__bases__))
        for name, item in vars(value).items():
            if name not in HOUSEKEEPING:
                self.text(name)
                self.add(f"{where}.{name}", item)

    def _code(self, where: str, code: types.CodeType) -> None:
        self.text(code.co_code, code.co_exceptiontable, code.co_flags)
        self.text(code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
        self.text(code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        self.add(where, list(code.co_consts))  # the code of inner functions among them
        for instruction in dis.get_instructions(code):
            if instruction.opname == "IMPORT_NAME" and _home(instruction.argval) == PACKAGE:
                self.add(where, importlib.import_module(instruction.argval))

    def _module(self, value: types.ModuleType) -> None:
        if not self._elsewhere(value.__name__, ""):
            self.digest.update(Path(str(value.__file__)).read_bytes())

    def _elsewhere(self, module: str, name: str) -> bool:
        """Add code of ``aecore`` or a library, by its text or name; false for the reader's own."""
        home = _home(module)
        if home == "library":
            top = module.split(".")[0]
            self.text(module, name, getattr(sys.modules.get(top), "__version__", ""))
        elif home == PACKAGE:
            self.text(module, name, _text_behind(module))
        return home != "own"


def _names(code: types.CodeType) -> set[str]:
    """The global names that code reads, also in the functions inside it."""
    found = {
        str(step.argval)
        for step in dis.get_instructions(code)
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _names(constant)
    return found


def _home(module: str) -> str:
    """Whose code a module holds: ``aecore``, "library" or "own"."""
    top = module.split(".")[0]
    if top == PACKAGE:
        return PACKAGE
    if top == "__main__":
        return "own"
    file = getattr(sys.modules.get(module), "__file__", None)
    if top in sys.stdlib_module_names or file is None:
        return "library"
    path = Path(file).resolve()
    installed = {sysconfig.get_path(kind) for kind in ("purelib", "platlib", "stdlib")}
    inside = any(path.is_relative_to(Path(folder).resolve()) for folder in installed)
    return "library" if inside or {"site-packages", "dist-packages"} & set(path.parts) else "own"


@functools.cache
def _text_behind(module: str) -> str:
    """A hash of the text of a module of ``aecore`` and of those that it imports."""
    found: set[str] = set()
    ahead = [module]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += _imports(name)
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(name.encode() + hashlib.sha256(_source(name).encode()).digest())
    return digest.hexdigest()


def _imports(module: str) -> Iterator[str]:
    """The modules of ``aecore`` that a module takes something from: where it was defined."""
    for node in ast.parse(_source(module)).body:
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if _home(a.name) == PACKAGE)
        elif isinstance(node, ast.ImportFrom) and node.module and _home(node.module) == PACKAGE:
            place = importlib.import_module(node.module)
            for alias in node.names:
                value = getattr(place, alias.name)
                if isinstance(value, types.ModuleType):
                    yield value.__name__
                elif isinstance(value, type | types.FunctionType):
                    yield inspect.unwrap(value).__module__
                else:
                    yield node.module


def _source(module: str) -> str:
    return Path(str(importlib.import_module(module).__file__)).read_text("utf-8")
