/* What the commands of the lab share. */
#ifndef OSPREY_CMD_LAB_H
#define OSPREY_CMD_LAB_H

#include "cmd/command.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "lab/run.h"

extern const struct command command_lab_run, command_lab_score;

/* Conditions' scenarios in their order, then the healthy ones; NULL behind the last. */
const struct scenario *lab_scenario(size_t i);
const struct scenario *lab_scenario_find(const char *name);
const char *lab_scenario_choice(size_t i);

extern const char *const lab_strengths[]; /* "weak", "medium", "strong" */

/* Whether to start on a host that may carry load that matters: asks on a terminal; else `yes`
 * decides. False: it was told why not. */
bool lab_agreed(const char *command, bool yes);

/* Scenarios' progress lines, for lab_options.say. */
void lab_say_line(const char *line);

/* "2 cpu_hog processes: 812, 813", one line a kind of culprit, for people. */
int lab_labels_text(const struct lab_label *labels, size_t n, struct buf *ret_lines)
	__attribute__((warn_unused_result));

/* A line on stderr that is written again and again; nothing when stderr is no terminal. */
struct ticker {
	bool watched;
	unsigned shown, width;
	char text[256];
};
void ticker_init(struct ticker *t);
void ticker_show(struct ticker *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ticker_clear(struct ticker *t);

#endif
