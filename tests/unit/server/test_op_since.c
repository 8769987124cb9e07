#include "rig.h"

#include "index/record.h"

/* Each tick has so many files, f000000 and on: what changes is how many there are. */
#define FIRST_TICK 5u
#define MAX_TICKS 4096u
static struct {
	uint32_t n_files[MAX_TICKS];
	_Atomic uint64_t kept; /* changes of this tick and later are known */
	int n_more;            /* so many times something more has changed by the end of a round */
} story;

static void publish(struct rig *r, uint32_t n_files);

static void
put_file(struct record_writer *w, enum record_kind kind, uint32_t i)
{
	char name[16];
	struct record r = {.kind = kind, .mode = S_IFREG | 0644, .nlink = 1, .size = i, .ino = i};

	(void)snprintf(name, sizeof(name), "f%06u", i);
	r.path = span_of(name);
	CHECK_INT(record_put(w, &r), 0);
}

static int
tell_tick(uint64_t tick, int (*fn)(void *arg, uint32_t root, struct span records), void *arg)
{
	uint32_t was = story.n_files[tick - 1], is = story.n_files[tick];
	struct record_writer w = {0};
	struct strbuf packed = {0};
	int r;

	for (uint32_t i = was; i < is; i++)
		put_file(&w, RECORD_ADD, i);
	for (uint32_t i = is; i < was; i++)
		put_file(&w, RECORD_DELETE, i);
	CHECK_INT(record_finish(&w, &packed), 0);
	r = fn(arg, 1, strbuf_view(&packed));
	strbuf_fini(&packed);
	record_writer_fini(&w);
	return r;
}

static int
tell_story(void *ctx, struct span clock, const struct snapshot *s,
	int (*fn)(void *arg, uint32_t root, struct span records), void *arg, struct err *err)
{
	uint64_t instance, epoch, tick;
	int r = 0;

	if (snapshot_clock_parse(clock, &instance, &epoch, &tick) < 0)
		return err_set(err, -EINVAL, "no clock");
	if (instance != s->instance || tick + 1 < load_sc(&story.kept) || tick > s->tick)
		return -ESTALE;
	while (tick < s->tick && r == 0)
		r = tell_tick(++tick, fn, arg);
	if (story.n_more > 0) {
		story.n_more--;
		(void)poll(NULL, 0, 20); /* time that must pass */
		publish(ctx, story.n_files[s->tick] + 1);
	}
	return r;
}

static void
open_story(struct rig *r, uint32_t n_files)
{
	rig_changes = tell_story;
	store_sc(&story.kept, 0);
	story.n_files[FIRST_TICK] = n_files;
	rig_open(r, n_files);
}

static void
publish(struct rig *r, uint32_t n_files)
{
	struct rig next = {.dir = r->dir, .n_files = n_files};
	struct snapshot *old = r->snap;

	story.n_files[old->tick + 1] = n_files;
	rig_build_snapshot(&next, old->tick + 1);
	{
		LOCK_SCOPE(&r->lock);
		r->snap = next.snap;
	}
	snapshot_unref(old);
	server_nudge(r->server);
}

TEST(op_since, what_came_and_went_is_told_with_what_it_is_or_was)
{
	struct rig r;
	struct peer p;

	open_story(&r, 10);
	publish(&r, 12);
	p = peer_unix(&r);
	asks(&p,
		"{\"id\":1,\"op\":\"since\",\"clock\":\"c:7f:1:5\",\"fields\":[\"path\",\"size\"]}",
		"[[\"add\",null,\"/t/f000010\",10],[\"add\",null,\"/t/f000011\",11]]");
	hears(&p, "\"ev\":\"end\",\"n\":2,\"fresh\":false,\"skipped\":{},\"stale\":[\"t\"],"
		  "\"clock\":\"c:7f:1:6\"");
	publish(&r, 9);
	asks(&p,
		"{\"id\":1,\"op\":\"since\",\"clock\":\"c:7f:1:6\",\"q\":\"size:>9\","
		"\"fields\":[\"name\",\"size\",\"type\"]}",
		"[[\"delete\",null,\"f000010\",10,\"f\"],"
		"[\"delete\",null,\"f000011\",11,\"f\"]]");
	hears(&p, "\"clock\":\"c:7f:1:7\"");
	/* What came and went may have been told to somebody in between. */
	asks(&p, "{\"id\":1,\"op\":\"since\",\"clock\":\"c:7f:1:5\"}",
		"\"rows\":[[\"delete\",null,\"/t/f000009\"],[\"delete\",null,\"/t/f000010\"],");
	hears(&p, "\"n\":3,");
	asks(&p, "{\"id\":1,\"op\":\"since\",\"clock\":\"c:7f:1:7\"}", "\"n\":0,\"fresh\":false");
	peer_close(&p);
	rig_close(&r);
}

TEST(op_since, what_cannot_be_told_begins_with_a_gap_and_is_all)
{
	struct rig r;
	struct peer p;

	open_story(&r, 3);
	p = peer_tcp(&r);
	asks(&p, "{\"id\":1,\"op\":\"since\",\"clock\":\"c:80:1:5\",\"q\":\"f000001\"}",
		"{\"id\":1,\"ev\":\"gap\",\"clock\":\"c:80:1:5\"}");
	hears(&p, "\"rows\":[[\"add\",null,\"/t/f000001\"]]");
	hears(&p, "\"n\":1,\"fresh\":true");
	peer_close(&p);
	rig_close(&r);
}

TEST(op_since, a_bad_clock_or_query_is_one_error)
{
	static const char *const bad[][2] = {
		{"\"op\":\"since\"", "bad-request"},
		{"\"op\":\"since\",\"clock\":\"\"", "bad-request"},
		{"\"op\":\"since\",\"clock\":7", "bad-request"},
		{"\"op\":\"since\",\"clock\":\"c:7f:1\"", "bad-request"},
		{"\"op\":\"since\",\"clock\":\"c:7F:1:5\"", "bad-request"},
		{"\"op\":\"since\",\"clock\":\"c:7f:1:5:6\"", "bad-request"},
		{"\"op\":\"since\",\"clock\":\"c:7f:1:99999999999999999999\"", "bad-request"},
		{"\"op\":\"since\",\"clock\":\"c:7f:1:5\",\"fields\":[\"no\"]", "bad-request"},
		{"\"op\":\"since\",\"clock\":\"c:7f:1:5\",\"q\":\"(\"", "bad-query"},
		{"\"op\":\"subscribe\",\"q\":\"size:x\"", "bad-query"},
		{"\"op\":\"subscribe\",\"clock\":\"c:x:1:5\"", "bad-request"},
	};
	struct rig r;
	struct peer p;

	open_story(&r, 3);
	p = peer_unix(&r);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char line[200], code[64];

		(void)snprintf(line, sizeof(line), "{\"id\":%zu,%s}", i, bad[i][0]);
		(void)snprintf(code, sizeof(code), "\"code\":\"%s\"", bad[i][1]);
		asks(&p, line, code);
	}
	asks(&p, "{\"id\":1,\"op\":\"ping\"}", "\"ev\":\"end\"");
	peer_close(&p);
	rig_close(&r);
}

TEST(op_since, a_subscription_hears_what_changes_until_it_is_canceled)
{
	struct rig r;
	struct peer p;

	open_story(&r, 3);
	p = peer_unix(&r);
	asks(&p, "{\"id\":1,\"op\":\"subscribe\",\"q\":\"size:>2\"}",
		"\"ev\":\"clock\",\"n\":0,\"fresh\":false");
	publish(&r, 5);
	hears(&p, "\"rows\":[[\"add\",null,\"/t/f000003\"],[\"add\",null,\"/t/f000004\"]]");
	hears(&p, "{\"id\":1,\"ev\":\"clock\",\"n\":2,\"fresh\":false,\"skipped\":{},"
		  "\"stale\":[\"t\"],\"clock\":\"c:7f:1:6\"}");
	publish(&r, 4);
	hears(&p, "\"rows\":[[\"delete\",null,\"/t/f000004\"]]");
	hears(&p, "\"clock\":\"c:7f:1:7\"");
	/* Between two rounds it runs nowhere and holds no snapshot: rig_close(). */
	UNTIL(rig_stats(&r).n_running == 0);
	asks(&p, "{\"id\":2,\"op\":\"cancel\",\"target\":1}", "\"canceled\":true");
	hears(&p, "{\"id\":1,\"ev\":\"error\",\"code\":\"canceled\"");
	/* And goes on from its clock. */
	publish(&r, 6);
	asks(&p, "{\"id\":1,\"op\":\"subscribe\",\"clock\":\"c:7f:1:7\"}",
		"\"rows\":[[\"add\",null,\"/t/f000004\"],[\"add\",null,\"/t/f000005\"]]");
	hears(&p, "\"clock\":\"c:7f:1:8\"");
	server_stop(r.server, USEC_PER_SEC);
	hears(&p, "{\"id\":1,\"ev\":\"error\",\"code\":\"stopping\"");
	peer_close(&p);
	rig_close(&r);
}

TEST(op_since, the_limit_of_time_is_one_of_each_round)
{
	struct rig r;
	struct peer p;

	rig_changes = tell_story;
	store_sc(&story.kept, 0);
	story.n_files[FIRST_TICK] = 3;
	rig_init(&r, 3);
	rig_start(&r);
	p = peer_unix(&r);
	story.n_more = 60;
	say(&p, "{\"id\":1,\"op\":\"subscribe\",\"clock\":\"c:7f:1:5\",\"timeout_ms\":800}\n");
	do
		CHECK(hear(&p) && !strstr(p.line, "\"ev\":\"error\""));
	while (!strstr(p.line, "\"clock\":\"c:7f:1:65\""));
	peer_close(&p);
	rig_close(&r);
}

/* Not at once, and not never. */
TEST(op_since, a_clock_without_rows_is_told_in_the_end)
{
	struct rig r;
	struct peer p;

	open_story(&r, 3);
	p = peer_unix(&r);
	asks(&p, "{\"id\":1,\"op\":\"subscribe\",\"q\":\"nothing\"}", "\"clock\":\"c:7f:1:5\"");
	publish(&r, 5);
	hears(&p, "{\"id\":1,\"ev\":\"clock\",\"n\":0,\"fresh\":false,\"skipped\":{},"
		  "\"stale\":[\"t\"],\"clock\":\"c:7f:1:6\"}");
	peer_close(&p);
	rig_close(&r);
}

TEST(op_since, there_are_so_many_subscriptions_and_other_requests_beside_them)
{
	struct rig r;
	struct peer p;
	char line[64];

	open_story(&r, 3);
	p = peer_unix(&r);
	for (int i = 0; i < 32; i++) {
		(void)snprintf(line, sizeof(line), "{\"id\":%d,\"op\":\"subscribe\"}", i);
		asks(&p, line, "\"ev\":\"clock\"");
	}
	asks(&p, "{\"id\":32,\"op\":\"subscribe\"}", "\"code\":\"limit\"");
	asks(&p, "{\"id\":33,\"op\":\"cancel\",\"target\":7}", "\"canceled\":true");
	hears(&p, "{\"id\":7,\"ev\":\"error\",\"code\":\"canceled\"");
	asks(&p, "{\"id\":7,\"op\":\"subscribe\"}", "\"ev\":\"clock\"");
	peer_close(&p);
	UNTIL(rig_stats(&r).n_connections == 0);
	/* Those of the connection that went count no more. */
	p = peer_tcp(&r);
	asks(&p, "{\"id\":1,\"op\":\"subscribe\"}", "\"ev\":\"clock\"");
	peer_close(&p);
	rig_close(&r);
}

/* Who has said all and still listens is told, and who has gone is noticed. */
TEST(op_since, a_subscription_outlives_the_end_of_the_clients_input)
{
	struct rig r;
	struct peer p;

	open_story(&r, 3);
	for (int i = 0; i < 2; i++) {
		p = i ? peer_unix(&r) : peer_tcp(&r);
		asks(&p, "{\"id\":1,\"op\":\"subscribe\"}", "\"ev\":\"clock\"");
		CHECK_INT(shutdown(p.fd, SHUT_WR), 0);
		publish(&r, 4 + (uint32_t)i);
		hears(&p, "\"ev\":\"rows\"");
		peer_close(&p);
		UNTIL(rig_stats(&r).n_connections == 0);
		UNTIL(rig_stats(&r).n_subscriptions == 0);
	}
	rig_close(&r);
}

/* ---- the rows against the story ---- */

struct mirror {
	struct rig *r;
	bool has[1 << 16];
	uint64_t tick; /* of its clock */
	uint32_t n_gaps;
};

static void
apply_rows(struct mirror *m, const char *line)
{
	for (const char *at = line; (at = strstr(at, "[\"")); at++) {
		bool gone = strncmp(at, "[\"delete\"", 9) == 0;
		const char *name = strstr(at, "/t/f");

		if (!name) /* the root itself, after a gap */
			continue;
		m->has[strtoul(name + 4, NULL, 10)] = !gone;
	}
}

static void
check_mirror(const struct mirror *m)
{
	for (uint32_t i = 0; i < ARRAY_LEN(m->has); i++)
		CHECK_SAY(m->has[i] == (i < story.n_files[m->tick]), "tick %llu: f%06u",
			(unsigned long long)m->tick, i);
}

static void
follow(struct mirror *m, struct peer *p)
{
	const char *clock;

	if (strstr(p->line, "\"ev\":\"gap\"")) {
		memset(m->has, 0, sizeof(m->has));
		m->n_gaps++;
	} else if (strstr(p->line, "\"ev\":\"rows\"")) {
		apply_rows(m, p->line);
	} else {
		clock = strstr(p->line, "\"clock\":\"c:7f:1:");
		CHECK(clock != NULL);
		m->tick = strtoull(clock + 16, NULL, 10);
		check_mirror(m);
	}
}

static int
publish_main(void *arg)
{
	struct rig *r = arg;
	uint64_t seed = 1;

	for (uint64_t i = 0; i < test_scale(4000); i++) {
		seed = seed * 6364136223846793005ull + 1;
		publish(r, (uint32_t)(seed >> 40) % 300 + 1);
	}
	publish(r, 40000); /* which everybody hears of */
	return 0;
}

TEST(op_since, what_a_subscriber_hears_is_what_there_is_at_each_clock)
{
	static struct mirror m;
	struct thread publisher;
	struct rig r;
	struct peer p;

	open_story(&r, 5);
	p = peer_unix(&r);
	asks(&p, "{\"id\":1,\"op\":\"subscribe\",\"clock\":\"c:1:1:1\"}", "\"ev\":\"gap\"");
	CHECK_INT(thread_start(&publisher, "publisher", publish_main, &r), 0);
	follow(&m, &p);
	while (!m.has[39999] || m.tick != FIRST_TICK + test_scale(4000) + 1) {
		CHECK(hear(&p) != NULL);
		follow(&m, &p);
	}
	CHECK_INT(m.n_gaps, 1);
	CHECK_INT(thread_join(&publisher), 0);
	peer_close(&p);
	rig_close(&r);
}

/* It does not read while much happens, more than is kept. */
TEST(op_since, a_slow_client_has_a_gap_and_then_what_there_is)
{
	static struct mirror m;
	struct rig r;
	struct peer p;

	open_story(&r, 5);
	p = peer_unix(&r);
	asks(&p, "{\"id\":1,\"op\":\"subscribe\",\"clock\":\"c:1:1:1\"}", "\"ev\":\"gap\"");
	follow(&m, &p);
	publish(&r, 40000);
	UNTIL(rig_stats(&r).n_rows > 1000 && rig_stats(&r).n_running == 0); /* parked */
	for (uint32_t i = 0; i < 20; i++)
		publish(&r, 100 + i);
	store_sc(&story.kept, r.snap->tick);
	while (m.tick != r.snap->tick) {
		CHECK(hear(&p) != NULL);
		follow(&m, &p);
	}
	CHECK_INT(m.n_gaps, 2);
	UNTIL(rig_stats(&r).n_running == 0);
	peer_close(&p);
	rig_close(&r);
}
