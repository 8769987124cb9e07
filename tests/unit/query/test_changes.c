#include "test.h"

#include "query/changes.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* Files 0..N_NAMES-1 by name; 0 is none, else the inode. */
#define N_NAMES 12u

static uint64_t seed;

static uint32_t
roll(uint32_t sides)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % sides;
}

static void
put(struct record_writer *w, enum record_kind kind, uint32_t name, uint32_t from, uint32_t ino)
{
	char path[16], source[16];
	struct record r = {.kind = kind, .mode = S_IFREG | 0644, .ino = ino, .nlink = 1};

	(void)snprintf(path, sizeof(path), "d/%02u", name);
	(void)snprintf(source, sizeof(source), "d/%02u", from);
	r.path = span_of(path);
	if (kind == RECORD_MOVE)
		r.from = span_of(source);
	CHECK_INT(record_put(w, &r), 0);
}

/* What happens in a batch: each name at most once. */
static void
batch(struct changes *c, uint32_t ino[N_NAMES], uint32_t *n_ino)
{
	bool used[N_NAMES] = {false};
	struct record_writer w = {0};
	struct strbuf packed = {0};

	for (uint32_t k = 1 + roll(4); k > 0; k--) {
		uint32_t a = roll(N_NAMES), b = roll(N_NAMES);

		if (used[a])
			continue;
		used[a] = true;
		if (!ino[a]) {
			put(&w, RECORD_ADD, a, 0, ino[a] = ++*n_ino);
		} else if (roll(3) == 0 && !used[b]) {
			used[b] = true;
			put(&w, RECORD_MOVE, b, a, ino[b] = ino[a]);
			ino[a] = 0;
		} else if (roll(2)) {
			put(&w, RECORD_DELETE, a, 0, ino[a]);
			ino[a] = 0;
		} else {
			put(&w, RECORD_MODIFY, a, 0, ino[a]);
		}
	}
	CHECK_INT(record_finish(&w, &packed), 0);
	CHECK_INT(changes_add(c, 1, strbuf_view(&packed)), 0);
	strbuf_fini(&packed);
	record_writer_fini(&w);
}

static uint32_t
name_of(const struct change *ch)
{
	CHECK_INT(ch->path.len, 4);
	return (uint32_t)(ch->path.data[2] - '0') * 10 + (uint32_t)(ch->path.data[3] - '0');
}

/* What is told turns what was there into what is there, and says nothing that is not so. */
static void
check_told(const struct changes *c, uint32_t was[N_NAMES], const uint32_t is[N_NAMES])
{
	bool may[N_NAMES] = {false};
	uint32_t got[N_NAMES];

	memcpy(got, was, sizeof(got));
	for (size_t i = 0; i < c->list.len; i++) {
		const struct change *ch = &c->list.data[i];
		uint32_t name = name_of(ch);

		CHECK(!may[name]); /* once */
		may[name] = true;
		CHECK_INT(ch->now, is[name] != 0);
		switch (change_kind(c, i)) {
		case CHANGE_DELETE:
			CHECK(!is[name] && ch->gone && S_ISREG(ch->gone->mode));
			got[name] = 0;
			break;
		case CHANGE_ADD:
			CHECK(!was[name] || ch->unsure);
			got[name] = is[name];
			break;
		case CHANGE_MODIFY:
			got[name] = is[name];
			break;
		case CHANGE_MOVE:
			CHECK_INT(was[name_of(&c->list.data[ch->origin])], is[name]);
			got[name] = is[name];
			break;
		case CHANGE_OTHER:
			CHECK_SAY(false, "nobody asked");
		}
	}
	for (uint32_t k = 0; k < N_NAMES; k++)
		CHECK_SAY(got[k] == is[k], "seed %llu: name %u", (unsigned long long)seed, k);
}

TEST(changes, what_is_told_turns_what_was_into_what_is)
{
	for (uint64_t i = 0; i < test_scale(500000); i++) {
		uint32_t was[N_NAMES] = {0}, is[N_NAMES], n_ino = N_NAMES;
		struct changes c = {.max = 1000};

		seed = i;
		for (uint32_t k = 0; k < N_NAMES; k++)
			was[k] = roll(2) ? k + 1 : 0;
		memcpy(is, was, sizeof(is));
		for (uint32_t k = roll(8); k > 0; k--)
			batch(&c, is, &n_ino);
		check_told(&c, was, is);
		changes_fini(&c);
	}
}

TEST(changes, paths_of_several_roots_are_apart_and_too_many_are_refused)
{
	struct changes c = {.max = 150};
	struct record_writer w = {0};
	struct strbuf packed = {0};

	for (uint32_t k = 0; k < 100; k++)
		put(&w, RECORD_ADD, k, 0, k + 1);
	CHECK_INT(record_finish(&w, &packed), 0);
	CHECK_INT(changes_add(&c, 1, strbuf_view(&packed)), 0);
	CHECK_INT(changes_add(&c, 1, strbuf_view(&packed)), 0);
	CHECK_INT(c.list.len, 100);
	CHECK_INT(changes_add(&c, 2, strbuf_view(&packed)), -E2BIG);
	CHECK_INT(c.list.len, 150);
	changes_fini(&c);
	packed.data[packed.len / 2] ^= 1;
	CHECK_INT(changes_add(&c, 1, strbuf_view(&packed)), -EBADMSG);
	changes_fini(&c);
	strbuf_fini(&packed);
	record_writer_fini(&w);
}
