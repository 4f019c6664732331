"""The training loop of all stages: phases, gradient accumulation, selection on validation."""

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from avemotion.params.training.optimizer import OptimParams
from avemotion.system.runtime import autocast
from avemotion.system.workers import progress_interval
from avemotion.training.common import schedules
from avemotion.training.common.freeze import train_mode
from avemotion.training.common.live_curves import LiveCurves
from avemotion.training.common.resume import Progress, Resume, Stateful
from avemotion.training.common.weight_average import WeightAverage

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
}
COLUMNS = ("phase", "epoch", "train_loss", "val_loss", "val_score", "learning_rate")


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A number of epochs with one set of trainable weights.

    prepare() freezes and unfreezes weights, and returns the optimizer's parameter groups.
    """

    name: str
    epochs: int
    prepare: Callable[[], list[dict[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Task:
    """Data, loss and validation of a training.

    batches: epoch (from 1) -> batches of that epoch.
    loss: batch -> scalar.
    validate: () -> {"loss", "score"} on the validation rows. A higher score is better; with equal scores, a lower loss.
    label: text of the progress bar.
    resume: where an interrupted training goes on; None = it starts anew.
    memory: what the loss keeps from batch to batch; None = nothing.
    """

    batches: Callable[[int], Iterable[Any]]
    loss: Callable[[Any], Tensor]
    validate: Callable[[], dict[str, float]]
    label: str
    resume: Resume | None = None
    memory: Stateful | None = None


def fit(
    model: nn.Module,
    task: Task,
    phases: Sequence[Phase],
    params: OptimParams,
    device: torch.device,
    curves: LiveCurves | None = None,
) -> pd.DataFrame:
    """Train model; at the end it has the weights that params.select names and is in evaluation mode.

    These are the weights of its best validation epoch, or of its last epoch. With params.ema they are the moving
    average of the weights, and validation scores that average.

    Args:
        curves: gets the history after every epoch; no result depends on it.

    Returns:
        one row per epoch with COLUMNS. Without phases the model keeps its weights, and there are no rows.
    """
    at = (task.resume and task.resume.read()) or Progress(best_state=_snapshot(model))
    for phase in phases[at.phase :]:
        model.load_state_dict(at.best_state)  # a phase starts from the selected weights so far
        groups = phase.prepare()
        if params.weight_decay and not params.decay_all:
            groups = schedules.sparing(groups)
        optimizer = OPTIMIZERS[params.optimizer](groups, weight_decay=params.weight_decay)
        schedule = schedules.schedule(optimizer, phase.epochs, params.warmup, params.cosine)
        parts: dict[str, Stateful] = {"model": model, "optimizer": optimizer, "schedule": schedule}
        if task.memory is not None:
            parts["memory"] = task.memory
        average = None
        if params.ema:
            parts["average"] = average = WeightAverage(model, params.ema)
            optimizer.register_step_post_hook(average.update)
        if task.resume is not None:
            task.resume.restore(parts)
        bar = tqdm(
            range(at.epochs, phase.epochs),
            desc=f"{task.label} {phase.name}",
            mininterval=progress_interval(),
            unit="epoch",
            initial=at.epochs,
            total=phase.epochs,
        )
        for _ in bar:
            if params.select == "best" and at.stale >= params.patience:
                break
            epoch, rate = len(at.history) + 1, optimizer.param_groups[0]["lr"]
            train_loss = train_epoch(model, task.batches(epoch), task.loss, optimizer, params, device)
            schedule.step()
            model.eval()
            with average.evaluated() if average else nullcontext():
                with torch.inference_mode():
                    validation = {name: float(value) for name, value in task.validate().items()}
                score = (validation["score"], -validation["loss"])
                # Comparisons with NaN are false, so an undefined score is never the best.
                better = score > at.best
                if better or params.select == "last":
                    at.best_state = _snapshot(model)
            at.history.append(
                {
                    "phase": phase.name,
                    "epoch": epoch,
                    "train_loss": train_loss,
                    "val_loss": validation["loss"],
                    "val_score": validation["score"],
                    "learning_rate": rate,
                }
            )
            if curves is not None:
                curves.write(pd.DataFrame(at.history))
            at.best, at.stale = (score, 0) if better else (at.best, at.stale + 1)
            at.epochs += 1
            if task.resume is not None:
                task.resume.write(at, parts)
            bar.set_postfix(loss=f"{train_loss:.3f}", val=f"{validation['score']:.3f}", best=f"{at.best[0]:.3f}")
        bar.close()
        at.phase, at.epochs, at.stale = at.phase + 1, 0, 0
    model.load_state_dict(at.best_state)
    model.eval()
    return pd.DataFrame(at.history, columns=COLUMNS)


def train_epoch(
    model: nn.Module,
    batches: Iterable[Any],
    loss: Callable[[Any], Tensor],
    optimizer: torch.optim.Optimizer,
    params: OptimParams,
    device: torch.device,
) -> float:
    """One pass over batches; returns the mean loss of its batches."""
    train_mode(model)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    losses: list[float] = []
    optimizer.zero_grad()
    for batch in batches:
        with autocast(params.precision, device):
            value = loss(batch)
        (value / params.accumulate).backward()
        losses.append(value.item())
        if not math.isfinite(losses[-1]):
            raise ValueError(
                f"the training loss became {losses[-1]} in batch {len(losses)} of an epoch; lower lr (now {params.lr})"
                " or use precision fp32"
            )
        if len(losses) % params.accumulate == 0:
            _step(optimizer, parameters, params.clip_norm)
    if last := len(losses) % params.accumulate:  # an incomplete group: the mean is over fewer batches
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.mul_(params.accumulate / last)
        _step(optimizer, parameters, params.clip_norm)
    return sum(losses) / len(losses)


def _step(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], clip_norm: float | None) -> None:
    if clip_norm is not None:
        nn.utils.clip_grad_norm_(parameters, clip_norm)
    optimizer.step()
    optimizer.zero_grad()


def _snapshot(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
