"""Tests of the figures: python3 -m unittest discover --start-directory benches/instructions"""

import unittest

from figures import Figures, Table, compare, differences, instructions, parse, per_message, render

PROFILE = """\
version: 1
events: Ir

fn=instructions::counted
0 7
cfn=run
calls=2 0
0 130

fn=run
0 50
cfn=instructions::deliver
calls=3 0
5 60
cfn=instructions::delivered
calls=1 0
5 20
cfn=instructions::deliver
calls=1 0
9 10

totals: 137
"""


def rows(*figures: tuple[float, float, float]) -> dict[str, Figures]:
    return {f"row {number}": Figures(*row) for number, row in enumerate(figures)}


class Counting(unittest.TestCase):
    def test_what_is_done_once_is_no_part_of_a_message(self) -> None:
        once, twice = Figures(1000 + 64 * 50, 3 + 64, 100), Figures(1000 + 128 * 50, 3 + 128, 100)
        self.assertEqual(per_message(once, twice, 64), Figures(50, 1, 0))

    def test_what_is_done_for_several_messages_is_shared_by_them(self) -> None:
        each = per_message(Figures(0, 0, 0), Figures(97, 1, 32), 64)
        self.assertEqual(each, Figures(1.52, 0.02, 0.5))

    def test_all_calls_of_one_function_are_taken_off(self) -> None:
        self.assertEqual(instructions(PROFILE, "instructions::deliver"), 137 - 60 - 10)
        self.assertEqual(instructions(PROFILE, "nothing that is called"), 137)

    def test_profile_without_totals_is_none(self) -> None:
        with self.assertRaises(ValueError):
            instructions(PROFILE.replace("totals", "summary"), "instructions::deliver")


class Keeping(unittest.TestCase):
    def test_table_comes_back_as_it_was_kept(self) -> None:
        table = Table(
            {"rustc": "1.95.0", "processor": "sse4.2: avx2"},
            {"16 B, 64 to a flush": Figures(58.27, 0, 0), "opens": Figures(22865, 5, 661.5)},
        )
        self.assertEqual(parse(render(table)), table)

    def test_table_is_a_line_each(self) -> None:
        table = Table({"libc": "glibc"}, {"a, b": Figures(100, 2.1, 0.25)})
        head = "scenario,instructions,allocations,bytes"
        self.assertEqual(render(table), f'# libc: glibc\n{head}\n"a, b",100,2.1,0.25\n')

    def test_conditions_that_differ_are_told(self) -> None:
        kept = {"rustc": "1.95.0", "libc": "2.36"}
        self.assertEqual(differences(kept, dict(kept)), [])
        now = {"rustc": "1.96.0", "processor": "avx2"}
        told = ["rustc: 1.95.0 -> 1.96.0", "libc: 2.36 -> nothing", "processor: nothing -> avx2"]
        self.assertEqual(differences(kept, now), told)


class Comparing(unittest.TestCase):
    def verdict(self, before: tuple[float, float, float], after: tuple[float, float, float]) -> str:
        worse, better, same = compare(rows(before), rows(after))
        self.assertEqual(len(worse) + len(better) + same, 1)
        return "worse" if worse else "better" if better else "same"

    def test_few_instructions_may_be_three_more(self) -> None:
        self.assertEqual(self.verdict((50, 0, 0), (53, 0, 0)), "same")
        self.assertEqual(self.verdict((50, 0, 0), (53.1, 0, 0)), "worse")
        self.assertEqual(self.verdict((50, 0, 0), (46.9, 0, 0)), "better")

    def test_many_instructions_may_be_two_in_a_hundred_more(self) -> None:
        self.assertEqual(self.verdict((10_000, 0, 0), (10_200, 0, 0)), "same")
        self.assertEqual(self.verdict((10_000, 0, 0), (10_201, 0, 0)), "worse")
        self.assertEqual(self.verdict((10_200, 0, 0), (10_000, 0, 0)), "same")
        self.assertEqual(self.verdict((10_201, 0, 0), (10_000, 0, 0)), "better")

    def test_allocations_may_not_be_any_more(self) -> None:
        self.assertEqual(self.verdict((100, 1, 64), (100, 1.01, 64)), "worse")
        self.assertEqual(self.verdict((100, 1, 64), (100, 1, 65)), "worse")
        self.assertEqual(self.verdict((100, 1, 64), (100, 0, 0)), "better")

    def test_what_is_worse_in_one_way_is_worse(self) -> None:
        self.assertEqual(self.verdict((1000, 0, 0), (500, 1, 8)), "worse")
        self.assertEqual(self.verdict((1000, 1, 8), (1100, 0, 0)), "worse")

    def test_old_and_new_are_told(self) -> None:
        worse, _, _ = compare(rows((100, 0, 0)), rows((110, 1, 8)))
        told = "row 0: 100 -> 110 instructions (+10.0 %), 0 -> 1 allocations, 0 -> 8 bytes"
        self.assertEqual(worse, [told])

    def test_each_scenario_has_to_be_kept_and_there(self) -> None:
        worse, better, same = compare({"a": Figures(1, 0, 0)}, {"b": Figures(1, 0, 0)})
        self.assertEqual((len(worse), better, same), (2, [], 0))


if __name__ == "__main__":
    unittest.main()
