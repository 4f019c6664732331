"""Stage evaluate: scores the models of one role on its test clips, from their saved predictions.

It writes the headlines to metrics/<role>.json, all scores to metrics/detail/<role>.json, and tables and pictures to
plots/<role>/. Those of emotion include the face encoder's on stills, where the role faces has a corpus.
"""

import importlib
from pathlib import Path

from avemotion.params.evaluate import configure
from avemotion.params.shared.corpora import ROLES
from avemotion.system import cli

METRICS, PLOTS = Path("metrics"), Path("plots")


def evaluate(role: str, file: Path) -> None:
    """Write the metrics and plots of a role; without scores if the role has no corpus."""
    from avemotion.scoring import (
        against_baseline,
        calibrated,
        headlines,
        model_facts,
        results,
        served,
        speaker_normalised,
        still_scores,
        summaries,
    )
    from avemotion.system import tables
    from avemotion.system.outputs import LOCKS, alone, whole_files, whole_folder

    config = configure(file)
    facts = results.read_facts(role)
    lock = LOCKS / "metrics"  # one lock for both roles and the stage report: all of them write into metrics/
    with alone(f"evaluate {role}", lock), whole_files(METRICS) as numbers, whole_folder(PLOTS / role) as folder:
        scores = {}
        if facts.absent:
            (folder / "README.md").write_text(f"corpora.{role} names no corpus.\n", encoding="utf-8")
        else:
            predictions = results.READERS[role]()
            scores = summaries.SUMMARIES[role](predictions, config.evaluate.draws, config.seed)
            scores["baseline"] = against_baseline.SCORES[role](predictions, config.evaluate.draws, config.seed)
            scores["device"] = results.device(results.STAGES[role][-1], facts)
            scores["served"] = served.SCORES[role](predictions)
            by_speaker = model_facts.speaker_inputs(role, facts.folds)
            if role == "affect" or by_speaker:
                scores["speaker_statistics"] = by_speaker
            if role == "emotion":
                scores["calibration"] = calibrated.scores(predictions)
                by = config.evaluate.speaker_logits, config.evaluate.draws, config.seed
                scores["speaker_normalised"] = speaker_normalised.scores(predictions, *by)
                if (faces := still_scores.read()) is not None:
                    scores["faces"] = still_scores.scores(faces, config.evaluate.draws, config.seed)
            # Imports the pictures of this role only: the other role's code is no dependency of this stage in dvc.yaml.
            pictures = importlib.import_module(f"avemotion.plots.{role}.{role}_pictures")
            pictures.save(folder, predictions, scores, config)
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
