"""A restart serves its first answer within half a second of exec, with 100,000 files."""
import statistics
import time

import hostile
from box import TIER, Daemon, Tree, main, until

FILES = 100_000
LIMIT = 0.5


def test_first_answer_after_a_restart():
    with Tree() as t:
        hostile.many(t.path, FILES)
        with Daemon({"t": t}) as d:
            n = len(d.search("type:f"))
            assert n == FILES, n
            times = []
            for _ in range(5):
                d.stop()
                start = time.monotonic()
                d.spawn()
                until(d.address, "it listens")
                a = d.ask("search", q="kmalloc_000042 ext:p", limit=10, count="exact")
                times.append(time.monotonic() - start)
                assert a["total"]["n"] == len(a["rows"]) <= 1, a
                with d.connect() as c:
                    assert c.ask("search", q="type:f", limit=1, count="exact")["total"]["n"] == FILES
            print(f"  first answer after {statistics.median(times) * 1e3:.0f} ms (median of {len(times)}, "
                  f"worst {max(times) * 1e3:.0f} ms)")
            # Only the long tier runs alone on its machine, and only there time is a verdict.
            if TIER == "long":
                assert statistics.median(times) < 2 * LIMIT, times


main()
