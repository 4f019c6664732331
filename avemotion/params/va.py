"""Section `va`: the parts of the VA model and its training; and the other params of the stage va."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from avemotion.formats.targets import RATED, Target
from avemotion.params.shared.common import frozen_or_positive
from avemotion.params.shared.compute import ComputeParams
from avemotion.params.training.audio import Layers, stored_layers
from avemotion.params.training.optimizer import OptimParams
from avemotion.params.training.speech import SpeechParams
from avemotion.params.training.speech import read as read_speech
from avemotion.system import params_file, plugins

INTERACTIONS = "avemotion.models.va.interactions"
Feedback = Literal["none", "teacher", "scheduled", "autoregressive"]


@dataclass(frozen=True, kw_only=True)
class StateParams:
    """Section `va.state`: the state that the model carries over the turns of a dialogue."""

    kind: Literal["none", "ema"]
    updater: Literal["linear", "gru", "transformer", "mamba"]
    size: int
    alpha: (
        float | Literal["learned", "per_target"]
    )  # of the moving average: a fixed value, learned, or learned per target
    feedback: Feedback  # input of the updater: no prediction, the truth, a mixture, or the previous prediction
    window: int  # turns in the attention window of the transformer
    dialogues: int  # in a batch
    chunk: int  # turns that gradients pass through

    def __post_init__(self) -> None:
        for name in ("size", "window", "dialogues", "chunk"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give 1 or more")
        if isinstance(self.alpha, float) and not 0 <= self.alpha < 1:
            raise ValueError(f"alpha is {self.alpha}; give 0 (no memory) to less than 1, learned or per_target")
        if self.updater == "transformer" and self.size % 4:
            raise ValueError(f"size is {self.size}; the transformer has 4 heads, so give a multiple of 4")


@dataclass(frozen=True, kw_only=True)
class NormaliseParams:
    """Section `va.normalise`: whose statistics standardise an input. speaker = of each speaker's own turns."""

    prosody: Literal["corpus", "speaker"]  # corpus = of the training turns
    speech: Literal["none", "speaker"]

    @property
    def by_speaker(self) -> list[str]:
        """Arrays of a turn that are standardised by speaker."""
        prosody = ["prosody"] if self.prosody == "speaker" else []
        return prosody + (["speech", "layers"] if self.speech == "speaker" else [])


@dataclass(frozen=True, kw_only=True)
class VAParams(OptimParams):
    """Section `va`."""

    targets: list[Target]  # columns of labels.csv
    inputs: list[Literal["speech", "prosody", "speaker", "fused"]]
    normalise: NormaliseParams
    speech_from: Literal["wavlm", "fusion"]  # WavLM itself, or with the layers that the fusion model fine-tuned
    layers: Layers  # of WavLM: the last one, or a learned weighting of it and features.wavlm.layers
    finetune_layers: int  # number of last WavLM layers that are fine-tuned
    encoder_lr: float | None  # of the fine-tuned WavLM layers; 0 or null freezes them
    scales: list[int]  # odd numbers of speech steps: windows of the moving means of speech
    masked_time: float  # SpecAugment in training: largest masked share of a turn's steps
    masked_features: float  # largest masked share of the features
    film: Literal["none", "pooled", "steps"]  # speaker modulation of pooled speech or of each step
    pooling: Literal["mean", "attention", "multihead", "statistics"]  # of speech over time
    interaction: str  # of speech and prosody: name of a file in models/va/interactions
    attention_heads: int | None  # of attention and of pooling multihead; null = xattn.heads
    head_inputs: Literal["all", "interaction"]  # every part, or the output of the interaction alone
    heads: Literal["shared", "separate", "branches", "weighted_concat"]
    state: StateParams
    dim: int  # width of every part of the model
    dropout: float
    epochs: int
    valence_lr: float | None  # of the head of valence; null = lr
    arousal_lr: float | None
    dominance_lr: float | None
    valence: float  # weight of each CCC in the loss
    arousal: float
    dominance: float
    mse: float  # weight of the squared errors in the loss
    ccc_memory: int  # earlier batches in the CCC of the loss, without gradient

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.targets or self.targets != [target for target in RATED if target in self.targets]:
            raise ValueError(f"targets is {self.targets}; name one or more of {', '.join(RATED)}, in this order")
        if not set(self.inputs) - {"speaker"} or len(set(self.inputs)) < len(self.inputs):
            raise ValueError(f"inputs is {self.inputs}; name each once, and speech, prosody or fused among them")
        if "speaker" in self.inputs and "speech" not in self.inputs:
            raise ValueError(f"inputs is {self.inputs}; the speaker modulates speech, so speech must be there too")
        if self.interaction not in (known := plugins.names(INTERACTIONS)):
            raise ValueError(f"interaction is {self.interaction!r}; choose one of {', '.join(known)}")
        needs = plugins.constant(INTERACTIONS, self.interaction, "NEEDS", ())
        if not set(needs) <= set(self.inputs):
            raise ValueError(
                f"interaction is {self.interaction}, but inputs is {self.inputs}; it needs {' and '.join(needs)}"
            )
        if "speech" in self.inputs and self.normalise.speech == "speaker" and self.finetune_layers:
            raise ValueError(
                f"normalise.speech is speaker, but finetune_layers is {self.finetune_layers}: the input of trained "
                "WavLM layers cannot be standardised; give none, or finetune_layers 0"
            )
        if self.epochs < 1:
            raise ValueError(f"epochs is {self.epochs}; give 1 or more")
        if min(self.valence, self.arousal, self.dominance, self.mse) < 0:
            raise ValueError("valence, arousal, dominance and mse are weights of the loss; give 0 or more")
        if not self.scales or len(set(self.scales)) < len(self.scales) or any(n < 1 or n % 2 == 0 for n in self.scales):
            raise ValueError(f"scales is {self.scales}; give odd numbers of steps, each once; [1] uses the steps alone")
        for name in ("masked_time", "masked_features"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give a share from 0 to less than 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; give 0 to less than 1")
        if self.ccc_memory < 0:
            raise ValueError(f"ccc_memory is {self.ccc_memory}; give 0 (the batch alone) or more")
        frozen_or_positive(self, "encoder_lr")
        self._check_heads()

    def _check_heads(self) -> None:
        for target in RATED:
            name = f"{target}_lr"
            rate = getattr(self, name)
            if rate is not None and rate <= 0:
                raise ValueError(f"{name} is {rate}; give a number above 0, or null for lr")
            if rate is not None and self.heads == "shared" and target in self.targets:
                raise ValueError(f"{name} is {rate}, but heads is shared; choose separate heads, or null")
        if self.attention_heads is not None and self.attention_heads < 1:
            raise ValueError(f"attention_heads is {self.attention_heads}; give 1 or more, or null for xattn.heads")
        if self.head_inputs == "interaction":
            unseen = {"fused", *(["prosody"] if self.interaction == "concat" else [])} & set(self.inputs)
            if "speech" not in self.inputs or unseen:
                raise ValueError(
                    f"head_inputs is interaction, but inputs is {self.inputs} and interaction {self.interaction}; the "
                    f"interaction needs speech and uses no {' and no '.join(sorted(unseen)) or 'other input'}: change "
                    "inputs, or give all"
                )

    @property
    def ccc_weights(self) -> list[float]:
        """Weight of the CCC of each target in the loss."""
        return [getattr(self, target) for target in self.targets]

    @property
    def in_dialogues(self) -> bool:
        """Whether batches are dialogues with their turns in order."""
        return self.state.kind != "none"


@dataclass(frozen=True, kw_only=True)
class Config:
    """The params of this stage."""

    seed: int
    compute: ComputeParams
    speech: SpeechParams
    attention_heads: int
    layers: list[int]  # in the wavlm cache, besides the last
    va: VAParams

    @property
    def needs_fusion(self) -> bool:
        """Whether an input depends on the fusion model."""
        return "fused" in self.va.inputs or ("speech" in self.va.inputs and self.va.speech_from == "fusion")

    @property
    def heads_key(self) -> str:
        """The key that sets the number of attention heads."""
        return "xattn.heads" if self.va.attention_heads is None else "va.attention_heads"


def configure(file: Path) -> Config:
    """Read and check this stage's params."""
    p: VAParams = params_file.read(file, "va", VAParams)
    of_fusion = params_file.read(file, "xattn.heads", int)
    config = Config(
        seed=params_file.read(file, "seed", int),
        compute=params_file.read(file, "compute", ComputeParams),
        speech=read_speech(file),
        attention_heads=of_fusion if p.attention_heads is None else p.attention_heads,
        layers=stored_layers(file, "va.layers", p.layers),
        va=p,
    )
    if config.attention_heads < 1 or p.dim % config.attention_heads:
        remedy = "" if p.attention_heads else "; va.attention_heads sets another number for va alone"
        raise ValueError(
            f"{file}: {config.heads_key} is {config.attention_heads}; it must divide va.dim ({p.dim}){remedy}"
        )
    if not 0 <= p.finetune_layers <= config.speech.unfreeze_layers:
        raise ValueError(
            f"{file}: va.finetune_layers is {p.finetune_layers}; give 0 to speech.unfreeze_layers "
            f"({config.speech.unfreeze_layers}): the cache stores the input of those layers"
        )
    return config
