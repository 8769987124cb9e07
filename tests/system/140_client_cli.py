"""The command line: exit codes, forms of output, errors with a caret, pipes."""
import json
import os
import signal
import subprocess

import hostile
from box import TRAWL, Daemon, Tree, find, main, same, until


def lines(r):
    return sorted(x for x in r.stdout.split(b"\n") if x)


def make():
    t = Tree()
    for name in ("a.c", "b.c", "sub/c.h", "sub/deep/d.txt"):
        t.write(name, f"line one\nthe needle of {name}\nlast\n")
    t.write("empty")
    return t


def test_prints_paths_and_says_by_its_exit_code_whether_it_found_any():
    with make() as t, Daemon({"t": t}) as d:
        r = d.trawl("ext:c")
        assert r.returncode == 0 and r.stderr == b"", r
        same(lines(r), find(t.path, "-name", "*.c"), "plain")
        r = d.trawl("nosuchname_at_all")
        assert (r.returncode, r.stdout, r.stderr) == (1, b"", b""), r
        assert d.trawl("search", "ext:c").stdout == d.trawl("ext:c").stdout
        assert lines(d.trawl("type:f", "sub")) == find(t.at("sub"), "-type", "f")


def test_counts_limits_sorts_and_ends_with_nul():
    with make() as t, Daemon({"t": t}) as d:
        assert d.trawl("-c", "ext:c").stdout == b"2\n"
        r = d.trawl("-c", "nosuchname_at_all")
        assert (r.stdout, r.returncode) == (b"0\n", 1), r
        assert len(lines(d.trawl("-n", "1", "ext:c"))) == 1
        assert d.trawl("-0", "ext:c").stdout.count(b"\0") == 2
        r = d.trawl("--sort", "name:desc", "ext:c")
        assert [os.path.basename(x) for x in r.stdout.split()] == [b"b.c", b"a.c"], r
        out = d.trawl("--fields", "name,size", "name:a.c").stdout
        assert out == b"a.c\t%d\n" % os.path.getsize(t.at("a.c")), out


def test_json_is_one_object_a_row():
    with make() as t, Daemon({"t": t}) as d:
        rows = [json.loads(x) for x in d.trawl("--json", "type:f").stdout.splitlines()]
        same(sorted(r["path"].encode() for r in rows), find(t.path, "-type", "f"), "--json")
        assert all({"path", "type", "size", "mtime"} <= set(r) for r in rows), rows[0]


def test_grep_prints_as_grep_does():
    with make() as t, Daemon({"t": t}) as d:
        r = d.trawl("grep", "needle")
        wanted = subprocess.run(["grep", "-rnH", "needle", t.path], capture_output=True).stdout
        same(lines(r), sorted(wanted.splitlines()), "grep in a pipe is grep -rn")
        r = d.trawl("grep", "needle", "ext:c")
        assert len(lines(r)) == 2 and r.returncode == 0, r
        assert d.trawl("grep", "nosuchtext_at_all").returncode == 1
        assert d.trawl("grep", "(").returncode in (1, 2)


def test_a_bad_query_is_shown_with_a_caret():
    with make() as t, Daemon({"t": t}) as d:
        r = d.trawl("alpha size:>x")
        assert r.returncode == 2 and r.stdout == b"", r
        text = r.stderr.decode()
        caret = [x for x in text.splitlines() if x.strip() == "^"]
        query = [x for x in text.splitlines() if "alpha size:>x" in x and "^" not in x]
        assert caret and query, text
        assert query[-1][caret[-1].index("^")] in ">x", text


def test_usage_errors():
    with make() as t, Daemon({"t": t}) as d:
        for args in (["--nonsense", "x"], ["-n"], ["-n", "many", "x"], ["--sort", "nonsense", "ext:c"],
                     ["grep"], ["why"], ["stat"]):
            r = d.trawl(*args)
            assert r.returncode == 2 and r.stderr and r.stdout == b"", (args, r)


def test_a_request_that_is_too_long_is_refused_with_what_to_do():
    with make() as t, Daemon({"t": t}) as d:
        for args in (["grep", "-e", "x" * 100_000], ["x" * 100_000]):
            r = d.trawl(*args)
            text = r.stderr.decode()
            assert r.returncode == 2 and r.stdout == b"" and "longer than 65536 bytes" in text and "hint: " in text, (args[0], r)


def test_unreachable_and_denied():
    env = {**os.environ, "TRAWL_ADDRESS": "127.0.0.1:1"}
    r = subprocess.run([TRAWL, "x"], capture_output=True, env=env)
    assert r.returncode == 4 and b"127.0.0.1:1" in r.stderr and r.stderr.count(b"\n") <= 2, r
    env["TRAWL_ADDRESS"] = "/no/such/socket"
    r = subprocess.run([TRAWL, "status"], capture_output=True, env=env)
    assert r.returncode == 4 and b"/no/such/socket" in r.stderr, r
    env["TRAWL_ADDRESS"] = "nonsense"
    assert subprocess.run([TRAWL, "x"], capture_output=True, env=env).returncode in (2, 4)
    if os.geteuid() == 0:
        with make() as t, Daemon({"t": t}) as d:
            r = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", TRAWL, "ext:c"],
                               capture_output=True, env={**os.environ, "TRAWL_ADDRESS": d.address()})
            # The build directory may be closed to that user.
            assert r.returncode in (5, 126, 127), r
            assert r.stdout == b"", r


def test_the_unix_socket_serves_as_well():
    with make() as t, Daemon({"t": t}) as d:
        r = subprocess.run([TRAWL, "-c", "ext:c"], capture_output=True, env={**os.environ, "TRAWL_ADDRESS": d.unix})
        assert (r.stdout, r.returncode) == (b"2\n", 0), r


def test_a_reader_that_leaves_ends_it_quietly():
    with Tree() as t:
        hostile.many(t.path, 20_000)
        with Daemon({"t": t}) as d:
            p = subprocess.Popen(f"'{TRAWL}' type:f | head -n 3", shell=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env={**os.environ, "TRAWL_ADDRESS": d.address()})
            out, err = p.communicate(timeout=60)
            assert out.count(b"\n") == 3 and err == b"", (out, err)
            r = subprocess.run(f"'{TRAWL}' type:f >/dev/full", shell=True, capture_output=True,
                               env={**os.environ, "TRAWL_ADDRESS": d.address()})
            assert r.returncode != 0 and b"No space" in r.stderr or b"no space" in r.stderr, r


def test_a_pager_that_is_left_alone_loses_nothing():
    with Tree() as t:
        n = 200_000
        t.write("long.txt", "".join(f"line {i} of a long answer, which waits for its reader\n" for i in range(n)))
        with Daemon({"t": {"path": t, "content": "yes"}}, limits={"stall": "500ms"}) as d:
            p = subprocess.Popen([TRAWL, "grep", "a long answer"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env={**os.environ, "TRAWL_ADDRESS": d.address()})
            until(lambda: d.ask("status")["server"]["bytes_out"] >= 50 * n, "all is told, though nobody reads it")
            out, err = p.communicate(timeout=60)
            assert d.ask("status")["server"]["dropped_stalled"] == 0
            assert (p.returncode, err) == (0, b""), (p.returncode, err)
            assert out.count(b"\n") == n


def test_the_other_commands():
    with make() as t, Daemon({"t": t}) as d:
        assert t.path.encode() in d.trawl("roots").stdout
        assert b"trawld" in d.trawl("status").stdout or b"uptime" in d.trawl("status").stdout
        assert d.trawl("wait").returncode == 0
        assert d.trawl("stat", t.at("a.c")).returncode == 0
        r = d.trawl("why", t.at("a.c"))
        assert r.returncode == 0 and b"indexed" in r.stdout, r
        t.write("late.c")
        assert d.trawl("rescan").returncode == 0
        assert d.trawl("wait").returncode == 0
        d.rescan()
        assert len(lines(d.trawl("ext:c"))) == 3
        for command in ("search", "grep", "status", "roots", "why", "rescan", "wait", "stat"):
            r = d.trawl("help", command)
            assert r.returncode == 0 and b"usage" in r.stdout.lower() and r.stderr == b"", (command, r)
        assert d.trawl("--version").stdout.startswith(b"trawl ")


def test_interrupted_it_dies_of_the_signal():
    with make() as t, Daemon({"t": t}, start=False) as d:
        d.start()
        d.process.send_signal(signal.SIGSTOP)
        try:
            p = subprocess.Popen([TRAWL, "ext:c"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env={**os.environ, "TRAWL_ADDRESS": d.unix})
            try:
                p.wait(0.3)
                raise AssertionError("it should wait for its answer")
            except subprocess.TimeoutExpired:
                p.send_signal(signal.SIGINT)
            assert p.wait(5) in (-signal.SIGINT, 130)
        finally:
            d.process.send_signal(signal.SIGCONT)


main()
