"""Tests of `ratios.py` and `plot.py`: `python3 -m unittest discover --start-directory benches`."""

import json
import pathlib
import tempfile
import unittest

import plot
import ratios


class Measured(unittest.TestCase):
    def write(self, directory, side, median, throughput):
        path = pathlib.Path(directory, "a_group", side, "16", "new")
        path.mkdir(parents=True)
        benchmark = {"group_id": "a/group", "function_id": side, "value_str": "16", "throughput": throughput}
        path.joinpath("benchmark.json").write_text(json.dumps(benchmark))
        path.joinpath("estimates.json").write_text(json.dumps({"median": {"point_estimate": median}}))

    def test_time_is_that_of_a_message(self):
        with tempfile.TemporaryDirectory() as directory:
            self.write(directory, "floor", 640.0, {"ElementsAndBytes": {"elements": 64, "bytes": 1024}})
            self.write(directory, "old", 640.0, {"Elements": 64})
            groups = ratios.measured(pathlib.Path(directory))
        self.assertEqual(groups, {"a/group": {"16": {"floor": 10.0}}})


class Tables(unittest.TestCase):
    def test_cases_are_sorted_by_size(self):
        names = ["random", "1024", "16", "16 well", "1024 in 4"]
        self.assertEqual(sorted(names, key=ratios.natural), ["16", "16 well", "1024", "1024 in 4", "random"])

    def test_sides_are_sorted_by_what_they_are(self):
        sides = ["limit XOR", "floor", "by words", "framewire, text", "framewire"]
        expected = ["framewire", "framewire, text", "by words", "floor", "limit XOR"]
        self.assertEqual(sorted(sides, key=ratios.rank), expected)

    def test_ratios_and_percentages(self):
        cases = {"16": {"framewire": 12.0, "floor": 8.0, "limit memcpy": 3.0}, "32": {"framewire": 4000.0}}
        head, _, first, second = ratios.table("decode", cases)
        words = [[cell.strip() for cell in line.strip("|").split("|")] for line in (head, first, second)]
        self.assertEqual(words[0], ["decode (ns)", "framewire", "x floor", "floor", "limit memcpy", "%"])
        self.assertEqual(words[1], ["16", "12.0", "1.50", "8.00", "3.00", "25 %"])
        self.assertEqual(words[2], ["32", "4 000", "", "", "", ""])

    def test_percentages_are_of_what_text_costs_above_binary(self):
        case = {"framewire": 30.0, "framewire, binary": 20.0, "limit simdutf8": 5.0}
        cells = list(ratios.cells(["framewire", "framewire, binary", "limit simdutf8"], case))
        self.assertIn(("above it", "10.0"), cells)
        self.assertIn(("%", "50 %"), cells)
        self.assertEqual(ratios.percentage(5.0, -1.0), "-")


class Plots(unittest.TestCase):
    TEXT = "cargo's own words\n\n# messages: message of 16 bytes\n       1        12.50\n       4         6.25\n"

    def test_tables_are_read(self):
        self.assertEqual(plot.tables(self.TEXT), {"messages": ("message of 16 bytes", [(1, 12.5), (4, 6.25)])})

    def test_exponent_is_that_of_the_whole_cost(self):
        linear = [(4**n, 3.0) for n in range(9)]
        quadratic = [(4**n, 3.0 * 4**n) for n in range(9)]
        self.assertAlmostEqual(plot.exponent(linear), 1.0)
        self.assertAlmostEqual(plot.exponent(quadratic), 2.0)

    def test_what_a_call_costs_at_all_is_no_growth(self):
        points = [(4**n, 3.0 + 100.0 / 4**n) for n in range(9)]
        self.assertTrue(0.85 < plot.exponent(points) < 1.0)

    def test_exponent_is_of_the_larger_half(self):
        points = [(1, 1.0), (4, 4.0), (16, 5.0), (64, 5.0)]
        self.assertAlmostEqual(plot.exponent(points), 1.0)

    def test_page_is_renewed_between_its_marks(self):
        page = f"a\n{plot.BEGIN}\nold\n{plot.END}\nb\n"
        self.assertEqual(plot.renewed(page, "new\n"), f"a\n{plot.BEGIN}\n\nnew\n\n{plot.END}\nb\n")


if __name__ == "__main__":
    unittest.main()
