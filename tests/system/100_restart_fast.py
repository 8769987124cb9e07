"""A restart serves its first answer within half a second of exec, with 100,000 files; how soon with a million is told."""
import signal
import statistics
import time

import hostile
from box import TIER, Daemon, Skip, Tree, main, million

FILES = 100_000
LIMIT = 0.5
MILLION = 1_000_000


def first_answer(d, q):
    """Seconds from exec to the answer of a first question, and the answer."""
    start = time.monotonic()
    d.spawn()
    while not d.address():
        assert d.running() and time.monotonic() < start + 60, d.log()[-1000:]
    a = d.ask("search", q=q, limit=10, count="exact")
    return time.monotonic() - start, a


def test_first_answer_with_a_million_entries():
    """After a stop, and after kill -9 with its look at every page of the catalog. The goal is 100 ms."""
    if TIER != "long":
        raise Skip("long only")
    with Tree() as t:
        million(t.path, MILLION)
        with Daemon({"t": t}) as d:
            assert d.ask("search", q="", limit=1, count="exact")["total"]["n"] == MILLION + 1
            for how in (signal.SIGTERM, signal.SIGKILL):
                times = []
                for _ in range(7):
                    d.process.send_signal(how)
                    d.process.wait()
                    took, a = first_answer(d, "name:README")
                    times.append(took)
                    assert a["total"]["n"] > 100 and len(a["rows"]) == 10, a["total"]
                print(f"  a million entries, after {how.name}: first answer after {statistics.median(times) * 1e3:.0f} ms "
                      f"(median of {len(times)}, {min(times) * 1e3:.0f} to {max(times) * 1e3:.0f})")


def test_first_answer_after_a_restart():
    with Tree() as t:
        hostile.many(t.path, FILES)
        with Daemon({"t": t}) as d:
            n = len(d.search("type:f"))
            assert n == FILES, n
            times = []
            for _ in range(5):
                d.stop()
                took, a = first_answer(d, "kmalloc_000042 ext:p")
                times.append(took)
                assert a["total"]["n"] == len(a["rows"]) <= 1, a
                with d.connect() as c:
                    assert c.ask("search", q="type:f", limit=1, count="exact")["total"]["n"] == FILES
            print(f"  first answer after {statistics.median(times) * 1e3:.0f} ms (median of {len(times)}, "
                  f"worst {max(times) * 1e3:.0f} ms)")
            # Only the long tier runs alone on its machine, and only there time is a verdict.
            if TIER == "long":
                assert statistics.median(times) < 2 * LIMIT, times


main()
