"""Digests of float32 operations and the price of the same bytes on every processor: python -m benchmarks.portable.

Each operation runs in two processes of its own, with the kernels that avemotion/system/environment.py fixes and with
those that the libraries choose for this processor. The digests of the first column are equal on every machine on which
the bytes of the chain are equal; PORTABLE.md has those measured so far.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import avemotion  # noqa: F401  before numpy and torch

# isort: split
import numpy as np
import torch
import torch.nn.functional as F
import torchaudio
import torchvision
from torch import Tensor

from benchmarks.timing import machine

Operation = Callable[[], tuple[Tensor, ...]]
REPEATS = 5
ROUNDS = 3


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape, dtype="float32"))


def operations() -> Iterator[tuple[str, Operation]]:
    """What the chain computes most, on fixed inputs."""
    a, b = gaussian(1000, 768), gaussian(768, 3072, seed=1)
    x, weight = gaussian(16, 64, 56, 56), gaussian(64, 64, 3, 3, seed=2)
    mel, sound = torchaudio.transforms.MelSpectrogram(16000, n_fft=400, hop_length=160, n_mels=64), gaussian(80_000)
    heads = gaussian(4, 12, 250, 64)

    def gradients() -> tuple[Tensor, ...]:
        leaves = x.clone().requires_grad_(), weight.clone().requires_grad_()
        F.conv2d(*leaves, padding=1).square().sum().backward()
        return tuple(leaf.grad for leaf in leaves if leaf.grad is not None)

    yield "matrix product", lambda: (a @ b,)
    yield "convolution", lambda: (F.conv2d(x, weight, padding=1),)
    yield "convolution, gradients", gradients
    yield "mel spectrogram", lambda: (mel(sound),)
    yield "attention", lambda: (F.scaled_dot_product_attention(heads, heads, heads),)
    yield "softmax, GELU, layer norm", lambda: (F.layer_norm(F.gelu(torch.softmax(a, -1)), (768,)),)
    yield "exp, tanh, sums", lambda: (a.exp().sum(0), a.tanh().mean(1))
    yield "ResNet-18, 5 steps", resnet
    yield "numpy: exp, log, matrix product, QR", arrays


def resnet() -> tuple[Tensor, ...]:
    torch.manual_seed(0)
    network = torchvision.models.resnet18(num_classes=8).train()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    pictures, labels = gaussian(8, 3, 64, 64), torch.arange(8)
    for _ in range(5):
        optimizer.zero_grad()
        F.cross_entropy(network(pictures), labels).backward()
        optimizer.step()
    return tuple(parameter.detach() for parameter in network.parameters())


def arrays() -> tuple[Tensor, ...]:
    a = np.random.default_rng(0).standard_normal((500, 300))
    single = a.astype(np.float32)
    values = (np.exp(single), np.log(np.abs(single)), np.tanh(a), a @ a.T, np.linalg.qr(a)[0])
    return tuple(torch.from_numpy(value) for value in values)


def measure() -> dict[str, tuple[str, float]]:
    """Name -> digest and least seconds of an operation, in this process."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    measured = {}
    for name, operation in operations():
        digest = hashlib.sha256(b"".join(of.contiguous().numpy().tobytes() for of in operation())).hexdigest()[:12]
        seconds = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            operation()
            seconds.append(time.perf_counter() - began)
        measured[name] = digest, min(seconds)
    return measured


def least(rounds: list[dict[str, tuple[str, float]]]) -> dict[str, tuple[str, float]]:
    """The digests, which all rounds share, and the least seconds of several processes."""
    for later in rounds[1:]:
        assert all(later[name][0] == digest for name, (digest, _) in rounds[0].items()), "no fixed bytes in one setting"
    return {name: (digest, min(of[name][1] for of in rounds)) for name, (digest, _) in rounds[0].items()}


def in_process(portable: str) -> dict[str, tuple[str, float]]:
    command = [sys.executable, "-m", "benchmarks.portable", "--measure"]
    environment = os.environ | {"AVEMOTION_PORTABLE": portable}
    if portable == "0":
        from avemotion.system.environment import PORTABLE

        environment = {name: value for name, value in environment.items() if name not in PORTABLE}
    return json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def processor() -> str:
    """Vendor, family and model, where the system names them."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "unknown processor"
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
    return f"{facts.get('vendor_id')} family {facts.get('cpu family')} model {facts.get('model')}"


def main() -> None:
    if "--measure" in sys.argv:
        print(json.dumps(measure()))
        return
    pairs = [
        (in_process("1"), in_process("0")) for _ in range(ROUNDS)
    ]  # in turns, because the load of a machine drifts
    fixed, chosen = least([pair[0] for pair in pairs]), least([pair[1] for pair in pairs])
    print(f"{processor()}; {machine(torch.device('cpu'))}\n")
    print("| operation | digest, fixed kernels | digest, the libraries' choice | time, fixed / choice |")
    print("|---|---|---|---:|")
    for name, (digest, seconds) in fixed.items():
        print(f"| {name} | {digest} | {chosen[name][0]} | {seconds / chosen[name][1]:.2f} |")


if __name__ == "__main__":
    main()
