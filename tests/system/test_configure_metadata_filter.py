"""image/units/nftables/metadata.nft: the metadata service is for one user of the machine alone."""

import socket

import pytest

from harness import ROOT

ASKER, OTHER = 64002, 64003
ADDRESSES = ["169.254.169.254", "fd00:ec2::254"]
CONNECT = ("import socket, sys\n"
           "try: socket.create_connection((sys.argv[1], 80), 5); print('connected')\n"
           "except OSError as e: print(e.strerror)\n")


@pytest.fixture
def net(make_net):
    """The service is another host."""
    made = make_net()
    made.service = made.host("service", *ADDRESSES)
    for address in ("169.254.169.1", "fd00:ec2::1"):
        made.appliance.add_address(address)
    return made


@pytest.fixture
def machine(net, tmp_path):
    """With the rules loaded twice."""
    appliance = net.appliance
    rules = (ROOT / "image/units/nftables/metadata.nft").read_text()
    assert '"postern-configure"' in rules
    path = tmp_path / "metadata.nft"
    path.write_text(rules.replace('"postern-configure"', str(ASKER)))  # there is no such user here
    for _ in range(2):
        code, _, errors = appliance.run("nft", "-f", path)
        assert code == 0, errors
    return appliance


def connects(machine, address, user):
    code, out, errors = machine.run("setpriv", f"--reuid={user}", "--clear-groups", "--no-new-privs",
                                    "/usr/bin/python3", "-c", CONNECT, address)
    assert code == 0, errors
    return out.strip() == "connected"


@pytest.mark.parametrize("address", ADDRESSES)
def test_only_the_asker_reaches_it(net, machine, address):
    with net.service:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.create_server((address, 80), family=family)
    with listener:
        assert connects(machine, address, ASKER)
        assert not connects(machine, address, OTHER)
        assert not connects(machine, address, 0)
