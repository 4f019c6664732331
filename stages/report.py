"""Stage report: writes one page about the whole run, and the pictures of both roles together.

It reads metrics/detail/<role>.json and plots/<role>/ of the stage evaluate, plots/faces.png, and the training histories
and attention of the models. It writes plots/report.html, plots/both/ and metrics/detail/{features,manifest}.json.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from avemotion.params.shared.corpora import ROLES
from avemotion.system import cli, params_file

if TYPE_CHECKING:
    import pandas as pd

    from avemotion.formats.labels import CorpusFacts

METRICS, PLOTS, FEATURES, ABLATIONS = Path("metrics"), Path("plots"), Path("data/features"), Path("ablations")
SHOWN = ("manifest", "pretrain", "views", "speech", "vision", "features", "video", "audio", "augment")
SHOWN += ("pretrain_audio", "pretrain_face", "pretrain_video", "baseline", "xattn", "fusion", "va")


def report(file: Path) -> None:
    """Write the page, the pictures of both roles, and the numbers of the caches and manifests."""
    from avemotion.report import cache_precision, overview, pooled_attention, training_curves
    from avemotion.scoring import results, summaries
    from avemotion.system import tables
    from avemotion.system.outputs import LOCKS, alone, whole_files, whole_folder

    shown: dict[str, object] = {"seed": params_file.read(file, "seed", int)}
    shown |= {name: params_file.read(file, name, dict) for name in SHOWN}
    facts = {role: facts for role in ROLES if not (facts := results.read_facts(role)).absent}
    manifest = summaries.manifest({role: (of, results.read_labels(role)) for role, of in facts.items()})
    numbers = {"features": cache_precision.report([FEATURES / "wavlm" / role for role in facts]), "manifest": manifest}
    scores = {role: summaries.read(METRICS / "detail" / f"{role}.json") for role in facts}
    with (
        alone("report", LOCKS / "metrics"),  # the stage evaluate writes into the same folders
        whole_files(METRICS) as metrics,
        whole_files(PLOTS) as plots,
        whole_folder(PLOTS / "both") as both,  # the page is written before the folder is renamed: all outputs or none
    ):
        for name, values in numbers.items():
            tables.write_text(metrics / "detail" / f"{name}.json", summaries.text(values))
        training_curves.save(both, results.histories(facts))
        pooled_attention.save(both, pooled(facts))
        page = overview.Report(
            scores=scores,
            manifest=manifest,
            rejects={role: results.read_rejected(role) for role in facts},
            params=shown,
            ablations=ablations(),
        )
        folders = {role: PLOTS / role for role in facts} | {"both": both, "faces": PLOTS}
        overview.write(plots / "report.html", folders, page)


def pooled(facts: "dict[str, CorpusFacts]") -> "pd.DataFrame":
    """Attention of all test clips of both roles."""
    import pandas as pd

    from avemotion.report import pooled_attention
    from avemotion.scoring import results

    parts = []
    for role, stage in (("emotion", "fusion"), ("affect", "va")):
        if role in facts:
            exports = results.attention_of_stage(stage, facts[role].folds)
            label = results.read_labels(role).set_index("id")["label"]
            parts.append(pooled_attention.pool(exports, label, facts[role].classes))
    return pd.concat(parts, ignore_index=True)


def ablations() -> dict[str, str]:
    """The tables of ablations/ for the report: name -> Markdown."""
    files = sorted(file for file in ABLATIONS.glob("*.md") if file.name != "README.md")
    return {file.stem: file.read_text(encoding="utf-8") for file in files}


def main() -> None:
    arguments = cli.parser(__doc__).parse_args()
    report(arguments.params)


if __name__ == "__main__":
    cli.run(main)
