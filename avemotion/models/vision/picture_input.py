"""The pictures that an image encoder takes: their size, and the mean and deviation that standardise them.

Shape letters: R pictures, H x W pixels of a crop, S x S pixels of the model's input.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from avemotion.models.speech import strict_loading

FILE = "preprocessor_config.json"
MODES = {2: "bilinear", 3: "bicubic"}  # by PIL's number of the interpolation
REMEDY = "give a model whose file has it, or complete the file in a folder of your own"


@dataclass(frozen=True, kw_only=True)
class PictureInput:
    """What a model expects of its pictures.

    A face crop is resized as a whole. A crop from the centre, which published models take of a larger picture, would
    cut off parts of the face.
    """

    size: int  # pixels, both sides
    mean: tuple[float, ...]  # of the three colours, of values in 0..1
    std: tuple[float, ...]
    mode: str  # bilinear or bicubic

    def facts(self) -> dict[str, Any]:
        """Plain values for the index of the cache."""
        values = asdict(self)
        return {f"picture_{name}": list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def __call__(self, pictures: np.ndarray) -> Tensor:
        """pictures [R, H, W, 3] uint8 RGB -> [R, 3, S, S] float32."""
        pixels = torch.from_numpy(pictures.astype(np.float32)).permute(0, 3, 1, 2) / 255.0
        if pixels.shape[-2:] != (self.size, self.size):
            pixels = F.interpolate(pixels, (self.size, self.size), mode=self.mode, antialias=True, align_corners=False)
            pixels = pixels.clamp(0.0, 1.0)  # bicubic interpolation goes beyond
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return (pixels - mean) / std


def stated(name: str, param: str, usual: int) -> PictureInput:
    """What a checkpoint's preprocessor_config.json says.

    Args:
        name: hub id or folder. param: key of params.yaml that gives it.
        usual: PIL's number of the interpolation where the file has none.

    Raises:
        ValueError: there is no such file, or it says nothing or something unusual of the pictures.
    """
    fields, where = _fields(name, param), f"{param} is {name!r}, whose {FILE}"
    scale = fields.get("rescale_factor", 1 / 255)
    if not fields.get("do_rescale", True) or abs(scale * 255 - 1) > 1e-6:
        raise ValueError(f"{where} does not scale pixels to 0..1 (rescale_factor {scale}); {REMEDY}")
    given = fields if fields.get("do_normalize", True) else {"image_mean": [0.0] * 3, "image_std": [1.0] * 3}
    mean, std = (_colours(given.get(key), key, where) for key in ("image_mean", "image_std"))
    if min(std) <= 0:
        raise ValueError(f"{where} has image_std {list(std)}; {REMEDY}")
    number = fields.get("resample", usual)
    if number not in MODES:
        raise ValueError(f"{where} has resample {number}; known are {MODES}")
    return PictureInput(size=_size(fields, where), mean=mean, std=std, mode=MODES[number])


def _fields(name: str, param: str) -> Mapping[str, Any]:
    from transformers.image_processing_base import ImageProcessingMixin

    try:
        place, revision = strict_loading.split(name)
        return ImageProcessingMixin.get_image_processor_dict(place, revision=revision)[0]
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{param} is {name!r}, but its {FILE}, which has the size, mean and deviation of its pictures, is not "
            "beside config.json, nor in the local cache, nor downloadable; put it there, or connect to the network once"
        ) from error


def _colours(values: Any, key: str, where: str) -> tuple[float, ...]:
    fits = isinstance(values, Sequence) and len(values) == 3 and all(isinstance(v, int | float) for v in values)
    if not fits:
        raise ValueError(f"{where} has {key} {values}, not three numbers; {REMEDY}")
    return tuple(float(value) for value in values)


def _size(fields: Mapping[str, Any], where: str) -> int:
    """Pixels of a side: of the crop from the centre where there is one, else of the resized picture."""
    key = "crop_size" if fields.get("do_center_crop") and fields.get("crop_size") else "size"
    value = fields.get(key)
    sides = {value} if isinstance(value, int) else set(value.values()) if isinstance(value, Mapping) else set()
    if len(sides) != 1 or not isinstance(side := next(iter(sides)), int) or side < 1:
        raise ValueError(f"{where} has {key} {value}, not one number of pixels for both sides; {REMEDY}")
    return side
