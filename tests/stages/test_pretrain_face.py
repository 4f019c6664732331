"""The face encoder through the stages: learned on stills, taken by the video model, used by the fusion."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from project_params import params_with
from safetensors.torch import load_file
from trained_project import CHANGES, facts, main, rows

from avemotion.formats import clips, labels
from avemotion.formats.clips import ClipMedia
from avemotion.training.common import resume
from avemotion.training.face import still_sets
from stages import features, fusion, pretrain_face, pretrain_video

SPLIT = {"train": 24, "val": 8, "test": 8}  # pictures
FACES = CHANGES | {
    "corpora.faces": {"name": "images", "root": "stills"},
    "video.encoder": "face",
    "video.width": 8,
    "video.pooling": "mean_std",
    "pretrain_face.epochs": 16,
    "pretrain_face.batch_size": 8,
    "pretrain_video.start": "face",
    "pretrain_video.epochs": 2,
    "fusion.mode": "gated",
    "fusion.warm_start": ["video"],
    "fusion.head_epochs": 1,
    "fusion.epochs": 1,
}


def bars(rng, across: bool) -> np.ndarray:
    """A picture of stripes, across or along, at a random place and contrast, [48, 48]."""
    wave = np.sin((np.arange(48) + rng.uniform(0, 9)) * 2 * np.pi / 9)
    picture = np.tile(wave[:, None] if across else wave, (1, 48) if across else (48, 1))
    return (128 + rng.uniform(40, 100) * picture + rng.normal(0, 8, (48, 48))).clip(0, 255).astype(np.uint8)


def write_stills() -> None:
    rng, media, table = np.random.default_rng(0), [], []
    Path("stills").mkdir()
    for split, count in SPLIT.items():
        for i in range(count):
            name = f"{split}_{i:02d}"
            cv2.imwrite(f"stills/{name}.png", bars(rng, i % 2 == 0))
            still = ClipMedia(
                id=name, audio=None, video=f"{name}.png", video_start=None, video_end=None, video_crop=None,
                duration=0.0, audio_hash=None, video_hash=name,
            )  # fmt: skip
            media.append(still)
            label = ("across", "along")[i % 2]
            table.append({"id": name, "speaker": name, "emotion": label, "label": label, "split": split})
    clips.write("faces", media)
    labels.write("faces", table, replace(facts("faces", []), classes=["across", "along"]))


@pytest.fixture(scope="module")
def project(trained, tmp_path_factory) -> Path:
    """The small project with stills, the pretrained encoder, and the video model that starts from it."""
    root = tmp_path_factory.mktemp("faces") / "project"
    shutil.copytree(trained, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        write_stills()
        params_with(root, FACES)
        main(features, "frames", "--role", "faces")
        main(pretrain_face)
        main(pretrain_video)
    return root


@pytest.fixture
def here(project, monkeypatch) -> None:
    monkeypatch.chdir(project)


def weights(stage: str) -> dict[str, torch.Tensor]:
    return load_file(f"data/models/{stage}/model.safetensors")


@pytest.mark.usefixtures("here")
def test_it_learns_what_the_pictures_show():
    scores = json.loads(Path("data/models/pretrain_face/scores.json").read_text())
    assert scores["test"] == {"pictures": 8, "accuracy": 1.0, "uar": 1.0, "macro_f1": 1.0}
    table = rows("pretrain_face/predictions.csv")
    assert table.split.value_counts().to_dict() == {"val": 8, "test": 8}
    assert (table.label == table.predicted).all() and len(rows_of_history()) == 16


def rows_of_history() -> list[str]:
    return Path("data/models/pretrain_face/history.csv").read_text().splitlines()[1:]


@pytest.mark.usefixtures("here")
def test_the_same_seed_gives_the_same_bytes(tmp_path):
    params_with(Path(), FACES)
    config = pretrain_face.configure(Path("params.yaml"))
    pretrain_face.train(config, tmp_path)
    for file in sorted(tmp_path.iterdir()):
        assert file.read_bytes() == (Path("data/models/pretrain_face") / file.name).read_bytes(), file.name


def test_a_killed_training_goes_on_with_the_same_bytes(project, tmp_path, monkeypatch):
    """Killed in epoch 9, as after DVC has deleted the out; params of another training start anew."""
    for name in ("data/manifest", "data/features", "stills"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(project / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(resume, "SECONDS", 0.0)
    seen, order, killed = [], still_sets.order, [9]

    def counted(targets, epoch, *others, **options):
        seen.append(epoch)
        if epoch in killed:
            raise KeyboardInterrupt
        return order(targets, epoch, *others, **options)

    monkeypatch.setattr(still_sets, "order", counted)
    params_with(tmp_path, FACES)
    with pytest.raises(KeyboardInterrupt):
        main(pretrain_face)
    assert seen == list(range(1, 10)) and not Path("data/models/pretrain_face").exists()
    killed[0], seen[:] = 2, []
    params_with(tmp_path, FACES | {"pretrain_face.lr": 1.0e-3})
    with pytest.raises(KeyboardInterrupt):
        main(pretrain_face)
    assert seen == [1, 2]
    killed[:], seen[:] = [], []
    params_with(tmp_path, FACES | {"compute.workers": 2})
    main(pretrain_face)
    assert seen == list(range(9, 17))
    for file in (project / "data/models/pretrain_face").iterdir():
        assert (Path("data/models/pretrain_face") / file.name).read_bytes() == file.read_bytes(), file.name
    assert not Path("data/work/pretrain_face").exists()


@pytest.mark.usefixtures("here")
def test_the_video_model_keeps_the_encoder_and_trains_its_classifier():
    given, taken = weights("pretrain_face"), weights("pretrain_video")
    encoder = {name for name in given if name.startswith("blocks.")}
    assert encoder == {name for name in taken if name.startswith("blocks.")}
    for name in encoder:
        torch.testing.assert_close(taken[name], given[name], rtol=0, atol=0)
    assert taken["classifier.weight"].shape == (2, 2 * 16 * 8)
    stored = json.loads(Path("data/models/pretrain_video/model.json").read_text())
    assert stored["video"] == {"encoder": "face", "width": 8, "stages": 2, "pooling": "mean_std"}
    assert stored["start"]["weights"] == "face" and set(stored["start"]["taken"]) == encoder


@pytest.mark.usefixtures("here")
def test_opened_blocks_move_and_the_others_stand_still(tmp_path):
    config = pretrain_video.configure(params_with(tmp_path, FACES | {"pretrain_video.blocks": 1}))
    pretrain_video.train(config, None, tmp_path)
    moved, given = load_file(tmp_path / "model.safetensors"), weights("pretrain_face")
    for name in (name for name in given if name.startswith("blocks.")):
        same = torch.equal(moved[name], given[name])
        assert same != name.startswith("blocks.4."), name


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("mode", ["gated", "xattn", "late", "video"])
def test_fusion_takes_it(tmp_path, mode):
    config = fusion.configure(params_with(tmp_path, FACES | {"fusion.mode": mode}))
    fusion.train(config, None, tmp_path)
    fused, given = load_file(tmp_path / "model.safetensors"), weights("pretrain_video")
    torch.testing.assert_close(fused["video.blocks.0.0.weight"], given["blocks.0.0.weight"], rtol=0, atol=0)
    torch.testing.assert_close(fused["video.normalize.mean"], given["normalize.mean"], rtol=0, atol=0)
    stored = json.loads((tmp_path / "model.json").read_text())
    assert stored["architecture"]["video"]["encoder"] == "face"
    assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 4  # one val and two test clips


@pytest.mark.usefixtures("here")
def test_missing_weights_are_named(tmp_path):
    changes = FACES | {"pretrain_video.face_checkpoint": str(tmp_path)}
    config = pretrain_video.configure(params_with(tmp_path, changes))
    with pytest.raises(
        ValueError, match=r"pretrain_video\.start is face, but .* has no model; name a corpus of stills"
    ):
        pretrain_video.train(config, None, tmp_path / "out")
    config = pretrain_video.configure(params_with(tmp_path, FACES | {"video.width": 16}))
    with pytest.raises(ValueError, match=r"has shape .* the model needs"):
        pretrain_video.train(config, None, tmp_path / "out")


def test_without_stills_it_leaves_the_reason(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    params_with(tmp_path, {})
    labels.write("faces", [], replace(facts("faces", []), corpus=None))
    main(pretrain_face)
    assert "corpora.faces names no corpus" in Path("data/models/pretrain_face/README.md").read_text()
    assert "nothing to train" in capsys.readouterr().out
