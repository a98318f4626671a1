#!/usr/bin/env python3
"""Brings the libraries of the console from the npm registry, as console/vendor.json pins them.

    vendor.py            writes assets/vendor/ anew
    vendor.py --check    compares assets/vendor/ with what it would write

Of each package: the version, the integrity of its archive (as npm has it), and the files that are taken. The one
change to them: a module that names another package finds the file beside it, as browsers without an import map do.
"""

import base64
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE / "assets" / "vendor"


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    wanted = {}
    for package in json.loads((HERE / "vendor.json").read_text()):
        wanted.update(files(package))
    if not sys.argv[1:]:
        for name, content in wanted.items():
            (TARGET / name).write_bytes(content)
        return
    there = {path.name: path.read_bytes() for path in TARGET.iterdir()}
    differ = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
    if differ:
        sys.exit(f"not as console/vendor.json pins them: {', '.join(differ)}; write them with console/vendor.py")
    print(f"{len(there)} files are as console/vendor.json pins them")


def files(package):
    """The files of a package by the names that they have here."""
    name, version = package["name"], package["version"]
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(["npm", "pack", "--silent", f"{name}@{version}"], cwd=folder, check=True,
                                capture_output=True, text=True)
        archive = (Path(folder) / packed.stdout.strip()).read_bytes()
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if integrity != package["integrity"]:
        sys.exit(f"{name} {version} is another archive than the one that is pinned: {integrity}")
    taken = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for source, target in package["files"].items():
            content = tar.extractfile(f"package/{source}").read()
            content = content[:content.find(b"\n//# sourceMappingURL")] if b"\n//# sourceMappingURL" in content else content
            taken[target] = content.replace(b'from"preact"', b'from"./preact.js"')
    return taken


if __name__ == "__main__":
    main()
