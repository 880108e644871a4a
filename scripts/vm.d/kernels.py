"""Debian kernels for guests: finds the newest build of a series, downloads it once, keeps what a boot needs."""

import glob
import os
import re
import shutil
import tempfile

import modules
from apt import Apt, BrokenPackage, Unavailable, cache_folder, last_line, locked_cache, unpack

FLAVOURS = {"cloud": "-cloud", "generic": "", "rt": "-rt"}
BUILDS_TRIED_MAX = 12                   # archives drop old builds while their lists still name them


class Kernel:
    """A kernel in the cache: `vmlinuz` is a file, `modules` a folder for modules.pack()."""

    def __init__(self, release):
        self.release = release
        self.folder = os.path.join(cache_folder(), "kernels", release)
        self.vmlinuz = os.path.join(self.folder, "vmlinuz")
        self.modules = os.path.join(self.folder, "modules")

    def cached(self):
        return os.path.exists(self.vmlinuz) and modules.are_kept(self.modules)


class Built:
    """A kernel of our own, which probe-matrix/kernels/build makes. It has no modules: what it is to have is in it."""

    def __init__(self, name):
        self.name = name
        self.folder = os.path.join(cache_folder(), "built", name)
        self.vmlinuz = os.path.join(self.folder, "vmlinuz")
        self.modules = None

    @property
    def release(self):
        with open(os.path.join(self.folder, "release")) as file:
            return file.read().strip()

    def cached(self):
        return os.path.exists(self.vmlinuz)


def built(name):
    """Raises Unavailable."""
    kernel = Built(name)
    if not kernel.cached():
        raise Unavailable(f"the kernel {name} is not built (probe-matrix/kernels/build {name})")
    return kernel


class Packaged:
    """What is wanted: a kernel of Debian's for whole machines. `series` is 6.1, or one build such as 6.1.0-50."""

    def __init__(self, series, flavour="cloud", architecture="amd64"):
        self.series = series
        self.architecture = architecture
        self.ending = f"{FLAVOURS[flavour]}-{architecture}"
        self.choice = f"{series}.{flavour}" + ("" if architecture == "amd64" else f"-{architecture}")
        self.words = f"{flavour} kernel {series} for {architecture}"

    def releases(self, apt):
        """Those that fit, newest first."""
        known = {re.sub(r"^linux-(image|binary)-", "", name) for name in apt.names()}
        version = re.compile(r"\d[^-]*(-[\d.]+(deb\d+[\d.]*)?)?" + re.escape(self.ending) + "$")
        if re.fullmatch(r"\d+\.\d+", self.series):
            fits = re.compile(re.escape(self.series) + r"(?![\d])")
        else:
            fits = re.compile(re.escape(self.series.removesuffix(self.ending)) + re.escape(self.ending) + "$")
        return sorted((release for release in known if version.match(release) and fits.match(release)),
                      key=age_key, reverse=True)

    def packages(self, apt, release):
        """Needed and wished ones. Since 6.19 a kernel is split; its linux-image package is empty then."""
        if f"linux-binary-{release}" not in apt.names():
            return [f"linux-image-{release}"], []
        return [f"linux-binary-{release}"], [f"linux-modules-{release}"]


class UserMode:
    """What is wanted: a kernel that is a program, not for a machine."""

    architecture = "amd64"

    def __init__(self, series):
        self.series = series
        self.choice = f"{series}.uml"
        self.words = f"user-mode kernel {series}"

    def releases(self, apt):
        return [f"uml-{version}" for version in apt.versions("user-mode-linux")
                if version.startswith(f"{self.series}um")]

    def packages(self, apt, release):
        return [f"user-mode-linux={release.removeprefix('uml-')}"], []


def choice_path(wanted):
    return os.path.join(cache_folder(), "chosen", wanted.choice)


def cached_choice(wanted):
    """The kernel that was chosen for this before, if it is still here. Touches no network and takes no lock."""
    try:
        with open(choice_path(wanted)) as file:
            chosen = Kernel(file.read().strip())
    except FileNotFoundError:
        return None
    return chosen if chosen.cached() else None


def age_key(release):
    """6.1.0-9-… sorts before 6.1.0-10-…, and 7.3-… (a release candidate) before 7.3.4-…"""
    return [int(number) for number in re.findall(r"\d+", re.sub(r"-[a-z]+\d+$", "", release))]


def fetch(apt, wanted, release, say):
    """Downloads and keeps a kernel; all of it or nothing. Returns why it cannot be had, or None. Needs the lock."""
    kernel = Kernel(release)
    parent = os.path.dirname(kernel.folder)
    os.makedirs(parent, exist_ok=True)
    for stale in glob.glob(os.path.join(parent, ".new-*")):     # of one that was killed
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=parent) as work:
        needed, wished = wanted.packages(apt, release)
        for package in needed + wished:
            succeeded, said = apt.download(package, work)
            if not succeeded and package in needed:
                return f"{package}: {last_line(said)}"
            if not succeeded:
                say(f"{release} has no modules then: {package}: {last_line(said)}")
        try:
            return keep(kernel, work, needed[0])
        except BrokenPackage as failure:
            return f"{needed[0]} does not unpack: {failure}"


def keep(kernel, work, package):
    """Makes a cache entry of what lies in `work`. Returns and raises as fetch() and unpack()."""
    tree = os.path.join(work, "tree")
    for each in glob.glob(os.path.join(work, "*.deb")):
        unpack("dpkg-deb", "-x", each, tree)
    images = glob.glob(os.path.join(tree, "boot", "vmlinuz-*")) + \
        glob.glob(os.path.join(tree, "usr", "lib", "modules", "*", "vmlinuz")) + \
        glob.glob(os.path.join(tree, "usr", "bin", "linux.uml"))
    if not images:
        return f"{package}: has no vmlinuz"
    kept = os.path.join(work, "kept")
    os.mkdir(kept)
    shutil.move(images[0], os.path.join(kept, "vmlinuz"))
    modules.keep(tree, os.path.join(kept, "modules"))
    shutil.rmtree(kernel.folder, ignore_errors=True)
    os.rename(kept, kernel.folder)
    return None


def choose(wanted, refresh=False, say=lambda text: None):
    """A kernel that is in the cache afterwards. Raises Unavailable."""
    chosen = None if refresh else cached_choice(wanted)
    if chosen:
        return chosen
    with locked_cache():
        chosen = None if refresh else cached_choice(wanted)     # another run may have got it meanwhile
        if chosen:
            return chosen
        if os.environ.get("TRACER_VM_OFFLINE") == "1":
            raise Unavailable(f"the {wanted.words} is not in {cache_folder()}, "
                              "and TRACER_VM_OFFLINE=1 forbids to download it")
        apt = Apt(wanted.architecture)
        apt.update()
        releases = wanted.releases(apt)
        if not releases:
            raise Unavailable(f"no suite of the mirror has a {wanted.words}")
        failures = []
        for release in releases[:BUILDS_TRIED_MAX]:
            say(f"getting the kernel {release} (once; kept in {cache_folder()})")
            failure = None if Kernel(release).cached() else fetch(apt, wanted, release, say)
            if failure is None:
                path = choice_path(wanted)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(f"{path}.new", "w") as file:
                    file.write(release + "\n")
                os.rename(f"{path}.new", path)
                return Kernel(release)
            failures.append(failure)
        raise Unavailable(f"no {wanted.words} could be downloaded ({failures[0]})")


def newest_builds(wanted):
    """The newest release of each of `wanted`, which are of one architecture, or "none"; by the archive's word."""
    with locked_cache():
        apt = Apt(wanted[0].architecture)
        apt.update()
        return [(each.releases(apt) or ["none"])[0] for each in wanted]
