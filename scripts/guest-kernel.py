#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""guest-kernel.py DIRECTORY: unpack Debian's kernel for virtual machines there, with the modules that a guest needs.

Writes DIRECTORY/vmlinuz and DIRECTORY/modules, and installs nothing. A complete DIRECTORY is left as it is. Status 77, with the
reason, if the kernel cannot be downloaded.
"""
import glob
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

META = "linux-image-cloud-amd64"
MODULES = [
    "drivers/virtio/virtio_ring.ko", "drivers/virtio/virtio.ko", "drivers/virtio/virtio_pci_modern_dev.ko",
    "drivers/virtio/virtio_pci_legacy_dev.ko", "drivers/virtio/virtio_pci.ko", "net/core/failover.ko",
    "drivers/net/net_failover.ko", "drivers/net/virtio_net.ko", "drivers/firmware/qemu_fw_cfg.ko",
    "drivers/char/virtio_console.ko", "drivers/block/virtio_blk.ko", "drivers/virtio/virtio_mmio.ko",
    "net/vmw_vsock/vsock.ko", "net/vmw_vsock/vmw_vsock_virtio_transport_common.ko",
    "net/vmw_vsock/vmw_vsock_virtio_transport.ko", "net/vmw_vsock/vsock_loopback.ko", "drivers/vhost/vhost_iotlb.ko",
    "drivers/vhost/vhost.ko", "drivers/vhost/vhost_vsock.ko", "virt/lib/irqbypass.ko", "arch/x86/kvm/kvm.ko", "arch/x86/kvm/kvm-amd.ko",
]


def skip(why):
    print("skipped: " + why)
    sys.exit(77)


def ask(*command, where="."):
    try:
        done = subprocess.run(command, cwd=where, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=200)
    except (OSError, subprocess.TimeoutExpired) as e:
        skip("no kernel for a guest: %s" % e)
    if done.returncode != 0:
        skip("no kernel for a guest: %s: %s" % (" ".join(command), (done.stderr.strip().splitlines() or ["?"])[-1]))
    return done.stdout


def download(where):
    """Download the package that the meta package depends on; return its path."""
    lines = ask("apt-cache", "depends", META).splitlines()
    names = [line.split()[1] for line in lines if line.strip().startswith("Depends: linux-image-")]
    if not names:
        skip("no kernel for a guest: %s is not in the package lists" % META)
    ask("apt-get", "download", "-o", "APT::Sandbox::User=root", names[0], where=where)
    return glob.glob(os.path.join(where, "*.deb"))[0]


def take(package, where):
    os.mkdir(os.path.join(where, "modules"))
    with subprocess.Popen(["dpkg", "--fsys-tarfile", package], stdout=subprocess.PIPE) as unpack:
        archive = tarfile.open(fileobj=unpack.stdout, mode="r|")
        for member in archive:
            base, wanted = os.path.basename(member.name), None
            if member.name.startswith("./boot/vmlinuz-"):
                wanted = "vmlinuz"
            elif any(member.name.endswith("/kernel/" + module) for module in MODULES):
                wanted = "modules/" + base
            if wanted is not None:
                with open(os.path.join(where, wanted), "wb") as file:
                    shutil.copyfileobj(archive.extractfile(member), file)


def is_whole(where):
    names = ["vmlinuz"] + ["modules/" + os.path.basename(module) for module in MODULES]
    return all(os.path.exists(os.path.join(where, name)) for name in names)


def main(where):
    if is_whole(where):
        return
    with tempfile.TemporaryDirectory() as scratch:
        made = os.path.join(scratch, "kernel")
        os.mkdir(made)
        take(download(scratch), made)
        for old in (where, where + ".new"):
            shutil.rmtree(old, ignore_errors=True)
        shutil.copytree(made, where + ".new")
        os.rename(where + ".new", where)


main(sys.argv[1])
