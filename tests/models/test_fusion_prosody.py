"""Prosody as the third input of a fusion: by hand, for clips without sound, and learned."""

import pytest
import torch
import torch.nn.functional as F
from fusion_toys import CLASSES, clip, fusion

from avemotion.datasets.clip_batches import Batch, collate
from avemotion.models.fusion.base import has_prosody

P = 5
TAKING = ("late", "concat", "gated", "xattn_concat", "xattn_gated")


def batch() -> Batch:
    """Three clips of both modalities, one without picture, one without sound."""
    lengths = [(9, 3), (4, 1), (6, 2), (5, None), (None, 2)]
    return collate([clip(seed, *length, functionals=P) for seed, length in enumerate(lengths)])


def moved(of: Batch, by: float) -> Batch:
    """The same clips with other prosody where they have one."""
    return Batch(**vars(of) | {"prosody": of.prosody + by * torch.arange(P)})


@pytest.mark.parametrize("mode", TAKING)
def test_prosody_matters_where_there_is_sound_and_nowhere_else(mode):
    model, of = fusion(mode, prosody=P), batch()
    before, after = model(*of.inputs), model(*moved(of, 0.5).inputs)
    change = (after.logits - before.logits).abs().max(1).values
    assert (change[:4] > 1e-4).all() and change[4] == 0
    assert before.logits.isfinite().all()
    # A modality that is left out in evaluation takes the prosody of its sound along.
    silent = of.audio, torch.zeros_like(of.audio_mask), of.video, of.video_mask
    assert torch.equal(model(*silent, of.prosody).logits, model(*silent, moved(of, 0.5).prosody).logits)
    assert not has_prosody(of.prosody, silent[1]).any()


@pytest.mark.parametrize("rule", ["mean", "product"])
def test_late_takes_three_softmaxes(rule):
    model, of = fusion("late", prosody=P, late_rule=rule), batch()
    output = model(*of.inputs)
    shares = torch.stack([part.double().softmax(-1) for part in output.parts])
    expected = shares.mean(0) if rule == "mean" else F.normalize(shares.prod(0), p=1, dim=-1)
    torch.testing.assert_close(output.logits.double().softmax(-1), expected, rtol=1e-5, atol=1e-6)
    assert output.embedding.shape == (5, 3 * CLASSES)
    standardised = (of.prosody[:4] - model.prosody.standardize.mean) / model.prosody.standardize.std
    by_hand = model.prosody.classifier(model.prosody.embed(standardised.clamp(-5, 5)))
    torch.testing.assert_close(output.parts[2][:4], by_hand)


def test_gated_weighs_prosody_against_both_others_by_hand():
    model, of = fusion("gated", prosody=P), batch()
    output = model(*of.inputs)
    audio = model.project_audio(model.audio.encode(of.audio, of.audio_mask)) * of.audio_mask.any(1)[:, None]
    video = model.project_video(model.video.encode(of.video, of.video_mask)) * of.video_mask.any(1)[:, None]
    share = model.gate(torch.cat([audio, video], -1))
    both = share * audio + (1 - share) * video
    prosody = model.prosody_gate.project(model.encode_prosody(of.prosody, of.audio_mask))
    own = model.prosody_gate.gate(torch.cat([both, prosody], -1))
    own[4] = 0  # without sound
    torch.testing.assert_close(output.embedding, own * prosody + (1 - own) * both)
    torch.testing.assert_close(output.prosody_share, own.squeeze(1))
    assert (output.prosody_share[:4] > 0).all() and output.prosody_share[4] == 0


def test_in_cross_attention_prosody_is_a_query_to_the_sound():
    model, of = fusion("xattn_concat", prosody=P), batch()
    weights = {}
    model.prosody_to_audio.register_forward_hook(lambda module, given, output: weights.update(of=output[1].mean(1)))
    model(*of.inputs)
    assert weights["of"].shape == (5, 1, of.audio.shape[1])
    sums = weights["of"].squeeze(1).masked_fill(~of.audio_mask, 0).sum(1)
    torch.testing.assert_close(sums, torch.tensor([1.0, 1, 1, 1, 0]))


@pytest.mark.parametrize("mode", ["late", "concat", "gated", "xattn_gated"])
@pytest.mark.usefixtures("seeded")
def test_what_only_prosody_shows_is_learned(mode):
    """Sound and picture are noise: with the prosody of another class the prediction is that class."""
    centres = 2 * torch.randn(CLASSES, P)

    def clips(first: int) -> Batch:
        items = [clip(seed, 4, 1) for seed in range(first, first + 32)]
        rows = [centres[int(item[3])] + 0.3 * torch.randn(P) for item in items]
        return collate([(*item, row) for item, row in zip(items, rows, strict=True)])

    model, training, others = fusion(mode, prosody=P), clips(0), clips(32)
    for encoder in (model.audio, model.video):
        encoder.requires_grad_(False)
    model.prosody.standardize.fit(training.prosody)
    optimizer = torch.optim.Adam([p for p in model.head_parameters() if p.requires_grad], 0.01)
    for _ in range(20):
        optimizer.zero_grad()
        F.cross_entropy(model(*training.inputs).logits, training.target).backward()
        optimizer.step()
    swapped = Batch(**vars(others) | {"prosody": others.prosody.roll(1, 0)})  # classes follow each other
    right = [model(*of.inputs).logits.argmax(1) == of.target for of in (others, swapped)]
    assert right[0].float().mean() > 0.9 and right[1].float().mean() < 0.2
