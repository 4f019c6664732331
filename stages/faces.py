"""Stage faces: draws what the models get to see, the face crops of each speaker, before anything is trained.

It reads data/features/frames/<role> and data/manifest/<role>/labels.csv of every role, and writes plots/faces.png.
"""

from pathlib import Path

from avemotion.params.shared.corpora import FACES, ROLES
from avemotion.system import cli

FRAMES, PLOTS = Path("data/features/frames"), Path("plots")


def main() -> None:
    cli.parser(__doc__).parse_args()
    from avemotion.formats import labels
    from avemotion.formats.feature_store import FeatureStore
    from avemotion.plots.faces import face_sheet
    from avemotion.system.outputs import LOCKS, alone, whole_files

    sheets = []
    for role in (*ROLES, FACES):
        facts = labels.read_facts(role)
        if not facts.absent:
            sheets.append(face_sheet.sheet(role, FeatureStore(FRAMES / role), labels.read(role), facts.classes))
            print(sheets[-1].title)
    # The stages evaluate and report write below the same folder.
    with alone("faces", LOCKS / "metrics"), whole_files(PLOTS) as folder:
        face_sheet.save(folder / "faces.png", sheets)


if __name__ == "__main__":
    cli.run(main)
