/* The figures of reclamation and locks, on one thread: what the uncontended path costs. */
#include "bench_sync.h"

#include <pthread.h>

#include "sync/arc.h"
#include "sync/epoch.h"
#include "sync/hazard.h"
#include "sync/lock.h"
#include "sync/thread.h"

#define ROUNDS 20000000u

/* Keeps the compiler from joining rounds; costs nothing. */
static void
round_ends(void)
{
	__asm__ volatile("" ::: "memory");
}

double
bench_epoch_pin(void)
{
	uint64_t began;

	epoch_pin();
	epoch_unpin();
	began = bench_now();
	for (unsigned i = 0; i < ROUNDS; i++) {
		epoch_pin();
		round_ends();
		epoch_unpin();
	}
	return bench_per(began, ROUNDS);
}

double
bench_epoch_pin_fenced(void)
{
	bench_must(epoch_set_mode(EPOCH_FENCED), "choose the fenced mode (give this figure alone)");
	return bench_epoch_pin();
}

double
bench_hazard_protect(void)
{
	struct hazard_domain domain;
	struct hazard *h;
	int object;
	_Atomic(void *) source = &object;
	uint64_t began;
	double took;

	hazard_domain_init(&domain);
	bench_must(hazard_acquire(&domain, "bench", &h), "acquire a hazard");
	began = bench_now();
	for (unsigned i = 0; i < ROUNDS; i++) {
		(void)hazard_protect(h, &source);
		round_ends();
		hazard_clear(h);
	}
	took = bench_per(began, ROUNDS);
	hazard_release(h);
	hazard_domain_fini(&domain);
	return took;
}

double
bench_lock(void)
{
	struct lock lock;
	uint64_t began;
	double took;

	lock_init(&lock, RANK_LEAF, "bench");
	began = bench_now();
	for (unsigned i = 0; i < ROUNDS; i++) {
		(void)lock_take(&lock);
		lock_give(&lock);
	}
	took = bench_per(began, ROUNDS);
	lock_fini(&lock);
	return took;
}

static int
nothing(void *arg)
{
	(void)arg;
	return 0;
}

double
bench_lock_pthread(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	struct thread other;
	uint64_t began;

	/* glibc takes a mutex without a locked instruction until there was a second thread. */
	bench_must(thread_start(&other, "bench", nothing, NULL), "start a thread");
	(void)thread_join(&other);
	began = bench_now();
	for (unsigned i = 0; i < ROUNDS; i++) {
		(void)pthread_mutex_lock(&mutex);
		(void)pthread_mutex_unlock(&mutex);
	}
	return bench_per(began, ROUNDS);
}
