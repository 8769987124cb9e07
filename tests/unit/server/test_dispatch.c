#include "rig.h"

#include "proto/msg.h"

TEST(dispatch, small_requests_are_answered_in_one_line)
{
	struct rig r;
	struct peer p;

	rig_open(&r, 3);
	p = peer_tcp(&r);
	asks(&p, "{\"id\":1,\"op\":\"ping\"}", "{\"id\":1,\"ev\":\"end\"");
	asks(&p, "{\"op\":\"ping\"}", "{\"id\":null,\"ev\":\"end\"");
	asks(&p, " { \"op\" : \"ping\", \"id\" : \"a\\u0041\\n\", \"more\":[1] } \r",
		"{\"id\":\"aA\\n\",\"ev\":\"end\"");
	asks(&p, "{\"id\":2,\"op\":\"status\"}", "\"ev\":\"end\",\"state\":\"fine\"");
	asks(&p, "{\"id\":3,\"op\":\"why\",\"path\":\"/a\"}", "\"path\":\"/a\"");
	asks(&p, "{\"id\":3,\"op\":\"why\",\"path\":{\"s\":\"?\",\"b64\":\"/w==\"}}",
		"\"path\":{\"s\":\"\xef\xbf\xbd\",\"b64\":\"/w==\"}");
	asks(&p, "{\"id\":4,\"op\":\"stat\",\"path\":\"/t/f000002\"}", "\"entry\":3");
	asks(&p, "{\"id\":5,\"op\":\"rescan\"}", "{\"id\":5,\"ev\":\"end\"");
	asks(&p, "{\"id\":6,\"op\":\"help\"}", "\"search\":\"");
	asks(&p, "{\"id\":7,\"op\":\"explain\",\"q\":\"ext:c foo\"}", "\"tree\":\"(");
	asks(&p, "{\"id\":8,\"op\":\"cancel\",\"target\":99}", "\"canceled\":false");
	peer_close(&p);
	rig_close(&r);
}

TEST(dispatch, hello_tells_what_the_server_can_do_and_whom_it_sees)
{
	struct rig r;
	struct peer p;
	struct msg *m;
	struct span s;
	char who[32];

	rig_open(&r, 1);
	p = peer_tcp(&r);
	say(&p, "{\"id\":0,\"op\":\"hello\",\"v\":1,\"client\":\"test\"}\n");
	CHECK_INT(msg_parse(span_of(hear(&p)), &m, NULL), 0);
	CHECK_INT(msg_str(msg_root(m), "ev", &s), 1);
	CHECK(span_eq(s, SPAN_LIT("hello")));
	(void)snprintf(who, sizeof(who), "uid:%u", getuid());
	CHECK_INT(msg_str(msg_root(m), "as", &s), 1);
	CHECK(span_eq(s, span_of(who)));
	CHECK_INT(msg_str(msg_root(m), "clock", &s), 1);
	CHECK(span_eq(s, SPAN_LIT("c:7f:1:5")));
	CHECK_INT(msg_len(msg_get(msg_root(m), "caps")),
		19); /* all but subscribe, which nobody gave */
	msg_free(m);
	hears(&p, "{\"id\":0,\"ev\":\"end\"");
	asks(&p, "{\"id\":1,\"op\":\"hello\",\"v\":2}", "\"code\":\"bad-request\"");
	peer_close(&p);
	rig_close(&r);
}

TEST(dispatch, each_bad_request_gets_its_code_and_the_connection_goes_on)
{
	static const struct {
		const char *ask, *hear;
	} cases[] = {
		{"{\"id\":1,\"op\":\"nope\"}",
			"{\"id\":1,\"ev\":\"error\",\"code\":\"unknown-op\""},
		{"{\"id\":1,\"op\":\"subscribe\"}", "\"code\":\"unknown-op\""},
		{"{\"id\":1,\"op\":\"subscribe\"}", "\"code\":\"unknown-op\""},
		{"{\"id\":1}", "{\"id\":1,\"ev\":\"error\",\"code\":\"bad-request\""},
		{"{\"id\":1,\"op\":5}", "\"code\":\"bad-request\""},
		{"{\"id\":[1],\"op\":\"ping\"}",
			"{\"id\":null,\"ev\":\"error\",\"code\":\"bad-request\""},
		{"{\"id\":1.5,\"op\":\"ping\"}", "\"code\":\"bad-request\""},
		{"{\"id\":1,\"op\":\"ping\"",
			"{\"id\":null,\"ev\":\"error\",\"code\":\"bad-json\""},
		{"[1]", "\"code\":\"bad-json\""},
		{"GET / HTTP/1.1", "\"code\":\"bad-json\""},
		{"{\"id\":1,\"op\":\"why\"}", "\"code\":\"bad-request\""},
		{"{\"id\":1,\"op\":\"why\",\"path\":7}", "\"code\":\"bad-request\""},
		{"{\"id\":1,\"op\":\"stat\",\"path\":\"/t/none\"}", "\"code\":\"not-found\""},
		{"{\"id\":1,\"op\":\"rescan\",\"root\":\"x\"}", "\"code\":\"not-found\""},
		{"{\"id\":1,\"op\":\"rescan\",\"root\":\"x\\u0000\"}", "\"code\":\"not-found\""},
		{"{\"id\":1,\"op\":\"roots\"}",
			"\"code\":\"io\",\"msg\":\"the catalog could not be read\""},
		{"{\"id\":1,\"op\":\"search\",\"limit\":-1}", "\"code\":\"bad-request\""},
		{"{\"id\":1,\"op\":\"search\",\"limit\":\"9\"}", "\"code\":\"bad-request\""},
		{"{\"id\":1,\"op\":\"search\",\"timeout_ms\":\"9\"}", "\"code\":\"bad-request\""},
		{"{\"id\":1,\"op\":\"search\",\"fields\":[]}", "\"code\":\"bad-request\""},
		{"{\"id\":1,\"op\":\"search\",\"fields\":[\"nope\"]}", "no field is called 'nope'"},
		{"{\"id\":1,\"op\":\"search\",\"sort\":\"nope\"}", "\"code\":\"bad-request\""},
		{"{\"id\":1,\"op\":\"search\",\"count\":\"maybe\"}", "\"code\":\"bad-request\""},
		{"{\"id\":1,\"op\":\"search\",\"case\":\"odd\"}", "\"code\":\"bad-request\""},
		{"{\"id\":1,\"op\":\"search\",\"page\":\"7\"}", "\"code\":\"bad-request\""},
		{"{\"id\":1,\"op\":\"search\",\"page\":\"p:c:7f:1:5:x\"}",
			"\"code\":\"bad-request\""},
		{"{\"id\":1,\"op\":\"search\",\"page\":\"p:c:7f:1:4:9\"}",
			"\"code\":\"page-expired\""},
		{"{\"id\":1,\"op\":\"search\",\"q\":\"\\\"open\"}", "\"code\":\"bad-query\""},
		{"{\"id\":1,\"op\":\"explain\",\"q\":\"size:big\"}", "\"code\":\"bad-query\""},
		{"{\"id\":1,\"op\":\"grep\"}", "\"code\":\"bad-request\""},
		{"{\"id\":1,\"op\":\"grep\",\"pattern\":\"(\",\"regex\":true}",
			"\"code\":\"bad-pattern\""},
	};
	struct rig r;
	struct peer p;

	rig_open(&r, 3);
	p = peer_unix(&r);
	asks(&p, "ping", "pong");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		asks(&p, cases[i].ask, cases[i].hear);
	asks(&p, "{\"id\":1,\"op\":\"ping\"}", "{\"id\":1,\"ev\":\"end\"");
	CHECK_INT(rig_stats(&r).n_errors, ARRAY_LEN(cases));
	peer_close(&p);
	rig_close(&r);
}

TEST(dispatch, plain_words_serve_people_at_nc)
{
	struct rig r;
	struct peer p;

	rig_open(&r, 1);
	p = peer_tcp(&r);
	asks(&p, "ping", "pong");
	say(&p, "\n  \nhelp\n");
	do
		CHECK(hear(&p) != NULL);
	while (!strstr(p.line, "plain words"));
	say(&p, "quit\nping\n");
	hears_end(&p);
	peer_close(&p);
	rig_close(&r);
}

TEST(dispatch, an_id_in_flight_is_not_taken_twice)
{
	struct rig r;
	struct peer p;

	rig_open(&r, 1);
	p = peer_tcp(&r);
	rig_gate(&r, true);
	say(&p, "{\"id\":7,\"op\":\"status\"}\n");
	asks(&p, "{\"id\":7,\"op\":\"status\"}",
		"{\"id\":7,\"ev\":\"error\",\"code\":\"bad-request\"");
	say(&p, "{\"op\":\"status\"}\n{\"op\":\"status\"}\n"); /* without an id: as many as one
	                                                          likes */
	rig_gate(&r, false);
	for (int i = 0; i < 3; i++)
		hears(&p, "\"state\":\"fine\"");
	asks(&p, "{\"id\":7,\"op\":\"status\"}", "\"state\":\"fine\"");
	peer_close(&p);
	rig_close(&r);
}
