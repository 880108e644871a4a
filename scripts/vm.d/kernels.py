"""Debian kernels for guests: finds the newest build of a series, downloads it once, keeps what a boot needs.

The machine's own apt is only read: its mirror serves all suites, through apt folders of our own in the cache.
"""

import contextlib
import errno
import fcntl
import glob
import lzma
import os
import re
import shutil
import subprocess
import tempfile
import time

from initramfs import Archive

SUITES = ("bullseye", "bullseye-security", "bookworm", "bookworm-security", "bookworm-backports",
          "trixie", "trixie-security", "trixie-backports", "experimental")
CODENAMES = re.compile(r"(buster|bullseye|bookworm|trixie|forky|sid|oldoldstable|oldstable|stable|testing|unstable)$")
FLAVOURS = {"cloud": "-cloud-amd64", "generic": "-amd64", "rt": "-rt-amd64"}
# Modules in every Debian kernel. A guest has no modprobe, so the kernel cannot load them on demand.
MODULES = ("inet_diag", "tcp_diag")
LISTS_FRESH_SECONDS = 24 * 3600
SILENCE_REMEMBERED_SECONDS = 120        # so that several tests do not wait for the same mirror one after the other
UPDATE_SECONDS_MAX = 300
DOWNLOAD_SECONDS_MAX = 600
UNPACK_SECONDS_MAX = 300
BUILDS_TRIED_MAX = 4                    # archives drop old builds while their lists still name them


class Unavailable(Exception):
    """No guest can be booted here, for a reason that is not a fault of ours."""


class BrokenPackage(Exception):
    """What was downloaded does not unpack."""


def expect_room(said):
    """Raises OSError if a tool ended because the disk is full: then there is nothing else to try."""
    if "No space left on device" in said or "enough free space" in said:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), cache_folder())


def last_line(said):
    return (said.strip().splitlines() or ["it says nothing"])[-1].strip()


def in_plain_words():
    return {**os.environ, "LC_ALL": "C"}


def unpack(*command):
    """What it prints. Raises BrokenPackage."""
    try:
        done = subprocess.run(command, env=in_plain_words(), stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=UNPACK_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        raise BrokenPackage(f"{command[0]} took more than {UNPACK_SECONDS_MAX} s") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace")
        expect_room(said)
        raise BrokenPackage(f"{command[0]} ended with {done.returncode}: {last_line(said)}")
    return done.stdout


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("TRACER_VM_CACHE") or os.path.join(base, "tracer", "vm")


class Kernel:
    """A kernel in the cache: `vmlinuz` and `modules` (an initramfs part) are paths."""

    def __init__(self, release):
        self.release = release
        self.folder = os.path.join(cache_folder(), "kernels", release)
        self.vmlinuz = os.path.join(self.folder, "vmlinuz")
        self.modules = os.path.join(self.folder, f"modules-{'-'.join(MODULES)}.cpio")

    def cached(self):
        return os.path.exists(self.vmlinuz) and os.path.exists(self.modules)


def choice_path(kernel, flavour):
    return os.path.join(cache_folder(), "chosen", f"{kernel}.{flavour}")


def cached_choice(kernel, flavour):
    """The kernel that was chosen for this before, if it is still here. Touches no network and takes no lock."""
    try:
        with open(choice_path(kernel, flavour)) as file:
            chosen = Kernel(file.read().strip())
    except FileNotFoundError:
        return None
    return chosen if chosen.cached() else None


def configured_sources():
    """(URI, suite) of every entry in this machine's apt sources, both syntaxes."""
    for path in ["/etc/apt/sources.list", *sorted(glob.glob("/etc/apt/sources.list.d/*"))]:
        try:
            with open(path, errors="replace") as file:
                lines = [line for line in file.read().splitlines() if not line.lstrip().startswith("#")]
        except OSError:
            continue
        if path.endswith(".sources"):
            for stanza in "\n".join(lines).split("\n\n"):
                fields = {name.lower(): value.split()
                          for name, value in re.findall(r"^([\w-]+):((?:.*)(?:\n[ \t].*)*)", stanza, re.M)}
                for uri in fields.get("uris", []):
                    yield from ((uri, suite) for suite in fields.get("suites", []))
        elif path.endswith(".list"):
            for line in lines:
                found = re.match(r"\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)", line)
                if found:
                    yield found.groups()


def mirrors():
    """The mirror of the main suites and that of the security suites, which lie beside it."""
    main = security = None
    for uri, suite in configured_sources():
        if CODENAMES.match(suite):
            main = main or uri.rstrip("/")
        elif suite.endswith("-security") and CODENAMES.match(suite.removesuffix("-security")):
            security = security or uri.rstrip("/")
    if not main:
        raise Unavailable("the configured apt sources name no Debian mirror to get kernels from")
    return main, security or main + "-security"


class Apt:
    """apt-get and apt-cache over all suites, with folders of their own."""

    def __init__(self):
        for tool in ("apt-get", "apt-cache", "dpkg-deb"):
            if not shutil.which(tool):
                raise Unavailable(f"{tool} is missing, and kernels come from Debian packages")
        self.folder = os.path.join(cache_folder(), "apt")
        self.known = None
        for name in ("parts", "lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
        main, security = mirrors()
        keyrings = [path for path in ("/usr/share/keyrings/debian-archive-keyring.gpg",
                                      "/usr/share/keyrings/debian-archive-keyring.pgp") if os.path.exists(path)]
        options = f"[signed-by={keyrings[0]}] " if keyrings else ""
        with open(self.path("sources.list"), "w") as file:
            for suite in SUITES:
                base = security if suite.endswith("-security") else main
                file.write(f"deb {options}{base} {suite} main\n")
        # A mirror that lags, and a suite that got its last update, serve lists whose date has run out. Their signatures
        # are checked as ever; what is old is only run in guests that have no network.
        settings = {"Dir::Etc::SourceList": self.path("sources.list"), "Dir::Etc::SourceParts": self.path("parts"),
                    "Dir::State::Lists": self.path("lists"), "Dir::Cache": self.path("cache"),
                    "Dir::State::status": "/dev/null", "APT::Architecture": "amd64", "APT::Architectures": "amd64",
                    "Acquire::Languages": "none", "Acquire::Check-Valid-Until": "false",
                    "Acquire::AllowReleaseInfoChange": "true", "Acquire::Retries": "1",
                    "Acquire::http::Timeout": "10", "Acquire::https::Timeout": "10", "APT::Sandbox::User": ""}
        self.options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, tool, *arguments, seconds_max, folder=None):
        """(whether it succeeded, what it printed)"""
        try:
            done = subprocess.run([tool, *self.options, *arguments], cwd=folder, env=in_plain_words(), text=True,
                                  errors="replace", timeout=seconds_max, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except subprocess.TimeoutExpired:
            return False, f"{tool} {arguments[0]} took more than {seconds_max} s"
        if done.returncode != 0:
            expect_room(done.stdout)
        return done.returncode == 0, done.stdout

    def _is_younger(self, name, seconds):
        path = self.path(name)
        return os.path.exists(path) and 0 <= time.time() - os.path.getmtime(path) < seconds

    def update(self):
        """Suites that do not answer are left out; one that does is enough."""
        if self._is_younger("updated", LISTS_FRESH_SECONDS):
            return
        if self._is_younger("silent", SILENCE_REMEMBERED_SECONDS):
            with open(self.path("silent")) as file:
                raise Unavailable(file.read())
        said = self.run("apt-get", "update", "-q", seconds_max=UPDATE_SECONDS_MAX)[1]
        if not re.search(r"^(Get|Hit):", said, re.M) or not glob.glob(self.path("lists/*_Packages*")):
            reason = re.search(r"^Err:.*\n  (.+)", said, re.M) or re.search(r"^[EW]: (.+)", said, re.M)
            complaint = ("the Debian mirror of the configured apt sources does not answer "
                         f"({reason[1] if reason else said.strip()[-200:] or 'apt-get says nothing'})")
            with open(self.path("silent"), "w") as file:
                file.write(complaint)
            raise Unavailable(complaint)
        open(self.path("updated"), "w").close()

    def names(self):
        """All packages that begin with linux-."""
        if self.known is None:
            self.known = set(self.run("apt-cache", "pkgnames", "linux-", seconds_max=60)[1].split())
        return self.known

    def download(self, package, folder):
        return self.run("apt-get", "download", "-q", package, seconds_max=DOWNLOAD_SECONDS_MAX, folder=folder)


def age_key(release):
    """6.1.0-9-… sorts before 6.1.0-10-…, and 7.3-… (a release candidate) before 7.3.4-…"""
    return [int(number) for number in re.findall(r"\d+", release.removesuffix("-amd64"))]


def candidates(apt, kernel, flavour):
    """Kernel releases that fit, newest first."""
    ending = FLAVOURS[flavour]
    releases = {re.sub(r"^linux-(image|binary)-", "", name) for name in apt.names()}
    version = re.compile(r"\d[^-]*(-[\d.]+(deb\d+[\d.]*)?)?" + re.escape(ending) + "$")
    if re.fullmatch(r"\d+\.\d+", kernel):
        fits = re.compile(re.escape(kernel) + r"(?![\d])")
    else:
        fits = re.compile(re.escape(kernel.removesuffix(ending)) + re.escape(ending) + "$")
    return sorted((release for release in releases if version.match(release) and fits.match(release)),
                  key=age_key, reverse=True)


def packages_of(apt, release):
    """Since 6.19 a kernel is split; its linux-image package is empty then."""
    if f"linux-binary-{release}" not in apt.names():
        return [f"linux-image-{release}"], []
    return [f"linux-binary-{release}"], [f"linux-modules-{release}"]


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


def pack_modules(tree, out):
    """The wanted modules, those that they depend on first, as an initramfs part."""
    found = {}
    for folder, _, files in os.walk(tree):
        for name in files:
            if re.search(r"\.ko(\.xz|\.zst)?$", name):
                found[name.split(".ko")[0].replace("-", "_")] = os.path.join(folder, name)
    order = []
    archive = Archive()

    def add(name):
        if name in order or name not in found:
            return
        text = module_text(found[name])
        depends = re.search(rb"\0depends=([^\0]*)\0", text)
        for other in depends.group(1).decode().split(",") if depends else []:
            add(other.replace("-", "_"))
        order.append(name)
        archive.file(f"/.vm/modules/{name}.ko", text)

    for name in MODULES:
        add(name)
    archive.file("/.vm/modules/order", "".join(f"{name}\n" for name in order).encode())
    archive.write(out)


def fetch(apt, release, say):
    """Downloads and keeps a kernel; all of it or nothing. Returns why it cannot be had, or None. Needs the lock."""
    kernel = Kernel(release)
    parent = os.path.dirname(kernel.folder)
    os.makedirs(parent, exist_ok=True)
    for stale in glob.glob(os.path.join(parent, ".new-*")):     # of one that was killed
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=parent) as work:
        needed, wished = packages_of(apt, release)
        for package in needed + wished:
            succeeded, said = apt.download(package, work)
            if not succeeded and package in needed:
                return f"{package}: {last_line(said)}"
            if not succeeded:
                say(f"{release} has no {' and '.join(MODULES)} then: {package}: {last_line(said)}")
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
        glob.glob(os.path.join(tree, "usr", "lib", "modules", "*", "vmlinuz"))
    if not images:
        return f"{package}: has no vmlinuz"
    kept = os.path.join(work, "kept")
    os.mkdir(kept)
    shutil.move(images[0], os.path.join(kept, "vmlinuz"))
    pack_modules(tree, os.path.join(kept, os.path.basename(kernel.modules)))
    shutil.rmtree(kernel.folder, ignore_errors=True)
    os.rename(kept, kernel.folder)
    return None


@contextlib.contextmanager
def locked_cache():
    os.makedirs(cache_folder(), exist_ok=True)
    with open(os.path.join(cache_folder(), "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def choose(kernel, flavour, refresh=False, say=lambda text: None):
    """A kernel that is in the cache afterwards. Raises Unavailable."""
    chosen = None if refresh else cached_choice(kernel, flavour)
    if chosen:
        return chosen
    with locked_cache():
        chosen = None if refresh else cached_choice(kernel, flavour)    # another run may have got it meanwhile
        if chosen:
            return chosen
        if os.environ.get("TRACER_VM_OFFLINE") == "1":
            raise Unavailable(f"kernel {kernel} is not in {cache_folder()}, "
                              "and TRACER_VM_OFFLINE=1 forbids to download it")
        apt = Apt()
        apt.update()
        releases = candidates(apt, kernel, flavour)
        if not releases:
            raise Unavailable(f"no suite of the mirror has a {flavour} kernel {kernel}")
        failures = []
        for release in releases[:BUILDS_TRIED_MAX]:
            say(f"getting the kernel {release} (once; kept in {cache_folder()})")
            failure = None if Kernel(release).cached() else fetch(apt, release, say)
            if failure is None:
                path = choice_path(kernel, flavour)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(f"{path}.new", "w") as file:
                    file.write(release + "\n")
                os.rename(f"{path}.new", path)
                return Kernel(release)
            failures.append(failure)
        raise Unavailable(f"no kernel {kernel} could be downloaded ({failures[0]})")


def newest_builds(wanted, flavour):
    """(series, newest release or "none") of each of `wanted`, by the archive's word."""
    with locked_cache():
        apt = Apt()
        apt.update()
        return [(kernel, (candidates(apt, kernel, flavour) or ["none"])[0]) for kernel in wanted]
