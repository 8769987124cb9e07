"""Contents as the configuration wants them: indexed, scanned or not; and what could not be read is said."""
import os
import subprocess

from box import Daemon, Tree, main, need, need_root, same, until

NOBODY = 65534


def content(d):
    return d.roots()["t"]["content"]


def words(t):
    for i in range(40):
        t.write(f"d/f{i}", f"common word{i}end\n")
    t.write("binary", b"common\0")
    return [os.fsencode(t.at(f"d/f{i}")) for i in range(40)]


def texts(d):
    return [n for n in os.listdir(os.path.join(d.state, "segments")) if n.startswith("text-")]


def reload(d, t, **settings):
    d.write_config({"t": {"path": t, **settings}})
    d.reload()
    d.wait_indexed()


def test_what_cannot_be_read_is_counted_and_read_once_it_can():
    need_root()
    with Tree() as t:
        os.chmod(t.path, 0o755)
        words(t)
        secret = t.write("secret", "a secret word\n")
        os.chmod(secret, 0)
        with Daemon({"t": t}, user=NOBODY) as d:
            c = content(d)
            assert (c["files"], c["files_done"], c["unreadable"], c["binary"]) == (42, 41, 1, 1), c
            assert b"41 files" in d.trawl("status").stdout and b"1 could not be read" in d.trawl("status").stdout
            assert b"could not be opened" in d.trawl("why", secret).stdout
            assert d.search("content:secret") == []
            os.chmod(secret, 0o644)
            d.rescan()
            assert (content(d)["files_done"], content(d)["unreadable"]) == (42, 0), content(d)
            assert d.search("content:secret") == [secret]


def test_a_reload_changes_how_contents_are_searched():
    with Tree() as t:
        wanted = sorted(words(t))
        with Daemon({"t": {"path": t, "content": "scan"}}) as d:
            assert content(d) == {"mode": "scan", "state": "off"} and not texts(d)
            same(d.search("content:common"), wanted, "each question reads")
            reload(d, t, content="yes")
            assert content(d)["gram"] == 4 and content(d)["files_done"] == 41 and len(texts(d)) == 1
            same(d.search("content:common"), wanted, "by the index")
            size = content(d)["segment_bytes"]
            reload(d, t, content="yes", gram="3")
            assert content(d)["gram"] == 3 and content(d)["files_done"] == 41
            assert content(d)["segment_bytes"] != size
            same(d.search("content:common"), wanted, "by grams of three")
            reload(d, t, content="no")
            until(lambda: not texts(d), "the index of contents goes")
            assert d.search("content:common") == []


def test_a_question_while_contents_are_read_is_answered_and_says_what_is_missing():
    need("rg")
    with Tree() as t:
        for i in range(3000):
            t.write(f"d{i % 30}/f{i}", f"common word{i}end\n" * 200)
        with Daemon({"t": t}, start=False) as d:
            d.start(indexed=False)
            while content(d)["state"] == "reading":
                a = d.ask("search", q="content:word77end", limit=0)
                assert a["n"] == 1 or a["skipped"].get("pending") or a["stale"] == ["t"], a
            r = subprocess.run(["rg", "-l", "-0", "word77end", t.path], capture_output=True)
            same(d.search("content:word77end"), sorted(p for p in r.stdout.split(b"\0") if p), "when all is read")


main()
