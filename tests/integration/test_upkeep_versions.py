# SPDX-License-Identifier: MIT
"""normd check, normd restore and backups of a store that has versions of models."""

import os
import shutil
import tempfile

from normd import Daemon
from test_upkeep import Upkeep, fill

TRAIN = {"data": [[1, 2], [3, 5]]}


def make_versions(daemon):
    """Model m0 has layers l0, l2, ln and open. Its versions 1, 3 and 4 share states; 2 was deleted; champion is 1."""
    def must(status, *call):
        answer = daemon.curl(*call)
        assert answer.status == status, answer

    must(201, "POST", "/v1/models/m0/versions", {"note": "the first"})
    must(200, "POST", "/v1/models/m0/layers/l0/train", TRAIN)
    must(201, "POST", "/v1/models/m0/versions", {})
    must(200, "POST", "/v1/models/m0/layers/l0/train", TRAIN)
    must(200, "PUT", "/v1/models/m0/frozen", {"frozen": True})
    must(201, "POST", "/v1/models/m0/versions", {})
    must(204, "DELETE", "/v1/models/m0/layers/l2")
    must(201, "POST", "/v1/models/m0/versions", {})
    must(204, "DELETE", "/v1/models/m0/versions/2")
    must(201, "PUT", "/v1/models/m0/aliases/champion", {"version": 1})
    must(200, "PUT", "/v1/models/m0/serving", {"version": 3})


def shown(daemon):
    """All that can be read of the versions."""
    paths = ["/v1/models/m0/versions", "/v1/models/m0/aliases", "/v1/models/m0/serving/history"] + \
        [f"/v1/models/m0/versions/{n}" for n in (1, 3, 4)] + \
        [f"/v1/models/m0/layers/l0{call}?version={n}" for n in (1, 3, 4) for call in ("", "/statistics", "/parameters")]
    return [daemon.curl("GET", path).json for path in paths]


class UpkeepOfVersions(Upkeep):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="normd-test-")
        cls.sound = os.path.join(cls.directory, "sound.db")
        cls.backup = os.path.join(cls.directory, "backup.db")
        daemon = Daemon(store="sqlite:" + cls.sound)
        fill(daemon)
        make_versions(daemon)
        cls.shown = shown(daemon)
        with open(cls.backup, "wb") as f:
            f.write(daemon.curl("GET", "/v1/backup").raw)
        daemon.stop()
        daemon.close()

    def test_rows_that_cannot_be(self):
        cases = (
            ("UPDATE kept SET running_mean = x'000000000000f03f000000000000f03f' WHERE name = 'l0'",
             'version 1 of model "m0": its layers do not give its digest'),
            ("UPDATE state SET running_mean = x'000000000000f03f000000000000f03f' WHERE layer_id = 1",
             'version 4 of model "m0": its layers do not give its digest'),
            ("DELETE FROM kept WHERE name = 'l2'", "version 1 of model \"m0\": its layers do not give its digest"),
            ("UPDATE version SET digest = zeroblob(32) WHERE number = 3", "version 3 of model \"m0\": its layers"),
            ("UPDATE version SET digest = x'00' WHERE number = 3", "has what a version cannot have"),
            ("UPDATE version SET note = NULL WHERE number = 3", 'version 3 of model "m0": its row 3 has what'),
            ("UPDATE version SET gone = 7 WHERE number = 3", "has what a version cannot have"),
            ("UPDATE version SET key = 'k' WHERE number = 3", "has what a version cannot have"),
            ("UPDATE version SET number = NULL WHERE number = 3", "has what a version cannot have"),
            ("UPDATE version SET model_id = 99 WHERE number = 3", "version 3: its model is gone"),
            ("UPDATE numbers SET mark = 1", 'model "m0": it has marks or numbers of versions beyond its last'),
            ("UPDATE numbers SET number = 3", 'model "m0": it has marks or numbers of versions beyond its last'),
            ("DELETE FROM numbers", 'model "m0": it has marks or numbers of versions beyond its last'),
            ("UPDATE state SET since = 100 WHERE layer_id = 1", "beyond its last"),
            ("UPDATE state SET since = 1 WHERE layer_id = 1",
             'layer "l0" of model "m0": two of its states are for the same version'),
            ("UPDATE kept SET first = 0, last = 9 WHERE name = 'l2'", "two of its states are for the same version",
             "UPDATE kept SET name = 'l0' WHERE name = 'l2'"),
            ("INSERT INTO kept SELECT 99, model_id, layer_id, 'x', 2, 2, definition, revision, features,"
             " num_batches_tracked, count, decayed_count, frozen, sources, changed_s, running_mean, running_var,"
             " weight, bias FROM kept LIMIT 1", 'layer "x" of model "m0": its kept state 99 is for no version'),
            ("UPDATE kept SET running_var = x'00' WHERE name = 'l2'", "its running variance is cut off: 1 bytes"),
            ("UPDATE kept SET definition = '{' WHERE name = 'l2'", 'a kept state of layer "l2" of model "m0"'),
            ("UPDATE kept SET frozen = 2 WHERE name = 'l2'", "frozen by another number than 0 or 1"),
            ("UPDATE kept SET revision = -1 WHERE name = 'l2'", "its revision is negative"),
            ("UPDATE alias SET number = 2", 'model "m0": its alias "champion" names version 2, which does not exist'),
            ("UPDATE serving SET to_number = 2", 'model "m0": it serves version 2, which does not exist'),
            ("DELETE FROM model WHERE name = 'm0'", "its parent row in model is missing"),
            ("DROP INDEX version_gone", "the schema is not that of a store"),
        )
        for statement, words, *more in cases:
            with self.subTest(statement):
                shutil.copy(self.sound, self.store)
                self.sql(statement, *more)
                self.check(1, words, "is damaged")
                self.refused(words, "nothing was restored")

    def test_the_rows_of_a_pin_are_sound(self):
        """A backup, or a kill, may find a version that is being made."""
        self.sql("UPDATE numbers SET mark = mark + 1",
                 "INSERT INTO version(model_id, mark, created_s) SELECT model_id, max(mark) + 1, 0 FROM version")
        self.check(0, "is sound")

    def test_a_backup_has_the_versions(self):
        for source in (self.sound, self.backup):
            with self.subTest(source):
                self.restore(0, source=source)
                daemon = Daemon(store="sqlite:" + self.restored)
                self.addCleanup(daemon.close)
                self.assertEqual(shown(daemon), self.shown)
                daemon.stop()
                daemon.close()
                self.store = self.restored
                self.check(0, "is sound")
                os.unlink(self.restored)
