"""The source files that a module consists of."""

from project_params import REPO

from avemotion.params import features
from avemotion.system import source_code


def names(module, without=()):
    return {path.relative_to(REPO).as_posix() for path in source_code.sources(module, without)}


def test_source_code_of_an_extractor_is_its_own_import_closure():
    mel, wavlm, frames = (names(f"avemotion.features.{kind}") for kind in ("mel", "wavlm", "frames"))
    assert {f"avemotion/{name}.py" for name in ("features/mel", "features/parts/noise", "media/waveforms")} <= mel
    assert "avemotion/system/params_file.py" in mel
    assert "avemotion/models/speech/pretrained.py" in wavlm - mel
    assert "avemotion/media/pictures.py" in frames and "avemotion/media/waveforms.py" not in frames
    assert not any(
        name.endswith("labels.py") for kind in features.kinds() for name in names(f"avemotion.features.{kind}")
    )
