#include "source/cpu/interrupts.h"

#include "base/check.h"
#include "base/cleanup.h"

static const char real_text[] =
	"           CPU0       CPU1       \n"
	" 24:          1          0  IO-APIC   5-edge      ACPI:Ged\n"
	" 26:          0         15  IO-APIC   4-edge      ttyS0\n"
	" 36:          0     128276 PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0\n"
	" 40:          3          4 PCI-MSIX-0000:00:04.0   0-edge      ehci_hcd:usb1, uhci_hcd:usb2\n"
	" 41:          2          0  IO-APIC   8-edge    \n"
	"NMI:          0          0   Non-maskable interrupts\n"
	"LOC:     133308     127926   Local timer interrupts\n"
	"ERR:          7\n"
	"PIW:          0          0   Posted-interrupt wakeup event\n";

static const struct interrupt *find(const interrupt_vec *v, const char *line)
{
	vec_each(i, v)
		if (strcmp(i->line, line) == 0)
			return i;
	fprintf(stderr, "no line %s\n", line);
	exit(1);
}

static void test_real(void)
{
	interrupt_vec v = { 0 };

	CHECK(interrupts_parse(SPAN(real_text), &v) == 0);
	CHECK_U64(v.n, 9);
	const struct interrupt *disk = find(&v, "36");
	CHECK_STR(disk->device, "virtio1-req.0");
	CHECK(disk->total == 128276 && disk->busiest_cpu == 1 && disk->busiest == 128276);
	CHECK_STR(find(&v, "24")->device, "ACPI:Ged");
	CHECK_STR(find(&v, "40")->device, "ehci_hcd:usb1, uhci_hcd:usb2");
	CHECK_STR(find(&v, "41")->device, ""); /* no driver */
	const struct interrupt *timer = find(&v, "LOC");
	CHECK_STR(timer->device, "Local timer interrupts");
	CHECK(timer->total == 133308 + 127926 && timer->busiest_cpu == 0);
	CHECK_U64(find(&v, "ERR")->total, 7);
	vec_free(&v);
}

static void test_arm(void)
{
	interrupt_vec v = { 0 };

	CHECK(interrupts_parse(SPAN("           CPU0       CPU1       \n"
				    " 11:       4321       1234     GICv3  27 Level     arch_timer\n"
				    "IPI0:       12         13       Rescheduling interrupts\n"
				    " Err:          3\n"), &v) == 0);
	CHECK_STR(find(&v, "11")->device, "arch_timer");
	CHECK_U64(find(&v, "IPI0")->total, 25);
	CHECK_U64(find(&v, "Err")->total, 3);
	vec_free(&v);
}

static void test_softirqs(void)
{
	interrupt_vec v = { 0 };

	CHECK(interrupts_parse(SPAN("                    CPU0       CPU1       \n"
				    "          HI:          0          0\n"
				    "      NET_RX:       6358       9182\n"), &v) == 0);
	CHECK(v.n == 2);
	CHECK_U64(find(&v, "NET_RX")->total, 6358 + 9182);
	CHECK_STR(find(&v, "NET_RX")->device, "");
	CHECK(find(&v, "NET_RX")->busiest_cpu == 1);
	vec_free(&v);
}

static void test_malformed(void)
{
	interrupt_vec v = { 0 };

	CHECK(interrupts_parse(SPAN(""), &v) == 0 && v.n == 0);
	CHECK(interrupts_parse(SPAN("\n1: 2\n"), &v) == 0 && v.n == 0); /* no CPUs: no counts */
	CHECK(interrupts_parse(SPAN("CPU0 CPU1\nrubbish\n: 1 2\n\n"), &v) == 0 && v.n == 0);
	CHECK(interrupts_parse(SPAN("CPU0 CPU1\n1: 2 x y\n2: 18446744073709551615 1 a\n3:\n"), &v) == 0);
	CHECK_U64(find(&v, "1")->total, READING_MALFORMED);
	CHECK_U64(find(&v, "2")->total, READING_MALFORMED);
	CHECK_U64(find(&v, "3")->total, READING_MALFORMED);
	vec_free(&v);
}

/* A text that was cut never gives a smaller count than it had. */
static void test_truncated(void)
{
	interrupt_vec v = { 0 };

	for (size_t n = 0; n < sizeof real_text - 1; n++) {
		CHECK(interrupts_parse((struct span){ real_text, n }, &v) == 0);
		vec_each(i, &v)
			if (strcmp(i->line, "36") == 0)
				CHECK_U64(i->total, 128276);
	}
	vec_free(&v);
}

static void test_live(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };
	interrupt_vec v = { 0 };
	enum presence presence;
	struct host *h = NULL;

	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(interrupts_read(h, "/proc/softirqs", &b, &v, &presence) == 0);
	if (presence == PRESENT)
		CHECK(find(&v, "TIMER")->total > 0);
	CHECK(interrupts_read(h, "/proc/interrupts", &b, &v, &presence) == 0);
	CHECK(presence != PRESENT || v.n > 0);
	CHECK(interrupts_read(h, "/proc/no_such_file", &b, &v, &presence) == 0);
	CHECK(presence == ABSENT && v.n == 0);
	host_free(h);
	vec_free(&v);
}

int main(void)
{
	test_real();
	test_arm();
	test_softirqs();
	test_malformed();
	test_truncated();
	test_live();
	return check_exit();
}
