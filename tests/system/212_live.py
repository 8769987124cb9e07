"""What changes is found without being asked to look: at once, after a restart, by rules, mounts, polling and verification."""
import mmap
import os
import subprocess
import time

from box import Daemon, Skip, Tree, main, need_root, until
from truth import indexed, listing, same_rows

def now(d):
    """After the barrier; the answer of it."""
    return d.ask("search", q="", limit=1, sync_ms=60_000)


def same_as_find(d, t, what):
    answer = now(d)
    assert answer["synced"] and not answer["stale"], (what, answer)
    same_rows(indexed(d), listing(os.fsencode(t.path)), what)


def watch_of(d, name="t"):
    return d.roots()[name]["watch"]


def test_a_change_is_visible_soon():
    with Tree() as t, Daemon({"t": t}) as d, d.connect() as c:
        took = []
        for i in range(20):
            began = time.monotonic()
            t.write(f"d{i % 3}/new{i}")
            until(lambda: c.search(f"name:new{i}"), "the file is found")
            took.append(time.monotonic() - began)
        took.sort()
        print(f"  visible after {took[10] * 1e3:.0f} ms, at worst {took[-1] * 1e3:.0f}")
        same_as_find(d, t, "after twenty files")


def test_rules_change_with_their_files():
    with Tree() as t:
        t.write("a/keep.c")
        t.write("a/drop.o")
        t.write("a/b/drop.o")
        with Daemon({"t": {"path": t, "gitignore": "yes", "exclude_caches": "yes"}}) as d:
            def found():
                assert now(d)["synced"]
                return [os.path.relpath(p, os.fsencode(t.path)) for p in d.search("type:f")]
            assert found() == [b"a/b/drop.o", b"a/drop.o", b"a/keep.c"]
            t.write(".gitignore", "*.o\n")
            assert found() == [b".gitignore", b"a/keep.c"]
            t.write(".gitignore", "*.c\n")
            assert found() == [b".gitignore", b"a/b/drop.o", b"a/drop.o"]
            os.unlink(t.at(".gitignore"))
            t.write("a/b/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n")
            assert found() == [b"a/drop.o", b"a/keep.c"]
            os.unlink(t.at("a/b/CACHEDIR.TAG"))
            assert found() == [b"a/b/drop.o", b"a/drop.o", b"a/keep.c"]


def test_what_changed_while_it_was_down_is_found():
    with Tree() as t:
        t.write("before/x")
        with Daemon({"t": t}) as d:
            same_as_find(d, t, "before")
            clock = now(d)["clock"]
            for how in (15, 9):
                d.stop(how)
                t.write(f"down{how}/y")
                d.start(indexed=False)
                assert [os.fsencode(t.at("before/x"))] == d.search("name:x type:f"), "it serves at once"
                same_as_find(d, t, "after the reconciliation")
            told = [row for e in d.connect().ask("since", clock=clock, fields=["path"]).get("rows", []) for row in [e]]
            names = {os.path.basename(str(row[2])) for row in told}
            assert {"down15", "down9"} <= names, told


def test_watching_begins_and_ends_with_a_reload():
    with Tree() as t:
        with Daemon({"t": {"path": t, "watch": "no"}}) as d:
            assert now(d)["stale"] == ["t"] and watch_of(d)["kind"] == "off"
            t.write("unseen")
            time.sleep(0.1)
            assert not d.search("name:unseen")
            d.write_config({"t": {"path": t, "watch": "auto"}})
            d.reload()
            until(lambda: not now(d)["stale"], "it is watched")
            same_as_find(d, t, "watched")
            t.write("seen")
            same_as_find(d, t, "watched, and changed")
            d.write_config({"t": {"path": t, "watch": "no"}})
            d.reload()
            until(lambda: now(d)["stale"] == ["t"], "it is watched no more")


def test_a_polled_root_is_walked_for_a_barrier_and_by_itself():
    with Tree() as t:
        with Daemon({"t": {"path": t, "watch": "poll", "poll_min": "1s", "poll_max": "2s"}}) as d:
            assert watch_of(d)["kind"] == "polled"
            t.write("a")
            assert now(d)["synced"]
            assert d.search("name:a")
            t.write("b")
            until(lambda: d.search("name:b"), "the poll finds it")
            until(lambda: d.ask("search", q="", limit=1)["stale"] == ["t"], "it is stale between walks")


def test_what_nobody_tells_of_is_found_by_verification():
    with Tree() as t:
        for i in range(200):
            t.write(f"d{i}/x")
        t.write("d77/mapped", "a" * 8192)
        os.utime(t.at("d77/mapped"), (1, 1))
        with open(t.at("d77/mapped"), "r+b") as f, mmap.mmap(f.fileno(), 8192) as m, \
                Daemon({"t": {"path": t, "verify": "1s"}}) as d:
            same_as_find(d, t, "before")
            if watch_of(d)["kind"] == "polled":
                raise Skip("nothing is watched here")
            m[0:4] = b"bbbb"
            if os.stat(t.at("d77/mapped")).st_mtime == 1:
                raise Skip("this file system does not tell of mappings before they end")
            until(lambda: not d.search("name:mapped mtime:<1980"), "it is found")
            same_as_find(d, t, "while it is mapped")
            assert watch_of(d)["mended"] > 0, watch_of(d)
            before = watch_of(d)["verified_us"]
            until(lambda: watch_of(d)["verified_us"] > before, "it is done again")
            # A tree that changes all the time is verified all the same.
            clock = now(d)["clock"]
            before, i = watch_of(d)["verified_us"], 0
            while watch_of(d)["verified_us"] == before:
                t.write(f"d{i % 200}/new{i}")
                os.rename(t.at(f"d{i % 200}/x"), t.at(f"d{i % 200}/x{i}")) if i < 200 else None
                i += 1
            same_as_find(d, t, "changed meanwhile")
            assert not d.ask("since", clock=clock)["fresh"]


class Crowded(Daemon):
    """Its user may watch 80 directories, and the daemon takes as many as it gets."""

    def command(self):
        return ["unshare", "-U", "-r", "sh", "-c",
                'echo 80 > /proc/sys/user/max_inotify_watches && exec "$@"', "-", *super().command()]


def others_room(d):
    """How many directories another program of the user may watch now."""
    count = "import ctypes, os, sys; c = ctypes.CDLL(None); i = c.inotify_init()\n" \
            "print(sum(c.inotify_add_watch(i, os.fsencode(x.path), 2) > 0 for x in os.scandir(sys.argv[1])))"
    out = subprocess.run(["nsenter", "-U", "--preserve-credentials", "-t", str(d.process.pid), "python3", "-c", count, d.tree],
                         capture_output=True, text=True)
    if out.returncode:
        raise Skip(f"nobody else gets in: {out.stderr}")
    return int(out.stdout)


def test_a_reserve_of_watches_is_left_to_others():
    need_root()
    if subprocess.run(["unshare", "-U", "-r", "sh", "-c", "echo 80 > /proc/sys/user/max_inotify_watches"], capture_output=True).returncode:
        raise Skip("no limit of its own can be had")
    with Tree() as t:
        for i in range(200):
            t.write(f"d{i}/x")
        with Crowded({"t": {"path": t, "watch": "directories", "poll_min": "1s"}}, "[daemon]\nwatch_max_dirs = 1000\n") as d:
            d.tree = t.path
            until(lambda: "more than can be watched" in watch_of(d).get("why", ""), "it says so")
            room = others_room(d)
            print(f"  {d.ask('status')['watch']['directories']} watched, room for {room}")
            assert room >= 5, room
            # It is stale, and walked now and then: nothing stays unseen.
            assert d.ask("search", q="", limit=1)["stale"] == ["t"]
            t.write("d199/new")
            until(lambda: d.search("name:new"), "the poll finds it")


def test_what_is_mounted_below_is_found():
    need_root()
    with Tree() as t:
        os.mkdir(t.at("m"))
        with Daemon({"t": {"path": t, "one_file_system": "no"}}) as d:
            same_as_find(d, t, "before")
            if subprocess.run(["mount", "-t", "tmpfs", "none", t.at("m")], capture_output=True).returncode:
                raise Skip("nothing can be mounted")
            try:
                t.write("m/inside")
                until(lambda: d.search("name:inside"), "the mount is found")
                same_as_find(d, t, "mounted")
                t.write("m/later")
                same_as_find(d, t, "mounted, and changed there")
                assert watch_of(d)["mounts"] == 2, watch_of(d)
            finally:
                subprocess.run(["umount", t.at("m")], check=True)
            until(lambda: not d.search("name:inside"), "it is gone")
            same_as_find(d, t, "unmounted")


main()
