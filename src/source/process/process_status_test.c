#include "base/check.h"
#include "source/process/process_status.h"

static const char text[] =
	"Name:\tev\\nil) S 1\n"
	"Umask:\t0027\n"
	"State:\tS (sleeping)\n"
	"Tgid:\t812\nNgid:\t0\nPid:\t813\nPPid:\t1\nTracerPid:\t9\n"
	"Uid:\t1000\t0\t0\t0\nGid:\t100\t100\t50\t100\nFDSize:\t256\nGroups:\t4 24 100 \n"
	"NStgid:\t812\t7\nNSpid:\t813\t8\n"
	"VmPeak:\t  164000 kB\nVmSize:\t  163840 kB\nVmLck:\t       4 kB\nVmHWM:\t  20000 kB\nVmRSS:\t   16384 kB\n"
	"VmData:\t  2048 kB\nVmStk:\t  132 kB\nVmSwap:\t  0 kB\n"
	"Threads:\t3\nSigQ:\t2/96365\n"
	"SigPnd:\t0000000000000000\nShdPnd:\t0000000000000001\nSigBlk:\t0000000000010000\n"
	"SigIgn:\t0000000000001004\nSigCgt:\t0000000180014a07\n"
	"CapInh:\t0000000000000000\nCapPrm:\t0000000000003000\nCapEff:\t0000000000001000\nCapBnd:\t000001ffffffffff\n"
	"CapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n"
	"Cpus_allowed:\tf\nCpus_allowed_list:\t0-3,8\nMems_allowed_list:\t0\n"
	"voluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t5\n";

static void test_whole(void)
{
	struct process_status s;

	process_status_parse(SPAN(text), &s);
	CHECK(s.presence == PRESENT);
	CHECK_STR(s.name, "ev\\nil) S 1");
	CHECK(s.state == 'S');
	CHECK_U64(s.umask, 027);
	CHECK_U64(s.thread_group, 812);
	CHECK_U64(s.tracer, 9);
	CHECK_U64(s.uid[0], 1000);
	CHECK_U64(s.uid[1], 0);
	CHECK_U64(s.gid[2], 50);
	CHECK_U64(s.ngroups, 3);
	CHECK_U64(s.groups[1], 24);
	CHECK_U64(s.inner_pid, 8);
	CHECK_U64(s.pid_namespaces, 2);
	CHECK_U64(s.virtual_bytes, 163840ull * 1024);
	CHECK_U64(s.locked_bytes, 4096);
	CHECK_U64(s.signals_queued, 2);
	CHECK_U64(s.signals_limit, 96365);
	CHECK(s.has_masks);
	CHECK_U64(s.masks.shared_pending, 1);
	CHECK_U64(s.masks.blocked, 0x10000);
	CHECK_U64(s.masks.permitted, 0x3000);
	CHECK_U64(s.seccomp, 2);
	CHECK_U64(s.seccomp_filters, 3);
	CHECK_STR(s.cpus_allowed, "0-3,8");
	CHECK_U64(s.involuntary_switches, 5);
	CHECK(s.pinned_bytes == READING_ABSENT); /* the kernel had no such row */
}

static void test_odd(void)
{
	struct process_status s;

	process_status_parse(SPAN(""), &s);
	CHECK(s.presence == MALFORMED && !s.has_masks && s.uid[0] == READING_ABSENT);
	process_status_parse(SPAN("State:\tR\nUid:\t1\tx\nSigQ:\t3\nUmask:\t9\nVmSize:\t99999999999999999999 kB\n"), &s);
	CHECK(s.presence == PRESENT);
	CHECK_U64(s.uid[0], 1);
	CHECK(s.uid[1] == READING_MALFORMED);
	CHECK(s.signals_queued == READING_MALFORMED);
	CHECK(s.umask == READING_MALFORMED);
	CHECK(s.virtual_bytes == READING_MALFORMED);
	for (size_t n = 0; n < sizeof text; n++) /* cut anywhere */
		process_status_parse((struct span){ text, n }, &s);
}

static void test_names(void)
{
	char name[16];

	signal_name(1, name, sizeof name);
	CHECK_STR(name, "HUP");
	signal_name(31, name, sizeof name);
	CHECK_STR(name, "SYS");
	signal_name(34, name, sizeof name);
	CHECK_STR(name, "RTMIN");
	signal_name(64, name, sizeof name);
	CHECK_STR(name, "RTMIN+30");
	CHECK_STR(capability_name(0), "chown");
	CHECK_STR(capability_name(40), "checkpoint_restore");
	CHECK(capability_name(41) == NULL);
}

int main(void)
{
	test_whole();
	test_odd();
	test_names();
	return check_exit();
}
