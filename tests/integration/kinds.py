# SPDX-License-Identifier: MIT
"""What the tests of the kinds of layer share: a definition of each, its formula written down a second time,
and short calls."""

import numpy

import npy
from normd import ClientTest
from reference import moments, normalized

RANDOM = numpy.random.default_rng(5)

# A definition of each kind for (N, 6, ...) tensors, and a shape that it takes.
KINDS = {
    "batch_norm": ({"kind": "batch_norm"}, (5, 6, 4)),
    "layer_norm": ({"kind": "layer_norm", "normalized_shape": [6, 4]}, (5, 6, 4)),
    "instance_norm": ({"kind": "instance_norm", "affine": True}, (5, 6, 4)),
    "tracking_instance_norm": ({"kind": "instance_norm", "affine": True, "track_running_stats": True}, (5, 6, 4)),
    "group_norm": ({"kind": "group_norm", "num_groups": 3, "num_channels": 6}, (5, 6, 4)),
    "rms_norm": ({"kind": "rms_norm", "normalized_shape": [6, 4]}, (5, 6, 4)),
}
# Those that keep running statistics.
TRACKING = ("batch_norm", "tracking_instance_norm")


def slices(kind, x, groups=3):
    """The index arrays of the values that share a mean and a variance."""
    places = numpy.arange(x.size).reshape(x.shape)
    if kind == "batch_norm":
        return [places[:, c].ravel() for c in range(x.shape[1])]
    if kind in ("layer_norm", "rms_norm"):
        return [sample.ravel() for sample in places]
    cut = x.shape[1] if "instance" in kind else groups
    return [part.ravel() for sample in places for part in numpy.split(sample, cut)]


def parameters(kind, x):
    """Weight and bias as the layer has them, and spread over the tensor."""
    shape = x.shape[1:] if kind in ("layer_norm", "rms_norm") else x.shape[1:2]
    weight, bias = RANDOM.integers(-64, 64, shape) / 16, RANDOM.integers(-64, 64, shape) / 16
    if kind == "rms_norm":
        bias = bias * 0
    spread = lambda v: numpy.broadcast_to(v.reshape(v.shape + (1,) * (x.ndim - 1 - v.ndim)), x.shape).ravel()
    return weight, bias, spread(weight), spread(bias)


def by_own_statistics(kind, x, weight, bias, eps=1e-5):
    """Each slice by its exact mean and variance; RMS by its mean square."""
    flat, y = x.ravel().tolist(), [0.0] * x.size
    for places in slices(kind, x):
        mean, var = moments([flat[i] for i in places])
        if kind == "rms_norm":
            mean, var = 0, var + mean * mean
        for i in places:
            y[i] = normalized(flat[i], mean, var, eps, float(weight[i]), float(bias[i]))
    return numpy.array(y).reshape(x.shape)


def tensor(x, datatype="FP64", **members):
    """The array in a body with these members."""
    return {"shape": list(x.shape), "datatype": datatype, "data": x.ravel().tolist(), **members}


def array(told, dtype="<f8"):
    """The tensor of an answer, or None, as an array."""
    return None if told is None else numpy.array(told["data"], dtype).reshape(told["shape"])


class KindTest(ClientTest):
    def put(self, layer, definition):
        return self.ask("PUT", self.path(layer), definition, status=201).json

    def train(self, layer, x, query="", headers=None, **members):
        return self.ask("POST", self.path(layer, "train") + query, {"datatype": "FP64", "data": x.tolist(), **members},
                        headers)

    def infer(self, layer, x, query="", datatype="FP64"):
        answer = self.ask("POST", self.path(layer, "infer") + query, {"datatype": datatype, "data": x.tolist()})
        return numpy.array(answer.json["data"])

    def trained(self, layer, x, **members):
        return numpy.array(self.train(layer, x, **members).json["data"])

    def freeze(self, layer="bn", frozen=True, **more):
        return self.ask("PUT", self.path(layer, "frozen"), {"frozen": frozen}, **more)

    def statistics(self, layer="bn"):
        """The means, the variances, and the number of batches."""
        told = self.ask("GET", self.path(layer, "statistics")).json
        return array(told["running_mean"]), array(told["running_var"]), told["num_batches_tracked"]

    def normalize_once(self, definition, x, **given):
        body = {"definition": definition, "tensor": {"datatype": "FP64", "data": x.tolist()}, **given}
        return self.ask("POST", "/v1/normalize", body).json["data"]

    def post_npy(self, path, x, headers=None):
        return self.ask("POST", path, npy.save(x), {"Content-Type": npy.TYPE, **(headers or {})})

    def state(self, layer):
        """All state that a refused request must not change."""
        answers = [self.client.request("GET", self.path(layer, *call))
                   for call in ((), ("statistics",), ("parameters",))]
        return [(a.status, a.headers.get("etag"), a.raw if a.status == 200 else a.code) for a in answers]

    def refused(self, code, status, layer, call, body, headers=None):
        before = self.state(layer)
        answer = self.ask("POST", self.path(layer, call) if layer else call, body, headers, status)
        self.assertEqual((answer.code, answer.headers["content-type"]), (code, "application/problem+json"), answer)
        self.assertEqual(self.state(layer), before)
        return answer.json

    def assertNear(self, actual, expected, atol=1e-12):
        self.assertEqual(numpy.shape(actual), numpy.shape(expected))
        self.assertLessEqual(numpy.abs(numpy.asarray(actual, "<f8") - expected).max(initial=0), atol)
