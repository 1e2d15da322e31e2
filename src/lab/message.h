/* What the processes of a lab tell each other, over SOCK_SEQPACKET pairs. Internal to lab/. */
#ifndef OSPREY_LAB_MESSAGE_H
#define OSPREY_LAB_MESSAGE_H

#include "lab/run.h"

enum message_kind {
	MESSAGE_ID = 1, /* guardian: the id of the run, in text */
	MESSAGE_SAY,	/* scenario: a progress line */
	MESSAGE_LABEL,	/* scenario: label */
	MESSAGE_READY,	/* first process: the fault is in force */
	MESSAGE_FAILED, /* first process or guardian: code and text; undoing follows */
	MESSAGE_DONE,	/* guardian: everything is undone (code 0), or what is not */
	MESSAGE_STOP,	/* runner */
};

struct message {
	uint32_t kind;
	int32_t code; /* negative errno */
	struct lab_label label;
	struct note note;
};

/* A connected pair; both close on exec. */
int message_pair(int ret[2]) __attribute__((warn_unused_result));
/* From now on label.pid of what is received on `fd` is the sender's pid as this process
 * sees it. */
int message_translate_pids(int fd) __attribute__((warn_unused_result));
/* Waits for room. */
int message_send(int fd, const struct message *m) __attribute__((warn_unused_result));
/* -EAGAIN when there is no room. */
int message_send_now(int fd, const struct message *m) __attribute__((warn_unused_result));
/* Does not wait. 1: one received; 0: none there; -EPIPE: the other end is closed. */
int message_receive(int fd, struct message *ret) __attribute__((warn_unused_result));

#endif
