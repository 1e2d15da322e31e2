#include "source/network/net_counters.h"

#include "base/check.h"

static const char snmp[] =
	"Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards "
	"InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs "
	"FragFails FragCreates OutTransmits\n"
	"Ip: 2 64 13646 0 0 0 0 7 13646 8899 0 0 0 0 0 3 0 0 0 8899\n"
	"IcmpMsg: InType3\n"
	"IcmpMsg: 1\n"
	"Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab "
	"InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n"
	"Tcp: 1 200 120000 -1 147 2 0 0 5 13335 8588 42 0 2 0\n"
	"Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\n"
	"Udp: 310 11 12 312 13 14 0 0 0\n"
	"UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\n"
	"UdpLite: 99 99 99 99 99 99 99 99 99\n";

static const char netstat[] =
	"TcpExt: SyncookiesSent SyncookiesRecv ListenOverflows ListenDrops TCPLostRetransmit TCPTimeouts "
	"TCPLossProbes TCPDSACKRecv TCPReqQFullDrop TCPSynRetrans\n"
	"TcpExt: 1 2 3 4 5 6 7 8 9 10\n"
	"IpExt: InNoRoutes\n"
	"IpExt: 0\n";

static struct net_counters blank(void)
{
	struct net_counters c = { PRESENT };

	fields_missing(net_counter_fields, net_counter_nfields, READING_ABSENT, &c);
	return c;
}

static void test_good_text(void)
{
	struct net_counters c = blank();

	net_counters_parse(SPAN(snmp), &c);
	net_counters_parse(SPAN(netstat), &c);
	sockstat_parse(SPAN("sockets: used 17\nTCP: inuse 1 orphan 2 tw 3 alloc 1 mem 196\nUDP: inuse 0 mem 0\n"), &c);
	snmp6_parse(SPAN("Ip6InReceives  \t5\nUdp6InDatagrams \t21\nUdp6RcvbufErrors   \t22\n"), &c);
	CHECK_U64(c.ip_in_packets, 13646);
	CHECK_U64(c.ip_in_discards, 7);
	CHECK_U64(c.ip_reassembly_fails, 3);
	CHECK_U64(c.tcp_active_opens, 147);
	CHECK_U64(c.tcp_out_segments, 8588);
	CHECK_U64(c.tcp_retransmitted, 42);
	CHECK_U64(c.udp_in, 310); /* not UdpLite's */
	CHECK_U64(c.udp_receive_buffer_errors, 13);
	CHECK_U64(c.listen_overflows, 3);
	CHECK_U64(c.listen_drops, 4);
	CHECK_U64(c.tcp_dsacks_received, 8);
	CHECK_U64(c.tcp_syn_retransmits, 10);
	CHECK_U64(c.tcp_fast_retransmits, READING_ABSENT);
	CHECK_U64(c.tcp_orphans, 2);
	CHECK_U64(c.tcp_time_wait, 3);
	CHECK_U64(c.tcp_memory_pages, 196);
	CHECK_U64(c.udp6_in, 21);
	CHECK_U64(c.udp6_receive_buffer_errors, 22);
	CHECK_U64(c.udp6_no_port, READING_ABSENT);
}

static void test_bad_text(void)
{
	struct net_counters c = blank();

	net_counters_parse(SPAN(""), &c);
	net_counters_parse(SPAN("Tcp: InSegs\n"), &c);		       /* values are missing */
	net_counters_parse(SPAN("Tcp: InSegs\nUdp: 4\n"), &c);	       /* of another protocol */
	net_counters_parse(SPAN("Averyveryverylongprefix: InSegs\nAveryveryverylongprefix: 4\n"), &c);
	CHECK_U64(c.tcp_in_segments, READING_ABSENT);
	net_counters_parse(SPAN("Tcp: InSegs OutSegs RetransSegs\nTcp: 18446744073709551615 -1\n"), &c);
	CHECK_U64(c.tcp_in_segments, READING_MALFORMED);
	CHECK_U64(c.tcp_out_segments, READING_MALFORMED);
	CHECK_U64(c.tcp_retransmitted, READING_MALFORMED); /* cut off */
	sockstat_parse(SPAN("TCP: inuse 1 orphan x tw"), &c);
	CHECK_U64(c.tcp_orphans, READING_MALFORMED);
	CHECK_U64(c.tcp_time_wait, READING_MALFORMED);
	snmp6_parse(SPAN("Udp6InDatagrams\n"), &c);
	CHECK_U64(c.udp6_in, READING_MALFORMED);
}

/* Every cut of good text: no crash, and no number that the whole text does not hold. */
static void test_cuts(void)
{
	for (size_t n = 0; n <= sizeof snmp - 1; n++) {
		struct net_counters c = blank();

		net_counters_parse((struct span){ snmp, n }, &c);
		CHECK(!reading_ok(c.tcp_established) || c.tcp_established == 5);
	}
}

/* What nstat says between two of our readings lies between them. */
static void test_against_nstat(struct host *h)
{
	struct net_counters before, after;
	struct buf scratch = { 0 };
	char name[64];
	unsigned long long v;
	unsigned compared = 0;

	net_counters_read(h, 0, &scratch, &before);
	FILE *nstat = popen("nstat --noupdate -asz 2>/dev/null", "r");
	char text[65536];
	size_t n = nstat ? fread(text, 1, sizeof text - 1, nstat) : 0;
	text[n] = '\0';
	if (nstat)
		pclose(nstat);
	net_counters_read(h, 0, &scratch, &after);
	CHECK(after.presence == PRESENT);

	struct span lines = { text, n }, line;
	while (span_line(&lines, &line)) {
		char copy[256];

		span_copy(line, copy, sizeof copy);
		if (sscanf(copy, "%63s %llu", name, &v) != 2)
			continue;
		for (size_t i = 0; i < net_counter_nfields; i++) {
			char ours[64], *dot;

			snprintf(ours, sizeof ours, "%s", net_counter_fields[i].kernel_name);
			if ((dot = strchr(ours, '.')))
				memmove(dot, dot + 1, strlen(dot));
			if (strcmp(ours, name) != 0 || net_counter_fields[i].kind != COUNTER)
				continue;
			compared++;
			CHECK(*field_at(&net_counter_fields[i], &before) <= v);
			CHECK(v <= *field_at(&net_counter_fields[i], &after));
		}
	}
	if (n)
		CHECK(compared >= 25);
	else
		fprintf(stderr, "note: no nstat here to compare with\n");
	buf_deinit(&scratch);
}

static void test_missing_process(struct host *h)
{
	struct buf scratch = { 0 };
	struct net_counters c;

	net_counters_read(h, 2147483647, &scratch, &c);
	CHECK(c.presence == ABSENT);
	CHECK_U64(c.tcp_out_segments, READING_ABSENT);
	CHECK_U64(c.listen_overflows, READING_ABSENT);
	buf_deinit(&scratch);
}

int main(void)
{
	struct host *h;

	test_good_text();
	test_bad_text();
	test_cuts();
	CHECK(host_open_live("/", &h, NULL) == 0);
	test_against_nstat(h);
	test_missing_process(h);
	host_free(h);
	return check_exit();
}
