"""A real Kafka broker for tests and benchmarks, from Maven Central's jars: one node, everything below one folder."""

import signal
import subprocess
import time
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from common.settings import ROOT
from graph.server.jars import ensure_jars
from graph.server.java import find_java
from graph.server.ports import free_ports

POM = Path(__file__).with_name("kafka-pom.xml")
START_SECONDS = 120
STOP_SECONDS = 30
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"""


class KafkaBroker:
    """One broker that can be killed and started again on what it had."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port, controller = free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None
        self._classpath = f"{ensure_jars(ROOT / '.cache', POM)}/*"
        folder.mkdir(parents=True)
        self._properties = folder / "server.properties"
        self._properties.write_text(PROPERTIES.format(port=self.port, controller=controller, folder=folder))
        format_storage = ["format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", str(self._properties)]
        subprocess.run(self._java("kafka.tools.StorageTool", *format_storage), check=True, capture_output=True)

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the running broker."""
        if self._process is None:
            raise RuntimeError("the broker is not running")
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self._folder / "console.log").open("ab") as console:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self._properties)), stdout=console, stderr=console
            )
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if admin.list_topics(timeout=1).brokers:
                    return
            except KafkaException:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise

    def kill(self) -> None:
        """Kill it as `kill -9` does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop it in order."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(STOP_SECONDS)
            self._process = None

    def _java(self, main: str, *arguments: str) -> list[str]:
        return [str(find_java()), "-Xmx384m", "-cp", self._classpath, main, *arguments]
