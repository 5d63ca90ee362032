# SPDX-License-Identifier: MIT
"""
What the Debian package, the image and the compose files say of the project, compared with the project. `make test-deb`
builds, installs and upgrades the packages themselves.
"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml

from normd import NORMD, ROOT

# For a make that is no part of the one that runs this test.
OWN_MAKE = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}


def read(path):
    with open(os.path.join(ROOT, path)) as f:
        return f.read()


def without_t64(package):
    """Debian 13 renamed the packages of libraries in which a time has 64 bits on all platforms."""
    return package.removesuffix("t64")


def loaded_packages():
    """The packages of the libraries that the daemon itself names, without the C library's."""
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", subprocess.run(["readelf", "-dW", NORMD], capture_output=True,
                                                                text=True, check=True).stdout)
    paths = dict(re.findall(r"(\S+) => (\S+)", subprocess.run(["ldd", NORMD], capture_output=True, text=True,
                                                             check=True).stdout))
    packages = set()
    for library in needed:
        path = paths.get(library, library)
        owner = None
        for name in (path, os.path.realpath(path), "/usr" + path):
            done = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True)
            owner = owner or (done.stdout.split(":")[0] if done.returncode == 0 else None)
        packages.add(owner or library)
    return {without_t64(package) for package in packages} - {"libc6", "libgcc-s1"}


class Libraries(unittest.TestCase):
    def test_the_image_has_those_that_the_daemon_loads(self):
        loaded = loaded_packages()
        if not any(package.startswith("libmicrohttpd") for package in loaded):
            self.skipTest("this build is linked in another way")
        final = read("deploy/Dockerfile").split("\nFROM ")[-1]
        installed = re.search(r"--no-install-recommends \\\n\s+([^&]*) &&", final)[1].split()
        self.assertEqual({without_t64(package) for package in installed} - {"busybox"}, loaded)

    def test_the_packages_are_built_with_what_setup_installs(self):
        """A package build has a compiler and the C library anyway. Python's tools are needed for its package alone."""
        for group, field in (("build", "Build-Depends"), ("deb-python", "Build-Depends-Indep")):
            rows = re.search(rf"\t{group}\) cat <<-'P'\n(.*?)\n\tP\n", read("scripts/setup"), re.S)[1]
            needed = {line.split()[0] for line in rows.splitlines()} - {"gcc", "libc6-dev", "dh-python"}
            declared = re.search(rf"\n{field}:(.*?)\n\S", read("deploy/debian/control"), re.S)[1]
            declared = {re.sub(r"\(.*", "", name).strip() for name in declared.split(",")}
            self.assertEqual({name for name in declared if not name.startswith(("debhelper", "dh-"))}, needed)


class Debian(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """The tree that `make deb` builds from, by a build that only shows where it is."""
        cls.folder = tempfile.TemporaryDirectory(prefix="normd-deb-")
        cls.addClassCleanup(cls.folder.cleanup)
        stub = os.path.join(cls.folder.name, "dpkg-buildpackage")
        with open(stub, "w") as f:
            f.write("#!/bin/sh\necho $*\npwd\n")
        os.chmod(stub, 0o755)
        env = {**os.environ, "PATH": f"{cls.folder.name}:{os.environ['PATH']}", "SOURCE_DATE_EPOCH": "1700000000"}
        said = subprocess.run(["scripts/make_deb", "1.2.3", cls.folder.name, "any"], cwd=ROOT, env=env, text=True,
                              capture_output=True, check=True).stdout
        cls.arguments, cls.tree = said.splitlines()

    def read(self, path):
        with open(os.path.join(self.tree, path)) as f:
            return f.read()

    def test_the_changelog_has_the_version_and_the_date_of_the_sources(self):
        changelog = self.read("debian/changelog")
        self.assertRegex(changelog, r"\Anormd \(1\.2\.3(\+(deb|ubuntu)[\d.]*)?\) unstable; urgency=medium\n\n"
                                    r"  \* .+\n\n -- .+ <.+@.+>  Tue, 14 Nov 2023 22:13:20 \+0000\n\Z")
        maintainer = re.search(r"(?m)^Maintainer: (.*)", self.read("debian/control"))[1]
        self.assertIn(f" -- {maintainer}  ", changelog)

    def test_one_package_can_be_built_without_the_other(self):
        self.assertEqual(self.arguments, "--no-sign --build=any")
        with tempfile.TemporaryDirectory(prefix="normd-deb-") as folder:
            for arguments, group in (([], True), (["DEB=any"], False)):
                done = subprocess.run(["make", "-n", "deb", f"B={folder}", *arguments], cwd=ROOT, capture_output=True,
                                      text=True, env=OWN_MAKE)
                self.assertEqual((done.returncode, "setup  deb-python" in done.stdout), (0, group), done)

    def test_the_python_package_has_the_same_version(self):
        self.assertIn('__version__ = "1.2.3"\n', self.read("clients/python/src/normd/_version.py"))

    def test_the_tree_builds_by_itself(self):
        """make knows how to make everything that it would install from what is there."""
        done = subprocess.run(["make", "-n", "all", "CC=cc"], cwd=self.tree, capture_output=True, text=True,
                              env=OWN_MAKE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("-o build/normd ", done.stdout)
        self.assertFalse(os.path.exists(os.path.join(self.tree, "deploy/debian")))

    def test_the_licence_is_the_project_s(self):
        text = self.read("debian/copyright").split("License: Expat\n")[-1]
        text = "\n".join("" if line == " ." else line[1:] for line in text.splitlines())
        self.assertEqual(text.strip(), read("LICENSE").split("\n\n", 2)[2].strip())

    @unittest.skipUnless(shutil.which("dh_installdocs"), "debhelper is missing")
    def test_links_between_its_documents_lead_somewhere(self):
        """The documents are installed as the build does, without the program."""
        for step in ("dh_installdocs", "dh_install", "dh_installexamples", "dh_link",
                     "debian/rules override_dh_compress"):
            subprocess.run(step.split(), cwd=self.tree, check=True, capture_output=True)
        top = os.path.join(self.tree, "debian/normd/usr/share/doc/normd")
        names = [os.path.join(folder, name) for folder, _, files in os.walk(top) for name in files]
        self.assertFalse([name for name in names if name.endswith(".in")])
        pages = [name for name in names if name.endswith(".md")]
        self.assertIn(os.path.join(top, "docs/OPERATIONS.md"), pages)
        for page in pages:
            with open(page) as f:
                links = set(re.findall(r"\]\(([^)#\s]+)", f.read()))
            for link in sorted(link for link in links if "://" not in link):
                self.assertTrue(os.path.exists(os.path.join(os.path.dirname(page), link)),
                                f"{os.path.relpath(page, top)}: {link}")


class Compose(unittest.TestCase):
    def services(self, name):
        return yaml.safe_load(read(f"deploy/{name}"))

    def test_no_file_names_a_version_which_is_obsolete(self):
        for name in ("docker-compose.yml", "docker-compose.tokens.yml", "docker-compose.tls.yml"):
            self.assertNotIn("version", self.services(name), name)

    def test_without_tokens_it_is_published_for_this_machine_alone(self):
        normd = self.services("docker-compose.yml")["services"]["normd"]
        self.assertEqual(normd["environment"]["NORMD_INSECURE"], "true")
        self.assertEqual([port.split(":")[0] for port in normd["ports"]], ["127.0.0.1"])
        self.assertNotIn("NORMD_INSECURE", re.search(r"(?s)\nENV .*?\n(?! )", read("deploy/Dockerfile"))[0])

    def test_what_opens_it_asks_for_tokens(self):
        normd = self.services("docker-compose.tokens.yml")["services"]["normd"]
        self.assertEqual(normd["environment"], {"NORMD_INSECURE": "false", "NORMD_TOKENS": "/run/secrets/tokens"})

    def test_a_secret_s_file_is_named_where_it_is_mounted_and_no_commit_takes_it(self):
        others = set(self.services("docker-compose.yml")["secrets"])  # of other services than normd
        for name in ("docker-compose.tokens.yml", "docker-compose.tls.yml"):
            page = self.services(name)
            environment = page["services"]["normd"]["environment"]
            mounted = {"/run/secrets/" + secret for secret in set(page["secrets"]) - others}
            self.assertEqual(mounted, {value for value in environment.values() if value.startswith("/")})
            self.assertEqual(set(page["services"]["normd"]["secrets"]), set(page["secrets"]) - others)
            for secret in page["secrets"].values():
                path = "deploy/" + re.search(r":-\./(.*)}", secret["file"])[1]
                ignored = subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT).returncode
                self.assertIn(ignored, (0, 128), path)  # 128: this is no repository


if __name__ == "__main__":
    unittest.main()
