"""MODEL_CARD.md beside an exported model: corpus, protocol, scores with intervals, limits, licences."""

import math
from pathlib import Path
from typing import Any

from avemotion.formats.labels import CorpusFacts
from avemotion.prediction.trained_models import Models
from avemotion.scoring import results, summaries

# Licence of each corpus's recordings (docs/licences.md); a model of them is bound by it.
LICENCES = {
    "ravdess": "CC BY-NC-SA 4.0",
    "iemocap": "from USC, on request",
    "cremad": "see its repository",
    "savee": "from its authors",
    "meld": "see its repository",
    "msp_improv": "from its authors, on request",
    "msp_podcast": "from its authors, on request",
}
UNKNOWN = "not known to this project; ask whoever made the corpus"
OPENSMILE = "The input `prosody` comes from openSMILE (eGeMAPSv02), whose licence allows research and education only."
SYNTHETIC = (
    "> **Trained on a synthetic sample.** A program speaks its voices and draws its faces. The scores show that the "
    "chain works; the model says nothing about people.\n"
)
LIMITS = """\
- Emotions in these data are acted or rated by others. The model maps sound and picture to such labels; it does not
  measure what a person feels.
- It holds for recordings like those of its corpus: language, age, room, microphone and camera. Scores on other
  recordings are usually lower; measure them before any use.
- The scores are averages. `metrics/detail/` and the report of the project have them by speaker and by gender.
- Do not decide about single persons by it. In the European Union, the AI Act forbids emotion recognition at work and
  in education, with few exceptions.
"""


def card(role: str, models: Models, difference: float, root: Path = Path()) -> str:
    """The text of the card.

    Args:
        role: emotion or affect. difference: largest difference between the outputs of the file and of the project.
        root: of the project.

    Raises:
        ValueError: metrics/ has the scores of other models.
    """
    facts = models.emotion if role == "emotion" else models.affect
    assert facts is not None and facts.corpus is not None
    lines = [f"# {'Emotion' if role == 'emotion' else 'Valence and arousal'}: trained on {facts.corpus}", ""]
    lines += [SYNTHETIC] if facts.synthetic else []
    lines += ["## Model", "", _model(role, models), ""]
    checked = f"The largest difference between the outputs of the file and of the project is {difference:.1e}."
    lines += [f"{checked} `preprocessing.json` describes inputs and outputs; `example.py` runs the model.", ""]
    lines += ["## Corpus and protocol", "", *_corpus(facts), "", "## Scores", "", *_scores(role, models, root), ""]
    lines += ["## Limits", "", LIMITS, "## Licences", "", *_licences(role, facts, models), ""]
    return "\n".join(lines)


def _model(role: str, models: Models) -> str:
    if role == "emotion":
        count, mode = len(models.fusions), type(models.fusions[0]).__name__
        each = "one model" if count == 1 else f"{count} models, one per fold, whose probabilities are averaged"
        return f"Fusion `{mode}`, {each}, of the classes {', '.join(models.classes)}, calibrated by temperature."
    each = f"{len(models.va)} models, one per fold, each trained without the speakers of its fold"
    scale = models.affect.scale if models.affect and models.affect.scale else {}
    units = ", ".join(f"{name} ({scale[name][0]:g} to {scale[name][1]:g})" for name in models.targets if name in scale)
    return f"{each}. Outputs: {units}. The state of the dialogue is an input and an output."


def _corpus(facts: CorpusFacts) -> list[str]:
    split = facts.split if facts.protocol is None else f"protocol `{facts.protocol}`"
    folds = f", {len(facts.folds)} folds" if facts.folds else ""
    lines = [f"- {facts.corpus}: {facts.clips} clips of {facts.speakers} speakers; split {split}{folds}."]
    if facts.speaker_overlap:
        lines.append("- **Speakers of the test clips are also in training, so the scores are too high.**")
    return [*lines, "- Settings were chosen on validation clips; the scores below are of test clips."]


def _scores(role: str, models: Models, root: Path) -> list[str]:
    """A table of the headlines with their 95 % intervals."""
    file = root / "metrics" / "detail" / f"{role}.json"
    if not file.is_file():
        return [f"None: no {file.name} in metrics/detail; run `dvc repro`."]
    detail = summaries.read(file)
    scores = detail["test"] if role == "emotion" else detail
    _refuse_others(role, models, scores, root)
    lines = ["| score | test | 95 % interval | validation | baseline |", "|---|---|---|---|---|"]
    for name in [name for name in scores if f"{name}_low" in scores]:
        interval = f"{scores[f'{name}_low']:.3f} to {scores[f'{name}_high']:.3f}"
        beside = [_number(detail.get(part, {}).get(name)) for part in ("val", "baseline")]
        lines.append(f"| {name} | {scores[name]:.3f} | {interval} | {' | '.join(beside)} |")
    clusters = "speakers" if role == "emotion" else "dialogues"
    size = f"{detail['clips']} clips" if role == "emotion" else f"{detail['turns']} turns"
    note = f"{size}, {detail['speakers']} speakers; intervals by bootstrap over {clusters}."
    return [*lines, "", f"{note} Baseline: scikit-learn on prosody."]


def _refuse_others(role: str, models: Models, scores: dict[str, Any], root: Path) -> None:
    """Raises ValueError where metrics/ differ from the scores of the models' own predictions."""
    facts = models.emotion if role == "emotion" else models.affect
    assert facts is not None
    if role == "emotion":
        rows = results.classified("fusion", facts, results.read_labels(role, root), root)
        own = summaries.emotion_sums(rows, facts.classes).estimate()
    else:
        turns = results.predicted_turns(facts, results.read_labels(role, root), root)
        pairs = {target: summaries.labelled(turns, target) for target in models.targets}
        own = {f"ccc_{name}": summaries.affect_sums(pair).estimate()["ccc"] for name, pair in pairs.items()}
    wrong = [name for name in own if name in scores and not math.isclose(own[name], scores[name], abs_tol=1e-5)]
    if wrong:
        raise ValueError(
            f"metrics/detail/{role}.json: {wrong[0]} is {scores[wrong[0]]}, that of the models in data/models is "
            f"{own[wrong[0]]:.6f}; run `dvc repro evaluate@{role}`"
        )


def _licences(role: str, facts: CorpusFacts, models: Models) -> list[str]:
    lines = []
    if facts.synthetic:
        lines.append("- Recordings: made by this project's programs, under its licence (MIT); no recordings of people.")
    else:
        lines.append(f"- Recordings of {facts.corpus}: {LICENCES.get(str(facts.corpus), UNKNOWN)}.")
    if role == "affect" and models.emotion is not None and not models.emotion.synthetic:
        corpus = models.emotion.corpus
        lines.append(f"- Recordings of {corpus}, behind the fused embedding: {LICENCES.get(str(corpus), UNKNOWN)}.")
    speech = models.settings.get("wavlm", {}).get("speech", {}).get("model")
    if speech == "tiny":
        lines.append("- WavLM: `tiny`, random weights of this project (MIT).")
    elif speech is not None:
        lines.append(f"- WavLM `{speech}`: pretrained weights, under the licence on their page.")
    prosody = models.settings.get("prosody", {}).get("params", {}).get("set")
    takes = role == "affect" or getattr(models.fusions[0], "prosody", None) is not None
    return [*lines, *([f"- {OPENSMILE}"] if takes and prosody == "egemaps" else [])]


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.3f}"
