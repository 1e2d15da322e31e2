/* Sockets: connections, listeners and who holds them; the view of ss.
 *
 * The tables are put together by the command: what it shows stands first, the others can be asked
 * for by --table. Only protocols whose columns are wanted are read; descriptors of processes are walked
 * only when a column of the holder is wanted (source/network/socket_holder.h). */
#ifndef OSPREY_VIEW_SOCKET_VIEW_H
#define OSPREY_VIEW_SOCKET_VIEW_H

#include "view/view.h"

struct socket_view_options {
	unsigned protocols; /* of the table of sockets: bits of PROTOCOL_TCP, _UDP, _RAW */
	unsigned states;    /* bits of enum socket_state */
	bool listeners;	    /* of what does not listen: only sockets without a peer, that have a port */
	bool all_namespaces;
	uint16_t port; /* that one of the words asks for; 0: none. The others need not be read then */
	const char **words; /* nullable; a row has to match each of them */
	size_t nwords;
};

extern const struct view view_socket;
extern const struct view_section view_section_sockets;   /* tcp, udp, raw */
extern const struct view_section view_section_listeners; /* the same rows, other columns */
extern const struct view_section view_section_socket_rates; /* the same rows, rates among the columns */
extern const struct view_section view_section_socket_namespaces; /* the same rows, where they are among the columns */
extern const struct view_section view_section_unix;
extern const struct view_section view_section_packet;
extern const struct view_section view_section_netlink;

/* What the tables of the last look lack. */
struct socket_view_gaps {
	size_t skipped;		   /* sockets; at least so many */
	size_t namespaces_refused; /* that could not be entered */
	size_t processes_hidden;   /* whose namespace is not known */
};
void socket_view_gaps(const void *state, struct socket_view_gaps *ret);

/* Whether a row of any of them matches every word: a number is a port, pid or inode, all else is part
 * of an address, path, protocol, state or command, whatever the case. */
bool socket_row_matches(const void *row, const struct socket_view_options *options);

/* How many sockets of each protocol and TCP state there are; what ss -s tells. */
extern const struct view view_socket_summary;
/* Of its state: every socket of the network namespace. */
reading socket_summary_total(const void *state);

#endif
