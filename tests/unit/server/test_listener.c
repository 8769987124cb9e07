#include "rig.h"

#include <sys/stat.h>

#include "server/listener.h"

TEST(listener, addresses_are_loopback_or_refused_with_a_sentence)
{
	static const struct {
		const char *text, *name, *what;
	} cases[] = {
		{"127.0.0.1:7411", "127.0.0.1:7411", NULL},
		{"127.8.9.1:1", "127.8.9.1:1", NULL},
		{"localhost:7411", "127.0.0.1:7411", NULL},
		{"[::1]:65535", "[::1]:65535", NULL},
		{"[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:80", NULL},
		{"0.0.0.0:7411", NULL, "beyond loopback"},
		{"[::]:7411", NULL, "\"[::]:7411\": a listener beyond loopback"},
		{"192.168.0.1:7411", NULL, "beyond loopback"},
		{"[::ffff:10.0.0.1]:80", NULL, "beyond loopback"},
		{"::1:7411", NULL, "not an address"},
		{"[127.0.0.1]:7411", NULL, "not an address"},
		{"127.0.0.1", NULL, "not an address"},
		{"127.0.0.1:", NULL, "not an address"},
		{"127.0.0.1:65536", NULL, "not an address"},
		{"127.0.0.1:-1", NULL, "not an address"},
		{":7411", NULL, "not an address"},
		{"", NULL, "not an address"},
		{"example.org:80", NULL, "not an address"},
		{"[::1]", NULL, "not an address"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf name = {0};
		struct err err = {0};
		int r = listener_tcp_name(cases[i].text, &name, &err);

		CHECK_INT(r, cases[i].name ? 0 : -EINVAL);
		if (cases[i].name)
			CHECK_STR(name.data, cases[i].name);
		else
			CHECK_SAY(strstr(err.what, cases[i].what) != NULL, "%s: %s", cases[i].text,
				err.what);
		strbuf_fini(&name);
	}
}

TEST(listener, a_port_in_use_is_said_so)
{
	struct listener *a = NULL, *b = NULL;
	struct err err = {0};
	char text[32];

	CHECK_INT(listener_open_tcp("127.0.0.1:0", &a, &err), 0);
	(void)snprintf(text, sizeof(text), "127.0.0.1:%d", a->port);
	CHECK_INT(listener_open_tcp(text, &b, &err), -EADDRINUSE);
	CHECK(strstr(err.what, text) != NULL);
	CHECK(err.hint[0] != '\0');
	listener_destroy(a);
	CHECK_INT(listener_open_tcp(text, &b, &err), 0);
	listener_destroy(b);
	listener_destroy(NULL);
}

TEST(listener, a_socket_file_that_nobody_answers_at_is_replaced_and_a_live_one_is_not)
{
	struct listener *a = NULL, *b = NULL;
	char *dir = test_dir(), path[256];
	struct err err = {0};
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/s", dir);
	(void)umask(077);
	CHECK_INT(listener_open_unix(path, 0666, &a, &err), 0);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0666);
	CHECK_INT(listener_open_unix(path, 0666, &b, &err), -EADDRINUSE);
	CHECK(access(path, F_OK) == 0);

	closep(&a->fd); /* as if killed: the file stays */
	a->fd = -1;
	free(TAKE_PTR(a->unlink_at));
	listener_destroy(a);
	CHECK(access(path, F_OK) == 0);
	CHECK_INT(listener_open_unix(path, 0600, &b, &err), 0);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0600);
	listener_destroy(b);
	CHECK(access(path, F_OK) < 0);

	CHECK_INT(listener_open_unix(path, 0600, &b, &err), 0);
	CHECK_INT(unlink(path), 0);
	test_write(dir, "s", "a file");
	listener_destroy(b); /* what is there now is not ours */
	CHECK(access(path, F_OK) == 0);
	CHECK_INT(listener_open_unix(path, 0600, &b, &err), -EADDRINUSE);
	CHECK(access(path, F_OK) == 0);
	test_dir_remove(dir);
}

TEST(listener, an_inherited_socket_must_listen_on_loopback_and_outlives_us)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct listener *l = NULL;
	struct err err = {0};

	CHECK_INT(listener_inherit(999, &l, &err), -EBADF);
	CHECK_INT(listener_inherit(fd, &l, &err), -EINVAL); /* does not listen */
	CHECK_INT(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	CHECK_INT(listen(fd, 1), 0);
	CHECK_INT(listener_inherit(fd, &l, &err), -EINVAL);
	CHECK(strstr(err.what, "beyond loopback") != NULL);
	closep(&fd);

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_INT(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	CHECK_INT(listen(fd, 1), 0);
	CHECK_INT(listener_inherit(fd, &l, &err), 0);
	CHECK(l->port > 0);
	listener_destroy(l);
	CHECK(fcntl(fd, F_GETFD) >= 0);
	closep(&fd);
}
