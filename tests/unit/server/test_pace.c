#include "rig.h"

static void
say_status(struct peer *p, int n)
{
	char ask[64];

	for (int i = 0; i < n; i++) {
		(void)snprintf(ask, sizeof(ask), "{\"id\":%d,\"op\":\"status\"}\n", i);
		say(p, ask);
	}
}

/* Both workers stand at the gate, and six more requests wait for them. */
TEST(pace, the_loop_rests_while_every_worker_has_more_to_do_and_hears_all)
{
	struct rig r;
	struct peer busy, other;
	int n_canceled = 0;

	rig_open(&r, 10);
	busy = peer_tcp(&r);
	other = peer_unix(&r);
	rig_gate(&r, true);
	say_status(&busy, 8);
	UNTIL(pool_n_waiting(r.compute, TASK_QUERY) == 6);
	for (int i = 0; i < 10; i++)
		asks(&other, "{\"id\":1,\"op\":\"ping\"}", "\"ev\":\"end\"");
	CHECK(rig_stats(&r).n_rests >= 9);
	asks(&busy, "{\"id\":100,\"op\":\"cancel\",\"target\":7}", "\"canceled\":true");
	rig_gate(&r, false);
	for (int i = 0; i < 8; i++)
		n_canceled += strstr(hear(&busy), "\"code\":\"canceled\"") != NULL;
	CHECK_INT(n_canceled, 1);
	peer_close(&busy);
	peer_close(&other);
	rig_close(&r);
}

TEST(pace, the_loop_does_not_rest_for_who_asks_alone)
{
	struct rig r;
	struct peer p;

	rig_open(&r, 10);
	p = peer_tcp(&r);
	for (int i = 0; i < 50; i++) {
		asks(&p, "{\"id\":1,\"op\":\"search\",\"q\":\"f000007\"}", "\"rows\"");
		hears(&p, "\"ev\":\"end\"");
	}
	CHECK_INT(rig_stats(&r).n_rests, 0);
	peer_close(&p);
	rig_close(&r);
}

/* A connection may have 64 requests in flight; of one that keeps that up another waits for no more.
 */
TEST(pace, a_flood_of_one_client_delays_another_by_what_was_before_it)
{
	const int n_flood = 300, n_in_flight = 64;
	struct rig r;
	struct peer flood, other;

	rig_init(&r, 10);
	r.config.limits.max_queries_principal = 1; /* one after the other: an order */
	rig_start(&r);
	flood = peer_tcp(&r);
	other = peer_tcp(&r);
	rig_gate(&r, true);
	say_status(&flood, n_flood);
	UNTIL(rig_stats(&r).n_running + rig_stats(&r).n_waiting == (uint64_t)n_in_flight);
	say(&other, "{\"id\":1,\"op\":\"why\",\"path\":\"x\"}\n");
	UNTIL(rig_stats(&r).n_running + rig_stats(&r).n_waiting == (uint64_t)n_in_flight + 1);
	rig_gate(&r, false);
	hears(&other, "\"ev\":\"end\"");
	CHECK_INT(load_sc(&r.n_before_why), n_in_flight);
	for (int i = 0; i < n_flood; i++)
		hears(&flood, "\"state\":\"fine\"");
	peer_close(&flood);
	peer_close(&other);
	rig_close(&r);
}
