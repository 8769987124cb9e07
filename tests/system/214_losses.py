"""What the kernel could not tell, because its queue was full: answers say so until it is found by walking."""
import fcntl
import os
import subprocess

from box import Daemon, Skip, Tree, main, need_root, scale, until
from churn import Churn
from truth import indexed, listing, same_rows, told

QUEUES = ("fanotify", "inotify")


def now(d):
    """After the barrier; the answer of it."""
    return d.ask("search", q="", limit=1, sync_ms=60_000)


def losses(d):
    return d.roots()["t"]["watch"]["losses"]


class TinyQueue:
    """The kernel's queues of events are short for who opens one meanwhile, whoever that is; one at a time."""

    def __enter__(self):
        need_root()
        self.before = {}
        # Of two runs at once the later one would take the short one for what it was, and leave it so.
        self.lock = open("/proc/sys/fs/fanotify/max_queued_events", "rb")  # pylint: disable=consider-using-with
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        for q in QUEUES:
            try:
                with open(f"/proc/sys/fs/{q}/max_queued_events", "r+") as f:
                    self.before[q] = f.read()
                    f.seek(0)
                    f.write("4")
            except OSError as e:
                self.__exit__()
                raise Skip(f"queues cannot be made short: {e}") from e

    def __exit__(self, *_):
        for q, n in self.before.items():
            with open(f"/proc/sys/fs/{q}/max_queued_events", "w") as f:
                f.write(n)
        self.lock.close()


def healed(d, t, what):
    """Others change what is on the file system too, and may make the queue overflow at any time."""
    until(lambda: not now(d)["stale"], "it heals")
    same_rows(indexed(d), listing(os.fsencode(t.path)), what)


class Quiet(Tree):
    """On a file system of its own: what others write to theirs fills short queues, too."""

    def __enter__(self):
        need_root()
        if subprocess.run(["mount", "-t", "tmpfs", "none", self.path], capture_output=True).returncode:
            os.rmdir(self.path)
            raise Skip("nothing can be mounted")
        return self

    def __exit__(self, *rest):
        subprocess.run(["umount", self.path], check=True)
        super().__exit__(*rest)


def lose_and_heal(watch):
    with Quiet() as t:
        for i in range(50):
            t.write(f"d{i}/x")
        with TinyQueue():
            d = Daemon({"t": {"path": t, "watch": watch}})
        with d:
            healed(d, t, "before")
            for n in range(3):
                for i in range(400):
                    t.write(f"d{i % 50}/f{n}_{i}", "x" * n)
                answer = now(d)
                assert answer["synced"], answer
                # Stale until it is healed, never silently wrong.
                if not answer["stale"]:
                    same_rows(indexed(d), listing(os.fsencode(t.path)), f"round {n}")
            healed(d, t, "after losses")
            assert losses(d) > 0


def test_a_loss_heals():
    lose_and_heal("auto")


def test_a_loss_of_directories_heals():
    lose_and_heal("directories")


def test_answers_are_stale_or_right_over_many_losses():
    wanted, lossy, asked = scale(200), 0, 0
    with Quiet() as t:
        churn = Churn(t.path, 212)
        with TinyQueue():
            d = Daemon({"t": t})
        with d:
            while lossy < wanted:
                before = losses(d)
                churn.look()
                churn.some(200)
                truth = listing(os.fsencode(t.path))
                # By itself it heals later each time.
                if lossy > 1:
                    d.ask("rescan")
                stale = True
                while stale:
                    answer, rows = told(d, sync_ms=60_000)
                    stale, asked = answer["stale"], asked + 1
                lossy += losses(d) > before
                same_rows(rows, truth, f"after {lossy} bursts that overflowed and {asked} answers")


main()
