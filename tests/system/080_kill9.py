"""kill -9 at any moment: the next start serves a whole state, and never a wrong row after its walk."""
import os
import random
import re
import signal
import statistics
import time

import hostile
from box import SLOW, TIER, Daemon, Tree, find, main, same, until
from churn import Churn
from truth import differences, indexed, listing, same_rows

SEED = int(os.environ.get("TRAWL_SEED", "80"))
KILLS = {"quick": 6, "full": 50, "long": 1000}[TIER]
FIRST_WALKS = {"quick": 4, "full": 8, "long": 100}[TIER]
# From exec to an answer: what counts as hanging, on a machine that does much else.
START = 10.0 * SLOW
# What may be in a state directory while nothing goes on.
KEPT = re.compile(r"address|changes/[a-z0-9]+|catalog\.db(-wal|-shm|-journal)?|lock|reserve|sock|segments/(tree|text)-[0-9-]+\.seg")


def kill(d):
    d.process.send_signal(signal.SIGKILL)
    d.process.wait()


def files_of(d):
    names = (os.path.join(at, n) for at, _, files in os.walk(d.state) for n in files)
    return {os.path.relpath(n, d.state) for n in names}


def nothing_left(d):
    """The segments that the root has and no halves, once the last reader of the old ones has gone."""
    def clean():
        named = d.segments_named()
        names = files_of(d)
        return all(KEPT.fullmatch(n) for n in names) and sum(n.endswith(".seg") for n in names) == named
    until(clean, f"the state directory is tidy: {sorted(files_of(d))}")


def look_for(condition, seconds=0.3):
    """What it waits for is there for moments only, so this looks without a pause."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
    return False


def state_of(d, name):
    try:
        st = os.stat(os.path.join(d.state, name))
        return st.st_size, st.st_mtime_ns
    except FileNotFoundError:
        return 0


# Moments: each gets a daemon that is asked to walk, and ends it sooner or later.

def within_the_walk(d, rng, took):
    d.ask("rescan")
    time.sleep(rng.uniform(0, 1.2 * took))
    kill(d)


def within_the_file(d, rng, _):
    """The new segment is being written."""
    d.ask("rescan")
    look_for(lambda: any(n.endswith(".tmp") for n in files_of(d)))
    time.sleep(rng.uniform(0, 0.002))
    kill(d)


def within_the_commit(d, rng, _):
    """Renamed, and perhaps not yet synced, or named by the catalog."""
    known = files_of(d)
    d.ask("rescan")
    look_for(lambda: any(n.endswith(".seg") for n in files_of(d) - known))
    time.sleep(rng.uniform(0, 0.004))
    kill(d)


def after_the_commit(d, rng, _):
    """The catalog's log was written: the old segment goes now."""
    before = state_of(d, "catalog.db-wal")
    d.ask("rescan")
    look_for(lambda: state_of(d, "catalog.db-wal") != before)
    time.sleep(rng.uniform(0, 0.002))
    kill(d)


MERGES = []  # of those waited for: was there one?


def segments_of(d):
    return {n for n in files_of(d) if n.endswith((".seg", ".tmp"))}


def within_a_merge(d, rng, _):
    """A walk has made its layer, which joins others when they are too light for it: after some changes they are."""
    found = False
    for _ in range(10):
        d.wait_indexed()
        d.stir(rng.choice([60, 120]))
        known = segments_of(d)
        d.ask("rescan")
        look_for(lambda k=known: any(n.endswith(".seg") for n in segments_of(d) - k))
        known |= segments_of(d)
        found = look_for(lambda k=known: segments_of(d) - k, 0.05)
        if found:
            break
    MERGES.append(found)
    time.sleep(rng.choice([0, rng.uniform(0, 0.004)]))
    kill(d)


def within_the_start(d, rng, _):
    kill(d)
    d.spawn()
    time.sleep(rng.uniform(0, 0.03))
    kill(d)


def within_the_stop(d, rng, _):
    d.ask("rescan")
    d.process.send_signal(signal.SIGTERM)
    time.sleep(rng.uniform(0, 0.01))
    kill(d)


def within_a_reload(d, rng, _):
    d.process.send_signal(signal.SIGHUP)
    d.ask("rescan")
    time.sleep(rng.uniform(0, 0.02))
    kill(d)


MOMENTS = [within_the_walk, within_the_walk, within_the_file, within_the_commit, within_the_commit, after_the_commit,
           within_a_merge, within_the_start, within_the_stop, within_a_reload]


class Committed:
    """The states of the tree that the index may be in: one of those that were walked."""

    def __init__(self, rows):
        self.states = [rows]
        self.served = {"the last": 0, "an earlier": 0}

    def add(self, rows):
        if rows != self.states[-1]:
            self.states.append(rows)

    def settle(self):
        """The newest is committed: no earlier one may ever come back."""
        del self.states[:-1]

    def check(self, got, what):
        if got not in self.states:
            lines = [f"not the state {len(self.states) - i} before the kill:\n    " + "\n    ".join(differences(got, wanted))
                     for i, wanted in enumerate(self.states)]
            raise AssertionError(f"{what}: no state that was ever walked is served:\n  " + "\n  ".join(lines))
        at = self.states.index(got)
        self.served["the last" if at == len(self.states) - 1 else "an earlier"] += 1
        # What is served now was committed: never an older one again.
        del self.states[:at]


STILL = 12_000 if TIER != "quick" else 3_000  # entries that make a walk last, and do not change


def look_below(c, live):
    """What the index says of `live`; beside it is what never changes."""
    rows = indexed(c, f'in:"{live}"')
    return rows, c.ask("search", q=f'-in:"{live}"', limit=1, count="exact")["total"]["n"]


def answer_after_start(d, live, what):
    """The first answer, and how long after exec it came."""
    start = time.monotonic()
    d.spawn()
    while not d.address():
        assert d.running() and time.monotonic() < start + START, f"{what}: it does not listen; {d.log()[-1000:]}"
    with d.connect() as c:
        rows, beside = look_below(c, live)
    took = time.monotonic() - start
    assert took < START, f"{what}: the first answer took {took:.1f} s"
    return rows, beside, took


def below(live):
    rows = listing(live)
    del rows[os.fsencode(live)]
    # find counts from where it begins.
    return {path: (*row[:-1], row[-1] + 1) for path, row in rows.items()}


def test_at_any_moment():
    rng = random.Random(SEED)
    took, moments, layers = [], {}, set()
    with Tree() as t:
        hostile.many(t.at("still"), STILL)
        live = t.at("live")
        hostile.make(live, 200, seed=SEED)
        churn = Churn(live, SEED)
        # Live, what is between two changes would be served too: 210 is about that.
        with Daemon({"t": {"path": t, "watch": "no"}}) as d:
            committed, still = Committed(below(live)), len(find(t.path)) - len(below(live))

            def stir(n):
                churn.look()
                churn.some(n)
                os.sync()  # blocks are given late
                committed.add(below(live))

            d.stir = stir
            start = time.monotonic()
            d.rescan()
            walk = time.monotonic() - start
            idle = True
            for n in range(KILLS):
                moment = rng.choice(MOMENTS)
                what = f"kill {n} of {KILLS}, {moment.__name__} (TRAWL_SEED={SEED})"
                # A walk that is under way sees some changes and others not.
                if idle:
                    stir(rng.choice([0, 1, 5, 40, 200]))
                moment(d, rng, walk)
                moments[moment.__name__] = moments.get(moment.__name__, 0) + 1
                rows, beside, seconds = answer_after_start(d, live, what)
                took.append(seconds)
                committed.check(rows, what)
                assert beside == still, f"{what}: {beside} entries that never changed, not {still}"
                # Half of the daemons are killed again before their first walk is through.
                idle = rng.random() < 0.5
                if idle:
                    d.wait_indexed()
                    d.rescan()
                    same_rows(look_below(d, live)[0], committed.states[-1], f"{what}: after the next walk")
                    layers.add(d.ask("status")["roots"][0]["layers"])
                    committed.settle()
                    nothing_left(d)
    print(f"  {KILLS} kills (seed {SEED}): {', '.join(f'{n} {k}' for k, n in sorted(moments.items()))}; served "
          f"{committed.served['the last']} times the state of the kill, {committed.served['an earlier']} times one before; "
          f"first answer after {statistics.median(took) * 1e3:.0f} ms, at worst {max(took) * 1e3:.0f}; "
          f"{min(layers)} to {max(layers)} layers, {sum(MERGES)} of {len(MERGES)} merges met")


def test_during_the_first_walk_and_its_commit():
    r = random.Random(61)
    with Tree() as t:
        hostile.many(t.path, 8000)
        wanted = find(t.path)
        for _ in range(FIRST_WALKS):
            with Daemon({"t": t}, start=False) as d:
                d.spawn()
                time.sleep(r.uniform(0.0, 0.2))
                kill(d)
                d.start()
                same(d.search("*"), wanted, "after kill -9 in the first walk")
                nothing_left(d)


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
