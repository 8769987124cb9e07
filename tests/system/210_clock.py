"""A clock that was handed out answers exactly, whatever ends the daemon: kill -9 at any moment, a clean end, changes
while it is not there. After a power cut it says that it cannot."""
import os
import random
import signal
import sqlite3
import time

import hostile
from churn import Churn
from box import SANITIZED, TIER, Daemon, Tree, find, main, same, text_of

SEED = int(os.environ.get("TRAWL_SEED", "210"))
KILLS = 4 if SANITIZED else {"quick": 5, "full": 25, "long": 300}[TIER]
SYNC = 60_000


def kill(d):
    d.process.send_signal(signal.SIGKILL)
    d.process.wait()


def moment(d, top):
    """A clock that has all that happened until here, and what there is."""
    with d.connect() as c:
        end = c.ask("clock", sync_ms=SYNC)
    assert end["synced"], end
    return end["clock"], set(find(top))


def parts(clock):
    return clock.split(":")[1:]


def since(d, clock, paths):
    """The paths of then as what is told makes them those of now; None: it cannot be told."""
    gone, there = set(), set()
    with d.connect() as c:
        for e in c.events(c.send("since", clock=clock, fields=["path"])):
            if e["ev"] == "gap":
                return list(c.events(e["id"])) and None
            for kind, source, path in e.get("rows", []):
                gone.add(text_of(path if kind == "delete" or source is None else source))
                there |= set() if kind == "delete" else {text_of(path)}
    return (paths - gone) | there


def check(d, top, moments, what):
    """The clocks that were handed out, and the last one twice: of old it needs the disk, of new the memory."""
    _, now = moment(d, top)
    for clock, paths in moments:
        got = since(d, clock, paths)
        assert got is not None, f"{what}: {clock} is not known any more"
        same(sorted(got), sorted(now), f"{what}: since {clock}")


def test_kill9_at_any_moment():
    rng = random.Random(SEED)
    with Tree() as t:
        hostile.make(t.path, 200, seed=SEED)
        churn = Churn(t.path, SEED)
        with Daemon({"t": {"path": t}}) as d:
            moments = [moment(d, t.path)]
            for n in range(KILLS):
                what = f"kill {n} of {KILLS} (TRAWL_SEED={SEED})"
                for _ in range(rng.randrange(4)):
                    churn.look()
                    churn.some(rng.choice([1, 5, 40]))
                    if rng.random() < 0.7:
                        moments.append(moment(d, t.path))
                # Now and then right after the answer, while nothing is synced; else within changes.
                churn.look()
                churn.some(rng.choice([0, 20]))
                time.sleep(rng.choice([0, 0, rng.uniform(0, 0.06)]))
                kill(d)
                if rng.random() < 0.5:
                    churn.look()
                    churn.some(rng.choice([1, 30]))
                d.start()
                check(d, t.path, rng.sample(moments, min(len(moments), 3)) + moments[-1:], what)
                now = moment(d, t.path)[0]
                assert parts(now)[:2] == parts(moments[0][0])[:2], f"{what}: {now} is of another epoch than {moments[0][0]}"
                assert int(parts(now)[2]) >= int(parts(moments[-1][0])[2]), f"{what}: {now} is before {moments[-1][0]}"
            print(f"  {KILLS} kills (seed {SEED}), {len(moments)} clocks, the last {moments[-1][0]}")


def test_a_clean_end():
    with Tree() as t:
        t.write("a/one")
        with Daemon({"t": {"path": t}}) as d:
            moments = [moment(d, t.path)]
            t.write("a/two")
            moments.append(moment(d, t.path))
            d.stop()
            t.write("a/three")
            os.unlink(t.at("a", "one"))
            d.start()
            check(d, t.path, moments, "after a clean end")


def boot_again(d):
    """As if the machine had gone down: another boot, and files that were never synced hold nothing."""
    lost = 0
    with sqlite3.connect(os.path.join(d.state, "catalog.db")) as db:
        db.execute("UPDATE clock SET boot_id = 'another'")
        for (name,) in db.execute("SELECT file FROM layer WHERE synced = 0"):
            os.truncate(os.path.join(d.state, "segments", name), 0)
            lost += 1
    db.close()
    return lost


def test_a_power_cut():
    lost = 0
    with Tree() as t:
        hostile.make(t.path, 200, seed=SEED)
        with Daemon({"t": {"path": t}}) as d:
            for n in range(3):
                before = moment(d, t.path)
                for k in range(3):
                    t.write(f"new{n}/{k}", "text\n")
                    old = moment(d, t.path)
                kill(d)
                lost += boot_again(d)
                os.unlink(t.at(f"new{n}", "1"))
                d.start()
                after, paths = moment(d, t.path)
                assert int(parts(after)[1]) == int(parts(old[0])[1]) + 1, f"{after} after {old[0]}"
                for clock, then in (before, old):
                    assert since(d, clock, then) is None, f"{clock} is answered by {after}"
                same(d.search("*"), sorted(paths), "after a power cut")
                assert "damaged" not in d.log(), d.log()[-2000:]
    assert lost > 0, "nothing was light"
    print(f"  {lost} segments that were not synced were lost")


def test_a_removed_root():
    with Tree() as a, Tree() as b:
        a.write("x")
        b.write("y")
        with Daemon({"a": {"path": a}, "b": {"path": b}}) as d:
            with d.connect() as c:
                clock = c.ask("clock", sync_ms=SYNC)["clock"]
            d.write_config({"a": {"path": a}})
            d.reload()
            assert since(d, clock, set()) is None, "a root went, and nothing tells of its files"


main()
