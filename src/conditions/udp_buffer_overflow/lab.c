/* A reader with a small receive buffer that reads seldom; a sender that does not care. */
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "conditions/conditions.h"
#include "diagnose/network_evidence.h"
#include "lab/scenario.h"

#define PORT 5514
#define NAME "127.0.0.1:5514"
#define BURST_NS (10 * NS_PER_MS)
#define DATAGRAM_BYTES 200

static void rest(uint64_t ns)
{
	(void)!clock_sleep_until(clock_mono_ns() + ns);
}

static struct sockaddr_in reader_address(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(PORT),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int read_seldom(struct lab *lab, void *arg)
{
	char datagram[DATAGRAM_BYTES];
	int fd = *(int *)arg;

	lab_label_self(lab);
	for (;;) {
		rest(20 * NS_PER_MS);
		if (recv(fd, datagram, sizeof datagram, MSG_DONTWAIT) < 0 && errno != EAGAIN)
			return -errno;
	}
}

static int send_often(struct lab *lab, void *arg)
{
	struct sockaddr_in to = reader_address();
	uint64_t burst = lab_pick(lab, 2, 20, 100);
	char datagram[DATAGRAM_BYTES] = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	close(*(int *)arg);
	for (;;) {
		for (uint64_t i = 0; i < burst; i++)
			if (sendto(fd, datagram, sizeof datagram, 0, (struct sockaddr *)&to, sizeof to) < 0)
				return -errno;
		rest(BURST_NS);
	}
}

static int run(struct lab *lab, struct note *note)
{
	struct sockaddr_in at = reader_address();
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), small = 4096;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
		return note_set(note, -errno, "cannot bind " NAME ": %s", strerror(errno));
	pid_t reader = lab_spawn(lab, "deaf_reader", read_seldom, &fd);
	pid_t sender = reader < 0 ? reader : lab_spawn(lab, "shouter", send_often, &fd);
	close(fd);
	if (sender < 0)
		return note_set(note, sender, "cannot start reader and sender");
	lab_label_name(lab, ACTOR_SOCKET, NAME);
	rest(200 * NS_PER_MS); /* until the buffer is full */
	lab_ready(lab);
	return 0;
}

static reading counter(const struct net_counters *c)
{
	return c->udp_receive_buffer_errors;
}

static bool moved(const struct window *w, struct note *note)
{
	double most = window_net_most(w, counter);

	note_set(note, 0, "RcvbufErrors grew by %.0f", most);
	return most > 10 * w->seconds;
}

const struct scenario udp_buffer_overflow_scenario = {
	.name = "udp_buffer_overflow",
	.summary = "2000 datagrams a second to a socket whose reader takes 50 and whose buffer holds a few",
	.moves = "Udp RcvbufErrors and InErrors, drops of the socket",
	.needs = LAB_NET_NS,
	.memory_bytes = 16 << 20,
	.processes = 4,
	.run = run,
	.moved = moved,
};
