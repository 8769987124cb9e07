#!/usr/bin/env python3
"""hostile: trees that no tidy program would make. hostile.py DIR [FILES [SEED]] makes one.

Everything is drawn from one seed, so a failure can be made again.
"""
import os
import random
import socket
import stat
import sys

# Names that have broken programs before.
NAMES = [b"a b", b" lead", b"trail ", b"-rf", b"--", b"new\nline", b"tab\tname", b"q'uote", b'q"uote', b"back\\slash",
         b"*", b"?", b"[a]", b"{a,b}", b"$HOME", b"`id`", b"%s%n", b"~", b"#x#", b";ls", b"&", b"|", b"\x01\x7f",
         b"\xff\xfe", b"caf\xe9", "café".encode(), "cafe\u0301".encode(), "ſtrange".encode(), "İstanbul".encode(),
         "ΣΊΣΥΦΟΣ".encode(), "日本語".encode(), "😀".encode(), b"\xc0\xaf", b"\xed\xa0\x80", b"...", b"..x", b".hidden",
         b"x" * 255, b"UPPER", b"MiXeD.TxT", b"file.c", b"FILE.C", b"a.tar.gz", b"noext.", b".c", b"type:f", b"in:x",
         b"{\"id\":1}", b"name:a|b", b"(paren)", b"\xe2\x80\xae" + b"rtl", b"nul\\0"]
WORDS = ["alpha", "beta", "kmalloc", "memory_order", "Needle", "needle", "straße", "K", "the", "return", "x1", "foo(bar)"]


def content(random_, kind):
    lines = []
    for _ in range(random_.randrange(40)):
        lines.append(" ".join(random_.choice(WORDS) for _ in range(random_.randrange(9))))
    text = "\n".join(lines).encode()
    if kind == 0:
        return text + b"\n"
    if kind == 1:
        return text  # no newline at the end
    if kind == 2:
        return text.replace(b"\n", b"\r\n") + b"\r\n"
    if kind == 3:
        return text + b"\0\x01\x02needle\n"  # binary
    if kind == 4:
        return b"\xff\xfe\xe9" + text + b"\xe9t\xe9 needle\n"  # not UTF-8
    if kind == 5:
        return b""
    return b"x" * random_.randrange(5000) + b" needle " + b"y" * random_.randrange(5000)  # one long line


def name_for(random_, i):
    if random_.random() < 0.25:
        return random_.choice(NAMES)
    stem = random_.choice(WORDS[:7]) + str(i)
    return (stem + random_.choice(["", ".c", ".h", ".txt", ".TXT", ".py", ".tar.gz"])).encode()[:250]


def special(random_, directory, i):
    """Something that is neither a file nor a directory, or one with odd metadata."""
    path = os.path.join(directory, b"s%d" % i)
    kind = random_.randrange(7)
    if kind == 0:
        os.mkfifo(path)
    elif kind == 1:
        os.symlink(b"nowhere", path)
    elif kind == 2:
        os.symlink(b"..", path)
    elif kind == 3:
        s = socket.socket(socket.AF_UNIX)
        here = os.open(directory, os.O_RDONLY)
        s.bind(b"/proc/self/fd/%d/s%d" % (here, i))  # sun_path is short
        os.close(here)
        s.close()
    elif kind == 4:
        with open(path, "wb") as f:
            f.truncate(random_.choice([1 << 20, (1 << 31) + 7, 1 << 40]))  # sparse
    elif kind == 5:
        os.mkdir(path)
    else:
        with open(path, "wb") as f:
            f.write(b"odd")
        os.chmod(path, random_.choice([0o600, 0o644, 0o755, 0o4755, 0o2755, 0o1644]))
        if os.geteuid() == 0:
            os.chown(path, random_.choice([0, 1, 65534, 123456]), random_.choice([0, 1, 99999]))


def make(top, n_files=600, seed=1):
    """Files, directories and specials below `top` (made when missing); about n_files in all."""
    random_ = random.Random(seed)
    top = os.fsencode(top)
    os.makedirs(top, exist_ok=True)
    directories = [top]
    for i in range(n_files):
        directory = random_.choice(directories)
        draw = random_.random()
        if draw < 0.15 and len(os.path.join(directory, b"")) < 3000:
            path = os.path.join(directory, name_for(random_, i))
            if not os.path.lexists(path):
                os.mkdir(path)
                directories.append(path)
            continue
        if draw < 0.22:
            special(random_, directory, i)
            continue
        path = os.path.join(directory, name_for(random_, i))
        if os.path.lexists(path):
            continue
        with open(path, "wb") as f:
            f.write(content(random_, random_.randrange(7)))
        if random_.random() < 0.3:
            when = random_.randrange(0, 1_900_000_000) * 10**9 + random_.randrange(10**9)
            os.utime(path, ns=(when, when))
        if random_.random() < 0.05:
            os.link(path, path[:-1] + b"~link" if len(os.path.basename(path)) < 240 else path[:-9] + b"L")
    return directories


def deep(top, levels):
    """One directory in the other, far past PATH_MAX, each with a file."""
    here = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    for i in range(levels):
        name = "d%d" % (i % 10)
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
        if i % 100 == 99:
            os.close(os.open("level-%d.txt" % (i + 1), os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=here))
    os.close(here)


def chain(top, levels, name_bytes):
    """One directory in the other, each with a file, a link to it and a name that long."""
    here = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    for i in range(levels):
        os.close(os.open("f", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=here))
        os.link("f", "g.c", src_dir_fd=here, dst_dir_fd=here)
        name = "%03d" % i + "x" * (name_bytes - 3)
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def wide(top, n):
    """n empty files in one directory."""
    here = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    for i in range(n):
        os.close(os.open("w%07d.dat" % i, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=here))
    os.close(here)


def many(top, n, per_directory=200):
    """n empty files, spread as in a source tree."""
    made = 0
    while made < n:
        d = made // per_directory
        path = os.path.join(os.fspath(top), "dir%02d" % (d % 97), "sub%04d" % d)
        os.makedirs(path, exist_ok=True)
        here = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        for i in range(min(per_directory, n - made)):
            os.close(os.open("%s_%06d.%s" % (WORDS[(made + i) % 7], made + i, "chpy"[(made + i) % 4]),
                             os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=here))
        os.close(here)
        made += per_directory


def is_special(path):
    return not stat.S_ISREG(os.lstat(path).st_mode)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    make(sys.argv[1], *(int(a) for a in sys.argv[2:4]))
