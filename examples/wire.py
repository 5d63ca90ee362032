# SPDX-License-Identifier: MIT
"""normd's HTTP, as far as a layer of a network needs it: arrays go and come as .npy.
The standard library and NumPy alone."""

import http.client
import io
import json
import os
import threading
import time
import urllib.parse
import uuid

import numpy

NPY = "application/x-npy"
SAFETENSORS_TYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}  # those that normd writes
# Before each attempt but the first. The first repeat is at once: a server may close a connection that was idle.
PAUSES_S = (0, 0.1, 1)


class NormdError(RuntimeError):
    """normd refused a request (`status`, `code`), or gave no answer (both are None)."""

    def __init__(self, text, status=None, code=None):
        super().__init__(text)
        self.status = status
        self.code = code

    @property
    def passes(self):
        """Whether the same request may well succeed a little later."""
        return self.status in (None, 503) or self.code == "idempotency_in_flight"


def pack(*arrays):
    """The arrays as .npy files, one after another."""
    out = io.BytesIO()
    for array in arrays:
        numpy.save(out, array, allow_pickle=False)
    return out.getvalue()


def unpack(raw):
    """The arrays of .npy files that follow one another."""
    stream = io.BytesIO(raw)
    arrays = []
    while stream.tell() < len(raw):
        arrays.append(numpy.load(stream, allow_pickle=False))
    return arrays


def problem(request, status, raw):
    """The error in an answer: normd's are problem documents, those of something between might be anything."""
    try:
        document = json.loads(raw)
        code, detail = document["code"], document["detail"]
    except (ValueError, KeyError, TypeError):
        code, detail = None, raw[:200].decode(errors="replace")
    return NormdError(f"{request}: {status} {code}: {detail}", status, code)


class Normd:
    """
    A normd at `url`, by one kept connection in each thread (autograd runs backward in threads of its own) and each
    process. A copy, also one by pickle, speaks to the same normd by connections of its own.
    """

    def __init__(self, url, timeout_s=60):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or parts.path.strip("/"):
            raise ValueError(f"not the address of a normd, such as http://127.0.0.1:8080: {url}")
        self.url = url
        self.address = parts.hostname, parts.port or 80
        self.timeout_s = timeout_s
        self.local = threading.local()

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name != "local"}

    def __setstate__(self, state):
        self.__dict__.update(state, local=threading.local())

    def request(self, method, path, body=None, headers=None):
        """
        The (headers, body) of an answer that is no error; else NormdError. What had no answer is sent again, so the
        request must be one that may be: train by its Idempotency-Key or its step, the others because twice is as good
        as once.
        """
        for pause_s in (*PAUSES_S, None):
            try:
                status, answer_headers, raw = self.attempt(method, path, body, headers or {})
            except (OSError, http.client.HTTPException) as e:
                self.close()
                error = NormdError(f"{method} {path}: no answer from {self.url}: {e or type(e).__name__}")
            else:
                if status < 300:
                    return answer_headers, raw
                error = problem(f"{method} {path}", status, raw)
            if pause_s is None or not error.passes:
                raise error
            time.sleep(pause_s)

    def attempt(self, method, path, body, headers):
        # A process that was forked must not write into its parent's connection.
        if getattr(self.local, "connection", None) is None or self.local.process != os.getpid():
            self.local.connection = http.client.HTTPConnection(*self.address, timeout=self.timeout_s)
            self.local.process = os.getpid()
        self.local.connection.request(method, path, body, headers)
        response = self.local.connection.getresponse()
        return response.status, response.headers, response.read()

    def close(self):
        """Closes this thread's connection; the next request opens another."""
        if getattr(self.local, "connection", None) is not None:
            self.local.connection.close()
        self.local.connection = None


def read_state(normd, model, version="live", datatype="FP32"):
    """The arrays of a model's version (a number, an alias or "live") by their names in PyTorch's state_dict."""
    query = urllib.parse.urlencode({"version": version, "datatype": datatype})
    _, raw = normd.request("GET", f"/v1/models/{model}/state.safetensors?{query}")
    data = 8 + int.from_bytes(raw[:8], "little")  # the length of the header, the header in JSON, the values
    arrays = {}
    for name, tensor in json.loads(raw[8:data]).items():
        if name != "__metadata__":
            begin, end = tensor["data_offsets"]
            values = numpy.frombuffer(raw[data + begin : data + end], SAFETENSORS_TYPES[tensor["dtype"]])
            arrays[name] = values.reshape(tensor["shape"]).copy()
    return arrays


def new_key():
    """Keys that rise with time are the quickest to store."""
    return {"Idempotency-Key": f'"{time.time_ns():016x}-{uuid.uuid4().hex}"'}


class Layer:
    """The layer `name` of a model."""

    def __init__(self, normd, model, name):
        self.normd = normd
        self.path = f"/v1/models/{model}/layers/{name}"

    def define(self, definition):
        """Creates the layer, or finds it as it should be; one that is defined otherwise is NormdError layer_differs."""
        self.normd.request("PUT", self.path, json.dumps(definition), {"Content-Type": "application/json"})

    def train(self, x, sync=None):
        """(normalized x, revision), once the running statistics are updated, durably and once."""
        # A synchronized step is named by itself: it takes no key.
        (y,), revision = self.post("train", (x,), {"sync": sync}, {} if sync else new_key())
        return y, revision

    def update(self, x):
        """Trains, and leaves the normalized x out of the answer."""
        self.post("train", (x,), {"output": "false"}, new_key())

    def infer(self, x):
        """(normalized x, revision of the running statistics that did it)"""
        (y,), revision = self.post("infer", (x,))
        return y, revision

    def backward(self, x, grad_output, mode, sync=None):
        """(gradients by the input and by what parameters the layer has, revision)"""
        return self.post("backward", (x, grad_output), {"mode": mode, "sync": sync})

    def statistics(self):
        """running_mean, running_var (float64 arrays) and num_batches_tracked"""
        answer = json.loads(self.normd.request("GET", self.path + "/statistics")[1])
        mean, var = (numpy.array(answer[name]["data"], dtype=numpy.float64) for name in ("running_mean", "running_var"))
        return {"running_mean": mean, "running_var": var, "num_batches_tracked": answer["num_batches_tracked"]}

    def put_statistics(self, running_mean, running_var, num_batches_tracked, count=None):
        """`count`, of the values that the statistics come from, is for pooled and decayed averaging."""
        body = {"running_mean": list(map(float, running_mean)), "running_var": list(map(float, running_var)),
                "num_batches_tracked": int(num_batches_tracked), "count": count}
        self.normd.request("PUT", self.path + "/statistics", json.dumps(body), {"Content-Type": "application/json"})

    def reset_statistics(self):
        self.normd.request("DELETE", self.path + "/statistics")

    def post(self, call, arrays, options=None, headers=None):
        query = {name: value if isinstance(value, str) else json.dumps(value)
                 for name, value in (options or {}).items() if value}
        path = f"{self.path}/{call}" + ("?" + urllib.parse.urlencode(query) if query else "")
        answer_headers, raw = self.normd.request("POST", path, pack(*arrays), {"Content-Type": NPY, **(headers or {})})
        return unpack(raw), answer_headers["Normd-Revision"]
