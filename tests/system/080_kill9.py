"""kill -9 at any moment: the next start serves a whole state, and never a wrong row after its walk."""
import os
import random
import signal
import time

import hostile
from box import TIER, Daemon, Tree, find, main, same

TIMES = {"quick": 8, "full": 24, "long": 400}[TIER]


def kill(d):
    d.process.send_signal(signal.SIGKILL)
    d.process.wait()


def files_of(d):
    return {os.path.join(at, n) for at, _, names in os.walk(d.state) for n in names if not n.startswith("catalog")}


def wait_for_file(d, known, ending):
    """Until the walk has made a new file: what can go wrong lies just after. It is there for moments
    only, so this looks without a pause."""
    directory = os.path.dirname(next(n for n in known if n.endswith(".seg")))
    names = {os.path.basename(n) for n in known}
    end = time.monotonic() + 2
    while time.monotonic() < end and not any(n.endswith(ending) for n in os.listdir(directory) if n not in names):
        pass


def leftovers(d):
    """Files of the state directory that nothing needs: halves and what no catalog names."""
    return [n for _, _, names in os.walk(d.state) for n in names if n.endswith(".tmp")]


def test_during_the_first_walk_and_its_commit():
    r = random.Random(61)
    with Tree() as t:
        hostile.many(t.path, 8000)
        wanted = find(t.path)
        for _ in range(TIMES):
            with Daemon({"t": t}, start=False) as d:
                d.spawn()
                time.sleep(r.uniform(0.0, 0.4))
                kill(d)
                d.start()
                same(d.search("*"), wanted, "after kill -9 in the first walk")
                assert not leftovers(d), leftovers(d)


def test_during_rescans_of_a_changing_tree():
    r = random.Random(62)
    with Tree() as t:
        hostile.many(t.path, 6000)
        with Daemon({"t": t}) as d:
            before = find(t.path)
            for i in range(TIMES):
                for n in range(40):
                    t.write(f"round{i}/new{n}.c", "x")
                for p in r.sample(find(t.path, "-name", "*.h"), 20):
                    os.unlink(p)
                after = find(t.path)
                with d.connect() as c:
                    known = files_of(d)
                    c.send("rescan")
                    if i % 4 == 0:
                        time.sleep(r.uniform(0.0, 0.15))
                    else:
                        # Written but not yet synced, or renamed but not yet committed.
                        wait_for_file(d, known, ".tmp" if i % 4 == 1 else ".seg")
                        time.sleep(r.uniform(0.0, 0.004))
                    kill(d)
                d.start(indexed=False)
                got = d.search("*")
                # Either walk is a whole truth of its moment; nothing between them is.
                assert got in (before, after), \
                    f"round {i}: {len(got)} rows, before {len(before)}, after {len(after)}"
                d.wait_indexed()
                d.rescan()
                same(d.search("*"), after, f"round {i}, after the walk")
                assert not leftovers(d), leftovers(d)
                before = after


def test_twice_in_a_row_before_anything_was_done():
    with Tree() as t:
        hostile.make(t.path, 300, seed=63)
        with Daemon({"t": t}) as d:
            wanted = find(t.path)
            for _ in range(5):
                kill(d)
                d.spawn()
                kill(d)
            d.start(indexed=False)
            same(d.search("*"), wanted, "the old state")


def test_stale_sockets_and_locks_do_not_hinder():
    with Tree() as t:
        t.write("x")
        with Daemon({"t": t}) as d:
            kill(d)
            assert os.path.exists(d.unix), "the socket is left behind by kill -9"
            d.start()
            with d.connect(unix=True) as c:
                assert len(c.search("*")) == 2


main()
