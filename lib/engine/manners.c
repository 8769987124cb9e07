#include "engine/manners.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "engine/internal.h"
#include "sync/select.h"

/* Of ioprio_set(2), which has no header. */
#define IOPRIO_WHO_PROCESS 1

/* The kernel's files have two lines of some 70 bytes. */
#define PSI_MAX_BYTES 4096u

/* Who has not asked for so long knows nothing of the time between. */
#define FORGET_USEC (5 * MANNERS_LOOK_USEC)

static const char *const words[N_MANNERS] = {[MANNERS_MEMORY] = "memory", [MANNERS_IO] = "io"};

/* The first word of *rest, which goes on behind it. */
static struct span
next_word(struct span *rest)
{
	struct span word;
	size_t n = 0;

	while (n < rest->len && rest->data[n] != ' ')
		n++;
	word = (struct span){rest->data, n};
	n += n < rest->len;
	*rest = (struct span){rest->data + n, rest->len - n};
	return word;
}

/* "1.81" into 181. */
static int
parse_hundredths(struct span s, uint64_t *ret)
{
	uint64_t whole, part;

	if (s.len < 4 || s.data[s.len - 3] != '.' ||
		parse_u64((struct span){s.data, s.len - 3}, &whole) < 0 ||
		parse_u64((struct span){s.data + s.len - 2, 2}, &part) < 0 || whole > 100)
		return -EBADMSG;
	*ret = whole * 100 + part;
	return 0;
}

static struct span
behind(struct span s, size_t n)
{
	return (struct span){s.data + n, s.len - n};
}

int
psi_parse(struct span text, struct psi *ret)
{
	static const struct span some = SPAN_LIT("some"), avg10 = SPAN_LIT("avg10="),
				 total = SPAN_LIT("total=");
	const char *end = memchr(text.data, '\n', text.len);
	struct span line = {text.data, end ? (size_t)(end - text.data) : text.len}, word;
	bool has_avg = false, has_total = false;
	struct psi psi = {0};

	if (!span_eq(next_word(&line), some))
		return -EBADMSG;
	while (line.len > 0) {
		word = next_word(&line);
		if (span_starts(word, avg10))
			has_avg = parse_hundredths(behind(word, avg10.len), &psi.avg10) == 0;
		else if (span_starts(word, total))
			has_total = parse_u64(behind(word, total.len), &psi.total_usec) == 0;
	}
	if (!has_avg || !has_total)
		return -EBADMSG;
	*ret = psi;
	return 0;
}

void
manners_init(struct manners *m, int dir_fd, unsigned percent)
{
	*m = (struct manners){.dir_fd = dir_fd};
	manners_set(m, percent);
	lock_init(&m->lock, RANK_LEAF, "manners");
}

void
manners_fini(struct manners *m)
{
	lock_fini(&m->lock);
	closep(&m->dir_fd);
}

void
manners_set(struct manners *m, unsigned percent)
{
	store_rlx(&m->percent, percent);
}

/* What cannot be read is no pressure. */
static void
look(const struct manners *m, struct psi ret[N_MANNERS])
{
	for (unsigned i = 0; i < N_MANNERS; i++) {
		AUTO(strbuf_fini) struct strbuf text = {0};

		ret[i] = (struct psi){0};
		if (words[i] && fd_slurp(m->dir_fd, words[i], PSI_MAX_BYTES, &text) == 0)
			(void)psi_parse(strbuf_view(&text), &ret[i]);
	}
}

static enum manners_why
by_average(const struct psi seen[N_MANNERS], uint64_t percent)
{
	for (unsigned i = 0; i < N_MANNERS; i++) {
		if (seen[i].avg10 > percent * 100)
			return (enum manners_why)i;
	}
	return MANNERS_GO;
}

/* Of what others have done since the last look. */
static enum manners_why
by_growth(const struct manners *m, const struct psi seen[N_MANNERS], uint64_t percent, usec_t took)
{
	for (unsigned i = 0; i < N_MANNERS; i++) {
		uint64_t was = m->total_usec[i], is = seen[i].total_usec;

		if (is > was && is - was > took / 100 * percent)
			return (enum manners_why)i;
	}
	return MANNERS_GO;
}

static void
judge_going(struct manners *m, const struct psi seen[N_MANNERS], uint64_t percent, usec_t now)
{
	enum manners_why why = by_average(seen, percent);

	if (why == MANNERS_GO) {
		m->trust = m->trust_until = 0;
	} else if (now >= m->trust_until) {
		m->why = why;
		m->rest_until = now + MANNERS_REST_USEC;
	}
}

static void
judge_resting(struct manners *m, const struct psi seen[N_MANNERS], uint64_t percent, usec_t now)
{
	m->why = by_growth(m, seen, percent, now - m->looked_at);
	if (m->why == MANNERS_GO) { /* note: own pressure */
		m->trust = MIN(MAX(2 * m->trust, MANNERS_TRUST_MIN_USEC), MANNERS_TRUST_MAX_USEC);
		m->trust_until = now + m->trust;
		return;
	}
	m->trust = m->trust_until = 0;
	if (now >= m->rest_until)
		m->why = MANNERS_GO;
}

static void
judge(struct manners *m, const struct psi seen[N_MANNERS], uint64_t percent, usec_t now)
{
	if (now - m->looked_at > FORGET_USEC)
		m->why = MANNERS_GO;
	if (m->why == MANNERS_GO)
		judge_going(m, seen, percent, now);
	else
		judge_resting(m, seen, percent, now);
	for (unsigned i = 0; i < N_MANNERS; i++)
		m->total_usec[i] = seen[i].total_usec;
	m->looked_at = now;
}

usec_t
manners_ask(struct manners *m, usec_t now)
{
	uint32_t percent = load_rlx(&m->percent);
	struct psi seen[N_MANNERS];

	if (percent == 0 || m->dir_fd < 0 || load_rlx(&m->n_restless) > 0)
		return 0;
	{
		LOCK_SCOPE(&m->lock);
		if (now < m->look_at)
			return m->why == MANNERS_GO ? 0 : m->look_at;
		m->look_at = now + MANNERS_LOOK_USEC; /* others go by the last look meanwhile */
	}
	look(m, seen);
	LOCK_SCOPE(&m->lock);
	judge(m, seen, percent, now);
	return m->why == MANNERS_GO ? 0 : m->look_at;
}

const char *
manners_word(enum manners_why why)
{
	return words[why];
}

enum manners_why
manners_why_now(struct manners *m)
{
	LOCK_SCOPE(&m->lock);
	return m->why;
}

static void
begin_rest(struct root *r)
{
	LOCK_SCOPE(&r->engine->lock);
	r->n_resting++;
}

static void
end_rest(struct root *r)
{
	LOCK_SCOPE(&r->engine->lock);
	r->n_resting--;
}

int
manners_rest(struct root *r, const struct stop *stop)
{
	struct manners *m = &r->engine->manners;
	int code = -ETIMEDOUT; /* of live_serve(): nothing else was to be done */
	bool rested = false;
	usec_t at;

	while (code == -ETIMEDOUT && (at = manners_ask(m, clock_mono())) != 0) {
		if (!rested)
			begin_rest(r);
		rested = true;
		code = stop_requested(stop) ? -ECANCELED : live_serve(r, NULL, at);
	}
	if (rested)
		end_rest(r);
	return code == -ETIMEDOUT ? rested : code;
}

int
manners_hold(struct root *r, struct stop *stop, usec_t deadline)
{
	struct manners *m = &r->engine->manners;
	int code = -ETIMEDOUT; /* of a sleep that nobody has ended */
	bool rested = false;
	usec_t at, now;

	while (code == -ETIMEDOUT && (now = clock_mono()) < deadline &&
		(at = manners_ask(m, now)) != 0) {
		if (!rested)
			begin_rest(r);
		rested = true;
		code = select_until(NULL, 0, SELECT_FAIR, stop, MIN(at, deadline));
	}
	if (rested)
		end_rest(r);
	if (code == -ECANCELED)
		return code;
	return now < deadline ? 0 : -ETIMEDOUT;
}

int
io_class_set(enum io_class to)
{
	long was = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);

	if (was < 0 || syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, (int)to) < 0)
		return -errno;
	return (int)was;
}

void
io_class_backp(const int *was)
{
	if (*was >= 0)
		(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, *was);
}
