#!/usr/bin/env python3
"""systemd_box: a booted Debian with a real systemd as PID 1, on an overlay that vanishes with it.

    with Box(["libsqlite3-0"]) as box:
        box.push("trawld.deb", "/tmp/trawld.deb")
        box.run("dpkg", "-i", "/tmp/trawld.deb", check=True)

`systemd_box.py [-p PACKAGE,...] COMMAND...` boots one, runs a command in it, and takes it down.

It is systemd-nspawn without machined (the machine outside need not run systemd at all), in its own
PID, mount, network and cgroup namespaces. The tree below the overlay is made once by mmdebstrap and
kept in $TRAWL_CACHE (/var/cache/trawl-tests), one a set of packages. Needs root.
Unavailable says why such a box cannot be had here.
"""
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SUITE = os.environ.get("TRAWL_SUITE", "bookworm")
CACHE = os.environ.get("TRAWL_CACHE", "/var/cache/trawl-tests")
ALWAYS = ["systemd", "systemd-sysv", "dbus", "procps", "adduser"]
# They wait for a network or for disks that a box has not.
MASKED = ["systemd-timesyncd.service", "systemd-resolved.service", "systemd-modules-load.service", "apt-daily.timer",
          "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer", "dpkg-db-backup.timer"]


class Unavailable(Exception):
    pass


def mirror():
    """Where this machine's own apt gets its packages, the security archive apart."""
    out = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
                         capture_output=True, text=True).stdout.split()
    urls = [u for u in out if "security" not in u]
    if not urls:
        raise Unavailable("apt knows no mirror (apt-get update)")
    return urls[0]


def base_tree(packages):
    names = sorted(set(ALWAYS + packages))
    key = hashlib.sha256(" ".join([SUITE, *names]).encode()).hexdigest()[:12]
    base = os.path.join(CACHE, f"systemd-{SUITE}-{key}")
    if os.path.isdir(base):
        return base
    os.makedirs(CACHE, exist_ok=True)
    part = base + ".part"
    shutil.rmtree(part, ignore_errors=True)
    r = subprocess.run(
        ["mmdebstrap", "--mode=root", "--variant=minbase", "--include=" + ",".join(names),
         *(f"--dpkgopt=path-exclude=/usr/share/{d}/*" for d in ("doc", "locale")),
         "--customize-hook=systemctl --root=\"$1\" mask " + " ".join(MASKED) + " >/dev/null 2>&1 || :",
         "--customize-hook=: >\"$1/etc/machine-id\"; echo box >\"$1/etc/hostname\"", SUITE, part, mirror()],
        capture_output=True, text=True)
    if r.returncode:
        raise Unavailable("mmdebstrap failed: " + (r.stderr.strip().splitlines() or ["?"])[-1])
    os.rename(part, base)
    return base


def started(pid):
    """When a process began: with its pid, its identity. None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return None


def cgroups():
    """The hierarchies in which the box gets a group of its own."""
    if os.path.exists("/sys/fs/cgroup/cgroup.procs"):
        return ["/sys/fs/cgroup"]
    return [g for g in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd") if os.path.isdir(g)]


class Box:
    def __init__(self, packages=()):
        if os.geteuid() != 0:
            raise Unavailable("needs root")
        for tool in ("systemd-nspawn", "mmdebstrap", "nsenter"):
            if not shutil.which(tool):
                raise Unavailable(f"{tool} is not installed")
        self.base = base_tree(list(packages))
        self.name = f"trawl-box-{os.getpid()}"
        self.top = tempfile.mkdtemp(prefix="trawl-systemd-")
        self.nspawn = self.leader = None

    def __enter__(self):
        try:
            self.mount()
            self.boot()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *_):
        self.down()

    def at(self, *names):
        return os.path.join(self.top, *names)

    def mount(self):
        os.mkdir(self.at("mem"))
        self.must("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", self.at("mem"))
        for d in ("upper", "work", "root"):
            os.mkdir(self.at("mem", d))
        self.must("mount", "-t", "overlay", "overlay", self.at("mem", "root"), "-o",
                  f"lowerdir={self.base},upperdir={self.at('mem', 'upper')},workdir={self.at('mem', 'work')}")

    @staticmethod
    def must(*command):
        r = subprocess.run(command, capture_output=True, text=True)
        if r.returncode:
            raise Unavailable(f"{command[0]}: {r.stderr.strip()}")

    def join_cgroup(self):
        # In the child: nspawn makes its groups below the one it starts in.
        os.setsid()
        for hierarchy in cgroups():
            group = os.path.join(hierarchy, self.name)
            try:
                os.makedirs(group, exist_ok=True)
                with open(os.path.join(group, "cgroup.procs"), "w") as f:
                    f.write(str(os.getpid()))
            except OSError:
                pass  # then it shares ours

    def boot(self):
        with open(self.at("console"), "wb") as console:
            self.nspawn = subprocess.Popen(
                ["systemd-nspawn", "--directory", self.at("mem", "root"), "--machine", self.name,
                 "--register=no", "--keep-unit", "--console=pipe", "--private-network", "--capability=all",
                 "--system-call-filter=@known", "--link-journal=no", "--resolv-conf=off", "--timezone=off", "--boot"],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, preexec_fn=self.join_cgroup,
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})
        end = time.monotonic() + 60
        while not (self.find_leader() and self.run("test", "-S", "/run/systemd/private").returncode == 0):
            if self.nspawn.poll() is not None or time.monotonic() > end:
                with open(self.at("console"), errors="replace") as f:
                    raise Unavailable("it does not boot: " + " / ".join(f.read().split("\n")[-4:]))
            time.sleep(0.05)
        self.run("timeout", "60", "systemctl", "is-system-running", "--wait")

    def find_leader(self):
        """The box's PID 1: the child of nspawn that is in another PID namespace."""
        if self.leader and started(self.leader[0]) == self.leader[1]:
            return True
        pid = self.nspawn.pid
        try:
            with open(f"/proc/{pid}/task/{pid}/children") as f:
                children = f.read().split()
            for c in children:
                with open(f"/proc/{c}/comm") as f:
                    is_systemd = f.read().strip() == "systemd"
                if is_systemd and os.readlink(f"/proc/{c}/ns/pid") != os.readlink("/proc/self/ns/pid"):
                    self.leader = (c, started(c))
                    return True
        except OSError:
            pass  # it is being born
        return False

    def run(self, *command, check=False, data=None, timeout=120):
        """A command inside; output as text."""
        r = subprocess.run(["nsenter", "-t", self.leader[0], "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--",
                            "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", *command],
                           input=data, capture_output=True, text=True, timeout=timeout)
        if check and r.returncode:
            raise AssertionError(f"in the box: {' '.join(command)}: exit {r.returncode}: {r.stdout}{r.stderr}")
        return r

    def push(self, source, target):
        # Through its root, which is the overlay that it sees itself.
        shutil.copy(source, f"/proc/{self.leader[0]}/root{target}")

    def down(self):
        if self.nspawn and self.nspawn.poll() is None:
            if self.leader and started(self.leader[0]) == self.leader[1]:
                os.kill(int(self.leader[0]), signal.SIGRTMIN + 4)  # power off
            try:
                self.nspawn.wait(15)
            except subprocess.TimeoutExpired:
                if self.leader and started(self.leader[0]) == self.leader[1]:
                    os.kill(int(self.leader[0]), signal.SIGKILL)  # and with it its PID namespace
                self.nspawn.kill()
                self.nspawn.wait()
        for m in (self.at("mem", "root"), self.at("mem")):
            subprocess.run(["umount", "-l", m], capture_output=True)
        for hierarchy in cgroups():
            group = os.path.join(hierarchy, self.name)
            for d, _, _ in os.walk(group, topdown=False):
                try:
                    os.rmdir(d)
                except OSError:
                    pass
        shutil.rmtree(self.top, ignore_errors=True)


def depends(deb):
    """The packages that a .deb needs, without versions, the first of alternatives."""
    text = subprocess.run(["dpkg-deb", "-f", deb, "Depends", "Pre-Depends"], capture_output=True, text=True).stdout
    names = re.sub(r"(Pre-)?Depends:|\([^)]*\)", "", text.replace("\n", ","))
    return [n.split("|")[0].strip() for n in names.split(",") if n.split("|")[0].strip()]


if __name__ == "__main__":
    arguments = sys.argv[1:]
    extra = []
    if arguments[:1] == ["-p"]:
        extra, arguments = arguments[1].split(","), arguments[2:]
    if not arguments:
        sys.exit(__doc__)
    try:
        with Box(extra) as the_box:
            result = the_box.run(*arguments)
            sys.stdout.write(result.stdout)
            sys.stderr.write(result.stderr)
            sys.exit(result.returncode)
    except Unavailable as why:
        print(f"skipped: systemd_box: {why}", file=sys.stderr)
        sys.exit(77)
