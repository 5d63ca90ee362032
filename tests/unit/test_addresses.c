/* SPDX-License-Identifier: MIT */
/* How many connections each client address has. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/addresses.h"
#include "tests/unit/unit.h"

#define LIMIT 3
#define CLIENTS 40
#define CONNECTIONS_MAX_HERE (CLIENTS * 2 * LIMIT)

static struct address
parse(const char *text)
{
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} client = { .six = { 0 } };
	struct address address;

	client.any.sa_family = strchr(text, ':') == NULL ? AF_INET : AF_INET6;
	ck_assert_int_eq(
	    inet_pton(client.any.sa_family, text,
		client.any.sa_family == AF_INET ? (void *)&client.four.sin_addr : (void *)&client.six.sin6_addr),
	    1);
	ck_assert(address_of(&client.any, &address));
	return address;
}

static bool
same(const char *one, const char *other)
{
	const struct address a = parse(one), b = parse(other);

	return memcmp(&a, &b, sizeof(a)) == 0;
}

START_TEST(a_client_is_its_address_or_its_network)
{
	const struct sockaddr local = { .sa_family = AF_UNIX };
	struct address none;

	ck_assert(same("192.0.2.1", "192.0.2.1"));
	ck_assert(!same("192.0.2.1", "192.0.2.2"));
	ck_assert(same("192.0.2.1", "::ffff:192.0.2.1"));
	ck_assert(same("192.0.2.1", "64:ff9b::192.0.2.1"));
	ck_assert(!same("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2"));
	ck_assert(same("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
	ck_assert(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
	ck_assert(!same("::1", "0.0.0.1"));
	ck_assert(!address_of(&local, &none));
	ck_assert(!address_of(NULL, &none));
}
END_TEST

static struct addresses *
make(unsigned limit, unsigned connections_max)
{
	struct err e = { 0 };
	struct addresses *a = addresses_new(limit, connections_max, &e);

	ck_assert_msg(a != NULL, "%s", e.detail);
	return a;
}

START_TEST(up_to_the_limit_they_are_served_and_as_many_again_refused)
{
	struct addresses *a = make(LIMIT, CONNECTIONS_MAX_HERE);
	const struct address one = parse("192.0.2.1"), other = parse("2001:db8::1");

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < LIMIT; i++)
			ck_assert_int_eq(addresses_enter(a, &one), ADDRESSES_SERVE);
		for (int i = 0; i < LIMIT; i++)
			ck_assert_int_eq(addresses_enter(a, &one), ADDRESSES_REFUSE);
		for (int i = 0; i < 100; i++)
			ck_assert_int_eq(addresses_enter(a, &one), ADDRESSES_CLOSE);
		ck_assert_int_eq(addresses_enter(a, &other), ADDRESSES_SERVE);
		addresses_leave(a, &other);
		for (int i = 0; i < LIMIT; i++)
			addresses_leave(a, &one);
		ck_assert_int_eq(addresses_enter(a, &one), ADDRESSES_REFUSE);
		for (int i = 0; i < LIMIT + 1; i++)
			addresses_leave(a, &one);
	}
	addresses_free(a);
}
END_TEST

START_TEST(the_largest_limit_does_not_overflow)
{
	struct addresses *a = make(UINT32_MAX, 2);
	const struct address one = parse("192.0.2.1");

	ck_assert_int_eq(addresses_enter(a, &one), ADDRESSES_SERVE);
	ck_assert_int_eq(addresses_enter(a, &one), ADDRESSES_SERVE);
	addresses_leave(a, &one);
	addresses_leave(a, &one);
	addresses_free(a);
}
END_TEST

/* Addresses whose entries lie close together come and go by chance: none is lost, and none is left. */
START_TEST(a_crowded_table_counts_as_a_plain_list_does)
{
	struct addresses *a = make(LIMIT, CLIENTS);
	struct address clients[CLIENTS];
	unsigned counts[CLIENTS] = { 0 };
	char text[32];

	srandom(16);
	for (unsigned i = 0; i < CLIENTS; i++) {
		snprintf(text, sizeof(text), "192.0.2.%u", i);
		clients[i] = parse(text);
	}
	for (unsigned step = 0; step < 200000; step++) {
		const unsigned i = (unsigned)random() % CLIENTS;

		if (random() % 2 == 0 && counts[i] > 0) {
			addresses_leave(a, &clients[i]);
			counts[i]--;
		} else {
			const enum addresses_verdict expected = counts[i] < LIMIT ? ADDRESSES_SERVE :
			    counts[i] < 2 * LIMIT                                 ? ADDRESSES_REFUSE :
										    ADDRESSES_CLOSE;

			ck_assert_int_eq(addresses_enter(a, &clients[i]), expected);
			counts[i] += expected != ADDRESSES_CLOSE;
		}
	}
	addresses_free(a);
}
END_TEST

/* A million addresses, of which only so many have a connection at once. */
START_TEST(the_table_is_bounded_by_the_connections)
{
	struct addresses *a = make(1, 4);
	struct address clients[4] = { { { 0 } } };

	for (unsigned n = 0; n < 1000000; n++) {
		struct address *client = &clients[n % 4];

		if (n >= 4)
			addresses_leave(a, client);
		memcpy(client->bytes, &n, sizeof(n));
		ck_assert_int_eq(addresses_enter(a, client), ADDRESSES_SERVE);
	}
	addresses_free(a);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("addresses");
	TCase *t = tcase_create("count");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_client_is_its_address_or_its_network);
	tcase_add_test(t, up_to_the_limit_they_are_served_and_as_many_again_refused);
	tcase_add_test(t, the_largest_limit_does_not_overflow);
	tcase_add_test(t, a_crowded_table_counts_as_a_plain_list_does);
	tcase_add_test(t, the_table_is_bounded_by_the_connections);
	suite_add_tcase(suite, t);
	return suite;
}
