#include "query/term.h"

#include <errno.h>
#include <strings.h>

/* Times of a query: ages ("7d") and dates down to the second, in the local time zone. */

static const struct {
	const char *word;
	int64_t seconds;
} units[] = {
	{"s", 1},
	{"sec", 1},
	{"m", 60},
	{"min", 60},
	{"h", 3600},
	{"d", 86400},
	{"w", 7 * 86400ll},
	{"mo", 30 * 86400ll},
	{"y", 365 * 86400ll},
};

/* "7d" into seconds: 0 or -EINVAL. */
static int
parse_age(struct span text, int64_t *ret)
{
	size_t digits = 0;
	uint64_t n;

	while (digits < text.len && text.data[digits] >= '0' && text.data[digits] <= '9')
		digits++;
	if (parse_u64((struct span){text.data, digits}, &n) < 0)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strlen(units[i].word) != text.len - digits ||
			strncasecmp(units[i].word, text.data + digits, text.len - digits) != 0)
			continue;
		/* Longer ago than 2^33 seconds is all the same: before anything. */
		*ret = (int64_t)MIN(n, (1ull << 33) / (uint64_t)units[i].seconds) *
		       units[i].seconds;
		return 0;
	}
	return -EINVAL;
}

enum date_part { PART_YEAR, PART_MONTH, PART_DAY, PART_MINUTE, PART_SECOND };

struct date {
	struct tm tm;
	enum date_part last; /* the finest part that was written */
	bool utc;
};

static bool
take_number(struct span *s, size_t width, int min, int max, int *ret)
{
	uint64_t n;

	if (s->len < width || parse_u64((struct span){s->data, width}, &n) < 0)
		return false;
	if ((int)n < min || (int)n > max)
		return false;
	*ret = (int)n;
	s->data += width;
	s->len -= width;
	return true;
}

static bool
take_char(struct span *s, const char *any_of)
{
	if (s->len == 0 || !strchr(any_of, s->data[0]))
		return false;
	s->data++;
	s->len--;
	return true;
}

static bool
parse_clock(struct span *s, struct date *d)
{
	if (!take_number(s, 2, 0, 23, &d->tm.tm_hour) || !take_char(s, ":") ||
		!take_number(s, 2, 0, 59, &d->tm.tm_min))
		return false;
	d->last = PART_MINUTE;
	if (take_char(s, ":")) {
		if (!take_number(s, 2, 0, 60, &d->tm.tm_sec))
			return false;
		d->last = PART_SECOND;
	}
	d->utc = take_char(s, "Zz");
	return true;
}

/* YYYY[-MM[-DD[(T| )HH:MM[:SS][Z]]]]. */
static bool
parse_date(struct span s, struct date *d)
{
	*d = (struct date){.tm = {.tm_mday = 1, .tm_isdst = -1}, .last = PART_YEAR};
	if (!take_number(&s, 4, 0, 9999, &d->tm.tm_year))
		return false;
	d->tm.tm_year -= 1900;
	if (take_char(&s, "-")) {
		if (!take_number(&s, 2, 1, 12, &d->tm.tm_mon))
			return false;
		d->tm.tm_mon--;
		d->last = PART_MONTH;
	}
	if (d->last == PART_MONTH && take_char(&s, "-")) {
		if (!take_number(&s, 2, 1, 31, &d->tm.tm_mday))
			return false;
		d->last = PART_DAY;
	}
	if (d->last == PART_DAY && take_char(&s, "Tt ") && !parse_clock(&s, d))
		return false;
	return s.len == 0;
}

static int64_t
date_seconds(const struct date *d)
{
	struct tm tm = d->tm;

	return d->utc ? timegm(&tm) : mktime(&tm);
}

/* Is there such a day? 30 February is normalised to March by mktime(). */
static bool
date_exists(const struct date *d)
{
	struct tm tm = {.tm_year = d->tm.tm_year,
		.tm_mon = d->tm.tm_mon,
		.tm_mday = d->tm.tm_mday,
		.tm_hour = 12};

	return timegm(&tm) != -1 && tm.tm_mon == d->tm.tm_mon;
}

static uint64_t
biased(int64_t seconds)
{
	return (uint64_t)clock_ns(seconds, 0) + VALUE_TIME_BIAS;
}

/* The whole of the finest part written: a day, a month, a minute... */
static struct value
date_interval(const struct date *d)
{
	struct date next = *d;

	switch (d->last) {
	case PART_YEAR:
		next.tm.tm_year++;
		break;
	case PART_MONTH:
		next.tm.tm_mon++;
		break;
	case PART_DAY:
		next.tm.tm_mday++;
		break;
	case PART_MINUTE:
		next.tm.tm_min++;
		break;
	case PART_SECOND:
		next.tm.tm_sec++;
		break;
	}
	return (struct value){biased(date_seconds(d)), biased(date_seconds(&next)) - 1, false};
}

/* today, yesterday. */
static bool
named_day(struct span text, int64_t now_ns, struct date *d)
{
	int64_t ns = now_ns % NSEC_PER_SEC;
	time_t now = (now_ns - ns) / NSEC_PER_SEC - (ns < 0);
	bool yesterday = text.len == 9 && strncasecmp(text.data, "yesterday", 9) == 0;
	struct tm tm;

	if (!yesterday && !(text.len == 5 && strncasecmp(text.data, "today", 5) == 0))
		return false;
	if (!localtime_r(&now, &tm))
		return false;
	*d = (struct date){.last = PART_DAY};
	d->tm = (struct tm){.tm_year = tm.tm_year,
		.tm_mon = tm.tm_mon,
		.tm_mday = tm.tm_mday - yesterday,
		.tm_isdst = -1};
	return true;
}

int
value_time(struct span text, uint32_t pos, const struct term_env *e, struct value *ret)
{
	int64_t age;
	struct date d;

	if (parse_age(text, &age) == 0) {
		int64_t at = e->now_ns;

		if (__builtin_sub_overflow(at, clock_ns(age, 0), &at))
			at = INT64_MIN;
		*ret = (struct value){
			(uint64_t)at + VALUE_TIME_BIAS, (uint64_t)at + VALUE_TIME_BIAS, true};
		return 0;
	}
	if (named_day(text, e->now_ns, &d) || (parse_date(text, &d) && date_exists(&d))) {
		*ret = date_interval(&d);
		return 0;
	}
	(void)query_fail(e->err, pos, "not a time");
	(void)err_hint(e->err, "write an age (<7d, >1y; s m h d w mo y), a date (2026-01-31, "
			       "2026-01.., ..2026), 2026-01-31T12:30, today or yesterday");
	return -EINVAL;
}
