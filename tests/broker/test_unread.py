"""Clients that do not read what is sent to them can't fill the broker's memory, and cost the others nothing."""

from pathlib import Path
from socket import create_connection

import gevent
import pytest
from brokers import BrokerProcess, batch, running
from test_limits import MOST_MB, PATIENCE, frame, greet, messages

from analytics.broker.clients import Publisher, Refill

BODY = 4 << 20
READ = b'{"type":"read","after":{"a":0},"max_bytes":16000000}'


def publish(broker: BrokerProcess, first: int, count: int) -> None:
    publisher = Publisher(broker.section, "test")
    for n in range(first, first + count):
        assert publisher.publish(batch("s", [n], pad=BODY)).get(timeout=PATIENCE).accepted == 1
    publisher.close()


@pytest.mark.parametrize("port", ["refill", "sender"])
def test_clients_that_do_not_read_can_not_fill_the_memory(tmp_path: Path, port: str) -> None:
    with running(tmp_path / "data") as broker:
        published = 0
        if port == "refill":
            publish(broker, 0, 4)
            published = 4
        clients = []
        for _ in range(10 if port == "refill" else 4):
            client = create_connection(("127.0.0.1", getattr(broker.section, f"{port}_port")), PATIENCE)
            clients.append(client)
            if port == "refill":
                greet(client, b"DEALER")
                client.sendall(next(messages([b"1", READ], 1)) * 3)
                gevent.sleep(0.1)
            else:
                greet(client, b"SUB")
                client.sendall(frame(b"\1a\0"))
                publish(broker, published, 18)
                published += 18
        refill, after, found = Refill(broker.section, PATIENCE), {"a": 0}, 0
        while messages_read := refill.read(after)[1]:
            found += len(messages_read)
            after["a"] = messages_read[-1].header.number
        assert found == published
        assert broker.memory_mb() < MOST_MB
        for client in clients:
            client.close()
