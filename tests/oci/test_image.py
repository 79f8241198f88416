"""What is in the archive."""

import gzip
import io
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

import pytest

from container import NOBODY_ELSE, VERSION, Archive, archive_path
from harness import PATIENCE, ROOT

MOST_BYTES = 8 << 20


@pytest.fixture(scope="module")
def layer(archive):
    """The files of its one layer."""
    (named,) = archive.manifest["layers"]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive.blob(named)))) as tar:
        return {member.name: (member, tar.extractfile(member).read() if member.isfile() else b"") for member in tar}


def test_two_builds_are_identical(archive):
    """At another time, by somebody with other habits."""
    if os.geteuid() != 0 or not shutil.which("mmdebstrap"):
        pytest.skip("NOT TESTED: a build needs root and mmdebstrap")
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        done = subprocess.run(["sh", "-c", 'umask 077; TZ=Asia/Tokyo exec "$@"', "sh", ROOT / "image/oci.sh", VERSION,
                               folder], capture_output=True, text=True, timeout=240 * PATIENCE)
        assert done.returncode == 0, done.stderr
        again = Archive(archive_path(pathlib.Path(folder)))
        assert again.config["created"] == archive.config["created"], "of another commit: run `make oci`"
        assert again.path.read_bytes() == archive.path.read_bytes()


def test_docker_finds_the_same_blobs_and_a_name(archive):
    (listed,) = json.loads(archive.files["manifest.json"])
    assert listed["RepoTags"] == [f"postern:{VERSION}"]
    named = [archive.manifest["config"], *archive.manifest["layers"]]
    assert [listed["Config"], *listed["Layers"]] == ["blobs/" + n["digest"].replace(":", "/") for n in named]
    annotations = archive.index["manifests"][0]["annotations"]
    assert annotations == {"org.opencontainers.image.ref.name": VERSION,
                           "io.containerd.image.name": f"docker.io/library/postern:{VERSION}"}


def test_how_a_container_is_started_of_it(archive):
    config = archive.config["config"]
    assert (archive.config["os"], archive.config["architecture"]) == ("linux", "amd64")
    assert config["User"] == f"{NOBODY_ELSE}:{NOBODY_ELSE}"
    assert config["Entrypoint"] == ["/usr/bin/postern"] and "Cmd" not in config and "Volumes" not in config
    assert set(config["ExposedPorts"]) == {"8080/tcp"}
    assert config["StopSignal"] == "SIGTERM"
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert labels["version"] == VERSION and labels["licenses"] == "MIT"
    assert labels["created"] == archive.config["created"]


def test_nothing_but_the_programs_and_what_they_need(archive, layer):
    assert len(archive.path.read_bytes()) <= MOST_BYTES
    programs = {name for name, (member, _) in layer.items() if member.isfile() and name.startswith("./usr/bin/")}
    assert programs == {f"./usr/bin/{name}" for name in ("alb", "wsserver", "dash", "postern")}
    assert not [name for name in layer if name.startswith("./usr/sbin/")]
    assert not [name for name, (member, _) in layer.items() if member.isfile() and member.mode & 0o6000]


def test_it_says_which_packages_are_in_it_and_under_which_licences(layer):
    status = layer["./var/lib/dpkg/status"][1].decode()
    packages = [line.split()[1] for line in status.splitlines() if line.startswith("Package: ")]
    assert {"postern-alb", "postern-wsserver", "dash", "libc6", "libmbedtls21", "ca-certificates"} <= set(packages)
    assert f"Version: {VERSION}+deb13" in status
    for package in packages:
        folder = f"./usr/share/doc/{package}"
        assert f"{folder}/copyright" in layer or layer[folder][0].issym(), package
