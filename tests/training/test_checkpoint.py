"""Checkpoints: the same bytes, warm starts that say what they took, and files that are not trusted."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from fusion_toys import fusion
from torch import nn
from torchvision.models import resnet18

from avemotion.models.encoders.audio_encoders import build_audio
from avemotion.models.encoders.video_encoder import VideoResNet18
from avemotion.training.common import checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol")


class Creates:
    """A pickle of this would create a file when it is loaded."""

    def __init__(self, file: Path):
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


def small(features=3):
    return nn.Sequential(nn.Linear(features, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_the_same_weights_give_the_same_bytes_and_come_back(tmp_path):
    model = fusion("xattn_gated")
    config = {"classes": ["a", "b"], "architecture": {"mode": "xattn"}}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        checkpoint.save(tmp_path / name, model, config)
    for file in ("model.safetensors", "model.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    loaded_config, state = checkpoint.load(tmp_path / "one")
    assert loaded_config == config and state.keys() == model.state_dict().keys()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"model": state, "epoch": 3}])
def test_state_dicts_bare_and_wrapped(tmp_path, wrap):
    model = small()
    torch.save(wrap(model.state_dict()), tmp_path / "model.pt")
    state = checkpoint.read_weights(tmp_path / "model.pt")
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_warm_start_reports_what_it_took(tmp_path):
    model, given = small(), small().state_dict()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = {name: value + 1 for name, value in given.items() if not name.startswith("2.")} | {"x.bias": torch.ones(1)}
    report = checkpoint.warm_start(model, state, "old")
    batch_norm = ["1.bias", "1.num_batches_tracked", "1.running_mean", "1.running_var", "1.weight"]
    assert report == {
        "taken": sorted(["0.bias", "0.weight", *batch_norm]),
        "missing": ["2.bias", "2.weight"],
        "unused": ["x.bias"],
    }
    after = model.state_dict()
    assert all(torch.equal(after[name], state[name]) for name in report["taken"])
    assert all(torch.equal(after[name], before[name]) for name in report["missing"])


def test_warm_start_of_another_shape_names_the_weight_and_changes_nothing():
    model = small(features=5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(
        ValueError, match=r"old/model: '0\.weight' has shape \[4, 3\], the model needs \[4, 5\]; .*re-run"
    ):
        checkpoint.warm_start(model, small(features=3).state_dict(), "old/model")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("prefix", ["module.", "model.", "module.model."])
def test_prefixes_of_wrappers_are_dropped(prefix):
    model, given = small(), small().state_dict()
    report = checkpoint.warm_start(model, {prefix + name: value for name, value in given.items()}, "old")
    assert report == {"taken": sorted(given), "missing": [], "unused": []}
    assert all(torch.equal(value, given[name]) for name, value in model.state_dict().items())


def test_torchvision_s_resnet_becomes_the_video_encoder_and_its_1000_classes_are_left_out(capsys):
    given, model = resnet18().eval(), VideoResNet18(8).eval()
    report = checkpoint.warm_start(model, given.state_dict(), "resnet18.pth")
    assert report["missing"] == report["unused"] == ["classifier.bias", "classifier.weight"]
    assert len(report["taken"]) == len(given.state_dict()) - 2
    assert capsys.readouterr().out.startswith("resnet18.pth: its classifier is of other classes and left out: ")
    frames, mask = torch.rand(1, 2, 3, 32, 32), torch.ones(1, 2, dtype=torch.bool)
    given.fc = nn.Identity()
    expected = given((frames[0] - model.mean) / model.std).mean(0, keepdim=True)
    torch.testing.assert_close(model.encode(frames, mask), expected)


def test_torchvision_s_names_fit_the_audio_encoder_but_three_colours_do_not():
    model, given = build_audio(8, {"encoder": "resnet18"}), resnet18()
    with pytest.raises(ValueError, match=r"'resnet\.conv1\.weight' has shape \[64, 3, 7, 7\], the model needs \[64, 1"):
        checkpoint.warm_start(model, given.state_dict(), "resnet18.pth")
    given.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    report = checkpoint.warm_start(model, given.state_dict(), "resnet18.pth")
    assert report["unused"] == ["fc.bias", "fc.weight"]
    kept = ["classifier.bias", "classifier.weight", "normalize.mean", "normalize.std", "resnet.fc.bias"]
    assert report["missing"] == [*kept, "resnet.fc.weight"]
    assert torch.equal(model.resnet.layer4[1].conv2.weight, given.layer4[1].conv2.weight)


def test_wavlm_of_other_classes_loads_its_layers_and_leaves_both_layers_of_the_classifier():
    arguments = {"encoder": "wavlm", "model": "tiny", "unfreeze_layers": 2}
    given, model = build_audio(4, arguments), build_audio(8, arguments)
    before = model.classifier[0].weight.clone()
    report = checkpoint.warm_start(model, given.state_dict(), "old")
    classifier = [f"classifier.{i}.{name}" for i in (0, 3) for name in ("bias", "weight")]
    assert report["missing"] == report["unused"] == classifier
    assert torch.equal(model.classifier[0].weight, before)
    assert all(torch.equal(value, given.top.state_dict()[name]) for name, value in model.top.state_dict().items())


def test_a_weight_under_two_names_is_an_error():
    given = small().state_dict()
    with pytest.raises(ValueError, match="old: two of its names mean the same weight"):
        checkpoint.warm_start(small(), given | {f"module.{name}": value for name, value in given.items()}, "old")


@pytest.mark.parametrize("shape", [(3, 5, 7), (8, 9), ()])
def test_a_classifier_over_another_embedding_is_an_error(shape):
    model = build_audio(8, {"encoder": "cnn"})
    state = model.state_dict() | {"classifier.weight": torch.zeros(shape)}
    with pytest.raises(ValueError, match=r"'classifier\.weight' has shape .*, the model needs \[8, 128\]"):
        checkpoint.warm_start(model, state, "old")


def test_warm_start_from_something_else_entirely():
    with pytest.raises(ValueError, match="old: shares no weight name"):
        checkpoint.warm_start(small(), {"encoder.weight": torch.ones(1)}, "old")


@pytest.mark.parametrize("form", ["torch", "legacy", "pickle", "in_model"])
def test_a_malicious_pickle_is_refused_and_not_executed(tmp_path, form):
    harmed, file = tmp_path / "harmed", tmp_path / "model.pt"
    if form == "pickle":
        file.write_bytes(pickle.dumps({"w": Creates(harmed)}))
    else:
        content = {"model": {"w": Creates(harmed)}} if form == "in_model" else {"w": Creates(harmed)}
        torch.save(content, file, _use_new_zipfile_serialization=form != "legacy")
    with pytest.raises(ValueError, match=r"model\.pt: not a readable checkpoint"):
        checkpoint.read_weights(file)
    assert not harmed.exists()
    torch.load(file, weights_only=False) if form != "pickle" else pickle.loads(file.read_bytes())
    assert harmed.exists()  # it would have worked


def damaged(file: Path, form: str) -> None:
    if form == "missing":
        return
    if form == "empty":
        file.write_bytes(b"")
    elif form == "text":
        file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")
    elif form == "other zip":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a.txt", "b")
    elif file.suffix == ".pt":
        torch.save(small().state_dict(), file)
        file.write_bytes(file.read_bytes()[:-200])
    else:
        checkpoint.save(file.parent, small(), {})
        file.write_bytes(file.read_bytes()[:-20])


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("form", ["missing", "empty", "text", "other zip", "truncated"])
def test_damaged_files_are_named(tmp_path, suffix, form):
    file = tmp_path / f"model{suffix}"
    damaged(file, form)
    with pytest.raises(ValueError, match=rf"model\{suffix}: not a readable checkpoint \(.*give a \.safetensors"):
        checkpoint.read_weights(file)


@pytest.mark.parametrize("zipped", [True, False])
def test_whatever_the_damage_the_file_is_named(tmp_path, zipped):
    file, rng = tmp_path / "model.pt", np.random.default_rng(0)
    torch.save({"weight": torch.ones(2)}, file, _use_new_zipfile_serialization=zipped)
    whole, refused = file.read_bytes(), 0
    for _ in range(150):
        changed = bytearray(whole)
        for at in rng.integers(0, min(len(whole), 600), 3):
            changed[at] = rng.integers(0, 256)
        file.write_bytes(bytes(changed))
        try:
            checkpoint.read_weights(file)  # a changed number or name is no damage that anyone could see
        except ValueError as error:
            assert str(error).startswith(f"{file}: ")
            refused += 1
    assert refused > 50


@pytest.mark.parametrize("content", [{"model": {"epoch": 3}}, [torch.ones(1)], torch.ones(1), {"epoch": 3}])
def test_other_things_than_weights_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(ValueError, match=r"model\.pt: holds something else than named tensors"):
        checkpoint.read_weights(tmp_path / "model.pt")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_truncated_at_every_tenth_with_any_bytes_and_with_the_other_ones_name(tmp_path, suffix):
    checkpoint.save(tmp_path, small(), {})
    torch.save(small().state_dict(), tmp_path / "model.pt")
    file = tmp_path / f"model{suffix}"
    other = file.with_suffix(".pt" if suffix == ".safetensors" else ".safetensors")
    whole = file.read_bytes()
    cut = [whole[: len(whole) * tenth // 10] for tenth in range(10)]
    drawn = [np.random.default_rng(size).bytes(size) for size in (1, 8, 9, 100, 5000)]
    for content in (*cut, *drawn, other.read_bytes()):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=rf"model\{suffix}: not a readable checkpoint"):
            checkpoint.read_weights(file)
    file.write_bytes(whole)
    assert checkpoint.read_weights(file).keys() == small().state_dict().keys()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(tmp_path, value):
    model = small()
    model[2].bias.data[1] = value
    checkpoint.save(tmp_path, model, {})
    with pytest.raises(ValueError, match=r"model\.safetensors: weight '2\.bias' is NaN or infinite"):
        checkpoint.load(tmp_path)


@pytest.mark.parametrize(
    "config",
    [
        *({}, [], 3, None, {"architecture": None}, {"architecture": {}}),
        *({"architecture": {"features": given}} for given in (4, "3")),
        {"architecture": {"features": 3, "more": 1}},
    ],
)
def test_a_config_of_another_model_is_refused(tmp_path, config):
    checkpoint.save(tmp_path, small(), config)
    with pytest.raises(ValueError, match=r"another version of the code|holds no names and values"):
        checkpoint.rebuild(tmp_path, lambda *, features: small(features))
    checkpoint.save(tmp_path, small(), {"architecture": {"features": 3}})
    assert isinstance(checkpoint.rebuild(tmp_path, lambda *, features: small(features))[1], nn.Module)


@pytest.mark.parametrize("text", [None, "{", "\ufffe"])
def test_a_checkpoint_folder_without_a_readable_config(tmp_path, text):
    checkpoint.save(tmp_path, small(), {})
    (tmp_path / "model.json").unlink()
    if text is not None:
        (tmp_path / "model.json").write_bytes(text.encode("utf-16"))
    with pytest.raises(ValueError, match=r"model\.json: .*run the stage that writes it"):
        checkpoint.load(tmp_path)
