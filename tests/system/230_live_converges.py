"""After any changes and a barrier the index is what find(1) prints, without a rescan, on every file system at hand;
and contents are what rg finds."""
import os
import random
import shutil
import subprocess
import tempfile

import hostile
from churn import Churn
from box import SANITIZED, TIER, Daemon, Skip, Tree, main, need, need_root, scale, text_of
from truth import AT, indexed, listing, same_rows

SEED = int(os.environ.get("TRAWL_SEED", "230"))
# Of all file systems together; a burst is between two barriers.
CHANGES = 2_000 if SANITIZED else scale(5_000_000)
BURSTS = [1, 1, 2, 5, 20, 100, 500] if TIER == "quick" else [1, 2, 5, 20, 100, 500, 2000]
PATTERNS = ["needle", "NEEDLE", "n[e]+dle [0-9]+$", "^line 7"]
PATH_MAX = 4096
WORDS = [b"needle", b"Needle", b"hay", b"straw", b"NEEDLE"]


class FileSystem:
    """A new one on a loop device, or an overlay; taken away in the end."""

    def __init__(self, kind):
        need_root()
        self.top = tempfile.mkdtemp(prefix="trawl-fs-")
        self.path = os.path.join(self.top, "mnt")
        os.mkdir(self.path)
        try:
            self.mount(kind)
        except Skip:
            shutil.rmtree(self.top)
            raise

    def mount(self, kind):
        if kind == "overlay":
            dirs = [os.path.join(self.top, "tmp", d) for d in ("lower", "upper", "work")]
            os.mkdir(os.path.join(self.top, "tmp"))
            self.run("mount", "-t", "tmpfs", "none", os.path.join(self.top, "tmp"))
            for d in dirs:
                os.mkdir(d)
            self.run("mount", "-t", "overlay", "none", "-o", "lowerdir={},upperdir={},workdir={}".format(*dirs), self.path)
            return
        image = os.path.join(self.top, "image")
        with open(image, "wb") as f:
            f.truncate(600 << 20)
        self.run(need("mkfs." + kind), "-q", image)
        self.run("mount", "-o", "loop", image, self.path)

    @staticmethod
    def run(*command):
        p = subprocess.run(command, capture_output=True, text=True)
        if p.returncode != 0:
            raise Skip(f"{' '.join(command)}: {p.stderr.strip()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for where in (self.path, os.path.join(self.top, "tmp")):
            subprocess.run(["umount", where], capture_output=True)
        shutil.rmtree(self.top, ignore_errors=True)


def after_barrier(c):
    """What the index says of all that has happened until now."""
    answer = c.ask("search", q="", limit=1, sync_ms=60_000)
    assert answer.get("synced", True) and not answer["stale"], answer
    return indexed(c)


def all_but_blocks(rows):
    return {path: row[:AT["blocks"]] + row[AT["blocks"] + 1:] for path, row in rows.items()}


def converged(d, c, churn, what):
    """What find says, which the index says too. The kernel gives a file blocks and takes them when it writes it out, long
    after the write, and tells nobody: that alone may take a rescan."""
    got, wanted = after_barrier(c), listing(churn.top)
    if got != wanted and all_but_blocks(got) == all_but_blocks(wanted):
        os.sync()
        d.rescan()
        got, wanted = after_barrier(c), listing(churn.top)
    same_rows(got, wanted, what)
    return wanted


def write_words(churn, rng):
    """Files of a few lines, some of them in the place of others."""
    for _ in range(rng.randrange(1, 8)):
        lines = b"".join(b"line %d %s %d\n" % (i, rng.choice(WORDS), rng.randrange(100)) for i in range(rng.randrange(20)))
        path = os.path.join(churn.directory(), b"words%d" % rng.randrange(50))
        try:
            with open(path, "wb") as f:
                f.write(lines)
        except OSError:
            pass


def same_contents(c, top, pattern):
    """Lines that hold the pattern, none missing and none too many: of regular files, whatever their names are; rg
    leaves out what has a NUL, and what it cannot open because its path is too long."""
    got = {}
    answer = c.ask("grep", q="", pattern=pattern, regex=True, case="exact", limit=0)
    for row in answer["rows"]:
        path = text_of(row[0])
        got[path] = got.get(path, 0) + 1
    out = subprocess.run(["rg", "-uu", "--no-config", "--null", "-c", "-e", pattern, "--", os.fsdecode(top)],
                         capture_output=True).stdout
    wanted = {}
    while out:
        path, _, out = out.partition(b"\0")
        n, _, out = out.partition(b"\n")
        wanted[path] = int(n)
    both = wanted.keys() | {path for path in got if len(path) < PATH_MAX}
    unlike = [(p[-60:], got.get(p), wanted.get(p)) for p in both if got.get(p) != wanted.get(p)]
    assert not unlike, f"{pattern}: lines of ours and rg's: {unlike[:4]} ({len(unlike)}); left out: {answer['skipped']}"


def replayed(c, clock, rows):
    """The paths of an old listing after what the journal says has happened since; None: it does not reach back."""
    gone, there = set(), set()
    for e in c.events(c.send("since", clock=clock, fields=["path"])):
        if e["ev"] == "gap":
            return list(c.events(e["id"])) and None
        for kind, source, path in e.get("rows", []):
            gone.add(text_of(path if kind == "delete" else source))
            there |= set() if kind == "delete" else {text_of(path)}
    return (set(rows) - gone) | there


def converge(path, changes, seed, without=(), **keys):
    rng = random.Random(seed)
    with Tree(parent=path) as t:
        hostile.make(t.path, 300, seed=seed)
        churn = Churn(t.path, seed, without=without)
        churn.look()
        with Daemon({"t": {"path": t, "content": "yes", "content_max_size": "1M", **keys}}) as d, d.connect() as c:
            kind = d.ask("status")["roots"][0]["watch"]["kind"]
            rows = after_barrier(c)
            made = bursts = replays = 0
            while made < changes:
                clock = c.ask("search", q="", limit=1)["clock"]
                n = churn.some(rng.choice(BURSTS))
                assert n > 0, "nothing can be changed any more"
                made, bursts = made + n, bursts + 1
                write_words(churn, rng)
                what = f"burst {bursts}, after {made} changes, TRAWL_SEED={seed}, {t.path}"
                wanted = converged(d, c, churn, what)
                again = replayed(c, clock, rows)
                if again is not None:
                    replays += 1
                    assert again == set(wanted), f"{what}: the journal, replayed, lacks {list(set(wanted) - again)[:3]}, " \
                                                 f"has {list(again - set(wanted))[:3]} too many"
                if bursts % 5 == 0:
                    same_contents(c, t.path, rng.choice(PATTERNS))
                rows = wanted
                churn.look(wanted)
            print(f"  {made} changes in {bursts} bursts (watched by {kind}), {len(rows)} entries of which "
                  f"{sum(row[AT['type']] == 'd' for row in rows.values())} directories in the end; the journal replayed {replays} times")
            assert replays > bursts // 2


def test_where_temporary_files_are():
    converge(None, CHANGES // 2, SEED)


def test_tmpfs():
    if not os.access("/dev/shm", os.W_OK):
        raise Skip("/dev/shm is not ours to write to")
    converge("/dev/shm", CHANGES // 4, SEED + 1, without=["write", "allocate"])


def test_by_directories():
    """As where the daemon may not watch a whole file system. A link that comes and goes between two looks changes
    the time of a file, and inotify tells nobody."""
    converge(None, CHANGES // 8, SEED + 2, watch="directories", without=["link"])


def on_new(kind, seed, without=()):
    with FileSystem(kind) as fs:
        converge(fs.path, CHANGES // 32, seed, without=["chown", *without])


def test_xfs():
    on_new("xfs", SEED + 3)


def test_btrfs():
    on_new("btrfs", SEED + 4)


def test_ext4():
    on_new("ext4", SEED + 5)


def test_overlay():
    on_new("overlay", SEED + 6, without=["link", "write", "allocate"])


main()
