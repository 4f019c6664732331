"""Still pictures of every kind of file against arithmetic, and what is refused."""

import cv2
import numpy as np
import pytest
from PIL import Image

from avemotion.media.stills import file_of, is_still, read_still


@pytest.fixture
def grey():
    """A picture whose four corners differ, [6, 8]."""
    return (np.arange(48, dtype=np.uint8) * 5).reshape(6, 8)


def test_grey_and_colour_and_palette(tmp_path, grey):
    three = np.stack([grey, 255 - grey, grey // 2], -1)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(three).save(tmp_path / "colour.tiff")
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.gif")
    np.testing.assert_array_equal(read_still(tmp_path / "grey.png"), np.repeat(grey[..., None], 3, 2))
    np.testing.assert_array_equal(read_still(tmp_path / "colour.tiff"), three)
    np.testing.assert_array_equal(read_still(tmp_path / "palette.gif")[..., 1], grey)


def test_16_bits_are_scaled_not_cut(tmp_path, grey):
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_still(tmp_path / "deep.png")[..., 2], grey)


def test_cmyk_becomes_rgb(tmp_path):
    Image.new("CMYK", (8, 8), (255, 0, 0, 0)).save(tmp_path / "ink.jpg", quality=95)  # cyan: no red
    red, green, blue = read_still(tmp_path / "ink.jpg").mean((0, 1))
    assert red < 10 and green > 245 and blue > 245


def test_what_is_transparent_is_white(tmp_path):
    layers = np.zeros((4, 4, 4), np.uint8)
    layers[:2, :, 3] = 255
    Image.fromarray(layers, "RGBA").save(tmp_path / "cut_out.png")
    assert read_still(tmp_path / "cut_out.png")[..., 0].tolist() == [[0] * 4] * 2 + [[255] * 4] * 2


@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, 3), (8, 1)])
def test_a_photograph_is_turned_as_its_exif_data_say(tmp_path, grey, orientation, turns):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(grey).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_still(tmp_path / "turned.png")[..., 0], np.rot90(grey, turns))


def test_what_is_refused_and_why(tmp_path, grey):
    frames = [Image.fromarray(grey), Image.fromarray(255 - grey)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    Image.fromarray(np.tile(grey, (20, 20))).save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:-400])
    (tmp_path / "text.png").write_text("no picture")
    Image.fromarray(grey.astype(np.float32)).save(tmp_path / "real.tiff")
    reasons = {
        "moving.gif": "2 pictures in one file",
        "cut.jpg": "cannot be read as a picture: image file is truncated",
        "text.png": "cannot be read as a picture: UnidentifiedImageError",
        "real.tiff": "values of 32 bits",
    }
    for name, reason in reasons.items():
        with pytest.raises(ValueError, match=reason) as caught:
            read_still(tmp_path / name)
        assert str(tmp_path) not in str(caught.value)
    with pytest.raises(OSError, match=r"missing\.png"):
        read_still(tmp_path / "missing.png")


def test_rows_of_a_table_are_pictures(tmp_path, grey):
    square = grey[:, :6]
    table = tmp_path / "faces.csv"
    rows = ["emotion,pixels,Usage", f"3,{' '.join(map(str, square.ravel()))},Training", "", '2,"1 2 3 4",Training']
    rows += ["0,1 2 3,Training", "0,a b,Training", "0,1 2 3 256,Training"]
    table.write_text("\n".join(rows) + "\n")
    np.testing.assert_array_equal(read_still(table / "1"), np.repeat(square[..., None], 3, 2))
    assert read_still(table / "2")[..., 0].tolist() == [[1, 2], [3, 4]]
    for row, reason in (
        ("3", "3 pixels are no square"),
        ("4", "not whole numbers"),
        ("5", "0 to 255"),
        ("6", "no row 6"),
    ):
        with pytest.raises(ValueError, match=reason):
            read_still(table / row)
    assert file_of(table / "1") == table and is_still(table / "1")
    assert file_of(tmp_path / "a.jpg") == tmp_path / "a.jpg" and not is_still(tmp_path / "a.mp4")


def test_16_bits_of_every_kind_are_scaled(tmp_path, grey):
    """Colours keep the upper byte, as PNG's specification allows; grey levels are rounded."""
    deep = grey.astype(np.uint16)
    cv2.imwrite(str(tmp_path / "colour.png"), np.stack([deep * 257, deep * 0, deep * 128], -1))
    cv2.imwrite(str(tmp_path / "colour.tif"), np.stack([deep * 257, deep * 0, deep * 128], -1))
    for name in ("colour.png", "colour.tif"):
        red, green, blue = np.moveaxis(read_still(tmp_path / name), -1, 0)
        np.testing.assert_array_equal(red, grey // 2)
        np.testing.assert_array_equal(blue, grey)
        assert not green.any()
    Image.fromarray((deep * 257).astype(">u2")).save(tmp_path / "big_endian.tif")
    (tmp_path / "deep.pgm").write_bytes(b"P5 8 6 65535\n" + (deep * 257).astype(">u2").tobytes())
    for name in ("big_endian.tif", "deep.pgm"):
        np.testing.assert_array_equal(read_still(tmp_path / name)[..., 0], grey)


def test_a_transparent_colour_of_a_palette_is_white(tmp_path):
    indices = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    indices.putpalette([10, 20, 30, 40, 50, 60])
    indices.save(tmp_path / "palette.png", transparency=0)
    assert read_still(tmp_path / "palette.png").tolist() == [[[255] * 3, [40, 50, 60]], [[40, 50, 60], [255] * 3]]


def test_a_photograph_of_a_telephone_is_turned(tmp_path):
    """A JPEG that is dark above: with orientation 6 a viewer turns it to the right, so it is dark at the right."""
    picture = np.full((32, 48, 3), 200, np.uint8)
    picture[:16] = 20
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture).save(tmp_path / "upright.jpg", exif=exif, quality=95)
    made = read_still(tmp_path / "upright.jpg").astype(int)
    assert made.shape == (48, 32, 3)
    assert abs(made[:, 18:].mean() - 20) < 3 and abs(made[:, :14].mean() - 200) < 3


def test_ink_of_a_photograph_from_an_editor(tmp_path):
    """No cyan, full magenta and yellow is red; with black it is dark. Editors store CMYK inverted, as Pillow does."""
    for black, red in ((0, 255), (128, 127)):
        Image.new("CMYK", (16, 16), (0, 255, 255, black)).save(tmp_path / "ink.jpg", quality=95)
        assert read_still(tmp_path / "ink.jpg").mean((0, 1)) == pytest.approx((red, 0, 0), abs=4)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_several_pictures_in_a_file_are_refused(tmp_path, grey, suffix):
    first = Image.fromarray(np.stack([grey] * 3, -1))
    first.save(tmp_path / f"moving{suffix}", save_all=True, append_images=[Image.fromarray(255 - np.array(first))])
    with pytest.raises(ValueError, match="2 pictures in one file; give a single one"):
        read_still(tmp_path / f"moving{suffix}")


@pytest.mark.parametrize("suffix", [".png", ".gif", ".bmp", ".webp", ".tif", ".jpg", ".pgm"])
@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_empty_and_truncated_files_are_refused(tmp_path, suffix, kept):
    """No half-grey picture comes through, as many viewers show one."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 80), np.uint8)
    Image.fromarray(noise).save(tmp_path / f"a{suffix}")
    content = (tmp_path / f"a{suffix}").read_bytes()
    (tmp_path / f"a{suffix}").write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(ValueError, match="cannot be read as a picture"):
        read_still(tmp_path / f"a{suffix}")


def test_a_picture_of_gigabytes_is_refused_at_once(tmp_path):
    """400 million pixels in 50 kilobytes."""
    Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png")
    with pytest.raises(ValueError, match=r"too large: Image size \(400000000 pixels\) exceeds .*; make it smaller"):
        read_still(tmp_path / "huge.png")
