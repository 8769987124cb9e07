"""kill -9 while contents are read, written, committed and merged: afterwards each word is found where rg finds it."""
import os
import random
import signal
import subprocess
import time

from box import TIER, TRAWLD, Daemon, Tree, main, need, same, until

SEED = int(os.environ.get("TRAWL_SEED", "82"))
KILLS = {"quick": 5, "full": 8, "long": 500}[TIER]
FILES = {"quick": 400, "full": 1500, "long": 4000}[TIER]
WORDS = [f"word{n:03d}" for n in range(300)]


class Texts:
    """Files of words, some of which change."""

    def __init__(self, tree, rng):
        self.tree, self.rng, self.n = tree, rng, 0
        for _ in range(FILES):
            self.add()

    def text(self):
        lines = [" ".join(self.rng.choices(WORDS, k=8)) for _ in range(self.rng.choice([1, 5, 40]))]
        return "\n".join(lines) + "\n"

    def add(self):
        self.tree.write(f"d{self.n % 17}/f{self.n}.txt", self.text())
        self.n += 1

    def stir(self, n):
        for _ in range(n):
            path = self.tree.at(f"d{(i := self.rng.randrange(self.n)) % 17}/f{i}.txt")
            what = self.rng.random()
            if what < 0.2:
                self.add()
            elif what < 0.4 and os.path.exists(path):
                os.unlink(path)
            elif os.path.exists(path):
                self.tree.write(os.path.relpath(path, self.tree.path), self.text())
        self.add()


def kill(d):
    d.process.send_signal(signal.SIGKILL)
    d.process.wait()


def texts_of(d):
    try:
        return {n for n in os.listdir(os.path.join(d.state, "segments")) if n.startswith("text-")}
    except FileNotFoundError:
        return set()  # the daemon has hardly begun


def look_for(condition, seconds):
    """What it waits for is there for moments only, so this looks without a pause."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
    return False


def within_the_pass(d, rng):
    time.sleep(rng.uniform(0, 0.2))


def within_the_file(d, rng):
    look_for(lambda: any(n.endswith(".tmp") for n in texts_of(d)), 0.25)
    time.sleep(rng.choice([0, rng.uniform(0, 0.002)]))


def within_the_commit(d, rng):
    known = texts_of(d)
    look_for(lambda: any(n.endswith(".seg") for n in texts_of(d) - known), 0.25)
    time.sleep(rng.choice([0, rng.uniform(0, 0.004)]))


def within_a_merge(d, rng):
    """The second new file after a change is that of a merge."""
    within_the_commit(d, rng)
    within_the_file(d, rng)


def within_the_start(d, rng):
    kill(d)
    d.spawn()
    time.sleep(rng.uniform(0, 0.08))


MOMENTS = [within_the_pass, within_the_file, within_the_commit, within_the_commit, within_a_merge, within_a_merge,
           within_the_start]


def check(d, tree, rng, what):
    for word in rng.sample(WORDS, 4):
        r = subprocess.run(["rg", "-l", "-0", "-F", "--no-config", "-uu", word, tree.path], capture_output=True)
        same(d.search(f"content:{word}", timeout_ms=30000), sorted(p for p in r.stdout.split(b"\0") if p),
             f"{what}: {word}")


def tidy(d):
    def clean():
        names = os.listdir(os.path.join(d.state, "segments"))
        return all(n.endswith(".seg") for n in names) and len(names) == d.segments_named()
    until(clean, "there are the segments that the roots have")


def test_contents_at_any_moment():
    need("rg")
    rng = random.Random(SEED)
    met = {}
    with Tree() as t:
        texts = Texts(t, rng)
        with Daemon({"t": t}, start=False) as d:
            d.start(indexed=False)
            for n in range(KILLS):
                moment = rng.choice(MOMENTS)
                what = f"kill {n} of {KILLS}, {moment.__name__} (TRAWL_SEED={SEED})"
                met[moment.__name__] = met.get(moment.__name__, 0) + 1
                if n % 3:
                    until(lambda: d.address() and d.running(), f"{what}: it listens")
                    d.ask("rescan")
                moment(d, rng)
                kill(d)
                texts.stir(rng.choice([0, 1, 10, 100]))
                d.spawn()
                if rng.random() < 0.6:
                    until(lambda: d.address() and d.running(), f"{what}: it listens")
                    d.wait_indexed()
                    check(d, t, rng, what)
                    tidy(d)
                    content = d.ask("status")["roots"][0]["content"]
                    assert content["files_done"] == content["files"] and "error" not in content, f"{what}: {content}"
                    texts.stir(rng.choice([1, 10, 100]))
            until(lambda: d.address() and d.running(), "the last one listens")
            d.wait_indexed()
            tidy(d)
            p = subprocess.run([TRAWLD, "--verify", "-c", d.file], capture_output=True, text=True)
            assert p.returncode == 0, p.stdout + p.stderr
    print(f"  {KILLS} kills (seed {SEED}): {', '.join(f'{n} {k}' for k, n in sorted(met.items()))}")


main()
