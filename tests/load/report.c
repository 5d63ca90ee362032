/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>

#include "tests/load/load.h"

static void
report_counts(const struct counts *n)
{
	printf("\"ok\":%" PRIu64 ",\"repeated\":%" PRIu64 ",\"differing\":%" PRIu64 ",\"in_flight\":%" PRIu64
	       ",\"shutting_down\":%" PRIu64 ",\"unexpected\":%" PRIu64,
	    n->ok, n->repeated, n->differing, n->in_flight, n->shutting_down, n->unexpected);
	printf(",\"dropped\":%" PRIu64 ",\"dropped_first\":%" PRIu64 ",\"cut\":%" PRIu64 ",\"hung_up\":%" PRIu64
	       ",\"connections\":%" PRIu64 ",\"refused_connections\":%" PRIu64 ",\"stalled\":%" PRIu64
	       ",\"slowest_ms\":%.3f",
	    n->dropped, n->dropped_first, n->cut, n->hung_up, n->connections, n->refused_connections, n->stalled,
	    (double)n->slowest_us / 1000);
}

/* Updates of the layer that have begun, and are neither acknowledged nor given up. */
static unsigned
pending_of(const struct load *load, const struct tally *tally)
{
	unsigned pending = 0;

	for (size_t i = 0; i < load->client_count; i++)
		pending += load->clients[i].tally == tally && load->clients[i].pending && !load->clients[i].repeating;
	return pending;
}

static void
report_layers(const struct load *load, const struct group *group)
{
	for (unsigned i = 0; i < load->layer_count; i++) {
		const struct tally *t = &group->tallies[i];

		printf("%s{\"layer\":\"%s-%u\",\"acknowledged\":%" PRIu64 ",\"unknown\":%" PRIu64
		       ",\"pending\":%u,\"sum\":%" PRIu64 "}",
		    i == 0 ? "" : ",", group->role->name, i, t->acknowledged, t->unknown, pending_of(load, t), t->sum);
	}
}

void
report(const struct load *load)
{
	printf("{\"turns\":%" PRIu64, load->turn);
	for (size_t i = 0; i < load->group_count; i++) {
		printf(",\"%s\":{", load->groups[i].role->name);
		report_counts(&load->groups[i].counts);
		printf(",\"layers\":[");
		report_layers(load, &load->groups[i]);
		printf("]}");
	}
	printf("}\n");
	fflush(stdout);
}
