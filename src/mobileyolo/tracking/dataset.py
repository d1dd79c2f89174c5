"""The dataset that a run has as its input: its folder, its counts, and the columns of its manifest."""

from __future__ import annotations

import json
from pathlib import Path

from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.types import ColSpec, DataType, Schema
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from mobileyolo.core.records import DatasetCard
from mobileyolo.core.tables import Manifest

_DIGEST_LENGTH = 32  # MLflow takes 36 characters; the tag data.digest has all 64
_TYPES = {"string": DataType.string, "int64": DataType.long, "float64": DataType.double}


def dataset_input(folder: str, card: DatasetCard) -> DatasetInput:
    """The dataset as an input of a run, without reading the dataset.

    All splits are one input: MLflow identifies a dataset by name and digest, and the digest covers the splits.

    Args:
        folder: data.dir.
        card: what validation found the dataset to be.
    """
    columns = [
        ColSpec(_TYPES[kind], f"{table}.{column}")
        for table, kinds in {"images": Manifest.IMAGE_COLUMNS, "boxes": Manifest.BOX_COLUMNS}.items()
        for column, kind in kinds.items()
    ]
    # Not nested, because MLflow's page shows one line for each key.
    profile = {
        "classes": len(card.names),
        **{f"{split}_{unit}": n for split, count in card.splits.items() for unit, n in count.model_dump().items()},
        "class_names": card.names,
    }
    dataset = Dataset(
        name=Path(folder).name,
        digest=card.digest[:_DIGEST_LENGTH],
        source_type="local",
        source=json.dumps({"uri": folder}, ensure_ascii=False),
        schema=json.dumps({"mlflow_colspec": Schema(columns).to_dict()}),
        profile=json.dumps(profile, ensure_ascii=False),
    )
    return DatasetInput(dataset, tags=[InputTag(MLFLOW_DATASET_CONTEXT, "training")])
