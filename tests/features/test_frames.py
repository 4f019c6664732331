"""Face crops of a drawn film."""

from fractions import Fraction

import cv2
import numpy as np
from recordings import write_manifest, write_params

from avemotion.features import frames
from avemotion.formats import clips
from avemotion.media.pictures import read_frames
from avemotion.synthesis import camera, head
from avemotion.synthesis.media_files import write_mp4
from stages import features


def portrait_film(path, shift=0):
    """(an actor's film, the centre of the drawn face): 20 pictures of 180 x 320, the face moved sideways."""
    rng = np.random.default_rng(4)
    motion = camera.draw_motion(20, 10, rng, arousal=0.0)
    person = camera.Portrait(head.draw_looks(rng, female=True), 180, 320, rng)
    pictures = [np.roll(person.picture(np.zeros(11), motion, i, 0.1), shift, axis=1) for i in range(20)]
    write_mp4(path, (cv2.cvtColor(p, cv2.COLOR_BGR2YUV_I420) for p in pictures), Fraction(10))
    return path


def test_frames_are_cropped_to_the_face(tmp_path):
    films = {"a": portrait_film(tmp_path / "a.mp4"), "b": portrait_film(tmp_path / "b.mp4", shift=60)}
    empty = (np.full((270, 320), 128, np.uint8) for _ in range(10))
    write_mp4(tmp_path / "c.mp4", empty, Fraction(10))
    write_manifest({"a": None, "b": None, "c": None}, films | {"c": tmp_path / "c.mp4"})
    extractor = features.configure(write_params(), "frames", "emotion").extractor
    found = {clip.id: extractor.extract(clip, tmp_path) for clip in clips.read("emotion")}
    a, b, c = (found[clip][0]["clean"] for clip in "abc")
    assert a["frames"].shape == (4, 32, 32, 3) and a["frames"].dtype == np.uint8
    np.testing.assert_allclose(a["times"], [0.2, 0.7, 1.2, 1.7], atol=1e-6)
    assert [x["face"].tolist() for x in (a, b, c)] == [[1], [1], [0]]
    assert [found[clip][1]["without_face"] for clip in "abc"] == [0, 0, 1]
    # The crop follows the face: moving it changes little, though the pictures differ a lot.
    whole = [read_frames(film, 4)[0].astype(float) for film in films.values()]
    moved = np.abs(a["frames"].astype(float) - b["frames"]).mean()
    assert moved < 0.35 * np.abs(whole[0] - whole[1]).mean()

    box = frames.find_face(whole[0].astype(np.uint8), margin=0.1)
    assert box is not None and abs(box[0] + box[2] / 2 - 160) < 25
    crop = whole[0][2, box[1] : box[1] + box[2], box[0] : box[0] + box[2]].astype(np.uint8)
    np.testing.assert_array_equal(a["frames"][2], cv2.resize(crop, (32, 32), interpolation=cv2.INTER_AREA))
