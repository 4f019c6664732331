"""The stage transfer on a trained toy: another corpus of films, of sound, of stills, and what it refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from project_params import params_with
from recordings import film, join, voice
from trained_project import CHANGES, main

import avemotion
from avemotion.manifest import role_tables
from avemotion.scoring import metrics
from stages import transfer

HEADER = "id,audio,video,emotion,speaker\n"
OPTIONS = {"table": "clips.csv", "scale": None, "cut_video": False}
CLASSES = ["angry", "happy"]


def corpus(rows: list[str], header: str = HEADER) -> None:
    """Recordings of other people in others/, and a table of them."""
    import cv2
    import soundfile

    role_tables.write_absent(Path("data/manifest"), "faces")

    folder = Path("others")
    folder.mkdir()
    for i, name in enumerate(("x1", "x2", "y1")):
        soundfile.write(folder / f"{name}.wav", voice(1.0, 90 + 40 * i, 20 + i), 16000, subtype="FLOAT")
        film(folder / f"{name}.mp4", 30 + i)
    picture = np.random.default_rng(5).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    cv2.imwrite(str(folder / "still.png"), picture)
    (folder / "clips.csv").write_text(header + "\n".join(rows) + "\n", encoding="utf-8")


def target(labels: object = "corpus", **changes: object) -> None:
    """params.yaml with that corpus as the target `others`."""
    entry = {"name": "csv", "root": "others", "labels": labels, "options": OPTIONS}
    params_with(Path(), CHANGES | {"manifest.max_rejected": 0.5, "corpora.transfer": {"others": entry | changes}})


def scores() -> dict:
    return json.loads(Path("metrics/transfer/others.json").read_text(encoding="utf-8"))


def predictions() -> pd.DataFrame:
    return pd.read_csv("data/transfer/others/fusion/predictions.csv").set_index("id")


FILMS = ["x1,x1.wav,x1.mp4,angry,Xen", "x2,x2.wav,x2.mp4,happy,Xen", "y1,y1.wav,y1.mp4,happy,Yan"]


def test_a_clip_has_the_prediction_of_commands_predict(own):
    """A recording shorter than a window of predict is one window: the same features and models, by another way."""
    corpus(FILMS)
    target()
    main(transfer)
    models, table = avemotion.load(own / "data/models"), predictions()
    for clip in table.index:
        join(Path(f"others/{clip}.mp4"), Path(f"others/{clip}.wav"), Path(f"{clip}_joined.mov"))
        (emotion,) = models.predict(f"{clip}_joined.mov").emotion
        assert table.loc[clip, [f"p_{name}" for name in CLASSES]].tolist() == pytest.approx(emotion.tolist(), abs=2e-6)
    right = table["label"] == table["predicted"]
    assert scores()["fusion"]["accuracy"] == pytest.approx(right.mean(), abs=1e-6)
    assert scores()["fusion"]["clips"] == 3 and scores()["synthetic"] is True  # the models are of made-up clips
    confusion = pd.read_csv("plots/transfer/others/fusion.csv")
    assert confusion["label"].tolist() == table["label"].tolist()
    labels = pd.read_csv("data/transfer/others/manifest/labels.csv")
    assert labels["split"].tolist() == ["test"] * 3


def test_categories_become_classes_of_the_run(own, capsys):
    corpus([*(row.replace("angry", "rage").replace("happy", "glee") for row in FILMS), "z,,still.png,boredom,Zoe"])
    target({"angry": ["rage"], "happy": ["glee"]})
    main(transfer)
    assert predictions()["label"].tolist() == ["angry", "happy", "happy"]
    rejected = pd.read_csv("data/transfer/others/manifest/rejected.csv")
    assert rejected["reason"].tolist() == ["corpora.transfer.others.labels leaves out the category: boredom"]
    assert "corpora.transfer.others.labels leaves out 1 boredom" in capsys.readouterr().out


def test_a_still_without_sound_and_a_sound_without_picture_have_predictions(own):
    corpus(["s,,still.png,angry,Sam", "t,x1.wav,,happy,Tom"])
    target()
    main(transfer)
    table = predictions()
    assert table["speaker"].tolist() == ["Sam", "Tom"]
    shares = table[[f"p_{name}" for name in CLASSES]]
    assert shares.sum(axis=1).tolist() == pytest.approx([1, 1], abs=2e-6)
    (emotion,) = avemotion.load(own / "data/models").predict("others/x1.wav").emotion
    assert shares.loc["t"].tolist() == pytest.approx(emotion.tolist(), abs=2e-6)
    frames = json.loads(next(Path("data/work/transfer/others").glob("frames_*/others/index.json")).read_text())
    assert frames["arrays"]["times"]["lengths"] == [1, 0]  # a still is one frame


def test_a_corpus_of_stills_needs_no_sound_at_all(own):
    corpus(["s,,still.png,angry,Sam", "t,,x1.mp4,happy,Tom"])
    target()
    main(transfer)
    assert predictions()["label"].tolist() == ["angry", "happy"]


def test_ratings_are_predicted_as_by_commands_predict_and_scored_on_the_scale_of_the_run(own):
    """A clip outside of a dialogue starts with an empty state, as a recording does; a dialogue carries it on."""
    rows = ["x1,x1.wav,x1.mp4,,Xen,2,8,", "x2,x2.wav,x2.mp4,happy,Xen,5,1,", "y1,y1.wav,y1.mp4,angry,Yan,9,4,"]
    corpus(rows, "id,audio,video,emotion,speaker,valence,arousal,dialogue\n")
    target(options=OPTIONS | {"scale": [1.0, 9.0]})
    main(transfer)
    models, table = avemotion.load(own / "data/models"), pd.read_csv("data/transfer/others/va/predictions.csv")
    assert table["id"].tolist() == ["x1", "x2", "y1"] and table["dialogue"].tolist() == ["Xen", "Xen", "Yan"]
    for clip, row in table.set_index("id").iterrows():
        join(Path(f"others/{clip}.mp4"), Path(f"others/{clip}.wav"), Path(f"{clip}_joined.mov"))
        affect = models.predict(f"{clip}_joined.mov").affect
        for name in ("valence", "arousal"):
            assert row[f"{name}_predicted"] == pytest.approx(affect[name][0].mean(), abs=1e-4)
    # The run's ratings are 1 to 5: 1 + (rating - 1) / 2.
    assert table["valence"].tolist() == [1.5, 3, 5] and table["arousal"].tolist() == [4.5, 1, 2.5]
    scores_of = scores()["va"]
    assert scores_of["turns"] == 3 and scores_of["ccc_valence"] == pytest.approx(
        metrics.ccc(table["valence"], table["valence_predicted"]), abs=1e-5
    )
    assert scores()["fusion"]["clips"] == 2  # those with an emotion

    dialogue = [row + "d" for row in rows[:2]] + [rows[2]]
    header = "id,audio,video,emotion,speaker,valence,arousal,dialogue\n"
    (own / "others/clips.csv").write_text(header + "\n".join(dialogue) + "\n", encoding="utf-8")
    main(transfer)
    again = pd.read_csv("data/transfer/others/va/predictions.csv")
    assert again["dialogue"].tolist() == ["d", "d", "Yan"]
    differ = (again["valence_predicted"] - table["valence_predicted"]).abs() > 1e-4
    assert differ.tolist() == [False, True, False]  # the second turn alone has a turn before it


def test_a_second_run_extracts_nothing_and_leaves_the_same_bytes(own, capsys):
    corpus(FILMS)
    target()
    main(transfer)
    kept = {file: file.read_bytes() for file in Path("data/transfer").rglob("*.*") if file.is_file()}
    shutil.rmtree("data/transfer")
    capsys.readouterr()
    main(transfer, "--target", "others")
    assert "3 clips, 3 unchanged" in capsys.readouterr().out
    assert {file: file.read_bytes() for file in Path("data/transfer").rglob("*.*") if file.is_file()} == kept


def refused(match: str) -> None:
    with pytest.raises(ValueError, match=match):
        main(transfer)
    assert not Path("data/transfer/others").exists() and not Path("metrics/transfer").exists()


def test_speakers_of_the_run_are_refused(own):
    corpus([*FILMS, "s,,still.png,angry,S2"])
    _of_corpus("csv")
    target()
    refused(r"corpora\.transfer\.others and corpora\.emotion are both csv and share speakers S2 \(1 in all\)")


def test_recordings_of_the_run_are_refused(own):
    corpus(FILMS)
    _hash_of("a1", "others/y1.wav")
    target()
    refused(r"corpora\.transfer\.others: y1 is the same recording as a1 of corpora\.emotion")


def test_a_class_that_no_model_has_is_refused(own):
    corpus(FILMS)
    target({"furious": ["angry"], "happy": ["happy"]})
    refused(r"labels has furious, which no model of this run predicts; their classes are angry, happy")


def test_a_category_that_the_target_does_not_have_is_refused(own):
    corpus(FILMS)
    target({"angry": ["rage"], "happy": ["happy"]})
    refused(r"corpora\.transfer\.others\.labels\.angry takes rage, which the corpus does not have; .* angry, .*happy")


def test_no_class_in_common_is_refused(own):
    corpus(["x1,x1.wav,x1.mp4,calm,Xen", "x2,x2.wav,x2.mp4,bored,Xen"])
    target()
    refused(
        r"(?s)no model of this run can be scored.*fusion: its classes are angry, happy; .* bored, calm; 0 in common"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "films"}, r"others\.name is 'films'; choose one of .*csv"),
        ({"options": None}, r"others\.options is null, but csv takes table, scale, cut_video"),
        ({"options": OPTIONS | {"tabel": "x"}}, r"others\.options: unknown key tabel"),
        ({"labels": {"angry": ["a"], "happy": ["a"]}}, r"others\.labels\.happy takes a, as labels\.angry does"),
        ({"more": 1}, r"others has the keys .*more.*; it takes name, root, labels, options"),
        ({"root": "elsewhere"}, r"others\.root is elsewhere, which is no folder"),
    ],
)
def test_what_a_target_may_say(own, changes, message):
    corpus(FILMS)
    target(**changes)
    refused(message)


def _of_corpus(name: str) -> None:
    file = Path("data/manifest/emotion/corpus.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"corpus": name}))


def _hash_of(clip: str, file: str) -> None:
    """Make clips.csv name the bytes of a file as the sound of a clip of the run."""
    import hashlib

    table = pd.read_csv("data/manifest/emotion/clips.csv", dtype=str)
    digest = hashlib.blake2b(Path(file).read_bytes(), digest_size=16).hexdigest()
    table.loc[table["id"] == clip, "audio_hash"] = digest
    table.to_csv("data/manifest/emotion/clips.csv", index=False)
