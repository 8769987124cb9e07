"""What is told to have changed turns an old listing into the new one: since, and subscriptions of any kind of client."""
import os
import random
import socket
import threading

from churn import Churn
from box import Connection, Daemon, Refused, Tree, find, main, need_root, same, scale, text_of, until

SEED = int(os.environ.get("TRAWL_SEED", "220"))
SYNC = 60_000
# What was modified goes on to match the first ones.
ABOUT_PATHS = ["*", "name:needle*", "a", "name:*.c", "depth:>2", "-name:*.c"]
QUESTIONS = ABOUT_PATHS + ["type:d", "ext:c", "size:>100", "-size:>100 type:f", "content:needle", "empty: type:f", "type:f | perm:755"]


def tick(clock):
    return int(clock.rpartition(":")[2])


def now(d):
    """The clock of a snapshot that has all that happened until here."""
    with d.connect() as c:
        end = c.ask("clock", sync_ms=SYNC)
    assert end["synced"], end
    return end["clock"]


class Mirror:
    """The paths that match, kept from what is told of them."""

    def __init__(self, paths=()):
        self.paths, self.clock, self.gaps, self.rows = set(paths), "", 0, 0

    def take(self, event):
        if event["ev"] == "gap":
            self.paths, self.gaps = set(), self.gaps + 1
        for kind, old, path, *_ in event.get("rows", []):
            self.rows += 1
            assert (kind == "move") == (old is not None), (kind, old)
            if old is not None:
                self.paths.discard(text_of(old))
            (self.paths.discard if kind in ("delete", "other") else self.paths.add)(text_of(path))
        self.clock = event.get("clock", self.clock) if event["ev"] != "gap" else self.clock


class Subscriber:
    def __init__(self, d, q, mirror=None, clock=None, **members):
        self.d, self.q, self.clock, self.members = d, q, clock, members
        self.mirror = mirror or Mirror()
        self.connection = None
        self.subscribe()

    def subscribe(self):
        clock = {"clock": self.mirror.clock or self.clock} if self.mirror.clock or self.clock else {}
        self.connection = self.d.connect()
        self.request = self.connection.send("subscribe", q=self.q, **clock, **self.members)

    def hear(self):
        e = self.connection.event()
        assert e is not None, "the daemon hung up"
        if e["ev"] == "error":
            raise Refused(e)
        self.mirror.take(e)
        return e

    def until(self, clock):
        while not self.mirror.clock or tick(self.mirror.clock) < tick(clock):
            self.hear()

    def close(self):
        self.connection.close()


def answers(d, q):
    with d.connect() as c:
        return c.search(q, sync_ms=SYNC)


def test_since_turns_what_was_into_what_is():
    with Tree() as t:
        churn = Churn(t.path, SEED)
        rng = random.Random(SEED)
        with Daemon({"t": t}) as d:
            for i in range(max(scale(800), 4)):
                churn.look()
                churn.some(rng.choice((1, 3, 20, 200)))
                clock, mirrors = now(d), {q: Mirror(answers(d, q)) for q in QUESTIONS}
                churn.look()
                churn.some(rng.choice((1, 3, 20, 200)))
                for q, m in mirrors.items():
                    others = {"others": True} if q not in ABOUT_PATHS else {}
                    answer = d.ask("since", clock=clock, q="" if q == "*" else q, sync_ms=SYNC, **others)
                    assert not answer["fresh"], answer
                    m.take({"ev": "rows", "rows": answer["rows"]})
                    same(sorted(m.paths), answers(d, q), f"seed {SEED}, round {i}, {q}")


def test_what_a_row_says():
    with Tree() as t:
        t.write("a.c", "one\n")
        t.write("b.c", "two\n")
        with Daemon({"t": t}) as d, d.connect() as c:
            clock = now(d)
            t.write("new.c", "needle\n")
            t.write("a.c", "one and needle\n")
            os.unlink(t.at("b.c"))

            def since(q, **members):
                return c.ask("since", clock=clock, q=q, sync_ms=SYNC, **members)["rows"]
            assert since("ext:c", fields=["name", "size", "type"]) == [
                ["delete", None, "b.c", 4, "f"], ["modify", None, "a.c", 15, "f"], ["add", None, "new.c", 7, "f"]]
            # Contents only of what is there; what is gone is told for want of knowing.
            assert sorted(r[2] for r in since("content:needle type:f", fields=["name"])) == ["a.c", "b.c", "new.c"]
            assert [r[2] for r in since("size:<5 type:f", fields=["name"])] == ["b.c"]
            assert since("name:nothing") == []
            # In and out of the question.
            clock = now(d)
            os.rename(t.at("new.c"), t.at("new.h"))
            os.rename(t.at("a.c"), t.at("moved.c"))
            told = {r[0]: r for r in since("ext:c", fields=["name"])}
            assert told["delete"][2] == "new.c", told
            assert told["move"][1:] == [t.at("a.c"), "moved.c"], told
            assert [r[0] for r in since("ext:h")] == ["add"]


def test_a_hundred_subscribers_hear_the_same():
    with Tree() as t:
        churn = Churn(t.path, SEED + 1)
        churn.look()
        churn.some(100)
        with Daemon({"t": t}) as d:
            start = now(d)
            subs = [Subscriber(d, "" if q == "*" else q, Mirror(answers(d, q)), clock=start, others=q not in ABOUT_PATHS)
                    for i in range(100) for q in [QUESTIONS[i % len(QUESTIONS)]]]
            for _ in range(max(scale(500), 4)):
                churn.look()
                churn.some(50)
            clock, wrong = now(d), []

            def follow(subs):
                try:
                    for s in subs:
                        s.until(clock)
                        same(sorted(s.mirror.paths), answers(d, s.q), s.q)
                        # What was left out because its contents were not known yet comes with a gap.
                        assert s.mirror.gaps == 0 or "content:" in s.q
                except Exception as e:  # pylint: disable=broad-except
                    wrong.append(e)
            threads = [threading.Thread(target=follow, args=(subs[i::10],)) for i in range(10)]
            for x in threads:
                x.start()
            for x in threads:
                x.join()
            if wrong:
                raise wrong[0]
            until(lambda: d.ask("status")["server"]["running"] <= 1, "they sleep")
            status = d.ask("status")
            assert status["server"]["subscriptions"] == 100
            gaps = sum(s.mirror.gaps for s in subs)
            assert status["server"]["since"] >= 100 and status["server"]["gaps"] >= gaps, (gaps, status["server"])
            journal = status["journal"]
            assert 0 < journal["records"] < journal["bytes"] and journal["memory"] > 0, journal
            assert journal["floor"] < journal["oldest_tick"] <= journal["tick"] == tick(status["clock"]), journal
            for s in subs:
                s.close()
            until(lambda: d.ask("status")["server"]["connections"] <= 1, "they are gone")
            # What one of them was being told when it left ends by itself.
            until(lambda: d.ask("status")["server"]["subscriptions"] == 0, "so are their subscriptions")
            until(lambda: d.ask("status")["snapshots"]["live"] <= 2, "so is what they held")


def test_reconnecting_loses_nothing():
    rng = random.Random(SEED)
    with Tree() as t:
        churn = Churn(t.path, SEED + 2)
        churn.look()
        with Daemon({"t": t}) as d:
            s = Subscriber(d, "", Mirror(answers(d, "*")), clock=now(d))
            for i in range(max(scale(1000), 6)):
                churn.look()
                churn.some(30)
                if i % 3 == 0:
                    for _ in range(rng.randrange(4)):
                        s.connection.socket.settimeout(0.05)
                        try:
                            s.hear()
                        except socket.timeout:
                            break
                    s.close()
                    if i % 2:
                        d.stop()
                        churn.look()
                        churn.some(10)
                        d.start(indexed=False)
                    s.subscribe()
            s.connection.socket.settimeout(60)
            s.until(now(d))
            same(sorted(s.mirror.paths), find(t.path), "in the end")
            assert s.mirror.gaps == 0


def test_clocks_outlive_a_kill():
    with Tree() as t:
        churn = Churn(t.path, SEED + 3)
        churn.look()
        with Daemon({"t": t}) as d:
            s = Subscriber(d, "", Mirror(answers(d, "*")), clock=now(d))
            for _ in range(max(scale(300), 3)):
                churn.look()
                churn.some(40)
                s.until(now(d))
                s.close()
                d.process.kill()
                d.process.wait()
                churn.look()
                churn.some(5)
                d.start(indexed=False)
                s.subscribe()
                until(lambda: not d.ask("clock")["stale"], "it has looked again")
                s.until(now(d))
                same(sorted(s.mirror.paths), find(t.path), "after a kill")
                assert s.mirror.gaps == 0


def test_a_slow_client_holds_up_nobody():
    n = max(scale(400_000), 8000)
    with Tree() as t, Tree() as other:
        t.write("d/x")
        with Daemon({"t": t, "other": other}) as d:
            clock, m = now(d), Mirror(find(t.path))
            slow = d.connect(unix=True)
            slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.send("subscribe", clock=clock, q="in:" + t.path)
            for i in range(n):
                os.close(os.open(t.at("d", f"{i:0100}"), os.O_CREAT | os.O_WRONLY))
            quick = Subscriber(d, "in:" + other.path)
            quick.hear()
            for i in range(20):
                other.write(f"f{i}")
                quick.until(now(d))
            assert len(quick.mirror.paths) >= 20
            final = now(d)
            while not m.clock or tick(m.clock) < tick(final):
                m.take(slow.event())
            same(sorted(m.paths - {os.fsencode(t.path)}), find(t.path, "-mindepth", "1"), "the slow one, too")
            quick.close()
            slow.close()


def test_ends_of_a_subscription():
    with Tree() as t:
        with Daemon({"t": t}) as d:
            c = d.connect()
            request = c.send("subscribe")
            assert c.event()["ev"] == "clock"
            assert c.ask("cancel", target=request)["canceled"]
            assert c.event()["code"] == "canceled"
            again = c.send("subscribe", timeout_ms=50)
            assert c.event()["ev"] == "clock"
            t.write("x")  # a limit of time is one of each round, not of all
            now(d)
            assert c.event()["rows"][-1][0] == "add"
            d.process.terminate()
            codes = []
            while (e := c.event()) is not None:
                codes.append(e.get("code"))
            assert codes[-1] == "stopping" and again, codes
            assert d.process.wait(30) == 0


main()
