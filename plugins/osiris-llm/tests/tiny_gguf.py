"""A model small enough to be made by a test: one layer of random weights over the 256 bytes, in llama.cpp's file format.

It says nothing of sense, and is a genuine model for llama.cpp all the same: what a grammar enforces, it says.
"""

from __future__ import annotations

import math
import random
import struct
from pathlib import Path

_U32, _F32, _BOOL, _STRING, _ARRAY, _I32 = 4, 6, 7, 8, 9, 5
_WIDTH, _INNER, _HEADS = 32, 64, 2
_TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"


def write(path: Path) -> Path:
    """Write the model to ``path``."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁"]
    kinds = [2, 3, 3, *[6] * 256, 1]  # unknown, control, byte, normal
    entries = {
        "general.architecture": _string("llama"),
        "general.name": _string("tiny"),
        "llama.context_length": (_U32, struct.pack("<I", 2048)),
        "llama.embedding_length": (_U32, struct.pack("<I", _WIDTH)),
        "llama.block_count": (_U32, struct.pack("<I", 1)),
        "llama.feed_forward_length": (_U32, struct.pack("<I", _INNER)),
        "llama.attention.head_count": (_U32, struct.pack("<I", _HEADS)),
        "llama.attention.head_count_kv": (_U32, struct.pack("<I", _HEADS)),
        "llama.attention.layer_norm_rms_epsilon": (_F32, struct.pack("<f", 1e-5)),
        "llama.rope.dimension_count": (_U32, struct.pack("<I", _WIDTH // _HEADS)),
        "llama.vocab_size": (_U32, struct.pack("<I", len(tokens))),
        "tokenizer.ggml.model": _string("llama"),
        "tokenizer.ggml.tokens": _array(_STRING, [_text(token) for token in tokens]),
        "tokenizer.ggml.scores": _array(_F32, [struct.pack("<f", 0.0)] * len(tokens)),
        "tokenizer.ggml.token_type": _array(_I32, [struct.pack("<i", kind) for kind in kinds]),
        "tokenizer.ggml.bos_token_id": (_U32, struct.pack("<I", 1)),
        "tokenizer.ggml.eos_token_id": (_U32, struct.pack("<I", 2)),
        "tokenizer.ggml.unknown_token_id": (_U32, struct.pack("<I", 0)),
        "tokenizer.ggml.add_bos_token": (_BOOL, b"\x01"),
        "tokenizer.chat_template": _string(_TEMPLATE),
    }
    tensors = {
        "token_embd.weight": (_WIDTH, len(tokens)),
        "output_norm.weight": (_WIDTH,),
        "output.weight": (_WIDTH, len(tokens)),
        "blk.0.attn_norm.weight": (_WIDTH,),
        **{f"blk.0.attn_{part}.weight": (_WIDTH, _WIDTH) for part in ("q", "k", "v", "output")},
        "blk.0.ffn_norm.weight": (_WIDTH,),
        "blk.0.ffn_gate.weight": (_WIDTH, _INNER),
        "blk.0.ffn_up.weight": (_WIDTH, _INNER),
        "blk.0.ffn_down.weight": (_INNER, _WIDTH),
    }
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(entries))
    for name, (kind, value) in entries.items():
        head += _text(name) + struct.pack("<I", kind) + value
    weights, offset = random.Random(7), 0
    data = []
    for name, shape in tensors.items():
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)
        count = math.prod(shape)
        data.append(struct.pack(f"<{count}f", *(weights.gauss(0.0, 0.2) for _ in range(count))))
        offset += count * 4
    assert offset % 32 == 0
    path.write_bytes(head + b"\0" * (-len(head) % 32) + b"".join(data))
    return path


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _string(text: str) -> tuple[int, bytes]:
    return _STRING, _text(text)


def _array(kind: int, values: list[bytes]) -> tuple[int, bytes]:
    return _ARRAY, struct.pack("<IQ", kind, len(values)) + b"".join(values)
