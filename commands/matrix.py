"""Scores of several runs on their own test clips and on other corpora: training corpus x test corpus, as one table.

    python -m commands.matrix                                 # the present files
    python -m commands.matrix main films-run --model pretrain_video
    python -m commands.matrix --folders ../ravdess ../films --out matrix.md

A run is `workspace`, a git revision, a DVC experiment, or the folder of a project. Its scores on other corpora are
those of the stage transfer (corpora.transfer, docs/transfer.md).
"""

import argparse
import tempfile
from pathlib import Path

from avemotion.comparison.compared_models import FACE, MODELS
from avemotion.system import cli


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revisions", nargs="*", help="workspace, branches, commits, experiments (default: workspace)")
    parser.add_argument("--folders", nargs="+", type=Path, metavar="DIR", help="project folders in place of revisions")
    parser.add_argument("--model", choices=[*MODELS, FACE], default="fusion", help="model of every run")
    parser.add_argument("--score", choices=("uar", "accuracy", "macro_f1"), default="uar", help="(default: uar)")
    parser.add_argument("--draws", type=int, default=2000, help="bootstrap draws of own test clips (default: 2000)")
    parser.add_argument("--out", type=Path, help="table.md or table.csv (default: Markdown to the terminal)")
    return parser.parse_args()


def main() -> None:
    options = parse()
    if options.out and options.out.suffix not in (".md", ".csv"):
        raise ValueError(f"--out is {options.out}; name a file that ends in .md or .csv")
    if options.folders and options.revisions:
        raise ValueError("give revisions or --folders, not both")
    from avemotion.comparison import corpus_matrix
    from avemotion.comparison.revisions import WORKSPACE
    from avemotion.system import tables

    how = options.model, options.score
    with tempfile.TemporaryDirectory() as scratch:
        if options.folders:
            rows = [corpus_matrix.of_folder(of, str(of), *how, options.draws) for of in options.folders]
        else:
            names = enumerate(options.revisions or [WORKSPACE])
            rows = [corpus_matrix.of_revision(of, *how, options.draws, Path(scratch) / str(i)) for i, of in names]
    if options.out and options.out.suffix == ".csv":
        tables.write_results(options.out, corpus_matrix.as_table(rows, *how))
    elif options.out:
        tables.write_text(options.out, corpus_matrix.as_markdown(rows, *how))
    else:
        print(corpus_matrix.as_markdown(rows, *how), end="")


if __name__ == "__main__":
    cli.run(main)
