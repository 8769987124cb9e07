#include "explorer.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_CHOICES 20000u
/* Of one model in `full`; 100 times that in `long`. */
#define SEARCH_SEC 1.5
#define RANDOM_SEC 0.5
#define SURVEY_SEC 1.0

/* note: replay. A run is told by its choices. The next run repeats all but the last choice that has
 * an alternative left, takes that, and from there on the first of everything: depth first. Written
 * down, an interruption is "@step:taken", for which steps have a choice is learned (note: private);
 * the others are numbers in their order. */
struct choice {
	uint16_t n, taken, step;
	bool seldom;
};

static struct {
	struct choice path[MAX_CHOICES];
	unsigned n, at;
} choices;

enum verdict { RAN, PRUNED, FAILED };

struct tally {
	uint64_t n_runs, n_pruned;
	unsigned most_steps;
	double seconds;
	unsigned bound; /* the last one that was explored whole */
	uint64_t n_random;
};

struct run run;
static jmp_buf back;
static char failure[1024];
static struct model_site *sites, *sites_end;
static struct model_site *surveyed; /* --survey: weakened to this */
static int surveyed_order;
static double search_sec = SEARCH_SEC, random_sec = RANDOM_SEC;

/* Static objects of the program: data and zeroes, and how they were at the start. */
static struct image {
	char *at, *end, *copy;
} images[2];

static uint16_t
draw(unsigned n, bool seldom)
{
	static uint64_t state = 88172645463325252ull;

	if (!run.is_random)
		return 0;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	if (seldom && (state >> 40) % 8 != 0)
		return 0;
	return (uint16_t)((state >> 20) % n);
}

static struct choice interruptions[64]; /* of a replay */
static unsigned n_interruptions;

static unsigned
interruption_at(unsigned step)
{
	for (unsigned i = 0; i < n_interruptions; i++) {
		if (interruptions[i].step == step)
			return interruptions[i].taken;
	}
	return 0;
}

static unsigned
choose(unsigned n, bool seldom)
{
	struct choice *c = &choices.path[choices.at];

	if (n < 2)
		return 0;
	if (run.is_replay && seldom)
		return interruption_at(run.n_steps);
	if (choices.at == MAX_CHOICES)
		model_fail("more than %u choices", MAX_CHOICES);
	if (choices.at == choices.n) {
		*c = (struct choice){.n = (uint16_t)n,
			.taken = draw(n, seldom),
			.step = (uint16_t)run.n_steps,
			.seldom = seldom};
		choices.n++;
	} else if (run.is_replay) {
		c->n = (uint16_t)n;
	} else if (c->n != n) {
		(void)fprintf(stderr, "the model does not do the same thing twice\n");
		_exit(2);
	}
	choices.at++;
	return c->taken;
}

unsigned
model_choose(unsigned n)
{
	return choose(n, false);
}

unsigned
model_choose_seldom(unsigned n)
{
	return choose(n, true);
}

/* false: there is no further run. */
static bool
next_path(void)
{
	while (choices.n > 0 &&
		choices.path[choices.n - 1].taken + 1 == choices.path[choices.n - 1].n)
		choices.n--;
	if (choices.n == 0)
		return false;
	choices.path[choices.n - 1].taken++;
	return true;
}

void
model_fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(failure, sizeof(failure), fmt, args);
	va_end(args);
	_longjmp(back, FAILED);
}

void
run_prune(void)
{
	_longjmp(back, PRUNED);
}

void
run_tell(const char *fmt, ...)
{
	va_list args;

	if (!run.telling)
		return;
	printf("%6u  %-12s ", run.n_steps, sched_name(self));
	va_start(args, fmt);
	(void)vprintf(fmt, args);
	va_end(args);
	printf("\n");
}

static bool
weakens(const struct model_weaken *w, const struct model_site *site)
{
	return w->expr && strcmp(w->func, site->func) == 0 && strstr(site->expr, w->expr);
}

static void
weaken(struct model_site *site)
{
	site->weakened = MODEL_AS_WRITTEN;
	for (unsigned i = 0; i < ARRAY_LEN(run.model->weaken); i++) {
		if (weakens(&run.model->weaken[i], site))
			site->weakened = run.model->weaken[i].order;
	}
	if (site == surveyed)
		site->weakened = surveyed_order;
}

void
model_statics(char *data, char *data_end, char *zeroes, char *zeroes_end)
{
	images[0] = (struct image){.at = data, .end = data_end};
	images[1] = (struct image){.at = zeroes, .end = zeroes_end};
	for (unsigned i = 0; i < ARRAY_LEN(images); i++) {
		size_t n = (size_t)(images[i].end - images[i].at);

		images[i].copy = malloc(n + 1);
		if (!images[i].copy)
			abort();
		memcpy(images[i].copy, images[i].at, n);
	}
}

void
model_sites(struct model_site *first, struct model_site *end_)
{
	sites = first;
	sites_end = end_;
}

static void
restore(char *from, const char *end_, const struct image *image)
{
	if (from < end_)
		memcpy(from, image->copy + (from - image->at), (size_t)(end_ - from));
}

/* All but the sites, which are the explorer's. */
static void
restore_statics(void)
{
	char *lo = (char *)sites, *hi = (char *)sites_end;

	for (unsigned i = 0; i < ARRAY_LEN(images); i++) {
		const struct image *image = &images[i];

		if (hi <= image->at || lo >= image->end) {
			restore(image->at, image->end, image);
		} else {
			restore(image->at, lo, image);
			restore(hi, image->end, image);
		}
	}
}

static void
on_fault(int sig)
{
	model_fail("%s", strsignal(sig));
}

static enum verdict
run_once(void)
{
	int verdict;

	run.number++;
	run.n_steps = run.n_preempts = run.n_spurious = 0;
	run.now = 1000000;
	choices.at = 0;
	shadow_reset();
	sched_reset();
	memory_begin_run();
	restore_statics();
	verdict = _setjmp(back);
	if (verdict == RAN) {
		sched_run(run.model->body);
		if (!run.model->keeps)
			shadow_check_leaks();
	}
	if (verdict == FAILED && run.telling)
		sched_tell_ends();
	self = -1;
	return (enum verdict)verdict;
}

static double
now_sec(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts); /* however busy the machine is */
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool
is_long(void)
{
	const char *tier = getenv("TRAWL_TIER");

	return tier && strcmp(tier, "long") == 0;
}

static unsigned
bound_of(const struct model *m)
{
	return is_long() && m->preempt_long ? m->preempt_long : m->preempt;
}

static void
set_up(const struct model *m)
{
	run.model = m;
	run.preempt_max = bound_of(m);
	run.stale_max = m->stale ? m->stale : is_long() ? 2 : 1;
	run.is_random = false;
	choices.n = 0;
	for (struct model_site *s = sites; s < sites_end; s++) {
		s->is_met = false;
		weaken(s);
	}
}

static bool
is_late(const struct tally *t, double end_sec)
{
	return (t->n_runs + t->n_pruned) % 256 == 0 && now_sec() > end_sec;
}

static enum verdict
run_counted(struct tally *t)
{
	enum verdict verdict = run_once();

	t->n_runs += verdict != PRUNED;
	t->n_pruned += verdict == PRUNED;
	t->most_steps = MAX(t->most_steps, run.n_steps);
	return verdict;
}

/* All schedules within the bound: true when there are no more. */
static bool
search(unsigned bound, double end_sec, struct tally *t, enum verdict *ret)
{
	run.preempt_max = bound;
	choices.n = 0;
	do {
		run.learned = false;
		*ret = run_counted(t);
		if (*ret == FAILED || is_late(t, end_sec))
			return false;
		if (run.learned) {
			memory_begin_search();
			choices.n = 0;
		}
	} while (run.learned || next_path());
	t->bound = bound;
	return true;
}

static enum verdict
search_at_random(double end_sec, struct tally *t)
{
	enum verdict verdict;

	run.preempt_max = MODEL_ALL - 1;
	run.is_random = true;
	do {
		choices.n = 0;
		verdict = run_counted(t);
		t->n_random++;
	} while (verdict != FAILED && !is_late(t, end_sec));
	run.is_random = false;
	return verdict;
}

static enum verdict
explore(const struct model *m, struct tally *ret)
{
	double began = now_sec(), factor = is_long() ? 100 : 1;
	unsigned most = bound_of(m), bound = most == MODEL_ALL ? MODEL_ALL : 0;
	enum verdict verdict = RAN;

	*ret = (struct tally){0};
	memory_forget();
	set_up(m);
	while (bound <= most && search(bound, began + factor * search_sec, ret, &verdict))
		bound++;
	if (verdict != FAILED && bound <= most)
		verdict = search_at_random(now_sec() + factor * random_sec, ret);
	ret->seconds = now_sec() - began;
	return verdict;
}

static void
tell_tally(const struct model *m, const struct tally *t, bool ok, bool failed)
{
	printf("%-6s %-44s %9llu runs", ok ? "ok" : "FAILED", m->name,
		(unsigned long long)t->n_runs);
	if (t->n_pruned > 0)
		printf(" + %llu", (unsigned long long)t->n_pruned);
	printf(", %u steps, %.2f s, ", t->most_steps, t->seconds);
	if (failed)
		printf("%s\n", failure);
	else if (t->bound == MODEL_ALL)
		printf("all\n");
	else if (t->n_random == 0)
		printf("all with %u preemptions\n", t->bound);
	else
		printf("all with %u preemptions, %llu at random\n", t->bound,
			(unsigned long long)t->n_random);
}

static void
tell_choice(const struct choice *c)
{
	if (!c->seldom)
		printf("%u,", c->taken);
	else if (c->taken > 0)
		printf("@%u:%u,", c->step, c->taken);
}

static void
tell_failure(void)
{
	printf("  the run:\n");
	run.telling = true;
	(void)run_once();
	run.telling = false;
	printf("  %s\n  again: --replay '", failure);
	for (unsigned i = 0; i < choices.n; i++)
		tell_choice(&choices.path[i]);
	printf("' \"%s\"\n", run.model->name);
}

static void
read_path(const char *path)
{
	while (*path) {
		bool seldom = *path == '@';
		char *end;
		struct choice c = {.taken = (uint16_t)strtoul(path + seldom, &end, 10)};

		if (seldom) {
			c.step = c.taken;
			c.taken = (uint16_t)strtoul(end + 1, &end, 10);
			interruptions[n_interruptions++ % ARRAY_LEN(interruptions)] = c;
		} else {
			choices.path[choices.n++ % MAX_CHOICES] = c;
		}
		path = *end ? end + 1 : end;
	}
}

/* One run, told. */
static bool
replay(const struct model *m, const char *path)
{
	set_up(m);
	read_path(path);
	run.preempt_max = MAX(run.preempt_max, MODEL_ALL - 1);
	run.is_replay = run.telling = true;
	if (run_once() != FAILED)
		return true;
	printf("  %s\n", failure);
	return false;
}

/* A twin that weakens a place which is gone would fail for another reason, or for none. */
static bool
weakens_something(const struct model *m)
{
	for (unsigned i = 0; i < ARRAY_LEN(m->weaken) && m->weaken[i].expr; i++) {
		const struct model_site *s = sites;

		while (s < sites_end && !(s->is_met && weakens(&m->weaken[i], s)))
			s++;
		if (s == sites_end) {
			printf("  there is no %s in %s() to weaken\n", m->weaken[i].expr,
				m->weaken[i].func);
			return false;
		}
	}
	return true;
}

static bool
run_model(const struct model *m, bool verbose)
{
	struct tally t;
	bool failed = explore(m, &t) == FAILED, ok;

	if (m->fails)
		ok = weakens_something(m) && failed && strstr(failure, m->fails);
	else
		ok = !failed;
	tell_tally(m, &t, ok, failed);
	if (failed && (!ok || verbose))
		tell_failure();
	else if (!failed && m->fails)
		printf("  it should have failed with \"%s\"\n", m->fails);
	(void)fflush(stdout);
	return ok;
}

#define MAX_SITES 1024u

/* Of each place, what some model of the program needs: a bit an order that was found too weak. */
static struct {
	bool is_met;
	unsigned too_weak;
} findings[MAX_SITES];

static void
survey_site(const struct model *m, struct model_site *site, int order)
{
	unsigned *too_weak = &findings[site - sites].too_weak;
	struct tally t;

	if (*too_weak & (1u << order))
		return;
	surveyed = site;
	surveyed_order = order;
	if (explore(m, &t) == FAILED) {
		*too_weak |= 1u << order;
		printf("  %-20s %-22s %-24s %s -> %-8s %s\n", m->name, site->func, site->expr,
			order_name(site->order), order_name(order), failure);
		(void)fflush(stdout);
	}
	surveyed = NULL;
}

/* Which orders does the model prove? Each place that it meets is weakened alone; what is found is
 * what a twin can be made of. */
static bool
survey(const struct model *m)
{
	static bool is_met[MAX_SITES];
	size_t n = (size_t)(sites_end - sites);
	struct tally t;

	assert(n <= MAX_SITES);
	search_sec = SURVEY_SEC;
	random_sec = SURVEY_SEC / 4;
	if (m->fails || explore(m, &t) == FAILED)
		return m->fails != NULL;
	for (size_t i = 0; i < n; i++)
		is_met[i] = sites[i].is_met;
	for (size_t i = 0; i < n; i++) {
		if (!is_met[i] || sites[i].order == memory_order_relaxed)
			continue;
		findings[i].is_met = true;
		survey_site(m, &sites[i], memory_order_relaxed);
		if (sites[i].order == memory_order_seq_cst &&
			findings[i].too_weak & (1u << memory_order_relaxed))
			survey_site(m, &sites[i], memory_order_acq_rel);
	}
	return true;
}

static void
tell_unproven(void)
{
	for (const struct model_site *s = sites; s < sites_end; s++) {
		unsigned too_weak = findings[s - sites].too_weak;

		if (!findings[s - sites].is_met)
			continue;
		if (!(too_weak & (1u << memory_order_relaxed)))
			printf("  %s:%d %s %s: relaxed would do\n", s->file, s->line, s->func,
				s->expr);
		else if (s->order == memory_order_seq_cst &&
			 !(too_weak & (1u << memory_order_acq_rel)))
			printf("  %s:%d %s %s: acq_rel would do\n", s->file, s->line, s->func,
				s->expr);
	}
}

static void
catch_faults(void)
{
	static char stack[65536];
	struct sigaction sa = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK | SA_NODEFER};

	(void)sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof(stack)}, NULL);
	(void)sigaction(SIGSEGV, &sa, NULL);
	(void)sigaction(SIGBUS, &sa, NULL);
	(void)sigaction(SIGFPE, &sa, NULL);
}

static bool
is_named(const struct model *m, int argc, char **argv)
{
	for (int a = 0; a < argc; a++) {
		if (strcmp(argv[a], m->name) == 0)
			return true;
	}
	return argc == 0;
}

/* -v: twins tell their runs too. --replay CHOICES NAME: what a failure said. --survey. */
int
model_main(int argc, char **argv, const struct model *models, size_t n)
{
	const char *path = NULL;
	bool verbose = false, surveys = false, ok = true;
	int first = 1;

	catch_faults();
	if (argc > 1 && strcmp(argv[1], "-v") == 0)
		verbose = ++first;
	if (argc > 1 && strcmp(argv[1], "--survey") == 0)
		surveys = ++first;
	if (argc > 3 && strcmp(argv[1], "--replay") == 0) {
		path = argv[2];
		first = 3;
	}
	for (size_t i = 0; i < n; i++) {
		if (!is_named(&models[i], argc - first, argv + first))
			continue;
		if (surveys)
			ok &= survey(&models[i]);
		else
			ok &= path ? replay(&models[i], path) : run_model(&models[i], verbose);
	}
	if (surveys)
		tell_unproven();
	return ok ? 0 : 1;
}
