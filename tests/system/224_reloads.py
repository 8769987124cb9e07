"""Reloads without end, half of them of broken files, under load: no connection is lost, no answer is wrong."""
import os
import random
import threading

from box import Daemon, Refused, Tree, find, main, scale

SEED = int(os.environ.get("TRAWL_SEED", "224"))
RELOADS = max(scale(20_000), 40)
BROKEN = ["[daemon]\nnonsense = 1\n", "garbage\n", "[root a2]\npath = relative\n", "[listen]\ntcp = 0.0.0.0:0\n",
          "[root]\n", "[limits]\nrows = -1\n", "[daemon]\nlog_level = loud\n", "\0\0\0\n", "[root x]\npath = /nonexistent/dir\n",
          "[daemon]\nstate_dir = /elsewhere\n", "[" * 5000]


class Load:
    """Clients that ask all the time, and keep what was wrong."""

    def __init__(self, d, wanted):
        self.d, self.wanted, self.wrong, self.n = d, wanted, [], 0
        self.stop = threading.Event()
        kinds = [self.search, self.search, self.subscribe, self.small]
        self.threads = [threading.Thread(target=self.run, args=(k, i)) for i, k in enumerate(kinds)]
        for x in self.threads:
            x.start()

    def run(self, kind, i):
        try:
            with self.d.connect(unix=i % 2 == 0) as c:
                kind(c)
        except Exception as e:  # pylint: disable=broad-except
            self.wrong.append(f"{kind.__name__}: {e!r}")

    def search(self, c):
        while not self.stop.is_set():
            got = c.search("root:a")
            if got != self.wanted:
                self.wrong.append((len(got), len(self.wanted)))
            self.n += 1

    def small(self, c):
        while not self.stop.is_set():
            assert c.ask("ping")["ev"] == "end"
            assert "a" in [r["name"] for r in c.ask("roots")["roots"]]
            assert "clock" in c.ask("clock")

    def subscribe(self, c):
        """Nothing of root a changes: nothing of it may be told, but after a gap."""
        request, fresh = c.send("subscribe", q="root:a"), False
        while not self.stop.is_set():
            c.socket.settimeout(0.2)
            try:
                e = c.event()
            except TimeoutError:
                continue
            assert e is not None and e["id"] == request, e
            if e["ev"] == "error":
                raise Refused(e)
            fresh = (fresh or e["ev"] == "gap") and e["ev"] != "clock"
            assert fresh or not e.get("rows"), e

    def end(self):
        self.stop.set()
        for x in self.threads:
            x.join()


def test_reloads():
    rng = random.Random(SEED)
    with Tree() as a, Tree() as b:
        for i in range(300):
            a.write(f"d{i % 7}/f{i}", "x" * i)
        for i in range(20):
            b.write(f"g{i}")
        with Daemon({"a": a}) as d, d.connect() as c:
            load = Load(d, find(a.path))
            refused = 0
            for i in range(RELOADS):
                broken = i % 2 == 1
                roots = {"a": a, "b": b} if rng.random() < .3 else {"a": a}
                d.write_config(roots, rng.choice(BROKEN) if broken else "")
                try:
                    c.ask("reload", wait=True)
                    assert not broken, f"seed {SEED}: reload {i} was broken and taken over"
                except Refused as e:
                    assert broken and e.code == "bad-config" and e.event["msg"], f"seed {SEED}: reload {i}: {e}"
                    refused += 1
                assert not load.wrong, f"seed {SEED}: reload {i}: {load.wrong[:3]}"
            load.end()
            assert not load.wrong, load.wrong[:3]
            assert refused == RELOADS // 2 and load.n > 0
            d.write_config({"a": a, "b": b})
            c.ask("reload", wait=True)
            d.wait_indexed(["a", "b"])
            assert d.search("*") == sorted(find(a.path) + find(b.path))
            assert d.ask("status")["server"]["connections"] == 2


def test_many_wait_for_one_verdict():
    with Tree() as a:
        with Daemon({"a": a}) as d:
            connections = [d.connect() for _ in range(8)]
            for good in (True, False, True):
                d.write_config({"a": a}, "" if good else "garbage\n")
                asked = [(c, c.send("reload", wait=True)) for c in connections for _ in range(4)]
                for c, request in asked:
                    try:
                        list(c.events(request))
                        assert good
                    except Refused as e:
                        assert not good and e.code == "bad-config", e
            for c in connections:
                c.close()


def test_who_waits_is_told_of_the_stop():
    with Tree() as a:
        for _ in range(max(scale(200), 5)):
            with Daemon({"a": a}) as d, d.connect() as c:
                for _ in range(10):
                    c.send("reload", wait=True)
                d.process.terminate()
                ended = 0
                while (e := c.event()) is not None:
                    assert e["ev"] in ("end", "error"), e
                    ended += 1
                assert ended <= 10 and d.process.wait(30) == 0


main()
