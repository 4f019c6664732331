"""Stage sample: make the embedded sample corpus, synthetic media in the layouts of RAVDESS and IEMOCAP.

Reads params `sample.seed`, `sample.ravdess`, `sample.iemocap` (of the corpora asked for), `compute`.
Writes data/sample/ravdess/ and data/sample/iemocap/, each whole or not at all.
"""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from stages.lib import cli, params
from stages.lib.compute import ComputeParams, parallel
from stages.lib.outputs import alone, whole_folder
from stages.lib.synthesis import iemocap, ravdess

DATA = Path("data/sample")
CORPORA = {"ravdess": ravdess.RavdessParams, "iemocap": iemocap.IemocapParams}

NOTICE = """This corpus is synthetic. It was made by stages.sample of this project from the settings below.
The faces are drawn and the voices are spoken by espeak-ng; no person was recorded or imitated.
It has the file layout of {layout}, none of its content.
Scores on it show that the pipeline runs. They say nothing about people.

seed: {seed}
{sizes}
"""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the stage reads from params.yaml."""

    seed: int
    corpora: dict[str, ravdess.RavdessParams | iemocap.IemocapParams]  # by name, those asked for
    compute: ComputeParams


def configure(file: Path, names: list[str]) -> Config:
    """Read the params of the corpora asked for."""
    corpora = {}
    if "ravdess" in names:
        corpora["ravdess"] = params.read(file, "sample.ravdess", ravdess.RavdessParams)
    if "iemocap" in names:
        corpora["iemocap"] = params.read(file, "sample.iemocap", iemocap.IemocapParams)
    return Config(
        seed=params.read(file, "sample.seed", int),
        corpora=corpora,
        compute=params.read(file, "compute", ComputeParams),
    )


def write_ravdess(root: Path, sizes: ravdess.RavdessParams, config: Config) -> int:
    """Every actor's recordings below root; returns the number of clips."""
    write = partial(ravdess.write_actor, root=root, params=sizes, seed=config.seed)
    return sum(parallel(write, sizes.actors, config.compute, "ravdess actors"))


def write_iemocap(root: Path, sizes: iemocap.IemocapParams, config: Config) -> int:
    """Every dialogue below root; returns the number of turns."""
    write = partial(iemocap.write_dialogue, root=root, params=sizes, seed=config.seed)
    return sum(parallel(write, iemocap.list_dialogues(sizes), config.compute, "iemocap dialogues"))


WRITERS = {"ravdess": write_ravdess, "iemocap": write_iemocap}
LAYOUTS = {"ravdess": "RAVDESS (speech)", "iemocap": "IEMOCAP"}


def main() -> None:
    parser = cli.parser(__doc__)
    parser.add_argument("corpus", nargs="*", metavar="CORPUS", help=f"{' or '.join(CORPORA)} (default: both)")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.corpus) - set(CORPORA)):
        parser.error(f"unknown corpus {', '.join(unknown)}; choose from {', '.join(CORPORA)}")
    config = configure(arguments.params, arguments.corpus or list(CORPORA))
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
