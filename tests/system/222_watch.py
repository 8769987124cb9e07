"""trawl since, watch, clock, --sync and reload --wait, as somebody at a terminal or a script has them."""
import json
import os
import signal
import subprocess

from box import TRAWL, Daemon, Tree, find, main, until


class Watch:
    """A running `trawl watch`."""

    def __init__(self, d, *args):
        self.out = os.path.join(d.top, f"watch-{len(os.listdir(d.top))}")
        self.err = self.out + ".err"
        before = self.subscriptions(d)
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen([TRAWL, "watch", *args], stdout=out, stderr=err, stdin=subprocess.DEVNULL,
                                            env={**d.environment(), "TRAWL_ADDRESS": d.unix})
        # Changes are told from then on.
        until(lambda: self.subscriptions(d) > before or self.process.poll() is not None, f"it watches {args}")

    @staticmethod
    def subscriptions(d):
        return d.ask("status")["server"]["subscriptions"]

    def lines(self, end=b"\n"):
        with open(self.out, "rb") as f:
            return [x for x in f.read().split(end) if x]

    def text(self):
        with open(self.err, errors="replace") as f:
            return f.read()

    def until(self, *lines):
        wanted = [os.fsencode(x) for x in lines]
        until(lambda: all(w in self.lines() for w in wanted), f"{wanted}: {self.lines()} {self.text()}")

    def end(self):
        self.process.terminate()
        self.process.wait()


def test_lines_of_what_happens():
    with Tree() as t:
        t.write("old.c", "x\n")
        with Daemon({"t": t}) as d:
            w = Watch(d, "ext:c")
            j = Watch(d, "--json", "ext:c")
            t.write("new.c", "hello\n")
            w.until("+ " + t.at("new.c"))
            os.rename(t.at("old.c"), t.at("moved.c"))
            w.until("> " + t.at("old.c") + " -> " + t.at("moved.c"))
            with open(t.at("moved.c"), "a") as f:
                f.write("more\n")
            w.until("~ " + t.at("moved.c"))
            os.unlink(t.at("moved.c"))
            w.until("- " + t.at("moved.c"))
            until(lambda: len(j.lines()) >= 4, "as JSON, too")
            rows = [json.loads(x) for x in j.lines()]
            assert rows[0]["kind"] == "add" and rows[0]["path"] == t.at("new.c"), rows
            assert any(r["kind"] == "move" and r["from"] == t.at("old.c") for r in rows), rows
            w.end()
            j.end()


def test_a_command_for_each_change():
    with Tree() as t:
        with Daemon({"t": t}) as d:
            log = os.path.join(d.top, "ran")
            w = Watch(d, "name:*.c", "-x", "sh", "-c", f'echo "$TRAWL_CHANGE $1 $2" >> {log}', "-", "{}", "<{}>")
            plain = Watch(d, "name:*.c", "-x", "echo", "-q")
            name = t.at("a b$(reboot)\n;.c")
            t.write(name)
            until(lambda: os.path.exists(log) and "add" in open(log).read(), "it ran")
            assert open(log).read() == f"add {name} <{name}>\n"
            plain.until("-q " + t.at("a b$(reboot)"))
            os.unlink(name)
            until(lambda: "delete" in open(log).read(), "and for the deletion")
            w.end()
            plain.end()
            # What cannot be run ends it.
            bad = Watch(d, "*", "-x", "/nonexistent/program")
            t.write("y.c")
            assert bad.process.wait(30) == 2 and "could not run '/nonexistent/program'" in bad.text(), bad.text()


def test_it_goes_on_when_the_daemon_comes_back():
    with Tree() as t:
        with Daemon({"t": t}) as d:
            w = Watch(d, "type:f")
            log = os.path.join(d.top, "ran")
            x = Watch(d, "type:f", "-x", "sh", "-c", f'echo "$0" >> {log}')
            t.write("one")
            w.until("+ " + t.at("one"))
            for how in (signal.SIGTERM, signal.SIGKILL):
                d.process.send_signal(how)
                d.process.wait()
                t.write(f"meanwhile{how}")
                d.start()
                w.until("+ " + t.at(f"meanwhile{how}"))
            t.write("last")
            w.until("+ " + t.at("last"))
            until(lambda: open(log).read().count("\n") >= 4, "commands, too")
            assert w.lines().count(os.fsencode("+ " + t.at("one"))) == 1
            assert "trying again" in w.text()
            # Another index knows nothing of the clock: everything, but nothing is run for it.
            d.stop()
            subprocess.run(["rm", "-rf", os.path.join(d.state, "catalog.db"), os.path.join(d.state, "segments")], check=True)
            subprocess.run(f"rm -f {d.state}/*.db*", shell=True, check=True)
            ran = open(log).read()
            d.start()
            until(lambda: "cannot be told" in w.text() and "cannot be told" in x.text(), "the gap is told")
            t.write("after")
            w.until("+ " + t.at("after"))
            until(lambda: t.at("after") in open(log).read(), "and it goes on")
            assert open(log).read() == ran + t.at("after") + "\n"
            w.end()
            x.end()


def test_since_from_one_clock_to_the_next():
    with Tree() as t:
        t.write("a")
        with Daemon({"t": t}) as d:
            clock = d.trawl("clock", "--sync").stdout.decode().strip()
            assert clock.startswith("c:"), clock
            r = d.trawl("since", "--sync", clock)
            assert (r.returncode, r.stdout) == (1, b"") and r.stderr.startswith(b"clock c:"), r
            t.write("b", "bee\n")
            r = d.trawl("since", "--sync", clock, "type:f")
            assert (r.returncode, r.stdout) == (0, os.fsencode("+ " + t.at("b") + "\n")), r
            clock = r.stderr.decode().split()[1]
            os.rename(t.at("b"), t.at("c"))
            r = d.trawl("since", "-0", "--sync", clock, "type:f")
            assert r.stdout == os.fsencode("- " + t.at("b") + "\0+ " + t.at("c") + "\0"), r
            last = json.loads(d.trawl("since", "--json", clock).stdout.splitlines()[-1])
            assert last["fresh"] is False and last["clock"].startswith("c:"), last
            r = d.trawl("since", "c:1:1:1", "type:f")
            assert r.stdout == b"".join(os.fsencode("+ " + p.decode() + "\n") for p in find(t.path, "-type", "f")), r
            assert b"cannot be told" in r.stderr, r
            assert d.trawl("since", "nonsense").returncode == 2
            assert d.trawl("since").returncode == 2


def test_a_synced_answer_has_what_has_just_happened():
    with Tree() as t:
        with Daemon({"t": t}) as d:
            for i in range(20):
                t.write(f"f{i}", f"text {i}\n")
                assert d.trawl("search", "--sync", f"name:f{i}").stdout == os.fsencode(t.at(f"f{i}") + "\n")
                os.unlink(t.at(f"f{i}"))
                assert d.trawl("search", "--sync", f"name:f{i}").returncode == 1
                t.write("g", f"needle {i}\n")
                assert f"needle {i}".encode() in d.trawl("grep", "--sync", f"needle {i}$").stdout


def test_reload_waits_for_its_verdict():
    with Tree() as t, Tree() as u:
        t.write("x")
        u.write("y")
        with Daemon({"t": t}) as d:
            d.write_config({"t": t, "u": u})
            r = d.trawl("reload", "--wait")
            assert (r.returncode, r.stderr) == (0, b""), r
            assert set(d.roots()) == {"t", "u"}
            d.write_config({"t": t}, "garbage\n")
            r = d.trawl("reload", "-w")
            assert r.returncode == 2 and b"trawld.conf:" in r.stderr and b"garbage" in r.stderr, r
            assert set(d.roots()) == {"t", "u"}
            assert d.trawl("reload").returncode == 0
            lines = d.trawl("status", "--stats").stdout.decode().splitlines()
            values = dict(x.split(" ", 1) for x in lines)
            assert int(values["server.requests"]) > 0 and values["roots.0.name"] == '"t"', lines[:20]


main()
