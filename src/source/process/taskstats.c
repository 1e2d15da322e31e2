#include "source/process/taskstats.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/cleanup.h"
#include "kernel/netlink.h"

#define TIMEOUT_US 200000
#define MISPLACED_VERSION 15

/* Members of struct taskstats by their place: newer kernels add to its end. */
struct delay {
	unsigned version;
	size_t count, total;
	size_t ret_count, ret_total;
};

static const struct delay delays[] = {
#define ROW(name, version, count, total)                                                        \
	{ version, offsetof(struct taskstats, count), offsetof(struct taskstats, total),        \
	  offsetof(struct taskstats_delays, name##_count), offsetof(struct taskstats_delays, name##_ns) },
	TASKSTATS_DELAYS(ROW)
#undef ROW
};
#define DELAYS (sizeof delays / sizeof delays[0])
#define CPU_DELAY 0 /* first of the list; the only one that needs no delay accounting */

static reading *at(struct taskstats_delays *d, size_t offset)
{
	return (reading *)(void *)((char *)d + offset);
}

static reading number_at(struct span stats, size_t offset)
{
	uint64_t v;

	if (offset + sizeof v > stats.n)
		return READING_ABSENT;
	memcpy(&v, stats.p + offset, sizeof v);
	return reading_ok(v) ? v : READING_MALFORMED;
}

/* Fills *ret even when it fails. */
static int take_stats(struct span stats, struct taskstats_delays *ret)
{
	uint16_t version;

	if (stats.n < sizeof version)
		return -EBADMSG;
	memcpy(&version, stats.p, sizeof version);
	if (version == MISPLACED_VERSION)
		return -EOPNOTSUPP;
	bool covered = false;
	for (size_t i = 0; i < DELAYS; i++) {
		bool has = version >= delays[i].version;

		*at(ret, delays[i].ret_count) = has ? number_at(stats, delays[i].count) : READING_ABSENT;
		*at(ret, delays[i].ret_total) = has ? number_at(stats, delays[i].total) : READING_ABSENT;
		covered |= i != CPU_DELAY && reading_or(*at(ret, delays[i].ret_count), 0) > 0;
	}
	for (size_t i = 0; i < DELAYS && !covered; i++)
		if (i != CPU_DELAY)
			*at(ret, delays[i].ret_count) = *at(ret, delays[i].ret_total) = READING_ABSENT;
	return reading_ok(ret->cpu_count) ? 0 : -EBADMSG;
}

/* The payload of a generic message behind its header; or the error that the kernel sent. */
static int generic_body(const struct netlink_message *message, struct span *ret)
{
	int32_t error;

	if (message->type == NLMSG_ERROR) {
		if (message->payload.n < sizeof error)
			return -EBADMSG;
		memcpy(&error, message->payload.p, sizeof error);
		return error < 0 && error > -4096 ? error : -EBADMSG;
	}
	if (message->payload.n < GENL_HDRLEN)
		return -EBADMSG;
	*ret = (struct span){ message->payload.p + GENL_HDRLEN, message->payload.n - GENL_HDRLEN };
	return 0;
}

static int first_body(struct span answer, struct span *ret)
{
	struct netlink_message message;

	return netlink_next(&answer, &message) ? generic_body(&message, ret) : -EBADMSG;
}

static bool attribute(struct span body, uint16_t wanted, struct span *ret)
{
	struct span value;
	uint16_t type;

	while (netlink_attribute(&body, &type, &value))
		if (type == wanted) {
			*ret = value;
			return true;
		}
	return false;
}

int taskstats_parse(struct span answer, struct taskstats_delays *ret)
{
	struct span body, aggregate, stats;
	struct taskstats_delays d;
	int r = first_body(answer, &body);

	if (r < 0)
		return r;
	if (!attribute(body, TASKSTATS_TYPE_AGGR_PID, &aggregate) ||
	    !attribute(aggregate, TASKSTATS_TYPE_STATS, &stats))
		return -EBADMSG;
	r = take_stats(stats, &d);
	if (r == 0)
		*ret = d;
	return r;
}

int taskstats_family_parse(struct span answer, uint16_t *ret)
{
	struct span body, id;
	int r = first_body(answer, &body);

	if (r < 0)
		return r;
	if (!attribute(body, CTRL_ATTR_FAMILY_ID, &id) || id.n < sizeof *ret)
		return -EBADMSG;
	memcpy(ret, id.p, sizeof *ret);
	return 0;
}

struct request {
	struct nlmsghdr header;
	struct genlmsghdr generic;
	struct nlattr attribute;
	char value[12];
};

/* One request, one answer; `ret` is emptied first. */
static int ask(int fd, uint16_t family, uint8_t command, uint16_t attribute_type, struct span value, struct buf *ret)
{
	struct request request = {
		.header = { .nlmsg_type = family, .nlmsg_flags = NLM_F_REQUEST },
		.generic = { .cmd = command, .version = 1 },
		.attribute = { .nla_type = attribute_type },
	};
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	size_t n = offsetof(struct request, value) + NLMSG_ALIGN(value.n);

	memcpy(request.value, value.p, value.n);
	request.attribute.nla_len = (uint16_t)(NLA_HDRLEN + value.n);
	request.header.nlmsg_len = (uint32_t)n;
	buf_clear(ret);
	int r = buf_reserve(ret, 8192);
	if (r < 0)
		return r;
	if (sendto(fd, &request, n, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0)
		return -errno;
	ssize_t got = recv(fd, ret->data, 8192, 0);
	if (got < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	ret->n = (size_t)got;
	return 0;
}

static int ask_delays(int fd, uint32_t tid, struct buf *scratch, struct taskstats_delays *ret)
{
	struct timeval timeout = { .tv_usec = TIMEOUT_US };
	struct span name = { TASKSTATS_GENL_NAME, sizeof TASKSTATS_GENL_NAME };
	struct span number = { (const char *)&tid, sizeof tid };
	uint16_t family;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) < 0)
		return -errno;
	int r = ask(fd, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, name, scratch);
	if (r == 0)
		r = taskstats_family_parse(buf_span(scratch), &family);
	if (r == 0)
		r = ask(fd, family, TASKSTATS_CMD_GET, TASKSTATS_CMD_ATTR_PID, number, scratch);
	return r < 0 ? r : taskstats_parse(buf_span(scratch), ret);
}

static int append(struct buf *text, reading v)
{
	return reading_ok(v) ? buf_printf(text, "%llu ", (unsigned long long)v) : buf_append(text, "- ", 2);
}

static int live_delays(struct host *h, const char *key, void *tid, struct buf *ret)
{
	cleanup(buf_deinit) struct buf scratch = { 0 };
	cleanup(close_fd) int fd = -1;
	struct taskstats_delays d;
	int r = netlink_open(h, NETLINK_GENERIC, 0, 0, &fd);

	(void)key;
	if (r == 0)
		r = ask_delays(fd, (uint32_t)*(int *)tid, &scratch, &d);
	for (size_t i = 0; r == 0 && i < DELAYS; i++) {
		r = append(ret, *at(&d, delays[i].ret_count));
		if (r == 0)
			r = append(ret, *at(&d, delays[i].ret_total));
	}
	return r;
}

static bool next_number(struct span *line, reading *ret)
{
	struct span word;
	uint64_t v;

	if (!span_word(line, &word))
		return false;
	if (span_is(word, "-"))
		*ret = READING_ABSENT;
	else if (span_u64(word, &v) && reading_ok(v))
		*ret = v;
	else
		return false;
	return true;
}

int taskstats_text_parse(struct span text, struct taskstats_delays *ret)
{
	struct taskstats_delays d;
	struct span line;

	if (!span_line(&text, &line))
		return -EBADMSG;
	for (size_t i = 0; i < DELAYS; i++)
		if (!next_number(&line, at(&d, delays[i].ret_count)) ||
		    !next_number(&line, at(&d, delays[i].ret_total)))
			return -EBADMSG;
	*ret = d;
	return 0;
}

int taskstats_read(struct host *h, int tid, struct taskstats_delays *ret)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	char key[32];

	snprintf(key, sizeof key, "taskstats:%d", tid);
	int r = host_fetch(h, key, live_delays, &tid, &text);
	return r < 0 ? r : taskstats_text_parse(buf_span(&text), ret);
}
