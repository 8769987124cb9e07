#include "rig.h"

#define SEARCH "{\"id\":1,\"op\":\"search\",\"q\":\"f\",\"limit\":0}\n"

/* Read events until the request's end or error. */
static const char *
hear_last(struct peer *p)
{
	while (hear(p) && strstr(p->line, "\"ev\":\"rows\""))
		;
	return p->line;
}

TEST(job, a_canceled_search_ends_in_one_error)
{
	struct rig r;
	struct peer p;

	rig_open(&r, 100000);
	p = peer_unix(&r);
	say(&p, SEARCH);
	UNTIL(rig_stats(&r).n_rows > 0 && rig_stats(&r).n_running == 0); /* parked: nobody reads */
	/* A choked connection takes no lines until the client reads. */
	say(&p, "{\"id\":2,\"op\":\"cancel\",\"target\":1}\n");
	hear_last(&p);
	CHECK(strstr(p.line, "{\"id\":2,\"ev\":\"end\",\"canceled\":true}") != NULL);
	hear_last(&p);
	CHECK(strstr(p.line, "{\"id\":1,\"ev\":\"error\",\"code\":\"canceled\"") != NULL);
	say(&p, "{\"id\":1,\"op\":\"ping\"}\n");
	hears(&p, "{\"id\":1,\"ev\":\"end\"");
	CHECK_INT(rig_stats(&r).n_running + rig_stats(&r).n_waiting, 0);
	peer_close(&p);
	rig_close(&r);
}

/* Four buffers, for which there is credit; a fifth would be queued. */
TEST(job, steps_follow_each_other_where_nobody_else_wants_the_worker)
{
	struct pool_stats before, after;
	struct rig r;
	struct peer p;

	rig_open(&r, 10000);
	p = peer_tcp(&r);
	pool_get_stats(r.compute, &before);
	say(&p, "{\"id\":1,\"op\":\"search\",\"q\":\"f\",\"limit\":2000}\n");
	hear_last(&p);
	CHECK(strstr(p.line, "\"n\":2000") != NULL);
	pool_get_stats(r.compute, &after);
	CHECK_INT(after.n_run[TASK_QUERY], before.n_run[TASK_QUERY] + 1);
	peer_close(&p);
	rig_close(&r);
}

TEST(job, a_user_runs_so_many_at_once_and_the_others_wait_in_order)
{
	struct rig r;
	struct peer a, b;

	rig_init(&r, 10);
	r.config.limits.max_queries_principal = 1;
	rig_start(&r);
	a = peer_tcp(&r);
	b = peer_unix(&r);
	rig_gate(&r, true);
	say(&a, "{\"id\":1,\"op\":\"status\"}\n");
	UNTIL(load_sc(&r.n_at_gate) == 1);
	say(&a, "{\"id\":2,\"op\":\"status\"}\n");
	UNTIL(rig_stats(&r).n_waiting == 1);
	say(&b, "{\"id\":3,\"op\":\"why\",\"path\":\"x\"}\n");
	UNTIL(rig_stats(&r).n_waiting == 2);
	CHECK_INT(rig_stats(&r).n_running, 1);
	/* One that waits can be canceled without a turn. */
	say(&a, "{\"id\":4,\"op\":\"cancel\",\"target\":2}\n");
	hears(&a, "{\"id\":4,\"ev\":\"end\",\"canceled\":true}");
	hears(&a, "{\"id\":2,\"ev\":\"error\",\"code\":\"canceled\"");
	rig_gate(&r, false);
	hears(&a, "{\"id\":1,\"ev\":\"end\"");
	hears(&b, "{\"id\":3,\"ev\":\"end\"");
	peer_close(&a);
	peer_close(&b);
	rig_close(&r);
}

TEST(job, the_time_that_a_client_gave_counts_while_it_waits)
{
	struct rig r;
	struct peer p;

	rig_init(&r, 10);
	r.config.limits.max_queries_principal = 1;
	rig_start(&r);
	p = peer_tcp(&r);
	rig_gate(&r, true);
	say(&p, "{\"id\":1,\"op\":\"status\"}\n");
	UNTIL(load_sc(&r.n_at_gate) == 1);
	say(&p, "{\"id\":2,\"op\":\"search\",\"timeout_ms\":30}\n");
	hears(&p, "{\"id\":2,\"ev\":\"error\",\"code\":\"timeout\"");
	rig_gate(&r, false);
	hears(&p, "{\"id\":1,\"ev\":\"end\"");
	peer_close(&p);
	rig_close(&r);
}

TEST(job, time_stands_still_for_a_query_whose_client_reads_later)
{
	struct rig r;
	struct peer p;

	rig_init(&r, 100000);
	r.config.limits.time_default_usec = 2 * USEC_PER_SEC;
	rig_start(&r);
	p = peer_unix(&r);
	say(&p, SEARCH);
	UNTIL(rig_stats(&r).n_rows > 0 && rig_stats(&r).n_running == 0);
	(void)poll(NULL, 0, 2100); /* the limit itself is what must pass */
	CHECK(strstr(hear_last(&p), "\"n\":100000,") != NULL);
	peer_close(&p);
	rig_close(&r);
}

TEST(job, a_client_that_goes_away_takes_its_queries_with_it)
{
	struct rig r;

	rig_open(&r, 100000);
	for (int i = 0; i < 2; i++) {
		struct peer p = i ? peer_unix(&r) : peer_tcp(&r);

		rig_gate(&r, true);
		say(&p, SEARCH "{\"id\":2,\"op\":\"status\"}\n{\"id\":3,\"op\":\"status\"}\n");
		UNTIL(load_sc(&r.n_at_gate) == 2 * (i + 1));
		peer_close(&p);
		UNTIL(rig_stats(&r).n_connections == 0);
		rig_gate(&r, false);
		UNTIL(rig_stats(&r).n_running == 0);
	}
	rig_close(&r);
}

/* Input has ended and no answer is due: whether anybody is left to hear it is found out. */
TEST(job, a_client_that_closed_after_its_last_line_is_noticed)
{
	struct rig r;

	rig_open(&r, 10);
	for (int i = 0; i < 2; i++) {
		struct peer p = i ? peer_unix(&r) : peer_tcp(&r);

		rig_gate(&r, true);
		say(&p, "{\"id\":2,\"op\":\"status\"}\n");
		CHECK_INT(shutdown(p.fd, SHUT_WR), 0);
		UNTIL(load_sc(&r.n_at_gate) == i + 1);
		(void)poll(NULL, 0,
			300); /* longer than a look takes: one who listens is not dropped */
		CHECK_INT(rig_stats(&r).n_connections, 1);
		peer_close(&p);
		UNTIL(rig_stats(&r).n_connections == 0);
		rig_gate(&r, false);
		UNTIL(rig_stats(&r).n_running == 0);
	}
	rig_close(&r);
}

TEST(job, a_connection_has_so_many_requests_in_flight_and_loses_none)
{
	struct rig r;
	struct peer p;
	char ask[64];

	rig_open(&r, 10);
	p = peer_tcp(&r);
	rig_gate(&r, true);
	for (int i = 0; i < 200; i++) {
		(void)snprintf(ask, sizeof(ask), "{\"id\":%d,\"op\":\"status\"}\n", i);
		say(&p, ask);
	}
	UNTIL(rig_stats(&r).n_running + rig_stats(&r).n_waiting == 64);
	CHECK_INT(rig_stats(&r).n_requests, 64);
	rig_gate(&r, false);
	for (int i = 0; i < 200; i++)
		hears(&p, "\"state\":\"fine\"");
	peer_close(&p);
	rig_close(&r);
}

/* No request is running. */
static void
ask_of_another(struct rig *r, uint64_t tick, uint32_t n_files, const char *ask, const char *part)
{
	struct snapshot *old = r->snap;
	struct peer p;

	r->n_files = n_files;
	rig_build_snapshot(r, tick);
	snapshot_unref(old);
	p = peer_tcp(r);
	asks(&p, ask, part);
	peer_close(&p);
}

/* Merges write the same entries anew, at the clock that there was: here there is one more. */
TEST(job, pages_follow_each_other_without_a_gap_until_the_index_changes)
{
	struct rig r;
	struct peer p;
	char ask[200], part[32], *page, *end;

	rig_open(&r, 25);
	p = peer_tcp(&r);
	(void)snprintf(ask, sizeof(ask), "{\"op\":\"search\",\"q\":\"f\",\"limit\":10}");
	for (int i = 0; i < 3; i++) {
		(void)snprintf(part, sizeof(part), "[[\"/t/f0000%d0\"]", i);
		asks(&p, ask, part);
		hears(&p, i < 2 ? "\"n\":10,\"more\":true,\"why\":\"limit\""
				: "\"n\":5,\"more\":false");
		if (i == 2)
			break;
		page = strstr(p.line, "\"page\":\"") + 8;
		end = strchr(page, '"');
		(void)snprintf(ask, sizeof(ask),
			"{\"op\":\"search\",\"q\":\"f\",\"limit\":10,\"page\":\"%.*s\"}",
			(int)(end - page), page);
	}
	peer_close(&p);
	ask_of_another(&r, 6, 25, ask, "\"code\":\"page-expired\"");
	ask_of_another(&r, 5, 25, ask, "[[\"/t/f000020\"]");
	ask_of_another(&r, 5, 26, ask, "\"code\":\"page-expired\"");
	rig_close(&r);
}

TEST(job, fields_sort_and_count_are_answered_as_asked)
{
	struct rig r;
	struct peer p;

	rig_open(&r, 25);
	p = peer_tcp(&r);
	asks(&p,
		"{\"id\":1,\"op\":\"search\",\"q\":\"size:>20\",\"fields\":[\"name\",\"size\","
		"\"mtime\","
		"\"inode\"],\"sort\":\"size:desc\",\"limit\":2,\"count\":\"exact\"}",
		"\"rows\":[[\"f000024\",24,\"1700000000000000000\",\"18446744073709551591\"],"
		"[\"f000023\",23,");
	hears(&p, "\"n\":2,\"more\":true,\"why\":\"limit\",\"page\":\"p:c:7f:1:5:");
	CHECK(strstr(p.line, ":2\",\"total\":"
			     "{\"n\":4,\"exact\":true},\"skipped\":{},\"stale\":[\"t\"],\"clock\":"
			     "\"c:7f:1:5\"") != NULL);
	peer_close(&p);
	rig_close(&r);
}
