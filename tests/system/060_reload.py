"""SIGHUP: a good configuration is taken over whole, a bad one not at all, and no client notices."""
import os
import signal
import threading

import hostile
from box import Daemon, Tree, find, main, same, until


def test_a_root_added_and_one_removed():
    with Tree() as a, Tree() as b:
        hostile.make(a.path, 200, seed=41)
        hostile.make(b.path, 200, seed=42)
        with Daemon({"a": a}) as d, d.connect() as c:
            same(c.search("*"), find(a.path), "before")
            d.write_config({"a": a, "b": b})
            d.reload()
            d.wait_indexed(["a", "b"])
            same(c.search("*"), sorted(find(a.path) + find(b.path)), "with b")
            d.write_config({"b": b})
            d.reload()
            until(lambda: set(d.roots()) == {"b"}, "a has gone")
            same(c.search("*"), find(b.path), "without a, on the connection of the beginning")


def test_only_what_changed_is_walked_again():
    with Tree() as a, Tree() as b:
        a.write("x.c")
        b.write("y.o")
        b.write("y.c")
        with Daemon({"a": a, "b": b}) as d:
            before = {n: r["walked_us"] for n, r in d.roots().items()}
            d.write_config({"a": a, "b": {"path": b, "exclude": "*.o"}})
            d.reload()
            until(lambda: d.roots()["b"]["walked_us"] > before["b"], "b is walked again")
            assert d.roots()["a"]["walked_us"] == before["a"], "a had not changed"
            assert d.search("y") == [os.fsencode(b.at("y.c"))]


def test_a_broken_configuration_changes_nothing():
    with Tree() as a:
        a.write("x")
        with Daemon({"a": a}) as d, d.connect() as c:
            address = d.address()
            for n, (bad, says) in enumerate([("[daemon]\nnonsense = 1\n", "nonsense"), ("garbage\n", "trawld.conf:"),
                                             ("[root a2]\npath = relative\n", "relative"),
                                             ("[listen]\ntcp = 127.0.0.1:0\n", "tcp is given in line"),
                                             ("", "0.0.0.0"),
                                             (f"[root b]\npath = {a.at('nosuch')}\n", "nosuch")]):
                d.write_config({"a": a}, bad)
                if says == "0.0.0.0":
                    with open(d.file, "w", encoding="utf-8") as f:
                        f.write(d.config_text({"a": a}).replace("tcp = 127.0.0.1:0", "tcp = 0.0.0.0:0"))
                logged = len(d.log())
                d.reload()
                until(lambda: says in d.log()[logged:], f'the log names "{says}"')
                assert d.running() and c.ask("ping") and d.address() == address, n
                assert [x for x in d.roots() if x == "a"] == ["a"]
                assert len(c.search("*")) == 2
            # And after all that a good one is still taken.
            a.write("y")
            d.write_config({"a": a, "z": {"path": a.at("sub")}})
            os.mkdir(a.at("sub"))
            d.reload()
            d.wait_indexed(["a", "z"])


def test_listeners_change_and_the_old_connections_stay():
    with Tree() as a:
        a.write("x")
        with Daemon({"a": a}) as d, d.connect() as c, d.connect(unix=True) as u:
            d.write_config({"a": a})
            text = open(d.file).read().replace(d.unix, d.unix + "2")
            open(d.file, "w").write(text)
            d.reload()
            until(lambda: os.path.exists(d.unix + "2"), "the new socket")
            assert len(c.search("*")) == 2 and len(u.search("*")) == 2, "connections of before"
            d.unix += "2"
            assert len(d.connect(unix=True).search("*")) == 2


def test_reloads_and_queries_at_once():
    with Tree() as a, Tree() as b:
        hostile.make(a.path, 500, seed=43)
        hostile.make(b.path, 100, seed=44)
        with Daemon({"a": a}) as d:
            wanted = find(a.path)
            stop, wrong = threading.Event(), []

            def ask():
                with d.connect() as c:
                    while not stop.is_set():
                        got = c.search("root:a")
                        if got != wanted:
                            wrong.append((len(got), len(wanted)))
            threads = [threading.Thread(target=ask) for _ in range(6)]
            for x in threads:
                x.start()
            for i in range(12):
                d.write_config({"a": a, "b": b} if i % 2 == 0 else {"a": a})
                d.process.send_signal(signal.SIGHUP)
                d.rescan("a")
            stop.set()
            for x in threads:
                x.join()
            assert not wrong, wrong[:3]
            d.write_config({"a": a, "b": b})
            d.reload()
            d.wait_indexed(["a", "b"])
            same(d.search("*"), sorted(wanted + find(b.path)), "in the end")


def test_nested_roots_share_nothing():
    with Tree() as a:
        hostile.make(a.path, 150, seed=45)
        os.mkdir(a.at("inner"))
        hostile.make(a.at("inner"), 100, seed=46)
        with Daemon({"a": a, "inner": a.at("inner")}) as d:
            got = d.search("*")
            same(sorted(set(got)), find(a.path), "both together")
            inside = find(a.at("inner"), "-mindepth", "1")
            same(d.search("root:inner depth:>0"), inside, "the inner root")
            assert not set(d.search("root:a")) & set(inside), "a directory belongs to its deepest root"


main()
