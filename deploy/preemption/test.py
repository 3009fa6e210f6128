#!/usr/bin/env python3
"""Tests of the watcher against metadata services that are imitated on the loopback: python3 deploy/preemption/test.py"""
import http.server
import os
import subprocess
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
DEADLINE_SECONDS = 60


class Service(http.server.ThreadingHTTPServer):
    """Answers by a function of (method, path, headers) that returns (status, text)."""

    def __init__(self, answer, port=0):
        self.answer, self.asked = answer, 0
        super().__init__(("127.0.0.1", port), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def handle_any(self):
        status, text = self.server.answer(self.command, self.path, self.headers)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
        self.server.asked += 1

    do_GET = do_PUT = handle_any

    def log_message(self, *_):
        pass


def wait_for(condition):
    end = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("nothing came of it within a minute")
        time.sleep(0.02)


class WatchTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = os.path.join(folder.name, "preempted")

    def watch(self, cloud, port):
        environment = dict(os.environ, ELASTIC_METADATA_URL=f"http://127.0.0.1:{port}", ELASTIC_METADATA_SECONDS="0.05")
        process = subprocess.Popen(
            [os.path.join(HERE, "watch"), cloud, self.file], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def serve(self, answer, port=0):
        service = Service(answer, port)
        self.addCleanup(service.server_close)
        self.addCleanup(service.shutdown)
        return service

    def assert_told_after(self, service, cloud, tell):
        """The file is not there after some questions, and is there once the service tells."""
        process = self.watch(cloud, service.server_port)
        wait_for(lambda: service.asked >= 6)
        self.assertFalse(os.path.exists(self.file))
        tell()
        self.assertEqual(0, process.wait(DEADLINE_SECONDS), process.stdout.read())
        self.assertTrue(os.path.exists(self.file))

    def test_aws_is_asked_with_a_token_that_is_renewed_when_it_is_refused(self):
        state = {"tokens": 0, "uses": 0, "told": False}

        def answer(method, path, headers):
            if (method, path) == ("PUT", "/latest/api/token"):
                if headers["X-aws-ec2-metadata-token-ttl-seconds"] is None:
                    return 400, ""
                state["tokens"], state["uses"] = state["tokens"] + 1, 0
                return 200, f"token-{state['tokens']}"
            state["uses"] += 1
            if state["tokens"] == 0 or headers["X-aws-ec2-metadata-token"] != f"token-{state['tokens']}" or state["uses"] > 2:
                return 401, ""
            if path != "/latest/meta-data/spot/instance-action" or not state["told"]:
                return 404, ""
            return 200, '{"action": "terminate", "time": "2026-01-02T03:04:05Z"}'

        service = self.serve(answer)
        self.assert_told_after(service, "aws", lambda: state.update(told=True))
        self.assertGreater(state["tokens"], 1)

    def test_gcp_is_asked_with_its_header(self):
        state = {"told": "FALSE"}

        def answer(method, path, headers):
            if headers["Metadata-Flavor"] != "Google":
                return 403, "TRUE"
            return (200, state["told"]) if path == "/computeMetadata/v1/instance/preempted" else (404, "")

        self.assert_told_after(self.serve(answer), "gcp", lambda: state.update(told="TRUE"))

    def test_azure_events_of_other_machines_and_of_other_kinds_are_no_notice(self):
        def event(kind, *machines):
            names = ", ".join(f'"{m}"' for m in machines)
            return f'{{"EventId": "A1", "EventType": "{kind}", "Resources": [{names}], "EventStatus": "Scheduled"}}'

        others = [event("Preempt", "w_7", "w_17"), event("Freeze", "w_1")]
        state = {"events": others}

        def answer(method, path, headers):
            if headers["Metadata"] != "true":
                return 400, ""
            if path.startswith("/metadata/instance/compute/name?"):
                return 200, "w_1"
            if path.startswith("/metadata/scheduledevents?"):
                return 200, f'{{"DocumentIncarnation": 1, "Events": [{", ".join(state["events"])}]}}'
            return 404, ""

        told = [others[0], event("Preempt", "w_2", "w_1")]
        self.assert_told_after(self.serve(answer), "azure", lambda: state.update(events=told))

    def test_a_service_that_comes_later_or_fails_now_and_then_is_asked_again(self):
        first = self.serve(lambda *_: (500, "TRUE"))
        process = self.watch("gcp", first.server_port)
        wait_for(lambda: first.asked >= 2)
        self.assertFalse(os.path.exists(self.file))
        first.answer = lambda *_: (200, "TRUE")
        self.assertEqual(0, process.wait(DEADLINE_SECONDS))
        self.assertTrue(os.path.exists(self.file))

    def test_an_unknown_cloud_and_a_file_of_an_earlier_notice_are_refused(self):
        self.assertEqual(2, self.watch("mars", 1).wait(DEADLINE_SECONDS))
        with open(self.file, "w"):
            pass
        self.assertEqual(1, self.watch("gcp", 1).wait(DEADLINE_SECONDS))


if __name__ == "__main__":
    unittest.main()
