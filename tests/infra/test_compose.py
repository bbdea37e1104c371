"""The container installation, as far as it can be told without containers."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from infra import broker, valkey
from infra.settings import ROOT, Settings, load

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SCHEMA = Path(__file__).parent / "compose_schema" / "compose-spec.json"
DOCKERFILE = (ROOT / "infra" / "docker" / "Dockerfile").read_text(encoding="utf-8")
ONCE = {"setup"}
ROLES = ["engine", "agent", "worker", "scheduler", "history", "console"]
OURS = ["setup", *ROLES]
PINNED = re.compile(r"[a-z/]+:\d+\.\d+\.\d+(-[a-z0-9.-]+)?|[a-z/]+:\d+\.\d+-[a-z0-9.-]+")
MADE_UP = {"WIREROOM_SECRET_KEY": "k" * 32, "POSTGRES_PASSWORD": "p4ss"}
_VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::([?-])([^}]*))?\}")


def interpolated(text: str, given: dict[str, str]) -> str:
    """Replace variables as compose does; KeyError where a required one is not given."""

    def value(match: re.Match[str]) -> str:
        name, operator, rest = match.groups()
        return given.get(name, rest) if operator == "-" else given[name]

    return _VARIABLE.sub(value, text).replace("$$", "$")


def environment(service: str) -> dict[str, str]:
    """Return a service's variables as its process sees them."""
    return {k: interpolated(v, MADE_UP) for k, v in SERVICES[service]["environment"].items()}


def test_the_file_follows_the_compose_specification() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [f"{e.json_path}: {e.message}" for e in validator.iter_errors(COMPOSE)] == []


def test_every_process_has_a_service() -> None:
    assert set(SERVICES) == {"kafka", "cache", "tasks", "postgres", *OURS}


@pytest.mark.parametrize("service", SERVICES.keys() - ONCE)
def test_what_runs_on_is_restarted_and_has_a_health_check(service: str) -> None:
    assert SERVICES[service]["restart"] == "unless-stopped"
    assert SERVICES[service]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


@pytest.mark.parametrize("role", ROLES)
def test_our_health_checks_ask_for_their_own_role(role: str) -> None:
    assert SERVICES[role]["healthcheck"]["test"] == ["CMD", "python", "-m", "infra.probe", role]


@pytest.mark.parametrize("service", SERVICES)
def test_nobody_is_root(service: str) -> None:
    user = SERVICES[service]["user"].split(":")[0]
    assert user not in ("", "0", "root")
    assert "no-new-privileges:true" in SERVICES[service]["security_opt"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_image_is_pinned(service: str) -> None:
    assert PINNED.fullmatch(SERVICES[service]["image"])


@pytest.mark.parametrize("service", OURS)
def test_the_settings_are_settings_and_safe_in_production(service: str) -> None:
    settings = load(environment(service))
    assert settings.environment == "production"
    assert (settings.kafka, settings.home) == ("kafka:9092", Path("/var/lib/wireroom"))
    expected = "tcp://0.0.0.0:7070" if service == "engine" else "tcp://engine:7070"
    assert settings.engine_address == expected


@pytest.mark.parametrize("service", [name for name in OURS if name != "agent"])
def test_a_process_bears_the_name_of_its_service(service: str) -> None:
    assert load(environment(service)).process == service


def test_agents_have_names_of_their_own() -> None:
    shell, option, line = SERVICES["agent"]["command"]
    assert (shell, option) == ("sh", "-c")
    assert line.startswith("WIREROOM_PROCESS=agent-$$(hostname) exec python -m stream.app worker")
    assert "WIREROOM_PROCESS" not in environment("agent")


@pytest.mark.parametrize("service", OURS)
def test_the_module_of_every_command_exists(service: str) -> None:
    words = " ".join(SERVICES[service]["command"]).split()
    modules = [words[n + 1] for n, word in enumerate(words) if word in ("-m", "-A")]
    modules += [word.split(":")[0] for word in words if word == "console.asgi:application"]
    assert modules
    for module in modules:
        assert importlib.util.find_spec(module), module


@pytest.mark.parametrize("name", MADE_UP)
def test_a_secret_has_no_default(name: str) -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    operators = [m[2] for m in _VARIABLE.finditer(text) if m[1] == name]
    assert operators
    assert set(operators) == {"?"}


def test_only_the_console_can_be_reached_and_from_this_host_alone() -> None:
    published = {name: s["ports"] for name, s in SERVICES.items() if "ports" in s}
    assert published == {"console": ["127.0.0.1:${CONSOLE_PORT:-8000}:8000"]}
    assert not any(s.get("network_mode") or s.get("privileged") for s in SERVICES.values())


def test_nothing_but_the_console_has_a_way_out() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    networks = {name: s["networks"] for name, s in SERVICES.items()}
    assert networks.pop("console") == ["inside", "outside"]
    assert {tuple(names) for names in networks.values()} == {("inside",)}


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_may_take_all_memory(service: str) -> None:
    assert SERVICES[service]["deploy"]["resources"]["limits"]["memory"]


@pytest.mark.parametrize("service", SERVICES.keys() - {"kafka"})
def test_roots_are_read_only_where_the_image_allows_it(service: str) -> None:
    assert SERVICES[service]["read_only"] is True


def test_state_is_kept_in_named_volumes() -> None:
    mounts = [v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", [])]
    assert set(mounts) == set(COMPOSE["volumes"]) == {"home", "kafka", "tasks", "postgres"}


def test_everything_waits_for_what_it_needs() -> None:
    for role in ROLES:
        needs = SERVICES[role]["depends_on"]
        assert needs["setup"] == {"condition": "service_completed_successfully"}
        assert needs["kafka"] == needs["tasks"] == {"condition": "service_healthy"}
    assert SERVICES["agent"]["depends_on"]["engine"] == {"condition": "service_healthy"}
    assert "setup" not in SERVICES["setup"]["depends_on"]


def test_kafka_is_configured_as_the_embedded_one() -> None:
    addresses = {
        "controller.quorum.voters",
        "listeners",
        "advertised.listeners",
        "log.dirs",
    }
    expected = {
        "KAFKA_" + key.upper().replace(".", "_"): value
        for key, value in broker.properties(Path("unused"), 1, 2).items()
        if key not in addresses
    }
    got = environment("kafka")
    assert {key: got.get(key) for key in expected} == expected
    assert got["KAFKA_HEAP_OPTS"] == broker.HEAP


def test_the_servers_evict_as_the_embedded_ones() -> None:
    cache = valkey.cache_command(1)
    tasks = valkey.tasks_command(1, ROOT)
    shared = ("--maxmemory", "--maxmemory-policy", "--save", "--appendonly", "--appendfsync")
    for service, embedded in (("cache", cache), ("tasks", tasks)):
        command = SERVICES[service]["command"]
        for option in shared:
            assert following(command, option) == following(embedded, option)


def following(command: list[str], option: str) -> str | None:
    return command[command.index(option) + 1] if option in command else None


def test_the_image_is_built_on_pinned_ones_and_runs_as_nobody_special() -> None:
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert [i for i in images if i != "packages" and not PINNED.fullmatch(i)] == []
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert users == [SERVICES["engine"]["user"]] == ["10001:10001"]


def test_what_the_image_copies_exists_and_goes_to_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
        for word in line.split()
    }
    assert copied == {line[1:] for line in ignored if line.startswith("!")}
    assert [name for name in sorted(copied) if not (ROOT / name).exists()] == []


def test_the_home_of_the_image_is_the_mounted_one() -> None:
    assert f"WIREROOM_HOME={load(environment('engine')).home}" in DOCKERFILE
    assert Settings().assets == ROOT / ".assets"  # where the image puts them, below /app
