"""A real Prometheus looks at a real cluster: it scrapes a seed and two workers while a run computes, evaluates the rules of rules.yml and
the queries of grafana/elastic.json, and sees a lost worker and a lost seed. Ends with 1 at the first thing that is not as it should be.

  python3 deploy/prometheus/try.py ELASTIC PBM         needs: prometheus
"""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
SECONDS = 120                                      # for whatever is waited for; a busy machine is slow
processes = []


def start(command, log):
    process = subprocess.Popen(command, stdout=open(log, "w"), stderr=subprocess.STDOUT)
    processes.append(process)
    return process


def wait(what, condition):
    began, last = time.monotonic(), None
    while time.monotonic() - began < SECONDS:
        try:
            found = condition()
            if found:
                return found
        except (OSError, ValueError, KeyError) as error:
            last = error
        time.sleep(0.2)
    raise SystemExit(f"failed: not within {SECONDS} s: {what} ({last})")


def said(log, expression):
    return wait(f"{log.name} says {expression}", lambda: (re.search(expression, log.read_text()) or [None, None])[1])


class Prometheus:
    def __init__(self, root, targets):
        # The rules as they are, but that what lasts for minutes is told of after two seconds.
        rules = re.sub(r"\bfor: \d+m", "for: 2s", (HERE / "rules.yml").read_text())
        (root / "rules.yml").write_text(rules)
        config = (HERE / "prometheus.yml").read_text().replace("15s", "1s").replace('["127.0.0.1:9464"]', json.dumps(targets))
        (root / "prometheus.yml").write_text(config)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        start(["prometheus", f"--config.file={root}/prometheus.yml", f"--storage.tsdb.path={root}/tsdb",
               f"--web.listen-address={self.address}"], root / "prometheus.log")

    def ask(self, path, **query):
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def values(self, expression):
        return {tuple(sorted(r["metric"].items())): float(r["value"][1]) for r in self.ask("query", query=expression)["result"]}

    def up(self):
        return sorted(t["scrapeUrl"] for t in self.ask("targets")["activeTargets"] if t["health"] == "up")

    def rules(self):
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    def firing(self):
        return {a["labels"]["alertname"] for a in self.ask("alerts")["alerts"] if a["state"] == "firing"}


def queries():
    """What the Grafana dashboard asks, with its variables filled in."""
    def of(panels):
        for panel in panels:
            yield from (t["expr"] for t in panel.get("targets", []))
            yield from of(panel.get("panels", []))

    for expression in of(json.loads((HERE.parent / "grafana" / "elastic.json").read_text())["panels"]):
        yield re.sub(r"\$__\w+|\[\$\w+\]", lambda m: "1m" if m[0].startswith("$__") else "[1m]", re.sub(r"\$run\b", ".*", expression))


def main(elastic, pbm, root):
    logs = {name: root / f"{name}.log" for name in ("seed", "w1", "w2")}
    text = root / "text"
    text.mkdir()
    for number in range(100):
        (text / f"{number}.txt").write_text("\n".join(f"line {i} of text {number}" for i in range(300)))

    def node(role, name, *words):
        ports = ["--port", "0", "--http-port", "0", "--ops-port", "0"]
        return start([elastic, role, "--data-dir", str(root / name), *ports, *words], logs[name])

    seed = node("seed", "seed", "--pbm-port", "0", "--no-dashboard")
    endpoint, controls = said(logs["seed"], r"seed (\S+) is up"), said(logs["seed"], r"pbm (\S+) controls")
    workers = [node("worker", name, "--seed", endpoint, "--devices", "cpu:1") for name in ("w1", "w2")]
    targets = [said(log, r"ops http://([^\s:]+:\d+)") for log in logs.values()]
    said(logs["w2"], r"worker (\S+) is up")
    prometheus = Prometheus(root, targets)
    wait("Prometheus answers", lambda: prometheus.rules())
    subprocess.run(
        [pbm, controls, "run", "start", "-n", "seen", "-d", str(text), "--token-file", str(root / "seed" / "pbm-token"), *(
            word for s in ("run.replicas=2", "run.rounds=100000", "run.inner-steps=4", "model.layers=2", "model.width=64",
                           "corpus.held-out=0.1", "evaluation.every-rounds=2") for word in ("-s", s))], check=True, timeout=SECONDS)

    wait("all nodes are scraped", lambda: len(prometheus.up()) == 3)
    print(f"scraped: a seed and two workers, {int(sum(prometheus.values('scrape_samples_scraped').values()))} samples")
    wait("tokens are counted", lambda: sum(prometheus.values("elastic_tokens_total").values()) > 0)
    wait("rules are evaluated", lambda: all(r["health"] == "ok" for r in prometheus.rules()))
    for rule in prometheus.rules():
        print(f"rule {rule['name']}: {rule['state']}, {rule['health']}, {1000 * rule['evaluationTime']:.1f} ms")
    # What waits for a loss, and what runs of this length do not have.
    rare = ("recovery", "given_again", "quarantined", "lost", "by_source")
    asked = list(queries())
    for expression in asked:
        if any(word in expression for word in rare):
            prometheus.values(expression)
        else:
            wait(f"there is an answer to {expression}", lambda e=expression: prometheus.values(e))
    print(f"Grafana's {len(asked)} queries are answered")
    wait("nothing is wrong", lambda: not prometheus.firing() & {"ElasticNodeDown", "ElasticNoSupervisor", "ElasticRunFailed"})

    workers[0].kill()
    began = time.monotonic()
    wait("a killed worker is told of", lambda: "ElasticNodeDown" in prometheus.firing())
    print(f"a worker was killed: ElasticNodeDown fires after {time.monotonic() - began:.1f} s (with 2 s instead of 2 min)")
    losses = next(expression for expression in asked if "elastic_nodes_lost_total" in expression)
    wait("Grafana shows the loss", lambda: sum(prometheus.values(losses).values()) > 0)
    seed.send_signal(signal.SIGKILL)
    began = time.monotonic()
    wait("a killed seed is told of", lambda: "ElasticNoSupervisor" in prometheus.firing())
    print(f"the seed was killed: ElasticNoSupervisor fires after {time.monotonic() - began:.1f} s")
    print("all is as it should be")


if __name__ == "__main__":
    if len(sys.argv) != 3 or not shutil.which("prometheus"):
        sys.exit("usage: try.py ELASTIC PBM, where Debian's prometheus is installed")
    with tempfile.TemporaryDirectory(prefix="elastic-prometheus-") as folder:
        try:
            main(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), pathlib.Path(folder))
        finally:
            for one in processes:
                one.kill()
                one.wait()
