"""Stage evaluate: score the models of one role on its test clips.

Writes the headlines metrics/<role>.json, everything else metrics/detail/<role>.json, and the tables and pictures
plots/<role>/. Test rows are scored here and nowhere else, and nothing here changes a model.
"""

import importlib
from pathlib import Path

from avemotion.params.evaluate import configure
from avemotion.params.shared.corpora import ROLES
from avemotion.system import cli

METRICS, PLOTS = Path("metrics"), Path("plots")


def evaluate(role: str, file: Path) -> None:
    """Leave the metrics and plots of a role; files without scores where no corpus plays it."""
    from avemotion.scoring import headlines, results, summaries
    from avemotion.system import tables
    from avemotion.system.outputs import alone, whole_files, whole_folder

    config = configure(file)
    facts = results.read_facts(role)
    with alone(f"evaluate_{role}"), whole_files(METRICS) as numbers, whole_folder(PLOTS / role) as folder:
        scores = {}
        if facts.absent:
            (folder / "README.md").write_text(f"corpora.{role} names no corpus.\n", encoding="utf-8")
        else:
            read = results.READERS[role]()
            scores = summaries.SUMMARIES[role](read, config.evaluate.draws, config.seed)
            # One role's pictures do not load another's: their code is no dependency of this role.
            pictures = importlib.import_module(f"avemotion.plots.{role}.{role}_pictures")
            pictures.save(folder, read, scores, config)
        tables.write_text(numbers / f"{role}.json", summaries.text(headlines.headlines(role, scores)))
        tables.write_text(numbers / "detail" / f"{role}.json", summaries.text(scores))


def main() -> None:
    parser = cli.parser(__doc__)
    parser.add_argument("role", nargs="?", choices=ROLES, help="emotion or affect; none = both")
    arguments = parser.parse_args()
    for role in [arguments.role] if arguments.role else ROLES:
        evaluate(role, arguments.params)


if __name__ == "__main__":
    cli.run(main)
