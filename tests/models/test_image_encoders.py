"""Image encoders of every family, as their authors publish them: loaded whole, extracted exactly, or refused."""

import json
import re

import huggingface_hub.constants
import numpy as np
import pytest
import speech_toys
import torch
import transformers
import vision_toys
from torch import nn
from vision_toys import LAYERS, OPEN, PREPROCESSOR, SIDE, WHOLE, make, pictures, publish

from avemotion.models.vision import backbones, picture_input


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder, as working folder."""
    monkeypatch.chdir(tmp_path)


def embedding(model, pixels: torch.Tensor) -> torch.Tensor:
    """The embedding as transformers itself gives it."""
    if isinstance(model, transformers.ViTForImageClassification):
        model = model.vit
    if isinstance(model, transformers.CLIPModel):  # its image features before the projection to words
        model.visual_projection = nn.Identity()
        return model.get_image_features(pixels).pooler_output
    if isinstance(model, transformers.SiglipModel):
        return model.get_image_features(pixels).pooler_output
    output = model(pixels)
    if isinstance(model, transformers.ViTModel | transformers.DeiTModel):
        return output.last_hidden_state[:, 0]
    return output.pooler_output.flatten(1)


@pytest.mark.parametrize("name", [*OPEN, *WHOLE])
def test_the_embedding_is_that_of_transformers_and_pictures_do_not_depend_on_each_other(tmp_path, name):
    own = make(name)
    encoder = backbones.load(str(publish(own, tmp_path / "model")))
    pixels = encoder.pictures(pictures())
    with torch.no_grad():
        found, expected = encoder.embed(pixels), embedding(own, pixels)
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
        assert found.shape == (3, encoder.dim()) and found.std(0).min() > 1e-3  # pictures and dimensions differ
        for i in range(3):
            torch.testing.assert_close(encoder.embed(pixels[i : i + 1])[0], found[i], rtol=1e-5, atol=1e-5)
    assert not encoder.model.training and backbones.dim(str(tmp_path / "model")) == encoder.dim()
    assert backbones.parameters(str(tmp_path / "model")) == sum(p.numel() for p in encoder.model.parameters())


@pytest.mark.parametrize("name", OPEN)
@pytest.mark.parametrize("blocks", [1, 2, LAYERS])
def test_the_last_blocks_continue_from_the_boundary_with_the_outputs_and_gradients_of_the_whole(tmp_path, name, blocks):
    encoder = backbones.load(str(publish(make(name), tmp_path / "model")))
    pixels = encoder.pictures(pictures())
    with torch.inference_mode():
        states = encoder.entering(pixels, blocks)
    top = backbones.fresh_top(str(tmp_path / "model"), blocks).eval()
    top.load_state_dict(encoder.top(blocks).state_dict())
    whole = encoder.embed(pixels)
    found = top(states.clone())
    torch.testing.assert_close(found, whole, rtol=0, atol=0)
    weights = torch.randn_like(whole)
    (found * weights).sum().backward()
    (whole * weights).sum().backward()
    assert encoder.boundary(blocks) == LAYERS - blocks and encoder.head is not None
    numbered = {str(n): encoder.blocks[n] for n in range(LAYERS - blocks, LAYERS)}
    for part, theirs in ((top.blocks, nn.ModuleDict(numbered)), (top.head, encoder.head)):
        for key, parameter in part.named_parameters():
            torch.testing.assert_close(parameter.grad, theirs.get_parameter(key).grad, rtol=0, atol=0, msg=key)
            assert (parameter.grad is not None and parameter.grad.abs().max() > 0) or key.endswith("k_proj.bias")


def test_blocks_of_another_boundary_keep_their_numbers(tmp_path):
    encoder = backbones.load(str(publish(make("vit"), tmp_path / "model")))
    one, two = encoder.top(1).state_dict(), encoder.top(2).state_dict()
    assert one.keys() < two.keys() and all(torch.equal(two[key], value) for key, value in one.items())


@pytest.mark.parametrize("name", WHOLE)
def test_families_whose_layers_take_more_than_a_state_run_frozen(tmp_path, name):
    encoder = backbones.load(str(publish(make(name), tmp_path / "model")))
    with pytest.raises(ValueError, match=r"vision.unfreeze_layers is 1, but models of .* run frozen here; give 0"):
        encoder.entering(encoder.pictures(pictures()), 1)


def test_more_blocks_than_there_are(tmp_path):
    encoder = backbones.load(str(publish(make("vit"), tmp_path / "model")))
    with pytest.raises(ValueError, match=r"vision.unfreeze_layers is 5, but the model has 4 blocks; give 0 to 4"):
        encoder.top(5)
    with pytest.raises(ValueError, match=r"vision.unfreeze_layers is 5, but the model has 4 blocks; give 0 to 4"):
        backbones.fresh_top(str(tmp_path / "model"), 5)


def test_a_classifier_is_left_out_and_named(tmp_path, capsys):
    backbones.load(str(publish(make("facial_expression"), tmp_path / "model")))
    assert "classifier.bias, classifier.weight left out, no part of ViTModel" in capsys.readouterr().err


@pytest.mark.parametrize("side", [SIDE, 48, 20])
@pytest.mark.parametrize("resample", [2, 3])
def test_pictures_are_those_of_transformers_processor(tmp_path, side, resample):
    folder = publish(make("vit"), tmp_path / "model", PREPROCESSOR | {"resample": resample})
    processor = transformers.ViTImageProcessor.from_pretrained(folder)
    places = np.linspace(0, 3, side)
    across = np.outer(np.sin(places), np.cos(2 * places))
    waves = np.stack([across, np.outer(places, places) / 9, np.zeros_like(across)])
    smooth = np.round(127 + 120 * waves.transpose(1, 2, 0)).astype(np.uint8)
    expected = processor([smooth], return_tensors="pt").pixel_values
    found = backbones.load(str(folder)).pictures(smooth[None])
    # The processor rounds pictures to 256 levels after each of two resizings.
    tolerance = 1e-5 if side == SIDE else 1.5 / 255 / min(PREPROCESSOR["image_std"])
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


def test_a_crop_from_the_centre_cuts_no_face(tmp_path):
    """Published DINOv2 resizes to 256 and crops 224: a face crop is resized to 224 as a whole."""
    cropped = PREPROCESSOR | {"size": {"shortest_edge": 48}, "crop_size": {"height": SIDE, "width": SIDE}}
    folder = publish(make("dinov2"), tmp_path / "model", cropped | {"do_center_crop": True})
    assert backbones.load(str(folder)).pictures.size == SIDE


ODD = [
    ({"image_mean": None}, "has image_mean None, not three numbers"),
    ({"image_std": [0.2]}, "has image_std [0.2], not three numbers"),
    ({"image_std": [0.2, 0.0, 0.2]}, "has image_std [0.2, 0.0, 0.2]; give"),
    ({"size": {"height": 32, "width": 40}}, "has size {'height': 32, 'width': 40}, not one number of pixels"),
    ({"size": None}, "has size None, not one number of pixels"),
    ({"size": 48}, "has pictures of 48 pixels, but its config.json image_size 32"),
    ({"resample": 0}, "has resample 0; known are {2: 'bilinear', 3: 'bicubic'}"),
    ({"rescale_factor": 1 / 127.5}, "does not scale pixels to 0..1"),
    ({"do_rescale": False}, "does not scale pixels to 0..1"),
]


@pytest.mark.parametrize(("changes", "message"), ODD, ids=str)
def test_an_odd_preprocessor_is_refused(tmp_path, changes, message):
    folder = publish(make("vit"), tmp_path / "model", PREPROCESSOR | changes)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        backbones.load(str(folder))
    assert str(caught.value).startswith(f"vision.model is '{folder}', whose preprocessor_config.json")


def test_a_missing_preprocessor_is_refused(tmp_path):
    folder = publish(make("clip"), tmp_path / "model", None)
    with pytest.raises(ValueError, match=r"but its preprocessor_config.json, which .* is not beside config.json"):
        backbones.load(str(folder))


def test_models_of_sound_and_text_are_refused(tmp_path):
    speech_toys.make("hubert base").save_pretrained(tmp_path / "speech")
    with pytest.raises(ValueError, match=r"whose config.json has model_type hubert, which is no image encoder known"):
        backbones.load(str(tmp_path / "speech"))
    transformers.BertConfig().save_pretrained(tmp_path / "text")
    with pytest.raises(ValueError, match=r"model_type bert, .* give one of ViT, DeiT, CLIP, SigLIP, DINOv2"):
        backbones.load(str(tmp_path / "text"))


def test_a_part_that_is_missing_is_refused(tmp_path):
    folder = publish(make("dinov2"), tmp_path / "model")
    transformers.Dinov2Config(**OPEN["dinov2"][1] | {"num_hidden_layers": 5}).save_pretrained(folder)
    with pytest.raises(ValueError, match=r"whose checkpoint lacks encoder.layer.4.*do not belong together"):
        backbones.load(str(folder))


def test_no_network_and_a_folder_without_a_model(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=r"vision.model is 'studio/vit', but it is neither in the local cache nor"):
        backbones.load("studio/vit")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="but the folder holds no image model"):
        backbones.load("empty")


def test_constants_of_the_toys_are_read(tmp_path):
    folder = publish(make("vit"), tmp_path / "model")
    stated = picture_input.stated(str(folder), "vision.model", 2)
    assert (stated.size, stated.mode, list(stated.mean)) == (SIDE, "bicubic", PREPROCESSOR["image_mean"])
    assert json.loads((folder / "preprocessor_config.json").read_text()) == vision_toys.PREPROCESSOR
