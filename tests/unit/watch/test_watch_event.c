/* What the kernel's queues hold, whole and broken; numbers of watches. */

#include <errno.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>

#include "base/str.h"
#include "test.h"
#include "watch/watch_event.h"
#include "watch/watch_handle.h"
#include "watch/wd_table.h"

#define HANDLE_BYTES 8u

/* One event as the kernel writes it, into `b`. */
static void
put_event(struct strbuf *b, uint64_t mask, uint32_t ino, const char *name)
{
	uint16_t record = (uint16_t)ALIGN_UP(4 + 8 + 8 + HANDLE_BYTES + strlen(name) + 1, 4);
	struct fanotify_event_metadata head = {.event_len = FAN_EVENT_METADATA_LEN + record,
		.vers = FANOTIFY_METADATA_VERSION,
		.metadata_len = FAN_EVENT_METADATA_LEN,
		.mask = mask,
		.fd = FAN_NOFD};
	struct fanotify_event_info_header info = {FAN_EVENT_INFO_TYPE_DFID_NAME, 0, record};
	uint32_t words[] = {7, 9, HANDLE_BYTES, 1, ino, 77};
	size_t end = b->len + head.event_len;

	strbuf_add(b, &head, sizeof(head));
	strbuf_add(b, &info, sizeof(info));
	strbuf_add(b, words, sizeof(words));
	strbuf_puts(b, name);
	while (b->len < end)
		strbuf_putc(b, '\0');
}

TEST(watch_event, an_event_is_a_directory_and_a_name)
{
	AUTO(strbuf_fini) struct strbuf buf = {0};
	struct fan_event ev;
	struct handle_id id;
	struct bytes b;

	put_event(&buf, FAN_CREATE, 1234, "hello");
	put_event(&buf, FAN_ATTRIB | FAN_ONDIR, 99, ".");
	b = bytes_of(buf.data, buf.len);
	CHECK_INT(fan_next(&b, &ev), 1);
	CHECK(ev.mask == FAN_CREATE && ev.has_dir && ev.fsid == (9ull << 32 | 7));
	CHECK(span_eq(ev.name, SPAN_LIT("hello")));
	CHECK_INT(handle_decode(ev.handle_type, ev.handle, &id), 0);
	CHECK_INT(id.ino, 1234);
	CHECK_INT(fan_next(&b, &ev), 1);
	CHECK(span_eq(ev.name, SPAN_LIT(".")));
	CHECK_INT(fan_next(&b, &ev), 0);
}

TEST(watch_event, handles_of_other_makings_are_not_guessed)
{
	static const char zeroes[32];
	struct handle_id id = {5, 6};

	for (int type = 0; type < 256; type++)
		for (size_t len = 0; len <= 32; len++) {
			int r = handle_decode(type, (struct span){zeroes, len}, &id);
			bool known = (type == 1 && (len == 8 || len == 12)) ||
			             (type == 0x81 && len == 12) || (type == 0x4d && len == 20);

			CHECK_INT(r, known ? 0 : -EOPNOTSUPP);
		}
}

/* Whatever stands there, reading ends, within the bytes (the sanitizers look). */
TEST(watch_event, broken_bytes_end_the_reading)
{
	unsigned seed = 1;

	for (unsigned long i = 0; i < test_scale(5000000); i++) {
		AUTO(strbuf_fini) struct strbuf buf = {0};
		AUTO(freep) void *copy = NULL;
		struct fan_event fan;
		struct ino_event ino;
		struct bytes b;
		size_t len;

		put_event(&buf, FAN_CREATE, 1, "a name");
		put_event(&buf, FAN_DELETE, 2, "b");
		for (int n = rand_r(&seed) % 4; n >= 0; n--)
			buf.data[(size_t)rand_r(&seed) % buf.len] = (char)rand_r(&seed);
		len = (size_t)rand_r(&seed) % buf.len;
		copy = malloc(len ? len : 1);
		memcpy(copy, buf.data, len);
		b = bytes_of(copy, len);
		for (int n = 0; fan_next(&b, &fan) > 0; n++)
			CHECK(n < 8 && fan.name.len <= len && fan.handle.len <= len);
		b = bytes_of(copy, len);
		for (int n = 0; ino_next(&b, &ino) > 0; n++)
			CHECK(n < 16 && ino.name.len <= len);
	}
}

#define N_INOS 50u

TEST(wd_table, is_a_map_in_both_directions)
{
	AUTO(wd_table_fini) struct wd_table t = {0};
	int of_ino[N_INOS] = {0}, ino_of[4096] = {0}, next = 1, n_rows = 0;
	unsigned seed = 7;

	for (unsigned long i = 0; i < 1000 + test_scale(500000) && next < 4096; i++) {
		unsigned ino = (unsigned)rand_r(&seed) % N_INOS;
		int wd = rand_r(&seed) % next;

		if (rand_r(&seed) % 3) { /* a number for a directory that may have one already */
			wd = rand_r(&seed) % 4 && of_ino[ino] ? of_ino[ino] : next++;
			CHECK_INT(wd_table_reserve(&t), 0);
			CHECK_INT(wd_table_put(&t, (struct wd_row){wd, 3, ino}), ino_of[wd] == 0);
			n_rows += ino_of[wd] == 0;
			ino_of[wd] = (int)ino + 1;
			of_ino[ino] = wd;
		} else {
			CHECK_INT(wd_table_remove(&t, wd), ino_of[wd] != 0);
			n_rows -= ino_of[wd] != 0;
			if (ino_of[wd] && of_ino[ino_of[wd] - 1] == wd)
				of_ino[ino_of[wd] - 1] = 0;
			ino_of[wd] = 0;
		}
		CHECK_INT(t.n_rows, n_rows);
		for (unsigned k = 0; k < N_INOS; k++)
			CHECK_INT(wd_table_find_ino(&t, 3, k), of_ino[k]);
		for (int k = 1; k < next; k++) {
			const struct wd_row *row = wd_table_find(&t, k);

			CHECK_INT(row ? (int)row->ino + 1 : 0, ino_of[k]);
		}
	}
	CHECK_INT(wd_table_find_ino(&t, 4, 1), 0);
}

TEST(wd_table, marks_of_what_was_removed_do_not_fill_it)
{
	AUTO(wd_table_fini) struct wd_table t = {0};

	for (int wd = 1; wd < 100000; wd++) {
		CHECK_INT(wd_table_reserve(&t), 0);
		CHECK(wd_table_put(&t, (struct wd_row){wd, 1, (uint64_t)wd}));
		CHECK(wd < 11 || wd_table_remove(&t, wd - 10));
	}
	CHECK_INT(t.n_rows, 10);
	CHECK(t.n_slots <= 128);
}
