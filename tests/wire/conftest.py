"""Fixtures: one server with the laptop services for all tests that do not stop it, and fresh ones for those that do."""

import os

import pytest
import world


def pytest_configure(config):
    if not world.BINARY.exists():
        raise pytest.UsageError(f"{world.BINARY} is not there; `cargo build -p cli` builds it, or set STEPWELL")
    # Clients of this process see nothing of the caller's AWS settings either.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    for name, value in world.environment().items():
        if name.startswith("AWS_"):
            os.environ[name] = value


@pytest.fixture(scope="session")
def functions():
    with world.serving(world.Functions) as functions:
        yield functions


@pytest.fixture(scope="session")
def server(tmp_path_factory, functions):
    server = world.Server(tmp_path_factory.mktemp("server"), env={"AWS_ENDPOINT_URL_LAMBDA": functions.url})
    server.start()
    yield server
    code = server.stop() if server.process.poll() is None else server.process.returncode
    assert code == 0, server.log()[-4000:]
    assert "panicked" not in server.log()


@pytest.fixture
def fresh(tmp_path):
    """Makes servers of its own for a test that kills or stops them."""
    made = []

    def make(**options):
        server = world.Server(tmp_path, **options)
        made.append(server)
        return server

    yield make
    for server in made:
        server.close()
        assert "panicked" not in server.log()
