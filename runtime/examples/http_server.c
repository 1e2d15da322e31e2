/* A small HTTP/1.1 server: keep-alive, pipelining, limits, and clear errors; a fiber for each connection.
 *
 *	cc -O2 -o http_server http_server.c $(pkg-config --cflags --libs osprey-rt)
 *	./http_server 127.0.0.1:8080 &	curl http://127.0.0.1:8080/
 *
 * GET and HEAD of / are answered. What a request carries as a body is read and dropped. SIGINT and SIGTERM
 * end it: no more connections, and those that are open may finish what they are about for a second. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE	/* memmem */
#endif
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <time.h>

#include <osprey/rt.h>

#define SECOND INT64_C(1000000000)
#define HEAD_MOST 8192			/* bytes of a request line and its header fields */
#define ANSWER_MOST 512			/* and less than `out` holds */
#define BODY_MOST (1 << 20)
#define IDLE_NS (60 * SECOND)		/* between requests */
#define REQUEST_NS (10 * SECOND)	/* from a request's first byte to its last */
#define FAREWELL_NS (1 * SECOND)

/* -- the parser: in the span it is given, and nothing else */

struct request {
	const char *method, *target;
	size_t method_bytes, target_bytes;
	bool minor_1;			/* HTTP/1.1, not 1.0 */
	bool keep;			/* the connection goes on afterwards */
	bool expects_continue;
	uint64_t body_bytes;
};

static bool is_token(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* "METHOD target HTTP/1.x". Returns the status of the answer if it is wrong, else 0. */
static int parse_line(const char *at, const char *end, struct request *ret)
{
	const char *p = at;

	while (p < end && is_token(*p))
		p++;
	if (p == at || p == end || *p != ' ')
		return 400;
	ret->method = at;
	ret->method_bytes = (size_t)(p - at);
	ret->target = ++p;
	while (p < end && (unsigned char)*p > ' ' && *p != 0x7f)
		p++;
	ret->target_bytes = (size_t)(p - ret->target);
	if (ret->target_bytes == 0 || p == end || *p != ' ')
		return 400;
	p++;
	if (end - p != 8 || memcmp(p, "HTTP/", 5) != 0 || !isdigit((unsigned char)p[5]) || p[6] != '.' ||
	    !isdigit((unsigned char)p[7]))
		return 400;
	if (p[5] != '1')
		return 505;
	ret->minor_1 = p[7] != '0';
	return 0;
}

static bool is(const char *text, size_t bytes, const char *name)
{
	return strlen(name) == bytes && strncasecmp(text, name, bytes) == 0;
}

/* Whether a list like "keep-alive, Upgrade" has the element. */
static bool has(const char *text, size_t bytes, const char *element)
{
	while (bytes > 0) {
		const char *comma = memchr(text, ',', bytes);
		size_t n = comma ? (size_t)(comma - text) : bytes, skip = comma ? n + 1 : n;
		const char *one = text;
		while (n > 0 && (*one == ' ' || *one == '\t'))
			one++, n--;
		while (n > 0 && (one[n - 1] == ' ' || one[n - 1] == '\t'))
			n--;
		if (is(one, n, element))
			return true;
		text += skip;
		bytes -= skip;
	}
	return false;
}

static int parse_length(const char *text, size_t bytes, uint64_t *ret)
{
	uint64_t n = 0;

	if (bytes == 0 || bytes > 15)
		return bytes ? 413 : 400;
	for (size_t i = 0; i < bytes; i++) {
		if (!isdigit((unsigned char)text[i]))
			return 400;
		n = n * 10 + (uint64_t)(text[i] - '0');
	}
	*ret = n;
	return n > BODY_MOST ? 413 : 0;
}

struct fields {
	bool host, length, close, keep_alive;
};

/* "Name: value". A name with a space before its colon, and a folded line, are how requests are smuggled
 * past others: refused. */
static int parse_field(const char *at, const char *end, struct request *r, struct fields *seen)
{
	const char *colon = at;
	uint64_t length;

	while (colon < end && is_token(*colon))
		colon++;
	if (colon == at || colon == end || *colon != ':')
		return 400;
	size_t name_bytes = (size_t)(colon - at);
	const char *value = colon + 1;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	size_t bytes = (size_t)(end - value);
	if (memchr(value, 0, bytes) || memchr(value, '\r', bytes))
		return 400;
	if (is(at, name_bytes, "Host")) {
		if (seen->host)
			return 400;
		seen->host = true;
	} else if (is(at, name_bytes, "Content-Length")) {
		int status = parse_length(value, bytes, &length);
		if (status)
			return status;
		if (seen->length && length != r->body_bytes)
			return 400;
		seen->length = true;
		r->body_bytes = length;
	} else if (is(at, name_bytes, "Transfer-Encoding")) {
		return 501;
	} else if (is(at, name_bytes, "Connection")) {
		seen->close |= has(value, bytes, "close");
		seen->keep_alive |= has(value, bytes, "keep-alive");
	} else if (is(at, name_bytes, "Expect")) {
		if (!is(value, bytes, "100-continue"))
			return 417;
		r->expects_continue = true;
	}
	return 0;
}

/* A head without its last empty line. */
static int parse_head(const char *at, size_t bytes, struct request *ret)
{
	const char *end = at + bytes, *line_end = memmem(at, bytes, "\r\n", 2);
	struct fields seen = { 0 };

	*ret = (struct request){ 0 };
	if (!line_end)
		line_end = end;
	int status = parse_line(at, line_end, ret);
	while (!status && line_end < end) {
		at = line_end + 2;
		line_end = memmem(at, (size_t)(end - at), "\r\n", 2);
		if (!line_end)
			line_end = end;
		status = parse_field(at, line_end, ret, &seen);
	}
	if (!status && ret->minor_1 && !seen.host)
		status = 400;
	ret->keep = ret->minor_1 ? !seen.close : seen.keep_alive && !seen.close;
	return status;
}

/* -- answers */

static const char *reason(int status)
{
	switch (status) {
	case 200: return "OK";
	case 400: return "Bad Request";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 408: return "Request Timeout";
	case 413: return "Content Too Large";
	case 417: return "Expectation Failed";
	case 431: return "Request Header Fields Too Large";
	case 501: return "Not Implemented";
	case 505: return "HTTP Version Not Supported";
	}
	return "Error";
}

/* The text of the present second, made once for all. Two of them, so that nobody reads the one that is
 * written. */
static char date[2][40];
static _Atomic int date_at;

static int keep_date(void *arg)
{
	(void)arg;
	do {
		int next = !atomic_load(&date_at);
		time_t now = time(NULL);
		struct tm tm;
		strftime(date[next], sizeof date[next], "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
		atomic_store(&date_at, next);
	} while (rt_sleep(SECOND / 2) == 0);
	return 0;
}

struct connection {
	struct rt_fd fd;
	size_t have;			/* bytes in `in` */
	size_t filled;			/* bytes in `out`, to be sent together */
	bool idle;			/* nothing of a request has come yet */
	char out[1024];
	char in[HEAD_MOST];
};

static int flush(struct connection *c)
{
	int r = c->filled ? rt_write_all(c->fd, c->out, c->filled, NULL, rt_now() + REQUEST_NS) : 0;

	c->filled = 0;
	return r;
}

static void append(struct connection *c, const char *text)
{
	size_t bytes = strlen(text);

	memcpy(c->out + c->filled, text, bytes);
	c->filled += bytes;
}

static void append_number(struct connection *c, size_t n)
{
	char digits[24], *at = digits + sizeof digits - 1;

	*at = 0;
	do {
		*--at = (char)('0' + n % 10);
	} while ((n /= 10) > 0);
	append(c, at);
}

/* `body` NULL: the status, for people. */
static int answer(struct connection *c, int status, bool keep, bool head_only, const char *body)
{
	char number[16];
	int r = 0;

	if (!body) {
		snprintf(number, sizeof number, "%d\n", status);
		body = number;
	}
	if (sizeof c->out - c->filled < ANSWER_MOST && (r = flush(c)) < 0)
		return r;
	append(c, "HTTP/1.1 ");
	append_number(c, (size_t)status);
	append(c, " ");
	append(c, reason(status));
	append(c, "\r\nDate: ");
	append(c, date[atomic_load_explicit(&date_at, memory_order_acquire)]);
	append(c, "\r\nContent-Type: text/plain\r\nContent-Length: ");
	append_number(c, strlen(body));
	append(c, status == 405 ? "\r\nAllow: GET, HEAD" : "");
	append(c, keep ? "" : "\r\nConnection: close");
	append(c, "\r\n\r\n");
	append(c, head_only ? "" : body);
	return 0;
}

static int route(struct connection *c, const struct request *r)
{
	bool head_only = r->method_bytes == 4 && memcmp(r->method, "HEAD", 4) == 0;
	bool get = r->method_bytes == 3 && memcmp(r->method, "GET", 3) == 0;

	if (!get && !head_only)
		return answer(c, 405, r->keep, false, NULL);
	if (r->target_bytes != 1 || *r->target != '/')
		return answer(c, 404, r->keep, head_only, NULL);
	return answer(c, 200, r->keep, head_only, "hello, world\n");
}

/* -- a connection */

/* More bytes of requests. 0 at the end of them. What was answered is sent before it waits. */
static ssize_t more(struct connection *c, int64_t deadline)
{
	int r = flush(c);

	if (r < 0)
		return r;
	ssize_t n = rt_read(c->fd, c->in + c->have, sizeof c->in - c->have, deadline);
	if (n > 0)
		c->have += (size_t)n;
	return n;
}

static void take(struct connection *c, size_t bytes)
{
	memmove(c->in, c->in + bytes, c->have - bytes);
	c->have -= bytes;
}

/* Drops a body that follows the head. */
static int skip_body(struct connection *c, uint64_t bytes, int64_t deadline)
{
	while (bytes > c->have) {
		bytes -= c->have;
		c->have = 0;
		ssize_t n = more(c, deadline);
		if (n <= 0)
			return n < 0 ? (int)n : -ENODATA;
	}
	take(c, (size_t)bytes);
	return 0;
}

/* Bytes of the head at the front of `in`, with its empty line; 0 at the end of the connection. -E2BIG: it
 * does not fit. */
static ssize_t read_head(struct connection *c, int64_t *ret_deadline)
{
	int64_t deadline = 0;
	size_t looked = 0;

	c->idle = c->have == 0;
	for (;;) {
		/* An empty line before a request is allowed for. */
		while (c->have >= 2 && memcmp(c->in, "\r\n", 2) == 0)
			take(c, 2);
		char *end = memmem(c->in + looked, c->have - looked, "\r\n\r\n", 4);
		if (end) {
			*ret_deadline = deadline ? deadline : rt_now() + REQUEST_NS;
			return end + 4 - c->in;
		}
		looked = c->have > 3 ? c->have - 3 : 0;
		if (c->have == sizeof c->in)
			return -E2BIG;
		if (c->have > 0 && !deadline)
			deadline = rt_now() + REQUEST_NS;
		ssize_t n = more(c, c->have ? deadline : rt_now() + IDLE_NS);
		if (n <= 0)
			return n;
		c->idle = false;
	}
}

/* The next request, answered. False: the connection is over. */
static bool serve_one(struct connection *c)
{
	struct request request;
	int64_t deadline = 0;
	ssize_t bytes = read_head(c, &deadline);

	if (bytes == -E2BIG || (bytes == -ETIMEDOUT && !c->idle))
		answer(c, bytes == -E2BIG ? 431 : 408, false, false, NULL);
	if (bytes <= 0)
		return false;
	int status = parse_head(c->in, (size_t)bytes - 4, &request);
	if (status) {
		answer(c, status, false, false, NULL);
		return false;
	}
	if (request.expects_continue && request.body_bytes > 0) {
		static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
		if (sizeof c->out - c->filled < sizeof go_on && flush(c) < 0)
			return false;
		memcpy(c->out + c->filled, go_on, sizeof go_on - 1);
		c->filled += sizeof go_on - 1;
	}
	if (route(c, &request) < 0)
		return false;
	take(c, (size_t)bytes);
	return skip_body(c, request.body_bytes, deadline) == 0 && request.keep;
}

static _Atomic long open_connections;

static int converse(void *arg)
{
	struct connection c;

	open_connections++;
	memcpy(&c.fd, &arg, sizeof c.fd);
	c.have = c.filled = 0;
	while (serve_one(&c))
		;
	flush(&c);
	/* The peer may still send: a reset, if it comes first, would take the answer away. */
	rt_shutdown(c.fd, SHUT_WR);
	while (rt_read(c.fd, c.in, sizeof c.in, rt_now() + SECOND) > 0)
		;
	rt_fd_close(c.fd);
	open_connections--;
	return 0;
}

/* -- the server */

struct server {
	struct rt_fd listener;
	struct rt_scope helpers, connections;
};

static int accept_all(void *arg)
{
	struct server *s = arg;
	struct rt_fd fd;
	int r;

	while ((r = rt_accept(s->listener, NULL, &fd, RT_FOREVER)) != -ECANCELED && r != -EBADF) {
		void *handle;
		if (r < 0) {
			fprintf(stderr, "accept: %s\n", strerror(-r));
			if (rt_sleep(SECOND / 10) < 0)
				break;
			continue;
		}
		memcpy(&handle, &fd, sizeof handle);
		if (rt_scope_go(&s->connections, converse, handle) < 0)
			rt_fd_close(fd);
	}
	return 0;
}

static int wait_for_signal(void)
{
	struct signalfd_siginfo info;
	struct rt_fd fd;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	int r = rt_fd_adopt(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), 0, &fd);
	if (r < 0)
		return r;
	r = (int)rt_read(fd, &info, sizeof info, RT_FOREVER);
	rt_fd_close(fd);
	return r < 0 ? r : 0;
}

/* Idle connections are not waited for longer than the others. */
static int bid_farewell(void *arg)
{
	struct server *s = arg;
	int64_t until = rt_now() + FAREWELL_NS;

	while (open_connections > 0 && rt_now() < until && rt_sleep(SECOND / 50) == 0)
		;
	rt_scope_cancel(&s->connections);
	return 0;
}

static int serve(void *arg)
{
	struct rt_address address;
	struct server s;
	char text[128];
	int r = rt_address_parse(arg, &address);

	if (r == 0)
		r = rt_listen(&address, NULL, &s.listener);
	if (r < 0) {
		fprintf(stderr, "cannot listen at %s: %s\n", (char *)arg, strerror(-r));
		return r;
	}
	rt_local_address(s.listener, &address);
	rt_address_print(&address, text, sizeof text);
	printf("listening at %s\n", text);
	fflush(stdout);

	rt_scope_open(&s.helpers, RT_FOREVER);
	rt_scope_go(&s.helpers, keep_date, NULL);
	rt_scope_open(&s.connections, RT_FOREVER);
	r = rt_scope_go(&s.connections, accept_all, &s);
	if (r == 0)
		r = wait_for_signal();
	rt_fd_close(s.listener);
	if (rt_scope_go(&s.connections, bid_farewell, &s) < 0)
		rt_scope_cancel(&s.connections);
	rt_scope_close(&s.connections);
	rt_scope_cancel(&s.helpers);
	rt_scope_close(&s.helpers);
	return r;
}

int main(int argc, char **argv)
{
	sigset_t set;

	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		fprintf(stderr, "usage: http_server [ADDRESS]	(127.0.0.1:8080, [::1]:8080, unix:/path)\n");
		return 2;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return rt_run(NULL, serve, argc > 1 ? argv[1] : "127.0.0.1:8080") < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
