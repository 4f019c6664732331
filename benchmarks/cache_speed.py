"""Extraction and fine-tuning: the parts of benchmarks.cache that compute hidden states."""

import copy
import os
from argparse import Namespace
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from avemotion.features.parts.hidden_states import HiddenStates
from avemotion.features.wavlm import BATCH_FRAMES
from avemotion.media.waveforms import SAMPLE_RATE
from avemotion.models.speech.pretrained import boundary_layer, config_for
from avemotion.models.speech.top_layers import TopLayers
from benchmarks.timing import interleaved, line, matmul_peak

UNFROZEN = 2
MSP_PODCAST = 400  # hours

_reader: HiddenStates | None = None  # of a worker process


def extraction(options: Namespace, device: torch.device) -> None:
    """Hidden states of the boundary and the last layer, against a loop over utterances."""
    model = random_model(options.model).to(device)
    usual = copy.deepcopy(model)
    sounds = utterances(options.utterances)
    seconds = sum(len(sound) for sound in sounds) / SAMPLE_RATE
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        usual(torch.randn(1, 5 * SAMPLE_RATE, device=device))
    operations = counter.get_total_flops() / 5 * seconds

    @torch.inference_mode()
    def one_by_one() -> None:
        for sound in sounds:
            states = usual(sound[None].to(device), output_hidden_states=True)
            states.last_hidden_state.cpu(), states.hidden_states[-1 - UNFROZEN].cpu()

    for bf16 in (False, True):
        rivals = {"usual": one_by_one}
        if device.type == "cuda":
            reader = states_reader(model, bf16, BATCH_FRAMES)
            rivals["ours"] = lambda reader=reader: reader([sound[None] for sound in sounds])
            median = interleaved(rivals, options.repeats, device)
        else:
            cores = options.workers or os.cpu_count() or 1
            arguments = (options.model, bf16)
            with ProcessPoolExecutor(cores, get_context("spawn"), initializer=_load, initargs=arguments) as pool:
                rivals["ours"] = lambda pool=pool: list(pool.map(_extract, sounds))
                median = interleaved(rivals, options.repeats, device)
        peak = matmul_peak(device, torch.bfloat16 if bf16 else torch.float32, options.peak)
        goal = ("10" if device.type == "cuda" else "3" if bf16 else "1.5") + "x"
        speed = seconds / median["ours"]
        line(
            f"extraction {options.model} {'bf16' if bf16 else 'fp32'} {device.type}",
            median["usual"] / median["ours"],
            goal,
            f"{speed:.0f} s of sound a second, {operations / median['ours'] / peak:.0%} of the matrix product's peak; "
            f"MSP-Podcast ({MSP_PODCAST} h): {MSP_PODCAST / speed:.1f} h",
        )


def training(options: Namespace, device: torch.device) -> None:
    """Forward, backward and update of the last layers over a batch of 8."""
    model = random_model(options.model).to(device)
    first = boundary_layer(model.config, UNFROZEN)
    top = TopLayers.from_model(model, UNFROZEN).to(device).train()
    batch = [sound[None].to(device) for sound in utterances(8)]
    computed = states_reader(model, False, None)([sound.cpu() for sound in batch])
    usual = copy.deepcopy(model)
    for layer in usual.encoder.layers:  # restores transformers' own attention
        vars(layer.attention).pop("torch_multi_head_self_attention", None)
    usual.requires_grad_(False)
    for layer in usual.encoder.layers[first:]:
        layer.requires_grad_(True).train()
    states = [np.asarray(states[first][0], np.float16) for states in computed]
    lengths = torch.tensor([len(rows) for rows in states])
    mask = (torch.arange(int(lengths.max()))[None] < lengths[:, None]).to(device)
    bf16 = device.type == "cuda"

    def stepper(module: nn.Module, backward: Callable[[], None]) -> Callable[[], None]:
        optimizer = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=1e-5)

        def step() -> None:
            optimizer.zero_grad()
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                backward()
            optimizer.step()

        return step

    def from_cache() -> None:
        rows = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(r).float() for r in states], batch_first=True)
        last = top(rows.to(device), mask)
        (last.masked_fill(~mask.unsqueeze(-1), 0).sum(1) / mask.sum(1, keepdim=True)).square().mean().backward()

    def whole() -> None:
        for sound in batch:
            usual(sound).last_hidden_state.mean(1).square().mean().div(len(batch)).backward()

    rivals = {"usual": stepper(usual, whole), "ours": stepper(top, from_cache)}
    median = interleaved(rivals, options.repeats, device)
    goal = "6x" if "large" in options.model else "10x" if bf16 else "4x"
    name = f"step of the last {UNFROZEN} layers {options.model} {'bf16' if bf16 else 'fp32'} {device.type}"
    line(name, median["usual"] / median["ours"], goal, f"batch of 8, {sum(lengths.tolist())} frames")


def random_model(name: str) -> nn.Module:
    from transformers import WavLMModel

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return WavLMModel(config_for(name)).eval()


def states_reader(model: nn.Module, bf16: bool, batch_frames: int | None) -> HiddenStates:
    total = model.config.num_hidden_layers
    return HiddenStates(model, [total - UNFROZEN, total], normalize=False, bf16=bf16, batch_frames=batch_frames)


def utterances(count: int) -> list[Tensor]:
    """Waveforms [S] of 2 to 8 s."""
    rng = np.random.default_rng(0)
    return [torch.from_numpy(rng.standard_normal(rng.integers(32_000, 128_000), np.float32)) for _ in range(count)]


def _load(name: str, bf16: bool) -> None:
    global _reader
    torch.set_num_threads(1)
    _reader = states_reader(random_model(name), bf16, None)


def _extract(sound: Tensor) -> None:
    assert _reader is not None
    _reader([sound[None]])
