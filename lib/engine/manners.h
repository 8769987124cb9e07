/**
 * manners: may work that nobody waits for go on now? Internal to lib/engine.
 *
 * Reading contents, merges, and humble walks (note: humble walk, indexer.h) rest while others lack
 * memory or wait for disks, by what the kernel says in /proc/pressure: `some avg10` of memory or io
 * above a threshold. Looked at once a second at most, and only while there is such work. Other
 * walks, changes and answers never ask.
 *
 *        going --- avg10 above, not trusted --------------------> resting
 *          ^  <-- others stalled less than that in a look: trusted --- |
 *          +----- MANNERS_REST_USEC are over: until the next look -----+
 *
 * note: own pressure. The average is high because of the work itself, too: reading a cold disk is
 * nothing but waiting for it. While it rests it adds nothing to `total`, so what that grows by is
 * of others. When they stall less than the threshold the average was our own, and is not believed
 * for a time that doubles, MANNERS_TRUST_MIN_USEC to MANNERS_TRUST_MAX_USEC. A file that was being
 * read when the rest began may cost one look more. While a walk of ours runs that does not rest,
 * nothing can be told from it: nobody rests then.
 *
 * A kernel without PSI (no such file, or one that cannot be read) knows of no pressure.
 *
 * Ownership: of struct engine.
 * Threads:   any, unless said.
 * Units:     microseconds of the monotonic clock, which the caller passes.
 */
#pragma once

#include "base/clock.h"
#include "base/str.h"
#include "sync/lock.h"
#include "sync/stop.h"

#define MANNERS_DIR "/proc/pressure"
#define MANNERS_LOOK_USEC USEC_PER_SEC
#define MANNERS_REST_USEC (30 * USEC_PER_SEC)
#define MANNERS_TRUST_MIN_USEC (10 * USEC_PER_SEC)
#define MANNERS_TRUST_MAX_USEC (40 * USEC_PER_SEC)

/** The line `some` of a file of /proc/pressure. */
struct psi {
	uint64_t avg10;      /* hundredths of a percent, over the last 10 s */
	uint64_t total_usec; /* in which some task was stalled, since boot */
};

/** 0, or -EBADMSG. */
int psi_parse(struct span text, struct psi *ret);

enum manners_why { MANNERS_GO, MANNERS_MEMORY, MANNERS_IO, N_MANNERS };

struct manners {
	int dir_fd; /* fixed at init */
	/* Threshold; 0: never rest. Relaxed: a reload may set it at any time. */
	_Atomic uint32_t percent;
	/* Walks of ours that do not rest (note: own pressure). Relaxed: a hint. */
	_Atomic uint32_t n_restless;

	/* Guarded by lock (RANK_LEAF). */
	struct lock lock;
	enum manners_why why;
	usec_t look_at;                 /* the next look */
	usec_t looked_at;               /* the last one; 0 never */
	uint64_t total_usec[N_MANNERS]; /* then */
	usec_t rest_until;              /* at the latest, while it rests */
	usec_t trust, trust_until;      /* note: own pressure */
};

/** `dir_fd` is /proc/pressure or one like it and moves here; < 0: a kernel without. */
void manners_init(struct manners *m, int dir_fd, unsigned percent);
void manners_fini(struct manners *m);
void manners_set(struct manners *m, unsigned percent);
/** 0: go on. Else when to ask again, later than `now` by MANNERS_LOOK_USEC at most. */
usec_t manners_ask(struct manners *m, usec_t now);
/** Why who rests does so; a word ("memory", "io"), or NULL for MANNERS_GO. */
const char *manners_word(enum manners_why why);
enum manners_why manners_why_now(struct manners *m);

struct root;

/** Rest while others are pressed, for MANNERS_REST_USEC at the latest; changes are applied
 *  meanwhile, and the root's status says so. Runs on the root's thread, which has no walk or merge
 *  running. 1: it has rested, so the root's tree may be another one; 0: no need to; -ECANCELED:
 *  something else is to be done. `stop` may be NULL. */
int manners_rest(struct root *r, const struct stop *stop);
/** The same of what runs on another thread than the root's: it sleeps. 0: go on; -ECANCELED `stop`
 *  has fired; -ETIMEDOUT. For stop_set_hold(). */
int manners_hold(struct root *r, struct stop *stop, usec_t deadline);

/** The calling thread's class of disk access, as ioprio_set(2) takes it. */
enum io_class { IO_CLASS_LEAST = 2 << 13 | 7, /* of the usual class */ IO_CLASS_IDLE = 3 << 13 };

/** What it was, for io_class_backp(), or -errno. */
int io_class_set(enum io_class to);
/** For AUTO. Unlike a nice value, a class that was given up can be had back. */
void io_class_backp(const int *was);
