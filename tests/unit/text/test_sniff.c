#include "text/sniff.h"

#include "test.h"

#define SPAN_BYTES(s) ((struct span){(s), sizeof(s) - 1})

TEST(sniff, a_nul_byte_makes_a_file_binary_unless_a_utf16_mark_leads_it)
{
	CHECK_INT(sniff_bytes(SPAN_BYTES("hello\n")), SNIFF_TEXT);
	CHECK_INT(sniff_bytes(SPAN_BYTES("")), SNIFF_TEXT);
	CHECK_INT(sniff_bytes((struct span){0}), SNIFF_TEXT);
	CHECK_INT(sniff_bytes(SPAN_BYTES("caf\xe9\xff")), SNIFF_TEXT);
	CHECK_INT(sniff_bytes(SPAN_BYTES("\xef\xbb\xbf text")), SNIFF_TEXT);
	CHECK_INT(sniff_bytes(SPAN_BYTES("hello\0")), SNIFF_BINARY);
	CHECK_INT(sniff_bytes(SPAN_BYTES("\xff\xfeh\0i\0")), SNIFF_UTF16LE);
	CHECK_INT(sniff_bytes(SPAN_BYTES("\xfe\xff\0h\0i")), SNIFF_UTF16BE);
	CHECK_INT(sniff_bytes(SPAN_BYTES("\xff")), SNIFF_TEXT);
	/* Two units with a zero each are no NUL; one of zeros is. */
	CHECK_INT(sniff_bytes(SPAN_BYTES("\xff\xfeh\0\0\x01")), SNIFF_UTF16LE);
	CHECK_INT(sniff_bytes(SPAN_BYTES("\xff\xfeh\0\0\0i\0")), SNIFF_BINARY);
	CHECK_INT(sniff_bytes(SPAN_BYTES("\xfe\xff\0h\0\0")), SNIFF_BINARY);
}

TEST(sniff, a_mark_of_utf8_is_no_part_of_the_text)
{
	CHECK_INT(sniff_unmarked(SPAN_BYTES("\xef\xbb\xbf text")).len, 5);
	CHECK_INT(sniff_unmarked(SPAN_BYTES("\xef\xbb\xbf")).len, 0);
	CHECK_INT(sniff_unmarked(SPAN_BYTES("\xef\xbb")).len, 2);
	CHECK_INT(sniff_unmarked(SPAN_BYTES("a\xef\xbb\xbf")).len, 4);
	CHECK_INT(sniff_unmarked((struct span){NULL, 0}).len, 0);
}

static void
check_decodes(enum sniff kind, struct span data, const char *want)
{
	struct strbuf out = {0};

	CHECK_INT(sniff_decode(kind, data, &out), 0);
	CHECK_STR(out.data ? out.data : "", want);
	strbuf_fini(&out);
}

TEST(sniff, utf16_becomes_utf8)
{
	check_decodes(SNIFF_UTF16LE, SPAN_BYTES("\xff\xfeh\0\xe9\0\x3d\xd8\x00\xde"),
		"h\u00e9\U0001f600");
	check_decodes(SNIFF_UTF16BE, SPAN_BYTES("\xfe\xff\0h\0\xe9\xd8\x3d\xde\x00"),
		"h\u00e9\U0001f600");
	check_decodes(SNIFF_UTF16LE, SPAN_BYTES("h\0i\0"), "hi"); /* the mark was cut off before */
	check_decodes(SNIFF_UTF16LE, SPAN_BYTES("\xff\xfe"), "");
	check_decodes(SNIFF_TEXT, SPAN_BYTES("as it is"), "as it is");
}

TEST(sniff, broken_utf16_becomes_replacement_characters)
{
	check_decodes(SNIFF_UTF16LE, SPAN_BYTES("\x3d\xd8h\0"), "\ufffdh"); /* high without low */
	check_decodes(SNIFF_UTF16LE, SPAN_BYTES("\x00\xdeh\0"), "\ufffdh"); /* low alone */
	check_decodes(SNIFF_UTF16LE, SPAN_BYTES("h\0\x3d\xd8"), "h\ufffd"); /* high at the end */
	check_decodes(SNIFF_UTF16BE, SPAN_BYTES("\0hx"), "h\ufffd");        /* an odd byte */
}
