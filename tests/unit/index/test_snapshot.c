#include "index/snapshot.h"
#include "one_stack.h"
#include "tree_model.h"

#include <errno.h>

static const char *const paths[] = {"lib/", "lib/x.c", "srv/", "top"};

static struct snapshot *
make(const char *const *roots, uint32_t n, const char *dir)
{
	struct snapshot *s = snapshot_create(n);

	for (uint32_t i = 0; i < n; i++) {
		struct model m;

		model_of_paths(&m, paths, ARRAY_LEN(paths));
		s->roots[i].path = strdup(roots[i]);
		s->roots[i].name = strdup("name");
		s->roots[i].stack = one_stack(model_tree(&m, dir, 10));
		model_fini(&m);
	}
	snapshot_seal(s);
	return s;
}

static const char *
found(const struct snapshot *s, const char *path)
{
	static char text[256];
	struct strbuf out = {0};
	uint32_t root, entry;
	int r = snapshot_lookup(s, span_of(path), &root, &entry);

	if (r < 0)
		return r == -ENOENT ? "none" : "error";
	CHECK_INT(snapshot_path(s, root, entry, &out), 0);
	(void)snprintf(text, sizeof(text), "%u:%s", root, out.data);
	strbuf_fini(&out);
	return text;
}

TEST(snapshot, a_path_belongs_to_its_deepest_root)
{
	static const char *const roots[] = {"/usr", "/usr/lib", "/us"};
	char *dir = test_dir();
	struct snapshot *s = make(roots, 3, dir);

	CHECK_STR(found(s, "/usr/srv"), "0:/usr/srv");
	CHECK_STR(found(s, "/usr"), "0:/usr");
	CHECK_STR(found(s, "/usr/"), "0:/usr");
	CHECK_STR(found(s, "/usr/lib"), "1:/usr/lib");
	CHECK_STR(found(s, "/usr/lib/lib/x.c"), "1:/usr/lib/lib/x.c");
	CHECK_STR(found(s, "/usr/lib/x.c"), "none");
	CHECK_STR(found(s, "/us/top"), "2:/us/top");
	CHECK_STR(found(s, "/usrtop"), "none");
	CHECK_STR(found(s, "/usr/top/x"), "none");
	CHECK_STR(found(s, "usr/top"), "none");
	CHECK_STR(found(s, ""), "none");
	snapshot_unref(s);
	test_dir_remove(dir);
}

TEST(snapshot, the_root_of_everything_has_one_slash)
{
	static const char *const roots[] = {"/"};
	char *dir = test_dir();
	struct snapshot *s = make(roots, 1, dir);

	CHECK_STR(found(s, "/"), "0:/");
	CHECK_STR(found(s, "/lib/x.c"), "0:/lib/x.c");
	snapshot_unref(s);
	test_dir_remove(dir);
}

TEST(snapshot, a_root_without_a_tree_has_no_paths)
{
	struct snapshot *s = snapshot_create(1);
	uint32_t root, entry;

	s->roots[0].path = strdup("/new");
	CHECK_INT(snapshot_lookup(s, SPAN_LIT("/new"), &root, &entry), -ENOENT);
	snapshot_unref(snapshot_ref(s));
	snapshot_unref(s);
	snapshot_unref(NULL);
}

TEST(snapshot, the_clock_is_a_short_text)
{
	struct snapshot *s = snapshot_create(0);
	char buf[SNAPSHOT_CLOCK_BYTES];

	s->instance = 0x7f3a;
	s->epoch = 12;
	s->tick = 90817;
	CHECK_STR(snapshot_clock(s, buf), "c:7f3a:12:90817");
	s->instance = s->epoch = s->tick = UINT64_MAX;
	CHECK_INT(strlen(snapshot_clock(s, buf)), 2 + 16 + 1 + 20 + 1 + 20);
	snapshot_unref(s);
}

TEST(snapshot, one_that_is_held_beside_its_successor_shows_in_the_statistics)
{
	struct snapshot *old = snapshot_create(0), *now;
	struct snapshot_stats st;
	usec_t before = clock_mono();

	snapshot_get_stats(&st);
	CHECK_INT(st.n_live, 1);
	CHECK_INT(st.stale_refs, 0);
	now = snapshot_create(0);
	(void)snapshot_ref(old);
	snapshot_get_stats(&st);
	CHECK_INT(st.n_live, 2);
	CHECK_INT(st.stale_refs, 2);
	CHECK(st.stale_since >= before && st.stale_since <= clock_mono());
	snapshot_unref(old);
	snapshot_unref(old);
	snapshot_get_stats(&st);
	CHECK_INT(st.n_live, 1);
	CHECK_INT(st.stale_since, 0);
	snapshot_unref(now);
}
