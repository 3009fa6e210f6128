#!/usr/bin/env python3
"""Writes bert_reference.json, bert_pairs_reference.json and transformer_reference.json: numbers that the C# tests check the two architectures with
encoders against.

Layers, attention and norms are PyTorch's own (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer) in float64 on its autograd, with
the weights under Hugging Face's names of BERT and Marian; embeddings, positions and heads are written from Devlin et al. 2019 and Vaswani
et al. 2017. Made with PyTorch 1.13; run it again only to add to it:

    python3 tests/Model/Reference/make_encoder_reference.py

Arrays are little-endian float32 in base64. Parameters and tokens are not stored: both sides make them with `noise`, parameters in the order
in which the file names their gradients.
"""
import json
import math
import pathlib

import numpy as np
import torch
from torch.nn import functional as F
from torch.nn.utils.stateless import functional_call

from make_reference import encode, noise

torch.set_default_dtype(torch.float64)
LAYERS, WIDTH, HEADS, VOCABULARY, BATCH = 2, 16, 4, 53, 3
PLACES, SOURCES = 12, 9  # of a sequence, and of a source
SHORT = 7                # of the second sequence or source


def linear(name, outputs, inputs):
    yield name + ".weight", (outputs, inputs)
    yield name + ".bias", (outputs,)


def norm(name):
    yield name + ".weight", (WIDTH,)
    yield name + ".bias", (WIDTH,)


def bert_shapes():
    c, at = WIDTH, "bert.embeddings."
    yield at + "word_embeddings.weight", (VOCABULARY, c)
    yield at + "position_embeddings.weight", (PLACES, c)
    yield at + "token_type_embeddings.weight", (2, c)
    yield from norm(at + "LayerNorm")
    for i in range(LAYERS):
        at = f"bert.encoder.layer.{i}."
        for name in ("query", "key", "value"):
            yield from linear(at + "attention.self." + name, c, c)
        yield from linear(at + "attention.output.dense", c, c)
        yield from norm(at + "attention.output.LayerNorm")
        yield from linear(at + "intermediate.dense", 4 * c, c)
        yield from linear(at + "output.dense", c, 4 * c)
        yield from norm(at + "output.LayerNorm")
    yield from linear("cls.predictions.transform.dense", c, c)
    yield from norm("cls.predictions.transform.LayerNorm")
    yield "cls.predictions.bias", (VOCABULARY,)


def transformer_shapes():
    c = WIDTH
    yield "model.shared.weight", (VOCABULARY, c)
    for side, attentions in (("encoder", ["self"]), ("decoder", ["self", "encoder"])):
        for i in range(LAYERS):
            at = f"model.{side}.layers.{i}."
            for attention in attentions:
                for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
                    yield from linear(f"{at}{attention}_attn.{name}", c, c)
                yield from norm(f"{at}{attention}_attn_layer_norm")
            yield from linear(at + "fc1", 4 * c, c)
            yield from linear(at + "fc2", c, 4 * c)
            yield from norm(at + "final_layer_norm")


def parameters(shapes):
    p = {}
    for stream, (name, shape) in enumerate(shapes):
        values = noise(stream, math.prod(shape)).reshape(shape)
        gain = name.endswith("weight") and len(shape) == 1
        p[name] = torch.tensor(1 + values / 2 if gain else values).requires_grad_()
    return p


def tokens(stream, places):
    return torch.tensor(((noise(stream, BATCH * places) + 0.5) * VOCABULARY).astype(np.int64).reshape(BATCH, places))


def behind_the_end(places):
    """(B, places): true where the second row has ended."""
    mask = torch.zeros(BATCH, places, dtype=torch.bool)
    mask[1, SHORT:] = True
    return mask


def weights(p, names):
    """A module's weights from ours: {its name: [our names]}, several of them one below the other; "weight" and "bias" follow."""
    for module, ours in names.items():
        for kind in ("weight", "bias"):
            yield f"{module}{'_' if module.endswith('in_proj') else '.'}{kind}", torch.cat([p[f"{n}.{kind}"] for n in ours])


def layer_norm(p, name, x, epsilon):
    return F.layer_norm(x, (WIDTH,), p[name + ".weight"], p[name + ".bias"], epsilon)


def project(p, name, x):
    return x @ p[name + ".weight"].T + p[name + ".bias"]


def second_sentences():
    """(B, places): 1 in the second sentence of a row, which begins somewhere else in each."""
    return (torch.arange(PLACES) >= torch.tensor([[4], [3], [PLACES]])).long()


def bert_logits(p, inputs, hidden, types=0):
    at = "bert.embeddings."
    x = p[at + "word_embeddings.weight"][inputs] + p[at + "position_embeddings.weight"] + p[at + "token_type_embeddings.weight"][types]
    x = layer_norm(p, at + "LayerNorm", x, 1e-12)
    layer = torch.nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, F.gelu, 1e-12, batch_first=True)
    for i in range(LAYERS):
        at = f"bert.encoder.layer.{i}."
        named = dict(weights(p, {
            "self_attn.in_proj": [at + "attention.self." + n for n in ("query", "key", "value")],
            "self_attn.out_proj": [at + "attention.output.dense"], "norm1": [at + "attention.output.LayerNorm"],
            "linear1": [at + "intermediate.dense"], "linear2": [at + "output.dense"], "norm2": [at + "output.LayerNorm"]}))
        x = functional_call(layer, named, (x,), {"src_key_padding_mask": hidden})
    at = "cls.predictions."
    x = layer_norm(p, at + "transform.LayerNorm", F.gelu(project(p, at + "transform.dense", x)), 1e-12)
    return x @ p["bert.embeddings.word_embeddings.weight"].T + p[at + "bias"]


def positions(places):
    pairs = torch.arange(WIDTH // 2)
    angles = torch.arange(places)[:, None] / 10_000 ** (2 * pairs / WIDTH)
    return torch.cat([angles.sin(), angles.cos()], 1)


def transformer_logits(p, sources, hidden, inputs):
    shared = p["model.shared.weight"]
    memory = math.sqrt(WIDTH) * shared[sources] + positions(sources.shape[1])
    encoder = torch.nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, F.relu, 1e-5, batch_first=True)
    decoder = torch.nn.TransformerDecoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, F.relu, 1e-5, batch_first=True)

    def named(at, norms, crosses=()):
        modules = {"linear1": [at + "fc1"], "linear2": [at + "fc2"]}
        for theirs, ours in [("self_attn", "self_attn"), *crosses]:
            modules[theirs + ".in_proj"] = [f"{at}{ours}.{n}_proj" for n in "qkv"]
            modules[theirs + ".out_proj"] = [f"{at}{ours}.out_proj"]
        for number, ours in enumerate(norms, 1):
            modules[f"norm{number}"] = [at + ours]
        return dict(weights(p, modules))

    for i in range(LAYERS):
        at = f"model.encoder.layers.{i}."
        memory = functional_call(
            encoder, named(at, ["self_attn_layer_norm", "final_layer_norm"]), (memory,), {"src_key_padding_mask": hidden})
    x = math.sqrt(WIDTH) * shared[inputs] + positions(inputs.shape[1])
    future = torch.triu(torch.ones(inputs.shape[1], inputs.shape[1], dtype=torch.bool), 1)
    for i in range(LAYERS):
        at = f"model.decoder.layers.{i}."
        names = named(
            at, ["self_attn_layer_norm", "encoder_attn_layer_norm", "final_layer_norm"], [("multihead_attn", "encoder_attn")])
        x = functional_call(decoder, names, (x, memory), {"tgt_mask": future, "memory_key_padding_mask": hidden})
    return x @ shared.T


def write(name, p, whole, z, targets, counted, smoothing):
    """`whole`: logits (B, T, V) without anything hidden; z: those that the loss is of."""
    losses = F.cross_entropy(z.reshape(-1, VOCABULARY), targets.reshape(-1), reduction="none", label_smoothing=smoothing)
    loss = losses[counted.reshape(-1)].sum() / counted.sum()
    loss.backward()
    reference = {
        "shape": {"layers": LAYERS, "width": WIDTH, "heads": HEADS, "vocabulary": VOCABULARY, "batch": BATCH, "places": PLACES,
                  "sources": SOURCES, "short": SHORT},
        "logits": encode(whole[:, -1].detach().numpy()), "loss": loss.item(), "smoothing": smoothing,
        "gradients": {n: encode(v.grad.numpy()) for n, v in p.items()},
    }
    path = pathlib.Path(__file__).with_name(f"{name}_reference.json")
    path.write_text(json.dumps(reference, indent=0) + "\n")
    print(path.name, path.stat().st_size, "bytes; loss", loss.item())


def main():
    inputs, targets, hidden = tokens(1000, PLACES), tokens(1001, PLACES), behind_the_end(PLACES)
    counted = (torch.tensor(noise(1002, BATCH * PLACES).reshape(BATCH, PLACES)) < -0.2) & ~hidden
    p = parameters(bert_shapes())
    write("bert", p, bert_logits(p, inputs, None), bert_logits(p, inputs, hidden), targets, counted, 0.0)

    p = parameters(bert_shapes())
    write("bert_pairs", p, bert_logits(p, inputs, None), bert_logits(p, inputs, hidden, second_sentences()), targets, counted, 0.0)

    sources, ends = tokens(1003, SOURCES), behind_the_end(SOURCES)
    p = parameters(transformer_shapes())
    write("transformer", p, transformer_logits(p, sources, None, inputs), transformer_logits(p, sources, ends, inputs), targets,
          ~behind_the_end(PLACES), 0.1)


main()
