"""SIGTERM and SIGINT: exit 0 within five seconds, whatever is going on."""
import signal
import time

import hostile
from box import SLOW, Daemon, Tree, find, main, same, scale


def timed_stop(d, how):
    start = time.monotonic()
    code = d.stop(how)
    took = time.monotonic() - start
    assert code == 0, f"exit {code}: {d.log()[-500:]}"
    assert took < 5 * SLOW, f"{took:.1f} s"


def test_idle():
    for how in (signal.SIGTERM, signal.SIGINT):
        with Tree() as t:
            t.write("x")
            with Daemon({"t": t}) as d:
                timed_stop(d, how)
                assert d.log().rstrip().endswith("stopped"), d.log()


def test_in_the_middle_of_indexing():
    with Tree() as t:
        hostile.many(t.path, max(20_000, scale(1_000_000)))
        for delay in (0, 0.02, 0.1, 0.3):
            with Daemon({"t": t}, start=False) as d:
                d.start(indexed=False)
                time.sleep(delay)
                timed_stop(d, signal.SIGTERM)


def test_with_clients_that_wait_and_clients_that_do_not_read():
    with Tree() as t:
        hostile.many(t.path, 20_000)
        with Daemon({"t": t}) as d:
            idle = [d.connect() for _ in range(20)]
            deaf = [d.connect() for _ in range(5)]
            for c in deaf:
                c.send("search", q="*", limit=0, timeout_ms=60000)
            idle[0].ask("ping")
            timed_stop(d, signal.SIGTERM)
            for c in idle + deaf:
                c.close()


def test_the_next_start_serves_what_was_there():
    with Tree() as t:
        hostile.make(t.path, 300, seed=51)
        wanted = find(t.path)
        with Daemon({"t": t}) as d:
            timed_stop(d, signal.SIGTERM)
            d.start(indexed=False)
            same(d.search("*"), wanted, "at once after the start")


main()
