"""A thousand idle connections are cheap; two hundred at once get what one alone gets."""
import resource
import threading
import time

import hostile
from box import SANITIZED, SLOW, TIER, Daemon, Skip, Tree, main

QUERIES = ["type:f", "ext:c", "alpha", "name:*.h", "size:>100 type:f", "alpha | beta", "type:d", "mtime:<7d", "kmalloc -alpha",
           "depth:<4", "links:>1", "/[0-9]+/", "content:needle", "content:/k\\w+c/ ext:c"]


def raw(d, q):
    """The rows of an answer exactly as they came."""
    with d.connect(patience=120 * SLOW) as c:
        c.send("search", q=q, limit=0, timeout_ms=60000, fields=["path", "size", "mtime"])
        lines = []
        while True:
            line = c.line()
            assert line is not None, "hung up"
            if b'"ev":"rows"' not in line.replace(b" ", b""):
                assert b'"error"' not in line, line
                return b"".join(lines)
            lines.append(line[line.index(b"["):])


def rows_of(parts):
    # Where a line is cut may differ from run to run: the rows are what counts.
    return parts.replace(b"]]}[[", b"],[")


def test_two_hundred_at_once_get_what_one_gets():
    with Tree() as t:
        hostile.make(t.path, 3000, seed=31)
        with Daemon({"t": t}, limits={"timeout_max": "120s"}) as d:
            serial = {q: rows_of(raw(d, q)) for q in QUERIES}
            wrong, gate = [], threading.Barrier(200)

            def one(n):
                gate.wait()
                for q in QUERIES[n % 3::3]:
                    try:
                        if rows_of(raw(d, q)) != serial[q]:
                            wrong.append((n, q, "differs"))
                    except Exception as e:  # pylint: disable=broad-except
                        wrong.append((n, q, e))
            threads = [threading.Thread(target=one, args=(n,)) for n in range(200)]
            for x in threads:
                x.start()
            for x in threads:
                x.join()
            assert not wrong, f"{len(wrong)} answers: {wrong[:3]}"


def test_a_thousand_idle_connections_are_cheap():
    n = 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < n + 200:
        raise Skip(f"at most {hard} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, n + 200), hard))
    with Tree() as t:
        t.write("a.c")
        with Daemon({"t": t}) as d:
            d.search("*")
            before = d.memory("VmRSS")
            held = []
            try:
                for _ in range(n):
                    c = d.connect()
                    c.ask("ping")
                    held.append(c)
                # In the long tier a minute; else only long enough for timers to show.
                time.sleep(60 if TIER == "long" else 7)
                cost = d.memory("VmRSS") - before
                assert len({tuple(c.search("ext:c")) for c in held}) == 1
            finally:
                for c in held:
                    c.close()
            print(f"  {n} idle connections cost {cost / 1e6:.1f} MB")
            if not SANITIZED:
                assert cost < 20_000_000, f"{cost} bytes"


main()
