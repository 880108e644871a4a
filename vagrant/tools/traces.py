"""What libvirt, Vagrant and their helpers leave on a machine: looked for before and after, compared."""

import os
import re
import subprocess

FOLDERS = ("/etc/libvirt", "/var/lib/libvirt", "/var/log/libvirt", "/var/cache/libvirt", "/run/libvirt",
           "/run/libvirtd.pid", "/var/lib/dnsmasq", "~/.vagrant.d", "~/.libvirt", "~/.config/libvirt",
           "~/.cache/libvirt", "~/.local/share/libvirt")
SETTINGS = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv6/conf/default/forwarding")
THEIR_LINK = re.compile(r"^\d+: ((?:virbr|vnet|macvtap)[^:@]*|[^:@]+(?=.*\bbridge\b))")
MOUNTED_UNDER = ("/run", "/sys", "/etc/libvirt", "/var/lib/libvirt", "/var/log/libvirt", "/var/cache/libvirt")
MOUNTED_BY_OTHERS = ("/run/user/", "/run/credentials/", "/run/netns")     # logins, services, `ip netns`
CGROUPS = "/sys/fs/cgroup"


def said(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60).stdout
    except FileNotFoundError:
        return ""


def settings():
    for name in SETTINGS:
        try:
            with open(os.path.join("/proc/sys", name)) as file:
                yield f"/proc/sys/{name} is {file.read().strip()}"
        except OSError:
            pass


def links():
    for line in said("ip", "-details", "-oneline", "link").splitlines():
        found = THEIR_LINK.match(line)
        if found:
            yield f"network interface {found[1]}"


def chains():
    """Tables and chains, and the rules that iptables' own chains have got."""
    table = ""
    for line in said("nft", "-s", "list", "ruleset").splitlines():
        if line.startswith("table "):
            table = line.strip(" {")
        yield f"netfilter: {table}: {line.strip()}"


def files(folder):
    """Each with its size and when it was changed; what is only read changes neither."""
    top = os.path.expanduser(folder)
    for path in [top, *(os.path.join(parent, name) for parent, folders, names in os.walk(top)
                        for name in folders + names)]:
        try:
            status = os.lstat(path)
        except OSError:
            continue
        yield f"{path} ({status.st_size} bytes, {status.st_mtime_ns})"


def groups():
    for parent, folders, _ in os.walk(CGROUPS):
        for name in folders:
            if name == "machine" or name.startswith("machine.") or "libvirt" in name:
                yield f"control group {os.path.join(parent, name)}"


def mounts():
    """Each with its number: another one at the same place is another one."""
    with open("/proc/self/mountinfo") as file:
        for number, _, _, _, place, *_ in map(str.split, file):
            if place.startswith(MOUNTED_UNDER) and not place.startswith(MOUNTED_BY_OTHERS):
                yield f"mount {place} ({number})"


def snapshot(own_folders):
    """Everything that is there now, a line each. `own_folders`: places beside the usual ones that must not change."""
    return {*settings(), *links(), *chains(), *groups(), *mounts(),
            *(line for folder in (*FOLDERS, *own_folders) for line in files(folder))}


def processes_of(network):
    """(pid, command line) of what lives in a network namespace, given by a descriptor."""
    wanted = os.fstat(network)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.path.samestat(os.stat(f"/proc/{pid}/ns/net"), wanted):
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    yield int(pid), file.read().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue


def left_behind(before, after):
    """What differs, a line each."""
    return [f"new: {line}" for line in sorted(after - before)] + [f"gone: {line}" for line in sorted(before - after)]
