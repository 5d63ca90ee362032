# SPDX-License-Identifier: MIT
"""The peer: batch norm over HTTP with durable running statistics, in FastAPI, PyTorch and SQLite.

What a good engineer would put into production today; README.md says why each choice, and how it is run. PEER_STORE
names the database, PEER_JSON the JSON library: ujson, or Python's own json.
"""

import asyncio
import concurrent.futures
import functools
import io
import json
import os
import sqlite3

import numpy
import torch
import ujson
from fastapi import FastAPI, HTTPException, Request, Response

from statistics_store import Statistics, Store

JSON = "application/json"
NPY = "application/x-npy"

torch.set_num_threads(1)
torch.set_grad_enabled(False)
app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
if os.environ.get("PEER_JSON") == "json":
    loads, dumps = json.loads, functools.partial(json.dumps, separators=(",", ":"))
else:
    loads, dumps = ujson.loads, ujson.dumps
store = Store(os.environ["PEER_STORE"])
writer = concurrent.futures.ThreadPoolExecutor(max_workers=1)  # commits wait for the disk: not on the event loop


def read_json(body):
    try:
        document = loads(body)
        if document.get("datatype", "FP32") != "FP32":
            raise HTTPException(400, "datatype must be FP32")
        x = torch.tensor(document["data"], dtype=torch.float32)
        return x.reshape(document["shape"]) if "shape" in document else x
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError) as e:
        raise HTTPException(400, f"not a tensor: {e}") from e


def write_json(y, extra):
    answer = {"shape": list(y.shape), "datatype": "FP32", "data": y.flatten().tolist(), **extra}
    return Response(dumps(answer), media_type=JSON)


def read_npy(body):
    try:
        return torch.from_numpy(numpy.load(io.BytesIO(body), allow_pickle=False)).to(torch.float32)
    except (ValueError, TypeError, EOFError) as e:
        raise HTTPException(400, f"not a .npy: {e}") from e


def write_npy(y, extra):
    out = io.BytesIO()
    numpy.save(out, y.numpy())
    headers = {name.replace("_", "-"): str(value) for name, value in extra.items()}
    return Response(out.getvalue(), media_type=NPY, headers=headers)


FORMS = {JSON: (read_json, write_json), NPY: (read_npy, write_npy)}


async def read_tensor(request, features):
    """The body's tensor, and how its answer is written."""
    form = FORMS.get(request.headers.get("content-type", JSON))
    if form is None:
        raise HTTPException(415, "application/json or application/x-npy")
    read, write = form
    x = read(await request.body())
    if x.dim() < 2 or x.shape[1] != features:
        raise HTTPException(422, f"axis 1 must have {features} features")
    return x, write


def find(model, layer):
    statistics = store.get(f"{model}/{layer}")
    if statistics is None:
        raise HTTPException(404, "no such layer")
    return statistics


@app.put("/v1/models/{model}/layers/{layer}")
async def create(model: str, layer: str, request: Request):
    try:
        document = loads(await request.body())
        features, eps, momentum = document["num_features"], document.get("eps", 1e-5), document.get("momentum", 0.1)
        if document["kind"] != "batch_norm" or features < 1:
            raise ValueError("kind must be batch_norm, num_features positive")
        s = Statistics.initial(features, eps, momentum)
        await asyncio.get_running_loop().run_in_executor(writer, store.create, f"{model}/{layer}", s)
    except (ValueError, TypeError, KeyError) as e:
        raise HTTPException(400, f"not a definition: {e}") from e
    except sqlite3.IntegrityError as e:
        raise HTTPException(409, "the layer exists") from e
    return Response(dumps(document), status_code=201, media_type=JSON)


@app.post("/v1/models/{model}/layers/{layer}/train")
async def train(model: str, layer: str, request: Request):
    s = find(model, layer)
    x, write = await read_tensor(request, s.features)
    if x.numel() <= s.features or not bool(torch.isfinite(x).all()):
        raise HTTPException(422, "a batch needs two values a feature, all finite")
    # With momentum 1 the "running" buffers receive the batch's own moments,
    # so that the lock is held for the update alone.
    mean, var = torch.zeros(s.features), torch.ones(s.features)
    y = torch.nn.functional.batch_norm(x, mean, var, s.weight, s.bias, training=True, momentum=1.0, eps=s.eps)
    loop = asyncio.get_running_loop()
    count, revision = await loop.run_in_executor(writer, store.update, f"{model}/{layer}", mean, var)
    return write(y, {"num_batches_tracked": count, "revision": revision})


@app.post("/v1/models/{model}/layers/{layer}/infer")
async def infer(model: str, layer: str, request: Request):
    s = find(model, layer)
    x, write = await read_tensor(request, s.features)
    return write(torch.nn.functional.batch_norm(x, s.mean, s.var, s.weight, s.bias, training=False, eps=s.eps), {})
