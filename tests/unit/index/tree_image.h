/**
 * tree_image: the bytes of a small segment, to be damaged on purpose.
 */
#pragma once

#include "tree_model.h"

#include "base/hash.h"

#include <errno.h>
#include <sys/mman.h>

#define FILE_MAX_BYTES 16384u
#define ROW_AT(i) (TREE_HEADER_BYTES + (i)*TREE_ROW_BYTES)

struct image {
	char bytes[FILE_MAX_BYTES];
	size_t len;
};

MODEL int
image_open(const struct image *im, struct tree **ret, struct err *err)
{
	AUTO(closep) int fd = memfd_create("segment", MFD_CLOEXEC);

	*err = (struct err){0};
	CHECK_INT(fd_write_full(fd, im->bytes, im->len), 0);
	return tree_open_fd(fd, "seg", &(struct tree_open_opts){.flags = TREE_OPEN_DEEP}, ret, err);
}

MODEL uint64_t
image_get(const struct image *im, size_t at, size_t width)
{
	uint64_t v = 0;

	memcpy(&v, im->bytes + at, width);
	return v;
}

MODEL void
image_put(struct image *im, size_t at, size_t width, uint64_t v)
{
	memcpy(im->bytes + at, &v, width);
}

/* What a writer does that means harm: wrong content, right sums. */
MODEL void
image_sum_again(struct image *im)
{
	uint32_t n = (uint32_t)image_get(im, 24, 4);

	for (uint32_t i = 0; i < n; i++) {
		size_t at = image_get(im, ROW_AT(i) + 8, 8), len = image_get(im, ROW_AT(i) + 16, 8);

		image_put(im, ROW_AT(i) + 24, 8,
			hash64(im->bytes + at, len, image_get(im, ROW_AT(i), 4)));
	}
	image_put(im, TREE_SUM_AT, 8, 0);
	image_put(im, TREE_SUM_AT, 8, hash64(im->bytes, ROW_AT(n), 0));
}

MODEL void
image_must_refuse(const struct image *im, int code, const char *text)
{
	struct tree *t = NULL;
	struct err err;
	int r = image_open(im, &t, &err);

	CHECK_SAY(r == code, "%s: result %d, \"%s\"", text, r, err.what);
	CHECK_SAY(strstr(err.what, text) != NULL, "\"%s\" lacks \"%s\"", err.what, text);
	CHECK(strstr(err.what, "\"seg\"") != NULL && err.hint[0] != '\0');
}

struct patch {
	enum tree_section section;
	size_t at, width; /* at: index of the element; width PACKED: of an entry */
	uint64_t value;
};
#define PACKED 100u
/* Parts of the head of a packed column's first block, as elements of their width. */
#define HEAD_BASE 0, 8
#define HEAD_AT 2, 4
#define HEAD_WIDTH 12, 1
#define HEAD_UNIT 13, 1
#define HEAD_RESERVED 7, 2

MODEL size_t
image_section(const struct image *im, enum tree_section id)
{
	size_t n = image_get(im, 24, 4), i = 0;

	while (i < n && image_get(im, ROW_AT(i), 4) != id)
		i++;
	CHECK_SAY(i < n, "no section %s", tree_section_name(id));
	return image_get(im, ROW_AT(i) + 8, 8);
}

/* The number of an entry of a tree of one block. */
MODEL void
image_put_packed(struct image *im, enum tree_section section, size_t entry, uint64_t value)
{
	size_t head = image_section(im, section), width = image_get(im, head + 12, 1);

	CHECK_SAY(value >> width == 0, "%s has only %zu bits", tree_section_name(section), width);
	for (size_t i = 0; i < width; i++) {
		size_t bit = entry * width + i, at = head + sizeof(struct tree_block) + bit / 8;
		uint64_t byte = image_get(im, at, 1) & ~((uint64_t)1 << bit % 8);

		image_put(im, at, 1, byte | (value >> i & 1) << bit % 8);
	}
}

struct rule_case {
	const char *rule;
	struct patch patches[7];
};

MODEL void
image_must_find(const struct image *good, const struct rule_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		static struct image im;

		im = *good;
		for (const struct patch *p = cases[i].patches;
			p < cases[i].patches + ARRAY_LEN(cases[i].patches) && p->width > 0; p++) {
			if (p->width == PACKED)
				image_put_packed(&im, p->section, p->at, p->value);
			else
				image_put(&im, image_section(&im, p->section) + p->at * p->width,
					p->width, p->value);
		}
		image_sum_again(&im);
		image_must_refuse(&im, -EBADMSG, cases[i].rule);
	}
}
