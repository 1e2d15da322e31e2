/* What the rules about networks ask of a window: one namespace between two looks, its sockets
 * by pairs, and what keeps a process from serving its socket. Pure; nothing here allocates. */
#ifndef OSPREY_DIAGNOSE_NETWORK_EVIDENCE_H
#define OSPREY_DIAGNOSE_NETWORK_EVIDENCE_H

#include "diagnose/finding.h"
#include "sample/window.h"

/* One network namespace over the window. */
struct net_span {
	const struct net_ns *first, *last;
	char proc[24];	/* "/proc" or "/proc/123": where its net/… files are */
	char enter[32]; /* "" or "nsenter -t 123 -n ": before a command that is to look into it */
	char where[72]; /* "" or " in the network namespace of pid 123 (comm)" */
};

/* The namespace at position `i` of the last sample. False: it was not there at the first look
 * or its counters cannot be read. (Counters of a namespace that was not seen before may be
 * old: one can outlive its processes.) */
bool net_span(const struct window *w, size_t i, struct net_span *ret);

/* Growth over the window of a counter of struct net_counters; NaN when missing. */
#define NET_DELTA(span, member) \
	reading_value(reading_delta((span)->first->counters.member, (span)->last->counters.member))

/* The largest growth of one counter in any namespace. */
double window_net_most(const struct window *w, reading (*counter)(const struct net_counters *c));

/* One socket over the window, by its cookie. */
struct socket_span {
	const struct socket *first, *last; /* first NULL: it opened since, or had nothing to tell */
};

/* Walks the sockets of one kind: struct socket_walk at = { 0 }; while (net_span_socket(…)).
 * The two lists keep the kernel's order, so that a walk is one pass over both. */
struct socket_walk {
	size_t last, first;
};
bool net_span_socket(const struct net_span *ns, enum socket_kind kind, struct socket_walk *walk,
		     struct socket_span *ret);

/* Growth of a counter of the socket. One that is not among the first sample's sockets had
 * told of nothing, so it grew from zero, unless sockets were left out there: then NaN. */
#define SOCKET_DELTA(ns, socket, member) \
	socket_grown(ns, (socket)->first ? (socket)->first->member : 0, (socket)->last->member, (socket)->first)
double socket_grown(const struct net_span *ns, reading before, reading after, const struct socket *first);

/* The socket as an actor: its name, and its owner's pid and comm. */
void actor_socket(struct actor *a, const struct socket *s);
/* "comm (pid 123)", or "a process that could not be named". */
void socket_owner_name(const struct socket *s, char *ret, size_t size);

/* What keeps the owner of a socket, or its workers (children of its name), from serving it. */
enum hold_up {
	HOLD_UP_UNKNOWN,   /* the owner is not known, or gone */
	HOLD_UP_STOPPED,   /* by a signal or a debugger */
	HOLD_UP_NO_FD,	   /* accept would fail: EMFILE */
	HOLD_UP_QUOTA,	   /* its cgroup is throttled */
	HOLD_UP_LOCK,	   /* waits for a mutex */
	HOLD_UP_BLOCKED,   /* state D */
	HOLD_UP_BUSY,	   /* a thread of it runs all the time */
	HOLD_UP_CPU_QUEUE, /* it waits for a CPU most of the time */
	HOLD_UP_SLOW,	   /* it works, but not enough */
	HOLD_UP_ASLEEP,	   /* hardly runs at all: it waits for something else */
};

struct hold_up_story {
	enum hold_up why;
	const struct process_span *process; /* the owner, or the worker that tells; NULL: unknown */
	double cpus;			    /* of owner and workers */
	char text[160];			    /* a predicate: "is stopped (state T)" */
};

void socket_hold_up(const struct window *w, const struct socket *s, struct hold_up_story *ret);

#endif
