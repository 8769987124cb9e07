"""`trawl dupes` and `dupe:` against sha256: groups, hard links, what cannot be read, and what is kept of a hash."""
import collections
import hashlib
import os
import random

import hostile
from box import NOBODY, Daemon, Tree, find, main, need_root, scale, text_of, until


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while piece := f.read(1 << 20):
            h.update(piece)
    return h.digest()


def twins(root):
    """Groups of equal files, each a set of files, each the set of its names."""
    files = collections.defaultdict(set)
    for p in find(root, "-type", "f", "-size", "+0"):
        st = os.stat(p)
        files[(st.st_dev, st.st_ino, st.st_size)].add(p)
    sizes = collections.Counter(size for _, _, size in files)
    groups = collections.defaultdict(set)
    for (_, _, size), names in files.items():
        if sizes[size] > 1:
            groups[(size, digest(min(names)))].add(frozenset(names))
    return {frozenset(g): key[0] for key, g in groups.items() if len(g) > 1}


def asked(d, q="", **members):
    """The same of the daemon, in its order."""
    a = d.ask("dupes", q=q, limit=0, links=True, **members)
    groups = {}
    for group, file, path, size, n_files, waste, n_names in a["rows"]:
        g = groups.setdefault(group, {"size": int(size), "waste": int(waste), "n": n_files, "files": collections.defaultdict(set)})
        g["files"][file].add(text_of(path))
    assert list(groups) == list(range(1, len(groups) + 1))
    for g in groups.values():
        assert g["n"] == len(g["files"]) and g["waste"] == g["size"] * (g["n"] - 1), g
    wastes = [g["waste"] for g in groups.values()]
    assert wastes == sorted(wastes, reverse=True), "the largest waste first"
    assert int(a["total"]["waste"]) == sum(wastes) and a["total"]["groups"] == len(groups) == a["n"], a["total"]
    return {frozenset(map(frozenset, g["files"].values())): g["size"] for g in groups.values()}, a


def plant(t, seed=3):
    rng = random.Random(seed)
    hostile.make(t.path, 400)
    for i in range(40):
        text = bytes([rng.randrange(3)]) * rng.choice([1, 7, 4096, 70000])
        t.write(f"p{i % 5}/{i}", text)
    for i in range(0, 40, 7):
        os.link(t.at(f"p{i % 5}/{i}"), t.at(f"p{(i + 1) % 5}/link{i}"))
    for name, at in (("x", 3_000_000), ("y", 3_000_000), ("z", 3_000_001)):
        with open(t.at(name), "wb") as f:
            f.truncate(5_000_000)
            f.seek(at)
            f.write(b"!")
    with open(t.at("dense"), "wb") as f:
        f.write(b"\0" * 3_000_000 + b"!" + b"\0" * 1_999_999)
    os.symlink("dense", t.at("symlink"))
    # Sparse files of a terabyte are for the daemon alone: hashing them here would take hours.
    for p in find(t.path, "-type", "f", "-size", "+100000k"):
        os.unlink(p)


def test_groups_are_those_of_sha256():
    with Tree() as t:
        plant(t)
        with Daemon({"t": t}) as d:
            wanted = twins(t.path)
            assert len(wanted) > 5 and any(len(names) > 1 for g in wanted for names in g)
            got, _ = asked(d)
            assert got == wanted, set(got.items()) ^ set(wanted.items())
            assert d.search("dupe:") == sorted(p for g in wanted for names in g for p in names)
            below, _ = asked(d, "in:p1")
            for g in below:
                assert all(p.startswith(os.fsencode(t.at("p1/"))) for names in g for p in names)
            # Changes, and a rescan.
            rng = random.Random(5)
            for _ in range(max(3, scale(1000))):
                for p in rng.sample(find(t.path, "-type", "f", "-size", "-100k"), 10):
                    if rng.randrange(2):
                        os.unlink(p)
                    else:
                        with open(p, "ab") as f:
                            f.write(b"a")
                t.write(f"new/{rng.randrange(100)}", "\0" * 4096)
                d.rescan()
                got, _ = asked(d)
                wanted = twins(t.path)
                assert got == wanted, set(got.items()) ^ set(wanted.items())


def settled(d):
    """Ask until everything was old enough to be remembered."""
    until(lambda: asked(d)[1]["read"] == 0, "hashes are known")


def test_known_hashes_are_not_read_again():
    with Tree() as t:
        plant(t)
        with Daemon({"t": t}) as d:
            first, a = asked(d)
            assert a["read"] > 0 and a["read_bytes"] > 0
            settled(d)
            got, a = asked(d)
            assert got == first and a["read"] == a["read_bytes"] == 0 and a["known"] > 0, a
            assert d.ask("search", q="dupe:", limit=0)["n"] > 0
            status = d.ask("status")["hashes"]
            assert status["kept"] > 0 and 0 < status["bytes"] <= status["max_bytes"] and status["found"] > 0, status
            # One that changes is read, and no other; its size need not change, nor its mtime.
            st = os.stat(t.at("x"))
            with open(t.at("x"), "r+b") as f:
                f.seek(100)
                f.write(b"?")
            os.utime(t.at("x"), ns=(st.st_atime_ns, st.st_mtime_ns))
            got, a = asked(d)
            assert a["read"] == 1 and got == twins(t.path), a
            settled(d)
            # Kept over a restart; after a kill, what was kept before is read again.
            assert d.stop() == 0
            d.start()
            got, a = asked(d)
            assert a["read"] == 0 and got == twins(t.path), a
            d.stop()
            with open(os.path.join(d.state, "hashes"), "r+b") as f:
                f.seek(200)
                f.write(b"damage")
            d.start()
            assert "hashes" in d.log() and "read again" in d.log()
            got, a = asked(d)
            assert a["read"] > 0 and got == twins(t.path), a


def test_without_room_all_is_read_each_time():
    with Tree() as t:
        plant(t)
        with Daemon({"t": t}, limits={"hash_cache": 0}) as d:
            _, a = asked(d)
            got, b = asked(d)
            assert a["read"] == b["read"] > 0 and got == twins(t.path)
            assert d.ask("status")["hashes"]["kept"] == 0


def test_the_index_may_be_behind():
    with Tree() as t:
        for name in "abcd":
            t.write(name, "the same bytes")
        with Daemon({"t": t}) as d:
            os.unlink(t.at("a"))
            with open(t.at("b"), "wb") as f:
                f.write(b"not those bytes")
            os.unlink(t.at("c"))
            os.link(t.at("d"), t.at("c"))  # by now one file
            got, a = asked(d)
            assert got == {} and a["skipped"] == {"gone": 1}, (got, a)


def test_what_cannot_be_read_is_counted():
    need_root()
    with Tree() as t:
        for name in "abc":
            t.write(name, "same")
        os.chmod(t.at("b"), 0)
        with Daemon({"t": t}, user=NOBODY) as d:
            got, a = asked(d)
            assert a["skipped"] == {"unreadable": 1} and list(got.values()) == [4], a
            assert d.trawl("dupes", "--strict").returncode == 3


def test_huge_sparse_files():
    with Tree() as t:
        for name in "ab":
            with open(t.at(name), "wb") as f:
                f.truncate(1 << 42)
        with Daemon({"t": t}) as d:
            got, a = asked(d)
            assert list(got.values()) == [1 << 42] and a["read_bytes"] < 1 << 24, a


def test_the_command_line():
    with Tree() as t:
        for name in ("a", "b", "c"):
            t.write(name, "x" * 2000)
        os.link(t.at("a"), t.at("link"))
        t.write("sub/d", "y" * 100)
        t.write("sub/e", "y" * 100)
        p = os.fsencode(t.path)
        with Daemon({"t": t}) as d:
            out = d.trawl("dupes").stdout
            assert out == p + b"/a\n" + p + b"/b\n" + p + b"/c\n\n" + p + b"/sub/d\n" + p + b"/sub/e\n\n", out
            assert d.trawl("dupes", "-f").stdout == p + b"/b\n" + p + b"/c\n\n" + p + b"/sub/e\n\n"
            assert p + b"/link\n" in d.trawl("dupes", "-H").stdout
            assert d.trawl("dupes", "-n1", "-S").stdout.startswith(b"3 files of 2.0K, 4.0K wasted\n" + p + b"/a\n")
            assert d.trawl("dupes", "-cb").stdout == b"2 groups, 5 files, 4100 wasted\n"
            assert d.trawl("dupes", "--json", "--in", t.at("sub")).stdout.count(b"\n") == 1
            assert d.trawl("dupes", "-0", "in:sub").stdout == p + b"/sub/d\0" + p + b"/sub/e\0\0"
            r = d.trawl("dupes", "name:a")
            assert r.returncode == 1 and r.stdout == b"", r
            assert d.trawl("dupes", "size:").returncode == 2


main()
