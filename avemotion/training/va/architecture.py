"""From the section `va` to a VAModel and its batches."""

from typing import Any

from avemotion.params.va import Config, VAParams
from avemotion.training.va import objective


def architecture(config: Config, sizes: dict[str, int], layers: int) -> dict[str, Any]:
    """Fields of VAArchitecture.

    Args:
        sizes: features of speech, prosody, speaker and fused. layers: hidden layers beside the last.

    Raises:
        ValueError: multi-head pooling does not divide the speech features.
    """
    p, attention_heads = config.va, config.attention_heads
    state = p.state
    if p.pooling == "multihead" and "speech" in p.inputs and sizes["speech"] * len(p.scales) % attention_heads:
        raise ValueError(
            f"xattn.heads is {attention_heads}; va.pooling multihead needs it to divide the "
            f"{sizes['speech'] * len(p.scales)} speech features"
        )
    used = {f"{name}_dim": sizes[name] if name in p.inputs else None for name in objective.INPUTS}
    dialogue = {
        "size": state.size,
        "updater": state.updater,
        "window": state.window,
        "alpha": state.alpha,
        "feedback": state.feedback != "none",
    }
    return used | {
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
        "heads": p.heads,
        "state": dialogue if p.in_dialogues else None,
    }


def batching(p: VAParams) -> objective.Batching:
    """Batches of turns, or of dialogues where there is a state."""
    return objective.Batching(turns=p.batch_size, dialogues=p.state.dialogues, chunk=p.state.chunk)
