"""Applies named recipes of presets/ to params.yaml, keeps its comments, and prints the changes.

python -m commands.preset                     # list the recipes
python -m commands.preset warm_gated v4       # several; later ones override earlier ones
"""

from avemotion.sweep import recipes
from avemotion.sweep.recipes import PRESETS
from avemotion.system import cli


def main() -> None:
    parser = cli.parser(__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="presets to apply, in this order; none: list them")
    parser.add_argument("--dry-run", action="store_true", help="only print the changes")
    arguments = parser.parse_args()
    if not arguments.names:
        for file in sorted(PRESETS.glob("*.yaml")):
            print(f"{file.stem:20} {file.read_text(encoding='utf-8').splitlines()[0].removeprefix('# ')}")
        return
    params = recipes.load(arguments.params)
    before = str(params)
    for name in arguments.names:
        changes = recipes.apply(params, recipes.recipe(name))
        print("\n".join([f"{name}:", *(f"  {change}" for change in changes or ["nothing to change"])]))
    if not arguments.dry_run and str(params) != before:
        recipes.write(arguments.params, params)
        print(f"{arguments.params} is changed; `git diff` shows how, `git checkout {arguments.params}` undoes it")


if __name__ == "__main__":
    cli.run(main)
