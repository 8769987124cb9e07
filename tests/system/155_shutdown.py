"""SIGTERM at any moment of the start, a walk, a commit, answers, a reload: it ends, and keeps its index.

1,000 rounds in `long`, besides 10,000 of the toolkit (tests/flow/test_storm_pipeline.c) and 10,000 of
the engine (test_storm_engine.c) in process. 070_stop ends what stands still, 150_storm a daemon that has
been at work for a second; here the moment is within milliseconds of what began last."""
import os
import random
import signal
import time

import hostile
from box import SLOW, Daemon, Tree, find, main, same, scale, until

ROUNDS = max(7, scale(1000))


def moment(rng, most):
    """Seconds below `most`, each power of two as likely as another."""
    return most * rng.random() * 0.5 ** rng.randrange(10)


def segments(d):
    return set(os.listdir(os.path.join(d.state, "segments")))


def during_start(d, rng):
    d.spawn()
    time.sleep(moment(rng, 0.1 * SLOW))


def during_walk(d, rng):
    d.start(indexed=False)
    time.sleep(moment(rng, 0.05 * SLOW))


def during_commit(d, rng):
    """The walk of the start has made a file; it lives for moments, so this looks without a pause."""
    known = segments(d)
    d.spawn()
    end = time.monotonic() + 2 * SLOW
    while segments(d) <= known and d.running() and time.monotonic() < end:
        pass
    time.sleep(moment(rng, 0.004))


def during_answers(d, rng):
    d.start(indexed=False)
    clients = [d.connect(unix=rng.random() < 0.5) for _ in range(6)]
    for n, c in enumerate(clients):
        if n % 2:
            c.send("search", q=rng.choice(["*", "ext:c sort:size", "type:d"]), limit=0)
        else:
            c.send("grep", q="e", limit=0)
    time.sleep(moment(rng, 0.05))
    return clients


def during_reload(d, rng):
    clients = during_answers(d, rng)
    for _ in range(rng.randrange(1, 4)):
        d.write_config(rng.choice(d.sets), "[broken\n" if rng.random() < 0.1 else "")
        d.process.send_signal(signal.SIGHUP)
        clients[0].send("rescan")
        time.sleep(moment(rng, 0.02))
    d.write_config(rng.choice(d.sets))
    return clients


def one_round(d, rng):
    """What was going on, for the message when it goes wrong."""
    d.log_at = len(d.log())
    during = rng.choice((during_start, during_walk, during_commit, during_answers, during_reload))
    clients = during(d, rng) or ()
    began = time.monotonic()
    code = d.stop()
    took = time.monotonic() - began
    for c in clients:
        c.close()
    said = d.log()[d.log_at:]
    # Before main() has taken it, the signal simply kills. (SIGINT may be ignored until then: 070_stop.)
    assert code == 0 or (code == -signal.SIGTERM and not said), f"exit {code}: {said[-2000:]}"
    assert took < 5 * SLOW, f"{during.__name__}: the stop took {took:.1f} s: {said[-2000:]}"
    assert "not ended in time" not in said, f"{during.__name__}: {said[-2000:]}"
    names = segments(d)
    trees = [n for n in names if n.startswith("tree-")]
    assert len(trees) <= 2 and all(n.endswith(".seg") for n in names), f"{during.__name__} left {names}"


def test_a_stop_at_any_moment_keeps_the_index():
    seed = int(os.environ.get("TRAWL_STORM_SEED", time.time_ns()))
    print(f"  TRAWL_STORM_SEED={seed}")
    rng = random.Random(seed)
    with Tree() as t, Tree() as other:
        hostile.make(t.path, 1500, seed=55)
        hostile.many(other.path, 200)
        wanted = find(t.path)
        sets = [{"t": t}, {"t": t, "other": other}, {"other": {"path": other.path, "exclude": "*.h"}, "t": t}]
        with Daemon(sets[1]) as d:
            d.sets = sets
            d.stop()
            for n in range(ROUNDS):
                one_round(d, rng)
                if n % 5 == 0:
                    d.start(indexed=False)
                    got = d.search("*")
                    same([p for p in got if p.startswith(os.fsencode(t.path))], wanted, f"after round {n}")
                    assert d.stop() == 0
            d.start()
            until(lambda: len(segments(d)) == d.segments_named(), "there are the segments that the roots have")


main()
