"""Nights on a scheduler and workers that somebody else started: with certificates, without, on hosts of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from tasks.cluster import ClusterConfig, TlsConfig, dask_cluster
from tests.integration.namespaces import FIRST, SECOND, two_hosts
from tests.patience import LONG_SECONDS
from tests.tasks.shop_nights import TABLES, nights
from tests.tasks.train.hosts import hosts

pytestmark = pytest.mark.slow

LOOPBACK = ("127.0.0.1", "127.0.0.2")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsConfig:
    """A key, and a certificate that vouches for itself."""
    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nightshift")])
    own = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "own.pem").write_bytes(own.public_bytes(encoding))
    (folder / "own.key").write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
    return TlsConfig(ca_file=folder / "own.pem", cert=folder / "own.pem", key=folder / "own.key")


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory, cluster: str) -> dict[str, int]:
    """What the nights come to on a cluster of this machine's own."""
    found = nights(tmp_path_factory.mktemp("wanted"), cluster)
    assert found.keys() == set(TABLES)
    return found


def test_a_night_comes_to_the_same_on_workers_started_by_hand(tmp_path: Path, wanted: dict[str, int]) -> None:
    with hosts(*LOOPBACK) as own:
        assert nights(tmp_path, own.scheduler) == wanted


def test_what_a_night_and_its_workers_say_is_encrypted_by_setting(
    tmp_path: Path, wanted: dict[str, int], tls: TlsConfig
) -> None:
    words = {"ca-file": tls.ca_file, "cert": tls.cert, "key": tls.key}
    flags = [word for name, file in words.items() for word in (f"--tls-{name}", str(file))]
    with hosts(*LOOPBACK, flags=["--protocol", "tls", *flags]) as own:
        assert own.scheduler.startswith("tls://")
        assert nights(tmp_path / "known", own.scheduler, tls) == wanted
        plain = ClusterConfig(address=own.scheduler.replace("tls://", "tcp://"))
        with pytest.raises(OSError, match=r"Timed out|closed|expected"), dask_cluster(plain):
            pass


@pytest.mark.multinode
def test_a_night_comes_to_the_same_on_two_hosts(tmp_path: Path, wanted: dict[str, int]) -> None:
    with two_hosts() as both:
        places = {address: host.place for address, host in both.items()}
        with hosts(FIRST, SECOND, scheduler_host=FIRST, places=places) as own:
            command = [*places[FIRST], sys.executable, "-m", "tests.tasks.shop_nights", str(tmp_path), own.scheduler]
            done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=LONG_SECONDS)
    assert json.loads(done.stdout) == wanted


@pytest.mark.parametrize("address", ["tcp://10.0.0.1:8786", None])
def test_certificates_go_with_an_address_that_is_encrypted(tls: TlsConfig, address: str | None) -> None:
    with pytest.raises(ValidationError, match="do not go together"):
        ClusterConfig(address=address, tls=tls)
    with pytest.raises(ValidationError, match="do not go together"):
        ClusterConfig(address="tls://10.0.0.1:8786")
