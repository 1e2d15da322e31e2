/* Sockets: addresses, options, messages. */
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "dig/trace/decode_parts.h"

static void put_text_of(struct decoding *d, const char *s)
{
	put_quoted(d, span_from(s), false);
}

static void put_inet(struct decoding *d, struct span s)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr address;

	memcpy(&address, s.p + 4, sizeof address);
	put_text(d, ", sin_port=htons(");
	put_u64(d, ntohs(u16_at(s.p, 2)));
	put_text(d, "), sin_addr=inet_addr(");
	put_text_of(d, inet_ntop(AF_INET, &address, text, sizeof text));
	put_char(d, ')');
}

static void put_inet6(struct decoding *d, struct span s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	memcpy(&address, s.p + 8, sizeof address);
	put_text(d, ", sin6_port=htons(");
	put_u64(d, ntohs(u16_at(s.p, 2)));
	put_text(d, "), sin6_flowinfo=htonl(");
	put_u64(d, ntohl(u32_at(s.p, 4)));
	put_text(d, "), inet_pton(AF_INET6, ");
	put_text_of(d, inet_ntop(AF_INET6, &address, text, sizeof text));
	put_member_u64(d, ", &sin6_addr), sin6_scope_id", s.n >= 28 ? u32_at(s.p, 24) : 0);
}

/* A path ends at its NUL; an abstract name begins with one and is as long as the address says. */
static void put_unix(struct decoding *d, struct span s)
{
	struct span path = { s.p + 2, s.n - 2 };

	if (!path.n)
		return;
	put_member(d, ", sun_path");
	if (path.p[0]) {
		path.n = strnlen(path.p, path.n);
	} else {
		put_char(d, '@');
		path = (struct span){ path.p + 1, path.n - 1 };
	}
	put_quoted(d, path, false);
}

void put_sockaddr(struct decoding *d, struct span s)
{
	unsigned family = s.n >= 2 ? u16_at(s.p, 0) : AF_UNSPEC;

	put_member(d, "{sa_family");
	put_value(d, &flag_names_family, family);
	if (family == AF_INET && s.n >= 8) {
		put_inet(d, s);
	} else if (family == AF_INET6 && s.n >= 24) {
		put_inet6(d, s);
	} else if (family == AF_UNIX) {
		put_unix(d, s);
	} else if (family == AF_NETLINK && s.n >= 12) {
		put_member_i64(d, ", nl_pid", (int32_t)u32_at(s.p, 4));
		put_text(d, ", nl_groups=");
		put_hex_padded(d, u32_at(s.p, 8), 8);
	} else if (s.n > 2) {
		put_member(d, ", sa_data");
		put_quoted(d, (struct span){ s.p + 2, s.n - 2 }, false);
	}
	put_char(d, '}');
}

void decode_sockaddr(struct decoding *d)
{
	struct span s;

	if (value_of(d) && (part_of(d, d->at, 0, false, &s) || part_of(d, d->at, 0, true, &s)) && s.n >= 2)
		put_sockaddr(d, s);
	else
		decode_pointer(d);
}

static const struct flag_names *options_of(uint32_t level)
{
	switch (level) {
	case SOL_SOCKET:
		return &flag_names_socket_option;
	case IPPROTO_TCP:
		return &flag_names_tcp_option;
	case IPPROTO_IP:
		return &flag_names_ip_option;
	case IPPROTO_IPV6:
		return &flag_names_ip6_option;
	}
	return NULL;
}

void decode_socket_option(struct decoding *d)
{
	const struct flag_names *names = options_of((uint32_t)d->event->record->argument[1]);

	if (names)
		put_value(d, names, value_of(d));
	else
		put_hex(d, (uint32_t)value_of(d));
}

void decode_option(struct decoding *d)
{
	const struct trace_record *r = d->event->record;
	struct span s;

	if (!value_of(d) || (!part_of(d, d->at, 0, false, &s) && !part_of(d, d->at, 0, true, &s))) {
		decode_pointer(d);
	} else if (r->argument[1] == SOL_SOCKET && r->argument[2] == SO_LINGER && s.n == 8) {
		put_member_i64(d, "{l_onoff", (int32_t)u32_at(s.p, 0));
		put_member_i64(d, ", l_linger", (int32_t)u32_at(s.p, 4));
		put_char(d, '}');
	} else if (r->argument[1] == SOL_SOCKET && r->argument[2] == SO_PEERCRED && s.n == 12) {
		put_member_i64(d, "{pid", (int32_t)u32_at(s.p, 0));
		put_member_u64(d, ", uid", u32_at(s.p, 4));
		put_member_u64(d, ", gid", u32_at(s.p, 8));
		put_char(d, '}');
	} else if (s.n == 4) {
		put_char(d, '[');
		put_i64(d, (int32_t)u32_at(s.p, 0));
		put_char(d, ']');
	} else {
		put_quoted(d, s, false);
	}
}

void decode_socket_type(struct decoding *d)
{
	uint32_t type = (uint32_t)value_of(d), flags = type & (SOCK_CLOEXEC | SOCK_NONBLOCK);
	bool any = true;

	put_value(d, &flag_names_socket_type, type & ~flags);
	if (flags)
		put_bits_more(d, &flag_names_socket_flags, flags, &any);
}

void decode_socket_protocol(struct decoding *d)
{
	switch ((uint32_t)d->event->record->argument[0]) {
	case AF_INET:
	case AF_INET6:
		put_value(d, &flag_names_ip_protocol, value_of(d));
		break;
	case AF_NETLINK:
		put_value(d, &flag_names_netlink_protocol, value_of(d));
		break;
	default:
		decode_int(d);
	}
}

/* ---- vectors and messages ---- */

void put_iovec(struct decoding *d, unsigned argument, unsigned array, unsigned first, uint64_t n, bool at_exit, uint64_t total)
{
	struct span vector, data;

	if (!part_of(d, argument, array, at_exit, &vector))
		return;
	put_char(d, '[');
	for (size_t i = 0; i * 16 + 16 <= vector.n; i++) {
		uint64_t base = u64_at(vector.p, i * 16), size = u64_at(vector.p, i * 16 + 8), used = size < total ? size : total;

		put_text(d, i ? ", {iov_base=" : "{iov_base=");
		if (part_of(d, argument, (unsigned)(first + i), at_exit, &data))
			put_quoted(d, data, data.n < used);
		else if (size == 0 || (at_exit && used == 0))
			put_text(d, "\"\"");
		else
			put_pointer(d, base);
		put_member_u64(d, ", iov_len", size);
		put_char(d, '}');
		total -= used;
	}
	put_text(d, vector.n / 16 < n ? ", ...]" : "]");
}

void decode_iovec(struct decoding *d)
{
	struct span s;
	bool at_exit = !part_of(d, d->at, 0, false, &s);
	uint64_t n = d->event->record->argument[syscall_argument_length(d->event->call, d->at) % TRACE_ARGUMENTS];

	if (!value_of(d) || (at_exit && !part_of(d, d->at, 0, true, &s)))
		decode_pointer(d);
	else
		put_iovec(d, d->at, 0, 1, n, at_exit, at_exit ? (uint64_t)d->event->record->result : UINT64_MAX);
}

static void put_rights(struct decoding *d, struct span data)
{
	put_char(d, '[');
	for (size_t at = 0; at + 4 <= data.n; at += 4) {
		if (at)
			put_text(d, ", ");
		put_fd(d, (int32_t)u32_at(data.p, at));
	}
	put_char(d, ']');
}

static void put_control(struct decoding *d, struct span s)
{
	put_char(d, '[');
	for (size_t at = 0; at + 16 <= s.n;) {
		uint64_t size = u64_at(s.p, at);
		uint32_t level = u32_at(s.p, at + 8), type = u32_at(s.p, at + 12);

		if (size < 16 || size > s.n - at)
			break;
		put_member_u64(d, at ? ", {cmsg_len" : "{cmsg_len", size);
		put_member(d, ", cmsg_level");
		put_value(d, &flag_names_socket_level, level);
		put_member(d, ", cmsg_type");
		if (level == SOL_SOCKET && type == SCM_RIGHTS) {
			put_text(d, "SCM_RIGHTS, cmsg_data=");
			put_rights(d, (struct span){ s.p + at + 16, size - 16 });
		} else if (level == SOL_SOCKET && type == SCM_CREDENTIALS && size >= 28) {
			put_member_i64(d, "SCM_CREDENTIALS, cmsg_data={pid", (int32_t)u32_at(s.p, at + 16));
			put_member_u64(d, ", uid", u32_at(s.p, at + 20));
			put_member_u64(d, ", gid", u32_at(s.p, at + 24));
			put_char(d, '}');
		} else {
			put_hex(d, type);
		}
		put_char(d, '}');
		at += (size + 7) & ~UINT64_C(7);
	}
	put_char(d, ']');
}

static void put_message(struct decoding *d, unsigned first, bool at_exit, uint64_t total)
{
	struct span header, s;

	if (!part_of(d, d->at, first + PIECE_HEADER, at_exit, &header) || header.n < 56) {
		decode_pointer(d);
		return;
	}
	put_member(d, "{msg_name");
	if (part_of(d, d->at, first + PIECE_NAME, at_exit, &s) && s.n >= 2)
		put_sockaddr(d, s);
	else
		put_pointer(d, u64_at(header.p, 0));
	put_member_i64(d, ", msg_namelen", (int32_t)u32_at(header.p, 8));
	put_member(d, ", msg_iov");
	if (part_of(d, d->at, first + PIECE_VECTOR, at_exit, &s))
		put_iovec(d, d->at, first + PIECE_VECTOR, first + PIECE_DATA, u64_at(header.p, 24), at_exit, total);
	else
		put_pointer(d, u64_at(header.p, 16));
	put_member_u64(d, ", msg_iovlen", u64_at(header.p, 24));
	if (u64_at(header.p, 40) && part_of(d, d->at, first + PIECE_CONTROL, at_exit, &s)) {
		put_member(d, ", msg_control");
		put_control(d, s);
	}
	put_member_u64(d, ", msg_controllen", u64_at(header.p, 40));
	put_member(d, ", msg_flags");
	put_bits(d, &flag_names_message, u32_at(header.p, 48));
	put_char(d, '}');
}

void decode_message(struct decoding *d)
{
	struct span s;
	bool at_exit = !part_of(d, d->at, PIECE_HEADER, false, &s);

	put_message(d, 0, at_exit, at_exit ? (uint64_t)d->event->record->result : UINT64_MAX);
}

void decode_messages(struct decoding *d)
{
	struct span s;
	bool at_exit = !part_of(d, d->at, PIECE_HEADER, false, &s);

	if (at_exit && !part_of(d, d->at, PIECE_HEADER, true, &s)) {
		decode_pointer(d);
		return;
	}
	put_char(d, '[');
	for (unsigned i = 0; i < TRACE_MESSAGES && part_of(d, d->at, i * 16 + PIECE_HEADER, at_exit, &s); i++) {
		put_text(d, i ? ", {msg_hdr=" : "{msg_hdr=");
		put_message(d, i * 16, at_exit, UINT64_MAX);
		put_char(d, '}');
	}
	put_char(d, ']');
}
