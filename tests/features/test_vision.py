"""The vision cache: the image encoder's output of cached crops, of the commit that it names."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import vision_toys
from project_params import REPO
from recordings import film, write_manifest, write_params
from small_hub import connected
from trained_project import main

from avemotion.features import vision
from avemotion.formats.feature_store import FeatureStore
from avemotion.models.vision import backbones
from avemotion.prediction import feature_settings
from stages import features

HUB = "studio/faces"


def cached(kind: str = "vision", role: str = "emotion") -> FeatureStore:
    return FeatureStore(Path(f"data/features/{kind}/{role}"))


def extract(*kinds: str, clips: str = "ab", **changes: object) -> FeatureStore:
    """Features of films, and of clip x without picture."""
    Path("corpus").mkdir(exist_ok=True)
    films = {clip: film(Path(f"corpus/{clip}.mp4"), seed) for seed, clip in enumerate(clips)}
    write_manifest({**dict.fromkeys(clips), "x": np.ones(8000) / 3}, films)
    of_section = {f"vision.{name}": value for name, value in changes.items()}
    write_params({"video.encoder": "vision", "features.frames.face": False, **of_section})
    main(features, *kinds, "--role", "emotion")
    return cached()


@pytest.mark.parametrize("layers", [0, 2])
def test_rows_are_the_encoders_output_of_the_cached_crops(tmp_path, layers):
    folder = vision_toys.publish(vision_toys.make("dinov2"), tmp_path / "model")
    store = extract("frames", "vision", model=str(folder), unfreeze_layers=layers)
    encoder, name = backbones.load(str(folder)), "boundary" if layers else "pooled"
    assert store.arrays == [name] and store.missing == ["x"]
    for clip in "ab":
        pixels = encoder.pictures(cached("frames").get(clip, "frames"))
        with torch.inference_mode():
            expected = encoder.entering(pixels, layers)
        np.testing.assert_allclose(store.get(clip, name), expected.numpy(), rtol=1e-5, atol=1e-5)
    assert np.abs(store.get("a", name) - store.get("b", name)).max() > 0.1
    facts = store.facts
    assert (facts["family"], facts["embedding"], facts["dim"]) == ("DINOv2", "class token", vision_toys.HIDDEN)
    assert (facts["blocks"], facts["boundary_block"], facts["picture_size"]) == (4, 4 - layers, vision_toys.SIDE)
    assert facts["picture_mean"] == vision_toys.PREPROCESSOR["image_mean"] and "commit" not in facts["settings"]
    assert set(facts["rounding"]) == {name}
    store.verify()


def test_only_clips_with_other_crops_are_computed_again(tmp_path, capsys):
    folder = vision_toys.publish(vision_toys.make("vit"), tmp_path / "model")
    before = extract("frames", "vision", model=str(folder)).get("a", "pooled").copy()
    extract("frames", "vision", clips="abc", model=str(folder))
    assert "features vision emotion: 4 clips, 1 without video, 2 unchanged, 1 to extract" in capsys.readouterr().out
    np.testing.assert_array_equal(cached().get("a", "pooled"), before)
    write_params({"video.encoder": "vision", "features.frames.size": 48, "vision.model": str(folder)})
    main(features, "frames", "vision", "--role", "emotion")
    assert "features vision emotion: 4 clips, 1 without video, 3 to extract" in capsys.readouterr().out
    assert np.abs(cached().get("a", "pooled") - before).max() > 1e-3


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({}, "video.encoder is face"), ({"video.encoder": "vision"}, "vision.model is null")],
    ids=str,
)
def test_without_an_image_encoder_it_leaves_an_empty_cache_and_imports_no_torch(changes, reason):
    write_params(changes)
    code = "import sys; sys.argv[1:] = ['vision', '--role', 'affect']; from stages import features; features.main()"
    code += "; assert not {'torch', 'transformers', 'torchvision'} & set(sys.modules)"
    environment = {"PYTHONPATH": str(REPO)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"features vision affect: {reason}, so there is nothing to extract\n"
    store = cached(role="affect")
    assert store.ids == store.arrays == []


def test_the_cache_names_the_commit_and_new_films_are_extracted_from_it(tmp_path, monkeypatch):
    hub = connected(monkeypatch, tmp_path / "cache")
    own = vision_toys.make("vit")
    for revision, shift in (("main", 0.0), ("v1", 1.0)):
        with torch.no_grad():
            own.layernorm.bias += shift
        hub.add(HUB, revision, vision_toys.publish(own, tmp_path / revision))
    commit = hub.commit(HUB, "v1")
    store = extract("frames", "vision", model=HUB, revision="v1")
    assert store.settings["vision"] == {"model": f"{HUB}@{commit}", "unfreeze_layers": 0}
    of_params = Path("params.yaml")
    assert feature_settings.changed({"vision": store.settings}, of_params) == ["vision"]  # a commit, and a branch
    write_params({"video.encoder": "vision", "vision.model": HUB})
    assert feature_settings.changed({"vision": store.settings}, of_params) == []
    hub.folders[HUB]["v1"] = hub.folders[HUB]["main"]  # the branch moves
    views = vision.restore(store.settings, "cpu").of_frames(cached("frames").get("a", "frames"))
    np.testing.assert_array_equal(views["clean"]["pooled"], store.get("a", "pooled"))
    with pytest.raises(ValueError, match=r"vision.model is 'studio/faces', which has no revision 'v9'; give a branch"):
        backbones.load(f"{HUB}@v9")
    with pytest.raises(
        ValueError, match=r"vision.model is 'studio/none', which is neither a folder nor a public model"
    ):
        backbones.load("studio/none")
    hub.stop()


def test_a_state_beyond_float16_is_refused_by_name(tmp_path):
    own = vision_toys.make("vit")
    with torch.no_grad():
        own.layernorm.weight.fill_(1e6)
    folder = vision_toys.publish(own, tmp_path / "model")
    Path("corpus").mkdir()
    write_manifest({"a": None}, {"a": film(Path("corpus/a.mp4"), 0)})
    write_params({"video.encoder": "vision", "vision.model": str(folder), "features.vision.dtype": "float16"})
    main(features, "frames", "--role", "emotion")
    with pytest.raises(ValueError, match="pooled of view clean is NaN or beyond float16"):
        main(features, "vision", "--role", "emotion")
