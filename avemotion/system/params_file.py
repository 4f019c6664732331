"""params.yaml -> frozen dataclasses. Reading is strict: a misspelt key is an error, not a default."""

import dataclasses
import math
import re
import types
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

import yaml

T = TypeVar("T")

_recorders: list[list[str]] = []


@contextmanager
def recording() -> Iterator[list[str]]:
    """Yields a list; every key that is read inside the block is appended to it."""
    keys: list[str] = []
    _recorders.append(keys)
    try:
        yield keys
    finally:
        _recorders.pop()


@overload
def read(file: Path, key: str, kind: type[T]) -> T: ...


@overload
def read(file: Path, key: str, kind: types.UnionType) -> Any: ...


def read(file: Path, key: str, kind: Any) -> Any:
    """Read one key of a params file and check it against a type.

    Args:
        file: a YAML file such as params.yaml.
        key: dotted path of a value or section, such as "seed" or "features.mel".
        kind: int, float, bool, str, list[...], dict[str, ...], Literal[...], X | None, or a
            dataclass whose fields are exactly the keys of the section.

    Raises:
        ValueError: the file, a key or a value is not as expected; the message names file, key, value and remedy.
    """
    for recorder in _recorders:
        recorder.append(key)
    value: Any = content(file)
    for depth, name in enumerate(key.split(".")):
        if not isinstance(value, dict) or name not in value:
            missing = ".".join(key.split(".")[: depth + 1])
            raise ValueError(f"{file}: '{missing}' is missing; add it (see params.yaml of the project for its form)")
        value = value[name]
    return _convert(value, kind, f"{file}: {key}")


class _Loader(yaml.SafeLoader):
    """A YAML loader without objects, with the floats of YAML 1.2: DVC writes `-S va.lr=5.0e-6` as 5e-06.

    A key that occurs twice is an error; YAML's own loader takes the last one.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            duplicate = next((name for name in names if names.count(name) > 1), "a key")
            raise yaml.constructor.ConstructorError(None, None, f"{duplicate} occurs twice", node.start_mark)
        return mapping


_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")  # yaml.org/spec/1.2.2, section 10.3.2
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))  # tried after integers


@lru_cache
def _parse(file: Path, _mtime_ns: int) -> dict:
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), _Loader)  # a SafeLoader
    except OSError as error:
        raise ValueError(f"{file}: cannot be read ({error.strerror}); repair it or its permissions") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, no date, too long a number
        raise ValueError(f"{file}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file}: expected sections such as 'fusion:', found {type(content).__name__}")
    return content


def content(file: Path) -> dict[str, Any]:
    """The content of the whole file.

    Raises:
        ValueError: no such file, or no valid YAML.
    """
    file = Path(file)
    if not file.is_file():
        raise ValueError(f"{file}: no such file; run from the project's root or name one with --params FILE")
    return _parse(file, file.stat().st_mtime_ns)


def _convert(value: Any, kind: Any, place: str) -> Any:
    """value checked against kind; an int passes as a float, no other type is converted."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _section(value, kind, place)
    if origin is Literal:
        # bool is an int in Python: compare types too, so that `true` does not pass as 1.
        if not any(value == choice and type(value) is type(choice) for choice in arguments):
            raise ValueError(f"{place} is {value!r}; choose one of {', '.join(map(str, arguments))}")
        return value
    if origin in (typing.Union, types.UnionType):
        return _union(value, arguments, place)
    if origin is list:
        if not isinstance(value, list):
            raise ValueError(f"{place} is {value!r}; expected a list such as [a, b]")
        return [_convert(item, arguments[0], f"{place}[{i}]") for i, item in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise ValueError(f"{place} is {value!r}; expected a mapping")
        return {str(name): _convert(item, arguments[1], f"{place}.{name}") for name, item in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise ValueError(f"{place} is {value!r}; expected {kind.__name__}")
    return value


def _union(value: Any, choices: tuple, place: str) -> Any:
    if value is None and type(None) in choices:
        return None
    errors = []
    for choice in choices:
        if choice is not type(None):
            try:
                return _convert(value, choice, place)
            except ValueError as error:
                errors.append(str(error))
    raise ValueError(" or ".join(errors))


def _section(value: Any, kind: type, place: str) -> Any:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if not isinstance(value, dict):
        raise ValueError(f"{place} is {value!r}; expected the keys {', '.join(fields)}")
    unknown, missing = sorted(map(str, set(value) - set(fields))), sorted(set(fields) - set(value))
    if unknown:
        raise ValueError(f"{place}: unknown key {', '.join(unknown)}; known are {', '.join(fields)}")
    if missing:
        raise ValueError(f"{place}: missing key {', '.join(missing)}")
    hints = typing.get_type_hints(kind)
    converted = {name: _convert(value[name], hints[name], f"{place}.{name}") for name in fields}
    try:
        return kind(**converted)
    except ValueError as error:  # __post_init__ of a dataclass checks ranges; its message starts with the field
        raise ValueError(f"{place}.{error}") from error
