"""The VA models of all folds from waveform, frames, prosody and speaker embedding, for one turn with its state."""

import torch
from torch import Tensor, nn

from avemotion.export.fusion_graph import Clip, prosody_port, waveform_port
from avemotion.export.onnx_file import Graph, Port
from avemotion.export.sound_graphs import SpeechStates
from avemotion.models.va.dialogue_state import Memory
from avemotion.models.va.model import VAModel
from avemotion.prediction.trained_models import Models
from avemotion.training.va.turn_embeddings import TurnInputs

STATE = "state of the dialogue after the turn before; zeros (False) before the first turn"


class Turn(nn.Module):
    """What a VA model takes of a turn: the fusion model behind it and WavLM's layers above the cache."""

    def __init__(self, models: Models, of: TurnInputs, speech: SpeechStates):
        super().__init__()
        self.of, self.speech = of, speech
        self.fusion, self.top = of.fusion, of.top
        self.clip = None
        if "fused" in of.names:
            assert of.fusion is not None
            self.clip = Clip(models, of.fusion, of.audio, speech)
            if self.clip.mel is not None and self.clip.mel.params.trim_db is not None:
                raise ValueError(
                    "the fusion model behind va takes a log-mel of trimmed sound (features.mel.trim_db), and "
                    "WavLM the whole sound, but the graph has one waveform; train with trim_db: null"
                )

    def forward(self, given: dict[str, Tensor]) -> dict[str, Tensor]:
        """Inputs by name -> arguments of VAModel.parts, with a batch of one."""
        states = self.speech(given["waveform"])
        inputs = {name: given[name][None] for name in ("prosody", "speaker") if name in self.of.names and name in given}
        mask = torch.ones(states["last"].shape[:2], dtype=torch.bool)
        if "speech" in self.of.names:
            steps = states["last"]
            if self.top is not None:
                steps = self.top(states["boundary"], mask, skip=self.of.open_layers)
            inputs |= {"speech": steps, "speech_mask": mask}
            if self.of.layers:
                inputs["layers"] = states["layers"]
        if self.clip is not None:
            assert self.fusion is not None
            inputs["fused"] = self.fusion(*self.clip(given, states)).embedding
        return inputs


class VAGraph(Graph):
    """Values of a turn by the model of each fold, and the state after it."""

    def __init__(self, models: Models):
        """
        Raises:
            ValueError: inputs are standardised by the speaker's other turns; or as SpeechStates.
        """
        super().__init__()
        if models.by_speaker:
            raise ValueError(
                f"va.normalise standardises {', '.join(models.by_speaker)} by all turns of a speaker, which a graph of "
                "one turn does not have; train with va.normalise: corpus"
            )
        speech = SpeechStates(models.settings["wavlm"])
        shared = {id(of): of for of in models.inputs.values()}
        self.places = {fold: list(shared).index(id(of)) for fold, of in models.inputs.items()}
        self.turns = nn.ModuleList([Turn(models, of, speech) for of in shared.values()])
        self.models, self.folds = nn.ModuleList(models.va.values()), list(models.va)
        clips = [turn.clip for turn in self.turns if turn.clip is not None]
        spans = [speech.span, *(clip.mel.span for clip in clips if clip.mel is not None)]
        self.inputs = [waveform_port(min(spans, key=lambda span: span.high))]
        if clips:
            self.inputs += [port for port in clips[0].ports if port.name not in ("waveform", "has_sound")]
        taken = {port.name for port in self.inputs}
        self.inputs += [port for port in vector_ports(next(iter(models.va.values()))) if port.name not in taken]
        state = [port for fold, model in models.va.items() for port in state_ports(fold, model)]
        self.inputs += state
        meaning = f"{', '.join(models.targets)} by the model of each fold {self.folds}, in the units of the corpus"
        self.outputs = [Port(name="prediction", shape=(len(self.folds), len(models.targets)), meaning=meaning)]
        self.outputs += [
            Port(name=f"next_{p.name}", shape=p.shape, boolean=p.boolean, meaning=f"{p.name} of the next turn")
            for p in state
        ]
        self.eval()

    def forward(self, given: dict[str, Tensor]) -> dict[str, Tensor]:
        """Inputs by name -> prediction [F, V] and the states after the turn."""
        turns = [turn(given) for turn in self.turns]
        predictions, states = [], {}
        for fold, model in zip(self.folds, self.models, strict=True):
            predicted, after = turn_of_fold(fold, model, turns[self.places[fold]], given)
            predictions.append(predicted[0])
            states |= after
        return {"prediction": torch.stack(predictions)} | states


def turn_of_fold(
    fold: int, model: VAModel, inputs: dict[str, Tensor], given: dict[str, Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Arguments of VAModel.parts, and the states by name -> prediction [1, V], the states after the turn by name."""
    predicted, memory = one_turn(model, inputs, _memory(fold, given))
    after = {} if memory is None else _named(fold, memory)
    return predicted, {f"next_{name}": value for name, value in after.items()}


def one_turn(model: VAModel, inputs: dict[str, Tensor], memory: Memory | None) -> tuple[Tensor, Memory | None]:
    """One turn of one dialogue, as VAModel.forward computes it -> prediction [1, V], memory after it.

    VAModel places turns by a mask of any content, for which a graph needs sizes that depend on values.
    """
    parts, _ = model.parts(**inputs)
    z, _ = model.heads.merge(parts)
    if model.state is None or memory is None:
        return model.units.invert(model.heads(z, None)[0]), None
    after = model.state(torch.cat(list(parts.values()), -1), memory)
    scores = model.heads(z, after.state)[0].float()
    return model.units.invert(scores), Memory(state=after.state, previous=scores, carried=after.carried)


def vector_ports(model: VAModel) -> list[Port]:
    """Prosody and speaker embedding, as far as the model takes them."""
    ports = []
    if model.standardize_prosody is not None:
        ports.append(prosody_port(len(model.standardize_prosody.mean)))
    if model.film is not None:
        size = model.film.network[0].in_features
        ports.append(Port(name="speaker", shape=(size,), meaning="speaker embedding of norm 1; see preprocessing.json"))
    return ports


def state_ports(fold: int, model: VAModel) -> list[Port]:
    """The state of a fold's model; none for a model of independent turns."""
    if model.state is None:
        return []
    start = model.state.start(1, model.units.mean)
    return [
        Port(name=name, shape=tuple(value.shape), boolean=value.dtype == torch.bool, meaning=STATE)
        for name, value in _named(fold, start).items()
    ]


def _named(fold: int, memory: Memory) -> dict[str, Tensor]:
    carried = {f"fold_{fold}_carried_{i}": value for i, value in enumerate(memory.carried)}
    return {f"fold_{fold}_state": memory.state, f"fold_{fold}_previous": memory.previous} | carried


def _memory(fold: int, given: dict[str, Tensor]) -> Memory | None:
    if f"fold_{fold}_state" not in given:
        return None
    carried = tuple(value for name, value in given.items() if name.startswith(f"fold_{fold}_carried_"))
    return Memory(state=given[f"fold_{fold}_state"], previous=given[f"fold_{fold}_previous"], carried=carried)
