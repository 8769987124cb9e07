"""Names and metadata: every field of the query language against find(1) on a hostile tree."""
import os
import re
import subprocess
import time

import hostile
from box import Daemon, Refused, Tree, find, main, same, scale, text_of

DAY = 86400


def below(root, path):
    """What a bare word is looked for in: "/" and the path below the root."""
    return path[len(os.fsencode(root)):] or b"/"


def base(path):
    return path.rsplit(b"/", 1)[1]


def pairs(root):
    """Queries with the expression of find that means the same."""
    a_file = next(p for p in find(root, "-type", "f") if re.fullmatch(rb"[\w/.-]+", p))
    inode = os.stat(a_file).st_ino
    return [
        ("*", []),
        ("type:f", ["-type", "f"]),
        ("type:d", ["-type", "d"]),
        ("type:l", ["-type", "l"]),
        ("type:p", ["-type", "p"]),
        ("type:s", ["-type", "s"]),
        ("type:fl", ["(", "-type", "f", "-o", "-type", "l", ")"]),
        ("type:file,dir", ["(", "-type", "f", "-o", "-type", "d", ")"]),
        ("-type:f", ["!", "-type", "f"]),
        ("NOT type:d", ["!", "-type", "d"]),
        ("size:0", ["-size", "0c"]),
        ("size:>0", ["!", "-size", "0c"]),
        ("type:f size:<100", ["-type", "f", "-size", "-100c"]),
        ("size:>1m", ["-size", "+1048576c"]),
        ("size:>=3", ["-size", "+2c"]),
        ("size:1k..8k", ["-size", "+1023c", "-size", "-8193c"]),
        ("size:..2k", ["-size", "-2049c"]),
        ("size:1g..", ["-size", "+1073741823c"]),
        ("links:1", ["-links", "1"]),
        ("links:>1", ["-links", "+1"]),
        ("type:f links:2", ["-type", "f", "-links", "2"]),
        (f"inode:{inode}", ["-inum", str(inode)]),
        ("perm:644", ["-perm", "644"]),
        ("perm:-600", ["-perm", "-600"]),
        ("perm:/111", ["-perm", "/111"]),
        ("perm:4755", ["-perm", "4755"]),
        ("user:0", ["-uid", "0"]),
        ("user:123456", ["-uid", "123456"]),
        ("user:root", ["-user", "root"]),
        ("group:99999", ["-gid", "99999"]),
        ("group:root -user:root", ["-group", "root", "!", "-user", "root"]),
        ("depth:1", ["-mindepth", "1", "-maxdepth", "1"]),
        ("depth:<3", ["-maxdepth", "2"]),
        ("depth:2..4", ["-mindepth", "2", "-maxdepth", "4"]),
        ("empty:yes", ["-empty"]),
        ("empty:no", ["!", "-empty"]),
        ("mtime:<7d", ["-newermt", f"@{time.time() - 7 * DAY:.3f}"]),
        ("mtime:>7d", ["!", "-newermt", f"@{time.time() - 7 * DAY:.3f}"]),
        ("mtime:2001-01-01..2010-12-31", ["-newermt", "2000-12-31 23:59:59.999999999", "!", "-newermt",
                                         "2010-12-31 23:59:59.999999999"]),
        ("mtime:<2001-09-09", ["!", "-newermt", "2001-09-08 23:59:59.999999999"]),
        ("ext:c", ["-name", "?*.[cC]", "!", "-type", "d"]),
        ("ext:c,h", ["-name", "?*.[cChH]", "!", "-type", "d"]),
        ("ext:gz type:f", ["-name", "?*.gz", "-type", "f"]),
        ("ext:txt", ["-iname", "?*.txt", "!", "-type", "d"]),
        ("name:*.c", ["-iname", "*.c"]),
        ("name:*.C", ["-name", "*.C"]),
        ("name:alpha*", ["-iname", "alpha*"]),
        ("name:?[a-c]*", ["-iname", "?[a-c]*"]),
        (r"name:\*", ["-name", r"*\**"]),
        ('name:"a b"', ["-name", "*a b*"]),
        ("case:yes name:needle", ["-name", "*needle*"]),
        ("case:no name:NEEDLE", ["-iname", "*needle*"]),
        ("name:Needle", ["-name", "*Needle*"]),
        (f'in:"{root}" type:f', ["-type", "f"]),
        (f'in:"{root}" depth:1', ["-mindepth", "1", "-maxdepth", "1"]),
        ("(ext:c | ext:h) size:>10", ["-name", "?*.[cChH]", "!", "-type", "d", "-size", "+10c"]),
        ("type:f -(ext:c | ext:txt)", ["-type", "f", "!", "-iname", "?*.c", "!", "-iname", "?*.txt"]),
        ("type:f | type:l | type:p", ["(", "-type", "f", "-o", "-type", "l", "-o", "-type", "p", ")"]),
        ("root:t type:d", ["-type", "d"]),
        ("root:other", ["-false"]),
    ]


def predicates(root):
    """Queries whose meaning find cannot say."""
    def low(p):
        return below(root, p).lower()

    return [
        ("alpha", lambda p: b"alpha" in low(p)),
        ("alpha beta", lambda p: b"alpha" in low(p) and b"beta" in low(p)),
        ("alpha | beta", lambda p: b"alpha" in low(p) or b"beta" in low(p)),
        ("alpha -beta", lambda p: b"alpha" in low(p) and b"beta" not in low(p)),
        ("case:yes alpha", lambda p: b"alpha" in below(root, p)),
        ("path:Needle", lambda p: b"Needle" in below(root, p)),
        ("name:beta", lambda p: b"beta" in base(p).lower()),
        ('"new\nline"', lambda p: b"new\nline" in low(p)),
        ('"a b"', lambda p: b"a b" in low(p)),
        ("/alpha[0-9]+\\.c$/", lambda p: re.search(rb"alpha[0-9]+\.c\Z", low(p)) is not None),
        ("name:/^beta.*\\.h$/", lambda p: re.search(rb"^beta.*\.h\Z", base(p).lower(), re.S) is not None),
        ('name:"café"', lambda p: "café".encode() in base(p)),
        ("日本", lambda p: "日本".encode() in below(root, p)),
    ]


def check(c, root):
    everything = find(root)
    for q, expression in pairs(root):
        same(c.search(q), find(root, *expression), q)
    for q, wanted in predicates(root):
        # The root itself has no name below itself.
        same(c.search(q), [p for p in everything if wanted(p) and p != os.fsencode(root)], q)


def test_every_field_says_what_find_says():
    with Tree() as t:
        hostile.make(t.path, max(600, scale(100_000)), seed=7)
        with Daemon({"t": t}) as d, d.connect() as c:
            check(c, t.path)


def test_every_column_is_what_find_prints():
    fields = ["path", "type", "size", "blocks", "mtime", "ctime", "mode", "uid", "gid", "inode", "links", "depth",
              "name", "user", "group"]
    with Tree() as t:
        hostile.make(t.path, 500, seed=8)
        with Daemon({"t": t}) as d:
            rows = d.ask("search", q="*", limit=0, fields=fields)["rows"]
        out = subprocess.run(["find", t.path, "-printf", r"%p\0%y\0%s\0%b\0%T@\0%C@\0%m\0%U\0%G\0%i\0%n\0%d\0%f\0%u\0%g\0"],
                             capture_output=True, check=True).stdout.split(b"\0")
        wanted = {}
        for i in range(0, len(out) - 1, len(fields)):
            row = dict(zip(fields, out[i:i + len(fields)]))
            wanted[row["path"]] = row
        assert len(rows) == len(wanted), (len(rows), len(wanted))
        for row in rows:
            got = dict(zip(fields, [text_of(v) for v in row]))
            w = wanted[got["path"]]
            for f in fields:
                value = got[f]
                if f in ("mtime", "ctime"):
                    seconds, _, fraction = w[f].partition(b".")
                    assert int(value) == int(seconds) * 10**9 + int(fraction[:9]), (row, w)
                elif f == "mode":
                    assert value == int(w[f], 8), (row, w)
                elif f == "name" and got["depth"] == 0:
                    pass  # the root: find prints its last component
                elif isinstance(value, int):
                    assert value == int(w[f]), (f, row, w)
                else:
                    assert value == w[f], (f, row, w)


def test_sorts_as_asked():
    with Tree() as t:
        hostile.make(t.path, 400, seed=9)
        with Daemon({"t": t}) as d, d.connect() as c:
            for sort, key in [("size", lambda r: r[1]), ("size:desc", lambda r: -r[1]), ("mtime", lambda r: int(r[2])),
                              ("name", lambda r: text_of(r[3])), ("path", lambda r: text_of(r[0])),
                              ("size:desc,name", lambda r: (-r[1], text_of(r[3])))]:
                rows = c.ask("search", q="type:f", sort=sort, limit=0, fields=["path", "size", "mtime", "name"])["rows"]
                keys = [key(r) for r in rows]
                assert len(rows) > 100 and keys == sorted(keys), f"sort {sort}"
                top = c.ask("search", q="type:f", sort=sort, limit=7, fields=["path", "size", "mtime", "name"])["rows"]
                assert [key(r) for r in top] == keys[:7], f"sort {sort} with a limit"


def test_in_narrows_to_one_directory():
    with Tree() as t:
        hostile.make(t.path, 500, seed=10)
        with Daemon({"t": t}) as d, d.connect() as c:
            for directory in find(t.path, "-mindepth", "1", "-type", "d")[:25]:
                try:
                    name = directory.decode()
                except UnicodeDecodeError:
                    continue
                q = 'in:"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
                same([p for p in c.search(q) if p != directory], find(directory, "-mindepth", "1"), q)


def test_dupes_are_equal_files():
    with Tree() as t:
        for i in range(6):
            t.write(f"same{i}", "the same content\n")
        t.write("other", "the same_content\n")
        t.write("size", "something else x\n")
        with Daemon({"t": t}) as d:
            same(d.search("type:f dupe:yes"), [os.fsencode(t.at(f"same{i}")) for i in range(6)], "dupe:yes")
            same(d.search("type:f dupe:no"), [os.fsencode(t.at(n)) for n in ("other", "size")], "dupe:no")


def test_bad_queries_point_at_the_column():
    with Tree() as t:
        t.write("x")
        with Daemon({"t": t}) as d, d.connect() as c:
            for q, column in [('alpha "beta', 7), ("(a | b", 1), ("size:>x", 7), ("nam:x", 1), ("type:z", 6), ("a )", 3),
                              ("name:/[/", None), ("mtime:yesterdayish", 7), ("perm:999", 6), ("user:nosuchuser_x", 6),
                              ("x" * 9000, None), ("(" * 100 + "a" + ")" * 100, None), ("|", 1), ("size:", None)]:
                try:
                    c.search(q)
                    raise AssertionError(f"{q[:40]} was taken")
                except Refused as e:
                    assert e.code in ("bad-query", "limit", "too-long"), e
                    if column:
                        assert e.event["pos"] == column, (q, e)
                    assert e.event["msg"] and "\n" not in e.event["msg"], e


def test_rescan_sees_what_changed():
    with Tree() as t:
        hostile.make(t.path, 300, seed=11)
        with Daemon({"t": t}) as d:
            for i in range(50):
                t.write(f"new{i}/file{i}.c", "x")
            for p in find(t.path, "-type", "f", "-name", "alpha*"):
                os.unlink(p)
            d.rescan("t")
            same(d.search("*"), find(t.path), "after the rescan")


main()
