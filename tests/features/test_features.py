"""What each extractor puts into the cache, against other libraries, formulas and invariances."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import opensmile
import pytest
import soundfile
import torch
import torchaudio
from recordings import voice, write_manifest, write_params

from avemotion.features import frames, mel, speaker
from avemotion.features.parts import free_functionals
from avemotion.features.parts.hidden_states import HiddenStates
from avemotion.formats import clips
from avemotion.features.parts import noise
from avemotion.system.media_error import MediaError
from avemotion.media.waveforms import read_waveform
from avemotion.models.speech.pretrained import TopLayers, load
from avemotion.synthesis import camera, head
from avemotion.synthesis.media_files import write_mp4
from stages import features

ROOT = Path("corpus")


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def extract(kind, waveforms, changes=None, films=None, role="emotion"):
    """(extractor, clip id -> (views, counts))."""
    write_manifest(waveforms, films)
    extractor = features.configure(write_params(changes), kind, role).extractor
    return extractor, {clip.id: extractor.extract(clip, ROOT) for clip in clips.read(role)}


def db(power):
    return 10 * np.log10(power)


def test_mel_equals_the_formula():
    waveform = voice(1.7, 130, 0).astype(np.float32)
    _, found = extract("mel", {"a": waveform}, {"views.emotion": []})
    rows, length = found["a"][0]["clean"]["mel"], found["a"][0]["clean"]["length"]
    assert rows.shape == (301, 64) and rows.dtype == np.float32 and found["a"][1] == {"cut": 0}

    padded = np.zeros(48000)
    padded[: len(waveform)] = waveform
    centred = np.pad(padded, 200, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    spectra = np.stack([np.abs(np.fft.rfft(centred[160 * t : 160 * t + 400] * window)) ** 2 for t in range(301)])
    hertz = np.arange(201) * 40
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 66) / 2595) - 1)
    rising = (hertz[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - hertz[:, None]) / np.diff(edges)[1:]
    expected = db(np.maximum(spectra @ np.maximum(0, np.minimum(rising, falling)), 1e-10))
    expected = np.maximum(expected, expected.max() - 80)
    np.testing.assert_allclose(rows, expected, atol=0.02)
    # [1, 64, 301] as the models' papers write it
    transform = torchaudio.transforms.MelSpectrogram(16000, n_fft=400, hop_length=160, n_mels=64)
    reference = torchaudio.transforms.AmplitudeToDB(top_db=80)(transform(torch.from_numpy(padded).float()[None]))
    np.testing.assert_allclose(rows.T[None], reference.numpy(), atol=1e-4)
    assert length.tolist() == [1 + len(waveform) // 160]


def test_mel_cuts_long_recordings_and_says_so():
    long = voice(4, 130, 0)
    _, found = extract("mel", {"a": long, "b": long[:48000]}, {"views.emotion": []})
    assert found["a"][1] == {"cut": 1} and found["b"][1] == {"cut": 0}
    assert found["a"][0]["clean"]["length"] == 301
    np.testing.assert_array_equal(found["a"][0]["clean"]["mel"], found["b"][0]["clean"]["mel"])


def test_peaks_are_the_lowest_and_highest_samples_of_each_hop():
    waveform = voice(4.33, 150, 2).astype(np.float32)  # longer than the spectrogram, not a whole number of hops
    _, found = extract("mel", {"a": waveform}, {"views.emotion": []})
    peaks = found["a"][0]["clean"]["peaks"]
    hops = [waveform[start : start + 160] for start in range(0, len(waveform), 160)]
    expected = np.array([[hop.min(), hop.max()] for hop in hops])
    np.testing.assert_array_equal(peaks, expected.astype(np.float16))


def test_mel_floor_is_each_views_own():
    loud = voice(1, 130, 0).astype(np.float32)
    settings = features.configure(write_params(), "mel", "emotion").extractor.params
    together, _ = mel.log_mels(np.stack([loud * 100, loud]), settings)
    alone, _ = mel.log_mels(loud[None], settings)
    np.testing.assert_allclose(together[1], alone[0], atol=1e-4)


@pytest.mark.parametrize("recording", [None, 0.3, 5.0])
def test_noise_has_the_asked_signal_to_noise_ratio(recording):
    if recording:
        noise.RECORDING.parent.mkdir(parents=True)
        sound = np.random.default_rng(3).uniform(-0.1, 0.1, round(recording * 16000))
        soundfile.write(noise.RECORDING, sound, 16000, subtype="FLOAT")
    noise._recording.cache_clear()
    views = noise.configure(write_params({"views.emotion": [20, 7.5]}), "emotion")
    clean = voice(2, 130, 0).astype(np.float32)
    made = views.make(clean, "clip")
    assert views.names == ["clean", "20dB", "7.5dB"] and views.source == (
        "data/Noise/noise.wav" if recording else "gaussian"
    )
    np.testing.assert_array_equal(made[0], clean)
    added = made[1:].astype(np.float64) - clean
    ratio = db((clean.astype(np.float64) ** 2).sum() / (added**2).sum(1))
    np.testing.assert_allclose(ratio, [20, 7.5], atol=0.01)
    if recording:  # a stretch of the recording, scaled
        start = np.random.default_rng(noise.seed_for(0, "clip", "20dB")).integers(
            max(1, len(sound) - 32000 + 1) if len(sound) >= 32000 else len(sound)
        )
        expected = np.take(sound, np.arange(start, start + 32000), mode="wrap")
        assert np.corrcoef(added[0], expected)[0, 1] > 0.999
    np.testing.assert_array_equal(views.make(clean, "clip"), made)
    assert np.abs(views.make(clean, "other")[1] - made[1]).max() > 1e-3
    other_seed = noise.configure(write_params({"views.emotion": [20], "views.seed": 1}), "emotion")
    assert np.abs(other_seed.make(clean, "clip")[1] - made[1]).max() > 1e-3


def test_beyond_the_first_minute_the_noise_is_the_same_whatever_is_read():
    noise._recording.cache_clear()
    views = noise.NoiseViews(snrs=(10.0,), seed=0, recording="")
    clean = voice(61, 130, 0).astype(np.float32)
    minute = round(noise.MEASURED * 16000)
    clean[minute:] *= 50  # heard, but not measured
    longer, shorter = views.make(clean, "clip"), views.make(clean[:minute], "clip")
    np.testing.assert_allclose(longer[:, :minute], shorter, atol=1e-6)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(16000), "noise.wav: silent; give 0.1 s of noise or more, or remove it"),
        (np.full(1, 0.5), "noise.wav: 0.0001 s long; give 0.1 s of noise"),
        (np.zeros(0), "noise.wav: holds no sound; repair or remove the file, or remove it: the noise is then Gaussian"),
        (np.full(16000, np.nan), "noise.wav: holds NaN or infinite samples"),
        (None, r"noise.wav: cannot be read as sound"),
    ],
)
def test_noise_that_is_none_stops_the_stage_whatever_the_share_of_rejects(samples, message):
    noise.RECORDING.parent.mkdir(parents=True)
    if samples is None:
        noise.RECORDING.write_bytes(b"no recording")
    else:
        soundfile.write(noise.RECORDING, samples, 16000, subtype="FLOAT")
    noise._recording.cache_clear()
    with pytest.raises(ValueError, match=message) as raised:
        extract("mel", {"a": voice(1, 130, 0)}, {"views.emotion": [20], "manifest.max_rejected": 1.0})
    assert not isinstance(raised.value, MediaError)


def test_noise_with_long_silence_is_used_where_it_sounds():
    noise.RECORDING.parent.mkdir(parents=True)
    sound = np.zeros(160000)
    sound[-800:] = np.random.default_rng(0).uniform(-0.5, 0.5, 800)
    soundfile.write(noise.RECORDING, sound, 16000, subtype="FLOAT")
    noise._recording.cache_clear()
    views = noise.NoiseViews(snrs=(10.0,), seed=0, recording="any")
    clean = voice(0.5, 130, 0).astype(np.float32)
    for clip in "abcdef":
        added = views.make(clean, clip)[1].astype(np.float64) - clean
        assert db((clean.astype(np.float64) ** 2).sum() / (added**2).sum()) == pytest.approx(10, abs=0.01)


@pytest.mark.parametrize("kind", ["wavlm", "mel", "prosody", "speaker"])
def test_of_a_long_recording_only_the_beginning_is_read(kind, monkeypatch):
    monkeypatch.setattr(noise, "MEASURED", 2.0)
    changes = {"views.emotion": [20]}
    changes |= {f"features.{name}.max_seconds": 2.0 for name in ("wavlm", "prosody", "speaker")}
    long = voice(5, 130, 0)
    _, found = extract(kind, {"a": long, "b": long[:32000]}, changes | {"features.mel.seconds": 2.0})
    assert found["a"][1]["cut"] == 1 and found["b"][1]["cut"] == 0
    if kind != "mel":  # each mixes noise by its id
        changed = found["a"][0]["clean"]
        for name, rows in found["b"][0]["clean"].items():
            np.testing.assert_array_equal(rows, changed[name])


def test_a_noise_recording_changes_the_extractor():
    before = features.configure(write_params(), "mel", "emotion").extractor
    noise.RECORDING.parent.mkdir(parents=True)
    soundfile.write(noise.RECORDING, np.ones(100) * 0.1, 16000)
    assert features.configure(write_params(), "mel", "emotion").extractor != before
    with pytest.raises(ValueError, match=r"views\.emotion is \[5\.0, 5\.0\]; give each SNR once"):
        noise.configure(write_params({"views.emotion": [5, 5]}), "emotion")


def test_wavlm_equals_the_model_and_its_top_layers_continue_from_the_boundary():
    waveforms = {"a": voice(1.3, 110, 0), "b": voice(0.7, 220, 1), "c": voice(0.02, 220, 2)}
    extractor, found = extract("wavlm", waveforms)
    model = load("tiny")
    with torch.no_grad():
        direct = model(torch.from_numpy(read_waveform(ROOT / "a.wav"))[None]).last_hidden_state[0]
    views = {clip: views for clip, (views, _) in found.items()}
    assert list(views["a"]) == extractor.views == ["clean", "20dB", "5dB"]
    torch.testing.assert_close(torch.from_numpy(views["a"]["clean"]["last"]), direct, rtol=1e-5, atol=1e-5)
    assert np.abs(views["a"]["5dB"]["last"] - views["a"]["clean"]["last"]).max() > 0.01
    assert len(views["c"]["clean"]["last"]) == 1  # shorter than the receptive field: one frame

    lengths = [len(views[clip]["clean"]["last"]) for clip in "abc"]
    boundary = torch.zeros(3, max(lengths), model.config.hidden_size)
    for row, clip in enumerate("abc"):
        boundary[row, : lengths[row]] = torch.from_numpy(views[clip]["clean"]["boundary"])
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    with torch.no_grad():
        last = TopLayers.from_model(model, 2).eval()(boundary, mask)
    for row, clip in enumerate("abc"):
        expected = torch.from_numpy(views[clip]["clean"]["last"])
        torch.testing.assert_close(last[row, : lengths[row]], expected, rtol=1e-5, atol=1e-5)


def test_wavlm_cut_dtype_and_no_trained_layers():
    changes = {"features.wavlm.max_seconds": 0.5, "features.wavlm.dtype": "float16", "speech.unfreeze_layers": 0}
    _, found = extract("wavlm", {"a": voice(1.3, 110, 0)}, changes, role="affect")
    views, counts = found["a"]
    assert counts["cut"] == 1 and list(views) == ["clean"]
    assert views["clean"]["last"].dtype == np.float16 and len(views["clean"]["last"]) == (8000 - 940) // 320 + 1
    np.testing.assert_array_equal(views["clean"]["boundary"], views["clean"]["last"])


@pytest.mark.parametrize("trained", [0, 1, 2])
def test_wavlm_layers_stored_besides_are_the_models_own(trained):
    changes = {"features.wavlm.layers": [0, 2, 3], "features.wavlm.dtype": "float32", "speech.unfreeze_layers": trained}
    _, found = extract("wavlm", {"a": voice(0.7, 110, 0)}, changes, role="affect")
    arrays = found["a"][0]["clean"]
    with torch.no_grad():
        whole = load("tiny")(torch.from_numpy(read_waveform(ROOT / "a.wav"))[None], output_hidden_states=True)
    assert arrays["layers"].shape == (len(arrays["last"]), 3, 128)
    for column, layer in enumerate((0, 2, 3)):
        expected = whole.hidden_states[layer][0].numpy()
        np.testing.assert_allclose(arrays["layers"][:, column], expected, rtol=1e-5, atol=1e-5)
    if trained:
        np.testing.assert_allclose(arrays["boundary"], whole.hidden_states[4 - trained][0], rtol=1e-5, atol=1e-5)


def test_wavlm_layers_must_exist():
    with pytest.raises(ValueError, match=r"features\.wavlm\.layers names 4, but the model has 4 layers.*give 0 to 3"):
        extract("wavlm", {"a": voice(0.7, 110, 0)}, {"features.wavlm.layers": [1, 4]}, role="affect")
    for layers in ([2, 1], [1, 1], [-1]):
        with pytest.raises(ValueError, match=r"features\.wavlm\.layers is .*give numbers from 0 up, ascending"):
            features.configure(write_params({"features.wavlm.layers": layers}), "wavlm", "affect")


def test_large_models_hear_normalised_waveforms():
    model = load("tiny")
    quiet = torch.from_numpy(voice(1, 110, 0)).float()[None]
    (normalised,), (louder,) = (HiddenStates(model, [4], normalize=True)([x]) for x in (quiet, 3 * quiet + 0.2))
    torch.testing.assert_close(normalised[4], louder[4], rtol=1e-3, atol=1e-3)
    (plain,) = HiddenStates(model, [4], normalize=False)([quiet])
    assert not torch.allclose(plain[4], normalised[4], atol=0.05)


def test_egemaps_equals_opensmile():
    extractor, found = extract("prosody", {"a": voice(1.5, 180, 0)}, {"features.prosody.set": "egemaps"})
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    table = smile.process_file(str(ROOT / "a.wav"))
    rows = found["a"][0]["clean"]["functionals"]
    assert rows.shape == (1, 88) and extractor.facts()["names"] == list(table.columns)
    np.testing.assert_allclose(rows, table.to_numpy(), rtol=1e-5)


@pytest.mark.parametrize("kind", ["egemaps", "free"])
def test_prosody_of_silence_and_of_a_click_is_finite(kind):
    _, found = extract("prosody", {"a": np.zeros(20000), "b": voice(0.01, 180, 0)}, {"features.prosody.set": kind})
    assert [counts for _, counts in found.values()] == [{"padded": 0, "cut": 0}, {"padded": 1, "cut": 0}]
    assert all(np.isfinite(views["clean"]["functionals"]).all() for views, _ in found.values())


def test_free_functionals_of_known_sounds():
    seconds = np.arange(32000) / 16000
    tone = sum(np.sin(2 * np.pi * 150 * k * seconds) / k for k in range(1, 10)) * 0.1
    values = dict(zip(free_functionals.FREE_NAMES, free_functionals.free_functionals(tone), strict=True))
    assert values["f0_semitone_mean"] == pytest.approx(12 * np.log2(150 / 27.5), abs=0.05)
    assert values["f0_semitone_std"] < 0.05 and values["voiced_ratio"] == 1
    assert values["level_db_mean"] == pytest.approx(db(np.mean(tone**2)), abs=0.1)
    assert values["hnr_db_mean"] > 20 and values["jitter"] < 0.002

    rise = np.sin(2 * np.pi * np.cumsum(100 * 2 ** (seconds / 2)) / 16000) * 0.1  # an octave in two seconds
    rising = dict(zip(free_functionals.FREE_NAMES, free_functionals.free_functionals(rise), strict=True))
    assert rising["f0_semitone_range"] == pytest.approx(12 * 0.6, abs=0.3)  # 20th to 80th percentile
    assert rising["f0_semitone_rise_per_s"] == pytest.approx(6, rel=0.15)

    hiss = np.random.default_rng(0).standard_normal(32000) * 0.1
    noisy = dict(zip(free_functionals.FREE_NAMES, free_functionals.free_functionals(hiss), strict=True))
    assert noisy["voiced_ratio"] < 0.2 and noisy["hnr_db_mean"] < 3
    louder = dict(zip(free_functionals.FREE_NAMES, free_functionals.free_functionals(10 * tone), strict=True))
    assert louder["level_db_mean"] - values["level_db_mean"] == pytest.approx(20, abs=0.01)
    assert louder["f0_semitone_mean"] == pytest.approx(values["f0_semitone_mean"], abs=1e-6)


def test_statistics_embedding_tells_voices_apart_and_ignores_loudness():
    def through(filter_, seed):  # a vocal tract of its own
        return np.convolve(voice(2, 120, seed), filter_)[:32000]

    one, two = np.array([1, -0.9, 0.5]), np.array([1, 0.2, -0.6])
    sounds = {"a": through(one, 1), "b": 0.3 * through(one, 2), "c": through(two, 3)}
    _, found = extract("speaker", sounds)
    a, b, c = (found[clip][0]["clean"]["embedding"][0] for clip in "abc")
    assert a.shape == (192,) and np.linalg.norm(a) == pytest.approx(1, abs=1e-6)
    assert a @ b > a @ c + 0.02


def test_xvector_and_ecapa(tmp_path, monkeypatch):
    from transformers import WavLMConfig, WavLMForXVector

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    model = WavLMForXVector(WavLMConfig(**sizes, conv_dim=(16,) * 7, num_conv_pos_embeddings=8)).eval()
    model.save_pretrained(tmp_path / "sv")
    source = {"features.speaker.model": "xvector", "features.speaker.source": str(tmp_path / "sv")}
    _, found = extract("speaker", {"a": voice(1.2, 120, 0)}, source)
    with torch.no_grad():
        direct = model(torch.from_numpy(read_waveform(ROOT / "a.wav"))[None]).embeddings[0]
    rows = found["a"][0]["clean"]["embedding"]
    assert rows.shape == (1, 512)
    np.testing.assert_allclose(rows[0], direct / direct.norm(), atol=1e-6)

    monkeypatch.setitem(sys.modules, "speechbrain.inference.speaker", None)  # as if not installed
    with pytest.raises(ValueError, match=r"needs the optional package speechbrain; run with"):
        extract("speaker", {"a": voice(1, 120, 0)}, {"features.speaker.model": "ecapa"})
    with pytest.raises(ValueError, match=r"features\.speaker\.source is 'x', but the statistics"):
        write_params({"features.speaker.source": "x"}) and speaker.configure(Path("params.yaml"), "emotion")


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
    whole = [frames.read_frames(film, 4)[0].astype(float) for film in films.values()]
    moved = np.abs(a["frames"].astype(float) - b["frames"]).mean()
    assert moved < 0.35 * np.abs(whole[0] - whole[1]).mean()

    box = frames.find_face(whole[0].astype(np.uint8), margin=0.1)
    assert box is not None and abs(box[0] + box[2] / 2 - 160) < 25
    crop = whole[0][2, box[1] : box[1] + box[2], box[0] : box[0] + box[2]].astype(np.uint8)
    np.testing.assert_array_equal(a["frames"][2], cv2.resize(crop, (32, 32), interpolation=cv2.INTER_AREA))


def test_prosody_and_frames_do_not_load_torch():
    repo = Path(features.__file__).resolve().parents[1]
    for kind in ("prosody", "frames"):
        code = f"import sys, stages.features, avemotion.features.{kind}; print('torch' in sys.modules)"
        ran = subprocess.run([sys.executable, "-c", code], cwd=repo, capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == "False"
