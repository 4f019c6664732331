"""Arguments of the VA model and its batches, from the section `va`."""

from typing import Any

from avemotion.params.va import Config, VAParams
from avemotion.training.va import objective


def architecture(config: Config, sizes: dict[str, int], layers: int) -> dict[str, Any]:
    """Fields of VAArchitecture.

    Args:
        sizes: numbers of features of speech, prosody, speaker and fused.
        layers: number of hidden layers besides the last.

    Raises:
        ValueError: the heads of multi-head pooling do not divide the speech features.
    """
    p, attention_heads = config.va, config.attention_heads
    state = p.state
    if p.pooling == "multihead" and "speech" in p.inputs and sizes["speech"] * len(p.scales) % attention_heads:
        raise ValueError(
            f"{config.heads_key} is {attention_heads}; va.pooling multihead needs it to divide the "
            f"{sizes['speech'] * len(p.scales)} speech features"
        )
    dims = {f"{name}_dim": sizes[name] if name in p.inputs else None for name in objective.INPUTS}
    dialogue = {
        "size": state.size,
        "updater": state.updater,
        "window": state.window,
        "alpha": state.alpha,
        "feedback": state.feedback != "none",
    }
    return (
        {"targets": p.targets}
        | dims
        | {
            "dim": p.dim,
            "attention_heads": attention_heads,
            "dropout": p.dropout,
            "layers": layers + 1 if p.layers == "learned" else 0,
            "top": {"model": config.speech.model, "layers": p.finetune_layers} if p.finetune_layers else None,
            "scales": p.scales,
            "masked_time": p.masked_time,
            "masked_features": p.masked_features,
            "film": p.film,
            "pooling": p.pooling,
            "interaction": p.interaction,
            "head_inputs": p.head_inputs,
            "heads": p.heads,
            "state": dialogue if p.in_dialogues else None,
        }
    )


def batching(p: VAParams) -> objective.Batching:
    """Sizes of batches of turns, and of dialogues for a model with a state."""
    return objective.Batching(turns=p.batch_size, dialogues=p.state.dialogues, chunk=p.state.chunk)
