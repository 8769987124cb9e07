"""trawld --verify: proves the saved index, beside a running daemon too, and names what is wrong."""
import glob
import os
import subprocess

from box import TRAWLD, Daemon, Tree, main


def verify(d):
    p = subprocess.run([TRAWLD, "--verify", "-c", d.file], capture_output=True, text=True)
    return p.returncode, p.stdout, p.stderr


def small(t):
    t.write("a/one.c", "1")
    t.write("a/b/two.h", "22")
    os.link(t.at("a/one.c"), t.at("a/b/three"))


def state_of(d):
    """Names, sizes and times of all that is in the state directory."""
    names = glob.glob(d.state + "/**", recursive=True)
    return {n: (os.stat(n).st_size, os.stat(n).st_mtime_ns) for n in names}


def test_a_good_index_is_right_while_the_daemon_runs_and_after():
    with Tree() as t:
        small(t)
        with Daemon({"t": t}) as d:
            code, out, err = verify(d)
            assert code == 0 and "is right: 6 entries" in out and err == "", (code, out, err)
            assert d.search("three") == [os.fsencode(t.at("a/b/three"))]
            d.stop()
            before = state_of(d)
            code, out, err = verify(d)
            assert code == 0 and "2 segments are right, 0 are not" in out, (code, out, err)
            assert state_of(d) == before
            d.start()


def test_a_flipped_bit_is_found_and_named():
    with Tree() as t:
        small(t)
        with Daemon({"t": t}) as d:
            d.stop()
            segment, = glob.glob(d.state + "/segments/tree-*.seg")
            with open(segment, "r+b") as f:
                f.seek(-100, os.SEEK_END)
                byte = f.read(1)
                f.seek(-100, os.SEEK_END)
                f.write(bytes([byte[0] ^ 4]))
            code, out, _ = verify(d)
            assert code == 1 and "is damaged" in out and os.path.basename(segment) in out, out
            os.unlink(segment)
            code, out, _ = verify(d)
            assert code == 1 and "no such file" in out, out


def test_contents_are_checked_too():
    with Tree() as t:
        small(t)
        with Daemon({"t": t}) as d:
            code, out, err = verify(d)
            assert code == 0 and "contents of 2 files" in out, (code, out, err)
            d.stop()
            segment, = glob.glob(d.state + "/segments/text-*.seg")
            with open(segment, "r+b") as f:
                f.seek(-20, os.SEEK_END)
                byte = f.read(1)
                f.seek(-20, os.SEEK_END)
                f.write(bytes([byte[0] ^ 4]))
            code, out, _ = verify(d)
            assert code == 1 and "is damaged" in out and os.path.basename(segment) in out, out
            os.unlink(segment)
            code, out, _ = verify(d)
            assert code == 1 and "no such file" in out and "1 segments are right, 1 are not" in out, out
            d.start()
            assert "they are read again" in d.log(), d.log()
            assert verify(d)[0] == 0


def test_where_there_is_no_index_one_sentence_says_so():
    with Daemon({"t": "/usr/share/doc"}, start=False) as d:
        code, out, err = verify(d)
        assert code == 1 and out == "" and err.startswith("trawld: could not open the index in"), err
        assert err.count("\n") == 1, err
        p = subprocess.run([TRAWLD, "--verify", "-c", "/nowhere"], capture_output=True, text=True)
        assert p.returncode == 1 and p.stderr.count("\n") == 1, p.stderr


main()
