/* The functions of osprey/rt/net.h about addresses. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "door.h"
#include "osprey/rt/net.h"
#include "osprey/rt/sync.h"
#include "rt_spawn.h"

static int parse_port(const char *text, in_port_t *ret)
{
	unsigned port = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || (port = port * 10 + (unsigned)(*text - '0')) > 65535)
			return -EINVAL;
	}
	*ret = htons((in_port_t)port);
	return 0;
}

static int parse_unix(const char *name, struct rt_address *ret)
{
	struct sockaddr_un *to = (struct sockaddr_un *)&ret->storage;
	size_t bytes = strlen(name);

	/* The abstract name has no end but its length. */
	if (bytes == 0 || bytes >= sizeof to->sun_path)
		return -EINVAL;
	*ret = (struct rt_address){ 0 };
	to->sun_family = AF_UNIX;
	memcpy(to->sun_path, name, bytes);
	if (*name == '@')
		to->sun_path[0] = 0;
	ret->bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes + (*name != '@'));
	return 0;
}

/* Text up to the last colon, without brackets. */
static int split(const char *text, char *host, size_t host_bytes, const char **ret_port)
{
	const char *colon = strrchr(text, ':'), *from = text;

	if (!colon)
		return -EINVAL;
	size_t n = (size_t)(colon - text);
	if (n >= 2 && text[0] == '[' && colon[-1] == ']') {
		from++;
		n -= 2;
	} else if (memchr(text, ':', n)) {
		return -EINVAL;		/* an address of IPv6 without brackets: where does it end? */
	}
	if (n >= host_bytes)
		return -EINVAL;
	memcpy(host, from, n);
	host[n] = 0;
	*ret_port = colon + 1;
	return 0;
}

int rt_address_parse(const char *text, struct rt_address *ret)
{
	struct rt_address a = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&a.storage;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a.storage;
	char host[INET6_ADDRSTRLEN];
	const char *port_text;
	in_port_t port;

	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(text + 5, ret);
	if (split(text, host, sizeof host, &port_text) < 0 || parse_port(port_text, &port) < 0)
		return -EINVAL;
	if (text[0] != '[' && inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = port;
		a.bytes = sizeof *v4;
	} else if (!*host || (text[0] == '[' && inet_pton(AF_INET6, host, &v6->sin6_addr) == 1)) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = port;
		a.bytes = sizeof *v6;
	} else {
		return -EINVAL;
	}
	*ret = a;
	return 0;
}

static int print_unix(const struct rt_address *a, char *buffer, size_t bytes)
{
	const struct sockaddr_un *from = (const struct sockaddr_un *)&a->storage;
	int n = (int)a->bytes - (int)offsetof(struct sockaddr_un, sun_path);

	if (n <= 0)
		return snprintf(buffer, bytes, "unix:");
	if (from->sun_path[0] == 0)
		return snprintf(buffer, bytes, "unix:@%.*s", n - 1, from->sun_path + 1);
	return snprintf(buffer, bytes, "unix:%.*s", n, from->sun_path);
}

int rt_address_print(const struct rt_address *a, char *buffer, size_t bytes)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->storage;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->storage;
	char host[INET6_ADDRSTRLEN];

	switch (a->storage.ss_family) {
	case AF_UNIX:
		return print_unix(a, buffer, bytes);
	case AF_INET:
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
		return snprintf(buffer, bytes, "%s:%u", host, ntohs(v4->sin_port));
	case AF_INET6:
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
		return snprintf(buffer, bytes, "[%s]:%u", host, ntohs(v6->sin6_port));
	}
	return snprintf(buffer, bytes, "family %u", a->storage.ss_family);
}

/* -- names */

/* Of the caller and of the fiber that looks up: the last one frees it. */
struct lookup {
	_Atomic int users;
	struct rt_event done;
	int result;
	struct addrinfo *found;
	char port[32];
	char host[];
};

static void lookup_leave(struct lookup *l)
{
	if (atomic_fetch_sub(&l->users, 1) > 1)
		return;
	if (l->found)
		freeaddrinfo(l->found);
	free(l);
}

static int look_up(void *arg)
{
	struct lookup *l = arg;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };

	rt_block_begin();
	l->result = getaddrinfo(l->host, l->port, &hints, &l->found);
	rt_block_end();
	rt_event_set(&l->done);
	lookup_leave(l);
	return 0;
}

/* Digits, and no port: getaddrinfo would take the lower half of the number. */
static bool is_beyond_ports(const char *text)
{
	in_port_t port;
	char *end;

	strtoul(text, &end, 10);
	return !*end && parse_port(text, &port) < 0;
}

static int lookup_new(const char *text, struct lookup **ret)
{
	const char *port;
	size_t bytes = strlen(text) + 1;
	struct lookup *l = calloc(1, sizeof *l + bytes);

	if (!l)
		return -ENOMEM;
	if (split(text, l->host, bytes, &port) < 0 || !*l->host || strlen(port) >= sizeof l->port ||
	    is_beyond_ports(port)) {
		free(l);
		return -EINVAL;
	}
	strcpy(l->port, port);
	l->users = 2;
	*ret = l;
	return 0;
}

static int error_of(int result)
{
	switch (result) {
	case 0:
		return 0;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_AGAIN:
	case EAI_SYSTEM:
		return -EAGAIN;
	case EAI_SERVICE:
		return -EINVAL;
	}
	return -ENOENT;
}

static void copy_found(const struct addrinfo *from, struct rt_address *ret, size_t *ret_n)
{
	size_t room = *ret_n, n = 0;

	for (; from; from = from->ai_next) {
		if (from->ai_addrlen > sizeof ret->storage)
			continue;
		if (n < room) {
			ret[n] = (struct rt_address){ .bytes = from->ai_addrlen };
			memcpy(&ret[n].storage, from->ai_addr, from->ai_addrlen);
		}
		n++;
	}
	*ret_n = n;
}

static int start(rt_function *function, void *arg, const struct rt_spawn_options *options)
{
	struct thread *t = door_enter();
	struct fiber *f = spawn_prepare(t, function, arg, options);

	if (f)
		fiber_start(t, f);
	door_leave();
	return f ? 0 : -ENOMEM;
}

int rt_resolve(const char *text, struct rt_address *ret, size_t *ret_n, int64_t deadline)
{
	/* What looks up names loads modules, which want more than a small stack. */
	struct rt_spawn_options options = { .stack = RT_STACK_LARGE, .name = "rt_resolve" };
	struct rt_address literal;
	struct lookup *l;

	if (rt_address_parse(text, &literal) == 0) {
		if (*ret_n > 0)
			*ret = literal;
		*ret_n = 1;
		return 0;
	}
	int r = lookup_new(text, &l);
	if (r < 0)
		return r;
	r = start(look_up, l, &options);
	if (r < 0) {
		free(l);
		return r;
	}
	r = rt_event_wait(&l->done, deadline);
	if (r == 0)
		r = error_of(l->result);
	if (r == 0)
		copy_found(l->found, ret, ret_n);
	lookup_leave(l);
	return r;
}
