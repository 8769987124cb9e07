"""box: a real trawld in a box of its own, a socket to it, and a runner for tests of the whole.

    with Daemon(roots={"tree": path}) as d:
        assert d.search("ext:c") == find(path, "-name", "*.c")

A test file is a program: functions called test_*, run in the order they stand, by main(). A test
that cannot run here raises Skip(why); a file whose tests were all skipped exits 77.

Paths are bytes everywhere: names need not be UTF-8. Times are seconds. TRAWL_TIER (quick, full,
long) scales counts with scale(), as test_scale() of test.h does.
"""
import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

SUPPORT = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(SUPPORT))
BUILD = os.environ.get("TRAWL_BUILD", os.path.join(TOP, "build", "dev"))
TRAWLD = os.environ.get("TRAWLD", os.path.join(BUILD, "daemon", "trawld"))
TRAWL = os.environ.get("TRAWL", os.path.join(BUILD, "client", "trawl"))
TIER = os.environ.get("TRAWL_TIER", "quick")
SANITIZED = os.environ.get("TRAWL_SANITIZE", "")
# How much longer than usual something may take before it counts as hanging.
SLOW = 10 if SANITIZED else 1
PATIENCE = 30 * SLOW
NOBODY = 65534


class Skip(Exception):
    pass


class Refused(Exception):
    """The daemon answered with an error event, kept in .event."""

    def __init__(self, event):
        super().__init__(json.dumps(event))
        self.event = event
        self.code = event.get("code")


def scale(n):
    """As test_scale() of the unit tests."""
    return max(1, n // {"long": 1, "full": 200 if SANITIZED else 50}.get(TIER, 500))


def need(*programs):
    """The first of the programs that is installed."""
    for p in programs:
        if shutil.which(p):
            return p
    raise Skip(f"{programs[0]} is not installed")


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


def until(condition, what, patience=PATIENCE):
    """Wait for a condition that nothing announces."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience} s: {what}")
        time.sleep(0.01)


def text_of(value):
    """A text of the protocol as its exact bytes."""
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return value.encode() if isinstance(value, str) else value


class Connection:
    """One client. Requests get ids 1, 2, ...; events of other requests are kept for their turn."""

    def __init__(self, address, patience=PATIENCE):
        if "/" in address:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(patience)
            self.socket.connect(address)
        else:
            host, _, port = address.rpartition(":")
            self.socket = socket.create_connection((host, int(port)), timeout=patience)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.last_id = 0
        self.kept = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send_bytes(self, data):
        self.socket.sendall(data)

    def send(self, op, **members):
        self.last_id += 1
        self.send_bytes(json.dumps({"id": self.last_id, "op": op, **members}).encode() + b"\n")
        return self.last_id

    def line(self):
        """The next line, None at the end of the connection."""
        while b"\n" not in self.buffer:
            try:
                data = self.socket.recv(1 << 18)
            except ConnectionResetError:
                data = b""
            if not data:
                if self.buffer:
                    raise AssertionError(f"the connection ended within a line: {self.buffer[:200]!r}")
                return None
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line

    def event(self):
        line = self.line()
        return None if line is None else json.loads(line)

    def events(self, request):
        """The events of one request, up to its `end` (given too); an `error` raises Refused."""
        while True:
            if self.kept.get(request):
                e = self.kept[request].pop(0)
            else:
                e = self.event()
                if e is None:
                    raise AssertionError("the daemon hung up before the end of an answer")
                if e.get("id") != request:
                    self.kept.setdefault(e.get("id"), []).append(e)
                    continue
            if e.get("ev") == "error":
                raise Refused(e)
            yield e
            if e.get("ev") == "end":
                return

    def ask(self, op, **members):
        """The events of a request as one: its rows together, beside the members of the others."""
        rows, others = [], {}
        for e in self.events(self.send(op, **members)):
            rows += e.pop("rows", [])
            others |= e
        return {**others, "rows": rows} if op in ("search", "grep", "du", "top", "stats", "dupes", "sql", "since") else others

    def search(self, q, **members):
        """Sorted paths."""
        answer = self.ask("search", q=q, **{"limit": 0, "fields": ["path"], **members})
        return sorted(text_of(row[0]) for row in answer["rows"])


class Daemon:
    def __init__(self, roots=None, config="", state=None, user=None, start=True, limits=None):
        self.top = tempfile.mkdtemp(prefix="trawl-box-")
        self.state = state or os.path.join(self.top, "state")
        self.file = os.path.join(self.top, "trawld.conf")
        self.log_file = os.path.join(self.top, "log")
        self.user, self.process, self.finding = user, None, os.path.join(self.top, "findings")
        self.limits = limits or {}
        os.makedirs(self.state, exist_ok=True)
        os.mkdir(self.finding, 0o777)
        os.chmod(self.finding, 0o777)
        os.chmod(self.top, 0o755)
        if user is not None:
            os.chown(self.state, user, user)
        self.unix = os.path.join(self.state, "sock")
        self.write_config(roots or {}, config)
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if self.running():
                self.process.terminate()
                try:
                    self.process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.wait()
                    if kind is None:
                        raise AssertionError("did not stop on SIGTERM: " + self.log()[-2000:]) from None
            if kind is not None:
                print("  the daemon's log ends with:\n    " +
                      "\n    ".join(self.log().splitlines()[-12:]))
            self.check_findings()
        finally:
            shutil.rmtree(self.top, ignore_errors=True)

    # Configuration

    def config_text(self, roots, more=""):
        text = f"[daemon]\nstate_dir = {self.state}\npressure = 0\n[listen]\ntcp = 127.0.0.1:0\nunix = {self.unix}\n"
        if self.user is not None:
            text += "allow = 0\nadmin = 0\n"
        if self.limits:
            text += "[limits]\n" + "".join(f"{k} = {v}\n" for k, v in self.limits.items())
        for name, root in roots.items():
            keys = root if isinstance(root, dict) else {"path": root}
            text += f"[root {name}]\n" + "".join(f"{k} = {os.fsdecode(v)}\n" for k, v in keys.items())
        return text + more

    def write_config(self, roots, more=""):
        with open(self.file, "w", encoding="utf-8", errors="surrogateescape") as f:
            f.write(self.config_text(roots, more))

    # Life

    def environment(self):
        logs = os.path.join(self.finding, "san")
        return {**os.environ, "LC_ALL": "C.UTF-8",
                "ASAN_OPTIONS": f"detect_stack_use_after_return=1:handle_segv=0:log_path={logs}",
                "UBSAN_OPTIONS": f"print_stacktrace=1:log_path={logs}",
                "TSAN_OPTIONS": f"handle_segv=0:second_deadlock_stack=1:log_path={logs}"}

    def command(self):
        command = [TRAWLD, "-c", self.file]
        if self.user is not None:
            # That user may not be able to enter the build directory.
            command[0] = os.path.join(self.top, "trawld")
            if not os.path.exists(command[0]):
                shutil.copy(TRAWLD, command[0])
            command = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups",
                       *command]
        return command

    def spawn(self):
        """Start without waiting for anything."""
        for stale in ("address",):
            if os.path.exists(os.path.join(self.state, stale)):
                os.unlink(os.path.join(self.state, stale))
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.environment())

    def start(self, indexed=True):
        self.spawn()
        until(lambda: self.address() or not self.running(), "the daemon listens")
        if not self.running():
            raise AssertionError(f"the daemon ended with {self.process.returncode}: {self.log()[-2000:]}")
        if indexed:
            self.wait_indexed()
        return self

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, how=signal.SIGTERM, patience=PATIENCE):
        """End it and give its exit code (negative: a signal)."""
        self.process.send_signal(how)
        code = self.process.wait(patience)
        self.check_findings()
        return code

    def check_findings(self):
        for name in os.listdir(self.finding):
            with open(os.path.join(self.finding, name), errors="replace") as f:
                text = f.read()
            os.unlink(os.path.join(self.finding, name))
            if text:
                raise AssertionError("a sanitizer found something:\n" + text[:6000])

    def log(self):
        with open(self.log_file, errors="replace") as f:
            return f.read()

    def until_log(self, text, count=1, patience=PATIENCE):
        until(lambda: self.log().count(text) >= count, f'the log says "{text}"; it ends with '
              + self.log()[-1000:], patience)

    # Talk

    def address(self):
        """host:port, told by the file in the state directory, and by the log."""
        try:
            with open(os.path.join(self.state, "address")) as f:
                return f.read().strip()
        except FileNotFoundError:
            return ""

    def connect(self, unix=False, patience=PATIENCE):
        return Connection(self.unix if unix else self.address(), patience)

    def ask(self, op, **members):
        with self.connect() as c:
            return c.ask(op, **members)

    def search(self, q, **members):
        with self.connect() as c:
            return c.search(q, **members)

    def roots(self):
        return {r["name"]: r for r in self.ask("roots")["roots"]}

    @staticmethod
    def is_done(root):
        """Names and contents: all was tried."""
        return root["state"] in ("ready", "failed") and root["content"]["state"] != "reading"

    def segments_named(self):
        """How many segment files the roots have."""
        return sum(r["layers"] + r["content"].get("segments", 0) for r in self.roots().values())

    def wait_indexed(self, names=None):
        def done():
            if not self.running():
                raise AssertionError(f"the daemon ended: {self.log()[-2000:]}")
            roots = self.roots()
            return all(self.is_done(r) for n, r in roots.items()
                       if names is None or n in names) and (names is None or set(names) <= set(roots))
        until(done, "every root is indexed", 20 * PATIENCE)

    def rescan(self, name=None):
        """Walk again, and wait for the walk that began after now."""
        before = {n: r["walked_us"] for n, r in self.roots().items()}
        self.ask("rescan", **({"root": name} if name else {}))
        until(lambda: all(self.is_done(r) and r["walked_us"] > before.get(n, 0)
                          for n, r in self.roots().items() if name in (None, n)),
              "the rescan is done", 20 * PATIENCE)

    def reload(self):
        n = self.log().count("reload")
        self.process.send_signal(signal.SIGHUP)
        until(lambda: self.log().count("reload") > n, "the log tells of the reload")

    def trawl(self, *args, **kw):
        return subprocess.run([TRAWL, *args], capture_output=True, timeout=4 * PATIENCE,
                              env={**self.environment(), "TRAWL_ADDRESS": self.address()}, **kw)

    def memory(self, field):
        """A line of /proc/PID/status in bytes: VmRSS, RssAnon."""
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(x.split()[1]) * 1024 for x in f if x.startswith(field + ":"))


def find(root, *expression):
    """Sorted paths that find(1) prints."""
    r = subprocess.run(["find", root, *expression, "-print0"], capture_output=True)
    return sorted(p for p in r.stdout.split(b"\0") if p)


def texts_of(root):
    """Regular files without a NUL, and not UTF-16: what both call text. (Names without line feeds: rg prints them.)"""
    def is_text(path):
        with open(path, "rb") as f:
            data = f.read()
        return b"\n" not in path and b"\0" not in data and data[:2] not in (b"\xff\xfe", b"\xfe\xff")
    return {p for p in find(root, "-type", "f", "-size", "-9000000c") if is_text(p)}


def same(got, wanted, what):
    """Two sorted lists of paths are the same, or the first differences are told."""
    if got == wanted:
        return
    missing = sorted(set(wanted) - set(got))
    extra = sorted(set(got) - set(wanted))
    raise AssertionError(f"{what}: {len(got)} answers, {len(wanted)} expected; missing "
                         f"{[p[-80:] for p in missing[:3]]} ({len(missing)}), too many "
                         f"{[p[-80:] for p in extra[:3]]} ({len(extra)})"
                         + ("" if missing or extra else "; some twice"))


class Tree:
    """A directory of a test, removed with it."""

    def __init__(self, parent=None):
        self.path = tempfile.mkdtemp(prefix="trawl-tree-", dir=parent)
        os.chmod(self.path, 0o755)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # rm(1) enters what our own recursion could not: 4,000 levels.
        subprocess.run(["chmod", "-R", "u+rwX", self.path], stderr=subprocess.DEVNULL)
        subprocess.run(["rm", "-rf", self.path], check=False)

    def __fspath__(self):
        return self.path

    def at(self, *names):
        return os.path.join(self.path, *names)

    def write(self, name, text=""):
        path = os.path.join(os.fsencode(self.path), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(text.encode() if isinstance(text, str) else text)
        return path


def million(path, n, seed=1):
    """n realistic entries below the path, the same for the same seed."""
    program = os.path.join(BUILD, "bench", "bench_million")
    if not os.path.exists(program):
        raise Skip(f"{program} is not built")
    subprocess.run([program, os.fspath(path), str(n), str(seed)], check=True)


def run_one(name, function):
    start = time.monotonic()
    try:
        function()
        verdict = "ok"
    except Skip as e:
        verdict = "skipped"
        print(f"skipped: {os.path.basename(sys.argv[0])} {name}: {e}")
    except Exception:  # pylint: disable=broad-except
        verdict = "FAILED"
        print("  " + traceback.format_exc().replace("\n", "\n  "))
    print(f"{verdict:8} {name} ({time.monotonic() - start:.1f} s)", flush=True)
    return verdict


def main():
    """Run the caller's test_* functions, or those that begin with the arguments given."""
    module = sys.modules["__main__"]
    tests = [(n, f) for n, f in vars(module).items() if n.startswith("test_") and callable(f)]
    if len(sys.argv) > 1:
        tests = [(n, f) for n, f in tests if n.startswith(tuple(sys.argv[1:]))]
    for binary in (TRAWLD, TRAWL):
        if not os.path.exists(binary):
            print(f"skipped: {os.path.basename(sys.argv[0])}: {binary} is not built")
            sys.exit(77)
    verdicts = [run_one(n, f) for n, f in tests]
    if not tests or "FAILED" in verdicts:
        sys.exit(1)
    sys.exit(77 if all(v == "skipped" for v in verdicts) else 0)
