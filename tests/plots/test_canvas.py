"""Pictures keep their colours."""

import numpy as np
from PIL import Image

from avemotion.plots.common import canvas


def test_pictures_keep_their_colours_in_a_palette(tmp_path):
    """Rare colours too: a colour bar beside much of something else."""
    rng = np.random.default_rng(0)
    with canvas.picture(tmp_path / "palette.png", 6, 4) as figure:
        bar, mel, photo = figure.subplots(3, 1, gridspec_kw={"height_ratios": [1, 12, 12]})
        bar.imshow(np.linspace(0, 1, 400)[None], cmap="viridis", aspect="auto")
        mel.imshow(rng.normal(size=(64, 200)), cmap="magma", aspect="auto")
        photo.imshow(np.repeat(rng.uniform(0.5, 0.7, (1, 40, 1)) * [1, 0.8, 0.7], 9, 0), aspect="auto")
        figure.savefig(tmp_path / "whole.png")
    palette, whole = (Image.open(tmp_path / f"{name}.png") for name in ("palette", "whole"))
    assert palette.mode == "P" and palette.size == whole.size
    difference = np.abs(np.asarray(palette.convert("RGB"), int) - np.asarray(whole.convert("RGB"), int))
    assert difference.max() <= 24 and difference.mean() < 3
    assert (tmp_path / "palette.png").stat().st_size < 0.6 * (tmp_path / "whole.png").stat().st_size
