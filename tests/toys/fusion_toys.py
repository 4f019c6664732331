"""Small models and clips that the tests of models and training share."""

import torch
from torch import Tensor, nn

from avemotion.datasets.clip_batches import Batch, collate
from avemotion.models.fusion.base import Fusion
from avemotion.models.fusion.build import build_fusion

CLASSES = 4
TINY = {"encoder": "wavlm", "model": "tiny", "unfreeze_layers": 2}
STATE_DIM = 128  # hidden size of tiny
ENCODERS = {
    "wavlm": TINY,
    "wavlm layers": TINY | {"layers": [0, 3]},
    "cnn": {"encoder": "cnn"},
    "plain18": {"encoder": "plain18"},
}
ENCODERS |= {"resnet18": {"encoder": "resnet18"}, "resnet_asp": {"encoder": "resnet_asp", "mel_bands": 64, "dim": 32}}
MODES = ("audio", "video", "late", "concat", "gated", "xattn_concat", "xattn_gated")


def fusion(mode: str, encoder: str = "wavlm", **options: object) -> Fusion:
    """A fusion model in eval mode whose zero-initialised weights are not zero, so that all of it matters."""
    name, _, head = mode.partition("_")
    if head:
        options = {"d_model": 32, "heads": 2, "head": head} | options
    audio, video = None if name == "video" else ENCODERS[encoder], None if name == "audio" else {}
    return wake(build_fusion(name, CLASSES, audio, video, options)).eval()


def wake(model: nn.Module) -> nn.Module:
    """Give every parameter that starts at zero small random values."""
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.3)
    return model


def clip(
    seed: int, steps: int | None, frames: int | None, encoder: str = "wavlm", functionals: int | None = None
) -> tuple:
    """What ClipDataset gives for a clip; None: without that modality, as the sources hand it over.

    functionals: of prosody, NaN for a clip without sound; None = without this input.
    """
    generator = torch.Generator().manual_seed(seed)
    audio_dim = STATE_DIM if encoder == "wavlm" else 64
    audio, video = torch.zeros(1, audio_dim), torch.zeros(1, 3, 32, 32)
    if steps:
        audio = torch.randn(steps, audio_dim, generator=generator)
    if frames:
        video = torch.rand(frames, 3, 32, 32, generator=generator)
    item = f"clip{seed}", (audio, steps or 0), (video, frames or 0), torch.tensor(seed % CLASSES)
    if functionals is None:
        return item
    prosody = torch.randn(functionals, generator=generator)
    return (*item, prosody if steps else torch.full_like(prosody, torch.nan))


def separable(clips: int) -> Batch:
    """A batch whose class shows in both modalities, with noise of a clip's own; the last clips are shorter."""
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(CLASSES, STATE_DIM, generator=generator)
    pictures = torch.rand(CLASSES, 3, 32, 32, generator=generator)
    items = []
    for i in range(clips):
        steps, label = 6 - i // 4, i % CLASSES
        audio = states[label] + 0.5 * torch.randn(steps, STATE_DIM, generator=generator)
        video = 0.8 * pictures[label] + 0.2 * torch.rand(2, 3, 32, 32, generator=generator)
        items.append((f"clip{i}", (audio, steps), (video, 2), torch.tensor(label)))
    return collate(items)


def garbage(x: Tensor, mask: Tensor, value: float, extra: int) -> tuple[Tensor, Tensor]:
    """x [B, T, ...] with `extra` more padded steps and `value` in all of its padding."""
    more = x.new_zeros(len(x), extra, *x.shape[2:])
    mask = torch.cat([mask, torch.zeros(len(x), extra, dtype=torch.bool)], 1)
    padded = torch.cat([x, more], 1)
    padded[~mask] = value
    return padded, mask
