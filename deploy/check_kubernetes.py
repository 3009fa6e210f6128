"""Compares the parts of what kubectl kustomize has built: selectors with labels, probes and services with ports, secrets, volumes, times."""
import sys

import yaml

# node.leave-budget on the network preset spot, and what a process takes to end after it.
LEAVE_SECONDS, END_SECONDS = 12, 5
REQUIRED = {
    "Namespace": (), "ConfigMap": ("data",), "Service": ("spec",), "PodDisruptionBudget": ("spec",), "NetworkPolicy": ("spec",),
    "StatefulSet": ("spec",), "Deployment": ("spec",),
}
VERSIONS = {"StatefulSet": "apps/v1", "Deployment": "apps/v1", "PodDisruptionBudget": "policy/v1", "NetworkPolicy": "networking.k8s.io/v1"}


def matches(selector, labels):
    if not all(labels.get(k) == v for k, v in selector.get("matchLabels", {}).items()):
        return False
    return all(e["operator"] == "In" and labels.get(e["key"]) in e["values"] for e in selector.get("matchExpressions", []))


def problems_of(documents):
    for d in documents:
        kind = d["kind"]
        if kind not in REQUIRED:
            yield f"{kind} is not known to this check: add it"
            continue
        if d["apiVersion"] != VERSIONS.get(kind, "v1"):
            yield f"{kind} {d['metadata']['name']} has version {d['apiVersion']}"
        for field in ("metadata", *REQUIRED[kind]):
            if field not in d:
                yield f"{kind} lacks {field}"
        if kind != "Namespace" and d["metadata"].get("namespace") != "elastic":
            yield f"{kind} {d['metadata']['name']} is in no namespace"

    workloads = [d for d in documents if d["kind"] in ("StatefulSet", "Deployment")]
    labels = [w["spec"]["template"]["metadata"]["labels"] for w in workloads]
    maps = {d["metadata"]["name"] for d in documents if d["kind"] == "ConfigMap"}
    for d in documents:
        name, spec = d["metadata"]["name"], d.get("spec", {})
        if d["kind"] == "Service" and not any(matches({"matchLabels": spec["selector"]}, l) for l in labels):
            yield f"Service {name} selects no pod"
        if d["kind"] == "PodDisruptionBudget" and not any(matches(spec["selector"], l) for l in labels):
            yield f"PodDisruptionBudget {name} selects no pod"
        if d["kind"] == "NetworkPolicy" and not any(matches(spec["podSelector"], l) for l in labels):
            yield f"NetworkPolicy {name} selects no pod"

    for workload in workloads:
        where, spec = f"{workload['kind']} {workload['metadata']['name']}", workload["spec"]
        pod = spec["template"]["spec"]
        if not matches(spec["selector"], spec["template"]["metadata"]["labels"]):
            yield f"{where}: its selector does not match its own pods"
        if workload["kind"] == "StatefulSet" and not any(
                d["kind"] == "Service" and d["metadata"]["name"] == spec["serviceName"]
                and d["spec"].get("clusterIP") == "None" and d["spec"].get("publishNotReadyAddresses") for d in documents):
            yield f"{where}: {spec['serviceName']} is no headless service that publishes addresses that are not ready"
        if pod["terminationGracePeriodSeconds"] < LEAVE_SECONDS + END_SECONDS:
            yield f"{where}: {pod['terminationGracePeriodSeconds']} s are too short for a leave"
        volumes = {v["name"]: v for v in pod.get("volumes", [])}
        claims = {c["metadata"]["name"] for c in spec.get("volumeClaimTemplates", [])}
        for volume in volumes.values():
            if "configMap" in volume and volume["configMap"]["name"] not in maps:
                yield f"{where}: there is no ConfigMap {volume['configMap']['name']}"
        for container in pod["initContainers"] + pod["containers"]:
            for mount in container["volumeMounts"]:
                if mount["name"] not in volumes and mount["name"] not in claims:
                    yield f"{where}: {container['name']} mounts {mount['name']}, which is no volume"
            if not container["securityContext"]["readOnlyRootFilesystem"] or "requests" not in container["resources"]:
                yield f"{where}: {container['name']} lacks requests or a read-only root"
            environment = {e["name"] for e in container["env"]}
            for argument in container.get("args", []):
                if "$(" in argument and argument.split("$(")[1].split(")")[0] not in environment:
                    yield f"{where}: {argument} names a variable that is not set"
        for container in pod["containers"]:
            ports = {p["name"]: p["containerPort"] for p in container["ports"]}
            if f"--ops-port={ports['ops']}" not in container["args"]:
                yield f"{where}: the port of the probes is not --ops-port"
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if container[probe]["httpGet"]["port"] not in ports:
                    yield f"{where}: {probe} asks a port that has no name"


found = 0
for path in sys.argv[1:]:
    with open(path) as file:
        for problem in problems_of([d for d in yaml.safe_load_all(file) if d]):
            print(f"{path}: {problem}")
            found += 1
sys.exit(1 if found else 0)
