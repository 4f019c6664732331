"""Params of the stage va without effect."""

from avemotion.formats.targets import RATED
from avemotion.params.va import INTERACTIONS, Config
from avemotion.system import plugins


def unused(config: Config) -> dict[str, str]:
    """Params without effect in combination with the others: key -> reason."""
    p = config.va
    reasons = p.unused("va")
    for target in (target for target in RATED if target not in p.targets):
        reasons |= dict.fromkeys([f"va.{target}", f"va.{target}_lr"], f"va.targets has no {target}")
    if "speech" not in p.inputs:
        of_speech = ("layers", "finetune_layers", "encoder_lr", "scales", "masked_time", "masked_features")
        keys = [f"va.{key}" for key in (*of_speech, "film", "pooling", "interaction", "normalise.speech")]
        keys += ["va.speech_from", "va.attention_heads", "xattn.heads"]
        reasons |= dict.fromkeys(keys, "va.inputs has no speech")
    taken = plugins.options(INTERACTIONS, p.interaction)
    if "pooling" not in taken:
        reasons["va.pooling"] = f"va.interaction is {p.interaction}, which has its own pooling"
    if "heads" not in taken or (p.interaction == "concat" and p.pooling != "multihead"):
        keys = ["va.attention_heads", "xattn.heads"]
        reasons |= dict.fromkeys(keys, f"va.interaction is {p.interaction} and va.pooling {p.pooling}")
    elif p.attention_heads is not None:
        reasons["xattn.heads"] = f"va.attention_heads is {p.attention_heads}"
    widthless = p.interaction == "concat" or "speech" not in p.inputs
    if widthless and p.heads != "branches" and "fused" not in p.inputs:
        reasons["va.dim"] = "no part of this model has that width"
    if "prosody" not in p.inputs:
        reasons["va.normalise.prosody"] = "va.inputs has no prosody"
    if "speaker" not in p.inputs:
        reasons["va.film"] = "va.inputs has no speaker"
    if not p.finetune_layers:
        reasons["va.encoder_lr"] = "va.finetune_layers is 0"
    state = ("size", "updater", "alpha", "feedback", "window", "dialogues", "chunk")
    if not p.in_dialogues:
        reasons |= dict.fromkeys([f"va.state.{key}" for key in state], "va.state.kind is none")
    else:
        reasons["va.batch_size"] = "va.state.kind is ema: batches are dialogues, va.state.dialogues at a time"
        if p.state.updater != "transformer":
            reasons["va.state.window"] = f"va.state.updater is {p.state.updater}"
    return reasons
