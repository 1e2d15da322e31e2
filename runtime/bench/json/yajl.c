/* yajl: a tree of the text and structs of the tree; it writes without a tree. */
#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

#include "records.h"

static yajl_val yajl_at(yajl_val j, const char *key, yajl_type type)
{
	yajl_val v = yajl_tree_get(j, (const char *[]){ key, NULL }, type);

	need(v);
	return v;
}

static void yajl_order(yajl_val j, struct order *ret)
{
	yajl_val items = yajl_at(j, "items", yajl_t_array);

	ret->id = (uint64_t)YAJL_GET_INTEGER(yajl_at(j, "id", yajl_t_number));
	ret->customer = text_of(YAJL_GET_STRING(yajl_at(j, "customer", yajl_t_string)));
	ret->street = text_of(YAJL_GET_STRING(yajl_at(j, "street", yajl_t_string)));
	ret->nitems = items->u.array.len;
	ret->items = room(ret->nitems, sizeof *ret->items);
	for (size_t i = 0; i < ret->nitems; i++) {
		yajl_val k = items->u.array.values[i];
		ret->items[i] = (struct item){
			.name = text_of(YAJL_GET_STRING(yajl_at(k, "name", yajl_t_string))),
			.price = YAJL_GET_DOUBLE(yajl_at(k, "price", yajl_t_number)),
			.amount = (uint32_t)YAJL_GET_INTEGER(yajl_at(k, "amount", yajl_t_number)),
			.gift = YAJL_IS_TRUE(yajl_at(k, "gift", yajl_t_any)),
		};
	}
	ret->total = YAJL_GET_DOUBLE(yajl_at(j, "total", yajl_t_number));
	ret->created_ns = YAJL_GET_INTEGER(yajl_at(j, "created_ns", yajl_t_number));
	ret->paid = YAJL_IS_TRUE(yajl_at(j, "paid", yajl_t_any));
}

static void yajl_decode(const char *text, size_t n, struct orders *ret)
{
	char error[256];
	yajl_val root = yajl_tree_parse(text, error, sizeof error), orders;

	(void)n;
	need(root);
	orders = yajl_at(root, "orders", yajl_t_array);
	ret->norders = orders->u.array.len;
	ret->orders = room(ret->norders, sizeof *ret->orders);
	for (size_t i = 0; i < ret->norders; i++)
		yajl_order(orders->u.array.values[i], &ret->orders[i]);
	yajl_tree_free(root);
}

static void yajl_key(yajl_gen g, const char *s)
{
	need(yajl_gen_string(g, (const unsigned char *)s, strlen(s)) == yajl_gen_status_ok);
}

static void yajl_put(yajl_gen g, const struct order *o)
{
	yajl_gen_map_open(g);
	yajl_key(g, "id"), yajl_gen_integer(g, (long long)o->id);
	yajl_key(g, "customer"), yajl_key(g, o->customer);
	yajl_key(g, "street"), yajl_key(g, o->street);
	yajl_key(g, "items"), yajl_gen_array_open(g);
	for (size_t i = 0; i < o->nitems; i++) {
		yajl_gen_map_open(g);
		yajl_key(g, "name"), yajl_key(g, o->items[i].name);
		yajl_key(g, "price"), yajl_gen_double(g, o->items[i].price);
		yajl_key(g, "amount"), yajl_gen_integer(g, o->items[i].amount);
		yajl_key(g, "gift"), yajl_gen_bool(g, o->items[i].gift);
		yajl_gen_map_close(g);
	}
	yajl_gen_array_close(g);
	yajl_key(g, "total"), yajl_gen_double(g, o->total);
	yajl_key(g, "created_ns"), yajl_gen_integer(g, o->created_ns);
	yajl_key(g, "paid"), yajl_gen_bool(g, o->paid);
	yajl_gen_map_close(g);
}

static void yajl_encode(const struct orders *o, char **ret, size_t *ret_n)
{
	yajl_gen g = yajl_gen_alloc(NULL);
	const unsigned char *text;

	need(g);
	yajl_gen_map_open(g);
	yajl_key(g, "orders"), yajl_gen_array_open(g);
	for (size_t i = 0; i < o->norders; i++)
		yajl_put(g, &o->orders[i]);
	yajl_gen_array_close(g);
	need(yajl_gen_map_close(g) == yajl_gen_status_ok);
	yajl_gen_get_buf(g, &text, ret_n);
	*ret = room(*ret_n + 1, 1);
	memcpy(*ret, text, *ret_n);
	yajl_gen_free(g);
}

const struct codec peer = { "yajl", yajl_decode, yajl_encode };
