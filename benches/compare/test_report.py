"""python3 -m unittest discover benches/compare"""

import json
import unittest

import report


def row(scenario, unit="ns", **figures):
    made = report.Row(scenario, unit)
    for name, value in figures.items():
        contestant, _, idiom = name.partition("__")
        made.add(contestant.replace("_", "-"), idiom or "best", value)
    return made


class Arithmetic(unittest.TestCase):
    def test_best_peer_is_none_of_the_yardsticks(self):
        self.assertEqual(row("binary 16", framewire=4, floor=3, yawc=9, soketto=8).best_peer(), (8, "soketto"))
        self.assertIsNone(row("binary 16", framewire=4, floor=3).best_peer())

    def test_a_contestant_is_judged_by_its_best_idiom(self):
        self.assertEqual(row("binary 16", yawc=9, yawc__readme=7).best_peer(), (7, "yawc"))

    def test_we_are_judged_by_our_readme(self):
        made = row("echo 64 x 1 x 64 B", framewire=4, framewire__readme=5)
        self.assertEqual(made.ours(), 5)

    def test_all_targets_of_a_row_have_to_be_met(self):
        # At most 1.5 times the floor, and a seventh of the best peer.
        self.assertTrue(row("binary 16", framewire=4, floor=3, yawc=28).met())
        self.assertFalse(row("binary 16", framewire=4, floor=3, yawc=27).met())
        self.assertFalse(row("binary 16", framewire=5, floor=3, yawc=100).met())

    def test_nothing_is_met_that_can_not_be_told(self):
        self.assertIsNone(row("binary 16", framewire=4, floor=3).met())
        self.assertFalse(row("binary 16", framewire=5, floor=3).met())
        self.assertIsNone(row("mixed 16", framewire=4, floor=3).met())

    def test_targets_of_one_idiom(self):
        figures = {"framewire__default": 110, "zlib_rs__level 1": 100, "zlib_rs__level 6": 50}
        self.assertTrue(row("compress 150", yawc__default=111, yawc__readme=1, **figures).met())
        self.assertFalse(row("compress 150", yawc__default=109, **figures).met())

    def test_a_floor_and_a_reference_count(self):
        self.assertTrue(row("serve 16384, flush 1", framewire=24, floor=5).met())
        self.assertFalse(row("serve 16384, flush 1", framewire=24.1, floor=5).met())

    def test_of_messages_a_second_more_is_better(self):
        made = row("echo", "M/s", framewire=3, yawc=2, soketto=1)
        self.assertEqual(made.best_peer(), (2, "yawc"))
        self.assertAlmostEqual(made.ratio(2), 1.5)


class Text(unittest.TestCase):
    def test_numbers(self):
        shown = [report.number(value) for value in [0.0156, 3.14, 42.04, 278.4, 24774.2, None]]
        self.assertEqual(shown, ["0.02", "3.1", "42.0", "278", "24 774", "-"])

    def test_cells(self):
        made = row("binary 16", yawc=7, yawc__readme=9, framewire__default=4)
        self.assertEqual(report.cell(made, "yawc"), "7.0 (readme 9.0)")
        self.assertEqual(report.cell(made, "framewire"), "default 4.0")
        self.assertEqual(report.cell(made, "soketto"), "-")

    def test_what_is_stored_is_read_again(self):
        results = {"date": "today", "versions": {"yawc": "0.5"}, "figures": [{"value": 1.5}, {"value": 2}]}
        self.assertEqual(json.loads(report.stored(results)), results)

    def test_what_is_between_markers_is_replaced(self):
        text = "a\n<!-- comparison -->\nold\n<!-- end of comparison -->\nb\n"
        new = report.replaced(text, "comparison", "new")
        self.assertEqual(new, "a\n<!-- comparison -->\n\nnew\n\n<!-- end of comparison -->\nb\n")
        self.assertEqual(report.replaced(new, "comparison", "new"), new)


if __name__ == "__main__":
    unittest.main()
