/* A stream over the loopback whose receiver loses packets: a socket filter throws some away
 * before TCP sees them, as a bad link would. No firewall is touched. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/network_evidence.h"
#include "lab/scenario.h"

#define PORT 9000
#define SEGMENT_BYTES 1000
#define PAUSE_NS (1 * NS_PER_MS)

static void rest(uint64_t ns)
{
	(void)!clock_sleep_until(clock_mono_ns() + ns);
}

static struct sockaddr_in receiver_address(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(PORT),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* Drops `percent` of the packets that arrive: random() % 100 < percent -> 0 bytes are kept. */
static int lose(int fd, uint32_t percent)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 100),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, percent, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog filter = { sizeof program / sizeof program[0], program };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0 ? -errno : 0;
}

struct ends {
	int listener, sender;
};

/* Each worker closes the other's end: whoever holds a socket is its owner. */
static int receive(struct lab *lab, void *arg)
{
	struct ends *ends = arg;
	int fd = accept(ends->listener, NULL, NULL);
	char data[16384];
	int r = fd < 0 ? -errno : lose(fd, (uint32_t)lab_pick(lab, 3, 5, 10));

	close(ends->sender);
	if (r < 0)
		return r;
	while (read(fd, data, sizeof data) > 0)
		;
	return 0;
}

static void label_connection(struct lab *lab, int fd)
{
	struct sockaddr_in local = { 0 };
	socklen_t n = sizeof local;
	char name[64];

	getsockname(fd, (struct sockaddr *)&local, &n);
	snprintf(name, sizeof name, "127.0.0.1:%u -> 127.0.0.1:%u", ntohs(local.sin_port), PORT);
	lab_label_name(lab, ACTOR_SOCKET, name);
	lab_label_self(lab);
}

static int send_on(struct lab *lab, void *arg)
{
	struct ends *ends = arg;
	int fd = ends->sender;
	char data[8 * SEGMENT_BYTES] = { 0 };

	close(ends->listener);
	label_connection(lab, fd);
	while (write(fd, data, sizeof data) > 0)
		rest(PAUSE_NS);
	return -errno;
}

static int open_both(int *ret_listener, int *ret_sender)
{
	struct sockaddr_in at = receiver_address();
	int segment = SEGMENT_BYTES;

	*ret_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*ret_sender = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*ret_listener < 0 || *ret_sender < 0 ||
	    setsockopt(*ret_sender, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment) < 0 ||
	    bind(*ret_listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(*ret_listener, 1) < 0 ||
	    connect(*ret_sender, (struct sockaddr *)&at, sizeof at) < 0)
		return -errno;
	return 0;
}

static int run(struct lab *lab, struct note *note)
{
	struct ends ends;
	int r = open_both(&ends.listener, &ends.sender);

	if (r < 0)
		return note_set(note, r, "cannot connect to 127.0.0.1:%d: %s", PORT, strerror(-r));
	pid_t first = lab_spawn(lab, "lossy_receiver", receive, &ends);
	pid_t second = first < 0 ? first : lab_spawn(lab, "lossy_sender", send_on, &ends);
	if (second < 0)
		return note_set(note, second, "cannot start sender and receiver");
	close(ends.listener);
	close(ends.sender);
	rest(300 * NS_PER_MS);
	lab_ready(lab);
	return 0;
}

static reading counter(const struct net_counters *c)
{
	return c->tcp_retransmitted;
}

static bool moved(const struct window *w, struct note *note)
{
	double most = window_net_most(w, counter);

	note_set(note, 0, "RetransSegs grew by %.0f", most);
	return most > 10 * w->seconds;
}

const struct scenario tcp_retransmits_scenario = {
	.name = "tcp_retransmits",
	.summary = "a TCP stream that loses 5 % of its packets",
	.moves = "Tcp RetransSegs, retransmits of the connection",
	.needs = LAB_NET_NS,
	.memory_bytes = 16 << 20,
	.processes = 4,
	.run = run,
	.moved = moved,
};
