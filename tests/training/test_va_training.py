"""The VA model learns: every updater, every option, and more from earlier turns than without them."""

import pytest
import torch
from drifting import BATCHING, WEIGHTS, drifting
from va_toys import STATE, UPDATERS, va_model

from avemotion.formats.targets import RATED, USUAL
from avemotion.params.training.optimizer import OptimParams
from avemotion.training.common import loop
from avemotion.training.va import objective
from avemotion.training.va.losses import VALoss, Weights, ccc, va_loss
from avemotion.training.va.turn_batches import dialogue_batches, turn_dataset

pytestmark = pytest.mark.usefixtures("set_up")


CPU = torch.device("cpu")
OFF = {"decay_all": True, "cosine": False, "warmup": 0.0, "ema": 0.0, "select": "best"}


def optim(**changes):
    usual = {"batch_size": 16, "accumulate": 1, "optimizer": "adamw", "lr": 5e-3, "weight_decay": 0.0, "clip_norm": 1.0}
    return OptimParams(**usual | OFF | {"patience": 99, "precision": "fp32"} | changes)


def learn(model, dataset, epochs=25, feedback="none", memory=0, weights=WEIGHTS, **changes):
    """Train on dataset; the CCC of V and A over it at the end, and the objective."""
    objective.standardize(model, dataset)
    training_loss = objective.Objective(model, VALoss(weights, memory), CPU)
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
    task = loop.Task(batches=batches, loss=training_loss, validate=lambda: {"loss": 0.0, "score": score()}, label="va")
    loop.fit(model, task, phases, p, CPU)
    with torch.inference_mode():
        return score()


@pytest.mark.parametrize("updater", UPDATERS)
@pytest.mark.parametrize("feedback", ["none", "scheduled"])
def test_every_updater_learns_a_drifting_mood(toy, updater, feedback):
    features, rows = toy
    kept = STATE | {"updater": updater, "feedback": feedback != "none", "alpha": "per_target"}
    model = va_model(state=kept)
    assert learn(model, turn_dataset(features, rows, USUAL, True), 8, feedback) > 0.6
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
    assert learn(va_model(state=None, **choices), turn_dataset(features, rows, USUAL, False), 6) > 0.6


@pytest.mark.parametrize("heads", ["shared", "branches", "weighted_concat"])
def test_dominance_is_learned_beside_valence_and_arousal_from_the_turns_that_have_it(toy, heads):
    features, rows = toy
    some = rows.assign(dominance=rows.dominance.mask(rows.turn % 2 == 0))
    model = va_model(targets=RATED, heads=heads, state=STATE | {"updater": "linear", "alpha": "per_target"})
    learn(model, turn_dataset(features, some, RATED, True), 10, weights=Weights(ccc=[0.5, 0.5, 0.5], mse=0.1))
    with torch.inference_mode():
        prediction, target = objective.predictions(model, turn_dataset(features, rows, RATED, True), BATCHING, CPU)
    unseen = torch.tensor([turn % 2 == 0 for turn in rows.turn])
    assert ccc(prediction[unseen], target[unseen])[2] > 0.6
    assert model.state.alpha.shape == (3,) and (model.state.alpha - 0.8).abs().min() > 1e-4


def test_what_earlier_turns_show_helps_on_dialogues_never_heard(tmp_path):
    """The mood drifts slowly and each turn shows it in much noise: a moving average over turns must win."""
    features, rows = drifting(tmp_path / "features", dialogues=40, noise=1.2)
    known, unknown = rows[rows.split != "1"], rows[rows.split == "1"]
    scores = {}
    for name, kept in (("none", None), ("ema", STATE | {"updater": "linear", "feedback": False})):
        torch.manual_seed(0)
        model = va_model(state=kept, interaction="concat", heads="shared", film="none", fused_dim=None)
        learn(model, turn_dataset(features, known, USUAL, kept is not None), 8, weight_decay=0.1)
        with torch.inference_mode():
            pair = objective.predictions(model, turn_dataset(features, unknown, USUAL, kept is not None), BATCHING, CPU)
        scores[name] = ccc(*pair).mean().item()
    assert scores["ema"] > scores["none"] + 0.05, scores


def test_unlabelled_turns_are_context_but_not_in_the_loss(toy):
    features, rows = toy
    unknown = rows.id.isin(["d00_2", "d03_0"])
    rows = rows.assign(valence=rows.valence.mask(unknown), arousal=rows.arousal.mask(unknown))
    model = va_model()
    batch = next(iter(dialogue_batches(turn_dataset(features, rows, USUAL, True), [0], size=1, chunk=9)))
    output = model(**batch.inputs, turns=batch.turns)
    loss = va_loss(output.prediction, batch.target, WEIGHTS)
    keep = torch.tensor([0, 1, 3, 4, 5, 6, 7])
    assert loss.item() == pytest.approx(va_loss(output.prediction[keep], batch.target[keep], WEIGHTS).item())
    without = next(iter(dialogue_batches(turn_dataset(features, rows[~unknown], USUAL, True), [0], size=1, chunk=9)))
    shorter = model(**without.inputs, turns=without.turns).prediction
    torch.testing.assert_close(shorter[:2], output.prediction[:2], rtol=1e-5, atol=1e-5)
    assert (shorter[2:] - output.prediction[3:]).abs().min(1).values.min() > 1e-5  # they heard the turn in between
    assert learn(va_model(), turn_dataset(features, rows, USUAL, True), 2) > 0


def test_memory_of_the_ccc_learns_from_small_batches(toy):
    features, rows = toy
    assert learn(va_model(), turn_dataset(features, rows, USUAL, True), 8, memory=3) > 0.6
