"""After any changes and a rescan the index is what find(1) prints, every field of every entry; and so are its sums."""
import base64
import os
import random
import subprocess
import threading
import time

import hostile
from churn import Churn
from box import SANITIZED, TIER, TRAWLD, Daemon, Skip, Tree, main, need_root, text_of
from truth import AT, FIELDS, indexed, listing, same_rows, sums

SEED = int(os.environ.get("TRAWL_SEED", "152"))
# What `long` is meant to show; what costs seconds; what shows that it works.
CHANGES = 200 if TIER == "quick" or SANITIZED else {"long": 10_000, "full": 4_000}[TIER]
WIDE = 2_000 if SANITIZED else {"long": 200_000, "full": 10_000, "quick": 1_000}[TIER]
# Longer than any file system's clock stands still (a tick of the kernel, 10 ms at most).
SETTLED = 0.025


def same_sums(c, rows, top, what):
    path = {"s": "", "b64": base64.b64encode(top).decode()}
    got, wanted = {}, sums(rows, top)
    for e in c.events(c.send("du", paths=[path], depth=10**6, limit=0)):
        got |= {text_of(row[0]): tuple(row[1:]) for row in e.get("rows", [])}
    if got != wanted:
        unlike = [(p[-80:], got.get(p), wanted.get(p)) for p in got.keys() | wanted.keys() if got.get(p) != wanted.get(p)]
        raise AssertionError(f"{what}: sizes, blocks and entries of {len(unlike)} directories, ours and find's: {unlike[:4]}")


def verified(daemon, what):
    """Every segment by itself, and that they belong together."""
    p = subprocess.run([TRAWLD, "--verify", "-c", daemon.file], capture_output=True, text=True)
    assert p.returncode == 0 and p.stderr == "", f"{what}: {p.stdout}{p.stderr}"


def rescanned(daemon, churn, what):
    daemon.rescan("t")
    wanted = listing(churn.top)
    with daemon.connect() as c:
        same_rows(indexed(c), wanted, f"{what}, TRAWL_SEED={SEED}")
        if churn.random.random() < 0.3:
            same_sums(c, wanted, churn.top, f"{what}, TRAWL_SEED={SEED}")
    if churn.random.random() < 0.1:
        verified(daemon, f"{what}, TRAWL_SEED={SEED}")
    churn.look(wanted)
    return daemon.ask("status")["roots"][0]["layers"]


def burst(rng):
    return min(rng.choice([1, 2, 5, 20, 100, 300]), CHANGES)


def change_and_compare(daemon, churn, changes):
    rng = random.Random(SEED)
    made = rescans = 0
    layers = set()
    churn.look()
    while made < changes:
        n = churn.some(burst(rng))
        assert n > 0, "nothing can be changed any more"
        made += n
        rescans += 1
        # Some walks come within the tick of the changes before or after them, some do not.
        if rng.random() < 0.2:
            time.sleep(SETTLED)
        layers.add(rescanned(daemon, churn, f"rescan {rescans}, after {made} changes, the last {n} of them new"))
        # One in a while goes on from what is on disk.
        if rng.random() < 0.03:
            daemon.stop()
            daemon.start()
    merges = daemon.ask("status")["pipeline"]["merges"]
    print(f"  {made} changes (seed {SEED}), {rescans} rescans, {len(churn.done)} kinds, {len(churn.others)} entries "
          f"that are no directories, {len(churn.directories)} that are; {min(layers)} to {max(layers)} layers, "
          f"{merges} merges since the last start")
    verified(daemon, "at the end")


def test_changes_between_rescans():
    with Tree() as t:
        hostile.make(t.path, 600, seed=SEED)
        with Daemon({"t": t}) as d:
            change_and_compare(d, Churn(t.path, SEED), CHANGES)


def test_changes_in_memory():
    """tmpfs has another clock, other inode numbers, and directories whose size is that of their names."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", "/dev/shm"], capture_output=True, text=True).stdout.strip()
    if kind != "tmpfs" or not os.access("/dev/shm", os.W_OK):
        raise Skip("/dev/shm is no tmpfs of ours")
    with Tree(parent="/dev/shm") as t:
        hostile.make(t.path, 300, seed=SEED)
        with Daemon({"t": t}) as d:
            change_and_compare(d, Churn(t.path, SEED, without=["write", "allocate"]), CHANGES // 4)


def test_changes_far_below_path_max():
    """A chain of 20 kB, changed at every depth."""
    with Tree() as t:
        hostile.chain(t.path, 110, 180)
        assert max(map(len, listing(t.path))) > 19_000
        with Daemon({"t": t}) as d:
            change_and_compare(d, Churn(t.path, SEED, without=["remove_all"]), CHANGES // 20)


def test_changes_in_a_wide_directory():
    with Tree() as t:
        hostile.wide(t.path, WIDE)
        with Daemon({"t": t}) as d:
            change_and_compare(d, Churn(t.path, SEED), CHANGES // 20)


def small_changes(t):
    """One at a time: no other change of the burst hides what is not seen. (what, function)"""
    def write(name, data):
        return lambda: t.write(name, data)

    def touch(name, when):
        return lambda: os.utime(t.at(name), ns=(when, when))

    def hidden(directory):
        old = os.stat(t.at(directory)).st_mtime_ns
        t.write(directory + "/hidden", "x")
        os.utime(t.at(directory), ns=(old, old))

    def append():
        with open(t.at("a/b/f1"), "ab") as f:
            f.write(b"more")

    return [
        ("another size", write("a/b/f1", "longer than it was")),
        ("the same size", write("a/b/f1", "another than it was")),
        ("appended", append),
        ("an old mtime", touch("a/b/f2", 10**18)),
        ("a directory's old mtime", touch("a/b", 10**18)),
        ("a mode", lambda: os.chmod(t.at("a/b/f1"), 0o600)),
        ("a directory's mode", lambda: os.chmod(t.at("a/b"), 0o700)),
        ("a file in a directory that keeps its mtime", lambda: hidden("a/b")),
        ("the same in its neighbour", lambda: hidden("a/c")),
        ("renamed", lambda: os.rename(t.at("a/b/f2"), t.at("a/b/f3"))),
        ("renamed upwards", lambda: os.rename(t.at("a/b/f3"), t.at("f3"))),
        ("a directory renamed", lambda: os.rename(t.at("a/b"), t.at("a/z"))),
        ("a directory moved", lambda: os.rename(t.at("a/z"), t.at("y"))),
        ("linked from elsewhere", lambda: os.link(t.at("y/f1"), t.at("a/c/link"))),
        ("written through the other link", write("a/c/link", "through the link")),
        ("unlinked elsewhere", lambda: os.unlink(t.at("a/c/link"))),
        ("gone", lambda: os.unlink(t.at("y/f1"))),
        ("a directory in the place of a file", lambda: (os.unlink(t.at("f3")), os.mkdir(t.at("f3")))),
        ("a link in the place of a directory", lambda: (os.rmdir(t.at("f3")), os.symlink("y", t.at("f3")))),
        ("nothing", lambda: None),
    ]


def test_each_small_change_alone():
    for i in range({"long": 40, "full": 4, "quick": 1}[TIER]):
        # Within the same tick as the last walk, as far as that can be had; or long after it.
        pause = 0 if i % 2 == 0 else SETTLED
        with Tree() as t:
            for name in ("a/b/f1", "a/b/f2", "a/c/f3", "d/e/f4"):
                t.write(name, "as it was")
            time.sleep(pause)
            with Daemon({"t": t}) as d:
                for what, change in small_changes(t):
                    change()
                    time.sleep(pause)
                    d.rescan("t")
                    same_rows(indexed(d), listing(t.path), f"{what}, after {pause} s")


class Mount:
    """Something mounted over a directory of ours, until it is taken away."""

    def __init__(self, directory, *how):
        self.directory = directory
        if subprocess.run(["mount", *how, directory], capture_output=True).returncode:
            raise Skip("may not mount here")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", self.directory], check=True)


def test_mounts_come_and_go_without_a_trace_in_their_directory():
    need_root()
    with Tree() as t, Tree() as other:
        for i in range(3):
            t.write(f"d{i}/e/file", "x")
        other.write("e/another", "x")
        with Daemon({"t": {"path": t, "one_file_system": "no"}}) as d:
            def look(what):
                time.sleep(SETTLED)
                d.rescan("t")
                same_rows(indexed(d), listing(t.path), what)

            look("before")
            with Mount(t.at("d1"), "-t", "tmpfs", "none"):
                look("an empty file system")
                t.write("d1/e/new", "x")
                look("a file on it")
            look("gone")
            with Mount(t.at("d0/e"), "--bind", other.path):
                look("another directory of the same file system")
                other.write("e/second")
                look("changed behind it")
                with Mount(t.at("d1/e"), "--bind", t.at("d2/e")):
                    look("the same directory twice")
                    t.write("d2/e/both")
                    look("changed in both places")
            look("both gone")
            with Mount(t.path, "-t", "tmpfs", "none"):
                look("over the root")
            look("the root again")


def whole(rows, top):
    """A snapshot hangs together: each entry's directory is in it, one level above."""
    for path, row in rows.items():
        if row[AT["depth"]] == 0:
            assert path == top, path
            continue
        above = rows.get(os.path.dirname(path))
        assert above is not None, f"{path} is there and its directory is not"
        assert above[0] == "d" and above[AT["depth"]] + 1 == row[AT["depth"]], (path, row, above)


def ask_something(c, rng, top):
    """A question whose answer is held against itself."""
    kind = rng.randrange(5)
    if kind == 0:
        whole(indexed(c), top)
        return
    q = rng.choice(["type:f", "type:d", "a", "size:>100", "name:*.c | ext:h", "depth:..3", "links:>1", "-type:f", "mtime:<1d",
                    "/[a-c]+/", "empty:yes", "perm:/111", f"in:{os.fsdecode(top)}"])
    sort = rng.choice([None, "size:desc", "path", "mtime,name", "depth:desc,size"])
    limit = rng.choice([1, 10, 1000, 0])
    more = {"sort": sort} if sort else {}
    a = c.ask("search", q=q, limit=limit, count="exact", fields=["path", *FIELDS], **more)
    rows = [text_of(row[0]) for row in a["rows"]]
    assert len(rows) == len(set(rows)) == a["n"], (q, a["n"], len(rows))
    assert all(p == top or p.startswith(top + b"/") for p in rows), q
    assert a["total"]["exact"] and a["total"]["n"] >= a["n"], (q, a["total"], a["n"])
    assert a["more"] == (a["total"]["n"] > a["n"]) and (limit == 0 or a["n"] <= limit), (q, limit, a["total"], a["n"], a["more"])
    if sort == "path":
        assert rows == sorted(rows), q
    if q == "type:d":
        assert all(row[1] == "d" for row in a["rows"]), q


def ask_until(d, stop, seed, top, failures):
    rng = random.Random(seed)
    asked = 0
    try:
        with d.connect() as c:
            while not stop.is_set():
                ask_something(c, rng, top)
                asked += 1
    except Exception as e:  # pylint: disable=broad-except
        failures.append(e)
    finally:
        failures.append(asked)


def test_questions_and_walks_while_it_changes():
    made, walks, stop, told = 0, 0, threading.Event(), []
    with Tree() as t:
        hostile.make(t.path, 2000, seed=SEED)
        churn = Churn(t.path, SEED)
        churn.look()
        with Daemon({"t": t}) as d:
            threads = [threading.Thread(target=ask_until, args=(d, stop, SEED + i, churn.top, told)) for i in range(2)]
            for thread in threads:
                thread.start()
            try:
                while made < CHANGES // 2:
                    # Asked for, not waited for: the walk runs into the next changes.
                    d.ask("rescan")
                    walks += 1
                    made += churn.some(50)
                    churn.look()
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
            for failure in told:
                if isinstance(failure, Exception):
                    raise failure
            rescanned(d, churn, "when it is quiet again")
    print(f"  {made} changes (seed {SEED}), {walks} walks asked for, {sum(told)} questions meanwhile")


main()
