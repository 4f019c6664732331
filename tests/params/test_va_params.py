"""Values of section `va` that do not fit each other."""

import pytest
from project_params import params_with

from stages import fusion, va

BAD = [
    ({"va.targets": []}, r"va\.targets is \[\]; name one or more of valence, arousal, dominance, in this order"),
    ({"va.targets": ["arousal", "valence"]}, r"va\.targets is \['arousal', 'valence'\]; name one or more"),
    ({"va.targets": ["joy"]}, r"va\.targets.* is 'joy'; choose one of valence, arousal, dominance"),
    ({"va.dominance": -1.0}, r"valence, arousal, dominance and mse are weights of the loss"),
    (
        {"va.targets": ["dominance"], "va.dominance_lr": 0.1, "va.heads": "shared"},
        r"va\.dominance_lr is 0\.1, but heads is shared",
    ),
    ({"va.finetune_layers": 3}, r"va\.finetune_layers is 3; give 0 to speech\.unfreeze_layers \(2\)"),
    ({"va.layers": "learned"}, r"features\.wavlm\.layers is empty"),
    ({"va.interaction": "bidirectional", "va.inputs": ["speech"]}, r"it needs speech and prosody"),
    ({"va.state.alpha": 1.0}, r"va\.state\.alpha is 1\.0; give 0"),
    ({"va.state.alpha": "free"}, r"va\.state\.alpha is 'free'"),
    ({"va.state.chunk": 0}, r"va\.state\.chunk is 0; give 1 or more"),
    ({"va.ccc_memory": -1}, r"va\.ccc_memory is -1"),
    ({"va.encoder_lr": -1.0}, r"va\.encoder_lr is -1\.0"),
    ({"va.valence_lr": 0.0}, r"va\.valence_lr is 0\.0; give a number above 0, or null for lr"),
    ({"va.arousal_lr": 0.1, "va.heads": "shared"}, r"va\.arousal_lr is 0\.1, but heads is shared"),
    ({"va.attention_heads": 3}, r"va\.attention_heads is 3; it must divide va\.dim \(256\)$"),
    ({"va.attention_heads": 0}, r"va\.attention_heads is 0; give 1 or more, or null"),
    ({"va.head_inputs": "interaction"}, r"va\.head_inputs is interaction, but inputs is .* uses no fused: change"),
    (
        {"va.head_inputs": "interaction", "va.inputs": ["speech", "prosody"], "va.interaction": "concat"},
        r"interaction concat; the interaction needs speech and uses no prosody",
    ),
    ({"va.speech_from": "mel"}, r"va\.speech_from is 'mel'; choose one of wavlm, fusion"),
    ({"xattn.heads": 3}, r"xattn\.heads is 3; it must divide va\.dim \(256\); va\.attention_heads sets"),
    ({"va.state.updater": "transformer", "va.state.size": 6}, r"give a multiple of 4"),
]


@pytest.mark.parametrize("heads", [3, 6, 12])
def test_va_may_have_heads_of_its_own(tmp_path, heads):
    """Then the heads of the fusion need not divide va.dim."""
    shared = {"xattn.d_model": 96, "xattn.heads": heads}
    with pytest.raises(ValueError, match=rf"xattn\.heads is {heads}; it must divide va\.dim"):
        va.configure(params_with(tmp_path, shared))
    file = params_with(tmp_path, shared | {"va.attention_heads": 8})
    assert va.configure(file).attention_heads == 8 and fusion.configure(file).xattn.heads == heads
    assert va.configure(params_with(tmp_path, {"xattn.heads": 8})).attention_heads == 8


@pytest.mark.parametrize(("changes", "message"), BAD, ids=str)
def test_params_that_do_not_fit_are_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        va.configure(params_with(tmp_path, changes))
