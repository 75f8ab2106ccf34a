"""NBD over TCP inside TLS: nbdcopy with a certificate gets in, in clear or without one nobody does."""

import subprocess

import pytest

from tests.agent.pair import SIZE, Pair, free_port, libnbd, needs, pair, run


def keys(folder) -> None:
    """Make an authority (its key is of no use afterwards), and a certificate each for server and client."""
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    ca = ["-keyout", folder / "ca.key", "-out", folder / "ca-cert.pem"]
    run("openssl", "req", "-x509", *new, "-subj", "/CN=hosts", *map(str, ca))
    for name in ("server", "client"):
        key, request = folder / f"{name}-key.pem", folder / f"{name}.csr"
        run("openssl", "req", *new[:-2], "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", str(key), "-out", str(request))  # fmt: skip
        run("openssl", "x509", "-req", "-in", str(request), "-CA", str(folder / "ca-cert.pem"), "-CAkey",
            str(folder / "ca.key"), "-CAcreateserial", "-days", "2", "-copy_extensions", "copy",
            "-out", str(folder / f"{name}-cert.pem"))  # fmt: skip


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    needs("nbdcopy", "openssl")
    libnbd()
    folder = tmp_path_factory.mktemp("tls")
    keys(folder)
    port = free_port()
    files = f"certificate: {folder}/server-cert.pem, key: {folder}/server-key.pem, authority: {folder}/ca-cert.pem"
    with pair(folder, made=Pair(folder, nbd=f", listen: 127.0.0.1:{port}, tls: {{{files}}}")) as two:
        two.start("paris")
        yield two, port, folder


def test_a_volume_goes_in_and_out_through_tls(secured):
    two, port, folder = secured
    content = bytes(range(256)) * (SIZE // 256)
    (folder / "in.img").write_bytes(content)
    uri = f"nbds://127.0.0.1:{port}/erp/v?tls-certificates={folder}"
    run("nbdcopy", "--flush", str(folder / "in.img"), uri)
    run("nbdcopy", uri, str(folder / "out.img"))
    assert (folder / "out.img").read_bytes() == content
    run("nbdcopy", two.uri(), str(folder / "out.img"))
    assert (folder / "out.img").read_bytes() == content, "the socket of this machine stays as it was"


def test_in_clear_or_without_a_certificate_nobody_gets_in(secured):
    _, port, folder = secured
    bare = folder / "bare"
    bare.mkdir(exist_ok=True)
    (bare / "ca-cert.pem").write_bytes((folder / "ca-cert.pem").read_bytes())
    for uri in (f"nbd://127.0.0.1:{port}/erp/v", f"nbds://127.0.0.1:{port}/erp/v?tls-certificates={bare}"):
        done = subprocess.run(
            ["nbdcopy", uri, str(folder / "no.img")], capture_output=True, timeout=30, check=False
        )
        assert done.returncode != 0, uri
