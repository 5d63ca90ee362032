# SPDX-License-Identifier: MIT
"""Tests of plain HTTP again over TLS, where normd reads and writes in another way: those that would notice."""

import unittest
import unittest.mock

import test_drain
import test_framing
import test_hangups
import test_heads
import test_slow_clients
import test_wire
import tls


def only(case, *wanted):
    """The class with these of its tests, over TLS."""
    others = {name: None for name in dir(case) if name.startswith("test_") and name not in wanted}
    return type(case.__name__, (case,), {**others, "pair": tls.shared()})


class FramingOverTls(only(test_framing.Framing, "test_targets", "test_versions", "test_headers", "test_lengths",
                          "test_encodings", "test_chunks", "test_behind_another_request")):
    def rows(self, table):
        """Those after which the connection ends: of others it takes a while to know that they go on."""
        super().rows([row for row in table if row[3] == test_framing.ENDS] + table[:1])


class HeadsOverTls(only(test_heads.Heads, "test_the_bounds", "test_cookies", "test_one_after_another")):
    def test_some_sizes(self):
        with unittest.mock.patch.object(test_heads, "SIZES", [1, 7900, 15700, 16384]):
            test_heads.Heads.test_every_size(self)


class WireOverTls(only(test_wire.Wire, "test_sizes", "test_pieces", "test_a_large_answer_is_streamed_whole",
                       "test_pipelining_and_keep_alive_over_errors", "test_clients_that_stop_in_the_middle")):
    pass


class SlowClientsOverTls(only(test_slow_clients.SlowClients, "test_a_dripping_head_after_a_request_is_cut",
                              "test_idle_connections_are_not_cut",
                              "test_who_never_reads_answers_that_the_socket_holds_is_cut")):
    ALONE = True  # when clients are cut off


class HangUpsOverTls(only(test_hangups.HangUps, "test_it_hangs_up", "test_it_resets", "test_it_ends_its_side",
                          "test_it_ends_its_side_after_the_next_request", "test_it_stops_in_the_next_head")):
    ALONE = True  # when clients are cut off


class DrainOverTls(only(test_drain.Drain, "test_idle_connections_are_closed",
                        "test_slow_clients_are_cut_at_the_drain_timeout")):
    pass


if __name__ == "__main__":
    unittest.main()
