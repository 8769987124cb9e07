"""Trees that break programs: very deep, very wide, names of any bytes, things that must not be opened."""
import os
import socket
import subprocess
import time

import hostile
from box import NOBODY, SLOW, TIER, Daemon, Tree, find, main, need_root, same, scale


def test_four_thousand_levels():
    levels = 4000 if TIER != "quick" else 1500
    with Tree() as t:
        hostile.deep(t.path, levels)
        with Daemon({"t": t}) as d:
            same(d.search("*"), find(t.path), f"{levels} levels")
            assert d.search(f"depth:{levels}") and len(d.search("level-")) == levels // 100
            longest = max(find(t.path, "-type", "d"), key=len)
            assert len(longest) > 4096
            assert longest in d.search("type:d depth:>%d" % (levels - 10))


def test_a_wide_directory():
    n = {"long": 1_000_000, "full": 100_000, "quick": 20_000}[TIER] // (4 if SLOW > 1 else 1)
    with Tree() as t:
        hostile.wide(t.path, n)
        with Daemon({"t": t}) as d:
            a = d.ask("search", q="type:f", limit=1, count="exact")
            assert a["total"] == {"n": n, "exact": True}, a["total"]
            assert d.search(f"name:w{n - 1:07d}") == [os.fsencode(t.at(f"w{n - 1:07d}.dat"))]
            assert len(d.search("name:/^w00000.[05]/")) == 20


def test_names_of_every_byte():
    with Tree() as t:
        top = os.fsencode(t.path)
        for b in range(1, 256):
            if b != 0x2F:
                t.write(top + b"/b" + bytes([b]) + b"e")
                os.makedirs(top + b"/d" + bytes([b, b]) + b"/x")
        for name in hostile.NAMES:
            t.write(top + b"/names/" + name)
        t.write(top + b"/l/" + b"\xe9" * 255, "x")
        with Daemon({"t": t}) as d:
            same(d.search("*"), find(t.path), "every byte")
            # Each can be asked for by itself, as JSON carries it.
            for path in find(t.path, "-type", "f"):
                try:
                    name = path.decode()
                except UnicodeDecodeError:
                    continue
                assert d.ask("stat", path=name).get("size") == os.path.getsize(path), path
            # The client prints the very bytes.
            out = d.trawl("-0", "type:f").stdout.split(b"\0")
            same(sorted(p for p in out if p), find(t.path, "-type", "f"), "trawl -0")


def test_what_must_not_be_opened_is_not():
    with Tree() as t:
        os.mkfifo(t.at("fifo"))
        s = socket.socket(socket.AF_UNIX)
        s.bind(t.at("socket"))
        os.symlink("/dev/zero", t.at("endless"))
        os.symlink(".", t.at("loop"))
        os.symlink("/", t.at("everything"))
        if os.geteuid() == 0:
            try:
                os.mknod(t.at("zero"), 0o20666, os.makedev(1, 5))
            except PermissionError:
                pass
        t.write("text", "needle")
        with open(t.at("sparse"), "wb") as f:
            f.truncate(1 << 42)
        with Daemon({"t": t}) as d:
            same(d.search("*"), find(t.path), "specials")
            start = time.monotonic()
            assert d.search("content:needle") == [os.fsencode(t.at("text"))]
            assert time.monotonic() - start < 10 * SLOW, "it reads what it should not"
        s.close()


def test_unreadable_directories_are_counted_and_explained():
    need_root()
    with Tree() as t:
        t.write("open/a")
        t.write("closed/b")
        t.write("listed/c", "needle")
        t.write("half/d/e")
        os.chmod(t.at("closed"), 0)
        os.chmod(t.at("listed/c"), 0)
        os.chmod(t.at("half"), 0o711)
        with Daemon({"t": t}, user=NOBODY) as d:
            wanted = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "find", t.path,
                                     "-print0"], capture_output=True).stdout.split(b"\0")
            same(d.search("*"), sorted(p for p in wanted if p), "what find sees as that user")
            assert d.roots()["t"]["skipped"].get("unreadable") == 2, d.roots()["t"]
            assert d.ask("why", path=t.at("closed/b"))["reason"] == "unreadable"
            a = d.ask("search", q="content:needle", limit=0)
            assert a["rows"] == [] and a["skipped"].get("unreadable") == 1, a


def test_a_tree_that_changes_while_it_is_walked():
    with Tree() as t:
        hostile.many(t.path, max(4000, scale(100_000)))
        kept = set(find(t.path, "-name", "alpha*"))
        script = ("i=0; while :; do i=$((i + 1)); mkdir -p x$i/y && : >x$i/y/f && mv x$i z$i && rm -rf z$i; done")
        churn = subprocess.Popen(["sh", "-c", script], cwd=t.path, stderr=subprocess.DEVNULL)
        try:
            with Daemon({"t": t}) as d:
                for _ in range(5):
                    d.rescan()
                    assert kept <= set(d.search("name:alpha")), "what did not change must be there"
                churn.kill()
                churn.wait()
                subprocess.run("rm -rf x* z*", shell=True, cwd=t.path, check=True)
                d.rescan()
                same(d.search("*"), find(t.path), "when it is quiet again")
        finally:
            churn.kill()
            churn.wait()


def test_rules_leave_out_what_they_say_and_why_names_them():
    with Tree() as t:
        for name in ("keep.c", "drop.o", "node_modules/x", "a/node_modules/y", "a/keep.h", ".git/objects/12/34", ".git/HEAD",
                     "cache/CACHEDIR.TAG", "cache/blob", "b/ignored.log", "b/kept.txt"):
            t.write(name, "x")
        t.write("cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n")
        t.write("b/.gitignore", "*.log\n")
        keys = {"path": t, "exclude": "node_modules/ *.o .git/objects", "gitignore": "yes", "exclude_caches": "yes"}
        with Daemon({"t": keys}) as d:
            names = [p[len(t.path) + 1:].decode() for p in d.search("type:f")]
            for gone in ("drop.o", "node_modules/x", "a/node_modules/y", ".git/objects/12/34", "cache/blob", "b/ignored.log"):
                assert gone not in names, gone
            for kept in ("keep.c", "a/keep.h", ".git/HEAD", "b/kept.txt"):
                assert kept in names, kept
            for path, reason in [("drop.o", "excluded"), ("node_modules/x", "excluded"), ("b/ignored.log", "gitignore"),
                                 ("cache/blob", "cachedir"), ("keep.c", "indexed")]:
                why = d.ask("why", path=t.at(path))
                assert why["reason"] == reason and why["indexed"] == (reason == "indexed"), (path, why)
            assert sum(d.roots()["t"]["skipped"].values()) >= 5, d.roots()["t"]


main()
