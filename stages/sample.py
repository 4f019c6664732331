"""Stage sample: generates the sample corpora, synthetic media in the layouts of RAVDESS and IEMOCAP.

It reads the params `sample.seed`, `compute`, and `sample.<corpus>` of the selected corpora. It writes
data/sample/ravdess/ and data/sample/iemocap/, each whole or not at all.
"""

from dataclasses import asdict
from functools import partial
from pathlib import Path

from avemotion.params.sample import Config, IemocapParams, RavdessParams, configure
from avemotion.system import cli

DATA = Path("data/sample")
CORPORA = ("ravdess", "iemocap")

NOTICE = """This corpus is synthetic. It was made by stages.sample of this project from the settings below.
The faces are drawn and the voices are spoken by espeak-ng; no person was recorded or imitated.
It has the file layout of {layout}, none of its content.
Scores on it show that the pipeline runs. They say nothing about people.

seed: {seed}
{sizes}
"""


def write_ravdess(root: Path, sizes: RavdessParams, config: Config) -> int:
    """Write every actor's recordings below root; returns the number of clips."""
    from avemotion.synthesis import ravdess_layout
    from avemotion.system.workers import parallel

    write = partial(ravdess_layout.write_actor, root=root, params=sizes, seed=config.seed)
    return sum(parallel(write, sizes.actors, config.compute, "ravdess actors"))


def write_iemocap(root: Path, sizes: IemocapParams, config: Config) -> int:
    """Write every dialogue below root; returns the number of turns."""
    from avemotion.synthesis import iemocap_layout
    from avemotion.system.workers import parallel

    write = partial(iemocap_layout.write_dialogue, root=root, params=sizes, seed=config.seed)
    return sum(parallel(write, iemocap_layout.list_dialogues(sizes), config.compute, "iemocap dialogues"))


WRITERS = {"ravdess": write_ravdess, "iemocap": write_iemocap}
LAYOUTS = {"ravdess": "RAVDESS (speech)", "iemocap": "IEMOCAP"}


def main() -> None:
    parser = cli.parser(__doc__)
    parser.add_argument("corpus", nargs="*", metavar="CORPUS", help=f"{' or '.join(CORPORA)} (default: both)")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.corpus) - set(CORPORA)):
        parser.error(f"unknown corpus {', '.join(unknown)}; choose from {', '.join(CORPORA)}")
    config = configure(arguments.params, arguments.corpus or list(CORPORA))
    from avemotion.system.outputs import alone, whole_folder

    for name, sizes in config.corpora.items():
        with alone(f"sample_{name}"), whole_folder(DATA / name) as root:
            clips = WRITERS[name](root, sizes, config)
            listing = "\n".join(f"{key}: {value}" for key, value in asdict(sizes).items())
            notice = NOTICE.format(layout=LAYOUTS[name], seed=config.seed, sizes=listing)
            (root / "SYNTHETIC.txt").write_text(notice, encoding="utf-8")
        size = sum(path.stat().st_size for path in (DATA / name).rglob("*") if path.is_file())
        print(f"{DATA / name}: {clips} clips, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    cli.run(main)
