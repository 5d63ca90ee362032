# SPDX-License-Identifier: MIT
"""Every call of a model and of the server, by either client against a daemon."""

import os
import resource
import tempfile
from unittest import mock

import numpy
from numpy.testing import assert_array_equal

import normd
from support import X, Server, WithDaemon, close, normal, twice


@twice
class ModelCalls(WithDaemon):
    def setUp(self):
        super().setUp()
        self.layer.create("batch_norm", num_features=3, averaging="pooled")
        self.other = self.model.layer("act")
        self.other.create("batch_norm", num_features=2, averaging="pooled")

    def test_layers_and_models(self):
        entries = list(self.model.layers())
        self.assertEqual([entry["name"] for entry in entries], ["act", "obs"])
        self.assertEqual(entries[1]["definition"]["num_features"], 3)
        self.assertIn(self.model.name, list(self.client.models()))
        self.model.delete()
        self.assertNotIn(self.model.name, list(self.client.models()))
        with self.assertRaises(normd.errors.NoSuchModel):
            self.model.delete()

    def test_train_and_infer(self):
        act = X[:, :2].astype("f8")
        trained = self.model.train({"obs": X, "act": act.tolist()}, key="first")
        close(trained.outputs["obs"], normal(X))
        close(trained.outputs["act"], normal(act))
        self.assertIsInstance(trained.outputs["act"], list)
        self.assertEqual([trained.layers[name].num_batches_tracked for name in ("obs", "act")], [1, 1])
        self.assertEqual(self.model.train({"obs": X, "act": act.tolist()}, key="first").layers["obs"].revision,
                         trained.layers["obs"].revision)
        inferred = self.model.infer({"act": act, "obs": X})
        close(inferred.outputs["obs"], normal(X))
        self.assertEqual((inferred.outputs["act"].dtype, inferred.version), (numpy.float64, "live"))
        for tensors in ({"obs": X, "act": X}, {"obs": X, "nothing": X}, {"obs": X, "act": [[1.0, numpy.nan]] * 2}, {}):
            with self.subTest(list(tensors)), self.assertRaises(normd.ApiError):
                self.model.train(tensors)
        self.assertEqual(self.layer.statistics().num_batches_tracked, 1)

    def test_protocol(self):
        self.assertEqual(self.client.protocol()["name"], "normd")
        version = self.model.make_version()["version"]
        self.assertEqual(self.model.metadata()["versions"], ["live", "1"])
        self.assertEqual(self.model.metadata(version=version)["inputs"][1]["shape"], [-1, 3])
        self.assertEqual(self.model.config()["input"][0]["dims"], [-1, 2])
        self.assertEqual(self.model.config(version=version)["name"], self.model.name)
        self.model.train({"obs": X})
        self.assertEqual(self.model.usage()[0]["inference_count"], 1)
        self.assertEqual(self.model.usage(version=version)[0]["inference_count"], 0)
        self.assertIn(self.model.name, [used["name"] for used in self.client.usage()])
        self.assertTrue(self.model.ready())
        self.model.unload()
        self.assertFalse(self.model.ready(version=version))
        states = {entry["name"]: entry["state"] for entry in self.client.index()}
        self.assertEqual(states[self.model.name], "UNAVAILABLE")
        self.assertNotIn(self.model.name, [entry["name"] for entry in self.client.index(ready=True)])
        self.model.load()
        self.assertTrue(self.model.ready(version=version))
        with self.assertRaises(normd.errors.NoSuchVersion):
            self.model.ready(version=99)

    def test_versions_and_serving(self):
        self.model.train({"obs": X, "act": X[:, :2]})
        made = self.model.make_version("first", key="v1")
        self.assertEqual(made, self.model.make_version("first", key="v1"))
        self.assertEqual((made["version"], made["note"]), (1, "first"))
        self.layer.train(X + 100)
        self.assertEqual(self.model.make_version()["version"], 2)
        self.assertEqual([v["version"] for v in self.model.versions()], [1, 2])
        self.assertEqual(self.model.version(1), made)
        self.assertEqual([entry["name"] for entry in self.model.version_layers(1)], ["act", "obs"])
        self.assertEqual(self.model.set_alias("champion", 1), {"alias": "champion", "version": 1})
        self.assertEqual(list(self.model.aliases()), [self.model.alias("champion")])
        close(self.layer.infer(X, version="champion").output, normal(X))
        self.assertEqual(self.layer.infer(X, version=1).version, 1)
        self.assertEqual(self.model.infer({"obs": X}, version="champion").version, 1)
        for read in (self.layer.statistics, self.layer.parameters, self.layer.affine, self.layer.definition,
                     self.layer.drift):
            read(version=1)
        with self.assertRaises(normd.errors.VersionInUse):
            self.model.delete_version(1)
        self.assertEqual(self.model.publish("champion", "good")["version"], 1)
        self.assertEqual(self.model.publish(2)["version"], 2)
        self.assertEqual(self.model.roll_back("bad")["version"], 1)
        self.assertEqual(self.model.serving()["version"], 1)
        self.assertEqual([(s["from"], s["to"]) for s in self.model.serving_history()], [(2, 1), (1, 2), ("live", 1)])
        self.model.publish("live")
        self.model.delete_alias("champion")
        self.model.delete_version("1")
        with self.assertRaises(normd.errors.NoSuchVersion):
            self.model.version(1)
        with self.assertRaises(normd.errors.NoSuchAlias):
            self.model.alias("champion")

    def test_state(self):
        self.model.train({"obs": X, "act": X[:, :2]})
        state = self.model.state()
        self.assertEqual((state["obs.running_mean"].dtype, len(state)), (numpy.float64, 10))
        assert_array_equal(state["obs.running_mean"], self.layer.statistics().running_mean)
        self.assertEqual(self.model.state(datatype="FP32")["obs.running_var"].dtype, numpy.float32)
        copy = self.client.model(self.model.name + "-copy")
        imported = copy.put_state({**state, "linear.weight": X, "list.running_mean": [1.0], "list.running_var": [1.0]})
        self.assertEqual([layer["name"] for layer in imported["layers"] if layer["created"]], ["act", "list", "obs"])
        self.assertEqual(imported["left_out"], ["linear.weight"])
        assert_array_equal(copy.layer("obs").statistics().running_var, self.layer.statistics().running_var)
        with self.assertRaises(normd.ApiError):  # no count
            self.model.put_state(state)
        self.model.put_state(state, counts={"obs": 4, "act": 4})

    def test_files(self):
        self.model.train({"obs": X, "act": X[:, :2]})
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "model.safetensors")
            seen = []
            exported = self.model.export_file(path, progress=lambda done, size: seen.append((done, size)))
            size = os.path.getsize(path)
            self.assertEqual((exported.path, exported.bytes, exported.version), (path, size, "live"))
            self.assertEqual(seen[-1], (size, size))
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o666 & ~_umask())
            copy = self.client.model(self.model.name + "-copy")
            seen.clear()
            self.assertEqual(len(copy.import_file(path, progress=lambda *at: seen.append(at))["layers"]), 2)
            self.assertEqual(seen, [(size, size)])
            with self.assertRaises(normd.errors.NoSuchModel):
                self.client.model("nothing").export_file(path)
            self.assertEqual(os.path.getsize(path), size)
            self.client.backup(os.path.join(directory, "backup.db"))
            with open(os.path.join(directory, "backup.db"), "rb") as file:
                self.assertEqual(file.read(15), b"SQLite format 3")
            self.assertEqual(sorted(os.listdir(directory)), ["backup.db", "model.safetensors"])

    def test_files_that_cannot_be_used(self):
        self.client.live()
        with tempfile.TemporaryDirectory() as directory:
            missing = os.path.join(directory, "missing", "x")
            for call in (self.model.import_file, self.model.export_file, self.client.backup):
                with self.assertRaisesRegex(FileNotFoundError, f"'{missing}'"):
                    call(missing)
            with self.assertRaises(IsADirectoryError):
                self.model.import_file(directory)
            path = os.path.join(directory, "model.safetensors")
            self.model.export_file(path)
            for call in (self.model.import_file, self.model.export_file):
                with self.assertRaisesRegex(OSError, "No space left"):
                    call(path, progress=_full)

    def test_a_file_that_changes_while_it_is_sent(self):
        self.layer.train(X)
        copy = self.client.model(self.model.name + "-copy")
        with tempfile.TemporaryDirectory() as directory, mock.patch("normd._calls.CHUNK_BYTES", 64):
            path = os.path.join(directory, "model.safetensors")
            self.model.export_file(path)

            def add(done, size):
                with open(path, "ab") as file:
                    file.write(b" ")

            with self.assertRaisesRegex(normd.Error, f"{path}: the file changed while it was sent"):
                copy.import_file(path, progress=add)
        self.assertNotIn(copy.name, list(self.client.models()))

    def test_a_full_disk_leaves_what_was_there(self):
        self.layer.train(X)
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "model.safetensors")
            limits = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
            try:
                with self.assertRaisesRegex(OSError, f"File too large: '{path}'"):
                    self.model.export_file(path)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            self.assertEqual(os.listdir(directory), [])


@twice
class ServerCalls(WithDaemon):
    def test_daemon(self):
        self.assertEqual(self.client.server()["name"], "normd")
        self.assertTrue(self.client.live())
        self.assertTrue(self.client.ready())
        self.assertIn("# TYPE normd_", self.client.metrics())
        self.assertEqual(self.client.openapi()["openapi"], "3.1.0")
        self.client.set_log_level("warn")
        self.assertEqual(self.client.log_level(), "warn")
        self.client.set_log_level("info")

    def test_ready_without_a_daemon(self):
        self.assertFalse(self.make("http://127.0.0.1:1").ready())
        self.assertFalse(self.make(Server(self, 502, b"<h1>Bad Gateway</h1>").url).ready())

    def test_long_lists(self):
        for i in range(3):
            self.client.model(f"many-{i}").layer("x").create("rms_norm", normalized_shape=1)
        page, normd._calls.PAGE = normd._calls.PAGE, "1"
        try:
            self.assertEqual([n for n in self.client.models() if n.startswith("many")], ["many-0", "many-1", "many-2"])
        finally:
            normd._calls.PAGE = page

    def test_normalize(self):
        definition = {"kind": "batch_norm", "num_features": 3}
        close(self.client.normalize(definition, X), normal(X))
        close(self.client.normalize(definition, X.tolist()), normal(X))
        close(self.client.normalize(definition, X, weight=[1, 2, 3], bias=numpy.ones(3)), normal(X) * [1, 2, 3] + 1)
        self.assertNotIn("test_normalize", list(self.client.models()))


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _full(done, size):
    raise OSError(28, "No space left on device")
