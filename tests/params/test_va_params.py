"""Values of section `va` that do not fit each other."""

import pytest
from project_params import params_with

from stages import va

BAD = [
    ({"va.finetune_layers": 3}, r"va\.finetune_layers is 3; give 0 to speech\.unfreeze_layers \(2\)"),
    ({"va.layers": "learned"}, r"features\.wavlm\.layers is empty"),
    ({"va.interaction": "bidirectional", "va.inputs": ["speech"]}, r"it needs speech and prosody"),
    ({"va.state.alpha": 1.0}, r"va\.state\.alpha is 1\.0; give 0"),
    ({"va.state.alpha": "free"}, r"va\.state\.alpha is 'free'"),
    ({"va.state.chunk": 0}, r"va\.state\.chunk is 0; give 1 or more"),
    ({"va.ccc_memory": -1}, r"va\.ccc_memory is -1"),
    ({"va.encoder_lr": 0.0}, r"va\.encoder_lr is 0\.0"),
    ({"xattn.heads": 3}, r"xattn\.heads is 3; it must divide va\.dim"),
    ({"va.state.updater": "transformer", "va.state.size": 6}, r"give a multiple of 4"),
]


@pytest.mark.parametrize(("changes", "message"), BAD, ids=str)
def test_params_that_do_not_fit_are_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        va.configure(params_with(tmp_path, changes))
