"""Freezing of weights, training mode with frozen modules, and parameter counts."""

from collections.abc import Iterable, Mapping

from torch import nn


def train_only(model: nn.Module, parameters: Iterable[nn.Parameter]) -> None:
    """Enable gradients for these parameters of model and disable them for all others."""
    model.requires_grad_(False)
    for parameter in parameters:
        parameter.requires_grad_(True)


def train_mode(model: nn.Module) -> None:
    """model.train(), except that fully frozen modules stay in evaluation mode.

    Otherwise dropout would add noise to a frozen encoder, and batch normalisation would update its statistics.
    """
    model.train()
    for module in model.modules():
        parameters = list(module.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            module.eval()


def count(module: nn.Module) -> dict[str, int]:
    """{"total", "trainable"}: numbers of parameters."""
    parameters = list(module.parameters())
    return {
        "total": sum(p.numel() for p in parameters),
        "trainable": sum(p.numel() for p in parameters if p.requires_grad),
    }


def summarize(
    model: nn.Module, parts: Mapping[str, nn.Module | None], rest: str, cached: Mapping[str, int] | None = None
) -> dict:
    """The output of `--summary`: numbers of parameters in total and by part.

    Args:
        parts: disjoint submodules; None where the model has no such part.
        rest: name of the parameters outside all parts.
        cached: numbers of parameters of frozen layers whose output comes from the feature cache, by name.
    """
    whole = count(model)
    named = {name: count(part) for name, part in parts.items() if part is not None}
    others = {key: whole[key] - sum(part[key] for part in named.values()) for key in whole}
    if others["total"]:
        named[rest] = others
    below = {name: number for name, number in (cached or {}).items() if number}
    named |= {name: {"total": number, "trainable": 0} for name, number in below.items()}
    return {"total": whole["total"] + sum(below.values()), "trainable": whole["trainable"], "parts": named}
