"""Kernel modules for guests. A guest has no modprobe, so nothing is loaded there on demand."""

import lzma
import os
import re
import shutil

from apt import BrokenPackage, Unavailable, unpack
from initramfs import Archive

LOADED = ("inet_diag", "tcp_diag")      # where nothing else is said
# What a guest may be given. Debian's kernels have them all, but as modules.
KEPT = (*LOADED, "udp_diag", "unix_diag", "raw_diag", "netlink_diag", "af_packet_diag", "veth", "dummy", "overlay",
        "virtio_pci", "virtio_console")
KEPT_LIST, BUILT_IN = "kept", "built-in"


def module_text(path):
    if path.endswith(".zst"):
        if not shutil.which("zstd"):
            raise Unavailable("zstd is missing, which the kernel's modules are compressed with")
        return unpack("zstd", "-dqc", path)
    try:
        with (lzma.open if path.endswith(".xz") else open)(path, "rb") as file:
            return file.read()
    except (lzma.LZMAError, EOFError) as failure:
        raise BrokenPackage(f"{os.path.basename(path)}: {failure}") from None


def needs(text):
    found = re.search(rb"\0depends=([^\0]*)\0", text)
    return [name.replace("-", "_") for name in found.group(1).decode().split(",") if name] if found else []


def with_what_they_need(names, text_of):
    """[(name, text)] of those that there are, each after what it depends on. `text_of` says None of one that is not."""
    texts = {}

    def add(name):
        text = None if name in texts else text_of(name)
        if text is None:
            return
        for other in needs(text):
            add(other)
        texts[name] = text

    for name in names:
        add(name)
    return list(texts.items())


def built_in(tree):
    """Which of those worth keeping are no modules in this kernel, but parts of it."""
    names = set()
    for place, _, files in os.walk(tree):
        if "modules.builtin" in files:
            with open(os.path.join(place, "modules.builtin")) as file:
                names |= {os.path.basename(line.strip()).removesuffix(".ko").replace("-", "_") for line in file}
    return [name for name in KEPT if name in names]


def keep(tree, folder):
    """Makes a folder of the modules worth keeping, out of an unpacked package."""
    found = {}
    for place, _, files in os.walk(tree):
        for name in files:
            if re.search(r"\.ko(\.xz|\.zst)?$", name):
                found[name.split(".ko")[0].replace("-", "_")] = os.path.join(place, name)
    os.mkdir(folder)
    with open(os.path.join(folder, BUILT_IN), "w") as file:
        file.write("".join(f"{name}\n" for name in built_in(tree)))
    for name, text in with_what_they_need(KEPT, lambda name: module_text(found[name]) if name in found else None):
        with open(os.path.join(folder, f"{name}.ko"), "wb") as file:
            file.write(text)
    with open(os.path.join(folder, KEPT_LIST), "w") as file:
        file.write(" ".join(KEPT))


def are_kept(folder):
    """Whether it was made with the same list as ours."""
    try:
        with open(os.path.join(folder, KEPT_LIST)) as file:
            return file.read() == " ".join(KEPT)
    except FileNotFoundError:
        return False


def kept_built_in(folder, names):
    if folder is None:
        return names
    with open(os.path.join(folder, BUILT_IN)) as file:
        return file.read().split()


def kept_text(folder, name):
    if folder is None:
        return None
    try:
        with open(os.path.join(folder, f"{name}.ko"), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def pack(folder, names, out):
    """Writes them, and the order to load them in, as an initramfs part. Returns the names that the kernel lacks.
    Without a folder everything counts as built in.
    """
    texts = with_what_they_need(names, lambda name: kept_text(folder, name))
    present = {*dict(texts), *kept_built_in(folder, names)}
    archive = Archive()
    for name, text in texts:
        archive.file(f"/.vm/modules/{name}.ko", text)
    archive.file("/.vm/modules/order", "".join(f"{name}\n" for name, _ in texts).encode())
    archive.write(out)
    return [name for name in names if name not in present]
