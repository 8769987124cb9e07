#include "rig.h"

#define SYNCED "{\"id\":1,\"op\":\"search\",\"q\":\"f\",\"limit\":1,\"sync_ms\":60000}\n"
#define RELOAD "{\"id\":1,\"op\":\"reload\",\"wait\":true}\n"

TEST(waker, a_request_that_sleeps_holds_no_worker_and_no_slot)
{
	struct rig r;
	struct peer p, q;

	rig_init(&r, 10);
	r.config.limits.max_queries_principal = 1;
	rig_start(&r);
	p = peer_unix(&r);
	q = peer_tcp(&r);
	say(&p, SYNCED);
	UNTIL(load_sc(&r.n_asked) == 1 && rig_stats(&r).n_running == 0);
	asks(&q, "{\"id\":2,\"op\":\"search\",\"q\":\"f000003\"}", "f000003");
	hears(&q, "\"ev\":\"end\",\"n\":1,");
	CHECK(strstr(q.line, "synced") == NULL);
	rig_finish(&r, 0, NULL);
	hears(&p, "\"rows\":[[\"/t/f000000\"]]");
	hears(&p, "\"synced\":true");
	peer_close(&p);
	peer_close(&q);
	rig_close(&r);
}

TEST(waker, a_sync_that_comes_too_late_is_answered_without)
{
	struct rig r;
	struct peer p;

	rig_open(&r, 10);
	p = peer_unix(&r);
	say(&p, "{\"id\":1,\"op\":\"search\",\"limit\":1,\"sync_ms\":20}\n");
	hears(&p, "\"rows\":[[");
	hears(&p, "\"synced\":false");
	rig_finish(&r, 0, NULL); /* of a request that has ended */
	say(&p, "{\"id\":1,\"op\":\"clock\",\"sync_ms\":60000}\n");
	UNTIL(load_sc(&r.n_asked) == 2);
	rig_finish(&r, -ETIMEDOUT, NULL);
	hears(&p, "\"synced\":false");
	asks(&p, "{\"id\":2,\"op\":\"search\",\"sync_ms\":60001}", "\"code\":\"bad-request\"");
	peer_close(&p);
	rig_close(&r);
}

TEST(waker, a_request_that_sleeps_can_be_canceled_and_left)
{
	struct rig r;
	struct peer p;

	rig_open(&r, 10);
	p = peer_unix(&r);
	say(&p, SYNCED);
	UNTIL(load_sc(&r.n_asked) == 1);
	say(&p, "{\"id\":2,\"op\":\"cancel\",\"target\":1}\n");
	hears(&p, "{\"id\":2,\"ev\":\"end\",\"canceled\":true}");
	hears(&p, "{\"id\":1,\"ev\":\"error\",\"code\":\"canceled\"");
	rig_finish(&r, 0, NULL);
	say(&p, SYNCED);
	UNTIL(load_sc(&r.n_asked) == 2);
	peer_close(&p);
	UNTIL(rig_stats(&r).n_connections == 0);
	rig_finish(&r, 0, NULL);
	rig_close(&r);
}

TEST(waker, a_post_after_the_end_of_the_server_is_nothing)
{
	server_done done;
	struct rig r;
	struct peer p;
	void *arg;

	rig_open(&r, 10);
	p = peer_unix(&r);
	say(&p, SYNCED);
	UNTIL(load_sc(&r.n_asked) == 1 && rig_stats(&r).n_running == 0);
	done = r.done;
	arg = r.done_arg;
	server_stop(r.server, USEC_PER_SEC);
	hears(&p, "\"code\":\"stopping\"");
	peer_close(&p);
	rig_close(&r);
	done(arg, 0, NULL);
}

TEST(waker, a_reload_says_its_verdict_to_who_waits_for_it)
{
	struct rig r;
	struct peer p;

	rig_open(&r, 10);
	p = peer_unix(&r);
	say(&p, RELOAD);
	UNTIL(load_sc(&r.n_asked) == 1);
	rig_finish(&r, -EINVAL, "line 3: no such key");
	hears(&p, "\"ev\":\"error\",\"code\":\"bad-config\",\"msg\":\"line 3: no such key\"");
	say(&p, RELOAD);
	UNTIL(load_sc(&r.n_asked) == 2);
	rig_finish(&r, 0, NULL);
	hears(&p, "{\"id\":1,\"ev\":\"end\"");
	asks(&p, "{\"id\":2,\"op\":\"reload\"}", "{\"id\":2,\"ev\":\"end\"");
	CHECK(r.done == NULL);
	asks(&p, "{\"id\":3,\"op\":\"reload\",\"wait\":1}", "\"code\":\"bad-request\"");
	peer_close(&p);
	rig_close(&r);
}

/* The post may come before the loop has heard that the request sleeps, and after. */
static int
post_main(void *arg)
{
	struct rig *r = arg;

	for (int i = 1; i <= (int)test_scale(20000); i++) {
		UNTIL(load_sc(&r->n_asked) == i);
		rig_finish(r, 0, NULL);
	}
	return 0;
}

TEST(waker, no_post_is_lost)
{
	struct thread poster;
	struct rig r;
	struct peer p;
	int result;

	rig_open(&r, 10);
	p = peer_unix(&r);
	CHECK_INT(thread_start(&poster, "poster", post_main, &r), 0);
	for (uint64_t i = 0; i < test_scale(20000); i++) {
		say(&p, "{\"id\":1,\"op\":\"clock\",\"sync_ms\":60000}\n");
		hears(&p, "\"synced\":true");
	}
	result = thread_join(&poster);
	CHECK_INT(result, 0);
	peer_close(&p);
	rig_close(&r);
}
