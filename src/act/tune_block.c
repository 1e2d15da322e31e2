/* Advice on the queues of disks. */
#include <math.h>

#include "act/tune.h"
#include "base/units.h"

#define MANY 50000.0 /* requests a second: the scheduler's own cost shows */

static void proof_disk(const struct tune_case *c, struct tune_advice *ret)
{
	const struct tune_disk *d = c->disk;

	tune_proof(ret, "busy", 100 * d->busy, "%", "", "/proc/diskstats %s", d->name);
	tune_proof(ret, "requests in the queue", d->queue, "", "", "/proc/diskstats %s", d->name);
	tune_proof(ret, "reads", d->reads, "/s", "", "/proc/diskstats %s", d->name);
	tune_proof(ret, "writes", d->writes, "/s", "", "/proc/diskstats %s", d->name);
	tune_proof(ret, "mean time of a read", d->read_s * 1000, "ms", "", "/proc/diskstats %s", d->name);
}

TUNE_ADVISE(scheduler)
{
	const struct tune_disk *d = c->disk;
	bool none = strcmp(c->value->word, "none") == 0, bfq = strcmp(c->value->word, "bfq") == 0;

	if (d->stacked) {
		tune_keep(ret, "a stacked device: the disks below it schedule");
	} else if (d->saturated && none && d->rotational && tune_value_offers(c->value, "mq-deadline")) {
		tune_change(ret, "mq-deadline", "a rotating disk is saturated, and its requests go to it in "
			    "the order in which they came: its head moves back and forth between them");
		proof_disk(c, ret);
		tune_effect(ret, "reads before writes, and in the order of the disk; the mean time of a read "
			    "should fall");
	} else if (bfq && d->reads + d->writes > MANY && tune_value_offers(c->value, "none")) {
		tune_change(ret, "none", "%.0f requests a second pass through bfq's one lock", d->reads + d->writes);
		proof_disk(c, ret);
		tune_effect(ret, "less system time for each request; shares by I/O weight end");
	} else if (d->saturated && none && !d->rotational && d->writes > d->reads && d->read_s > 0.02 &&
		   tune_value_offers(c->value, "mq-deadline")) {
		tune_change(ret, "mq-deadline", "reads take %s because they wait behind %.0f writes a second "
			    "in a saturated disk",
			    duration_text(d->read_s).text, d->writes);
		proof_disk(c, ret);
		tune_effect(ret, "reads go first; the mean time of a read should fall");
	} else if (d->saturated) {
		tune_keep(ret, "saturated, but not by the order of its requests");
	} else {
		tune_keep(ret, "busy %s %% of the time", number_text(100 * d->busy).text);
	}
}

TUNE_ADVISE(nr_requests)
{
	const struct tune_disk *d = c->disk;
	double now = tune_number(c->value);
	char value[24];

	if (d->saturated && !d->rotational && !d->stacked && d->queue >= 0.9 * now && now < 128) {
		tune_change(ret, tune_power(2 * now, value), "the queue of %.0f requests is full all the time "
			    "and the disk is no rotating one: who submits sleeps for a place in it", now);
		proof_disk(c, ret);
		tune_effect(ret, "the disk gets more requests at once. The kernel refuses it where the "
			    "hardware queue is shorter");
	} else {
		tune_keep(ret, "%s requests were in the queue on average", number_text(d->queue).text);
	}
}

TUNE_ADVISE(read_ahead_kb)
{
	const struct tune_disk *d = c->disk;
	double now = tune_number(c->value), mean_kb = d->read_bytes / d->reads / 1024;
	double refault = tune_rate(c, c->seen->refault_file);
	char value[24];

	if (now > 4096 && refault > 100 && c->seen->memory_pressure && d->read_bytes > 1e6) {
		tune_change(ret, "128", "memory is short, up to %.0f KiB are read ahead, and %.0f file pages "
			    "a second are dropped and read again: the cache is filled with what nobody wanted", now, refault);
		tune_proof(ret, "workingset_refault_file", refault, "pages/s", "> 100/s", "/proc/vmstat");
		proof_disk(c, ret);
		tune_effect(ret, "less is read for nothing, by programs that open their files from then on "
			    "(restart them); workingset_refault_file and the bytes read should fall");
	} else if (d->saturated && d->rotational && mean_kb >= 0.8 * now && now > 0 && now < 1024) {
		tune_change(ret, tune_whole(now * 4 > 1024 ? 1024 : now * 4, value), "a rotating disk is "
			    "saturated by reads that are as large as read-ahead lets them be: files are read "
			    "in order, several at once, and it seeks between them");
		proof_disk(c, ret);
		tune_proof(ret, "mean size of a read", mean_kb, "KiB", "> 80 % of read-ahead",
			    "/proc/diskstats %s", d->name);
		tune_effect(ret, "fewer and larger reads, of files opened from then on: bytes a second should "
			    "grow");
	} else if (d->reads > 0) {
		tune_keep(ret, "a read is %.0f KiB on average", mean_kb);
	} else {
		tune_keep(ret, "nothing was read");
	}
}
