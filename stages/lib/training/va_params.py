"""Section `va` of params.yaml: what the V/A model is made of and how it learns."""

from dataclasses import dataclass
from typing import Any, Literal

from stages.lib.models.state import Alpha
from stages.lib.models.va_heads import HeadKind
from stages.lib.training import affect, loop


@dataclass(frozen=True, kw_only=True)
class StateParams:
    """Section `va.state`: what a dialogue leaves behind."""

    kind: Literal["none", "ema"]
    updater: Literal["linear", "gru", "transformer", "mamba"]
    size: int
    alpha: Alpha  # of the moving average: a value, learned, or per_target
    feedback: affect.Feedback  # the previous prediction enters the updater; in training the truth now and then
    window: int  # turns that the transformer sees
    dialogues: int  # side by side in a batch
    chunk: int  # turns that gradients run back through

    def __post_init__(self) -> None:
        for name in ("size", "window", "dialogues", "chunk"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give 1 or more")
        if isinstance(self.alpha, float) and not 0 <= self.alpha < 1:
            raise ValueError(f"alpha is {self.alpha}; give 0 (no memory) to less than 1, learned or per_target")
        if self.updater == "transformer" and self.size % 4:
            raise ValueError(f"size is {self.size}; the transformer has 4 heads, so give a multiple of 4")


@dataclass(frozen=True, kw_only=True)
class VAParams(loop.OptimParams):
    """Section `va`."""

    inputs: list[Literal["speech", "prosody", "speaker", "fused"]]
    layers: Literal["last", "learned"]  # of WavLM: the last, or a learned weighting with features.wavlm.layers
    finetune_layers: int  # last WavLM layers that train along
    encoder_lr: float  # theirs
    scales: list[int]  # odd numbers of speech steps: the moving means that a step is seen at
    masked_time: float  # SpecAugment in training: largest share of a turn's steps that is hidden
    masked_features: float  # and of the features
    film: Literal["none", "pooled", "steps"]  # modulation by the speaker: of speech as one vector, or of each step
    pooling: Literal["mean", "attention", "multihead", "statistics"]  # of speech over time
    interaction: Literal["concat", "cross_attention", "bidirectional"]  # of speech and prosody
    heads: HeadKind
    state: StateParams
    dim: int  # width of every part of the model
    dropout: float
    epochs: int
    valence: float  # weight of each CCC in the loss
    arousal: float
    mse: float  # weight of the squared errors in the loss
    ccc_memory: int  # earlier batches, without gradient, that the loss counts in

    def __post_init__(self) -> None:
        super().__post_init__()
        if not set(self.inputs) - {"speaker"} or len(set(self.inputs)) < len(self.inputs):
            raise ValueError(f"inputs is {self.inputs}; name each once, and speech, prosody or fused among them")
        if "speaker" in self.inputs and "speech" not in self.inputs:
            raise ValueError(f"inputs is {self.inputs}; the speaker modulates speech, so speech must be there too")
        if self.interaction == "bidirectional" and not {"speech", "prosody"} <= set(self.inputs):
            raise ValueError(f"interaction is bidirectional, but inputs is {self.inputs}; it needs speech and prosody")
        if self.epochs < 1:
            raise ValueError(f"epochs is {self.epochs}; give 1 or more")
        if min(self.valence, self.arousal, self.mse) < 0:
            raise ValueError("valence, arousal and mse are weights of the loss; give 0 or more")
        if not self.scales or len(set(self.scales)) < len(self.scales) or any(n < 1 or n % 2 == 0 for n in self.scales):
            raise ValueError(f"scales is {self.scales}; give odd numbers of steps, each once, [1] for the steps alone")
        for name in ("masked_time", "masked_features"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give a share from 0 to less than 1")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; give 0 to less than 1")
        if self.ccc_memory < 0:
            raise ValueError(f"ccc_memory is {self.ccc_memory}; give 0 (the batch alone) or more")
        if self.encoder_lr <= 0:
            raise ValueError(f"encoder_lr is {self.encoder_lr}; give a number above 0")

    @property
    def in_dialogues(self) -> bool:
        """Whether turns are taken in the order of their dialogue."""
        return self.state.kind != "none"

    @property
    def batching(self) -> affect.Batching:
        """Batches of turns, or of dialogues where there is a state."""
        return affect.Batching(turns=self.batch_size, dialogues=self.state.dialogues, chunk=self.state.chunk)


def architecture(p: VAParams, attention_heads: int, wavlm: str, sizes: dict[str, int], layers: int) -> dict[str, Any]:
    """Arguments of VAModel.

    Args:
        wavlm: speech.model, whose last layers may train along.
        sizes: features of speech, prosody, speaker and fused. layers: hidden layers beside the last.

    Raises:
        ValueError: multi-head pooling does not divide the speech features.
    """
    state = p.state
    if p.pooling == "multihead" and "speech" in p.inputs and sizes["speech"] * len(p.scales) % attention_heads:
        raise ValueError(
            f"xattn.heads is {attention_heads}; va.pooling multihead needs it to divide the "
            f"{sizes['speech'] * len(p.scales)} speech features"
        )
    used = {f"{name}_dim": sizes[name] if name in p.inputs else None for name in affect.INPUTS}
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
        "top": {"model": wavlm, "layers": p.finetune_layers} if p.finetune_layers else None,
        "scales": p.scales,
        "masked_time": p.masked_time,
        "masked_features": p.masked_features,
        "film": p.film,
        "pooling": p.pooling,
        "interaction": p.interaction,
        "heads": p.heads,
        "state": dialogue if p.in_dialogues else None,
    }
