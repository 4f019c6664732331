"""Functionals of prosody against openSMILE and known sounds."""

from pathlib import Path

import numpy as np
import opensmile
import pytest
from recordings import extract, voice

from avemotion.features.parts import free_functionals

ROOT = Path("corpus")


def db(power):
    return 10 * np.log10(power)


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
