"""What the benchmarks share: runs in turn, medians, and a table. All programs of one comparison run in
one call, alternating, so that what else the machine does hits them alike."""
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else os.path.join(HERE, "..", "build", "release")
ARGUMENTS = sys.argv[2:]
os.environ["TRAWL_BUILD"] = BUILD
sys.path.insert(0, os.path.join(HERE, "..", "tests", "support"))


def ended(number, _):
    """Said, and tidied up after: a measurement that somebody ends is none that came to its end."""
    sys.exit(f"ended by {signal.Signals(number).name} before everything was measured")


for one in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(one, ended)


def program(name):
    return os.path.join(BUILD, "bench", name)


def installed(*names):
    return next((n for n in names if shutil.which(n)), None)


def timed(command, before=None):
    """Milliseconds of a whole process whose output nobody reads."""
    if before:
        before()
    start = time.perf_counter()
    r = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    took = (time.perf_counter() - start) * 1e3
    # fd, rg and find end with 1 when something could not be read.
    if r.returncode not in (0, 1):
        sys.exit(f"{command[0]}: exit {r.returncode}: {r.stderr.decode(errors='replace')}")
    return took


def load(port, connections, seconds, request, lines):
    """Requests a second, and the median of the microseconds that each took. Lines of an answer; 0: up to its end."""
    out = subprocess.run([program("bench_load"), str(port), str(connections), str(seconds), request, str(lines)],
                         capture_output=True, text=True, check=True).stdout.split()
    return float(out[0]), float(out[1])


def in_turn(runs, rounds):
    """{name: function giving a figure}: `rounds` figures of each, one round in the cache first."""
    figures = {name: [] for name in runs}
    for n in range(rounds + 1):
        for name, run in runs.items():
            figure = run()
            if n:
                figures[name].append(figure)
    return figures


def table(figures, unit, against):
    """Medians, the worst, and how many times that of `against` each is."""
    median = {name: statistics.median(v) for name, v in figures.items()}
    print(f"  {'':30} {'median':>10} {'best':>10} {'worst':>10}   {unit}; times {against}")
    for name, values in figures.items():
        print(f"  {name:30} {median[name]:10.1f} {min(values):10.1f} {max(values):10.1f}   "
              f"{median[name] / median[against]:.2f}")
    return median
