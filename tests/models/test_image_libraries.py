"""Image encoders of torchvision and timm: their own embeddings, exact top blocks, and refusals."""

from pathlib import Path

import pytest
import torch
from torch import nn
from vision_toys import SIDE, pictures

from avemotion.models.vision import backbones, timm_images, torchvision_images
from avemotion.models.vision.picture_input import PictureInput


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder, as working folder and as torch's cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


CONVOLUTIONAL = ["resnet18", "resnet50", "convnext_tiny", "efficientnet_b0", "mobilenet_v3_small", "regnet_y_400mf"]


def published_net(name: str, folder: Path) -> nn.Module:
    """A random network of torchvision, in torch's cache under the name of its weights."""
    from torchvision.models import get_model, get_model_weights

    torch.manual_seed(5)
    net = get_model(name).eval()
    with torch.no_grad():
        for part in net.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.normal_(0, 0.2)
                part.running_var.uniform_(0.5, 2)
                part.bias.normal_(0, 0.2)
    file = folder / "torch/hub/checkpoints" / get_model_weights(name)["DEFAULT"].url.rsplit("/", 1)[-1]
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(net.state_dict(), file)
    return net


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_networks_of_torchvision(tmp_path, name):
    """The oracle is what torchvision's own classifier takes."""
    net = published_net(name, tmp_path)
    encoder = backbones.load(f"torchvision:{name}")
    assert encoder.pictures.size in (224, 236) and encoder.pictures.mean == (0.485, 0.456, 0.406)
    pixels = torch.randn(2, 3, 64, 64)
    taken = []
    hooked = net.fc if hasattr(net, "fc") else net.classifier[2 if name.startswith("convnext") else 0]
    hooked.register_forward_pre_hook(lambda _, args: taken.append(args[0]))
    with torch.no_grad():
        net(pixels)
        found = encoder.embed(pixels)
        torch.testing.assert_close(found, taken[0], rtol=0, atol=0)
        for i in range(2):
            torch.testing.assert_close(encoder.embed(pixels[i : i + 1])[0], found[i], rtol=1e-4, atol=1e-5)
        for blocks in (1, 2, encoder.total):
            top = backbones.fresh_top(f"torchvision:{name}", blocks).eval()
            top.load_state_dict(encoder.top(blocks).state_dict())
            torch.testing.assert_close(top(encoder.entering(pixels, blocks)), found, rtol=0, atol=0)
    assert found.shape == (2, encoder.dim())


def test_gradients_of_a_network_of_torchvision(tmp_path):
    published_net("resnet18", tmp_path)
    encoder, pixels = backbones.load("torchvision:resnet18"), torch.randn(2, 3, 64, 64)
    top = encoder.top(1).eval()
    with torch.inference_mode():
        states = encoder.entering(pixels, 1)
    top(states.clone()).square().sum().backward()
    encoder.embed(pixels).square().sum().backward()
    for key, parameter in top.blocks["4"].named_parameters():
        torch.testing.assert_close(parameter.grad, encoder.blocks[4].get_parameter(key).grad, rtol=0, atol=0)


def test_names_and_weights_of_torchvision(tmp_path, monkeypatch):
    assert backbones.pinned("torchvision:resnet50") == "torchvision:resnet50@IMAGENET1K_V2"
    assert torchvision_images.weights_of("torchvision:resnet50@IMAGENET1K_V1") == "IMAGENET1K_V1"
    with pytest.raises(ValueError, match="weights of resnet50 are IMAGENET1K_V1, IMAGENET1K_V2; give one or null"):
        backbones.load("torchvision:resnet50@V9")
    with pytest.raises(ValueError, match="of this family torchvision has resnet101, resnet152, resnet18"):
        backbones.load("torchvision:resnet99")
    with pytest.raises(ValueError, match=r"known are torchvision's networks resnet, resnext"):
        backbones.load("torchvision:r3d_18")

    def no_network(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("torch.hub.download_url_to_file", no_network)
    with pytest.raises(
        ValueError, match=r"neither in torch's cache nor downloadable .* put resnet50-11ad3fa6.pth into"
    ):
        backbones.load("torchvision:resnet50")


def test_models_of_timm(tmp_path):
    timm = pytest.importorskip("timm", reason="needs the extra timm")
    from timm.models import save_for_hf

    torch.manual_seed(5)
    facts = {"input_size": (3, SIDE, SIDE), "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.2, 0.2), "classifier": "fc"}
    own = timm.create_model("resnet10t", num_classes=7, pretrained_cfg=facts).eval()
    save_for_hf(own, tmp_path / "model", safe_serialization=True)
    name = f"timm:{tmp_path / 'model'}"
    encoder = backbones.load(name)
    pixels = encoder.pictures(pictures())
    with torch.no_grad():
        expected = own.forward_head(own.forward_features(pixels), pre_logits=True)
        torch.testing.assert_close(encoder.embed(pixels), expected, rtol=0, atol=0)
    assert encoder.pictures == PictureInput(size=SIDE, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2), mode="bicubic")
    assert backbones.dim(name) == 512 and backbones.pinned(name) == name
    with pytest.raises(ValueError, match="models of timm run frozen here"):
        encoder.top(1)
    with pytest.raises(ValueError, match="'timm:no_such_net', which timm cannot load"):
        backbones.load("timm:no_such_net")


def test_timm_names_with_a_revision_are_those_of_the_hub(tmp_path):
    assert timm_images._place("timm:resnet50.a1_in1k") == "resnet50.a1_in1k"
    assert timm_images._place("timm:resnet50.a1_in1k@v1") == "hf-hub:timm/resnet50.a1_in1k@v1"


def test_an_absent_timm_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(ValueError, match="needs the optional package timm; run with `uv run --extra timm dvc repro`"):
        backbones.load("timm:resnet10t")
