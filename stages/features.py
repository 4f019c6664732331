"""Stage features: extracts hidden states, spectrograms, faces and their embeddings, prosody and speaker embeddings.

It reads data/manifest/<role>/clips.csv and the media below corpora.<role>.root, or for vision the frames that it
extracted before, but no labels. It writes
data/features/<kind>/<role>/: index.json and a few large arrays (avemotion/formats/feature_store.py). A killed run
resumes; a run with additional clips extracts only those. Clips that cannot be extracted are listed in rejected.csv
beside the arrays. --verify reads a finished cache and compares every clip with its checksum.
"""

from pathlib import Path

from avemotion.params.features import configure, kinds, roles
from avemotion.params.shared.corpora import FACES, ROLES
from avemotion.system import cli

OUT = Path("data/features")
WORK = Path("data/work/features")


def extract(file: Path, kind: str, role: str) -> None:
    """Write one kind of features of a role's clips; an empty cache if there is nothing to extract."""
    from avemotion.extraction import extraction
    from avemotion.formats import clips, feature_store

    config, out = configure(file, kind, role), OUT / kind / role
    if (reason := config.idle) is not None:
        feature_store.write(out, [feature_store.CLEAN], [], {"rounding": {}})
        print(f"features {kind} {role}: {reason}, so there is nothing to extract")
        return
    assert config.root is not None
    if hasattr(config.extractor, "source"):  # other features in place of media
        media, root = config.extractor.source()
    else:
        media, root = clips.read(role), config.root
    extraction.run(
        config.extractor,
        media,
        extraction.Places(root=root, out=out, work=WORK / kind / role),
        config.compute,
        config.max_rejected,
    )


def verify(kind: str, role: str) -> None:
    """Compare every byte of a cache with the checksums in its index."""
    from avemotion.formats.feature_store import FeatureStore

    cache = FeatureStore(OUT / kind / role)
    cache.verify()
    print(f"{cache.folder}: {len(cache.ids)} clips as they were written")


def main() -> None:
    parser = cli.parser(__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join(kinds())}; none = all")
    parser.add_argument("--role", choices=(*ROLES, FACES), help="emotion, affect, or faces (frames only); none = all")
    parser.add_argument("--verify", action="store_true", help="extract nothing, but check every byte of the caches")
    arguments = parser.parse_args()
    for kind in arguments.kinds:
        if kind not in kinds():
            parser.error(f"KIND is {kind!r}; choose from {', '.join(kinds())}")
        if arguments.role and arguments.role not in roles(kind):
            parser.error(f"KIND is {kind!r}, but stills of the role {arguments.role} have frames alone")
    for kind in arguments.kinds or kinds():
        for role in [role for role in roles(kind) if arguments.role in (None, role)]:
            if arguments.verify:
                verify(kind, role)
            else:
                extract(arguments.params, kind, role)


if __name__ == "__main__":
    cli.run(main, memory="compute.workers or features.wavlm.window_seconds")
