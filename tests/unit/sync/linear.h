/**
 * linear: is a history of concurrent calls linearizable? J. Wing's and C. Gong's search (JPDC
 * 1993).
 *
 * A history is what a few threads did with one object: each call with its result, and when it began
 * and ended on one clock. It is linearizable when the calls can be put into one order that obeys
 * the object's sequential specification and in which a call that had ended before another began
 * comes first. At most LINEAR_MAX_OPS calls: all orders are tried.
 *
 * The specification is a queue with two ends: everything is put in at the back; it is taken from
 * the front, or (a deque's owner) from the back. Three failures are known: it is full, it is empty,
 * it was closed. A call that may say "full" or "empty" only because another was half way is
 * believed when another overlaps it, unless the specification is `strict`.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LINEAR_MAX_OPS 12u

enum linear_kind { LINEAR_PUT, LINEAR_TAKE, LINEAR_TAKE_BACK, LINEAR_CLOSE, LINEAR_NOTHING };

struct linear_op {
	enum linear_kind kind;
	uint32_t item;       /* put, or taken when result is 0 */
	int result;          /* 0, -EAGAIN, -EPIPE */
	uint64_t from, till; /* of the clock; all different */
	unsigned thread;     /* for people */
};

struct linear_spec {
	size_t cap; /* SIZE_MAX: never full */
	bool strict;
};

struct search {
	const struct linear_spec *spec;
	const struct linear_op *ops;
	unsigned n;
	uint32_t done; /* a bit an operation that has its place in the order */

	/* The object after those: items[first .. end). */
	uint32_t items[LINEAR_MAX_OPS];
	unsigned first, end;
	bool closed;
};

static bool
overlaps(const struct search *s, const struct linear_op *op)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct linear_op *other = &s->ops[i];

		if (other != op && other->from < op->till && op->from < other->till)
			return true;
	}
	return false;
}

static bool
may_fail_anyhow(const struct search *s, const struct linear_op *op)
{
	return !s->spec->strict && overlaps(s, op);
}

static bool
put(struct search *s, const struct linear_op *op)
{
	bool full = s->end - s->first == s->spec->cap;

	if (s->closed)
		return op->result == -EPIPE;
	if (op->result == -EAGAIN)
		return full || may_fail_anyhow(s, op);
	if (op->result != 0 || full)
		return false;
	s->items[s->end++] = op->item;
	return true;
}

static bool
take(struct search *s, const struct linear_op *op)
{
	bool empty = s->first == s->end;

	if (op->result == -EAGAIN)
		return (empty && !s->closed) || may_fail_anyhow(s, op);
	if (op->result == -EPIPE)
		return empty && s->closed;
	if (empty)
		return false;
	if (op->kind == LINEAR_TAKE_BACK)
		return s->items[--s->end] == op->item;
	return s->items[s->first++] == op->item;
}

/* Apply the call to the object: could it have ended as it did? */
static bool
apply(struct search *s, const struct linear_op *op)
{
	switch (op->kind) {
	case LINEAR_PUT:
		return put(s, op);
	case LINEAR_TAKE:
	case LINEAR_TAKE_BACK:
		return take(s, op);
	case LINEAR_CLOSE:
		s->closed = true;
		return true;
	case LINEAR_NOTHING:
		return true;
	}
	return false;
}

/* May it be the next: has nothing that is still without a place ended before it began? */
static bool
is_minimal(const struct search *s, unsigned k)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (!(s->done & (1u << i)) && s->ops[i].till < s->ops[k].from)
			return false;
	}
	return true;
}

static bool
linear_search(const struct search *s)
{
	if (s->done == (1u << s->n) - 1)
		return true;
	for (unsigned k = 0; k < s->n; k++) {
		struct search next = *s;

		if ((s->done & (1u << k)) || !is_minimal(s, k) || !apply(&next, &s->ops[k]))
			continue;
		next.done |= 1u << k;
		if (linear_search(&next))
			return true;
	}
	return false;
}

static bool
linear_check(const struct linear_spec *spec, const struct linear_op *ops, unsigned n)
{
	struct search s = {.spec = spec, .ops = ops, .n = n};

	return linear_search(&s);
}

/* The history as text, one line a call. */
static void
linear_describe(const struct linear_op *ops, unsigned n, char *ret, size_t size)
{
	static const char *const names[] = {
		"put", "take", "take from the back", "close", "nothing"};
	size_t used = 0;

	*ret = '\0';
	for (unsigned i = 0; i < n && used < size; i++) {
		int k = snprintf(ret + used, size - used, "thread %u, %llu to %llu: %s %u: %d\n",
			ops[i].thread, (unsigned long long)ops[i].from,
			(unsigned long long)ops[i].till, names[ops[i].kind], ops[i].item,
			ops[i].result);

		used += k > 0 ? (size_t)k : 0;
	}
}
