"""A W&B server on the loopback interface: as much of it as `wandb sweep`, `wandb agent`, `wandb sync` and runs ask for.

It keeps what they send, for tests to look at, hands out a sweep's grid points one by one, and fails loudly where it is
asked for something that it does not know.
"""

from __future__ import annotations

import gzip
import itertools
import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

USER = "tester"
Json = dict[str, Any]


@dataclass
class Run:
    """What is known of one run. `exit_code` is None until it says how it ended."""

    name: str
    sweep: str | None = None
    group: str | None = None
    job_type: str | None = None
    display_name: str | None = None
    tags: list[str] = field(default_factory=list)
    config: Json = field(default_factory=dict)
    summary: Json = field(default_factory=dict)
    history: list[Json] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    exit_code: int | None = None


@dataclass
class Sweep:
    """A sweep, the grid points that no agent has taken yet, and runs that an agent is to stop."""

    name: str
    config: Json
    waiting: list[Json]
    stopping: set[str] = field(default_factory=set)
    run_names: list[str] = field(default_factory=list)


def grid(config: Json) -> list[Json]:
    """A grid's points as agents receive them, by W&B's rules."""
    axes = []
    for key, spec in config["parameters"].items():
        values = spec.get("values") or ([spec["value"]] if "value" in spec else range(spec["min"], spec["max"] + 1))
        axes.append([(key, value) for value in values])
    return [{key: {"value": value} for key, value in point} for point in itertools.product(*axes)]


class Server:
    """The server's state and its answers, one method per GraphQL operation."""

    def __init__(self) -> None:
        self.url = ""
        self.sweeps: dict[str, Sweep] = {}
        self.agents: dict[str, Sweep] = {}
        self.runs: dict[str, Run] = {}
        self.artifacts: dict[str, Json] = {}
        self.stored: dict[str, bytes] = {}
        self.unknown: list[str] = []
        self.lock = threading.RLock()

    def answer(self, query: str, variables: Json) -> Json:
        """The answer to a GraphQL request.

        Raises:
            KeyError: an operation that this server does not know.
        """
        found = re.search(r"(?:query|mutation)\s+(\w+)", query)
        name = found[1] if found else ""
        method = getattr(self, f"on_{name}", None)
        if method is None:
            self.unknown.append(query)
            raise KeyError(name or query)
        with self.lock:
            result: Json = method(variables)
        return result

    # Accounts --------------------------------------------------------------------------------------------------------

    def on_Viewer(self, asked: Json) -> Json:
        return {"viewer": {"id": "1", "entity": USER, "username": USER, "flags": "{}", "teams": {"edges": []}}}

    def on_OrganizationCoreWeaveOrganizationID(self, asked: Json) -> Json:
        return {"entity": {"organization": None}}

    def on_ServerFeaturesQuery(self, asked: Json) -> Json:
        return {"serverInfo": {"features": []}}

    # Sweeps ----------------------------------------------------------------------------------------------------------

    def on_UpsertSweep(self, asked: Json) -> Json:
        name = f"sweep{len(self.sweeps)}"
        config = yaml.safe_load(asked["config"])
        self.sweeps[name] = Sweep(name, config, grid(config))
        project = {"id": "p", "name": asked["projectName"], "entity": {"id": "e", "name": USER}}
        return {"upsertSweep": {"sweep": {"name": name, "project": project}, "configValidationWarnings": []}}

    def on_SweepWithRuns(self, asked: Json) -> Json:
        sweep = self.sweeps[asked["sweep"]]
        known = {"id": sweep.name, "name": sweep.name, "state": "RUNNING", "config": yaml.safe_dump(sweep.config)}
        return {"project": {"sweep": {**known, "runs": {"edges": []}}}}

    def on_CreateAgent(self, asked: Json) -> Json:
        name = f"agent{len(self.agents)}"
        self.agents[name] = self.sweeps[asked["sweep"]]
        return {"createAgent": {"agent": {"id": name}}}

    def on_Heartbeat(self, asked: Json) -> Json:
        """One run at a time for each agent; when there is none left, it may go."""
        sweep, running = self.agents[asked["id"]], json.loads(asked["runState"])
        if running:
            commands = [{"type": "stop", "run_id": name} for name in running if name in sweep.stopping]
        elif sweep.waiting:
            name = f"{sweep.name}run{len(sweep.run_names)}"
            sweep.run_names.append(name)
            self.runs[name] = Run(name, sweep=sweep.name)
            commands = [
                {"type": "run", "run_id": name, "program": sweep.config["program"], "args": sweep.waiting.pop(0)}
            ]
        else:
            commands = [{"type": "exit"}]
        return {"agentHeartbeat": {"agent": {"id": asked["id"]}, "commands": json.dumps(commands)}}

    # Runs ------------------------------------------------------------------------------------------------------------

    def on_RunResumeStatus(self, asked: Json) -> Json:
        return {"model": {"id": "p", "name": asked["project"], "entity": {"id": "e", "name": USER}, "bucket": None}}

    def on_UpsertBucket(self, asked: Json) -> Json:
        known = asked["name"] in self.runs
        run = self.runs.setdefault(asked["name"], Run(asked["name"]))
        for ours, theirs in (
            ("sweep", "sweep"), ("group", "groupName"), ("job_type", "jobType"), ("display_name", "displayName"),
            ("tags", "tags"),
        ):  # fmt: skip
            if asked.get(theirs):
                setattr(run, ours, asked[theirs])
        if asked.get("config"):
            run.config = {key: entry["value"] for key, entry in json.loads(asked["config"]).items() if key != "_wandb"}
        project = {"id": "p", "name": asked["project"], "entity": {"id": "e", "name": USER}}
        bucket = {
            "id": run.name, "name": run.name, "displayName": run.display_name, "description": None, "config": "{}",
            "sweepName": run.sweep, "project": project, "historyLineCount": len(run.history),
        }  # fmt: skip
        return {"upsertBucket": {"bucket": bucket, "inserted": not known}}

    def on_CreateRunFiles(self, asked: Json) -> Json:
        files = [{"name": name, "uploadUrl": f"{self.url}/storage/{asked['run']}/{name}"} for name in asked["files"]]
        return {"createRunFiles": {"runID": asked["run"], "uploadHeaders": [], "files": files}}

    # Artifacts -------------------------------------------------------------------------------------------------------

    def on_ArtifactType(self, asked: Json) -> Json:
        return {"project": {"artifact": None}}  # none of that name so far

    def on_CreateArtifact(self, asked: Json) -> Json:
        given = asked["input"]
        name = f"artifact{len(self.artifacts)}"
        self.artifacts[name] = {**given, "committed": False}
        return {"createArtifact": {"artifact": {"id": name, "state": "PENDING", "artifactSequence": {"id": "s"}}}}

    def on_CreateArtifactManifest(self, asked: Json) -> Json:
        name = asked["artifactID"]
        file = {
            "id": "f", "name": asked["name"], "displayName": asked["name"],
            "uploadUrl": f"{self.url}/storage/{name}/manifest", "uploadHeaders": [],
        }  # fmt: skip
        return {"createArtifactManifest": {"artifactManifest": {"id": name, "file": file}}}

    def on_CreateArtifactFiles(self, asked: Json) -> Json:
        edges = []
        for given in asked["input"]["artifactFiles"]:
            url = f"{self.url}/storage/{given['artifactID']}/{given['name']}"
            node = {"id": url, "name": given["name"], "displayName": given["name"], "uploadUrl": url,
                    "uploadHeaders": [], "artifact": {"id": given["artifactID"]}}  # fmt: skip
            edges.append({"node": node})
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def on_CommitArtifact(self, asked: Json) -> Json:
        self.artifacts[asked["artifactID"]]["committed"] = True
        return {"commitArtifact": {"artifact": {"id": asked["artifactID"], "digest": ""}}}

    # Beside GraphQL --------------------------------------------------------------------------------------------------

    def stream(self, name: str, sent: Json) -> None:
        """Rows of a run's curves and its summary as they are written, and how it ended."""
        with self.lock:
            run = self.runs[name]
            for file, chunk in sent.get("files", {}).items():
                if file == "wandb-history.jsonl":
                    run.history += [json.loads(line) for line in chunk["content"]]
                elif file == "wandb-summary.json":
                    run.summary |= json.loads(chunk["content"][-1])
            if sent.get("complete"):
                run.exit_code = sent["exitcode"]

    def store(self, path: str, content: bytes) -> None:
        """Keep an uploaded file, with the run that it belongs to, or by its path."""
        owner, _, name = path.partition("/")
        with self.lock:
            if owner in self.runs:
                self.runs[owner].files[name] = content
            else:
                self.stored[path] = content


class Handler(BaseHTTPRequestHandler):
    """HTTP around a `Server`."""

    protocol_version = "HTTP/1.1"
    state: Server

    def do_POST(self) -> None:
        body = self.body()
        if self.path.startswith("/sdk/"):  # what the client measures of itself
            self.reply({})
            return
        content = json.loads(body)
        if self.path == "/graphql":
            try:
                self.reply({"data": self.state.answer(content["query"], content.get("variables") or {})})
            except KeyError as error:
                self.reply({"errors": [{"message": f"this server does not know {error}"}]}, status=400)
        elif self.path.endswith("/file_stream"):
            self.state.stream(self.path.split("/")[-2], content)
            self.reply({})
        else:
            self.reply({"error": f"no {self.path}"}, status=404)

    def do_PUT(self) -> None:
        self.state.store(self.path.removeprefix("/storage/"), self.body())
        self.reply({})

    def do_GET(self) -> None:
        self.reply({})

    def body(self) -> bytes:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(content) if self.headers.get("Content-Encoding") == "gzip" else content

    def reply(self, answer: Json, status: int = 200) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        """Nothing: what matters is kept in the state."""


class QuietHTTPServer(ThreadingHTTPServer):
    """One that takes it calmly when a client is killed."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving() -> Iterator[Server]:
    """A server at a free port of the loopback interface."""
    state = Server()
    http = QuietHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"state": state}))
    state.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        http.shutdown()
        http.server_close()
        thread.join(10)
