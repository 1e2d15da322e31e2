/* jansson, as its manual has it: a tree of the text and structs of the tree, and back. */
#include <jansson.h>

#include "records.h"

static void jansson_item(json_t *j, struct item *ret)
{
	ret->name = text_of(json_string_value(json_object_get(j, "name")));
	ret->price = json_number_value(json_object_get(j, "price"));
	ret->amount = (uint32_t)json_integer_value(json_object_get(j, "amount"));
	ret->gift = json_is_true(json_object_get(j, "gift"));
}

static void jansson_order(json_t *j, struct order *ret)
{
	json_t *items = json_object_get(j, "items");

	ret->id = (uint64_t)json_integer_value(json_object_get(j, "id"));
	ret->customer = text_of(json_string_value(json_object_get(j, "customer")));
	ret->street = text_of(json_string_value(json_object_get(j, "street")));
	ret->nitems = json_array_size(items);
	ret->items = room(ret->nitems, sizeof *ret->items);
	for (size_t i = 0; i < ret->nitems; i++)
		jansson_item(json_array_get(items, i), &ret->items[i]);
	ret->total = json_number_value(json_object_get(j, "total"));
	ret->created_ns = json_integer_value(json_object_get(j, "created_ns"));
	ret->paid = json_is_true(json_object_get(j, "paid"));
}

static void jansson_decode(const char *text, size_t n, struct orders *ret)
{
	json_t *root = json_loadb(text, n, 0, NULL), *orders = json_object_get(root, "orders");

	need(root && orders);
	ret->norders = json_array_size(orders);
	ret->orders = room(ret->norders, sizeof *ret->orders);
	for (size_t i = 0; i < ret->norders; i++)
		jansson_order(json_array_get(orders, i), &ret->orders[i]);
	json_decref(root);
}

static json_t *jansson_of(const struct order *o)
{
	json_t *items = json_array(), *j = json_object();

	for (size_t i = 0; i < o->nitems; i++) {
		const struct item *it = &o->items[i];
		json_t *k = json_object();
		json_object_set_new(k, "name", json_string(it->name));
		json_object_set_new(k, "price", json_real(it->price));
		json_object_set_new(k, "amount", json_integer(it->amount));
		json_object_set_new(k, "gift", json_boolean(it->gift));
		json_array_append_new(items, k);
	}
	json_object_set_new(j, "id", json_integer((json_int_t)o->id));
	json_object_set_new(j, "customer", json_string(o->customer));
	json_object_set_new(j, "street", json_string(o->street));
	json_object_set_new(j, "items", items);
	json_object_set_new(j, "total", json_real(o->total));
	json_object_set_new(j, "created_ns", json_integer(o->created_ns));
	json_object_set_new(j, "paid", json_boolean(o->paid));
	return j;
}

static void jansson_encode(const struct orders *o, char **ret, size_t *ret_n)
{
	json_t *root = json_object(), *orders = json_array();

	for (size_t i = 0; i < o->norders; i++)
		json_array_append_new(orders, jansson_of(&o->orders[i]));
	json_object_set_new(root, "orders", orders);
	*ret = json_dumps(root, JSON_COMPACT);
	need(*ret);
	*ret_n = strlen(*ret);
	json_decref(root);
}

const struct codec peer = { "jansson", jansson_decode, jansson_encode };
