"""Reloads, rescans and questions at once, ended at a random moment: no crash, no hang, nothing lost."""
import os
import random
import signal
import subprocess
import threading
import time

import hostile
from box import TRAWL, Daemon, Tree, find, main, same, scale, until

ROUNDS = scale(1000)
SECONDS = 1.0  # of each round, at most


def some_roots(rng, trees):
    """Any of the trees under any of two names and four sets of rules."""
    roots = {}
    for i, tree in enumerate(trees):
        if rng.random() < 0.75:
            roots[f"r{i}{rng.choice('ab')}"] = {"path": tree.path, "content": rng.choice(["yes", "no"]),
                                                "exclude": rng.choice(["", "*.o", "f1*", "sub/"])}
    return roots


def ask_until(daemon, rng, end):
    while time.monotonic() < end and daemon.running():
        words = rng.choice([["search", "f1"], ["search", "ext:c"], ["grep", "e", "ext:c"], ["rescan"], ["status"],
                            ["roots"], ["why", daemon.file], ["stat", daemon.top], ["reload"]])
        subprocess.run([TRAWL, words[0], f"--address={daemon.unix}", *words[1:]], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=60)


def one_round(daemon, rng, trees):
    daemon.write_config(some_roots(rng, trees))
    daemon.start(indexed=False)
    end = time.monotonic() + rng.random() * SECONDS
    clients = [threading.Thread(target=ask_until, args=(daemon, random.Random(rng.random()), end)) for _ in range(2)]
    for c in clients:
        c.start()
    while time.monotonic() < end:
        daemon.write_config(some_roots(rng, trees), "[broken\n" if rng.random() < 0.1 else "")
        daemon.process.send_signal(signal.SIGHUP)
        time.sleep(rng.random() * 0.05)
    began = time.monotonic()
    code = daemon.stop()
    took = time.monotonic() - began
    for c in clients:
        c.join()
    assert code == 0, f"exit {code}: {daemon.log()[-2000:]}"
    assert took < 5, f"the stop took {took:.1f} s"


def test_reloads_rescans_and_questions_until_a_sudden_end():
    rng = random.Random(7)
    trees = [Tree() for _ in range(4)]
    try:
        for n, tree in enumerate(trees):
            hostile.make(tree.path, 200, seed=70 + n)
        with Daemon(start=False) as daemon:
            for _ in range(ROUNDS):
                one_round(daemon, rng, trees)
            # After all that the index is what find says.
            daemon.write_config({f"r{i}": t for i, t in enumerate(trees)})
            daemon.start()
            for tree in trees:
                daemon.rescan()
                same(daemon.search(f'in:"{tree.path}"'), [p for p in find(tree.path) if p != os.fsencode(tree.path)],
                     tree.path)
            until(lambda: len(os.listdir(os.path.join(daemon.state, "segments"))) == daemon.segments_named(),
                  "there are the segments that the roots have, and no others")
            trees_of = [n for n in os.listdir(os.path.join(daemon.state, "segments")) if n.startswith("tree-")]
            assert len(trees_of) == len(trees), f"one segment a root, not {trees_of}"
    finally:
        for tree in trees:
            tree.__exit__()


main()
