"""Embeddings of face crops by a pretrained image encoder, for video.encoder vision.

It reads the crops that features.frames cut, so another encoder decodes and detects nothing again.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from avemotion.extraction import precision
from avemotion.extraction.last_run import Counts
from avemotion.formats import feature_store
from avemotion.formats.clips import ClipMedia
from avemotion.formats.feature_store import FeatureStore
from avemotion.models.vision import backbones
from avemotion.params import backbone
from avemotion.params.backbone import VisionParams
from avemotion.params.shared.compute import ComputeParams
from avemotion.system import params_file

if TYPE_CHECKING:
    from avemotion.models.vision.picture_encoder import PictureEncoder

FRAMES = Path("data/features/frames")
AT_ONCE = 32  # pictures


@dataclass(frozen=True, kw_only=True)
class Params:
    """Section `features.vision`."""

    dtype: Literal["float16", "float32"]  # of the stored values


@dataclass(frozen=True, kw_only=True)
class VisionExtractor:
    """Array `pooled` [N, D], the embedding of each frame; or with vision.unfreeze_layers `boundary` [N, ...], the input
    of those blocks."""

    params: Params
    vision: VisionParams
    role: str = field(repr=False)
    device: str = field(repr=False)
    idle: str | None = field(repr=False)  # why nothing is extracted
    modality = "video"

    @property
    def views(self) -> list[str]:
        return [feature_store.CLEAN]

    @property
    def array(self) -> str:
        """Name of the array."""
        return "boundary" if self.vision.unfreeze_layers else "pooled"

    def source(self, frames: Path | None = None) -> tuple[list[ClipMedia], Path]:
        """Clips by the checksums of their frames, in place of media files, and the folder of the frames.

        Args:
            frames: the cache of frames; None = that of the role.
        """
        folder = frames or FRAMES / self.role
        _frames.cache_clear()  # an earlier call in this process may have been for other frames
        store = _frames(folder)
        missing = frozenset(store.missing)
        return [_clip(clip, None if clip in missing else store.checksums(clip)["frames"]) for clip in store.ids], folder

    def pinned(self) -> "VisionExtractor":
        """With the revision that the name of the model stands for, as far as the local cache has it."""
        assert self.vision.model is not None
        return replace(self, vision=replace(self.vision, model=backbones.pinned(self.vision.model)))

    def facts(self) -> dict[str, Any]:
        encoder = self._encoder()
        return {
            "model": self.vision.model,
            **encoder.facts,
            "dim": encoder.dim(),
            "blocks": encoder.total,
            "boundary_block": encoder.boundary(self.vision.unfreeze_layers),
            **encoder.pictures.facts(),
        }

    def extract(self, clip: ClipMedia, root: Path) -> tuple[feature_store.Views, Counts]:
        rows = self._rows(_frames(root).get(clip.id, "frames"))
        return self._views(rows), precision.sums(self.array, rows)

    def of_frames(self, frames: np.ndarray) -> feature_store.Views:
        """frames [N, H, W, 3] uint8 RGB -> the rows that the cache would have of them."""
        return self._views(self._rows(frames))

    def _views(self, rows: np.ndarray) -> feature_store.Views:
        with np.errstate(over="ignore"):  # an infinite value is refused by name
            return {feature_store.CLEAN: {self.array: rows.astype(self.params.dtype)}}

    def _rows(self, frames: np.ndarray) -> np.ndarray:
        """frames [N, H, W, 3] -> [N, ...] float32."""
        import torch

        torch.set_num_threads(1)  # work is parallel by process; more threads could change the last bit of a sum
        encoder = self._encoder()
        device, parts = next(encoder.model.parameters()).device, []
        with torch.inference_mode():
            for start in range(0, len(frames), AT_ONCE):
                pixels = encoder.pictures(frames[start : start + AT_ONCE]).to(device)
                parts.append(encoder.entering(pixels, self.vision.unfreeze_layers).cpu())
        return torch.cat(parts).numpy()

    def _encoder(self) -> "PictureEncoder":
        assert self.vision.model is not None
        return _loaded(self.vision.model, self.device)


def configure(file: Path, role: str) -> VisionExtractor:
    """The extractor for a role."""
    vision, encoder = backbone.read(file), params_file.read(file, "video.encoder", str)
    idle = None
    if encoder != "vision":
        idle = f"video.encoder is {encoder}"
    elif vision.model is None:
        idle = "vision.model is null"
    return VisionExtractor(
        params=params_file.read(file, "features.vision", Params),
        vision=vision,
        role=role,
        device=params_file.read(file, "compute", ComputeParams).device,
        idle=idle,
    )


def restore(settings: dict[str, Any], device: str) -> VisionExtractor:
    """The extractor that a checkpoint's settings describe."""
    params, vision = Params(**settings["params"]), VisionParams(**settings["vision"])
    assert vision.model is not None
    vision = replace(vision, model=backbones.absolute(vision.model))  # it is opened at the first recording
    return VisionExtractor(params=params, vision=vision, role="", device=device, idle=None)


def _clip(clip: str, checksum: str | None) -> ClipMedia:
    return ClipMedia(
        id=clip,
        audio=None,
        video=None if checksum is None else clip,
        video_start=None,
        video_end=None,
        video_crop=None,
        duration=0.0,
        audio_hash=None,
        video_hash=checksum,
    )


@lru_cache(maxsize=1)
def _frames(folder: Path) -> FeatureStore:
    return FeatureStore(folder)


@lru_cache(maxsize=1)
def _loaded(name: str, device: str) -> "PictureEncoder":
    import torch

    from avemotion.system import runtime

    torch.backends.cudnn.allow_tf32 = False  # TF32 has a mantissa of 10 bits; the error would be visible in the cache
    encoder = backbones.load(name)
    encoder.model.to(runtime.device(device))
    return encoder
