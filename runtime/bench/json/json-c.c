/* json-c, as its manual has it: a tree of the text and structs of the tree, and back. */
#include <json-c/json.h>

#include "records.h"

static json_object *jsonc_get(json_object *j, const char *key)
{
	json_object *value = NULL;

	need(json_object_object_get_ex(j, key, &value));
	return value;
}

static void jsonc_order(json_object *j, struct order *ret)
{
	json_object *items = jsonc_get(j, "items");

	ret->id = json_object_get_uint64(jsonc_get(j, "id"));
	ret->customer = text_of(json_object_get_string(jsonc_get(j, "customer")));
	ret->street = text_of(json_object_get_string(jsonc_get(j, "street")));
	ret->nitems = json_object_array_length(items);
	ret->items = room(ret->nitems, sizeof *ret->items);
	for (size_t i = 0; i < ret->nitems; i++) {
		json_object *k = json_object_array_get_idx(items, i);
		ret->items[i] = (struct item){
			.name = text_of(json_object_get_string(jsonc_get(k, "name"))),
			.price = json_object_get_double(jsonc_get(k, "price")),
			.amount = (uint32_t)json_object_get_int64(jsonc_get(k, "amount")),
			.gift = json_object_get_boolean(jsonc_get(k, "gift")),
		};
	}
	ret->total = json_object_get_double(jsonc_get(j, "total"));
	ret->created_ns = json_object_get_int64(jsonc_get(j, "created_ns"));
	ret->paid = json_object_get_boolean(jsonc_get(j, "paid"));
}

static void jsonc_decode(const char *text, size_t n, struct orders *ret)
{
	json_tokener *t = json_tokener_new();
	json_object *root = json_tokener_parse_ex(t, text, (int)n), *orders;

	need(root);
	orders = jsonc_get(root, "orders");
	ret->norders = json_object_array_length(orders);
	ret->orders = room(ret->norders, sizeof *ret->orders);
	for (size_t i = 0; i < ret->norders; i++)
		jsonc_order(json_object_array_get_idx(orders, i), &ret->orders[i]);
	json_object_put(root);
	json_tokener_free(t);
}

static json_object *jsonc_of(const struct order *o)
{
	json_object *items = json_object_new_array(), *j = json_object_new_object();

	for (size_t i = 0; i < o->nitems; i++) {
		json_object *k = json_object_new_object();
		json_object_object_add(k, "name", json_object_new_string(o->items[i].name));
		json_object_object_add(k, "price", json_object_new_double(o->items[i].price));
		json_object_object_add(k, "amount", json_object_new_int64(o->items[i].amount));
		json_object_object_add(k, "gift", json_object_new_boolean(o->items[i].gift));
		json_object_array_add(items, k);
	}
	json_object_object_add(j, "id", json_object_new_uint64(o->id));
	json_object_object_add(j, "customer", json_object_new_string(o->customer));
	json_object_object_add(j, "street", json_object_new_string(o->street));
	json_object_object_add(j, "items", items);
	json_object_object_add(j, "total", json_object_new_double(o->total));
	json_object_object_add(j, "created_ns", json_object_new_int64(o->created_ns));
	json_object_object_add(j, "paid", json_object_new_boolean(o->paid));
	return j;
}

static void jsonc_encode(const struct orders *o, char **ret, size_t *ret_n)
{
	json_object *root = json_object_new_object(), *orders = json_object_new_array();

	for (size_t i = 0; i < o->norders; i++)
		json_object_array_add(orders, jsonc_of(&o->orders[i]));
	json_object_object_add(root, "orders", orders);
	const char *text = json_object_to_json_string_length(root, JSON_C_TO_STRING_PLAIN, ret_n);
	*ret = room(*ret_n + 1, 1);
	memcpy(*ret, text, *ret_n + 1);
	json_object_put(root);
}

const struct codec peer = { "json-c", jsonc_decode, jsonc_encode };
