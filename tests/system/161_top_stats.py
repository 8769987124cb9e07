"""`trawl top` and `trawl stats` against find, du and arithmetic."""
import collections
import os
import stat
import subprocess
import time

import hostile
from box import Daemon, Refused, Tree, find, main, scale, text_of

TYPES = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFIFO: "p", stat.S_IFSOCK: "s"}


def lstats(root, *expression):
    return {p: os.lstat(p) for p in find(root, *expression)}


def extension(path, st):
    name = os.path.basename(path)
    if stat.S_ISDIR(st.st_mode) or b"." not in name[1:]:
        return b""
    return name[1:].rsplit(b".", 1)[1].lower()


def groups(entries, key):
    sums = collections.defaultdict(lambda: [0, 0, 0])
    for path, st in entries.items():
        g = sums[key(path, st)]
        g[0] += 1
        g[1] += st.st_size
        g[2] += st.st_blocks
    return {k: tuple(v) for k, v in sums.items()}


def number(value):
    return int(value)


def asked(d, q, by, **members):
    a = d.ask("stats", q=q, by=by, limit=0, **members)
    assert a["complete"] and not a["more"] and a["groups"] == len(a["rows"]) == a["n"], a
    got = {text_of(r[0]): tuple(number(x) for x in r[1:]) for r in a["rows"]}
    total = tuple(sum(g[i] for g in got.values()) for i in range(3))
    assert total == tuple(number(a["total"][k]) for k in ("n", "size", "blocks")), a["total"]
    return got


def check_stats(d, root):
    for q, expression in (("", []), ("type:f", ["-type", "f"]), ("ext:c,txt", ["(", "-iname", "?*.c", "-o", "-iname", "?*.txt", ")",
                          "!", "-type", "d"]), ("size:>1k", ["-size", "+1024c"]), ("name:nothing-at-all", ["-false"])):
        entries = lstats(root, *expression)
        top = os.fsencode(os.path.abspath(root))
        for by, key in (
                ("none", lambda p, s: b""),
                ("ext", extension),
                ("type", lambda p, s: TYPES[stat.S_IFMT(s.st_mode)].encode()),
                ("user", lambda p, s: str(s.st_uid).encode()),
                ("root", lambda p, s: b"t"),
                ("dir", lambda p, s: os.path.dirname(p) if p != top else p)):
            got = asked(d, q, by)
            if by == "user":
                got = {str(uid_of(k)).encode(): v for k, v in got.items()}
            wanted = groups(entries, key)
            assert got == wanted, (q, by, set(got.items()) ^ set(wanted.items()))


def uid_of(name):
    import pwd
    return int(name) if name.isdigit() else pwd.getpwnam(name.decode()).pw_uid


def test_groups_are_those_of_find():
    with Tree() as t:
        hostile.make(t.path, max(600, scale(100_000)))
        with Daemon({"t": t}) as d:
            check_stats(d, t.path)
            os.rename(find(t.path, "-mindepth", "1", "-type", "d")[0], t.at("moved away"))
            t.write("new.txt", "x" * 3000)
            d.rescan()
            check_stats(d, t.path)


def test_ages_and_sizes_fall_into_buckets():
    ages = [("future", -100), ("<1h", 60), ("1h..1d", 7200), ("1d..1w", 3 * 86400), ("1w..1mo", 10 * 86400), ("1mo..3mo", 40 * 86400),
            ("3mo..1y", 200 * 86400), ("1y..2y", 400 * 86400), ("2y..5y", 1000 * 86400), (">5y", 3000 * 86400)]
    sizes = [("0", 0), ("<1k", 1), ("<1k", 1023), ("1k..10k", 1024), ("1k..10k", 10239), ("10k..100k", 10240), ("100k..1m", 1 << 17),
             ("1m..10m", 1 << 20), ("10m..100m", 10 << 20), ("100m..1g", 100 << 20), ("1g..10g", 1 << 30), (">10g", 10 << 30)]
    with Tree() as t:
        for i, (_, age) in enumerate(ages):
            t.write(f"age/{i}", "")
            os.utime(t.at(f"age/{i}"), (1, time.time() - age))
        for i, (_, size) in enumerate(sizes):
            t.write(f"size/{i}", "")
            os.truncate(t.at(f"size/{i}"), size)
        with Daemon({"t": t}) as d:
            got = asked(d, "type:f in:age", "age", sort="key")
            assert {k.decode(): v[0] for k, v in got.items()} == {k: 1 for k, _ in ages}, got
            rows = d.ask("stats", q="type:f in:age", by="age", sort="key")["rows"]
            assert [r[0] for r in rows] == [k for k, _ in ages], rows
            got = asked(d, "type:f in:size", "size")
            assert {k.decode(): v[0] for k, v in got.items()} == collections.Counter(k for k, _ in sizes), got


def test_directories_cut_to_a_depth():
    with Tree() as t:
        for p in ("top", "a/x", "a/y", "a/b/z", "a/b/c/w", "d/e/f/g"):
            t.write(p, "12345")
        with Daemon({"t": t}) as d:
            def names(**members):
                got = asked(d, "type:f", "dir", **members)
                return {k[len(t.path):].decode(): v[0] for k, v in got.items()}
            assert names() == {"": 1, "/a": 2, "/a/b": 1, "/a/b/c": 1, "/d/e/f": 1}
            assert names(depth=0) == {"": 6}
            assert names(depth=1) == {"": 1, "/a": 4, "/d": 1}
            assert names(depth=1, path=t.at("a")) == {"": 1, "/a": 2, "/a/b": 2, "/d/e": 1}
            out = d.trawl("stats", "-g", "dir", "-d", "1", "--in", t.at("a"), "-0", "type:f").stdout.split(b"\0")
            assert [x.split(b"\t")[0].strip() + b" " + x.split(b"\t")[3] for x in out if x] == [
                b"2 " + os.fsencode(t.at("a")), b"2 " + os.fsencode(t.at("a/b")), b"4 total"], out


def test_order_limit_and_the_rest():
    with Tree() as t:
        for i in range(1, 30):
            for k in range(i):
                t.write(f"e{i}/{k}.e{i:02}", "x" * (30 - i))
        with Daemon({"t": t}) as d:
            a = d.ask("stats", q="type:f", by="ext", sort="count", limit=3)
            assert [r[:2] for r in a["rows"]] == [["e29", 29], ["e28", 28], ["e27", 27]] and a["more"] and a["why"] == "limit", a
            assert a["groups"] == 29 and a["other"]["n"] == sum(range(27)) and a["total"]["n"] == sum(range(30)), a
            assert [r[0] for r in d.ask("stats", q="type:f", by="ext", sort="key", limit=2)["rows"]] == ["e01", "e02"]
            assert d.ask("stats", q="type:f", by="ext", limit=1)["rows"][0][0] == "e15"
            r = d.trawl("stats", "-g", "ext", "-n1", "-b", "type:f")
            assert b"other: 28 groups" in r.stdout and r.returncode == 0, r
            assert d.trawl("stats", "name:nothing").returncode == 1
            r = d.trawl("stats", "--json", "-g", "type")
            assert r.stdout.count(b"\n") == 3 and b'"sum":"total"' in r.stdout, r


def test_contents_and_too_many_groups():
    n = 70000
    with Tree() as t:
        for name, text in (("a.c", "needle"), ("b.c", "hay"), ("c.h", "a needle"), ("d", "needle\0")):
            t.write(f"text/{name}", text)
        for i in range(n):
            open(t.at(f"f.{i}"), "wb").close()
        with Daemon({"t": t}) as d:
            a = d.ask("stats", q="in:text content:needle", by="ext", sort="key")
            assert [r[:3] for r in a["rows"]] == [["c", 1, 6], ["h", 1, 8]] and a["skipped"] == {"binary": 1}, a
            a = d.ask("stats", q="name:f.*", by="ext", limit=0)
            assert not a["complete"] and a["groups"] == 65536 and a["more"], {k: a[k] for k in a if k != "rows"}
            assert a["total"]["n"] == n and a["other"]["n"] == n - 65536 == n - sum(r[1] for r in a["rows"])
            assert b"more than" in d.trawl("stats", "-g", "ext", "-n", "1", "name:f.*").stdout


def du(path, *args):
    return int(subprocess.run(["du", "-sx", *args, path], capture_output=True).stdout.split(b"\t")[0])


def children(root, depth, *expression):
    return find(root, "-mindepth", "1", *(["-maxdepth", str(depth)] if depth else []), *expression)


def check_top(d, root):
    for depth in (1, 2, 0):
        for kind, expression in (("any", []), ("dirs", ["-type", "d"]), ("others", ["!", "-type", "d"])):
            paths = children(root, depth, *expression)
            for by, measure in (("size", lambda p: du(p, "-B1", "--apparent-size")), ("blocks", lambda p: du(p, "-B512")),
                                ("entries", lambda p: len(find(p)))):
                a = d.ask("top", path=root, by=by, depth=depth, type=kind, limit=0)
                assert a["ranked"] == len(paths) == len(a["rows"]) and not a["more"], (a, len(paths))
                column = {"size": 2, "blocks": 3, "entries": 4}[by]
                got = {text_of(r[0]): int(r[column]) for r in a["rows"]}
                assert list(got.values()) == sorted(got.values(), reverse=True), "the largest first"
                if depth == 1 or kind == "dirs":
                    assert got == {p: measure(p) for p in paths}, (by, depth, kind)
                few = d.ask("top", path=root, by=by, depth=depth, type=kind, limit=3)
                assert few["rows"] == a["rows"][:3] and few["more"] == (len(paths) > 3), few


def test_the_largest_are_the_largest():
    with Tree() as t:
        hostile.make(t.path, 250)
        os.makedirs(t.at("links/x"))
        files = [p for p in find(t.path, "-type", "f", "-size", "+0")][:5]
        for i, p in enumerate(files):
            os.link(p, t.at(f"links/{i}"))
            os.link(p, t.at(f"links/x/{i}"))
        with Daemon({"t": t}) as d:
            check_top(d, t.path)
            r = d.trawl("top", "-n", "1", "-t", "dirs", "-b", t.path)
            best = max(children(t.path, 1, "-type", "d"), key=lambda p: du(p, "-B1", "--apparent-size"))
            assert r.stdout == b"%d\t%s/\n" % (du(best, "-B1", "--apparent-size"), best), r
            assert d.trawl("top", "--by", "count", cwd=t.path).returncode == 0
            assert d.trawl("top", t.at("nothing")).returncode == 1
            assert d.trawl("top", "--by", "weight").returncode == 2


def test_bad_requests():
    with Tree() as t:
        with Daemon({"t": t}) as d, d.connect() as c:
            for op, members, code in (("top", {}, "bad-request"), ("top", {"path": t.path, "by": "x"}, "bad-request"),
                                      ("top", {"path": t.path, "limit": 10001}, "bad-request"), ("top", {"path": "/no"}, "not-found"),
                                      ("stats", {"by": "x"}, "bad-request"), ("stats", {"q": "size:"}, "bad-query"),
                                      ("stats", {"by": "dir", "depth": 1, "path": "/no"}, "not-found"),
                                      ("stats", {"by": "dir", "depth": "1"}, "bad-request"), ("stats", {"sort": 1}, "bad-request")):
                try:
                    c.ask(op, **members)
                except Refused as e:
                    assert e.code == code, (op, members, e)
                    continue
                raise AssertionError((op, members))


main()
