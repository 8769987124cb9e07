/* The nth allocation fails, for each n. The program's own malloc stands before the C library's,
 * which the sanitizers would not like: there nothing fails. */
#include "index/tree_merge.h"
#include "tree_model.h"

#include <errno.h>

#if defined(__has_feature)
#	if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#		define UNDER_SANITIZER 1
#	endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#	define UNDER_SANITIZER 1
#endif

static _Thread_local bool counting;
static _Thread_local long until_failure, n_live;

#ifdef UNDER_SANITIZER
static const bool can_fail = false;
#else
static const bool can_fail = true;

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

static bool
fails(void)
{
	return counting && until_failure-- == 0;
}

static void *
count_new(void *p)
{
	n_live += counting && p != NULL;
	return p;
}

void *
malloc(size_t n)
{
	return fails() ? NULL : count_new(__libc_malloc(n));
}

void *
calloc(size_t n, size_t size)
{
	return fails() ? NULL : count_new(__libc_calloc(n, size));
}

void *
realloc(void *p, size_t n)
{
	if (fails())
		return NULL;
	return p ? __libc_realloc(p, n) : count_new(__libc_realloc(NULL, n));
}

void
free(void *p)
{
	n_live -= counting && p != NULL;
	__libc_free(p);
}
#endif

/* Two levels, a directory in pieces out of order, more classes than the table holds at first. */
static int
feed(struct tree_builder *b)
{
	struct tree_input in[3] = {0};
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < 100; i++) {
		char names[3][16];

		for (uint32_t k = 0; k < 3; k++) {
			int len =
				snprintf(names[k], sizeof(names[k]), "%c%u", 'a' + (int)k, 500 - i);

			in[k] = (struct tree_input){.name = {names[k], (size_t)len},
				.mode = k ? S_IFREG : S_IFDIR,
				.uid = i,
				.dir = k ? TREE_BUILD_NO_DIR : i + 1};
		}
		r = tree_builder_add(b, 0, in, 3, false);
		if (r == 0)
			r = tree_builder_add(b, i + 1, in + 1, 2, false);
	}
	return r;
}

static int
build_and_open(int dirfd)
{
	struct tree_input root = {.mode = S_IFDIR, .dir = 0};
	struct tree_builder *b = NULL;
	struct tree *t = NULL;
	uint64_t bytes;
	int r = tree_builder_create(&root, &b);

	if (r == 0)
		r = feed(b);
	if (r == 0)
		r = tree_builder_write(b, dirfd, "t", NULL, &bytes, NULL);
	if (r == 0)
		r = tree_open(dirfd, "t", &t, NULL);
	tree_unref(t);
	tree_builder_destroy(b);
	return r;
}

/* More of everything than the first tables hold. */
static int
tell(struct tree_change *c)
{
	struct tree_input in = {.mode = S_IFREG};
	int r = tree_change_kill(c, 0, SPAN_LIT("a500"));

	for (uint32_t i = 0; r == 0 && i < 60; i++) {
		char name[16];
		uint32_t dir, sub;

		in.uid = i;
		(void)snprintf(name, sizeof(name), "new%u", i);
		in.name = span_of(name);
		in.mode = S_IFDIR;
		in.dir = 0;
		r = tree_change_dir(c, 0, i + 1, &dir);
		if (r == -ENOENT)
			r = 0;
		else if (r == 0)
			r = tree_change_put(c, dir, &in, &sub);
		in.mode = S_IFREG;
		in.dir = TREE_BUILD_NO_DIR;
		if (r == 0)
			r = tree_change_put(c, 0, &in, NULL);
	}
	return r;
}

static int
merge(struct tree_stack *s, struct tree_change *c, uint32_t from, int dirfd,
	struct tree_stack **ret)
{
	struct tree_merge m = {.stack = s, .change = c, .from = from};
	struct tree *t = NULL;
	uint64_t bytes;
	int r = tree_merge_write(&m, dirfd, from ? "layer" : "base", &bytes, NULL);

	if (r == 0)
		r = tree_open(dirfd, from ? "layer" : "base", &t, NULL);
	if (r == 0)
		r = tree_merge_stack(s, from, t, ret, NULL);
	tree_unref(t);
	return r;
}

static int
change_and_merge(int dirfd)
{
	struct tree_stack *one = NULL, *two = NULL, *three = NULL;
	struct tree_change *c = NULL;
	struct tree *t = NULL;
	int r = tree_open(dirfd, "t", &t, NULL);

	if (r == 0)
		r = tree_stack_create(&t, 1, &one, NULL);
	if (r == 0)
		r = tree_change_create(one, &c);
	if (r == 0)
		r = tell(c);
	if (r == 0)
		r = merge(one, c, 1, dirfd, &two);
	if (r == 0)
		r = tree_stack_check(two, NULL);
	if (r == 0)
		r = merge(two, NULL, 0, dirfd, &three);
	tree_change_destroy(c);
	tree_stack_unref(three);
	tree_stack_unref(two);
	tree_stack_unref(one);
	tree_unref(t);
	return r;
}

static void
fail_each(int dirfd, int (*fn)(int dirfd), const char *temp)
{
	long n = 0;
	int r = -ENOMEM;

	for (; r == -ENOMEM; n++) {
		n_live = 0;
		until_failure = n;
		counting = true;
		r = fn(dirfd);
		counting = false;
		CHECK_SAY(n_live == 0, "failing allocation %ld: %ld are left", n, n_live);
		CHECK_INT(faccessat(dirfd, temp, F_OK, 0), -1);
	}
	CHECK_INT(r, 0);
	CHECK(n > 30 || !can_fail); /* it did fail, many times */
}

TEST(tree_memory, each_failing_allocation_is_an_error_and_leaks_nothing)
{
	char *dir = test_dir();
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	fail_each(dirfd, build_and_open, "t.tmp");
	test_dir_remove(dir);
}

TEST(tree_memory, so_is_one_while_layers_are_made)
{
	char *dir = test_dir();
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	CHECK_INT(build_and_open(dirfd), 0);
	fail_each(dirfd, change_and_merge, "layer.tmp");
	test_dir_remove(dir);
}
