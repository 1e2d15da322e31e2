#include "source/cpu/interrupt_table.h"

#include <errno.h>

#include "base/check.h"
#include "base/cleanup.h"

/* CPU 1 is offline. */
static const char real_text[] =
	"           CPU0       CPU2       \n"
	" 24:          1          0  IO-APIC   5-edge      ACPI:Ged\n"
	" 36:          5     128276 PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0\n"
	"LOC:     133308     127926   Local timer interrupts\n"
	"ERR:          7\n"
	"PIW:          0          0   Posted-interrupt wakeup event\n";

static const struct interrupt_line *find(const struct interrupt_table *t, const char *name)
{
	const struct interrupt_line *line = interrupt_find(t, name, 2);

	if (!line) {
		fprintf(stderr, "no line %s\n", name);
		exit(1);
	}
	return line;
}

static void test_real(void)
{
	cleanup(interrupt_table_deinit) struct interrupt_table t = { 0 };

	CHECK(interrupt_table_parse(SPAN(real_text), &t) == 0);
	CHECK(t.cpus.n == 2 && t.cpus.v[0] == 0 && t.cpus.v[1] == 2);
	CHECK_U64(t.lines.n, 5);
	const struct interrupt_line *disk = find(&t, "36");
	CHECK_STR(disk->device, "virtio1-req.0");
	CHECK(disk->numbered && disk->by_cpu);
	CHECK_U64(disk->total, 128281);
	CHECK_U64(interrupt_count(&t, disk, 0), 5);
	CHECK_U64(interrupt_count(&t, disk, 1), 128276);
	CHECK_U64(interrupt_count(&t, disk, 2), READING_ABSENT);
	CHECK(!find(&t, "LOC")->numbered);
	CHECK_STR(find(&t, "LOC")->device, "Local timer interrupts");
	CHECK_U64(interrupt_count(&t, find(&t, "LOC"), 1), 127926);
	const struct interrupt_line *errors = find(&t, "ERR");
	CHECK(!errors->by_cpu && errors->total == 7);
	CHECK_U64(interrupt_count(&t, errors, 0), READING_ABSENT);
	CHECK_U64(interrupt_count(&t, find(&t, "PIW"), 0), 0);
	CHECK(interrupt_find(&t, "37", 0) == NULL);
}

static void test_softirqs(void)
{
	cleanup(interrupt_table_deinit) struct interrupt_table t = { 0 };

	CHECK(interrupt_table_parse(SPAN("                    CPU0       CPU1       \n"
					 "          HI:          0          0\n"
					 "      NET_RX:       6358       9182\n"),
				    &t) == 0);
	CHECK(t.lines.n == 2 && find(&t, "NET_RX")->total == 6358 + 9182);
	CHECK_STR(find(&t, "NET_RX")->device, "");
}

static void test_malformed(void)
{
	cleanup(interrupt_table_deinit) struct interrupt_table t = { 0 };

	CHECK(interrupt_table_parse(SPAN(""), &t) == -EBADMSG);
	CHECK(interrupt_table_parse(SPAN("\n1: 2\n"), &t) == -EBADMSG);
	CHECK(interrupt_table_parse(SPAN("CPU0 cpu\n1: 2\n"), &t) == -EBADMSG);
	CHECK(interrupt_table_parse(SPAN("CPU0 CPU99999999\n"), &t) == -EBADMSG);
	CHECK(interrupt_table_parse(SPAN("CPU0 CPU1\nrubbish\n: 1 2\n\n1: 2 x\n2: 18446744073709551615 1 a\n3:\nMIS:\n"
					 "4: 7 8 a\n5: 1"),
				    &t) == 0);
	CHECK_U64(t.lines.n, 1);
	CHECK_U64(t.counts.n, 2);
	CHECK_U64(interrupt_count(&t, find(&t, "4"), 1), 8);
	for (size_t n = 0; n < sizeof real_text - 1; n++) {
		(void)!interrupt_table_parse((struct span){ real_text, n }, &t);
		vec_each(line, &t.lines)
			CHECK(strcmp(line->line, "36") != 0 || line->total == 128281);
	}
}

static void test_live(void)
{
	cleanup(interrupt_table_deinit) struct interrupt_table t = { 0 };
	cleanup(buf_deinit) struct buf b = { 0 };
	struct irq_affinity affinity;
	enum presence presence;
	struct host *h = NULL;

	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(interrupt_table_read(h, "/proc/softirqs", &b, &t, &presence) == 0);
	if (presence == PRESENT)
		CHECK(find(&t, "TIMER")->total > 0);
	CHECK(interrupt_table_read(h, "/proc/interrupts", &b, &t, &presence) == 0);
	vec_each(line, &t.lines) {
		if (!line->numbered)
			continue;
		irq_affinity_read(h, line->line, &b, &affinity);
		CHECK(affinity.allowed[0] >= '0' && affinity.allowed[0] <= '9');
		break;
	}
	CHECK(interrupt_table_read(h, "/proc/no_such_file", &b, &t, &presence) == 0);
	CHECK(presence == ABSENT && t.lines.n == 0);
	irq_affinity_read(h, "no_such_line", &b, &affinity);
	CHECK_STR(affinity.allowed, "");
	host_free(h);
}

int main(void)
{
	test_real();
	test_softirqs();
	test_malformed();
	test_live();
	return check_exit();
}
