/**
 * vec: a growing array of one type.
 *
 *     VEC(struct rule) rules = {0};
 *     if (VEC_PUSH(&rules, rule) < 0) ...          -ENOMEM, the vector unchanged
 *     VEC_EACH(&rules, r) use(r);                  r is a pointer to the element
 *     VEC_FINI(&rules);
 *
 * Pointers to elements are valid until the next push or reserve.
 */
#pragma once

#include "base/defs.h"

#define VEC(type)                \
	struct {                 \
		type *data;      \
		size_t len, cap; \
	}

/** Room for n more elements: 0 or -ENOMEM. */
#define VEC_RESERVE(v, n) \
	vec_reserve((void **)&(v)->data, (v)->len, &(v)->cap, (n), sizeof(*(v)->data))
#define VEC_PUSH(v, ...) \
	(VEC_RESERVE((v), 1) < 0 ? -ENOMEM : ((v)->data[(v)->len++] = __VA_ARGS__, 0))
#define VEC_POP(v) ((v)->data[--(v)->len])
#define VEC_EACH(v, p) \
	for (__typeof__((v)->data + 0) p = (v)->data; p && p < (v)->data + (v)->len; p++)
#define VEC_FINI(v) (free((v)->data), (v)->data = NULL, (v)->len = (v)->cap = 0)

int vec_reserve(void **data, size_t len, size_t *cap, size_t extra, size_t elem_bytes);
