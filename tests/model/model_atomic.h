/**
 * model_atomic: the operations of sync/atomic.h as steps of the explorer (model.h).
 *
 * Included by sync/atomic.h alone, in sources that are compiled with -DTRAWL_MODEL. Each place in a
 * source is a struct model_site, so that a trace can name it and a twin can weaken it.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* An operation may be an argument of another. */
#pragma GCC diagnostic ignored "-Wshadow"

struct __attribute__((aligned(64))) model_site { /* one after the other in their section */
	const char *expr, *file, *func;
	int line, order; /* the order as written */
	int weakened;    /* the order to use instead, or MODEL_AS_WRITTEN */
	bool is_met;     /* in the model under way */
};

#define MODEL_AS_WRITTEN (-1)

enum model_rmw { MODEL_ADD, MODEL_SUB, MODEL_OR, MODEL_AND, MODEL_SWAP };

uint64_t model_load(const volatile void *p, unsigned size, int order, struct model_site *site);
void model_store(
	volatile void *p, unsigned size, uint64_t value, int order, struct model_site *site);
uint64_t model_rmw(volatile void *p, unsigned size, enum model_rmw kind, uint64_t value, int order,
	struct model_site *site);
bool model_cas(volatile void *p, unsigned size, uint64_t *expected, uint64_t value, int order,
	int failed, struct model_site *site);
/** membarrier(2), where the model says that there is one; weakened to anything it does nothing. */
bool model_has_fence_all(void);
void model_fence_all(struct model_site *site);
/** Let others run: not counted as a preemption. */
void model_pause(void);

#define MODEL_SITE(p, order_)                                                                 \
	({                                                                                    \
		static struct model_site __attribute__((section("sites_of_model"))) site_ = { \
			.expr = #p,                                                           \
			.file = __FILE_NAME__,                                                \
			.func = __func__,                                                     \
			.line = __LINE__,                                                     \
			.order = (order_),                                                    \
			.weakened = MODEL_AS_WRITTEN,                                         \
		};                                                                            \
		&site_;                                                                       \
	})
/* The comma drops _Atomic and const, as in the compiler's own <stdatomic.h>. */
#define MODEL_TYPE(p) __typeof__((void)0, *(p))
#define MODEL_BITS(type, v)                                        \
	({                                                         \
		type value_ = (v);                                 \
		uint64_t bits_ = 0;                                \
		__builtin_memcpy(&bits_, &value_, sizeof(value_)); \
		bits_;                                             \
	})
#define MODEL_VALUE(type, b)                                       \
	({                                                         \
		uint64_t bits_ = (b);                              \
		type value_;                                       \
		__builtin_memcpy(&value_, &bits_, sizeof(value_)); \
		value_;                                            \
	})

#define ATOMIC_LOAD(p, order) \
	MODEL_VALUE(MODEL_TYPE(p), model_load((p), sizeof(*(p)), order, MODEL_SITE(p, order)))
#define ATOMIC_STORE(p, v, order) \
	model_store((p), sizeof(*(p)), MODEL_BITS(MODEL_TYPE(p), v), order, MODEL_SITE(p, order))
#define MODEL_RMW(p, kind, v, order)                                                            \
	MODEL_VALUE(                                                                            \
		MODEL_TYPE(p), model_rmw((p), sizeof(*(p)), kind, MODEL_BITS(MODEL_TYPE(p), v), \
				       order, MODEL_SITE(p, order)))
#define ATOMIC_ADD(p, v, order) MODEL_RMW(p, MODEL_ADD, v, order)
#define ATOMIC_SUB(p, v, order) MODEL_RMW(p, MODEL_SUB, v, order)
#define ATOMIC_OR(p, v, order) MODEL_RMW(p, MODEL_OR, v, order)
#define ATOMIC_AND(p, v, order) MODEL_RMW(p, MODEL_AND, v, order)
#define ATOMIC_SWAP(p, v, order) MODEL_RMW(p, MODEL_SWAP, v, order)
#define ATOMIC_CAS(p, expected, v, order_, failed)                                              \
	({                                                                                      \
		MODEL_TYPE(p) *expected_ = (expected);                                          \
		uint64_t seen_ = MODEL_BITS(MODEL_TYPE(p), *expected_);                         \
		bool done_ = model_cas((p), sizeof(*(p)), &seen_, MODEL_BITS(MODEL_TYPE(p), v), \
			order_, failed, MODEL_SITE(p, order_));                                 \
		if (!done_)                                                                     \
			*expected_ = MODEL_VALUE(MODEL_TYPE(p), seen_);                         \
		done_;                                                                          \
	})
/* A weak one that fails for no reason only makes its loop turn once more. */
#define ATOMIC_CAS_WEAK(p, expected, v, order, failed) ATOMIC_CAS(p, expected, v, order, failed)
