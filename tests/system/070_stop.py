"""SIGTERM and SIGINT: exit 0 within five seconds, whatever is going on."""
import ctypes
import os
import random
import signal
import time

import hostile
from box import SLOW, Daemon, Skip, Tree, find, main, need_root, same, scale, until


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


def test_at_random_points_the_saved_index_stays_whole():
    rng = random.Random(70)
    with Tree() as t:
        hostile.make(t.path, 2000, seed=52)
        wanted = find(t.path)
        with Daemon({"t": t}) as d:
            for _ in range(max(8, scale(50 * 50))):
                timed_stop(d, rng.choice((signal.SIGTERM, signal.SIGINT)))
                d.start(indexed=False)
                time.sleep(rng.choice((0, 0.001, 0.01, 0.1)) * rng.random())
            same(d.search("*"), wanted, "after the last start")


def mount_dead(path):
    """A file system whose server never answers: what touches it waits in the kernel."""
    try:
        fd = os.open("/dev/fuse", os.O_RDWR)
    except OSError as e:
        raise Skip(f"/dev/fuse: {e}") from None
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other"
    if libc.mount(b"dead", os.fsencode(path), b"fuse", 0, options.encode()):
        os.close(fd)
        raise Skip(f"mounting: {os.strerror(ctypes.get_errno())}")
    return fd


def test_who_hangs_in_the_kernel_is_named():
    need_root()
    with Tree() as t:
        t.write("x")
        dead = os.path.join(t.path, "dead")
        os.mkdir(dead)
        with Daemon({"t": {"path": t.path, "one_file_system": "no"}}) as d:
            fd = mount_dead(dead)
            try:
                d.ask("rescan")
                until(lambda: d.roots()["t"]["state"] == "indexing", "the walk has begun")
                time.sleep(0.2)
                timed_stop(d, signal.SIGTERM)
                d.until_log("not ended in time: ")
                late = next(x for x in d.log().splitlines() if "not ended in time: " in x)
                # Who watches the mount before it is walked, or the walk.
                assert ('"root/t" (' in late or '"walk" (' in late) and "waits for walks" in late, late
            finally:
                os.close(fd)
                ctypes.CDLL(None).umount2(os.fsencode(dead), 2)


main()
