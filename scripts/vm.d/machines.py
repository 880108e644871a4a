"""What a guest can run on. Each kind says what it needs, and with which command it boots.

A kind has: architecture; ports, the devices that carry the command's stdout, its stderr, and our control channel;
modules, those that the ports need; kernel(say) and check(), which raise Unavailable;
command(kernel, initramfs, console, channels), where `console` is a path and `channels` are descriptors by name; and
speaks_on_the_console: what the command itself prints belongs there.
"""

import os
import shutil

import busybox
import kernels
from apt import Unavailable

CHANNELS = ("stdout", "stderr", "control")


def kvm_is_wanted(architecture):
    return os.environ.get("TRACER_VM_ACCEL") == "kvm" and architecture == busybox.HERE


class Machine:
    """One that QEMU plays."""

    modules = ()
    speaks_on_the_console = False

    def __init__(self, options):
        self.options = options

    def kernel(self, say):
        wanted = kernels.Packaged(self.options.kernel, self.options.flavour, self.architecture)
        return kernels.choose(wanted, self.options.refresh, say)

    def check(self):
        if not shutil.which(self.emulator):
            raise Unavailable(f"{self.emulator} is missing (scripts/install-deps vm)")

    def command(self, kernel, initramfs, console, channels):
        kvm = kvm_is_wanted(self.architecture)
        command = [self.emulator, "-nodefaults", "-display", "none", "-no-reboot", "-nic", "none",
                   *self.hardware, "-accel", "kvm" if kvm else "tcg", "-cpu", "host" if kvm else self.processor,
                   "-m", str(self.options.memory), "-smp", "2", "-kernel", kernel.vmlinuz, "-initrd", initramfs,
                   "-append", " ".join([f"console={self.console} quiet panic=-1 oops=panic", *self.options.append]),
                   "-serial", f"file:{console}"]
        for name in CHANNELS:
            command += ["-chardev", f"file,id={name},path=/proc/self/fd/{channels[name]}"]
        return command + self.port_devices()


class Pc(Machine):
    architecture = "amd64"
    emulator = "qemu-system-x86_64"
    hardware = ()
    processor = "max,-cx16"     # QEMU 7.2 spoils the flags around cmpxchg16b, and kernels die of it
    console = "ttyS0"
    ports = ("ttyS1", "ttyS2", "ttyS3")

    def port_devices(self):
        # Interrupts of their own: two ports on one ISA line lose each other's. 7 is also where spurious ones arrive.
        return [word for index, (name, irq) in enumerate(zip(CHANNELS, (3, 5, 10)), 1)
                for word in ("-device", f"isa-serial,chardev={name},index={index},irq={irq}")]


class OwnKernelPc(Pc):
    def kernel(self, say):
        return kernels.built(self.options.kernel.removeprefix("built:"))


class Arm64(Machine):
    architecture = "arm64"
    emulator = "qemu-system-aarch64"
    hardware = ("-M", "virt")
    processor = "cortex-a57"
    console = "ttyAMA0"
    # The board has one serial port, and PCI ones carry 3 kB/s.
    modules = ("virtio_pci", "virtio_console")
    ports = ("vport0p1", "vport0p2", "vport0p3")

    def port_devices(self):
        return ["-device", "virtio-serial-pci"] + \
            [word for index, name in enumerate(CHANNELS, 1)
             for word in ("-device", f"virtserialport,chardev={name},nr={index}")]


class UserModeLinux:
    """A kernel that is a program: no machine is played, and nothing but it is needed."""

    architecture = "amd64"
    modules = ()
    speaks_on_the_console = True
    ports = ("ttyS1", "ttyS2", "ttyS3")

    def __init__(self, options):
        self.options = options

    def kernel(self, say):
        wanted = kernels.UserMode(self.options.kernel.removeprefix("uml:"))
        return kernels.choose(wanted, self.options.refresh, say)

    def check(self):
        if self.architecture != busybox.HERE:
            raise Unavailable("user-mode Linux runs on x86-64 only")

    def command(self, kernel, initramfs, console, channels):
        folder = os.path.dirname(console)
        serial = [f"ssl{index}=null,fd:{channels[name]}" for index, name in enumerate(CHANNELS, 1)]
        return [kernel.vmlinuz, f"mem={self.options.memory}M", f"initrd={initramfs}", f"uml_dir={folder}", "umid=guest",
                "con=null", "con0=null,fd:1", "ssl=null", *serial, "quiet", "oops=panic", *self.options.append]


BY_ARCHITECTURE = {"amd64": Pc, "arm64": Arm64}
PREFIXES = ("uml:", "built:")


def of(options):
    """The machine that the command line asks for."""
    if options.kernel.startswith("uml:"):
        return UserModeLinux(options)
    if options.kernel.startswith("built:"):
        return OwnKernelPc(options)
    return BY_ARCHITECTURE[options.arch](options)
