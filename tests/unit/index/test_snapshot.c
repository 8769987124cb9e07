#include "index/snapshot.h"
#include "index/tree_merge.h"
#include "one_stack.h"
#include "tree_model.h"

#include <errno.h>
#include <sys/mman.h>

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

/* "top" goes, "new" comes: a layer upon the base. */
static struct tree_stack *
with_layer(struct tree_stack *base)
{
	AUTO(closep) int fd = memfd_create("layer", MFD_CLOEXEC);
	struct tree_open_opts opts = {.flags = TREE_OPEN_DEEP};
	struct tree_merge m = {.stack = base, .from = 1};
	struct tree_input new = {.name = SPAN_LIT("new"),
		.mode = S_IFREG | 0644,
		.nlink = 1,
		.dir = TREE_BUILD_NO_DIR};
	struct tree_stack *ret = NULL;
	struct tree *top = NULL;
	uint64_t bytes;

	CHECK_INT(tree_change_create(base, &m.change), 0);
	CHECK_INT(tree_change_kill(m.change, TREE_CHANGE_ROOT, SPAN_LIT("top")), 0);
	CHECK_INT(tree_change_put(m.change, TREE_CHANGE_ROOT, &new, NULL), 0);
	CHECK_INT(tree_merge_fd(&m, fd, &bytes, NULL), 0);
	tree_change_destroy(m.change);
	CHECK_INT(tree_open_fd(fd, "layer", &opts, &top, NULL), 0);
	CHECK_INT(tree_merge_stack(base, 1, top, &ret, NULL), 0);
	tree_unref(top);
	tree_stack_unref(base);
	return ret;
}

TEST(snapshot, layers_of_all_roots_stand_one_after_the_other)
{
	static const char *const roots[] = {"/a", "/none", "/b", "/c"};
	struct text_view_opts opts = {.max_bytes = UINT64_MAX};
	char *dir = test_dir();
	struct snapshot *s = make(roots, 4, dir);

	tree_stack_unref(s->roots[1].stack);
	s->roots[1].stack = NULL;
	s->roots[2].stack = with_layer(s->roots[2].stack);
	CHECK_INT(text_view_create(s->roots[2].stack, NULL, &opts, &s->roots[2].view), 0);
	snapshot_seal(s);
	CHECK_INT(s->n_layers, 4);
	for (uint32_t i = 0; i < s->n_layers; i++) {
		CHECK_STR(snapshot_root(s, i)->path, roots[i == 0 ? 0 : i == 3 ? 3 : 2]);
		CHECK_INT(s->layers[i].layer, i == 2);
		CHECK_INT(s->layers[i].map ? s->layers[i].map->n_entries : 0,
			i == 1 || i == 2 ? snapshot_cols(s, i)->n_entries : 0);
		CHECK(snapshot_cols(s, i) == tree_cols(s->layers[i].tree));
	}
	CHECK_INT(s->roots[3].first_layer, 3);
	CHECK_STR(found(s, "/b/lib/x.c"), "1:/b/lib/x.c");
	CHECK_STR(found(s, "/b/new"), "2:/b/new");
	CHECK_STR(found(s, "/b/top"), "none");
	CHECK_STR(found(s, "/c/top"), "3:/c/top");
	/* What is there counts in one layer. */
	CHECK_INT(snapshot_count(s, 1, 0, snapshot_cols(s, 1)->n_entries) +
			  snapshot_count(s, 2, 0, snapshot_cols(s, 2)->n_entries),
		s->roots[2].stack->n_entries);
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
