"""The recipes of presets/: named values for params.yaml."""

from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

PRESETS = Path(__file__).resolve().parents[2] / "presets"


def load(file: Path) -> dict:
    """A YAML file with its comments and layout.

    Raises:
        ValueError: the file is missing or not YAML.
    """
    try:
        content = editor().load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise ValueError(f"{file}: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file}: expected sections such as 'fusion:', found {type(content).__name__}")
    return content


def recipe(name: str) -> dict:
    """The values of presets/<name>.yaml.

    Raises:
        ValueError: no such preset; the message lists the existing ones.
    """
    known = {file.stem: file for file in PRESETS.glob("*.yaml")}
    if name not in known:
        raise ValueError(f"no preset '{name}'; choose of {', '.join(sorted(known))}")
    return load(known[name])


def leaves(params: dict, changes: dict, place: str = "") -> list[tuple[tuple[str, ...], object]]:
    """The keys that a recipe sets, each as a path into params, with their new values.

    Raises:
        ValueError: params does not have one of the keys.
    """
    found: list[tuple[tuple[str, ...], object]] = []
    for key, new in changes.items():
        if key not in params:
            raise ValueError(
                f"the preset sets {place}{key}, which the params do not have; they belong to another version"
            )
        if isinstance(new, dict) and isinstance(params[key], dict):
            found += [((key, *path), value) for path, value in leaves(params[key], new, f"{place}{key}.")]
        else:
            found.append(((key,), new))
    return found


def apply(params: dict, changes: dict) -> list[str]:
    """Set every value of changes in params; returns "key: old -> new" of those that differ.

    Raises:
        ValueError: params does not have one of the keys.
    """
    changed = []
    for (*above, key), new in leaves(params, changes):
        section = params
        for name in above:
            section = section[name]
        if section[key] != new:
            changed.append(f"{'.'.join([*above, key])}: {_shown(section[key])} -> {_shown(new)}")
            section[key] = new
    return changed


def write(file: Path, params: dict) -> None:
    """Write params with the comments that `load` kept."""
    partial = file.with_name(f".{file.name}.partial")
    with partial.open("w", encoding="utf-8") as stream:
        editor().dump(params, stream)
    partial.replace(file)


def editor() -> YAML:
    """A reader and writer of YAML that keeps comments and lines as they are."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 200  # folds no line of params.yaml
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))
    return yaml


def _shown(value: object) -> str:
    return str(list(value)) if isinstance(value, list) else str(dict(value)) if isinstance(value, dict) else str(value)
