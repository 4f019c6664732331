"""What a trained fold leaves for evaluation."""

import numpy as np
import pandas as pd
import pytest
import torch
from drifting import BATCHING
from va_toys import STATE, va_model

from avemotion.formats.targets import USUAL
from avemotion.training.va import va_exports
from avemotion.training.va.turn_batches import turn_dataset

pytestmark = pytest.mark.usefixtures("set_up")


CPU = torch.device("cpu")


def test_exports(toy, tmp_path):
    features, rows = toy
    model = va_model(interaction="bidirectional", pooling="attention", state=STATE | {"alpha": "per_target"})
    test = turn_dataset(features, rows[rows.split == "1"], USUAL, True)
    va_exports.export(tmp_path, model, {"test": test}, {}, BATCHING, CPU)
    read = {name: pd.read_csv(tmp_path / f"{name}.csv") for name in ("predictions", "branches", "film", "gates")}
    assert all(list(table.id) == sorted(test.ids) for table in read.values())
    assert read["gates"].gate.tolist() == pytest.approx([int(clip[1:3]) / 100 for clip in sorted(test.ids)])
    np.testing.assert_allclose(read["branches"][["valence_own", "valence_rest"]].sum(axis=1), 1, atol=2e-6)
    speaker = torch.from_numpy(features.get(read["film"].id[3], "speaker").copy())
    gamma, beta = model.film.network(speaker).chunk(2, -1)
    expected = [(1 + gamma.tanh()).norm().item(), beta.norm().item()]
    assert read["film"].iloc[3, 1:].tolist() == pytest.approx(expected, abs=1e-5)
    from safetensors.torch import load_file

    maps = load_file(tmp_path / "attention.safetensors")
    for clip in test.ids:
        for name in ("prosody_to_speech", "pooling"):
            assert len(maps[f"{clip}/{name}"]) == features.length(clip, "speech")
            assert maps[f"{clip}/{name}"].sum().item() == pytest.approx(1, abs=1e-5)
        assert maps[f"{clip}/times"][0].item() == pytest.approx(0.01)
    assert va_exports.learned(model)["alpha"] == {"valence": 0.8, "arousal": 0.8}
    bare = va_model(state=None, film="none", heads="shared", interaction="concat", pooling="mean")
    dataset, silent = turn_dataset(features, rows[rows.split == "1"][1:], USUAL, False), rows[rows.split == "1"][:1]
    va_exports.export(tmp_path, bare, {"test": dataset}, {"test": silent}, BATCHING, CPU)
    told = pd.read_csv(tmp_path / "predictions.csv").set_index("id")
    assert list(told.index[told.valence_predicted.isna()]) == list(silent.id) and len(told) == len(dataset) + 1
    assert told.loc[silent.id, "valence"].tolist() == pytest.approx(silent.valence.tolist(), nan_ok=True)
    assert [len(pd.read_csv(tmp_path / f"{name}.csv")) for name in ("branches", "film")] == [0, 0]
    assert not load_file(tmp_path / "attention.safetensors")
    assert (tmp_path / "learned.json").read_text() == '{\n  "alpha": null,\n  "layers": null\n}\n'
