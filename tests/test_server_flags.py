"""A flagd daemon says who gets the challenger: its stream is followed, and its last word counts when it is gone."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2, sync_pb2_grpc

from mlctl.rollout import Note, Rollout, Traffic, buckets
from mlctl.rollout.flag_file import text_of
from mlctl.server.flags import Daemon
from mlctl.serving.http import Flags

KEYS = [f"c{number}" for number in range(500)]


def flag(traffic: Traffic) -> str:
    return text_of("shop", Rollout(traffic, 1, Note("Ann", datetime(2026, 11, 28, tzinfo=UTC), "to try")))


class Sync(sync_pb2_grpc.FlagSyncServiceServicer):
    """The daemon's side of the stream, as its protocol says."""

    def __init__(self) -> None:
        self.said: queue.Queue[str] = queue.Queue()

    def SyncFlags(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        while text := self.said.get():
            yield sync_pb2.SyncFlagsResponse(flag_configuration=text)

    def GetMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        return sync_pb2.GetMetadataResponse(metadata={"sources": "rollout.flagd.json"})


@pytest.fixture
def stream() -> Iterator[tuple[Sync, int, grpc.Server]]:
    server, sync = grpc.server(ThreadPoolExecutor(4)), Sync()
    sync_pb2_grpc.add_FlagSyncServiceServicer_to_server(sync, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield sync, port, server
    sync.said.put("")
    server.stop(None)


def until(daemon: Daemon, traffic: Traffic) -> list[str]:
    """Who gets whom, once the daemon's word has come."""
    expected = [buckets.variant("shop", traffic, key) for key in KEYS]
    found: list[str] = []
    for _ in range(200):
        found = [daemon.variant(key) for key in KEYS]
        if found == expected:
            break
        threading.Event().wait(0.05)
    assert found == expected
    return found


def test_a_daemon_is_followed_and_its_last_word_counts(stream: tuple[Sync, int, grpc.Server]) -> None:
    sync, port, server = stream
    first, second = Traffic("aaa", "bbb").at(20), Traffic("aaa", "bbb").at(60)
    sync.said.put(flag(first))
    daemon = Daemon("shop", Flags(kind="flagd", host="127.0.0.1", port=port))
    try:
        assert until(daemon, first).count("challenger") in range(60, 140)
        sync.said.put(flag(second))
        until(daemon, second)
        sync.said.put("")
        server.stop(None).wait()
        until(daemon, second)
    finally:
        daemon.close()
