"""Debian packages without touching this machine's apt: its mirror serves all suites, through folders of our own.

What is fetched lies in $TRACER_VM_CACHE, else in ~/.cache/tracer/vm.
"""

import contextlib
import errno
import fcntl
import glob
import os
import re
import shutil
import subprocess
import time

SUITES = ("bullseye", "bullseye-security", "bookworm", "bookworm-security", "bookworm-backports",
          "trixie", "trixie-security", "trixie-backports", "experimental")
CODENAMES = re.compile(r"(buster|bullseye|bookworm|trixie|forky|sid|oldoldstable|oldstable|stable|testing|unstable)$")
LISTS_FRESH_SECONDS = 24 * 3600
SILENCE_REMEMBERED_SECONDS = 120        # so that several tests do not wait for the same mirror one after the other
UPDATE_SECONDS_MAX = 300
DOWNLOAD_SECONDS_MAX = 600
UNPACK_SECONDS_MAX = 300


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


@contextlib.contextmanager
def locked_cache():
    os.makedirs(cache_folder(), exist_ok=True)
    with locked(os.path.join(cache_folder(), "lock")):
        yield


@contextlib.contextmanager
def locked(path):
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
        raise Unavailable("the configured apt sources name no Debian mirror to get packages from")
    return main, security or main + "-security"


class Apt:
    """apt-get and apt-cache with folders of their own; the architecture by Debian's name of it."""

    def __init__(self, architecture="amd64", suites=SUITES, folder=None):
        for tool in ("apt-get", "apt-cache", "dpkg-deb"):
            if not shutil.which(tool):
                raise Unavailable(f"{tool} is missing, and what is wanted comes from Debian packages")
        own_folder = "apt" if architecture == "amd64" else f"apt-{architecture}"
        self.folder = folder or os.path.join(cache_folder(), own_folder)
        self.known = None
        for name in ("parts", "lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
        main, security = mirrors()
        keyrings = [path for path in ("/usr/share/keyrings/debian-archive-keyring.gpg",
                                      "/usr/share/keyrings/debian-archive-keyring.pgp") if os.path.exists(path)]
        options = f"[signed-by={keyrings[0]}] " if keyrings else ""
        with open(self.path("sources.list"), "w") as file:
            for suite in suites:
                base = security if suite.endswith("-security") else main
                file.write(f"deb {options}{base} {suite} main\n")
        # A mirror that lags, and a suite that got its last update, serve lists whose date has run out. Their signatures
        # are checked as ever; what is old is only run in guests that have no network.
        settings = {"Dir::Etc::SourceList": self.path("sources.list"), "Dir::Etc::SourceParts": self.path("parts"),
                    "Dir::State::Lists": self.path("lists"), "Dir::Cache": self.path("cache"),
                    "Dir::State::status": "/dev/null",
                    "APT::Architecture": architecture, "APT::Architectures": architecture,
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

    def versions(self, package):
        """Of one package, newest first."""
        said = self.run("apt-cache", "policy", package, seconds_max=60)[1]
        return re.findall(r"^ (?:   |\*\*\*) (\S+) \d+$", said, re.M)

    def download(self, package, folder):
        return self.run("apt-get", "download", "-q", package, seconds_max=DOWNLOAD_SECONDS_MAX, folder=folder)
