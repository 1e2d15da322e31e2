/* What a row of the views of sockets is, and what has been collected. Internal to src/view/socket_*.c. */
#ifndef OSPREY_VIEW_SOCKET_ROW_H
#define OSPREY_VIEW_SOCKET_ROW_H

#include "base/map.h"
#include "source/network/link.h"
#include "source/network/socket_holder.h"
#include "source/network/socket_table.h"
#include "view/socket_view.h"
#include "view/user_names.h"

struct sockets_state;

struct socket_view_row {
	const struct sockets_state *state;
	const struct socket_row *socket;
	const struct socket_row *before; /* at the look before; NULL: there was none */
	const struct socket_holder *holder;
	size_t nholders;
	uint32_t local_at, remote_at, text_end; /* in the state's texts */
};

struct sockets_state {
	struct host *host;
	struct socket_view_options options;
	struct socket_query query;
	bool wants_holders;
	struct socket_table table, before;
	struct map by_key;   /* of `before` */
	struct map by_inode; /* UNIX sockets of `table` */
	socket_holder_vec holders;
	size_t denied; /* processes whose descriptors may not be read */
	reading holders_missing; /* why nobody is known; 0: they are */
	net_namespace_vec namespaces;
	uint64_t own_ns; /* 0: not told apart */
	size_t refused; /* namespaces that may not be entered */
	size_t hidden;	/* processes whose namespace is not known */
	link_vec links;
	struct user_names *users; /* NULL: nobody asks for names */
	VEC(struct socket_view_row) rows;
	struct buf texts, scratch;
	struct host_time last;
	struct view_span span;
};

extern const struct entity entity_socket, entity_listener, entity_socket_rates, entity_socket_namespaces, entity_unix_socket, entity_packet_socket,
	entity_netlink_socket;

/* Growth of a figure since the look before. */
reading sockets_growth(const struct socket_view_row *row, enum socket_tcp_field field);

static inline struct span sockets_local(const struct socket_view_row *row)
{
	const struct buf *texts = &row->state->texts;

	return (struct span){ texts->n ? texts->data + row->local_at : "", row->remote_at - row->local_at };
}

static inline struct span sockets_remote(const struct socket_view_row *row)
{
	const struct buf *texts = &row->state->texts;

	return (struct span){ texts->n ? texts->data + row->remote_at : "", row->text_end - row->remote_at };
}

#endif
