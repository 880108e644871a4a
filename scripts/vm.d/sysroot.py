"""What a cross compiler needs besides itself: the -dev packages of another architecture, unpacked into a folder of the
cache. The machine's dpkg knows nothing of it.
"""

import os
import re
import shutil
import tempfile

import apt
from apt import Unavailable

WANTED = ("libbpf-dev", "libelf-dev", "zlib1g-dev", "libpcap-dev", "libnl-3-dev", "libnl-genl-3-dev",
          "libboost-program-options-dev", "nlohmann-json3-dev", "libssl-dev")
OF_THE_COMPILER = ("libc6-dev", "linux-libc-dev", "libgcc-", "libstdc++-", "libcrypt-dev", "libnsl-dev", "libtirpc-dev")
PLAN_SECONDS_MAX = 120
DOWNLOAD_SECONDS_MAX = 900


def folder_of(architecture):
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "tracer", f"sysroot-{architecture}")


def this_suite(text):
    """The codename in /etc/os-release: the libraries fit the cross compiler of the same release only."""
    found = re.search(r'^VERSION_CODENAME="?([a-z]+)"?$', text, re.M)
    if not found:
        raise Unavailable("/etc/os-release does not say which release of Debian this is")
    return found.group(1)


def packages_to_unpack(plan):
    """NAME=VERSION of the -dev packages that apt-get -s would install, but for what the cross compiler brings."""
    planned = re.findall(r"^Inst (\S+-dev) \((\S+) ", plan, re.M)
    return [f"{name}={version}" for name, version in planned if not name.startswith(OF_THE_COMPILER)]


def made_of(folder):
    """What a sysroot says of itself, or None: the packages asked for, and on the other lines those it consists of."""
    try:
        with open(os.path.join(folder, "packages")) as file:
            return file.read()
    except FileNotFoundError:
        return None


def make(architecture, refresh=False, say=lambda text: None):
    """The folder, which is there afterwards. Raises Unavailable; OSError where the cache cannot be written."""
    folder = folder_of(architecture)
    with open("/etc/os-release") as file:
        suite = this_suite(file.read())
    heading = f"{suite}: {' '.join(WANTED)}\n"
    with apt.locked_cache():
        if not refresh and (made_of(folder) or "").startswith(heading):
            return folder
        if os.environ.get("TRACER_VM_OFFLINE") == "1":
            raise Unavailable(f"{folder} is missing or out of date, and TRACER_VM_OFFLINE=1 forbids to download it")
        say(f"getting the libraries for {architecture} (once; kept in {folder})")
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".new-{architecture}-", dir=os.path.dirname(folder)) as work:
            tree = fill(work, architecture, suite, heading)
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(tree, folder)
    return folder


def fill(work, architecture, suite, heading):
    """Downloads and unpacks into a folder in `work`, and returns it."""
    archive = apt.Apt(architecture, (suite, f"{suite}-security"), os.path.join(work, "apt"))
    archive.update()
    planned, plan = archive.run("apt-get", "-s", "install", "--no-install-recommends", *WANTED,
                                seconds_max=PLAN_SECONDS_MAX)
    packages = packages_to_unpack(plan)
    if not planned or not packages:
        raise Unavailable(f"{suite} has not all of the libraries for {architecture}: {apt.last_line(plan)}")
    downloaded, said = archive.run("apt-get", "download", "-q", *packages,
                                   seconds_max=DOWNLOAD_SECONDS_MAX, folder=work)
    if not downloaded:
        raise Unavailable(f"the libraries for {architecture} could not be downloaded: {apt.last_line(said)}")
    tree = os.path.join(work, "tree")
    for name in sorted(os.listdir(work)):
        if name.endswith(".deb"):
            try:
                apt.unpack("dpkg-deb", "-x", os.path.join(work, name), tree)
            except apt.BrokenPackage as failure:
                raise Unavailable(f"{name}: {failure}") from None
    with open(os.path.join(tree, "packages"), "w") as file:
        file.write(heading + "".join(f"{package}\n" for package in packages))
    return tree
