"""Stage features: hidden states, spectrograms, faces, prosody and speaker vectors of every clip.

Reads data/manifest/<role>/clips.csv and the media below corpora.<role>.root, never labels.
Writes data/features/<kind>/<role>/ (index.json and few large arrays; stages/lib/features/store.py).
A killed run goes on where it stopped; clips added later cost only themselves. Clips that cannot be extracted are
listed in rejected.csv beside the arrays. --verify reads a finished cache and compares every clip with its checksum.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path

from stages.lib import cli, params
from stages.lib.compute import ComputeParams
from stages.lib.data import clips
from stages.lib.features import extraction
from stages.lib.features.store import FeatureStore

KINDS = ("wavlm", "mel", "frames", "prosody", "speaker")
ROLES = ("emotion", "affect")
OUT = Path("data/features")
WORK = Path("data/work/features")


@dataclass(frozen=True, kw_only=True)
class Config:
    extractor: extraction.Extractor
    root: Path  # of the corpus
    compute: ComputeParams
    max_rejected: float  # changes no byte of what is extracted, only whether the stage stops


def configure(file: Path, kind: str, role: str) -> Config:
    """Every param that one kind of feature of one role depends on, and where its corpus lies."""
    module = importlib.import_module(f"stages.lib.features.{kind}")  # one kind's code does not load another's
    return Config(
        extractor=module.configure(file, role),
        root=Path(params.read(file, f"corpora.{role}.root", str)),
        compute=params.read(file, "compute", ComputeParams),
        max_rejected=params.read(file, "manifest.max_rejected", float),
    )


def main() -> None:
    parser = cli.parser(__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)}; none = all")
    parser.add_argument("--role", choices=ROLES, help="emotion or affect; none = both")
    parser.add_argument("--verify", action="store_true", help="extract nothing, check every byte of what is there")
    options = parser.parse_args()
    for kind in options.kinds:
        if kind not in KINDS:
            parser.error(f"KIND is {kind!r}; choose from {', '.join(KINDS)}")
    for kind in options.kinds or KINDS:
        for role in [options.role] if options.role else ROLES:
            if options.verify:
                cache = FeatureStore(OUT / kind / role)
                cache.verify()
                print(f"{cache.folder}: {len(cache.ids)} clips as they were written")
                continue
            config = configure(options.params, kind, role)
            extraction.run(
                config.extractor,
                clips.read(role),
                root=config.root,
                out=OUT / kind / role,
                work=WORK / kind / role,
                compute=config.compute,
                label=f"features {kind} {role}",
                max_rejected=config.max_rejected,
            )


if __name__ == "__main__":
    cli.run(main)
