"""The disk of a box: a small Debian that Vagrant can log in to. No loop device, no boot loader."""

import glob
import os
import subprocess

PACKAGES = ("systemd-sysv", "udev", "kmod", "openssh-server", "sudo", "rsync", "procps", "iproute2")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PUBLIC_KEY = "/usr/share/rubygems-integration/all/gems/vagrant-*/keys/vagrant.pub"
SIZE = "2G"
DEBOOTSTRAP_SECONDS_MAX = 3600
# They would only take time from what is measured.
NEVER_STARTED = ("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "e2scrub_reap.service",
                 "fstrim.timer", "dpkg-db-backup.timer", "getty@tty1.service", "systemd-random-seed.service")
FILES = {
    "etc/hostname": "tracer\n",
    "etc/hosts": "127.0.0.1 localhost tracer\n::1 localhost\n",
    "etc/fstab": "/dev/vda / ext4 defaults,errors=remount-ro 0 0\n",
    "etc/machine-id": "",           # each machine makes its own
    "etc/systemd/network/any.network": "[Match]\nType=ether\n\n[Network]\nDHCP=ipv4\n\n[DHCPv4]\nClientIdentifier=mac\n",
    "etc/ssh/sshd_config.d/vagrant.conf": "UseDNS no\n",
    "etc/sudoers.d/vagrant": "vagrant ALL=(ALL) NOPASSWD: ALL\n",
}


def debootstrap(suite, mirror, root, log):
    """In namespaces of its own, so that what it mounts and what it leaves running ends with it."""
    command = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child",
               "debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", f"--keyring={KEYRING}",
               suite, root, mirror]
    with open(log, "w") as file:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                       timeout=DEBOOTSTRAP_SECONDS_MAX)


def write(root, path, text, mode=0o644):
    whole = os.path.join(root, path)
    os.makedirs(os.path.dirname(whole), exist_ok=True)
    if os.path.lexists(whole):
        os.remove(whole)
    with open(whole, "w") as file:
        file.write(text)
    os.chmod(whole, mode)


def insecure_public_key():
    """The one that every Vagrant knows the private half of."""
    with open(sorted(glob.glob(PUBLIC_KEY))[-1]) as file:
        return file.read()


def let_vagrant_in(root):
    subprocess.run(["chroot", root, "useradd", "--create-home", "--shell", "/bin/bash", "vagrant"], check=True)
    write(root, "home/vagrant/.ssh/authorized_keys", insecure_public_key(), 0o600)
    subprocess.run(["chroot", root, "chown", "-R", "vagrant:vagrant", "/home/vagrant/.ssh"], check=True)


def settle(root):
    """Makes an unpacked Debian one that boots, gets an address and answers."""
    for path, text in FILES.items():
        write(root, path, text, 0o440 if path.startswith("etc/sudoers.d") else 0o644)
    let_vagrant_in(root)
    for unit in NEVER_STARTED:
        os.symlink("/dev/null", os.path.join(root, "etc/systemd/system", unit))
    subprocess.run(["systemctl", f"--root={root}", "enable", "systemd-networkd.service"], check=True,
                   stderr=subprocess.DEVNULL)
    for path in glob.glob(os.path.join(root, "var/cache/apt/archives/*.deb")) + \
            glob.glob(os.path.join(root, "var/lib/apt/lists/*_*")):
        os.remove(path)


def write_image(root, raw, qcow2):
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", root, raw, SIZE], check=True)
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", "-c", raw, qcow2], check=True)
    os.remove(raw)
