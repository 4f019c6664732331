"""Hidden states of many recordings at once: those of each one alone through transformers' own model."""

import copy

import numpy as np
import pytest
import speech_toys
import torch

from avemotion.features.parts.hidden_states import HiddenStates, Window, pieces, receptive_field

LAYERS = range(speech_toys.SMALL["num_hidden_layers"] + 1)


@pytest.fixture(scope="module", params=speech_toys.NAMES)
def model(request):
    return speech_toys.make(request.param)


def sounds(seed, count, longest=9000):
    """Waveforms [V, S] of random lengths, the shortest a single frame; each with a loudness of its own."""
    rng = np.random.default_rng(seed)
    lengths = [400, *rng.integers(800, longest, count - 1)]
    return [
        torch.from_numpy(rng.normal(0, rng.uniform(0.1, 3), (rng.integers(1, 4), n)).astype(np.float32))
        for n in lengths
    ]


@torch.no_grad()
def alone(model, waveform):
    """Layer -> [V, T, H], each view by itself."""
    model = copy.deepcopy(model)
    for layer in model.encoder.layers:
        vars(layer.attention).pop("torch_multi_head_self_attention", None)  # transformers' own again
    views = [model(view[None], output_hidden_states=True) for view in waveform]
    last = len(LAYERS) - 1
    states = {layer: torch.cat([view.hidden_states[layer] for view in views]) for layer in range(last)}
    return states | {last: torch.cat([view.last_hidden_state for view in views])}


def difference(found, expected):
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("batch_frames", [None, 1, 100])
def test_every_layer_of_every_recording_is_as_if_alone(model, batch_frames):
    recordings = sounds(3, 6)
    found = HiddenStates(model, LAYERS, normalize=False, batch_frames=batch_frames)(recordings)
    for waveform, states in zip(recordings, found, strict=True):
        expected = alone(model, waveform)
        assert states.keys() == expected.keys()
        for layer, rows in states.items():
            assert rows.shape == expected[layer].shape
            assert difference(rows, expected[layer]) < 1e-5, layer


def test_padded_waveforms_would_change_the_numbers():
    """What the test above guards against: group norm takes its statistics over the padding too."""
    model = speech_toys.make("wavlm base")
    short, long = torch.randn(2, 1, 9000, generator=torch.Generator().manual_seed(2))
    short = short[:, :5000]
    padded = torch.cat([torch.nn.functional.pad(short, (0, 4000)), long])
    real = (torch.arange(9000)[None] < torch.tensor([[5000], [9000]])).long()
    with torch.no_grad():
        together = model(padded, attention_mask=real).last_hidden_state[:1, :15]
    assert difference(together, alone(model, short)[len(LAYERS) - 1]) > 0.1


def test_company_changes_no_bit(model):
    """Fewer recordings, another order, other neighbours: the same bytes."""
    recordings, others = sounds(6, 5), sounds(7, 4)
    reader = HiddenStates(model, [3, 5], normalize=True, batch_frames=200)
    together = reader(recordings)
    for selection in ([4], [3, 0, 2], range(4, -1, -1)):
        found = reader([*others, *(recordings[i] for i in selection)])[len(others) :]
        for i, states in zip(selection, found, strict=True):
            assert all(torch.equal(states[layer], together[i][layer]) for layer in (3, 5))


@pytest.mark.parametrize("normalize", [False, True])
def test_windows_join_to_what_enters_the_transformer_of_the_whole(model, normalize):
    """Convolutions and normalisation over time know all of a long recording: layer 0 shows no seam."""
    long = torch.randn(2, 65_000, generator=torch.Generator().manual_seed(1))
    long[:, : long.shape[1] // 2] *= 5  # statistics of a window are far from those of the whole
    (whole,) = HiddenStates(model, [0], normalize=normalize, window=Window(frames=10**6, overlap=100))([long])
    (joined,) = HiddenStates(model, [0], normalize=normalize, window=Window(frames=50, overlap=8))(
        [long]
    )  # positions reach 8 frames
    assert whole[0].shape[1] == 202
    assert difference(joined[0], whole[0]) < 2e-5
    (cut,) = HiddenStates(model, [0], normalize=normalize, window=Window(frames=50, overlap=0))([long])
    assert difference(cut[0], whole[0]) > 1e-3


@pytest.mark.parametrize("style", speech_toys.STYLES["wavlm"])
@pytest.mark.parametrize("batch_frames", [None, 400])
def test_windows_join_to_the_whole_where_the_overlap_holds_the_context(style, batch_frames):
    """Of WavLM, whose bias can make attention local: it reaches 7 frames a layer, 5 layers and positions need 43."""
    local = speech_toys.make(f"wavlm {style}")
    with torch.no_grad():
        for attention in (layer.attention for layer in local.encoder.layers):
            attention.gru_rel_pos_const.fill_(1.0)  # gates between 1 and 2
        table = local.encoder.layers[0].attention.rel_attn_embed.weight  # 8 buckets of one distance, then wider ones
        table[8:16], table[24:32] = -1e4, -1e4
    long = torch.randn(1, 400 + 320 * 300, generator=torch.Generator().manual_seed(0))
    (whole,) = HiddenStates(local, [5], normalize=False, window=Window(frames=10**6, overlap=100))([long])
    (joined,) = HiddenStates(
        local, [5], normalize=False, window=Window(frames=150, overlap=44), batch_frames=batch_frames
    )([long])
    assert difference(joined[5], whole[5]) < 1e-4
    (short,) = HiddenStates(
        local, [5], normalize=False, window=Window(frames=150, overlap=4), batch_frames=batch_frames
    )([long])
    assert difference(short[5], whole[5]) > 1e-2


@pytest.mark.parametrize("batch_frames", [None, 100])
def test_a_window_is_transformers_own_encoder_over_its_frames(model, batch_frames):
    long = torch.randn(1, 400 + 320 * 120, generator=torch.Generator().manual_seed(4))
    reader = HiddenStates(model, [5], normalize=False, window=Window(frames=50, overlap=8), batch_frames=batch_frames)
    (joined,) = reader([long])
    entering = []
    hook = model.encoder.register_forward_pre_hook(lambda _, args: entering.append(args[0].clone()))
    with torch.no_grad():
        model(long)
    hook.remove()
    seen = list(pieces(121, 50, 8))
    assert len(seen) == 4
    for piece in seen:
        with torch.no_grad():
            own = model.encoder(entering[0][:, piece.first : piece.last]).last_hidden_state
        expected = own[:, piece.start - piece.first : piece.stop - piece.first]
        assert difference(joined[5][:, piece.start : piece.stop], expected) < 2e-5


@pytest.mark.parametrize(("frames", "window", "overlap"), [(7, 7, 1), (8, 7, 1), (100, 7, 3), (100, 9, 0), (1, 5, 1)])
def test_pieces_keep_every_frame_once_within_their_window(frames, window, overlap):
    found = list(pieces(frames, window, overlap))
    assert [i for piece in found for i in range(piece.start, piece.stop)] == list(range(frames))
    for piece in found:
        assert 0 <= piece.first <= piece.start < piece.stop <= piece.last <= frames
        assert piece.last - piece.first <= window
        assert piece.start - piece.first == min(overlap, piece.start) and piece.last - piece.stop <= overlap


def test_long_recordings_go_through_in_bounded_stretches(model, monkeypatch):
    monkeypatch.setattr("avemotion.features.parts.hidden_states.BLOCK", 16000)
    heard, attended = [], []
    conv = model.feature_extractor.conv_layers[0].conv
    hooks = [
        conv.register_forward_pre_hook(lambda _, args: heard.append(args[0].shape[-1])),
        model.encoder.layers[0].register_forward_pre_hook(lambda _, args: attended.append(args[0].shape[1])),
    ]
    HiddenStates(model, [5], normalize=True, window=Window(frames=60, overlap=5))([torch.randn(1, 300_000)])
    for hook in hooks:
        hook.remove()
    assert len(attended) == 19 and max(attended) == 60  # 937 frames, 50 kept of each window
    assert max(heard) <= max(16000 + 10, 59 * 320 + receptive_field(model.config))


def test_bfloat16_is_near_and_not_the_same(model):
    recording = sounds(9, 2)[1:]
    exact, near = (HiddenStates(model, [5], normalize=True, bf16=half)(recording)[0][5] for half in (False, True))
    relative = float((near - exact).norm() / exact.norm())
    assert 1e-4 < relative < 0.05
