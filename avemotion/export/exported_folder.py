"""A trained model as files for other programs."""

import json
import shutil
from pathlib import Path

from avemotion.export import examples, model_card, onnx_file, preprocessing
from avemotion.export.fusion_graph import FusionGraph
from avemotion.export.va_graph import VAGraph
from avemotion.prediction.trained_models import Models
from avemotion.system import outputs, tables

GRAPHS = {"emotion": FusionGraph, "affect": VAGraph}
NAMES = {"emotion": "fusion", "affect": "va"}  # stage of a role's models
EXAMPLE = Path(*examples.__path__) / "onnx_example.py"


def write(role: str, models: Models, folder: Path, root: Path = Path()) -> float:
    """Write <stage>.onnx, preprocessing.json, MODEL_CARD.md and example.py; returns the largest difference of outputs.

    Args:
        role: emotion or affect. models: on the CPU. root: of the project.

    Raises:
        ValueError: there are no such models, they cannot be exported, or metrics/ has the scores of others.
    """
    stage = NAMES[role]
    if (models.emotion if role == "emotion" else models.affect) is None:
        raise ValueError(f"there is no model of {stage} in data/models; run `dvc repro {stage}`")
    graph = GRAPHS[role](models)
    with outputs.whole_files(folder) as partial:
        file = partial / f"{stage}.onnx"
        opset = onnx_file.write(graph, file)
        difference = onnx_file.largest_difference(graph, file)
        facts = preprocessing.describe(graph, models, file.name, opset)
        tables.write_text(partial / "preprocessing.json", json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
        tables.write_text(partial / "MODEL_CARD.md", model_card.card(role, models, difference, root))
        shutil.copyfile(EXAMPLE, partial / "example.py")
    return difference
