"""Stage check: read the whole params.yaml as the later stages will, before any of them runs.

Refuses what a later stage would refuse, and lists the params that have no effect in the present combination. Its output
is the same whenever it passes, so that passing it re-runs nothing.
"""

from pathlib import Path

from avemotion.params import whole
from avemotion.system import cli

OUT = Path("data/check/passed.txt")


def main() -> None:
    arguments = cli.parser(__doc__).parse_args()
    settings = whole.read(arguments.params)
    whole.refuse(settings)
    if found := whole.without_effect(settings):
        print(f"{arguments.params}: {len(found)} params have no effect in this combination:")
        for key, reason in found.items():
            print(f"  {key} ({reason})")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text("params.yaml was read as every stage reads it\n", encoding="utf-8")


if __name__ == "__main__":
    cli.run(main)
