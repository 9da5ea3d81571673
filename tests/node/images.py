"""Images from a Dockerfile without a daemon or a registry: buildah, on a base of this machine's own packages.

The base takes the part of python:3.13-slim, which comes from a registry. It is made once per machine.
"""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.build import Say, cache_folder
from tests.node.machine import package_sources

ROOT = Path(__file__).parents[2]
# As the chart names it by default.
OPERATOR = "docker.io/library/scim-operator:0.1.0"
PAUSE = "localhost/pause:1"

_BASE_PACKAGES = "python3,python3-venv,ca-certificates"
_UNREAD = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*")
# What this machine trusts, builds in it trust: a proxy may sit between pip and its index.
_TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
_PIP = f"[global]\ncert = {_TRUSTED}\n"


class ImageError(Exception):
    """An image can't be made; the text holds the command and what it said."""


def buildah(*args: str) -> str:
    """Run buildah on the store in the cache; nothing of /var/lib/containers takes part."""
    store = cache_folder().with_name("images")
    command = [
        "buildah",
        "--storage-driver=overlay",
        f"--root={store / 'root'}",
        f"--runroot={store / 'run'}",
        *args,
    ]
    return _run(command)


def make_images(folder: Path, progress: Say) -> None:
    """The operator's image from the Dockerfile, and the one of pods' sandboxes, as archives in a folder."""
    base = _base(progress)
    progress("building the operator's image from the Dockerfile")
    buildah(
        *("bud", "--isolation=chroot", "--network=host", "--pull-never", f"--build-arg=BASE={base}"),
        *(f"--tag={OPERATOR}", str(ROOT)),
    )
    with _container(base) as name:
        # Sandboxes only wait; their runtime ends them by SIGKILL.
        buildah("config", '--entrypoint=["/bin/sleep", "infinity"]', name)
        buildah("commit", "--quiet", name, PAUSE)
    # What these names meant before.
    buildah("rmi", "--prune")
    for image in (OPERATOR, PAUSE):
        buildah("push", "--quiet", image, f"docker-archive:{archive(folder, image)}:{image}")


def archive(folder: Path, image: str) -> Path:
    """Where an image's archive is."""
    return folder / f"{image.rpartition('/')[2].partition(':')[0]}.tar"


def bytes_above_base(path: Path) -> int:
    """What an archived image adds to its base, which is one layer; uncompressed."""
    with tarfile.open(path) as image:
        manifest = image.extractfile("manifest.json")
        assert manifest is not None
        (about,) = json.load(manifest)
        _, *layers = about["Layers"]
        return sum(image.getmember(name).size for name in layers)


@contextmanager
def mounted(image: str) -> Iterator[Path]:
    """An image's files."""
    with _container(image) as name:
        yield Path(buildah("mount", name).strip())


@contextmanager
def _container(image: str) -> Iterator[str]:
    name = buildah("from", "--pull-never", image).strip()
    try:
        yield name
    finally:
        buildah("rm", name)


def _base(progress: Say) -> str:
    sources = package_sources()
    recipe = [_BASE_PACKAGES, *_UNREAD, _PIP, sources.read_text(), _TRUSTED.read_text()]
    name = f"localhost/scim-operator-base:{hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]}"
    if buildah("images", "--quiet", "--filter", f"reference={name}").strip():
        return name
    progress("making a base image of this machine's packages: once, about a minute")
    suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
    with tempfile.TemporaryDirectory() as folder, _container("scratch") as container:
        tree, pip = Path(folder) / "base.tar", Path(folder) / "pip.conf"
        without = (f"--dpkgopt=path-exclude={path}" for path in _UNREAD)
        options = ("--quiet", "--variant=minbase", f"--include={_BASE_PACKAGES}", *without)
        _run(["mmdebstrap", *options, suite, str(tree), str(sources)])
        pip.write_text(_PIP)
        buildah("add", "--quiet", container, str(tree), "/")
        buildah("copy", "--quiet", container, str(_TRUSTED), str(_TRUSTED))
        buildah("copy", "--quiet", container, str(pip), "/etc/pip.conf")
        buildah("commit", "--quiet", container, name)
    return name


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImageError(f"`{' '.join(command)}` failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout
