#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes layers that want out, hostile_layers.py DIRECTORY TARGET: one tar file each, whose name says
what it does. TARGET is a directory outside that they try to write."""
import io
import os
import sys
import tarfile

out, target = sys.argv[1:]
up = "../" * 12 + target.lstrip("/")


def member(name, kind=tarfile.REGTYPE, data=b"", link="", mode=0o644, **more):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.size = kind, link, mode, len(data)
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def write(name, *members):
    with tarfile.open(os.path.join(out, name + ".tar"), "w", format=tarfile.GNU_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))


link, hard, directory = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
write("dotdot", member(up + "/dotdot", data=b"out"))
write("dotdot-inside", member("srv/../" + up + "/dotdot-inside", data=b"out"))
write("absolute", member(target + "/absolute", data=b"out"))
write("link-parent", member("way", link, link=target), member("way/link-parent", data=b"out"))
write("link-up", member("way", link, link=up), member("way/link-up", data=b"out"))
write("link-chain", member("a", link, link=".."), member("b", link, link="a/../.."),
      member("b/" + up + "/x", directory), member("b/link-chain", data=b"out"))
write("link-overwrite", member("file", link, link=target + "/link-overwrite"),
      member("file", data=b"out"))
write("hard-link-out", member("hard", hard, link=target + "/victim"), member("hard", data=b"out"))
write("hard-link-up", member("hard", hard, link=up + "/victim"), member("hard", data=b"out"))
write("hard-link-through", member("way", link, link=target), member("hard", hard, link="way/victim"),
      member("hard", data=b"out"))
write("whiteout-up", member(".wh..."), member("srv/.wh..", data=b""))
write("whiteout-link", member("way", link, link=target), member("way/.wh.victim"))
write("opaque-link", member("way", link, link=target), member("way/.wh..wh..opq"))
write("device", member("device", tarfile.BLKTYPE, devmajor=254, devminor=0, mode=0o666),
      member("null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666))
write("setuid", member("setuid", data=b"x", mode=0o6755))
write("proc-link", member("way", link, link="/proc/self/root" + target),
      member("way/proc-link", data=b"out"))
write("root-replaced", member("./", link, link=target), member("root-replaced", data=b"out"))
write("deep", *[member("d/" * 300, directory)])
write("long-name", member("n" * 300 + "/" + "m" * 3000, data=b"x"))

# A header that promises a terabyte, and no bytes; one of a sparse file; one with a wrong checksum.
info, _ = member("huge")
info.size = 1 << 40
header = info.tobuf(tarfile.GNU_FORMAT)
open(os.path.join(out, "huge.tar"), "wb").write(header + b"\0" * 1024)
info, _ = member("sparse", b"S")
open(os.path.join(out, "sparse.tar"), "wb").write(info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024)
damaged = bytearray(member("damaged")[0].tobuf())
damaged[0] ^= 1
open(os.path.join(out, "damaged.tar"), "wb").write(bytes(damaged) + b"\0" * 1024)
