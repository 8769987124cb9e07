"""SQL: statements over files and dirs against the same ones over real tables filled from find(1); what is refused;
limits; what the command line prints."""
import csv
import io
import json
import os
import sqlite3
import subprocess
import time

import hostile
from box import SANITIZED, SLOW, Daemon, Refused, Tree, find, main, scale, text_of

FILES = ["path", "name", "dir", "ext", "type", "size", "blocks", "mtime", "ctime", "mode", "user", '"group"', "uid",
         "gid", "inode", "links", "depth", "mtime_ns", "ctime_ns"]
TEXTS = {"path", "name", "dir", "ext", "type", "user", '"group"'}


def statement(c, q, **members):
    """(columns, rows, end) of a statement; texts as bytes."""
    columns, rows, end = None, [], None
    for e in c.events(c.send("sql", q=q, **{"limit": 0, **members})):
        if e["ev"] == "columns":
            columns = e["columns"]
        rows += [tuple(text_of(v) for v in row) for row in e.get("rows", [])]
        end = e
    return columns, rows, end


def wire(row):
    """A row as it travels: numbers that a double cannot hold are texts."""
    return tuple(str(v).encode() if isinstance(v, int) and abs(v) > 1 << 53 else v for v in row)


def refused(c, q, **members):
    try:
        statement(c, q, **members)
    except Refused as e:
        assert e.event["msg"] and "\n" not in e.event["msg"], e
        return e
    raise AssertionError(f"{q[:60]} was answered")


def nanoseconds(text):
    seconds, _, fraction = text.partition(b".")
    return int(seconds) * 10**9 + int(fraction[:9])


def extension(name, kind):
    return name[1:].rpartition(b".")[2] if kind != b"d" and b"." in name[1:] else b""


def oracle(root):
    """The tables of find's own words."""
    form = r"%p\0%f\0%h\0%y\0%s\0%b\0%T@\0%C@\0%m\0%u\0%g\0%U\0%G\0%i\0%n\0%d\0"
    words = subprocess.run(["find", root, "-printf", form], capture_output=True, check=True).stdout.split(b"\0")
    db = sqlite3.connect(":memory:")
    db.text_factory = bytes
    db.execute("CREATE TABLE files(" +
               ", ".join(f"{c} {'TEXT' if c in TEXTS else 'INTEGER'}" for c in FILES) + ")")
    insert = "INSERT INTO files VALUES(" + ", ".join("CAST(? AS TEXT)" if c in TEXTS else "?" for c in FILES) + ")"
    for i in range(0, len(words) - 1, 16):
        p, f, h, y, s, b, t, ct, m, u, g, uid, gid, ino, n, d = words[i:i + 16]
        mtime, ctime = nanoseconds(t), nanoseconds(ct)
        db.execute(insert, (p, f, h, extension(f, y), y, int(s), int(b), mtime // 10**9, ctime // 10**9, int(m, 8), u, g,
                            int(uid), int(gid), int(ino), int(n), int(d), mtime, ctime))
    return db


def statements(root):
    base = os.path.basename(root)
    dirs = [os.fsdecode(p) for p in find(root, "-mindepth", "1", "-type", "d")]
    some = next(d for d in dirs if d.isascii() and d.isprintable() and "'" not in d)
    return [
        "select " + ", ".join(FILES) + " from files",
        "select count(*), sum(size), sum(blocks), min(mtime), max(ctime_ns) from files",
        "select path from files where type = 'f' and size > 100",
        "select path from files where size between 10 and 5000 order by size, path",
        "select path, size from files where type = 'f' order by size desc, path limit 25",
        "select path from files where name like '%ALPHA%'",
        "select path from files where name like 'alpha%.c'",
        "select path from files where name glob '*[0-9].h'",
        "select path from files where name not like '%a%' and name glob '*.*'",
        f"select path from files where path like '{some}/%'",
        f"select path from files where path glob '{some}/*' and type = 'f'",
        f"select path from files where path like '%/{base}/%' and ext = 'c'",
        f"select path from files where dir = '{some}'",
        f"select path from files where path = '{some}' or name = '{base}'",
        "select path from files where ext in ('c', 'h', 'txt') and links = 1",
        "select path from files where links > 1 order by inode, path",
        "select inode, count(*), min(path) from files where type <> 'd' group by inode having count(*) > 1",
        "select ext, count(*), sum(size) from files where type = 'f' group by ext order by 3 desc, 1",
        "select type, mode, count(*) from files group by type, mode",
        "select user, \"group\", count(*) from files group by 1, 2 order by 1, 2",
        "select path from files where mtime < 1000000000",
        "select path from files where mtime >= 1000000000 and mtime_ns <= 1300000000123456789",
        "select strftime('%Y', mtime, 'unixepoch') y, count(*) from files group by y",
        "select path from files where mode & 2 = 2 or uid <> 0",
        "select depth, count(*) from files group by depth order by depth",
        "select d.path, count(*), sum(f.size) from files d join files f on f.dir = d.path where d.type = 'd' group by "
        "d.path",
        "select a.path, b.path from files a join files b on a.size = b.size and a.path < b.path where a.size > 3000 "
        "and b.size > 3000 and a.type = 'f' and b.type = 'f'",
        "select path from files where type = 'd' and path not in (select dir from files)",
        "select dir, name, size from (select *, row_number() over (partition by dir order by size desc, name) n from "
        "files where type = 'f') where n <= 2",
        "select distinct name from files order by name limit 100",
        "select name, count(*) n from files group by name having n > 1 order by n desc, name",
        "select length(name) l, hex(max(name)) from files group by l",
        "select path from files order by path",
        "select path from files order by mtime_ns, path",
        "with recursive up(p, n) as (select max(path), 0 from files union all select dir, n + 1 from up join files on "
        "path = p) select * from up",
    ]


def test_statements_answer_as_over_real_tables():
    with Tree() as t:
        hostile.make(t.path, max(500, scale(50_000)), seed=18)
        with Daemon({"t": t}) as d, d.connect() as c:
            db = oracle(t.path)
            for q in statements(t.path):
                _, rows, end = statement(c, q)
                wanted = [wire(r) for r in db.execute(q)]
                assert end["n"] == len(rows) and end["more"] is False, (q, end)
                if "order by" not in q or "over (" in q:
                    rows, wanted = sorted(rows), sorted(wanted)
                assert rows == wanted, (q, len(rows), len(wanted), [x for x in rows if x not in wanted][:2],
                                        [x for x in wanted if x not in rows][:2])


def test_sums_of_directories_are_those_of_du():
    with Tree() as t:
        hostile.make(t.path, 600, seed=19)
        for i in range(20):
            t.write(f"links/{i % 4}/file{i}", "x" * 5000 * i)
        for i in range(0, 20, 2):
            os.makedirs(t.at("links", str((i + 1) % 4)), exist_ok=True)
            os.link(t.at("links", str(i % 4), f"file{i}"), t.at("links", str((i + 1) % 4), f"link{i}"))
        with Daemon({"t": t}) as d, d.connect() as c:
            _, rows, _ = statement(c, "select path, size, blocks, n_entries, n_children from dirs")
            dirs = {r[0]: r[1:] for r in rows}
            every = find(t.path, "-type", "d")
            assert set(dirs) == set(every), (len(dirs), len(every))
            chosen = every[:10] + [p for p in every if b"/links" in p] + every[::max(1, len(every) // 20)]
            for p in chosen:
                def du(*option, path=p):
                    out = subprocess.run(["du", "-xs0", *option, path], capture_output=True, check=True).stdout
                    return int(out.split(b"\t")[0])
                entries, children = len(find(p, "-mindepth", "1")), len(os.listdir(p))
                wanted = (du("-b"), du("-B512"), entries, children)
                assert dirs[p] == wanted, (p, dirs[p], wanted)


def test_the_index_decides_what_it_can():
    with Tree() as t:
        for i in range(3000):
            t.write(f"d{i % 30}/file{i}.{'ch'[i % 2]}", "x" * (i % 100))
        with Daemon({"t": t}) as d, d.connect() as c:
            for q, most in [("where size = 99", 30), ("where name = 'file77.h'", 3), ("where ext = 'none'", 0),
                            (f"where dir = '{t.path}/d3'", 100), (f"where path = '{t.path}/d3/file3.h'", 1),
                            ("where mtime < 1000000", 0), ("where name like '%2999%'", 3), ("where uid = 4711", 0)]:
                _, rows, end = statement(c, f"select path from files {q}")
                assert end["scanned"] <= most, (q, end["scanned"], len(rows))
            _, rows, end = statement(c, f"select count(*) from files('{t.path}/d7')")
            assert rows == [(100,)] and end["scanned"] == 100, (rows, end)
            _, plan, _ = statement(c, "explain query plan select 1 from files where size > 5 and name like 'x%'")
            assert b"size>? name like ?" in plan[0][3], plan


def test_everything_but_questions_is_refused():
    with Tree() as t:
        t.write("x")
        with Daemon({"t": t}) as d, d.connect() as c:
            catalog = next(os.path.join(p, n) for p, _, names in os.walk(d.state) for n in names
                           if n.endswith((".db", ".sqlite", "catalog")))
            for q in [f"attach '{catalog}' as c", f"attach 'file:{catalog}?mode=ro' as c", "vacuum into '/tmp/stolen.db'",
                      "pragma database_list", "pragma temp_store_directory='/tmp'", "select load_extension('/tmp/x.so')",
                      "select * from pragma_database_list", "select count(*) from pragma_database_list",
                      "select count(*) from sqlite_schema", "insert into files(path) values('x')", "delete from dirs",
                      "create table x(y)", "create temp table x(y)", "create virtual table x using fts5(y)", "begin",
                      "update files set size = 1", "drop table files", "select writefile('/tmp/x', 'y')",
                      "select readfile('/etc/passwd')", "select 1; drop table files", "", ";", "select ?",
                      "select * from dbstat", "select fts3_tokenizer('x', x'00')", "detach main", "analyze", "reindex"]:
                e = refused(c, q)
                assert e.code == "bad-query", (q, e)
            assert not os.path.exists("/tmp/stolen.db")
            e = refused(c, "select path frm files")
            assert e.event["pos"] == 17, e
            e = refused(c, "select pth from files")
            assert e.event["pos"] == 8 and "single quotes" in e.event["hint"], e
            assert refused(c, "x" * 20000).code == "limit"
            assert refused(c, 17).code == "bad-request"
            assert statement(c, "select count(*) from files")[1] == [(2,)]


def test_statements_without_end_end():
    endless = "with recursive n(i) as (values(1) union all select i + 1 from n) "
    with Tree() as t:
        for i in range(300):
            t.write(f"f{i}")
        with Daemon({"t": t}) as d, d.connect() as c:
            for q in [endless + "select max(i) from n", "select count(*) from files a, files b, files c, files d where "
                      "a.size + b.size + c.size + d.size < 0"]:
                began = time.monotonic()
                assert refused(c, q, timeout_ms=300).code == "timeout"
                assert time.monotonic() - began < 3 * SLOW, q
            assert refused(c, endless + "select group_concat(i) from n", timeout_ms=300).code in ("limit", "timeout")
            assert refused(c, "select group_concat(a.path || b.path) from files a, files b",
                           timeout_ms=60000).code == "limit"
            if not SANITIZED:  # a quarter of a GiB of small pieces
                assert refused(c, endless + "select i, hex(randomblob(999)) from n order by 2",
                               timeout_ms=60000).code == "limit"
            # Rows without end are cut where the client says, and stop when it goes away.
            _, rows, end = statement(c, endless + "select i from n", limit=5000)
            assert rows == [(i,) for i in range(1, 5001)] and end["more"] and end["why"] == "limit", end
            request = c.send("sql", q=endless + "select max(i) from n")
            c.send("cancel", target=request)
            try:
                list(c.events(request))
                raise AssertionError("a canceled statement ended well")
            except Refused as e:
                assert e.code == "canceled", e


def test_a_client_that_does_not_read_holds_no_worker():
    endless = "with recursive n(i) as (values(1) union all select i + 1 from n) select i, hex(zeroblob(500)) from n"
    with Tree() as t:
        t.write("x")
        with Daemon({"t": t}) as d:
            slow = [d.connect() for _ in range(6)]
            for c in slow:
                c.send("sql", q=endless, limit=0, timeout_ms=60000)
            with d.connect() as c:
                for _ in range(20):
                    assert statement(c, "select count(*) from files")[1] == [(2,)]
            lines = [slow[0].event() for _ in range(30)]
            values = [row[0] for e in lines for row in e.get("rows", [])]
            assert values == list(range(1, len(values) + 1)), values[:5]
            for c in slow:
                c.close()


def test_the_command_line_prints_what_is_expected():
    with Tree() as t:
        t.write("a.c", "12345")
        t.write("b, \"c\"\n.txt", "x")
        with Daemon({"t": t}) as d:
            r = d.trawl("sql", "select name, size, null, 1.5, 0.1 + 0.2 from files where name = 'a.c'")
            assert (r.returncode, r.stdout, r.stderr) == (0, b"a.c\t5\t\t1.5\t0.30000000000000004\n", b""), r
            r = d.trawl("sql", "-H", "select name n, size from files where ext = 'c'")
            assert r.stdout == b"n\tsize\na.c\t5\n", r
            r = d.trawl("sql", "select", "name", "from files where type = 'f' order by name", "-0")
            assert r.stdout == b"a.c\0b, \"c\"\n.txt\0", r
            r = d.trawl("sql", "--format=csv", "select name, size from files where type = 'f' order by name")
            table = list(csv.reader(io.StringIO(r.stdout.decode(), newline="")))
            assert table == [["name", "size"], ["a.c", "5"], ['b, "c"\n.txt', "1"]], table
            r = d.trawl("sql", "--json", "select name, size, 2.0 r, null z from files where ext = 'c'")
            assert json.loads(r.stdout) == {"name": "a.c", "size": 5, "r": 2.0, "z": None}, r
            r = d.trawl("sql", "--format=table", "select name, size from files where type = 'f' order by name")
            assert r.stdout.decode().splitlines() == ['name          size', '------------  ----', 'a.c              5',
                                                      'b, "c"\\n.txt     1'], r.stdout.decode()
            assert d.trawl("sql", "select 1 where 0").returncode == 1
            r = d.trawl("sql", "select pth from files")
            assert r.returncode == 2 and b"no such column: pth" in r.stderr and b"\n           ^" in r.stderr, r
            r = d.trawl("sql", "delete from files")
            assert r.returncode == 2 and b"may not be modified" in r.stderr, r
            r = d.trawl("sql", "-n", "3", "select 1 union all select 2 union all select 3 union all select 4")
            assert r.stdout == b"1\n2\n3\n", r
            r = d.trawl("sql", "--stats", "select count(*) from files")
            assert r.stdout == b"3\n" and b"1 rows of 3 looked at" in r.stderr, r
            r = d.trawl("sql", input=b"select count(*)\nfrom files -- all\n")
            assert r.stdout == b"3\n", r


main()
