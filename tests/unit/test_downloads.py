from __future__ import annotations

import functools
import io
import os
import threading
import urllib.request
from collections.abc import Callable, Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.response import addinfourl

import pytest
import timm
import torch
from ultralytics.utils import downloads as ultralytics_downloads

from mobileyolo import downloads
from mobileyolo.core import environment
from mobileyolo.core.errors import WeightsError
from mobileyolo.downloads import download
from mobileyolo.models.weights import read_backbone
from tests.keras import keras_arrays, write_keras


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records the downloads that would be made, and makes their files itself."""
    asked: list[str] = []

    def asset(path: Path) -> None:
        asked.append(path.name)
        path.write_bytes(b"weights of " + path.name.encode())

    create = timm.create_model

    def create_model(name: str, pretrained: bool) -> torch.nn.Module:
        asked.append(name)
        assert pretrained
        model: torch.nn.Module = create(name, pretrained=False)
        return model

    monkeypatch.setattr(ultralytics_downloads, "attempt_download_asset", asset)
    monkeypatch.setattr(timm, "create_model", create_model)
    return asked


def test_a_checkpoint_of_ultralytics_lands_under_its_name(network: list[str], tmp_path: Path) -> None:
    path = download("yolo11n.pt", tmp_path / "weights")
    assert path == tmp_path / "weights" / "yolo11n.pt"
    assert path.read_bytes() == b"weights of yolo11n.pt"
    assert list(path.parent.iterdir()) == [path]


def test_imagenet_weights_of_timm_land_under_their_name_as_a_state_dict(network: list[str], tmp_path: Path) -> None:
    path = download("mobilenetv1_100", tmp_path)
    assert path == tmp_path / "imagenet" / "mobilenetv1_100"
    assert network == ["mobilenetv1_100"]
    assert "conv_stem.weight" in read_backbone(path)


def test_a_classifier_lands_beside_the_other_imagenet_weights_and_nothing_else_does(
    network: list[str], tmp_path: Path
) -> None:
    path = download("yolo11s-cls.pt", tmp_path)
    assert path == tmp_path / "imagenet" / "yolo11s-cls.pt"
    assert path.read_bytes() == b"weights of yolo11s-cls.pt"
    assert list(path.parent.iterdir()) == [path]


def test_what_lies_there_is_not_asked_for_again(network: list[str], tmp_path: Path) -> None:
    (tmp_path / "yolo11n.pt").write_bytes(b"mine")
    assert download("yolo11n.pt", tmp_path).read_bytes() == b"mine"
    assert network == []


@pytest.mark.parametrize("name", ["yolo12n.pt", "../yolo11n.pt", "resnet50", "none"])
def test_an_unknown_name_is_refused_with_the_choices(network: list[str], tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match=r"unknown weights; choose one of yolo11n\.pt, .*mobilenetv1_100"):
        download(name, tmp_path)
    assert network == []


def failing(*_: Any, **__: Any) -> None:
    raise ConnectionError("no route")


def silent(*_: Any, **__: Any) -> None:
    """Ultralytics only logs some failures."""


@pytest.mark.parametrize("outcome", [failing, silent])
def test_a_failed_download_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: Any) -> None:
    monkeypatch.setattr(ultralytics_downloads, "attempt_download_asset", outcome)
    with pytest.raises(WeightsError, match=r"yolo11n\.pt: the download failed"):
        download("yolo11n.pt", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_downloads_are_off_until_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("YOLO_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("YOLO_CONFIG_DIR", os.environ["YOLO_CONFIG_DIR"])
    environment.isolate(tmp_path)
    assert (os.environ["YOLO_OFFLINE"], os.environ["HF_HUB_OFFLINE"]) == ("1", "1")
    environment.allow_downloads()
    assert (os.environ["YOLO_OFFLINE"], os.environ["HF_HUB_OFFLINE"]) == ("0", "0")


Served = Callable[[dict[str, bytes]], list[str]]


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Puts files where Keras has its own, on a server of this machine; the paths that are asked for."""
    files: dict[str, bytes] = {}
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            content = files.get(self.path.rpartition("/")[2])
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write(content or b"<Error><Code>NoSuchKey</Code></Error>")

        def log_message(self, *_: object) -> None:
            pass

    def serve(wanted: dict[str, bytes]) -> list[str]:
        files.update(wanted)
        return asked

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(downloads, "KERAS_ADDRESS", f"http://127.0.0.1:{server.server_port}/keras/")
        # This server speaks no https.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        monkeypatch.setattr(downloads, "_open", functools.partial(opener.open, timeout=10))
        yield serve
        server.shutdown()


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_keras(tmp_path_factory.mktemp("keras") / "a.h5", keras_arrays(0.25)).read_bytes()


def test_weights_of_keras_land_under_our_name_as_they_were(storage: Served, keras_file: bytes, tmp_path: Path) -> None:
    asked = storage({"mobilenet_2_5_160_tf_no_top.h5": keras_file})
    path = download("mobilenet_v1_0.25_160", tmp_path)
    assert asked == ["/keras/mobilenet_2_5_160_tf_no_top.h5"]
    assert path == tmp_path / "imagenet" / "mobilenet_v1_0.25_160"
    assert path.read_bytes() == keras_file
    assert "conv1/kernel" in read_backbone(path)


def test_keras_names_are_those_of_its_source() -> None:
    assert len(downloads.KERAS_FILES) == 16
    assert downloads.KERAS_FILES["mobilenet_v1_1.0_224"] == ("mobilenet_1_0_224_tf_no_top.h5", 1.0)
    assert downloads.KERAS_FILES["mobilenet_v1_0.75_192"] == ("mobilenet_7_5_192_tf_no_top.h5", 0.75)
    assert downloads.KERAS_FILES["mobilenet_v1_0.5_128"] == ("mobilenet_5_0_128_tf_no_top.h5", 0.5)


@pytest.mark.parametrize(
    ("name", "served", "said"),
    [
        ("mobilenet_v1_0.25_224", lambda _: b"<html>a portal that wants a login</html>", "it is not HDF5"),
        ("mobilenet_v1_0.25_224", lambda file: file[: len(file) // 2], "truncated"),
        ("mobilenet_v1_0.5_224", lambda file: file, "for width 0.25"),
        ("mobilenet_v1_0.25_224", lambda _: None, "404"),
    ],
)
def test_what_is_not_what_was_asked_for_is_refused_and_leaves_nothing(
    storage: Served, keras_file: bytes, tmp_path: Path, name: str, served: Callable[[bytes], bytes | None], said: str
) -> None:
    content = served(keras_file)
    storage({downloads.KERAS_FILES[name][0]: content} if content else {})
    with pytest.raises(WeightsError, match=rf"{name}: the download failed: .*{said}"):
        download(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/a.h5", "file:///a.h5", "ftp://127.0.0.1:1/a.h5"])
def test_nothing_is_asked_without_encryption(address: str) -> None:
    assert downloads.KERAS_ADDRESS.startswith("https://storage.googleapis.com/")
    with pytest.raises(URLError, match="unknown url type"):
        downloads._open(address)


def test_a_redirection_to_an_address_without_encryption_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    def redirect(_: object, request: urllib.request.Request) -> addinfourl:
        headers = Message()
        headers["Location"] = "http://127.0.0.1:1/a.h5"
        answer = addinfourl(io.BytesIO(), headers, request.full_url, 302)
        vars(answer)["msg"] = "Found"
        return answer

    monkeypatch.setattr(urllib.request.HTTPSHandler, "https_open", redirect)
    with pytest.raises(URLError, match="unknown url type: http>"):
        downloads._open("https://127.0.0.1/a.h5")
