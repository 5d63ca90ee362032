# SPDX-License-Identifier: MIT
"""Each attack on the memory (attacks.py): the daemon stays within --max-memory,
and somebody else is answered meanwhile."""

import unittest

import attacks
from normd import BUILD, PATIENCE

ALONE = True  # it measures how soon another client is answered

# Of a small question, while a large one has the processors.
ANSWER_WITHIN_S = 5 * PATIENCE


@unittest.skipIf(any(name in BUILD for name in ("asan", "tsan", "coverage")), "a sanitizer's memory is not normd's")
class Attacks(unittest.TestCase):
    """A test for each row of the table."""

    def withstand(self, attack):
        peak, bystander = attacks.run(attack, attacks.QUICK)
        self.assertLessEqual(peak / (1 << 20), attacks.QUICK.max_memory / (1 << 20), "MiB at the peak")
        self.assertEqual(bystander.wrong, [])
        self.assertLessEqual(set(bystander.seen), {200, 503})
        self.assertLess(bystander.slowest_s, ANSWER_WITHIN_S)
        if attack.spared:
            self.assertEqual(set(bystander.seen), {200})


def add_tests():
    for attack in attacks.ATTACKS:
        setattr(Attacks, "test_" + attack.name, lambda self, attack=attack: self.withstand(attack))


add_tests()

if __name__ == "__main__":
    unittest.main()
