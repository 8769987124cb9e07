"""The Debian package in a booted systemd: install, start, ask, reload, watchdog, activation, purge.

One box serves all tests, in their order; each leaves the service as the next one expects it.
"""
import json
import os
import subprocess
import sys
import time

from box import TOP, Skip, main, until
from systemd_box import Box, Unavailable, depends

TREE = "/srv/tree"
box = None  # booted by the first test, taken down at the end


def property_of(name, unit="trawld"):
    return box.run("systemctl", "show", "-P", name, unit).stdout.strip()


def active(state="active", unit="trawld"):
    return property_of("ActiveState", unit) == state


def journal():
    return box.run("journalctl", "-u", "trawld", "-o", "cat", "--no-pager").stdout


def over_tcp(request):
    """One request over TCP from inside, with what every Debian has: bash's /dev/tcp."""
    r = box.run("bash", "-c", 'exec 3<>/dev/tcp/127.0.0.1/7411 || exit 1; printf "%s\\n" "$1" >&3; '
                              'timeout 10 sed "/\\"ev\\":\\"\\(end\\|error\\|pong\\|hello\\)\\"/q" <&3', "bash", json.dumps(request))
    return [json.loads(x) for x in r.stdout.splitlines()]


def found(q):
    r = box.run("trawl", "--", q)
    return sorted(r.stdout.splitlines())


def build_package():
    if not os.path.exists(os.path.join(TOP, "packaging", "build-deb")):
        raise Skip("packaging/build-deb does not exist")
    out = os.path.join(TOP, "build", "deb")
    r = subprocess.run([os.path.join(TOP, "packaging", "build-deb"), out], capture_output=True, text=True)
    assert r.returncode == 0, r.stdout[-3000:] + r.stderr[-3000:]
    debs = [x for x in r.stdout.split() if x.endswith(".deb") and "dbgsym" not in x]
    assert debs, r.stdout
    return debs[0]


def test_the_package_installs():
    global box
    deb = build_package()
    try:
        box = Box(depends(deb))
        box.__enter__()
    except Unavailable as why:
        box = None
        raise Skip(f"no systemd can be booted here: {why}") from None
    # Something to be found, there before the package.
    box.run("sh", "-c", f"mkdir -p {TREE}/sub && echo needle >{TREE}/sub/a.c && touch {TREE}/b.h && "
                        f"mkdir {TREE}/closed && echo needle >{TREE}/closed/secret.c && chmod 700 {TREE}/closed", check=True)
    box.push(deb, "/tmp/trawl.deb")
    box.run("dpkg", "-i", "/tmp/trawl.deb", check=True)
    assert box.run("trawld", "--check-config").returncode == 0
    said = box.run("systemd-analyze", "verify", "--man=no", "trawld.service", "trawld.socket")
    assert said.stdout + said.stderr == "", said.stdout + said.stderr


def need_box():
    if box is None:
        raise Skip("there is no box")


def test_it_starts_and_serves_over_tcp():
    need_box()
    box.run("sh", "-c", f"mkdir -p /etc/trawl/trawld.conf.d && printf '[root tree]\\npath = {TREE}\\n' "
                        ">/etc/trawl/trawld.conf.d/10-tree.conf", check=True)
    box.run("systemctl", "restart", "trawld", check=True)
    assert active(), journal()
    assert box.run("trawl", "wait", "--timeout", "30").returncode == 0, journal()
    events = over_tcp({"id": 1, "op": "search", "q": "ext:c", "limit": 0})
    assert events and events[-1]["ev"] == "end" and events[-1]["n"] == 2, (events, journal())
    assert found("ext:c") == [f"{TREE}/closed/secret.c", f"{TREE}/sub/a.c"], journal()
    assert found("content:needle") == [f"{TREE}/closed/secret.c", f"{TREE}/sub/a.c"], journal()


def test_it_runs_as_its_own_user_and_tells_its_status():
    need_box()
    pid = property_of("MainPID")
    status = box.run("cat", f"/proc/{pid}/status").stdout
    uid = next(x.split()[1] for x in status.splitlines() if x.startswith("Uid:"))
    assert uid != "0" and box.run("id", "-u", "trawl").stdout.strip() == uid, status
    until(lambda: property_of("StatusText"), "STATUS= says something")
    assert property_of("NotifyAccess") == "main" and property_of("Type") == "notify"


def test_users_who_are_not_allowed_are_denied():
    need_box()
    box.run("useradd", "-m", "stranger", check=True)
    r = box.run("setpriv", "--reuid=stranger", "--regid=stranger", "--init-groups", "trawl", "ext:c")
    assert r.returncode == 5 and r.stdout == "", r
    box.run("useradd", "-m", "-G", "trawl", "friend", check=True)
    r = box.run("setpriv", "--reuid=friend", "--regid=friend", "--init-groups", "trawl", "-c", "ext:c")
    assert (r.returncode, r.stdout) == (0, "2\n"), r


def test_reload_takes_a_good_configuration_and_keeps_the_process():
    need_box()
    pid = property_of("MainPID")
    box.run("sh", "-c", "mkdir -p /srv/more && touch /srv/more/new.c && printf '[root more]\\npath = /srv/more\\n' "
                        ">/etc/trawl/trawld.conf.d/20-more.conf", check=True)
    box.run("systemctl", "reload", "trawld", check=True)
    until(lambda: "/srv/more/new.c" in found("ext:c"), "the new root is searched")
    assert property_of("MainPID") == pid and active()


def test_reload_keeps_the_old_configuration_when_the_new_one_is_broken():
    need_box()
    pid = property_of("MainPID")
    box.run("sh", "-c", "echo 'nonsense' >/etc/trawl/trawld.conf.d/30-bad.conf", check=True)
    box.run("systemctl", "reload", "trawld")
    until(lambda: "30-bad.conf:1" in journal(), "the journal names file and line")
    until(active, "it is active again, not reloading")
    assert property_of("MainPID") == pid and len(found("ext:c")) == 3
    box.run("rm", "/etc/trawl/trawld.conf.d/30-bad.conf", check=True)
    box.run("systemctl", "reload", "trawld", check=True)
    until(active, "and takes a good one afterwards")


def set_watchdog(seconds):
    box.run("sh", "-c", "mkdir -p /run/systemd/system/trawld.service.d && printf '[Service]\\nWatchdogSec="
                        f"{seconds}\\n' >/run/systemd/system/trawld.service.d/watchdog.conf && systemctl daemon-reload", check=True)
    box.run("systemctl", "restart", "trawld", check=True)
    until(lambda: len(found("ext:c")) == 3, "it serves again")


def test_the_watchdog_ends_a_daemon_that_hangs():
    need_box()
    set_watchdog(2)
    # One that works is left alone for longer than its watchdog.
    pid = property_of("MainPID")
    time.sleep(4)
    assert property_of("MainPID") == pid and property_of("NRestarts") == "0", journal()
    box.run("kill", "-STOP", pid, check=True)
    until(lambda: property_of("NRestarts") == "1" and active(), "it is started again")
    assert property_of("MainPID") != pid and "Watchdog timeout" in journal()
    until(lambda: len(found("ext:c")) == 3, "it serves again")


# Seizes threads and stops each by itself; then reaps them, for a dead thread that its tracer has not
# seen keeps the whole process, and its sockets, from being gone.
STOPPER = """
import ctypes, os, sys
SEIZE, INTERRUPT, ALL_CHILDREN = 0x4206, 0x4207, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
for thread in map(int, sys.argv[1:]):
    if libc.ptrace(SEIZE, thread, 0, 0) or libc.ptrace(INTERRUPT, thread, 0, 0):
        sys.exit(os.strerror(ctypes.get_errno()))
print("held", flush=True)
try:
    while True:
        os.waitpid(-1, ALL_CHILDREN)
except ChildProcessError:
    pass
"""


def test_the_watchdog_sees_a_stopped_worker():
    need_box()
    pid = property_of("MainPID")
    names = box.run("sh", "-c", f"cd /proc/{pid}/task && for t in *; do echo $t $(cat $t/comm); done").stdout
    workers = [x.split()[0] for x in names.splitlines() if x.split()[0] != pid and "/" in x]
    assert workers, names
    # Threads that never come back: a debugger's stop, through ptrace, holds them alone. From outside,
    # where the same threads have other numbers: the box has no Python.
    outside = pids_outside(int(pid))
    held = subprocess.Popen([sys.executable, "-c", STOPPER, *[str(outside[int(w)]) for w in workers]], stdout=subprocess.PIPE)
    try:
        assert held.stdout.readline() == b"held\n"
        until(lambda: property_of("MainPID") not in (pid, "0"), "the daemon is started again")
        assert journal().count("Watchdog timeout") >= 2, journal()
    finally:
        held.kill()
        held.wait()
    until(lambda: len(found("ext:c")) == 3, "it serves again")


def pids_outside(pid_inside):
    """Thread ids inside the box -> outside, for the threads of one of its processes."""
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{p}/status") as f:
                text = f.read()
        except OSError:
            continue
        ids = next((x.split()[1:] for x in text.splitlines() if x.startswith("NSpid:")), [])
        if len(ids) < 2 or int(ids[-1]) != pid_inside or "Name:\ttrawld" not in text:
            continue
        threads = {}
        for t in os.listdir(f"/proc/{p}/task"):
            with open(f"/proc/{p}/task/{t}/status") as f:
                line = next(x for x in f if x.startswith("NSpid:"))
            threads[int(line.split()[-1])] = int(t)
        return threads
    return {}


def test_it_stops_cleanly():
    need_box()
    start = time.monotonic()
    box.run("systemctl", "stop", "trawld", check=True)
    assert time.monotonic() - start < 6, "SIGTERM to exit"
    assert property_of("Result") == "success" and active("inactive"), journal()


def test_a_socket_starts_it_at_the_first_question():
    need_box()
    box.run("systemctl", "start", "trawld.socket", check=True)
    assert active("inactive") and active(unit="trawld.socket")
    events = over_tcp({"id": 1, "op": "ping"})
    assert events and events[-1]["id"] == 1, (events, journal())
    assert active(), journal()
    # Restarted while a client waits at the socket: it is answered, not refused.
    box.run("systemctl", "stop", "trawld")
    assert len(found("ext:c")) == 3, journal()
    box.run("systemctl", "stop", "trawld.socket", "trawld")


def test_purge_leaves_nothing():
    need_box()
    # What the administrator wrote is not the package's to remove.
    box.run("sh", "-c", "rm -r /etc/trawl/trawld.conf.d/*.conf /run/systemd/system/trawld.service.d", check=True)
    box.run("dpkg", "--purge", "trawl", check=True)
    left = box.run("sh", "-c", "ls -d /etc/trawl /var/lib/trawl /run/trawl /usr/bin/trawl /usr/sbin/trawld "
                               "/usr/libexec/trawl 2>/dev/null; "
                               "systemctl list-unit-files --no-legend 'trawld*'").stdout
    assert left.strip() == "", left


try:
    main()
finally:
    if box is not None:
        box.down()
