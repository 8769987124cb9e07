"""The daemon starts, says hello in every way, and answers the simplest question."""
import json
import os
import subprocess

from box import TRAWLD, Daemon, Tree, main, need, text_of, until


def test_says_where_it_listens_and_greets():
    with Tree() as t, Daemon({"t": t}) as d:
        t.write("x")
        assert d.address().startswith("127.0.0.1:"), d.address()
        assert f"listening on {d.address()}" in d.log(), d.log()
        for unix in (False, True):
            with d.connect(unix=unix) as c:
                hello = c.ask("hello", v=1, client="test")
                assert hello["v"] == 1, hello
                assert hello["server"].startswith("trawld "), hello
                assert hello["as"] == f"uid:{os.geteuid()}", hello
                assert hello["clock"].startswith("c:"), hello
                assert hello["limits"]["line_bytes"] >= 4096, hello
                assert "search" in json.dumps(hello["caps"]), hello


def test_needs_no_hello():
    with Tree() as t:
        t.write("a/b.c")
        with Daemon({"t": t}) as d:
            assert d.search("name:b.c") == [os.fsencode(t.at("a/b.c"))]


def test_one_line_of_nc_is_answered_in_full():
    need("nc")
    with Tree() as t:
        for i in range(2000):
            t.write(f"d{i % 50}/sched_{i}.c")
        with Daemon({"t": t}) as d:
            host, _, port = d.address().rpartition(":")
            # -N closes its half after the input: the answer must come in full all the same.
            r = subprocess.run(["nc", "-N", host, port], capture_output=True, timeout=60,
                               input=b'{"id":1,"op":"search","q":"ext:c sched","limit":0}\n')
            events = [json.loads(x) for x in r.stdout.splitlines()]
            assert events[-1]["ev"] == "end" and events[-1]["n"] == 2000, events[-1]
            assert not events[-1]["more"] and events[-1]["id"] == 1, events[-1]
            rows = [row for e in events if e["ev"] == "rows" for row in e["rows"]]
            assert len({text_of(r[0]) for r in rows}) == 2000
            assert all(len(line) <= 70_000 for line in r.stdout.splitlines())


def test_several_requests_on_one_connection_each_end_once():
    with Tree() as t:
        for i in range(300):
            t.write(f"f{i}.c", "needle\n")
        with Daemon({"t": t}) as d, d.connect() as c:
            ids = [c.send(op, **more) for op, more in
                   [("ping", {}), ("search", {"q": "ext:c"}), ("grep", {"q": "", "pattern": "needle"}),
                    ("status", {}), ("roots", {}), ("nonsense", {}), ("help", {}), ("stat", {"path": t.at("f1.c")}),
                    ("why", {"path": t.at("f1.c")}), ("search", {"q": "ext:("})]]
            ends = {}
            while len(ends) < len(ids):
                e = c.event()
                if e["ev"] in ("end", "error"):
                    assert e["id"] not in ends, f"two ends for {e}"
                    ends[e["id"]] = e
            assert sorted(ends) == ids
            assert ends[ids[5]]["code"] == "unknown-op", ends[ids[5]]
            assert ends[ids[9]]["code"] == "bad-query" and ends[ids[9]]["pos"] >= 1, ends[ids[9]]
            assert all(ends[i]["ev"] != "error" for n, i in enumerate(ids) if n not in (5, 9)), ends


def test_answers_carry_the_truth_about_themselves():
    with Tree() as t:
        for i in range(30):
            t.write(f"f{i}")
        with Daemon({"t": t}) as d:
            a = d.ask("search", q="type:f", limit=10, count="exact", fields=["path", "size", "mtime", "type"])
            assert a["n"] == 10 and a["more"] is True and a["why"] == "limit", a
            assert a["total"] == {"n": 30, "exact": True}, a
            assert a["stale"] == [] and a["took_us"] >= 0 and a["clock"].startswith("c:"), a
            path, size, mtime, kind = a["rows"][0]
            st = os.stat(path)
            assert (size, int(mtime), kind) == (st.st_size, st.st_mtime_ns, "f"), a["rows"][0]


def test_status_names_the_roots_and_the_memory():
    with Tree() as t:
        t.write("a", "x")
        with Daemon({"t": t}) as d:
            s = d.ask("status")
            assert s["pid"] == d.process.pid and s["memory"]["rss"] > 0, s
            root = next(r for r in s["roots"] if r["name"] == "t")
            assert root["state"] == "ready" and root["entries"] >= 2 and root["layers"] == 1, root


def test_status_tells_of_pools_channels_readers_and_threads():
    with Tree() as t:
        for i in range(40):
            t.write(f"d{i}/f", "x")
        with Daemon({"t": t}) as d:
            assert d.search("ext:nothing") == []
            s = d.ask("status")
            for pool in s["pools"].values():
                assert 0 <= pool["busy"] <= pool["threads"] and pool["stolen"] >= 0 and pool["sleeps"] > 0, pool
            assert s["pools"]["compute"]["query_tasks"] >= 2 and s["pools"]["io"]["index_tasks"] >= 1, s["pools"]
            assert s["pipeline"]["walks"] == s["pipeline"]["commits"] == 1 and s["pipeline"]["merges"] == 0, s["pipeline"]
            assert s["pipeline"]["batches"] >= 1 and s["pipeline"]["most_bytes"] > 0, s["pipeline"]
            assert s["server"]["mails"] >= 2 and s["server"]["mail_waits"] == 0, s["server"]
            assert s["snapshots"]["live"] >= 1 and s["snapshots"]["stale_us"] < 60e6, s["snapshots"]
            assert s["epoch"]["deferred"] >= s["epoch"]["freed"], s["epoch"]
            # The worker that answers is busy; the root's thread and the catalog's wait for work soon.
            assert any(name.startswith("compute/") for name in s["threads"]["busy"]), s["threads"]
            until(lambda: not {"root/t", "catalog"} & set(d.ask("status")["threads"]["busy"]), "both are idle")
            pools = sum(pool["threads"] for pool in s["pools"].values())
            # Those two, the one that drains the kernel's queue, the one that it tells, and the one that awaits mounts.
            assert s["threads"]["running"] == pools + 5, s["threads"]


def test_version_and_help_go_to_stdout():
    for option, text in (("--version", "trawld "), ("--help", "usage:")):
        r = subprocess.run([TRAWLD, option], capture_output=True, text=True)
        assert r.returncode == 0 and text in r.stdout and r.stderr == "", r
    r = subprocess.run([TRAWLD, "--nonsense"], capture_output=True, text=True)
    assert r.returncode == 2 and r.stdout == "", r


main()
