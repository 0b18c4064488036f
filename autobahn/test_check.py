"""Tests of what needs no wstest: python3 -m unittest discover --start-directory autobahn"""

import contextlib
import io
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

import check
import spec

HERE = Path(__file__).parent
COMMITTED = {
    name: json.loads((HERE / name).read_text())
    for name in ("fuzzingclient.json", "fuzzingserver.json")
}

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

    def test_committed_specs_want_the_same_known_cases(self) -> None:
        client, server = (check.wanted_cases(committed) for committed in COMMITTED.values())
        self.assertEqual(client, server)
        self.assertLessEqual(set(client), set(check.CASES))

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


class SpecOfRun(unittest.TestCase):
    def test_committed_cases_stay(self) -> None:
        for committed in COMMITTED.values():
            made = spec.spec_of_run(committed, "ours", 4321, [])
            self.assertEqual(check.wanted_cases(made), check.wanted_cases(committed))

    def test_given_cases_replace_what_is_wanted_and_excluded(self) -> None:
        for committed in COMMITTED.values():
            made = spec.spec_of_run(committed, "ours", 4321, ["10.*", "12.1.1"])
            self.assertEqual(check.wanted_cases(made), ["10.1.1", "12.1.1"])

    def test_each_direction_gets_its_peer(self) -> None:
        url = "ws://127.0.0.1:4321"
        client, server = (
            spec.spec_of_run(committed, "ours", 4321, []) for committed in COMMITTED.values()
        )
        self.assertEqual(client["servers"], [{"agent": "ours", "url": url}])
        self.assertNotIn("url", client)
        self.assertEqual(server["url"], url)
        self.assertNotIn("servers", server)

    def test_quick_cases_are_all_but_most_of_group_9(self) -> None:
        quick = set(check.wanted_cases({"cases": spec.QUICK}))
        left_out = set(check.wanted_cases(WITHOUT_DEFLATE)) - quick
        self.assertEqual(len(quick), 255)
        self.assertEqual({case.split(".")[0] for case in left_out}, {"9"})
        self.assertEqual(spec.unknown(spec.QUICK), [])

    def test_pattern_without_a_case_is_unknown(self) -> None:
        patterns = ["1.1.1", "8.1", "8.*", "1.1.9", "7.*"]
        self.assertEqual(spec.unknown(patterns), ["8.1", "8.*", "1.1.9"])


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


# In place of wstest: logs each line that it is sent, then answers with an empty one. In its report
# the cases that were run are OK. The file `taken` says how many times it finds its port taken.
STAND_IN = r"""#!/usr/bin/env python3
import json, pathlib, re, socket, sys

taken = pathlib.Path(__file__).with_name("taken")
if left := int(taken.read_text()):
    taken.write_text(str(left - 1))
    sys.exit("twisted.internet.error.CannotListenError")
results = {}
port = int(json.loads(pathlib.Path("spec.json").read_text())["url"].rpartition(":")[2])
listener = socket.create_server(("", port))
while True:
    connection, _ = listener.accept()
    with connection, connection.makefile() as lines:
        for line in lines:
            print(line, end="", flush=True)
            if ran := re.match("Running test case ID ([0-9.]+) for agent (.*) from", line):
                case, agent = ran.groups()
                results.setdefault(agent, {})[case] = {"behavior": "OK", "behaviorClose": "OK"}
            if line.startswith("Report generation complete"):
                pathlib.Path("reports").mkdir()
                pathlib.Path("reports/index.json").write_text(json.dumps(results))
            connection.sendall(b"\n")
"""

# Commands of a client, which is called with the URL and the name.
CONNECT = """[[ $1 =~ ^ws://127.0.0.1:([0-9]+)$ ]] || exit 9
exec 3<> "/dev/tcp/127.0.0.1/${BASH_REMATCH[1]}\""""
RUN = 'echo "Running test case ID {} for agent $2 from peer us" >&3; read -r <&3'
REPORT = 'echo "Report generation complete." >&3; read -r <&3'


class RunScripts(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        # A copy, because the scripts write beside their own folder.
        self.root = Path(folder.name)
        shutil.copytree(HERE, self.root / "autobahn", ignore=shutil.ignore_patterns("__pycache__"))
        programs = self.root / "target/wstest/bin"
        programs.mkdir(parents=True)
        (programs / "wstest").write_text(STAND_IN)
        (programs / "wstest").chmod(0o755)
        self.taken = programs / "taken"
        self.taken.write_text("0")

    def run_script(self, script: str, *arguments: str, **variables: str) -> tuple[int, str]:
        done = subprocess.run(
            [self.root / "autobahn" / script, *arguments],
            env={**os.environ, "WSTEST": str(self.root / "target/wstest"), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def run_client(self, *commands: str, **variables: str) -> tuple[int, str]:
        """Runs the cases 1.1.1 and 10.1.1 against a client that does what is given."""
        client = ["bash", "-c", "\n".join(commands), "client"]
        cases = ["--case", "1.1.1", "--case", "10.*"]
        return self.run_script("run-client", "--name", "ours", *cases, "--", *client, **variables)

    def assert_fails(self, ran: tuple[int, str], text: str) -> None:
        status, output = ran
        self.assertEqual(status, 1, output)
        self.assertIn(text, output.splitlines()[-1])
        self.assertIn("FAILED: ", output.splitlines()[-1])

    good = (CONNECT, RUN.format("1.1.1"), RUN.format("10.1.1"), REPORT)

    def test_good_client_passes(self) -> None:
        status, output = self.run_client(*self.good)
        self.assertEqual(status, 0, output)
        self.assertIn("passed: ours: 2 cases wanted, 2 run", output)

    def test_client_that_leaves_out_a_case_fails(self) -> None:
        ran = self.run_client(CONNECT, RUN.format("10.1.1"), REPORT)
        self.assert_fails(ran, "2 cases wanted, 1 run, 1 not as wanted")
        self.assertIn("ours 1.1.1: missing\n", ran[1])

    def test_client_that_runs_a_case_again_fails(self) -> None:
        ran = self.run_client(CONNECT, RUN.format("1.1.1"), *self.good[1:])
        self.assert_fails(ran, "the client ran these again: 1.1.1")

    def test_client_that_asks_for_no_report_fails_in_spite_of_an_old_one(self) -> None:
        self.assertEqual(self.run_client(*self.good)[0], 0)
        self.assert_fails(self.run_client("exit 0"), "the client did not ask for it")
        self.assertFalse((self.root / "target/autobahn/client/ours/reports").exists())

    def test_client_that_dies_half_way_fails(self) -> None:
        ran = self.run_client(CONNECT, RUN.format("1.1.1"), "echo broken pipe; exit 3")
        self.assert_fails(ran, "not 3: it began 1 cases, the last was 1.1.1")
        self.assertIn("broken pipe\n", ran[1])

    def test_client_that_fails_after_the_report_fails(self) -> None:
        self.assert_fails(self.run_client(*self.good, "exit 3"), "not 3: it began 2 cases")

    def test_client_that_hangs_fails(self) -> None:
        ran = self.run_client("exec sleep 600", TIME_LIMIT="1")
        self.assert_fails(ran, "within 1 s: it began 0 cases, the last was none")

    def test_taken_port_is_tried_again_but_not_for_ever(self) -> None:
        self.taken.write_text("2")
        self.assertEqual(self.run_client(*self.good)[0], 0)
        self.taken.write_text("3")
        self.assert_fails(self.run_client(*self.good), "start wstest on port")

    def test_bad_arguments_fail(self) -> None:
        for script in ["run-server", "run-client"]:
            for arguments, text in [
                (["--bogus"], "read the argument --bogus"),
                (["--name", "../x", "--", "true"], "use the name '../x'"),
                (["--name"], "give --name a value"),
                (["--case", "1.*", "--case"], "give --case a value"),
            ]:
                with self.subTest(script, arguments=arguments):
                    self.assert_fails(self.run_script(script, *arguments), text)
            with self.subTest(script, arguments="without wstest"):
                nowhere = str(self.root / "nowhere")
                ran = self.run_script(script, "--", "true", WSTEST=nowhere)
                self.assert_fails(ran, "run autobahn/install first")

    def test_case_that_does_not_exist_fails(self) -> None:
        client = self.run_script("run-client", "--case", "8.1", "--", "true")
        self.assert_fails(client, "no case matches 8.1")
        server = ["bash", "-c", "echo :1; exec sleep 600"]
        self.assert_fails(
            self.run_script("run-server", "--case", "8.*", "--", *server), "no case matches 8.*"
        )


if __name__ == "__main__":
    unittest.main()
