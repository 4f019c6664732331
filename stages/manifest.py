"""Stage manifest: lists the clips, labels and splits of the corpora.

It reads the corpora in their own folders (corpora.<role>), checks and hashes every media file, and
writes data/manifest/<role>/{clips.csv,labels.csv,rejected.csv,corpus.json}. It does not read a file again that is
unchanged since an earlier run (data/work/manifest). A role without a corpus gets empty tables.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from avemotion.params.manifest import Config, configure
from avemotion.params.shared.corpora import FACES, ROLES
from avemotion.system import cli

if TYPE_CHECKING:
    from avemotion.manifest.drafts import Draft
    from avemotion.parsing.clip import Clip

UNUSED = Path("tmp/manifest")  # folder of rejected.csv if the stage stops because of the rejects


def main() -> None:
    parser = cli.parser(__doc__)
    parser.add_argument(
        "--check", action="store_true", help="only print contents, split and rate of faces; takes seconds"
    )
    parser.add_argument("--template", action="store_true", help="print a small table for corpora.<role>.name: csv")
    arguments = parser.parse_args()
    if arguments.template:
        from avemotion.corpora import csv

        print(csv.TEMPLATE, end="")
        return
    config = configure(arguments.params)
    from avemotion.manifest import drafts, face_rate, folder_check

    # All checks that need no media come first, because hashing a real corpus takes minutes.
    drafted = {role: drafts.draft(role, config.corpora[role], config.manifest) for role in config.corpora}
    part_of = split(config, {role: draft.clips for role, draft in drafted.items()})
    if arguments.check:
        for role, draft in drafted.items():
            print(folder_check.report(draft, part_of[role]) + face_rate.line(arguments.params, draft))
        return
    build(config, drafted)


def build(config: Config, drafted: "dict[str, Draft]") -> None:
    """Open every media file and write the tables of all roles."""
    from avemotion.formats import clips
    from avemotion.manifest import disjoint, probe, role_tables
    from avemotion.manifest.known_media import KnownMedia
    from avemotion.system.outputs import alone, whole_files

    with alone("manifest"):
        files = [file for draft in drafted.values() for file in draft.media_files()]
        probed = probe.probe_all(files, config.compute, KnownMedia())
        tables = {role: role_tables.tables_of(draft, probed) for role, draft in drafted.items()}
        for role, of in tables.items():
            role_tables.refuse_damage(of, config.manifest.max_rejected, UNUSED / role / "rejected.csv")
        part_of = split(
            config, {role: of.clips for role, of in tables.items()}
        )  # a second time: damaged clips, and with them speakers, may be gone
        media = {role: of.media for role, of in tables.items()}
        disjoint.recordings(media, part_of if config.pretrain.per_fold else None)
        with whole_files(clips.FOLDER) as folder:  # clips and labels of all roles change together
            for role in (*ROLES, FACES):
                if role in tables:
                    drawn = role_tables.Split(
                        part_of=part_of[role],
                        params=getattr(config.manifest, role),
                        per_fold=role == "emotion" and config.pretrain.per_fold,
                    )
                    print(role_tables.write(folder, tables[role], drawn))
                else:
                    role_tables.write_absent(folder, role)
                    print(f"{role}: corpora.{role} names no corpus\n")


def split(config: Config, listed: "dict[str, list[Clip]]") -> dict[str, dict[str, str]]:
    """Role -> clip id -> split or fold.

    Raises:
        ValueError: a split is impossible, or an emotion model would train on a test speaker of va.
    """
    from avemotion.manifest import disjoint, few, per_fold, splits

    manifest, names = config.manifest, {role: str(config.corpora[role].name) for role in listed}
    disjoint.stills(names, listed)
    if not config.pretrain.per_fold:
        disjoint.between_roles(names, listed)
        drawn = {
            role: splits.assign(role, clips, getattr(manifest, role), manifest.seed, names[role])
            for role, clips in listed.items()
        }
        if "emotion" in drawn:
            few.refuse(listed["emotion"], drawn["emotion"], manifest.emotion.few)
        return drawn
    affect = splits.assign("affect", listed["affect"], manifest.affect, manifest.seed)
    part_of = {"emotion": per_fold.follow(listed["emotion"], listed["affect"], affect), "affect": affect}
    disjoint.between_folds(listed, part_of)
    few.refuse(listed["emotion"], part_of["emotion"], manifest.emotion.few)
    if FACES in listed:
        part_of[FACES] = splits.assign(FACES, listed[FACES], manifest.faces, manifest.seed)
    return part_of


if __name__ == "__main__":
    cli.run(main)
