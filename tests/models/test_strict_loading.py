"""Published weights: every tensor is the checkpoint's, or the checkpoint is refused."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from project_params import params_with
from safetensors.torch import load_file, save_file
from transformers import WavLMConfig, WavLMForCTC, WavLMForXVector, WavLMModel

from avemotion.features.speaker import xvector
from avemotion.models.speech import pretrained
from avemotion.params import whole

SIZES = {
    **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32},
    **{"conv_dim": (16, 16), "conv_kernel": (10, 3), "conv_stride": (5, 64), "num_feat_extract_layers": 2},
    **{"num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2, "vocab_size": 5},
}
Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A small WavLM as its authors would publish it."""
    folder = tmp_path_factory.mktemp("published") / "wavlm"
    with torch.random.fork_rng():
        torch.manual_seed(7)
        WavLMModel(WavLMConfig(**SIZES)).save_pretrained(folder)
    return folder


@pytest.fixture
def changed(published, tmp_path) -> Callable[[Callable[[Tensors], Tensors]], Path]:
    """The published checkpoint with other tensors."""

    def change(to: Callable[[Tensors], Tensors]) -> Path:
        folder = Path(shutil.copytree(published, tmp_path / "changed"))
        save_file(to(load_file(folder / "model.safetensors")), folder / "model.safetensors", {"format": "pt"})
        return folder

    return change


def assert_loaded(folder: Path, tensors: Tensors, atol: float = 0) -> None:
    state = pretrained.load(str(folder)).state_dict()
    assert all(value.dtype == torch.float32 for value in state.values())
    for name, value in tensors.items():
        torch.testing.assert_close(state[name], value, rtol=0, atol=atol)
    again = pretrained.load(str(folder)).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in state.items())


def test_every_tensor_is_the_checkpoints(published):
    assert_loaded(published, load_file(published / "model.safetensors"))


def test_old_names_of_weight_norm_and_a_pickle(published, tmp_path):
    """As microsoft/wavlm-base is published: pytorch_model.bin, weight_g and weight_v."""
    tensors = load_file(published / "model.safetensors")
    old = {"original0": "weight_g", "original1": "weight_v"}
    renamed = {
        name.replace(f"parametrizations.weight.{name[-9:]}", old.get(name[-9:], "")): value
        for name, value in tensors.items()
    }
    assert "encoder.pos_conv_embed.conv.weight_g" in renamed
    shutil.copy(published / "config.json", tmp_path)
    torch.save(renamed, tmp_path / "pytorch_model.bin")
    assert_loaded(tmp_path, tensors)


def test_half_precision_is_computed_in_float32(changed):
    folder = changed(lambda tensors: {name: value.half() for name, value in tensors.items()})
    assert_loaded(folder, {n: v.float() for n, v in load_file(folder / "model.safetensors").items()})


def test_a_mask_embedding_that_nothing_uses_may_be_absent(changed):
    folder = changed(lambda tensors: {name: value for name, value in tensors.items() if name != "masked_spec_embed"})
    assert_loaded(folder, load_file(folder / "model.safetensors"))


def test_the_head_of_a_fine_tuned_model_is_left_out_and_named(tmp_path, capsys):
    torch.manual_seed(1)
    fine_tuned = WavLMForCTC(WavLMConfig(**SIZES))
    fine_tuned.save_pretrained(tmp_path)
    assert_loaded(tmp_path, fine_tuned.wavlm.state_dict())
    assert f"speech.model {tmp_path}: lm_head.bias, lm_head.weight left out, no part of WavLMModel" in (
        capsys.readouterr().err
    )


FAULTS = {
    "the last layer is absent": (
        lambda tensors: {name: value for name, value in tensors.items() if ".layers.1." not in name},
        r"whose checkpoint lacks encoder\.layers\.1\..*, .* and \d+ more; .* download both again",
    ),
    "a layer too many": (
        lambda tensors: tensors | {"encoder.layers.2.layer_norm.bias": torch.zeros(32)},
        r"whose checkpoint has, besides the model's own, encoder\.layers\.2\.layer_norm\.bias;",
    ),
    "another shape": (
        lambda tensors: tensors | {"feature_projection.projection.bias": torch.zeros(7)},
        r"whose checkpoint has another shape of feature_projection\.projection\.bias;",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_checkpoint_that_is_not_whole_is_refused(changed, name):
    change, message = FAULTS[name]
    with pytest.raises(ValueError, match=rf"speech\.model is .*{message}"):
        pretrained.load(str(changed(change)))


def test_a_file_cut_short_is_refused(published, tmp_path):
    folder = Path(shutil.copytree(published, tmp_path / "short"))
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"speech\.model is .*, whose weights do not load \(.*\); download them again"):
        pretrained.load(str(folder))


def test_layers_of_a_folder_are_checked(published, tmp_path):
    params = params_with(tmp_path, {"speech.model": str(published), "speech.unfreeze_layers": 3, "fusion.epochs": 0})
    with pytest.raises(ValueError, match=r"speech\.unfreeze_layers is 3, but .*wavlm has 2 layers"):
        whole.refuse(whole.read(params))


def test_the_speaker_model_is_loaded_whole_too(tmp_path):
    sizes = SIZES | {"conv_dim": (16,) * 7, "conv_kernel": (10, 3, 3, 3, 3, 2, 2), "conv_stride": (5, 2, 2, 2, 2, 2, 2)}
    model = WavLMForXVector(WavLMConfig(**sizes | {"num_feat_extract_layers": 7}))
    model.save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    save_file({k: v for k, v in load_file(weights).items() if "tdnn.2" not in k}, weights, {"format": "pt"})
    with pytest.raises(ValueError, match=r"features\.speaker\.source is .*, whose checkpoint lacks tdnn\.2\."):
        xvector(torch.zeros(16000), str(tmp_path), "cpu")
    with pytest.raises(ValueError, match=r"features\.speaker\.source is .*, but the folder holds no wavlm model"):
        xvector(torch.zeros(16000), str(tmp_path.parent), "cpu")
