#include "watch/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "watch/watch_impl.h"

#define DEFAULT_MEM_BYTES (4u << 20)
#define DEFAULT_DISK_BYTES (256u << 20)
#define MAX_WATCHES_FILE "/proc/sys/fs/inotify/max_user_watches"
#define USUAL_MAX_WATCHES 8192u

static void
open_queues(struct watch *w, bool allow_file_system)
{
	w->fan_fd = -1;
	w->fan_why = -EPERM;
	if (allow_file_system) {
		w->fan_fd = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_REPORT_FID |
						  FAN_CLOEXEC | FAN_NONBLOCK,
			O_RDONLY | O_CLOEXEC);
		w->fan_why = w->fan_fd < 0 ? -errno : 0;
	}
	w->ino_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	w->ino_why = w->ino_fd < 0 ? -errno : 0;
}

/* Half: other programs of the same user live on the rest. */
static uint32_t
default_max_dirs(void)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	uint64_t n;

	if (fd_slurp(AT_FDCWD, MAX_WATCHES_FILE, 64, &text) < 0 ||
		parse_u64(span_trim(strbuf_view(&text)), &n) < 0)
		n = USUAL_MAX_WATCHES;
	return (uint32_t)MIN(n / 2, (uint64_t)INT32_MAX);
}

/* What is in the channel is of numbers that nobody knows any more. A place that cannot be read is
 * left behind at the next call; where nothing can be read now, what stays is hints for nothing. */
static void
empty_channel(struct spill *c)
{
	struct spill_stats st;
	struct span s;

	spill_get_stats(c, &st);
	for (uint64_t n = 0; n < st.n_sent + 1024; n++) {
		int r = spill_try_recv(c, &s);

		if (r < 0 && r != -EBADMSG && r != -EIO)
			break;
	}
	(void)spill_ack(c);
}

static int
open_channel(struct watch *w, const struct watch_opts *o, const char *name, struct err *err)
{
	struct spill_opts so = {
		.max_mem_bytes = o->max_mem_bytes ? o->max_mem_bytes : DEFAULT_MEM_BYTES,
		.max_disk_bytes = o->max_disk_bytes ? o->max_disk_bytes : DEFAULT_DISK_BYTES,
		.flags = SPILL_AUTO_ACK};
	int r = spill_open(o->state_fd, name, &so, &w->spill, err);

	if (r == 0)
		empty_channel(w->spill);
	return r;
}

static int
disown_directories(struct watch *w, int state_fd, const char *name)
{
	AUTO(closep) int fd = openat(state_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = watch_own(w, state_fd);

	if (r == 0)
		r = fd < 0 ? -errno : watch_own(w, fd);
	return r;
}

/* Cookies begin where no earlier process' did: one that lay in the channel is of the past. */
static int
create_parts(struct watch *w, const struct watch_opts *o, struct err *err)
{
	const char *name = o->name ? o->name : "changes";
	int r;

	open_queues(w, o->allow_file_system);
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->buffer = malloc(WATCH_READ_BYTES);
	w->seen = calloc(WATCH_N_SEEN, sizeof(*w->seen));
	if (w->wake_fd < 0)
		return err_set(err, -errno, "could not watch: %s", err_reason(-errno));
	if (!w->buffer || !w->seen)
		return err_set(err, -ENOMEM, "could not watch: %s", err_reason(-ENOMEM));
	r = open_channel(w, o, name, err);
	if (r < 0)
		return r;
	r = disown_directories(w, o->state_fd, name);
	if (r == 0)
		r = thread_start(&w->drain, "watch", watch_drain_main, w);
	return r < 0 ? err_set(err, r, "could not watch: %s", err_reason(r)) : 0;
}

int
watch_create(const struct watch_opts *opts, struct watch **ret, struct err *err)
{
	struct watch *w = aligned_alloc(CACHELINE, ALIGN_UP(sizeof(*w), CACHELINE));
	uint64_t first = clock_real();
	int r;

	if (!w)
		return err_set(err, -ENOMEM, "could not watch: %s", err_reason(-ENOMEM));
	*w = (struct watch){.fan_fd = -1,
		.ino_fd = -1,
		.wake_fd = -1,
		.max_dirs = opts->max_dirs ? opts->max_dirs : default_max_dirs(),
		.on_drain = opts->on_drain,
		.ctx = opts->ctx,
		.answered = first,
		.received_cookie = first};
	store_rlx(&w->asked, first);
	lock_init(&w->ladder, RANK_CHAN, "watch ladder");
	lock_init(&w->lock, RANK_LEAF, "watch");
	r = create_parts(w, opts, err);
	if (r < 0) {
		watch_destroy(w);
		return r;
	}
	*ret = w;
	return 0;
}

static void
wake_drain(struct watch *w)
{
	uint64_t one = 1;

	(void)!write(w->wake_fd, &one, sizeof(one));
}

static void
end_drain(struct watch *w)
{
	store_sc(&w->ending, true);
	wake_drain(w);
	(void)thread_join(&w->drain);
}

void
watch_stop(struct watch *w)
{
	static const unsigned kinds[] = {0, FAN_MARK_MOUNT, FAN_MARK_FILESYSTEM};

	if (w->drain.started)
		end_drain(w);
	for (size_t i = 0; i < ARRAY_LEN(kinds) && w->fan_fd >= 0; i++)
		(void)fanotify_mark(w->fan_fd, FAN_MARK_FLUSH | kinds[i], 0, AT_FDCWD, NULL);
}

void
watch_destroy(struct watch *w)
{
	if (!w)
		return;
	watch_stop(w);
	if (w->spill) {
		empty_channel(w->spill);
		(void)spill_destroy(w->spill);
	}
	closep(&w->fan_fd);
	closep(&w->ino_fd);
	closep(&w->wake_fd);
	wd_table_fini(&w->wds);
	VEC_FINI(&w->rows);
	VEC_FINI(&w->own);
	lock_fini(&w->lock);
	lock_fini(&w->ladder);
	free(w->buffer);
	free(w->seen);
	free(w);
}

uint64_t
watch_cookie(struct watch *w)
{
	uint64_t cookie = add_sc(&w->asked, 1) + 1;

	wake_drain(w);
	return cookie;
}

/* false: nothing that the receiver has to hear of. */
static bool
parse_record(struct watch *w, struct span s, struct watch_change *ret)
{
	struct watch_record r;
	struct span name;

	if (s.len < sizeof(r))
		return false;
	memcpy(&r, s.data, sizeof(r));
	name = (struct span){s.data + sizeof(r), s.len - sizeof(r)};
	if (r.what == WATCH_NAME && name.len > 0)
		*ret = (struct watch_change){WATCH_NAME, r.mount, r.number, name, 0};
	else if (r.what == WATCH_SELF || r.what == WATCH_FILE)
		*ret = (struct watch_change){.what = r.what, .mount = r.mount, .ino = r.number};
	else if (r.what == WATCH_COOKIE && r.number > w->received_cookie)
		*ret = (struct watch_change){.what = WATCH_COOKIE, .cookie = r.number};
	else
		return false;
	if (r.what == WATCH_COOKIE)
		w->received_cookie = r.number;
	return true;
}

static size_t
take_received(struct watch *w, struct watch_change *ret, size_t max)
{
	size_t n = 0;

	while (n < max && w->spans_at < w->n_spans)
		n += parse_record(w, w->spans[w->spans_at++], &ret[n]);
	return n;
}

/* 0: records were taken, or a loss was noted. */
static int
refill(struct watch *w, struct stop *stop, usec_t deadline)
{
	int r = spill_recv_many(w->spill, w->spans, ARRAY_LEN(w->spans), stop, deadline);

	w->spans_at = 0;
	w->n_spans = r > 0 ? (size_t)r : 0;
	switch (r) {
	case -EPIPE:
		return -EIO;
	case -EBADMSG:
	case -EIO:
		watch_lose(w, 0, WATCH_OFF); /* records of the channel */
		return 0;
	default:
		return MIN(r, 0);
	}
}

int
watch_recv(
	struct watch *w, struct watch_change *ret, size_t max, struct stop *stop, usec_t deadline)
{
	size_t n;
	int r = 0;

	/* note: lost. What was refilled stays where it is until the losses are told. */
	for (;;) {
		n = watch_take_lost(w, ret, max);
		if (n == 0 && r == 0)
			n = take_received(w, ret, max);
		if (n > 0)
			return (int)n;
		if (r < 0)
			return r;
		r = refill(w, stop, deadline);
	}
}

static void
get_dir_stats(struct watch *w, struct watch_stats *ret)
{
	LOCK_SCOPE(&w->lock);

	ret->n_dirs = w->wds.n_rows;
	ret->max_dirs = watch_budget_locked(w);
}

void
watch_get_stats(struct watch *w, struct watch_stats *ret)
{
	struct spill_stats st;

	spill_get_stats(w->spill, &st);
	*ret = (struct watch_stats){
		.n_events = counter_get(&w->n_events),
		.n_coalesced = counter_get(&w->n_coalesced),
		.n_own = counter_get(&w->n_own),
		.n_foreign = counter_get(&w->n_foreign),
		.n_told = counter_get(&w->n_told),
		.n_overflows = counter_get(&w->n_overflows),
		.n_refused = counter_get(&w->n_refused),
		.n_lost = counter_get(&w->n_lost),
		.n_cookies = counter_get(&w->n_cookies),
		.n_spilled = st.n_spilled,
		.n_waiting = st.n_sent - MIN(st.n_sent, st.n_received + st.n_lost),
		.n_wakeups = counter_get(&w->n_wakeups),
		.n_dirs_refused = counter_get(&w->n_dirs_refused),
	};
	get_dir_stats(w, ret);
}

const char *
watch_kind_name(enum watch_kind kind)
{
	static const char *const names[] = {[WATCH_OFF] = "off",
		[WATCH_FILE_SYSTEM] = "file system",
		[WATCH_DIRECTORIES] = "directories",
		[WATCH_POLL] = "polled"};

	return names[kind];
}
