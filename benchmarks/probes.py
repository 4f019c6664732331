"""The emotion in the sample corpora: speaker-independent probes of the voice, the face and both.

Voice: logistic regression or ridge on eGeMAPSv02 functionals. Face: the same on HOG of Haar face crops (PCA).
Both: mean of the two log-probabilities, or ridge on the two predictions. RAVDESS half: accuracy over 8 classes,
actors left out in five groups. IEMOCAP half: CCC of valence and arousal, each session left out once.
'raw': features as for the models of this project; 'normalised': standardised for each speaker.
The spread is the standard error over actors (accuracy) or the standard deviation over sessions (CCC).

Run after the stage `sample`: uv run python -m benchmarks.probes [--root data/sample]
"""

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np

from avemotion.params.shared.compute import ComputeParams
from avemotion.system.workers import parallel
from benchmarks.probe_features import Clip, iemocap_clips, ravdess_clips

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
HIGH_AROUSAL = (2, 4, 5, 7)
COMPONENTS = 60  # of the face features
SMOOTHING = 0.5  # share of a turn's own prediction in the running mean over a dialogue


def normalise(features: np.ndarray, speakers: np.ndarray) -> np.ndarray:
    """Standardise the rows [N, D] of each speaker separately."""
    out = features.copy()
    for speaker in np.unique(speakers):
        own = speakers == speaker
        out[own] = (features[own] - features[own].mean(0)) / (features[own].std(0) + 1e-6)
    return out


def log_probabilities(features: np.ndarray, labels: np.ndarray, groups: np.ndarray, components: int) -> np.ndarray:
    """Out-of-fold log-probabilities [N, C] of labels 0..C-1; components 0 = no PCA."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    out = np.zeros((len(labels), labels.max() + 1))
    for train, test in GroupKFold(5).split(features, labels, groups):
        reduce = [PCA(min(components, len(train) - 1), random_state=0)] if components else []
        model = make_pipeline(StandardScaler(), *reduce, LogisticRegression(C=0.05, max_iter=2000))
        out[test] = model.fit(features[train], labels[train]).predict_log_proba(features[test])
    return out


def predictions(features: np.ndarray, truth: np.ndarray, groups: np.ndarray, components: int) -> np.ndarray:
    """Out-of-fold ridge predictions [N, 2], rescaled to mean and spread of the training truth."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import LeaveOneGroupOut
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    out = np.zeros_like(truth)
    for train, test in LeaveOneGroupOut().split(features, truth, groups):
        reduce = [PCA(min(components, len(train) - 1), random_state=0)] if components else []
        model = make_pipeline(StandardScaler(), *reduce, RidgeCV(np.logspace(0, 4, 13)))
        fitted = model.fit(features[train], truth[train]).predict(features[train])
        scale = truth[train].std(0) / (fitted.std(0) + 1e-9)
        raw = model.predict(features[test])
        out[test] = np.clip((raw - fitted.mean(0)) * scale + truth[train].mean(0), 1, 5)
    return out


def ccc(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Concordance correlation coefficient of two [N]."""
    covariance = np.mean((truth - truth.mean()) * (prediction - prediction.mean()))
    return float(2 * covariance / (truth.var() + prediction.var() + (truth.mean() - prediction.mean()) ** 2))


def smooth_turns(prediction: np.ndarray, clips: list[Clip]) -> np.ndarray:
    """Causal running mean over each dialogue's turns in time order."""
    out, state = prediction.copy(), {}
    for index in sorted(range(len(clips)), key=lambda i: (clips[i].dialogue, clips[i].start)):
        before = state.get(clips[index].dialogue, prediction[index])
        out[index] = SMOOTHING * prediction[index] + (1 - SMOOTHING) * before
        state[clips[index].dialogue] = out[index]
    return out


def report_categories(clips: list[Clip]) -> None:
    """Print the table of the RAVDESS half."""
    labels = np.array([int(clip.truth[0]) for clip in clips])
    actors = np.array([clip.group for clip in clips])
    high = np.isin(labels, HIGH_AROUSAL).astype(int)
    opposed = np.isin(labels, (2, 4))  # happy against angry: equal arousal, opposite valence
    detected = np.mean([clip.has_face for clip in clips])
    print(f"ravdess: {len(clips)} clips, {len(set(actors))} actors, face found in {detected:.1%}")
    print(f"{'':12}{'voice':>14}{'face':>14}{'both':>14}   accuracy, 8 classes (standard error over actors)")
    for title in ("raw", "normalised"):
        voice, face = (np.array([getattr(clip, name) for clip in clips]) for name in ("voice", "face"))
        if title == "normalised":
            voice, face = normalise(voice, actors), normalise(face, actors)
        by_voice = log_probabilities(voice, labels, actors, 0)
        by_face = log_probabilities(face, labels, actors, COMPONENTS)
        cells = []
        for scores in (by_voice, by_face, by_voice + by_face):
            hits = scores.argmax(1) == labels
            by_actor = [hits[actors == actor].mean() for actor in np.unique(actors)]
            cells.append(f"{hits.mean():.3f} ± {np.std(by_actor) / len(by_actor) ** 0.5:.3f}")
        print(f"{title:12}" + "".join(f"{cell:>14}" for cell in cells))
        for name, target, rows in (
            ("  arousal", high, np.ones(len(labels), bool)),
            ("  valence", (labels == 2).astype(int), opposed),
        ):
            pair = [
                log_probabilities(features[rows], target[rows], actors[rows], components).argmax(1) == target[rows]
                for features, components in ((voice, 0), (face, 30))
            ]
            print(f"{name:12}" + "".join(f"{hits.mean():>14.3f}" for hits in pair))
        for name, scores in (("voice", by_voice), ("face", by_face), ("both", by_voice + by_face)):
            recalls = [(scores.argmax(1)[labels == k] == k).mean() for k in range(8)]
            print(f"  recall {name:5}" + " ".join(f"{e} {r:.2f}" for e, r in zip(EMOTIONS, recalls, strict=True)))


def report_affect(clips: list[Clip]) -> None:
    """Print the table of the IEMOCAP half."""
    truth = np.array([clip.truth for clip in clips])
    sessions = np.array([clip.group for clip in clips])
    speakers = np.array([clip.speaker for clip in clips])
    ordered = sorted(range(len(clips)), key=lambda i: (clips[i].dialogue, clips[i].start))
    pairs = [(a, b) for a, b in pairwise(ordered) if clips[a].dialogue == clips[b].dialogue]
    memory = [np.corrcoef(truth[[a for a, _ in pairs], k], truth[[b for _, b in pairs], k])[0, 1] for k in (0, 1)]
    detected = np.mean([clip.has_face for clip in clips])
    print(
        f"iemocap: {len(clips)} turns, face found in {detected:.1%}, standard deviation V, A"
        f" {truth.std(0).round(2)}, lag-1 autocorrelation V, A {np.round(memory, 2)}"
    )
    print(f"{'':24}{'valence':>14}{'arousal':>14}   CCC (standard deviation over sessions)")
    for title in ("raw", "normalised"):
        voice, face = (np.array([getattr(clip, name) for clip in clips]) for name in ("voice", "face"))
        if title == "normalised":
            voice, face = normalise(voice, speakers), normalise(face, speakers)
        by_voice = predictions(voice, truth, sessions, 0)
        by_face = predictions(face, truth, sessions, COMPONENTS)
        both = predictions(np.hstack([by_voice, by_face]), truth, sessions, 0)
        rows = {"voice": by_voice, "face": by_face, "both": both, "both, over turns": smooth_turns(both, clips)}
        for name, prediction in rows.items():
            cells = []
            for k in (0, 1):
                folds = [ccc(truth[sessions == s, k], prediction[sessions == s, k]) for s in np.unique(sessions)]
                cells.append(f"{ccc(truth[:, k], prediction[:, k]):.3f} ± {np.std(folds):.3f}")
            print(f"{title + ' ' + name:28}" + "".join(f"{cell:>14}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("data/sample"), help="folder with ravdess/ and iemocap/")
    parser.add_argument("--workers", type=int, default=0, help="processes (default: one per core)")
    arguments = parser.parse_args()
    compute = ComputeParams(
        device="cpu", threads=1, workers=arguments.workers, loader_workers=0, engine="local", address=None
    )
    actors = sorted((arguments.root / "ravdess").glob("Actor_*"))
    dialogues = sorted((arguments.root / "iemocap").glob("Session*/dialog/EmoEvaluation/*.txt"))
    if not actors and not dialogues:
        raise SystemExit(f"{arguments.root}: no sample corpus; run python -m stages.sample first")
    categories = [clip for clips in parallel(ravdess_clips, actors, compute, "ravdess") for clip in clips]
    affect = [clip for clips in parallel(iemocap_clips, dialogues, compute, "iemocap") for clip in clips]
    if categories:
        report_categories(categories)
    if affect:
        report_affect(affect)


if __name__ == "__main__":
    main()
