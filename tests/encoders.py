"""A tiny sentence-transformers folder that is real: a tokenizer of the library, and a graph of a vector a word."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace


def write(folder: Path, vectors: dict[str, list[float]], pooled: bool = False, **pooling: bool) -> Path:
    """Writes an encoder that gives each word its vector, and unknown words the vector of `?`."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(WordLevel({word: place for place, word in enumerate(vectors)}, unk_token="?"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = Lowercase(), Whitespace()
    # as such folders come: it cuts short and fills up, which an encoder of one text must not do
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=16)
    tokenizer.save(str(folder / "tokenizer.json"))
    table = numpy_helper.from_array(np.array(list(vectors.values()), dtype=np.float32), "table")
    output = "pooled" if pooled else "last_hidden_state"
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["words"])]
    nodes.append(
        helper.make_node("ReduceMax", ["words"], [output], axes=[1], keepdims=0)
        if pooled
        else helper.make_node("Identity", ["words"], [output])
    )
    sizes = ["texts", "tokens", len(next(iter(vectors.values())))]
    given = [
        helper.make_tensor_value_info(name, TensorProto.INT64, sizes[:2]) for name in ("input_ids", "attention_mask")
    ]
    told = helper.make_tensor_value_info(output, TensorProto.FLOAT, [sizes[0], sizes[2]] if pooled else sizes)
    graph = helper.make_graph(nodes, "encoder", given, [told], [table])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), folder / "model.onnx")
    if pooling:
        (folder / "1_Pooling").mkdir(exist_ok=True)
        (folder / "1_Pooling/config.json").write_text(json.dumps(pooling))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 64}')
    return folder
