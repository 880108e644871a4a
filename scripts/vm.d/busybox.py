"""The guest's programs besides those that are given to it: one static busybox."""

import glob
import os
import shutil
import tempfile

from apt import Apt, BrokenPackage, Unavailable, cache_folder, last_line, locked_cache, unpack

HERE = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine)


def is_static(text):
    return b"/ld-linux" not in text[:4096] and b"/ld-musl" not in text[:4096]


def of_this_machine():
    for path in (shutil.which("busybox"), "/usr/bin/busybox", "/bin/busybox"):
        if path and os.path.exists(path):
            with open(path, "rb") as file:
                text = file.read()
            if is_static(text):
                return text
    raise Unavailable("no static busybox (package busybox-static)")


def from_a_package(architecture):
    """Downloaded once."""
    path = os.path.join(cache_folder(), f"busybox-{architecture}")
    with locked_cache():
        if not os.path.exists(path):
            if os.environ.get("TRACER_VM_OFFLINE") == "1":
                raise Unavailable(f"no {path}, and TRACER_VM_OFFLINE=1 forbids to download it")
            fetch(architecture, path)
    with open(path, "rb") as file:
        return file.read()


def fetch(architecture, path):
    apt = Apt(architecture)
    apt.update()
    with tempfile.TemporaryDirectory(prefix=".new-", dir=cache_folder()) as work:
        succeeded, said = apt.download("busybox-static", work)
        if not succeeded:
            raise Unavailable(f"busybox-static for {architecture}: {last_line(said)}")
        try:
            unpack("dpkg-deb", "-x", *glob.glob(os.path.join(work, "*.deb")), os.path.join(work, "tree"))
        except BrokenPackage as failure:
            raise Unavailable(f"busybox-static for {architecture} does not unpack: {failure}") from None
        found = [each for folder in ("bin", "usr/bin")
                 for each in glob.glob(os.path.join(work, "tree", folder, "busybox"))]
        if not found:
            raise Unavailable(f"busybox-static for {architecture} has no busybox")
        os.rename(found[0], path)


def of(architecture):
    """Its text. Raises Unavailable."""
    return of_this_machine() if architecture == HERE else from_a_package(architecture)
