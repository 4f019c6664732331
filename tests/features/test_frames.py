"""Face crops of a drawn film."""

from fractions import Fraction

import cv2
import numpy as np
from recordings import portrait_film, write_manifest, write_params

from avemotion.faces import detection
from avemotion.faces.face_box import Face, square
from avemotion.features import frames
from avemotion.formats import clips
from avemotion.media.pictures import read_frames
from avemotion.synthesis import camera, head
from avemotion.synthesis.media_files import write_mp4
from stages import features


def box_of(picture):
    """The square about the face that OpenCV's cascade gives."""
    face = detection.largest(detection.detector("haar", "data/none", None)(picture))
    assert face is not None
    return square(face, *picture.shape[:2], margin=0.1)


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
    assert [found[clip][1] for clip in "abc"] == [{"clips": 1, "clips_with_face": face} for face in (1, 1, 0)]
    # The crop follows the face: moving it changes little, though the pictures differ a lot.
    whole = [read_frames(film, 4)[0].astype(float) for film in films.values()]
    moved = np.abs(a["frames"].astype(float) - b["frames"]).mean()
    assert moved < 0.35 * np.abs(whole[0] - whole[1]).mean()

    box = box_of(whole[0][0].astype(np.uint8))
    assert abs(box[0] + box[2] / 2 - 160) < 25
    crop = whole[0][2, box[1] : box[1] + box[2], box[0] : box[0] + box[2]].astype(np.uint8)
    np.testing.assert_array_equal(a["frames"][2], cv2.resize(crop, (32, 32), interpolation=cv2.INTER_AREA))


def test_black_ends_and_frames_before_the_face_are_left_out(tmp_path):
    """Frames at 0.2, 0.7, 1.2, 1.7 of 2 s; what is left out is replaced by frames of the rest, at their true times."""
    rng = np.random.default_rng(4)
    motion = camera.draw_motion(20, 10, rng, arousal=0.0)
    person = camera.Portrait(head.draw_looks(rng, female=True), 180, 320, rng)
    portraits = [person.picture(np.zeros(11), motion, i, 0.1) for i in range(20)]
    black, wall = (
        np.zeros_like(portraits[0]),
        np.tile(np.linspace(60, 200, 320, dtype=np.uint8)[None, :, None], (180, 1, 3)),
    )
    films = {
        "faded in": [black] * 5 + portraits[5:],
        "faded out": portraits[:15] + [black] * 5,
        "an edit": [wall] * 8 + portraits[8:],
        "black": [black] * 20,
        "whole": portraits,
    }
    for i, pictures in enumerate(films.values()):
        write_mp4(tmp_path / f"{i}.mp4", (cv2.cvtColor(p, cv2.COLOR_BGR2YUV_I420) for p in pictures), Fraction(10))
    write_manifest(dict.fromkeys("01234"), {str(i): tmp_path / f"{i}.mp4" for i in range(5)})
    extractor = features.configure(write_params(), "frames", "emotion").extractor
    found = {name: extractor.extract(clip, tmp_path) for name, clip in zip(films, clips.read("emotion"), strict=True)}
    expected = {
        "faded in": [0.8, 1.1, 1.5, 1.8],  # of 0.7 to 2 s
        "faded out": [0.2, 0.6, 1.0, 1.4],  # of 0 to 1.7 s, without those from 1.5 s on
        "an edit": [1.3, 1.5, 1.7, 1.9],  # of 1.2 to 2 s
        "black": [0.2, 0.7, 1.2, 1.7],
        "whole": [0.2, 0.7, 1.2, 1.7],
    }
    for name, (views, counts) in found.items():
        np.testing.assert_allclose(views["clean"]["times"], expected[name], atol=1e-6, err_msg=name)
        assert counts.get("without_blank_ends", 0) == (name in ("faded in", "faded out", "an edit"))
        assert views["clean"]["face"].tolist() == [name != "black"]


def test_a_box_per_frame_follows_the_face_and_leaves_out_frames_without_one(tmp_path):
    """The face moves by 100 pixels halfway; one quarter shows a wall, another is too dark."""
    rng = np.random.default_rng(4)
    motion = camera.draw_motion(20, 10, rng, arousal=0.0)
    person = camera.Portrait(head.draw_looks(rng, female=True), 180, 320, rng)
    portraits = [person.picture(np.zeros(11), motion, i, 0.1) for i in range(20)]
    moved = portraits[:10] + [np.roll(picture, 60, axis=1) for picture in portraits[10:]]
    wall = np.tile(np.linspace(60, 200, 320, dtype=np.uint8)[None, :, None], (180, 1, 3))
    dark = [(picture * (frames.DARK * 0.8 / picture.mean())).astype(np.uint8) for picture in portraits]
    films = {
        "a": portraits,
        "b": moved,
        "c": portraits[:10] + [wall] * 5 + portraits[15:],
        "d": portraits[:10] + dark[10:15] + portraits[15:],
    }
    films |= {"e": [wall] * 20}
    for name, pictures in films.items():
        write_mp4(tmp_path / f"{name}.mp4", (cv2.cvtColor(p, cv2.COLOR_BGR2YUV_I420) for p in pictures), Fraction(10))
    write_manifest(dict.fromkeys(films), {name: tmp_path / f"{name}.mp4" for name in films})
    extractor = features.configure(write_params({"features.frames.boxes": "each"}), "frames", "emotion").extractor
    found = {clip.id: extractor.extract(clip, tmp_path) for clip in clips.read("emotion")}
    rows = {name: views["clean"] for name, (views, _) in found.items()}
    np.testing.assert_allclose(rows["b"]["times"], [0.2, 0.7, 1.2, 1.7], atol=1e-6)
    one_box = box_of(read_frames(tmp_path / "b.mp4", 4)[0][0])
    still, followed = rows["a"]["frames"].astype(float), rows["b"]["frames"].astype(float)
    fixed = read_frames(tmp_path / "b.mp4", 4)[0][
        3, one_box[1] : one_box[1] + one_box[2], one_box[0] : one_box[0] + one_box[2]
    ]
    away = np.abs(cv2.resize(fixed, (32, 32), interpolation=cv2.INTER_AREA) - still[3]).mean()
    assert np.abs(followed[3] - still[3]).mean() < 0.35 * away
    for name in "cd":
        np.testing.assert_allclose(rows[name]["times"], [0.2, 0.7, 1.7], atol=1e-6)
        assert found[name][1].items() >= {"clips_with_face": 1, "frames": 4, "frames_with_face": 3}.items()
    assert found["e"][1] == {"clips": 1, "clips_with_face": 0, "frames": 4, "frames_with_face": 0}
    assert len(rows["e"]["frames"]) == 4
    assert [rows[name]["face"].tolist() for name in "abcde"] == [[1], [1], [1], [1], [0]]


def test_frames_between_get_the_nearest_box():
    one, two = Face(left=0, top=0, width=5, height=5), Face(left=9, top=9, width=5, height=5)
    assert frames._nearest([None, one, None, None, None, two]) == [one, one, one, one, two, two]
    assert frames._nearest([None, one, None, two]) == [one, one, one, two]
    assert frames._nearest([None, None]) == [None, None]


def test_a_still_is_one_frame_whole_or_cut_to_the_face(tmp_path):
    film = portrait_film(tmp_path / "a.mp4")
    picture = read_frames(film, 1)[0][0]
    cv2.imwrite(str(tmp_path / "b.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    write_manifest({"b": None}, {"b": tmp_path / "b.png"})
    (clip,) = clips.read("emotion")
    whole, face = (
        features.configure(write_params({"features.frames.stills": how}), "frames", "emotion").extractor
        for how in ("whole", "face")
    )
    (views, counts), (cut, _) = whole.extract(clip, tmp_path), face.extract(clip, tmp_path)
    rows = views["clean"]
    expected = cv2.resize(picture[:, 70:250], (32, 32), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(rows["frames"], expected[None])
    assert (rows["times"].tolist(), rows["face"].tolist(), counts) == ([0.0], [0], {})
    left, top, side = box_of(picture)
    expected = cv2.resize(picture[top : top + side, left : left + side], (32, 32), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(cut["clean"]["frames"], expected[None])
    assert cut["clean"]["face"].tolist() == [1]
