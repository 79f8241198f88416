"""The network that tests make for themselves (netns.py) is one."""

import socket
import subprocess

import pytest

from netns import APPLIANCE, APPLIANCE_6, answer_to_syn


@pytest.mark.parametrize("address", [APPLIANCE, APPLIANCE_6])
def test_hosts_reach_the_appliance(make_net, address):
    net = make_net()
    host = net.host("host", "10.77.0.10", "fd77::10")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    with net.appliance:
        listener = socket.socket(family)
    with listener:
        listener.bind((address, 0))
        port = listener.getsockname()[1]
        assert answer_to_syn(host, address, port, 10) == "refused"
        listener.listen()
        assert answer_to_syn(host, address, port, 10) == "open"
        with host.connect(address, port) as sock:
            assert sock.getsockname()[0] in ("10.77.0.10", "fd77::10")


def test_hosts_are_gone_after_it(make_net):
    net = make_net()
    names = [net.host("one").name, net.host("two").name, net.appliance.name]

    assert all(name in subprocess.getoutput("ip netns") for name in names)
    net.close()
    assert not any(name in subprocess.getoutput("ip netns") for name in names)
    net.hosts.clear()
