/* Links and queue disciplines. */
#include "source/network/rtnetlink.h"

#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "base/check.h"
#include "source/network/interface.h"
#include "source/network/link.h"
#include "source/network/qdisc.h"

struct link_answer {
	struct nlmsghdr header;
	struct ifinfomsg m;
	struct nlattr name_header;
	char name[8];
	struct nlattr mtu_header;
	uint32_t mtu;
	struct nlattr state_header;
	uint8_t state, padding[3];
	struct nlattr info_header;
	struct nlattr kind_header;
	char kind[8];
	struct nlattr stats_header;
	struct rtnl_link_stats64 stats;
} __attribute__((packed));

static struct link_answer link_answer_make(void)
{
	struct link_answer a = {
		.header = { .nlmsg_len = sizeof a, .nlmsg_type = RTM_NEWLINK },
		.m = { .ifi_index = 7, .ifi_flags = IFF_UP },
		.name_header = { NLA_HDRLEN + 6, IFLA_IFNAME },
		.name = "veth0",
		.mtu_header = { NLA_HDRLEN + 4, IFLA_MTU },
		.mtu = 1500,
		.state_header = { NLA_HDRLEN + 1, IFLA_OPERSTATE },
		.state = 6,
		.info_header = { NLA_HDRLEN * 2 + 8, IFLA_LINKINFO | NLA_F_NESTED },
		.kind_header = { NLA_HDRLEN + 5, IFLA_INFO_KIND },
		.kind = "veth",
		.stats_header = { NLA_HDRLEN + sizeof a.stats, IFLA_STATS64 },
		.stats = { .rx_crc_errors = 3, .rx_missed_errors = UINT64_C(1) << 40, .rx_nohandler = 5 },
	};
	return a;
}

static void test_link(void)
{
	struct link_answer a = link_answer_make();
	link_vec links = { 0 };

	CHECK(links_parse((struct span){ (char *)&a, sizeof a }, &links) == 0);
	CHECK_U64(links.n, 1);
	const struct link *l = &links.v[0];
	CHECK_STR(l->name, "veth0");
	CHECK_STR(l->kind, "veth");
	CHECK_STR(link_state_name(l), "up");
	CHECK_U64(l->mtu_bytes, 1500);
	CHECK_U64(l->rx_crc_errors, 3);
	CHECK_U64(l->rx_missed_errors, UINT64_C(1) << 40);
	CHECK_U64(l->rx_no_handler, 5);
	CHECK_U64(l->carrier_changes, READING_ABSENT);
	CHECK(l->up && link_find(&links, 7) == l && !link_find(&links, 8));

	/* An old kernel's statistics end before rx_nohandler. */
	links.n = 0;
	a.stats_header.nla_len = (uint16_t)(NLA_HDRLEN + offsetof(struct rtnl_link_stats64, rx_nohandler));
	CHECK(links_parse((struct span){ (char *)&a, sizeof a }, &links) == 0);
	CHECK_U64(links.v[0].rx_no_handler, READING_ABSENT);
	CHECK_U64(links.v[0].rx_crc_errors, 3);
	for (size_t n = 1; n < sizeof a; n++) {
		links.n = 0;
		CHECK(links_parse((struct span){ (char *)&a, n }, &links) == -EBADMSG && links.n == 0);
	}
	vec_free(&links);
}

static void test_speed(void)
{
	CHECK_U64(link_speed_parse(SPAN("1000\n")), 1000000000);
	CHECK_U64(link_speed_parse(SPAN("400000\n")), UINT64_C(400000000000));
	CHECK_U64(link_speed_parse(SPAN("-1\n")), READING_ABSENT);
	CHECK_U64(link_speed_parse(SPAN("4294967295\n")), READING_ABSENT);
	CHECK_U64(link_speed_parse(SPAN("0\n")), READING_ABSENT);
	CHECK_U64(link_speed_parse(SPAN("99999999999999999\n")), READING_ABSENT);
	CHECK_U64(link_speed_parse(SPAN("")), READING_ABSENT);
}

static void test_qdisc(void)
{
	struct {
		struct nlmsghdr header;
		struct tcmsg m;
		struct nlattr kind_header;
		char kind[12];
		struct nlattr stats_header;
		struct nlattr basic_header;
		uint64_t bytes;
		uint32_t packets, padding;
		struct nlattr queue_header;
		struct gnet_stats_queue queue;
	} __attribute__((packed)) a = {
		{ .nlmsg_len = sizeof a, .nlmsg_type = RTM_NEWQDISC },
		{ .tcm_ifindex = 7, .tcm_parent = TC_H_ROOT, .tcm_handle = 0x80010000 },
		{ NLA_HDRLEN + 9, TCA_KIND }, "fq_codel",
		{ NLA_HDRLEN * 3 + 16 + sizeof a.queue, TCA_STATS2 },
		{ NLA_HDRLEN + 16, TCA_STATS_BASIC }, UINT64_C(5000000000), 12, 0,
		{ NLA_HDRLEN + sizeof a.queue, TCA_STATS_QUEUE },
		{ .qlen = 4, .backlog = 6000, .drops = 9, .requeues = 2, .overlimits = 8 },
	};
	qdisc_vec qdiscs = { 0 };

	CHECK(qdiscs_parse((struct span){ (char *)&a, sizeof a }, &qdiscs) == 0);
	CHECK_U64(qdiscs.n, 1);
	const struct qdisc *q = &qdiscs.v[0];
	CHECK_STR(q->kind, "fq_codel");
	CHECK(qdisc_is_root(q) && !q->ingress && q->interface == 7 && q->handle == 0x80010000);
	CHECK_U64(q->sent_bytes, UINT64_C(5000000000));
	CHECK_U64(q->sent_packets, 12);
	CHECK_U64(q->queued_packets, 4);
	CHECK_U64(q->queued_bytes, 6000);
	CHECK_U64(q->drops, 9);
	CHECK_U64(q->requeues, 2);
	CHECK_U64(q->overlimits, 8);

	/* Without statistics nothing is known; it is not zero. */
	qdiscs.n = 0;
	a.stats_header.nla_type = TCA_STAB;
	CHECK(qdiscs_parse((struct span){ (char *)&a, sizeof a }, &qdiscs) == 0);
	CHECK_U64(qdiscs.v[0].drops, READING_ABSENT);
	vec_free(&qdiscs);
}

/* What rtnetlink lists is what /proc/net/dev lists. */
static void test_live(void)
{
	struct buf scratch = { 0 };
	interface_vec interfaces = { 0 };
	link_vec links = { 0 };
	qdisc_vec qdiscs = { 0 };
	enum presence presence;
	struct host *h;

	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(links_read(h, 0, 0, &scratch, &links, &presence) == 0);
	if (presence != PRESENT)
		check_skip("rtnetlink does not answer here");
	CHECK(interfaces_read(h, 0, &scratch, &interfaces, &presence) == 0);
	CHECK_U64(links.n, interfaces.n);
	const struct link *lo = NULL;
	vec_each(l, &links)
		if (strcmp(l->name, "lo") == 0)
			lo = l;
	CHECK(lo && lo->index == 1 && reading_ok(lo->mtu_bytes) && reading_ok(lo->rx_crc_errors));
	CHECK(link_speeds_read(h, &scratch, &links) == 0);
	CHECK(lo && lo->speed_bits_per_s == READING_ABSENT);
	CHECK(qdiscs_read(h, 0, 0, &scratch, &qdiscs, &presence) == 0);
	vec_each(q, &qdiscs)
		CHECK(link_find(&links, q->interface) && q->kind[0]);
	host_free(h);
	buf_deinit(&scratch);
	vec_free(&interfaces);
	vec_free(&links);
	vec_free(&qdiscs);
}

int main(void)
{
	test_link();
	test_speed();
	test_qdisc();
	test_live();
	return check_exit();
}
