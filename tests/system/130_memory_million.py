"""A million files: RssAnon after indexing, and a name query on them."""
import hostile
from box import SANITIZED, Daemon, Tree, main, scale

LIMIT = 120_000_000


def test_anonymous_memory_after_indexing():
    n = scale(1_000_000)
    with Tree() as t:
        hostile.many(t.path, n)
        with Daemon({"t": t}) as d:
            first = d.memory("RssAnon")
            d.rescan()
            again = d.memory("RssAnon")
            a = d.ask("search", q="type:f", limit=1, count="exact")
            assert a["total"]["n"] == n, a
            print(f"  {n} files: RssAnon {first / 1e6:.1f} MB after the first walk, {again / 1e6:.1f} MB after a rescan")
            if not SANITIZED:
                assert max(first, again) < LIMIT


main()
