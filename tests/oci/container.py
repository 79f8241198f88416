"""The archive, and a container of it: run by crun, in a network namespace of the test (netns.py).

    container = Container(folder, "c0", bundle, net.appliance.name, "alb", "quick", ...).start(wait=False)
    container.execute("alb", "status")       # as `docker exec`
    container.tell("TERM")                   # as `docker stop` begins
"""

import hashlib
import json
import shutil
import subprocess
import tarfile

from cgroups import in_one_tree
from harness import PATIENCE, ROOT, Process
from netns import APPLIANCE

NOBODY_ELSE = 65532
VERSION = (ROOT / "debian/changelog").read_text().split("(", 1)[1].split(")", 1)[0]


def archive_path(folder=ROOT / "build/oci"):
    path = folder / f"postern-{VERSION}.tar"
    assert path.exists(), f"{path} is not there: run `make oci`"
    return path


class Archive:
    """An OCI image layout in a tar."""

    def __init__(self, path):
        self.path = path
        with tarfile.open(path) as tar:
            self.files = {m.name.removeprefix("./"): tar.extractfile(m).read() for m in tar if m.isfile()}
        self.index = json.loads(self.files["index.json"])
        self.manifest = json.loads(self.blob(self.index["manifests"][0]))
        self.config = json.loads(self.blob(self.manifest["config"]))

    def blob(self, named):
        """What a descriptor names, which is what it says."""
        algorithm, digest = named["digest"].split(":")
        data = self.files[f"blobs/{algorithm}/{digest}"]
        assert len(data) == named["size"] and hashlib.new(algorithm, data).hexdigest() == digest
        return data

    def unpack(self, folder):
        layout = folder / "layout"
        with tarfile.open(self.path) as tar:
            tar.extractall(layout)
        subprocess.run(["umoci", "--log", "error", "unpack", "--image", f"{layout}:{VERSION}", folder / "bundle"],
                       check=True)
        return folder / "bundle"


class Container(Process):
    """As an engine makes it of the image's configuration: `args` follow the entry point, `env` is added."""

    def __init__(self, folder, name, bundle, network, *args, env=None, files=None, read_only=False):
        self.bundle = folder / f"{name}.bundle"
        subprocess.run(["cp", "-a", bundle, self.bundle], check=True)
        self.id, self.crun = f"{network}-{name}", ["crun", f"--root={folder}/crun", "--cgroup-manager=disabled"]
        super().__init__(folder, name, *in_one_tree(*self.crun, "run", "--bundle", self.bundle, self.id))
        for path, text in {"/etc/hosts": "127.0.0.1 localhost\n", **(files or {})}.items():
            (self.bundle / "rootfs" / path.lstrip("/")).write_text(text)
        self._configure(network, args, env or {}, read_only)

    def _configure(self, network, args, env, read_only):
        path = self.bundle / "config.json"
        config = json.loads(path.read_text())
        config["process"].update(terminal=False, capabilities={})
        config["process"]["args"] += args
        config["process"]["env"] += [f"{name}={value}" for name, value in env.items()]
        config["root"]["readonly"] = read_only
        config["mounts"] = [m for m in config["mounts"] if m["type"] != "cgroup"]
        if read_only:
            config["mounts"].append({"destination": "/run/postern", "type": "tmpfs", "source": "tmpfs",
                                     "options": ["nosuid", "nodev", "noexec", "mode=1777"]})
        for namespace in config["linux"]["namespaces"]:
            if namespace["type"] == "network":
                namespace["path"] = f"/run/netns/{network}"
        path.write_text(json.dumps(config))

    def url(self, path, scheme="ws", port=8080):
        return f"{scheme}://{APPLIANCE}:{port}{path}"

    def _ask_crun(self, *args):
        done = subprocess.run(in_one_tree(*self.crun, *args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=30 * PATIENCE)
        return done.returncode, done.stdout

    def execute(self, *args):
        """A program in the container, as its user, to its end: (exit code, output)."""
        return self._ask_crun("exec", f"--user={NOBODY_ELSE}:{NOBODY_ELSE}", self.id, *args)

    def tell(self, signal):
        code, text = self._ask_crun("kill", self.id, signal)
        assert code == 0, text

    def remove(self):
        self._ask_crun("delete", "--force", self.id)
        if self.popen:
            self.wait()
        shutil.rmtree(self.bundle)
