#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes an image for tests: make_image.py FORMAT OUT CONFIG LAYER...

FORMAT  docker (as docker save writes it), oci (a directory), oci-tar; with +gzip layers are packed
        with gzip, with +packed the whole archive is, with +damaged a byte of a layer is changed
CONFIG  JSON, the "config" of the image
LAYER   a directory, whose files become a layer (owner root), or a tar file
"""
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def layer_of(path):
    if not os.path.isdir(path):
        return open(path, "rb").read()
    out = io.BytesIO()

    def owned(member):
        member.uid = member.gid = 0
        if member.name.startswith("./home/dev") or member.name == "home/dev":
            member.uid = member.gid = 1234
        return member

    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.add(path, arcname=".", filter=owned)
    return out.getvalue()


def add(tar, name, data):
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def damaged(data):
    return data[:700] + bytes([data[700] ^ 1]) + data[701:]


def main():
    how, out, config, *paths = sys.argv[1:]
    layers = [layer_of(path) for path in paths]
    document = json.dumps({
        "architecture": "amd64", "os": "linux", "config": json.loads(config),
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha256(l) for l in layers]},
    }).encode()
    if "+damaged" in how:
        layers[-1] = damaged(layers[-1])
    if "+gzip" in how:
        layers = [gzip.compress(layer, 1) for layer in layers]
    files = {}
    if how.startswith("docker"):
        names = []
        for i, layer in enumerate(layers):
            names.append("%064x/layer.tar" % i)
            files[names[-1]] = layer
        files[sha256(document) + ".json"] = document
        files["manifest.json"] = json.dumps(
            [{"Config": sha256(document) + ".json", "RepoTags": ["test:1"], "Layers": names}]).encode()
    else:
        def blob(data):
            files["blobs/sha256/" + sha256(data)] = data
            return {"digest": "sha256:" + sha256(data), "size": len(data),
                    "mediaType": "application/octet-stream"}
        manifest = json.dumps({"schemaVersion": 2, "config": blob(document),
                               "layers": [blob(layer) for layer in layers]}).encode()
        files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [blob(manifest)]}).encode()
        files["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    if how.split("+")[0] == "oci":
        for name, data in files.items():
            os.makedirs(os.path.dirname(os.path.join(out, name)), exist_ok=True)
            with open(os.path.join(out, name), "wb") as file:
                file.write(data)
        return
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, data in files.items():
            add(tar, name, data)
    data = archive.getvalue()
    with open(out, "wb") as file:
        file.write(gzip.compress(data, 1) if "+packed" in how else data)


main()
