"""A grid in words -> the assignments of its runs, in the spelling of `dvc exp run -S`."""

import itertools
import random
import re
from collections.abc import Mapping, Sequence

from avemotion.sweep import recipes

Setting = tuple[str, ...]  # assignments such as fusion.mode=gated, each name once
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")  # what Hydra reads as a string without quotes
_WORDS = ("true", "false", "null", "nan", "inf", "yes", "no", "on", "off")  # except for these


def expand(
    presets: Sequence[Setting], choices: Sequence[str], axes: Sequence[Sequence[Setting]], draw: int | None = None
) -> list[Setting]:
    """All combinations, the last axis varying fastest.

    Args:
        presets: one setting for each preset to be tried; empty = none.
        choices: assignments as of `dvc exp run --queue -S`, such as fusion.mode=concat,gated and seed=range(1,4). They
            override a preset's values.
        axes: further axes, each a list of settings; they override choices.
        draw: number of combinations of choices, at random (Bergstra and Bengio, JMLR 13, 2012); None = all. A larger
            number keeps those of a smaller one, and every preset gets the same.

    Raises:
        ValueError: a choice is not spelled as Hydra spells it.
    """
    swept = _swept(choices)
    if draw is not None:
        order = list(range(len(swept)))
        random.Random(0).shuffle(order)
        swept = [swept[i] for i in sorted(order[:draw])]
    return [_last_of_each(itertools.chain(*parts)) for parts in itertools.product(presets or [()], swept, *axes)]


def labels(names: Sequence[str], presets: Sequence[Setting], settings: Sequence[Setting]) -> list[Setting]:
    """What `expand` made of presets in short: the preset's name, then what it does not set."""
    if not names:
        return list(settings)
    each = len(settings) // len(names)  # the preset varies slowest
    return [
        (names[i // each], *(item for item in setting if item not in presets[i // each]))
        for i, setting in enumerate(settings)
    ]


def _swept(choices: Sequence[str]) -> list[Setting]:
    """What DVC itself makes of sweep overrides."""
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import get_hydra_sweeps
    from hydra.errors import HydraException

    for choice in choices:
        name, equals, _ = choice.partition("=")
        if not equals or ":" in name:
            raise ValueError(f"-S {choice}: write it as fusion.mode=concat,gated; it sets params.yaml alone")
    try:
        return [tuple(sweep["params.yaml"]) for sweep in get_hydra_sweeps({"params.yaml": list(choices)})]
    except (HydraException, DvcException) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"-S {' -S '.join(choices)}: {reason}; see `dvc exp run --help` for the spelling") from error


def _last_of_each(assignments: itertools.chain) -> Setting:
    last: dict[str, str] = {}
    for assignment in assignments:
        name = assignment.partition("=")[0]
        last.pop(name, None)  # the later one also comes later
        last[name] = assignment
    return tuple(last.values())


def of_presets(names: str, params: dict) -> Setting:
    """The assignments of one preset or of several, such as warm_gated+v4; later ones override earlier ones.

    Raises:
        ValueError: no such preset, or it sets a key that params does not have.
    """
    parts = [recipes.leaves(params, recipes.recipe(name)) for name in names.split("+")]
    return _last_of_each(
        itertools.chain(f"{'.'.join(path)}={spelled(value)}" for part in parts for path, value in part)
    )


def spelled(value: object) -> str:
    """A value as Hydra's grammar of overrides spells it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
        return value if plain else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{spelled(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(map(spelled, value)) + "]"
    return repr(value)


def numbers(text: str) -> list[int]:
    """ "0-2" -> 0, 1, 2; "0,3,5-6" -> 0, 3, 5, 6.

    Raises:
        ValueError: it is spelled in another way, or a range is empty.
    """
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise ValueError(f"{text!r} is no list of numbers; write 0-2 or 0,3,5")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return found


def axis(names: Sequence[str], values: Sequence[int]) -> list[Setting]:
    """One axis along which the params of these names have the same value."""
    return [tuple(f"{name}={value}" for name in names) for value in values]
