"""Scores of a model on a target, over the classes that both have."""

from collections.abc import Mapping
from typing import Any, NoReturn

from avemotion.formats import targets
from avemotion.formats.labels import CorpusFacts
from avemotion.params.evaluate import EvaluateParams
from avemotion.scoring import metrics, speaker_logits, summaries
from avemotion.scoring.shares import log_shares
from avemotion.scoring.speaker_logits import How
from avemotion.system.seeds import seed_for
from avemotion.transfer import corpus_intervals
from avemotion.transfer.rated_turns import Rated
from avemotion.transfer.target_predictions import Predicted


def refuse_nothing(key: str, reasons: Mapping[str, str]) -> NoReturn:
    """Raises ValueError with the reason of each model, where none can be scored."""
    listed = "".join(f"\n  {stage}: {reason}" for stage, reason in reasons.items())
    raise ValueError(f"{key}: no model of this run can be scored; map its categories in {key}.labels{listed}")


def scores(of: Predicted, draws: int, seed: int) -> dict[str, Any]:
    """Scores with 95 % intervals of a bootstrap over speakers; over clips, where each clip has a speaker of its own.

    The prediction is the most probable of the shared classes: a class that the target does not have cannot be right.
    `all_classes` has the scores of the most probable of all classes of the model.
    """
    bounds = corpus_intervals.bounds(of.table, of.shared, draws, seed)
    values: dict[str, Any] = {}
    for name, value in summaries.emotion_sums(of.table, of.shared).estimate().items():
        values |= {name: value, f"{name}_low": bounds[name].low, f"{name}_high": bounds[name].high}
    of_all = of.table.assign(predicted=of.table["predicted_of_all"])
    return values | {
        "all_classes": summaries.emotion_sums(of_all, of.model.classes).estimate(),
        "chance": 1 / len(of.shared),
        "classes": len(of.shared),
        "clips": len(of.table),
        "speakers": of.table["speaker"].nunique(),
        **({"speaker_statistics": True} if of.model.by_speaker else {}),
    }


def normalised(of: Predicted, how: How) -> dict[str, Any]:
    """Scores over the shared classes with logits relative to each speaker's own scored clips; {} where how is none.

    `warnings` says which speakers have too few clips or emotions (scoring/speaker_logits.py).
    """
    if how == "none":
        return {}
    shares = of.table[[f"p_{name}" for name in of.shared]].to_numpy()
    speakers = of.table["speaker"].tolist()
    logits = speaker_logits.normalised(log_shares(shares), speakers, how)
    rows = of.table.assign(predicted=[of.shared[k] for k in logits.argmax(1)])
    values = summaries.emotion_sums(rows, of.shared).estimate()
    poor = speaker_logits.warnings(speakers, of.table["label"].tolist())
    return {"speaker_normalised": {"logits": how, "speaker_statistics": True, **values, "warnings": poor}}


def detail(of: Predicted) -> dict[str, Any]:
    """What the scores are of: recall by class, clips that have none, and what the intervals resample."""
    truth, predicted = summaries.indices(of.table, of.shared)
    recalls = metrics.recalls(truth, predicted, len(of.shared)).tolist()
    return {
        "classes": of.model.classes,
        "recall": dict(zip(of.shared, recalls, strict=True)),
        "clips_of_other_classes": of.other_classes,
        "clips_without_input": of.without_input,
        "models_averaged": len(of.model.members),
        "resampled": corpus_intervals.resampled(of.table),
    }


def of_ratings(of: Rated, draws: int, seed: int) -> dict[str, Any]:
    """CCC with its 95 % interval of a bootstrap over dialogues (speakers, where there are none) and RMSE by target."""
    values: dict[str, Any] = {}
    for target in of.targets:
        pair = summaries.labelled(of.table, target)
        low, high = summaries.ccc_interval(pair, draws, seed_for(seed, "bootstrap", target))
        estimate = summaries.affect_sums(pair).estimate()
        values |= {f"ccc_{target}": estimate["ccc"], f"ccc_{target}_low": low, f"ccc_{target}_high": high}
        values |= {f"rmse_{target}": estimate["rmse"]}
    values |= {"turns": int(of.table[of.targets].notna().all(axis=1).sum()), "silent": of.silent}
    values |= {"dialogues": of.table["dialogue"].nunique(), "speakers": of.table["speaker"].nunique()}
    return values | ({"speaker_statistics": True} if of.by_speaker else {})


def all_scores(
    predicted: Mapping[str, Predicted], rated: Rated | None, facts: CorpusFacts, params: EvaluateParams, seed: int
) -> dict[str, Any]:
    """Content of metrics/transfer/<title>.json: scores by stage, and facts about the target."""
    trained = [of.model.synthetic for of in predicted.values()] + ([rated.synthetic] if rated else [])
    return {
        **{
            stage: scores(of, params.draws, seed) | normalised(of, params.speaker_logits)
            for stage, of in predicted.items()
        },
        **({"va": of_ratings(rated, params.draws, seed)} if rated else {}),
        "clips": facts.clips,
        "speakers": facts.speakers,
        "synthetic": facts.synthetic or any(trained),
        "seed": seed,
    }


def all_details(predicted: Mapping[str, Predicted], rated: Rated | None, reasons: Mapping[str, str]) -> dict[str, Any]:
    """Content of scores.json beside the predictions; `not_scored` has the reasons of the other models."""
    of_va = {"va": {"models_averaged": rated.models}} if rated else {}
    return {**{stage: detail(of) for stage, of in predicted.items()}, **of_va, "not_scored": dict(reasons)}


def in_words(scores: Mapping[str, Any], reasons: Mapping[str, str]) -> str:
    """A line for each model."""
    lines = [
        f"{stage}: UAR {of['uar']:.3f} [{of['uar_low']:.3f}, {of['uar_high']:.3f}] over {of['classes']} classes, "
        f"chance {of['chance']:.3f}, {of['clips']} clips of {of['speakers']} speakers; "
        f"{of['all_classes']['uar']:.3f} over all classes of the model"
        for stage, of in scores.items()
        if isinstance(of, dict) and "uar" in of
    ]
    for target in targets.of_scores(scores.get("va", {})):
        value, low, high = (scores["va"][f"ccc_{target}{side}"] for side in ("", "_low", "_high"))
        lines.append(f"va: CCC of {target} {value:.3f} [{low:.3f}, {high:.3f}], {scores['va']['turns']} turns")
    return "\n".join([*lines, *(f"{stage}: not scored: {reason}" for stage, reason in reasons.items())])
