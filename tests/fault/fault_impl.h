/**
 * fault_impl: what fault.c (processes, verdicts) and fault_calls.c (the calls) share.
 */
#pragma once

#include "fault.h"

#include "sync/atomic.h"

#if defined(__SANITIZE_THREAD__)
#	define FAULT_TRACKS_MEMORY 0 /* its lock would order what is not ordered */
#else
#	define FAULT_TRACKS_MEMORY 1
#endif

#define FAULT_MAX_SITES 256

struct fault_site {
	const void *at; /* the caller's address */
	long n;
};

#define FAULT_OFF (-2) /* and calls are not counted any more */

/* What fails. */
struct fault_plan {
	/* All relaxed: nothing is published by them. */
	_Atomic unsigned kinds; /* 0: nothing is counted */
	_Atomic long at;        /* the first to fail; FAULT_OFF and -1: none */
	bool from;              /* and all after it; fixed */
	_Atomic long n_calls;
	_Atomic long n_failed;
	_Atomic unsigned failed_kinds;
	/* Who made the first call that failed, innermost first; written before n_failed is read. */
	void *frames[16];
	_Atomic int n_frames;
};

extern struct fault_plan fault_plan;

/** Allocated in this run and not freed, by place; how many places. */
size_t fault_live(struct fault_site *ret, size_t max);
