# SPDX-License-Identifier: MIT
"""A world of layers to look at: trained ones and new ones, sources, versions, the longest names, hostile notes."""

import random

MODEL = "world"
LONGEST = "n" * 128
HOSTILE = "<img src=x onerror=alert(1)>\"'&amp;</script>\u202egnp.exe\u202c" + "w" * 900
DRIFTING = range(3)
LAYERS = f"/v1/models/{MODEL}/layers"


def batch(rows, away=0.0):
    """Values of 12 features; those that drift are moved by `away` deviations."""
    draw = random.Random(rows)
    return {"data": [[draw.gauss(f + (away if f in DRIFTING else 0), 1 + f / 12) for f in range(12)]
                     for _ in range(rows)]}


def calls():
    """The requests that make the world: method, path, body."""
    yield "PUT", f"{LAYERS}/bn", {"kind": "batch_norm"}
    for rows in (64, 65, 66):
        yield "POST", f"{LAYERS}/bn/train?output=false", batch(rows)
    yield "PUT", f"{LAYERS}/ln", {"kind": "layer_norm", "normalized_shape": [2, 3]}
    yield "PUT", f"{LAYERS}/new", {"kind": "batch_norm", "num_features": 4}
    yield "PUT", f"{LAYERS}/pooled", {"kind": "batch_norm", "averaging": "pooled"}
    for n, source in enumerate(("worker-0", "worker-1", LONGEST), 1):
        yield "PUT", f"{LAYERS}/pooled/statistics/sources/{source}", {"count": 100 * n, "mean": [n, 1], "var": [1, n]}
    yield "PUT", f"{LAYERS}/{LONGEST}", {"kind": "rms_norm", "normalized_shape": [4]}
    yield "POST", f"/v1/models/{MODEL}/versions", {"note": HOSTILE}
    yield "POST", f"/v1/models/{MODEL}/versions", {"note": "good"}
    yield "PUT", f"/v1/models/{MODEL}/aliases/{LONGEST}", {"version": 1}
    yield "PUT", f"/v1/models/{MODEL}/serving", {"version": 2, "note": HOSTILE}
    yield "POST", f"{LAYERS}/bn/infer", batch(200, away=3)  # a switch would have begun another window
    yield "PUT", f"/v1/models/{LONGEST}/layers/{LONGEST}", {"kind": "batch_norm"}


def make(daemon, headers=None):
    for method, path, body in calls():
        answer = daemon.curl(method, path, body, headers)
        assert answer.status < 400, (method, path, answer)


# The pages that there are: a name, the address, and what is there as soon as the page is complete.
FRESH = ".state[data-kind=fresh]"
PAGES = {
    "models": ("#/", FRESH),
    "model": (f"#/models/{MODEL}", FRESH),
    "layer": (f"#/models/{MODEL}/layers/bn", FRESH),
    "layer-untracked": (f"#/models/{MODEL}/layers/ln", FRESH),
    "layer-new": (f"#/models/{MODEL}/layers/new", FRESH),
    "layer-pooled": (f"#/models/{MODEL}/layers/pooled?tab=sources", FRESH),
    "layer-longest": (f"#/models/{LONGEST}/layers/{LONGEST}", FRESH),
    "layer-missing": (f"#/models/{MODEL}/layers/none", ".problem"),
    "missing": ("#/nowhere", "main h1"),
    "play-kinds": ("play#lang=en", FRESH),
    "play-kinds-korean": ("play#lang=ko", FRESH),
    "play-tour": ("play#lang=en&step=3", ".tour.open"),
    "play-steps": ("play#lang=en&view=steps", "#view *"),
    "play-serving": ("play#lang=en&view=serving", "#view *"),
    "play-own": ("play#lang=en&view=own", "#view *"),
}
