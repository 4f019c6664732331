"""Batches of turns and of dialogues: time order, chunks, padding."""

import numpy as np
import pytest
import torch
from drifting import BATCHING
from va_toys import turn_inputs, va_model

from avemotion.formats import feature_store
from avemotion.formats.targets import USUAL
from avemotion.training.va import objective
from avemotion.training.va.turn_batches import TurnDataset, dialogue_batches, turn_dataset

pytestmark = pytest.mark.usefixtures("set_up")


CPU = torch.device("cpu")


def test_dialogue_batches_keep_time_order_and_fill_row_by_row(toy):
    features, rows = toy
    rows = rows[rows.dialogue.isin(["d00", "d01", "d02"])]
    rows = rows[(rows.dialogue != "d01") | (rows.turn < 2)].sample(frac=1, random_state=0)  # in no order
    dataset = turn_dataset(features, rows, USUAL, True)
    batches = list(dialogue_batches(dataset, [2, 1, 0], size=2, chunk=5))
    assert [batch.ids for batch in batches] == [
        [f"d02_{t}" for t in range(5)] + ["d01_0", "d01_1"],
        [f"d02_{t}" for t in range(5, 8)],
        [f"d00_{t}" for t in range(5)],
        [f"d00_{t}" for t in range(5, 8)],
    ]
    assert [batch.continued for batch in batches] == [False, True, False, True]
    assert batches[0].turns.tolist() == [[True] * 5, [True] * 2 + [False] * 3]
    assert batches[1].turns.tolist() == [[True] * 3, [False] * 3]  # the rows stay in place
    target = rows.set_index("id").loc[batches[0].ids, ["valence", "arousal"]].to_numpy()
    np.testing.assert_allclose(batches[0].target, target, rtol=1e-6)
    with pytest.raises(ValueError, match=r"turn d00_0 has no dialogue.*va\.state\.kind: none"):
        turn_dataset(features, rows.assign(dialogue=None).sort_values("id"), USUAL, True)


def test_chunks_side_by_side_equal_whole_dialogues_one_by_one(toy):
    """Also with dialogues of different lengths, some ended while others go on."""
    features, rows = toy
    rows = rows[rows.turn < 1 + rows.dialogue.str[1:].astype(int) % 8]
    dataset, model = turn_dataset(features, rows, USUAL, True), va_model()
    found = {}
    with torch.inference_mode():
        for batching in (BATCHING, objective.Batching(turns=1, dialogues=1, chunk=99)):
            for batch, output in objective.outputs(model, dataset, batching, CPU):
                for clip, values in zip(batch.ids, output.prediction, strict=True):
                    found.setdefault(clip, []).append(values)
    assert len(found) == len(rows)
    for first, second in found.values():
        torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-5)


def test_sequences_and_layers_reach_the_model(tmp_path):
    turns = turn_inputs(3, layers=2)
    arrays = {
        f"t{i}": {"speech": t["speech"][0].numpy(), "layers": t["layers"][0].numpy()} for i, t in enumerate(turns)
    }
    feature_store.write(
        tmp_path,
        [feature_store.CLEAN],
        ((clip, {feature_store.CLEAN: a}) for clip, a in arrays.items()),
        {"hop_seconds": 1},
    )
    dataset = TurnDataset(feature_store.FeatureStore(tmp_path), list(arrays), torch.zeros(3, 2))
    model = va_model(layers=3, prosody_dim=None, speaker_dim=None, fused_dim=None, state=None)
    batch = next(iter(BATCHING.in_order(dataset)))
    assert set(batch.inputs) == {"speech", "layers", "speech_mask"}
    for row, turn in enumerate(turns):
        alone = model(**{name: turn[name] for name in ("speech", "layers", "speech_mask")})
        torch.testing.assert_close(model(**batch.inputs).prediction[row], alone.prediction[0], rtol=1e-5, atol=1e-5)
