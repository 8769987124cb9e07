#include "index/tree_format.h"

#include <errno.h>
#include <sys/stat.h>

/* The checks run over whole columns, a rule or two at a time: a million entries take milliseconds,
 * and after them the accessors need no checks of their own. Each function sets the flaw it found;
 * the rule's number leads to FORMAT.md. */

static int
flaw(struct tree_flaw *ret, enum tree_section section, const char *rule)
{
	*ret = (struct tree_flaw){section, rule};
	return -EBADMSG;
}

static inline uint64_t
name_start(const struct tree_cols *c, uint32_t e)
{
	return c->name_base[e / TREE_NAME_BLOCK] + c->name_rel[e];
}

static int
check_name_bases(const struct tree_cols *c, struct tree_flaw *ret)
{
	uint32_t n = c->n_entries / TREE_NAME_BLOCK + 1;

	if (c->name_base[0] != 0)
		return flaw(ret, SECTION_NAME_BASE, "N1: the first name does not start at 0");
	for (uint32_t i = 0; i < n; i++) {
		if (c->name_base[i] > c->names_bytes)
			return flaw(ret, SECTION_NAME_BASE, "N1: a name starts past the names");
	}
	if (c->n_entries % TREE_NAME_BLOCK == 0 && c->name_base[n - 1] != c->names_bytes)
		return flaw(ret, SECTION_NAME_BASE, "N1: the last element is not the end");
	return 0;
}

/* Lengths here count the NUL: the root's is 1, the others' are 2 to TREE_NAME_MAX_BYTES + 1. */
static int
check_name_starts(const struct tree_cols *c, struct tree_flaw *ret)
{
	uint64_t at = 0;
	uint32_t least = 1, most = 1;

	for (uint32_t e = 0; e < c->n_entries; e++) {
		uint64_t next = e + 1 < c->n_entries ? name_start(c, e + 1) : c->names_bytes;

		if (e % TREE_NAME_BLOCK == 0 && c->name_rel[e] != 0)
			return flaw(ret, SECTION_NAME_REL, "N1: a group's first name is not at 0");
		if (next > c->names_bytes || next < at + least || next > at + most)
			return flaw(ret, SECTION_NAME_REL, "N3: length of a name out of range");
		if (c->names[next - 1] != '\0')
			return flaw(ret, SECTION_NAMES, "N2: no NUL after a name");
		at = next;
		least = 2;
		most = TREE_NAME_MAX_BYTES + 1;
	}
	return 0;
}

#define SCAN_BYTES 128u

struct name_scan {
	uint64_t n_nul, n_slash;
	uint8_t high; /* all bytes or-ed */
};

/* The trip count is constant so that both compilers vectorise it at -O2; 128 fits a byte's sum. */
static void
scan_chunk(const uint8_t *p, struct name_scan *s)
{
	uint8_t nul = 0, slash = 0, high = 0;

	for (unsigned i = 0; i < SCAN_BYTES; i++) {
		nul = (uint8_t)(nul + (p[i] == 0));
		slash = (uint8_t)(slash + (p[i] == '/'));
		high |= p[i];
	}
	s->n_nul += nul;
	s->n_slash += slash;
	s->high |= high;
}

static struct name_scan
scan_names(const char *names, uint64_t len)
{
	const uint8_t *p = (const uint8_t *)names;
	struct name_scan s = {0};
	uint64_t i = 0;

	for (; len - i >= SCAN_BYTES; i += SCAN_BYTES)
		scan_chunk(p + i, &s);
	for (; i < len; i++) {
		s.n_nul += p[i] == 0;
		s.n_slash += p[i] == '/';
		s.high |= p[i];
	}
	return s;
}

static bool
has_high(const struct tree_cols *c, uint64_t from, uint64_t to)
{
	return to > from && (scan_names(c->names + from, to - from).high & 0x80);
}

/* Each listed name has a high byte, and what lies between two listed names has none. */
static int
check_wide(const struct tree_cols *c, bool any_high, struct tree_flaw *ret)
{
	uint64_t at = 0;
	uint32_t least = 0;

	if (!any_high)
		return c->n_wide ? flaw(ret, SECTION_WIDE, "N4: an ASCII name is listed") : 0;
	for (uint32_t i = 0; i < c->n_wide; i++) {
		uint32_t e = c->wide[i];
		uint64_t start, end;

		if (e < least || e >= c->n_entries)
			return flaw(ret, SECTION_WIDE, "N4: list not ascending");
		start = name_start(c, e);
		end = e + 1 < c->n_entries ? name_start(c, e + 1) : c->names_bytes;
		if (has_high(c, at, start) || !has_high(c, start, end))
			return flaw(ret, SECTION_WIDE, "N4: list not exact");
		at = end;
		least = e + 1;
	}
	return has_high(c, at, c->names_bytes) ? flaw(ret, SECTION_WIDE, "N4: list not exact") : 0;
}

static int
check_names(const struct tree_cols *c, struct tree_flaw *ret)
{
	struct name_scan s;
	int r = check_name_bases(c, ret);

	if (r == 0)
		r = check_name_starts(c, ret);
	if (r < 0)
		return r;
	s = scan_names(c->names, c->names_bytes);
	if (s.n_nul != c->n_entries)
		return flaw(ret, SECTION_NAMES, "N2: a NUL within a name");
	if (s.n_slash != 0)
		return flaw(ret, SECTION_NAMES, "N2: a slash in a name");
	return check_wide(c, s.high & 0x80, ret);
}

/* Names end in NUL and hold none, so strcmp's order is that of N5. The first bytes are compared
 * here: most neighbours differ early, and the call costs more than the comparison. */
static inline bool
names_ascend(const char *a, const char *b)
{
	for (unsigned i = 0; i < 4; i++) {
		if (a[i] != b[i])
			return (uint8_t)a[i] < (uint8_t)b[i];
		if (a[i] == '\0')
			return false;
	}
	return strcmp(a + 4, b + 4) < 0;
}

static int
check_order(const struct tree_cols *c, uint32_t lo, uint32_t hi, struct tree_flaw *ret)
{
	const char *name;

	if (lo >= hi)
		return 0;
	name = c->names + name_start(c, lo);
	for (uint32_t e = lo + 1; e < hi; e++) {
		const char *next = c->names + name_start(c, e);

		if (!names_ascend(name, next))
			return flaw(ret, SECTION_NAMES, "N5: names out of order");
		name = next;
	}
	return 0;
}

/* A block's parents, and the numbers of its sub-directories (D2, half of D3, D4). */
static int
check_block(const struct tree_cols *c, uint32_t d, struct tree_flaw *ret)
{
	uint32_t last = d;

	for (uint32_t e = c->dir_first[d]; e < c->dir_first[d + 1]; e++) {
		uint32_t sub = c->dir[e];

		if (c->parent[e] != d)
			return flaw(ret, SECTION_PARENT, "D2: not the directory of its block");
		if (sub == TREE_NO_DIR)
			continue;
		if (sub >= c->n_dirs || c->dir_entry[sub] != e)
			return flaw(ret, SECTION_DIR, "D3: dir and dir_entry disagree");
		if (sub <= last)
			return flaw(ret, SECTION_DIR, "D4: numbers do not ascend");
		last = sub;
	}
	return 0;
}

static int
check_blocks(const struct tree_cols *c, struct tree_flaw *ret)
{
	int r = 0;

	if (c->dir_first[0] != 1 || c->dir_first[c->n_dirs] != c->n_entries)
		return flaw(ret, SECTION_DIR_FIRST, "D1: blocks do not cover the entries");
	for (uint32_t d = 0; d < c->n_dirs; d++) {
		if (c->dir_first[d] > c->dir_first[d + 1])
			return flaw(ret, SECTION_DIR_FIRST, "D1: blocks do not ascend");
	}
	if (c->parent[0] != 0)
		return flaw(ret, SECTION_PARENT, "D2: the root's parent is not 0");
	if (c->dir[0] != 0 || c->dir_entry[0] != 0)
		return flaw(ret, SECTION_DIR_ENTRY, "D3: the root is not directory 0");
	for (uint32_t d = 0; r == 0 && d < c->n_dirs; d++) {
		r = check_block(c, d, ret);
		if (r == 0)
			r = check_order(c, c->dir_first[d], c->dir_first[d + 1], ret);
	}
	return r;
}

/* `at` is the nearest directory before d whose range holds d. Each step up leaves a range for good,
 * so all steps together are at most n_dirs. */
static int
check_depth_first(const struct tree_cols *c, struct tree_flaw *ret)
{
	uint32_t at = 0;

	if (c->dir_end[0] != c->n_dirs)
		return flaw(ret, SECTION_DIR_END, "D5: the root's range is not everything");
	for (uint32_t d = 1; d < c->n_dirs; d++) {
		uint32_t e = c->dir_entry[d];

		while (c->dir_end[at] <= d)
			at = c->parent[c->dir_entry[at]];
		if (e >= c->n_entries || c->dir[e] != d)
			return flaw(ret, SECTION_DIR_ENTRY, "D3: dir and dir_entry disagree");
		if (c->parent[e] != at)
			return flaw(ret, SECTION_DIR_END, "D5: not in its parent's range");
		if (c->dir_end[d] <= d || c->dir_end[d] > c->dir_end[at])
			return flaw(ret, SECTION_DIR_END, "D5: ranges do not nest");
		at = d;
	}
	return 0;
}

static uint8_t
expected_flags(const struct tree_cols *c, uint32_t e)
{
	uint32_t d = c->dir[e];

	if (d == TREE_NO_DIR)
		return TREE_NOT_ENTERED;
	return c->dir_first[d] == c->dir_first[d + 1] ? TREE_EMPTY_DIR : 0;
}

/* After check_blocks(): what dir holds are numbers of directories. */
static int
check_entries(const struct tree_cols *c, struct tree_flaw *ret)
{
	for (uint32_t e = 0; e < c->n_entries; e++) {
		uint8_t flags = c->flags[e];

		if (c->cls[e] >= c->n_classes)
			return flaw(ret, SECTION_CLS, "E1: no such class");
		if (!S_ISDIR(c->classes[c->cls[e]].mode)) {
			if (flags != 0)
				return flaw(
					ret, SECTION_FLAGS, "E3: flags on what is no directory");
			if (c->dir[e] != TREE_NO_DIR)
				return flaw(ret, SECTION_CLS, "E3: number on what is no directory");
		} else if (flags != expected_flags(c, e) && flags != TREE_NOT_ENTERED) {
			return flaw(ret, SECTION_FLAGS, "E4: flags of a directory");
		}
	}
	return 0;
}

int
tree_check(const struct tree_cols *c, struct tree_flaw *ret)
{
	int r = check_names(c, ret);

	if (r == 0)
		r = check_blocks(c, ret);
	if (r == 0)
		r = check_depth_first(c, ret);
	if (r == 0)
		r = check_entries(c, ret);
	for (uint32_t i = 0; r == 0 && i < c->n_classes; i++) {
		if (c->classes[i].reserved != 0)
			r = flaw(ret, SECTION_CLASSES, "3.3: reserved field in use");
	}
	return r;
}
