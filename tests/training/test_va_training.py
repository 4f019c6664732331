"""Training of the V/A model: it learns where a mood drifts, memory and gradients end where they should, bad rows."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torchmetrics.functional import concordance_corrcoef
from toys import params_with
from va_toys import STATE, UPDATERS, turn_inputs, va_model

from avemotion.training.va.turn_batches import TurnDataset, dialogue_batches, turn_dataset
from avemotion.formats import feature_store
from avemotion.models.speech.pretrained import TopLayers, load
from avemotion.models.va.model import VAModel
from avemotion.system import runtime
from avemotion.params.shared.compute import ComputeParams

from avemotion.training.common import loop
from avemotion.training.va import objective, va_exports
from avemotion.training.va.losses import VALoss, ccc, va_loss
from commands import personalise
from stages import va

CPU = torch.device("cpu")
BATCHING = objective.Batching(turns=16, dialogues=4, chunk=5)
WEIGHTS = {"valence": 0.5, "arousal": 0.5, "mse": 0.1}


@pytest.fixture(autouse=True)
def seeded():
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng():
        runtime.setup(
            0, ComputeParams(device="cpu", threads=1, workers=1, loader_workers=0, engine="local", address=None)
        )
        yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)


def optim(**changes):
    usual = {"batch_size": 16, "accumulate": 1, "lr": 5e-3, "weight_decay": 0.0, "clip_norm": 1.0}
    return loop.OptimParams(**usual | {"cosine": False, "patience": 99, "precision": "fp32"} | changes)


def drifting(folder, dialogues=16, turns=8, noise=0.3):
    """Labels of dialogues whose mood drifts, and features in which each turn shows it, off by `noise` units."""
    rng = np.random.default_rng(0)
    rows, arrays = [], {}
    directions = rng.standard_normal((2, 16))
    for d in range(dialogues):
        mood = rng.normal(0, 1, 2)
        for t in range(turns):
            mood = 0.95 * mood + 0.3 * rng.normal(0, 1, 2)
            clip = f"d{d:02}_{t}"
            shown = (mood + noise * rng.standard_normal(2)) @ directions
            speech = shown + 0.5 * rng.standard_normal((2 + t % 3, 16))
            arrays[clip] = {
                "speech": speech.astype(np.float32),
                "prosody": (shown[:8] + 0.5 * rng.standard_normal(8)).astype(np.float32)[None],
                "speaker": np.eye(6, dtype=np.float32)[[d % 6]],
                "fused": rng.standard_normal((1, 10)).astype(np.float32),
                "gate": np.full((1, 1), d / 100, np.float32),
            }
            rows.append((clip, f"s{d % 4}{t % 2}", *(3 + mood), f"d{d:02}", t, float(t), str(1 + d % 4)))
    columns = ["id", "speaker", "valence", "arousal", "dialogue", "turn", "start", "split"]
    facts = {"hop_seconds": 0.02}
    feature_store.write(
        folder, [feature_store.CLEAN], ((clip, {feature_store.CLEAN: arrays[clip]}) for clip in sorted(arrays)), facts
    )
    return feature_store.FeatureStore(folder), pd.DataFrame(rows, columns=columns)


def learn(model, dataset, epochs=25, feedback="none", memory=0, **changes):
    """Train on dataset; the CCC of V and A over it at the end, and the objective."""
    objective.standardize(model, dataset)
    training_loss = objective.Objective(model, VALoss(**WEIGHTS, memory=memory), CPU)
    shuffled = BATCHING.training(dataset, seed=1)

    def batches(epoch):
        training_loss.teacher_share = objective.teacher_share(feedback, epoch, epochs)
        return shuffled(epoch)

    def score():
        prediction, target = objective.predictions(model, dataset, BATCHING, CPU)
        known = ~target.isnan().any(1)
        return ccc(prediction[known], target[known]).mean().item()

    p = optim(**changes)
    phases = [
        loop.Phase(name="train", epochs=epochs, prepare=lambda: [{"params": list(model.parameters()), "lr": p.lr}])
    ]
    loop.fit(model, phases, batches, training_loss, lambda: {"loss": 0.0, "score": score()}, p, CPU, "va")
    with torch.inference_mode():
        return score()


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return drifting(tmp_path_factory.mktemp("turns") / "features")


@pytest.mark.parametrize("updater", UPDATERS)
@pytest.mark.parametrize("feedback", ["none", "scheduled"])
def test_every_updater_learns_a_drifting_mood(toy, updater, feedback):
    features, rows = toy
    kept = STATE | {"updater": updater, "feedback": feedback != "none", "alpha": "per_target"}
    model = va_model(state=kept)
    assert learn(model, turn_dataset(features, rows, True), 8, feedback) > 0.6
    if updater == "linear":
        assert (model.state.alpha - 0.8).abs().min() > 1e-4  # both alphas learn


OPTIONS = [
    *({"interaction": "concat", "pooling": pooling} for pooling in ("mean", "attention", "multihead", "statistics")),
    {"interaction": "bidirectional", "pooling": "attention"},
    {"heads": "shared", "film": "pooled"},
    {"heads": "separate", "film": "none"},
]


@pytest.mark.parametrize("choices", OPTIONS, ids=str)
def test_every_option_learns(toy, choices):
    features, rows = toy
    assert learn(va_model(state=None, **choices), turn_dataset(features, rows, False), 6) > 0.6


def test_what_earlier_turns_show_helps_on_dialogues_never_heard(tmp_path):
    """The mood drifts slowly and each turn shows it in much noise: a moving average over turns must win."""
    features, rows = drifting(tmp_path / "features", dialogues=40, noise=1.2)
    known, unknown = rows[rows.split != "1"], rows[rows.split == "1"]
    scores = {}
    for name, kept in (("none", None), ("ema", STATE | {"updater": "linear", "feedback": False})):
        torch.manual_seed(0)
        model = va_model(state=kept, interaction="concat", heads="shared", film="none", fused_dim=None)
        learn(model, turn_dataset(features, known, kept is not None), 8, weight_decay=0.1)
        with torch.inference_mode():
            pair = objective.predictions(model, turn_dataset(features, unknown, kept is not None), BATCHING, CPU)
        scores[name] = ccc(*pair).mean().item()
    assert scores["ema"] > scores["none"] + 0.05, scores


def test_dialogue_batches_keep_time_order_and_fill_row_by_row(toy):
    features, rows = toy
    rows = rows[rows.dialogue.isin(["d00", "d01", "d02"])]
    rows = rows[(rows.dialogue != "d01") | (rows.turn < 2)].sample(frac=1, random_state=0)  # in no order
    dataset = turn_dataset(features, rows, True)
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
        turn_dataset(features, rows.assign(dialogue=None).sort_values("id"), True)


def test_chunks_side_by_side_equal_whole_dialogues_one_by_one(toy):
    """Also with dialogues of different lengths, some ended while others go on."""
    features, rows = toy
    rows = rows[rows.turn < 1 + rows.dialogue.str[1:].astype(int) % 8]
    dataset, model = turn_dataset(features, rows, True), va_model()
    found = {}
    with torch.inference_mode():
        for batching in (BATCHING, objective.Batching(turns=1, dialogues=1, chunk=99)):
            for batch, output in objective.outputs(model, dataset, batching, CPU):
                for clip, values in zip(batch.ids, output.prediction, strict=True):
                    found.setdefault(clip, []).append(values)
    assert len(found) == len(rows)
    for first, second in found.values():
        torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-5)


def test_objective_carries_memory_within_a_dialogue_and_gradients_end_at_chunks(toy):
    features, rows = toy
    dataset, model = turn_dataset(features, rows, True), va_model()
    training_loss = objective.Objective(model, VALoss(**WEIGHTS, memory=0), CPU)
    first, second, fresh, _ = dialogue_batches(dataset, range(8), size=4, chunk=5)
    training_loss(first)
    carried = training_loss.memory
    assert not carried.state.requires_grad and carried.state.abs().max() > 0
    told = training_loss(second).item()
    training_loss(fresh)  # other dialogues: the memory must not enter
    training_loss.memory = carried
    again = training_loss(fresh).item()
    training_loss.memory = None
    assert training_loss(fresh).item() == again and training_loss(second).item() != told


def test_unlabelled_turns_are_context_but_not_in_the_loss(toy):
    features, rows = toy
    unknown = rows.id.isin(["d00_2", "d03_0"])
    rows = rows.assign(valence=rows.valence.mask(unknown), arousal=rows.arousal.mask(unknown))
    model = va_model()
    batch = next(iter(dialogue_batches(turn_dataset(features, rows, True), [0], size=1, chunk=9)))
    output = model(**batch.inputs, turns=batch.turns)
    loss = va_loss(output.prediction, batch.target, **WEIGHTS)
    keep = torch.tensor([0, 1, 3, 4, 5, 6, 7])
    assert loss.item() == pytest.approx(va_loss(output.prediction[keep], batch.target[keep], **WEIGHTS).item())
    without = next(iter(dialogue_batches(turn_dataset(features, rows[~unknown], True), [0], size=1, chunk=9)))
    shorter = model(**without.inputs, turns=without.turns).prediction
    torch.testing.assert_close(shorter[:2], output.prediction[:2], rtol=1e-5, atol=1e-5)
    assert (shorter[2:] - output.prediction[3:]).abs().min(1).values.min() > 1e-5  # they heard the turn in between
    assert learn(va_model(), turn_dataset(features, rows, True), 2) > 0


@pytest.mark.parametrize("feedback", ["teacher", "scheduled", "autoregressive", "none"])
def test_how_often_the_truth_is_told(feedback):
    shares = [objective.teacher_share(feedback, epoch, 5) for epoch in range(1, 6)]
    assert shares == {"teacher": [1] * 5, "scheduled": [1, 0.75, 0.5, 0.25, 0]}.get(feedback, [0] * 5)
    assert objective.teacher_share("scheduled", 1, 1) == 1


def test_ccc_over_several_batches():
    prediction, target = torch.randn(12, 2, requires_grad=True), torch.randn(12, 2)
    target[5, 0] = math.nan
    loss, found = VALoss(**WEIGHTS, memory=2), []
    for piece in range(4):
        rows = slice(3 * piece, 3 * piece + 3)
        found.append(loss(prediction[rows], target[rows]))
    for piece, first in ((0, 0), (1, 0), (2, 0), (3, 3)):  # at most two batches before
        rows = slice(first, 3 * piece + 3)
        assert found[piece].item() == pytest.approx(va_loss(prediction[rows], target[rows], **WEIGHTS).item())
    (gradient,) = torch.autograd.grad(found[3], prediction)
    assert not gradient[:9].any() and gradient[9:].all()  # the earlier ones count, but only the batch learns
    (whole,) = torch.autograd.grad(va_loss(prediction[3:], target[3:], **WEIGHTS), prediction)
    torch.testing.assert_close(gradient[9:], whole[9:])
    alone = VALoss(**WEIGHTS, memory=0)
    assert alone(prediction[:3], target[:3]).item() == alone(prediction[:3], target[:3]).item()


def test_memory_of_the_ccc_learns_from_small_batches(toy):
    features, rows = toy
    assert learn(va_model(), turn_dataset(features, rows, True), 8, memory=3) > 0.6


def test_a_batch_without_any_label_has_a_loss_and_a_gradient_of_zero():
    prediction = torch.randn(3, 2, requires_grad=True)
    loss = va_loss(prediction, torch.full((3, 2), math.nan), **WEIGHTS)
    loss.backward()
    assert loss.item() == 1 and not prediction.grad.any()


def test_units_and_prosody_are_standardised_on_training_rows_each_target_by_itself(toy):
    features, rows = toy
    rows = rows.assign(valence=rows.valence.mask(rows.turn > 1), arousal=2.0)
    model = VAModel(**{"speech_dim": 16, "prosody_dim": 8, "speaker_dim": 6, "fused_dim": 10}, **_choices(None))
    objective.standardize(model, turn_dataset(features, rows, False))
    known = rows.valence.dropna().to_numpy()
    assert model.units.mean.tolist() == pytest.approx([known.mean(), 2.0], rel=1e-5)
    assert model.units.std.tolist() == pytest.approx([known.std(), 1.0], rel=1e-5)  # a constant target keeps its unit
    prosody = np.concatenate([features.get(clip, "prosody") for clip in rows.id])
    np.testing.assert_allclose(model.standardize_prosody.mean, prosody.mean(0), rtol=1e-4, atol=1e-5)


def _choices(state):
    from va_toys import CHOICES

    return CHOICES | {"state": state}


def table(**changes):
    """Two dialogues of two turns in each of four sessions."""
    rows = [
        {"id": f"s{s}d{d}t{t}", "speaker": f"s{s}{t}", "split": str(s), "dialogue": f"s{s}d{d}", "turn": t,
         "valence": 1.0 + d + t, "arousal": 2.0 + t}
        for s in range(1, 5) for d in range(2) for t in range(2)
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**changes)


def test_rows_of_a_fold():
    rows = table()
    rows.loc[rows.id.isin(["s1d0t0", "s2d0t0", "s3d0t0"]), ["valence", "arousal"]] = math.nan
    for in_dialogues in (True, False):
        parts = objective.fold_rows(rows, 1, 2, in_dialogues)
        assert [len(parts[name]) for name in ("val", "test")] == [4, 4]  # unlabelled turns are predicted
        assert ("s3d0t0" in set(parts["train"].id)) == in_dialogues and set(parts["train"].split) == {"3", "4"}
    with pytest.raises(ValueError, match=r"fold 7 has no turn to test on"):
        objective.fold_rows(rows, 7, 2, True)
    with pytest.raises(ValueError, match=r"fold 1 has 1 val turns with valence; it needs 2"):
        objective.fold_rows(
            rows.assign(valence=rows.valence.mask((rows.split == "2") & (rows.id != "s2d1t1"))), 1, 2, True
        )
    with pytest.raises(ValueError, match=r"fold 1 has 0 train turns with arousal"):
        objective.fold_rows(rows.assign(arousal=rows.arousal.mask(rows.split.isin(["3", "4"]))), 1, 2, True)


def test_finetuned_layers_start_from_the_given_weights_and_train_at_their_own_rate(tmp_path):
    changes = {"speech.model": "tiny", "speech.unfreeze_layers": 2, "va.finetune_layers": 1, "va.dim": 16}
    config = va.configure(params_with(tmp_path, changes | {"va.inputs": ["speech"], "va.dropout": 0.0}))
    sizes = {"speech": 128, "prosody": 8, "speaker": 6, "fused": 10}
    model = VAModel(**va.architecture(config.va, config.attention_heads, "tiny", sizes, 0))
    whole = load("tiny")
    both, last = TopLayers.from_model(whole, 2).eval(), TopLayers.from_model(whole, 1)
    model.top.load_state_dict(last.state_dict())
    boundary, mask = torch.randn(2, 5, 128), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    with torch.no_grad():  # the frozen layers once, the open one every epoch: the same as both together
        entering = both(boundary, mask, skip=1)
        torch.testing.assert_close(model.eval().top(entering, mask)[mask], both(boundary, mask)[mask], rtol=0, atol=0)
        assert both(boundary, mask, skip=2) is boundary
    rest, encoder = va.groups(model, config.va)
    assert (rest["lr"], encoder["lr"]) == (config.va.lr, config.va.encoder_lr)
    assert len(encoder["params"]) == len([p for p in last.parameters() if p.requires_grad])
    assert len(encoder["params"]) + len(rest["params"]) == len([p for p in model.parameters() if p.requires_grad])
    output = model(speech=entering, speech_mask=mask, turns=torch.ones(1, 2, dtype=torch.bool))
    output.prediction.square().sum().backward()
    assert all(p.grad is not None for p in encoder["params"])
    assert model.top.layers["3"].feed_forward.output_dense.weight.grad.abs().max() > 0


BAD = [
    ({"va.finetune_layers": 3}, r"va\.finetune_layers is 3; give 0 to speech\.unfreeze_layers \(2\)"),
    ({"va.layers": "learned"}, r"features\.wavlm\.layers is empty"),
    ({"va.interaction": "bidirectional", "va.inputs": ["speech"]}, r"it needs speech and prosody"),
    ({"va.state.alpha": 1.0}, r"va\.state\.alpha is 1\.0; give 0"),
    ({"va.state.alpha": "free"}, r"va\.state\.alpha is 'free'"),
    ({"va.state.chunk": 0}, r"va\.state\.chunk is 0; give 1 or more"),
    ({"va.ccc_memory": -1}, r"va\.ccc_memory is -1"),
    ({"va.encoder_lr": 0.0}, r"va\.encoder_lr is 0\.0"),
    ({"xattn.heads": 3}, r"xattn\.heads is 3; it must divide va\.dim"),
    ({"va.state.updater": "transformer", "va.state.size": 6}, r"give a multiple of 4"),
]


@pytest.mark.parametrize(("changes", "message"), BAD, ids=str)
def test_params_that_do_not_fit_are_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        va.configure(params_with(tmp_path, changes))


def test_multihead_pooling_must_divide_the_speech_features(tmp_path):
    config = va.configure(params_with(tmp_path, {"va.pooling": "multihead", "xattn.heads": 4}))
    with pytest.raises(ValueError, match=r"divide the 130 speech features"):
        va.architecture(config.va, 4, "tiny", {"speech": 130, "prosody": 8, "speaker": 6, "fused": 10}, 0)


def test_exports(toy, tmp_path):
    features, rows = toy
    model = va_model(interaction="bidirectional", pooling="attention", state=STATE | {"alpha": "per_target"})
    test = turn_dataset(features, rows[rows.split == "1"], True)
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
    dataset, silent = turn_dataset(features, rows[rows.split == "1"][1:], False), rows[rows.split == "1"][:1]
    va_exports.export(tmp_path, bare, {"test": dataset}, {"test": silent}, BATCHING, CPU)
    told = pd.read_csv(tmp_path / "predictions.csv").set_index("id")
    assert list(told.index[told.valence_predicted.isna()]) == list(silent.id) and len(told) == len(dataset) + 1
    assert told.loc[silent.id, "valence"].tolist() == pytest.approx(silent.valence.tolist(), nan_ok=True)
    assert [len(pd.read_csv(tmp_path / f"{name}.csv")) for name in ("branches", "film")] == [0, 0]
    assert not load_file(tmp_path / "attention.safetensors")
    assert (tmp_path / "learned.json").read_text() == '{\n  "alpha": null,\n  "layers": null\n}\n'


def test_personalisation_moves_film_alone_and_scores_later_turns(toy):
    features, rows = toy
    session, model = rows[rows.split == "1"], va_model()
    how = personalise.Adaptation(turns=6, steps=10, lr=3e-3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = personalise.personalise(model, features, session, how, WEIGHTS)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [row["speaker"] for row in found] == ["s00", "s01"]
    for row in found:
        assert (row["learned"], row["scored"]) == (6, 10)  # 16 turns a speaker in four dialogues
    own = session[session.speaker == "s00"].sort_values(["dialogue", "turn"])
    heard = turn_dataset(features, session[session.dialogue.isin(own.dialogue[:6])], True)
    positions = [heard.ids.index(turn) for turn in own.id[:6]]
    personal = personalise.adapt(model, heard, positions, how, WEIGHTS)
    moved = {name for name, value in personal.state_dict().items() if not torch.equal(value, before[name])}
    assert moved and all(name.startswith("film.") for name in moved)
    with torch.inference_mode():
        losses = []
        for kind in (model, personal):
            prediction, target = objective.predictions(kind, heard, personalise.BATCHING, CPU)
            losses.append(va_loss(prediction[positions], target[positions], **WEIGHTS).item())
        scored = turn_dataset(features, session[session.dialogue.isin(own.dialogue[6:])], True)
        prediction, target = objective.predictions(personal, scored, personalise.BATCHING, CPU)
    assert losses[1] < losses[0]
    keep = [scored.ids.index(turn) for turn in own.id[6:]]
    known = concordance_corrcoef((prediction[keep, 0] - 3).double(), (target[keep, 0] - 3).double())
    assert found[0]["valence_after"] == pytest.approx(known.item(), abs=0.1)  # torchmetrics divides by n - 1
    again = personalise.personalise(model, features, session, how, WEIGHTS)
    assert again == found
    alone = personalise.personalise(va_model(state=None), features, session, how, WEIGHTS)  # without any dialogue
    assert [(row["speaker"], row["scored"]) for row in alone] == [("s00", 10), ("s01", 10)]


def test_personalisation_refuses_what_it_cannot_do(toy, capsys):
    features, rows = toy
    session = rows[rows.split == "1"]
    how = personalise.Adaptation(turns=15, steps=1, lr=1e-3)
    with pytest.raises(ValueError, match=r"no speaker of fold 1 has 17 labelled turns; learn from fewer"):
        personalise.personalise(va_model(), features, session, how, WEIGHTS)
    assert "speaker s00: 16 labelled turns, 17 are needed; left out" in capsys.readouterr().out
    with pytest.raises(ValueError, match="no FiLM to adapt"):
        personalise.personalise(va_model(film="none"), features, session, how, WEIGHTS)


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
