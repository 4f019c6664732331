"""Section `vision`: the pretrained image encoder of video.encoder vision, and the boundary of its cache."""

from dataclasses import dataclass
from pathlib import Path

from avemotion.system import params_file

CHOICES = "a hub id such as facebook/dinov2-base, a folder, torchvision:<name> or timm:<name>"


@dataclass(frozen=True, kw_only=True)
class VisionParams:
    """The image encoder and the boundary of its cache; `read` makes it from the section."""

    # With a revision: <name>@<revision>. None: there is none.
    model: str | None
    # Last blocks that training may change: the cache stores their input. How many of them a stage trains is a param of
    # that stage.
    unfreeze_layers: int

    def __post_init__(self) -> None:
        if self.model == "":
            raise ValueError(f"model is empty; give {CHOICES}, or null")
        if self.unfreeze_layers < 0:
            raise ValueError(f"unfreeze_layers is {self.unfreeze_layers}; give 0 (none) or more")

    def trained(self, blocks: int, key: str) -> int:
        """The number of last blocks that a stage trains: none if the cache has pooled vectors.

        Args:
            blocks: the value of its param. key: file and name of that param.

        Raises:
            ValueError: more blocks than there are above the boundary of the cache.
        """
        if not self.unfreeze_layers:
            return 0
        if not 0 <= blocks <= self.unfreeze_layers:
            raise ValueError(
                f"{key} is {blocks}; with video.encoder vision give 0 to vision.unfreeze_layers "
                f"({self.unfreeze_layers}), because the cache stores the input of those blocks"
            )
        return blocks


@dataclass(frozen=True, kw_only=True)
class Section(VisionParams):
    """Section `vision`."""

    revision: str | None  # branch, tag or commit of a hub id, or torchvision's weights; null = the default

    def __post_init__(self) -> None:
        super().__post_init__()
        folder = self.model is not None and Path(self.model.removeprefix("timm:")).is_dir()
        if self.model is not None and "@" in self.model and not folder:
            raise ValueError(f"model is {self.model!r}; give what follows the @ as revision")
        if self.revision is not None and (self.model is None or folder or not self.revision):
            raise ValueError(
                f"revision is {self.revision!r}, but model is {self.model!r}; give null, or a branch, tag or commit of "
                "a hub id, or the name of weights of torchvision"
            )


def read(file: Path) -> VisionParams:
    """The section of a params file.

    Raises:
        ValueError: as params_file.read.
    """
    section = params_file.read(file, "vision", Section)
    model = section.model if section.revision is None else f"{section.model}@{section.revision}"
    return VisionParams(model=model, unfreeze_layers=section.unfreeze_layers)
