"""What cannot be is said in one clear line, and nothing is lost or crashes."""
import glob
import os
import signal
import socket
import sqlite3
import subprocess

import hostile
from box import NOBODY, PATIENCE, TRAWLD, Daemon, Tree, find, main, need_root, same


def fails(d, *words, lines=1):
    """Starting it ends at once, not by a signal, with one line that holds all the words."""
    start = len(d.log()) if os.path.exists(d.log_file) else 0
    d.spawn()
    code = d.process.wait(PATIENCE)
    said = [x for x in d.log()[start:].splitlines() if x.strip()]
    troubles = [x for x in said if any(w in x for w in words)]
    assert code > 0, f"exit {code}; {said}"
    assert len(said) <= lines + 1 and troubles, f"{words}: {said}"
    for w in words:
        assert w in troubles[-1], f'"{w}" is not in: {troubles[-1]}'
    d.check_findings()


def config_fails(text, *words):
    with Tree() as t:
        t.write("c", text)
        r = subprocess.run([TRAWLD, "--check-config", "-c", t.at("c")], capture_output=True, text=True)
        assert r.returncode == 1 and r.stderr.count("\n") == 1, r
        for w in words:
            assert w in r.stderr, f'"{w}" is not in: {r.stderr}'


def test_configuration_errors_name_file_and_line():
    config_fails("[daemon]\nnonsense = 1\n", "c:2", "nonsense")
    config_fails("[nonsense]\n", "c:1", "nonsense")
    config_fails("state_dir = /x\n", "c:1")
    config_fails("[daemon]\nthreads = many\n", "c:2", "threads", "many")
    config_fails("[daemon]\n\n# comment\ngarbage\n", "c:4")
    config_fails("[root a]\npath = relative/x\n", "c:2", "relative/x")
    config_fails("[root a]\npath = /tmp\n[root b]\npath = /tmp\n", "/tmp")
    config_fails("[root a]\n", "a", "path")
    config_fails("[root a]\npath = /no/such/dir\n", "/no/such/dir")
    config_fails("[listen]\ntcp = 0.0.0.0:7411\n", "0.0.0.0")
    config_fails("[listen]\ntcp = 192.0.2.1:7411\n", "192.0.2.1")
    config_fails("[listen]\ntcp = 127.0.0.1:99999\n", "99999")
    config_fails("[listen]\nallow = nosuchuser_x\n", "nosuchuser_x")
    config_fails("[listen]\nallow = @nosuchgroup_x\n", "nosuchgroup_x")
    config_fails("[root a]\npath = /tmp\ncontent = perhaps\n", "c:3", "perhaps")
    config_fails("[root a]\npath = /tmp\ncontent_max_size = 1x\n", "c:3", "1x")
    config_fails("[daemon\n", "c:1")
    config_fails("[root a]\npath = /tmp\nexclude = " + "x" * 9000 + "\n", "c:3")
    config_fails("\0\1\2\n", "c:1")


def test_lines_of_eight_kibibytes_are_read_whole():
    with Tree() as t:
        t.write("keep")
        t.write("last_word")
        words = " ".join(f"word{i:04d}" for i in range(800))
        with Daemon({"t": {"path": t, "exclude": words + " last_word"}}) as d:
            assert d.search("type:f") == [os.fsencode(t.at("keep"))]


def test_what_is_dumped_can_be_read_again():
    with Tree() as t:
        with Daemon({"t": {"path": t, "exclude": "a b/ *.o"}}, start=False) as d:
            first = subprocess.run([TRAWLD, "--dump-config", "-c", d.file], capture_output=True, text=True)
            assert first.returncode == 0 and "exclude" in first.stdout, first
            t.write("again", first.stdout)
            second = subprocess.run([TRAWLD, "--dump-config", "-c", t.at("again")], capture_output=True, text=True)
            assert second.stdout == first.stdout, second


def test_drop_ins_replace_earlier_values():
    with Tree() as t:
        with Daemon({"t": t}, start=False) as d:
            os.mkdir(d.file + ".d")
            for name, level in (("10-a.conf", "debug"), ("20-b.conf", "error"), ("30-c.off", "warning")):
                with open(os.path.join(d.file + ".d", name), "w") as f:
                    f.write(f"[daemon]\nlog_level = {level}\n")
            r = subprocess.run([TRAWLD, "--dump-config", "-c", d.file], capture_output=True, text=True)
            assert "log_level = error" in r.stdout, r


def test_no_configuration_file():
    r = subprocess.run([TRAWLD, "-c", "/no/such/trawld.conf"], capture_output=True, text=True)
    assert r.returncode == 1 and r.stderr.count(" error ") == 1, r
    assert '"/no/such/trawld.conf"' in next(x for x in r.stderr.splitlines() if " error " in x), r


def test_a_root_that_is_missing_or_no_directory():
    with Tree() as t:
        t.write("file")
        with Daemon({"t": t}, start=False) as d:
            for path in (t.at("nosuch"), t.at("file")):
                d.write_config({"t": path})
                d.spawn()
                # Either it does not start, or it serves the rest and says so.
                try:
                    code = d.process.wait(2)
                    assert code > 0 and path in d.log(), (code, d.log())
                except subprocess.TimeoutExpired:
                    d.until_log(path)
                    d.stop()


def test_a_port_in_use():
    with Tree() as t, socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        with Daemon({"t": t}, start=False) as d:
            text = open(d.file).read().replace("127.0.0.1:0", f"127.0.0.1:{port}")
            open(d.file, "w").write(text)
            fails(d, str(port), "in use")


def test_a_second_daemon_on_the_same_state_directory():
    with Tree() as t:
        t.write("x")
        with Daemon({"t": t}) as d:
            address = d.address()
            with Daemon({"t": t}, state=d.state, start=False) as second:
                second.file, second.unix = second.file, d.unix + "2"
                text = open(second.file).read().replace("sock", "sock2")
                open(second.file, "w").write(text)
                with open(second.log_file, "ab") as log:
                    code = subprocess.run([TRAWLD, "-c", second.file], stdout=log, stderr=log, timeout=PATIENCE,
                                          env=second.environment()).returncode
                assert code > 0 and d.state in second.log(), (code, second.log())
            assert d.address() == address and len(d.search("*")) == 2, "the first is not disturbed"


def test_a_state_directory_that_cannot_be_written():
    need_root()
    with Tree() as t, Tree() as state:
        os.chmod(state.path, 0o755)
        with Daemon({"t": t}, start=False) as d:
            d.user = NOBODY
            d.state = state.path
            d.write_config({"t": t})
            fails(d, state.path)
    with Tree() as t, Daemon({"t": t}, start=False) as d:
        t.write("file")
        d.state = t.at("file", "below")
        text = open(d.file).read()
        open(d.file, "w").write("\n".join(x if not x.startswith("state_dir") else f"state_dir = {d.state}"
                                          for x in text.splitlines()))
        fails(d, "file")


def catalog_of(d):
    for path in glob.glob(os.path.join(d.state, "**"), recursive=True):
        if os.path.isfile(path):
            with open(path, "rb") as f:
                if f.read(16) == b"SQLite format 3\0":
                    return path
    raise AssertionError(f"no catalog in {os.listdir(d.state)}")


def test_a_catalog_of_a_newer_version():
    with Tree() as t:
        t.write("x")
        with Daemon({"t": t}) as d:
            d.stop()
            db = sqlite3.connect(catalog_of(d))
            db.execute("PRAGMA user_version = 9999")
            db.commit()
            db.close()
            fails(d, "newer")


def test_a_catalog_that_is_garbage():
    with Tree() as t:
        t.write("x")
        with Daemon({"t": t}) as d:
            d.stop()
            path = catalog_of(d)
            size = os.path.getsize(path)
            with open(path, "r+b") as f:
                f.write(b"garbage!" * (size // 8))
            for extra in glob.glob(path + "-*"):
                os.unlink(extra)
            d.spawn()
            try:
                # To end with a clear line is right; so is to set it aside, say so, and walk again.
                code = d.process.wait(3)
                assert code > 0 and f'error the catalog "{path}"' in d.log(), (code, d.log())
            except subprocess.TimeoutExpired:
                d.wait_indexed()
                assert len(d.search("*")) == 2


def segments(d):
    catalog = catalog_of(d)
    return [p for p in glob.glob(os.path.join(d.state, "**"), recursive=True)
            if os.path.isfile(p) and not p.startswith(catalog) and os.path.getsize(p) > 500]


def test_a_segment_truncated_or_damaged_anywhere_is_made_again():
    with Tree() as t:
        hostile.make(t.path, 400, seed=71)
        wanted = find(t.path)
        with Daemon({"t": t}) as d:
            def cut(f, size):
                f.truncate(size // 2)

            def empty(f, _):
                f.truncate(0)

            def grown(f, size):
                f.seek(size)
                f.write(b"more")

            def flip_at(part):
                def flip(f, size):
                    f.seek(int(size * part))
                    byte = f.read(1)
                    f.seek(int(size * part))
                    f.write(bytes([byte[0] ^ 0x41]))
                return flip

            for harm in [cut, empty, grown, flip_at(0), flip_at(0.001), flip_at(0.3), flip_at(0.5), flip_at(0.9),
                         flip_at(0.999)]:
                d.stop()
                found = segments(d)
                assert found, os.listdir(d.state)
                for path in found:
                    with open(path, "r+b") as f:
                        harm(f, os.path.getsize(path))
                d.start()
                same(d.search("*"), wanted, f"after {harm.__name__}")


def test_a_segment_that_is_gone_is_made_again():
    with Tree() as t:
        hostile.make(t.path, 100, seed=72)
        with Daemon({"t": t}) as d:
            d.stop()
            for path in segments(d):
                os.unlink(path)
            d.start()
            same(d.search("*"), find(t.path), "after the loss")


def test_the_state_directory_inside_a_root_is_not_indexed():
    with Tree() as t:
        t.write("x")
        state = t.at("deep", "state")
        os.makedirs(state)
        with Daemon({"t": t}, state=state) as d:
            inside = os.fsencode(state)
            got = d.search("*")
            assert not [p for p in got if p.startswith(inside + b"/")], got
            assert d.ask("why", path=state + "/trawl.lock")["reason"] == "own-directory"
            same([p for p in got if p != inside],
                 [p for p in find(t.path) if not p.startswith(inside)], "all the rest")


def test_files_that_are_not_ours_in_the_state_directory_are_left_alone():
    with Tree() as t:
        t.write("x")
        with Daemon({"t": t}, start=False) as d:
            with open(os.path.join(d.state, "notes.txt"), "w") as f:
                f.write("mine")
            d.start()
            d.stop(signal.SIGTERM)
            assert os.path.exists(os.path.join(d.state, "notes.txt"))


# Alone: another user may not be able to read this directory.
STRANGER = """
import socket, sys
where = sys.argv[1]
if "/" in where:
    s = socket.socket(socket.AF_UNIX)
    s.connect(where)
else:
    s = socket.create_connection((where.split(":")[0], int(where.split(":")[1])))
s.sendall(b'{"id":1,"op":"search","q":"*"}\\n')
s.shutdown(socket.SHUT_WR)
print(s.makefile().read())
"""


def test_somebody_else_is_denied():
    need_root()
    with Tree() as t:
        t.write("x")
        with Daemon({"t": t}) as d:
            for unix in (False, True):
                os.chmod(d.state, 0o755)
                r = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                                    "python3", "-c", STRANGER, d.unix if unix else d.address()],
                                   capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, cwd="/")
                assert '"code":"denied"' in r.stdout and t.path not in r.stdout, (unix, r)


main()
