/**
 * hazard: pointers that one reader holds for long without stopping anybody.
 *
 * A hazard is a slot in which its owner publishes "I look at this object". Who takes an object out
 * of reach retires it; it is destroyed once no slot of the domain names it. A reader that sleeps
 * keeps its one object, and no other: what waits is bounded by twice the slots (or 64, if that is
 * more) and what is really held. Slots are not bound to threads: a suspended query owns its hazard
 * and takes it along from worker to worker.
 *
 * Against the epoch (epoch.h): protecting costs a full barrier and a second look at the pointer,
 * and covers one object, not all that is reached. Against counting (arc.h): readers of one object
 * write no line in common.
 *
 *     reader                              writer
 *     hazard_acquire(d, "query", &h);     old = swap_sc(&pointer, new);
 *     p = hazard_protect(h, &pointer);    hazard_retire(d, &old->item, old, object_free);
 *     ... clear, protect again ...
 *     hazard_release(h);
 *
 * Ownership: a domain lies in caller's storage; its slots are of malloc, used again, and freed by
 *            hazard_domain_fini(). An item lies in its object, the domain's until `fn` is called.
 * Threads:   any. One hazard: one thread at a time (handing it over needs an order, like any other
 *            object). No function takes a lock or waits.
 * Errors:    hazard_acquire(): -ENOMEM. Nothing else fails.
 * Limits:    `fn` runs in hazard_retire() or hazard_scan(), with whatever locks the caller holds.
 */
#pragma once

#include "base/clock.h"
#include "sync/atomic.h"

struct hazard;

struct hazard_item {
	struct hazard_item *next;
	const void *object;
	void (*fn)(struct hazard_item *item);
};

struct hazard_domain {
	/* seq_cst: hazard.c, note: protect. */
	_Atomic(struct hazard *) slots;        /* only ever grows, at the head */
	_Atomic(struct hazard_item *) retired; /* a stack, taken whole */

	/* Relaxed: how many there are is what a scan is worth, no more. */
	_Atomic uint32_t n_slots;
	_Atomic size_t n_retired;
};

void hazard_domain_init(struct hazard_domain *d);
/** All hazards are released. Destroys what is retired. */
void hazard_domain_fini(struct hazard_domain *d);

/** A slot, empty; `what` is static and names the holder to people. */
int hazard_acquire(struct hazard_domain *d, const char *what, struct hazard **ret);
void hazard_release(struct hazard *h); /* NULL is legal */

/** The object that *src points at, which stays until the hazard is cleared, released, or protects
 *  another; NULL when *src is. Never waits for others, but goes round as long as *src changes. */
void *hazard_protect(struct hazard *h, _Atomic(void *) *src);
/** Name an object that something else keeps from being retired until this returns (a count, a lock;
 *  another hazard does not). */
void hazard_set(struct hazard *h, const void *object);
void hazard_clear(struct hazard *h);

/** The object is out of reach of new readers: fn(item) once no hazard names it. */
void hazard_retire(struct hazard_domain *d, struct hazard_item *item, const void *object,
	void (*fn)(struct hazard_item *item));
/** Destroy what can be; how many are named and stay. */
size_t hazard_scan(struct hazard_domain *d);

/** One holder, for statistics: a moment's values. */
struct hazard_holder {
	const char *what;
	const void *object; /* may be gone: not to be followed */
	usec_t since;       /* monotonic */
};
/** Up to `max` slots that name an object, any order; returns how many there are in all. */
size_t hazard_holders(struct hazard_domain *d, struct hazard_holder *ret, size_t max);
