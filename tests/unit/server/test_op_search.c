#include "rig.h"

#include <sys/stat.h>

#include "proto/msg.h"

/* One more root: files that are on a disk, for requests that read them. */
static void
add_real_root(struct rig *r, const char *const *names, const char *const *texts, size_t n)
{
	struct tree_input in[8], root = {.mode = S_IFDIR | 0755, .nlink = 2};
	AUTO(closep) int dirfd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct snapshot *old = r->snap;
	struct tree_builder *b = NULL;
	struct tree *tree = NULL;
	char dir[256], path[512];
	uint64_t bytes;

	(void)snprintf(dir, sizeof(dir), "%s/real", r->dir);
	for (size_t i = 0; i < n; i++) {
		struct stat st;

		(void)snprintf(path, sizeof(path), "real/%s", names[i]);
		test_write(r->dir, path, texts[i]);
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		CHECK_INT(stat(path, &st), 0);
		in[i] = (struct tree_input){.name = span_of(names[i]),
			.mode = st.st_mode,
			.uid = st.st_uid,
			.gid = st.st_gid,
			.nlink = 1,
			.dev = st.st_dev,
			.ino = st.st_ino,
			.size = (uint64_t)st.st_size,
			.mtime_ns = clock_ns(st.st_mtim.tv_sec, (uint32_t)st.st_mtim.tv_nsec),
			.ctime_ns = clock_ns(st.st_ctim.tv_sec, (uint32_t)st.st_ctim.tv_nsec),
			.dir = TREE_BUILD_NO_DIR};
	}
	CHECK_INT(tree_builder_create(&root, &b), 0);
	CHECK_INT(tree_builder_add(b, 0, in, n, false), 0);
	CHECK_INT(tree_builder_write(b, dirfd, "real.tree", NULL, &bytes, NULL), 0);
	tree_builder_destroy(b);
	CHECK_INT(tree_open(dirfd, "real.tree", &tree, NULL), 0);
	r->snap = snapshot_create(1);
	r->snap->tick = 9;
	r->snap->roots[0] = (struct snap_root){.id = 2,
		.name = strdup("real"),
		.path = strdup(dir),
		.stack = one_stack(tree),
		.content = true,
		.content_max_bytes = UINT64_MAX};
	snapshot_seal(r->snap);
	snapshot_unref(old);
}

/* The end of the answer heard last. */
static char ended[4096];

/* The rows of a request as if they came in one event, with the directory's name taken out. */
static const char *
answer(struct rig *r, struct peer *p, const char *ask)
{
	static const char begin[] = "{\"id\":1,\"ev\":\"rows\",\"rows\":[";
	static char out[4096];
	size_t len = 0;
	char dir[256];
	char *at;

	say(p, ask);
	say(p, "\n");
	CHECK(hear(p) != NULL);
	(void)snprintf(dir, sizeof(dir), "%s/real", r->dir);
	(void)snprintf(out, sizeof(out), "%s", begin);
	while (strncmp(p->line, begin, sizeof(begin) - 1) == 0) {
		/* Without the "]}" of the event. */
		len = strlen(out);
		(void)snprintf(out + len, sizeof(out) - len, "%s%.*s",
			len >= sizeof(begin) ? "," : "",
			(int)(strlen(p->line) - sizeof(begin) + 1 - 2),
			p->line + sizeof(begin) - 1);
		CHECK(hear(p) != NULL);
	}
	(void)snprintf(ended, sizeof(ended), "%s", p->line);
	len = strlen(out);
	(void)snprintf(out + len, sizeof(out) - len, "]}");
	while ((at = strstr(out, dir)))
		memmove(at, at + strlen(dir), strlen(at + strlen(dir)) + 1);
	return out;
}

TEST(op_search, grep_gives_lines_with_columns_spans_and_context)
{
	static const char *const names[] = {"a.txt", "b.txt"};
	static const char *const texts[] = {
		"one\ntwo needle and needle\nthree\n", "needle\tat the start\nNeedle\n"};
	struct rig r;
	struct peer p;

	rig_init(&r, 1);
	add_real_root(&r, names, texts, 2);
	rig_start(&r);
	p = peer_tcp(&r);
	CHECK_STR(answer(&r, &p,
			  "{\"id\":1,\"op\":\"grep\",\"pattern\":\"needle\",\"case\":\"exact\"}"),
		"{\"id\":1,\"ev\":\"rows\",\"rows\":["
		"[\"/a.txt\",2,5,\"two needle and needle\",[[4,10],[15,21]]],"
		"[\"/b.txt\",1,1,\"needle\\tat the start\",[[0,6]]]]}");
	CHECK(strstr(ended, "{\"id\":1,\"ev\":\"end\",\"n\":2,\"more\":false,\"files\":2,"
			    "\"skipped\":{}") != NULL);
	CHECK_STR(answer(&r, &p,
			  "{\"id\":1,\"op\":\"grep\",\"q\":\"a.txt\",\"pattern\":\"TW.\",\"regex\":"
			  "true,"
			  "\"case\":\"fold\",\"context\":1,\"before\":0}"),
		"{\"id\":1,\"ev\":\"rows\",\"rows\":[[\"/a.txt\",2,1,\"two needle and "
		"needle\",[[0,3]]],"
		"[\"/a.txt\",3,0,\"three\",[]]]}");
	CHECK(strstr(ended, "\"n\":1,") != NULL);
	CHECK_STR(answer(&r, &p,
			  "{\"id\":1,\"op\":\"grep\",\"pattern\":\"needle\",\"answer\":\"files\"}"),
		"{\"id\":1,\"ev\":\"rows\",\"rows\":[[\"/a.txt\"],[\"/b.txt\"]]}");
	CHECK(strstr(ended, "\"ev\":\"end\"") != NULL);
	CHECK_STR(
		answer(&r, &p, "{\"id\":1,\"op\":\"grep\",\"pattern\":\"needle\",\"terse\":true}"),
		"{\"id\":1,\"ev\":\"rows\",\"rows\":["
		"[\"/a.txt\",2,5,\"two needle and needle\",null],"
		"[\"/b.txt\",1,1,\"needle\\tat the start\",null],[null,2,1,\"Needle\",null]]}");
	CHECK(strstr(ended, "\"ev\":\"end\"") != NULL);
	CHECK_STR(answer(&r, &p, "{\"id\":1,\"op\":\"grep\",\"pattern\":\"needle\",\"line\":true}"),
		"{\"id\":1,\"ev\":\"rows\",\"rows\":[[\"/b.txt\",2,1,\"Needle\",[[0,6]]]]}");
	CHECK(strstr(ended, "\"ev\":\"end\"") != NULL);
	peer_close(&p);
	rig_close(&r);
}

TEST(op_search, grep_answers_with_what_it_is_asked_for)
{
	static const struct {
		const char *ask, *rows;
	} cases[] = {
		{"\"pattern\":\"needle\",\"answer\":\"count\"", "[\"/a.txt\",1],[\"/b.txt\",2]"},
		{"\"pattern\":\"needle\",\"answer\":\"count_matches\"",
			"[\"/a.txt\",2],[\"/b.txt\",2]"},
		{"\"pattern\":\"two\",\"answer\":\"files_without\",\"q\":\"ext:txt\"",
			"[\"/b.txt\"]"},
		{"\"pattern\":\"nee\",\"answer\":\"matches\",\"q\":\"a.txt\"",
			"[\"/a.txt\",2,5,\"nee\",[[0,3]]],[\"/a.txt\",2,16,\"nee\",[[0,3]]]"},
		{"\"patterns\":[\"one\",\"thr\"],\"invert\":true,\"q\":\"a.txt\",\"offsets\":true",
			"[\"/a.txt\",2,1,\"two needle and needle\",[],{\"offset\":4}]"},
		{"\"pattern\":\"e\\\\nt\",\"regex\":true,\"multiline\":true",
			"[\"/a.txt\",1,3,\"one\\ntwo needle and needle\\nthree\",[[2,5],[24,27]]]"},
		{"\"pattern\":\"needle\",\"q\":\"a.txt\",\"max_line\":8",
			"[\"/a.txt\",2,5,\"o needle\",[[2,8]],{\"cut\":2,\"cut_end\":true}]"},
	};
	static const char *const names[] = {"a.txt", "b.txt"};
	static const char *const texts[] = {
		"one\ntwo needle and needle\nthree\n", "needle\tat the start\nNeedle\n"};
	struct rig r;
	struct peer p;
	char ask[512], want[512];

	rig_init(&r, 1);
	add_real_root(&r, names, texts, 2);
	rig_start(&r);
	p = peer_tcp(&r);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		(void)snprintf(ask, sizeof(ask), "{\"id\":1,\"op\":\"grep\",%s}", cases[i].ask);
		(void)snprintf(want, sizeof(want), "{\"id\":1,\"ev\":\"rows\",\"rows\":[%s]}",
			cases[i].rows);
		CHECK_STR(answer(&r, &p, ask), want);
		CHECK(strstr(ended, "\"ev\":\"end\"") != NULL);
	}
	peer_close(&p);
	rig_close(&r);
}

TEST(op_search, a_grep_that_cannot_be_is_refused)
{
	static const struct {
		const char *ask, *said;
	} cases[] = {
		{"\"patterns\":[]", "must be an array of 1 to 1000"},
		{"\"patterns\":[1]", "must be a string"},
		{"\"patterns\":\"x\"", "must be an array"},
		{"\"q\":\"\"", "must be a string"},
		{"\"pattern\":\"x\",\"answer\":\"y\"", "\"answer\\\""},
		{"\"pattern\":\"x\",\"max_line\":2000000", "max_line"},
		{"\"patterns\":[\"x\",\"(\"],\"regex\":true", "pattern 2 is wrong at column 2"},
		{"\"patterns\":[\"x\",\"(\"],\"regex\":true", "\"pos\":4"},
	};
	struct rig r;
	struct peer p;
	char ask[512];

	rig_init(&r, 1);
	rig_start(&r);
	p = peer_tcp(&r);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		(void)snprintf(ask, sizeof(ask), "{\"id\":1,\"op\":\"grep\",%s}\n", cases[i].ask);
		say(&p, ask);
		CHECK(hear(&p) != NULL);
		CHECK(strstr(p.line, "\"ev\":\"error\"") != NULL);
		CHECK_SAY(strstr(p.line, cases[i].said) != NULL, "%s: %s", cases[i].ask, p.line);
	}
	peer_close(&p);
	rig_close(&r);
}

TEST(op_search, what_is_cut_off_a_long_line_is_told)
{
	static const char *const names[] = {"long"};
	struct rig r;
	struct peer p;
	char *text = malloc(20001);
	const char *const texts[] = {text};

	memset(text, 'x', 20000);
	text[20000] = '\0';
	memcpy(text + 10000, "needle", 6);
	rig_init(&r, 1);
	add_real_root(&r, names, texts, 1);
	rig_start(&r);
	p = peer_tcp(&r);
	say(&p, "{\"id\":1,\"op\":\"grep\",\"pattern\":\"needle\"}\n");
	hears(&p, "/long\",1,10001,\"xxx");
	CHECK(strstr(p.line, "]],{\"cut\":") != NULL);
	CHECK(strstr(p.line, "\"cut_end\":true}]]}") != NULL);
	hears(&p, "\"ev\":\"end\"");
	free(text);
	peer_close(&p);
	rig_close(&r);
}

TEST(op_search, names_that_are_not_utf8_travel_exactly)
{
	static const char *const names[] = {"\xff\x80\n"};
	static const char *const texts[] = {"x"};
	struct strbuf scratch = {0};
	struct rig r;
	struct peer p;
	struct msg *m;
	struct span name;

	rig_init(&r, 1);
	add_real_root(&r, names, texts, 1);
	rig_start(&r);
	p = peer_tcp(&r);
	say(&p, "{\"id\":1,\"op\":\"search\",\"q\":\"type:f\",\"fields\":[\"name\"]}\n");
	CHECK_INT(msg_parse(span_of(hear(&p)), &m, NULL), 0);
	CHECK_INT(msg_text(msg_at(msg_at(msg_get(msg_root(m), "rows"), 0), 0), &scratch, &name), 1);
	CHECK(span_eq(name, SPAN_LIT("\xff\x80\n")));
	msg_free(m);
	hears(&p, "\"n\":1");
	strbuf_fini(&scratch);
	peer_close(&p);
	rig_close(&r);
}

TEST(op_search, two_hundred_clients_get_what_one_gets)
{
	enum { CLIENTS = 200 };
	static struct peer peers[CLIENTS];
	struct strbuf serial = {0};
	struct rig r;

	rig_open(&r, 3000);
	for (int i = -1; i < CLIENTS; i++) {
		struct peer *p = &peers[MAX(i, 0)];

		*p = i % 2 ? peer_unix(&r) : peer_tcp(&r);
		say(p, "{\"id\":1,\"op\":\"search\",\"q\":\"f\",\"limit\":0,\"sort\":\"size:desc\"}"
		       "\n");
		if (i >= 0)
			continue;
		while (hear(p) && strstr(p->line, "\"rows\""))
			(void)strbuf_puts(&serial, p->line);
		peer_close(p);
	}
	for (int i = 0; i < CLIENTS; i++) {
		struct strbuf heard = {0};

		while (hear(&peers[i]) && strstr(peers[i].line, "\"rows\""))
			(void)strbuf_puts(&heard, peers[i].line);
		CHECK(strstr(peers[i].line, "\"n\":3000,") != NULL);
		CHECK_STR(heard.data, serial.data);
		strbuf_fini(&heard);
		peer_close(&peers[i]);
	}
	strbuf_fini(&serial);
	rig_close(&r);
}
