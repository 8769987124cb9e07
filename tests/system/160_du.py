"""`trawl du` against du(1): sizes, blocks, hard links, odd names, other file systems, roots in roots."""
import os
import random
import subprocess

import hostile
from box import NOBODY, Daemon, Refused, Skip, Tree, main, need, need_root, scale, text_of


def du(*args, **kw):
    """The lines of du(1), sorted; what it complains about does not matter."""
    r = subprocess.run(["du", "-x0", *args], capture_output=True, env={**os.environ, "LC_ALL": "C.UTF-8"}, **kw)
    return sorted(x for x in r.stdout.split(b"\0") if x)


def ours(d, *args, **kw):
    r = d.trawl("du", "-0", *args, **kw)
    assert r.returncode in (0, 1), r
    return sorted(x for x in r.stdout.split(b"\0") if x)


def alone(paths, *args):
    """What du says of each path when it is asked for that alone."""
    return sorted(line for p in paths for line in du("-s", *args, p))


def compare(got, wanted, what):
    assert got == wanted, (what, [x for x in got if x not in set(wanted)][:3], [x for x in wanted if x not in set(got)][:3])


def directories(root):
    return [p for p in subprocess.run(["find", root, "-type", "d", "-print0"], capture_output=True).stdout.split(b"\0") if p]


def check(d, root):
    """Every directory equals what du says of it; the root in every unit."""
    paths = directories(root)
    for sizes in ([], ["--apparent-size"]):
        compare(ours(d, "-k", *sizes, root), alone(paths, "-k", *sizes), f"every directory {sizes}")
    compare(ours(d, "-b", root), alone(paths, "-b"), "bytes")
    for args in (["-s"], ["-sh"], ["-sm"], ["-sb"], ["-sh", "--apparent-size"], ["-sl"], ["-sb", "-l"], ["-sx"], ["-sbx"]):
        compare(ours(d, *args, root), du(*args, root), args)


def links(t):
    """Links within a directory, across directories, to what lies outside, and to empty and large files."""
    for i in range(12):
        t.write(f"a/{i}/file", "x" * (5000 * i))
        t.write(f"b/{i}/other", "y" * 3000)
    for i in range(12):
        os.link(t.at(f"a/{i}/file"), t.at(f"a/{i}/same-directory"))
        os.link(t.at(f"a/{i}/file"), t.at(f"b/{i}/across"))
        os.link(t.at(f"a/{i}/file"), t.at(f"b/{(i + 3) % 12}/again"))
    os.symlink("a/1/file", t.at("b/link"))


def test_units_and_options_of_du():
    with Tree() as t:
        hostile.many(t.path, 3000)
        with Daemon({"t": t}) as d:
            for args in ([], ["-a"], ["-ah"], ["-ab"], ["-d0"], ["-d1"], ["-d2", "-a"], ["-m"], ["-hd", "1"], ["-c"], ["-sc"],
                         ["--max-depth=3", "--apparent-size"], ["-abc"]):
                compare(ours(d, *args, t.path), du(*args, t.path), args)
            # Paths as they are typed.
            os.mkdir(t.at("sub"))
            os.mkdir(t.at("sub/dir"))
            d.rescan()
            for args in ([], ["."], ["sub"], ["./sub/"], ["sub", "sub/dir"], ["../" + os.path.basename(t.path)]):
                got, wanted = ours(d, *args, cwd=t.path), du(*args, cwd=t.path)
                if args == ["sub", "sub/dir"]:  # du counts nothing twice in one run; we answer each path
                    wanted = sorted(du("sub", cwd=t.path) + du("sub/dir", cwd=t.path))
                compare(got, wanted, args)


def test_hard_links_count_once_in_any_directory():
    with Tree() as t:
        links(t)
        with Tree() as outside:
            os.link(t.at("a/7/file"), outside.at("name"))
            with Daemon({"t": t}) as d:
                check(d, t.path)
                # All paths together count each inode once, as du's total does.
                for paths in (["a", "b"], ["a/1", "b/1", "b/4"], ["a", "a/3"], ["b/2", "b", "a/2"]):
                    paths = [t.at(p) for p in paths]
                    for args in (["-scb"], ["-sc"]):
                        total = [x for x in ours(d, *args, *paths) if x.endswith(b"\ttotal")]
                        wanted = [x for x in du(*args, *sorted(paths, key=len)) if x.endswith(b"\ttotal")]
                        compare(total, wanted, (args, paths))


def test_sums_past_two_to_the_63():
    if not os.access("/dev/shm", os.W_OK):
        raise Skip("/dev/shm is not ours to write to")
    with Tree(parent="/dev/shm") as t:
        for name, size in (("a/b/huge", 2**63 - 1), ("a/c/huge", 2**62), ("a/small", 4321)):
            os.truncate(t.write(name), size)
        with Daemon({"t": t}) as d:
            check(d, t.path)
            wanted = sum(os.lstat(p).st_size for p in subprocess.run(
                ["find", t.path, "-print0"], capture_output=True).stdout.split(b"\0") if p)
            assert d.trawl("stats", "-b").stdout.split()[1] == b"%d" % wanted


def test_after_changes_and_a_rescan():
    with Tree() as t:
        links(t)
        hostile.many(t.path, 1000)
        rng = random.Random(4)
        with Daemon({"t": t}) as d:
            for _ in range(max(3, scale(500))):
                files = [os.path.join(p, f) for p, _, names in os.walk(t.path) for f in names]
                dirs = [p for p, _, _ in os.walk(t.path)]
                for path in rng.sample(files, 20):
                    to = os.path.join(rng.choice(dirs), f"new{rng.randrange(10**9)}")
                    what = rng.randrange(4)
                    if what == 0:
                        os.unlink(path)
                    elif what == 1:
                        os.link(path, to, follow_symlinks=False)
                    elif what == 2:
                        os.rename(path, to)
                    elif not os.path.islink(path) and os.path.isfile(path):
                        with open(path, "ab") as f:
                            f.write(b"z" * rng.randrange(20000))
                os.sync()  # blocks are given late
                d.rescan()
                check(d, t.path)


def test_sparse_empty_and_odd():
    with Tree() as t:
        for name in hostile.NAMES:
            t.write(b"names/" + name, b"x" * len(name))
            os.makedirs(os.path.join(os.fsencode(t.path), b"dirs", name), exist_ok=True)
        with open(t.at("sparse"), "wb") as f:
            f.truncate(1 << 40)
        with open(t.at("holes"), "wb") as f:
            for i in range(10):
                f.seek(i << 24)
                f.write(b"data")
        os.makedirs(t.at("empty/empty/empty"))
        os.mkfifo(t.at("pipe"))
        os.symlink("x" * 200, t.at("dangling"))
        with Daemon({"t": t}) as d:
            os.sync()
            d.rescan()
            check(d, t.path)
            compare(ours(d, "-ab", t.path), du("-ab", t.path), "all entries")
            for p in ("sparse", "pipe", "dangling", "empty"):
                compare(ours(d, "-b", "-d0", t.at(p)), du("-b", "-d0", t.at(p)), p)


def test_directories_that_cannot_be_read_are_told():
    need_root()
    with Tree() as t:
        t.write("open/a", "x" * 9000)
        t.write("closed/b", "x" * 9000)
        os.chmod(t.at("closed"), 0)
        with Daemon({"t": t}, user=NOBODY) as d:
            us = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            wanted = subprocess.run([*us, "du", "-x0b", t.path], capture_output=True).stdout.split(b"\0")
            r = d.trawl("du", "-0b", t.path)
            compare(sorted(x for x in r.stdout.split(b"\0") if x), sorted(x for x in wanted if x), "what that user sees")
            assert r.returncode == 0 and b"1 directory" in r.stderr, r
            assert d.trawl("du", "--strict", t.path).returncode == 3
            assert d.ask("du", paths=[t.path])["unread"] == 1


def test_a_root_inside_a_root_counts_for_both():
    with Tree() as t:
        links(t)
        os.link(t.at("a/1/file"), t.at("a/inner"))
        for roots in ({"t": t, "b": t.at("b")}, {"t": t, "b": t.at("b"), "deep": t.at("b/3"), "far": t.at("a/5")}):
            with Daemon(roots) as d:
                check(d, t.path)
                check(d, t.at("b"))
                rows = d.ask("top", path=t.path, depth=0, type="dirs", limit=0)["rows"]
                assert sorted(text_of(r[0]) for r in rows) == sorted(directories(t.path))[1:], rows
        # A root that came later: the outer one still has what is below it.
        with Daemon({"t": t}) as d:
            d.write_config({"t": t, "b": t.at("b")})
            d.reload()
            d.wait_indexed(["t", "b"])
            check(d, t.path)


def test_other_file_systems():
    need_root()
    need("mount")
    with Tree() as t:
        t.write("here/file", "x" * 5000)
        os.mkdir(t.at("mnt"))
        if subprocess.run(["mount", "-t", "tmpfs", "none", t.at("mnt")], capture_output=True).returncode:
            raise Skip("cannot mount")
        try:
            t.write("mnt/there", "y" * 70000)
            os.link(t.at("mnt/there"), t.at("mnt/twice"))
            for cross in ("yes", "no"):
                with Daemon({"t": {"path": t, "one_file_system": cross}}) as d:
                    for args in (["-xb"], ["-x"], ["-xsb"]):
                        compare(ours(d, *args, t.path), du(*args, t.path), (cross, args))
                    if cross == "no":
                        wanted = subprocess.run(["du", "-0b", t.path], capture_output=True).stdout.split(b"\0")
                        compare(ours(d, "-b", t.path), sorted(x for x in wanted if x), "everything")
                        compare(ours(d, "-xb", t.at("mnt")), du("-b", t.at("mnt")), "the other one alone")
        finally:
            subprocess.run(["umount", t.at("mnt")], check=True)


def test_what_is_not_there_and_bad_usage():
    with Tree() as t:
        t.write("a", "x")
        with Daemon({"t": t}) as d:
            r = d.trawl("du", "-b", "-d0", t.at("none"), t.at("a"))
            assert r.returncode == 1 and b"not in the index" in r.stderr and r.stdout == b"1\t" + os.fsencode(t.at("a")) + b"\n", r
            for args in (["-s", "-a"], ["-s", "-d1"], ["-d", "x"], ["--frobnicate"]):
                r = d.trawl("du", *args, t.path)
                assert r.returncode == 2 and r.stderr.count(b"\n") == 1, (args, r)
            many = [t.at("a")] * 2500
            assert d.trawl("du", "-b", *many).stdout.count(b"\n") == 2500
            assert d.trawl("du", "-c", *many).returncode == 2
            with d.connect() as c:
                for members in ({}, {"paths": []}, {"paths": [1]}, {"paths": "x"}, {"paths": [t.path], "depth": -1},
                                {"paths": [t.path], "total": 1}):
                    try:
                        c.ask("du", **members)
                    except Refused as e:
                        assert e.code == "bad-request", (members, e)
                        continue
                    raise AssertionError(members)
                a = c.ask("du", paths=[t.path], depth=99, files=True, limit=1, unheard_of=7)
                assert a["n"] == 1 and a["more"] is True and a["why"] == "limit" and len(a["rows"]) == 1, a


main()
