"""churn: random changes of a tree, all that a user can do to one with a system call.

    churn = Churn(t.path, seed)
    churn.look()        # what is there now
    churn.some(100)     # a hundred changes that succeeded

The names, the targets and the kinds of change come from the seed. A change that the kernel refuses
(its target went with an earlier one, a directory into itself) is drawn again. Paths may be longer
than PATH_MAX: everything is done relative to a descriptor of the directory.
"""
import ctypes
import errno
import os
import random
import socket
import stat
import subprocess

import hostile

RENAME_EXCHANGE = 2
KEEP_SIZE, PUNCH_HOLE = 1, 2
LIBC = ctypes.CDLL(None, use_errno=True)
EXPECTED = {errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EINVAL, errno.EBUSY, errno.ELOOP,
            errno.ENAMETOOLONG, errno.EMLINK, errno.EPERM, errno.EACCES, errno.ETXTBSY, errno.ENXIO,
            errno.ENODEV, errno.ESPIPE, errno.EOPNOTSUPP, errno.EFBIG}
# Beginnings, ends and the neighbourhood of now are what clocks get wrong.
TIMES = [0, 1, -1, 10**9 - 1, 10**9, -10**18, 2**31 * 10**9 - 1, 2**31 * 10**9, 4 * 10**18]


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "system call")


class Directory:
    """A descriptor of a directory however long its path is."""

    def __init__(self, path):
        self.fd = os.open("/", os.O_PATH | os.O_DIRECTORY)
        at = 0
        while at < len(path):
            piece = path[at:at + 3000]
            if at + 3000 < len(path):
                piece = piece[:piece.rindex(b"/") + 1]
            at += len(piece)
            try:
                fd = os.open(piece.lstrip(b"/") or b".", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self.fd)
            except OSError:
                os.close(self.fd)
                raise
            os.close(self.fd)
            self.fd = fd

    def __enter__(self):
        return self.fd

    def __exit__(self, *_):
        os.close(self.fd)


class Churn:
    def __init__(self, top, seed, without=()):
        self.top = os.fsencode(top)
        self.random = random.Random(seed)
        self.done = {}  # changes by kind
        self.n = 0
        self.directories, self.others = [self.top], []
        self.kinds = [getattr(self, name) for name in dir(self) if name.startswith("do_") and name[3:] not in without]
        self.weights = [WEIGHTS.get(kind.__name__[3:], 2) for kind in self.kinds]

    def look(self, listing=None):
        """Learn what is there: from a listing of truth.py, or find(1)."""
        if listing is None:
            out = subprocess.run(["find", self.top, "-printf", r"%y%p\0"], capture_output=True, check=True).stdout
            listing = {line[1:]: (line[:1].decode(),) for line in out.split(b"\0") if line}
        self.directories = sorted(path for path, row in listing.items() if row[0] == "d")
        self.others = sorted(path for path, row in listing.items() if row[0] != "d")

    def some(self, n):
        """Up to n changes; fewer when almost all are refused."""
        made = 0
        for _ in range(20 * n):
            if made == n:
                break
            kind = self.random.choices(self.kinds, self.weights)[0]
            self.n += 1
            try:
                kind()
            except OSError as e:
                if e.errno not in EXPECTED:
                    raise
                continue
            made += 1
            name = kind.__name__[3:]
            self.done[name] = self.done.get(name, 0) + 1
        return made

    # What to change

    def directory(self):
        return self.random.choice(self.directories)

    def other(self):
        if not self.others:
            raise OSError(errno.ENOENT, "nothing is left")
        return self.random.choice(self.others)

    def below_top(self):
        path = self.random.choice(self.directories)
        if path == self.top:
            raise OSError(errno.EBUSY, "the root stays")
        return path

    def anything(self):
        return self.below_top() if self.random.random() < 0.3 else self.other()

    def name(self):
        name = hostile.name_for(self.random, self.n)
        return name if self.random.random() < 0.8 else os.path.basename(self.anything())

    def fresh(self):
        """A path that may be free."""
        return self.directory() + b"/" + self.name()

    def open(self, path, flags, mode=0o644):
        with Directory(os.path.dirname(path)) as at:
            return os.open(os.path.basename(path), flags | os.O_NOFOLLOW | os.O_NONBLOCK, mode, dir_fd=at)

    def made(self, path, directory=False):
        (self.directories if directory else self.others).append(path)

    # Files

    def do_create(self):
        path = self.fresh()
        fd = self.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(fd, b"x" * self.random.choice([0, 0, 1, 100, 5000]))
        os.close(fd)
        self.made(path)

    def do_write(self):
        fd = self.open(self.other(), os.O_WRONLY)
        try:
            os.pwrite(fd, b"y" * self.random.choice([1, 10, 9000]), self.random.choice([0, 0, 3, 70000, 1 << 33]))
        finally:
            os.close(fd)

    def do_overwrite_same_size(self):
        fd = self.open(self.other(), os.O_RDWR)
        try:
            os.pwrite(fd, b"z" * max(1, os.fstat(fd).st_size % 4096), 0)
        finally:
            os.close(fd)

    def do_truncate(self):
        fd = self.open(self.other(), os.O_WRONLY)
        try:
            os.ftruncate(fd, self.random.choice([0, 0, 1, 4096, 1 << 20, 1 << 40]))
        finally:
            os.close(fd)

    def do_allocate(self):
        """Other blocks, the same size."""
        fd = self.open(self.other(), os.O_RDWR)
        try:
            mode = self.random.choice([KEEP_SIZE, KEEP_SIZE | PUNCH_HOLE])
            check(LIBC.fallocate(fd, mode, ctypes.c_long(self.random.choice([0, 8192])), ctypes.c_long(16384)))
        finally:
            os.close(fd)

    def do_unlink(self):
        path = self.other()
        with Directory(os.path.dirname(path)) as at:
            os.unlink(os.path.basename(path), dir_fd=at)

    def do_replace(self):
        """As editors save: a new file over the old name."""
        path = self.other()
        with Directory(os.path.dirname(path)) as at:
            fd = os.open(b".new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=at)
            os.write(fd, b"replaced")
            os.close(fd)
            os.rename(b".new", os.path.basename(path), src_dir_fd=at, dst_dir_fd=at)

    def do_recreate(self):
        """Gone and there again: the same name, size and mtime, perhaps the same inode."""
        path = self.other()
        with Directory(os.path.dirname(path)) as at:
            name = os.path.basename(path)
            old = os.stat(name, dir_fd=at, follow_symlinks=False)
            os.unlink(name, dir_fd=at)
            fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=at)
            os.ftruncate(fd, old.st_size if stat.S_ISREG(old.st_mode) else 0)
            os.utime(fd, ns=(old.st_mtime_ns, old.st_mtime_ns))
            os.close(fd)

    # Names

    def move(self, source, target, flags=0):
        with Directory(os.path.dirname(source)) as a, Directory(os.path.dirname(target)) as b:
            check(LIBC.renameat2(a, os.path.basename(source), b, os.path.basename(target), flags))

    def do_rename(self):
        path = self.other()
        target = os.path.dirname(path) + b"/" + self.name()
        self.move(path, target)
        self.made(target)

    def do_move(self):
        path, target = self.other(), self.fresh()
        self.move(path, target)
        self.made(target)

    def do_rename_over(self):
        self.move(self.other(), self.other())

    def do_move_directory(self):
        path, target = self.below_top(), self.fresh()
        self.move(path, target)
        self.made(target, directory=True)

    def do_rename_directory(self):
        path = self.below_top()
        target = os.path.dirname(path) + b"/" + self.name()
        self.move(path, target)
        self.made(target, directory=True)

    def do_exchange(self):
        self.move(self.anything(), self.anything(), RENAME_EXCHANGE)

    def do_exchange_directories(self):
        self.move(self.below_top(), self.below_top(), RENAME_EXCHANGE)

    def do_exchange_twice(self):
        """Back where it was, but for the ctimes."""
        a, b = self.anything(), self.anything()
        self.move(a, b, RENAME_EXCHANGE)
        self.move(a, b, RENAME_EXCHANGE)

    # Directories

    def do_mkdir(self):
        path = self.fresh()
        with Directory(os.path.dirname(path)) as at:
            os.mkdir(os.path.basename(path), dir_fd=at)
        self.made(path, directory=True)

    def do_chain(self):
        """A directory in the other."""
        path = self.directory()
        for i in range(self.random.randrange(2, 12)):
            name = hostile.name_for(self.random, i)
            with Directory(path) as at:
                os.mkdir(name, dir_fd=at)
            path += b"/" + name
            self.made(path, directory=True)

    def do_rmdir(self):
        path = self.below_top()
        with Directory(os.path.dirname(path)) as at:
            os.rmdir(os.path.basename(path), dir_fd=at)

    def do_remove_all(self):
        path = self.below_top()
        if path.count(b"/") - self.top.count(b"/") < 3:
            raise OSError(errno.EBUSY, "too much would go")
        with Directory(os.path.dirname(path)) as at:
            subprocess.run(["rm", "-rf", "--", os.path.basename(path)], check=True, preexec_fn=lambda: os.fchdir(at))

    def do_replace_directory(self):
        """Another one under the same name, with the same mtime and other contents."""
        path = self.below_top()
        with Directory(os.path.dirname(path)) as at:
            name = os.path.basename(path)
            old = os.stat(name, dir_fd=at, follow_symlinks=False)
            os.rename(name, b".aside%d" % self.n, src_dir_fd=at, dst_dir_fd=at)
            os.mkdir(name, dir_fd=at)
            with Directory(path) as inside:
                os.close(os.open(b"inside", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=inside))
            os.utime(name, ns=(old.st_mtime_ns, old.st_mtime_ns), dir_fd=at)

    def do_create_unseen(self):
        """A new file in a directory that is given its old mtime back."""
        directory = self.directory()
        with Directory(directory) as at:
            old = os.stat(b".", dir_fd=at).st_mtime_ns
            name = b"unseen%d" % self.n
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=at))
            os.utime(b".", ns=(old, old), dir_fd=at)
        self.made(directory + b"/" + name)

    # Attributes

    def do_chmod(self):
        path = self.anything()
        with Directory(os.path.dirname(path)) as at:
            name = os.path.basename(path)
            if stat.S_ISLNK(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
                raise OSError(errno.EPERM, "links have no mode")
            os.chmod(name, self.random.choice([0o644, 0o755, 0o700, 0o4755, 0o2755, 0o1777, 0o750]), dir_fd=at)

    def do_chown(self):
        path = self.anything()
        if os.geteuid() != 0:
            raise OSError(errno.EPERM, "only for root")
        with Directory(os.path.dirname(path)) as at:
            os.chown(os.path.basename(path), self.random.choice([0, 1, 1000, 65534, 2**32 - 2]),
                     self.random.choice([0, 5, 99999]), dir_fd=at, follow_symlinks=False)

    def do_utimes(self):
        path = self.anything()
        when = self.random.choice([*TIMES, self.random.randrange(2 * 10**18)])
        with Directory(os.path.dirname(path)) as at:
            os.utime(os.path.basename(path), ns=(0, when), dir_fd=at, follow_symlinks=False)

    # Links and what is neither

    def do_symlink(self):
        path = self.fresh()
        with Directory(os.path.dirname(path)) as at:
            os.symlink(self.random.choice([b"..", b"nowhere", b"/", b"x" * 1000, os.path.basename(path)]),
                       os.path.basename(path), dir_fd=at)
        self.made(path)

    def do_link(self):
        path, target = self.other(), self.fresh()
        with Directory(os.path.dirname(path)) as a, Directory(os.path.dirname(target)) as b:
            os.link(os.path.basename(path), os.path.basename(target), src_dir_fd=a, dst_dir_fd=b, follow_symlinks=False)
        self.made(target)

    def do_special(self):
        path = self.fresh()
        with Directory(os.path.dirname(path)) as at:
            kinds = [stat.S_IFIFO, stat.S_IFSOCK] + ([stat.S_IFCHR, stat.S_IFBLK] if os.geteuid() == 0 else [])
            os.mknod(os.path.basename(path), self.random.choice(kinds) | 0o640, os.makedev(511, 77), dir_fd=at)
        self.made(path)


# How often beside the others (2).
WEIGHTS = {"create": 14, "write": 6, "unlink": 8, "rename": 6, "move": 4, "mkdir": 5, "move_directory": 3,
           "rename_directory": 3, "remove_all": 1, "chmod": 4, "link": 4, "symlink": 3, "chain": 1}
