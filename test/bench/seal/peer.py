"""Python peer: Pillow and cryptography at their defaults, and zstandard level 3 when asked to compress.

Seals the same version 2 shards from memory to memory. Reads one JSON request a line and answers one JSON line.
"""
import hashlib
import io
import json
import math
import struct
import sys
import time

import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from PIL import Image

SHARD_BYTES = 8_388_608
METADATA = b'{"createdAt":"2026-11-20T00:00:00.000Z","name":"tone.wav","type":"audio/wav"}'
KEY = bytes(range(32))


def seal(file, compress, sha256):
    digest = hashlib.sha256()
    count = math.ceil(len(file) / SHARD_BYTES)
    images = []
    for index in range(count):
        body = file[index * SHARD_BYTES:(index + 1) * SHARD_BYTES]
        original_bytes = len(body)
        if sha256 is None:
            digest.update(body)
        last = index == count - 1
        flags = (2 if last else 0) | (4 if index == 0 else 0)
        if compress:
            frame = zstandard.ZstdCompressor(level=3).compress(body)
            if len(frame) < len(body):
                body, flags = frame, flags | 1
        plaintext = (METADATA if index == 0 else b"") + body + ((bytes.fromhex(sha256) if sha256 else digest.digest()) if last else b"")
        nonce = bytes(range(0xC0, 0xC7)) + struct.pack(">IB", index, 1 if last else 0)
        header = struct.pack(
            ">8sBBHII16s16sQIII12s44x", b"OVTSEAL2", 2, flags, 0, index, count, bytes(range(0xA0, 0xB0)),
            bytes(range(0xB0, 0xC0)), len(file), original_bytes, len(plaintext) + 16,
            len(METADATA) if index == 0 else 0, nonce)
        payload = header + AESGCM(KEY).encrypt(nonce, plaintext, header)
        pixels = math.ceil(len(payload) / 3)
        width = min(2048, max(64, 2 ** math.ceil(math.log2(math.sqrt(pixels)))))
        height = math.ceil(pixels / width)
        image = Image.frombytes("RGB", (width, height), payload.ljust(width * height * 3, b"\0"))
        out = io.BytesIO()
        image.save(out, "PNG")
        images.append(out.getvalue())
    return images


files = {}
for line in sys.stdin:
    request = json.loads(line)
    path = request["path"]
    if path not in files:
        with open(path, "rb") as source:
            files[path] = source.read()
    start = time.perf_counter()
    images = seal(files[path], request["compress"], request.get("sha256"))
    milliseconds = (time.perf_counter() - start) * 1000
    if request.get("write"):
        with open(request["write"], "wb") as target:
            target.write(b"".join(images))
    print(json.dumps({"milliseconds": milliseconds}), flush=True)
