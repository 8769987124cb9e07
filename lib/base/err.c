#include "base/err.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int
err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	*e = (struct err){.code = code};
	va_start(ap, fmt);
	(void)vsnprintf(e->what, sizeof(e->what), fmt, ap);
	va_end(ap);
	return code;
}

int
err_hint(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return 0;
	va_start(ap, fmt);
	(void)vsnprintf(e->hint, sizeof(e->hint), fmt, ap);
	va_end(ap);
	return e->code;
}

int
err_prefix(struct err *e, const char *fmt, ...)
{
	char old[sizeof(e->what)];
	va_list ap;
	int n;

	if (!e)
		return 0;
	memcpy(old, e->what, sizeof(old));
	va_start(ap, fmt);
	n = vsnprintf(e->what, sizeof(e->what), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(e->what))
		(void)snprintf(e->what + n, sizeof(e->what) - (size_t)n, ": %s", old);
	return e->code;
}

const char *
err_reason(int code)
{
	static _Thread_local char text[96];
	const char *s = strerrordesc_np(code < 0 ? -code : code);

	if (!s) {
		(void)snprintf(text, sizeof(text), "error %d", code);
		return text;
	}
	(void)snprintf(text, sizeof(text), "%s", s);
	/* "I/O error" and "RFS specific error" keep their capitals. */
	if (isupper((unsigned char)text[0]) && islower((unsigned char)text[1]))
		text[0] = (char)tolower((unsigned char)text[0]);
	return text;
}
