"""The kernel of a box: its image, its modules for the disk, and the initrd that finds the disk."""

import glob
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "..", "scripts", "vm.d"))

from apt import Apt, last_line, locked_cache, unpack  # noqa: E402
from initramfs import Archive  # noqa: E402
from kernels import Packaged  # noqa: E402
from modules import module_text  # noqa: E402

# What it takes to reach the disk; the rest is found by udev there.
DISK_MODULES = ("virtio_pci", "virtio_blk", "ext4")
BUILDS_TRIED_MAX = 4


class Failed(Exception):
    """A kernel that cannot be had, or is not as expected."""


def download(series, flavour, folder, say):
    """Unpacks the newest build that the archive still has. Returns (release, folder of the unpacked packages)."""
    wanted = Packaged(series, flavour)
    failures = []
    with locked_cache():        # no longer than the lists are written: scripts/vm may be downloading
        apt = Apt()
        apt.update()
    for release in wanted.releases(apt)[:BUILDS_TRIED_MAX]:
        say(f"getting the kernel {release}")
        tree = os.path.join(folder, release)
        for package in sum(wanted.packages(apt, release), []):
            succeeded, said = apt.download(package, folder)
            if not succeeded:
                failures.append(f"{package}: {last_line(said)}")
                break
        else:
            for deb in glob.glob(os.path.join(folder, "*.deb")):
                unpack("dpkg-deb", "-x", deb, tree)
                os.remove(deb)
            return release, tree
    raise Failed(f"no {wanted.words}: {failures[0] if failures else 'no suite of the mirror has one'}")


def image(tree):
    found = glob.glob(os.path.join(tree, "boot", "vmlinuz-*")) + \
        glob.glob(os.path.join(tree, "usr", "lib", "modules", "*", "vmlinuz"))
    if not found:
        raise Failed("the kernel's package has no vmlinuz")
    return found[0]


def put_modules(tree, release, root):
    """Copies the modules into a file system and indexes them there."""
    for lib in ("lib", "usr/lib"):
        source = os.path.join(tree, lib, "modules", release)
        if os.path.isdir(os.path.join(source, "kernel")):
            shutil.copytree(source, os.path.join(root, "usr", "lib", "modules", release), symlinks=True)
            subprocess.run(["depmod", "-b", root, release], check=True)
            return
    raise Failed(f"the packages of {release} have no modules")


def needed_modules(root, release, wanted):
    """Files of the modules and of what they depend on, in the order in which they load."""
    files = []
    for name in wanted:
        said = subprocess.run(["modprobe", "-d", root, "-S", release, "--show-depends", name],
                              check=True, capture_output=True, text=True).stdout
        for line in said.splitlines():
            word, _, path = line.strip().partition(" ")
            if word == "insmod" and path not in files:      # the other word is `builtin`
                files.append(path)
    return files


def write_initrd(root, release, busybox, out):
    archive = Archive()
    for folder in ("/bin", "/dev", "/proc", "/root", "/sys", "/modules"):
        archive.folder(folder)
    for name, path in (("/bin/busybox", busybox), ("/init", os.path.join(HERE, "initrd"))):
        with open(path, "rb") as file:
            archive.file(name, file.read(), executable=True)
    order = ""
    for path in needed_modules(root, release, DISK_MODULES):
        name = os.path.basename(path).split(".ko")[0] + ".ko"
        archive.file(f"/modules/{name}", module_text(path))
        order += f"{name}\n"
    archive.file("/modules/order", order.encode())
    archive.write(out)
