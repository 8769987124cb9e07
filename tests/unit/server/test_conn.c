#include "rig.h"

#include <sys/resource.h>

#define PING "{\"id\":1,\"op\":\"ping\"}\n"
#define ALL "{\"id\":1,\"op\":\"search\",\"q\":\"f\",\"limit\":0}\n"

TEST(conn, half_lines_are_put_together)
{
	static const char text[] = "{\"id\":1,\"op\":\"ping\"}\r\n";
	struct rig r;
	struct peer p;

	rig_open(&r, 1);
	p = peer_tcp(&r);
	for (const char *c = text; *c; c++)
		CHECK_INT(send(p.fd, c, 1, 0), 1);
	hears(&p, "{\"id\":1,\"ev\":\"end\"");
	peer_close(&p);
	rig_close(&r);
}

TEST(conn, a_first_line_that_is_no_request_ends_the_connection)
{
	static const char *firsts[] = {
		"POST / HTTP/1.1\r\nHost: x\r\n\r\n{\"id\":1,\"op\":\"rescan\"}\r\n",
		"\x16\x03\x01\n{\"id\":1,\"op\":\"ping\"}\n",
		"{\"id\":1,\n{\"id\":1,\"op\":\"ping\"}\n"};
	struct rig r;

	rig_open(&r, 1);
	for (size_t i = 0; i < ARRAY_LEN(firsts); i++) {
		struct peer p = peer_tcp(&r);

		say(&p, firsts[i]);
		hears(&p, "\"code\":\"bad-json\"");
		hears_end(&p);
		peer_close(&p);
	}
	rig_close(&r);
}

TEST(conn, a_line_of_many_megabytes_is_refused_and_the_client_learns_why)
{
	struct rig r;
	struct peer p;
	size_t len = 16 << 20; /* more than sockets hold: it must be let finish writing */
	char *line = malloc(len + 1);

	memset(line, 'x', len);
	line[len] = '\0';
	rig_open(&r, 1);
	p = peer_tcp(&r);
	say(&p, PING);
	hears(&p, "end");
	say(&p, line);
	say(&p, "\n" PING);
	hears(&p, "\"code\":\"limit\"");
	hears_end(&p);
	peer_close(&p);
	free(line);
	rig_close(&r);
}

TEST(conn, a_line_may_be_as_long_as_the_limit)
{
	struct rig r;
	struct peer p;
	char line[(64 << 10) + 2];

	rig_open(&r, 1);
	p = peer_tcp(&r);
	memset(line, ' ', sizeof(line));
	memcpy(line, "{\"id\":1,\"op\":\"ping\"", 19);
	line[(64 << 10) - 1] = '}';
	line[64 << 10] = '\n';
	line[(64 << 10) + 1] = '\0';
	say(&p, line);
	hears(&p, "{\"id\":1,\"ev\":\"end\"");
	peer_close(&p);
	rig_close(&r);
}

TEST(conn, pipelined_requests_are_answered_in_order)
{
	struct rig r;
	struct peer p;
	struct strbuf text = {0};
	char part[64];
	int n = 3000;

	rig_open(&r, 1);
	p = peer_unix(&r);
	for (int i = 0; i < n; i++)
		(void)strbuf_printf(&text, "{\"id\":%d,\"op\":\"ping\"}\n", i);
	say(&p, text.data);
	for (int i = 0; i < n; i++) {
		(void)snprintf(part, sizeof(part), "{\"id\":%d,", i);
		hears(&p, part);
	}
	strbuf_fini(&text);
	peer_close(&p);
	rig_close(&r);
}

TEST(conn, the_end_of_input_does_not_end_the_answers)
{
	struct rig r;

	rig_open(&r, 20000);
	for (int i = 0; i < 2; i++) {
		struct peer p = i ? peer_unix(&r) : peer_tcp(&r);
		uint64_t n = 0;

		rig_gate(&r, true);
		say(&p, "{\"id\":2,\"op\":\"status\"}\n{\"id\":1,\"op\":\"search\",\"q\":\"f\","
			"\"limit\":0}");
		CHECK_INT(shutdown(p.fd, SHUT_WR), 0);
		while (hear(&p) && !strstr(p.line, "\"ev\":\"end\""))
			n++;
		CHECK(n >= 20000 / 512);
		CHECK(strstr(p.line, "\"n\":20000,\"more\":false") != NULL);
		rig_gate(&r, false);
		hears(&p, "{\"id\":2,\"ev\":\"end\"");
		hears_end(&p);
		peer_close(&p);
	}
	UNTIL(rig_stats(&r).n_connections == 0);
	rig_close(&r);
}

TEST(conn, a_client_that_does_not_read_holds_up_nobody)
{
	struct rig r;
	struct peer lazy, busy;

	rig_open(&r, 100000);
	lazy = peer_tcp(&r);
	for (int i = 0; i < 20; i++) {
		char ask[64];

		(void)snprintf(ask, sizeof(ask),
			"{\"id\":%d,\"op\":\"search\",\"q\":\"f\",\"limit\":0}\n", i);
		say(&lazy, ask);
	}
	busy = peer_tcp(&r);
	for (int i = 0; i < 20; i++) {
		say(&busy, ALL);
		while (hear(&busy) && !strstr(busy.line, "\"ev\":\"end\""))
			;
		CHECK(strstr(busy.line, "\"n\":100000,") != NULL);
	}
	/* All twenty are parked: they hold neither a worker nor a place. */
	UNTIL(rig_stats(&r).n_running == 0 && rig_stats(&r).n_waiting == 0);
	CHECK(rig_stats(&r).n_rows < 20 * 100000 + 1000000); /* they stopped short of the end */
	for (int ended = 0; ended < 20;) {
		CHECK(hear(&lazy) != NULL);
		ended += strstr(lazy.line, "\"ev\":\"end\"") != NULL;
	}
	peer_close(&lazy);
	peer_close(&busy);
	rig_close(&r);
}

TEST(conn, a_reader_that_stalls_is_dropped_and_counted)
{
	struct rig r;
	struct peer p;

	rig_init(&r, 100000);
	r.config.limits.stall_usec = 50 * USEC_PER_MSEC;
	rig_start(&r);
	p = peer_unix(&r); /* its buffers are small, and do not grow */
	say(&p, ALL ALL);
	UNTIL(rig_stats(&r).n_dropped_stalled == 1);
	UNTIL(rig_stats(&r).n_connections == 0);
	UNTIL(rig_stats(&r).n_running == 0);
	peer_close(&p);
	rig_close(&r);
}

TEST(conn, a_client_that_says_nothing_is_closed_and_one_that_spoke_is_not)
{
	struct rig r;
	struct peer silent, slow, good;

	rig_init(&r, 1);
	r.config.limits.first_line_usec = 50 * USEC_PER_MSEC;
	rig_start(&r);
	good = peer_tcp(&r);
	say(&good, PING);
	hears(&good, "end");
	silent = peer_tcp(&r);
	slow = peer_unix(&r);
	say(&slow, "{\"id\":");
	hears_end(&silent);
	hears_end(&slow);
	say(&good, PING);
	hears(&good, "end");
	peer_close(&silent);
	peer_close(&slow);
	peer_close(&good);
	rig_close(&r);
}

TEST(conn, one_connection_too_many_is_told_busy)
{
	struct rig r;
	struct peer a, b, c;

	rig_init(&r, 1);
	r.config.limits.max_connections = 2;
	rig_start(&r);
	a = peer_tcp(&r);
	b = peer_unix(&r);
	say(&a, PING);
	hears(&a, "end");
	say(&b, PING);
	hears(&b, "end");
	c = peer_tcp(&r);
	hears(&c, "\"code\":\"busy\"");
	hears_end(&c);
	peer_close(&c);
	peer_close(&a);
	UNTIL(rig_stats(&r).n_connections == 1);
	a = peer_tcp(&r);
	say(&a, PING);
	hears(&a, "end");
	peer_close(&a);
	peer_close(&b);
	rig_close(&r);
}

/* Descriptors run out in the server alone: the clients are a child with a limit of its own. */
TEST(conn, out_of_descriptors_it_says_busy_rests_and_comes_back)
{
	struct rlimit old, low;
	struct rig r;
	struct peer ok, turned;
	int used;

	rig_open(&r, 1);
	ok = peer_tcp(&r);
	say(&ok, PING);
	hears(&ok, "end");
	turned = peer_of(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	CHECK_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
	used = open("/dev/null", O_RDONLY | O_CLOEXEC);
	low = (struct rlimit){(rlim_t)used, old.rlim_max};
	closep(&used);
	CHECK_INT(setrlimit(RLIMIT_NOFILE, &low), 0);
	{
		struct sockaddr_un a = {.sun_family = AF_UNIX};

		(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", r.path);
		CHECK_INT(connect(turned.fd, (struct sockaddr *)&a, sizeof(a)), 0);
	}
	hears(&turned, "\"code\":\"busy\"");
	hears_end(&turned);
	say(&ok, PING);
	hears(&ok, "end");
	CHECK_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
	peer_close(&turned);
	turned = peer_unix(&r);
	say(&turned, PING);
	hears(&turned, "end");
	peer_close(&turned);
	peer_close(&ok);
	rig_close(&r);
}

TEST(conn, garbage_never_hurts)
{
	struct rig r;
	unsigned state = 7;

	rig_open(&r, 10);
	for (int n = 0; n < 200; n++) {
		struct peer p = n % 2 ? peer_unix(&r) : peer_tcp(&r);
		char bytes[300];

		for (size_t i = 0; i < sizeof(bytes); i++) {
			state = state * 1103515245u + 12345u;
			bytes[i] =
				n % 3 ? (char)(state >> 16) : "{}[]\":,1nul\n"[(state >> 16) % 12];
		}
		(void)send(p.fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
		if (n % 5)
			(void)shutdown(p.fd, SHUT_WR);
		peer_close(&p);
	}
	UNTIL(rig_stats(&r).n_connections == 0);
	rig_close(&r);
}
