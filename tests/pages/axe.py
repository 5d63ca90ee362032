# SPDX-License-Identifier: MIT
"""axe-core, which finds faults of accessibility. npm fetches it once, into the build folder."""

import base64
import fcntl
import hashlib
import os
import shutil
import subprocess
import tarfile

from browser import lacking
from normd import ROOT

PACKAGE = "axe-core-4.14.1"
INTEGRITY = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
FOLDER = os.path.join(ROOT, "build", "axe")
SCRIPT = os.path.join(FOLDER, PACKAGE + ".js")
RUN = """
const [rules, done] = arguments;
axe.run(document, { resultTypes: ["violations"], ...(rules && { runOnly: rules }) }).then(
	({ violations }) => done(violations.flatMap(({ id, nodes }) =>
		nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`))),
	error => done([String(error)]));
"""


def fetch():
    if not shutil.which("npm"):
        lacking("axe-core needs npm; 'make pages' installs it")
    command = ["npm", "pack", "--silent", "--fetch-retries=1", PACKAGE.replace("core-", "core@")]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        lacking(f"npm cannot fetch {PACKAGE}: {done.stderr.strip()[-300:]}")
    archive = os.path.join(FOLDER, PACKAGE + ".tgz")
    with open(archive, "rb") as f:
        digest = base64.b64encode(hashlib.sha512(f.read()).digest()).decode()
    assert digest == INTEGRITY, f"{archive} is not the one that these tests know: {digest}"
    with tarfile.open(archive) as tar, open(SCRIPT + ".part", "wb") as out:
        shutil.copyfileobj(tar.extractfile("package/axe.min.js"), out)
    os.rename(SCRIPT + ".part", SCRIPT)


def source():
    """The text of axe-core. Skips the test where it cannot be had."""
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(SCRIPT):
            fetch()
    with open(SCRIPT) as f:
        return f.read()


def faults(driver, rules=None):
    """What axe finds wrong in the page that is open: by these rules, or by all."""
    if not driver.execute_script("return 'axe' in window;"):
        driver.execute_script(source())
    return driver.execute_async_script(RUN, rules)
