"""What half precision costs: the formula, and what the index of a cache tells."""

import numpy as np
import pytest
import torch
from recordings import voice, write_manifest, write_params

from avemotion.extraction import precision
from avemotion.formats import feature_store
from avemotion.report import cache_precision
from stages import features


def test_rounding_to_bfloat16_is_torchs():
    rows = torch.randn(1000, generator=torch.Generator().manual_seed(0)) * torch.logspace(-30, 30, 1000)
    rows[:3] = torch.tensor([1 + 2**-8, 1 + 3 * 2**-8, 0.0])  # ties go to even
    np.testing.assert_array_equal(precision.to_bfloat16(rows.numpy()), rows.bfloat16().float().numpy())


def test_errors_of_precision_follow_the_formula():
    rows = np.array([[1.0, 1 + 2**-9], [3.0, -2.0]], np.float32)  # all exact in float16; one not in bfloat16
    total = dict.fromkeys(("a/squares", "a/float16", "a/bfloat16"), 0.0)
    for clip in (rows, rows[1:]):
        for name, value in precision.sums("a", clip).items():
            total[name] += value
    squares = 1 + (1 + 2**-9) ** 2 + 2 * 13
    assert precision.errors(total) == {"a": {"float16": 0.0, "bfloat16": float(f"{2**-9 / squares**0.5:.3g}")}}
    compared = precision.sums("a", rows, rows * np.float32(1.25))
    assert precision.errors(compared)["a"]["computed"] == pytest.approx(0.2)
    assert precision.errors({}) == {}


@pytest.mark.parametrize("arithmetic", ["fp32", "bf16"])
def test_index_tells_what_precision_costs_and_it_is_little(tmp_path, monkeypatch, arithmetic):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("avemotion.features.wavlm.COMPARED", 1)
    write_params({"features.wavlm.precision": arithmetic, "features.wavlm.dtype": "float16"})
    write_manifest({name: voice(1, f0, f0) for name, f0 in (("a", 120), ("b", 200))})
    monkeypatch.setattr("sys.argv", ["features", "wavlm", "--role", "affect"])
    features.main()
    folder = tmp_path / "data/features/wavlm/affect"
    found = feature_store.FeatureStore(folder).facts["rounding"]
    reported = cache_precision.report([folder])["affect_wavlm"]
    assert (reported["clips"], reported["precision"], reported["last"]["stored"]) == (2, arithmetic, "float16")
    assert reported["boundary"]["bfloat16_error"] == found["boundary"]["bfloat16"]
    assert found.keys() == {"boundary", "last"}
    for kinds in found.values():
        # Half of the last bit, 2^-11 and 2^-8, bounds the relative error of each value.
        assert kinds["float16"] < 2**-11 and kinds["bfloat16"] < 2**-8
        if arithmetic == "fp32":
            assert kinds["float16"] > 0.2 * 2**-11 and kinds["bfloat16"] > 0.2 * 2**-8
        assert ("computed" in kinds) == (arithmetic == "bf16")
        assert 1e-4 < kinds.get("computed", 0.001) < 0.05
