"""The evaluate stage on a small made-up result of all training stages, scored by hand."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.numpy import save_file

from avemotion.formats import feature_store, labels
from avemotion.plots import attention
from avemotion.scoring import results, summaries
from stages import evaluate

ROOT = Path(__file__).resolve().parents[1]
CLASSES = ["angry", "happy", "sad"]
TEST = ["c1", "c2", "c3", "c4", "c5", "c6"]
TRUTH = ["angry", "happy", "sad", "angry", "happy", "sad"]
FUSION = ["angry", "sad", "sad", "angry", "happy", "sad"]
# Per fold: true valence, predicted valence, arousal (predicted exactly); two turns a dialogue.
VALENCE = {1: [1, 2, 3, 4], 2: [2, 3, 4, 5], 3: [1, 1, 4, 4]}
PREDICTED = {1: [2, 3, 4, 5], 2: [2, 3, 4, 5], 3: [2.5] * 4}
AROUSAL = {1: [1, 3, 2, 4], 2: [5, 2, 3, 1], 3: [2, 4, 4, 1]}
VIDEO_TO_AUDIO = np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1]], np.float32)
AUDIO_TO_VIDEO = np.array([[0.9, 0.1], [0.8, 0.2], [0.5, 0.5], [0.2, 0.8]], np.float32)


def facts(role: str, **changes) -> labels.CorpusFacts:
    values = {
        "corpus": "made-up",
        "role": role,
        "synthetic": True,
        "classes": CLASSES,
        "scale": None,
        "split": "actor",
        "speaker_overlap": False,
        "clips": 1,
        "speakers": 1,
        "rejected": 0,
        "folds": [],
    }
    return labels.CorpusFacts(**values | changes)


def make_emotion(models: Path, manifest: Path) -> None:
    train = [("a1", "happy", "train"), ("a2", "happy", "train"), ("a3", "sad", "train"), ("b1", "angry", "val")]
    rows = train + [(clip, label, "test") for clip, label in zip(TEST, TRUTH, strict=True)]
    speakers = {"train": ["S1"] * 3, "val": ["S2"], "test": ["S3", "S3", "S3", "S4", "S4", "S4"]}
    names = speakers["train"] + speakers["val"] + speakers["test"]
    known = [
        {"id": clip, "label": label, "emotion": label, "split": split, "speaker": speaker}
        for (clip, label, split), speaker in zip(rows, names, strict=True)
    ]
    labels.write("emotion", known, facts("emotion"), manifest)
    write(
        manifest / "emotion/rejected.csv", pd.DataFrame({"path": ["a.wav", "b.wav"], "reason": ["too short: 0 s"] * 2})
    )
    answers = {"fusion": FUSION, "pretrain_audio": ["angry"] * 6, "pretrain_video": TRUTH}
    for stage, predicted in answers.items():
        held_out = [("b1", "val", "angry", "angry"), *zip(TEST, ["test"] * 6, TRUTH, predicted, strict=True)]
        table = pd.DataFrame(held_out, columns=["id", "split", "label", "predicted"])
        for name in CLASSES:
            table[f"p_{name}"] = np.where(table.predicted == name, 0.8, 0.1)
        write(models / stage / "predictions.csv", table)
        write_history(models / stage)
    gates = pd.DataFrame({"id": ["b1", *TEST], "split": ["val"] + ["test"] * 6, "gate": [0.5, *[0.2, 0.3] * 3]})
    write(models / "fusion" / "gates.csv", gates)
    # Without picture always angry, at 5 dB as without noise.
    answers = {"audio_only": ["angry"] * 6, "snr_5": FUSION}
    conditions = [(clip, name, said[i]) for i, clip in enumerate(TEST) for name, said in answers.items()]
    table = pd.DataFrame(conditions, columns=["id", "condition", "predicted"])
    for name in CLASSES:
        table[f"p_{name}"] = np.where(table.predicted == name, 0.8, 0.1)
    write(models / "fusion" / "conditions.csv", table)
    maps = {
        "video_to_audio": VIDEO_TO_AUDIO,
        "audio_to_video": AUDIO_TO_VIDEO,
        "audio_times": np.array([0.1, 0.3, 0.5, 0.7], np.float32),
        "video_times": np.array([0.2, 0.6], np.float32),
    }
    save_file({f"{clip}/{name}": value for clip in TEST for name, value in maps.items()}, exports(models / "fusion"))


def make_affect(models: Path, manifest: Path) -> None:
    known, folds = [], {}
    for fold in VALENCE:
        for turn in range(4):
            folds.setdefault(fold, []).append(f"d{fold}{turn // 2}_{turn}")
            values = {"valence": VALENCE[fold][turn], "arousal": AROUSAL[fold][turn]}
            own = {"id": folds[fold][-1], "dialogue": f"d{fold}{turn // 2}", "speaker": f"S{fold}", "turn": turn}
            known.append(own | values | {"split": str(fold)})
    known.append({"id": "d30_9", "dialogue": "d30", "speaker": "S3", "turn": 9, "split": "3"})  # never rated
    scale = {name: [1, 5] for name in ("valence", "arousal", "dominance")}
    labels.write("affect", known, facts("affect", folds=[1, 2, 3], scale=scale), manifest)
    write(manifest / "affect/rejected.csv", pd.DataFrame(columns=["path", "reason"]))
    for fold, ids in folds.items():
        columns = [VALENCE[fold], AROUSAL[fold], PREDICTED[fold], AROUSAL[fold]]
        names = ["valence", "arousal", "valence_predicted", "arousal_predicted"]
        table = pd.DataFrame(dict(zip(names, np.array(columns, float), strict=True)) | {"id": ids, "split": "test"})
        if fold == 3:
            table.loc[len(table)] = [np.nan, np.nan, 3, 3, "d30_9", "test"]
        folder = models / "va" / f"fold_{fold}"
        write(folder / "predictions.csv", table[["id", "split", *names]].sort_values("id"))
        shares = {"valence_own": 0.25, "valence_rest": 0.75, "arousal_own": 0.6, "arousal_rest": 0.4}
        write(folder / "branches.csv", pd.DataFrame({"id": sorted(table.id)}).assign(**shares))
        write_history(folder)
        weights = np.array([0.5, 0.3, 0.2], np.float32)
        times = np.array([0.1, 0.2, 0.3], np.float32)
        maps = {
            f"{clip}/{name}": v for clip in table.id for name, v in (("prosody_to_speech", weights), ("times", times))
        }
        save_file(maps, exports(folder))


def make_features(features: Path, manifest: Path) -> None:
    rng = np.random.default_rng(0)
    for role in ("emotion", "affect"):
        ids = labels.read(role, manifest)["id"]
        mel = {
            "mel": rng.normal(size=(80, 6)).astype(np.float16),
            "length": np.array([70], np.int32),
            "peaks": rng.normal(size=(70, 2)).astype(np.float16),
        }
        rows = ((clip, {feature_store.CLEAN: mel}) for clip in ids)
        feature_store.write(features / "mel" / role, [feature_store.CLEAN], rows, {"hop_seconds": 0.01})
        last, rounding = {"last": np.zeros((4, 2), np.float16)}, {"last": {"float16": 0.25}}
        rows = ((clip, {feature_store.CLEAN: last}) for clip in ids)
        feature_store.write(
            features / "wavlm" / role, [feature_store.CLEAN], rows, {"precision": "fp32", "rounding": rounding}
        )
    frames = {
        "frames": rng.integers(0, 255, (2, 8, 8, 3), dtype=np.uint8),
        "times": np.array([0.2, 0.6], np.float32),
    }
    # c4 has no picture.
    rows = (
        (clip, None if clip == "c4" else {feature_store.CLEAN: frames})
        for clip in labels.read("emotion", manifest)["id"]
    )
    feature_store.write(features / "frames" / "emotion", [feature_store.CLEAN], rows, {})


def write(file: Path, table: pd.DataFrame) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(file, index=False, float_format="%.6f", lineterminator="\n")


def write_history(folder: Path) -> None:
    losses = {"train_loss": [2, 1], "val_loss": [2.5, 1.5], "val_score": [0.2, 0.4], "learning_rate": [0.001] * 2}
    write(folder / "history.csv", pd.DataFrame({"phase": ["head", "finetune"], "epoch": [1, 2], **losses}))


def exports(folder: Path) -> Path:
    return folder / "attention.safetensors"


def make(root: Path) -> Path:
    """Everything that evaluate reads, below root."""
    models, manifest = root / "data" / "models", root / "data" / "manifest"
    make_emotion(models, manifest)
    make_affect(models, manifest)
    make_features(root / "data" / "features", manifest)
    (root / "params.yaml").write_text(yaml.safe_dump(params_of({"draws": 100, "clips": 3, "turns": 5})))
    return root


def params_of(section: dict) -> dict:
    return {"seed": 0, "evaluate": section} | {name: {"of": name} for name in evaluate.SHOWN}


def run(root: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr("sys.argv", ["evaluate"])
        evaluate.main()
    return root


def empty_exports(models: Path) -> None:
    """What modes without gate, attention and branches leave."""
    for folder in [models / "fusion", *(models / "va").iterdir()]:
        save_file({}, exports(folder))
        for name in ("gates.csv", "branches.csv"):
            if (folder / name).exists():
                write(folder / name, pd.read_csv(folder / name).head(0))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def done(made, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("done") / "project"
    shutil.copytree(made, root)
    return run(root)


@pytest.fixture
def copy(made, tmp_path) -> Path:
    root = tmp_path / "project"
    shutil.copytree(made, root)
    return root


def test_emotion_scores_by_hand(done):
    scores = json.loads((done / "metrics/emotion.json").read_text())
    test = scores["test"]
    assert test["accuracy"] == test["uar"] == pytest.approx(5 / 6, abs=1e-6)
    # F1: angry 1, happy 2/3 (one of two found), sad 4/5 (two of two found, one false).
    assert test["macro_f1"] == test["weighted_f1"] == pytest.approx((1 + 2 / 3 + 4 / 5) / 3, abs=1e-6)
    assert test["calibration_error"] == pytest.approx(5 / 6 - 0.8, abs=1e-6)
    # Two speakers with accuracies 2/3 and 1: every draw lies between them.
    assert (test["accuracy_low"], test["accuracy_high"]) == (pytest.approx(2 / 3, abs=1e-6), 1)
    assert scores["audio"] == pytest.approx({"accuracy": 1 / 3, "uar": 1 / 3, "macro_f1": 1 / 6}, abs=1e-6)
    assert scores["video"] == {"accuracy": 1, "uar": 1, "macro_f1": 1}
    assert list(scores["condition"]) == ["audio_only", "snr_5"]
    assert scores["condition"]["audio_only"]["uar"] == pytest.approx(1 / 3, abs=1e-6)
    assert scores["condition"]["audio_only"]["accuracy_low"] == pytest.approx(1 / 3, abs=1e-6)  # of both speakers
    shared = ("accuracy", "accuracy_low", "accuracy_high", "uar", "uar_low", "uar_high")
    assert scores["condition"]["snr_5"] == {name: test[name] for name in shared}
    assert scores["recall"] == {"angry": 1, "happy": 0.5, "sad": 1}
    assert scores["majority"] == scores["chance"] == pytest.approx(1 / 3, abs=1e-6)  # always happy
    facts = {name: scores[name] for name in ("clips", "speakers", "synthetic", "speaker_overlap", "seed")}
    assert facts == {"clips": 6, "speakers": 2, "synthetic": True, "speaker_overlap": False, "seed": 0}


def test_affect_scores_by_hand(done):
    scores = json.loads((done / "metrics/affect.json").read_text())
    # Fold 1: cov = var = 5/4, one too high: 2.5 / (2.5 + 1). Fold 2 exact. Fold 3 constant.
    assert [scores[f"fold_{k}"]["ccc_valence"] for k in (1, 2, 3)] == pytest.approx([5 / 7, 1, 0], abs=1e-6)
    assert [scores[f"fold_{k}"]["rmse_valence"] for k in (1, 2, 3)] == [1, 0, 1.5]
    assert scores["mean"]["ccc_valence"] == pytest.approx((5 / 7 + 1) / 3, abs=1e-6)
    assert scores["sd"]["rmse_valence"] == pytest.approx(np.std([1, 0, 1.5], ddof=1), abs=1e-6)
    assert scores["ccc_arousal"] == scores["pearson_arousal"] == scores["ccc_arousal_low"] == 1
    truth, prediction = (np.concatenate(list(values.values())) for values in (VALENCE, PREDICTED))
    gap = truth.mean() - prediction.mean()
    ccc = 2 * np.cov(truth, prediction, ddof=0)[0, 1] / (truth.var() + prediction.var() + gap**2)
    assert scores["ccc_valence"] == pytest.approx(ccc, abs=1e-6)
    assert scores["ccc_valence_low"] < ccc < scores["ccc_valence_high"]
    assert scores["rmse_valence"] == pytest.approx(np.sqrt((1 + 0 + 2.25) / 3), abs=1e-6)
    # Training folds 3, 1, 2 have the means 2.5, 2.5, 3.5; squared errors 5/4, 9/4 and 13/4 on average.
    assert scores["baseline"]["rmse_valence"] == 1.5
    assert (scores["turns"], scores["unlabelled"], scores["dialogues"], scores["speakers"]) == (12, 1, 6, 3)


def test_tables_hold_what_the_models_left(done):
    plots = {file.stem: pd.read_csv(file) for file in (done / "plots").glob("*.csv")}
    assert plots["confusion"].value_counts().to_dict()[("happy", "sad")] == 1 and len(plots["confusion"]) == 6
    assert set(plots["gates"]["clip"]) == set(TEST)  # not the validation clip
    assert plots["folds"]["fold"].tolist() == ["1", "1", "2", "2", "3", "3", "all", "all"]
    assert len(plots["plane"]) == 5
    assert len(plots["training"]) == (3 + 3) * 2 * 3  # runs x epochs x series
    heard = plots["attention_video_to_audio"]
    assert heard["clip"].unique().tolist()[2] == "c2"  # the one that is wrong
    assert heard["rank"].unique().tolist() == ["best", "median", "worst"]
    assert heard["relative"][:4].tolist() == pytest.approx([1.6, 1.6, 0.4, 0.4])  # 4 x mean over frames
    assert plots["attention_audio_to_video"]["relative"][:2].tolist() == pytest.approx([1.2, 0.8])
    assert plots["attention_prosody_to_speech"]["relative"][:3].tolist() == pytest.approx([1.5, 0.9, 0.6])
    assert set(plots["branches"]["weight"]) == {0.25, 0.6}


def test_precision_of_the_stored_states(done):
    found = json.loads((done / "metrics" / "features.json").read_text())
    clips = {role: len(labels.read(role, done / "data" / "manifest")) for role in ("emotion", "affect")}
    last = {"stored": "float16", "float16_error": 0.25}
    assert found == {
        f"{role}_wavlm": {"clips": count, "precision": "fp32", "last": last} for role, count in clips.items()
    }


def test_same_bytes_in_another_folder(done, copy):
    run(copy)
    files = sorted(file.relative_to(done) for name in ("metrics", "plots") for file in (done / name).iterdir())
    assert len(files) == 4 + 13 + 12 + 1
    assert [file for file in files if (done / file).read_bytes() != (copy / file).read_bytes()] == []


def test_without_dialogues_turns_are_resampled_by_speaker(copy):
    file = copy / "data/manifest/affect/labels.csv"
    pd.read_csv(file).assign(dialogue=None).to_csv(file, index=False)
    turns = results.rated(*results.read_manifest("affect", copy), copy)
    assert list(turns["dialogue"]) == list(turns["speaker"]) and turns["speaker"].notna().all()


def test_modes_without_gate_and_attention(done, copy):
    empty_exports(copy / "data/models")
    run(copy)
    assert sorted(f.name for f in (copy / "plots").iterdir()) == sorted(f.name for f in (done / "plots").iterdir())
    assert (copy / "plots/gates.csv").read_text() == "label,clip,gate\nno gate in this fusion mode,,\n"
    for name in ("attention_video_to_audio", "attention_prosody_to_speech", "branches", "profiles", "entropy"):
        table = pd.read_csv(copy / f"plots/{name}.csv")
        assert len(table) == 1 and table.iloc[0, 0].startswith("no ") and table.iloc[0, 1:].isna().all()
    assert (copy / "metrics/emotion.json").read_bytes() == (done / "metrics/emotion.json").read_bytes()


def test_a_silent_turn_has_no_score_and_is_counted(copy):
    folder = copy / "data/models/va/fold_1"
    for name, silent in (("predictions", None), ("branches", "dropped")):
        table = pd.read_csv(folder / f"{name}.csv")
        if silent:
            table = table[table.id != "d10_0"]
        else:
            table.loc[table.id == "d10_0", ["valence_predicted", "arousal_predicted"]] = np.nan
        write(folder / f"{name}.csv", table)
    run(copy)
    scores = json.loads((copy / "metrics/affect.json").read_text())
    assert (scores["turns"], scores["unlabelled"], scores["silent"]) == (11, 2, 1)
    assert scores["fold_1"]["rmse_valence"] == 1 and scores["fold_1"]["turns"] == 3  # the others are one off as before
    write(folder / "predictions.csv", pd.read_csv(folder / "predictions.csv").assign(valence_predicted=np.nan))
    with pytest.raises(ValueError, match=r"fold_1/predictions.csv: no finite prediction for d10_1"):
        run(copy)


def test_a_model_that_does_not_hear_has_no_conditions(copy):
    file = copy / "data/models/fusion/conditions.csv"
    write(file, pd.read_csv(file).head(0))
    run(copy)
    assert json.loads((copy / "metrics/emotion.json").read_text())["condition"] == {}
    table = pd.read_csv(copy / "plots/conditions.csv")
    assert table["condition"].tolist() == ["as it is"] * 2 and table["value"].tolist() == pytest.approx([5 / 6] * 2)


@pytest.mark.parametrize(
    "file, change, message",
    [
        ("fusion/predictions.csv", lambda t: t[t.id != "c3"], r"fusion/predictions.csv.*1 missing, 0 unknown \(c3"),
        ("pretrain_audio/predictions.csv", lambda t: t.replace("c3", "c9"), r"pretrain_audio.*1 missing, 1 unknown"),
        ("fusion/predictions.csv", lambda t: pd.concat([t, t[t.id == "c3"]]), "c3 occurs twice"),
        ("fusion/predictions.csv", lambda t: t.assign(label="sad"), "label of c1 is sad, but angry in labels.csv"),
        ("fusion/predictions.csv", lambda t: t.assign(predicted="joy"), "'joy' is not one of angry, happy, sad"),
        ("fusion/predictions.csv", lambda t: t.assign(p_sad=np.nan), "no finite prediction for c1"),
        ("fusion/predictions.csv", lambda t: t.drop(columns="p_sad"), "columns are .* expected .*p_sad"),
        ("va/fold_2/predictions.csv", lambda t: t.assign(valence=t.valence + 1), "valence of d20_0 is 3.0, labels"),
        ("va/fold_2/predictions.csv", lambda t: t.iloc[1:], r"fold_2/predictions.csv.*1 missing.*d20_0.*dvc repro"),
        ("fusion/conditions.csv", lambda t: t[t.id != "c3"], r"fusion/conditions.csv.*1 missing, 0 unknown \(c3"),
        ("fusion/conditions.csv", None, "fusion/conditions.csv: no such file"),
        ("va/fold_1/history.csv", None, "fold_1/history.csv: no such file"),
        ("fusion/attention.safetensors", None, "fusion/attention.safetensors: cannot be read"),
    ],
)
def test_results_that_do_not_fit_are_refused(copy, monkeypatch, file, change, message):
    path = copy / "data/models" / file
    if change:
        write(path, change(pd.read_csv(path)))
    else:
        path.unlink()
    monkeypatch.chdir(copy)
    with pytest.raises(ValueError, match=message):
        results.read_emotion(), results.read_affect(), results.histories([], [1, 2, 3])
        results.attention(results.MODELS / "fusion")


@pytest.mark.parametrize(
    "change, message",
    [
        ("draws: 1", "evaluate.draws is 1; give 100 or more"),
        ("clips: 0", "evaluate.clips is 0"),
        ("turns: 0", "evaluate.turns is 0"),
    ],
)
def test_params_are_checked(tmp_path, change, message):
    section = {"draws": 100, "clips": 3, "turns": 5} | yaml.safe_load(f"{{{change}}}")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params_of(section)))
    with pytest.raises(ValueError, match=re.escape(message)):
        evaluate.configure(tmp_path / "params.yaml")


def test_undefined_scores_are_null():
    assert json.loads(summaries.text({"a": float("nan"), "b": {"c": 0.123456789, "d": True}})) == {
        "a": None,
        "b": {"c": 0.123457, "d": True},
    }


def test_chosen_clips_span_the_errors():
    error = pd.Series({"e": 0.5, "a": 0.1, "d": 0.4, "b": 0.1, "c": 0.3})
    assert list(attention.choose(error, 3, 0))[1:] == ["c", "e"]
    assert sorted(list(attention.choose(error, 5, 0))[:2]) == ["a", "b"]
    assert list(attention.choose(error, 5, 0))[2:] == ["c", "d", "e"]
    assert list(attention.choose(error, 5, 0).values()) == ["best", "25%", "median", "75%", "worst"]
    assert attention.choose(error[:1], 3, 0) == {"e": "best"}


def test_equal_errors_are_drawn_by_seed_whatever_their_order():
    error = pd.Series(0.0, index=[f"c{i}" for i in range(20)])
    first = attention.choose(error, 3, 1)
    assert first == attention.choose(error[::-1], 3, 1)
    assert len({next(iter(attention.choose(error, 3, seed))) for seed in range(20)}) > 5


def test_plots_of_dvc_yaml_are_what_evaluate_writes(done):
    """Every declared plot has its file, its columns and its template, and every file is declared."""
    declared = set()
    for plot in yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]:
        if isinstance(plot, str):
            declared.add(plot)
            continue
        ((name, definition),) = plot.items()
        assert re.fullmatch(r"\w+", name), "DVC uses the name as an HTML id"
        ((file, y),) = definition["y"].items()
        declared.add(file)
        columns = set((done / file).read_text().splitlines()[0].split(","))
        template = json.loads((ROOT / ".dvc/plots" / f"{definition['template']}.json").read_text())
        used, made = fields(template)
        anchors = {"<DVC_METRIC_X>": definition["x"], "<DVC_METRIC_Y>": y}
        needed = {anchors.get(field, field) for field in used} - made - {"rev"}
        optional = {"fold", "clip"} if definition["template"] == "shares" else set()  # in tooltips
        assert needed - optional <= columns, f"{name}: {needed - columns} not in {file}"
    assert declared == {f"plots/{file.name}" for file in (done / "plots").iterdir()} - {"plots/report.html"}


def fields(template: object) -> tuple[set[str], set[str]]:
    """Names that a Vega-Lite template reads, and names that its transforms make."""
    used, made = set(), set()
    if isinstance(template, dict):
        used |= {value for key, value in template.items() if key == "field" and isinstance(value, str)}
        made |= {value for key, value in template.items() if key == "as" and isinstance(value, str)}
    for item in template.values() if isinstance(template, dict) else template if isinstance(template, list) else ():
        inner_used, inner_made = fields(item)
        used, made = used | inner_used, made | inner_made
    return used, made
