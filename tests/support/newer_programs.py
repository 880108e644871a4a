"""Programs of a newer Debian than this machine's, and of an older: unpacked into the cache, run by their own loader and
libraries. As a program it fetches them ahead of the tests, and says what cannot be had.

The machine's dpkg knows nothing of them. Once they are there no network is used; TRACER_VM_OFFLINE=1 forbids it anyway.
"""

import glob
import os
import platform
import re
import shutil
import sys
import tempfile

from servers import Skip

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "scripts", "vm.d"))     # python3-apt has a module of that name

import apt  # noqa: E402

NEWER, OLDER = "trixie", "bullseye"
WANTED = {NEWER: ("openssl", "gnutls-bin"),     # OpenSSL 3.5, GnuTLS 3.8
          OLDER: ("openssl",)}                  # OpenSSL 1.1
ARCHITECTURES = {"x86_64": ("amd64", "lib64/ld-linux-x86-64.so.2", "x86_64-linux-gnu"),
                 "aarch64": ("arm64", "lib/ld-linux-aarch64.so.1", "aarch64-linux-gnu")}
PLAN_SECONDS_MAX = 120
DOWNLOAD_SECONDS_MAX = 300


def folder_of(suite, architecture):
    return os.path.join(os.path.dirname(apt.cache_folder()), f"programs-{suite}-{architecture}")


def made_of(folder):
    try:
        with open(os.path.join(folder, "packages")) as file:
            return file.read()
    except FileNotFoundError:
        return None


def fill(work, suite, architecture):
    wanted = WANTED[suite]
    archive = apt.Apt(architecture, (suite, f"{suite}-security"), os.path.join(work, "apt"))
    archive.update()
    planned, plan = archive.run("apt-get", "-s", "install", "--no-install-recommends", *wanted,
                                seconds_max=PLAN_SECONDS_MAX)
    packages = [f"{name}={version}" for name, version in re.findall(r"^Inst (\S+) \((\S+) ", plan, re.M)]
    if not planned or not packages:
        raise apt.Unavailable(f"{suite} has not all of {' '.join(wanted)}: {apt.last_line(plan)}")
    downloaded, said = archive.run("apt-get", "download", "-q", *packages, seconds_max=DOWNLOAD_SECONDS_MAX,
                                   folder=work)
    if not downloaded:
        raise apt.Unavailable(f"{' '.join(wanted)} could not be downloaded: {apt.last_line(said)}")
    tree = os.path.join(work, "tree")
    for name in sorted(os.listdir(work)):
        if name.endswith(".deb"):
            apt.unpack("dpkg-deb", "-x", os.path.join(work, name), tree)
    with open(os.path.join(tree, "packages"), "w") as file:
        file.write(" ".join(wanted) + "\n" + "".join(f"{package}\n" for package in packages))
    return tree


def tree(suite, architecture):
    folder = folder_of(suite, architecture)
    with apt.locked_cache():
        if (made_of(folder) or "").startswith(" ".join(WANTED[suite]) + "\n"):
            return folder
        if os.environ.get("TRACER_VM_OFFLINE") == "1":
            raise apt.Unavailable(f"{folder} is missing, and TRACER_VM_OFFLINE=1 forbids to download it")
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-programs-", dir=os.path.dirname(folder)) as work:
            made = fill(work, suite, architecture)
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(made, folder)
    return folder


def program_of(suite, name):
    """The words before its arguments. Raises Skip where it cannot be had."""
    if platform.machine() not in ARCHITECTURES:
        raise Skip(f"which loader {platform.machine()} has is not known")
    architecture, loader, triplet = ARCHITECTURES[platform.machine()]
    try:
        root = tree(suite, architecture)
    except (apt.Unavailable, apt.BrokenPackage, OSError) as failure:
        raise Skip(f"no {name} of {suite}: {failure}") from None
    # A link of an older Debian's begins with a slash, and would lead to this machine's loader.
    places = (*glob.glob(os.path.join(root, "lib", triplet, "ld-[0-9]*.so")), os.path.join(root, loader),
              os.path.join(root, "usr", loader))
    loader = next(path for path in places if os.path.exists(path))
    libraries = ":".join(os.path.join(root, folder, triplet) for folder in ("usr/lib", "lib"))
    return [loader, "--library-path", libraries, os.path.join(root, "usr/bin", name)]


def newer_program(name):
    return program_of(NEWER, name)


def older_program(name):
    return program_of(OLDER, name)


def main():
    for suite, programs in WANTED.items():
        try:
            program_of(suite, programs[0])
        except Skip as reason:
            print(reason)


if __name__ == "__main__":
    main()
