"""Section `speech`: the speech encoder and the boundary of its cache."""

from dataclasses import dataclass
from pathlib import Path

from avemotion.system import params_file


@dataclass(frozen=True, kw_only=True)
class SpeechParams:
    """The speech encoder and the boundary of its cache; `read` makes it from the section."""

    # With a revision: <hub id>@<revision>.
    model: str  # tiny (untrained), or a hub id such as microsoft/wavlm-base or a folder of models.speech.families
    # Last transformer layers that training may change: the cache stores their input. How many of them a stage trains is
    # a param of that stage.
    unfreeze_layers: int

    def __post_init__(self) -> None:
        if not self.model:
            raise ValueError("model is empty; give tiny, microsoft/wavlm-base or a folder")
        if self.unfreeze_layers < 0:
            raise ValueError(f"unfreeze_layers is {self.unfreeze_layers}; give 0 (none) or more")

    def trained(self, layers: int | None, key: str) -> int:
        """The number of last layers that a stage trains.

        Args:
            layers: the value of its param; None = all above the boundary.
            key: file and name of that param.

        Raises:
            ValueError: more layers than there are above the boundary of the cache.
        """
        if layers is None:
            return self.unfreeze_layers
        if not 0 <= layers <= self.unfreeze_layers:
            raise ValueError(
                f"{key} is {layers}; give 0 to speech.unfreeze_layers ({self.unfreeze_layers}), because the cache "
                "stores the input of those layers, or null for all of them"
            )
        return layers


@dataclass(frozen=True, kw_only=True)
class Section(SpeechParams):
    """Section `speech`."""

    revision: str | None  # branch, tag or commit of a hub id; null = its default branch

    def __post_init__(self) -> None:
        super().__post_init__()
        folder = self.model == "tiny" or Path(self.model).is_dir()
        if "@" in self.model and not folder:
            raise ValueError(f"model is {self.model!r}; give what follows the @ as revision")
        if self.revision is not None and (folder or not self.revision):
            raise ValueError(
                f"revision is {self.revision!r}, but model is {self.model!r}; give null, or a branch, tag or commit of "
                "a hub id"
            )


def read(file: Path) -> SpeechParams:
    """The section of a params file.

    Raises:
        ValueError: as params_file.read.
    """
    section = params_file.read(file, "speech", Section)
    model = section.model if section.revision is None else f"{section.model}@{section.revision}"
    return SpeechParams(model=model, unfreeze_layers=section.unfreeze_layers)
