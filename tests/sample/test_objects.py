"""Samples in a real object store: the S3 server that the test cluster is built with, alone on the loopback."""

import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ratchet.errors import InputError
from ratchet.objects import Place, get_file, list_names, put_file, read_place, remove_object
from ratchet.records import Sample
from ratchet.sample import SAMPLES_FILE, Sampling, sample
from ratchet.sample.mirror import in_object_store
from ratchet.sample.parts import Mirror
from ratchet.storage import read_records

BUILT = Path(os.environ.get("TESTCLUSTER_CACHE", Path.home() / ".cache" / "testcluster")) / "bin"
SERVER = shutil.which("versitygw", path=os.pathsep.join([os.environ.get("PATH", ""), str(BUILT)]))
SETTINGS = Sampling(attempts=16, max_new_tokens=24, seed=3)

pytest.importorskip("boto3", reason="needs boto3 (the extra s3)")
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(SERVER is None, reason="needs versitygw, the S3 server of the test cluster, in PATH"),
]


class Store:
    """The server over one folder, which outlives its stops."""

    def __init__(self, root: Path) -> None:
        self._root = root
        (root / "bucket").mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        keys = ["--access", "test", "--secret", "testsecret", "--port", f"127.0.0.1:{self.port}"]
        command = [str(SERVER), *keys, "posix", str(self._root)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this process used before, and boto3's shared session keeps: keys that this store does not know."""
    import boto3

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "anothersecret")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    boto3.client("s3", region_name="us-east-1")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    store = Store(tmp_path / "store")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{store.port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testsecret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr("ratchet.sample.parts.SECONDS_BETWEEN_PARTS", 0.05)  # runs are short, their parts are many
    store.start()
    yield store
    store.stop()


def _fetched(place: Place, folder: Path) -> list[Sample]:
    get_file(place, SAMPLES_FILE, folder / SAMPLES_FILE)
    return read_records(folder / SAMPLES_FILE, Sample)


def _draw(problems: Path, checkpoint: Path, place: Place) -> Place:
    def draw(folder: Path, mirror: Mirror) -> Path:
        return sample(problems, checkpoint, folder, SETTINGS, ["train"], mirror=mirror)

    return in_object_store(place, draw)


def test_a_large_file_goes_up_in_pieces_and_comes_back_whole(other_keys: None, store: Store, tmp_path: Path) -> None:
    content = os.urandom(40 * 2**20)
    (tmp_path / "large").write_bytes(content)
    place = read_place("s3://bucket/a/b")
    put_file(place, "large", tmp_path / "large")
    put_file(place, "parts/small", tmp_path / "large")
    assert list_names(place) == ["large", "parts/small"]
    get_file(place, "large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content
    remove_object(place, "large")
    remove_object(place, "large")  # gone already
    assert list_names(place) == ["parts/small"]


def test_what_the_store_refuses_is_said_at_once_and_its_absence_after_a_while(store: Store, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(InputError, match="s3://none/x: .*NoSuchBucket"):
        put_file(Place("none", "x"), "x", tmp_path / "x")
    store.stop()
    with pytest.raises(InputError, match=r"no answer for \d s \(.*Connect"):
        put_file(Place("bucket", "x"), "x", tmp_path / "x", patience_s=2.0)


def test_a_store_that_is_stopped_and_started_during_a_run_loses_nothing(
    store: Store, problems: Path, untrained: Path, tmp_path: Path
) -> None:
    whole = sample(problems, untrained, tmp_path / "whole", SETTINGS, ["train"])
    place = read_place("s3://bucket/run/samples")
    partial = Place("bucket", "run/samples.partial")

    def interrupt() -> None:
        while len(list_names(partial)) < 2:
            time.sleep(0.02)
        store.stop()
        time.sleep(3)
        store.start()

    interruption = threading.Thread(target=interrupt)
    interruption.start()
    _draw(problems, untrained, place)
    interruption.join()
    assert _fetched(place, tmp_path / "back") == read_records(whole / SAMPLES_FILE, Sample)
    assert list_names(place) == ["identity.json", SAMPLES_FILE, "step.json"]
    assert list_names(partial) == []


def test_a_sampler_that_was_killed_goes_on_from_the_bucket_alone(
    store: Store, problems: Path, untrained: Path, tmp_path: Path
) -> None:
    whole = sample(problems, untrained, tmp_path / "whole", SETTINGS, ["train"])
    place = read_place("s3://bucket/run/samples")
    partial = Place("bucket", "run/samples.partial")
    child = multiprocessing.get_context("fork").Process(target=_start, args=(problems, untrained, place))
    child.start()
    while len(list_names(partial)) < 2 and child.is_alive():  # the stamp and a part
        time.sleep(0.02)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert [name for name in list_names(partial) if name.startswith("parts/")]
    _draw(problems, untrained, place)
    drawn, wanted = _fetched(place, tmp_path / "back"), read_records(whole / SAMPLES_FILE, Sample)
    assert [replace(sample, logprob=0.0) for sample in drawn] == [replace(sample, logprob=0.0) for sample in wanted]
    sums = [sample.logprob for sample in wanted]  # in another batch they round otherwise
    assert [sample.logprob for sample in drawn] == pytest.approx(sums, abs=1e-4)
    before = list_names(place)
    _draw(problems, untrained, place)  # a whole result is left as it is
    assert list_names(place) == before


def _start(problems: Path, checkpoint: Path, place: Place) -> None:
    torch.set_num_threads(1)  # the threads of the parent are not there in a fork, and would be waited for
    _draw(problems, checkpoint, place)
