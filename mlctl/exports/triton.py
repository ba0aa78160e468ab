"""A model repository for Triton's ONNX Runtime backend: the release's graph, from encoded rows to scores.

Use it where a fleet of Triton servers is there already. Triton runs the graph and nothing else: rows come encoded
(`encoding.json` says how; of texts the terms or vectors), and there are no decisions, fallbacks or checks of fields.
"""

from __future__ import annotations

from mlctl.errors import ConfigError
from mlctl.exports import Files, Parcel
from mlctl.recommend.answering import Recommender

_CONFIG = """\
name: "{name}"
backend: "onnxruntime"
max_batch_size: {most}
input [ {{ name: "features" data_type: TYPE_FP32 dims: [ {columns} ] }} ]
output [ {{ name: "score" data_type: TYPE_FP32 {shape} }} ]
dynamic_batching {{ }}
instance_group [ {{ kind: KIND_CPU count: 1 }} ]
version_policy {{ latest {{ num_versions: 1 }} }}
parameters [ {{ key: "release" value: {{ string_value: "{release}" }} }} ]
"""


def files(parcel: Parcel) -> Files:
    """`NAME/config.pbtxt`, `NAME/1/model.onnx`, and beside them the encoding.

    Raises:
        ConfigError: The release recommends; it holds tables and no graph.
    """
    if isinstance(parcel.release, Recommender):
        why = f"{parcel.name} recommends; its release holds tables and no graph"
        raise ConfigError.bad_argument("export triton", why, f"mlctl export docker {parcel.name}")
    several = parcel.release.project.label.task == "multiclass"
    # a score without a dimension of its own behind the rows'
    shape = f"dims: [ {len(parcel.release.manifest['classes'])} ]" if several else "dims: [ 1 ] reshape { shape: [ ] }"
    config = _CONFIG.format(
        name=parcel.name,
        most=parcel.options.batch_rows,
        columns=-1 if parcel.release.encoding.width is None else parcel.release.encoding.width,
        shape=shape,
        release=parcel.release.id,
    )
    return {
        f"{parcel.name}/config.pbtxt": config,
        f"{parcel.name}/1/model.onnx": parcel.contents["model.onnx"],
        f"{parcel.name}/encoding.json": parcel.contents["encoding.json"],
    }
