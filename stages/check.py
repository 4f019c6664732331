"""Stage check: validates the whole params.yaml before any other stage runs.

It reads every section like the stage that uses it, refuses values that a later stage would refuse, and lists the params
that have no effect in the present combination. Its output is always the same, so that a change of params re-runs only
the stages that read them.
"""

from pathlib import Path

from avemotion.params import whole
from avemotion.system import cli, tables

OUT = Path("data/check/passed.txt")


def main() -> None:
    arguments = cli.parser(__doc__).parse_args()
    settings = whole.read(arguments.params)
    whole.refuse(settings)
    if unused := whole.without_effect(settings):
        print(f"{arguments.params}: {len(unused)} params have no effect in this combination:")
        for key, reason in unused.items():
            print(f"  {key} ({reason})")
    tables.write_text(OUT, "params.yaml was read as every stage reads it\n")


if __name__ == "__main__":
    cli.run(main)
