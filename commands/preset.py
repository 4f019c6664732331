"""Applies named recipes of presets/ to params.yaml, keeps its comments, and prints the changes.

python -m commands.preset                     # list the recipes
python -m commands.preset warm_gated v4       # several; later ones override earlier ones
"""

from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from avemotion.system import cli

PRESETS = Path(__file__).resolve().parents[1] / "presets"


def load(file: Path) -> dict:
    """A YAML file with its comments and layout.

    Raises:
        ValueError: the file is missing or not YAML.
    """
    try:
        content = _yaml().load(file.read_text(encoding="utf-8"))
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


def apply(params: dict, changes: dict, place: str = "") -> list[str]:
    """Set every value of changes in params; returns "key: old -> new" of those that differ.

    Raises:
        ValueError: params does not have one of the keys.
    """
    changed = []
    for key, new in changes.items():
        name = f"{place}{key}"
        if key not in params:
            raise ValueError(f"the preset sets {name}, which the params do not have; they belong to another version")
        if isinstance(new, dict) and isinstance(params[key], dict):
            changed += apply(params[key], new, f"{name}.")
        elif params[key] != new:
            changed.append(f"{name}: {_shown(params[key])} -> {_shown(new)}")
            params[key] = new
    return changed


def write(file: Path, params: dict) -> None:
    """Write params with the comments that `load` kept."""
    partial = file.with_name(f".{file.name}.partial")
    with partial.open("w", encoding="utf-8") as stream:
        _yaml().dump(params, stream)
    partial.replace(file)


def main() -> None:
    parser = cli.parser(__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="presets to apply, in this order; none: list them")
    parser.add_argument("--dry-run", action="store_true", help="only print the changes")
    arguments = parser.parse_args()
    if not arguments.names:
        for file in sorted(PRESETS.glob("*.yaml")):
            print(f"{file.stem:20} {file.read_text(encoding='utf-8').splitlines()[0].removeprefix('# ')}")
        return
    params = load(arguments.params)
    before = str(params)
    for name in arguments.names:
        changes = apply(params, recipe(name))
        print("\n".join([f"{name}:", *(f"  {change}" for change in changes or ["nothing to change"])]))
    if not arguments.dry_run and str(params) != before:
        write(arguments.params, params)
        print(f"{arguments.params} is changed; `git diff` shows how, `git checkout {arguments.params}` undoes it")


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 200  # folds no line of params.yaml
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))
    return yaml


def _shown(value: object) -> str:
    return str(list(value)) if isinstance(value, list) else str(dict(value)) if isinstance(value, dict) else str(value)


if __name__ == "__main__":
    cli.run(main)
