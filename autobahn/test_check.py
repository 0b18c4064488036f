"""Tests of check.py: python3 -m unittest discover autobahn"""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

import check

WITHOUT_DEFLATE = {"cases": ["*"], "exclude-cases": ["12.*", "13.*"]}


def result(behavior: str = "OK", behavior_close: str = "OK") -> dict[str, Any]:
    return {"behavior": behavior, "behaviorClose": behavior_close, "duration": 1}


def perfect(cases: list[str]) -> dict[str, dict[str, Any]]:
    """Results as good as wstest ever gives them."""
    informational = result("INFORMATIONAL", "INFORMATIONAL")
    return {case: informational if case in check.INFORMATIONAL else result() for case in cases}


class WantedCases(unittest.TestCase):
    def test_all_cases_are_517_different_ones(self) -> None:
        self.assertEqual(len(check.wanted_cases({"cases": ["*"]})), 517)
        self.assertEqual(len(set(check.CASES)), 517)

    def test_cases_without_deflate_are_301(self) -> None:
        self.assertEqual(len(check.wanted_cases(WITHOUT_DEFLATE)), 301)

    def test_committed_spec_names_no_unknown_case(self) -> None:
        spec = json.loads(Path(__file__).with_name("fuzzingclient.json").read_text())
        self.assertLessEqual(set(check.wanted_cases(spec)), set(check.CASES))

    def test_dot_is_no_wildcard(self) -> None:
        cases = check.wanted_cases({"cases": ["1.*"]})
        self.assertEqual(len(cases), 16)
        self.assertTrue(all(case.startswith("1.") for case in cases))

    def test_pattern_is_anchored_at_the_front_only(self) -> None:
        self.assertIn("13.1.10", check.wanted_cases({"cases": ["13.*.1"]}))

    def test_overlapping_patterns_want_a_case_once(self) -> None:
        self.assertEqual(check.wanted_cases({"cases": ["10.*", "10.1.1"]}), ["10.1.1"])

    def test_unknown_case_stays_wanted(self) -> None:
        self.assertEqual(check.wanted_cases({"cases": ["8.1"]}), ["8.1"])


class Verdict(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.index = Path(folder.name, "index.json")
        self.spec = Path(folder.name, "spec.json")
        self.spec.write_text(json.dumps(WITHOUT_DEFLATE))
        self.results = perfect(check.wanted_cases(WITHOUT_DEFLATE))

    def check(self) -> tuple[int, str]:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            status = check.main(str(self.index), str(self.spec))
        return status, output.getvalue()

    def check_results(self) -> tuple[int, str]:
        self.index.write_text(json.dumps({"ours": self.results}))
        return self.check()

    def assert_fails(self, checked: tuple[int, str], text: str) -> None:
        status, output = checked
        self.assertEqual(status, 1)
        self.assertIn(text, output)
        self.assertIn("autobahn: FAILED", output.splitlines()[-1])

    def test_perfect_report_passes(self) -> None:
        status, output = self.check_results()
        self.assertEqual(status, 0)
        self.assertEqual(
            output, "autobahn: passed: ours: 301 cases wanted, 301 run, 0 not as wanted\n"
        )

    def test_informational_case_may_be_ok(self) -> None:
        self.results["7.1.6"] = result()
        self.assertEqual(self.check_results()[0], 0)

    def test_any_other_behavior_fails(self) -> None:
        for behavior in ["NON-STRICT", "UNIMPLEMENTED", "INFORMATIONAL", "FAILED", "", "new"]:
            with self.subTest(behavior):
                self.results["6.4.1"] = result(behavior)
                expected = f"ours 6.4.1: behavior {behavior}, behaviorClose OK\n"
                self.assert_fails(self.check_results(), expected)

    def test_any_other_behavior_close_fails(self) -> None:
        for close in ["FAILED", "FAILED BY CLIENT", "WRONG CODE", "UNCLEAN", "INFORMATIONAL"]:
            with self.subTest(close):
                self.results["7.3.6"] = result("OK", close)
                expected = f"ours 7.3.6: behavior OK, behaviorClose {close}\n"
                self.assert_fails(self.check_results(), expected)

    def test_informational_case_may_not_fail(self) -> None:
        for case in check.INFORMATIONAL:
            for bad in [result("FAILED", "INFORMATIONAL"), result("INFORMATIONAL", "UNCLEAN")]:
                with self.subTest(case, bad=bad):
                    self.assert_fails(self.check_with(case, bad), f"ours {case}: ")

    def check_with(self, case: str, bad: dict[str, Any]) -> tuple[int, str]:
        self.results = perfect(list(self.results)) | {case: bad}
        return self.check_results()

    def test_result_without_verdict_fails(self) -> None:
        self.results["1.1.1"] = {}
        self.assert_fails(self.check_results(), "ours 1.1.1: behavior None, behaviorClose None\n")

    def test_missing_case_fails(self) -> None:
        del self.results["9.8.6"]
        self.assert_fails(self.check_results(), "ours 9.8.6: missing\n")

    def test_case_not_asked_for_fails(self) -> None:
        self.results["12.1.1"] = result()
        self.assert_fails(self.check_results(), "ours 12.1.1: not asked for\n")

    def test_right_number_of_wrong_cases_fails(self) -> None:
        del self.results["1.1.1"]
        self.results["13.1.1"] = result()
        self.assert_fails(self.check_results(), "301 cases wanted, 301 run, 2 not as wanted\n")

    def test_every_bad_case_is_printed(self) -> None:
        self.results = {case: result("FAILED") for case in self.results}
        status, output = self.check_results()
        self.assertEqual((status, len(output.splitlines())), (1, 302))

    def test_agent_without_cases_fails(self) -> None:
        self.results = {}
        self.assert_fails(self.check_results(), "0 run, 301 not as wanted\n")

    def test_bad_agent_fails_beside_a_good_one(self) -> None:
        bad = self.results | {"1.1.1": result("FAILED")}
        for agents in [{"good": self.results, "bad": bad}, {"bad": bad, "good": self.results}]:
            self.index.write_text(json.dumps(agents))
            self.assertEqual(self.check()[0], 1)

    def test_zero_agents_fail(self) -> None:
        self.index.write_text("{}")
        self.assert_fails(self.check(), "0 agents tested")

    def test_zero_wanted_cases_fail(self) -> None:
        self.spec.write_text(json.dumps({"cases": ["8.*"]}))
        self.results = {}
        self.assert_fails(self.check_results(), "0 cases wanted")

    def test_missing_report_fails(self) -> None:
        self.assert_fails(self.check(), "no report")

    def test_report_that_is_no_json_fails(self) -> None:
        for text in ["", '{"ours": {', "\x00"]:
            with self.subTest(text):
                self.index.write_text(text)
                self.assert_fails(self.check(), "no report")


if __name__ == "__main__":
    unittest.main()
