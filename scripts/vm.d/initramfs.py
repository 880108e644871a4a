"""Initramfs parts: cpio archives of the kind "newc". The kernel unpacks several, one after the other."""

import os
import stat


class Archive:
    def __init__(self):
        self.parts = []
        self.folders = {"/"}
        self.count = 0

    def _entry(self, path, mode, content=b""):
        self.count += 1
        name = path.lstrip("/").encode() + b"\0"
        fields = (self.count, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self.parts += [header, name, b"\0" * (-(len(header) + len(name)) % 4), content, b"\0" * (-len(content) % 4)]

    def folder(self, path):
        if path not in self.folders:
            self.folder(os.path.dirname(path))
            self.folders.add(path)
            self._entry(path, stat.S_IFDIR | 0o755)

    def file(self, path, content, executable=False):
        self.folder(os.path.dirname(path))
        self._entry(path, stat.S_IFREG | (0o755 if executable else 0o644), content)

    def write(self, out):
        self._entry("TRAILER!!!", 0)
        with open(out, "wb") as file:
            file.writelines(self.parts)
