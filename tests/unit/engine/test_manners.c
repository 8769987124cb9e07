#include "engine/manners.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "test.h"

#define LOOK MANNERS_LOOK_USEC
#define CALM "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"

struct fixture {
	char *dir;
	struct manners m;
	usec_t now;
	uint64_t total; /* of io */
};

static void
begin(struct fixture *f, unsigned percent)
{
	*f = (struct fixture){.dir = test_dir(), .now = 1000 * USEC_PER_SEC};
	test_write(f->dir, "memory", CALM);
	test_write(f->dir, "io", CALM);
	manners_init(&f->m, open(f->dir, O_PATH | O_DIRECTORY | O_CLOEXEC), percent);
}

static void
end(struct fixture *f)
{
	manners_fini(&f->m);
	test_dir_remove(f->dir);
}

/* The next look: the average says `percent`, and somebody was stalled for `stalled` since the last
 * one. Is it to rest? */
static bool
look_again(struct fixture *f, unsigned percent, usec_t stalled)
{
	char text[256];
	usec_t until;

	f->total += stalled;
	(void)snprintf(text, sizeof(text),
		"some avg10=%u.05 avg60=51.71 avg300=36.22 total=%" PRIu64 "\n"
		"full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
		percent, f->total);
	test_write(f->dir, "io", text);
	f->now += LOOK;
	until = manners_ask(&f->m, f->now);
	CHECK(until == 0 || until == f->now + LOOK);
	CHECK(manners_why_now(&f->m) == (until ? MANNERS_IO : MANNERS_GO));
	return until != 0;
}

TEST(manners, the_kernels_lines_are_understood)
{
	struct psi p;

	CHECK_INT(psi_parse(SPAN_LIT("some avg10=1.81 avg60=2.36 avg300=3.68 total=1695522287\n"
				     "full avg10=0.14 avg60=1.18 avg300=1.60 total=389980796\n"),
			  &p),
		0);
	CHECK_INT(p.avg10, 181);
	CHECK_INT(p.total_usec, 1695522287);
	CHECK_INT(psi_parse(SPAN_LIT("some avg10=100.00 avg60=0.00 avg300=0.00 total="
				     "18446744073709551615"),
			  &p),
		0);
	CHECK_INT(p.avg10, 10000);
	CHECK(p.total_usec == UINT64_MAX);
}

TEST(manners, other_lines_are_refused_and_nothing_is_returned)
{
	static const char *const bad[] = {"", "\n", "some", "full avg10=0.00 total=0\n",
		"some avg10=1.81\n", "some total=1\n", "some avg10= total=1\n",
		"some avg10=.11 total=1\n", "some avg10=1.8 total=1\n", "some avg10=1.81 total=\n",
		"some avg10=1.81 total=-1\n", "some avg10=101.00 total=1\n",
		"some avg10=99999999999999999999.00 total=1\n",
		"some avg10=1.81 total=18446744073709551616\n", "some\navg10=1.81 total=1\n"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct psi p = {7, 7};

		CHECK_INT(psi_parse(span_of(bad[i]), &p), -EBADMSG);
		CHECK(p.avg10 == 7 && p.total_usec == 7);
	}
}

TEST(manners, calm_is_no_reason_to_rest)
{
	struct fixture f;

	begin(&f, 20);
	CHECK(!look_again(&f, 0, 0));
	CHECK(!look_again(&f, 19, LOOK));
	end(&f);
}

TEST(manners, others_are_waited_for_but_for_a_turn_now_and_then)
{
	struct fixture f;
	unsigned turns = 0, n = 310;

	begin(&f, 20);
	CHECK(look_again(&f, 90, LOOK));
	for (unsigned i = 0; i < n; i++)
		turns += !look_again(&f, 90, LOOK / 2);
	CHECK_INT(turns, 10); /* 30 s of rest and 1 s of work */
	while (!look_again(&f, 90, LOOK))
		;
	CHECK(!look_again(&f, 90, LOOK / 10)); /* they are done, whatever the average says */
	end(&f);
}

TEST(manners, pressure_of_its_own_costs_a_look_now_and_then)
{
	struct fixture f;
	unsigned rests = 0;

	begin(&f, 20);
	for (unsigned i = 0; i < 200; i++) /* it stalls while it goes, and only then */
		rests += look_again(&f, 95, manners_why_now(&f.m) == MANNERS_GO ? LOOK : 0);
	CHECK(rests >= 5 && rests <= 8); /* 10 s, 20 s, 40 s, 40 s .. */
	CHECK(!look_again(&f, 0, 0));
	CHECK(look_again(&f, 95, LOOK)); /* calm ends the trust */
	end(&f);
}

TEST(manners, it_is_looked_at_once_a_second)
{
	struct fixture f;

	begin(&f, 20);
	CHECK(look_again(&f, 90, LOOK));
	test_write(f.dir, "io", CALM);
	CHECK(manners_ask(&f.m, f.now + 1) == f.now + LOOK);
	CHECK(manners_ask(&f.m, f.now + LOOK - 1) == f.now + LOOK);
	CHECK(manners_ask(&f.m, f.now + LOOK) == 0);
	end(&f);
}

TEST(manners, memory_counts_too)
{
	struct fixture f;

	begin(&f, 20);
	test_write(f.dir, "memory", "some avg10=20.01 avg60=0.00 avg300=0.00 total=0\n");
	CHECK(manners_ask(&f.m, f.now) != 0);
	CHECK_STR(manners_word(manners_why_now(&f.m)), "memory");
	end(&f);
}

TEST(manners, who_has_long_not_asked_begins_anew)
{
	struct fixture f;

	begin(&f, 20);
	CHECK(look_again(&f, 90, LOOK));
	f.now += 3600 * USEC_PER_SEC;
	CHECK(look_again(&f, 90, LOOK)); /* little for an hour, but all of it now */
	f.now += 3600 * USEC_PER_SEC;
	CHECK(!look_again(&f, 0, 1800 * USEC_PER_SEC));
	end(&f);
}

TEST(manners, nothing_rests_without_a_threshold_or_without_psi)
{
	struct fixture f;
	struct manners none;

	begin(&f, 0);
	CHECK(!look_again(&f, 100, LOOK));
	manners_set(&f.m, 20);
	test_write(f.dir, "memory", "\n");
	test_write(f.dir, "io", "nonsense avg10=99.00\n");
	CHECK(manners_ask(&f.m, f.now + LOOK) == 0);
	end(&f);
	manners_init(&none, -1, 20);
	CHECK(manners_ask(&none, 1) == 0);
	manners_fini(&none);
}

TEST(manners, a_class_of_disk_access_is_given_back)
{
	int before = io_class_set(IO_CLASS_LEAST);

	CHECK(before >= 0);
	{
		AUTO(io_class_backp) const int was = io_class_set(IO_CLASS_IDLE);

		CHECK_INT(was, IO_CLASS_LEAST);
	}
	CHECK_INT(io_class_set(IO_CLASS_LEAST), IO_CLASS_LEAST);
	io_class_backp(&before);
}
