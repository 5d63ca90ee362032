# SPDX-License-Identifier: MIT
"""The calls that the methods make are those of the API's document."""

import inspect
import os
import re
import tempfile

from support import WithDaemon, twice


class Recorded(Exception):
    pass


@twice
class EveryCall(WithDaemon):
    """The calls that the methods make are those of the API's document, no more and no fewer."""

    ARGUMENTS = {"kind": "batch_norm", "x": [[1.0]], "grad_output": [[1.0]], "running_mean": [0], "running_var": [1],
                 "count": 1, "mean": [0], "var": [1], "source": "s", "sources": ["s"], "tensors": {"obs": [[1.0]]},
                 "name": "name", "path": os.path.join(tempfile.gettempdir(), "normd-not-written"),
                 "definition": {"kind": "batch_norm"}, "level": "info"}

    def calls(self, thing):
        """The (method, path) of each method of a client, model or layer, with a version and without."""
        for name in dir(getattr(thing, "of", thing)):
            method = getattr(thing, name)
            if name.startswith("_") or not callable(method) or name in ("model", "layer", "close", "with_options"):
                continue
            of = getattr(getattr(thing, "of", thing), name)
            parameters = inspect.signature(of).parameters
            needed = {p: self.ARGUMENTS.get(p, 1) for p in parameters
                      if parameters[p].default is inspect.Parameter.empty}
            if name == "import_file":
                needed["path"] = __file__
            for options in ({}, {"version": 1}) if "version" in parameters else ({},):
                with self.assertRaises(Recorded) as caught:
                    list(method(**{**needed, **options}) or ())
                yield caught.exception.args

    def test_all(self):
        document = self.client.openapi()
        client = getattr(self.client, "of", self.client)
        client._transport.attempt = _record
        found = {call for thing in (self.client, self.client.model("m"), self.client.model("m").layer("l"))
                 for call in self.calls(thing)}
        routes = {(method.upper(), path) for path, item in document["paths"].items() for method, call in item.items()
                  if method in ("get", "put", "post", "delete") and not call.get("x-page")}
        patterns = [(method, path, re.compile(re.sub(r"\{\w+\}", "[^/]+", path)))
                    for method, path in sorted(routes, key=lambda route: route[1].count("{"))]
        named = {next(((m, route) for m, route, pattern in patterns if m == method and pattern.fullmatch(path)),
                      (method, path)) for method, path in found}
        self.assertEqual(named, routes)


def _record(request, *args):
    raise Recorded(request.method, request.path)
