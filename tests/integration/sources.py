# SPDX-License-Identifier: MIT
"""What the tests of sources share: short calls, and all that a refused call must leave as it is."""

import numpy

from kinds import KindTest
from reference import moments


RANDOM = numpy.random.default_rng(31)


def values(n, features=3):
    """Values around a mean of their own, of very different sizes."""
    return RANDOM.normal(RANDOM.normal(0, 5, features), 10.0 ** RANDOM.uniform(-2, 2, features), (n, features))


def totals(x):
    """What a source that has seen these (n, features) values sends."""
    x = numpy.asarray(x, "<f8")
    return {"count": len(x), "mean": x.mean(0).tolist(), "var": x.var(0).tolist()}


class SourcesTest(KindTest):
    def pooled(self, layer="bn", **fields):
        self.put(layer, {"kind": "batch_norm", "averaging": "pooled", "datatype": "FP64", **fields})

    def sources(self, layer="bn", *rest):
        return self.path(layer, "statistics", "sources", *rest)

    def put_source(self, name, body, layer="bn", headers=None, status=200):
        return self.ask("PUT", self.sources(layer, name), body, headers, status)

    def get_source(self, name, layer="bn", status=200):
        return self.ask("GET", self.sources(layer, name), status=status).json

    def delete_source(self, name, layer="bn", headers=None, status=204):
        return self.ask("DELETE", self.sources(layer, name), None, headers, status)

    def compact(self, names, layer="bn", headers=None, status=200):
        return self.ask("POST", self.sources(layer, "compact"), {"sources": names}, headers, status)

    def statistics(self, layer="bn"):
        """The bits of the statistics: doubles are written so that they read back the same. No revision."""
        told = self.ask("GET", self.path(layer, "statistics")).json
        return {"mean": told["running_mean"]["data"], "var": told["running_var"]["data"], "count": told["count"],
                "batches": told["num_batches_tracked"]}

    def revision(self, layer="bn"):
        return self.ask("GET", self.path(layer)).headers["etag"]

    def names(self, layer="bn"):
        return [entry["source"] for entry in self.pages(layer, 1000)]

    def pages(self, layer, limit):
        """All entries of the list, page by page."""
        entries, after = [], ""
        while True:
            page = self.ask("GET", self.sources(layer) + f"?limit={limit}{after}").json
            self.assertLessEqual(len(page["sources"]), limit)
            entries += page["sources"]
            if page["next"] is None:
                return entries
            self.assertEqual(page["next"], page["sources"][-1]["source"])
            after = "&after=" + page["next"]

    def state(self, layer):
        listed = self.client.request("GET", self.sources(layer))
        entries = listed.json["sources"] if listed.status == 200 else []
        return super().state(layer) + [listed.raw if listed.status == 200 else listed.code] + [
            self.get_source(entry["source"], layer) for entry in entries]

    def assertRefused(self, code, status, method, path, body=None, headers=None, layer="bn"):
        """Refused with this code, and nothing has changed. Returns the problem."""
        before = self.state(layer)
        answer = self.ask(method, path, body, headers, status)
        self.assertEqual((answer.code, answer.headers["content-type"]), (code, "application/problem+json"), answer)
        self.assertEqual(self.state(layer), before)
        return answer.json

    def assertPool(self, values, layer="bn", ddof=0, rtol=1e-13):
        """The statistics are those of all these (n, features) values together."""
        got = self.statistics(layer)
        values = numpy.asarray(values, "<f8")
        self.assertEqual(got["count"], len(values))
        exact = [moments(column) for column in values.T.tolist()]
        self.assertClose(got["mean"], [float(mean) for mean, _ in exact], rtol, rtol * numpy.abs(values).max())
        self.assertClose(got["var"], [float(var * len(values) / (len(values) - ddof)) for _, var in exact], rtol)
