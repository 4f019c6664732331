"""Video model over the cached output of a pretrained image encoder.

Shape letters: video_encoder.py.
"""

from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import Tensor, nn

from avemotion.models.encoders.blocks import Standardize
from avemotion.models.encoders.video_encoder import Pooling, Temporal, VideoModel
from avemotion.models.vision import backbones

SIDE = 32  # pixels of a map, which five halvings leave one pixel of


class VideoVision(VideoModel):
    """The last blocks of an image encoder over the cached state that enters them, or none over cached embeddings.

    The result is exact: the input of a block is that state alone. `fit` sets the statistics that standardise the
    embeddings of frames.
    """

    feature: ClassVar[str] = "vision"

    def __init__(
        self, classes: int, model: str, layers: int, dim: int, pooling: Pooling = "mean", temporal: Temporal = None
    ):
        """Fresh weights; load those of a checkpoint, or call `load_pretrained`.

        Args:
            model: name as in `vision.model`. layers: blocks above the boundary of the cache. dim: of an embedding.
        """
        top = backbones.fresh_top(model, layers) if layers else None
        super().__init__(classes, [] if top is None else list(top.blocks.values()), dim, 1, pooling, temporal)
        self.top, self.model_name = top, model
        self.normalize_frames = Standardize(dim)

    @property
    def row(self) -> tuple[int, ...]:
        """Shape of a row for clips without picture where no row is known: the blocks take any number of patches."""
        if self.top is None:
            return (self.frame_dim,)
        maps = next((part for part in self.blocks[0].modules() if isinstance(part, nn.Conv2d)), None)
        return (1, self.frame_dim) if maps is None else (maps.in_channels, SIDE, SIDE)

    def load_pretrained(self) -> None:
        """Copy the blocks of the published model.

        Raises:
            ValueError: as backbones.load.
        """
        if self.top is not None:
            pretrained = backbones.load(self.model_name).top(len(self.blocks))
            self.top.load_state_dict(pretrained.state_dict())

    def prepare(self, frames: Tensor) -> Tensor:
        """Cached state [R, ...], as it is."""
        return frames

    def pool(self, maps: list[Tensor]) -> Tensor:
        """Output of the last block [R, ...] -> embedding of each frame [R, frame_dim]."""
        return maps[-1] if self.top is None else self.top.head(maps[-1])

    def frame_embeddings(self, video: Tensor) -> Tensor:
        """Cached states or embeddings [B, N, ...] -> standardised [B, N, frame_dim]."""
        return self.normalize_frames(super().frame_embeddings(video))

    def last_parameters(self, blocks: int) -> list[nn.Parameter]:
        """Parameters of the last `blocks` blocks, and of what follows them."""
        head = [] if self.top is None or not blocks else list(self.top.head.parameters())
        return super().last_parameters(blocks) + head

    @torch.inference_mode()
    def fit(self, training: Iterable[tuple[Tensor, int]]) -> None:
        """Set the statistics; training: (cached rows [N, ...], number of real frames) per clip."""
        self.eval()
        embed, device = super().frame_embeddings, self.normalize_frames.mean.device
        frames = [embed(rows[None, :real].to(device))[0] for rows, real in training if real]
        if frames:
            self.normalize_frames.fit(torch.cat(frames))
