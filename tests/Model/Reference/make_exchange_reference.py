#!/usr/bin/env python3
"""Writes exchange_reference.json: folders of a tiny GPT-2 as others would write them, and its logits.

The model is that of make_reference.py (float64 on PyTorch), smaller. The files are written from the definition of the format, with struct
and json; weights of 16 bits are rounded by PyTorch, and the logits are those of the rounded weights. Made with PyTorch 1.13:

    python3 tests/Model/Reference/make_exchange_reference.py
"""
import base64
import json
import math
import pathlib
import struct

import make_reference as reference
import numpy as np
import torch

reference.LAYERS, reference.WIDTH, reference.HEADS, reference.CONTEXT, reference.VOCABULARY, reference.BATCH = 2, 8, 2, 8, 33, 2
CONFIG = {
    "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": 32, "embd_pdrop": 0.1,
    "eos_token_id": 32, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "gpt2", "n_ctx": 8, "n_embd": 8, "n_head": 2,
    "n_inner": None, "n_layer": 2, "n_positions": 8, "resid_pdrop": 0.1, "summary_type": "cls_index",
    "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}}, "vocab_size": 33,
}


def file_bytes(tensors, metadata=True):
    """One safetensors file: length of the header, header, data."""
    header, data = ({"__metadata__": {"format": "pt"}} if metadata else {}), b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def rounded(p, dtype):
    kinds = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
    return {name: value.detach().to(torch.float32).to(kinds[dtype]) for name, value in p.items()}


def raw(value):
    return (value.view(torch.int16) if value.element_size() == 2 else value).numpy().tobytes()


def case(dtype, prefix, head, masks, shards=1):
    values = rounded(reference.parameters(), dtype)
    logits = reference.logits({n: v.double() for n, v in values.items()}, reference.batch(0)[0])
    tensors = {n if prefix else n[len("transformer."):]: (dtype, v.shape, raw(v)) for n, v in values.items()}
    if masks:
        c = reference.CONTEXT
        for i in range(reference.LAYERS):
            tensors[f"h.{i}.attn.bias"] = ("BOOL", (1, 1, c, c), np.tril(np.ones((c, c), dtype=np.uint8)).tobytes())
            tensors[f"h.{i}.attn.masked_bias"] = ("F32", (), struct.pack("<f", -1e4))
    if head:
        tensors["lm_head.weight"] = tensors["transformer.wte.weight" if prefix else "wte.weight"]
    files = {"config.json": json.dumps(CONFIG, indent=2).encode()}
    if shards == 1:
        files["model.safetensors"] = file_bytes(tensors, metadata=prefix)
    else:
        names, size = sorted(tensors), math.ceil(len(tensors) / shards)
        parts = {f"model-{i + 1:05}-of-{shards:05}.safetensors": names[i * size:(i + 1) * size] for i in range(shards)}
        for file, members in parts.items():
            files[file] = file_bytes({n: tensors[n] for n in members})
        index = {"metadata": {"total_size": sum(len(t[2]) for t in tensors.values())},
                 "weight_map": {n: file for file, members in parts.items() for n in members}}
        files["model.safetensors.index.json"] = json.dumps(index).encode()
    return {"files": {name: base64.b64encode(content).decode() for name, content in files.items()},
            "logits": reference.encode(logits.detach().numpy()),
            "embedding": reference.encode(values["transformer.wte.weight"].double().numpy())}


if __name__ == "__main__":
    saved = {
        "tokens": reference.batch(0)[0].tolist(),
        "cases": {
            "fp32": case("F32", prefix=True, head=False, masks=False),
            "bf16": case("BF16", prefix=False, head=False, masks=True),
            "fp16": case("F16", prefix=True, head=True, masks=False),
            "sharded": case("F32", prefix=False, head=True, masks=True, shards=3),
        },
    }
    path = pathlib.Path(__file__).with_name("exchange_reference.json")
    path.write_text(json.dumps(saved, indent=1) + "\n")
    print(path, path.stat().st_size)
