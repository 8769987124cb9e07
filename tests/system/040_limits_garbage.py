"""Clients that send garbage, half lines, lines without end, or never read: they harm only themselves."""
import json
import os
import random
import socket
import subprocess
import sys
import textwrap
import threading
import time

from box import NOBODY, PATIENCE, SLOW, Connection, Daemon, Refused, Tree, main, need_root, scale, until


def tree_of(n):
    t = Tree()
    for i in range(n):
        t.write(f"d{i % 20}/{'x' * 80}_{i}.c", "needle\n")
    return t


def read_to_end(s, patience=PATIENCE):
    """What still comes until the daemon hangs up."""
    s.settimeout(patience)
    data = b""
    try:
        while True:
            piece = s.recv(65536)
            if not piece:
                return data
            data += piece
    except ConnectionResetError:
        return data


def still_answers(d):
    assert d.ask("ping")["ev"] == "end", "the daemon answers others"


def test_garbage_is_answered_with_one_clear_error():
    with tree_of(20) as t, Daemon({"t": t}) as d:
        for line, code in [(b"[1,2]", "bad-json"), (b'{"id":1}', None), (b'{"id":1,"op":5}', None),
                           (b'{"id":1,"op":"search"', None), (b'{"id":1,"op":"search","q":7}', None),
                           (b'{"id":1,"op":"search","q":"a","limit":-3}', None),
                           (b'{"id":1,"op":"search","q":"a","fields":["nonsense"]}', None),
                           (b'{"id":1,"op":"search","q":"a","sort":"nonsense"}', None),
                           (b'{"id":1,"op":"grep","q":"","pattern":"(","regex":true}', None),
                           (b'{"id":1,"op":"grep","q":""}', None),
                           (b'{"id":1,"op":"stat"}', None), (b'{"id":1,"op":"stat","path":"relative"}', None),
                           (b'{"id":1,"op":"why","path":"/nowhere/at/all"}', None),
                           (b'{"id":1,"op":"rescan","root":"nosuch"}', None),
                           (b'{"id":1,"op":"cancel"}', None),
                           (b'{"id":{"a":1},"op":"ping"}', None),
                           (b'{"id":1,"op":"' + b"\xff" * 10 + b'"}', None),
                           (b'{"id":1,"op":"search","q":"\\ud800"}', None),
                           (b'{"id":1,"id":2,"op":"nonsense"}', None),
                           (b'{"id":1e400,"op":"ping"}', None),
                           (b"{" * 17 + b"}" * 17, None), (b'{"a":' * 5000 + b"1" + b"}" * 5000, None)]:
            with d.connect() as c:
                # A first line that is JSON, so that the connection stays.
                c.ask("ping")
                c.send_bytes(line + b"\n")
                e = c.event()
                assert e is not None and e.get("ev") in ("error", "end"), (line[:60], e)
                if line not in (b'{"id":1,"op":"cancel"}', b'{"id":{"a":1},"op":"ping"}'):
                    assert e["ev"] == "error" and e["msg"] and "\n" not in e["msg"], (line[:60], e)
                    if code:
                        assert e["code"] == code, (line[:60], e)
                assert c.ask("ping"), line[:60]
        still_answers(d)


def test_a_first_line_of_another_protocol_ends_the_connection():
    with tree_of(5) as t, Daemon({"t": t}) as d:
        for line in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",
                     b"EHLO x\r\n", b"\0\0\0\0\n", b"SSH-2.0-OpenSSH\r\n"):
            with d.connect() as c:
                c.send_bytes(line)
                answer = read_to_end(c.socket)
                assert answer.count(b"\n") <= 1 and len(answer) < 1000, answer
        still_answers(d)


def test_people_may_type_ping_help_quit():
    with tree_of(5) as t, Daemon({"t": t}) as d:
        with d.connect() as c:
            c.send_bytes(b"ping\n")
            assert c.line()
            c.send_bytes(b"help\r\n")
            assert c.line()
            c.send_bytes(b"quit\n")
            read_to_end(c.socket)


def test_half_lines_and_lines_in_pieces():
    with tree_of(5) as t, Daemon({"t": t}) as d:
        with d.connect() as c:
            for byte in b'{"id":1,"op":"ping"}\n':
                c.send_bytes(bytes([byte]))
            assert c.event()["id"] == 1
            c.send_bytes(b'{"id":2,"op":"pi')
        with d.connect() as c:
            c.send_bytes(b'{"id":3,"op":"ping"}\r\n\n\n{"id":4,"op":"ping"}\n{"id":5')
            assert [c.event()["id"], c.event()["id"]] == [3, 4]
            c.socket.shutdown(socket.SHUT_WR)
            read_to_end(c.socket)
        still_answers(d)


def test_the_end_of_input_does_not_end_the_answers():
    with tree_of(2000) as t, Daemon({"t": t}) as d, d.connect() as c:
        c.send("search", q="*", limit=0)
        c.socket.shutdown(socket.SHUT_WR)
        rows = sum(len(e.get("rows", [])) for e in c.events(1))
        assert rows == 2021, rows


def test_a_line_of_a_megabyte_is_refused_without_being_kept():
    with tree_of(5) as t, Daemon({"t": t}) as d:
        before = d.memory("RssAnon")
        for filler in (b"x", b'{"id":1,"op":"search","q":"' + b"a" * (1 << 20) + b'"}\n', b"\n" * (1 << 20)):
            with d.connect() as c:
                c.ask("hello", v=1)
                try:
                    c.send_bytes(filler if len(filler) > 1 else filler * (1 << 20))
                    c.send_bytes(b'\n{"id":9,"op":"ping"}\n')
                    first = c.event()
                except (BrokenPipeError, ConnectionResetError):
                    continue  # hung up before it had all: fine too
                assert first is None or first.get("ev") == "error" or first.get("id") == 9, first
        still_answers(d)
        grown = d.memory("RssAnon") - before
        assert grown < (8 << 20) * SLOW, f"grew by {grown} bytes"


def test_random_bytes_do_no_harm():
    with tree_of(20) as t, Daemon({"t": t}) as d:
        r = random.Random(4)
        whole = b'{"id":1,"op":"search","q":"ext:c (a | b) size:>1 /x/","fields":["path"],"limit":5}\n'
        for i in range(max(60, scale(5000))):
            with d.connect() as c:
                data = bytearray(whole)
                for _ in range(r.randrange(1, 6)):
                    data[r.randrange(len(data))] = r.randrange(256)
                if i % 5 == 0:
                    data = r.randbytes(r.randrange(1, 3000)) + b"\n"
                try:
                    c.send_bytes(b'{"id":0,"op":"ping"}\n' + bytes(data))
                    c.socket.shutdown(socket.SHUT_WR)
                    out = read_to_end(c.socket)
                except (BrokenPipeError, ConnectionResetError):
                    continue
                for line in out.splitlines():
                    json.loads(line)
        still_answers(d)


def test_silence_before_the_first_line_ends_the_connection():
    with tree_of(5) as t, Daemon({"t": t}, limits={"first_line": "1s"}) as d:
        with d.connect() as silent:
            start = time.monotonic()
            read_to_end(silent.socket)
            assert time.monotonic() - start < 5 * SLOW
        still_answers(d)


def test_one_that_never_reads_slows_no_other():
    with tree_of(max(8000, scale(400_000))) as t, \
            Daemon({"t": t}, limits={"stall": "4s", "queries_per_user": "64"}) as d:
        def ask_all(seconds):
            """20 clients ask for a while; the times of all answers."""
            times, wrong = [], []

            def one(n):
                with d.connect() as c:
                    end = time.monotonic() + seconds
                    while time.monotonic() < end:
                        start = time.monotonic()
                        a = c.ask("search", q=f"name:_{n}7", limit=20)
                        times.append(time.monotonic() - start)
                        if a["ev"] != "end":
                            wrong.append(a)
            threads = [threading.Thread(target=one, args=(n,)) for n in range(20)]
            for x in threads:
                x.start()
            for x in threads:
                x.join()
            assert not wrong, wrong[:1]
            return sorted(times)

        alone = ask_all(1.5)
        deaf = d.connect()
        # Some 60 MB of answers, if somebody took them.
        for _ in range(60):
            deaf.send("search", q="*", limit=0, timeout_ms=60000)
        before = d.memory("RssAnon")
        beside = ask_all(3)
        grown = d.memory("RssAnon") - before
        median, usual = beside[len(beside) // 2], alone[len(alone) // 2]
        assert median < 3 * usual + 0.01, f"median {median * 1e3:.2f} ms beside, {usual * 1e3:.2f} ms alone"
        assert grown < (32 << 20) * SLOW, f"output is held back, yet memory grew by {grown}"
        # It stalls for longer than the limit: dropped, and counted.
        until(lambda: d.ask("status")["server"]["dropped_stalled"] >= 1, "the deaf client is dropped")
        deaf.close()


def test_a_slow_reader_still_gets_everything():
    with tree_of(6000) as t, Daemon({"t": t}) as d, d.connect() as c:
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        c.send("search", q="type:f", limit=0)
        n, data = 0, b""
        while b'"end"' not in data[-4000:]:
            piece = c.socket.recv(3000)
            assert piece, "hung up"
            n += 1
            data += piece
            if n % 50 == 0:
                time.sleep(0.01)  # slow, but never stalled
        rows = sum(len(json.loads(x).get("rows", [])) for x in data.splitlines() if x)
        assert rows == 6000, rows


def test_one_that_has_said_all_and_reads_slowly_gets_everything():
    with tree_of(12000) as t, Daemon({"t": t}) as d, d.connect(unix=True) as c:
        c.send("search", q="", limit=0, fields=["path", "size", "mtime", "user"])
        c.socket.shutdown(socket.SHUT_WR)
        data = b""
        for _ in range(4):
            data += c.socket.recv(300000)
            time.sleep(0.4)  # longer than the daemon looks for a client that went away
        data += read_to_end(c.socket)
        rows = [r for line in data.splitlines() for r in json.loads(line).get("rows", [])]
        assert json.loads(data.splitlines()[-1])["ev"] == "end", data[-200:]
        assert len(rows) == 12000 + 21, len(rows)


def test_requests_of_one_that_does_not_read_are_not_begun():
    with tree_of(12000) as t, Daemon({"t": t}) as d:
        before = d.memory("RssAnon")
        deaf = [d.connect(unix=True) for _ in range(10)]
        try:
            for c in deaf:
                for _ in range(60):
                    c.send("search", q="", limit=0)
            with d.connect() as other:
                began = time.monotonic()
                assert other.search("x_11999.c")
                took = time.monotonic() - began
                assert took < 1 * SLOW, f"another waited {took:.2f} s"
                # 60 requests that all began would hold 15 MB a connection.
                grown = d.memory("RssAnon") - before
                assert SLOW > 1 or grown < 60e6, f"{grown / 1e6:.0f} MB for requests nobody reads"
        finally:
            for c in deaf:
                c.close()
        still_answers(d)


def test_those_who_may_not_ask_do_not_take_all_places():
    need_root()
    with tree_of(20) as t, Daemon({"t": t}, limits={"connections": 64}) as d:
        host, _, port = d.address().rpartition(":")
        flood = subprocess.Popen([sys.executable, "-c", textwrap.dedent(f"""
            import os, socket, sys
            "".encode("idna")  # that user may not be able to read Python's own files
            os.setgid({NOBODY}); os.setuid({NOBODY})
            kept = [socket.create_connection(("{host}", {port})) for _ in range(200)]
            print("there", flush=True)
            sys.stdin.read()
            """)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert flood.stdout.readline() == "there\n"
            assert len(d.search("type:f")) == 20
        finally:
            flood.communicate("")


def test_cancel_ends_a_running_request():
    with tree_of(6000) as t, Daemon({"t": t}) as d, d.connect() as c:
        # Nothing is read until the cancel is sent, so the search cannot have ended before.
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        running = c.send("search", q="*", limit=0)
        c.send("cancel", target=running)
        c.send("ping")
        last = {}
        while len(last) < 3:
            e = c.event()
            if e["ev"] != "rows":
                last[e["id"]] = e
        assert last[running]["ev"] in ("error", "end"), last


def test_too_many_connections_are_told_so():
    with tree_of(5) as t, Daemon({"t": t}, limits={"connections": "20"}) as d:
        held = []
        try:
            for _ in range(20):
                c = d.connect()
                c.ask("ping")
                held.append(c)
            extra = d.connect()
            out = b""
            try:
                extra.send_bytes(b'{"id":1,"op":"ping"}\n')
                out = read_to_end(extra.socket)
            except BrokenPipeError:
                pass
            assert out == b"" or b'"error"' in out or b"pong" not in out, out
            extra.close()
            held.pop().close()

            def place():
                c = d.connect()
                try:
                    return c.ask("ping")
                except (AssertionError, Refused, OSError):
                    return None
                finally:
                    c.close()
            until(place, "a place that became free is given")
        finally:
            for c in held:
                c.close()


def test_a_query_that_runs_too_long_ends_in_time():
    with Tree() as t:
        for i in range(400):
            t.write(f"f{i}", "ab" * 200_000)
        with Daemon({"t": {"path": t, "content": "scan"}}) as d:  # grams would answer at once
            start = time.monotonic()
            try:
                a = d.ask("search", q="content:/a[ab]{1,200}[cd][cd]/", limit=0, timeout_ms=300)
                assert a["more"] and a["why"], a
            except Refused as e:
                assert e.code in ("timeout", "limit"), e
            assert time.monotonic() - start < 3 * SLOW
            still_answers(d)


def test_both_kinds_of_socket_take_the_same_garbage():
    with tree_of(5) as t, Daemon({"t": t}) as d:
        for unix in (False, True):
            c = Connection(d.unix if unix else d.address())
            c.send_bytes(os.urandom(4096) + b"\n")
            read_to_end(c.socket)
            c.close()
        still_answers(d)


main()
